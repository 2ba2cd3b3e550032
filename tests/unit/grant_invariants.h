/* SPDX-License-Identifier: MIT */
/*
 * What holds of all grant tables between any two operations, whatever the guests do:
 * handles, uses of entries, references and the pages that are mapped say the same.
 */
#ifndef GRANT_INVARIANTS_H
#define GRANT_INVARIANTS_H

#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/p2m.h>

#include "../../hv/ipc/grants.h"

#define FOR_EACH_DOMAIN(hv, d) \
    for (struct list_node *n_##d = (hv)->domain_list.head.next; \
         n_##d != &(hv)->domain_list.head && (d = list_entry(n_##d, struct domain, link), true); \
         n_##d = n_##d->next)

static inline const struct grant_mapping *grant_mapping(const struct domain *d, uint32_t handle)
{
    return &d->gnttab->maps.chunk[handle / HANDLES_PER_CHUNK][handle % HANDLES_PER_CHUNK];
}

/* Live mappings of d, of one entry (granter NULL: of all), to read or to write. */
static inline uint32_t grant_count(const struct domain *d, const struct domain *granter,
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

/* References to `granter` that handles of all domains hold. */
static inline uint32_t grant_references(struct hv *hv, const struct domain *granter)
{
    struct domain *d;
    uint32_t nr = 0;

    FOR_EACH_DOMAIN(hv, d)
    {
        for (uint32_t h = 0; d->gnttab != NULL && h < d->gnttab->maps.fresh; h++) {
            nr += grant_mapping(d, h)->state == MAPPING_LIVE &&
                  grant_mapping(d, h)->granter == granter;
        }
    }
    return nr;
}

/* Handles are live or free, and the buckets have the live ones. */
static inline const char *grant_check_handles(const struct domain *d)
{
    const struct maptrack *m = &d->gnttab->maps;
    uint32_t live = 0, free = 0, linked = 0;

    for (uint32_t h = 0; h < m->fresh; h++) {
        const struct grant_mapping *a = grant_mapping(d, h);

        if (a->state == MAPPING_BUSY || (a->state == MAPPING_LIVE) != (a->granter != NULL)) {
            return "a handle is neither live nor free";
        }
        live += a->state == MAPPING_LIVE;
    }
    for (uint32_t f = m->free; f != 0 && free <= m->fresh; f = grant_mapping(d, f - 1)->next) {
        if (grant_mapping(d, f - 1)->state != MAPPING_FREE) {
            return "a live handle can be taken";
        }
        free++;
    }
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
    if (d->state == DOMAIN_DYING) {
        return NULL; /* its handles are ended one by one, without order */
    }
    if (live != m->live || linked != live || live + free != m->fresh) {
        return "a handle is lost, or there twice";
    }
    return NULL;
}

/* Entries are in use as often as they are mapped. */
static inline const char *grant_check_pins(struct hv *hv, const struct domain *d)
{
    struct gnttab *t = d->gnttab;
    uint32_t in_use = 0;

    for (uint32_t ref = 0; ref < gnttab_entries_locked(t) && !t->closed; ref++) {
        const struct grant_pins *pins = t->entries.page[ref / grants_per_frame(t)].pins;
        uint32_t reads = 0, writes = 0;
        struct domain *other;

        if (pins == NULL) {
            ref = (ref / grants_per_frame(t) + 1) * grants_per_frame(t) - 1;
            continue;
        }
        pins += ref % grants_per_frame(t);
        if ((pins->reads | pins->writes) != 0) {
            FOR_EACH_DOMAIN(hv, other)
            {
                reads += grant_count(other, d, ref, true);
                writes += grant_count(other, d, ref, false);
            }
        }
        if (pins->reads != reads || pins->writes != writes) {
            return "an entry is in use more or less often than it is mapped";
        }
        in_use += ref >= GNTTAB_NR_RESERVED_ENTRIES && reads + writes != 0;
    }
    return t->closed || in_use == t->in_use ? NULL : "entries in use are miscounted";
}

/* What d's guest sees of an entry: in use to read, to write. */
static inline uint64_t grant_marks(struct gnttab *t, grant_ref_t ref)
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

/* d's guest, which wrote into no entry in use, is told which are. */
static inline const char *grant_check_marks(const struct domain *d)
{
    struct gnttab *t = d->gnttab;

    for (uint32_t ref = 0; ref < gnttab_entries_locked(t) && !t->closed; ref++) {
        const struct grant_pins *pins = t->entries.page[ref / grants_per_frame(t)].pins;
        uint64_t want;

        if (pins == NULL) {
            ref = (ref / grants_per_frame(t) + 1) * grants_per_frame(t) - 1;
            continue;
        }
        pins += ref % grants_per_frame(t);
        want = (pins->reads | pins->writes) != 0 ? GTF_reading : 0;
        want |= pins->writes != 0 ? GTF_writing : 0;
        if ((grant_marks(t, ref) & want) != want ||
            (t->version == 2 && grant_marks(t, ref) != want)) {
            return "a guest is told something else of an entry than how it is used";
        }
    }
    return NULL;
}

/* d has a handle for what it has mapped at g, and it allows that. */
static inline bool grant_has_handle(const struct domain *d, gfn_t g, mfn_t m, bool readonly)
{
    bool found = false;

    for (uint32_t h = 0; h < d->gnttab->maps.fresh && !found; h++) {
        const struct grant_mapping *a = grant_mapping(d, h);

        found = a->state == MAPPING_LIVE && a->gfn == g.n && a->mfn == m.n &&
                (readonly || !a->readonly);
    }
    return found;
}

/* No page of others is mapped without a handle, or to nobody's frame. */
static inline const char *grant_check_map(struct hv *hv, struct domain *d)
{
    enum p2m_type type;
    uint64_t pages;
    gfn_t g = gfn(0);
    mfn_t m;

    while (p2m_next(d, &g, &m, &type, &pages)) {
        if (type == P2M_GRANT_RW || type == P2M_GRANT_RO) {
            const struct frame *f = frame_lookup(hv, m);

            if (pages != 1 || !grant_has_handle(d, g, m, type == P2M_GRANT_RO)) {
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

/* All of it; NULL or what is wrong. */
static inline const char *grant_check(struct hv *hv)
{
    struct domain *d;

    FOR_EACH_DOMAIN(hv, d)
    {
        const char *wrong = NULL;

        if (d->gnttab == NULL) {
            continue;
        }
        wrong = grant_check_handles(d);
        wrong = wrong == NULL ? grant_check_pins(hv, d) : wrong;
        if (wrong == NULL && d->state != DOMAIN_DYING) {
            wrong = grant_check_map(hv, d);
        }
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

#endif
