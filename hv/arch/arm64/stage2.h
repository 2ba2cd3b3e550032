/* SPDX-License-Identifier: MIT */
/* What the boot and vcpu.c need of stage2.c besides the contract. */
#ifndef ARM64_STAGE2_H
#define ARM64_STAGE2_H

#include <loam/types.h>

struct arch_host;
struct domain;
struct pcpu;

/* Chooses format and VTCR_EL2 from h->pa_bits and h->vmid_bits; sets the VMID allocator up. */
void stage2_init(struct arch_host *h);

/*
 * Makes d's map the one of this CPU, with a VMID of the current generation.
 * Context: p itself, d differs from what VTTBR_EL2 holds or may.
 */
void stage2_load(struct domain *d, struct pcpu *p);

#endif
