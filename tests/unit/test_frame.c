/* SPDX-License-Identifier: MIT */
/*
 * mm/frame.c: the allocator against a map of who owns what, and its edges.
 * The world keeps uninitialised frame records poisoned, so that a look at one
 * is found too.
 */
#include <stdio.h>
#include <stdlib.h>

#include <loam/bits.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <sanitizer/asan_interface.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

static mfn_t base_of(struct world *w) { return w->hv->frames.base; }

TEST(alloc_gives_aligned_blocks_and_takes_them_back)
{
    struct world w;

    world_init(&w, 1, 16);
    for (uint32_t order = 0; order <= 11; order++) {
        mfn_t m = frame_alloc(w.hv, order, 0);

        REQUIRE(!mfn_is_none(m));
        CHECK(IS_ALIGNED(m.n, UINT64_C(1) << order));
        CHECK_EQ(w.hv->frames.avail, w.avail_base - (UINT64_C(1) << order));
        CHECK_EQ(frame_lookup(w.hv, m)->state, FRAME_HV);
        frame_free(w.hv, m, order);
        CHECK_EQ(w.hv->frames.avail, w.avail_base);
    }
    CHECK(mfn_is_none(frame_alloc(w.hv, 12, 0)));
    CHECK(mfn_is_none(frame_alloc(w.hv, FRAME_ORDER_MAX + 1, 0)));
    CHECK(mfn_is_none(frame_alloc_pages(w.hv, 0, 0)));
    CHECK(mfn_is_none(frame_alloc_pages(w.hv, (UINT64_C(1) << FRAME_ORDER_MAX) + 1, 0)));
    world_fini(&w);
}

TEST(everything_can_be_allocated_and_merges_again)
{
    struct world w;

    world_init(&w, 1, 8);
    uint64_t nr = w.hv->frames.avail;
    mfn_t *all = calloc(nr, sizeof(*all));

    for (uint64_t i = 0; i < nr; i++) {
        all[i] = frame_alloc(w.hv, 0, 0);
        CHECK(!mfn_is_none(all[i]));
    }
    CHECK(mfn_is_none(frame_alloc(w.hv, 0, 0)));
    CHECK_EQ(w.hv->frames.avail, 0u);
    /* Every second one, then the others: nothing merges until the end. */
    for (uint64_t i = 0; i < nr; i += 2) {
        frame_free(w.hv, all[i], 0);
    }
    for (uint64_t i = 1; i < nr; i += 2) {
        frame_free(w.hv, all[i], 0);
    }
    free(all);
    mfn_t big = frame_alloc(w.hv, 10, 0);
    CHECK(!mfn_is_none(big));
    frame_free(w.hv, big, 10);
    world_fini(&w);
}

TEST(zeroed_frames_are_zero_and_others_are_not_trusted)
{
    struct world w;
    static const uint8_t zero[PAGE_SIZE];

    world_init(&w, 1, 8);
    mfn_t m = frame_alloc(w.hv, 0, 0);
    uint8_t *va = frame_map_local(w.hv, m);
    CHECK(va[0] != 0);
    CHECK(mfn_eq(frame_of(w.hv, va + 17), m));
    memset(va, 0x77, PAGE_SIZE);
    frame_unmap(w.hv, va);
    frame_free(w.hv, m, 0);
    for (int i = 0; i < 600; i++) {
        m = frame_alloc(w.hv, 0, FRAME_ALLOC_ZERO);
        va = frame_map_local(w.hv, m);
        CHECK(memcmp(va, zero, PAGE_SIZE) == 0);
        frame_free(w.hv, m, 0);
    }
    world_fini(&w);
}

TEST(small_blocks_leave_large_ones_whole)
{
    struct world w;
    mfn_t small[300], large[7];

    world_init(&w, 1, 16);
    /* 300 tables among large blocks: they take 2 MiB and not one frame of 300 blocks. */
    for (int i = 0; i < 7; i++) {
        for (int k = 0; k < 42; k++) {
            small[i * 42 + k] = frame_alloc(w.hv, 0, 0);
            CHECK(!mfn_is_none(small[i * 42 + k]));
        }
        if (i < 6) {
            large[i] = frame_alloc(w.hv, 9, 0);
            CHECK(!mfn_is_none(large[i]));
        }
    }
    for (int i = 0; i < 7 * 42; i++) {
        frame_free(w.hv, small[i], 0);
    }
    for (int i = 0; i < 6; i++) {
        frame_free(w.hv, large[i], 9);
    }
    world_fini(&w);
}

