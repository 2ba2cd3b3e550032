/* SPDX-License-Identifier: MIT */
/* ipc/gnttab_map.c: map and unmap by hypercalls of three domains, arrays, the end of domains. */
#include "grant_invariants.h"
#include "grants.h"

/* --- Map and unmap --------------------------------------------------------------- */

TEST(a_grant_is_mapped_and_unmapped)
{
    struct grants g = g_begin();
    struct grant_entry_v1 *e = g_v1(&g, 0, 20);

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    mfn_t m = p2m_lookup(g.d[0], gfn(G_GFN(5)), NULL, NULL);
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(a.dev_bus_addr, mfn_to_hpa(m).a);
    CHECK_EQ(e->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW + 7), g_byte(0, 5));
    CHECK(g_poke(&g, 1, G_WINDOW + 7, 0xee));
    CHECK_EQ(g_peek(&g, 0, DOM_RAM + 5 * PAGE_SIZE + 7), 0xee);
    CHECK_EQ(g_peek(&g, 0, DOM_RAM + 5 * PAGE_SIZE + 8), g_byte(0, 5));

    struct gnttab_map_grant_ref b = g_map(&g, 1, 0, 20, GNTMAP_readonly, G_WINDOW + PAGE_SIZE);
    CHECK_EQ(b.status, GNTST_okay);
    CHECK(b.handle != a.handle);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW + PAGE_SIZE + 7), 0xee);
    CHECK(!g_poke(&g, 1, G_WINDOW + PAGE_SIZE, 1));

    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(e->flags, GTF_permit_access | GTF_reading);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
    CHECK_EQ(g_unmap(&g, 1, b.handle, G_WINDOW + PAGE_SIZE), GNTST_okay);
    CHECK_EQ(e->flags, GTF_permit_access);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW + PAGE_SIZE), -1);
    CHECK_EQ(g.d[0]->refs, 1);
    g_end(&g);
}

TEST(a_domain_maps_what_it_grants_itself)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 9, 0, 2, GTF_readonly);
    struct gnttab_map_grant_ref a = g_map(&g, 0, 0, 9, GNTMAP_readonly, G_WINDOW);
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(g_peek(&g, 0, G_WINDOW), g_byte(0, 2));
    CHECK_EQ(g_unmap(&g, 0, a.handle, G_WINDOW), GNTST_okay);
    a = g_map(&g, 0, 0, 9, GNTMAP_readonly, G_WINDOW);
    CHECK_EQ(a.status, GNTST_okay);
    /* It ends with the mapping in place. */
    g_end(&g);
}

TEST(what_is_not_granted_is_not_mapped)
{
    struct grants g = g_begin();
    uint16_t id = g.d[1]->id;
    struct {
        struct grant_entry_v1 e;
        uint32_t flags;
        int16_t status;
    } cases[] = {
        { { 0, id, (uint32_t)G_GFN(1) }, 0, GNTST_general_error },
        { { GTF_accept_transfer, id, (uint32_t)G_GFN(1) }, 0, GNTST_general_error },
        { { GTF_transitive, id, (uint32_t)G_GFN(1) }, 0, GNTST_general_error },
        { { GTF_permit_access, g.d[2]->id, (uint32_t)G_GFN(1) }, 0, GNTST_general_error },
        { { GTF_permit_access, DOMID_SELF, (uint32_t)G_GFN(1) }, 0, GNTST_general_error },
        { { GTF_permit_access | GTF_readonly, id, (uint32_t)G_GFN(1) }, 0, GNTST_general_error },
        { { GTF_permit_access, id, 0x7777 }, 0, GNTST_bad_page },
        { { GTF_permit_access, id, UINT32_MAX }, 0, GNTST_bad_page },
        { { GTF_permit_access, id, (uint32_t)G_GFN(1) }, GNTMAP_device_map, GNTST_general_error },
        { { GTF_permit_access, id, (uint32_t)G_GFN(1) }, GNTMAP_contains_pte, GNTST_general_error },
        { { GTF_permit_access, id, (uint32_t)G_GFN(1) }, 1u << 16, GNTST_general_error },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t before = refusal_count(g.w->hv);

        *g_v1(&g, 0, 30) = cases[i].e;
        struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 30, cases[i].flags, G_WINDOW);
        CHECK_EQ(a.status, cases[i].status);
        CHECK_EQ(g_v1(&g, 0, 30)->flags, cases[i].e.flags);
        CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
        CHECK_EQ(refusal_count(g.w->hv), before + 1);
        CHECK(strlen(g_why(&g)) != 0);
    }
    CHECK_EQ(g.d[0]->gnttab->in_use, 0);
    CHECK_EQ(g.d[0]->refs, 1);
    g_end(&g);
}

