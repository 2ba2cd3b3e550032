/* SPDX-License-Identifier: MIT */
/* core/host_map.c: how much of a device tree is mapped, and stacks that fail half way. */
#include <stdlib.h>

#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/host_map.h>
#include <loam/start.h>

#include "unit.h"
#include "world.h"

#define PA UINT64_C(0x48000000)
#define FDT_MAGIC 0xd00dfeed

/* A tree of `size` bytes, of which there is the header alone, at `offset` of its first page. */
struct tree {
    struct world w;
    uint8_t *va; /* two pages: what may be read before the size is known */
    struct boot_info info;
};

static void tree_map(struct tree *t, uint64_t offset, uint32_t size)
{
    world_init(&t->w, 1, 8);
    t->va = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
    memset(t->va, 0, 2 * PAGE_SIZE);
    put_be32(t->va + offset, FDT_MAGIC);
    put_be32(t->va + offset + 4, size);
    t->info = (struct boot_info){ .fdt_size_max = 1 };
    host_map_fdt(t->w.hv, (uintptr_t)t->va, PA + offset, &t->info);
}

static void tree_end(struct tree *t)
{
    free(t->va);
    world_fini(&t->w);
}

static bool is_mapped(const struct tree *t, uint32_t i, uint64_t page, uint64_t pages)
{
    const struct fake_mapping *m = &t->w.machine.mapped[i];

    return m->va == (uintptr_t)t->va + page * PAGE_SIZE && m->pa == PA + page * PAGE_SIZE &&
           m->size == pages * PAGE_SIZE && !m->writable;
}

TEST(a_small_tree_takes_two_pages)
{
    struct tree t;

    tree_map(&t, 0x18, 2 * PAGE_SIZE - 0x18);
    CHECK(t.info.fdt == t.va + 0x18);
    CHECK_EQ(t.info.fdt_addr.a, PA + 0x18);
    CHECK_EQ(t.info.fdt_size_max, 2 * PAGE_SIZE - 0x18);
    CHECK_EQ(t.w.machine.nr_mapped, 1u);
    CHECK(is_mapped(&t, 0, 0, 2));
    tree_end(&t);
}

TEST(a_larger_tree_is_mapped_to_its_end)
{
    static const struct {
        uint64_t offset, size, more;
    } row[] = {
        { 0, 2 * PAGE_SIZE + 1, 1 },
        { 0, 3 * PAGE_SIZE, 1 },
        { 0xff8, 2 * PAGE_SIZE - 0xff7, 1 },
        { 0xff8, 3 * PAGE_SIZE, 2 },
        { 0, HOST_FDT_SIZE_MAX, HOST_FDT_SIZE_MAX / PAGE_SIZE - 2 },
        { 8, HOST_FDT_SIZE_MAX, HOST_FDT_SIZE_MAX / PAGE_SIZE - 1 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
        struct tree t;

        tree_map(&t, row[i].offset, (uint32_t)row[i].size);
        CHECK(t.info.fdt == t.va + row[i].offset);
        CHECK_EQ(t.info.fdt_size_max, row[i].size);
        CHECK_EQ(t.w.machine.nr_mapped, 2u);
        CHECK(is_mapped(&t, 0, 0, 2));
        CHECK(is_mapped(&t, 1, 2, row[i].more));
        tree_end(&t);
    }
}

/* hv_start() then finds that it is longer than what is there. */
TEST(a_tree_over_the_limit_is_not_mapped_further)
{
    struct tree t;

    tree_map(&t, 0, HOST_FDT_SIZE_MAX + 1);
    CHECK(t.info.fdt == t.va);
    CHECK_EQ(t.info.fdt_size_max, 2 * PAGE_SIZE);
    CHECK_EQ(t.w.machine.nr_mapped, 1u);
    tree_end(&t);
}

TEST(what_is_no_tree_is_none)
{
    struct world w;
    struct boot_info info = { .fdt_size_max = 1 };
    static const uint64_t at[] = { 0, PA + 4, PA };
    uint8_t *va = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);

    memset(va, 0, 2 * PAGE_SIZE);
    world_init(&w, 1, 8);
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        host_map_fdt(w.hv, (uintptr_t)va, at[i], &info);
        CHECK(info.fdt == NULL);
        CHECK_EQ(info.fdt_size_max, 0u);
        CHECK_EQ(w.machine.nr_mapped, i < 2 ? 0u : 1u); /* the last one had to be looked at */
    }
    free(va);
    world_fini(&w);
}

TEST_ALLOC(a_tree_that_cannot_be_mapped_whole_is_none)
{
    struct tree t;

    tree_map(&t, 0, 5 * PAGE_SIZE);
    CHECK_EQ(t.info.fdt == NULL, unit_injected());
    CHECK_EQ(t.info.fdt_size_max, unit_injected() ? 0 : 5 * PAGE_SIZE);
    tree_end(&t);
}

TEST_ALLOC(a_stack_is_there_whole_or_not_at_all)
{
    struct world w;
    uintptr_t va = 0x180000000;

    world_init(&w, 1, 8);
    uint64_t avail = w.hv->frames.avail;
    uintptr_t top = host_map_stack(w.hv, va, 4 * PAGE_SIZE);

    CHECK_EQ(top == 0, unit_injected());
    if (top != 0) {
        const struct fake_mapping *m = &w.machine.mapped[0];

        CHECK_EQ(top, va + 4 * PAGE_SIZE);
        CHECK_EQ(avail - w.hv->frames.avail, 4u);
        CHECK(m->va == va && m->size == 4 * PAGE_SIZE && m->writable);
        frame_free(w.hv, hpa_to_mfn(hpa(m->pa)), 2);
    }
    world_fini(&w);
}
