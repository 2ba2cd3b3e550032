/* SPDX-License-Identifier: MIT */
/* Guest faults: MMIO, injection, addresses of the guest (trap.c, inject.c). */
#ifndef RISCV64_TRAP_H
#define RISCV64_TRAP_H

#include <loam/types.h>
#include <loam/vcpu.h>

#include "csr.h"

/* Fills x->mmio from a guest page fault; false: the access is none that a device understands. */
bool trap_decode_mmio(struct vcpu *v, struct vm_exit *x);

/* v, current, takes exception `cause` in VS mode instead of what it was executing. */
void inject_exception(struct vcpu *v, uint64_t cause, uint64_t tval);

/* The instruction that raised an illegal or virtual instruction exception; 0: not known. */
uint32_t trap_insn(struct vcpu *v);

/*
 * The instruction at v's sepc, 2 or 4 bytes of it. v is current. Errors: -XEN_EFAULT
 * it cannot be read (any more).
 */
int __must_check insn_fetch(struct vcpu *v, uint32_t *insn);

/* What v, current, read from a CSR by `insn` (Zicsr) was `value`: it goes on after that. */
static inline void trap_csr_done(struct vcpu *v, uint32_t insn, uint64_t value)
{
    uint32_t rd = insn >> 7 & 31;

    if (rd != 0) {
        v->arch.x[rd] = value;
    }
    csr_write(sepc, csr_read(sepc) + 4);
}

#endif
