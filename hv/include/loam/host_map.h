/* SPDX-License-Identifier: MIT */
/*
 * What an architecture puts into its own address space while booting, beside RAM and
 * devices (core/host_map.c). Where it lies is the architecture's to say; how it is mapped is
 * arch_map() (arch/mmu.h).
 */
#ifndef LOAM_HOST_MAP_H
#define LOAM_HOST_MAP_H

#include <loam/types.h>

struct boot_info;
struct hv;

#define HOST_FDT_SIZE_MAX (2 * MIB) /* the most that Linux's boot protocols allow */

/*
 * Maps the host's device tree, which lies at pa, read-only from va on, as far as it says that
 * it goes, and notes in info where. If there is nothing like a tree, or no memory for tables,
 * info->fdt is NULL: hv_start() says so and stops. Context: boot CPU, before hv_start();
 * HOST_FDT_SIZE_MAX and a page of addresses from va on are free.
 */
void host_map_fdt(struct hv *hv, uintptr_t va, uint64_t pa, struct boot_info *info);

/*
 * A stack of `size` bytes, a power of two of pages, at va: the caller leaves the page below
 * unmapped. Returns its top, 0: no memory. Context: boot CPU, while booting; it stays.
 */
uintptr_t host_map_stack(struct hv *hv, uintptr_t va, size_t size);

#endif
