/* SPDX-License-Identifier: MIT */
/*
 * Machine memory: the frame table and the buddy allocator.
 *
 * Invariants, all under frames.lock:
 * - Memory that was handed over is cut into naturally aligned blocks. The
 *   record of a block's first frame, its head, says state and order; no other
 *   record says anything but FRAME_NONE. Free heads are in the list of their order.
 * - A block's buddy therefore is free as a whole exactly when the record at
 *   the buddy's first frame says FRAME_FREE with the same order.
 * - A record is read only where its area's bit in `ready` is set; setting the
 *   bit clears the area's records. Areas hold 64 records or, where the
 *   table describes more than FRAME_AREAS_MAX such areas, some power of two more.
 * - Free memory is `avail` frames; `total` is what was added and not claimed.
 *   Kept frames are in `total` only.
 *
 * - refs and group_refs of a record are its own, whatever block it is in: they change by
 *   frame_get() and frame_put() alone. A frame that is given back while refs is not 0
 *   becomes a block of its own, an orphan, and is free when the last reference goes.
 *
 * Blocks under 2 MiB are split off the upper end of a larger one, others off
 * the lower end, so that tables and objects gather and leave guests whole blocks.
 *
 * Next: mm/mem.c for small objects, mm/p2m.c for a user of single frames.
 */
#include <arch/mmu.h>
#include <loam/atomic.h>
#include <loam/bitmap.h>
#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "poison.h"

#define AREA_SHIFT_MIN 6
#define BLOCKS_LOOKED_AT 256 /* by one frames_next_of() */
#define SMALL_ORDER 9 /* below it: hypervisor's memory, gathered at upper ends */

static struct frame *record(struct frames *f, mfn_t m) { return &f->table[m.n - f->base.n]; }

static mfn_t record_mfn(const struct frames *f, const struct frame *r)
{
    return mfn_add(f->base, (uint64_t)(r - f->table));
}

/* The table describes all of [m, m + pages), and there is at least one. */
static bool range_is_described(const struct frames *f, mfn_t m, uint64_t pages)
{
    uint64_t off = m.n - f->base.n;

    return m.n >= f->base.n && off < f->pages && pages != 0 && pages <= f->pages - off;
}

static size_t area_of(const struct frames *f, mfn_t m)
{
    return (size_t)((m.n - f->base.n) >> f->area_shift);
}

/* Initialises the records of m's area if they are not. */
static void ready_record(struct frames *f, mfn_t m)
{
    size_t area = area_of(f, m);
    uint64_t first = (uint64_t)area << f->area_shift;
    uint64_t nr = MIN(UINT64_C(1) << f->area_shift, f->pages - first);

    if (!bitmap_test_and_set(f->ready, area)) {
        mem_unpoison(&f->table[first], (size_t)nr * sizeof(struct frame));
        memset(&f->table[first], 0, (size_t)nr * sizeof(struct frame));
    }
}

/* Order of the largest naturally aligned block that begins at m and has at most `pages` frames. */
static uint32_t block_order(mfn_t m, uint64_t pages)
{
    uint32_t order = MIN(ctz64(m.n), ilog2(pages));

    return MIN(order, (uint32_t)FRAME_ORDER_MAX);
}

/* The head that m's record is, NULL when it is none. */
static struct frame *head_at(struct frames *f, mfn_t m)
{
    if (!range_is_described(f, m, 1) || !bitmap_test(f->ready, area_of(f, m))) {
        return NULL;
    }
    return record(f, m)->state != FRAME_NONE ? record(f, m) : NULL;
}

/* Head of the block that m is in, NULL when m was never handed over. */
static struct frame *find_block(struct frames *f, mfn_t m)
{
    for (uint32_t o = 0; o <= FRAME_ORDER_MAX; o++) {
        struct frame *r = head_at(f, mfn(ALIGN_DOWN(m.n, UINT64_C(1) << o)));

        if (r != NULL && r->order >= o) {
            return r;
        }
    }
    return NULL;
}

/* First frame after the block of r. */
static mfn_t block_end(struct frames *f, const struct frame *r)
{
    return mfn_add(record_mfn(f, r), UINT64_C(1) << r->order);
}

/* Every frame of the range is in a block with a state of the set (bits 1 << FRAME_x). */
static bool range_is(struct frames *f, mfn_t m, uint64_t pages, uint32_t states)
{
    for (mfn_t at = m; at.n < m.n + pages;) {
        const struct frame *r = find_block(f, at);

        if (r == NULL || (states & (1u << r->state)) == 0) {
            return false;
        }
        at = block_end(f, r);
    }
    return true;
}

