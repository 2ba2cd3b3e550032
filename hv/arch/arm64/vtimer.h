/* SPDX-License-Identifier: MIT */
/* A guest's generic timers (vtimer.c). */
#ifndef ARM64_VTIMER_H
#define ARM64_VTIMER_H

#include <loam/types.h>

struct vcpu;
struct pcpu;

/* PPIs of a guest's timers, as the device tree says (guest.c). */
#define GUEST_PTIMER_INTID 30

void vtimer_init(struct vcpu *v);
/* The virtual timer's registers into / out of the hardware of p, this CPU. */
void vtimer_load(struct vcpu *v, struct pcpu *p);
void vtimer_save(struct vcpu *v, struct pcpu *p);
/* After vtimer_save(): a vCPU that waits is woken when one of its timers is due. */
void vtimer_arm_wake(struct vcpu *v, struct pcpu *p);
/* Brings the emulated timer's line up to date. v is loaded here. */
void vtimer_sync(struct vcpu *v);
/* v is not loaded: has one of its timers expired? */
bool vtimer_is_due(const struct vcpu *v);

/* Registers of the emulated physical timer, and the counter it compares with. */
uint64_t vtimer_counter(const struct vcpu *v);
uint64_t vtimer_ctl_read(const struct vcpu *v);
void vtimer_ctl_write(struct vcpu *v, uint64_t value);
void vtimer_cval_write(struct vcpu *v, uint64_t value);

#endif
