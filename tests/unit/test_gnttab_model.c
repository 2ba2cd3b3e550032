/* SPDX-License-Identifier: MIT */
/*
 * Grant tables beside a model: random operations of three domains, which grant, map, copy, lie
 * in their entries, change versions, end and come back. The model has entries, handles and
 * the bytes of each page; after each step it and the hypervisor must say the same.
 */
#include "grant_invariants.h"
#include "grants.h"
#include "random.h"

#define REFS 24 /* used ones; the first 8 are the reserved ones */
#define PAGES 12 /* of RAM that are granted and copied */
#define SLOTS 8 /* places where a domain maps */
#define HANDLES 40
#define FAR 5000 /* a reference that no table here has */

/* A page of some domain, which may be gone. */
struct mpage {
    uint32_t holders; /* its domain, and places where it is mapped */
    uint8_t bytes[PAGE_SIZE];
};

struct mentry {
    uint16_t flags, domid, half[2];
    uint64_t frame;
    uint16_t reads, writes;
};

struct mhandle {
    bool live, readonly;
    uint32_t number, slot, ref;
    uint32_t granter, life; /* which of the domains that had this place */
    struct mpage *page;
};

struct mslot {
    struct mpage *page; /* NULL: nothing is mapped */
    bool readonly;
};

struct mdomain {
    uint32_t life, version;
    struct mentry entry[REFS];
    struct mhandle handle[HANDLES];
    struct mslot slot[SLOTS];
    struct mpage *page[PAGES];
};

static struct {
    struct grants g;
    struct mdomain d[G_DOMAINS];
} all;

static void page_put(struct mpage *p)
{
    if (p != NULL && --p->holders == 0) {
        free(p);
    }
}

static uint64_t slot_at(uint32_t slot) { return G_WINDOW + slot * PAGE_SIZE; }

/* --- The model ------------------------------------------------------------------- */

static struct mentry *entry_of(uint32_t i, uint32_t ref)
{
    return ref < REFS ? &all.d[i].entry[ref] : NULL;
}

static uint16_t marks_of(const struct mentry *e)
{
    return (uint16_t)((e->reads + e->writes != 0 ? GTF_reading : 0) |
                      (e->writes != 0 ? GTF_writing : 0));
}

/* Takes an entry into use, or says why not. `use` is enum grant_use. */
static int16_t m_take(uint32_t i, uint32_t ref, uint32_t by, bool readonly, enum grant_use use)
{
    struct mentry *e = entry_of(i, ref);
    uint32_t version = all.d[i].version;
    uint32_t type = e != NULL ? e->flags & GTF_type_mask : 0;

    if (e == NULL) {
        return GNTST_bad_gntref;
    }
    if (!(type == GTF_permit_access || (type == GTF_transitive && version == 2)) ||
        e->domid != all.g.d[by]->id || (!readonly && (e->flags & GTF_readonly)) ||
        (type == GTF_transitive && use != GRANT_COPY) ||
        (version == 2 && (e->flags & GTF_sub_page) && use == GRANT_MAP)) {
        return GNTST_general_error;
    }
    e->reads += readonly;
    e->writes += !readonly;
    if (version == 1) {
        e->flags |= (uint16_t)(GTF_reading | (readonly ? 0 : GTF_writing));
    }
    return 0;
}

static void m_end(uint32_t i, uint32_t ref, bool readonly)
{
    struct mentry *e = entry_of(i, ref);

    e->reads -= readonly;
    e->writes -= !readonly;
    if (all.d[i].version == 1) {
        e->flags &= (uint16_t)(~(GTF_reading | GTF_writing) | marks_of(e));
    }
}

/* The page an entry names; NULL: the granter has none there. */
static struct mpage *m_page(uint32_t i, uint64_t frame)
{
    return frame >= G_GFN(0) && frame < G_GFN(PAGES) ? all.d[i].page[frame - G_GFN(0)] : NULL;
}

/* One end of a copy. */
struct mend {
    struct mpage *page;
    uint32_t start, end;
    uint32_t owner[2], ref[2], nr; /* entries in use */
    bool readonly;
};

static void m_end_all(struct mend *m)
{
    while (m->nr != 0) {
        m->nr--;
        m_end(m->owner[m->nr], m->ref[m->nr], m->readonly);
    }
}

