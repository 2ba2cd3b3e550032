/* SPDX-License-Identifier: MIT */
/*
 * memory_op: reservations, counts and limits, through the run loop. What is mapped of
 * others: test_memory_map.c.
 */
#include <loam/refusal.h>

#include "memory.h"

#define POPULATE XENMEM_populate_physmap
#define DECREASE XENMEM_decrease_reservation

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

static void check_page_is_zero(struct pair *p, struct domain *d, uint64_t g)
{
    uint8_t page[PAGE_SIZE];

    get(p, d, g << PAGE_SHIFT, page, sizeof(page));
    CHECK(is_zero(page, sizeof(page)));
    CHECK(fake_guest_read_uncached(d->vcpus[0], gpa(g << PAGE_SHIFT), page, sizeof(page)));
    CHECK(is_zero(page, sizeof(page)));
}

/* No CPU finds a page there any more, the one that used it included. */
static void check_page_is_gone(struct pair *p, struct domain *d, uint64_t g)
{
    uint8_t byte;

    world_cpu(p->w, cpu_of(p, d));
    CHECK(!fake_guest_read(d->vcpus[0], gpa(g << PAGE_SHIFT), &byte, 1));
}

TEST(pages_come_and_go)
{
    struct pair p = pair_begin();
    uint64_t avail = p.w->hv->frames.avail;
    uint64_t tables = p.guest->p2m.table_pages;

    list_gfns(&p, p.guest, HOLE, 1, 300);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 300, 0, DOMID_SELF), 300);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 300);
    CHECK_EQ(avail - p.w->hv->frames.avail, 300 + p.guest->p2m.table_pages - tables);
    check_page_is_zero(&p, p.guest, HOLE);
    check_page_is_zero(&p, p.guest, HOLE + 299);

    CHECK_EQ(extents(&p, p.guest, DECREASE, 300, 0, DOMID_SELF), 300);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    check_page_is_gone(&p, p.guest, HOLE);
    check_page_is_gone(&p, p.guest, HOLE + 299);
    CHECK_EQ(avail - p.w->hv->frames.avail, p.guest->p2m.table_pages - tables);
    CHECK(mfn_is_none(p2m_lookup(p.guest, gfn(HOLE + 17), NULL, NULL)));
    /* There is nothing there any more. */
    CHECK_EQ(extents(&p, p.guest, DECREASE, 300, 0, DOMID_SELF), 0);
    pair_end(&p);
}

TEST(a_run_is_of_contiguous_frames)
{
    struct pair p = pair_begin();
    mfn_t was[8];

    /* Neighbours in the guest that got their frames one by one, the last one first. */
    for (uint64_t i = 8; i-- > 0;) {
        list_gfns(&p, p.guest, HOLE + i, 1, 1);
        CHECK_EQ(extents(&p, p.guest, POPULATE, 1, 0, DOMID_SELF), 1);
        was[i] = p2m_lookup(p.guest, gfn(HOLE + i), NULL, NULL);
    }
    list_gfns(&p, p.guest, HOLE, 1, 8);
    CHECK_EQ(extents(&p, p.guest, DECREASE, 8, 0, DOMID_SELF), 8);
    for (uint64_t i = 0; i < 8; i++) {
        CHECK(!frames_are_of(p.w->hv, was[i], 1, p.guest));
    }
    pair_end(&p);
}

TEST(scattered_pages_too)
{
    struct pair p = pair_begin();

    list_gfns(&p, p.guest, HOLE + 5000, UINT64_C(0) - 3, 100);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 100, 0, DOMID_SELF), 100);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 100);
    list_gfns(&p, p.guest, HOLE + 5000 - 99 * 3, 3, 100);
    CHECK_EQ(extents(&p, p.guest, DECREASE, 100, 0, DOMID_SELF), 100);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    pair_end(&p);
}