/* Makes a record a head like another one, or no head; its references stay. */
static void set_head(struct frame *r, const struct frame *like)
{
    r->link = like->link;
    r->state = like->state;
    r->order = like->order;
    r->node = like->node;
    r->flags = like->flags;
    r->slab = like->slab;
}

static void set_none(struct frame *r) { set_head(r, &(struct frame){ .state = FRAME_NONE }); }

/* Cuts the block, not a free one, that m is in, so that one begins at m. */
static void split_at(struct frames *f, mfn_t m)
{
    struct frame *r = find_block(f, m);

    while (r != NULL && record_mfn(f, r).n != m.n) {
        mfn_t upper = mfn_add(record_mfn(f, r), UINT64_C(1) << --r->order);

        ready_record(f, upper);
        set_head(record(f, upper), r);
        r = m.n >= upper.n ? record(f, upper) : r;
    }
}

/* Makes block boundaries of both ends of a range that is not free. */
static void isolate(struct frames *f, mfn_t m, uint64_t pages)
{
    split_at(f, m);
    split_at(f, mfn_add(m, pages));
}

/* Makes the range, which is in no block, into blocks that look like `like`. */
static void make_blocks(struct frames *f, mfn_t m, uint64_t pages, struct frame like)
{
    for (mfn_t end = mfn_add(m, pages); m.n < end.n; m = block_end(f, record(f, m))) {
        ready_record(f, m);
        like.order = (uint8_t)block_order(m, end.n - m.n);
        set_head(record(f, m), &like);
    }
}

/* The opposite: the blocks of an isolated range, not free, are blocks no more. */
static void forget_blocks(struct frames *f, mfn_t m, uint64_t pages)
{
    for (mfn_t at = m; at.n < m.n + pages;) {
        struct frame *r = record(f, at);

        at = block_end(f, r);
        set_none(r);
    }
}

/* Makes a block free and puts it into its list, without looking at neighbours. */
static void insert_block(struct frames *f, mfn_t m, uint32_t order)
{
    ready_record(f, m);
    set_head(record(f, m), &(struct frame){ .state = FRAME_FREE, .order = (uint8_t)order });
    list_push_front(&f->free[order], &record(f, m)->link);
}

/* Takes a free block off its list; it is no block any more. */
static void remove_block(struct frames *f, struct frame *r)
{
    list_remove(&r->link);
    r->state = FRAME_NONE;
}

/* Makes a block free and merges it with its buddies. */
static void free_block(struct frames *f, mfn_t m, uint32_t order)
{
    f->avail += UINT64_C(1) << order;
    while (order < FRAME_ORDER_MAX) {
        mfn_t buddy = mfn(m.n ^ (UINT64_C(1) << order));
        struct frame *r = head_at(f, buddy);

        if (r == NULL || r->state != FRAME_FREE || r->order != order) {
            break;
        }
        remove_block(f, r);
        m.n = MIN(m.n, buddy.n);
        order++;
    }
    insert_block(f, m, order);
}

static void free_range(struct frames *f, mfn_t m, uint64_t pages)
{
    while (pages != 0) {
        uint32_t order = block_order(m, pages);

        free_block(f, m, order);
        m = mfn_add(m, UINT64_C(1) << order);
        pages -= UINT64_C(1) << order;
    }
}

static uint32_t *group_refs(struct frames *f, mfn_t m)
{
    return &f->table[ALIGN_DOWN(m.n - f->base.n, FRAME_GROUP)].group_refs;
}

/* The first frame of the next group, at most `end`. */
static mfn_t group_end(const struct frames *f, mfn_t m, mfn_t end)
{
    mfn_t next = mfn_add(f->base, ALIGN_DOWN(m.n - f->base.n, FRAME_GROUP) + FRAME_GROUP);

    return next.n < end.n ? next : end;
}

static bool area_is_ready(const struct frames *f, mfn_t m)
{
    return bitmap_test(f->ready, area_of(f, m));
}

/* Frees frame m, in no block, or makes it an orphan if somebody holds it. */
static void free_or_leave(struct frames *f, mfn_t m)
{
    struct frame *r = record(f, m);

    set_head(r, &(struct frame){ .state = FRAME_ORPHAN });
    /* "Given back" before looking for references. Partner: frame_put(). */
    smp_mb();
    if (atomic_load_relaxed(&r->refs) == 0) {
        set_none(r);
        free_range(f, m, 1);
        return;
    }
    mem_unpoison(arch_frame_map(m), PAGE_SIZE);
}

