/* SPDX-License-Identifier: MIT */
/*
 * Event channels: the operations (Xen public header event_channel.h), and the service that
 * a domain has of them. channels.h has the rules of who may look at what; how an event
 * reaches the guest is evtchn_deliver.c.
 *
 * Ports are given lowest first. Closed ones are found by three levels of bit masks, so that
 * this costs the same whether a domain has ten channels or 100,000.
 *
 * Locks: evtchn.
 */
#include <arch/guest.h>
#include <loam/bits.h>
#include <loam/evtchn.h>
#include <loam/frame.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/mem.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <loam/wallclock.h>
#include <xen/errno.h>

#include "channels.h"

/* Channels that one step of evtchn_reset() closes. */
#define CLOSE_STEP 256

static int no_such_port(evtchn_port_t port)
{
    return refuse(-XEN_EINVAL, "no such port", port, 0);
}

static int no_such_vcpu(uint32_t vcpu)
{
    return refuse(-XEN_ENOENT, "no such vCPU", vcpu, 0);
}

static bool has_vcpu(const struct domain *d, uint32_t vcpu)
{
    return vcpu < d->config.vcpus_max && d->vcpus[vcpu] != NULL;
}

/* --- Two domains --- */

/* a and b may be the same, or b NULL. */
static void lock_two(struct domain *a, struct domain *b)
{
    if (b == NULL || a == b) {
        spin_lock(&a->evtchn->lock);
    } else {
        bool a_first = a->id < b->id;

        spin_lock(a_first ? &a->evtchn->lock : &b->evtchn->lock);
        spin_lock_second(a_first ? &b->evtchn->lock : &a->evtchn->lock);
    }
}

static void unlock_two(struct domain *a, struct domain *b)
{
    if (b != NULL && a != b) {
        spin_unlock(&b->evtchn->lock);
    }
    spin_unlock(&a->evtchn->lock);
}

/*
 * The domain at the other end, without a reference; NULL: the channel is not connected. Only who
 * holds its lock and looks again knows that it still is.
 */
static struct domain *peer_find(struct hv *hv, uint64_t peer)
{
    if (peer_status(peer) != EVTCHNSTAT_interdomain) {
        return NULL;
    }
    /* Acquire pairs with the release in domain_link(). */
    struct domain *d = atomic_load_acquire(&hv->domains[peer_domain(peer)]);

    return d != NULL && likely(d->evtchn != NULL) ? d : NULL;
}

/* Any domain, by its domid or DOMID_SELF, whoever asks; with a reference. */
static int any_domain(const struct hc *hc, domid_t id, struct domain **out)
{
    if (id == DOMID_SELF || id == hc->d->id) {
        return hc_target(hc, DOMID_SELF, out);
    }
    struct domain *d = domain_lookup(hc->d->hv, id);

    if (d != NULL && d->evtchn == NULL) {
        domain_put(d);
        d = NULL;
    }
    *out = d;
    return d != NULL ? 0 : refuse(-XEN_ESRCH, "no domain with event channels has this id", id, 0);
}

/* What hc_target() gives, if it has event channels. */
static int target_domain(const struct hc *hc, domid_t id, struct domain **out)
{
    int rc = hc_target(hc, id, out);

    if (rc == 0 && (*out)->evtchn == NULL) {
        domain_put(*out);
        rc = refuse(-XEN_ESRCH, "the domain has no event channels", id, 0);
    }
    return rc;
}

/* --- Ports --- */

static uint32_t port_limit(const struct evtchn *e)
{
    uint32_t abi = e->fifo != NULL ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;

    return MIN(abi - 1, e->port_max);
}

