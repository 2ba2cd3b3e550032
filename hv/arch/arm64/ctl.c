/* SPDX-License-Identifier: MIT */
/* What a toolstack says of arm64 domains and vCPUs (Xen public header arch-arm.h). */
#include <arch/ctl.h>
#include <loam/bits.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/arch-arm.h>
#include <xen/errno.h>

#include "guest.h"
#include "host.h"

/* PSTATE of a guest (Arm DDI 0487 C5.2.19): flags, masks, SS, and features of EL0 and EL1. */
#define PSTATE_MODE 0x1fu
#define PSTATE_EL0T 0x0u
#define PSTATE_EL1T 0x4u
#define PSTATE_EL1H 0x5u
#define PSTATE_GUEST UINT64_C(0xf3e01fdf)

/* SCTLR_EL1: bits that are one where the feature they switch is absent. */
#define SCTLR_ONES UINT64_C(0x30d00800)

_Static_assert(sizeof(struct xen_arch_domainconfig) == ARCH_CONFIG_WORDS * sizeof(uint32_t),
               "the architecture's part of createdomain");
_Static_assert(sizeof(struct vcpu_guest_context) <= ARCH_CONTEXT_MAX, "a context is too large");

int arch_domain_config(const struct hv *hv, const uint32_t arch[ARCH_CONFIG_WORDS],
                       struct domain_config *c)
{
    struct xen_arch_domainconfig a;

    memcpy(&a, arch, sizeof(a));
    if (a.gic_version != XEN_DOMCTL_CONFIG_GIC_NATIVE &&
        a.gic_version != XEN_DOMCTL_CONFIG_GIC_V3) {
        return refuse(-XEN_EINVAL, "this machine's interrupt controller is a GICv3", a.gic_version,
                      0);
    }
    if (a.tee_type != XEN_DOMCTL_CONFIG_TEE_NONE ||
        a.arm_sci_type != XEN_DOMCTL_CONFIG_ARM_SCI_NONE || a.v8r_el1_msa != 0) {
        return refuse(-XEN_EINVAL, "no such firmware service for guests", a.tee_type,
                      a.arm_sci_type);
    }
    if (a.nr_spis > VGIC_SPIS_MAX) {
        return refuse(-XEN_EINVAL, "more shared interrupts than a GICv3 has", a.nr_spis,
                      VGIC_SPIS_MAX);
    }
    uint32_t vq = a.sve_vl;
    if (vq != 0 && (vq > 16 || !(arch_host_const(hv)->sve_vqs >> (vq - 1) & 1))) {
        return refuse(-XEN_EINVAL, "this machine has no such vector length", vq * 128, 0);
    }
    c->nr_spis = a.nr_spis;
    c->sve_bits = vq * 128;
    return 0;
}

void arch_domain_config_of(const struct domain *d, uint32_t arch[ARCH_CONFIG_WORDS])
{
    struct xen_arch_domainconfig a = {
        .gic_version = XEN_DOMCTL_CONFIG_GIC_V3,
        .sve_vl = (uint8_t)d->arch.sve_vq,
        .nr_spis = d->config.nr_spis,
    };

    memcpy(arch, &a, sizeof(a));
}

uint32_t arch_counter_khz(const struct hv *hv)
{
    return (uint32_t)(arch_host_const(hv)->counter.hz / 1000);
}

/* XEN_SYSCTL_PHYSCAP_ARM_SVE_MASK: the longest vectors, in units of 128 bits. */
uint32_t arch_physcaps(const struct hv *hv)
{
    return fls64(arch_host_const(hv)->sve_vqs);
}

size_t arch_vcpu_context_size(void) { return sizeof(struct vcpu_guest_context); }

int arch_vcpu_context_set(struct vcpu *v, const void *context, bool *online)
{
    const struct vcpu_guest_context *c = context;
    const struct vcpu_guest_core_regs *r = &c->user_regs;
    uint64_t mode = r->cpsr & PSTATE_MODE;

    if (mode != PSTATE_EL0T && mode != PSTATE_EL1T && mode != PSTATE_EL1H) {
        return refuse(-XEN_EINVAL, "a mode that no 64-bit guest is in", mode, r->cpsr);
    }
    memcpy(v->arch.x, r->x, sizeof(v->arch.x));
    v->arch.pc = r->pc64;
    v->arch.pstate = r->cpsr & PSTATE_GUEST;
    v->arch.el1.spsr = r->spsr_el1;
    v->arch.el1.sp_el0 = r->sp_el0;
    v->arch.el1.sp_el1 = r->sp_el1;
    v->arch.el1.elr = r->elr_el1;
    v->arch.el1.sctlr = c->sctlr | SCTLR_ONES;
    v->arch.el1.tcr = c->ttbcr;
    v->arch.el1.ttbr0 = c->ttbr0;
    v->arch.el1.ttbr1 = c->ttbr1;
    *online = c->flags & VGCF_online;
    return 0;
}

void arch_vcpu_context_get(struct vcpu *v, bool online, void *context)
{
    struct vcpu_guest_context *c = context;
    struct vcpu_guest_core_regs *r = &c->user_regs;

    memcpy(r->x, v->arch.x, sizeof(r->x));
    r->pc64 = v->arch.pc;
    r->cpsr = v->arch.pstate;
    r->spsr_el1 = v->arch.el1.spsr;
    r->sp_el0 = v->arch.el1.sp_el0;
    r->sp_el1 = v->arch.el1.sp_el1;
    r->elr_el1 = v->arch.el1.elr;
    c->sctlr = v->arch.el1.sctlr;
    c->ttbcr = v->arch.el1.tcr;
    c->ttbr0 = v->arch.el1.ttbr0;
    c->ttbr1 = v->arch.el1.ttbr1;
    c->flags = online ? VGCF_online : 0;
}
