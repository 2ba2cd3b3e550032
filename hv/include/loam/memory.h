/* SPDX-License-Identifier: MIT */
/*
 * The memory of domains: how much RAM each has, may have and was promised, how
 * many page tables it may fill, and RAM put into and taken out of its map.
 *
 * Every frame of RAM counts in d->pages from before it is allocated until after it is back, so
 * that d->pages never exceeds d->pages_max by what a guest or a toolstack does at the same time
 * on two CPUs. Page tables are limited too (a guest chooses where it maps what
 * others share with it, and so how many tables that takes).
 * Next: mm/memory.c; memory_op, the hypercall, is mm/memory_op.c.
 */
#ifndef LOAM_MEMORY_H
#define LOAM_MEMORY_H

#include <loam/types.h>

struct domain;
struct hv;

/* What d has and may have, in pages. */
struct memory_counts {
    uint64_t pages;  /* frames of RAM owned, also those of a direct map that are not mapped now */
    uint64_t max;    /* as many it may own */
    uint64_t claim;  /* free frames that are promised to it */
    uint64_t tables; /* frames of page tables */
    uint64_t tables_max;
    uint64_t end_gfn; /* after the highest page that was ever mapped */
};

/* Any snapshot of them. Context: any, d is referenced. Locks: d->lock. */
void memory_counts(struct domain *d, struct memory_counts *out);

/*
 * d may own `pages` frames from now on (domctl max_mem). Fewer than it has is no error: it
 * keeps them, and gets no more. Unless memory_set_pool() was called, the limit of its page tables
 * follows. Locks: d->lock, p2m.
 */
void memory_set_max(struct domain *d, uint64_t pages);

/*
 * Stakes a claim: what is missing to `pages` frames of d is kept free for it until it was
 * allocated to it; 0 ends a claim and never fails. Locks: d->lock, frames. Errors, nothing changed:
 * -XEN_EINVAL d has as many, may not have as many, has a claim already, or is dying;
 * -XEN_ENOMEM so many are not free.
 */
int __must_check memory_claim(struct domain *d, uint64_t pages);

/* Free frames that are promised to domains, of the whole host. Locks: frames. */
uint64_t memory_claimed(struct hv *hv);

/*
 * Limits the page tables of d to `bytes`, whole pages (domctl set_paging_mempool_size). Locks: p2m.
 * Errors, nothing changed: -XEN_EINVAL not whole pages, -XEN_ENOMEM they take more now.
 */
int __must_check memory_set_pool(struct domain *d, uint64_t bytes);
/* The limit in bytes; UINT64_MAX: none. */
uint64_t memory_pool(struct domain *d);

/*
 * Gives d contiguous RAM at [g, g + pages), where nothing is mapped: cleared, and visible with
 * caches off. In a direct map it is exactly d's own frames, which it gave back before, as it
 * left them. At most 2^FRAME_ORDER_MAX pages; all are cleared before it returns. Locks:
 * d->lock, p2m, frames. Errors, nothing changed: -XEN_ENOMEM not free, claimed by others, over
 * d's maximum, or page tables at their limit; -XEN_EINVAL, -XEN_EEXIST, -XEN_ESRCH as
 * p2m_map(); -XEN_EINVAL also: not d's own frames, in a direct map.
 */
int __must_check memory_populate(struct domain *d, gfn_t g, uint64_t pages);

/*
 * Takes the RAM at [g, g + pages), as far as it is RAM from g on, from d: to the allocator; in a
 * direct map d keeps the frames, out of its map. *done counts pages. Locks: d->lock,
 * p2m, iommu, frames. Errors, pages before *done are gone: -XEN_ENOENT no RAM of d, -XEN_ENOMEM
 * a block could not be split.
 */
int __must_check memory_release(struct domain *d, gfn_t g, uint64_t pages, uint64_t *done);

/*
 * What a direct map leaves after its teardown: d's frames that were out of it. 0 when done,
 * -XEN_EAGAIN to be called again. Context: the step of domain_destroy() after the map's RAM.
 */
int memory_release_rest(struct domain *d);

/* The memory service of core/subsystems.c. */
int memory_init(struct domain *d);
int memory_close(struct domain *d);

#endif
