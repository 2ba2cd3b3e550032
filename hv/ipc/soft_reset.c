/* SPDX-License-Identifier: MIT */
/*
 * A domain whose kernel makes room for another one keeps its memory and its vCPUs' registers, and
 * begins with the Xen interfaces as a new domain does: domctl soft_reset, for a guest
 * that stopped with SHUTDOWN_soft_reset (Xen public headers sched.h, domctl.h).
 *
 * Its own grants are in memory that it keeps, as in Xen: who maps them is told by the toolstack,
 * which ends the backends before.
 *
 * Locks: evtchn; none while channels are closed and the page is mapped.
 */
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/memory.h>
#include <loam/p2m.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "channels.h"

/* What a kernel finds there at first: nothing. [e->lock] */
static void shared_info_clear(struct evtchn *e)
{
    for (size_t at = 0; at < PAGE_SIZE; at += sizeof(uint64_t)) {
        atomic_store_relaxed(guest_shared_word(&e->shared, at), 0);
    }
}

/*
 * The page that shared_info was mapped over is RAM again, a cleared page. The next kernel does not
 * know that it was none. Errors: -XEN_ENOMEM.
 */
static int shared_info_uncover(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (e->shared_at == 0) {
        return 0;
    }
    gfn_t g = gfn(e->shared_at - 1);
    int rc = p2m_unmap_page(d, g, e->shared_mfn, 1u << P2M_SHARED);

    if (rc == 0 || rc == -XEN_ENOENT) {
        /* Gone already: by the guest, or by a reset that then found no memory. */
        rc = mfn_is_none(p2m_lookup(d, g, NULL, NULL)) ? memory_populate(d, g, 1) : 0;
    }
    e->shared_at = rc == 0 ? 0 : e->shared_at;
    return rc;
}

void evtchn_shared_info_covers(struct domain *d, gfn_t g) { d->evtchn->shared_at = g.n + 1; }

int evtchn_soft_reset(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (e == NULL) {
        return 0;
    }
    if (evtchn_reset(d) != 0) {
        return -XEN_EAGAIN;
    }
    spin_lock(&e->lock);
    runstate_end(d);
    atomic_store_relaxed(&e->runstate_flag, false);
    shared_info_clear(e);
    for (uint32_t i = 0; i < e->nr_vcpus; i++) {
        guest_unshare(d, &e->vcpu[i].info);
        e->vcpu[i].registered = false;
        vcpu_info_begin(d, i);
    }
    spin_unlock(&e->lock);
    wallclock_tell(d);
    return shared_info_uncover(d);
}