/* Memory for a group, or a bucket of it. [e->lock] */
static int place_make(struct domain *d, uint32_t group, uint32_t bucket)
{
    struct evtchn *e = d->evtchn;
    struct channel_group *g = e->group[group];

    if (g == NULL) {
        g = mem_alloc(d->hv, sizeof(*g));
        if (g == NULL) {
            return -XEN_ENOMEM;
        }
        /* Port 0 is none. */
        g->used[0] = group == 0 ? 1 : 0;
        atomic_store_release(&e->group[group], g);
    }
    if (g->bucket[bucket] == NULL) {
        struct channel *c = mem_alloc(d->hv, BUCKET_CHANNELS * sizeof(*c));

        if (c == NULL) {
            return -XEN_ENOMEM;
        }
        /* Acquire in channel_find(). */
        atomic_store_release(&g->bucket[bucket], c);
    }
    return 0;
}

/* The lowest closed port; UINT32_MAX: there is none. [e->lock] */
static evtchn_port_t lowest_closed(const struct evtchn *e)
{
    if (unlikely(e->full == UINT64_MAX)) {
        return UINT32_MAX;
    }
    uint32_t group = (uint32_t)ctz64(~e->full);
    const struct channel_group *g = e->group[group];
    evtchn_port_t first = group * GROUP_BUCKETS * BUCKET_CHANNELS;

    if (g == NULL) {
        return first + (group == 0); /* port 0 is none */
    }
    uint32_t bucket = (uint32_t)ctz64(~(uint64_t)g->full);

    return first + bucket * BUCKET_CHANNELS + (uint32_t)ctz64(~g->used[bucket]);
}

/* A port for a new channel, with a place. [e->lock] */
static int port_find(struct domain *d, evtchn_port_t *out)
{
    struct evtchn *e = d->evtchn;
    evtchn_port_t port = lowest_closed(e);

    if (e->closing) {
        return refuse(-XEN_ESRCH, "the domain is dying", d->id, 0);
    }
    if (port > port_limit(e)) {
        return refuse(-XEN_ENOSPC, "no port is free", e->nr_used, port_limit(e));
    }
    *out = port;
    return place_make(d, port / BUCKET_CHANNELS / GROUP_BUCKETS,
                      port / BUCKET_CHANNELS % GROUP_BUCKETS);
}

static void port_mark(struct evtchn *e, evtchn_port_t port, bool used)
{
    uint32_t group = port / (GROUP_BUCKETS * BUCKET_CHANNELS);
    uint32_t bucket = port / BUCKET_CHANNELS % GROUP_BUCKETS;
    struct channel_group *g = e->group[group];
    uint64_t bit = BIT(port % BUCKET_CHANNELS);

    if (used) {
        g->used[bucket] |= bit;
        e->nr_used++;
    } else {
        g->used[bucket] &= ~bit;
        e->nr_used--;
    }
    g->full = g->used[bucket] == UINT64_MAX ? g->full | 1u << bucket : g->full & ~(1u << bucket);
    e->full = g->full == UINT32_MAX ? e->full | BIT(group) : e->full & ~BIT(group);
}

/* A new channel, at `port` that port_find() gave. [e->lock] */
static struct channel *channel_open(struct evtchn *e, evtchn_port_t port, uint64_t peer,
                                    uint32_t vcpu)
{
    struct channel *c = channel_find(e, port);

    c->vcpu = (uint16_t)vcpu;
    c->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    atomic_store_relaxed(&c->peer, peer);
    port_mark(e, port, true);
    return c;
}

/* --- Making channels --- */

int evtchn_offer(struct domain *d, domid_t remote, evtchn_port_t *port)
{
    struct evtchn *e = d->evtchn;

    if (e == NULL) {
        return refuse(-XEN_ESRCH, "the domain has no event channels", d->id, 0);
    }
    spin_lock(&e->lock);
    int rc = port_find(d, port);
    if (rc == 0) {
        channel_open(e, *port, peer_make(EVTCHNSTAT_unbound, remote, 0), 0);
    }
    spin_unlock(&e->lock);
    return rc;
}

int evtchn_op_alloc_unbound(struct hc *hc, void *arg)
{
    struct evtchn_alloc_unbound *a = arg;
    struct domain *d;
    int rc = target_domain(hc, a->dom, &d);

    if (rc == 0) {
        rc = evtchn_offer(d, a->remote_dom == DOMID_SELF ? hc->d->id : a->remote_dom, &a->port);
        domain_put(d);
    }
    return rc;
}