static int16_t m_hold(struct mend *m, uint32_t i, uint32_t ref, uint32_t by, enum grant_use use)
{
    int16_t rc = m_take(i, ref, by, m->readonly, use);

    if (rc == 0) {
        m->owner[m->nr] = i;
        m->ref[m->nr++] = ref;
    }
    return rc;
}

/* The end that entry ref of domain i is for domain `by`. */
static int16_t m_begin(struct mend *m, uint32_t i, uint32_t ref, uint32_t by)
{
    int16_t rc = m_hold(m, i, ref, by, GRANT_COPY);
    const struct mentry *e = entry_of(i, ref);

    if (rc == 0 && (e->flags & GTF_type_mask) == GTF_transitive) {
        uint32_t through = 0;

        while (through < G_DOMAINS && all.g.d[through]->id != e->half[0]) {
            through++;
        }
        rc = through == G_DOMAINS ? GNTST_bad_domain
             : through == i       ? GNTST_general_error
                                  : m_hold(m, through, (uint32_t)e->frame, i, GRANT_COPY_DIRECT);
        if (rc == 0) {
            e = entry_of(through, (uint32_t)e->frame);
            i = through;
        }
    }
    if (rc == 0) {
        bool part = all.d[i].version == 2 && (e->flags & GTF_sub_page);

        m->start = part ? e->half[0] : 0;
        m->end = part ? MIN(e->half[0] + e->half[1], 4096) : 4096;
        m->page = m_page(i, e->frame);
        rc = m->page == NULL ? GNTST_bad_page : 0;
    }
    if (rc != 0) {
        m_end_all(m);
    }
    return rc;
}

/* --- Steps ------------------------------------------------------------------------- */

static void write_entry(uint32_t i, uint32_t ref)
{
    const struct mentry *e = &all.d[i].entry[ref];

    if (all.d[i].version == 1) {
        *g_v1(&all.g, i, ref) = (struct grant_entry_v1){ e->flags, e->domid, (uint32_t)e->frame };
        return;
    }
    union grant_entry_v2 *v2 = g_v2(&all.g, i, ref);
    v2->hdr = (struct grant_entry_header){ e->flags, e->domid };
    v2->sub_page.page_off = e->half[0];
    v2->sub_page.length = e->half[1];
    v2->sub_page.frame = e->frame;
}

static uint32_t any_ref(void) { return any(20) != 0 ? any(REFS) : FAR; }

/* The granted domain's most likely reference: one that names it. */
static uint32_t likely_ref(uint32_t granter, uint32_t by)
{
    uint32_t ref = any_ref();

    for (uint32_t n = 0;
         n < 30 && (ref >= REFS || all.d[granter].entry[ref].domid != all.g.d[by]->id ||
                    (all.d[granter].entry[ref].flags & GTF_type_mask) == 0);
         n++) {
        ref = any_ref();
    }
    return ref;
}

/* A guest writes an entry: a good one as a rule, and whatever it likes also while it is in use. */
static void step_grant(uint32_t i)
{
    static const uint16_t extra[] = { 0, 0, 0, 0, GTF_readonly, GTF_reading, GTF_writing, 0x8000 };
    uint32_t ref = any(REFS), kind = any(16);
    struct mentry *e = &all.d[i].entry[ref];
    bool v2 = all.d[i].version == 2;

    e->flags = (uint16_t)(GTF_permit_access | extra[any(8)]);
    e->domid = any(10) != 0 ? all.g.d[any(G_DOMAINS)]->id : (uint16_t)any(65536);
    e->half[0] = e->half[1] = 0;
    e->frame = any(10) != 0 ? G_GFN(any(PAGES)) : any(2) ? 0x7fff : UINT32_MAX;
    if (kind == 0) {
        e->flags = (uint16_t)(any(4) == 3 && v2 ? GTF_permit_access : any(3));
    } else if (kind < 3 && v2) {
        e->flags |= GTF_sub_page;
        e->half[0] = (uint16_t)any(kind == 1 ? 4096 : 65536);
        e->half[1] = (uint16_t)any(kind == 1 ? 4096 : 65536);
    } else if (kind < 7 && v2) {
        e->flags |= GTF_transitive;
        uint32_t through = any(G_DOMAINS);

        e->half[0] = any(8) != 0 ? all.g.d[through]->id : 1000;
        e->frame = likely_ref(through, i);
    }
    write_entry(i, ref);
}

