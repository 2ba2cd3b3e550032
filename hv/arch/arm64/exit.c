/* SPDX-License-Identifier: MIT */
/*
 * From a syndrome to a neutral exit: what entry.S calls, and the only callers
 * of vcpu_exit() on this architecture.
 *
 * Exception classes: Arm DDI 0487 D24.2.40. Handlers of VM_EXIT_ARCH and
 * VM_EXIT_FIRMWARE are in trap.c and psci.c.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/log.h>
#include <loam/vcpu.h>

#include "exit.h"
#include "sysreg.h"
#include "trap.h"

/* The immediate of HVC that is a Xen hypercall (Xen public header arch-arm.h). */
#define XEN_HVC_IMM 0xea1

bool arch_exit_hvc(struct vcpu *v, uint64_t esr)
{
    struct vm_exit x;

    x.info = esr;
    x.kind = likely((uint16_t)esr == XEN_HVC_IMM) ? VM_EXIT_HYPERCALL : VM_EXIT_FIRMWARE;
    return vcpu_exit(v, &x);
}

bool arch_exit_irq(struct vcpu *v)
{
    struct vm_exit x;

    x.info = 0;
    x.kind = VM_EXIT_IRQ;
    return vcpu_exit(v, &x);
}

bool arch_exit_sync(struct vcpu *v, uint64_t esr)
{
    struct vm_exit x;

    x.info = esr;
    switch (ESR_EC(esr)) {
    case EC_DABT_LOWER:
        x.kind = decode_mmio(v, esr, &x) ? VM_EXIT_MMIO : VM_EXIT_ARCH;
        break;
    case EC_WFX:
        /* ISS.TI: 0 WFI, 1 WFE, 2 WFIT, 3 WFET. */
        x.kind = esr & 1 ? VM_EXIT_YIELD : VM_EXIT_IDLE;
        break;
    case EC_SMC64:
        x.kind = VM_EXIT_FIRMWARE;
        break;
    default:
        x.kind = VM_EXIT_ARCH;
        break;
    }
    return vcpu_exit(v, &x);
}

bool arch_exit_serror(struct vcpu *v, uint64_t esr)
{
    /* An asynchronous abort while a guest ran: its own doing at worst, it cannot go on. */
    domain_crash(v->domain, "SError, syndrome %#llx", (unsigned long long)esr);
    return false;
}