/* Frees the range, which is in no block, but for the frames that somebody holds. */
static void give_back(struct frames *f, mfn_t m, uint64_t pages)
{
    mfn_t from = m, end = mfn_add(m, pages);

    for (mfn_t next; m.n < end.n; m = next) {
        next = group_end(f, m, end);
        if (!area_is_ready(f, m) || atomic_load_relaxed(group_refs(f, m)) == 0) {
            continue;
        }
        if (m.n != from.n) {
            free_range(f, from, m.n - from.n);
        }
        for (from = next; m.n < next.n; m.n++) {
            free_or_leave(f, m);
        }
    }
    if (from.n != end.n) {
        free_range(f, from, end.n - from.n);
    }
}

/*
 * Makes the blocks of one state, not FRAME_FREE, free as far as they are in
 * the range, all of which was handed over.
 */
static void free_blocks(struct frames *f, mfn_t m, uint64_t pages, enum frame_state state)
{
    for (mfn_t end = mfn_add(m, pages), next; m.n < end.n; m = next) {
        const struct frame *r = find_block(f, m);

        next = mfn(MIN(block_end(f, r).n, end.n));
        if (r->state == state) {
            isolate(f, m, next.n - m.n);
            forget_blocks(f, m, next.n - m.n);
            free_range(f, m, next.n - m.n);
        }
    }
}

/* Takes 2^order frames out of the free blocks; MFN_NONE when there is no such block. */
static mfn_t take_block(struct frames *f, uint32_t order)
{
    uint32_t have = order;

    while (have <= FRAME_ORDER_MAX && list_is_empty(&f->free[have])) {
        have++;
    }
    if (have > FRAME_ORDER_MAX) {
        return MFN_NONE;
    }

    bool small = order < SMALL_ORDER;
    struct list_node *n = small ? list_last(&f->free[have]) : list_first(&f->free[have]);
    struct frame *r = list_entry(n, struct frame, link);
    mfn_t m = record_mfn(f, r);

    remove_block(f, r);
    while (have > order) {
        mfn_t upper = mfn_add(m, UINT64_C(1) << --have);

        insert_block(f, small ? m : upper, have);
        m = small ? upper : m;
    }
    f->avail -= UINT64_C(1) << order;
    return m;
}

void frames_init(struct hv *hv, struct frame *table, mfn_t base, uint64_t pages)
{
    struct frames *f = &hv->frames;

    memset(f, 0, sizeof(*f));
    f->lock = SPINLOCK_INIT(LOCK_RANK_FRAMES);
    f->table = table;
    f->base = base;
    f->pages = pages;
    f->area_shift = AREA_SHIFT_MIN;
    while (pages > (uint64_t)FRAME_AREAS_MAX << f->area_shift) {
        f->area_shift++;
    }
    for (uint32_t o = 0; o <= FRAME_ORDER_MAX; o++) {
        list_init(&f->free[o]);
    }
    mem_poison(table, (size_t)pages * sizeof(struct frame));
}

/* True when no frame of the range was ever handed over. */
static bool range_is_new(const struct frames *f, mfn_t m, uint64_t pages)
{
    for (uint32_t i = 0; i < f->nr_extents; i++) {
        const struct frame_extent *x = &f->extent[i];

        if (m.n < x->start.n + x->pages && x->start.n < m.n + pages) {
            return false;
        }
    }
    return true;
}

static int add_locked(struct frames *f, mfn_t start, uint64_t pages)
{
    if (range_is_new(f, start, pages)) {
        if (f->nr_extents == FRAME_EXTENTS_MAX) {
            return -XEN_ENOSPC;
        }
        f->extent[f->nr_extents++] = (struct frame_extent){ start, pages };
        free_range(f, start, pages);
    } else if (range_is(f, start, pages, 1u << FRAME_RESERVED)) {
        free_blocks(f, start, pages, FRAME_RESERVED);
    } else {
        return -XEN_EINVAL;
    }
    f->total += pages;
    return 0;
}

int frames_add(struct hv *hv, mfn_t start, uint64_t pages)
{
    struct frames *f = &hv->frames;

    if (!range_is_described(f, start, pages)) {
        return -XEN_EINVAL;
    }
    spin_lock(&f->lock);
    int rc = add_locked(f, start, pages);
    spin_unlock(&f->lock);
    return rc;
}

