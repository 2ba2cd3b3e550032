/* SPDX-License-Identifier: MIT */
/*
 * How long a vCPU ran and waited, for its guest: on demand, or in memory of the guest that is
 * written at each change (Xen public header vcpu.h), from which a kernel knows stolen time.
 *
 * The scheduler tells (vcpu_watch_runstate()) under its lock, so the area may not change
 * meanwhile: who changes it takes the hook off before. The structure may lie in two pages.
 *
 * Locks: evtchn, then the scheduler's.
 */
#include <arch/time.h>
#include <arch/vcpu.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/vcpu.h>

#include "channels.h"

static void area_store(const struct runstate_area *a, size_t offset, uint64_t value)
{
    uint64_t *word = offset < a->split ? guest_shared_word(&a->part[0], offset)
                                       : guest_shared_word(&a->part[1], offset - a->split);

    atomic_store_relaxed(word, value);
}

#define ENTRY offsetof(struct vcpu_runstate_info, state_entry_time)

/* Context: the scheduler's lock is held, or the area is nobody's yet. */
static void area_write(struct vcpu *v, const struct vcpu_runstate *r)
{
    const struct evtchn *e = v->domain->evtchn;
    const struct runstate_area *a = &e->vcpu[v->id].runstate;
    bool flag = atomic_load_relaxed(&e->runstate_flag);

    if (flag) {
        /* Another vCPU that reads meanwhile sees the flag, or what was there before. */
        area_store(a, ENTRY, r->since | XEN_RUNSTATE_UPDATE);
        smp_mb();
    }
    area_store(a, offsetof(struct vcpu_runstate_info, state), r->state);
    for (uint32_t i = 0; i < VCPU_STATES; i++) {
        area_store(a, offsetof(struct vcpu_runstate_info, time) + i * sizeof(uint64_t),
                   r->time[i]);
    }
    smp_mb(); /* the flag goes last */
    area_store(a, ENTRY, r->since);
}

/* The guest-physical place of a virtual address of v, which is current. */
static int translate(struct vcpu *v, uint64_t addr, gpa_t *out)
{
    struct domain *d = v->domain;

    spin_lock(&d->p2m.lock);
    int rc = arch_guest_translate(v, addr, true, out);
    spin_unlock(&d->p2m.lock);
    return rc;
}

static void area_end(struct domain *d, struct runstate_area *a)
{
    guest_unshare(d, &a->part[0]);
    guest_unshare(d, &a->part[1]);
}

/* The structure at addr, in one page or two, of the calling vCPU's address space. */
static int area_share(struct vcpu *v, uint64_t addr, struct runstate_area *a)
{
    size_t size = sizeof(struct vcpu_runstate_info);
    struct domain *d = v->domain;
    gpa_t at;

    a->split = MIN(size, PAGE_SIZE - (addr & ~PAGE_MASK));
    int rc = translate(v, addr, &at);
    if (rc == 0) {
        rc = guest_share(d, at, a->split, &a->part[0]);
    }
    if (rc == 0 && a->split != size) {
        rc = translate(v, addr + a->split, &at);
        if (rc == 0) {
            rc = guest_share(d, at, size - a->split, &a->part[1]);
        }
    }
    if (rc != 0) {
        area_end(d, a);
    }
    return rc;
}

int vcpu_op_register_runstate_memory_area(struct hc *hc, void *arg)
{
    const struct vcpu_register_runstate_memory_area *area = arg;
    struct vcpu *v = vcpu_named(hc);
    struct evtchn *e = hc->d->evtchn;
    struct runstate_area new = { .split = 0 };

    if (v == NULL) {
        return refuse(-XEN_ENOENT, "no such vCPU", hc->arg[1], 0);
    }
    if (!IS_ALIGNED(area->addr, 8u)) {
        return refuse(-XEN_EINVAL, "the place is not aligned to 8", area->addr, 0);
    }
    if (area_share(hc->v, area->addr, &new) != 0) {
        return refuse(-XEN_EINVAL, "the place is no RAM that the guest may write", area->addr, 0);
    }
    /* point of no return */
    spin_lock(&e->lock);
    vcpu_watch_runstate(v, NULL);
    area_end(hc->d, &e->vcpu[v->id].runstate);
    e->vcpu[v->id].runstate = new;
    vcpu_watch_runstate(v, area_write);
    spin_unlock(&e->lock);
    return 0;
}

void runstate_end(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v, i) {
        vcpu_watch_runstate(v, NULL);
        area_end(d, &d->evtchn->vcpu[i].runstate);
    }
}

int vcpu_op_get_runstate_info(struct hc *hc, void *arg)
{
    struct vcpu_runstate_info *out = arg;
    struct vcpu *v = vcpu_named(hc);
    struct vcpu_runstate r;

    if (v == NULL) {
        return refuse(-XEN_ENOENT, "no such vCPU", hc->arg[1], 0);
    }
    vcpu_runstate(v, &r);
    ns_t now = arch_time_now();

    *out = (struct vcpu_runstate_info){ .state = (int32_t)r.state, .state_entry_time = r.since };
    for (uint32_t i = 0; i < VCPU_STATES; i++) {
        out->time[i] = r.time[i];
    }
    out->time[r.state] += now > r.since ? now - r.since : 0;
    return 0;
}

/* --- vm_assist --- */

static int assist(struct hc *hc, bool on)
{
    if (hc->arg[1] != VMASST_TYPE_runstate_update_flag) {
        return refuse(-XEN_EINVAL, "no such assist on this architecture", hc->arg[1], 0);
    }
    atomic_store_relaxed(&hc->d->evtchn->runstate_flag, on);
    return 0;
}

int vm_assist_op_enable(struct hc *hc, void *arg) { return assist(hc, true); }
int vm_assist_op_disable(struct hc *hc, void *arg) { return assist(hc, false); }