TEST(large_extents_are_one_block)
{
    struct pair p = pair_begin();

    list_gfns(&p, p.guest, HOLE, 512, 3);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 3, 9, DOMID_SELF), 3);
    CHECK_EQ(order_at(p.guest, HOLE + 600), 9);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 3 * 512);
    check_page_is_zero(&p, p.guest, HOLE + 3 * 512 - 1);

    /* Single pages of a block, as a balloon gives them back. */
    list_gfns(&p, p.guest, HOLE + 512 + 7, 2, 2);
    CHECK_EQ(extents(&p, p.guest, DECREASE, 2, 0, DOMID_SELF), 2);
    CHECK_EQ(order_at(p.guest, HOLE + 512 + 8), 0);
    CHECK_EQ(order_at(p.guest, HOLE + 512 + 9), 99);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 3 * 512 - 2);

    /* An extent that has holes is given back up to the first, and not counted. */
    list_gfns(&p, p.guest, HOLE, 512, 3);
    CHECK_EQ(extents(&p, p.guest, DECREASE, 3, 9, DOMID_SELF), 1);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 2 * 512 - 2 - 7);
    pair_end(&p);
}

TEST(larger_extents_than_one_step_are_not_done)
{
    struct pair p = pair_begin();

    list_gfns(&p, p.dom0, 1 << 18, 1 << 18, 1);
    for (uint32_t order = 10; order < 70; order += 4) {
        CHECK_EQ(extents(&p, p.dom0, POPULATE, 1, order, id_of(p.guest)), 0);
        CHECK_EQ(extents(&p, p.dom0, DECREASE, 1, order, id_of(p.guest)), 0);
    }
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 1, UINT32_MAX, id_of(p.guest)), 0);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    pair_end(&p);
}

TEST(what_a_page_held_is_never_seen)
{
    struct pair p = pair_begin();
    uint8_t secret[PAGE_SIZE];
    uint32_t nr = 0;

    memset(secret, 0xa5, sizeof(secret));
    list_gfns(&p, p.guest, HOLE, 1, 64);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 64, 0, DOMID_SELF), 64);
    mfn_t was = p2m_lookup(p.guest, gfn(HOLE), NULL, NULL);
    for (uint32_t i = 0; i < 64; i++) {
        put(&p, p.guest, (HOLE + i) << PAGE_SHIFT, secret, sizeof(secret));
    }
    CHECK_EQ(extents(&p, p.guest, DECREASE, 64, 0, DOMID_SELF), 64);

    list_gfns(&p, p.dom0, HOLE, 1, 64);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 64, 0, DOMID_SELF), 64);
    for (uint32_t i = 0; i < 64; i++) {
        mfn_t m = p2m_lookup(p.dom0, gfn(HOLE + i), NULL, NULL);

        nr += m.n - was.n < 64;
        check_page_is_zero(&p, p.dom0, HOLE + i);
    }
    CHECK(nr != 0); /* it did get the same frames */
    pair_end(&p);
}

TEST(the_maximum_holds)
{
    struct pair p = pair_begin();

    memory_set_max(p.guest, RAM_PAGES + 70);
    list_gfns(&p, p.dom0, HOLE, 1, 200);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 200, 0, id_of(p.guest)), 70);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 70);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 1, 0, id_of(p.guest)), 0);
    list_gfns(&p, p.dom0, HOLE + 1024, 512, 1);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 1, 9, id_of(p.guest)), 0);
    /* Lower than what it has: it keeps that. */
    memory_set_max(p.guest, 3);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 70);
    list_gfns(&p, p.dom0, HOLE, 1, 1);
    CHECK_EQ(extents(&p, p.dom0, DECREASE, 1, 0, id_of(p.guest)), 1);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 1, 0, id_of(p.guest)), 0);
    pair_end(&p);
}