/* [both locks] */
static int connect(struct domain *d, struct domain *remote, evtchn_port_t there,
                   evtchn_port_t *here)
{
    struct channel *far = channel_find(remote->evtchn, there);
    uint64_t offered = far != NULL ? atomic_load_relaxed(&far->peer) : 0;

    if (offered != peer_make(EVTCHNSTAT_unbound, d->id, 0)) {
        return refuse(-XEN_EINVAL, "the port there does not wait for this domain", there,
                      peer_status(offered));
    }
    int rc = port_find(d, here);
    if (rc != 0) {
        return rc;
    }
    /* point of no return */
    channel_open(d->evtchn, *here, peer_make(EVTCHNSTAT_interdomain, remote->id, there), 0);
    atomic_store_relaxed(&far->peer, peer_make(EVTCHNSTAT_interdomain, d->id, *here));
    return 0;
}

int evtchn_op_bind_interdomain(struct hc *hc, void *arg)
{
    struct evtchn_bind_interdomain *a = arg;
    struct domain *d = hc->d, *remote;
    struct vcpu *told = NULL;
    int rc = any_domain(hc, a->remote_dom, &remote);

    if (rc != 0) {
        return rc;
    }
    lock_two(d, remote);
    rc = connect(d, remote, a->remote_port, &a->local_port);
    if (rc == 0) {
        /* The other end may have sent something before it was connected. */
        told = channel_raise(d, channel_find(d->evtchn, a->local_port), a->local_port);
    }
    unlock_two(d, remote);
    if (told != NULL) {
        arch_vintc_event(told);
    }
    domain_put(remote);
    return rc;
}

int evtchn_op_bind_virq(struct hc *hc, void *arg)
{
    struct evtchn_bind_virq *a = arg;
    struct domain *d = hc->d;
    struct evtchn *e = d->evtchn;

    if (a->virq >= NR_VIRQS) {
        return refuse(-XEN_EINVAL, "no such virq", a->virq, 0);
    }
    if (virq_is_global(a->virq) && a->vcpu != 0) {
        return refuse(-XEN_EINVAL, "a global virq is bound to vCPU 0 first", a->virq, a->vcpu);
    }
    if (!has_vcpu(d, a->vcpu)) {
        return no_such_vcpu(a->vcpu);
    }
    spin_lock(&e->lock);
    evtchn_port_t *bound = &e->vcpu[a->vcpu].virq[a->virq];
    int rc = *bound != 0 ? refuse(-XEN_EEXIST, "it is bound already", a->virq, *bound) : 0;

    if (rc == 0) {
        rc = port_find(d, &a->port);
    }
    if (rc == 0) {
        channel_open(e, a->port, peer_make(EVTCHNSTAT_virq, 0, a->virq), a->vcpu);
        *bound = a->port;
    }
    spin_unlock(&e->lock);
    return rc;
}

int evtchn_op_bind_ipi(struct hc *hc, void *arg)
{
    struct evtchn_bind_ipi *a = arg;
    struct domain *d = hc->d;
    struct evtchn *e = d->evtchn;

    if (!has_vcpu(d, a->vcpu)) {
        return no_such_vcpu(a->vcpu);
    }
    spin_lock(&e->lock);
    int rc = port_find(d, &a->port);
    if (rc == 0) {
        channel_open(e, a->port, peer_make(EVTCHNSTAT_ipi, 0, 0), a->vcpu);
    }
    spin_unlock(&e->lock);
    return rc;
}

/* --- Ending them --- */

/*
 * What the other end is afterwards: it waits for d again, or, if d is dying, for nobody: its
 * domid will be another domain's.
 */
static void disconnect(struct domain *d, struct domain *remote, evtchn_port_t there)
{
    struct channel *far = channel_find(remote->evtchn, there);
    domid_t next = d->evtchn->closing ? DOMID_INVALID : d->id;

    atomic_store_relaxed(&far->peer, peer_make(EVTCHNSTAT_unbound, next, 0));
}

