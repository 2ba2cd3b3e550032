/* SPDX-License-Identifier: MIT */
/* Contract: the host's interrupt controller. */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <loam/types.h>

struct hv;
struct pcpu;

/*
 * Takes every interrupt pending on this CPU: kicks are dropped, the timer
 * raises PCPU_WORK_TIMER, the guest's own timer goes to p->loaded, all others
 * go to irq_deliver(). Context: p itself.
 */
void arch_irq_poll(struct pcpu *p);

/* Number of interrupts the controller has. */
uint32_t arch_irq_count(const struct hv *hv);

/*
 * Configures and unmasks / masks irq, delivering to CPU p. masking also
 * deactivates it. Locks: irq table.
 */
void arch_irq_unmask(struct hv *hv, uint32_t irq, bool edge, struct pcpu *p);
void arch_irq_mask(struct hv *hv, uint32_t irq);

#endif
