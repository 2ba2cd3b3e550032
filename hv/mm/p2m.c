/* SPDX-License-Identifier: MIT */
/*
 * The walker of the second-stage page tables.
 *
 * It owns the tables of a domain between p2m_init() and p2m_teardown(). What
 * an entry looks like is the architecture's (arch/stage2.h); here a table is
 * entries at levels that count down to 0, whose leaves map one frame:
 *
 *   level 3 (root)  512 GiB each    level 1    2 MiB each
 *   level 2           1 GiB each    level 0    4 KiB each
 *
 * Invariants, all under p2m.lock:
 * - Changes that may need memory get it before the first entry changes.
 * - A valid entry never becomes another valid one without having been
 *   invalid, published and flushed in between (break before make).
 * - A table is published before an entry points to it, and freed only after a
 *   flush of what it covered.
 * - A table that p2m_unmap_page() left empty stays until it is in the way.
 * - p2m.found is what the tables say, or empty: it is emptied before an entry
 *   becomes invalid. p2m.leaf is a table that an entry points to, or none.
 *
 * While a block is being split, or a page put in the place of another, its addresses are unmapped
 * for a moment: p2m_fault_is_stale() tells an architecture not to take a fault seriously.
 *
 * Locks: p2m.lock; frames.lock inside. Next: mm/p2m_page.c, arch/<a>/stage2.c.
 */
#include <loam/bits.h>
#include <loam/hv.h>
#include <loam/list.h>
#include <loam/log.h>
#include <loam/refusal.h>
#include <xen/errno.h>

#include "p2m_walk.h"

#define LEVELS_MAX 5
#define TEARDOWN_ENTRIES 512 /* looked at in one step of p2m_teardown() */

static uint32_t level_bits(const struct stage2_format *fmt, uint32_t level)
{
    return level + 1 == fmt->levels ? fmt->root_bits : fmt->index_bits;
}

static uint32_t index_at(const struct stage2_format *fmt, gfn_t g, uint32_t level)
{
    uint64_t mask = (UINT64_C(1) << level_bits(fmt, level)) - 1;

    return (uint32_t)((g.n >> level_order(fmt, level)) & mask);
}

static uint32_t entries_at(const struct stage2_format *fmt, uint32_t level)
{
    return 1u << level_bits(fmt, level);
}

/* The level of the largest block that can begin at g -> m and has at most `pages`. */
static uint32_t leaf_level(const struct stage2_format *fmt, gfn_t g, mfn_t m, uint64_t pages)
{
    for (uint32_t l = fmt->levels - 1u; l > 0; l--) {
        uint64_t size = level_pages(fmt, l);

        if ((fmt->block_levels & (1u << l)) != 0 && pages >= size && IS_ALIGNED(g.n | m.n, size)) {
            return l;
        }
    }
    return 0;
}

static mfn_t table_alloc(struct domain *d)
{
    struct p2m *p = &d->p2m;

    if (p->table_pages >= p->tables_max) {
        (void)refuse(-XEN_ENOMEM, "page tables of the domain are at their limit (paging pool)",
                     d->id, p->tables_max);
        return MFN_NONE;
    }
    mfn_t m = frame_alloc(d->hv, 0, FRAME_ALLOC_ZERO);

    if (!mfn_is_none(m)) {
        p->table_pages++;
    }
    return m;
}

static void table_free(struct domain *d, mfn_t m)
{
    d->p2m.table_pages--;
    frame_free(d->hv, m, 0);
}

int p2m_walk_make(struct domain *d, const struct stage2_format *fmt, gfn_t g, uint32_t level,
                  struct walk *w)
{
    for (walk_to(d, fmt, g, level, w); w->level > level; walk_to(d, fmt, g, level, w)) {
        if (arch_stage2_is_valid(w->pte)) {
            return -XEN_EEXIST;
        }
        mfn_t table = table_alloc(d);
        if (mfn_is_none(table)) {
            return -XEN_ENOMEM;
        }
        arch_stage2_publish(); /* its zeroes before the pointer to it */
        entry_set(d, w, arch_stage2_table(table));
    }
    return 0;
}

