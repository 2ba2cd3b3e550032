/* SPDX-License-Identifier: MIT */
/* Guest page tables and the TLB, for cpu.c and vcpu.c (stage2.c). */
#ifndef RISCV64_STAGE2_H
#define RISCV64_STAGE2_H

#include <loam/types.h>

struct domain;
struct hv;
struct pcpu;
struct vcpu;

/* Whose translations a CPU's TLB may hold of one domain. Zeroed: nobody's. */
struct tlb_last {
    uint64_t tag; /* of the VMID they are under */
    uint32_t vcpu;
};

/* Finds the format of guest page tables and the width of VMIDs. Boot CPU, after cpu_init(). */
void stage2_init(struct hv *hv);

/* Notes how the map of d, which p2m_init() made, is selected. */
void stage2_domain_init(struct domain *d);

/*
 * Selects the map of v's domain on p, this CPU, and makes sure that v meets only
 * translations that it made itself and that nobody asked to be forgotten.
 */
void stage2_load(struct vcpu *v, struct pcpu *p);

#endif
