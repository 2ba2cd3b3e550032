/* SPDX-License-Identifier: MIT */
/*
 * Memory for the hypervisor's own objects, smaller than a page or of a few
 * pages: size classes of a power of two and its half steps over frames.
 */
#ifndef LOAM_MEM_H
#define LOAM_MEM_H

#include <loam/types.h>

struct hv;

/* Sets hv->mem up; the frame allocator works. Errors: -XEN_ENOMEM. */
int __must_check mem_init(struct hv *hv);

/*
 * Zeroed memory, aligned to 16 bytes (to a page from 4 KiB on). Context: any
 * CPU. Locks: mem, frames. Errors: NULL when memory is short or size is 0 or over 1 MiB.
 */
void *mem_alloc(struct hv *hv, size_t size);

/* Gives p back, NULL is allowed. `size` is what mem_alloc() was given. */
void mem_free(struct hv *hv, void *p, size_t size);

/* Bytes handed out now, in whole size classes: what tests and the memory report read. */
uint64_t mem_used(const struct hv *hv);

#endif
