/* SPDX-License-Identifier: MIT */
/*
 * A domain's grant table: its frames and its versions, from domain_create() to the end.
 *
 * Frames of entries are the hypervisor's and shared with the guest: each that maps one
 * (add_to_physmap, acquire_resource) holds a reference of its own, and none is given back
 * before the domain is taken apart, also not the states when the version changes back.
 * So nobody ever maps a frame that was freed, whatever races with what.
 *
 * Memory comes late: no frame before somebody asks for one, pins of a frame's entries with
 * the first use of one. Locks: gnttab.lock. Next: gnttab_entry.c.
 */
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "grants.h"

#define ROOM_MIN 4
#define CLOSE_FRAMES 32 /* given back in one step */

bool gnttab_limits_are_valid(uint32_t frames_max, uint32_t maptrack_max, uint32_t version_max)
{
    return frames_max <= GNTTAB_FRAMES_MAX &&
           (maptrack_max <= GNTTAB_MAPTRACK_MAX || maptrack_max == GNTTAB_MAPTRACK_NONE) &&
           version_max <= 2;
}

int gnttab_init(struct domain *d)
{
    const struct domain_config *c = &d->config;

    if (!gnttab_limits_are_valid(c->grant_frames_max, c->maptrack_frames_max,
                                 c->grant_version_max)) {
        return refuse(-XEN_EINVAL, "limits of a grant table", c->grant_frames_max,
                      c->maptrack_frames_max);
    }
    if (d->who == 0) {
        return 0;
    }
    d->gnttab = mem_alloc(d->hv, sizeof(*d->gnttab));
    if (d->gnttab == NULL) {
        return -XEN_ENOMEM;
    }
    d->gnttab->lock = SPINLOCK_INIT(LOCK_RANK_GRANT);
    d->gnttab->version = 1;
    return 0;
}

/* Room for one more page. */
static int pages_reserve(struct hv *hv, struct grant_pages *p)
{
    uint32_t room = MAX(p->room * 2, (uint32_t)ROOM_MIN);

    if (p->nr < p->room) {
        return 0;
    }
    struct grant_page *page = mem_alloc(hv, room * sizeof(*page));
    if (page == NULL) {
        return -XEN_ENOMEM;
    }
    if (p->page != NULL) {
        memcpy(page, p->page, p->nr * sizeof(*page));
        mem_free(hv, p->page, p->room * sizeof(*page));
    }
    p->page = page;
    p->room = room;
    return 0;
}

static int pages_add(struct domain *d, struct grant_pages *p)
{
    struct hv *hv = d->hv;
    int rc = pages_reserve(hv, p);

    if (rc != 0) {
        return rc;
    }
    mfn_t m = frame_alloc(hv, 0, FRAME_ALLOC_ZERO);
    if (mfn_is_none(m)) {
        return -XEN_ENOMEM;
    }
    p->page[p->nr] = (struct grant_page){ .placed = GFN_NONE };
    guest_share_frame(d, m, &p->page[p->nr].shared);
    p->nr++;
    return 0;
}

/* Frees the last page, or as an orphan when somebody still maps it. */
static void pages_drop(struct domain *d, struct grant_pages *p)
{
    struct grant_page *page = &p->page[--p->nr];
    mfn_t m = frame_of(d->hv, page->shared.at);

    mem_free(d->hv, page->pins, GRANTS_PER_FRAME_V1 * sizeof(page->pins[0]));
    guest_unshare(d, &page->shared);
    frame_free(d->hv, m, 0);
}

/* Frames of states for `nr` frames of version 2 entries. */
static uint32_t state_frames(uint32_t nr)
{
    return (nr * GRANTS_PER_FRAME_V2 + GRANT_STATES_PER_FRAME - 1) / GRANT_STATES_PER_FRAME;
}

static int grow_states_locked(struct domain *d, uint32_t nr)
{
    struct gnttab *t = d->gnttab;
    int rc = 0;

    while (t->states.nr < state_frames(nr) && rc == 0) {
        rc = pages_add(d, &t->states);
    }
    return rc;
}

/* A table that could not grow as far as it should keeps what it got. */
static int grow_locked(struct domain *d, uint32_t nr)
{
    struct gnttab *t = d->gnttab;
    int rc = 0;

    if (t->closed) {
        return refuse(-XEN_ESRCH, "the domain is dying", d->id, 0);
    }
    if (nr > gnttab_frames_max(d)) {
        return refuse(-XEN_EINVAL, "more grant frames than the domain may have", nr,
                      gnttab_frames_max(d));
    }
    if (t->version == 2) {
        rc = grow_states_locked(d, nr);
    }
    while (t->entries.nr < nr && rc == 0) {
        rc = pages_add(d, &t->entries);
    }
    return rc;
}