static void slot_set(uint32_t i, uint32_t slot, struct mpage *page, bool readonly)
{
    struct mslot *s = &all.d[i].slot[slot];

    if (page != NULL) {
        page->holders++;
    }
    page_put(s->page);
    *s = (struct mslot){ page, readonly };
}

static void step_map(uint32_t i)
{
    uint32_t from = any(G_DOMAINS), ref = likely_ref(from, i), slot = any(SLOTS), h = 0;
    bool readonly = any(2);

    while (h < HANDLES && all.d[i].handle[h].live) {
        h++;
    }
    if (h == HANDLES) {
        return;
    }
    int16_t want = m_take(from, ref, i, readonly, GRANT_MAP);
    struct mpage *page = want == 0 ? m_page(from, all.d[from].entry[ref].frame) : NULL;

    if (want == 0 && page == NULL) {
        m_end(from, ref, readonly);
        want = GNTST_bad_page;
    }
    struct gnttab_map_grant_ref a =
        g_map(&all.g, i, from, ref, readonly ? GNTMAP_readonly : 0, slot_at(slot));
    CHECK_EQ(a.status, want);
    if (want == 0) {
        all.d[i].handle[h] = (struct mhandle){ .live = true,
                                               .readonly = readonly,
                                               .number = a.handle,
                                               .slot = slot,
                                               .ref = ref,
                                               .granter = from,
                                               .life = all.d[from].life,
                                               .page = page };
        page->holders++;
        slot_set(i, slot, page, readonly);
    }
}

/* A handle of the model ends. */
static void handle_end(uint32_t i, struct mhandle *h)
{
    if (all.d[h->granter].life == h->life) {
        m_end(h->granter, h->ref, h->readonly);
    }
    page_put(h->page);
    *h = (struct mhandle){ .live = false };
}

static void step_unmap(uint32_t i)
{
    struct mhandle *h = &all.d[i].handle[any(HANDLES)];
    uint32_t slot = any(10) == 0 ? any(SLOTS) : h->slot;

    for (uint32_t n = 0; n < HANDLES && !h->live; n++) {
        h = &all.d[i].handle[any(HANDLES)];
        slot = any(10) == 0 ? any(SLOTS) : h->slot;
    }
    uint32_t number = h->live ? h->number : 3000;
    int16_t want = !h->live ? GNTST_bad_handle : slot != h->slot ? GNTST_bad_virt_addr : 0;

    CHECK_EQ(g_unmap(&all.g, i, number, slot_at(slot)), want);
    if (want == 0) {
        if (all.d[i].slot[slot].page == h->page) {
            slot_set(i, slot, NULL, false);
        }
        handle_end(i, h);
    }
}

/* Any end of a copy; `from` is whose reference it is, G_DOMAINS: an own page. */
static struct gnttab_copy_ptr any_end(uint32_t i, uint32_t *from)
{
    struct gnttab_copy_ptr p = { .offset = (uint16_t)any(any(16) != 0 ? 3000 : 5000) };

    *from = any(3) != 0 ? any(G_DOMAINS) : G_DOMAINS;
    if (*from == G_DOMAINS) {
        p.u.gmfn = G_GFN(any(12) != 0 ? any(PAGES) : 200);
        p.domid = DOMID_SELF;
    } else {
        p.u.ref = likely_ref(*from, i);
        p.domid = all.g.d[*from]->id;
    }
    return p;
}

static int16_t m_copy_end(uint32_t i, const struct gnttab_copy_ptr *p, uint32_t from, uint32_t len,
                          struct mend *m)
{
    int16_t rc = 0;

    m->end = 4096;
    if (from == G_DOMAINS) {
        m->page = m_page(i, p->u.gmfn);
        rc = m->page == NULL ? GNTST_bad_page : 0;
    } else {
        rc = m_begin(m, from, p->u.ref, i);
    }
    if (rc == 0 && (p->offset < m->start || p->offset + len > m->end)) {
        rc = GNTST_general_error;
    }
    return rc;
}