/* [e->lock, and the remote's if it is connected] */
static void close_locked(struct domain *d, struct channel *c, evtchn_port_t port,
                         struct domain *remote)
{
    struct evtchn *e = d->evtchn;
    uint64_t peer = atomic_load_relaxed(&c->peer);

    if (remote != NULL) {
        disconnect(d, remote, peer_number(peer));
    } else if (peer_status(peer) == EVTCHNSTAT_virq) {
        uint32_t virq = peer_number(peer);

        e->vcpu[virq_is_global(virq) ? 0 : c->vcpu].virq[virq] = 0;
    }
    atomic_store_relaxed(&c->peer, peer_make(EVTCHNSTAT_closed, 0, 0));
    channel_clear(e, c, port);
    port_mark(e, port, false);
}

/* Closes what is open; false: it was closed already. */
static bool channel_close(struct domain *d, struct channel *c, evtchn_port_t port)
{
    for (;;) {
        uint64_t peer = atomic_load_relaxed(&c->peer);
        struct domain *remote = peer_find(d->hv, peer);

        lock_two(d, remote);
        /* Another CPU may have connected or closed it meanwhile. */
        bool same = atomic_load_relaxed(&c->peer) == peer && peer_find(d->hv, peer) == remote;
        bool open = peer_status(peer) != EVTCHNSTAT_closed;

        if (same && open) {
            close_locked(d, c, port, remote);
        }
        unlock_two(d, remote);
        if (same) {
            return open;
        }
    }
}

int evtchn_op_close(struct hc *hc, void *arg)
{
    const struct evtchn_close *a = arg;
    struct channel *c = channel_find(hc->d->evtchn, a->port);

    if (c == NULL) {
        return no_such_port(a->port);
    }
    return channel_close(hc->d, c, a->port)
               ? 0
               : refuse(-XEN_EINVAL, "the port is closed already", a->port, 0);
}

/* The next port from `port` on that is in use, UINT32_MAX: none. [e->lock] */
static evtchn_port_t next_used(const struct evtchn *e, evtchn_port_t port)
{
    for (uint32_t b = port / BUCKET_CHANNELS; b < GROUPS_MAX * GROUP_BUCKETS; b++) {
        const struct channel_group *g = e->group[b / GROUP_BUCKETS];

        if (g == NULL) {
            b |= GROUP_BUCKETS - 1;
            continue;
        }
        uint64_t used = g->used[b % GROUP_BUCKETS] & (b == 0 ? ~UINT64_C(1) : ~UINT64_C(0));

        if (b == port / BUCKET_CHANNELS) {
            used &= ~UINT64_C(0) << port % BUCKET_CHANNELS;
        }
        if (used != 0) {
            return b * BUCKET_CHANNELS + (uint32_t)ctz64(used);
        }
    }
    return UINT32_MAX;
}

/* Closes up to CLOSE_STEP channels; 0: none is left. */
static int close_some(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    for (uint32_t i = 0; i < CLOSE_STEP; i++) {
        spin_lock(&e->lock);
        evtchn_port_t port = next_used(e, e->close_next);

        e->close_next = port != UINT32_MAX ? port : 0;
        spin_unlock(&e->lock);
        if (port == UINT32_MAX) {
            return 0;
        }
        (void)channel_close(d, channel_find(e, port), port);
    }
    return -XEN_EAGAIN;
}

int evtchn_reset(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (close_some(d) != 0) {
        return -XEN_EAGAIN;
    }
    spin_lock(&e->lock);
    /* A vCPU that made a channel meanwhile keeps the FIFO pages, and its events. */
    if (e->nr_used == 0) {
        fifo_end(d);
    }
    spin_unlock(&e->lock);
    return 0;
}

