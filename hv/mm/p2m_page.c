/* SPDX-License-Identifier: MIT */
/*
 * Single pages of a guest's map: grants, foreign pages, pages of Xen's own.
 *
 * Neighbours are touched one after the other: p2m.leaf is the table of level 0 that was walked to
 * last, and what is in it costs no walk. A toolstack maps and unmaps 8,300 foreign pages for each
 * guest that it builds. Locks: p2m.lock. Next: mm/p2m.c.
 */
#include <loam/hv.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "p2m_walk.h"

/* The entry of g, NULL where its table is not the one that was walked to last. */
static __inline_hot uint64_t *entry_at(struct domain *d, const struct stage2_format *fmt, gfn_t g)
{
    if (unlikely(g.n >> fmt->index_bits != d->p2m.leaf_at || d->p2m.closed)) {
        return NULL;
    }
    uint64_t *entry = frame_map_local(d->hv, d->p2m.leaf);

    return &entry[g.n & ((UINT64_C(1) << fmt->index_bits) - 1)];
}

bool p2m_fault_is_stale(struct vcpu *v)
{
    uint32_t changes = atomic_load_acquire(&v->domain->p2m.changes);

    /* The same as at a fault before: no change has begun or ended since then. */
    if (likely(changes == v->p2m_changes)) {
        return false;
    }
    v->p2m_changes = changes & ~1u;
    return true;
}

int p2m_unmap_one_locked(struct domain *d, const struct stage2_format *fmt, gfn_t g,
                         const struct walk *w)
{
    if (w->level != 0) {
        return p2m_unmap_locked(d, fmt, g, 1);
    }
    if (g.n - d->p2m.found.gfn.n < d->p2m.found.pages) {
        d->p2m.found.pages = 0;
    }
    entry_set(d, w, 0);
    arch_stage2_publish();
    flush(d, g, 1);
    return 0;
}

/* What a mapping of one page was gives back what it held. Locks: none is held. */
static void release_page(struct domain *d, mfn_t m, enum p2m_type type)
{
    if (p2m_type_has_ref(type)) {
        frame_put(d->hv, m);
    } else if (p2m_type_is_ram(type) && !d->config.direct_map) {
        domain_free_ram(d, m, 1);
    }
}

/* Something is mapped at g, or a table is missing: w is to stand at an invalid entry of level 0. */
static int make_room_locked(struct domain *d, gfn_t g, struct walk *w, mfn_t *old,
                            enum p2m_type *old_type)
{
    const struct stage2_format *fmt = d->p2m.format;
    int rc = 0;

    if (is_leaf(w->pte, w->level)) {
        *old_type = arch_stage2_type(w->pte);
        *old = mfn_at(fmt, w, g);
        rc = *old_type == P2M_MMIO_DIRECT ? -XEN_EBUSY : p2m_unmap_one_locked(d, fmt, g, w);
    }
    if (rc != 0) {
        *old_type = P2M_INVALID;
        return rc;
    }
    if (w->level != 0) {
        /* After a split all tables are there: what was mapped is out, or nothing was. */
        rc = p2m_walk_make(d, fmt, g, 0, w);
        if (rc != 0) {
            arch_stage2_publish(); /* of the tables that were made before memory ran out */
        }
    }
    return rc;
}

static int map_locked(struct domain *d, gfn_t g, uint64_t pte, mfn_t *old, enum p2m_type *old_type)
{
    const struct stage2_format *fmt = d->p2m.format;
    struct walk w;

    if (!range_is_valid(fmt, g, 1)) {
        return -XEN_EINVAL;
    }
    if (d->p2m.closed) {
        return -XEN_ESRCH;
    }
    walk_to(d, fmt, g, 0, &w);
    bool began = arch_stage2_is_valid(w.pte) && change_begins(d);
    int rc = 0;

    if (w.level != 0 || arch_stage2_is_valid(w.pte)) {
        rc = make_room_locked(d, g, &w, old, old_type);
    }
    if (rc == 0) {
        entry_set(d, &w, pte);
        arch_stage2_publish();
        d->p2m.max_gfn = MAX(d->p2m.max_gfn, g.n + 1);
    }
    change_ends(d, began);
    return rc;
}

/* Where g's entry is not an invalid one in the table that was walked to last. Gives p2m.lock up. */
static __noinline int map_and_unlock(struct domain *d, gfn_t g, uint64_t pte)
{
    enum p2m_type old_type = P2M_INVALID;
    mfn_t old = MFN_NONE;
    int rc = map_locked(d, g, pte, &old, &old_type);

    spin_unlock(&d->p2m.lock);
    if (old_type != P2M_INVALID) {
        release_page(d, old, old_type);
    }
    return rc;
}

int p2m_map_page(struct domain *d, gfn_t g, mfn_t m, enum p2m_type type)
{
    uint64_t pte = arch_stage2_leaf(d->hv, 0, m, type);

    spin_lock(&d->p2m.lock);
    uint64_t *entry = entry_at(d, d->p2m.format, g);

    if (unlikely(entry == NULL || arch_stage2_is_valid(*entry))) {
        return map_and_unlock(d, g, pte);
    }
    arch_stage2_set(entry, pte);
    arch_stage2_publish();
    if (unlikely(g.n >= d->p2m.max_gfn)) {
        d->p2m.max_gfn = g.n + 1;
    }
    spin_unlock(&d->p2m.lock);
    return 0;
}

int p2m_unmap_page(struct domain *d, gfn_t g, mfn_t m, uint32_t want)
{
    const struct stage2_format *fmt = d->p2m.format;
    enum p2m_type type = P2M_INVALID;
    mfn_t old = MFN_NONE;
    int rc = -XEN_ENOENT;
    struct walk w;

    spin_lock(&d->p2m.lock);
    if (!d->p2m.closed && range_is_valid(fmt, g, 1)) {
        walk_to(d, fmt, g, 0, &w);
        type = is_leaf(w.pte, w.level) ? arch_stage2_type(w.pte) : P2M_INVALID;
        old = mfn_at(fmt, &w, g);
        if ((want & 1u << type) != 0 && type != P2M_INVALID && (mfn_is_none(m) || mfn_eq(m, old))) {
            rc = p2m_unmap_one_locked(d, fmt, g, &w);
        }
    }
    spin_unlock(&d->p2m.lock);
    if (rc == 0) {
        release_page(d, old, type);
    }
    return rc;
}

mfn_t p2m_get_frame(struct domain *d, gfn_t g, uint32_t want, enum p2m_type *type)
{
    enum p2m_type t = P2M_INVALID;
    mfn_t m = MFN_NONE;

    spin_lock(&d->p2m.lock);
    const uint64_t *entry = entry_at(d, d->p2m.format, g);

    if (likely(entry != NULL)) {
        uint64_t pte = atomic_load_relaxed(entry);

        if (likely(arch_stage2_is_valid(pte))) {
            t = arch_stage2_type(pte);
            m = arch_stage2_mfn(pte);
        }
    } else {
        m = p2m_lookup_locked(d, g, &t, NULL);
    }
    if (likely(!mfn_is_none(m) && (want & 1u << t) != 0)) {
        frame_get(d->hv, m);
    } else {
        m = MFN_NONE;
    }
    spin_unlock(&d->p2m.lock);
    if (type != NULL) {
        *type = t;
    }
    return m;
}