TEST(why_a_list_ended_is_recorded)
{
    struct pair p = pair_begin();
    struct refusal r;

    memory_set_max(p.guest, RAM_PAGES + 1);
    list_gfns(&p, p.guest, HOLE, 1, 2);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 2, 0, DOMID_SELF), 1);
    REQUIRE(refusal_read(p.w->hv, refusal_count(p.w->hv) - 1, &r));
    CHECK_STR(r.check, "over the domain's maximum (max_mem)");
    CHECK_EQ(r.domain, p.guest->id);
    CHECK_EQ(r.value[1], RAM_PAGES + 1);
    pair_end(&p);
}

TEST(what_is_mapped_is_not_covered)
{
    struct pair p = pair_begin();

    list_gfns(&p, p.guest, RAM_GFN - 3, 1, 8);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 8, 0, DOMID_SELF), 3);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 3);
    list_gfns(&p, p.guest, UINT64_C(1) << 40, 1, 1);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 1, 0, DOMID_SELF), 0);
    list_gfns(&p, p.guest, UINT64_MAX - 1, 1, 4);
    CHECK_EQ(extents(&p, p.guest, POPULATE, 4, 0, DOMID_SELF), 0);
    CHECK_EQ(extents(&p, p.guest, DECREASE, 4, 0, DOMID_SELF), 0);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 3);
    pair_end(&p);
}

TEST(bad_reservations_change_nothing)
{
    struct pair p = pair_begin();
    struct xen_memory_reservation good = { .extent_start = LIST,
                                           .nr_extents = 1,
                                           .domid = DOMID_SELF };
    struct xen_memory_reservation r = good;
    uint64_t avail = p.w->hv->frames.avail;

    list_gfns(&p, p.guest, HOLE, 1, 1);
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t cmd = k == 0 ? POPULATE : DECREASE;

        r = good, r.extent_start = NOWHERE;
        CHECK_EQ(op(&p, p.guest, cmd, &r, sizeof(r)), -XEN_EFAULT);
        r = good, r.extent_start = UINT64_MAX - 3;
        CHECK_EQ(op(&p, p.guest, cmd, &r, sizeof(r)), -XEN_EFAULT);
        r = good, r.nr_extents = UINT64_MAX;
        CHECK_EQ(op(&p, p.guest, cmd, &r, sizeof(r)), -XEN_EINVAL);
        r = good, r.nr_extents = 0;
        CHECK_EQ(op(&p, p.guest, cmd, &r, sizeof(r)), 0);
        r = good, r.domid = id_of(p.dom0);
        CHECK_EQ(op(&p, p.guest, cmd, &r, sizeof(r)), -XEN_EPERM);
        r = good, r.domid = 999;
        CHECK_EQ(op(&p, p.guest, cmd, &r, sizeof(r)), -XEN_EPERM);
        put(&p, p.dom0, LIST, &(uint64_t){ HOLE }, 8);
        CHECK_EQ(op(&p, p.dom0, cmd, &r, sizeof(r)), -XEN_ESRCH);
        /* It goes on behind its end. */
        CHECK_EQ(op(&p, p.guest, cmd | 2 << MEMOP_EXTENT_SHIFT, &good, sizeof(good)), -XEN_EINVAL);
        CHECK_EQ(op(&p, p.guest, cmd | 1 << MEMOP_EXTENT_SHIFT, &good, sizeof(good)), 1);
    }
    CHECK_EQ(op(&p, p.guest, XENMEM_increase_reservation, &good, sizeof(good)), 0);
    r = good, r.domid = id_of(p.dom0);
    CHECK_EQ(op(&p, p.guest, XENMEM_increase_reservation, &r, sizeof(r)), -XEN_EPERM);
    CHECK_EQ(p.w->hv->frames.avail, avail);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    pair_end(&p);
}

