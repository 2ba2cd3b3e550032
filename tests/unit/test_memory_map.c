/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what a domain maps beside its RAM: frames that the hypervisor shares with it, other
 * domains' pages, their grant tables, devices. References are followed throughout.
 */
#include <loam/evtchn.h>
#include <loam/gnttab.h>
#include <loam/refusal.h>

#include "memory.h"

#define FOREIGN XENMAPSPACE_gmfn_foreign

static mfn_t at(struct domain *d, uint64_t g, enum p2m_type *type)
{
    *type = P2M_INVALID;
    return p2m_lookup(d, gfn(g), type, NULL);
}

TEST(a_page_of_another_domain_is_seen_and_let_go)
{
    struct pair p = pair_begin();
    uint64_t word = 0x1234567890, seen = 0;
    enum p2m_type type;

    put(&p, p.guest, DOM_RAM + 5 * PAGE_SIZE + 8, &word, sizeof(word));
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN + 5, HOLE), 0);
    mfn_t m = at(p.dom0, HOLE, &type);
    CHECK_EQ(type, P2M_FOREIGN_RW);
    CHECK_EQ(frame_refs(&p, m), 1);
    get(&p, p.dom0, (HOLE << PAGE_SHIFT) + 8, &seen, sizeof(seen));
    CHECK_EQ(seen, word);
    word = 99;
    put(&p, p.dom0, (HOLE << PAGE_SHIFT) + 8, &word, sizeof(word));
    get(&p, p.guest, DOM_RAM + 5 * PAGE_SIZE + 8, &seen, sizeof(seen));
    CHECK_EQ(seen, 99);
    CHECK_EQ(p.dom0->pages, RAM_PAGES);

    CHECK_EQ(remove_one(&p, p.dom0, HOLE), 0);
    CHECK_EQ(frame_refs(&p, m), 0);
    CHECK(mfn_is_none(at(p.dom0, HOLE, &type)));
    CHECK_EQ(remove_one(&p, p.dom0, HOLE), -XEN_ENOENT);
    pair_end(&p);
}

TEST(what_is_read_only_there_is_read_only_here)
{
    struct pair p = pair_begin();
    enum p2m_type type;
    uint64_t word = 5;
    mfn_t m = at(p.guest, RAM_GFN + 5, &type);

    CHECK_EQ(p2m_unmap(p.guest, gfn(RAM_GFN + 5), 1), 0);
    CHECK_EQ(p2m_map(p.guest, gfn(RAM_GFN + 5), m, 1, P2M_RAM_RO), 0);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN + 5, HOLE), 0);
    at(p.dom0, HOLE, &type);
    CHECK_EQ(type, P2M_FOREIGN_RO);
    world_cpu(p.w, 0);
    CHECK(!fake_guest_write(p.dom0->vcpus[0], gpa(HOLE << PAGE_SHIFT), &word, sizeof(word)));
    CHECK(fake_guest_read(p.dom0->vcpus[0], gpa(HOLE << PAGE_SHIFT), &word, sizeof(word)));
    pair_end(&p);
}

TEST(a_domain_ends_while_others_map_its_pages)
{
    struct pair p = pair_begin();
    uint64_t word = 0x77, seen = 0;

    put(&p, p.guest, DOM_RAM + 5 * PAGE_SIZE, &word, sizeof(word));
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN + 5, HOLE), 0);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN + 5, HOLE + 1), 0);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN + 6, HOLE + 2), 0);
    dom_destroy(p.w, p.guest);
    p.guest = NULL;
    uint64_t avail = p.w->hv->frames.avail;
    /* Nobody else gets it, its mappings stay good. */
    list_gfns(&p, p.dom0, HOLE + 0x100, 1, 2);
    CHECK_EQ(extents(&p, p.dom0, XENMEM_populate_physmap, 2, 0, DOMID_SELF), 2);
    get(&p, p.dom0, (HOLE + 1) << PAGE_SHIFT, &seen, sizeof(seen));
    CHECK_EQ(seen, word);
    CHECK_EQ(extents(&p, p.dom0, XENMEM_decrease_reservation, 2, 0, DOMID_SELF), 2);
    CHECK_EQ(remove_one(&p, p.dom0, HOLE), 0);
    CHECK_EQ(p.w->hv->frames.avail, avail);
    CHECK_EQ(remove_one(&p, p.dom0, HOLE + 1), 0);
    CHECK_EQ(p.w->hv->frames.avail, avail + 1);
    /* The last one goes with the domain that maps it. */
    pair_end(&p);
}