TEST(any_number_of_pages_wastes_none)
{
    struct world w;

    world_init(&w, 1, 8);
    for (uint64_t n = 1; n < 70; n++) {
        mfn_t m = frame_alloc_pages(w.hv, n, FRAME_ALLOC_ZERO);

        CHECK_EQ(w.hv->frames.avail, w.avail_base - n);
        for (uint64_t i = 0; i < n; i++) {
            CHECK_EQ(frame_lookup(w.hv, mfn_add(m, i))->state, FRAME_HV);
        }
        frame_free_pages(w.hv, m, n);
        CHECK_EQ(w.hv->frames.avail, w.avail_base);
    }
    world_fini(&w);
}

TEST(parts_of_a_block_can_be_given_back)
{
    struct world w;

    world_init(&w, 1, 8);
    mfn_t m = frame_alloc(w.hv, 5, 0);
    frame_free_pages(w.hv, mfn_add(m, 3), 7);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 25);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(m, 2))->state, FRAME_HV);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(m, 3))->state, FRAME_FREE);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(m, 10))->state, FRAME_HV);
    frame_free_pages(w.hv, m, 3);
    frame_free_pages(w.hv, mfn_add(m, 10), 22);
    world_fini(&w);
}

TEST(claims_take_free_ranges_only)
{
    struct world w;

    world_init(&w, 1, 32);
    uint64_t total = w.hv->frames.total;
    mfn_t at = mfn_add(base_of(&w), 777);

    CHECK_EQ(frames_claim(w.hv, at, 1000), 0);
    CHECK_EQ(w.hv->frames.total, total - 1000);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 1000);
    CHECK_EQ(frame_lookup(w.hv, at)->state, FRAME_RESERVED);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 999))->state, FRAME_RESERVED);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 1000))->state, FRAME_FREE);
    CHECK_EQ(frame_lookup(w.hv, mfn(at.n - 1))->state, FRAME_FREE);

    CHECK_EQ(frames_claim(w.hv, mfn_add(at, 999), 2), -XEN_EBUSY);
    CHECK_EQ(frames_claim(w.hv, mfn(at.n - 5), 6), -XEN_EBUSY);
    CHECK_EQ(frames_claim(w.hv, at, 0), -XEN_EINVAL);
    CHECK_EQ(frames_claim(w.hv, mfn(1), 1), -XEN_EINVAL);
    CHECK_EQ(frames_claim(w.hv, mfn(UINT64_MAX), 1), -XEN_EINVAL);
    CHECK_EQ(frames_claim(w.hv, at, UINT64_MAX), -XEN_EINVAL);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 1000);

    /* Part of it comes back, then the rest in two pieces. */
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 100), 50), 0);
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 100), 1), -XEN_EINVAL);
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 99), 2), -XEN_EINVAL);
    CHECK_EQ(frames_add(w.hv, at, 100), 0);
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 150), 850), 0);
    CHECK_EQ(w.hv->frames.total, total);
    world_fini(&w);
}

TEST(certain_frames_and_runs_of_free_ones)
{
    struct world w;

    world_init(&w, 1, 8);
    mfn_t at = mfn_add(base_of(&w), 777), m = mfn(0);
    uint64_t pages;
    uint64_t promise = 0;

    REQUIRE(frames_next_run(w.hv, &m, &pages));
    CHECK_EQ(m.n, base_of(&w).n);
    CHECK(pages > 2000 && pages <= 2048);
    uint64_t all = pages;
    CHECK_EQ(frame_alloc_at(w.hv, at, 333), 0);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 333);
    CHECK_EQ(frame_lookup(w.hv, at)->state, FRAME_HV);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 332))->state, FRAME_HV);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 333))->state, FRAME_FREE);
    CHECK_EQ(frame_alloc_at(w.hv, mfn_add(at, 332), 2), -XEN_EBUSY);
    CHECK_EQ(frame_alloc_at(w.hv, mfn(at.n - 1), 2), -XEN_EBUSY);
    CHECK_EQ(frame_alloc_at(w.hv, mfn_add(base_of(&w), 2047), 2), -XEN_EINVAL);
    CHECK_EQ(frame_alloc_at(w.hv, at, 0), -XEN_EINVAL);

    /* Two runs, from inside of the first one as well. */
    m = mfn(0);
    REQUIRE(frames_next_run(w.hv, &m, &pages));
    CHECK(m.n == base_of(&w).n && pages == 777);
    m = mfn_add(base_of(&w), 700);
    REQUIRE(frames_next_run(w.hv, &m, &pages));
    CHECK(m.n == base_of(&w).n + 700 && pages == 77);
    m = mfn_add(m, pages);
    REQUIRE(frames_next_run(w.hv, &m, &pages));
    CHECK(m.n == at.n + 333 && pages == all - 777 - 333);
    m = mfn_add(m, pages);
    uint64_t sum = 777 + pages; /* and what the world's own frames leave */
    for (; frames_next_run(w.hv, &m, &pages); m = mfn_add(m, pages)) {
        sum += pages;
    }
    CHECK_EQ(sum, w.hv->frames.avail);

    /* What is promised is nobody's to take. */
    CHECK_EQ(frames_promise(w.hv, &promise, w.hv->frames.avail - 10), 0);
    CHECK_EQ(frame_alloc_at(w.hv, base_of(&w), 11), -XEN_EBUSY);
    CHECK_EQ(frames_promise(w.hv, &promise, 0), 0);
    frame_free_pages(w.hv, at, 333);
    CHECK_EQ(w.hv->frames.avail, w.avail_base);
    world_fini(&w);
}