TEST(flags_that_cannot_be_met_get_nothing)
{
    struct pair p = pair_begin();
    static const uint32_t none[] = { XENMEMF_populate_on_demand, 30,
                                     XENMEMF_exact_node_request | 2u << 8 };
    static const uint32_t all[] = {
        31, 40, 64, 255, 1u << 8, XENMEMF_exact_node_request | 1u << 8, XENMEMF_vnode, 5u << 8
    };
    struct xen_memory_reservation r = { .extent_start = LIST,
                                        .nr_extents = 1,
                                        .domid = DOMID_SELF };

    for (uint32_t i = 0; i < ARRAY_SIZE(none); i++) {
        list_gfns(&p, p.guest, HOLE, 1, 1);
        r.mem_flags = none[i];
        CHECK_EQ(op(&p, p.guest, POPULATE, &r, sizeof(r)), 0);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        list_gfns(&p, p.guest, HOLE + i, 1, 1);
        r.mem_flags = all[i];
        CHECK_EQ(op(&p, p.guest, POPULATE, &r, sizeof(r)), 1);
    }
    pair_end(&p);
}

TEST(a_list_is_readable_in_part)
{
    struct pair p = pair_begin();
    uint64_t end = DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER);
    struct xen_memory_reservation r = { .nr_extents = 100, .domid = DOMID_SELF };

    r.extent_start = end - 80 * 8;
    for (uint64_t i = 0; i < 80; i++) {
        put(&p, p.guest, r.extent_start + i * 8, &(uint64_t){ HOLE + i }, 8);
    }
    /* The first step is done, the second cannot read its part. */
    CHECK_EQ(op(&p, p.guest, POPULATE, &r, sizeof(r)), 64);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 64);
    pair_end(&p);
}

TEST(counts_are_told)
{
    struct pair p = pair_begin();
    struct xen_memory_domain self = { DOMID_SELF }, other = { id_of(p.guest) }, none = { 999 };

    CHECK_EQ(op(&p, p.guest, XENMEM_current_reservation, &self, sizeof(self)), RAM_PAGES);
    CHECK_EQ(op(&p, p.guest, XENMEM_maximum_reservation, &self, sizeof(self)), 4096);
    CHECK_EQ(op(&p, p.guest, XENMEM_maximum_gpfn, &self, sizeof(self)), RAM_GFN + RAM_PAGES - 1);
    CHECK_EQ(op(&p, p.dom0, XENMEM_current_reservation, &other, sizeof(other)), RAM_PAGES);
    memory_set_max(p.guest, UINT64_MAX);
    CHECK_EQ(op(&p, p.dom0, XENMEM_maximum_reservation, &other, sizeof(other)), UINT32_MAX);
    other.domid = id_of(p.dom0);
    for (uint32_t cmd = XENMEM_current_reservation; cmd <= XENMEM_maximum_gpfn;
         cmd += cmd == XENMEM_maximum_reservation ? 10 : 1) {
        CHECK_EQ(op(&p, p.guest, cmd, &other, sizeof(other)), -XEN_EPERM);
        CHECK_EQ(op(&p, p.dom0, cmd, &none, sizeof(none)), -XEN_ESRCH);
        CHECK_EQ(op(&p, p.guest, cmd | 1 << MEMOP_EXTENT_SHIFT, &self, sizeof(self)), -XEN_EINVAL);
    }
    CHECK_EQ(op(&p, p.guest, XENMEM_get_sharing_freed_pages, &self, 1), 0);
    CHECK_EQ(op(&p, p.guest, XENMEM_get_sharing_shared_pages, &self, 1), 0);
    CHECK_EQ(op(&p, p.guest, XENMEM_maximum_ram_page, &self, 1),
             (FAKE_RAM_BASE + 64 * MIB) >> PAGE_SHIFT);
    pair_end(&p);
}

