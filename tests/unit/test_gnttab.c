/* SPDX-License-Identifier: MIT */
/* ipc/gnttab.c and gnttab_op.c: the table, its versions, and the operations beside map and copy. */
#include "grants.h"

/* --- The table ----------------------------------------------------------------- */

TEST(a_table_has_no_frame_until_one_is_asked_for)
{
    struct grants g = g_begin();
    struct gnttab_query_size q = { .dom = DOMID_SELF, .status = 99 };

    CHECK_EQ(g_call(&g, 0, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    CHECK_EQ(q.status, GNTST_okay);
    CHECK_EQ(q.nr_frames, 1);
    CHECK_EQ(q.max_nr_frames, 64);
    CHECK_EQ(g.d[0]->gnttab->entries.nr, 0);
    g_frame(&g, 0, 9, false);
    CHECK_EQ(g.d[0]->gnttab->entries.nr, 10);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    CHECK_EQ(q.nr_frames, 10);
    g_end(&g);
}

TEST(another_domains_table_is_the_control_domains_business)
{
    struct grants g = g_begin();
    struct gnttab_query_size q = { .dom = g.d[1]->id };
    struct gnttab_get_version v = { .dom = g.d[1]->id };
    struct gnttab_setup_table t = { .dom = g.d[1]->id, .nr_frames = 1, .frame_list = G_ARG + 256 };

    CHECK_EQ(g_call(&g, 0, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    CHECK_EQ(q.status, GNTST_permission_denied);
    CHECK_STR(g_why(&g), "another domain's, and the caller is no control domain");
    CHECK_EQ(g_call(&g, 0, GNTTABOP_setup_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_permission_denied);
    CHECK_EQ(g.d[1]->gnttab->entries.nr, 0);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_get_version, &v, sizeof(v), 1), -XEN_EPERM);
    g.d[0]->who |= HC_WHO_CONTROL;
    CHECK_EQ(g_call(&g, 0, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    CHECK_EQ(q.status, GNTST_okay);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_setup_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_okay);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_get_version, &v, sizeof(v), 1), 0);
    CHECK_EQ(v.version, 1);
    q.dom = 999;
    CHECK_EQ(g_call(&g, 0, GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    CHECK_EQ(q.status, GNTST_bad_domain);
    v.dom = 999;
    CHECK_EQ(g_call(&g, 0, GNTTABOP_get_version, &v, sizeof(v), 1), -XEN_ESRCH);
    g_end(&g);
}

/* Maps frame `index` of the table at g, as add_to_physmap does. */
static void place(struct grants *g, uint32_t i, uint32_t index, bool status, uint64_t at)
{
    mfn_t m;

    CHECK_EQ(gnttab_frame(g->d[i], index, status, true, &m), 0);
    CHECK_EQ(p2m_map_page(g->d[i], gfn(at), m, P2M_SHARED), 0);
    gnttab_frame_placed(g->d[i], index, status, gfn(at));
}

static uint64_t list_word(struct grants *g, uint32_t i, uint32_t n)
{
    uint64_t word = 0;

    CHECK_EQ(guest_phys_read(g->d[i], &word, gpa(G_ARG + 256 + n * 8), 8), 0);
    return word;
}

TEST(setup_table_says_where_frames_are_mapped)
{
    struct grants g = g_begin();
    struct gnttab_setup_table t = { .dom = DOMID_SELF, .nr_frames = 3, .status = 99,
                                    .frame_list = G_ARG + 256 };

    place(&g, 0, 1, false, 0x38000);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_setup_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_okay);
    CHECK_EQ(g.d[0]->gnttab->entries.nr, 3);
    CHECK_EQ(list_word(&g, 0, 0), UINT64_MAX);
    CHECK_EQ(list_word(&g, 0, 1), 0x38000);
    CHECK_EQ(list_word(&g, 0, 2), UINT64_MAX);
    /* It is there no more. */
    CHECK_EQ(p2m_unmap_page(g.d[0], gfn(0x38000), MFN_NONE, 1u << P2M_SHARED), 0);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_setup_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(list_word(&g, 0, 1), UINT64_MAX);

    t.nr_frames = 65;
    CHECK_EQ(g_call(&g, 0, GNTTABOP_setup_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_general_error);
    CHECK_STR(g_why(&g), "more grant frames than the domain may have");
    t.nr_frames = 1;
    t.frame_list = 0x1000;
    CHECK_EQ(g_call(&g, 0, GNTTABOP_setup_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_bad_virt_addr);
    CHECK_EQ(g_hypercall(&g, 0, GNTTABOP_setup_table, G_ARG, 2), -XEN_EINVAL);
    CHECK_EQ(g_hypercall(&g, 0, GNTTABOP_query_size, G_ARG, 0), -XEN_EINVAL);
    g_end(&g);
}

TEST(frames_end_at_the_domains_limit)
{
    struct grants g = g_begin_with((struct domain_config){ .grant_frames_max = 3,
                                                           .grant_version_max = 2 });
    struct gnttab_set_version v = { 2 };
    mfn_t m = MFN_NONE;

    CHECK_EQ(gnttab_frame(g.d[0], 3, false, true, &m), -XEN_EINVAL);
    CHECK_EQ(gnttab_frame(g.d[0], UINT32_MAX, false, true, &m), -XEN_EINVAL);
    CHECK_EQ(gnttab_frame(g.d[0], 0, false, false, &m), -XEN_EINVAL);
    CHECK_EQ(gnttab_frame(g.d[0], 0, true, true, &m), -XEN_EINVAL);
    CHECK(mfn_is_none(m));
    CHECK_EQ(g.d[0]->gnttab->entries.nr, 0);
    CHECK_EQ(gnttab_frame(g.d[0], 2, false, true, &m), 0);
    frame_put(g.w->hv, m);
    CHECK_EQ(g_call(&g, 1, GNTTABOP_set_version, &v, sizeof(v), 1), 0);
    CHECK_EQ(gnttab_frame(g.d[1], 1, true, true, &m), -XEN_EINVAL);
    CHECK_EQ(gnttab_frame(g.d[1], UINT32_MAX, true, true, &m), -XEN_EINVAL);
    /* One frame of states is for eight of entries, were there so many. */
    CHECK_EQ(gnttab_frame(g.d[1], 0, true, true, &m), 0);
    frame_put(g.w->hv, m);
    g_end(&g);
}

TEST(impossible_limits_are_refused)
{
    struct world *w = dom_world(1);
    struct domain_config bad[] = { { .grant_frames_max = GNTTAB_FRAMES_MAX + 1 },
                                   { .maptrack_frames_max = GNTTAB_MAPTRACK_MAX + 1 },
                                   { .grant_version_max = 3 } };
    struct domain *d;

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        bad[i].name[0] = 'x';
        bad[i].vcpus_max = 1;
        CHECK_EQ(domain_create(w->hv, &bad[i], &d), -XEN_EINVAL);
    }
    world_destroy(w);
}

TEST(a_plain_domain_has_no_table)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "plain", 1, false);
    mfn_t m;

    CHECK(d->gnttab == NULL);
    CHECK_EQ(gnttab_frame(d, 0, false, true, &m), -XEN_EOPNOTSUPP);
    gnttab_dump(d);
    dom_destroy(w, d);
    world_destroy(w);
}

/* --- Versions -------------------------------------------------------------------- */

static int64_t set_version(struct grants *g, uint32_t i, uint32_t version)
{
    struct gnttab_set_version v = { version };
    int64_t rc = g_call(g, i, GNTTABOP_set_version, &v, sizeof(v), 1);

    CHECK_EQ(v.version, g->d[i]->gnttab->version);
    return rc;
}

TEST(a_version_changes_and_keeps_the_reserved_entries)
{
    struct grants g = g_begin();

    g_grant(&g, 0, GNTTAB_RESERVED_XENSTORE, 1, 3, 0);
    g_grant(&g, 0, 8, 1, 4, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, GNTTAB_RESERVED_XENSTORE, 0, G_WINDOW);
    CHECK_EQ(a.status, 0);
    CHECK_EQ(set_version(&g, 0, 2), 0);
    union grant_entry_v2 *e = g_v2(&g, 0, GNTTAB_RESERVED_XENSTORE);
    CHECK_EQ(e->hdr.flags, GTF_permit_access);
    CHECK_EQ(e->hdr.domid, g.d[1]->id);
    CHECK_EQ(e->full_page.frame, G_GFN(3));
    CHECK_EQ(*g_status(&g, 0, GNTTAB_RESERVED_XENSTORE), GTF_reading | GTF_writing);
    CHECK_EQ(g_v2(&g, 0, 8)->hdr.flags, 0);
    CHECK_EQ(*g_status(&g, 0, 8), 0);

    CHECK_EQ(set_version(&g, 0, 1), 0);
    struct grant_entry_v1 *e1 = g_v1(&g, 0, GNTTAB_RESERVED_XENSTORE);
    CHECK_EQ(e1->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(e1->domid, g.d[1]->id);
    CHECK_EQ(e1->frame, G_GFN(3));
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), 0);
    CHECK_EQ(e1->flags, GTF_permit_access);
    g_end(&g);
}

TEST(a_version_does_not_change_while_grants_are_in_use)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 8, 1, 4, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 8, 0, G_WINDOW);
    CHECK_EQ(set_version(&g, 0, 2), -XEN_EBUSY);
    CHECK_EQ(g_v1(&g, 0, 8)->frame, G_GFN(4));
    CHECK_EQ(set_version(&g, 0, 1), 0);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), 0);
    CHECK_EQ(set_version(&g, 0, 2), 0);
    g_end(&g);
}