TEST(bad_arguments_of_a_map)
{
    struct grants g = g_begin();
    struct gnttab_map_grant_ref a = { .flags = 0, .dom = g.d[0]->id };

    g_grant(&g, 0, 20, 1, 5, 0);
    CHECK_EQ(g_call(&g, 1, GNTTABOP_map_grant_ref, &a, sizeof(a), 1), 0);
    CHECK_EQ(a.status, GNTST_bad_gntref);
    CHECK_EQ(g_map(&g, 1, 0, 512, 0, G_WINDOW).status, GNTST_bad_gntref);
    CHECK_EQ(g_map(&g, 1, 0, UINT32_MAX, 0, G_WINDOW).status, GNTST_bad_gntref);
    CHECK_EQ(g_map(&g, 1, 2, 0, 0, G_WINDOW).status, GNTST_bad_gntref);
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, UINT64_MAX).status, GNTST_bad_virt_addr);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    a = (struct gnttab_map_grant_ref){ G_WINDOW, .flags = GNTMAP_host_map, .dom = 999 };
    CHECK_EQ(g_call(&g, 1, GNTTABOP_map_grant_ref, &a, sizeof(a), 1), 0);
    CHECK_EQ(a.status, GNTST_bad_domain);
    CHECK_EQ(g.d[0]->refs, 1);
    g_end(&g);
}

TEST(bad_arguments_of_an_unmap)
{
    struct grants g = g_begin();

    CHECK_EQ(g_unmap(&g, 1, 0, G_WINDOW), GNTST_bad_handle);
    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    struct gnttab_unmap_grant_ref u = { .host_addr = G_WINDOW, .handle = a.handle,
                                        .dev_bus_addr = a.dev_bus_addr + PAGE_SIZE };

    CHECK_EQ(g_call(&g, 1, GNTTABOP_unmap_grant_ref, &u, sizeof(u), 1), 0);
    CHECK_EQ(u.status, GNTST_bad_dev_addr);
    CHECK_EQ(g_unmap(&g, 1, a.handle + 1, G_WINDOW), GNTST_bad_handle);
    CHECK_EQ(g_unmap(&g, 1, UINT32_MAX, G_WINDOW), GNTST_bad_handle);
    CHECK_EQ(g_unmap(&g, 2, a.handle, G_WINDOW), GNTST_bad_handle);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW + PAGE_SIZE), GNTST_bad_virt_addr);
    CHECK_EQ(g_unmap(&g, 1, a.handle, 0), GNTST_okay); /* nothing was to be unmapped */
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 5));
    u.dev_bus_addr = a.dev_bus_addr;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_unmap_grant_ref, &u, sizeof(u), 1), 0);
    CHECK_EQ(u.status, GNTST_okay);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_bad_handle);
    g_end(&g);
}

TEST(replacing_is_unmapping_without_a_replacement)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    struct gnttab_unmap_and_replace u = { .host_addr = G_WINDOW, .handle = a.handle,
                                          .new_addr = G_WINDOW + PAGE_SIZE };

    CHECK_EQ(g_call(&g, 1, GNTTABOP_unmap_and_replace, &u, sizeof(u), 1), 0);
    CHECK_EQ(u.status, GNTST_general_error);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 5));
    u.new_addr = 0;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_unmap_and_replace, &u, sizeof(u), 1), 0);
    CHECK_EQ(u.status, GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
    g_end(&g);
}

