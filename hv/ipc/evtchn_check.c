/* SPDX-License-Identifier: MIT */
/*
 * What must hold of all event channels of a host: the two ends of a connection name each other,
 * masks and counts say what the channels do, each bound virq has its channel, and what the guests'
 * pages hold decides about none of it. For tests and fuzzers, in the manner of a proof
 * by looking at everything.
 */
#include <loam/evtchn.h>
#include <loam/list.h>

#include "channels.h"

static const char *check_peer(struct domain *d, const struct channel *c, evtchn_port_t port)
{
    const struct evtchn *e = d->evtchn;
    uint64_t peer = c->peer;
    uint32_t number = peer_number(peer);

    switch (peer_status(peer)) {
    case EVTCHNSTAT_closed:
        return c->waiting ? "a closed channel has an event" : NULL;
    case EVTCHNSTAT_unbound:
    case EVTCHNSTAT_ipi:
        return NULL;
    case EVTCHNSTAT_virq:
        if (number >= NR_VIRQS) {
            return "a channel is bound to a virq that does not exist";
        }
        return e->vcpu[virq_is_global(number) ? 0 : c->vcpu].virq[number] == port
                   ? NULL
                   : "a virq's channel is not the one that it is bound to";
    case EVTCHNSTAT_interdomain:
        break;
    default:
        return "a channel is in no known state";
    }
    const struct domain *remote = d->hv->domains[peer_domain(peer)];

    if (remote == NULL || remote->evtchn == NULL) {
        return "a channel is connected with a domain that does not exist";
    }
    const struct channel *far = channel_find(remote->evtchn, number);

    return far != NULL && far->peer == peer_make(EVTCHNSTAT_interdomain, d->id, port)
               ? NULL
               : "the other end of a connection does not know it";
}

static const char *check_bucket(struct domain *d, const struct channel_group *g, uint32_t group,
                                uint32_t bucket, uint32_t *used)
{
    const struct channel *c = g->bucket[bucket];
    evtchn_port_t first = (group * GROUP_BUCKETS + bucket) * BUCKET_CHANNELS;

    if (((g->full >> bucket & 1) != 0) != (g->used[bucket] == UINT64_MAX)) {
        return "a bucket is not as full as its group says";
    }
    if (c == NULL && (g->used[bucket] & ~(uint64_t)(first == 0 ? 1 : 0)) == 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < BUCKET_CHANNELS; i++) {
        bool is_used = (g->used[bucket] >> i & 1) && first + i != 0;

        if (is_used != (c != NULL && peer_status(c[i].peer) != EVTCHNSTAT_closed)) {
            return "a channel is not in use as its bucket says";
        }
        if (c == NULL) {
            continue;
        }
        *used += is_used;
        const char *wrong = check_peer(d, &c[i], first + i);

        if (wrong != NULL) {
            return wrong;
        }
        if (c[i].vcpu >= d->config.vcpus_max || c[i].last_vcpu >= d->config.vcpus_max ||
            c[i].priority > EVTCHN_FIFO_PRIORITY_MIN ||
            c[i].last_queue > EVTCHN_FIFO_PRIORITY_MIN) {
            return "a channel is for a vCPU or a queue that does not exist";
        }
    }
    return NULL;
}

static const char *check_vcpu(const struct evtchn *e, const struct evtchn_vcpu *ev)
{
    for (uint32_t virq = 0; virq < NR_VIRQS; virq++) {
        const struct channel *c = channel_find(e, ev->virq[virq]);

        if (ev->virq[virq] != 0 &&
            (c == NULL || c->peer != peer_make(EVTCHNSTAT_virq, 0, virq))) {
            return "a virq is bound to a channel that is not its own";
        }
    }
    for (uint32_t q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
        const struct channel *c = channel_find(e, ev->tail[q]);

        if (ev->tail[q] != 0 && (e->fifo == NULL || c == NULL ||
                                 &e->vcpu[c->last_vcpu] != ev || c->last_queue != q)) {
            return "the tail of a queue was not put there last";
        }
    }
    return e->fifo == NULL && guest_is_shared(&ev->control)
               ? "a control block is kept under the 2-level ABI"
               : NULL;
}

static const char *check_domain(struct domain *d)
{
    const struct evtchn *e = d->evtchn;
    uint32_t used = 0;
    const char *wrong = NULL;

    if (spin_is_locked(&e->lock)) {
        return "a domain's channels are locked";
    }
    for (uint32_t g = 0; g < GROUPS_MAX && wrong == NULL; g++) {
        const struct channel_group *group = e->group[g];

        if (((e->full >> g & 1) != 0) != (group != NULL && group->full == UINT32_MAX)) {
            return "a group is not as full as its domain says";
        }
        for (uint32_t b = 0; group != NULL && b < GROUP_BUCKETS && wrong == NULL; b++) {
            wrong = check_bucket(d, group, g, b, &used);
        }
    }
    for (uint32_t i = 0; i < e->nr_vcpus && wrong == NULL; i++) {
        wrong = check_vcpu(e, &e->vcpu[i]);
    }
    if (wrong == NULL && used != e->nr_used) {
        wrong = "the number of channels in use is wrong";
    }
    return wrong;
}

const char *evtchn_check(struct hv *hv)
{
    const char *wrong = NULL;
    struct domain *d;

    list_for_each_entry(&hv->domain_list, d, link) {
        if (wrong == NULL && d->evtchn != NULL) {
            wrong = check_domain(d);
        }
    }
    return wrong;
}