int evtchn_op_reset(struct hc *hc, void *arg)
{
    const struct evtchn_reset *a = arg;
    struct domain *d;
    int rc = target_domain(hc, a->dom, &d);

    if (rc == 0) {
        rc = evtchn_reset(d);
        domain_put(d);
    }
    return rc == -XEN_EAGAIN ? hc_again(hc) : rc;
}

/* --- Using them --- */

/* The channel at the other end of d's `port`, which has just been read as `peer`, has an event. */
static void send_remote(struct domain *d, evtchn_port_t port, uint64_t peer)
{
    struct domain *remote = peer_find(d->hv, peer);
    struct vcpu *told = NULL;

    if (unlikely(remote == NULL)) {
        return;
    }
    struct evtchn *e = remote->evtchn;
    evtchn_port_t there = peer_number(peer);
    struct channel *far = channel_find(e, there);

    spin_lock(&e->lock);
    if (likely(far != NULL &&
               far->peer == peer_make(EVTCHNSTAT_interdomain, d->id, port))) {
        told = channel_raise(remote, far, there);
    }
    spin_unlock(&e->lock);
    if (told != NULL) {
        arch_vintc_event(told);
    }
}

static void send_self(struct domain *d, struct channel *c, evtchn_port_t port)
{
    struct vcpu *told = NULL;

    spin_lock(&d->evtchn->lock);
    if (peer_status(c->peer) == EVTCHNSTAT_ipi) {
        told = channel_raise(d, c, port);
    }
    spin_unlock(&d->evtchn->lock);
    if (told != NULL) {
        arch_vintc_event(told);
    }
}

int evtchn_op_send(struct hc *hc, void *arg)
{
    evtchn_port_t port = ((const struct evtchn_send *)arg)->port;
    struct channel *c = channel_find(hc->d->evtchn, port);
    uint64_t peer = c != NULL ? atomic_load_relaxed(&c->peer) : 0;

    switch (peer_status(peer)) {
    case EVTCHNSTAT_interdomain:
        send_remote(hc->d, port, peer);
        return 0;
    case EVTCHNSTAT_ipi:
        send_self(hc->d, c, port);
        return 0;
    case EVTCHNSTAT_unbound:
        return 0; /* who binds to it looks for himself */
    default:
        return refuse(-XEN_EINVAL, "nothing can be sent through this port", port,
                      peer_status(peer));
    }
}

int evtchn_op_unmask(struct hc *hc, void *arg)
{
    const struct evtchn_unmask *a = arg;
    struct channel *c = channel_find(hc->d->evtchn, a->port);

    if (c == NULL) {
        return no_such_port(a->port);
    }
    spin_lock(&hc->d->evtchn->lock);
    struct vcpu *told = channel_unmask(hc->d, c, a->port);
    spin_unlock(&hc->d->evtchn->lock);
    if (told != NULL) {
        arch_vintc_event(told);
    }
    return 0;
}

/* May its vCPU change? Which one an IPI or a virq of a vCPU is for is fixed. */
static bool may_move(uint64_t peer)
{
    switch (peer_status(peer)) {
    case EVTCHNSTAT_unbound:
    case EVTCHNSTAT_interdomain:
        return true;
    case EVTCHNSTAT_virq:
        return virq_is_global(peer_number(peer));
    default:
        return false;
    }
}

int evtchn_op_bind_vcpu(struct hc *hc, void *arg)
{
    const struct evtchn_bind_vcpu *a = arg;
    struct evtchn *e = hc->d->evtchn;
    struct channel *c = channel_find(e, a->port);

    if (!has_vcpu(hc->d, a->vcpu)) {
        return no_such_vcpu(a->vcpu);
    }
    if (c == NULL) {
        return no_such_port(a->port);
    }
    spin_lock(&e->lock);
    bool may = may_move(c->peer);
    if (may) {
        c->vcpu = (uint16_t)a->vcpu;
    }
    uint32_t status = peer_status(c->peer);
    spin_unlock(&e->lock);
    return may ? 0 : refuse(-XEN_EINVAL, "the vCPU of such a port is fixed", a->port, status);
}

