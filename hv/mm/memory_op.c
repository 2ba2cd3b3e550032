/* SPDX-License-Identifier: MIT */
/*
 * memory_op: how much memory a domain has, and getting and giving it back
 * (Xen public header memory.h). What a domain maps of others is mm/memory_op_map.c.
 *
 * The reservations are lists of extents, done in steps of some pages. Where the list goes on is
 * in the upper bits of argument 0, as the ABI has it, and is checked anew at each entry. What is
 * returned is the number of extents done: the first that cannot be done ends the list, and why
 * is recorded as a refusal (loam/refusal.h) though the call succeeds.
 *
 * Extents one after the other in the guest are done as one run: one allocation,
 * one walk of the tables, one flush.
 *
 * Locks: none here; mm/memory.c takes them.
 */
#include <loam/bits.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/memory.h>
#include <loam/refusal.h>
#include <xen/errno.h>
#include <xen/memory.h>

#include "memory_op.h"

#define EXTENT_ORDER_MAX 9 /* 2 MiB: what is cleared in one step */
#define STEP_PAGES 64 /* of smaller extents, in one step */

/* A list of extents being worked at. */
struct extents {
    struct domain *d;
    uint64_t gfn[STEP_PAGES]; /* copied from the list */
    uint32_t nr; /* of them */
    uint32_t order;
};

/* How many extents from i on follow each other in the guest. */
static uint32_t run_at(const struct extents *e, uint32_t i)
{
    uint32_t run = 1;

    while (i + run < e->nr && e->gfn[i + run] == e->gfn[i + run - 1] + (UINT64_C(1) << e->order)) {
        run++;
    }
    return run;
}

/*
 * Each does the extents of e in order, counting them in *done, until one cannot be done: why.
 */
typedef int (*extents_fn)(const struct extents *e, uint32_t *done);

static int populate(const struct extents *e, uint32_t *done)
{
    while (*done < e->nr) {
        gfn_t g = gfn(e->gfn[*done]);
        uint32_t run = run_at(e, *done);
        int rc = memory_populate(e->d, g, (uint64_t)run << e->order);

        while (rc != 0 && run > 1) {
            /* Memory in smaller pieces, perhaps, or only some of it is in order. */
            refusal_forget();
            run /= 2;
            rc = memory_populate(e->d, g, (uint64_t)run << e->order);
        }
        if (rc != 0) {
            return rc;
        }
        *done += run;
    }
    return 0;
}

