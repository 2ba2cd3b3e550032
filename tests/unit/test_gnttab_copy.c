/* SPDX-License-Identifier: MIT */
/* ipc/gnttab_copy.c and what only copies may use of entries: parts of pages, transitive grants. */
#include "grants.h"

/* The two ends of a copy of domain i: a grant of another domain, or an own page. */
static struct gnttab_copy_ptr by_ref(struct grants *g, uint32_t from, grant_ref_t ref, uint16_t off)
{
    return (struct gnttab_copy_ptr){ .u.ref = ref, .domid = g->d[from]->id, .offset = off };
}

static struct gnttab_copy_ptr own(uint32_t page, uint16_t off)
{
    return (struct gnttab_copy_ptr){ .u.gmfn = G_GFN(page), .domid = DOMID_SELF, .offset = off };
}

static int16_t copy(struct grants *g, uint32_t i, struct gnttab_copy_ptr from,
                    struct gnttab_copy_ptr to, uint16_t len, uint16_t flags)
{
    struct gnttab_copy a = { .source = from, .dest = to, .len = len, .flags = flags, .status = 99 };

    CHECK_EQ(g_call(g, i, GNTTABOP_copy, &a, sizeof(a), 1), 0);
    return a.status;
}

/* Bytes [off, off + len) of a page of domain i are `byte`, those next to them are its own. */
static void check_bytes(struct grants *g, uint32_t i, uint32_t page, uint32_t off, uint32_t len,
                        uint8_t byte)
{
    uint8_t bytes[PAGE_SIZE];
    uint32_t wrong = 0;

    CHECK_EQ(guest_phys_read(g->d[i], bytes, gpa(DOM_RAM + page * PAGE_SIZE), PAGE_SIZE), 0);
    for (uint32_t k = 0; k < PAGE_SIZE; k++) {
        wrong += bytes[k] != (k - off < len ? byte : g_byte(i, page));
    }
    CHECK_EQ(wrong, 0);
}

TEST(bytes_are_copied_between_own_and_granted_pages)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, GTF_readonly);
    g_grant(&g, 2, 30, 1, 6, 0);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 100), own(3, 7), 64, GNTCOPY_source_gref), 0);
    check_bytes(&g, 1, 3, 7, 64, g_byte(0, 5));
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 2, 30, 4000), 96, GNTCOPY_dest_gref), 0);
    check_bytes(&g, 2, 6, 4000, 96, g_byte(1, 4));
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 0), by_ref(&g, 2, 30, 0), PAGE_SIZE,
                  GNTCOPY_source_gref | GNTCOPY_dest_gref), 0);
    check_bytes(&g, 2, 6, 0, PAGE_SIZE, g_byte(0, 5));
    CHECK_EQ(copy(&g, 1, own(8, 0), own(9, 1), 1, 0), 0);
    check_bytes(&g, 1, 9, 1, 1, g_byte(1, 8));
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access | GTF_readonly);
    CHECK_EQ(g_v1(&g, 2, 30)->flags, GTF_permit_access);
    CHECK_EQ(g.d[0]->refs, 1);
    CHECK_EQ(g.d[2]->refs, 1);
    g_end(&g);
}

TEST(within_one_page_bytes_move)
{
    struct grants g = g_begin();
    uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    CHECK_EQ(guest_phys_write(g.d[0], gpa(DOM_RAM), bytes, 8, false), 0);
    CHECK_EQ(copy(&g, 0, own(0, 0), own(0, 2), 6, 0), 0);
    CHECK_EQ(guest_phys_read(g.d[0], bytes, gpa(DOM_RAM), 8), 0);
    CHECK(memcmp(bytes, (uint8_t[]){ 1, 2, 1, 2, 3, 4, 5, 6 }, 8) == 0);
    g_end(&g);
}

/* Nothing to copy is no error, and leaves nothing in use. */
TEST(a_copy_of_no_bytes)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 4096), own(3, 4096), 0, GNTCOPY_source_gref), 0);
    CHECK_EQ(copy(&g, 1, own(3, 0), by_ref(&g, 0, 20, 0), 0, GNTCOPY_dest_gref), 0);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 4097), own(3, 0), 0, GNTCOPY_source_gref),
             GNTST_bad_copy_arg);
    check_bytes(&g, 1, 3, 0, 0, 0);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    CHECK_EQ(g.d[0]->gnttab->in_use, 0);
    g_end(&g);
}

