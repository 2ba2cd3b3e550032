/* SPDX-License-Identifier: MIT */
/*
 * mm/p2m.c over the fake architecture: what lookups and guests see, which blocks
 * are used, what a failure leaves behind, and a model of random changes. Breaking
 * a rule of the tables (order of stores, flushes) fails a test by itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define SIZE_2M UINT64_C(512)
#define SIZE_1G (SIZE_2M * 512)

/* Sets up w and a guest v; leaves the test when memory is short. */
#define BEGIN(cpus) \
    struct world w; \
    world_init(&w, cpus, 32); \
    struct vcpu *v = world_guest(&w); \
    if (v == NULL) { \
        CHECK(unit_injected()); \
        world_fini(&w); \
        return; \
    } \
    struct domain *d = v->domain

#define END() \
    do { \
        world_guest_end(&w, v); \
        world_fini(&w); \
    } while (0)

static uint32_t order_at(struct domain *d, uint64_t g)
{
    uint32_t order = 99;

    return mfn_is_none(p2m_lookup(d, gfn(g), NULL, &order)) ? 99 : order;
}

TEST(the_largest_blocks_are_used)
{
    BEGIN(1);
    uint64_t sets = w.machine.sets;

    /* 64 MiB: 32 entries and one table. */
    CHECK_EQ(p2m_map(d, gfn(0x40000), mfn(0x80000), 32 * SIZE_2M, P2M_RAM_RW), 0);
    CHECK_EQ(w.machine.sets - sets, 33u);
    CHECK_EQ(order_at(d, 0x40000 + 5000), 9u);
    CHECK_EQ(d->p2m.table_pages, 3u);

    /* From one page before a GiB to one page after the next. */
    CHECK_EQ(p2m_map(d, gfn(2 * SIZE_1G - 1), mfn(6 * SIZE_1G - 1), SIZE_1G + 2, P2M_RAM_RO), 0);
    CHECK_EQ(order_at(d, 2 * SIZE_1G - 1), 0u);
    CHECK_EQ(order_at(d, 2 * SIZE_1G), 18u);
    CHECK_EQ(order_at(d, 3 * SIZE_1G - 1), 18u);
    CHECK_EQ(order_at(d, 3 * SIZE_1G), 0u);

    /* gfn and mfn that never line up. */
    CHECK_EQ(p2m_map(d, gfn(0), mfn(0x80001), SIZE_2M + 8, P2M_RAM_RW), 0);
    CHECK_EQ(order_at(d, 3), 0u);
    END();
}

