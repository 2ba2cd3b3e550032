/* SPDX-License-Identifier: MIT */
/*
 * What the files that change second-stage tables share: the walk, and how a change is made known.
 * p2m.c has ranges, p2m_page.c single pages. Locks: p2m.lock is held around everything here.
 */
#ifndef LOAM_MM_P2M_WALK_H
#define LOAM_MM_P2M_WALK_H

#include <arch/stage2.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/iommu.h>
#include <loam/p2m.h>

/* Position in the tables: `table` has `level` and covers the gfn looked for. */
struct walk {
    mfn_t table;
    uint32_t level;
    uint32_t index;
    uint64_t pte; /* entry at index */
};

/* log2 of the pages that an entry of a level covers. */
static inline uint32_t level_order(const struct stage2_format *fmt, uint32_t level)
{
    return level * fmt->index_bits;
}

static inline uint64_t level_pages(const struct stage2_format *fmt, uint32_t level)
{
    return UINT64_C(1) << level_order(fmt, level);
}

/* [g, g + pages) is not empty and within the guest's address width. */
static inline bool range_is_valid(const struct stage2_format *fmt, gfn_t g, uint64_t pages)
{
    uint64_t max = UINT64_C(1) << (fmt->gpa_bits - PAGE_SHIFT);

    return pages != 0 && g.n < max && pages <= max - g.n;
}

/* Goes down from the root towards g until an entry that is no table, or `level`. */
static __inline_hot void walk_to(struct domain *d, const struct stage2_format *fmt, gfn_t g,
                                 uint32_t level, struct walk *w)
{
    struct hv *hv = d->hv;
    mfn_t table = d->p2m.root;
    uint32_t at = fmt->levels - 1u;
    uint32_t bits = fmt->index_bits, shift = at * bits;
    uint64_t mask = (UINT64_C(1) << fmt->root_bits) - 1; /* of the root; other tables are smaller */

    if (level == 0 && g.n >> fmt->index_bits == d->p2m.leaf_at) {
        table = d->p2m.leaf;
        at = shift = 0;
        mask = (UINT64_C(1) << fmt->index_bits) - 1;
    }
    for (;;) {
        uint64_t *entry = frame_map_local(hv, table);
        uint32_t index = (uint32_t)(g.n >> shift & mask);
        uint64_t pte = atomic_load_relaxed(&entry[index]);

        frame_unmap(hv, entry);
        if (at == level || !arch_stage2_is_table(pte, at)) {
            *w = (struct walk){ .table = table, .level = at, .index = index, .pte = pte };
            if (at == 0) {
                d->p2m.leaf = table;
                d->p2m.leaf_at = g.n >> fmt->index_bits;
            }
            return;
        }
        table = arch_stage2_mfn(pte);
        at--;
        shift -= bits;
        mask = (UINT64_C(1) << bits) - 1;
    }
}

static inline bool is_leaf(uint64_t pte, uint32_t level)
{
    return arch_stage2_is_valid(pte) && !arch_stage2_is_table(pte, level);
}

/* What the entry that w stands at maps g to. */
static inline mfn_t mfn_at(const struct stage2_format *fmt, const struct walk *w, gfn_t g)
{
    return mfn_add(arch_stage2_mfn(w->pte), g.n & (level_pages(fmt, w->level) - 1));
}

static inline void entry_set(struct domain *d, const struct walk *w, uint64_t pte)
{
    uint64_t *entry = frame_map_local(d->hv, w->table);

    arch_stage2_set(&entry[w->index], pte);
    frame_unmap(d->hv, entry);
}

/* Nobody uses what was made invalid in [g, g + pages), CPU or device, when it returns. */
static inline void flush(struct domain *d, gfn_t g, uint64_t pages)
{
    arch_stage2_flush(d, g, pages);
    if (unlikely(iommu_guards(d))) {
        iommu_flush(d);
    }
}

/*
 * What is mapped will be unmapped for a moment; false: that is known already, by a change that this
 * one is part of. Partner: p2m_fault_is_stale().
 */
static inline bool change_begins(struct domain *d)
{
    if (d->p2m.changes & 1) {
        return false;
    }
    atomic_store_relaxed(&d->p2m.changes, d->p2m.changes + 1);
    arch_stage2_publish(); /* before any entry */
    return true;
}

static inline void change_ends(struct domain *d, bool began)
{
    if (began) {
        atomic_store_release(&d->p2m.changes, d->p2m.changes + 1);
    }
}

/* --- p2m.c ---------------------------------------------------------------- */

/* Walks to `level`, making tables. Errors: -XEN_ENOMEM, -XEN_EEXIST a leaf is in the way. */
int __must_check p2m_walk_make(struct domain *d, const struct stage2_format *fmt, gfn_t g,
                               uint32_t level, struct walk *w);
/* As p2m_unmap(), of a valid range. */
int __must_check p2m_unmap_locked(struct domain *d, const struct stage2_format *fmt, gfn_t g,
                                  uint64_t pages);

/* --- p2m_page.c ----------------------------------------------------------- */

/* Takes the valid entry of one page, or the page out of a block, out of the map. */
int __must_check p2m_unmap_one_locked(struct domain *d, const struct stage2_format *fmt, gfn_t g,
                                      const struct walk *w);

#endif