TEST(answers_of_what_there_is_none_of)
{
    struct pair p = pair_begin();
    struct xen_memory_exchange exchange = { 0 };
    struct xen_vnuma_topology_info vnuma = { .domid = DOMID_SELF };
    struct xen_reserved_device_memory_map map = { .nr_entries = 5, .flags = XENMEM_RDM_ALL };

    CHECK_EQ(op(&p, p.guest, XENMEM_exchange, &exchange, sizeof(exchange)), -XEN_EOPNOTSUPP);
    CHECK_EQ(op(&p, p.guest, XENMEM_get_vnumainfo, &vnuma, sizeof(vnuma)), -XEN_EOPNOTSUPP);
    vnuma.pad = 1;
    CHECK_EQ(op(&p, p.guest, XENMEM_get_vnumainfo, &vnuma, sizeof(vnuma)), -XEN_EINVAL);
    vnuma = (struct xen_vnuma_topology_info){ .domid = id_of(p.dom0) };
    CHECK_EQ(op(&p, p.guest, XENMEM_get_vnumainfo, &vnuma, sizeof(vnuma)), -XEN_EPERM);
    CHECK_EQ(op(&p, p.dom0, XENMEM_reserved_device_memory_map, &map, sizeof(map)), 0);
    get(&p, p.dom0, ARG, &map, sizeof(map));
    CHECK_EQ(map.nr_entries, 0);
    map.flags = 2;
    CHECK_EQ(op(&p, p.dom0, XENMEM_reserved_device_memory_map, &map, sizeof(map)), -XEN_EINVAL);
    for (uint32_t cmd = 0; cmd < 64; cmd++) {
        static const uint64_t rows = 0x1d8cc8df;

        if (cmd >= 29 || (rows >> cmd & 1) == 0) {
            CHECK_EQ(op(&p, p.dom0, cmd, &map, sizeof(map)), -XEN_ENOSYS);
        }
    }
    pair_end(&p);
}

static int64_t claim(struct pair *p, struct domain *caller, uint64_t pages)
{
    struct xen_memory_reservation r = { .nr_extents = pages, .domid = id_of(p->guest) };

    return op(p, caller, XENMEM_claim_pages, &r, sizeof(r));
}

TEST(a_claim_keeps_memory_free)
{
    struct pair p = pair_begin();
    struct hv *hv = p.w->hv;
    uint64_t most = hv->frames.avail;

    memory_set_max(p.guest, UINT64_MAX);
    CHECK_EQ(claim(&p, p.guest, 100), -XEN_EPERM);
    CHECK_EQ(claim(&p, p.dom0, RAM_PAGES), -XEN_EINVAL);
    CHECK_EQ(claim(&p, p.dom0, RAM_PAGES + most + 1), -XEN_ENOMEM);
    CHECK_EQ(claim(&p, p.dom0, UINT64_MAX), -XEN_ENOMEM);
    CHECK_EQ(memory_claimed(hv), 0);
    /* All but 20 frames. */
    CHECK_EQ(claim(&p, p.dom0, RAM_PAGES + most - 20), 0);
    CHECK_EQ(memory_claimed(hv), most - 20);
    CHECK_EQ(claim(&p, p.dom0, RAM_PAGES + 5), -XEN_EINVAL);

    /* Others get the rest, of which page tables take some. */
    list_gfns(&p, p.dom0, HOLE, 1, 200);
    int64_t got = extents(&p, p.dom0, POPULATE, 200, 0, DOMID_SELF);
    CHECK(got > 0 && got <= 20);
    CHECK_EQ(hv->frames.avail - memory_claimed(hv), 0);
    /* What it gets counts down. */
    uint64_t claimed = memory_claimed(hv);
    list_gfns(&p, p.dom0, HOLE, 1, 200);
    CHECK_EQ(extents(&p, p.dom0, DECREASE, 10, 0, DOMID_SELF), 10);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 200, 0, id_of(p.guest)), 200);
    CHECK_EQ(memory_claimed(hv), claimed - 200);
    CHECK_EQ(p.guest->claim, claimed - 200);
    /* Given back it does not count up again. */
    CHECK_EQ(extents(&p, p.dom0, DECREASE, 200, 0, id_of(p.guest)), 200);
    CHECK_EQ(memory_claimed(hv), claimed - 200);
    CHECK_EQ(claim(&p, p.dom0, 0), 0);
    CHECK_EQ(memory_claimed(hv), 0);
    CHECK_EQ(claim(&p, p.dom0, 0), 0);
    pair_end(&p);
}