/* Takes the free blocks that touch [start, end) and gives back what sticks out. */
static void cut_out(struct frames *f, mfn_t start, mfn_t end)
{
    for (mfn_t m = start; m.n < end.n;) {
        struct frame *r = find_block(f, m);
        mfn_t head = record_mfn(f, r);

        m = block_end(f, r);
        f->avail -= UINT64_C(1) << r->order;
        remove_block(f, r);
        if (head.n < start.n) {
            free_range(f, head, start.n - head.n);
        }
        if (m.n > end.n) {
            free_range(f, end, m.n - end.n);
        }
    }
}

/* Makes free and kept frames blocks that look like `like`. Errors: as frames_claim(). */
static int take_range(struct frames *f, mfn_t start, uint64_t pages, struct frame like)
{
    if (!range_is_described(f, start, pages)) {
        return -XEN_EINVAL;
    }
    if (!range_is(f, start, pages, 1u << FRAME_FREE | 1u << FRAME_KEPT)) {
        return -XEN_EBUSY;
    }
    /* point of no return */
    free_blocks(f, start, pages, FRAME_KEPT);
    cut_out(f, start, mfn_add(start, pages));
    make_blocks(f, start, pages, like);
    return 0;
}

int frames_claim(struct hv *hv, mfn_t start, uint64_t pages)
{
    struct frames *f = &hv->frames;
    struct frame like = { .state = FRAME_RESERVED, .flags = FRAME_FLAG_CLAIMED };

    spin_lock(&f->lock);
    int rc = take_range(f, start, pages, like);
    if (rc == 0) {
        f->total -= pages;
    }
    spin_unlock(&f->lock);
    return rc;
}

int frames_keep(struct hv *hv, mfn_t start, uint64_t pages)
{
    struct frames *f = &hv->frames;

    spin_lock(&f->lock);
    int rc = take_range(f, start, pages, (struct frame){ .state = FRAME_KEPT });
    spin_unlock(&f->lock);
    return rc;
}

void frames_release_kept(struct hv *hv)
{
    struct frames *f = &hv->frames;

    spin_lock(&f->lock);
    for (uint32_t i = 0; i < f->nr_extents; i++) {
        free_blocks(f, f->extent[i].start, f->extent[i].pages, FRAME_KEPT);
    }
    spin_unlock(&f->lock);
}

static bool alloc_fails(const struct frames *f)
{
#if CONFIG_DEBUG
    return f->alloc_fails != NULL && f->alloc_fails();
#else
    return false;
#endif
}

mfn_t frame_alloc_pages(struct hv *hv, uint64_t pages, uint32_t flags)
{
    uint64_t none = 0;

    return frame_alloc_promised(hv, pages, flags, &none);
}

/* Frames that are free and not promised to others than the holder of `promise`. */
static uint64_t avail_for(const struct frames *f, uint64_t promise)
{
    uint64_t others = f->promised - promise;

    return f->avail > others ? f->avail - others : 0;
}

mfn_t frame_alloc_promised(struct hv *hv, uint64_t pages, uint32_t flags, uint64_t *promise)
{
    struct frames *f = &hv->frames;
    size_t size = (size_t)(pages << PAGE_SHIFT);

    if (pages == 0 || pages > UINT64_C(1) << FRAME_ORDER_MAX || alloc_fails(f)) {
        return MFN_NONE;
    }
    uint32_t order = ilog2(round_up_pow2(pages));

    spin_lock(&f->lock);
    mfn_t m = pages <= avail_for(f, *promise) ? take_block(f, order) : MFN_NONE;
    if (!mfn_is_none(m)) {
        uint64_t used = MIN(pages, *promise);

        make_blocks(f, m, pages, (struct frame){ .state = FRAME_HV });
        free_range(f, mfn_add(m, pages), (UINT64_C(1) << order) - pages);
        *promise -= used;
        f->promised -= used;
        f->allocated += pages;
        f->cleared += flags & (FRAME_ALLOC_ZERO | FRAME_ALLOC_CLEAN) ? pages : 0;
    }
    spin_unlock(&f->lock);
    if (mfn_is_none(m)) {
        return m;
    }

    void *va = frame_map_local(hv, m);
    mem_unpoison(va, size);
    if (flags & (FRAME_ALLOC_ZERO | FRAME_ALLOC_CLEAN)) {
        arch_clear_pages(va, size, flags & FRAME_ALLOC_CLEAN);
    } else {
        mem_scribble(va, size);
    }
    frame_unmap(hv, va);
    return m;
}

