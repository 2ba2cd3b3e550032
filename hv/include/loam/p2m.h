/* SPDX-License-Identifier: MIT */
/*
 * The physical-to-machine map of a domain: its stage-2 / G-stage / nested
 * page tables. The walker is neutral (mm/p2m.c); an architecture says how an
 * entry looks and how the TLB is told (arch/stage2.h).
 */
#ifndef LOAM_P2M_H
#define LOAM_P2M_H

#include <loam/lock.h>
#include <loam/types.h>
#include <loam/vmid.h>

struct domain;
struct vcpu;

enum p2m_type {
    P2M_INVALID = 0,
    P2M_RAM_RW, /* normal memory, read, write, execute */
    P2M_RAM_RO, /* normal memory, read, execute */
    P2M_MMIO_DIRECT, /* a device of the host, device memory, never executable */
    P2M_SHARED, /* a frame of the hypervisor that it shares with the guest: read, write */
    P2M_FOREIGN_RW, /* a frame of another domain, mapped by its domid */
    P2M_FOREIGN_RO,
    P2M_GRANT_RW, /* a frame of another domain that granted it */
    P2M_GRANT_RO,
    P2M_TYPES_MAX
};

/* One mapped block; pages 0: none. */
struct p2m_block {
    gfn_t gfn;
    mfn_t mfn;
    uint64_t pages;
    uint32_t order;
    enum p2m_type type;
};

struct p2m {
    struct spinlock lock; /* LOCK_RANK_P2M */
    const struct stage2_format *format; /* constant after p2m_init() */
    mfn_t root; /* 2^root_order frames; MFN_NONE after teardown */
    struct vmid vmid; /* mm/vmid.c */
    uint64_t table_pages; /* frames used for tables, root included */
    uint64_t tables_max; /* [lock] as many there may be, UINT64_MAX at first (loam/memory.h) */
    bool tables_given; /* [lock] by a toolstack */
    uint64_t cpus[2]; /* bitmap of pcpus that may hold TLB entries of this map */
    bool closed; /* [lock] its domain is dying: nothing is found and nothing can be mapped */
    uint32_t changes; /* atomic: p2m_fault_is_stale(); odd while one is made */
    gfn_t teardown; /* cursor of p2m_teardown() */
    uint64_t max_gfn; /* highest gfn ever mapped + 1 */
    struct p2m_block found; /* [lock] what p2m_lookup() found last */
    mfn_t leaf; /* [lock] the table of level 0 that was walked to last, */
    uint64_t leaf_at; /* [lock] and which one it is (gfn >> index bits); UINT64_MAX: none */
};

/* Errors: -XEN_ENOMEM. */
int __must_check p2m_init(struct domain *d);

/*
 * Maps [g, g + pages) to [m, m + pages) as `type`, in the largest blocks that
 * alignment allows. Nothing may be mapped there yet. On error nothing has changed.
 * Locks: takes p2m.lock. Errors: -XEN_EINVAL range outside the guest's address
 * width or wraps, -XEN_ESRCH the domain is dying, -XEN_EEXIST something is mapped
 * there, -XEN_ENOMEM.
 */
int __must_check p2m_map(struct domain *d, gfn_t g, mfn_t m, uint64_t pages, enum p2m_type type);

/*
 * Unmaps [g, g + pages), splitting blocks where needed (break before make),
 * and returns when no CPU and no device can use the old translations any more. Holes
 * are allowed. While a block is being split all of it is unmapped for a moment:
 * p2m_fault_is_stale(); a device's access is lost. Locks: p2m, iommu, frames. Errors: -XEN_EINVAL
 * empty range or as p2m_map(), -XEN_ENOMEM (a block could not be split; nothing changed).
 */
int __must_check p2m_unmap(struct domain *d, gfn_t g, uint64_t pages);

/*
 * v's guest met no mapping. True: it may have met an entry that was being changed (break before
 * make), and is to try again. Context: v is current, its hardware state loaded.
 */