TEST(version_1_does_not_take_what_only_version_2_can_say)
{
    struct grants g = g_begin();
    union grant_entry_v2 bad[] = {
        { .transitive = { { GTF_transitive, 1 }, 2, 0, 5 } },
        { .sub_page = { { GTF_permit_access | GTF_sub_page, 1 }, 16, 32, 5 } },
        { .full_page = { { GTF_permit_access, 1 }, 0, UINT64_C(1) << 32 } },
    };

    CHECK_EQ(set_version(&g, 0, 2), 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        *g_v2(&g, 0, 7) = bad[i];
        CHECK_EQ(set_version(&g, 0, 1), -XEN_ERANGE);
        CHECK(memcmp(g_v2(&g, 0, 7), &bad[i], sizeof(bad[i])) == 0);
    }
    *g_v2(&g, 0, 7) = (union grant_entry_v2){ .full_page = { { 0, 1 }, 0, UINT64_MAX } };
    CHECK_EQ(set_version(&g, 0, 1), 0);
    g_end(&g);
}

TEST(versions_that_are_none_or_not_allowed)
{
    struct grants g = g_begin_with((struct domain_config){ 0 });

    CHECK_EQ(set_version(&g, 0, 0), -XEN_EINVAL);
    CHECK_EQ(set_version(&g, 0, 3), -XEN_EINVAL);
    CHECK_EQ(set_version(&g, 0, 2), -XEN_ENOSYS);
    CHECK_EQ(set_version(&g, 0, 1), 0);
    CHECK_EQ(g_hypercall(&g, 0, GNTTABOP_set_version, 0x1000, 1), -XEN_EFAULT);
    g_end(&g);
}