TEST(foreign_pages_are_for_a_control_domain)
{
    struct pair p = pair_begin();
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = FOREIGN, .gpfn = HOLE };

    CHECK_EQ(map_batch(&p, p.guest, FOREIGN, id_of(p.dom0), RAM_GFN, HOLE), -XEN_EPERM);
    CHECK_EQ(map_batch(&p, p.guest, FOREIGN, 999, RAM_GFN, HOLE), -XEN_EPERM);
    CHECK_EQ(map_batch(&p, p.guest, FOREIGN, DOMID_SELF, RAM_GFN, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, DOMID_SELF, RAM_GFN, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.dom0), RAM_GFN, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, 999, RAM_GFN, HOLE), -XEN_ESRCH);
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap, &a, sizeof(a)), -XEN_ENOSYS);
    /* Nor does a control domain put others' pages into a domain that is none. */
    struct xen_add_to_physmap_batch b = { .domid = id_of(p.guest), .space = FOREIGN, .size = 1,
                                          .u.foreign_domid = id_of(p.dom0), .idxs = LIST,
                                          .gpfns = LIST2, .errs = LIST3 };
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &b, sizeof(b)), -XEN_EPERM);
    CHECK_EQ(order_at(p.dom0, HOLE), 99);
    CHECK_EQ(order_at(p.guest, HOLE), 99);
    CHECK_EQ(p.guest->refs, 1);
    CHECK_EQ(p.dom0->refs, 1);
    pair_end(&p);
}

TEST(a_page_that_is_not_there_is_told_per_page)
{
    struct pair p = pair_begin();
    struct refusal r;

    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), HOLE, HOLE), -XEN_EINVAL);
    REQUIRE(refusal_read(p.w->hv, refusal_count(p.w->hv) - 1, &r));
    CHECK_STR(r.check, "no memory of the other domain is there");
    CHECK_EQ(r.value[0], HOLE);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), UINT64_MAX, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN, UINT64_C(1) << 28),
             -XEN_EINVAL);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN, UINT64_MAX), -XEN_EINVAL);
    /* What it maps of others itself is not its own to give. */
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN, HOLE), 0);
    CHECK_EQ(p2m_map(p.guest, gfn(HOLE), mfn(0x9000), 1, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), HOLE, HOLE + 1), -XEN_EINVAL);
    /* Nor is a device covered. */
    CHECK_EQ(p2m_map(p.dom0, gfn(HOLE + 9), mfn(0x9000), 1, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN, HOLE + 9), -XEN_EBUSY);
    CHECK_EQ(remove_one(&p, p.dom0, HOLE + 9), -XEN_ENOENT);
    pair_end(&p);
}

TEST(a_long_batch_goes_on)
{
    struct pair p = pair_begin();
    struct xen_add_to_physmap_batch a = { .domid = DOMID_SELF,
                                          .space = FOREIGN,
                                          .size = 50,
                                          .u.foreign_domid = id_of(p.guest),
                                          .idxs = LIST,
                                          .gpfns = LIST2,
                                          .errs = LIST3 };
    int32_t err[50];

    for (uint64_t i = 0; i < 50; i++) {
        /* Each 17th is a hole. */
        put(&p, p.dom0, LIST + i * 8, &(uint64_t){ RAM_GFN + i % 17 }, 8);
        put(&p, p.dom0, LIST2 + i * 8, &(uint64_t){ HOLE + i }, 8);
    }
    memset(err, 0x5a, sizeof(err));
    put(&p, p.dom0, LIST3, err, sizeof(err));
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &a, sizeof(a)), 0);
    get(&p, p.dom0, LIST3, err, sizeof(err));
    for (uint64_t i = 0; i < 50; i++) {
        CHECK_EQ(err[i], i % 17 == 16 ? -XEN_EINVAL : 0);
        CHECK_EQ(order_at(p.dom0, HOLE + i), i % 17 == 16 ? 99 : 0);
    }
    a.size = 0;
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &a, sizeof(a)), 0);
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch | 1 << MEMOP_EXTENT_SHIFT, &a, sizeof(a)),
             -XEN_EILSEQ);
    pair_end(&p);
}

