/* SPDX-License-Identifier: MIT */
/*
 * The time of day when system time was 0: kept for the host, told to each domain in its
 * shared_info, where a guest adds the system time that it reads itself.
 *
 * The version is odd while the rest changes, so that a guest that reads meanwhile reads again.
 * Locks: hv->lock for the host's, taken before a domain's event lock.
 */
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/list.h>
#include <loam/refusal.h>
#include <loam/wallclock.h>
#include <xen/errno.h>

#include "channels.h"

static uint32_t *field(const struct evtchn *e, size_t offset)
{
    return guest_shared_half(&e->shared, offset);
}

#define FIELD(e, name) field(e, offsetof(struct shared_info, name))

/* [hv->lock] */
static void tell(struct domain *d)
{
    struct evtchn *e = d->evtchn;
    uint64_t sec = (uint64_t)d->hv->wallclock.sec + (uint64_t)e->time_offset;

    spin_lock(&e->lock);
    /* Full barriers on both sides: who reads an even version twice has read what belongs to it. */
    uint32_t version = (atomic_load_relaxed(FIELD(e, wc_version)) | 1u);

    atomic_exchange(FIELD(e, wc_version), version);
    atomic_store_relaxed(FIELD(e, wc_sec), (uint32_t)sec);
    atomic_store_relaxed(FIELD(e, wc_sec_hi), (uint32_t)(sec >> 32));
    atomic_store_relaxed(FIELD(e, wc_nsec), d->hv->wallclock.nsec);
    atomic_exchange(FIELD(e, wc_version), version + 1);
    spin_unlock(&e->lock);
}

void wallclock_tell(struct domain *d)
{
    spin_lock(&d->hv->lock);
    tell(d);
    spin_unlock(&d->hv->lock);
}

int wallclock_set(struct hv *hv, uint64_t sec, uint32_t nsec, ns_t at)
{
    if (nsec >= NS_PER_S) {
        return refuse(-XEN_EINVAL, "more nanoseconds than a second has", nsec, 0);
    }
    if (sec > INT64_MAX) {
        return refuse(-XEN_EINVAL, "more seconds than a time has", sec, INT64_MAX);
    }
    /*
     * When system time was 0: before the epoch, where dom0 has no clock and takes its own start
     * for 1970. A guest adds without looking at the sign.
     */
    int64_t start = (int64_t)sec - (int64_t)(at / NS_PER_S) - 1;
    uint64_t start_ns = nsec + NS_PER_S - at % NS_PER_S;

    spin_lock(&hv->lock);
    hv->wallclock.sec = start + (int64_t)(start_ns / NS_PER_S);
    hv->wallclock.nsec = (uint32_t)(start_ns % NS_PER_S);
    struct domain *d;
    list_for_each_entry(&hv->domain_list, d, link) {
        if (d->evtchn != NULL) {
            tell(d);
        }
    }
    spin_unlock(&hv->lock);
    return 0;
}

void wallclock_set_offset(struct domain *d, int64_t seconds)
{
    if (d->evtchn == NULL) {
        return;
    }
    spin_lock(&d->hv->lock);
    d->evtchn->time_offset = seconds;
    tell(d);
    spin_unlock(&d->hv->lock);
}
