/* SPDX-License-Identifier: MIT */
/* Looks at the memory of all domains of a host; see memory_invariants.h. */
#include <stdlib.h>

#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/list.h>
#include <loam/p2m.h>

#include "memory_invariants.h"

/* Frames that are RAM of d. */
static uint64_t frames_owned(struct hv *hv, const struct domain *d)
{
    struct frames *f = &hv->frames;
    uint64_t pages = 0;

    for (mfn_t m = f->base; m.n < f->base.n + f->pages;) {
        const struct frame *r = frame_lookup(hv, m);

        if (r == NULL) {
            m = mfn_add(m, 1);
            continue;
        }
        m = mfn_add(frame_mfn(hv, r), UINT64_C(1) << r->order);
        pages += r->state == FRAME_GUEST && r->owner == d ? UINT64_C(1) << r->order : 0;
    }
    return pages;
}

/* Adds d's mappings that need a reference to `uses`, by frame. */
static void count_uses(struct domain *d, uint32_t *uses)
{
    enum p2m_type type;
    gfn_t g = gfn(0);
    uint64_t pages;
    mfn_t m;

    for (; p2m_next(d, &g, &m, &type, &pages); g = gfn_add(g, pages)) {
        if (p2m_type_has_ref(type)) {
            uses[m.n - d->hv->frames.base.n]++;
        }
    }
}

const char *memory_check_references(struct hv *hv)
{
    uint32_t *uses = calloc(hv->frames.pages, sizeof(*uses));
    const char *wrong = NULL;
    struct domain *d;

    list_for_each_entry(&hv->domain_list, d, link) {
        if (d->state != DOMAIN_DYING) { /* parts of those are gone */
            count_uses(d, uses);
        }
    }
    for (uint64_t i = 0; i < hv->frames.pages && wrong == NULL; i++) {
        mfn_t m = mfn_add(hv->frames.base, i);
        const struct frame *r = uses[i] != 0 ? frame_lookup(hv, m) : NULL;

        if (uses[i] != 0 && (r == NULL || r->state == FRAME_FREE)) {
            wrong = "a free frame is mapped";
        } else if (uses[i] != 0 && hv->frames.table[i].refs < uses[i]) {
            wrong = "a frame has fewer references than mappings";
        }
    }
    free(uses);
    return wrong;
}

const char *memory_check(struct hv *hv)
{
    const char *wrong = NULL;
    uint64_t claimed = 0;
    struct domain *d;

    list_for_each_entry(&hv->domain_list, d, link) {
        claimed += d->claim;
        if (d->state == DOMAIN_DYING) {
            continue;
        }
        if (frames_owned(hv, d) != d->pages) {
            wrong = "a domain owns more or fewer frames than are counted";
        }
        if (d->p2m.table_pages > d->p2m.tables_max) {
            wrong = "a domain has more page tables than it may";
        }
    }
    if (claimed != hv->frames.promised || claimed > hv->frames.avail) {
        wrong = "claims do not add up, or are not free";
    }
    return wrong != NULL ? wrong : memory_check_references(hv);
}
