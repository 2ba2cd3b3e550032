/* SPDX-License-Identifier: MIT */
/* Exceptions that the hypervisor makes a guest take, as hardware delivers them (Priv. spec 21.6.4).
 */
#include <arch/vcpu.h>
#include <loam/vcpu.h>

#include "csr.h"
#include "trap.h"
#include "vpmu.h"

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
}

/* Faults that reach the hypervisor first, as they would firmware, are events of SBI PMU. */

void arch_inject_undefined(struct vcpu *v)
{
    vpmu_count(v, PMU_EVENT_ILLEGAL_INSN);
    inject_exception(v, CAUSE_ILLEGAL, trap_insn(v));
}

void arch_inject_access_fault(struct vcpu *v, const struct vm_exit *x)
{
    uint64_t cause = CAUSE_INSN_ACCESS;

    if (x->info == CAUSE_STORE_GUEST_PAGE) {
        cause = CAUSE_STORE_ACCESS;
        vpmu_count(v, PMU_EVENT_ACCESS_STORE);
    } else if (x->info != CAUSE_INSN_GUEST_PAGE) {
        cause = CAUSE_LOAD_ACCESS;
        vpmu_count(v, PMU_EVENT_ACCESS_LOAD);
    }
    inject_exception(v, cause, csr_read(stval));
}
