/* SPDX-License-Identifier: MIT */
/* Looks at all grant tables of a host; see grant_invariants.h. */
#include <loam/frame.h>
#include <loam/list.h>
#include <loam/p2m.h>

#include "grant_invariants.h"

#define ENTRIES_LOOKED_AT 16 /* after each step, if no handle names a later one */

/* Live mappings of d, of one entry, to read or to write. */
static uint32_t count_mappings(const struct domain *d, const struct domain *granter,
                               grant_ref_t ref, bool readonly)
{
    uint32_t nr = 0;

    for (uint32_t h = 0; d->gnttab != NULL && h < d->gnttab->maps.fresh; h++) {
        const struct grant_mapping *a = grant_mapping(d, h);

        nr += a->state == MAPPING_LIVE && a->granter == granter && a->ref == ref &&
              a->readonly == readonly;
    }
    return nr;
}

/* Handles of all domains for entries of `granter`; *end: behind the last such entry. */
static uint32_t count_references(struct hv *hv, const struct domain *granter, uint32_t *end)
{
    struct domain *d;
    uint32_t nr = 0;

    *end = 0;
    list_for_each_entry(&hv->domain_list, d, link) {
        for (uint32_t h = 0; d->gnttab != NULL && h < d->gnttab->maps.fresh; h++) {
            const struct grant_mapping *a = grant_mapping(d, h);

            if (a->state == MAPPING_LIVE && a->granter == granter) {
                *end = MAX(*end, a->ref + 1);
                nr++;
            }
        }
    }
    return nr;
}

uint32_t grant_references(struct hv *hv, const struct domain *granter)
{
    uint32_t end;

    return count_references(hv, granter, &end);
}

/* The buckets have `live` handles, each where it belongs. */
static const char *check_buckets(const struct domain *d, uint32_t live)
{
    const struct maptrack *m = &d->gnttab->maps;
    uint32_t linked = 0;

    for (uint32_t b = 0; m->bucket != NULL && b < MAPPING_BUCKETS; b++) {
        uint32_t prev = 0;

        for (uint32_t i = m->bucket[b]; i != 0; prev = i, i = grant_mapping(d, i - 1)->next) {
            const struct grant_mapping *a = grant_mapping(d, i - 1);

            if (a->state != MAPPING_LIVE || a->prev != prev || a->mfn % MAPPING_BUCKETS != b ||
                linked++ > m->fresh) {
                return "a bucket has what does not belong there";
            }
        }
    }
    return linked == live || d->state == DOMAIN_DYING ? NULL : "a live handle is in no bucket";
}

/* The neighbours of a live handle in its bucket know it. */
static bool is_linked(const struct domain *d, uint32_t handle)
{
    const struct maptrack *m = &d->gnttab->maps;
    const struct grant_mapping *a = grant_mapping(d, handle);

    return (a->prev != 0 ? grant_mapping(d, a->prev - 1)->next
                         : m->bucket[a->mfn % MAPPING_BUCKETS]) == handle + 1 &&
           (a->next == 0 || grant_mapping(d, a->next - 1)->prev == handle + 1);
}

/* Handles are live or free, and the live ones are in buckets, which (all) have nothing else. */
static const char *check_handles(const struct domain *d, bool all)
{
    const struct maptrack *m = &d->gnttab->maps;
    uint32_t live = 0, free = 0;

    for (uint32_t h = 0; h < m->fresh; h++) {
        const struct grant_mapping *a = grant_mapping(d, h);

        if (a->state == MAPPING_BUSY || (a->state == MAPPING_LIVE) != (a->granter != NULL)) {
            return "a handle is neither live nor free";
        }
        if (a->state == MAPPING_LIVE && d->state != DOMAIN_DYING && !is_linked(d, h)) {
            return "a live handle is not in its bucket";
        }
        live += a->state == MAPPING_LIVE;
    }
    for (uint32_t f = m->free; f != 0 && free <= m->fresh; f = grant_mapping(d, f - 1)->next) {
        if (grant_mapping(d, f - 1)->state != MAPPING_FREE) {
            return "a live handle can be taken";
        }
        free++;
    }
    const char *wrong = all ? check_buckets(d, live) : NULL;
    if (wrong != NULL || d->state == DOMAIN_DYING) {
        return wrong; /* its handles are ended one by one, without order */
    }
    return live == m->live && live + free == m->fresh ? NULL
                                                       : "a handle is lost, or there twice";
}

/* The pins of an entry; NULL: none of its frame was ever in use. */
static const struct grant_pins *pins_of(const struct gnttab *t, uint32_t ref)
{
    const struct grant_pins *pins = t->entries.page[ref / grants_per_frame(t)].pins;

    return pins != NULL ? &pins[ref % grants_per_frame(t)] : NULL;
}

/* The first entry of the frame after that of ref. */
static uint32_t next_frame(const struct gnttab *t, uint32_t ref)
{
    return (ref / grants_per_frame(t) + 1) * grants_per_frame(t);
}

/* The entries before `end` are in use as often as they are mapped, the others not at all. */
static const char *check_pins(struct hv *hv, const struct domain *d, uint32_t end)
{
    const struct gnttab *t = d->gnttab;
    uint32_t in_use = 0;

    end = MIN(end, gnttab_entries_locked(t));
    for (uint32_t ref = 0; ref < end && !t->closed;) {
        const struct grant_pins *pins = pins_of(t, ref);
        uint32_t reads = 0, writes = 0;
        struct domain *other;

        if (pins == NULL) {
            ref = next_frame(t, ref);
            continue;
        }
        if ((pins->reads | pins->writes) != 0) {
            list_for_each_entry(&hv->domain_list, other, link) {
                reads += count_mappings(other, d, ref, true);
                writes += count_mappings(other, d, ref, false);
            }
        }
        if (pins->reads != reads || pins->writes != writes) {
            return "an entry is in use more or less often than it is mapped";
        }
        in_use += ref >= GNTTAB_NR_RESERVED_ENTRIES && reads + writes != 0;
        ref++;
    }
    return t->closed || in_use == t->in_use ? NULL : "entries in use are miscounted";
}