int gnttab_grow(struct domain *d, uint32_t nr)
{
    spin_lock(&d->gnttab->lock);
    int rc = grow_locked(d, nr);
    spin_unlock(&d->gnttab->lock);
    return rc;
}

static int frame_locked(struct domain *d, uint32_t index, bool status, bool grow, mfn_t *out)
{
    struct gnttab *t = d->gnttab;
    struct grant_pages *p = status ? &t->states : &t->entries;
    uint64_t per = status ? GRANT_STATES_PER_FRAME / GRANTS_PER_FRAME_V2 : 1;
    int rc = 0;

    if (status && t->version != 2) {
        return refuse(-XEN_EINVAL, "states, and the grant table is of this version", t->version,
                      index);
    }
    if (t->closed) {
        return refuse(-XEN_ESRCH, "the domain is dying", d->id, 0);
    }
    if (index >= p->nr && grow) {
        uint64_t nr = ((uint64_t)index + 1) * per;

        /* The last frame of states belongs to fewer entries, perhaps. */
        nr = status && nr - gnttab_frames_max(d) < per ? gnttab_frames_max(d) : nr;
        rc = grow_locked(d, (uint32_t)MIN(nr, UINT32_MAX));
    }
    if (rc != 0) {
        return rc;
    }
    if (index >= p->nr) {
        return refuse(-XEN_EINVAL, "the grant table has no such frame", index, p->nr);
    }
    *out = frame_of(d->hv, p->page[index].shared.at);
    frame_get(d->hv, *out);
    return 0;
}

int gnttab_frame(struct domain *d, uint32_t index, bool status, bool grow, mfn_t *out)
{
    if (d->gnttab == NULL) {
        return refuse(-XEN_EOPNOTSUPP, "the domain has no Xen interfaces", d->id, 0);
    }
    spin_lock(&d->gnttab->lock);
    int rc = frame_locked(d, index, status, grow, out);
    spin_unlock(&d->gnttab->lock);
    return rc;
}

void gnttab_frame_placed(struct domain *d, uint32_t index, bool status, gfn_t g)
{
    struct gnttab *t = d->gnttab;
    struct grant_pages *p = status ? &t->states : &t->entries;

    spin_lock(&t->lock);
    if (index < p->nr && !t->closed) {
        p->page[index].placed = g;
    }
    spin_unlock(&t->lock);
}

uint64_t gnttab_frame_gfn(struct domain *d, uint32_t index, bool status)
{
    struct gnttab *t = d->gnttab;
    struct grant_pages *p = status ? &t->states : &t->entries;
    gfn_t g = GFN_NONE;
    mfn_t m = MFN_NONE;

    spin_lock(&t->lock);
    if (index < p->nr && !t->closed) {
        g = p->page[index].placed;
        m = frame_of(d->hv, p->page[index].shared.at);
    }
    spin_unlock(&t->lock);
    if (gfn_is_none(g) || !mfn_eq(p2m_lookup(d, g, NULL, NULL), m)) {
        return UINT64_MAX;
    }
    return g.n;
}

/* --- Versions ---------------------------------------------------------------- */

/* The reserved entries as version 2 has them. */
struct reserved {
    uint64_t head[GNTTAB_NR_RESERVED_ENTRIES]; /* flags, domid, and 32 bits of the type */
    uint64_t frame[GNTTAB_NR_RESERVED_ENTRIES];
};

static uint64_t *entry_word(struct gnttab *t, uint32_t ref, uint32_t word)
{
    uint32_t size = t->version == 1 ? 8 : 16;

    return guest_shared_word(&t->entries.page[0].shared, ref * size + word * 8);
}

static void read_reserved(struct gnttab *t, struct reserved *r)
{
    for (uint32_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        r->head[i] = atomic_load_relaxed(entry_word(t, i, 0));
        if (t->version == 1) {
            r->frame[i] = r->head[i] >> 32;
            r->head[i] &= UINT32_MAX & ~(uint64_t)(GTF_reading | GTF_writing);
        } else {
            r->frame[i] = atomic_load_relaxed(entry_word(t, i, 1));
        }
    }
}