TEST(lists_that_cannot_be_used_map_nothing)
{
    struct pair p = pair_begin();
    struct xen_add_to_physmap_batch good = { .domid = DOMID_SELF,
                                             .space = FOREIGN,
                                             .size = 3,
                                             .u.foreign_domid = id_of(p.guest),
                                             .idxs = LIST,
                                             .gpfns = LIST2,
                                             .errs = LIST3 };
    struct xen_add_to_physmap_batch a;
    gfn_t ro = gpa_to_gfn(gpa(LIST3));
    mfn_t m = p2m_lookup(p.dom0, ro, NULL, NULL);

    for (uint64_t i = 0; i < 3; i++) {
        put(&p, p.dom0, LIST + i * 8, &(uint64_t){ RAM_GFN + i }, 8);
        put(&p, p.dom0, LIST2 + i * 8, &(uint64_t){ HOLE + i }, 8);
    }
    a = good, a.idxs = NOWHERE;
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &a, sizeof(a)), -XEN_EFAULT);
    a = good, a.gpfns = UINT64_MAX - 7;
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &a, sizeof(a)), -XEN_EFAULT);
    a = good, a.errs = 0;
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &a, sizeof(a)), -XEN_EFAULT);
    CHECK_EQ(p2m_unmap(p.dom0, ro, 1), 0);
    CHECK_EQ(p2m_map(p.dom0, ro, m, 1, P2M_RAM_RO), 0);
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap_batch, &good, sizeof(good)), -XEN_EFAULT);
    for (uint64_t i = 0; i < 3; i++) {
        CHECK_EQ(order_at(p.dom0, HOLE + i), 99);
    }
    pair_end(&p);
}

TEST(ram_that_is_covered_goes_back)
{
    struct pair p = pair_begin();
    uint64_t avail = p.w->hv->frames.avail;
    enum p2m_type type;
    uint64_t flag = 0;

    /* As kernels do it with shared_info, over a page of theirs. */
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_shared_info, 0, RAM_GFN + 9), 0);
    CHECK(mfn_eq(at(p.guest, RAM_GFN + 9, &type), evtchn_shared_info(p.guest)));
    CHECK_EQ(type, P2M_SHARED);
    CHECK_EQ(p.guest->pages, RAM_PAGES - 1);
    CHECK_EQ(p.w->hv->frames.avail, avail + 1);
    get(&p, p.guest, DOM_RAM + 9 * PAGE_SIZE, &flag, sizeof(flag));
    CHECK_EQ(flag, 0);
    /* A second time elsewhere (kexec), and the first is taken out. */
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_shared_info, 0, HOLE), 0);
    CHECK_EQ(remove_one(&p, p.guest, RAM_GFN + 9), 0);
    CHECK_EQ(order_at(p.guest, RAM_GFN + 9), 99);
    list_gfns(&p, p.guest, RAM_GFN + 9, 1, 1);
    CHECK_EQ(extents(&p, p.guest, XENMEM_populate_physmap, 1, 0, DOMID_SELF), 1);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    /* RAM that is removed goes back as well. */
    CHECK_EQ(remove_one(&p, p.guest, RAM_GFN + 9), 0);
    CHECK_EQ(p.guest->pages, RAM_PAGES - 1);
    pair_end(&p);
}

