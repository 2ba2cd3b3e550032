/* SPDX-License-Identifier: MIT */
/*
 * Copies between frames, which a grant or the caller's own frame number names.
 *
 * A frame that is copied from or to is held by a reference, and the grant is in use, from
 * before the first byte until after the last. No lock is held meanwhile.
 * Next: gnttab_entry.c.
 */
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/hypercall_ops.h>
#include <loam/p2m.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "elements.h"
#include "grants.h"

/* One end of a copy. */
struct end {
    struct grant grant;
    bool by_ref; /* false: grant.frame alone counts */
};

static int16_t begin_own(struct domain *d, const struct gnttab_copy_ptr *p, bool readonly,
                         struct end *e)
{
    uint32_t want = 1u << P2M_RAM_RW | (readonly ? 1u << P2M_RAM_RO : 0);

    if (p->domid != DOMID_SELF) {
        return grant_refuse(GNTST_permission_denied, "a frame number of another domain", p->domid,
                            p->u.gmfn);
    }
    e->grant.start = 0;
    e->grant.end = PAGE_SIZE;
    e->grant.frame = p2m_get_frame(d, gfn(p->u.gmfn), want, NULL);
    if (mfn_is_none(e->grant.frame)) {
        return grant_refuse(GNTST_bad_page, "no RAM of the caller is there", p->u.gmfn, readonly);
    }
    return 0;
}

static int16_t begin_grant(struct domain *d, const struct gnttab_copy_ptr *p, bool readonly,
                           struct end *e)
{
    struct grant_request q = { .by = d->id, .readonly = readonly, .use = GRANT_COPY };
    struct domain *granter = domain_lookup(d->hv, p->domid == DOMID_SELF ? d->id : p->domid);

    if (granter == NULL) {
        return grant_refuse(GNTST_bad_domain, "no domain has this id", p->domid, p->u.ref);
    }
    int16_t status = grant_take(granter, p->u.ref, &q, &e->grant);
    if (status != 0) {
        domain_put(granter);
    }
    return status;
}

static void end_end(struct domain *d, struct end *e)
{
    struct domain *granter = e->grant.granter;

    if (e->by_ref) {
        grant_put(&e->grant);
        domain_put(granter);
    } else {
        frame_put(d->hv, e->grant.frame);
    }
}

/* Prepares one end of a copy of `len` bytes. */
static int16_t begin(struct domain *d, const struct gnttab_copy_ptr *p, bool by_ref, bool readonly,
                     uint16_t len, struct end *e)
{
    e->by_ref = by_ref;
    int16_t status = by_ref ? begin_grant(d, p, readonly, e) : begin_own(d, p, readonly, e);

    if (status != 0) {
        return status;
    }
    if (p->offset < e->grant.start || (uint32_t)p->offset + len > e->grant.end) {
        status = grant_refuse(GNTST_general_error, "bytes that are not granted", p->offset, len);
        end_end(d, e);
    }
    return status;
}

static void copy_bytes(struct hv *hv, const struct gnttab_copy *a, mfn_t to, mfn_t from)
{
    char *dst = frame_map_local(hv, to);
    char *src = frame_map_local(hv, from);

    if (mfn_eq(to, from)) {
        memmove(dst + a->dest.offset, src + a->source.offset, a->len);
    } else {
        memcpy(dst + a->dest.offset, src + a->source.offset, a->len);
    }
    frame_unmap(hv, src);
    frame_unmap(hv, dst);
}

static bool crosses_page(const struct gnttab_copy_ptr *p, uint16_t len)
{
    return (uint32_t)p->offset + len > PAGE_SIZE;
}

static int copy_one(struct hc *hc, void *element)
{
    const struct gnttab_copy *a = element;
    struct domain *d = hc->d;
    struct end from, to;

    if (crosses_page(&a->source, a->len) || crosses_page(&a->dest, a->len)) {
        return grant_refuse(GNTST_bad_copy_arg, "beyond the end of a page",
                            MAX(a->source.offset, a->dest.offset), a->len);
    }
    int16_t status = begin(d, &a->source, a->flags & GNTCOPY_source_gref, true, a->len, &from);
    if (status != 0) {
        return status;
    }
    status = begin(d, &a->dest, a->flags & GNTCOPY_dest_gref, false, a->len, &to);
    if (status == 0) {
        copy_bytes(d->hv, a, to.grant.frame, from.grant.frame);
        end_end(d, &to);
    }
    end_end(d, &from);
    return status;
}

int gnttab_op_copy(struct hc *hc, void *arg)
{
    static const struct element_kind kind = { ELEMENT(gnttab_copy, status), .act = copy_one };

    return for_each_element(hc, &kind);
}