static void status_fill(struct evtchn_status *a, const struct channel *c)
{
    uint64_t peer = c->peer;

    a->status = peer_status(peer);
    a->vcpu = c->vcpu;
    a->u = (__typeof__(a->u)){ .interdomain = { 0 } };
    switch (a->status) {
    case EVTCHNSTAT_unbound:
        a->u.unbound.dom = peer_domain(peer);
        break;
    case EVTCHNSTAT_interdomain:
        a->u.interdomain.dom = peer_domain(peer);
        a->u.interdomain.port = peer_number(peer);
        break;
    case EVTCHNSTAT_virq:
        a->u.virq = peer_number(peer);
        break;
    default:
        break;
    }
}

int evtchn_op_status(struct hc *hc, void *arg)
{
    struct evtchn_status *a = arg;
    struct domain *d;
    int rc = target_domain(hc, a->dom, &d);

    if (rc != 0) {
        return rc;
    }
    struct channel *c = channel_find(d->evtchn, a->port);
    if (c != NULL) {
        spin_lock(&d->evtchn->lock);
        status_fill(a, c);
        spin_unlock(&d->evtchn->lock);
    } else {
        rc = no_such_port(a->port);
    }
    domain_put(d);
    return rc;
}

/* --- The service --- */

static size_t evtchn_size(const struct domain *d)
{
    return sizeof(struct evtchn) + d->config.vcpus_max * sizeof(struct evtchn_vcpu);
}

int evtchn_init(struct domain *d)
{
    if (d->who == 0) {
        return 0;
    }
    struct evtchn *e = mem_alloc(d->hv, evtchn_size(d));
    if (e == NULL) {
        return -XEN_ENOMEM;
    }
    e->shared_mfn = frame_alloc(d->hv, 0, FRAME_ALLOC_ZERO);
    if (mfn_is_none(e->shared_mfn)) {
        mem_free(d->hv, e, evtchn_size(d));
        return -XEN_ENOMEM;
    }
    e->lock = SPINLOCK_INIT(LOCK_RANK_EVTCHN);
    e->nr_vcpus = d->config.vcpus_max;
    e->port_max = d->config.evtchn_port_max != 0 ? d->config.evtchn_port_max : UINT32_MAX;
    guest_share_frame(d, e->shared_mfn, &e->shared);
    d->evtchn = e;
    for (uint32_t i = 0; i < e->nr_vcpus; i++) {
        vcpu_info_begin(d, i);
        timer_init(&e->vcpu[i].poll_timer, evtchn_poll_due);
    }
    wallclock_tell(d);
    return 0;
}

int evtchn_close(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (e == NULL) {
        return 0;
    }
    spin_lock(&e->lock);
    e->closing = true;
    spin_unlock(&e->lock);
    if (evtchn_reset(d) != 0) {
        return -XEN_EAGAIN;
    }
    evtchn_forget_handler(d);
    spin_lock(&e->lock);
    runstate_end(d);
    for (uint32_t i = 0; i < e->nr_vcpus; i++) {
        guest_unshare(d, &e->vcpu[i].info);
        timer_stop(&e->vcpu[i].poll_timer);
    }
    spin_unlock(&e->lock);
    return 0;
}

void evtchn_free(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (e == NULL) {
        return;
    }
    for (uint32_t i = 0; i < GROUPS_MAX; i++) {
        struct channel_group *g = e->group[i];

        for (uint32_t b = 0; g != NULL && b < GROUP_BUCKETS; b++) {
            mem_free(d->hv, g->bucket[b], BUCKET_CHANNELS * sizeof(struct channel));
        }
        mem_free(d->hv, g, sizeof(*g));
    }
    guest_unshare(d, &e->shared);
    frame_free(d->hv, e->shared_mfn, 0);
    mem_free(d->hv, e, evtchn_size(d));
    d->evtchn = NULL;
}

mfn_t evtchn_shared_info(struct domain *d)
{
    return d->evtchn != NULL ? d->evtchn->shared_mfn : MFN_NONE;
}