TEST(copies_that_are_refused_copy_nothing)
{
    struct grants g = g_begin();
    uint16_t src = GNTCOPY_source_gref, dst = GNTCOPY_dest_gref;
    struct gnttab_copy_ptr nobody = { .u.ref = 20, .domid = 999 };
    struct gnttab_copy_ptr foreign = { .u.gmfn = G_GFN(1), .domid = g.d[0]->id };
    struct gnttab_copy_ptr nowhere = { .u.gmfn = UINT64_MAX, .domid = DOMID_SELF };

    g_grant(&g, 0, 20, 1, 5, GTF_readonly);
    g_grant(&g, 0, 21, 2, 6, 0);
    g_grant(&g, 0, 22, 1, 0x7000, 0);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 4000), own(3, 0), 97, src), GNTST_bad_copy_arg);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 0), own(3, 4000), 97, src), GNTST_bad_copy_arg);
    CHECK_EQ(copy(&g, 1, own(3, UINT16_MAX), own(3, UINT16_MAX), UINT16_MAX, 0),
             GNTST_bad_copy_arg);
    CHECK_EQ(copy(&g, 1, own(3, 0), by_ref(&g, 0, 20, 0), 8, dst), GNTST_general_error);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 21, 0), own(3, 0), 8, src), GNTST_general_error);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 22, 0), own(3, 0), 8, src), GNTST_bad_page);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 512, 0), own(3, 0), 8, src), GNTST_bad_gntref);
    CHECK_EQ(copy(&g, 1, nobody, own(3, 0), 8, src), GNTST_bad_domain);
    CHECK_EQ(copy(&g, 1, own(3, 0), nobody, 8, dst), GNTST_bad_domain);
    CHECK_EQ(copy(&g, 1, foreign, own(3, 0), 8, 0), GNTST_permission_denied);
    CHECK_EQ(copy(&g, 1, own(3, 0), foreign, 8, 0), GNTST_permission_denied);
    CHECK_STR(g_why(&g), "a frame number of another domain");
    CHECK_EQ(copy(&g, 1, nowhere, own(3, 0), 8, 0), GNTST_bad_page);
    CHECK_EQ(copy(&g, 1, own(3, 0), nowhere, 8, 0), GNTST_bad_page);
    /* The first end was taken, the second one is refused. */
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 0), nowhere, 8, src), GNTST_bad_page);
    check_bytes(&g, 1, 3, 0, 0, 0);
    check_bytes(&g, 0, 5, 0, 0, 0);
    check_bytes(&g, 0, 6, 0, 0, 0);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access | GTF_readonly);
    CHECK_EQ(g.d[0]->gnttab->in_use, 0);
    CHECK_EQ(g.d[0]->refs, 1);
    g_end(&g);
}

TEST(own_memory_that_is_read_only_is_no_destination)
{
    struct grants g = g_begin();
    mfn_t m = p2m_lookup(g.d[0], gfn(G_GFN(4)), NULL, NULL);

    CHECK_EQ(p2m_unmap(g.d[0], gfn(G_GFN(4)), 1), 0);
    CHECK_EQ(p2m_map(g.d[0], gfn(G_GFN(4)), m, 1, P2M_RAM_RO), 0);
    CHECK_EQ(copy(&g, 0, own(3, 0), own(4, 0), 8, 0), GNTST_bad_page);
    CHECK_EQ(copy(&g, 0, own(4, 0), own(3, 0), 8, 0), GNTST_okay);
    /* What is mapped by a grant is somebody else's. */
    g_grant(&g, 1, 20, 0, 5, 0);
    CHECK_EQ(g_map(&g, 0, 1, 20, 0, G_WINDOW).status, GNTST_okay);
    struct gnttab_copy_ptr mapped = { .u.gmfn = G_WINDOW >> PAGE_SHIFT, .domid = DOMID_SELF };
    CHECK_EQ(copy(&g, 0, mapped, own(3, 0), 8, 0), GNTST_bad_page);
    g_end(&g);
}

/* A copy does not take away the marks of a mapping, nor a mapping those of a copy. */
TEST(a_copy_and_a_mapping_of_one_grant)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, 0);
    struct gnttab_map_grant_ref a = g_map(&g, 1, 0, 20, 0, G_WINDOW);
    CHECK_EQ(copy(&g, 1, own(3, 0), by_ref(&g, 0, 20, 0), 8, GNTCOPY_dest_gref), 0);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), 0);
    a = g_map(&g, 1, 0, 20, GNTMAP_readonly, G_WINDOW);
    CHECK_EQ(copy(&g, 1, own(3, 0), by_ref(&g, 0, 20, 0), 8, GNTCOPY_dest_gref), 0);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access | GTF_reading);
    CHECK_EQ(g_unmap(&g, 1, a.handle, G_WINDOW), 0);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    g_end(&g);
}