/* The mapper puts something else there: the handle only ends the use. */
TEST(a_mapping_that_was_overwritten_ends)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    g_grant(&g, 0, 21, 1, 6, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    struct gnttab_map_grant_ref b = g_map(&g, 1, 0, 21, 0, G_WINDOW);
    CHECK_EQ(b.status, GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 6));
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 6));
    CHECK_EQ(g_unmap(&g, 1, b.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
    /* The same frame twice at one place: it is there once. */
    a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    b = g_map(&g, 1, 0, 20, GNTMAP_readonly, G_WINDOW);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access | GTF_reading);
    CHECK_EQ(g_unmap(&g, 1, b.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    g_end(&g);
}

/* Where RAM was: it goes back, as if the guest had given it back first. */
TEST(a_grant_takes_the_place_of_ram)
{
    struct grants g = g_begin();
    uint64_t avail = g.w->hv->frames.avail;

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, DOM_RAM + 3 * PAGE_SIZE);
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, DOM_RAM + 3 * PAGE_SIZE), g_byte(0, 5));
    CHECK(g.w->hv->frames.avail >= avail - 4); /* RAM back; handles and a table */
    CHECK_EQ(g_unmap(&g, 1, a.handle, DOM_RAM + 3 * PAGE_SIZE), GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, DOM_RAM + 3 * PAGE_SIZE), -1);
    CHECK_EQ(g_peek(&g, 1, DOM_RAM + 2 * PAGE_SIZE), g_byte(1, 2));
    g_end(&g);
}

/* What is mapped by a grant is not the mapper's to grant. */
TEST(a_granted_page_is_not_granted_further)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    *g_v1(&g, 1, 10) = (struct grant_entry_v1){ GTF_permit_access, g.d[2]->id,
                                                (uint32_t)(G_WINDOW >> PAGE_SHIFT) };
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(g_map(&g, 2, 1, 10, GNTMAP_readonly, G_WINDOW).status, GNTST_bad_page);
    g_end(&g);
}

TEST(memory_that_the_guest_may_not_write_is_granted_to_read)
{
    struct grants g = g_begin();
    mfn_t m = p2m_lookup(g.d[0], gfn(G_GFN(4)), NULL, NULL);

    CHECK_EQ(p2m_unmap(g.d[0], gfn(G_GFN(4)), 1), 0);
    CHECK_EQ(p2m_map(g.d[0], gfn(G_GFN(4)), m, 1, P2M_RAM_RO), 0);
    g_grant(&g, 0, 20, 1, 4, 0);
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, G_WINDOW).status, GNTST_bad_page);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    CHECK_EQ(g_map(&g, 1, 0, 20, GNTMAP_readonly, G_WINDOW).status, GNTST_okay);
    g_end(&g);
}

TEST(a_page_of_the_machines_devices_is_not_granted)
{
    struct grants g = g_begin();

    CHECK_EQ(p2m_map(g.d[0], gfn(0x50), mfn(0x90000000), 1, P2M_MMIO_DIRECT), 0);
    *g_v1(&g, 0, 20) = (struct grant_entry_v1){ GTF_permit_access, g.d[1]->id, 0x50 };
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, G_WINDOW).status, GNTST_bad_page);
    CHECK_EQ(p2m_map(g.d[1], gfn(0x50), mfn(0x90000000), 1, P2M_MMIO_DIRECT), 0);
    g_grant(&g, 0, 20, 1, 4, 0);
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, 0x50 << PAGE_SHIFT).status, GNTST_bad_virt_addr);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    g_end(&g);
}

static int64_t set_version(struct grants *g, uint32_t i, uint32_t version)
{
    struct gnttab_set_version v = { version };

    return g_call(g, i, GNTTABOP_set_version, &v, sizeof(v), 1);
}