TEST(a_claim_ends)
{
    struct pair p = pair_begin();
    struct xen_memory_reservation r = { .nr_extents = 100, .domid = id_of(p.guest) };

    CHECK_EQ(claim(&p, p.dom0, 4097), -XEN_EINVAL); /* over its maximum */
    CHECK_EQ(claim(&p, p.dom0, RAM_PAGES + 10), 0);
    /* By more than was claimed. */
    list_gfns(&p, p.dom0, HOLE, 1, 30);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 30, 0, id_of(p.guest)), 30);
    CHECK_EQ(memory_claimed(p.w->hv), 0);
    r.extent_order = 1;
    CHECK_EQ(op(&p, p.dom0, XENMEM_claim_pages, &r, sizeof(r)), -XEN_EINVAL);
    r.extent_order = 0, r.mem_flags = 1;
    CHECK_EQ(op(&p, p.dom0, XENMEM_claim_pages, &r, sizeof(r)), -XEN_EINVAL);
    r.mem_flags = 0, r.extent_start = 1;
    CHECK_EQ(op(&p, p.dom0, XENMEM_claim_pages, &r, sizeof(r)), -XEN_EINVAL);
    /* With its domain. */
    CHECK_EQ(claim(&p, p.dom0, RAM_PAGES + 100), 0);
    dom_destroy(p.w, p.guest);
    CHECK_EQ(memory_claimed(p.w->hv), 0);
    p.guest = NULL;
    pair_end(&p);
}

TEST(page_tables_have_a_limit)
{
    struct pair p = pair_begin();
    uint64_t used = p.guest->p2m.table_pages;

    CHECK_EQ(memory_pool(p.dom0), UINT64_MAX);
    /* By default, 1 MiB for a vCPU and 8 KiB for each MiB of RAM. */
    CHECK_EQ(memory_pool(p.guest), (256 + 2 * 17) << PAGE_SHIFT);
    CHECK_EQ(memory_set_pool(p.guest, PAGE_SIZE + 1), -XEN_EINVAL);
    CHECK_EQ(memory_set_pool(p.guest, (used - 1) << PAGE_SHIFT), -XEN_ENOMEM);
    CHECK_EQ(memory_set_pool(p.guest, (used + 6) << PAGE_SHIFT), 0);
    memory_set_max(p.guest, 5000); /* changes it no more */
    CHECK_EQ(memory_pool(p.guest), (used + 6) << PAGE_SHIFT);

    /* Each page needs tables of its own, and at some point there is none to be had. */
    list_gfns(&p, p.guest, HOLE, 1 << 18, 20);
    int64_t got = extents(&p, p.guest, POPULATE, 20, 0, DOMID_SELF);
    CHECK(got >= 2 && got <= 6);
    CHECK(p.guest->p2m.table_pages <= used + 6);
    CHECK_EQ(p.guest->pages, RAM_PAGES + (uint64_t)got);
    pair_end(&p);
}

/* A direct-mapped domain with `pages` frames. */
static struct domain *direct_create(struct pair *p, uint64_t pages, mfn_t *m)
{
    struct domain_config c = { .vcpus_max = 1,
                               .nr_spis = DOM_SPIS,
                               .weight = 256,
                               .name = "direct",
                               .enhanced = true,
                               .direct_map = true };
    struct domain *d;

    CHECK_EQ(domain_create(p->w->hv, &c, &d), 0);
    *m = frame_alloc_pages(p->w->hv, pages, FRAME_ALLOC_ZERO);
    for (uint64_t i = 0; i < pages; i++) {
        frame_assign(p->w->hv, mfn_add(*m, i), 0, d);
    }
    d->pages = pages;
    memory_set_max(d, pages);
    CHECK_EQ(p2m_map(d, gfn(m->n), *m, pages, P2M_RAM_RW), 0);
    return d;
}

