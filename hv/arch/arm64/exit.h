/* SPDX-License-Identifier: MIT */
/*
 * What entry.S calls on an exit. Each returns true when the same guest goes
 * on at once, false when vcpu_next() is to choose.
 */
#ifndef ARM64_EXIT_H
#define ARM64_EXIT_H

#include <loam/types.h>

struct vcpu;

/* HVC: x0-x18 and x30 are stored, the others still in their registers. */
bool arch_exit_hvc(struct vcpu *v, uint64_t esr);
/* A physical interrupt: the same. */
bool arch_exit_irq(struct vcpu *v);
/* Everything else synchronous: all registers are stored. */
bool arch_exit_sync(struct vcpu *v, uint64_t esr);
bool arch_exit_serror(struct vcpu *v, uint64_t esr);

#endif