/* What d's guest sees of an entry: in use to read, to write. */
static uint64_t marks_of(const struct gnttab *t, grant_ref_t ref)
{
    uint64_t word;

    if (t->version == 2) {
        return *guest_shared_byte(&t->states.page[ref / GRANT_STATES_PER_FRAME].shared,
                                  ref % GRANT_STATES_PER_FRAME * 2);
    }
    word = *guest_shared_word(&t->entries.page[ref / GRANTS_PER_FRAME_V1].shared,
                              ref % GRANTS_PER_FRAME_V1 * 8);
    return word & (GTF_reading | GTF_writing);
}

const char *grant_check_marks(const struct domain *d, bool exact)
{
    const struct gnttab *t = d->gnttab;
    uint32_t end = 0;

    (void)count_references(d->hv, d, &end);
    end = MIN(MAX(end, (uint32_t)ENTRIES_LOOKED_AT), gnttab_entries_locked(t));
    for (uint32_t ref = 0; ref < end && !t->closed; ref++) {
        const struct grant_pins *pins = pins_of(t, ref);
        uint64_t want = 0, is = marks_of(t, ref);

        if (pins != NULL) {
            want = (pins->reads | pins->writes) != 0 ? GTF_reading : 0;
            want |= pins->writes != 0 ? GTF_writing : 0;
        }
        if ((is & want) != want || ((exact || t->version == 2) && is != want)) {
            return "a guest is told something else of an entry than how it is used";
        }
    }
    return NULL;
}

/* The entry of d that the handle of `by` is for grants that. */
static bool is_granted(const struct domain *d, const struct domain *by,
                       const struct grant_mapping *a)
{
    const struct gnttab *t = d->gnttab;
    uint32_t per = grants_per_frame(t);
    uint64_t entry = *guest_shared_word(&t->entries.page[a->ref / per].shared,
                                        a->ref % per * (PAGE_SIZE / per));

    return (entry & GTF_type_mask) == GTF_permit_access && (domid_t)(entry >> 16) == by->id &&
           (a->readonly || (entry & GTF_readonly) == 0);
}

const char *grant_check_granted(const struct domain *d)
{
    struct domain *by;

    list_for_each_entry(&d->hv->domain_list, by, link) {
        for (uint32_t h = 0; by->gnttab != NULL && h < by->gnttab->maps.fresh; h++) {
            const struct grant_mapping *a = grant_mapping(by, h);

            if (a->state == MAPPING_LIVE && a->granter == d && !is_granted(d, by, a)) {
                return "something is mapped that was not granted so";
            }
        }
    }
    return NULL;
}

/* d has a handle for what it has mapped at g, and it allows that. */
static bool has_handle(const struct domain *d, gfn_t g, mfn_t m, bool readonly)
{
    bool found = false;

    for (uint32_t h = 0; h < d->gnttab->maps.fresh && !found; h++) {
        const struct grant_mapping *a = grant_mapping(d, h);

        found = a->state == MAPPING_LIVE && a->gfn == g.n && a->mfn == m.n &&
                (readonly || !a->readonly);
    }
    return found;
}

static const char *check_map(struct hv *hv, struct domain *d)
{
    enum p2m_type type;
    uint64_t pages;
    gfn_t g = gfn(0);
    mfn_t m;

    while (p2m_next(d, &g, &m, &type, &pages)) {
        if (type == P2M_GRANT_RW || type == P2M_GRANT_RO) {
            const struct frame *f = frame_lookup(hv, m);

            if (pages != 1 || !has_handle(d, g, m, type == P2M_GRANT_RO)) {
                return "a granted page is mapped without a handle";
            }
            if (f == NULL || (f->state != FRAME_GUEST && f->state != FRAME_ORPHAN)) {
                return "a granted page that is nobody's is mapped";
            }
        }
        g = gfn_add(g, pages);
    }
    return NULL;
}

const char *grant_check_maps(struct hv *hv)
{
    const char *wrong = NULL;
    struct domain *d;

    list_for_each_entry(&hv->domain_list, d, link) {
        if (wrong == NULL && d->gnttab != NULL && d->state != DOMAIN_DYING) {
            wrong = check_map(hv, d);
        }
    }
    return wrong;
}

static const char *check_tables(struct hv *hv, bool all)
{
    const char *wrong = NULL;
    struct domain *d;

    list_for_each_entry(&hv->domain_list, d, link) {
        uint32_t end = UINT32_MAX;

        if (wrong != NULL || d->gnttab == NULL) {
            continue;
        }
        wrong = check_handles(d, all);
        if (!all) {
            (void)count_references(hv, d, &end);
            end = MAX(end, (uint32_t)ENTRIES_LOOKED_AT);
        }
        wrong = wrong == NULL ? check_pins(hv, d, end) : wrong;
    }
    return wrong;
}

const char *grant_check_step(struct hv *hv) { return check_tables(hv, false); }

const char *grant_check(struct hv *hv)
{
    const char *wrong = check_tables(hv, true);

    return wrong == NULL ? grant_check_maps(hv) : wrong;
}
