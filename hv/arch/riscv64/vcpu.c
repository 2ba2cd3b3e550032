/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's state: created, reset, and moved between memory and a CPU.
 *
 * While loaded everything of struct arch_vcpu but x[] is in the hardware. What
 * is the same for all vCPUs of a domain is written only when the CPU has
 * something else. FP registers stay where they are: sstatus.FS, which is the
 * hypervisor's view of them (vsstatus.FS is the guest's own), says whether the
 * guest changed them since they were loaded: Clean or Dirty, never anything else.
 */
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "host.h"
#include "stage2.h"
#include "vector.h"
#include "vintc.h"
#include "vpmu.h"
#include "vtimer.h"

/* hstatus: 64-bit VS mode; enters it with V = 1 from S. */
#define HSTATUS_GUEST (HSTATUS_VSXL_64 | HSTATUS_VTW | HSTATUS_SPV | HSTATUS_SPVP)

void fp_save(struct arch_fp *fp);
void fp_load(const struct arch_fp *fp);

int arch_domain_init(struct domain *d)
{
    size_t size = d->hv->nr_pcpus * sizeof(struct tlb_last);

    if (d->config.sve_bits != 0) {
        return -XEN_EOPNOTSUPP;
    }
    d->arch.tlb = mem_alloc(d->hv, size);
    if (d->arch.tlb == NULL) {
        return -XEN_ENOMEM;
    }
    d->arch.time_offset = -csr_read(time);
    stage2_domain_init(d);
    return 0;
}

void arch_domain_fini(struct domain *d)
{
    vintc_destroy(d);
    mem_free(d->hv, d->arch.tlb, d->hv->nr_pcpus * sizeof(struct tlb_last));
    d->arch.tlb = NULL;
}

int arch_vcpu_init(struct vcpu *v)
{
    v->arch.tlb_cpu = UINT32_MAX;
    v->arch.fp_cpu = UINT32_MAX;
    vtimer_init(v);
    int rc = vector_vcpu_init(v);
    if (rc != 0) {
        return rc;
    }
    arch_vcpu_reset(v, 0, 0);
    rc = vintc_vcpu_init(v);
    if (rc != 0) {
        vector_vcpu_fini(v);
    }
    return rc;
}

void arch_vcpu_fini(struct vcpu *v)
{
    vintc_vcpu_fini(v);
    vector_vcpu_fini(v);
}

void arch_vcpu_reset(struct vcpu *v, uint64_t entry, uint64_t arg)
{
    memset(v->arch.x, 0, sizeof(v->arch.x));
    memset(&v->arch.vs, 0, sizeof(v->arch.vs));
    memset(&v->arch.fp, 0, sizeof(v->arch.fp));
    v->arch.fp_cpu = UINT32_MAX;
    vector_vcpu_reset(v);
    vpmu_reset(v);
    v->arch.x[REG_A0] = v->id; /* SBI 2.0 9.1: hartid, then opaque or the device tree */
    v->arch.x[REG_A1] = arg;
    v->arch.pc = entry;
    /* Its guest interrupt file stays its own (vintc_aia_load()). */
    v->arch.hstatus = HSTATUS_GUEST | (v->arch.hstatus & HSTATUS_VGEIN);
    v->arch.sstatus = SSTATUS_UXL_64 | SSTATUS_FS_CLEAN | SSTATUS_SPP;
    /* As firmware leaves it: kernels without a driver for the PMU never write it. */
    v->arch.vs.counteren = COUNTEREN_ZICNTR;
    v->arch.hvip = 0;
    v->arch.timecmp = UINT64_MAX;
    atomic_fetch_and(&v->arch.lines, ~(uint64_t)HIP_VSTIP);
    (void)atomic_exchange(&v->arch.soft, 0);
}

static void fp_state_load(struct vcpu *v, struct pcpu *p)
{
    if (p->arch.fp_owner == v && v->arch.fp_cpu == p->id) {
        return;
    }
    fp_load(&v->arch.fp);
    p->arch.fp_owner = v;
    v->arch.fp_cpu = p->id;
}

/* Leaves v->arch.sstatus as v is to find the register: FS Clean, VS Off (rare_state_save()). */
static void status_save(struct vcpu *v)
{
    uint64_t status = csr_read(sstatus);

    if ((status & SSTATUS_FS) == SSTATUS_FS_DIRTY) {
        fp_save(&v->arch.fp);
        status ^= SSTATUS_FS_CHANGED;
    }
    v->arch.sstatus = status;
}

