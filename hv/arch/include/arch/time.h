/* SPDX-License-Identifier: MIT */
/* Contract: the architected counter and this CPU's own timer. */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include <loam/types.h>

struct pcpu;

/* Nanoseconds of the architected counter; the same on all CPUs. */
ns_t arch_time_now(void);

/*
 * Programs this CPU's hypervisor timer for `deadline`; NS_NEVER switches it
 * off. When it is due PCPU_WORK_TIMER is raised on this CPU.
 */
void arch_timer_set(struct pcpu *p, ns_t deadline);

#endif