TEST(kept_frames_are_for_claims_only)
{
    struct world w;

    world_init(&w, 1, 8);
    uint64_t total = w.hv->frames.total;
    mfn_t at = mfn_add(base_of(&w), 777);

    CHECK_EQ(frames_keep(w.hv, at, 300), 0);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 300);
    CHECK_EQ(w.hv->frames.total, total);
    CHECK_EQ(frame_lookup(w.hv, at)->state, FRAME_KEPT);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 299))->state, FRAME_KEPT);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 300))->state, FRAME_FREE);
    CHECK_EQ(frame_lookup(w.hv, mfn(at.n - 1))->state, FRAME_FREE);
    /* Again, and more. */
    CHECK_EQ(frames_keep(w.hv, mfn_add(at, 100), 300), 0);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 400);

    /* All else can be allocated, these cannot. */
    mfn_t *all = calloc(w.hv->frames.avail, sizeof(*all));
    uint64_t nr = 0;
    for (mfn_t m; !mfn_is_none(m = frame_alloc(w.hv, 0, 0)); all[nr++] = m) {
        CHECK(m.n < at.n || m.n >= at.n + 400);
    }
    CHECK_EQ(nr, w.avail_base - 400);
    CHECK_EQ(w.hv->frames.avail, 0u);
    /* Nor is what somebody uses kept, not even in part. */
    CHECK_EQ(frames_keep(w.hv, mfn_add(at, 399), 2), -XEN_EBUSY);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 400))->state, FRAME_HV);
    while (nr != 0) {
        frame_free(w.hv, all[--nr], 0);
    }
    free(all);

    /* Claims take kept frames, free ones and both; what comes back is free. */
    CHECK_EQ(frames_claim(w.hv, mfn_add(at, 10), 20), 0);
    CHECK_EQ(frames_claim(w.hv, mfn_add(at, 390), 30), 0);
    CHECK_EQ(frames_claim(w.hv, mfn(at.n - 5), 5), 0);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 400 - 20 - 5);
    CHECK_EQ(w.hv->frames.total, total - 20 - 30 - 5);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 9))->state, FRAME_KEPT);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 29))->state, FRAME_RESERVED);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 30))->state, FRAME_KEPT);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 419))->state, FRAME_RESERVED);
    CHECK_EQ(frames_keep(w.hv, mfn_add(at, 29), 2), -XEN_EBUSY);
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 9), 2), -XEN_EINVAL);
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 10), 20), 0);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 10))->state, FRAME_FREE);
    CHECK_EQ(frames_keep(w.hv, at, 0), -XEN_EINVAL);
    CHECK_EQ(frames_keep(w.hv, at, UINT64_MAX), -XEN_EINVAL);

    frames_release_kept(w.hv);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 9))->state, FRAME_FREE);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(at, 390))->state, FRAME_RESERVED);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 35);
    CHECK_EQ(frames_add(w.hv, mfn_add(at, 390), 30), 0);
    CHECK_EQ(frames_add(w.hv, mfn(at.n - 5), 5), 0);
    frames_release_kept(w.hv); /* there are none */
    world_fini(&w);
}

