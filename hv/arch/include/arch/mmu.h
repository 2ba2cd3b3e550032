/* SPDX-License-Identifier: MIT */
/* Contract: the hypervisor's own address space. */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <loam/types.h>

struct hv;

/*
 * Address of machine memory for this CPU; the neutral code goes through
 * frame_map_local(). Contiguous frames have contiguous addresses.
 */
void *arch_frame_map(mfn_t m);
void arch_frame_unmap(void *va);
/* The frame that an address inside of what arch_frame_map() gave belongs to. */
mfn_t arch_frame_of(const void *va);

/*
 * Makes RAM [start, start + size) reachable by arch_frame_map(), read-write,
 * never executable. Boot CPU, while booting. Errors: -XEN_ENOMEM, -XEN_EINVAL.
 */
int __must_check arch_map_ram(struct hv *hv, hpa_t start, uint64_t size);

/*
 * Maps [start, start + size), whole pages, at va, a place that the architecture keeps for what
 * it is: readable, never executable; what is mapped there stays as it is. Boot CPU, while
 * booting, also before there are frames. Errors: -XEN_ENOMEM.
 */
int __must_check arch_map(struct hv *hv, uintptr_t va, hpa_t start, uint64_t size, bool writable);

/*
 * Maps device registers, uncached; the address stays valid. Errors: 0 when there is no memory,
 * or the range is empty, wraps around, or is beyond the machine's addresses.
 */
uintptr_t arch_map_device(struct hv *hv, hpa_t start, uint64_t size);

/*
 * Makes [va, va + size) of this CPU's view visible to observers with caches
 * off (clean to the point of coherency), or also to instruction fetch.
 */
void arch_cache_clean(const void *va, size_t size);
void arch_cache_clean_code(const void *va, size_t size);
/* The same, and what is read next comes from there: what a device wrote past the caches is seen. */
void arch_cache_clean_invalidate(const void *va, size_t size);

/*
 * Clears whole pages fast. `clean`: a guest that runs with its caches off sees them so, which takes
 * cleaning to the point of coherency where a guest's accesses can go past the caches.
 * Context: with `clean`, a CPU that has its struct pcpu.
 */
void arch_clear_pages(void *va, size_t size, bool clean);

#endif