TEST(version_2_marks_in_its_states)
{
    struct grants g = g_begin();

    CHECK_EQ(set_version(&g, 0, 2), 0);
    g_frame(&g, 0, 9, false);
    union grant_entry_v2 *e = g_v2(&g, 0, 2100);
    *e = (union grant_entry_v2){ .full_page = { { GTF_permit_access, g.d[1]->id }, 0, G_GFN(5) } };
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 2100, 0, G_WINDOW);
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(e->hdr.flags, GTF_permit_access);
    CHECK_EQ(*g_status(&g, 0, 2100), GTF_reading | GTF_writing);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 5));
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(*g_status(&g, 0, 2100), 0);

    e->hdr.flags |= GTF_readonly;
    CHECK_EQ(g_map(&g, 1, 0, 2100, 0, G_WINDOW).status, GNTST_general_error);
    CHECK_EQ(*g_status(&g, 0, 2100), 0);
    a = g_map(&g, 1, 0, 2100, GNTMAP_readonly, G_WINDOW);
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(*g_status(&g, 0, 2100), GTF_reading);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    e->hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK_EQ(g_map(&g, 1, 0, 2100, 0, G_WINDOW).status, GNTST_general_error);
    *e = (union grant_entry_v2){ .transitive = { { GTF_transitive, g.d[1]->id }, 2, 0, 1 } };
    CHECK_EQ(g_map(&g, 1, 0, 2100, 0, G_WINDOW).status, GNTST_general_error);
    CHECK_EQ(*g_status(&g, 0, 2100), 0);
    e->full_page.frame = UINT64_MAX;
    e->hdr.flags = GTF_permit_access;
    CHECK_EQ(g_map(&g, 1, 0, 2100, 0, G_WINDOW).status, GNTST_bad_page);
    CHECK_EQ(*g_status(&g, 0, 2100), 0);
    g_end(&g);
}

TEST(an_entry_is_in_use_only_so_often)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    g.d[0]->gnttab->entries.page[0].pins[20].reads = UINT16_MAX;
    CHECK_EQ(g_map(&g, 1, 0, 20, GNTMAP_readonly, G_WINDOW + PAGE_SIZE).status,
             GNTST_general_error);
    CHECK_EQ(g.d[0]->gnttab->entries.page[0].pins[20].reads, UINT16_MAX);
    g.d[0]->gnttab->entries.page[0].pins[20].reads = 0;
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    g_end(&g);
}

TEST(a_domain_maps_no_more_than_it_may)
{
    struct grants g = g_begin_with((struct domain_config){ .maptrack_frames_max = 1 });
    uint32_t handle[256], last = 0;

    g_grant(&g, 0, 20, 1, 5, 0);
    for (uint32_t i = 0; i < 256; i++) {
        struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW + i * PAGE_SIZE);

        CHECK_EQ(a.status, GNTST_okay);
        handle[i] = a.handle;
    }
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, G_WINDOW + 256 * PAGE_SIZE).status, GNTST_no_space);
    CHECK_EQ(g.d[0]->gnttab->entries.page[0].pins[20].writes, 256);
    CHECK_EQ(g_unmap(&g, 1, handle[77], G_WINDOW + 77 * PAGE_SIZE), GNTST_okay);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW + 77 * PAGE_SIZE);
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(a.handle, handle[77]);
    for (uint32_t i = 0; i < 256; i++, last = i) {
        CHECK_EQ(g_unmap(&g, 1, handle[i], G_WINDOW + i * PAGE_SIZE), GNTST_okay);
    }
    CHECK_EQ(last, 256);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    g_end(&g);
    g = g_begin_with((struct domain_config){ .maptrack_frames_max = GNTTAB_MAPTRACK_NONE });
    g_grant(&g, 0, 20, 1, 5, 0);
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, G_WINDOW).status, GNTST_no_space);
    g_end(&g);
}

/* --- Arrays ------------------------------------------------------------------------ */

#define MANY 100

TEST(a_long_array_is_done_in_pieces)
{
    struct grants g = g_begin();
    struct gnttab_map_grant_ref a[MANY];
    struct gnttab_unmap_grant_ref u[MANY];

    for (uint32_t i = 0; i < MANY; i++) {
        /* Each seventh fails, and the others do not care. */
        g_grant(&g, 0, 20 + i, i % 7 == 3 ? 2 : 1, i % 15, 0);
        a[i] = (struct gnttab_map_grant_ref){ .host_addr = G_WINDOW + i * PAGE_SIZE,
                                              .flags = GNTMAP_host_map, .ref = 20 + i,
                                              .dom = g.d[0]->id, .status = 99 };
    }
    CHECK_EQ(g_call(&g, 1, GNTTABOP_map_grant_ref, a, sizeof(a[0]), MANY), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_EQ(a[i].status, i % 7 == 3 ? GNTST_general_error : GNTST_okay);
        CHECK_EQ(g_peek(&g, 1, G_WINDOW + i * PAGE_SIZE), i % 7 == 3 ? -1 : g_byte(0, i % 15));
        u[i] = (struct gnttab_unmap_grant_ref){ .host_addr = a[i].host_addr,
                                                .handle = a[i].handle, .status = 99 };
    }
    for (uint32_t i = 0; i < MANY; i++) {
        u[i].handle = i % 7 == 3 ? 5555 : u[i].handle;
    }
    CHECK_EQ(g_call(&g, 1, GNTTABOP_unmap_grant_ref, u, sizeof(u[0]), MANY), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_EQ(u[i].status, i % 7 == 3 ? GNTST_bad_handle : GNTST_okay);
        CHECK_EQ(g_v1(&g, 0, 20 + i)->flags, GTF_permit_access);
    }
    CHECK_EQ(g.d[0]->refs, 1);
    g_end(&g);
}

