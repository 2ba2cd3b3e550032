/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's state: created, reset, and moved between memory and a CPU.
 *
 * While loaded everything of struct arch_vcpu but x[] is in the hardware. What
 * is the same for all vCPUs of a domain (stage 2) or seldom differs (HCR_EL2)
 * is written only when the CPU has something else; p->arch remembers what.
 * No barrier is needed between a load and the ERET that follows.
 */
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "cpu.h"
#include "guest.h"
#include "host.h"
#include "stage2.h"
#include "switch.h"
#include "sysreg.h"
#include "vgic.h"
#include "vtimer.h"

/* PSTATE after reset: EL1 with SP_EL1, all exceptions masked. */
#define PSTATE_RESET 0x3c5
/* SCTLR_EL1: the bits that are one where a feature is absent, everything else off. */
#define SCTLR_RESET 0x30d00800

#define HCR_TLOR BIT(35)
#define HCR_GUEST                                                                                  \
    (HCR_VM | HCR_RW | HCR_IMO | HCR_FMO | HCR_AMO | HCR_TSC | HCR_TWI | HCR_TWE | HCR_TID3 |      \
     HCR_TIDCP | HCR_TACR | HCR_TSW | HCR_FB | HCR_BSU_INNER | HCR_PTW | HCR_SWIO | HCR_TERR |     \
     HCR_TLOR)

#define CPTR_TZ BIT(8)
#define SVE_VQ_MAX 16
#define ZCR_EL1 S3_0_C1_C2_0
#define ZCR_EL2 S3_4_C1_C2_0

/* Z0-Z31, then P0-P15 and FFR, of the domain's vector length. */
struct arch_sve {
    uint8_t z[16];
};

static size_t sve_z_size(const struct domain *d) { return 32 * 16 * (size_t)d->arch.sve_vq; }
static size_t sve_size(const struct domain *d)
{
    return sve_z_size(d) + ALIGN_UP(17 * 2 * (size_t)d->arch.sve_vq, 16);
}

void sve_probe(struct arch_host *host)
{
    uint64_t cptr = sysreg_read(cptr_el2);

    if (!host->has_sve) {
        return;
    }
    sysreg_write(cptr_el2, cptr & ~CPTR_TZ);
    isb();
    for (uint32_t vq = 1; vq <= SVE_VQ_MAX; vq++) {
        /* The longest vector that there is and that is not longer. */
        sysreg_write_s(ZCR_EL2, vq - 1);
        isb();
        if (sve_vl() == vq * 16) {
            host->sve_vqs |= 1u << (vq - 1);
        }
    }
    sysreg_write(cptr_el2, cptr);
    isb();
}

int arch_domain_init(struct domain *d)
{
    const struct arch_host *host = arch_host_const(d->hv);

    uint32_t vq = d->config.sve_bits / 128;

    if (d->config.sve_bits != 0 &&
        (d->config.sve_bits % 128 != 0 || vq > SVE_VQ_MAX || !(host->sve_vqs >> (vq - 1) & 1))) {
        return -XEN_EOPNOTSUPP;
    }
    d->arch.sve_vq = vq;
    d->arch.cntvoff = sysreg_read(cntpct_el0);
    d->arch.vcpu_hcr = HCR_GUEST | (host->has_fwb ? HCR_FWB : 0) |
                       (host->has_pauth ? HCR_API | HCR_APK : 0);
    return vintc_domain_init(d);
}

void arch_domain_fini(struct domain *d)
{
    vintc_domain_fini(d);
}

int arch_vcpu_init(struct vcpu *v)
{
    struct domain *d = v->domain;

    if (d->arch.sve_vq != 0) {
        v->arch.sve = mem_alloc(d->hv, sve_size(d));
        if (v->arch.sve == NULL) {
            return -XEN_ENOMEM;
        }
    }
    vtimer_init(v);
    vintc_vcpu_init(v);
    v->arch.vmpidr = BIT(31) | guest_mpidr(v->id);
    v->arch.hcr = d->arch.vcpu_hcr;
    arch_vcpu_reset(v, 0, 0);
    return 0;
}

void arch_vcpu_fini(struct vcpu *v)
{
    v->domain->arch.vgic->cpu[v->id] = NULL;
    mem_free(v->domain->hv, v->arch.sve, sve_size(v->domain));
}

