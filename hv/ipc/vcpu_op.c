/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op: what a vCPU tells the hypervisor about itself (Xen public header vcpu.h).
 * Its vcpu_info is where events are marked for it (evtchn_deliver.c); how long it ran is
 * runstate.c. As on arm, it is switched on and off by the firmware's calls and has timers
 * of its own, so the rows for those do not exist.
 *
 * Locks: evtchn.
 */
#include <arch/guest.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/vcpu.h>

#include "channels.h"

int vcpu_op_is_up(struct hc *hc, void *arg)
{
    const struct vcpu *v = vcpu_named(hc);

    if (v == NULL) {
        return refuse(-XEN_ENOENT, "no such vCPU", hc->arg[1], 0);
    }
    hc->ret = !(atomic_load_relaxed(&v->pause) & VCPU_PAUSE_OFFLINE);
    return 0;
}

void vcpu_info_begin(struct domain *d, uint32_t id)
{
    struct evtchn *e = d->evtchn;
    struct guest_shared *info = &e->vcpu[id].info;

    if (id < XEN_LEGACY_MAX_VCPUS) {
        /* With a reference of its own to the frame, as if it had registered its place there. */
        guest_share_frame(d, e->shared_mfn, info);
        info->at = guest_shared_word(&e->shared, id * sizeof(struct vcpu_info));
    }
}

/* What was in the place before goes along. */
static void info_move(struct evtchn_vcpu *ev, const struct guest_shared *to)
{
    for (size_t at = 0; at < sizeof(struct vcpu_info); at += sizeof(uint64_t)) {
        uint64_t word = guest_is_shared(&ev->info)
                            ? atomic_load_relaxed(guest_shared_word(&ev->info, at))
                            : 0;

        atomic_store_relaxed(guest_shared_word(to, at), word);
    }
}

/* [e->lock] */
static int info_register(struct domain *d, struct evtchn_vcpu *ev, gpa_t at)
{
    struct guest_shared to = { NULL };

    if (ev->registered) {
        return refuse(-XEN_EINVAL, "this vCPU has registered a place already", at.a, 0);
    }
    int rc = guest_share(d, at, sizeof(struct vcpu_info), &to);
    if (rc != 0) {
        return refuse(-XEN_EINVAL, "the place is not in one page of RAM, aligned to 8", at.a, 0);
    }
    /* point of no return */
    info_move(ev, &to);
    guest_unshare(d, &ev->info);
    ev->info = to;
    ev->registered = true;
    /* Events that came before, without a place or into the old one: it looks at everything. */
    atomic_store_relaxed(guest_shared_word(&to, offsetof(struct vcpu_info, evtchn_pending_sel)),
                         UINT64_MAX);
    (void)upcall_mark(ev);
    return 0;
}

int vcpu_op_register_vcpu_info(struct hc *hc, void *arg)
{
    const struct vcpu_register_vcpu_info *a = arg;
    uint32_t id = (uint32_t)hc->arg[1];
    struct domain *d = hc->d;
    struct evtchn *e = d->evtchn;
    struct vcpu *v = vcpu_named(hc);

    if (v == NULL) {
        return refuse(-XEN_ENOENT, "no such vCPU", id, 0);
    }
    if (v != hc->v && !(atomic_load_relaxed(&v->pause) & VCPU_PAUSE_OFFLINE)) {
        return refuse(-XEN_EINVAL, "it is another vCPU, and on", id, 0);
    }
    if (a->offset > PAGE_SIZE - sizeof(struct vcpu_info) || a->mfn > UINT64_MAX >> PAGE_SHIFT) {
        return refuse(-XEN_EINVAL, "it crosses the page's end", a->mfn, a->offset);
    }
    spin_lock(&e->lock);
    int rc = info_register(d, &e->vcpu[id], gpa_add(gfn_to_gpa(gfn(a->mfn)), a->offset));
    spin_unlock(&e->lock);
    if (rc == 0) {
        arch_vintc_event(v);
    }
    return rc;
}