TEST(lookup_says_where_what_and_how_large)
{
    BEGIN(1);
    enum p2m_type type = P2M_INVALID;
    uint32_t order = 0;

    CHECK_EQ(p2m_map(d, gfn(SIZE_2M), mfn(7 * SIZE_2M), SIZE_2M, P2M_RAM_RO), 0);
    CHECK_EQ(p2m_map(d, gfn(5), mfn(9), 1, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(p2m_lookup(d, gfn(SIZE_2M + 17), &type, &order).n, 7 * SIZE_2M + 17);
    CHECK_EQ(type, P2M_RAM_RO);
    CHECK_EQ(order, 9u);
    CHECK_EQ(p2m_lookup(d, gfn(5), &type, NULL).n, 9u);
    CHECK_EQ(type, P2M_MMIO_DIRECT);
    CHECK(mfn_is_none(p2m_lookup(d, gfn(4), &type, &order)));
    CHECK(mfn_is_none(p2m_lookup(d, gfn(UINT64_C(1) << 28), NULL, NULL)));
    CHECK(mfn_is_none(p2m_lookup(d, GFN_NONE, NULL, NULL)));
    END();
}

static struct vcpu *faulting;
static uint32_t stale_in_flush;

static void fault_in_flush(struct domain *d)
{
    /* In the first flush; twice: a guest may come back before the change is over. */
    fake_machine->on_flush = NULL;
    stale_in_flush += p2m_fault_is_stale(faulting) && p2m_fault_is_stale(faulting);
}

/* What a guest meets while an entry is changed is no fault of its own, before and after it is. */
TEST(faults_while_a_mapping_changes_are_stale)
{
    BEGIN(1);
    mfn_t m = frame_alloc(w.hv, 9, 0), other = frame_alloc(w.hv, 0, 0);

    CHECK_EQ(p2m_map(d, gfn(SIZE_2M), m, SIZE_2M, P2M_MMIO_DIRECT), 0);
    CHECK(!p2m_fault_is_stale(v));
    faulting = v;
    stale_in_flush = 0;
    w.machine.on_flush = fault_in_flush;
    CHECK_EQ(p2m_unmap(d, gfn(SIZE_2M + 3), 1), 0); /* splits */
    CHECK_EQ(stale_in_flush, 1);
    CHECK(p2m_fault_is_stale(v)); /* it may have been before the end */
    CHECK(!p2m_fault_is_stale(v));

    /* An unmapped page is the guest's own fault. */
    CHECK_EQ(p2m_unmap(d, gfn(SIZE_2M + 4), 1), 0);
    CHECK(!p2m_fault_is_stale(v));

    /* One page in the place of another; the block around it is there already, then not. */
    frame_get(w.hv, other);
    CHECK_EQ(p2m_map_page(d, gfn(SIZE_2M + 3), other, P2M_FOREIGN_RW), 0);
    CHECK(!p2m_fault_is_stale(v));
    stale_in_flush = 0;
    w.machine.on_flush = fault_in_flush;
    frame_get(w.hv, other);
    CHECK_EQ(p2m_map_page(d, gfn(SIZE_2M + 3), other, P2M_FOREIGN_RW), 0);
    CHECK_EQ(stale_in_flush, 1);
    CHECK(p2m_fault_is_stale(v));
    CHECK(!p2m_fault_is_stale(v));
    CHECK_EQ(p2m_unmap_page(d, gfn(SIZE_2M + 3), other, 1u << P2M_FOREIGN_RW), 0);
    CHECK_EQ(p2m_unmap(d, gfn(SIZE_2M), SIZE_2M), 0);
    frame_free(w.hv, m, 9);
    frame_free(w.hv, other, 0);
    END();
}

TEST(bad_arguments_change_nothing)
{
    BEGIN(1);
    uint64_t end = UINT64_C(1) << 28;

    CHECK_EQ(p2m_map(d, gfn(1), mfn(1), 0, P2M_RAM_RW), -XEN_EINVAL);
    CHECK_EQ(p2m_map(d, gfn(end), mfn(1), 1, P2M_RAM_RW), -XEN_EINVAL);
    CHECK_EQ(p2m_map(d, gfn(end - 1), mfn(1), 2, P2M_RAM_RW), -XEN_EINVAL);
    CHECK_EQ(p2m_map(d, gfn(1), mfn(1), UINT64_MAX, P2M_RAM_RW), -XEN_EINVAL);
    CHECK_EQ(p2m_map(d, gfn(1), mfn(UINT64_MAX), 2, P2M_RAM_RW), -XEN_EINVAL);
    CHECK_EQ(p2m_map(d, gfn(1), mfn(1), 1, P2M_INVALID), -XEN_EINVAL);
    CHECK_EQ(p2m_map(d, gfn(1), mfn(1), 1, P2M_TYPES_MAX), -XEN_EINVAL);
    CHECK_EQ(p2m_unmap(d, gfn(1), 0), -XEN_EINVAL);
    CHECK_EQ(p2m_unmap(d, gfn(end), 1), -XEN_EINVAL);
    CHECK_EQ(w.machine.sets, 0u);

    /* The last page of the address space can be used. */
    CHECK_EQ(p2m_map(d, gfn(end - 1), mfn(1), 1, P2M_RAM_RW), 0);
    CHECK_EQ(p2m_unmap(d, gfn(0), end), 0);
    CHECK_EQ(d->p2m.table_pages, 2u);
    END();
}

TEST(every_bit_of_an_address_counts)
{
    BEGIN(1);
    for (uint32_t bit = 0; bit < 28; bit++) {
        CHECK_EQ(p2m_map(d, gfn(UINT64_C(1) << bit), mfn(1000 + bit), 1, P2M_RAM_RW), 0);
    }
    CHECK(mfn_is_none(p2m_lookup(d, gfn(0), NULL, NULL)));
    for (uint32_t bit = 0; bit < 28; bit++) {
        CHECK_EQ(p2m_lookup(d, gfn(UINT64_C(1) << bit), NULL, NULL).n, 1000u + bit);
    }
    END();
}

TEST(what_is_mapped_stays)
{
    BEGIN(1);
    CHECK_EQ(p2m_map(d, gfn(SIZE_2M), mfn(SIZE_2M), SIZE_2M, P2M_RAM_RW), 0);
    CHECK_EQ(p2m_map(d, gfn(SIZE_1G + 3), mfn(77), 1, P2M_RAM_RW), 0);
    uint64_t tables = d->p2m.table_pages;

    CHECK_EQ(p2m_map(d, gfn(SIZE_2M + 5), mfn(1), 1, P2M_RAM_RW), -XEN_EEXIST);
    CHECK_EQ(p2m_map(d, gfn(0), mfn(1), SIZE_2M + 1, P2M_RAM_RW), -XEN_EEXIST);
    CHECK_EQ(p2m_map(d, gfn(0), mfn(0), 4 * SIZE_2M, P2M_RAM_RW), -XEN_EEXIST);
    CHECK_EQ(p2m_map(d, gfn(0), mfn(0), SIZE_1G * 2, P2M_RAM_RW), -XEN_EEXIST);
    CHECK_EQ(p2m_map(d, gfn(SIZE_1G), mfn(0), SIZE_2M, P2M_RAM_RW), -XEN_EEXIST);
    CHECK_EQ(d->p2m.table_pages, tables);
    CHECK(mfn_is_none(p2m_lookup(d, gfn(0), NULL, NULL)));
    CHECK_EQ(p2m_lookup(d, gfn(SIZE_1G + 3), NULL, NULL).n, 77u);
    END();
}

TEST(unmapping_splits_and_a_whole_block_can_come_again)
{
    BEGIN(1);
    CHECK_EQ(p2m_map(d, gfn(0), mfn(4 * SIZE_1G), SIZE_1G, P2M_RAM_RW), 0);
    CHECK_EQ(order_at(d, 0), 18u);

    /* One page out of the middle of a GiB. */
    uint64_t hole = 100 * SIZE_2M + 50;
    CHECK_EQ(p2m_unmap(d, gfn(hole), 1), 0);
    CHECK(mfn_is_none(p2m_lookup(d, gfn(hole), NULL, NULL)));
    CHECK_EQ(p2m_lookup(d, gfn(hole - 1), NULL, NULL).n, 4 * SIZE_1G + hole - 1);
    CHECK_EQ(p2m_lookup(d, gfn(hole + 1), NULL, NULL).n, 4 * SIZE_1G + hole + 1);
    CHECK_EQ(order_at(d, hole + 1), 0u);
    CHECK_EQ(order_at(d, 101 * SIZE_2M), 9u);
    CHECK_EQ(d->p2m.table_pages, 4u);

    /* A range that ends in the middle of blocks on both sides, with the hole inside. */
    CHECK_EQ(p2m_unmap(d, gfn(99 * SIZE_2M + 1), 3 * SIZE_2M), 0);
    CHECK_EQ(order_at(d, 99 * SIZE_2M), 0u);
    CHECK_EQ(order_at(d, 99 * SIZE_2M + 1), 99u);
    CHECK_EQ(order_at(d, 102 * SIZE_2M), 99u);
    CHECK_EQ(order_at(d, 102 * SIZE_2M + 1), 0u);

    CHECK_EQ(p2m_unmap(d, gfn(0), SIZE_1G), 0);
    CHECK_EQ(d->p2m.table_pages, 2u);
    CHECK_EQ(p2m_map(d, gfn(0), mfn(0), SIZE_1G, P2M_RAM_RW), 0);
    CHECK_EQ(order_at(d, 0), 18u);
    END();
}

TEST(guests_see_changes_at_once)
{
    BEGIN(2);
    mfn_t a = frame_alloc(w.hv, 9, 0), b = frame_alloc(w.hv, 9, 0);
    uint32_t x = 0xa, y = 0xb, got = 0;

    CHECK_EQ(p2m_map(d, gfn(SIZE_2M), a, SIZE_2M, P2M_RAM_RW), 0);
    gpa_t at = gpa((SIZE_2M + 3) << PAGE_SHIFT);
    CHECK(fake_guest_write(v, at, &x, sizeof(x)));
    CHECK(fake_guest_read(v, at, &got, sizeof(got)));
    CHECK_EQ(got, x);

    /* Another page at the same address: a stale translation would show the first. */
    CHECK_EQ(p2m_unmap(d, gfn(SIZE_2M + 3), 1), 0);
    CHECK(!fake_guest_read(v, at, &got, sizeof(got)));
    CHECK(fake_guest_read(v, gpa(at.a + PAGE_SIZE), &got, sizeof(got)));
    CHECK_EQ(p2m_map(d, gfn(SIZE_2M + 3), mfn_add(b, 9), 1, P2M_RAM_RO), 0);
    CHECK(fake_guest_read(v, at, &got, sizeof(got)));
    CHECK(!fake_guest_write(v, at, &y, sizeof(y)));
    CHECK_EQ(p2m_unmap(d, gfn(0), SIZE_1G), 0);
    CHECK(!fake_guest_read(v, at, &got, sizeof(got)));
    frame_free(w.hv, a, 9);
    frame_free(w.hv, b, 9);
    END();
}

TEST(another_cpu_forgets_too)
{
    BEGIN(2);
    struct vcpu other = { .domain = d, .id = 1 };
    mfn_t a = frame_alloc(w.hv, 0, 0);
    uint8_t byte = 1;

    CHECK_EQ(p2m_map(d, gfn(8), a, 1, P2M_RAM_RW), 0);
    world_cpu(&w, 1);
    world_load(&w, &other);
    CHECK(fake_guest_write(&other, gpa(8 << PAGE_SHIFT), &byte, 1));
    world_cpu(&w, 0);
    CHECK_EQ(p2m_unmap(d, gfn(8), 1), 0);
    world_cpu(&w, 1);
    CHECK(!fake_guest_read(&other, gpa(8 << PAGE_SHIFT), &byte, 1));
    world_load(&w, NULL);
    frame_free(w.hv, a, 0);
    END();
}

TEST(next_finds_every_block)
{
    BEGIN(1);
    static const struct {
        uint64_t g, m, pages;
    } map[] = {
        { 3, 1000, 2 },
        { SIZE_2M, 4 * SIZE_2M, SIZE_2M },
        { 5 * SIZE_1G, SIZE_1G, SIZE_1G },
    };
    uint64_t total = 0, blocks = 0;
    gfn_t g = gfn(0);
    mfn_t m;
    enum p2m_type type;
    uint64_t pages;

    CHECK(!p2m_next(d, &g, &m, &type, &pages));
    for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
        CHECK_EQ(p2m_map(d, gfn(map[i].g), mfn(map[i].m), map[i].pages, P2M_RAM_RW), 0);
    }
    for (g = gfn(0); p2m_next(d, &g, &m, &type, &pages); g = gfn_add(g, pages)) {
        CHECK_EQ(type, P2M_RAM_RW);
        CHECK_EQ(p2m_lookup(d, g, NULL, NULL).n, m.n);
        total += pages;
        blocks++;
    }
    CHECK_EQ(total, 2 + SIZE_2M + SIZE_1G);
    CHECK_EQ(blocks, 3u); /* neighbours are one */
    /* From inside of a block its start is given. */
    g = gfn(SIZE_2M + 100);
    CHECK(p2m_next(d, &g, &m, &type, &pages));
    CHECK_EQ(g.n, SIZE_2M);
    END();
}

TEST(teardown_is_cut_into_steps)
{
    BEGIN(1);
    uint32_t steps = 1;

    /* 20 tables of level 0 in each of 10 GiB, and the last ones of the space. */
    for (uint64_t gib = 0; gib < 10; gib++) {
        for (uint64_t i = 0; i < 20; i++) {
            uint64_t g = gib * 100 * SIZE_1G + i * 25 * SIZE_2M + 511;

            CHECK_EQ(p2m_map(d, gfn(g), mfn(g), 1, P2M_RAM_RW), 0);
        }
    }
    CHECK_EQ(p2m_map(d, gfn((UINT64_C(1) << 28) - 1), mfn(5), 1, P2M_RAM_RW), 0);
    CHECK_EQ(d->p2m.table_pages, 2u + 10 + 200 + 2);
    world_load(&w, NULL);
    while (p2m_teardown(d) == -XEN_EAGAIN) {
        steps++;
    }
    CHECK(steps > 5 && steps < 40);
    CHECK_EQ(d->p2m.table_pages, 0u);
    CHECK_EQ(w.hv->frames.avail, w.avail_base);
    CHECK_EQ(p2m_teardown(d), 0);
    END();
}

static void share_vmids(uint32_t bits)
{
    struct world w;
    struct vcpu *v[9];
    mfn_t m[9];

    world_init(&w, 2, 32);
    vmid_pool_init(&w.hv->vmids, bits, 2);
    for (uint8_t i = 0; i < 9; i++) {
        v[i] = world_guest(&w);
        m[i] = frame_alloc(w.hv, 0, FRAME_ALLOC_ZERO);
        REQUIRE(v[i] != NULL && !mfn_is_none(m[i]));
        CHECK_EQ(p2m_map(v[i]->domain, gfn(1), m[i], 1, P2M_RAM_RW), 0);
        CHECK(fake_guest_write(v[i], gpa(PAGE_SIZE), &i, 1));
    }
    for (uint32_t n = 0; n < 200; n++) {
        uint32_t i = (n * 7 + n / 9) % 9;
        uint8_t got = 99;

        world_cpu(&w, n & 1);
        if (v[i]->loaded_on == NULL) {
            world_load(&w, v[i]);
        }
        world_cpu(&w, v[i]->loaded_on->id);
        CHECK(fake_guest_read(v[i], gpa(PAGE_SIZE), &got, 1));
        CHECK_EQ(got, i);
    }
    CHECK(bits == 0 || w.hv->vmids.generation > 10);
    for (uint32_t i = 0; i < 9; i++) {
        world_guest_end(&w, v[i]);
        frame_free(w.hv, m[i], 0);
    }
    world_fini(&w);
}

/* Three VMIDs for nine domains on two CPUs. */
TEST(vmids_run_out_and_nobody_sees_another) { share_vmids(2); }

TEST(without_vmids_nobody_sees_another) { share_vmids(0); }

TEST_ALLOC(failure_leaves_no_trace)
{
    BEGIN(1);
    CHECK(p2m_map(d, gfn(SIZE_1G), mfn(SIZE_1G), SIZE_1G, P2M_RAM_RW) == 0 || unit_injected());

    uint64_t tables = d->p2m.table_pages;
    int rc = p2m_map(d, gfn(SIZE_1G - 700), mfn(5), 700, P2M_RAM_RW);
    if (rc != 0) {
        CHECK(unit_injected());
        CHECK_EQ(rc, -XEN_ENOMEM);
        CHECK_EQ(d->p2m.table_pages, tables);
        CHECK(mfn_is_none(p2m_lookup(d, gfn(SIZE_1G - 700), NULL, NULL)));
    }
    tables = d->p2m.table_pages;
    rc = p2m_unmap(d, gfn(SIZE_1G + 5), SIZE_1G / 2);
    if (rc != 0) {
        CHECK(unit_injected());
        CHECK_EQ(d->p2m.table_pages, tables);
        CHECK_EQ(p2m_lookup(d, gfn(SIZE_1G + 5), NULL, NULL).n, SIZE_1G + 5);
        CHECK_EQ(order_at(d, SIZE_1G), 18u);
    }
    END();
}

/* --- Model: an array says for each page what it maps to -------------------- */

#define MODEL_PAGES (3 * 512 * 4) /* around the border of two GiB */
#define MODEL_BASE (SIZE_1G - MODEL_PAGES / 2)

struct p2m_model {
    uint64_t mfn[MODEL_PAGES]; /* 0: nothing */
    uint8_t type[MODEL_PAGES];
    uint64_t seed;
};

static uint64_t next_random(struct p2m_model *m)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed;
}