TEST(a_direct_map_keeps_its_frames)
{
    struct pair p = pair_begin();
    mfn_t m;
    struct domain *d = direct_create(&p, 100, &m);
    uint64_t avail = p.w->hv->frames.avail;

    list_gfns(&p, p.dom0, m.n, 1, 80);
    CHECK_EQ(extents(&p, p.dom0, DECREASE, 80, 0, id_of(d)), 80);
    CHECK_EQ(d->pages, 100);
    CHECK_EQ(p.w->hv->frames.avail, avail);
    CHECK(mfn_is_none(p2m_lookup(d, gfn(m.n + 79), NULL, NULL)));
    /* They come back to their place and nowhere else. */
    list_gfns(&p, p.dom0, m.n, 1, 30);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 30, 0, id_of(d)), 30);
    CHECK(mfn_eq(p2m_lookup(d, gfn(m.n + 7), NULL, NULL), mfn_add(m, 7)));
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 30, 0, id_of(d)), 0);
    list_gfns(&p, p.dom0, m.n + 99, 1, 3);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 3, 0, id_of(d)), 0);
    list_gfns(&p, p.dom0, p2m_lookup(p.guest, gfn(RAM_GFN), NULL, NULL).n, 1, 3);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 3, 0, id_of(d)), 0);
    list_gfns(&p, p.dom0, UINT64_MAX - 1, 1, 4);
    CHECK_EQ(extents(&p, p.dom0, POPULATE, 4, 0, id_of(d)), 0);
    CHECK_EQ(d->pages, 100);
    /* The teardown finds those that are out of the map. */
    dom_destroy(p.w, d);
    pair_end(&p);
}

TEST_ALLOC(memory_that_is_short_leaves_nothing_behind)
{
    struct pair p = pair_begin();

    list_gfns(&p, p.guest, HOLE, 513, 10);
    world_inject(p.w, true);
    int64_t got = extents(&p, p.guest, POPULATE, 10, 0, DOMID_SELF);
    CHECK(got == 10 || (unit_injected() && got >= 0 && got < 10));
    CHECK_EQ(p.guest->pages, RAM_PAGES + (uint64_t)got);
    int64_t back = extents(&p, p.guest, DECREASE, (uint64_t)got, 0, DOMID_SELF);
    CHECK_EQ(back, got);
    list_gfns(&p, p.guest, HOLE + 8192, 512, 2);
    got = extents(&p, p.guest, POPULATE, 2, 9, DOMID_SELF);
    CHECK(got == 2 || unit_injected());
    CHECK_EQ(p.guest->pages, RAM_PAGES + (uint64_t)got * 512);
    list_gfns(&p, p.guest, HOLE + 8192 + 100, 1, 1);
    back = extents(&p, p.guest, DECREASE, 1, 0, DOMID_SELF);
    CHECK(back == 1 || (unit_injected() && back == 0));
    CHECK_EQ(p.guest->pages, RAM_PAGES + (uint64_t)got * 512 - (uint64_t)back);
    pair_end(&p);
}

/* Another CPU populates in between: both together stay within the maximum. */
static struct domain *raced;

static bool populate_elsewhere(void)
{
    struct domain *d = raced;

    raced = NULL;
    if (d != NULL) {
        CHECK_EQ(memory_populate(d, gfn(HOLE + 0x1000), 5), -XEN_ENOMEM);
        CHECK_EQ(memory_populate(d, gfn(HOLE + 0x1000), 4), 0);
    }
    return false;
}

TEST(two_cpus_stay_within_the_maximum)
{
    struct pair p = pair_begin();

    memory_set_max(p.guest, RAM_PAGES + 12);
    list_gfns(&p, p.guest, HOLE, 1, 8);
    raced = p.guest;
    p.w->hv->frames.alloc_fails = populate_elsewhere;
    CHECK_EQ(extents(&p, p.guest, POPULATE, 8, 0, DOMID_SELF), 8);
    CHECK(raced == NULL);
    CHECK_EQ(p.guest->pages, RAM_PAGES + 12);
    pair_end(&p);
}