TEST(kept_frames_of_merged_ranges_are_released)
{
    struct world w;
    static struct frame table[4096];
    struct hv hv = { .nr_pcpus = 1 };

    world_init(&w, 1, 8);
    frames_init(&hv, table, mfn(0x40000), 4096);
    frames_release_kept(&hv);
    /* Two ranges become one block; one range is apart. */
    CHECK_EQ(frames_add(&hv, mfn(0x40000), 512), 0);
    CHECK_EQ(frames_add(&hv, mfn(0x40200), 512), 0);
    CHECK_EQ(frames_add(&hv, mfn(0x40801), 512), 0);
    CHECK_EQ(frames_keep(&hv, mfn(0x40000), 1024), 0);
    CHECK_EQ(frames_keep(&hv, mfn(0x40801), 512), 0);
    CHECK_EQ(frames_keep(&hv, mfn(0x40000), 1025), -XEN_EBUSY);
    CHECK_EQ(hv.frames.avail, 0u);
    CHECK(mfn_is_none(frame_alloc(&hv, 0, 0)));
    frames_release_kept(&hv);
    CHECK_EQ(hv.frames.avail, 1536u);
    CHECK_EQ(frame_lookup(&hv, mfn(0x40300))->order, 10);
    CHECK_EQ(frame_lookup(&hv, mfn(0x40300))->state, FRAME_FREE);
    __asan_unpoison_memory_region(table, sizeof(table));
    world_fini(&w);
}

TEST(ranges_are_handed_over_once)
{
    struct world w;
    static struct frame table[4096];
    struct hv hv = { .nr_pcpus = 1 };

    world_init(&w, 1, 16);
    frames_init(&hv, table, mfn(0x40001), 4000);
    CHECK(frame_lookup(&hv, mfn(0x40001)) == NULL);
    CHECK(frame_lookup(&hv, mfn(0x40000)) == NULL);
    CHECK_EQ(frames_add(&hv, mfn(0x40000), 10), -XEN_EINVAL);
    CHECK_EQ(frames_add(&hv, mfn(0x40001), 4001), -XEN_EINVAL);
    CHECK_EQ(frames_add(&hv, mfn(0x40003), 100), 0);
    CHECK_EQ(frames_add(&hv, mfn(0x40003), 100), -XEN_EINVAL);
    CHECK_EQ(frames_add(&hv, mfn(0x40066), 2), -XEN_EINVAL);
    CHECK_EQ(frames_add(&hv, mfn(0x40001), 3), -XEN_EINVAL);
    CHECK_EQ(frames_add(&hv, mfn(0x40067), 0), -XEN_EINVAL);
    CHECK_EQ(frames_add(&hv, mfn(0x40067), 2), 0);
    CHECK_EQ(hv.frames.total, 102u);
    CHECK_EQ(hv.frames.avail, 102u);
    /* Neighbours that were handed over one by one are one range. */
    CHECK_EQ(frames_claim(&hv, mfn(0x40060), 9), 0);
    CHECK_EQ(frames_claim(&hv, mfn(0x40002), 2), -XEN_EBUSY);
    for (uint32_t i = 2; i < FRAME_EXTENTS_MAX; i++) {
        CHECK_EQ(frames_add(&hv, mfn(0x40100 + i * 2), 1), 0);
    }
    CHECK_EQ(frames_add(&hv, mfn(0x40400), 1), -XEN_ENOSPC);
    CHECK_EQ(hv.frames.avail, 93u + FRAME_EXTENTS_MAX - 2);
    __asan_unpoison_memory_region(table, sizeof(table));
    world_fini(&w);
}

TEST(a_wide_table_has_wide_areas)
{
    struct world w;
    struct hv *hv = calloc(1, sizeof(*hv));
    /* 128 GiB of records, of which the first and last pieces are touched. */
    uint64_t pages = UINT64_C(1) << 25;
    struct frame *table = malloc(pages * sizeof(*table));

    world_init(&w, 1, 8);
    REQUIRE(table != NULL && hv != NULL);
    frames_init(hv, table, mfn(0x40000), pages);
    CHECK_EQ(hv->frames.area_shift, 10u);
    CHECK_EQ(frames_add(hv, mfn(0x40000), pages), 0);
    CHECK_EQ(hv->frames.avail, pages);
    /* One record area of 1024 for each block of 1 GiB. */
    CHECK_EQ(frames_claim(hv, mfn(0x40000 + pages - 1), 1), 0);
    CHECK_EQ(frame_lookup(hv, mfn(0x40000 + pages - 1))->state, FRAME_RESERVED);
    CHECK_EQ(frame_lookup(hv, mfn(0x40000 + pages - 2))->state, FRAME_FREE);
    CHECK_EQ(frames_add(hv, mfn(0x40000 + pages - 1), 1), 0);
    CHECK_EQ(hv->frames.avail, pages);
    __asan_unpoison_memory_region(table, pages * sizeof(*table));
    free(table);
    free(hv);
    world_fini(&w);
}