/* Version 1 has no place for parts of a page, for transitive grants, and for far frames. */
static bool fits_version_1(const struct reserved *r)
{
    for (uint32_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        uint64_t type = r->head[i] & GTF_type_mask;

        if (type == GTF_transitive ||
            (type == GTF_permit_access && (r->head[i] & GTF_sub_page) != 0) ||
            (type != GTF_invalid && r->frame[i] > UINT32_MAX)) {
            return false;
        }
    }
    return true;
}

static uint64_t state_bits(const struct grant_page *page, uint32_t i)
{
    if (page->pins == NULL || (page->pins[i].reads | page->pins[i].writes) == 0) {
        return 0;
    }
    return GTF_reading | (page->pins[i].writes != 0 ? GTF_writing : 0);
}

static void write_reserved(struct gnttab *t, const struct reserved *r)
{
    for (uint32_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        if (t->version == 1) {
            uint64_t head = (r->head[i] & UINT32_MAX) | state_bits(&t->entries.page[0], i);

            atomic_store_relaxed(entry_word(t, i, 0), head | r->frame[i] << 32);
        } else {
            atomic_store_relaxed(entry_word(t, i, 1), r->frame[i]);
            atomic_store_relaxed(entry_word(t, i, 0), r->head[i]);
        }
    }
}

/* All of it: who keeps a grant in use through this has only a reserved one. */
static void clear_pages(struct grant_pages *p)
{
    for (uint32_t i = 0; i < p->nr; i++) {
        memset(guest_shared_word(&p->page[i].shared, 0), 0, PAGE_SIZE);
    }
}

static int set_version_locked(struct domain *d, uint32_t version)
{
    struct gnttab *t = d->gnttab;
    struct reserved r = { { 0 }, { 0 } };

    if (t->in_use != 0) {
        return refuse(-XEN_EBUSY, "grants are in use", t->in_use, version);
    }
    int rc = grow_locked(d, MAX(t->entries.nr, 1u));
    if (rc == 0 && version == 2) {
        rc = grow_states_locked(d, t->entries.nr);
    }
    if (rc != 0) {
        return rc;
    }
    read_reserved(t, &r);
    if (version == 1 && !fits_version_1(&r)) {
        return refuse(-XEN_ERANGE, "a reserved entry cannot be one of version 1", 0, 0);
    }
    /* point of no return */
    clear_pages(&t->entries);
    clear_pages(&t->states);
    t->version = (uint8_t)version;
    write_reserved(t, &r);
    for (uint32_t i = 0; version == 2 && i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        grant_state_write_locked(t, i);
    }
    return 0;
}

int gnttab_set_version(struct domain *d, uint32_t version)
{
    uint32_t max =
        d->config.grant_version_max != 0 ? d->config.grant_version_max : GNTTAB_VERSION_DEFAULT;
    int rc = 0;

    if (version != 1 && version != 2) {
        return refuse(-XEN_EINVAL, "no version of the grant table", version, 0);
    }
    if (version > max) {
        return refuse(-XEN_ENOSYS, "the domain may not have this version", version, max);
    }
    spin_lock(&d->gnttab->lock);
    if (d->gnttab->version != version) {
        rc = set_version_locked(d, version);
    }
    spin_unlock(&d->gnttab->lock);
    return rc;
}

/* --- The end ----------------------------------------------------------------- */

/* Some pages; true when none is left. Nobody else looks at them since the table is closed. */
static bool free_pages(struct domain *d, struct grant_pages *p)
{
    for (uint32_t i = 0; i < CLOSE_FRAMES && p->nr != 0; i++) {
        pages_drop(d, p);
    }
    if (p->nr != 0) {
        return false;
    }
    mem_free(d->hv, p->page, p->room * sizeof(*p->page));
    *p = (struct grant_pages){ 0 };
    return true;
}

int gnttab_close(struct domain *d)
{
    struct gnttab *t = d->gnttab;

    if (t == NULL) {
        return 0;
    }
    spin_lock(&t->lock);
    t->closed = true;
    spin_unlock(&t->lock);
    if (maptrack_close(d) != 0 || !free_pages(d, &t->entries) || !free_pages(d, &t->states)) {
        return -XEN_EAGAIN;
    }
    return 0;
}

void gnttab_free(struct domain *d)
{
    mem_free(d->hv, d->gnttab, sizeof(*d->gnttab));
    d->gnttab = NULL;
}