static void model_change(struct p2m_model *m, struct domain *d)
{
    uint64_t first = next_random(m) % MODEL_PAGES;
    uint64_t wish = next_random(m) % (next_random(m) & 1 ? 1500 : 20) + 1;

    if (next_random(m) & 1) {
        first = ALIGN_DOWN(first, SIZE_2M);
        wish = ALIGN_UP(wish, SIZE_2M);
    }
    uint64_t pages = MIN(wish, MODEL_PAGES - first);
    gfn_t g = gfn(MODEL_BASE + first);

    if (next_random(m) % 5 < 2) {
        CHECK_EQ(p2m_unmap(d, g, pages), 0);
        memset(&m->mfn[first], 0, pages * sizeof(m->mfn[0]));
        return;
    }
    /* Targets that line up with the guest's side, and others. */
    mfn_t to = mfn(8 * SIZE_1G + g.n + (next_random(m) & 1 ? 0 : next_random(m) % 5));
    enum p2m_type type = (enum p2m_type)(next_random(m) % 3 + P2M_RAM_RW);
    bool free_range = true;

    for (uint64_t i = first; i < first + pages; i++) {
        free_range = free_range && m->mfn[i] == 0;
    }
    CHECK_EQ(p2m_map(d, g, to, pages, type), free_range ? 0 : -XEN_EEXIST);
    for (uint64_t i = 0; free_range && i < pages; i++) {
        m->mfn[first + i] = to.n + i;
        m->type[first + i] = (uint8_t)type;
    }
}

