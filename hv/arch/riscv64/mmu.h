/* SPDX-License-Identifier: MIT */
/* The hypervisor's page tables, for start.c. */
#ifndef RISCV64_MMU_H
#define RISCV64_MMU_H

#include <loam/types.h>

#include "layout.h"

struct arch_host;
struct hv;

/* The pool; the first is the root of Sv39, and boot.S uses three. */
extern uint64_t page_tables[PAGE_TABLES][512];

/* Notes what boot.S made. */
void mmu_init(struct arch_host *host);
/* Goes on with Sv48 or Sv57 if that is the boot CPU's mmu-type. Before any RAM is mapped. */
void mmu_widen(struct arch_host *host);

/* Takes a page of the image away, so that a stack that grows into it faults. */
void mmu_unmap_guard(uintptr_t va);

#endif
