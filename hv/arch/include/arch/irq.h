/* SPDX-License-Identifier: MIT */
/* Contract: the host's interrupt controller. */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <loam/types.h>

struct hv;
struct pcpu;

/*
 * Takes an interrupt pending on this CPU, if any: kicks are dropped, the timer
 * raises PCPU_WORK_TIMER, the guest's own timer goes to p->loaded, all others
 * go to irq_deliver(). One that is left pending ends the next guest entry or
 * idle wait at once. Context: p itself.
 */
void arch_irq_poll(struct pcpu *p);

/*
 * The interrupts of the whole machine are [arch_irq_first(), arch_irq_count());
 * lower numbers belong to one CPU each and to the architecture.
 */
uint32_t arch_irq_first(const struct hv *hv);
uint32_t arch_irq_count(const struct hv *hv);

/*
 * Configures and unmasks / masks irq, delivering to CPU p. masking also
 * deactivates it. Locks: irq table.
 */
void arch_irq_unmask(struct hv *hv, uint32_t irq, bool edge, struct pcpu *p);
void arch_irq_mask(struct hv *hv, uint32_t irq);

#endif