void arch_vcpu_reset(struct vcpu *v, uint64_t entry, uint64_t arg)
{
    memset(v->arch.x, 0, sizeof(v->arch.x));
    memset(&v->arch.el1, 0, sizeof(v->arch.el1));
    memset(&v->arch.keys, 0, sizeof(v->arch.keys));
    memset(&v->arch.timers, 0, sizeof(v->arch.timers));
    memset(&v->arch.fp, 0, sizeof(v->arch.fp));
    if (v->arch.sve != NULL) {
        memset(v->arch.sve, 0, sve_size(v->domain));
    }
    v->arch.zcr = 0;
    v->arch.x[0] = arg;
    v->arch.pc = entry;
    v->arch.pstate = PSTATE_RESET;
    v->arch.el1.sctlr = SCTLR_RESET;
    v->arch.hcr = v->domain->arch.vcpu_hcr;
    vgic_cpu_reset(&v->arch.vgic);
}

static void sve_state_load(struct vcpu *v)
{
    sysreg_write(cptr_el2, sysreg_read(cptr_el2) & ~CPTR_TZ);
    isb();
    sysreg_write_s(ZCR_EL2, v->domain->arch.sve_vq - 1);
    sysreg_write_s(ZCR_EL1, v->arch.zcr);
    isb();
    sve_load(v->arch.sve, (uint8_t *)v->arch.sve + sve_z_size(v->domain), &v->arch.fp);
}

static void sve_state_save(struct vcpu *v)
{
    sve_save(v->arch.sve, (uint8_t *)v->arch.sve + sve_z_size(v->domain), &v->arch.fp);
    v->arch.zcr = sysreg_read_s(ZCR_EL1);
    sysreg_write(cptr_el2, sysreg_read(cptr_el2) | CPTR_TZ);
    isb();
}

void arch_vcpu_load(struct vcpu *v, struct pcpu *p)
{
    uint64_t hcr = v->arch.hcr & ~(v->dedicated ? HCR_TWI | HCR_TWE : 0);

    if (p->arch.hcr != hcr) {
        p->arch.hcr = hcr;
        sysreg_write(hcr_el2, hcr);
    }
    if (!vmid_is_loaded(&v->domain->p2m.vmid, &p->vmid)) {
        stage2_load(v->domain, p);
    }
    sysreg_write(vmpidr_el2, v->arch.vmpidr);
    el1_load(&v->arch.el1);
    if (p->arch.host->has_pauth) {
        keys_load(&v->arch.keys);
    }
    if (likely(v->arch.sve == NULL)) {
        fp_load(&v->arch.fp);
    } else {
        sve_state_load(v);
    }
    sysreg_write(elr_el2, v->arch.pc);
    sysreg_write(spsr_el2, v->arch.pstate);
    /* The timer last: its interrupt may be active at the host from before. */
    vgic_load(&v->arch.vgic);
    vtimer_load(v, p);
}

void arch_vcpu_save(struct vcpu *v, struct pcpu *p)
{
    /* The timer first: its interrupt is made inactive for the next one. */
    vtimer_save(v, p);
    vgic_save(&v->arch.vgic);
    vtimer_arm_wake(v, p);
    el1_save(&v->arch.el1);
    if (p->arch.host->has_pauth) {
        keys_save(&v->arch.keys);
    }
    if (likely(v->arch.sve == NULL)) {
        fp_save(&v->arch.fp);
    } else {
        sve_state_save(v);
    }
    v->arch.pc = sysreg_read(elr_el2);
    v->arch.pstate = sysreg_read(spsr_el2);
}

void arch_vcpu_dump(struct vcpu *v, void (*emit)(void *arg, const char *line), void *arg)
{
    char line[128];

    fmt_print(line, sizeof(line), "pc %016llx pstate %08llx sp_el1 %016llx sp_el0 %016llx",
              (unsigned long long)v->arch.pc, (unsigned long long)v->arch.pstate,
              (unsigned long long)v->arch.el1.sp_el1, (unsigned long long)v->arch.el1.sp_el0);
    emit(arg, line);
    for (uint32_t i = 0; i < 31; i += 3) {
        fmt_print(line, sizeof(line), "x%-2u %016llx x%-2u %016llx x%-2u %016llx", i,
                  (unsigned long long)v->arch.x[i], i + 1,
                  (unsigned long long)v->arch.x[MIN(i + 1, 30u)], i + 2,
                  (unsigned long long)v->arch.x[MIN(i + 2, 30u)]);
        emit(arg, line);
    }
    fmt_print(line, sizeof(line), "elr_el1 %016llx esr_el1 %08llx far_el1 %016llx sctlr %08llx",
              (unsigned long long)v->arch.el1.elr, (unsigned long long)v->arch.el1.esr,
              (unsigned long long)v->arch.el1.far, (unsigned long long)v->arch.el1.sctlr);
    emit(arg, line);
}
