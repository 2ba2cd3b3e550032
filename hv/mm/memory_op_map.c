/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what a domain maps beside its own RAM, page by page: frames that the hypervisor
 * shares with it, frames of other domains, devices (Xen public header memory.h).
 *
 * A mapping takes the place of whatever was there: RAM that is covered goes back to the
 * allocator, as kernels expect it which put shared_info over a page of theirs. Each mapping
 * holds a reference to its frame; the domain that it belongs to may end meanwhile.
 *
 * What can be mapped is the table spaces[]. Foreign frames are for a control domain alone:
 * hc_target() says who is what to whom.
 *
 * Locks: none here; no lock is held from a lookup to the mapping, the reference keeps the frame.
 */
#include <loam/bits.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/frame.h>
#include <loam/gnttab.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/p2m.h>
#include <loam/refusal.h>
#include <xen/errno.h>
#include <xen/memory.h>

#include "memory_op.h"

#define STEP_PAGES 16 /* mapped in one step of a list */
#define ENTRIES_PER_STATUS 8 /* frames of version 2 entries that a frame of states is for */

/* What may be mapped of another domain: its RAM, and what the hypervisor shares with it. */
#define FOREIGN_KINDS (1u << P2M_RAM_RW | 1u << P2M_RAM_RO | 1u << P2M_SHARED)
/* What remove_from_physmap takes out; grants have an operation of their own. */
#define REMOVABLE_KINDS (FOREIGN_KINDS | 1u << P2M_FOREIGN_RW | 1u << P2M_FOREIGN_RO)

/* One request to map pages of a space into d. */
struct mapping {
    struct hc *hc;
    struct domain *d;
    struct domain *from; /* foreign pages: whose */
};

/* Maps a frame, the caller's reference becomes the mapping's, or ends. */
static int map_frame(struct domain *d, gfn_t g, mfn_t m, enum p2m_type type)
{
    int rc = p2m_map_page(d, g, m, type);

    if (unlikely(rc != 0)) {
        frame_put(d->hv, m);
        return refuse(rc, "the page cannot be mapped there", g.n, d->id);
    }
    return 0;
}

static int map_shared_info(const struct mapping *x, uint64_t idx, gfn_t g)
{
    mfn_t m = idx == 0 ? evtchn_shared_info(x->d) : MFN_NONE;

    if (mfn_is_none(m)) {
        return refuse(-XEN_EINVAL, "no such page of shared_info", idx, x->d->id);
    }
    enum p2m_type type = P2M_INVALID;

    (void)p2m_lookup(x->d, g, &type, NULL);
    frame_get(x->d->hv, m);
    int rc = map_frame(x->d, g, m, P2M_SHARED);

    if (rc == 0 && p2m_type_is_ram(type)) {
        evtchn_shared_info_covers(x->d, g);
    }
    return rc;
}

static int map_grant_table(const struct mapping *x, uint64_t idx, gfn_t g)
{
    bool status = idx & XENMAPIDX_grant_table_status;
    uint32_t index = (uint32_t)idx & ~XENMAPIDX_grant_table_status;
    mfn_t m;

    if (idx > UINT32_MAX) {
        return refuse(-XEN_EINVAL, "no such frame of the grant table", idx, x->d->id);
    }
    int rc = gnttab_frame(x->d, index, status, true, &m);
    if (rc == 0) {
        rc = map_frame(x->d, g, m, P2M_SHARED);
    }
    if (rc == 0) {
        gnttab_frame_placed(x->d, index, status, g);
    }
    return rc;
}

static int map_foreign(const struct mapping *x, uint64_t idx, gfn_t g)
{
    enum p2m_type type;
    mfn_t m = p2m_get_frame(x->from, gfn(idx), FOREIGN_KINDS, &type);

    if (unlikely(mfn_is_none(m))) {
        return refuse(-XEN_EINVAL, "no memory of the other domain is there", idx, x->from->id);
    }
    return map_frame(x->d, g, m, type == P2M_RAM_RO ? P2M_FOREIGN_RO : P2M_FOREIGN_RW);
}

/* A page of a device that the caller has, which is mapped at the device's own address. */
static int map_device(const struct mapping *x, uint64_t idx, gfn_t g)
{
    enum p2m_type type = P2M_INVALID, now = P2M_INVALID;

    if (!hc_is_control(x->hc) || x->d != x->hc->d) {
        return refuse(-XEN_EACCES, "devices are mapped by the domain that has them", x->d->id, 0);
    }
    mfn_t m = p2m_lookup(x->d, gfn(idx), &type, NULL);
    if (type != P2M_MMIO_DIRECT || m.n != idx) {
        return refuse(-XEN_EPERM, "no device of the caller's has this address", idx, 0);
    }
    if (mfn_eq(p2m_lookup(x->d, g, &now, NULL), m) && now == P2M_MMIO_DIRECT) {
        return 0;
    }
    int rc = p2m_map_page(x->d, g, m, P2M_MMIO_DIRECT);

    return rc == 0 ? 0 : refuse(rc, "the device cannot be mapped there", g.n, 0);
}

