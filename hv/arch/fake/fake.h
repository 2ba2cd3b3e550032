/* SPDX-License-Identifier: MIT */
/* What the files of the fake architecture share and tests need not see. */
#ifndef FAKE_H
#define FAKE_H

#include <arch/impl/fake.h>
#include <loam/types.h>

struct domain;
struct pcpu;

/* Ends the run in progress. */
__noreturn void fake_stop(enum fake_stop why);
/* Something would interrupt p's guest now. */
bool fake_irq_is_pending(const struct pcpu *p);
/* Stage 2 of the domain is about to be used by p: VMID and TLB. */
void fake_stage2_load(struct domain *d, struct pcpu *p);
/* Pages were cleared: whatever was noted about entries there is void. */
void fake_stage2_cleared(void *va, size_t size);
/* Address of machine memory in the shadow. */
uint8_t *fake_shadow(const void *va);

#endif
