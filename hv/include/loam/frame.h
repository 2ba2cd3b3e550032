/* SPDX-License-Identifier: MIT */
/*
 * Machine memory in frames of 4 KiB: who owns which, and the allocator.
 *
 * Frames are reached by frame_map_local(), never by arithmetic on an address.
 * Records are initialised lazily: booting costs the same with 2 GiB and with
 * 64 GiB of RAM. A buddy system over extents that are carved on demand.
 */
#ifndef LOAM_FRAME_H
#define LOAM_FRAME_H

#include <loam/list.h>
#include <loam/lock.h>
#include <loam/types.h>

struct domain;
struct hv;

#define FRAME_ORDER_MAX 18   /* 1 GiB blocks are the largest allocation */
#define FRAME_EXTENTS_MAX 64 /* free ranges of machine memory that boot may hand over */

enum frame_state {
    FRAME_NONE = 0,  /* never allocated, record not initialised */
    FRAME_FREE,      /* head of a free block of `order` */
    FRAME_TAIL,      /* inside a block */
    FRAME_HV,        /* used by the hypervisor */
    FRAME_GUEST,     /* RAM of a domain */
    FRAME_RESERVED,  /* modules, static memory not yet given out, firmware */
};

/* One per machine frame; 32 bytes. */
struct frame {
    union {
        struct list_node free;   /* FRAME_FREE */
        struct {
            struct domain *owner; /* FRAME_GUEST */
            uint32_t type_count;  /* room for the types that PV guests need */
            uint32_t type;
        };
    };
    uint32_t count; /* references; 0 when free */
    uint8_t state;  /* enum frame_state */
    uint8_t order;  /* of the block whose head this is */
    uint8_t node;   /* NUMA node */
    uint8_t flags;  /* FRAME_FLAG_* */
    uint64_t spare;
};

#define FRAME_FLAG_DIRTY 1 /* a free block that may hold a guest's data: scrub before use */

struct frame_extent {
    mfn_t start;
    uint64_t pages;
};

struct frames {
    struct spinlock lock;                       /* LOCK_RANK_FRAMES */
    struct frame *table;                        /* record of `base`, virtually contiguous */
    mfn_t base;                                 /* first frame the table describes */
    uint64_t pages;                             /* frames the table describes */
    struct list free[FRAME_ORDER_MAX + 1]; /* [lock] */
    struct frame_extent raw[FRAME_EXTENTS_MAX]; /* [lock] never allocated, records unset */
    uint32_t nr_raw;                            /* [lock] */
    uint64_t total;                             /* frames handed to the allocator */
    uint64_t avail;                             /* [lock] frames free now */
};

/* Flags of frame_alloc(). */
#define FRAME_ALLOC_ZERO 1 /* contents cleared */

/*
 * Prepares the allocator for machine frames [base, base + pages), all of them
 * reserved until frames_add(). `table` is memory for `pages` records, which
 * need not be cleared.
 */
void frames_init(struct hv *hv, struct frame *table, mfn_t base, uint64_t pages);

/* Hands a range to the allocator. Errors: -XEN_ENOSPC too many ranges, -XEN_EINVAL outside or overlapping. */
int __must_check frames_add(struct hv *hv, mfn_t start, uint64_t pages);

/*
 * Takes [start, start + pages) out of the free memory for good or until
 * frames_add() (static memory, a module's place). Errors: -XEN_EBUSY some page is not free.
 */
int __must_check frames_claim(struct hv *hv, mfn_t start, uint64_t pages);

/*
 * Allocates 2^order frames, naturally aligned, one reference held, state FRAME_HV.
 * Locks: takes frames.lock. Errors: MFN_NONE when there is no such block.
 */
mfn_t frame_alloc(struct hv *hv, uint32_t order, uint32_t flags);

/* Gives back what frame_alloc() returned; neighbours are merged. */
void frame_free(struct hv *hv, mfn_t m, uint32_t order);

/* Makes a block of 2^order frames RAM of d / hypervisor memory again. */
void frame_assign(struct hv *hv, mfn_t m, uint32_t order, struct domain *d);
void frame_unassign(struct hv *hv, mfn_t m, uint32_t order);

/* The record of m; NULL when m is no RAM that the table describes or was never allocated. */
struct frame *frame_lookup(struct hv *hv, mfn_t m);

/* Address of a frame for this CPU, until frame_unmap(). Never fails for RAM of the table. */
void *frame_map_local(struct hv *hv, mfn_t m);
void frame_unmap(struct hv *hv, void *va);

#endif
