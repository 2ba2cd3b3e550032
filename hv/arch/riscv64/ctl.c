/* SPDX-License-Identifier: MIT */
/* What a toolstack says of riscv64 domains and vCPUs (abi/xen/arch-riscv.h). */
#include <arch/ctl.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/arch-riscv.h>
#include <xen/errno.h>

#include "csr.h"
#include "host.h"

#define SOURCES_MAX 1023 /* of a PLIC or an APLIC */

_Static_assert(sizeof(struct xen_arch_domainconfig) == ARCH_CONFIG_WORDS * sizeof(uint32_t),
               "the architecture's part of createdomain");
_Static_assert(sizeof(struct vcpu_guest_context) <= ARCH_CONTEXT_MAX, "a context is too large");

int arch_domain_config(const struct hv *hv, const uint32_t arch[ARCH_CONFIG_WORDS],
                       struct domain_config *c)
{
    struct xen_arch_domainconfig a;

    memcpy(&a, arch, sizeof(a));
    if (a.nr_sources > SOURCES_MAX) {
        return refuse(-XEN_EINVAL, "more shared interrupts than a controller has", a.nr_sources,
                      SOURCES_MAX);
    }
    c->nr_spis = a.nr_sources;
    return 0;
}

void arch_domain_config_of(const struct domain *d, uint32_t arch[ARCH_CONFIG_WORDS])
{
    struct xen_arch_domainconfig a = { .nr_sources = d->config.nr_spis };

    memcpy(arch, &a, sizeof(a));
}

uint32_t arch_counter_khz(const struct hv *hv)
{
    return (uint32_t)(arch_host_const(hv)->clock.hz / 1000);
}

uint32_t arch_physcaps(const struct hv *hv) { return 0; }

size_t arch_vcpu_context_size(void) { return sizeof(struct vcpu_guest_context); }

int arch_vcpu_context_set(struct vcpu *v, const void *context, bool *online)
{
    const struct vcpu_guest_context *c = context;

    if (c->user > 1) {
        return refuse(-XEN_EINVAL, "a mode that no guest is in", c->user, 0);
    }
    memcpy(v->arch.x, c->x, sizeof(v->arch.x));
    v->arch.pc = c->pc;
    v->arch.sstatus =
        (v->arch.sstatus & ~(uint64_t)SSTATUS_SPP) | (c->user ? 0 : (uint64_t)SSTATUS_SPP);
    v->arch.vs.atp = c->satp;
    v->arch.vs.status = c->sstatus;
    v->arch.vs.tvec = c->stvec;
    v->arch.vs.scratch = c->sscratch;
    v->arch.vs.epc = c->sepc;
    v->arch.vs.cause = c->scause;
    v->arch.vs.tval = c->stval;
    *online = c->flags & VGCF_online;
    return 0;
}

void arch_vcpu_context_get(struct vcpu *v, bool online, void *context)
{
    struct vcpu_guest_context *c = context;

    c->flags = online ? VGCF_online : 0;
    c->user = v->arch.sstatus & SSTATUS_SPP ? 0 : 1;
    memcpy(c->x, v->arch.x, sizeof(c->x));
    c->pc = v->arch.pc;
    c->satp = v->arch.vs.atp;
    c->sstatus = v->arch.vs.status;
    c->stvec = v->arch.vs.tvec;
    c->sscratch = v->arch.vs.scratch;
    c->sepc = v->arch.vs.epc;
    c->scause = v->arch.vs.cause;
    c->stval = v->arch.vs.tval;
}