TEST(an_array_that_cannot_be_reached_ends_there)
{
    static const uint32_t ops[] = { 0, 1, 3, 4, 5, 7, 11, 12 };
    struct grants g = g_begin();

    for (uint32_t i = 0; i < ARRAY_SIZE(ops); i++) {
        CHECK_EQ(g_hypercall(&g, 0, ops[i], 0x1000, 1), -XEN_EFAULT);
        CHECK_EQ(g_hypercall(&g, 0, ops[i], UINT64_MAX, 1), -XEN_EFAULT);
        CHECK_EQ(g_hypercall(&g, 0, ops[i], 0x1000, 0), 0);
        CHECK_EQ(g_hypercall(&g, 0, ops[i], G_ARG, UINT32_MAX), -XEN_EINVAL);
        CHECK_EQ(g_hypercall(&g, 0, ops[i], G_ARG, 0x80000000), -XEN_EINVAL);
    }
    CHECK_EQ(g_hypercall(&g, 0, 13, G_ARG, 1), -XEN_ENOSYS);
    CHECK_EQ(g_hypercall(&g, 0, UINT64_C(0x100000000), 0x1000, 1), -XEN_EFAULT);
    /* Two fit before the end of RAM, the third does not. */
    struct gnttab_map_grant_ref a[2] = { { .flags = GNTMAP_host_map, .ref = 20, .dom = 99 },
                                         { .flags = GNTMAP_host_map, .ref = 20, .dom = 99 } };
    uint64_t end = DOM_RAM + 16 * PAGE_SIZE - sizeof(a);
    CHECK_EQ(guest_phys_write(g.d[0], gpa(end), a, sizeof(a), false), 0);
    CHECK_EQ(g_hypercall(&g, 0, GNTTABOP_map_grant_ref, end, 3), -XEN_EFAULT);
    CHECK_EQ(guest_phys_read(g.d[0], a, gpa(end), sizeof(a)), 0);
    CHECK_EQ(a[0].status, GNTST_bad_domain);
    CHECK_EQ(a[1].status, GNTST_bad_domain);
    g_end(&g);
}

/* A handle that the guest does not learn of would be lost, with the grant in use for ever. */
TEST(a_map_whose_result_cannot_be_written_is_undone)
{
    struct grants g = g_begin();
    struct gnttab_map_grant_ref a = { .host_addr = G_WINDOW, .flags = GNTMAP_host_map, .ref = 20,
                                      .dom = g.d[0]->id };
    mfn_t m = p2m_lookup(g.d[1], gfn(G_GFN(G_ARG_PAGE)), NULL, NULL);

    g_grant(&g, 0, 20, 1, 5, 0);
    CHECK_EQ(guest_phys_write(g.d[1], gpa(G_ARG), &a, sizeof(a), false), 0);
    CHECK_EQ(p2m_unmap(g.d[1], gfn(G_GFN(G_ARG_PAGE)), 1), 0);
    CHECK_EQ(p2m_map(g.d[1], gfn(G_GFN(G_ARG_PAGE)), m, 1, P2M_RAM_RO), 0);
    CHECK_EQ(g_hypercall(&g, 1, GNTTABOP_map_grant_ref, G_ARG, 1), -XEN_EFAULT);
    CHECK(strlen(g_why(&g)) != 0);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
    CHECK_EQ(g.d[0]->refs, 1);
    CHECK_EQ(g.d[1]->gnttab->maps.live, 0);
    g_end(&g);
}