TEST(spaces_that_are_not_are_refused)
{
    struct pair p = pair_begin();
    static const uint32_t none[] = { XENMAPSPACE_gmfn, XENMAPSPACE_gmfn_range, 6, 99, UINT16_MAX };
    struct xen_add_to_physmap a = { .domid = id_of(p.dom0),
                                    .space = XENMAPSPACE_shared_info,
                                    .gpfn = HOLE };
    struct xen_remove_from_physmap r = { .domid = id_of(p.dom0), .gpfn = RAM_GFN };

    for (uint32_t i = 0; i < ARRAY_SIZE(none); i++) {
        CHECK_EQ(map_one(&p, p.guest, none[i], 0, HOLE), -XEN_ENOSYS);
        CHECK_EQ(map_batch(&p, p.guest, (uint16_t)none[i], 0, 0, HOLE), -XEN_ENOSYS);
    }
    CHECK_EQ(map_one(&p, p.guest, UINT32_MAX, 0, HOLE), -XEN_ENOSYS);
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_shared_info, 1, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_batch(&p, p.guest, XENMAPSPACE_shared_info, 1, 0, HOLE), -XEN_EOPNOTSUPP);
    CHECK_EQ(map_batch(&p, p.guest, XENMAPSPACE_shared_info, 0, 0, HOLE), 0);
    CHECK_EQ(op(&p, p.guest, XENMEM_add_to_physmap, &a, sizeof(a)), -XEN_EPERM);
    CHECK_EQ(op(&p, p.guest, XENMEM_remove_from_physmap, &r, sizeof(r)), -XEN_EPERM);
    a.domid = r.domid = 999;
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap, &a, sizeof(a)), -XEN_ESRCH);
    CHECK_EQ(op(&p, p.dom0, XENMEM_remove_from_physmap, &r, sizeof(r)), -XEN_ESRCH);
    a.domid = r.domid = DOMID_SELF;
    CHECK_EQ(op(&p, p.dom0, XENMEM_add_to_physmap | 64, &a, sizeof(a)), -XEN_EINVAL);
    CHECK_EQ(op(&p, p.dom0, XENMEM_remove_from_physmap | 64, &r, sizeof(r)), -XEN_EINVAL);
    r.gpfn = UINT64_MAX;
    CHECK_EQ(op(&p, p.dom0, XENMEM_remove_from_physmap, &r, sizeof(r)), -XEN_ENOENT);
    pair_end(&p);
}

TEST(frames_of_the_grant_table)
{
    struct pair p = pair_begin();
    enum p2m_type type;
    mfn_t m;

    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_grant_table, 1, HOLE + 1), 0);
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_grant_table, 0, HOLE), 0);
    CHECK_EQ(gnttab_frame(p.guest, 1, false, false, &m), 0);
    CHECK(mfn_eq(at(p.guest, HOLE + 1, &type), m));
    CHECK_EQ(type, P2M_SHARED);
    uint32_t refs = frame_refs(&p, m);
    CHECK_EQ(remove_one(&p, p.guest, HOLE + 1), 0);
    CHECK_EQ(frame_refs(&p, m), refs - 1);
    frame_put(p.w->hv, m);
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_grant_table, 100000, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_grant_table, UINT64_C(1) << 32, HOLE), -XEN_EINVAL);
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, HOLE),
             -XEN_EINVAL); /* version 1 */
    pair_end(&p);
}

static int64_t acquire(struct pair *p, struct domain *d, struct xen_mem_acquire_resource *a)
{
    int64_t rc = op(p, d, XENMEM_acquire_resource, a, sizeof(*a));

    get(p, d, ARG, a, sizeof(*a));
    return rc;
}

TEST(the_grant_table_of_another_domain)
{
    struct pair p = pair_begin();
    struct xen_mem_acquire_resource good = { .domid = id_of(p.guest),
                                             .frame_list = LIST,
                                             .type = XENMEM_resource_grant_table,
                                             .nr_frames = 2 };
    struct xen_mem_acquire_resource a = good;
    enum p2m_type type;
    mfn_t m;

    list_gfns(&p, p.dom0, HOLE, 1, 60);
    CHECK_EQ(acquire(&p, p.dom0, &a), 0);
    CHECK_EQ(a.nr_frames, 2);
    CHECK_EQ(gnttab_frame(p.guest, 1, false, false, &m), 0);
    CHECK(mfn_eq(at(p.dom0, HOLE + 1, &type), m));
    frame_put(p.w->hv, m);
    /* Its size. */
    a = good, a.nr_frames = 0, a.frame_list = 0;
    CHECK_EQ(acquire(&p, p.dom0, &a), 0);
    CHECK_EQ(a.nr_frames, GNTTAB_FRAMES_DEFAULT);
    a = good, a.frame_list = 0;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    /* Many, from the second on; each step goes on. */
    a = good, a.frame = 1, a.nr_frames = 60;
    CHECK_EQ(acquire(&p, p.dom0, &a), 0);
    CHECK_EQ(order_at(p.dom0, HOLE + 59), 0);
    CHECK(mfn_eq(at(p.dom0, HOLE, &type), m));
    /* Over the end: part of it is mapped, and the ABI says so. */
    a = good, a.frame = GNTTAB_FRAMES_DEFAULT - 1;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EIO);
    a = good, a.frame = GNTTAB_FRAMES_DEFAULT;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    /* It outlives its domain, as long as it is mapped. */
    dom_destroy(p.w, p.guest);
    p.guest = NULL;
    CHECK_EQ(remove_one(&p, p.dom0, HOLE), 0);
    CHECK_EQ(acquire(&p, p.dom0, &good), -XEN_ESRCH);
    pair_end(&p);
}

