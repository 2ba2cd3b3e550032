/* SPDX-License-Identifier: MIT */
/* What entry.S calls. True: the same guest goes on, its registers are where they were. */
#ifndef RISCV64_EXIT_H
#define RISCV64_EXIT_H

#include <loam/types.h>

struct vcpu;

/* An ecall of VS mode. */
bool arch_exit_ecall(struct vcpu *v);
/* An interrupt of the machine. */
bool arch_exit_irq(struct vcpu *v);
/* Any other exception; all registers are stored. */
bool arch_exit_trap(struct vcpu *v, uint64_t cause);

#endif