bool p2m_fault_is_stale(struct vcpu *v);

/*
 * What g maps to; *type and *order (log2 of the pages in the mapping) are
 * optional. Returns MFN_NONE when nothing is mapped. Locks: takes p2m.lock.
 */
mfn_t p2m_lookup(struct domain *d, gfn_t g, enum p2m_type *type, uint32_t *order);
/* The same with p2m.lock held: what it maps to stays until the lock is given up. */
mfn_t p2m_lookup_locked(struct domain *d, gfn_t g, enum p2m_type *type, uint32_t *order);

static inline bool p2m_type_is_readonly(enum p2m_type t)
{
    return t == P2M_RAM_RO || t == P2M_FOREIGN_RO || t == P2M_GRANT_RO;
}

/* Memory that the guest itself may execute: its own. */
static inline bool p2m_type_is_ram(enum p2m_type t) { return t == P2M_RAM_RW || t == P2M_RAM_RO; }

/* A mapping of this type holds a reference to its frame (frame_get()). */
static inline bool p2m_type_has_ref(enum p2m_type t) { return t >= P2M_SHARED; }

/*
 * Maps the one page g to m, whatever is mapped there now: a reference that its mapping held is
 * dropped, RAM of d goes back to the allocator (d->pages counts down; of a direct-mapped d it stays
 * d's). For a type that has one, the caller's reference to m becomes the mapping's.
 * Locks: p2m, iommu, frames. Errors, nothing changed: -XEN_EINVAL g is outside the guest's address
 * width, -XEN_ESRCH d is dying, -XEN_EBUSY a device is mapped there, -XEN_ENOMEM.
 */
int __must_check p2m_map_page(struct domain *d, gfn_t g, mfn_t m, enum p2m_type type);

/*
 * Takes the one page g out of the map. As p2m_map_page() for what was there. want: bits 1 << enum
 * p2m_type of what may be; m, unless MFN_NONE, must be what it maps to. Errors, nothing
 * changed: -XEN_ENOENT nothing of that kind is mapped there, -XEN_ENOMEM.
 */
int __must_check p2m_unmap_page(struct domain *d, gfn_t g, mfn_t m, uint32_t want);

/*
 * The frame at g of d, RAM (any type in `want`, bits 1 << enum p2m_type), with a
 * reference for the caller, who ends it with frame_put(). MFN_NONE: there is none, or d is dying.
 * Locks: p2m.
 */
mfn_t p2m_get_frame(struct domain *d, gfn_t g, uint32_t want, enum p2m_type *type);

/*
 * Takes RAM out of the map: from g on, at most `pages`, as far as one block or entries of one
 * table map contiguous frames. *m is the first, *nr says how many; they are still d's. Locks: p2m,
 * iommu, frames. Errors, nothing changed: -XEN_ENOENT no RAM is mapped at g, -XEN_ENOMEM a
 * block could not be split.
 */
int __must_check p2m_unmap_ram(struct domain *d, gfn_t g, uint64_t pages, mfn_t *m, uint64_t *nr);

/*
 * Gives the mapped block that *g is in, or else the next one: its first gfn in
 * *g, mfn, type, pages. Single pages of RAM that follow each other in both spaces are one
 * block, from *g on. Returns false when there is none. Used for teardown and dumps. Locks: p2m.
 */
bool p2m_next(struct domain *d, gfn_t *g, mfn_t *m, enum p2m_type *type, uint64_t *pages);

/*
 * d is dying: from now on nothing is found in its map and nothing can be mapped, so that who
 * holds a reference to d takes no more of its RAM. Locks: p2m.
 */
void p2m_close(struct domain *d);

/*
 * Frees the tables, in steps, whatever they still map. No vCPU of d runs or is
 * loaded any more. Returns 0 when done or never initialised (zeroed memory),
 * -XEN_EAGAIN to be called again. Locks: p2m, frames.
 */
int p2m_teardown(struct domain *d);

#endif