/* Frames of states stay when the version goes back: nobody keeps a mapping of freed memory. */
TEST(states_that_a_guest_still_maps_are_not_handed_out)
{
    struct grants g = g_begin();
    struct gnttab_get_status_frames s = { .dom = DOMID_SELF, .nr_frames = 1, .status = 99,
                                          .frame_list = G_ARG + 256 };

    CHECK_EQ(g_call(&g, 0, GNTTABOP_get_status_frames, &s, sizeof(s), 1), 0);
    CHECK_EQ(s.status, GNTST_general_error);
    CHECK_EQ(set_version(&g, 0, 2), 0);
    place(&g, 0, 0, true, 0x38010);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_get_status_frames, &s, sizeof(s), 1), 0);
    CHECK_EQ(s.status, GNTST_okay);
    CHECK_EQ(list_word(&g, 0, 0), 0x38010);
    s.nr_frames = 2;
    CHECK_EQ(g_call(&g, 0, GNTTABOP_get_status_frames, &s, sizeof(s), 1), 0);
    CHECK_EQ(s.status, GNTST_general_error);

    CHECK(g_poke(&g, 0, UINT64_C(0x38010) << PAGE_SHIFT, 0x77));
    mfn_t was = p2m_lookup(g.d[0], gfn(0x38010), NULL, NULL);
    CHECK_EQ(set_version(&g, 0, 1), 0);
    CHECK(frame_lookup(g.w->hv, was)->state == FRAME_HV);
    CHECK_EQ(set_version(&g, 0, 2), 0);
    CHECK_EQ(*g_status(&g, 0, 0), 0);
    CHECK(mfn_eq(p2m_lookup(g.d[0], gfn(0x38010), NULL, NULL), was));
    g_end(&g);
}

/* --- The rest ---------------------------------------------------------------------- */