/* Another vCPU changes the element each time somebody looks at it. */
static void change_ref(struct vcpu *v, uint64_t addr, bool write)
{
    struct gnttab_map_grant_ref a;
    gpa_t at = gpa(G_ARG);

    if (addr >= G_ARG && addr < G_ARG + sizeof(a)) {
        CHECK_EQ(guest_phys_read_locked(v->domain, &a, at, sizeof(a)), 0);
        a.ref = a.ref == 20 ? 21 : 20;
        a.host_addr ^= PAGE_SIZE;
        char *p = frame_map_local(v->domain->hv,
                                  p2m_lookup_locked(v->domain, gpa_to_gfn(at), NULL, NULL));
        memcpy(p, &a, 16);
    }
}

TEST(an_element_is_read_once)
{
    struct grants g = g_begin();
    struct gnttab_map_grant_ref a = { .host_addr = G_WINDOW, .flags = GNTMAP_host_map, .ref = 20,
                                      .dom = g.d[0]->id };

    g_grant(&g, 0, 20, 2, 5, 0);
    g_grant(&g, 0, 21, 1, 6, 0);
    g.w->machine.on_translate = change_ref;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_map_grant_ref, &a, sizeof(a), 1), 0);
    g.w->machine.on_translate = NULL;
    CHECK_EQ(a.status, GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW + PAGE_SIZE), g_byte(0, 6));
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW + PAGE_SIZE), GNTST_okay);
    CHECK_EQ(g_v1(&g, 0, 21)->flags, GTF_permit_access);
    g_end(&g);
}

/* --- The end of a domain ------------------------------------------------------------- */

TEST(a_mapping_outlives_its_granter)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    mfn_t m = p2m_lookup(g.d[1], gpa_to_gfn(gpa(G_WINDOW)), NULL, NULL);
    uint16_t id = g.d[0]->id;
    g_destroy(&g, 0);
    CHECK(g.w->hv->domains[id] == NULL);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 5));
    CHECK_EQ(frame_lookup(g.w->hv, m)->state, FRAME_ORPHAN);
    /* Who comes next gets none of it. */
    CHECK(g_create(&g, 0, (struct domain_config){ 0 }));
    CHECK(g.d[0]->id != id || g.d[0]->gnttab->in_use == 0);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), g_byte(0, 5));
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(g_peek(&g, 1, G_WINDOW), -1);
    CHECK(frame_lookup(g.w->hv, m)->state != FRAME_ORPHAN);
    g_end(&g);
}

TEST(a_mapper_ends_with_its_mappings)
{
    struct grants g = g_begin();

    for (uint32_t i = 0; i < MANY; i++) {
        g_grant(&g, 0, 20 + i, 1, i % 15, 0);
        struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20 + i, i & 1 ? 0 : GNTMAP_readonly,
                                              G_WINDOW + i * PAGE_SIZE);

        CHECK_EQ(a.status, GNTST_okay);
    }
    CHECK_EQ(g.d[0]->refs, 1 + MANY);
    g_destroy(&g, 1);
    CHECK_EQ(g.d[0]->refs, 1);
    CHECK_EQ(g.d[0]->gnttab->in_use, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_EQ(g_v1(&g, 0, 20 + i)->flags, GTF_permit_access);
    }
    g_end(&g);
}

/* At each step of the granter's end another one tries, and unmaps what it had. */
/* Step by step: what has ended names nobody, who may be gone when somebody looks. */
TEST(a_mapper_that_ends_forgets_its_granters)
{
    struct grants g = g_begin();

    for (uint32_t i = 0; i < MANY; i++) {
        g_grant(&g, 0, 20 + i, 1, i % 15, 0);
        CHECK_EQ(g_map(&g, 1, 0, 20 + i, 0, G_WINDOW + i * PAGE_SIZE).status, GNTST_okay);
    }
    while (domain_destroy(g.d[1]) != 0) {
        CHECK(grant_check_step(g.w->hv) == NULL);
        dom_settle(g.w);
    }
    g.d[1] = NULL;
    g_end(&g);
}