static void step_copy(uint32_t i)
{
    struct gnttab_copy a = { .len = (uint16_t)any(any(16) != 0 ? 1000 : 5000), .status = 99 };
    struct mend from = { .readonly = true }, to = { .readonly = false };
    uint32_t source, dest;

    a.source = any_end(i, &source);
    a.dest = any_end(i, &dest);
    a.flags = (uint16_t)((source != G_DOMAINS ? GNTCOPY_source_gref : 0) |
                         (dest != G_DOMAINS ? GNTCOPY_dest_gref : 0));
    int16_t want = a.source.offset + a.len > 4096 || a.dest.offset + a.len > 4096
                       ? GNTST_bad_copy_arg
                       : m_copy_end(i, &a.source, source, a.len, &from);
    want = want == 0 ? m_copy_end(i, &a.dest, dest, a.len, &to) : want;
    if (want == 0) {
        memmove(to.page->bytes + a.dest.offset, from.page->bytes + a.source.offset, a.len);
    }
    m_end_all(&to);
    m_end_all(&from);
    CHECK_EQ(g_call(&all.g, i, GNTTABOP_copy, &a, sizeof(a), 1), 0);
    CHECK_EQ(a.status, want);
}

static void step_swap(uint32_t i)
{
    struct gnttab_swap_grant_ref s = { any_ref(), any_ref(), 99 };
    struct mentry *a = entry_of(i, s.ref_a), *b = entry_of(i, s.ref_b);
    int16_t want = 0;

    if (a == NULL || b == NULL) {
        want = GNTST_bad_gntref;
    } else if (a != b && (marks_of(a) | marks_of(b)) != 0) {
        want = GNTST_eagain;
    } else {
        struct mentry was = *a;

        *a = *b;
        *b = was;
    }
    CHECK_EQ(g_call(&all.g, i, GNTTABOP_swap_grant_ref, &s, sizeof(s), 1), 0);
    CHECK_EQ(s.status, want);
}

static int64_t m_set_version(uint32_t i, uint32_t version)
{
    struct mdomain *d = &all.d[i];

    for (uint32_t r = GNTTAB_NR_RESERVED_ENTRIES; r < REFS && version != d->version; r++) {
        if (marks_of(&d->entry[r]) != 0) {
            return -XEN_EBUSY;
        }
    }
    for (uint32_t r = 0; r < GNTTAB_NR_RESERVED_ENTRIES && version != d->version; r++) {
        const struct mentry *e = &d->entry[r];
        uint32_t type = e->flags & GTF_type_mask;

        if (version == 1 &&
            (type == GTF_transitive || (type == GTF_permit_access && (e->flags & GTF_sub_page)))) {
            return -XEN_ERANGE;
        }
    }
    for (uint32_t r = 0; r < REFS && version != d->version; r++) {
        struct mentry *e = &d->entry[r];

        if (r >= GNTTAB_NR_RESERVED_ENTRIES) {
            *e = (struct mentry){ 0 };
        } else if (version == 2) {
            e->flags &= (uint16_t) ~(GTF_reading | GTF_writing);
            e->half[0] = e->half[1] = 0;
        } else {
            e->flags |= marks_of(e);
            e->frame &= UINT32_MAX;
        }
    }
    d->version = version;
    return 0;
}

static void step_version(uint32_t i)
{
    struct gnttab_set_version v = { 1 + any(2) };
    int64_t want = m_set_version(i, v.version);

    CHECK_EQ(g_call(&all.g, i, GNTTABOP_set_version, &v, sizeof(v), 1), want);
    CHECK_EQ(v.version, all.d[i].version);
}

/* Through a mapping, or in own RAM. */
static void step_poke(uint32_t i)
{
    uint32_t slot = any(SLOTS), off = any(4096);
    struct mslot *s = &all.d[i].slot[slot];
    uint8_t byte = (uint8_t)any(256);
    bool ok = s->page != NULL && !s->readonly;

    CHECK_EQ(g_poke(&all.g, i, slot_at(slot) + off, byte), ok);
    if (ok) {
        s->page->bytes[off] = byte;
    }
}