TEST(entries_are_swapped)
{
    struct grants g = g_begin();
    struct gnttab_swap_grant_ref s[4] = { { 20, 600, 99 }, { 21, 21, 99 }, { 20, 1024, 99 },
                                          { 22, 23, 99 } };

    g_frame(&g, 0, 1, false);
    g_grant(&g, 0, 20, 1, 5, 0);
    g_grant(&g, 0, 600, 1, 6, 0);
    g_grant(&g, 0, 22, 1, 7, 0);
    CHECK_EQ(g_map(&g, 1, 0, 22, 0, G_WINDOW).status, GNTST_okay);
    CHECK_EQ(g_call(&g, 0, GNTTABOP_swap_grant_ref, s, sizeof(s[0]), 4), 0);
    CHECK_EQ(s[0].status, GNTST_okay);
    CHECK_EQ(s[1].status, GNTST_okay);
    CHECK_EQ(s[2].status, GNTST_bad_gntref);
    CHECK_EQ(s[3].status, GNTST_eagain);
    CHECK_EQ(g_v1(&g, 0, 20)->frame, G_GFN(6));
    CHECK_EQ(g_v1(&g, 0, 600)->frame, G_GFN(5));
    CHECK_EQ(g_v1(&g, 0, 22)->frame, G_GFN(7));
    CHECK_EQ(set_version(&g, 2, 2), 0);
    *g_v2(&g, 2, 3) = (union grant_entry_v2){ .full_page = { { 1, 2 }, 3, 4 } };
    *g_v2(&g, 2, 4) = (union grant_entry_v2){ .full_page = { { 5, 6 }, 7, 8 } };
    s[0] = (struct gnttab_swap_grant_ref){ 3, 4, 99 };
    CHECK_EQ(g_call(&g, 2, GNTTABOP_swap_grant_ref, s, sizeof(s[0]), 1), 0);
    CHECK_EQ(s[0].status, GNTST_okay);
    CHECK_EQ(g_v2(&g, 2, 3)->full_page.frame, 8);
    CHECK_EQ(g_v2(&g, 2, 3)->hdr.domid, 6);
    CHECK_EQ(g_v2(&g, 2, 4)->full_page.frame, 4);
    g_end(&g);
}

TEST(no_page_is_transferred)
{
    struct grants g = g_begin();
    struct gnttab_transfer t[2] = { { .mfn = G_GFN(1), .domid = g.d[1]->id, .status = 99 },
                                    { .mfn = UINT64_MAX, .domid = 99, .status = 99 } };

    CHECK_EQ(g_call(&g, 0, GNTTABOP_transfer, t, sizeof(t[0]), 2), 0);
    CHECK_EQ(t[0].status, GNTST_bad_page);
    CHECK_EQ(t[1].status, GNTST_bad_page);
    CHECK_EQ(g_peek(&g, 0, DOM_RAM + PAGE_SIZE), g_byte(0, 1));
    g_end(&g);
}

TEST(caches_of_granted_frames_are_flushed)
{
    struct grants g = g_begin();
    struct gnttab_cache_flush c = { .offset = 0 };
    uint8_t byte = 0;

    /* What Linux asks to learn whether there is the operation. */
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), 0);
    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    CHECK(g_poke(&g, 1, G_WINDOW + 100, 0x66));
    world_cpu(g.w, 0);
    CHECK(fake_guest_read_uncached(g.d[0]->vcpus[0], gpa(DOM_RAM + 5 * PAGE_SIZE + 100), &byte, 1));
    CHECK(byte != 0x66);
    c = (struct gnttab_cache_flush){ .a.dev_bus_addr = a.dev_bus_addr, .offset = 64, .length = 64,
                                     .op = GNTTAB_CACHE_CLEAN };
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), 0);
    world_cpu(g.w, 0);
    CHECK(fake_guest_read_uncached(g.d[0]->vcpus[0], gpa(DOM_RAM + 5 * PAGE_SIZE + 100), &byte, 1));
    CHECK_EQ(byte, 0x66);
    c.op = GNTTAB_CACHE_INVAL;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), 0);
    CHECK_EQ(g_call(&g, 2, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EPERM);
    c.a.dev_bus_addr += PAGE_SIZE;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EPERM);
    c.a.dev_bus_addr = UINT64_MAX;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EPERM);
    c.a.dev_bus_addr = a.dev_bus_addr;
    c.op = GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_CLEAN;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EOPNOTSUPP);
    c.op = 4;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EINVAL);
    c.op = GNTTAB_CACHE_CLEAN;
    c.offset = 4095;
    c.length = 2;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EINVAL);
    c.length = 1;
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), 0);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), GNTST_okay);
    CHECK_EQ(g_call(&g, 1, GNTTABOP_cache_flush, &c, sizeof(c), 1), -XEN_EPERM);
    g_end(&g);
}

TEST(the_control_domain_dumps_tables)
{
    struct grants g = g_begin();
    struct gnttab_dump_table t = { .dom = g.d[0]->id, .status = 99 };

    g_grant(&g, 0, 20, 1, 5, 0);
    CHECK_EQ(g_map(&g, 1, 0, 20, 0, G_WINDOW).status, GNTST_okay);
    CHECK_EQ(g_call(&g, 2, GNTTABOP_dump_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_permission_denied);
    CHECK(!world_console_has(g.w, "grants version"));
    g.d[2]->who |= HC_WHO_CONTROL;
    CHECK_EQ(g_call(&g, 2, GNTTABOP_dump_table, &t, sizeof(t), 1), 0);
    CHECK_EQ(t.status, GNTST_okay);
    CHECK(world_console_has(g.w, "grants version 1, 1 of 64 frames, 1 in use, maps 0 of others"));
    CHECK(world_console_has(g.w, "grant 20: 0 times to read, 1 times to write"));
    g_end(&g);
}
