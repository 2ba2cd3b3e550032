/* SPDX-License-Identifier: MIT */
/*
 * Machine memory in frames of 4 KiB: who owns which, and the allocator.
 *
 * A buddy system. Frames are reached by frame_map_local(), never by arithmetic
 * on an address. Records are initialised lazily, in areas, when the first block
 * that begins there is made, so that booting costs the same with 2 GiB and
 * with 64 GiB of RAM.
 *
 * What a freed frame held stays in it. Nobody may see it: who asks for frames
 * passes FRAME_ALLOC_ZERO or overwrites every byte, and RAM of a guest is
 * cleared when the domain is built (guest_phys_clear()), before it runs.
 */
#ifndef LOAM_FRAME_H
#define LOAM_FRAME_H

#include <loam/list.h>
#include <loam/lock.h>
#include <loam/types.h>

struct domain;
struct hv;

#define FRAME_ORDER_MAX 18 /* 1 GiB blocks are the largest allocation */
#define FRAME_EXTENTS_MAX 64 /* ranges of machine memory that boot may hand over */
#define FRAME_AREAS_MAX 32768 /* bits that say which records are initialised */

/* Of a block of frames, said by the record of its first frame, the head. */
enum frame_state {
    FRAME_NONE = 0, /* no head: inside a block, or never handed over */
    FRAME_FREE,
    FRAME_HV, /* used by the hypervisor */
    FRAME_GUEST, /* RAM of a domain */
    FRAME_RESERVED, /* claimed: modules, static memory */
    FRAME_KEPT, /* free, but only for a claim */
    FRAME_ORPHAN, /* one frame, given back while somebody held a reference to it */
};

/* One per machine frame; 32 bytes. */
struct frame {
    union {
        struct list_node link; /* FRAME_FREE: in frames.free; FRAME_HV: the user's */
        struct {
            struct domain *owner; /* FRAME_GUEST */
            uint32_t type_count; /* room for the types that PV guests need */
            uint32_t type;
        };
    };
    uint32_t refs; /* atomic: references to this very frame (frame_get()), not of a head only */
    uint8_t state; /* enum frame_state */
    uint8_t order; /* of the block whose head this is */
    uint8_t node; /* NUMA node */
    uint8_t flags; /* FRAME_FLAG_* */
    uint32_t group_refs; /* atomic: of a group's first record: the sum of its refs */
    struct { /* FRAME_HV: a slab (mm/mem.c) */
        uint32_t used : 9; /* objects handed out */
        uint32_t fresh : 9; /* objects that were handed out at least once */
        uint32_t free_list : 9; /* index + 1 of the first returned object */
        uint32_t size_class : 4;
    } slab;
};

/* So many frames, by their place in the table, share a count of references: who gives a range
 * back looks at one number for each group, as a rule 0. */
#define FRAME_GROUP 64

#define FRAME_FLAG_CLAIMED 1 /* taken by frames_claim() */

struct frame_extent {
    mfn_t start;
    uint64_t pages;
};

struct frames {
    struct spinlock lock; /* LOCK_RANK_FRAMES */
    struct frame *table; /* record of `base`, virtually contiguous */
    mfn_t base; /* first frame the table describes */
    uint64_t pages; /* frames the table describes */
    struct list free[FRAME_ORDER_MAX + 1]; /* [lock] heads, by order */
    uint64_t ready[FRAME_AREAS_MAX / 64]; /* [lock] bit per area: its records are initialised */
    uint32_t area_shift; /* log2 of the frames in an area */
    struct frame_extent extent[FRAME_EXTENTS_MAX]; /* [lock] what frames_add() was given */
    uint32_t nr_extents; /* [lock] */
    uint64_t total; /* [lock] frames handed over and not claimed */
    uint64_t avail; /* [lock] frames free now, without the kept */
    uint64_t promised; /* [lock] of those, how many are for who was promised them */
    uint64_t allocated; /* [lock] frames ever taken by frame_alloc() and its kin */
    uint64_t cleared; /* [lock] of those, how many were cleared for it */
#if CONFIG_DEBUG
    bool (*alloc_fails)(void); /* tests: true makes this frame_alloc() fail; may be NULL */
#endif
};

/* Flags of frame_alloc(). */
#define FRAME_ALLOC_ZERO 1 /* contents cleared */
#define FRAME_ALLOC_CLEAN 2 /* the same, and visible to a guest that runs with its caches off */

/*
 * Prepares the allocator for machine frames [base, base + pages), none of them
 * usable until frames_add(). `table` is memory for `pages` records, which
 * need not be cleared. hv->frames may hold anything.
 */
void frames_init(struct hv *hv, struct frame *table, mfn_t base, uint64_t pages);

/*
 * Hands a range to the allocator: new memory, or all or part of what was
 * claimed. Locks: frames. Errors: -XEN_EINVAL empty, outside of the table, or
 * some page was handed over before and is not claimed; -XEN_ENOSPC too many ranges.
 */