TEST(resources_that_are_not_are_refused)
{
    struct pair p = pair_begin();
    struct xen_mem_acquire_resource good = { .domid = id_of(p.guest),
                                             .frame_list = LIST,
                                             .type = XENMEM_resource_grant_table,
                                             .nr_frames = 2 };
    struct xen_mem_acquire_resource a = good;

    list_gfns(&p, p.dom0, HOLE, 1, 2);
    list_gfns(&p, p.guest, HOLE, 1, 2);
    a.domid = id_of(p.dom0);
    CHECK_EQ(acquire(&p, p.guest, &a), -XEN_EPERM);
    a.domid = DOMID_SELF;
    CHECK_EQ(acquire(&p, p.guest, &a), -XEN_EPERM);
    a = good, a.domid = DOMID_SELF;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EPERM);
    a = good, a.domid = 999;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_ESRCH);
    a = good, a.pad = 1;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    a = good, a.id = 2;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    a = good, a.id = XENMEM_resource_grant_table_id_status;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    a = good, a.type = XENMEM_resource_ioreq_server;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    a = good, a.type = 3;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EOPNOTSUPP);
    a = good, a.frame = UINT32_MAX;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    a = good, a.frame = UINT64_MAX;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EINVAL);
    a = good, a.frame_list = NOWHERE;
    CHECK_EQ(acquire(&p, p.dom0, &a), -XEN_EFAULT);
    CHECK_EQ(order_at(p.dom0, HOLE), 99);
    pair_end(&p);
}

TEST(a_device_is_mapped_again_by_who_has_it)
{
    struct pair p = pair_begin();
    enum p2m_type type;

    CHECK_EQ(map_one(&p, p.dom0, XENMAPSPACE_dev_mmio, 0x9000, HOLE), -XEN_EPERM);
    CHECK_EQ(p2m_map(p.dom0, gfn(0x9000), mfn(0x9000), 1, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(map_one(&p, p.dom0, XENMAPSPACE_dev_mmio, 0x9000, 0x9000), 0);
    CHECK_EQ(map_one(&p, p.dom0, XENMAPSPACE_dev_mmio, 0x9000, HOLE), 0);
    CHECK_EQ(map_one(&p, p.dom0, XENMAPSPACE_dev_mmio, 0x9000, HOLE), 0);
    CHECK_EQ(at(p.dom0, HOLE, &type).n, 0x9000);
    CHECK_EQ(type, P2M_MMIO_DIRECT);
    /* RAM at its own address is no device. */
    CHECK_EQ(map_one(&p, p.dom0, XENMAPSPACE_dev_mmio, RAM_GFN, HOLE + 1), -XEN_EPERM);
    CHECK_EQ(map_one(&p, p.guest, XENMAPSPACE_dev_mmio, 0x9000, HOLE), -XEN_EACCES);
    CHECK_EQ(map_one(&p, p.dom0, XENMAPSPACE_dev_mmio, 0x9000, UINT64_MAX), -XEN_EINVAL);
    pair_end(&p);
}

TEST_ALLOC(mappings_when_memory_is_short)
{
    struct pair p = pair_begin();

    world_inject(p.w, true);
    for (uint64_t i = 0; i < 3; i++) {
        int32_t rc = map_batch(&p, p.dom0, FOREIGN, id_of(p.guest), RAM_GFN + i, HOLE + (i << 18));

        CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    }
    int64_t rc = map_one(&p, p.guest, XENMAPSPACE_grant_table, 3, HOLE);
    CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    rc = map_one(&p, p.guest, XENMAPSPACE_shared_info, 0, HOLE + 512);
    CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    pair_end(&p);
}
