/* SPDX-License-Identifier: MIT */
/* The hypervisor's page tables, for start.c and smp.c. */
#ifndef ARM64_MMU_H
#define ARM64_MMU_H

#include <loam/types.h>

#include "layout.h"

struct hv;

/* The pool; the first is level 0, and boot.S uses four. */
extern uint64_t page_tables[PAGE_TABLES][512];

/*
 * Maps [va, va + size) to pa with attr (PTE_DATA ...), by the largest blocks
 * that fit; what is mapped stays as it is. Context: boot CPU, while booting.
 * Errors: -XEN_ENOMEM.
 */
int __must_check mmu_map(struct hv *hv, uint64_t va, uint64_t pa, uint64_t size, uint64_t attr);

/* Takes a page of the image away, so that a stack that grows into it faults. */
void mmu_unmap_guard(uintptr_t va);

#endif
