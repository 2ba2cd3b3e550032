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

/* The CPUs of the machine's list, the boot CPU is number 0. */
uint32_t arch_cpu_count(const struct hv *hv);
/*
 * Makes p->arch (zeroed) that of CPU `id` of the list, with a stack, which stays the CPU's
 * for good. Context: boot CPU, before pcpu_init(). Errors: -XEN_ENOMEM.
 */
int __must_check arch_cpu_prepare(struct hv *hv, struct pcpu *p, uint32_t id);
/*
 * Asks the firmware to switch p's CPU on; it ends in hv_start_secondary() if hv->pcpus[p->id]
 * is p then, else it halts. Context: as above, after pcpu_init(). Errors: -XEN_ENODEV the
 * firmware refused, -XEN_EINVAL it knows no such CPU, -XEN_EBUSY the CPU is on.
 */
int __must_check arch_cpu_on(struct pcpu *p);

/* Prints registers and a backtrace of the caller for panic(), line by line. */
void arch_panic_dump(void (*emit)(void *arg, const char *line), void *arg);

/* Enters v, which is loaded on this CPU, from the boot path: the stack is given up. */
__noreturn void arch_vcpu_enter(struct pcpu *p, struct vcpu *v);

#endif
