/* SPDX-License-Identifier: MIT */
/*
 * A guest's timer: vstimecmp where the harts have Sstc, SBI TIME otherwise
 * (vtimer.c). Its deadline is in the guest's time: the time CSR as it reads it.
 */
#ifndef RISCV64_VTIMER_H
#define RISCV64_VTIMER_H

#include <loam/types.h>

struct pcpu;
struct vcpu;

void vtimer_init(struct vcpu *v);

/*
 * v asks by SBI TIME for an interrupt at `when`, UINT64_MAX: never; one that was
 * pending is withdrawn. Context: v is current.
 */
void vtimer_set(struct vcpu *v, uint64_t when);

void vtimer_load(struct vcpu *v, struct pcpu *p);
void vtimer_save(struct vcpu *v, struct pcpu *p);

/* v, loaded on p, stops executing: it is woken when its timer is due. Context: p. */
void vtimer_wait(struct vcpu *v, struct pcpu *p);

/* True when the timer of v, which is not loaded, is due. */
bool vtimer_is_due(const struct vcpu *v);

#endif