static __noinline void rare_state_load(struct vcpu *v, struct pcpu *p)
{
    if (v->arch.rare & RARE_VECTOR) {
        vector_load(v, p);
    }
    if (v->arch.rare & RARE_PMU) {
        vpmu_load(v);
    }
}

static __noinline void rare_state_save(struct vcpu *v)
{
    if (v->arch.rare & RARE_VECTOR) {
        vector_save(v);
    }
    if (v->arch.rare & RARE_PMU) {
        vpmu_save(v);
    }
}

void arch_vcpu_load(struct vcpu *v, struct pcpu *p)
{
    const struct arch_vs *vs = &v->arch.vs;
    uint64_t status;

    stage2_load(v, p);
    csr_write(vsstatus, vs->status);
    csr_write(vsie, vs->ie);
    csr_write(vstvec, vs->tvec);
    csr_write(vsscratch, vs->scratch);
    csr_write(vsepc, vs->epc);
    csr_write(vscause, vs->cause);
    csr_write(vstval, vs->tval);
    csr_write(vsatp, vs->atp);
    csr_write(scounteren, vs->counteren);
    csr_write(senvcfg, vs->envcfg);
    csr_write(hvip, v->arch.hvip);
    csr_write(htimedelta, v->domain->arch.time_offset);
    vtimer_load(v, p);
    vintc_load(v, p);
    fp_state_load(v, p);
    status = v->arch.hstatus;
    if (unlikely(v->dedicated)) {
        status &= ~(uint64_t)HSTATUS_VTW;
    }
    csr_write(hstatus, status);
    csr_write(sepc, v->arch.pc);
    csr_write(sstatus, v->arch.sstatus); /* after fp_load(), which made FS Dirty */
    if (unlikely(v->arch.rare != 0)) {
        rare_state_load(v, p);
    }
}

__inline_at_link void arch_vcpu_save(struct vcpu *v, struct pcpu *p)
{
    struct arch_vs *vs = &v->arch.vs;

    vs->status = csr_read(vsstatus);
    vs->ie = csr_read(vsie);
    vs->tvec = csr_read(vstvec);
    vs->scratch = csr_read(vsscratch);
    vs->epc = csr_read(vsepc);
    vs->cause = csr_read(vscause);
    vs->tval = csr_read(vstval);
    vs->atp = csr_read(vsatp);
    vs->counteren = csr_read(scounteren);
    vs->envcfg = csr_read(senvcfg);
    v->arch.hvip = csr_read(hvip);
    vintc_save(v, p);
    vtimer_save(v, p);
    if (unlikely(v->arch.rare != 0)) {
        rare_state_save(v);
    }
    v->arch.hstatus = csr_read(hstatus) | HSTATUS_VTW;
    v->arch.pc = csr_read(sepc);
    status_save(v);
}

void arch_vcpu_dump(struct vcpu *v, void (*emit)(void *arg, const char *line), void *arg)
{
    const struct arch_vs *vs = &v->arch.vs;
    char line[128];

    fmt_print(line, sizeof(line), "pc %016llx mode %c vsstatus %016llx vsatp %016llx",
              (unsigned long long)v->arch.pc, v->arch.sstatus & SSTATUS_SPP ? 'S' : 'U',
              (unsigned long long)vs->status, (unsigned long long)vs->atp);
    emit(arg, line);
    for (uint32_t i = 1; i < 32; i += 3) {
        fmt_print(line, sizeof(line), "x%-2u %016llx x%-2u %016llx x%-2u %016llx", i,
                  (unsigned long long)v->arch.x[i], i + 1,
                  (unsigned long long)v->arch.x[MIN(i + 1, 31u)], i + 2,
                  (unsigned long long)v->arch.x[MIN(i + 2, 31u)]);
        emit(arg, line);
    }
    fmt_print(line, sizeof(line), "vsepc %016llx vscause %016llx vstval %016llx vstvec %016llx",
              (unsigned long long)vs->epc, (unsigned long long)vs->cause,
              (unsigned long long)vs->tval, (unsigned long long)vs->tvec);
    emit(arg, line);
}
