/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's three interrupts (software, timer, external) and who is told when
 * they change (lines.c). Bits are those of hip: HIP_VSSIP, HIP_VSTIP, HIP_VSEIP.
 */
#ifndef RISCV64_LINES_H
#define RISCV64_LINES_H

#include <loam/types.h>

struct vcpu;

/*
 * Sets the level of v's timer (without Sstc) or external interrupt. Takes effect
 * before v executes another instruction if v is current on this CPU, soon if
 * it runs elsewhere; wakes it if it waits. Cheap when nothing changes.
 * Context: any CPU. Locks: any below SCHED.
 */
void vcpu_line_set(struct vcpu *v, uint64_t bit, bool level);

/* Makes v's software interrupt (VSSIP) pending, as SBI IPI does. Same context. */
void vcpu_soft_raise(struct vcpu *v);

#endif