int frames_promise(struct hv *hv, uint64_t *promise, uint64_t pages)
{
    struct frames *f = &hv->frames;
    int rc = -XEN_ENOMEM;

    spin_lock(&f->lock);
    if (pages <= avail_for(f, *promise) || pages <= *promise) {
        f->promised += pages - *promise;
        *promise = pages;
        rc = 0;
    }
    spin_unlock(&f->lock);
    return rc;
}

/* Grows the run [*start, *end) of an extent, beginning at `at`; false: it has none. */
static bool run_in(struct frames *f, const struct frame_extent *x, mfn_t at, mfn_t *start,
                   mfn_t *end)
{
    mfn_t stop = mfn_add(x->start, x->pages);

    *start = *end = mfn(MAX(at.n, x->start.n));
    while (end->n < stop.n) {
        const struct frame *r = find_block(f, *end);
        bool free = r != NULL && r->state == FRAME_FREE;

        if (!free && start->n != end->n) {
            break;
        }
        *end = r != NULL ? block_end(f, r) : mfn_add(*end, 1);
        *start = free ? *start : *end;
    }
    return start->n < end->n;
}

bool frames_next_run(struct hv *hv, mfn_t *m, uint64_t *pages)
{
    struct frames *f = &hv->frames;
    mfn_t from = *m, best = MFN_NONE, best_end = MFN_NONE;

    spin_lock(&f->lock);
    for (uint32_t i = 0; i < f->nr_extents; i++) {
        mfn_t start, end;

        if (f->extent[i].start.n + f->extent[i].pages > from.n &&
            (mfn_is_none(best) || f->extent[i].start.n < best.n) &&
            run_in(f, &f->extent[i], from, &start, &end)) {
            best = start;
            best_end = end;
        }
    }
    spin_unlock(&f->lock);
    *m = best;
    *pages = mfn_is_none(best) ? 0 : best_end.n - best.n;
    return !mfn_is_none(best);
}

int frame_alloc_at(struct hv *hv, mfn_t m, uint64_t pages)
{
    struct frames *f = &hv->frames;

    if (alloc_fails(f)) {
        return -XEN_ENOMEM;
    }
    spin_lock(&f->lock);
    int rc = range_is_described(f, m, pages) ? 0 : -XEN_EINVAL;
    if (rc == 0 && (pages > avail_for(f, 0) || !range_is(f, m, pages, 1u << FRAME_FREE))) {
        rc = -XEN_EBUSY;
    }
    if (rc == 0) {
        rc = take_range(f, m, pages, (struct frame){ .state = FRAME_HV });
    }
    spin_unlock(&f->lock);
    if (rc == 0) {
        void *va = frame_map_local(hv, m);

        mem_unpoison(va, (size_t)(pages << PAGE_SHIFT));
        mem_scribble(va, (size_t)(pages << PAGE_SHIFT));
        frame_unmap(hv, va);
    }
    return rc;
}

void frame_free_pages(struct hv *hv, mfn_t m, uint64_t pages)
{
    struct frames *f = &hv->frames;
    void *va = frame_map_local(hv, m);

    mem_poison(va, (size_t)(pages << PAGE_SHIFT));
    frame_unmap(hv, va);

    spin_lock(&f->lock);
    BUG_ON(!range_is(f, m, pages, 1u << FRAME_HV));
    isolate(f, m, pages);
    forget_blocks(f, m, pages);
    give_back(f, m, pages);
    spin_unlock(&f->lock);
}

static __noinline void make_ready(struct frames *f, mfn_t m)
{
    spin_lock(&f->lock);
    ready_record(f, m);
    spin_unlock(&f->lock);
}

__inline_at_link void frame_get(struct hv *hv, mfn_t m)
{
    struct frames *f = &hv->frames;

    if (unlikely(!area_is_ready(f, m))) {
        make_ready(f, m);
    }
    /* The sum first: it is never less than what it sums up. */
    atomic_fetch_add_relaxed(group_refs(f, m), 1);
    atomic_fetch_add_relaxed(&record(f, m)->refs, 1);
}

void frame_put(struct hv *hv, mfn_t m)
{
    struct frames *f = &hv->frames;
    struct frame *r = record(f, m);
    uint32_t refs = atomic_fetch_sub(&r->refs, 1);

    BUG_ON(refs == 0);
    atomic_fetch_sub(group_refs(f, m), 1);
    /* "Not held" before looking whether it was given back. Partner: free_or_leave(). */
    if (likely(refs != 1 || atomic_load_relaxed(&r->state) != FRAME_ORPHAN)) {
        return;
    }
    spin_lock(&f->lock);
    if (r->state == FRAME_ORPHAN && atomic_load_relaxed(&r->refs) == 0) {
        void *va = frame_map_local(hv, m);

        mem_poison(va, PAGE_SIZE);
        frame_unmap(hv, va);
        set_none(r);
        free_range(f, m, 1);
    }
    spin_unlock(&f->lock);
}