TEST(guests_own_parts_of_blocks)
{
    struct world w;
    struct domain *d = calloc(1, sizeof(*d));

    world_init(&w, 1, 16);
    mfn_t m = frame_alloc(w.hv, 10, 0);
    frame_assign(w.hv, mfn_add(m, 512), 9, d);
    CHECK_EQ(frame_lookup(w.hv, m)->state, FRAME_HV);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(m, 1000))->state, FRAME_GUEST);
    CHECK(frame_lookup(w.hv, mfn_add(m, 1000))->owner == d);
    frame_unassign(w.hv, mfn_add(m, 512), 3);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(m, 519))->state, FRAME_HV);
    CHECK_EQ(frame_lookup(w.hv, mfn_add(m, 520))->state, FRAME_GUEST);
    frame_assign(w.hv, mfn_add(m, 512), 3, d);
    frame_unassign(w.hv, mfn_add(m, 512), 9);
    frame_free(w.hv, m, 10);

    /* Claimed memory becomes reserved again, not the allocator's. */
    m = mfn_add(base_of(&w), 64);
    CHECK_EQ(frames_claim(w.hv, m, 64), 0);
    frame_assign(w.hv, m, 4, d);
    CHECK_EQ(frames_add(w.hv, m, 64), -XEN_EINVAL);
    frame_unassign(w.hv, m, 4);
    CHECK_EQ(frame_lookup(w.hv, m)->state, FRAME_RESERVED);
    CHECK_EQ(frames_add(w.hv, m, 64), 0);
    free(d);
    world_fini(&w);
}

/* Things that only a broken hypervisor does end in panic(). */
static struct {
    struct world *w;
    mfn_t m;
} misuse;

static void free_it(void *arg) { frame_free(misuse.w->hv, misuse.m, 0); }
static void assign_it(void *arg) { frame_assign(misuse.w->hv, misuse.m, 0, NULL); }
static void unassign_it(void *arg) { frame_unassign(misuse.w->hv, misuse.m, 0); }

TEST(misuse_panics)
{
    void (*const what[])(void *arg) = { free_it, assign_it, unassign_it };

    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        struct world *w = world_create(1, 8);

        misuse.w = w;
        misuse.m = frame_alloc(w->hv, 0, 0);
        frame_free(w->hv, misuse.m, 0);
        CHECK_EQ(fake_try(what[i], NULL), FAKE_STOP_HALT);
        CHECK(world_console_has(w, "PANIC"));
        /* Frames are as before; the lock was left held. */
        w->boot->lock_depth = 0;
        world_destroy(w);
    }
}

TEST_ALLOC(failure_is_reported)
{
    struct world w;

    world_init(&w, 1, 8);
    mfn_t a = frame_alloc(w.hv, 3, FRAME_ALLOC_ZERO);
    mfn_t b = frame_alloc_pages(w.hv, 5, 0);

    CHECK(!mfn_is_none(a) || unit_injected());
    CHECK(!mfn_is_none(b) || unit_injected());
    if (!mfn_is_none(a)) {
        frame_free(w.hv, a, 3);
    }
    if (!mfn_is_none(b)) {
        frame_free_pages(w.hv, b, 5);
    }
    world_fini(&w);
}

/* --- Model: an array says for each frame whose it is ---------------------- */

#define MODEL_PAGES 4096
#define MODEL_HOLDS 300

enum { OWNER_FREE = 0, OWNER_WORLD = 1, OWNER_KEPT = 2, OWNER_HOLD = 3 };

struct model {
    struct world w;
    uint32_t owner[MODEL_PAGES]; /* OWNER_HOLD + index of the hold */
    struct {
        uint64_t first, pages; /* 0 pages: unused */
        bool claimed;
    } hold[MODEL_HOLDS];
    uint64_t seed;
};

static uint64_t next_random(struct model *m)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed;
}

