/* SPDX-License-Identifier: MIT */
/*
 * From a cause to a neutral exit: what entry.S calls, and the only callers of
 * vcpu_exit() on this architecture. Causes: Priv. spec 21.6.2, table 45.
 * Handlers of VM_EXIT_ARCH and VM_EXIT_FIRMWARE are in trap.c and vsbi.c.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <loam/vcpu.h>

#include "csr.h"
#include "exit.h"
#include "hvcall.h"
#include "trap.h"

#define INSN_WFI 0x10500073
#define INSN_WRS_NTO 0x00d00073 /* Zawrs: waits for a store, traps like wfi */

bool arch_exit_ecall(struct vcpu *v)
{
    struct vm_exit x;

    /* The result belongs after the ecall, which has no compressed form. */
    csr_write(sepc, csr_read(sepc) + 4);
    x.info = CAUSE_ECALL_VS;
    x.kind = likely(v->arch.x[REG_A7] == XEN_HYPERCALL_EID) ? VM_EXIT_HYPERCALL : VM_EXIT_FIRMWARE;
    return vcpu_exit(v, &x);
}

bool arch_exit_irq(struct vcpu *v)
{
    struct vm_exit x;

    x.info = 0;
    x.kind = VM_EXIT_IRQ;
    return vcpu_exit(v, &x);
}

bool arch_exit_trap(struct vcpu *v, uint64_t cause)
{
    struct vm_exit x;

    x.info = cause;
    x.kind = VM_EXIT_ARCH;
    if (cause == CAUSE_LOAD_GUEST_PAGE || cause == CAUSE_STORE_GUEST_PAGE) {
        x.kind = trap_decode_mmio(v, &x) ? VM_EXIT_MMIO : VM_EXIT_ARCH;
    } else if (cause == CAUSE_VIRTUAL_INSN) {
        uint32_t insn = trap_insn(v);

        x.kind = insn == INSN_WFI       ? VM_EXIT_IDLE
                 : insn == INSN_WRS_NTO ? VM_EXIT_YIELD
                                        : VM_EXIT_ARCH;
    }
    return vcpu_exit(v, &x);
}