#define MANY 70

TEST(many_copies_in_one_call)
{
    struct grants g = g_begin();
    struct gnttab_copy a[MANY];

    for (uint32_t i = 0; i < MANY; i++) {
        g_grant(&g, 0, 20 + i, 1, i % 15, 0);
        a[i] = (struct gnttab_copy){ .source = by_ref(&g, 0, 20 + i, 0), .dest = own(3, i * 8),
                                     .len = 8, .flags = GNTCOPY_source_gref, .status = 99 };
        a[i].len = i == 40 ? UINT16_MAX : 8;
    }
    CHECK_EQ(g_call(&g, 1, GNTTABOP_copy, a, sizeof(a[0]), MANY), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_EQ(a[i].status, i == 40 ? GNTST_bad_copy_arg : GNTST_okay);
        CHECK_EQ(g_peek(&g, 1, DOM_RAM + 3 * PAGE_SIZE + i * 8),
                 i == 40 ? g_byte(1, 3) : g_byte(0, i % 15));
    }
    g_end(&g);
}

/* --- Version 2 --------------------------------------------------------------------- */

static void version_2(struct grants *g, uint32_t i)
{
    struct gnttab_set_version v = { 2 };

    CHECK_EQ(g_call(g, i, GNTTABOP_set_version, &v, sizeof(v), 1), 0);
}

static void part(struct grants *g, uint32_t i, grant_ref_t ref, uint32_t to, uint32_t page,
                 uint16_t off, uint16_t len)
{
    *g_v2(g, i, ref) = (union grant_entry_v2){
        .sub_page = { { GTF_permit_access | GTF_sub_page, g->d[to]->id }, off, len, G_GFN(page) }
    };
}

static void transitive(struct grants *g, uint32_t i, grant_ref_t ref, uint32_t to, uint32_t owner,
                       grant_ref_t gref, uint16_t flags)
{
    *g_v2(g, i, ref) = (union grant_entry_v2){
        .transitive = { { (uint16_t)(GTF_transitive | flags), g->d[to]->id }, g->d[owner]->id, 0,
                        gref }
    };
}

TEST(a_part_of_a_page_is_copied)
{
    struct grants g = g_begin();
    uint16_t src = GNTCOPY_source_gref, dst = GNTCOPY_dest_gref;

    version_2(&g, 0);
    part(&g, 0, 20, 1, 5, 100, 50);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 100), own(3, 0), 50, src), 0);
    check_bytes(&g, 1, 3, 0, 50, g_byte(0, 5));
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 0, 20, 149), 1, dst), 0);
    check_bytes(&g, 0, 5, 149, 1, g_byte(1, 4));
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 0, 20, 149), 2, dst), GNTST_general_error);
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 0, 20, 99), 2, dst), GNTST_general_error);
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 0, 20, 0), 0, dst), GNTST_general_error);
    check_bytes(&g, 0, 5, 149, 1, g_byte(1, 4));
    /* More than the page has. */
    part(&g, 0, 20, 1, 6, 4090, UINT16_MAX);
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 0, 20, 4090), 6, dst), 0);
    check_bytes(&g, 0, 6, 4090, 6, g_byte(1, 4));
    part(&g, 0, 20, 1, 7, UINT16_MAX, UINT16_MAX);
    CHECK_EQ(copy(&g, 1, own(4, 0), by_ref(&g, 0, 20, 0), 6, dst), GNTST_general_error);
    CHECK_EQ(*g_status(&g, 0, 20), 0);
    CHECK_EQ(g.d[0]->gnttab->in_use, 0);
    g_end(&g);
}