static int decrease(const struct extents *e, uint32_t *done)
{
    while (*done < e->nr) {
        uint32_t run = run_at(e, *done);
        uint64_t pages;
        int rc = memory_release(e->d, gfn(e->gfn[*done]), (uint64_t)run << e->order, &pages);

        *done += (uint32_t)(pages >> e->order);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* The call ends with `done` extents, fewer than were asked for. */
static int end_short(struct hc *hc, uint64_t done, int rc)
{
    refusal_record(hc->v, __HYPERVISOR_memory_op, hc->arg[0], rc);
    hc->ret = done;
    return 0;
}

/* One step of a list. */
static int extents_step(struct hc *hc, const struct xen_memory_reservation *r, struct domain *d,
                        extents_fn fn)
{
    uint64_t first = memory_op_first(hc);
    uint64_t list = r->extent_start + first * sizeof(uint64_t);
    struct extents e; /* its list is not cleared first */
    uint32_t done = 0;

    if (first > r->nr_extents || r->nr_extents > UINT64_MAX >> MEMOP_EXTENT_SHIFT) {
        return refuse(-XEN_EINVAL, "number of extents", r->nr_extents, first);
    }
    hc->ret = first;
    if (first == r->nr_extents) {
        return 0;
    }
    if (r->extent_order > EXTENT_ORDER_MAX) {
        return end_short(
            hc, first,
            refuse(-XEN_EINVAL, "extents of more than 2 MiB", r->extent_order, EXTENT_ORDER_MAX));
    }
    e.d = d;
    e.order = r->extent_order;
    e.nr = MAX(STEP_PAGES >> r->extent_order, 1);
    e.nr = (uint32_t)MIN(e.nr, r->nr_extents - first);
    int rc = guest_copy_from(hc->v, e.gfn, (struct guest_ref){ list }, e.nr * sizeof(e.gfn[0]));
    if (rc != 0) {
        rc = refuse(rc, "the list of extents cannot be read", list, e.nr);
        return first == 0 ? rc : end_short(hc, first, rc);
    }
    rc = fn(&e, &done);
    hc->ret = first + done;
    if (rc != 0) {
        return end_short(hc, hc->ret, rc);
    }
    return hc->ret == r->nr_extents ? 0 : memory_op_again(hc, hc->ret);
}

static int reservation(struct hc *hc, const struct xen_memory_reservation *r, extents_fn fn)
{
    struct domain *d;
    int rc = hc_target(hc, r->domid, &d);

    if (rc == 0) {
        rc = extents_step(hc, r, d, fn);
        domain_put(d);
    }
    return rc;
}

/* The first machine address after all RAM. */
static uint64_t memory_end(const struct hv *hv)
{
    return (hv->frames.base.n + hv->frames.pages) << PAGE_SHIFT;
}

int memory_op_populate_physmap(struct hc *hc, void *arg)
{
    const struct xen_memory_reservation *r = arg;
    uint32_t node = XENMEMF_get_node(r->mem_flags), bits = XENMEMF_get_address_bits(r->mem_flags);

    if (r->mem_flags & XENMEMF_populate_on_demand) {
        return end_short(
            hc, 0, refuse(-XEN_EOPNOTSUPP, "populate on demand is not available", r->mem_flags, 0));
    }
    if ((r->mem_flags & XENMEMF_exact_node_request) && node != 0) {
        return end_short(hc, 0, refuse(-XEN_EINVAL, "no such NUMA node", node, 0));
    }
    if (bits != 0 && bits < 64 && memory_end(hc->d->hv) > UINT64_C(1) << bits) {
        return end_short(hc, 0,
                         refuse(-XEN_EOPNOTSUPP, "memory below a limit of addresses", bits,
                                memory_end(hc->d->hv)));
    }
    return reservation(hc, r, populate);
}

int memory_op_decrease_reservation(struct hc *hc, void *arg)
{
    return reservation(hc, arg, decrease);
}

/* Frames that are mapped nowhere are of no use to a domain with page tables of its own. */
int memory_op_increase_reservation(struct hc *hc, void *arg)
{
    const struct xen_memory_reservation *r = arg;
    struct domain *d;
    int rc = hc_target(hc, r->domid, &d);

    if (rc != 0) {
        return rc;
    }
    domain_put(d);
    return end_short(hc, 0,
                     refuse(-XEN_EOPNOTSUPP, "memory comes by populate_physmap alone",
                            r->nr_extents, r->extent_order));
}

int memory_op_exchange(struct hc *hc, void *arg)
{
    return refuse(-XEN_EOPNOTSUPP, "frames are exchanged by PV guests alone", 0, 0);
}

int memory_op_none(struct hc *hc)
{
    uint64_t first = memory_op_first(hc);

    return first == 0 ? 0 : refuse(-XEN_EINVAL, "an operation without extents", first, 0);
}

int memory_op_maximum_ram_page(struct hc *hc, void *arg)
{
    hc->ret = memory_end(hc->d->hv) >> PAGE_SHIFT;
    return memory_op_none(hc);
}

/* Sharing of equal pages: there is none. */
int memory_op_sharing_pages(struct hc *hc, void *arg) { return memory_op_none(hc); }

/* The counts of the domain that the caller means. */
static int counts_of(struct hc *hc, const struct xen_memory_domain *a, struct memory_counts *out)
{
    struct domain *d;
    int rc = memory_op_none(hc);

    if (rc == 0) {
        rc = hc_target(hc, a->domid, &d);
    }
    if (rc == 0) {
        memory_counts(d, out);
        domain_put(d);
    }
    return rc;
}

int memory_op_current_reservation(struct hc *hc, void *arg)
{
    struct memory_counts c = { 0 };
    int rc = counts_of(hc, arg, &c);

    hc->ret = c.pages;
    return rc;
}

int memory_op_maximum_reservation(struct hc *hc, void *arg)
{
    struct memory_counts c = { 0 };
    int rc = counts_of(hc, arg, &c);

    /* As 4.17 says it where there is no maximum: the largest number of 32 bits. */
    hc->ret = MIN(c.max, UINT32_MAX);
    return rc;
}

int memory_op_maximum_gpfn(struct hc *hc, void *arg)
{
    struct memory_counts c = { 0 };
    int rc = counts_of(hc, arg, &c);

    hc->ret = c.end_gfn != 0 ? c.end_gfn - 1 : 0;
    return rc;
}

int memory_op_claim_pages(struct hc *hc, void *arg)
{
    const struct xen_memory_reservation *r = arg;
    struct domain *d;
    int rc = memory_op_none(hc);

    if (rc != 0) {
        return rc;
    }
    if (r->extent_start != 0 || r->extent_order != 0 || r->mem_flags != 0) {
        return refuse(-XEN_EINVAL, "a claim is a number of pages alone", r->extent_order,
                      r->mem_flags);
    }
    rc = hc_target(hc, r->domid, &d);
    if (rc == 0) {
        rc = memory_claim(d, r->nr_extents);
        domain_put(d);
    }
    return rc;
}

int memory_op_get_vnumainfo(struct hc *hc, void *arg)
{
    const struct xen_vnuma_topology_info *a = arg;
    struct domain *d;
    int rc = memory_op_none(hc);

    if (rc == 0 && a->pad != 0) {
        rc = refuse(-XEN_EINVAL, "padding is not 0", a->pad, 0);
    }
    if (rc == 0) {
        rc = hc_target(hc, a->domid, &d);
    }
    if (rc != 0) {
        return rc;
    }
    domain_put(d);
    return refuse(-XEN_EOPNOTSUPP, "the domain has no virtual NUMA nodes", a->domid, 0);
}

/* No device of the host keeps guest-physical addresses for itself. */
int memory_op_reserved_device_memory_map(struct hc *hc, void *arg)
{
    struct xen_reserved_device_memory_map *a = arg;
    int rc = memory_op_none(hc);

    if (rc == 0 && (a->flags & ~(uint32_t)XENMEM_RDM_ALL) != 0) {
        rc = refuse(-XEN_EINVAL, "unknown flags", a->flags, 0);
    }
    a->nr_entries = 0;
    return rc;
}