static void forget(uint32_t i)
{
    struct mdomain *d = &all.d[i];

    for (uint32_t h = 0; h < HANDLES; h++) {
        if (d->handle[h].live) {
            handle_end(i, &d->handle[h]);
        }
    }
    for (uint32_t s = 0; s < SLOTS; s++) {
        slot_set(i, s, NULL, false);
    }
    for (uint32_t p = 0; p < PAGES; p++) {
        page_put(d->page[p]);
    }
    *d = (struct mdomain){ .life = d->life + 1 };
}

static void create(uint32_t i)
{
    CHECK(g_create(&all.g, i, (struct domain_config){ .grant_version_max = 2 }));
    g_frame(&all.g, i, 0, false);
    all.d[i].version = 1;
    for (uint32_t p = 0; p < PAGES; p++) {
        all.d[i].page[p] = calloc(1, sizeof(struct mpage));
        all.d[i].page[p]->holders = 1;
        memset(all.d[i].page[p]->bytes, g_byte(i, p), PAGE_SIZE);
    }
}

static void step_again(uint32_t i)
{
    /* Where there are no more references than the table has: FAR is none. */
    g_destroy(&all.g, i);
    forget(i);
    create(i);
}

static void step(void)
{
    static void (*const steps[])(uint32_t i) = {
        step_grant, step_grant, step_grant, step_grant, step_map,  step_map,  step_map,
        step_unmap, step_unmap, step_copy,  step_copy,  step_copy, step_poke, step_swap,
    };
    uint32_t i = any(G_DOMAINS), what = any(400);

    if (what < 4) {
        step_again(i);
    } else if (what < 24) {
        step_version(i);
    } else {
        steps[what % ARRAY_SIZE(steps)](i);
    }
}

/* --- Both say the same --------------------------------------------------------------- */

static bool same_entry(uint32_t i, uint32_t ref)
{
    const struct mentry *e = &all.d[i].entry[ref];

    if (all.d[i].version == 1) {
        const struct grant_entry_v1 *v1 = g_v1(&all.g, i, ref);

        return v1->flags == e->flags && v1->domid == e->domid && v1->frame == (uint32_t)e->frame;
    }
    const union grant_entry_v2 *v2 = g_v2(&all.g, i, ref);
    return v2->hdr.flags == e->flags && v2->hdr.domid == e->domid &&
           v2->sub_page.page_off == e->half[0] && v2->sub_page.length == e->half[1] &&
           v2->sub_page.frame == e->frame && *g_status(&all.g, i, ref) == marks_of(e);
}

static bool same_page(uint32_t i, uint32_t page)
{
    mfn_t m = p2m_lookup(all.g.d[i], gfn(G_GFN(page)), NULL, NULL);

    return memcmp(frame_map_local(all.g.w->hv, m), all.d[i].page[page]->bytes, PAGE_SIZE) == 0;
}

static bool same_slot(uint32_t i, uint32_t slot)
{
    const struct mslot *s = &all.d[i].slot[slot];
    uint32_t off = any(4096);

    return g_peek(&all.g, i, slot_at(slot) + off) == (s->page != NULL ? s->page->bytes[off] : -1);
}

static bool same(void)
{
    const char *wrong = grant_check(all.g.w->hv);
    bool ok = wrong == NULL;

    for (uint32_t i = 0; i < G_DOMAINS && ok; i++) {
        for (uint32_t r = 0; r < REFS && ok; r++) {
            ok = same_entry(i, r);
        }
        for (uint32_t p = 0; p < PAGES && ok; p++) {
            ok = same_page(i, p);
        }
        for (uint32_t s = 0; s < SLOTS && ok; s++) {
            ok = same_slot(i, s);
        }
        ok = ok && all.g.d[i]->refs == 1 + grant_references(all.g.w->hv, all.g.d[i]);
    }
    if (wrong != NULL) {
        printf("%s\n", wrong);
    }
    return ok;
}

static void begin(void)
{
    all.g = (struct grants){ .w = dom_world(G_DOMAINS) };
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        create(i);
    }
}

static void end(void)
{
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        uint32_t victim = (i + seed) % G_DOMAINS;

        g_destroy(&all.g, victim);
        forget(victim);
        CHECK(grant_check(all.g.w->hv) == NULL);
    }
    world_destroy(all.g.w);
}

TEST(tables_do_what_the_model_does)
{
    static const struct random_test test = { 40, 800, begin, step, same, end };

    random_run(&test);
}