/* XENMAPSPACE_*; an entry without function is of another kind of guest. */
static int (*const spaces[])(const struct mapping *x, uint64_t idx, gfn_t g) = {
    [XENMAPSPACE_shared_info] = map_shared_info,
    [XENMAPSPACE_grant_table] = map_grant_table,
    [XENMAPSPACE_gmfn_foreign] = map_foreign,
    [XENMAPSPACE_dev_mmio] = map_device,
};

static int check_space(uint32_t space)
{
    if (space >= ARRAY_SIZE(spaces) || spaces[space] == NULL) {
        return refuse(-XEN_ENOSYS, "no such space of pages", space, 0);
    }
    return 0;
}

int memory_op_add_to_physmap(struct hc *hc, void *arg)
{
    const struct xen_add_to_physmap *a = arg;
    struct mapping x = { .hc = hc };
    int rc = memory_op_none(hc);

    if (rc == 0) {
        rc = a->space == XENMAPSPACE_gmfn_foreign
                 ? refuse(-XEN_ENOSYS, "foreign pages are mapped by the batch operation", 0, 0)
                 : check_space(a->space);
    }
    if (rc == 0) {
        rc = hc_target(hc, a->domid, &x.d);
    }
    if (rc == 0) {
        rc = spaces[a->space](&x, a->idx, gfn(a->gpfn));
        domain_put(x.d);
    }
    return rc;
}

/* A part of the lists of a batch. */
struct batch {
    uint64_t idx[STEP_PAGES];
    uint64_t gpfn[STEP_PAGES];
    int32_t err[STEP_PAGES];
};

/* The elements [first, first + nr) of the list at `at`. */
static struct guest_ref element(uint64_t at, uint64_t first, size_t size)
{
    return (struct guest_ref){ at + first * size };
}

/*
 * Reads a part of the lists. The results are written before, as successes, so that a list of
 * results that cannot be written is found before anything is mapped.
 */
static int batch_read(struct hc *hc, const struct xen_add_to_physmap_batch *a, uint64_t first,
                      uint32_t nr, struct batch *b)
{
    const struct guest_piece pieces[] = {
        { b->err, a->errs + first * sizeof(b->err[0]), nr * sizeof(b->err[0]), true },
        { b->idx, a->idxs + first * sizeof(b->idx[0]), nr * sizeof(b->idx[0]), false },
        { b->gpfn, a->gpfns + first * sizeof(b->gpfn[0]), nr * sizeof(b->gpfn[0]), false },
    };

    for (uint32_t i = 0; i < nr; i++) {
        b->err[i] = 0;
    }
    int rc = guest_copy_all(hc->v, pieces, ARRAY_SIZE(pieces));

    return likely(rc == 0) ? 0 : refuse(rc, "a list of the batch cannot be accessed", first, nr);
}

static int batch_step(const struct mapping *x, const struct xen_add_to_physmap_batch *a)
{
    uint64_t first = memory_op_first(x->hc);
    struct batch b;
    int failed = 0;

    if (first >= a->size) {
        return first == a->size ? 0 : refuse(-XEN_EILSEQ, "the list is shorter", first, a->size);
    }
    uint32_t nr = (uint32_t)MIN(STEP_PAGES, a->size - first);
    int rc = batch_read(x->hc, a, first, nr, &b);
    if (unlikely(rc != 0)) {
        return rc;
    }
    for (uint32_t i = 0; i < nr; i++) {
        b.err[i] = spaces[a->space](x, b.idx[i], gfn(b.gpfn[i]));
        if (unlikely(b.err[i] != 0)) {
            /* The call succeeds: its first failure is told here. */
            failed = failed != 0 ? failed : b.err[i];
        }
    }
    if (unlikely(failed != 0)) {
        refusal_record(x->hc->v, __HYPERVISOR_memory_op, x->hc->arg[0], failed);
        rc = guest_copy_to(x->hc->v, element(a->errs, first, 4), b.err, nr * sizeof(b.err[0]));
    }
    return rc != 0 || first + nr == a->size ? rc : memory_op_again(x->hc, first + nr);
}

/* The domain whose pages are mapped, borrowed; NULL for spaces that have none. */
static int batch_from(struct hc *hc, const struct xen_add_to_physmap_batch *a, struct domain *d,
                      struct domain **from)
{
    *from = NULL;
    if (a->space != XENMAPSPACE_gmfn_foreign) {
        return a->u.res0 == 0 ? 0 : refuse(-XEN_EOPNOTSUPP, "reserved is not 0", a->u.res0, 0);
    }
    if (!(d->who & HC_WHO_CONTROL) && d != hc->d) {
        return refuse(-XEN_EPERM, "foreign pages for a domain that is no control domain", d->id,
                      a->u.foreign_domid);
    }
    int rc = hc_target_borrow(hc, a->u.foreign_domid, from);
    if (rc == 0 && *from == d) {
        rc = refuse(-XEN_EINVAL, "a domain's own pages are not foreign", d->id, 0);
    }
    return rc;
}

