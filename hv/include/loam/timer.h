/* SPDX-License-Identifier: MIT */
/*
 * Timers of the hypervisor: one heap per CPU over the EL2/HS/host timer.
 * There is no tick. Callbacks run from vcpu_next() on the CPU the timer was
 * set on, with no lock held.
 */
#ifndef LOAM_TIMER_H
#define LOAM_TIMER_H

#include <loam/heap.h>
#include <loam/types.h>

struct pcpu;

struct timer {
    struct heap_node node;               /* [p->timer_lock] key = deadline */
    struct pcpu *pcpu;                   /* [p->timer_lock] where it is queued, NULL: not queued */
    void (*fn)(struct timer *t, struct pcpu *p);
};

void timer_init(struct timer *t, void (*fn)(struct timer *t, struct pcpu *p));

/*
 * Fires t once at `deadline` (ns of arch_time_now()) on p; a past deadline
 * fires at once. A queued timer is moved. Locks: takes p->timer_lock.
 */
void timer_set(struct pcpu *p, struct timer *t, ns_t deadline);

/* After it returns fn is not called any more, unless it already runs. Idempotent. */
void timer_stop(struct timer *t);

/* Runs what is due on p and programs the hardware. Context: p itself, from vcpu_next(). */
void timer_run(struct pcpu *p);

#endif