/* Number of the entries from w->index on that are of w->level and inside of `pages`. */
static uint64_t run_length(const struct stage2_format *fmt, const struct walk *w, uint64_t pages)
{
    uint64_t room = entries_at(fmt, w->level) - w->index;

    return MIN(room, pages >> level_order(fmt, w->level));
}

/* No entry from w->index on, `run` of them, is valid. */
static bool run_is_empty(struct domain *d, const struct walk *w, uint64_t run)
{
    uint64_t *entry = frame_map_local(d->hv, w->table);
    bool empty = true;

    for (uint64_t i = 0; i < run && empty; i++) {
        empty = !arch_stage2_is_valid(entry[w->index + i]);
    }
    frame_unmap(d->hv, entry);
    return empty;
}

static bool table_is_empty(struct domain *d, const struct stage2_format *fmt, const struct walk *w)
{
    struct walk start = { .table = w->table, .level = w->level };

    return run_is_empty(d, &start, entries_at(fmt, w->level));
}

static void write_leaves(struct domain *d, const struct stage2_format *fmt, const struct walk *w,
                         mfn_t m, uint64_t run, enum p2m_type type)
{
    uint64_t *entry = frame_map_local(d->hv, w->table);
    uint64_t pages = level_pages(fmt, w->level);

    for (uint64_t i = 0; i < run; i++) {
        uint64_t pte = arch_stage2_leaf(d->hv, w->level, mfn_add(m, i * pages), type);

        arch_stage2_set(&entry[w->index + i], pte);
    }
    frame_unmap(d->hv, entry);
}

/* Takes empty tables of [g, g + pages) off their parents and puts them into `unused`. */
static void prune(struct domain *d, const struct stage2_format *fmt, gfn_t g, uint64_t pages,
                  struct list *unused)
{
    uint64_t end = g.n + pages;
    struct walk w;

    for (uint64_t next; g.n < end; g.n = next) {
        walk_to(d, fmt, g, 0, &w);
        /* A table of level 0 has no tables in it: on to its end. */
        next = ALIGN_DOWN(g.n, level_pages(fmt, MAX(w.level, 1u))) +
               level_pages(fmt, MAX(w.level, 1u));
        for (uint32_t l = w.level; l + 1 < fmt->levels; l++) {
            if (next < end && !IS_ALIGNED(next, level_pages(fmt, l + 1))) {
                break; /* other entries of this table are still to come */
            }
            walk_to(d, fmt, g, l, &w);
            if (!table_is_empty(d, fmt, &w)) {
                break;
            }
            list_push_back(unused, &frame_lookup(d->hv, w.table)->link);
            d->p2m.leaf_at = UINT64_MAX;
            walk_to(d, fmt, g, l + 1, &w);
            entry_set(d, &w, 0);
        }
    }
}

static void free_tables(struct domain *d, struct list *unused)
{
    struct list_node *n;

    while ((n = list_pop_front(unused)) != NULL) {
        table_free(d, frame_mfn(d->hv, list_entry(n, struct frame, link)));
    }
}

/* Prunes, makes sure that nobody uses [g, g + pages) as it was, and frees the tables. */
static void prune_and_flush(struct domain *d, const struct stage2_format *fmt, gfn_t g,
                            uint64_t pages)
{
    struct list unused;

    list_init(&unused);
    prune(d, fmt, g, pages, &unused);
    arch_stage2_publish();
    flush(d, g, pages);
    free_tables(d, &unused);
}

