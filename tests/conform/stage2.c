/* SPDX-License-Identifier: MIT */
/* arch/stage2.h: the format of entries, and the walker of mm/p2m.c on it. */
#include <arch/guest.h>
#include <arch/mmu.h>
#include <arch/stage2.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "conform.h"

/* --- Entries -------------------------------------------------------------------------- */

static bool may_be_leaf(const struct stage2_format *f, uint32_t level)
{
    return level == 0 || (f->block_levels >> level & 1);
}

static void the_format_fits_together(struct conform *c)
{
    const struct stage2_format *f = arch_stage2_format(c->hv);
    uint64_t root = UINT64_C(8) << f->root_bits;

    EXPECT(c, f->levels >= 2 && f->levels <= 5);
    EXPECT(c, f->index_bits == 9);
    EXPECT(c, root <= PAGE_SIZE << f->root_order);
    EXPECT(c, f->root_order == 0 || root == PAGE_SIZE << f->root_order);
    EXPECT(c, f->gpa_bits == PAGE_SHIFT + f->root_bits + (f->levels - 1) * f->index_bits);
    EXPECT(c, f->block_levels >> f->levels == 0);
    EXPECT(c, f->block_levels & BIT(1)); /* 2 MiB */
}

static void check_leaf(struct conform *c, uint32_t level, mfn_t m, uint32_t type)
{
    uint64_t pte = arch_stage2_leaf(c->hv, level, m, type);

    EXPECT(c, arch_stage2_is_valid(pte));
    EXPECT(c, !arch_stage2_is_table(pte, level));
    EXPECT(c, mfn_eq(arch_stage2_mfn(pte), m));
    EXPECT(c, arch_stage2_type(pte) == type);
}

static void leaves_say_what_was_put_in(struct conform *c)
{
    const struct stage2_format *f = arch_stage2_format(c->hv);
    uint64_t top = UINT64_C(1) << (f->gpa_bits - PAGE_SHIFT); /* direct-mapped domains need it */

    for (uint32_t level = 0; level < f->levels; level++) {
        uint64_t size = UINT64_C(1) << (level * f->index_bits);

        if (!may_be_leaf(f, level)) {
            continue;
        }
        for (uint32_t type = P2M_INVALID + 1; type < P2M_TYPES_MAX; type++) {
            check_leaf(c, level, mfn(0), type);
            check_leaf(c, level, mfn(3 * size), type);
            check_leaf(c, level, mfn(top - size), type);
            for (uint64_t m = size; m < top; m *= 2) {
                check_leaf(c, level, mfn(m), type);
            }
        }
    }
}

static void types_differ(struct conform *c)
{
    for (uint32_t a = P2M_INVALID + 1; a < P2M_TYPES_MAX; a++) {
        for (uint32_t b = P2M_INVALID + 1; b < a; b++) {
            EXPECT(c,
                   arch_stage2_leaf(c->hv, 0, mfn(8), a) != arch_stage2_leaf(c->hv, 0, mfn(8), b));
        }
    }
}

static void tables_are_no_leaves(struct conform *c)
{
    const struct stage2_format *f = arch_stage2_format(c->hv);
    mfn_t last = mfn_add(c->hv->frames.base, c->hv->frames.pages - 1);
    const mfn_t frames[] = { mfn(0), mfn(1), c->hv->frames.base, last };

    for (uint32_t i = 0; i < ARRAY_SIZE(frames); i++) {
        uint64_t pte = arch_stage2_table(frames[i]);

        EXPECT(c, arch_stage2_is_valid(pte));
        EXPECT(c, mfn_eq(arch_stage2_mfn(pte), frames[i]));
        for (uint32_t level = 1; level < f->levels; level++) {
            EXPECT(c, arch_stage2_is_table(pte, level));
        }
    }
}

static void zero_is_nothing(struct conform *c)
{
    EXPECT(c, !arch_stage2_is_valid(0));
    EXPECT(c, arch_stage2_type(0) == P2M_INVALID);
    for (uint32_t level = 0; level < arch_stage2_format(c->hv)->levels; level++) {
        EXPECT(c, !arch_stage2_is_table(0, level));
    }
}

static void entries_are_stored_whole(struct conform *c)
{
    mfn_t m = frame_alloc(c->hv, 0, FRAME_ALLOC_ZERO);

    NEED(c, !mfn_is_none(m));
    uint64_t *table = arch_frame_map(m);
    uint64_t pte = arch_stage2_leaf(c->hv, 0, m, P2M_RAM_RO);

    arch_stage2_set(&table[1], pte);
    arch_stage2_publish();
    EXPECT(c, table[0] == 0 && table[1] == pte && table[2] == 0);
    arch_stage2_set(&table[1], 0);
    arch_stage2_publish();
    EXPECT(c, table[1] == 0);
    frame_free(c->hv, m, 0);
}

/* --- Maps -------------------------------------------------------------------------------- */

/* log2 of the pages of the largest block. */
static uint32_t block_order(const struct stage2_format *f)
{
    uint32_t level = f->levels - 1u;

    while (!may_be_leaf(f, level)) {
        level--;
    }
    return level * f->index_bits;
}

static void check_maps(struct conform *c, struct domain *d, gfn_t g, mfn_t m, enum p2m_type type)
{
    enum p2m_type found = P2M_INVALID;

    EXPECT(c, mfn_eq(p2m_lookup(d, g, &found, NULL), m));
    EXPECT(c, found == type);
}

