/* SPDX-License-Identifier: MIT */
/* Exceptions that the hypervisor makes a guest take, as hardware delivers them (Priv. spec 21.6.4).
 */
#include <arch/vcpu.h>
#include <loam/vcpu.h>

#include "csr.h"
#include "trap.h"
#include "vpmu.h"

/* What reaches the hypervisor first, as it would firmware: the rest is the guest's own. */
static void count(struct vcpu *v, uint64_t cause)
{
    if (cause == CAUSE_ILLEGAL) {
        vpmu_count(v, PMU_EVENT_ILLEGAL_INSN);
    } else if (cause == CAUSE_LOAD_ACCESS) {
        vpmu_count(v, PMU_EVENT_ACCESS_LOAD);
    } else if (cause == CAUSE_STORE_ACCESS) {
        vpmu_count(v, PMU_EVENT_ACCESS_STORE);
    }
}

void inject_exception(struct vcpu *v, uint64_t cause, uint64_t tval)
{
    uint64_t status = csr_read(vsstatus);
    uint64_t previous = csr_read(sstatus) & SSTATUS_SPP;

    status = (status & ~(uint64_t)(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE)) | previous |
             (status & SSTATUS_SIE ? SSTATUS_SPIE : 0);
    csr_write(vsstatus, status);
    csr_write(vsepc, csr_read(sepc));
    csr_write(vscause, cause);
    csr_write(vstval, tval);
    /* Exceptions go to the base in both modes of the vector. */
    csr_write(sepc, csr_read(vstvec) & ~UINT64_C(3));
    csr_set(sstatus, SSTATUS_SPP);
    count(v, cause);
}

void arch_inject_undefined(struct vcpu *v) { inject_exception(v, CAUSE_ILLEGAL, trap_insn(v)); }

void arch_inject_access_fault(struct vcpu *v, const struct vm_exit *x)
{
    uint64_t cause = x->info == CAUSE_STORE_GUEST_PAGE  ? CAUSE_STORE_ACCESS
                     : x->info == CAUSE_INSN_GUEST_PAGE ? CAUSE_INSN_ACCESS
                                                        : CAUSE_LOAD_ACCESS;

    inject_exception(v, cause, csr_read(stval));
}
