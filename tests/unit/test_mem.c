/* SPDX-License-Identifier: MIT */
/* mm/mem.c: sizes, accounting, slabs that fill and empty, misuse, failure. */
#include <stdlib.h>

#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

TEST(every_size_is_zeroed_aligned_and_counted)
{
    struct world w;

    world_init(&w, 1, 16);
    uint64_t frames = mem_frames(w.hv);

    for (size_t size = 1; size < 9000; size += size < 300 ? 1 : 37) {
        uint64_t used = mem_used(w.hv);
        uint8_t *p = mem_alloc(w.hv, size);

        REQUIRE(p != NULL);
        CHECK(is_zero(p, size));
        CHECK((uintptr_t)p % (size < PAGE_SIZE ? 16 : PAGE_SIZE) == 0);
        CHECK(mem_used(w.hv) - used >= size);
        CHECK(mem_used(w.hv) - used <= MAX(size * 2, (size_t)16) || size > 2048);
        CHECK(size <= 2048 || mem_used(w.hv) - used == ALIGN_UP(size, PAGE_SIZE));
        CHECK_EQ(mem_frames(w.hv), frames + (w.avail_base - w.hv->frames.avail));
        memset(p, 0xee, size);
        mem_free(w.hv, p, size);
        CHECK_EQ(mem_used(w.hv), used);
        CHECK_EQ(mem_frames(w.hv), frames);
    }
    CHECK_EQ(w.hv->frames.avail, w.avail_base);
    world_fini(&w);
}

TEST(impossible_sizes_are_refused)
{
    struct world w;

    world_init(&w, 1, 8);
    CHECK(mem_alloc(w.hv, 0) == NULL);
    CHECK(mem_alloc(w.hv, MEM_SIZE_MAX + 1) == NULL);
    CHECK(mem_alloc(w.hv, SIZE_MAX) == NULL);
    mem_free(w.hv, NULL, 17);
    void *p = mem_alloc(w.hv, MEM_SIZE_MAX);
    CHECK(p != NULL);
    mem_free(w.hv, p, MEM_SIZE_MAX);
    world_fini(&w);
}

TEST(objects_do_not_overlap_and_slabs_go_back)
{
    enum { NR = 5000 };
    struct world w;
    uint32_t **p = calloc(NR, sizeof(*p));
    size_t *size = calloc(NR, sizeof(*size));
    uint32_t seed = 1;

    world_init(&w, 1, 16);
    for (int round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < NR; i++) {
            seed = seed * 1664525 + 1013904223;
            if (p[i] == NULL) {
                size[i] = 4 + (seed >> 8) % 600;
                p[i] = mem_alloc(w.hv, size[i]);
                REQUIRE(p[i] != NULL);
                CHECK(is_zero((uint8_t *)p[i], size[i]));
                memset(p[i], 0xcc, size[i]);
                *p[i] = i;
            } else if (seed >> 30 != 0) {
                CHECK_EQ(*p[i], i);
                mem_free(w.hv, p[i], size[i]);
                p[i] = NULL;
            }
        }
    }
    for (uint32_t i = 0; i < NR; i++) {
        CHECK(p[i] == NULL || *p[i] == i);
        mem_free(w.hv, p[i], size[i]);
    }
    free(p);
    free(size);
    world_fini(&w);
}

TEST(a_frame_holds_as_many_objects_as_fit)
{
    struct world w;
    void *p[256];

    world_init(&w, 1, 8);
    for (int i = 0; i < 256; i++) {
        p[i] = mem_alloc(w.hv, 16);
    }
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 1);
    void *more = mem_alloc(w.hv, 16);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 2);
    /* The full slab takes objects again once one of its own came back. */
    mem_free(w.hv, p[100], 16);
    mem_free(w.hv, more, 16);
    CHECK_EQ(w.hv->frames.avail, w.avail_base - 1);
    CHECK(mem_alloc(w.hv, 16) == p[100]);
    for (int i = 0; i < 256; i++) {
        mem_free(w.hv, p[i], 16);
    }
    world_fini(&w);
}

TEST(memory_runs_out_and_comes_back)
{
    struct world w;
    void *first = NULL, **last = &first;

    world_init(&w, 1, 8);
    world_inject(&w, false);
    for (void **p; (p = mem_alloc(w.hv, 2048)) != NULL; last = p) {
        *last = p;
    }
    CHECK(mem_alloc(w.hv, 4096) == NULL);
    CHECK_EQ(w.hv->frames.avail, 0u);
    *last = NULL;
    while (first != NULL) {
        void *p = first;

        first = *(void **)p;
        mem_free(w.hv, p, 2048);
    }
    world_fini(&w);
}

static struct {
    struct world *w;
    void *p;
} misuse;

static void free_as_another_class(void *arg) { mem_free(misuse.w->hv, misuse.p, 64); }
static void free_the_middle(void *arg) { mem_free(misuse.w->hv, (char *)misuse.p + 16, 48); }
static void free_nothing(void *arg) { mem_free(misuse.w->hv, misuse.p, 0); }
static void end_with_objects(void *arg) { mem_fini(misuse.w->hv); }

TEST(misuse_panics)
{
    void (*const what[])(void *arg) = { free_as_another_class, free_the_middle, free_nothing,
                                        end_with_objects };

    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        misuse.w = world_create(1, 8);
        misuse.p = mem_alloc(misuse.w->hv, 48);
        CHECK_EQ(fake_try(what[i], NULL), FAKE_STOP_HALT);
        CHECK(world_console_has(misuse.w, "mm/mem.c"));
        /* The lock was left held by who panicked. */
        misuse.w->hv->mem->lock = SPINLOCK_INIT(LOCK_RANK_MEM);
        misuse.w->boot->lock_depth = 0;
        mem_free(misuse.w->hv, misuse.p, 48);
        world_destroy(misuse.w);
    }
}

TEST_ALLOC(the_heap_itself_and_objects_fail_cleanly)
{
    struct world w;
    struct hv *hv;

    world_init(&w, 1, 8);
    hv = w.hv;
    struct mem_heap *world_heap = hv->mem;

    if (mem_init(hv) == 0) {
        hv->mem->alloc_fails = unit_alloc_should_fail;
        void *small = mem_alloc(hv, 100);
        void *large = mem_alloc(hv, 10000);

        CHECK(small != NULL || unit_injected());
        CHECK(large != NULL || unit_injected());
        mem_free(hv, small, 100);
        mem_free(hv, large, 10000);
        mem_fini(hv);
        CHECK(hv->mem == NULL);
    } else {
        CHECK(unit_injected());
    }
    hv->mem = world_heap;
    world_fini(&w);
}