TEST(a_transitive_grant_leads_to_the_owner)
{
    struct grants g = g_begin();
    uint16_t src = GNTCOPY_source_gref, dst = GNTCOPY_dest_gref;

    version_2(&g, 1);
    g_grant(&g, 2, 40, 1, 9, 0);
    transitive(&g, 1, 20, 0, 2, 40, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 16, src), 0);
    check_bytes(&g, 0, 3, 0, 16, g_byte(2, 9));
    CHECK_EQ(copy(&g, 0, own(4, 0), by_ref(&g, 1, 20, 8), 16, dst), 0);
    check_bytes(&g, 2, 9, 8, 16, g_byte(0, 4));
    CHECK_EQ(*g_status(&g, 1, 20), 0);
    CHECK_EQ(g_v1(&g, 2, 40)->flags, GTF_permit_access);
    CHECK_EQ(g.d[2]->refs, 1);

    /* Each on the way may say: to read only. */
    g_grant(&g, 2, 40, 1, 9, GTF_readonly);
    CHECK_EQ(copy(&g, 0, own(4, 0), by_ref(&g, 1, 20, 0), 8, dst), GNTST_general_error);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(5, 0), 8, src), 0);
    g_grant(&g, 2, 40, 1, 9, 0);
    transitive(&g, 1, 20, 0, 2, 40, GTF_readonly);
    CHECK_EQ(copy(&g, 0, own(4, 0), by_ref(&g, 1, 20, 0), 8, dst), GNTST_general_error);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(5, 0), 8, src), 0);
    CHECK_EQ(*g_status(&g, 1, 20), 0);
    g_end(&g);
}

TEST(transitive_grants_that_lead_nowhere)
{
    struct grants g = g_begin();
    uint16_t src = GNTCOPY_source_gref;

    version_2(&g, 1);
    version_2(&g, 2);
    /* To who granted it to somebody else; to nothing; to itself; to another transitive one. */
    *g_v2(&g, 2, 40) = (union grant_entry_v2){
        .full_page = { { GTF_permit_access, g.d[0]->id }, 0, G_GFN(9) }
    };
    transitive(&g, 1, 20, 0, 2, 40, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 8, src), GNTST_general_error);
    transitive(&g, 1, 20, 0, 2, 4000, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 8, src), GNTST_bad_gntref);
    transitive(&g, 1, 20, 0, 1, 21, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 8, src), GNTST_general_error);
    CHECK_STR(g_why(&g), "transitive to itself");
    transitive(&g, 2, 40, 1, 0, 1, 0);
    transitive(&g, 1, 20, 0, 2, 40, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 8, src), GNTST_general_error);
    g_v2(&g, 1, 20)->transitive.trans_domid = 999;
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 8, src), GNTST_bad_domain);
    *g_v2(&g, 2, 40) = (union grant_entry_v2){
        .full_page = { { GTF_permit_access, g.d[1]->id }, 0, 0x9999 }
    };
    transitive(&g, 1, 20, 0, 2, 40, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 0), own(3, 0), 8, src), GNTST_bad_page);
    /* A part of a page at the end of it. */
    part(&g, 2, 40, 1, 9, 100, 8);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 99), own(3, 0), 8, src), GNTST_general_error);
    check_bytes(&g, 0, 3, 0, 0, 0);
    CHECK_EQ(copy(&g, 0, by_ref(&g, 1, 20, 100), own(3, 0), 8, src), GNTST_okay);
    check_bytes(&g, 0, 3, 0, 8, g_byte(2, 9));

    for (uint32_t i = 1; i < 3; i++) {
        CHECK_EQ(*g_status(&g, i, i * 20), 0);
        CHECK_EQ(g.d[i]->gnttab->in_use, 0);
        CHECK_EQ(g.d[i]->refs, 1);
    }
    g_end(&g);
}

/* In version 1 the type is none. */
TEST(version_1_has_no_transitive_grants)
{
    struct grants g = g_begin();

    g_grant(&g, 0, 20, 1, 5, GTF_transitive);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 0), own(3, 0), 8, GNTCOPY_source_gref),
             GNTST_general_error);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_transitive);
    g_grant(&g, 0, 20, 1, 5, GTF_sub_page);
    CHECK_EQ(copy(&g, 1, by_ref(&g, 0, 20, 0), own(3, 0), 8, GNTCOPY_source_gref), GNTST_okay);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access | GTF_sub_page);
    g_end(&g);
}

TEST(what_a_domain_grants_itself_is_copied)
{
    struct grants g = g_begin();
    struct gnttab_copy_ptr self = { .u.ref = 20, .domid = DOMID_SELF };

    g_grant(&g, 0, 20, 0, 5, 0);
    CHECK_EQ(copy(&g, 0, self, own(3, 0), 8, GNTCOPY_source_gref), GNTST_okay);
    check_bytes(&g, 0, 3, 0, 8, g_byte(0, 5));
    CHECK_EQ(copy(&g, 0, self, self, 8, GNTCOPY_source_gref | GNTCOPY_dest_gref), GNTST_okay);
    CHECK_EQ(g_v1(&g, 0, 20)->flags, GTF_permit_access);
    CHECK_EQ(g.d[0]->refs, 1);
    g_end(&g);
}