TEST(a_dying_granter_grants_nothing)
{
    struct grants g = g_begin();
    bool closed = false;

    g_grant(&g, 0, 20, 1, 5, 0);
    g_grant(&g, 0, 21, 1, 6, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    struct domain *d = g.d[0];
    domain_get(d);
    for (int rc = -XEN_EAGAIN; rc != 0;) {
        mfn_t m;

        rc = domain_destroy(d);
        struct gnttab_map_grant_ref b = g_map(&g, 1, 0, 21, 0, G_WINDOW + PAGE_SIZE);
        if (b.status == GNTST_okay) {
            CHECK(!closed);
            CHECK_EQ(g_unmap(&g, 1, b.handle, G_WINDOW + PAGE_SIZE), GNTST_okay);
        }
        closed = closed || b.status != GNTST_okay;
        int frame_rc = gnttab_frame(d, 0, false, true, &m);
        CHECK(frame_rc == 0 || (closed && frame_rc == -XEN_ESRCH));
        if (frame_rc == 0) {
            frame_put(g.w->hv, m);
        }
        dom_settle(g.w);
    }
    mfn_t none = MFN_NONE;
    CHECK(closed);
    CHECK_EQ(gnttab_frame(d, 0, false, true, &none), -XEN_ESRCH);
    CHECK(mfn_is_none(none));
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(d->refs, 1);
    domain_put(d);
    g.d[0] = NULL;
    g_end(&g);
}

TEST(both_map_each_other_and_end)
{
    for (uint32_t first = 0; first < 2; first++) {
        struct grants g = g_begin();

        g_grant(&g, 0, 20, 1, 5, 0);
        g_grant(&g, 1, 20, 0, 5, 0);
        CHECK_EQ(g_map(&g, 1, 0, 20, 0, G_WINDOW).status, GNTST_okay);
        CHECK_EQ(g_map(&g, 0, 1, 20, 0, G_WINDOW).status, GNTST_okay);
        g_destroy(&g, first);
        g_end(&g);
    }
}

/* Somebody else maps a frame of the table, as a toolstack does. */
TEST(a_frame_of_the_table_outlives_it)
{
    struct grants g = g_begin();
    mfn_t m;

    CHECK_EQ(gnttab_frame(g.d[0], 0, false, true, &m), 0);
    CHECK_EQ(p2m_map_page(g.d[1], gfn(0x38000), m, P2M_FOREIGN_RW), 0);
    CHECK(g_poke(&g, 1, UINT64_C(0x38000) << PAGE_SHIFT, 0x77));
    g_destroy(&g, 0);
    CHECK_EQ(g_peek(&g, 1, UINT64_C(0x38000) << PAGE_SHIFT), 0x77);
    CHECK_EQ(frame_lookup(g.w->hv, m)->state, FRAME_ORPHAN);
    CHECK_EQ(p2m_unmap_page(g.d[1], gfn(0x38000), m, 1u << P2M_FOREIGN_RW), 0);
    g_end(&g);
}

TEST_ALLOC(mapping_undoes_what_it_did)
{
    struct grants g = { .w = dom_world(2) };
    struct domain_config c = { .grant_version_max = 2 };

    if (g_create(&g, 0, c) && g_create(&g, 1, c)) {
        mfn_t m;

        world_inject(g.w, true);
        if (gnttab_frame(g.d[0], 5, false, true, &m) == 0) {
            world_inject(g.w, false);
            frame_put(g.w->hv, m);
            g_grant(&g, 0, 20, 1, 5, 0);
            world_inject(g.w, true);
            struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
            CHECK(a.status == GNTST_okay || (unit_injected() && a.status == GNTST_no_space));
            CHECK_EQ(g_v1(&g, 0, 20)->flags != GTF_permit_access, a.status == GNTST_okay);
            CHECK_EQ(g.d[0]->refs, a.status == GNTST_okay ? 2 : 1);
            if (a.status == GNTST_okay) {
                CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
            }
            int64_t rc = set_version(&g, 0, 2);
            CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
        } else {
            CHECK(unit_injected());
        }
    }
    world_inject(g.w, false);
    g_end(&g);
}