int p2m_init(struct domain *d)
{
    const char *type = d->config.mmu_type;
    const struct stage2_format *fmt =
        type == NULL ? arch_stage2_format(d->hv) : arch_stage2_choose(d->hv, type);
    struct p2m *p = &d->p2m;

    if (fmt == NULL) {
        return -XEN_EOPNOTSUPP;
    }
    BUG_ON(fmt->levels < 2 || fmt->levels > LEVELS_MAX);
    *p = (struct p2m){
        .lock = SPINLOCK_INIT(LOCK_RANK_P2M), .format = fmt, .tables_max = UINT64_MAX,
        .leaf_at = UINT64_MAX
    };
    p->root = frame_alloc(d->hv, fmt->root_order, FRAME_ALLOC_ZERO);
    if (mfn_is_none(p->root)) {
        return -XEN_ENOMEM;
    }
    arch_stage2_publish();
    p->table_pages = UINT64_C(1) << fmt->root_order;
    return 0;
}

/*
 * Entries like the one that w stands at, of level 0, from there on in its table, which map
 * contiguous frames; at most `pages`.
 */
static uint64_t ram_run(struct domain *d, const struct stage2_format *fmt, const struct walk *w,
                        uint64_t pages)
{
    uint64_t *entry = frame_map_local(d->hv, w->table);
    uint64_t most = run_length(fmt, w, pages), run = 1;
    mfn_t first = arch_stage2_mfn(w->pte);
    uint32_t type = arch_stage2_type(w->pte);

    while (run < most && arch_stage2_type(entry[w->index + run]) == type &&
           mfn_eq(arch_stage2_mfn(entry[w->index + run]), mfn_add(first, run))) {
        run++;
    }
    frame_unmap(d->hv, entry);
    return run;
}

/* Makes the tables for the mapping and checks that nothing is there. */
static int map_prepare(struct domain *d, const struct stage2_format *fmt, gfn_t g, mfn_t m,
                       uint64_t pages)
{
    struct walk w;

    while (pages != 0) {
        int rc = p2m_walk_make(d, fmt, g, leaf_level(fmt, g, m, pages), &w);
        uint64_t run = run_length(fmt, &w, pages);

        if (rc != 0) {
            return rc;
        }
        if (!run_is_empty(d, &w, run)) {
            return -XEN_EEXIST;
        }
        run *= level_pages(fmt, w.level);
        g = gfn_add(g, run);
        m = mfn_add(m, run);
        pages -= run;
    }
    return 0;
}

int p2m_map(struct domain *d, gfn_t g, mfn_t m, uint64_t pages, enum p2m_type type)
{
    const struct stage2_format *fmt = d->p2m.format;
    struct walk w;

    if (!range_is_valid(fmt, g, pages) || m.n + pages < m.n || type == P2M_INVALID ||
        type >= P2M_TYPES_MAX) {
        return -XEN_EINVAL;
    }
    spin_lock(&d->p2m.lock);
    if (d->p2m.closed) {
        spin_unlock(&d->p2m.lock);
        return -XEN_ESRCH;
    }
    int rc = map_prepare(d, fmt, g, m, pages);
    if (rc == -XEN_EEXIST) {
        /* Perhaps only empty tables are in the way. */
        prune_and_flush(d, fmt, g, pages);
        rc = map_prepare(d, fmt, g, m, pages);
    }
    if (rc != 0) {
        prune_and_flush(d, fmt, g, pages);
        spin_unlock(&d->p2m.lock);
        return rc;
    }

    /* point of no return */
    d->p2m.max_gfn = MAX(d->p2m.max_gfn, g.n + pages);
    while (pages != 0) {
        walk_to(d, fmt, g, leaf_level(fmt, g, m, pages), &w);
        uint64_t run = run_length(fmt, &w, pages);

        write_leaves(d, fmt, &w, m, run, type);
        run *= level_pages(fmt, w.level);
        g = gfn_add(g, run);
        m = mfn_add(m, run);
        pages -= run;
    }
    arch_stage2_publish();
    spin_unlock(&d->p2m.lock);
    return 0;
}

