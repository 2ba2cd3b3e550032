/* SPDX-License-Identifier: MIT */
/*
 * Contract: format of the second-stage page tables, and telling the TLB.
 *
 * The walker (mm/p2m.c) knows a table is 2^n entries of 8 bytes in frames and
 * that levels count down to 0, whose entries map 4 KiB. Entries are written
 * once, whole, with arch_stage2_set().
 */
#ifndef ARCH_STAGE2_H
#define ARCH_STAGE2_H

#include <loam/types.h>

struct domain;
struct hv;

/* Constant after boot. */
struct stage2_format {
    uint8_t levels;       /* levels of tables; the root has level `levels - 1` */
    uint8_t index_bits;   /* of a table that is not the root (9) */
    uint8_t root_bits;    /* index bits of the root (>= index_bits where roots are concatenated) */
    uint8_t root_order;   /* log2 of the root's frames */
    uint8_t gpa_bits;     /* width of a guest-physical address */
    uint8_t block_levels; /* bit l set: level l may map a block */
};

/* What a domain gets that asks for nothing. */
const struct stage2_format *arch_stage2_format(const struct hv *hv);
/* What a domain gets that asks for a mmu-type (devicetree binding of CPUs); NULL: not to be had. */
const struct stage2_format *arch_stage2_choose(const struct hv *hv, const char *mmu_type);

/* An entry of `level` that maps m as type (enum p2m_type) / points to a table. */
uint64_t arch_stage2_leaf(const struct hv *hv, uint32_t level, mfn_t m, uint32_t type);
uint64_t arch_stage2_table(mfn_t m);

/* What an entry says. A leaf's type is enum p2m_type, P2M_INVALID when it is not valid. */
bool arch_stage2_is_valid(uint64_t pte);
bool arch_stage2_is_table(uint64_t pte, uint32_t level);
mfn_t arch_stage2_mfn(uint64_t pte);
uint32_t arch_stage2_type(uint64_t pte);

/* Stores an entry; a walk by hardware sees the old or the new one. No barrier. */
void arch_stage2_set(uint64_t *slot, uint64_t pte);
/*
 * What was stored before (tables, a domain's VMID) is seen by all CPUs before this one
 * does anything after, walks included: before new entries or a new VMID are used.
 */
void arch_stage2_publish(void);

/*
 * After entries of d that map [g, g + pages) were made invalid: when it
 * returns no CPU uses them any more. Context: p2m.lock held.
 */
void arch_stage2_flush(struct domain *d, gfn_t g, uint64_t pages);
/* The same for the whole map. */
void arch_stage2_flush_all(struct domain *d);

#endif