int memory_op_add_to_physmap_batch(struct hc *hc, void *arg)
{
    const struct xen_add_to_physmap_batch *a = arg;
    struct mapping x = { .hc = hc };
    int rc = check_space(a->space);

    if (rc == 0) {
        rc = hc_target_borrow(hc, a->domid, &x.d);
    }
    if (rc == 0) {
        rc = batch_from(hc, a, x.d, &x.from);
    }
    return rc == 0 ? batch_step(&x, a) : rc;
}

int memory_op_remove_from_physmap(struct hc *hc, void *arg)
{
    const struct xen_remove_from_physmap *a = arg;
    struct domain *d;
    int rc = memory_op_none(hc);

    if (rc == 0) {
        rc = hc_target_borrow(hc, a->domid, &d);
    }
    if (rc != 0) {
        return rc;
    }
    rc = p2m_unmap_page(d, gfn(a->gpfn), MFN_NONE, REMOVABLE_KINDS);
    return likely(rc == 0) ? 0 : refuse(rc, "no page to take out is mapped there", a->gpfn, d->id);
}

/* Frames of d's grant table that there may be, of one kind; 0: it has none of them. */
static uint32_t grant_frames_max(const struct domain *d, uint32_t id)
{
    const struct domain_config *c = &d->config;
    uint32_t frames = c->grant_frames_max != 0 ? c->grant_frames_max : GNTTAB_FRAMES_DEFAULT;
    uint32_t version = c->grant_version_max != 0 ? c->grant_version_max : GNTTAB_VERSION_DEFAULT;

    if (!c->enhanced) {
        return 0;
    }
    switch (id) {
    case XENMEM_resource_grant_table_id_shared:
        return frames;
    case XENMEM_resource_grant_table_id_status:
        return version >= 2 ? (frames + ENTRIES_PER_STATUS - 1) / ENTRIES_PER_STATUS : 0;
    default:
        return 0;
    }
}

/* Maps the next frames of the resource where the caller's list says. */
static int acquire_step(struct hc *hc, const struct xen_mem_acquire_resource *a, struct domain *d)
{
    bool status = a->id == XENMEM_resource_grant_table_id_status;
    uint64_t first = memory_op_first(hc);
    uint64_t gpfn[STEP_PAGES];

    if (first >= a->nr_frames) {
        return first == a->nr_frames
                   ? 0
                   : refuse(-XEN_EILSEQ, "the list is shorter", first, a->nr_frames);
    }
    uint32_t nr = (uint32_t)MIN(STEP_PAGES, a->nr_frames - first);
    int rc = guest_copy_from(hc->v, gpfn, element(a->frame_list, first, 8), nr * sizeof(gpfn[0]));

    for (uint32_t i = 0; i < nr && rc == 0; i++) {
        mfn_t m;

        rc = gnttab_frame(d, (uint32_t)(a->frame + first + i), status, true, &m);
        if (rc == 0) {
            rc = map_frame(hc->d, gfn(gpfn[i]), m, P2M_SHARED);
        }
        if (rc != 0 && first + i != 0) {
            /* The ABI's way to say that some of the list are mapped. */
            return refuse(-XEN_EIO, "part of the frames are mapped", first + i, (uint64_t)-rc);
        }
    }
    if (rc != 0) {
        return refuse(rc, "frames of the resource or of the list", a->frame, nr);
    }
    return first + nr == a->nr_frames ? 0 : memory_op_again(hc, first + nr);
}

static int acquire(struct hc *hc, struct xen_mem_acquire_resource *a, struct domain *d)
{
    uint32_t most = a->type == XENMEM_resource_grant_table ? grant_frames_max(d, a->id) : 0;

    if (a->type > XENMEM_resource_vmtrace_buf) {
        return refuse(-XEN_EOPNOTSUPP, "no such kind of resource", a->type, 0);
    }
    if (most == 0) {
        return refuse(-XEN_EINVAL, "the domain has no such resource", a->type, a->id);
    }
    if (a->frame_list == 0) {
        if (a->nr_frames != 0 || memory_op_first(hc) != 0) {
            return refuse(-XEN_EINVAL, "frames without a list", a->nr_frames, 0);
        }
        a->nr_frames = most;
        return 0;
    }
    if (a->frame > UINT32_MAX || a->frame + a->nr_frames > UINT32_MAX) {
        return refuse(-XEN_EINVAL, "range of frames", a->frame, a->nr_frames);
    }
    return acquire_step(hc, a, d);
}

int memory_op_acquire_resource(struct hc *hc, void *arg)
{
    struct xen_mem_acquire_resource *a = arg;
    struct domain *d;

    if (a->pad != 0) {
        return refuse(-XEN_EINVAL, "padding is not 0", a->pad, 0);
    }
    int rc = hc_target(hc, a->domid, &d);
    if (rc != 0) {
        return rc;
    }
    rc = d == hc->d ? refuse(-XEN_EPERM, "resources of other domains", a->domid, 0)
                    : acquire(hc, a, d);
    domain_put(d);
    return rc;
}