/* Number of tables that split_block() at g needs. */
static uint32_t split_needs(struct domain *d, const struct stage2_format *fmt, gfn_t g)
{
    struct walk w;
    uint32_t nr = 0;

    if (!range_is_valid(fmt, g, 1)) {
        return 0; /* the end of the address space */
    }
    walk_to(d, fmt, g, 0, &w);
    if (is_leaf(w.pte, w.level)) {
        for (uint32_t l = w.level; !IS_ALIGNED(g.n, level_pages(fmt, l)); l--) {
            nr++;
        }
    }
    return nr;
}

/* Splits the block that w stands at into a table of the next level. */
static void split_block(struct domain *d, const struct stage2_format *fmt, const struct walk *w,
                        gfn_t g, mfn_t table)
{
    struct walk lower = { .table = table, .level = w->level - 1 };
    gfn_t start = gfn(ALIGN_DOWN(g.n, level_pages(fmt, w->level)));

    write_leaves(d, fmt, &lower, arch_stage2_mfn(w->pte), entries_at(fmt, lower.level),
                 arch_stage2_type(w->pte));
    bool began = change_begins(d);

    entry_set(d, w, 0);
    arch_stage2_publish();
    flush(d, start, level_pages(fmt, w->level));
    entry_set(d, w, arch_stage2_table(table));
    arch_stage2_publish();
    change_ends(d, began);
}

/* Splits blocks until one begins at g or nothing is mapped there; tables come from `spare`. */
static void split_at(struct domain *d, const struct stage2_format *fmt, gfn_t g, struct list *spare)
{
    struct walk w;

    for (uint32_t nr = split_needs(d, fmt, g); nr != 0; nr--) {
        struct frame *r = list_entry(list_pop_front(spare), struct frame, link);

        walk_to(d, fmt, g, 0, &w);
        split_block(d, fmt, &w, g, frame_mfn(d->hv, r));
    }
}

/* Invalidates the leaves of [g, g + pages), where no block crosses an end. */
static void clear_leaves(struct domain *d, const struct stage2_format *fmt, gfn_t g, uint64_t pages)
{
    uint64_t end = g.n + pages;
    struct walk w;

    while (g.n < end) {
        walk_to(d, fmt, g, 0, &w);
        uint64_t size = level_pages(fmt, w.level);
        uint64_t run = w.level == 0 ? run_length(fmt, &w, end - g.n) : 1;
        uint64_t *entry = frame_map_local(d->hv, w.table);

        for (uint64_t i = 0; i < run; i++) {
            if (arch_stage2_is_valid(entry[w.index + i])) {
                arch_stage2_set(&entry[w.index + i], 0);
            }
        }
        frame_unmap(d->hv, entry);
        g.n = ALIGN_DOWN(g.n, size) + run * size;
    }
}

int p2m_unmap_locked(struct domain *d, const struct stage2_format *fmt, gfn_t g, uint64_t pages)
{
    struct list spare;
    int rc = 0;

    list_init(&spare);
    uint32_t needs = split_needs(d, fmt, g) + split_needs(d, fmt, gfn_add(g, pages));

    for (; needs != 0 && rc == 0; needs--) {
        mfn_t table = table_alloc(d);

        if (mfn_is_none(table)) {
            rc = -XEN_ENOMEM;
        } else {
            list_push_back(&spare, &frame_lookup(d->hv, table)->link);
        }
    }
    if (rc == 0) {
        /* point of no return */
        d->p2m.found.pages = 0;
        split_at(d, fmt, g, &spare);
        split_at(d, fmt, gfn_add(g, pages), &spare);
        clear_leaves(d, fmt, g, pages);
        prune_and_flush(d, fmt, g, pages);
    }
    free_tables(d, &spare);
    return rc;
}

int p2m_unmap(struct domain *d, gfn_t g, uint64_t pages)
{
    const struct stage2_format *fmt = d->p2m.format;

    if (!range_is_valid(fmt, g, pages)) {
        return -XEN_EINVAL;
    }
    spin_lock(&d->p2m.lock);
    int rc = p2m_unmap_locked(d, fmt, g, pages);
    spin_unlock(&d->p2m.lock);
    return rc;
}

