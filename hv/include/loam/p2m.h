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

struct domain;

enum p2m_type {
    P2M_INVALID = 0,
    P2M_RAM_RW,      /* normal memory, read, write, execute */
    P2M_RAM_RO,      /* normal memory, read, execute */
    P2M_MMIO_DIRECT, /* a device of the host, device memory, never executable */
    P2M_TYPES_MAX
};

struct p2m {
    struct spinlock lock;   /* LOCK_RANK_P2M */
    mfn_t root;             /* 2^arch_stage2_root_order() frames */
    uint16_t vmid;          /* see arch/stage2.h; managed by the architecture */
    uint64_t vmid_generation;
    uint64_t table_pages;   /* frames used for tables, root included */
    uint64_t cpus[2];       /* bitmap of pcpus that may hold TLB entries of this map */
    gfn_t teardown;         /* cursor of p2m_teardown() */
    uint64_t max_gfn;       /* highest gfn ever mapped + 1 */
};

/* Errors: -XEN_ENOMEM. */
int __must_check p2m_init(struct domain *d);

/*
 * Maps [g, g + pages) to [m, m + pages) as `type`, in the largest blocks that
 * alignment allows. Nothing may be mapped there yet. Validates first: on
 * error nothing is mapped (tables made on the way may stay).
 * Locks: takes p2m.lock. Errors: -XEN_EINVAL range outside the guest's address
 * width or wraps, -XEN_EEXIST something is mapped there, -XEN_ENOMEM.
 */
int __must_check p2m_map(struct domain *d, gfn_t g, mfn_t m, uint64_t pages, enum p2m_type type);

/*
 * Unmaps [g, g + pages), splitting blocks where needed (break before make),
 * and returns when no CPU can use the old translations any more. Holes are
 * allowed. Errors: -XEN_EINVAL, -XEN_ENOMEM (a block could not be split; nothing changed).
 */
int __must_check p2m_unmap(struct domain *d, gfn_t g, uint64_t pages);

/*
 * What g maps to; *type and *order (log2 of the pages in the mapping) are
 * optional. Returns MFN_NONE when nothing is mapped. Locks: takes p2m.lock.
 */
mfn_t p2m_lookup(struct domain *d, gfn_t g, enum p2m_type *type, uint32_t *order);

/*
 * Gives the next mapped block at or after *g: its first gfn in *g, mfn, type,
 * pages. Returns false when there is none. Used for teardown and dumps.
 */
bool p2m_next(struct domain *d, gfn_t *g, mfn_t *m, enum p2m_type *type, uint64_t *pages);

/* Frees the tables, in steps. Returns 0 when done, -XEN_EAGAIN to be called again. */
int p2m_teardown(struct domain *d);

#endif
