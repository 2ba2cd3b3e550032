/* SPDX-License-Identifier: MIT */
/*
 * Memory for the hypervisor's own objects: up to 2 KiB from slabs of one
 * frame each, in size classes of a power of two and its half steps; from
 * there on in whole frames.
 */
#ifndef LOAM_MEM_H
#define LOAM_MEM_H

#include <loam/list.h>
#include <loam/lock.h>
#include <loam/types.h>

struct hv;

#define MEM_CLASSES 14
#define MEM_SIZE_MAX (UINT64_C(1) << 20)

struct mem_heap {
    struct spinlock lock; /* LOCK_RANK_MEM */
    uint64_t used; /* [lock] bytes handed out */
    uint64_t frames; /* [lock] in which they are */
    struct list partial[MEM_CLASSES]; /* [lock] slabs (struct frame) with a free object, by class */
#if CONFIG_DEBUG
    bool (*alloc_fails)(void); /* tests: true makes this mem_alloc() fail; may be NULL */
#endif
};

/* Sets hv->mem up; the frame allocator works. Errors: -XEN_ENOMEM. */
int __must_check mem_init(struct hv *hv);
/* Gives the heap itself back (host tests). An object still in use panics. */
void mem_fini(struct hv *hv);

/*
 * Zeroed memory, aligned to 16 bytes (to a page from 4 KiB on). Context: any
 * CPU. Locks: mem, frames. Errors: NULL when memory is short or size is 0 or over 1 MiB.
 */
void *mem_alloc(struct hv *hv, size_t size);

/* Gives p back, NULL is allowed. `size` is what mem_alloc() was given: another class panics. */
void mem_free(struct hv *hv, void *p, size_t size);

/* Bytes handed out now, in whole size classes or frames: what tests and the memory report read. */
uint64_t mem_used(const struct hv *hv);

/* The frames that these take: more when slabs are partly empty. */
uint64_t mem_frames(const struct hv *hv);

#endif
