/* SPDX-License-Identifier: MIT */
/*
 * Single pages of a map (p2m_map_page() and its like): what was there before goes
 * back to where it belongs, references move with the mapping, blocks are split.
 */
#include "dom.h"

#define HOLE UINT64_C(0x80000) /* a gfn where nothing is mapped */
#define RAM_GFN (DOM_RAM >> PAGE_SHIFT)
#define RAM_BITS (1u << P2M_RAM_RW | 1u << P2M_RAM_RO)

struct fixture {
    struct world *w;
    struct domain *a, *b;
};

static struct fixture begin(void)
{
    struct fixture f = { .w = dom_world(1) };

    f.a = dom_create(f.w, "a", 1, true);
    f.b = dom_create(f.w, "b", 1, true);
    f.a->pages = f.b->pages = 1u << DOM_RAM_ORDER;
    return f;
}

static void end(struct fixture *f)
{
    if (f->a != NULL) {
        dom_destroy(f->w, f->a);
    }
    if (f->b != NULL) {
        dom_destroy(f->w, f->b);
    }
    world_destroy(f->w);
}

static uint32_t refs(struct domain *d, mfn_t m)
{
    return d->hv->frames.table[m.n - d->hv->frames.base.n].refs;
}

TEST(a_foreign_page_is_mapped_and_taken_out)
{
    struct fixture f = begin();
    enum p2m_type type;
    mfn_t m = p2m_get_frame(f.b, gfn(RAM_GFN + 3), RAM_BITS, &type);

    CHECK_EQ(type, P2M_RAM_RW);
    CHECK_EQ(refs(f.b, m), 1);
    CHECK_EQ(p2m_map_page(f.a, gfn(HOLE), m, P2M_FOREIGN_RW), 0);
    CHECK(mfn_eq(p2m_lookup(f.a, gfn(HOLE), &type, NULL), m));
    CHECK_EQ(type, P2M_FOREIGN_RW);
    /* Not what is asked for: nothing changes. */
    CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE), MFN_NONE, RAM_BITS), -XEN_ENOENT);
    CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE), mfn_add(m, 1), 1u << P2M_FOREIGN_RW), -XEN_ENOENT);
    CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE + 1), MFN_NONE, UINT32_MAX), -XEN_ENOENT);
    CHECK_EQ(refs(f.b, m), 1);
    CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE), m, 1u << P2M_FOREIGN_RW), 0);
    CHECK_EQ(refs(f.b, m), 0);
    CHECK(mfn_is_none(p2m_lookup(f.a, gfn(HOLE), NULL, NULL)));
    end(&f);
}

TEST(what_was_mapped_before_goes_back)
{
    struct fixture f = begin();
    mfn_t one = p2m_get_frame(f.b, gfn(RAM_GFN + 1), RAM_BITS, NULL);
    mfn_t two = p2m_get_frame(f.b, gfn(RAM_GFN + 2), RAM_BITS, NULL);
    uint64_t avail = f.w->hv->frames.avail;

    /* Over RAM: the page is the allocator's. */
    CHECK_EQ(p2m_map_page(f.a, gfn(RAM_GFN + 5), one, P2M_FOREIGN_RO), 0);
    CHECK_EQ(f.a->pages, (1u << DOM_RAM_ORDER) - 1);
    CHECK_EQ(f.w->hv->frames.avail, avail + 1);
    /* Over a foreign page: its reference ends. */
    CHECK_EQ(p2m_map_page(f.a, gfn(RAM_GFN + 5), two, P2M_FOREIGN_RW), 0);
    CHECK_EQ(refs(f.b, one), 0);
    CHECK_EQ(refs(f.b, two), 1);
    end(&f);
}

TEST(ram_of_a_direct_mapped_domain_stays_its_own)
{
    struct fixture f = begin();
    mfn_t m = p2m_lookup(f.a, gfn(RAM_GFN), NULL, NULL);
    uint64_t avail = f.w->hv->frames.avail;

    f.a->config.direct_map = true;
    CHECK_EQ(p2m_unmap_page(f.a, gfn(RAM_GFN), MFN_NONE, RAM_BITS), 0);
    CHECK_EQ(f.w->hv->frames.avail, avail);
    CHECK_EQ(frame_lookup(f.w->hv, m)->state, FRAME_GUEST);
    CHECK_EQ(p2m_map_page(f.a, gfn(RAM_GFN), m, P2M_RAM_RW), 0);
    end(&f);
}

TEST(a_page_out_of_a_large_block)
{
    struct fixture f = begin();
    mfn_t block = frame_alloc(f.w->hv, 9, FRAME_ALLOC_ZERO);
    uint32_t order;

    frame_assign(f.w->hv, block, 9, f.a);
    CHECK_EQ(p2m_map(f.a, gfn(HOLE), block, 512, P2M_RAM_RW), 0);
    CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE + 100), MFN_NONE, RAM_BITS), 0);
    CHECK(mfn_is_none(p2m_lookup(f.a, gfn(HOLE + 100), NULL, NULL)));
    CHECK(mfn_eq(p2m_lookup(f.a, gfn(HOLE + 99), NULL, &order), mfn_add(block, 99)));
    CHECK_EQ(order, 0);
    CHECK(mfn_eq(p2m_lookup(f.a, gfn(HOLE + 511), NULL, NULL), mfn_add(block, 511)));
    end(&f);
}