static int unmap_ram_locked(struct domain *d, gfn_t g, uint64_t pages, mfn_t *m, uint64_t *nr)
{
    const struct stage2_format *fmt = d->p2m.format;
    struct walk w;

    if (d->p2m.closed || pages == 0 || !range_is_valid(fmt, g, 1)) {
        return -XEN_ENOENT;
    }
    walk_to(d, fmt, g, 0, &w);
    if (!is_leaf(w.pte, w.level) || !p2m_type_is_ram(arch_stage2_type(w.pte))) {
        return -XEN_ENOENT;
    }
    *m = mfn_at(fmt, &w, g);
    if (w.level != 0) {
        uint64_t size = level_pages(fmt, w.level);

        *nr = MIN(pages, size - (g.n & (size - 1)));
        return p2m_unmap_locked(d, fmt, g, *nr);
    }
    *nr = ram_run(d, fmt, &w, pages);
    if (*nr == 1) {
        return p2m_unmap_one_locked(d, fmt, g, &w);
    }
    d->p2m.found.pages = 0;
    clear_leaves(d, fmt, g, *nr);
    prune_and_flush(d, fmt, g, *nr);
    return 0;
}

int p2m_unmap_ram(struct domain *d, gfn_t g, uint64_t pages, mfn_t *m, uint64_t *nr)
{
    spin_lock(&d->p2m.lock);
    int rc = unmap_ram_locked(d, g, pages, m, nr);
    spin_unlock(&d->p2m.lock);
    return rc;
}

/* The mapped block that w stands at. */
static struct p2m_block block_at(const struct stage2_format *fmt, const struct walk *w, gfn_t g)
{
    return (struct p2m_block){
        .gfn = gfn(ALIGN_DOWN(g.n, level_pages(fmt, w->level))),
        .mfn = arch_stage2_mfn(w->pte),
        .pages = level_pages(fmt, w->level),
        .order = level_order(fmt, w->level),
        .type = arch_stage2_type(w->pte),
    };
}

/* Walks to the block that g is in; false: nothing is mapped there. */
static bool find_block(struct domain *d, gfn_t g, struct p2m_block *b)
{
    const struct stage2_format *fmt = d->p2m.format;
    struct walk w;

    if (d->p2m.closed || !range_is_valid(fmt, g, 1)) {
        return false;
    }
    walk_to(d, fmt, g, 0, &w);
    if (!is_leaf(w.pte, w.level)) {
        return false;
    }
    *b = block_at(fmt, &w, g);
    return true;
}

mfn_t p2m_lookup_locked(struct domain *d, gfn_t g, enum p2m_type *type, uint32_t *order)
{
    struct p2m_block *b = &d->p2m.found;

    /* A hypercall's copies in and out, and those of the next one, are in one block as a rule. */
    if (g.n - b->gfn.n >= b->pages && !find_block(d, g, b)) {
        return MFN_NONE;
    }
    if (type != NULL) {
        *type = b->type;
    }
    if (order != NULL) {
        *order = b->order;
    }
    return mfn_add(b->mfn, g.n - b->gfn.n);
}

mfn_t p2m_lookup(struct domain *d, gfn_t g, enum p2m_type *type, uint32_t *order)
{
    spin_lock(&d->p2m.lock);
    mfn_t m = p2m_lookup_locked(d, g, type, order);
    spin_unlock(&d->p2m.lock);
    return m;
}

/* Steps w over invalid entries of its table; returns how many. */
static uint32_t skip_invalid(struct domain *d, const struct stage2_format *fmt, struct walk *w)
{
    uint64_t *entry = frame_map_local(d->hv, w->table);
    uint32_t nr = 0;

    while (w->index + nr < entries_at(fmt, w->level) &&
           !arch_stage2_is_valid(entry[w->index + nr])) {
        nr++;
    }
    frame_unmap(d->hv, entry);
    return nr;
}

