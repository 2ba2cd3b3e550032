/* SPDX-License-Identifier: MIT */
/*
 * Contract: what every architecture provides for the CPU itself.
 * All functions: interrupts masked, any CPU, no lock needed unless said.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <loam/types.h>

struct hv;
struct pcpu;
struct vcpu;

/* A hint that this CPU spins. */
void arch_cpu_relax(void);

/*
 * Sleeps until an interrupt is pending, without taking it. Returns at once if
 * one is pending already; may return early.
 */
void arch_cpu_wait(void);

/* Stops this CPU for good. */
__noreturn void arch_cpu_halt(void);

/* Switches the machine off / resets it; halts if the firmware cannot. */
__noreturn void arch_machine_off(struct hv *hv);
__noreturn void arch_machine_reset(struct hv *hv);

/* Interrupts CPU p, which then looks at p->work. The bits were set before: full barrier inside. */
void arch_cpu_kick(struct pcpu *p);

/*
 * Brings up CPU `id` of the machine's list of CPUs (arch_cpu_count()); it
 * ends in hv_start_secondary() and this returns when it is online. Makes its
 * pcpu, with the number hv->nr_pcpus, which the caller then counts. Errors: -XEN_ENODEV the
 * firmware refused, -XEN_ENOMEM, -XEN_ETIMEDOUT.
 */
int __must_check arch_cpu_start(struct hv *hv, uint32_t id);
uint32_t arch_cpu_count(const struct hv *hv);

/* Prints registers and a backtrace of the caller for panic(), line by line. */
void arch_panic_dump(void (*emit)(void *arg, const char *line), void *arg);

/* Enters v, which is loaded on this CPU, from the boot path: the stack is given up. */
__noreturn void arch_vcpu_enter(struct pcpu *p, struct vcpu *v);

#endif