static void pages_of_each_type(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    gfn_t g = gpa_to_gfn(arch_guest_layout()->ram_base[0]);

    for (uint32_t type = P2M_INVALID + 1; type < P2M_TYPES_MAX; type++) {
        EXPECT(c, p2m_map(d, gfn_add(g, 2 * type), mfn(0x1000 + type), 1, type) == 0);
    }
    for (uint32_t type = P2M_INVALID + 1; type < P2M_TYPES_MAX; type++) {
        check_maps(c, d, gfn_add(g, 2 * type), mfn(0x1000 + type), type);
        EXPECT(c, mfn_is_none(p2m_lookup(d, gfn_add(g, 2 * type + 1), NULL, NULL)));
    }
    conform_domain_end(c, d);
}

static void check_block(struct conform *c, struct domain *d, uint32_t order)
{
    gfn_t g = gpa_to_gfn(arch_guest_layout()->ram_base[1]);
    uint64_t pages = UINT64_C(1) << order;
    mfn_t m = mfn(4 * pages);
    uint32_t found = 99;

    NEED(c, IS_ALIGNED(g.n, pages));
    NEED(c, p2m_map(d, g, m, pages, P2M_RAM_RW) == 0);
    EXPECT(c, mfn_eq(p2m_lookup(d, gfn_add(g, pages / 2 + 1), NULL, &found),
                     mfn_add(m, pages / 2 + 1)));
    EXPECT(c, found == order);
    EXPECT(c, p2m_map(d, gfn_add(g, 1), m, 1, P2M_RAM_RW) == -XEN_EEXIST);

    /* A hole in it: what is around it stays. */
    NEED(c, p2m_unmap(d, gfn_add(g, 7), 1) == 0);
    EXPECT(c, mfn_is_none(p2m_lookup(d, gfn_add(g, 7), NULL, NULL)));
    check_maps(c, d, gfn_add(g, 6), mfn_add(m, 6), P2M_RAM_RW);
    check_maps(c, d, gfn_add(g, 8), mfn_add(m, 8), P2M_RAM_RW);
    check_maps(c, d, gfn_add(g, pages - 1), mfn_add(m, pages - 1), P2M_RAM_RW);

    EXPECT(c, p2m_map(d, gfn_add(g, 7), mfn(99), 1, P2M_RAM_RO) == 0);
    check_maps(c, d, gfn_add(g, 7), mfn(99), P2M_RAM_RO);
    EXPECT(c, p2m_unmap(d, g, pages) == 0);
    EXPECT(c, mfn_is_none(p2m_lookup(d, gfn_add(g, pages - 1), NULL, NULL)));
}

/* Unmapping flushes: the map is one that a CPU has used. */
static void blocks_are_mapped_and_split(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);
    uint32_t max = block_order(arch_stage2_format(c->hv));

    if (d == NULL) {
        return;
    }
    conform_load(d->vcpus[0]);
    uint64_t tables = d->p2m.table_pages;

    for (uint32_t order = 9; order <= max; order += 9) {
        check_block(c, d, order);
    }
    EXPECT(c, d->p2m.table_pages == tables);
    conform_save(d->vcpus[0]);
    conform_domain_end(c, d);
}

/* The runner sees whether all frames came back. */
static void teardown_of_a_full_map(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    gfn_t g = gpa_to_gfn(arch_guest_layout()->ram_base[0]);
    uint64_t step = UINT64_C(1) << block_order(arch_stage2_format(c->hv));

    conform_load(d->vcpus[0]);
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT(c, p2m_map(d, gfn_add(g, i * step / 4 + 1), mfn(0x2001), 0x300, P2M_RAM_RW) == 0);
    }
    EXPECT(c, d->p2m.table_pages > (1u << arch_stage2_format(c->hv)->root_order) + 3);
    conform_save(d->vcpus[0]);
    conform_domain_end(c, d);
}

static void the_ends_of_the_map(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    gfn_t end = gfn(UINT64_C(1) << (arch_stage2_format(c->hv)->gpa_bits - PAGE_SHIFT));

    EXPECT(c, p2m_map(d, gfn(0), mfn(5), 1, P2M_RAM_RW) == 0);
    EXPECT(c, p2m_map(d, gfn(end.n - 1), mfn(6), 1, P2M_RAM_RW) == 0);
    check_maps(c, d, gfn(0), mfn(5), P2M_RAM_RW);
    check_maps(c, d, gfn(end.n - 1), mfn(6), P2M_RAM_RW);
    EXPECT(c, p2m_map(d, end, mfn(7), 1, P2M_RAM_RW) == -XEN_EINVAL);
    conform_domain_end(c, d);
}

static const struct conform_test tests[] = {
    { "stage2: the format fits together", the_format_fits_together, false },
    { "stage2: leaves say what was put in", leaves_say_what_was_put_in, false },
    { "stage2: types differ", types_differ, false },
    { "stage2: tables are no leaves", tables_are_no_leaves, false },
    { "stage2: zero is nothing", zero_is_nothing, false },
    { "stage2: entries are stored whole", entries_are_stored_whole, false },
    { "p2m: pages of each type", pages_of_each_type, false },
    { "p2m: blocks are mapped and split", blocks_are_mapped_and_split, false },
    { "p2m: teardown of a full map", teardown_of_a_full_map, false },
    { "p2m: the ends of the map", the_ends_of_the_map, false },
};
const struct conform_group conform_stage2 = { tests, ARRAY_SIZE(tests) };
