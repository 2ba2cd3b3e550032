/* SPDX-License-Identifier: MIT */
/* The hypervisor's page tables, for start.c. */
#ifndef ARM64_MMU_H
#define ARM64_MMU_H

#include <loam/types.h>

#include "layout.h"

struct hv;

/* The pool; the first is level 0, and boot.S uses four. */
extern uint64_t page_tables[PAGE_TABLES][512];

/* Takes a page of the image away, so that a stack that grows into it faults. */
void mmu_unmap_guard(uintptr_t va);

#endif