static uint64_t count_free(const struct model *m)
{
    uint64_t n = 0;

    for (int i = 0; i < MODEL_PAGES; i++) {
        n += m->owner[i] == OWNER_FREE;
    }
    return n;
}

/* Whether an aligned free run of 2^order exists: then the allocator must find it. */
static bool has_block(const struct model *m, uint64_t base, uint32_t order)
{
    uint64_t size = UINT64_C(1) << order;

    for (uint64_t i = (size - base % size) % size; i + size <= MODEL_PAGES; i += size) {
        uint64_t k = 0;

        while (k < size && m->owner[i + k] == OWNER_FREE) {
            k++;
        }
        if (k == size) {
            return true;
        }
    }
    return false;
}

static void model_take(struct model *m, uint32_t h, uint64_t first, uint64_t pages, bool claimed)
{
    m->hold[h].first = first;
    m->hold[h].pages = pages;
    m->hold[h].claimed = claimed;
    for (uint64_t i = first; i < first + pages; i++) {
        CHECK(m->owner[i] == OWNER_FREE || (claimed && m->owner[i] == OWNER_KEPT));
        m->owner[i] = OWNER_HOLD + h;
    }
}

static void model_alloc(struct model *m, uint32_t h)
{
    uint64_t base = m->w.hv->frames.base.n;
    uint64_t r = next_random(m);
    uint64_t pages = r & 1 ? UINT64_C(1) << (r >> 8) % 10 : (r >> 8) % 40 + 1;
    uint32_t order = ilog2(round_up_pow2(pages));
    bool possible = has_block(m, base, order);
    mfn_t got = frame_alloc_pages(m->w.hv, pages, 0);

    CHECK_EQ(!mfn_is_none(got), possible);
    if (!mfn_is_none(got)) {
        CHECK(IS_ALIGNED(got.n, UINT64_C(1) << order));
        model_take(m, h, got.n - base, pages, false);
    }
}

/* Claims a range for hold h, or keeps it. */
static void model_claim(struct model *m, uint32_t h, bool keep)
{
    uint64_t first = next_random(m) % MODEL_PAGES;
    uint64_t wish = next_random(m) % 200 + 1;
    uint64_t pages = MIN(wish, MODEL_PAGES - first);
    bool possible = true;

    for (uint64_t i = first; i < first + pages; i++) {
        possible = possible && (m->owner[i] == OWNER_FREE || m->owner[i] == OWNER_KEPT);
    }
    mfn_t at = mfn_add(m->w.hv->frames.base, first);
    int rc = keep ? frames_keep(m->w.hv, at, pages) : frames_claim(m->w.hv, at, pages);

    CHECK_EQ(rc, possible ? 0 : -XEN_EBUSY);
    if (rc == 0 && keep) {
        for (uint64_t i = first; i < first + pages; i++) {
            m->owner[i] = OWNER_KEPT;
        }
    } else if (rc == 0) {
        model_take(m, h, first, pages, true);
    }
}

static void model_free(struct model *m, uint32_t h)
{
    /* All of it, or one end. */
    uint64_t pages = next_random(m) & 1 ? m->hold[h].pages : next_random(m) % m->hold[h].pages + 1;
    mfn_t at = mfn_add(m->w.hv->frames.base, m->hold[h].first);

    if (m->hold[h].claimed) {
        CHECK_EQ(frames_add(m->w.hv, at, pages), 0);
    } else {
        frame_free_pages(m->w.hv, at, pages);
    }
    for (uint64_t i = 0; i < pages; i++) {
        m->owner[m->hold[h].first + i] = OWNER_FREE;
    }
    m->hold[h].first += pages;
    m->hold[h].pages -= pages;
}

static void model_release_kept(struct model *m)
{
    frames_release_kept(m->w.hv);
    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        m->owner[i] = m->owner[i] == OWNER_KEPT ? OWNER_FREE : m->owner[i];
    }
}

static enum frame_state model_state(const struct model *m, uint32_t owner)
{
    switch (owner) {
    case OWNER_FREE:
        return FRAME_FREE;
    case OWNER_WORLD:
        return FRAME_HV;
    case OWNER_KEPT:
        return FRAME_KEPT;
    default:
        return m->hold[owner - OWNER_HOLD].claimed ? FRAME_RESERVED : FRAME_HV;
    }
}