static void model_compare(struct p2m_model *m, struct domain *d)
{
    uint64_t mapped = 0, found = 0, pages;
    enum p2m_type type = P2M_INVALID;
    gfn_t g = gfn(0);
    mfn_t at;

    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        at = p2m_lookup(d, gfn(MODEL_BASE + i), &type, NULL);
        mapped += m->mfn[i] != 0;
        if (m->mfn[i] == 0 ? !mfn_is_none(at) : at.n != m->mfn[i] || type != m->type[i]) {
            CHECK_EQ(i, UINT64_MAX); /* prints the page that differs */
            return;
        }
    }
    for (; p2m_next(d, &g, &at, &type, &pages); g = gfn_add(g, pages)) {
        found += pages;
    }
    CHECK_EQ(found, mapped);
}

TEST(model)
{
    const char *given = getenv("SEED");
    struct p2m_model *m = calloc(1, sizeof(*m));
    BEGIN(1);

    m->seed = given != NULL ? strtoull(given, NULL, 0) : 88172645463325252u;
    printf("# SEED=%llu\n", (unsigned long long)m->seed);
    for (int i = 0; i < 600; i++) {
        model_change(m, d);
        if (i % 10 == 0) {
            model_compare(m, d);
        }
    }
    model_compare(m, d);
    CHECK_EQ(p2m_unmap(d, gfn(0), SIZE_1G * 2), 0);
    CHECK_EQ(d->p2m.table_pages, 2u);
    free(m);
    END();
}