mfn_t frame_alloc(struct hv *hv, uint32_t order, uint32_t flags)
{
    return order <= FRAME_ORDER_MAX ? frame_alloc_pages(hv, UINT64_C(1) << order, flags) : MFN_NONE;
}

void frame_free(struct hv *hv, mfn_t m, uint32_t order)
{
    frame_free_pages(hv, m, UINT64_C(1) << order);
}

void frame_assign(struct hv *hv, mfn_t m, uint32_t order, struct domain *d)
{
    struct frames *f = &hv->frames;
    mfn_t end = mfn_add(m, UINT64_C(1) << order);

    spin_lock(&f->lock);
    BUG_ON(!range_is(f, m, end.n - m.n, 1u << FRAME_HV | 1u << FRAME_RESERVED));
    isolate(f, m, end.n - m.n);
    for (struct frame *r; m.n < end.n; m = block_end(f, r)) {
        r = record(f, m);
        r->owner = d;
        r->type_count = 0;
        r->type = 0;
        r->state = FRAME_GUEST;
    }
    spin_unlock(&f->lock);
}

void frame_unassign(struct hv *hv, mfn_t m, uint32_t order)
{
    struct frames *f = &hv->frames;
    mfn_t end = mfn_add(m, UINT64_C(1) << order);

    spin_lock(&f->lock);
    BUG_ON(!range_is(f, m, end.n - m.n, 1u << FRAME_GUEST));
    isolate(f, m, end.n - m.n);
    for (struct frame *r; m.n < end.n; m = block_end(f, r)) {
        r = record(f, m);
        bool claimed = (r->flags & FRAME_FLAG_CLAIMED) != 0;

        r->owner = NULL;
        r->state = claimed ? FRAME_RESERVED : FRAME_HV;
    }
    spin_unlock(&f->lock);
}

bool frames_are_of(struct hv *hv, mfn_t m, uint64_t pages, const struct domain *d)
{
    struct frames *f = &hv->frames;
    mfn_t at = m;

    if (!range_is_described(f, m, pages)) {
        return false;
    }
    spin_lock(&f->lock);
    while (at.n < m.n + pages) {
        const struct frame *r = find_block(f, at);

        if (r == NULL || r->state != FRAME_GUEST || r->owner != d) {
            break;
        }
        at = block_end(f, r);
    }
    spin_unlock(&f->lock);
    return at.n >= m.n + pages;
}

/* The first frame from m on that was ever handed over. */
static mfn_t next_in_extents(const struct frames *f, mfn_t m)
{
    mfn_t next = MFN_NONE;

    for (uint32_t i = 0; i < f->nr_extents; i++) {
        const struct frame_extent *x = &f->extent[i];

        if (m.n < x->start.n + x->pages) {
            next = mfn(MIN(next.n, MAX(m.n, x->start.n)));
        }
    }
    return next;
}

uint64_t frames_next_of(struct hv *hv, mfn_t *m, const struct domain *d)
{
    struct frames *f = &hv->frames;
    uint64_t pages = 0;

    spin_lock(&f->lock);
    for (uint32_t n = 0; n < BLOCKS_LOOKED_AT && pages == 0; n++) {
        *m = next_in_extents(f, *m);
        if (mfn_is_none(*m)) {
            break;
        }
        const struct frame *r = find_block(f, *m);
        mfn_t end = block_end(f, r);

        if (r->state == FRAME_GUEST && r->owner == d) {
            pages = end.n - m->n;
        } else {
            *m = end;
        }
    }
    spin_unlock(&f->lock);
    return pages;
}

struct frame *frame_lookup(struct hv *hv, mfn_t m) { return find_block(&hv->frames, m); }
mfn_t frame_mfn(const struct hv *hv, const struct frame *r) { return record_mfn(&hv->frames, r); }

void *frame_map_local(struct hv *hv, mfn_t m) { return arch_frame_map(m); }
void frame_unmap(struct hv *hv, void *va) { arch_frame_unmap(va); }
mfn_t frame_of(struct hv *hv, const void *va) { return arch_frame_of(va); }