static void model_check(struct model *m)
{
    CHECK_EQ(m->w.hv->frames.avail, count_free(m));
    for (uint64_t i = 0; i < MODEL_PAGES; i += 1 + next_random(m) % 64) {
        struct frame *r = frame_lookup(m->w.hv, mfn_add(m->w.hv->frames.base, i));

        REQUIRE(r != NULL);
        CHECK_EQ(r->state, model_state(m, m->owner[i]));
    }
}

static void model_run(uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));

    world_init(&m->w, 1, MODEL_PAGES * PAGE_SIZE / MIB);
    m->seed = seed;
    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        struct frame *r = frame_lookup(m->w.hv, mfn_add(m->w.hv->frames.base, i));

        m->owner[i] = r != NULL && r->state == FRAME_FREE ? OWNER_FREE : OWNER_WORLD;
    }
    for (int step = 0; step < 4000; step++) {
        uint32_t h = (uint32_t)(next_random(m) % MODEL_HOLDS);

        if (m->hold[h].pages != 0) {
            model_free(m, h);
        } else if (next_random(m) % 8 == 0) {
            model_claim(m, h, next_random(m) & 1);
        } else if (next_random(m) % 64 == 0) {
            model_release_kept(m);
        } else {
            model_alloc(m, h);
        }
        if (step % 50 == 0) {
            model_check(m);
        }
    }
    for (uint32_t h = 0; h < MODEL_HOLDS; h++) {
        while (m->hold[h].pages != 0) {
            model_free(m, h);
        }
    }
    model_release_kept(m);
    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        m->owner[i] = m->owner[i] == OWNER_WORLD ? OWNER_FREE : m->owner[i];
    }
    CHECK_EQ(count_free(m), (uint64_t)MODEL_PAGES);
    world_fini(&m->w);
    free(m);
}

TEST(model)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 88172645463325252u;

    printf("# SEED=%llu\n", (unsigned long long)seed);
    for (int i = 0; i < 5; i++) {
        model_run(seed + (uint64_t)i);
    }
}

/* --- References -------------------------------------------------------------------- */

TEST(a_frame_that_is_held_is_not_handed_out)
{
    struct world w;

    world_init(&w, 1, 16);
    mfn_t block = frame_alloc(w.hv, 9, 0), held = mfn_add(block, 77);

    frame_get(w.hv, held);
    frame_get(w.hv, held);
    frame_free(w.hv, block, 9);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 1);
    CHECK_EQ(frame_lookup(w.hv, held)->state, FRAME_ORPHAN);
    memset(frame_map_local(w.hv, held), 0x5a, PAGE_SIZE);
    frame_put(w.hv, held);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 1);
    frame_put(w.hv, held);
    CHECK_EQ(w.hv->frames.avail, w.avail_base);
    /* All of it has merged again. */
    CHECK(mfn_eq(frame_alloc(w.hv, 9, 0), block));
    frame_free(w.hv, block, 9);
    world_fini(&w);
}

TEST(references_stay_with_their_frame_when_its_block_is_cut)
{
    static struct domain d;
    struct world w;

    world_init(&w, 1, 16);
    mfn_t block = frame_alloc(w.hv, 9, 0);

    for (uint64_t i = 0; i < 512; i += 73) {
        frame_get(w.hv, mfn_add(block, i));
    }
    frame_assign(w.hv, block, 9, &d);
    /* One by one, from both ends. */
    for (uint64_t i = 0; i < 512; i++) {
        mfn_t m = mfn_add(block, i % 2 != 0 ? 511 - i / 2 : i / 2);

        frame_unassign(w.hv, m, 0);
        frame_free(w.hv, m, 0);
    }
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 8);
    for (uint64_t i = 0; i < 512; i += 73) {
        CHECK_EQ(frame_lookup(w.hv, mfn_add(block, i))->state, FRAME_ORPHAN);
        frame_put(w.hv, mfn_add(block, i));
    }
    CHECK_EQ(w.hv->frames.avail, w.avail_base);
    world_fini(&w);
}

TEST(a_reference_that_ends_first_changes_nothing)
{
    struct world w;

    world_init(&w, 1, 16);
    mfn_t m = frame_alloc(w.hv, 0, 0);

    frame_get(w.hv, m);
    frame_put(w.hv, m);
    CHECK_EQ(frame_lookup(w.hv, m)->state, FRAME_HV);
    frame_free(w.hv, m, 0);
    CHECK_EQ(w.hv->frames.avail, w.avail_base);
    world_fini(&w);
}