/* Tables that single pages leave empty are no obstacle to a block. */
TEST(a_block_where_single_pages_were)
{
    struct fixture f = begin();
    uint32_t order;

    for (uint64_t i = 0; i < 512; i++) {
        mfn_t m = p2m_get_frame(f.b, gfn(RAM_GFN), RAM_BITS, NULL);

        CHECK_EQ(p2m_map_page(f.a, gfn(HOLE + i), m, P2M_FOREIGN_RW), 0);
    }
    mfn_t block = frame_alloc(f.w->hv, 9, FRAME_ALLOC_ZERO);

    frame_assign(f.w->hv, block, 9, f.a);
    for (uint64_t i = 0; i < 512; i++) {
        CHECK_EQ(p2m_map(f.a, gfn(HOLE), block, 512, P2M_RAM_RW), -XEN_EEXIST);
        CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE + i), MFN_NONE, 1u << P2M_FOREIGN_RW), 0);
    }
    CHECK_EQ(p2m_map(f.a, gfn(HOLE), block, 512, P2M_RAM_RW), 0);
    CHECK(mfn_eq(p2m_lookup(f.a, gfn(HOLE + 7), NULL, &order), mfn_add(block, 7)));
    CHECK_EQ(order, 9);
    end(&f);
}

TEST(an_owner_that_dies_leaves_what_others_map)
{
    struct fixture f = begin();
    mfn_t m = p2m_get_frame(f.b, gfn(RAM_GFN), RAM_BITS, NULL);
    uint64_t avail;

    CHECK_EQ(p2m_map_page(f.a, gfn(HOLE), m, P2M_FOREIGN_RW), 0);
    dom_destroy(f.w, f.b);
    f.b = NULL;
    CHECK_EQ(frame_lookup(f.w->hv, m)->state, FRAME_ORPHAN);
    avail = f.w->hv->frames.avail;
    CHECK_EQ(p2m_unmap_page(f.a, gfn(HOLE), m, 1u << P2M_FOREIGN_RW), 0);
    CHECK_EQ(f.w->hv->frames.avail, avail + 1);
    end(&f);
}

TEST(a_mapper_that_dies_gives_its_references_back)
{
    struct fixture f = begin();
    mfn_t m = p2m_get_frame(f.b, gfn(RAM_GFN), RAM_BITS, NULL);

    CHECK_EQ(p2m_map_page(f.a, gfn(HOLE), m, P2M_FOREIGN_RW), 0);
    dom_destroy(f.w, f.a);
    f.a = NULL;
    CHECK_EQ(refs(f.b, m), 0);
    CHECK_EQ(frame_lookup(f.w->hv, m)->owner, f.b);
    end(&f);
}

TEST(nothing_is_had_from_a_dying_domain)
{
    struct fixture f = begin();
    enum p2m_type type;

    p2m_close(f.b);
    CHECK(mfn_is_none(p2m_get_frame(f.b, gfn(RAM_GFN), RAM_BITS, &type)));
    CHECK_EQ(p2m_map_page(f.b, gfn(HOLE), mfn(1), P2M_SHARED), -XEN_ESRCH);
    CHECK_EQ(p2m_unmap_page(f.b, gfn(RAM_GFN), MFN_NONE, RAM_BITS), -XEN_ENOENT);
    end(&f);
}

TEST(a_device_is_not_mapped_over)
{
    struct fixture f = begin();

    CHECK_EQ(p2m_map(f.a, gfn(0x10000), mfn(1), 1, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(p2m_map_page(f.a, gfn(0x10000), mfn(2), P2M_SHARED), -XEN_EBUSY);
    CHECK_EQ(p2m_map_page(f.a, gfn(UINT64_MAX), mfn(2), P2M_SHARED), -XEN_EINVAL);
    end(&f);
}

TEST_ALLOC(memory_that_is_short_changes_nothing)
{
    struct world w;

    world_init(&w, 1, 32);
    struct vcpu *v = world_guest(&w);
    mfn_t m = v != NULL ? frame_alloc(w.hv, 0, 0) : MFN_NONE;

    if (!mfn_is_none(m)) {
        frame_get(w.hv, m);
        int rc = p2m_map_page(v->domain, gfn(HOLE), m, P2M_SHARED);

        if (rc != 0) {
            CHECK(unit_injected() && rc == -XEN_ENOMEM);
            frame_put(w.hv, m);
        } else {
            CHECK_EQ(p2m_unmap_page(v->domain, gfn(HOLE), m, 1u << P2M_SHARED), 0);
        }
        frame_free(w.hv, m, 0);
    } else {
        CHECK(unit_injected());
    }
    if (v != NULL) {
        world_guest_end(&w, v);
    }
    world_fini(&w);
}