bool p2m_next(struct domain *d, gfn_t *g, mfn_t *m, enum p2m_type *type, uint64_t *pages)
{
    const struct stage2_format *fmt = d->p2m.format;
    bool found = false;
    struct walk w;

    spin_lock(&d->p2m.lock);
    while (g->n < d->p2m.max_gfn && !found) {
        walk_to(d, fmt, *g, 0, &w);
        uint64_t size = level_pages(fmt, w.level);

        g->n = ALIGN_DOWN(g->n, size);
        found = is_leaf(w.pte, w.level);
        if (found) {
            *m = arch_stage2_mfn(w.pte);
            *type = arch_stage2_type(w.pte);
            *pages = size;
            if (w.level == 0 && p2m_type_is_ram(*type)) {
                *pages = ram_run(d, fmt, &w, UINT64_MAX);
            }
        } else {
            g->n += size * skip_invalid(d, fmt, &w);
        }
    }
    spin_unlock(&d->p2m.lock);
    return found;
}

/* Sets w->index and w->pte to the first table entry at or after the cursor; false: there is none.
 */
static bool find_table(struct domain *d, const struct stage2_format *fmt, struct walk *w)
{
    uint64_t *entry = frame_map_local(d->hv, w->table);
    uint32_t first = index_at(fmt, d->p2m.teardown, w->level);
    uint32_t nr = w->level == 0 ? 0 : entries_at(fmt, w->level);

    for (w->index = first; w->index < nr; w->index++) {
        w->pte = entry[w->index];
        if (arch_stage2_is_table(w->pte, w->level)) {
            break;
        }
    }
    frame_unmap(d->hv, entry);
    if (w->index >= nr) {
        return false;
    }
    if (w->index > first) {
        uint64_t size = level_pages(fmt, w->level);

        d->p2m.teardown.n = ALIGN_DOWN(d->p2m.teardown.n, size) + (w->index - first) * size;
    }
    return true;
}

/*
 * Frees the first table, from the cursor on, that has no table in it. The
 * cursor stays inside of what it covered, so that its parent is found again.
 * Adds the entries looked at to *looked. Returns false when only the root is left.
 */
static bool teardown_one(struct domain *d, const struct stage2_format *fmt, uint32_t *looked)
{
    struct walk w = { .table = d->p2m.root, .level = fmt->levels - 1u };
    struct walk parent = w;

    for (;;) {
        uint32_t first = index_at(fmt, d->p2m.teardown, w.level);
        bool found = find_table(d, fmt, &w);

        *looked += 1 + (w.index > first ? w.index - first : 0);
        if (!found) {
            break;
        }
        parent = w;
        w.table = arch_stage2_mfn(w.pte);
        w.level--;
    }
    if (w.level == fmt->levels - 1u) {
        return false;
    }
    entry_set(d, &parent, 0);
    table_free(d, w.table);
    return true;
}

void p2m_close(struct domain *d)
{
    spin_lock(&d->p2m.lock);
    d->p2m.closed = true;
    d->p2m.found.pages = 0;
    spin_unlock(&d->p2m.lock);
}

int p2m_teardown(struct domain *d)
{
    const struct stage2_format *fmt = d->p2m.format;
    struct p2m *p = &d->p2m;
    uint32_t looked = 0;

    if (p->table_pages == 0) {
        return 0;
    }
    spin_lock(&p->lock);
    p->found.pages = 0;
    p->leaf_at = UINT64_MAX;
    if (p->teardown.n == 0) {
        arch_stage2_flush_all(d);
    }
    while (looked < TEARDOWN_ENTRIES) {
        if (!teardown_one(d, fmt, &looked)) {
            arch_stage2_publish();
            frame_free(d->hv, p->root, fmt->root_order);
            p->root = MFN_NONE;
            p->table_pages = 0;
            spin_unlock(&p->lock);
            return 0;
        }
    }
    arch_stage2_publish();
    spin_unlock(&p->lock);
    return -XEN_EAGAIN;
}
