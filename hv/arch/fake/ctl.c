/* SPDX-License-Identifier: MIT */
/*
 * What a toolstack says of fake domains and vCPUs: in the structures of Arm, whose ABI the
 * tests compare with Xen's. A fake vCPU has the first registers and the program counter.
 */
#include <arch/boot.h>
#include <arch/ctl.h>
#include <arch/impl/fake.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/arch-arm.h>
#include <xen/errno.h>

#define CPSR_32BIT 0x10u

int arch_domain_config(const struct hv *hv, const uint32_t arch[ARCH_CONFIG_WORDS],
                       struct domain_config *c)
{
    struct xen_arch_domainconfig a;

    memcpy(&a, arch, sizeof(a));
    if (a.gic_version != XEN_DOMCTL_CONFIG_GIC_NATIVE &&
        a.gic_version != XEN_DOMCTL_CONFIG_GIC_V3) {
        return refuse(-XEN_EINVAL, "the only interrupt controller is number 2", a.gic_version, 0);
    }
    if (a.nr_spis > FAKE_VIRQS - FAKE_VIRQ_BASE || a.sve_vl != 0 || a.tee_type != 0 ||
        a.arm_sci_type != 0 || a.v8r_el1_msa != 0) {
        return refuse(-XEN_EINVAL, "a fake guest has no such thing", a.nr_spis, a.sve_vl);
    }
    c->nr_spis = a.nr_spis;
    return 0;
}

void arch_domain_config_of(const struct domain *d, uint32_t arch[ARCH_CONFIG_WORDS])
{
    struct xen_arch_domainconfig a = { .gic_version = XEN_DOMCTL_CONFIG_GIC_V3,
                                       .nr_spis = d->config.nr_spis };

    memcpy(arch, &a, sizeof(a));
}

/* The fake counter counts nanoseconds. */
uint32_t arch_counter_khz(const struct hv *hv) { return 1000000; }

uint32_t arch_physcaps(const struct hv *hv) { return 0; }

size_t arch_vcpu_context_size(void) { return sizeof(struct vcpu_guest_context); }

int arch_vcpu_context_set(struct vcpu *v, const void *context, bool *online)
{
    const struct vcpu_guest_context *c = context;

    if (c->user_regs.cpsr & CPSR_32BIT) {
        return refuse(-XEN_EINVAL, "a mode that no guest is in", c->user_regs.cpsr, 0);
    }
    memcpy(v->arch.reg, c->user_regs.x, sizeof(v->arch.reg));
    v->arch.pc = c->user_regs.pc64;
    *online = c->flags & VGCF_online;
    return 0;
}

void arch_vcpu_context_get(struct vcpu *v, bool online, void *context)
{
    struct vcpu_guest_context *c = context;

    memcpy(c->user_regs.x, v->arch.reg, sizeof(v->arch.reg));
    c->user_regs.pc64 = v->arch.pc;
    c->flags = online ? VGCF_online : 0;
}

const void *arch_image_note(size_t *size)
{
    static const uint32_t note[] = { 4, 8, 3, 0x00554e47, 0x04030201, 0x08070605 }; /* "GNU" */

    *size = sizeof(note);
    return note;
}