int __must_check frames_add(struct hv *hv, mfn_t start, uint64_t pages);

/*
 * Takes [start, start + pages) out of the free memory for good or until
 * frames_add() (static memory, a module's place). Locks: frames. Errors:
 * -XEN_EINVAL empty or outside of the table, -XEN_EBUSY some page is neither
 * free nor kept.
 */
int __must_check frames_claim(struct hv *hv, mfn_t start, uint64_t pages);

/*
 * Keeps a range, all of it free or kept already, for whoever claims it: it is
 * allocated to nobody and its contents stay. Locks: frames. Errors, nothing
 * changed: as frames_claim().
 */
int __must_check frames_keep(struct hv *hv, mfn_t start, uint64_t pages);

/*
 * Frees all that is kept and was not claimed. Costs time by the number of
 * blocks, not of frames. Locks: frames.
 */
void frames_release_kept(struct hv *hv);

/*
 * Allocates 2^order frames, naturally aligned, one reference held, state FRAME_HV.
 * Locks: frames. Errors: MFN_NONE when there is no such block or order is over
 * FRAME_ORDER_MAX.
 */
mfn_t __must_check frame_alloc(struct hv *hv, uint32_t order, uint32_t flags);

/*
 * Gives back all or part of what frame_alloc() returned; neighbours are
 * merged. Locks: frames. Frames that are not FRAME_HV panic.
 */
void frame_free(struct hv *hv, mfn_t m, uint32_t order);

/* The same for any number of contiguous frames from 1 to 2^FRAME_ORDER_MAX; none is wasted. */
mfn_t __must_check frame_alloc_pages(struct hv *hv, uint64_t pages, uint32_t flags);
void frame_free_pages(struct hv *hv, mfn_t m, uint64_t pages);

/*
 * Promises `pages` of the free frames, in place of what *promise said before: nobody else gets
 * them. Only numbers change. Locks: frames. Errors, nothing changed: -XEN_ENOMEM so many are not
 * free and unpromised.
 */
int __must_check frames_promise(struct hv *hv, uint64_t *promise, uint64_t pages);
/* frame_alloc_pages() for who was promised *promise frames: what it gets counts down. */
mfn_t __must_check frame_alloc_promised(struct hv *hv, uint64_t pages, uint32_t flags,
                                        uint64_t *promise);

/* Every frame of [m, m + pages) is RAM of d. Locks: frames. */
bool frames_are_of(struct hv *hv, mfn_t m, uint64_t pages, const struct domain *d);
/*
 * From *m on, the next frames in one block that are RAM of d: *m is the first, returns how many.
 * 0: none before *m, which is where to go on; MFN_NONE: at all. Locks: frames.
 */
uint64_t frames_next_of(struct hv *hv, mfn_t *m, const struct domain *d);

/*
 * For who needs certain frames, or many side by side. frames_next_run: the first run of free
 * frames that ends after *m; costs time by the number of blocks before its end. frame_alloc_at:
 * allocates [m, m + pages) as frame_alloc_pages() does. Locks: frames. Errors: -XEN_EBUSY some
 * of it is not free any more or promised, -XEN_EINVAL it is no machine memory, -XEN_ENOMEM (tests).
 */
bool frames_next_run(struct hv *hv, mfn_t *m, uint64_t *pages);
int __must_check frame_alloc_at(struct hv *hv, mfn_t m, uint64_t pages);

/*
 * Makes 2^order frames, allocated or claimed, RAM of d / hypervisor memory (a
 * claimed one: reserved) again. Who still holds a reference
 * to one keeps it. They may be part of what was allocated. Costs the
 * same for each order. Locks: frames. Frames in another state panic.
 */
void frame_assign(struct hv *hv, mfn_t m, uint32_t order, struct domain *d);
void frame_unassign(struct hv *hv, mfn_t m, uint32_t order);

/*
 * References to single frames, of a domain's RAM or of the hypervisor, beside the owner's:
 * while there is one the frame is not handed out again, even if its owner gives it back or dies.
 * frame_get: something holds the frame meanwhile (a mapping under its p2m.lock, another
 * reference). frame_put: frees it if it was given back and this was the last. Locks of put: frames.
 */
void frame_get(struct hv *hv, mfn_t m);
void frame_put(struct hv *hv, mfn_t m);

/*
 * The head's record of the block that m is in; NULL when m was never handed
 * over. Context: the caller holds something that keeps the block as it is.
 */
struct frame *frame_lookup(struct hv *hv, mfn_t m);
/* The frame whose record r is. */
mfn_t frame_mfn(const struct hv *hv, const struct frame *r);

/*
 * Address of a frame for this CPU, until frame_unmap() of any address inside.
 * Never fails for RAM of the table. The frames of one block are contiguous from
 * its first one's address.
 */
void *frame_map_local(struct hv *hv, mfn_t m);
void frame_unmap(struct hv *hv, void *va);
/* The frame that an address from frame_map_local(), or one inside of that block, shows. */
mfn_t frame_of(struct hv *hv, const void *va);

#endif
