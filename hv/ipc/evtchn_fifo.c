/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI of event channels (Xen public header event_channel.h): a word per port, and per
 * vCPU sixteen queues, lists through the words, by priority.
 *
 *   control block of a vCPU            event words of the domain, by port
 *   ready  bit per queue
 *   head[q] ---------------------> P L link -+
 *                                            +---> P L link -+
 *   tail[q] is ours ------------------------------------------+-> P L 0
 *
 * The hypervisor appends, the guest takes from the head: it clears LINKED together with the link
 * in one access, and that access is what tells us whether a word is still in its queue. If the
 * tail is not, the queue is empty and the head is written anew.
 *
 * The words are the guest's to write at any time. Links are followed by the guest alone; we read
 * one flag of the word that we remember ourselves, try a bounded number of times, and a guest that
 * scribbles loses its own events.
 *
 * Locks: evtchn, held by the callers of all but the operations.
 */
#include <arch/guest.h>
#include <loam/evtchn.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/mem.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "channels.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)

/* Times that a guest may change the word of a tail under our hands; then it is told to wait. */
#define LINK_TRIES 4

/* The word of a port, NULL: the guest has given no page for it. */
static event_word_t *event_word(const struct evtchn_fifo *f, evtchn_port_t port)
{
    uint32_t page = port / FIFO_PAGE_WORDS;

    return likely(page < f->nr_pages)
               ? guest_shared_half(&f->page[page], port % FIFO_PAGE_WORDS * sizeof(event_word_t))
               : NULL;
}

/* One round of attempts: 1 linked, 0 the tail has left the queue, -1 the word keeps changing. */
static int try_link(event_word_t *tail, evtchn_port_t port)
{
    event_word_t word = atomic_load_relaxed(tail);

    for (uint32_t i = 0; i < LINK_TRIES; i++) {
        if (!(word & LINKED)) {
            return 0;
        }
        event_word_t linked = (word & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;

        if (atomic_compare_exchange(tail, &word, linked)) {
            return 1;
        }
    }
    return -1;
}

/* Appends port to the queue whose last word is *tail; false: that one is not in it any more. */
static bool link_after(event_word_t *tail, evtchn_port_t port)
{
    int linked = try_link(tail, port);

    if (unlikely(linked < 0)) {
        /* A guest that sees BUSY leaves the mask alone; success clears it with the same access. */
        atomic_fetch_or(tail, BUSY);
        linked = try_link(tail, port);
        if (linked <= 0) {
            atomic_fetch_and(tail, ~BUSY);
        }
    }
    return linked > 0;
}

/* Into the queue of c's vCPU and priority; true: the vCPU is to be told. */
static bool enqueue(struct evtchn *e, struct channel *c, evtchn_port_t port, event_word_t *word)
{
    struct evtchn_vcpu *ev = &e->vcpu[c->vcpu];
    uint32_t q = c->priority;

    if (unlikely(!guest_is_shared(&ev->control)) || atomic_fetch_or(word, LINKED) & LINKED) {
        return false;
    }
    uint32_t *last = &e->vcpu[c->last_vcpu].tail[c->last_queue];

    if (unlikely(*last == port)) {
        *last = 0; /* it is in no queue: the one that it was in last is empty, perhaps this one */
    }
    event_word_t *tail = ev->tail[q] != 0 ? event_word(e->fifo, ev->tail[q]) : NULL;
    bool linked = tail != NULL && link_after(tail, port);

    c->last_vcpu = c->vcpu;
    c->last_queue = (uint8_t)q;
    ev->tail[q] = port;
    if (linked) {
        return false;
    }
    uint32_t *ready = guest_shared_half(&ev->control, 0);
    size_t head = offsetof(struct evtchn_fifo_control_block, head) + q * sizeof(uint32_t);

    /* The head before the bit that makes the guest look at it: the exchange below is a barrier. */
    atomic_store_relaxed(guest_shared_half(&ev->control, head), port);
    return !(atomic_fetch_or(ready, 1u << q) & 1u << q) && upcall_mark(ev);
}

bool fifo_raise(struct evtchn *e, struct channel *c, evtchn_port_t port, bool *fresh)
{
    event_word_t *word = event_word(e->fifo, port);

    if (unlikely(word == NULL)) {
        *fresh = !c->waiting;
        c->waiting = true;
        return false;
    }
    event_word_t old = atomic_fetch_or(word, PENDING);

    *fresh = !(old & PENDING);
    return !(old & (MASKED | LINKED)) && enqueue(e, c, port, word);
}

bool fifo_unmask(struct evtchn *e, struct channel *c, evtchn_port_t port)
{
    event_word_t *word = event_word(e->fifo, port);

    if (unlikely(word == NULL)) {
        return false;
    }
    event_word_t old = atomic_fetch_and(word, ~MASKED);

    return (old & (PENDING | LINKED)) == PENDING && enqueue(e, c, port, word);
}

bool fifo_is_pending(const struct evtchn *e, const struct channel *c, evtchn_port_t port)
{
    const event_word_t *word = event_word(e->fifo, port);

    return word != NULL ? (atomic_load_relaxed(word) & PENDING) != 0 : c->waiting;
}

void fifo_clear(struct evtchn *e, struct channel *c, evtchn_port_t port)
{
    event_word_t *word = event_word(e->fifo, port);

    c->waiting = false;
    if (word != NULL) {
        atomic_fetch_and(word, ~PENDING);
    }
}

void fifo_end(struct domain *d)
{
    struct evtchn *e = d->evtchn;
    struct evtchn_fifo *f = e->fifo;

    if (f == NULL) {
        return;
    }
    e->fifo = NULL;
    for (uint32_t i = 0; i < e->nr_vcpus; i++) {
        guest_unshare(d, &e->vcpu[i].control);
        memset(e->vcpu[i].tail, 0, sizeof(e->vcpu[i].tail));
    }
    for (uint32_t i = 0; i < f->nr_pages; i++) {
        guest_unshare(d, &f->page[i]);
    }
    mem_free(d->hv, f, sizeof(*f));
}

/* --- Operations --- */

/* Events that were sent before the guest had a word for them. [e->lock] */
static struct vcpu *raise_waiting(struct domain *d, evtchn_port_t port)
{
    struct channel *c = channel_find(d->evtchn, port);

    if (c == NULL || !c->waiting) {
        return NULL;
    }
    c->waiting = false;
    return channel_raise(d, c, port);
}

/* The first control block makes the domain one of the FIFO ABI. [e->lock] */
static int fifo_begin(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (e->fifo != NULL) {
        return 0;
    }
    struct evtchn_fifo *f = mem_alloc(d->hv, sizeof(*f));

    if (f == NULL) {
        return -XEN_ENOMEM;
    }
    /* point of no return; all ports of the 2-level ABI are in the first 64 buckets */
    for (evtchn_port_t port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) {
        struct channel *c = channel_find(e, port);

        if (c == NULL) {
            port |= BUCKET_CHANNELS - 1;
            continue;
        }
        c->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        /* The guest may have marked what is closed: that is nobody's event. */
        c->waiting = peer_status(c->peer) != EVTCHNSTAT_closed && channel_is_pending(e, c, port);
        channel_clear(e, c, port); /* a mark there would be taken for an event after a reset */
    }
    e->fifo = f;
    return 0;
}

int evtchn_op_init_control(struct hc *hc, void *arg)
{
    struct evtchn_init_control *a = arg;
    struct domain *d = hc->d;
    struct evtchn *e = d->evtchn;
    size_t size = sizeof(struct evtchn_fifo_control_block);
    struct guest_shared control = { NULL };

    if (a->vcpu >= d->config.vcpus_max || d->vcpus[a->vcpu] == NULL) {
        return refuse(-XEN_ENOENT, "no such vCPU", a->vcpu, 0);
    }
    if (a->offset > PAGE_SIZE - size || !IS_ALIGNED(a->offset, 8u)) {
        return refuse(-XEN_EINVAL, "the offset is not aligned to 8 or past the page", a->offset, 0);
    }
    spin_lock(&e->lock);
    int rc = e->closing ? refuse(-XEN_ESRCH, "the domain is dying", d->id, 0) : 0;
    if (rc == 0 && guest_is_shared(&e->vcpu[a->vcpu].control)) {
        rc = refuse(-XEN_EINVAL, "this vCPU has a control block", a->vcpu, 0);
    }
    if (rc == 0 && guest_share_gfn(d, a->control_gfn, a->offset, size, &control) != 0) {
        rc = refuse(-XEN_EINVAL, "the page is no RAM that the guest may write", a->control_gfn, 0);
    }
    if (rc == 0) {
        rc = fifo_begin(d);
    }
    if (rc == 0) {
        e->vcpu[a->vcpu].control = control;
        a->link_bits = EVTCHN_FIFO_LINK_BITS;
    } else {
        guest_unshare(d, &control);
    }
    spin_unlock(&e->lock);
    return rc;
}

/* [e->lock] */
static int expand(struct domain *d, uint64_t array_gfn)
{
    struct evtchn_fifo *f = d->evtchn->fifo;

    if (f == NULL) {
        return refuse(-XEN_ENOSYS, "the domain uses the 2-level ABI", 0, 0);
    }
    if (f->nr_pages == FIFO_PAGES_MAX) {
        return refuse(-XEN_ENOSPC, "there is a page for every port", f->nr_pages, 0);
    }
    if (guest_share_gfn(d, array_gfn, 0, PAGE_SIZE, &f->page[f->nr_pages]) != 0) {
        return refuse(-XEN_EINVAL, "the page is no RAM that the guest may write", array_gfn, 0);
    }
    f->nr_pages++;
    return 0;
}

int evtchn_op_expand_array(struct hc *hc, void *arg)
{
    const struct evtchn_expand_array *a = arg;
    struct evtchn *e = hc->d->evtchn;

    spin_lock(&e->lock);
    int rc = expand(hc->d, a->array_gfn);
    uint32_t page = rc == 0 ? e->fifo->nr_pages - 1 : 0;

    for (uint32_t i = 0; rc == 0 && i < FIFO_PAGE_WORDS; i++) {
        struct vcpu *told = raise_waiting(hc->d, page * FIFO_PAGE_WORDS + i);

        if (told != NULL) {
            arch_vintc_event(told);
        }
    }
    spin_unlock(&e->lock);
    return rc;
}

int evtchn_op_set_priority(struct hc *hc, void *arg)
{
    const struct evtchn_set_priority *a = arg;
    struct evtchn *e = hc->d->evtchn;
    struct channel *c = channel_find(e, a->port);
    int rc = 0;

    if (a->priority > EVTCHN_FIFO_PRIORITY_MIN) {
        return refuse(-XEN_EINVAL, "the priority is below the lowest", a->priority, 0);
    }
    if (c == NULL) {
        return refuse(-XEN_EINVAL, "no such port", a->port, 0);
    }
    spin_lock(&e->lock);
    if (e->fifo == NULL) {
        rc = refuse(-XEN_ENOSYS, "the domain uses the 2-level ABI", 0, 0);
    } else {
        c->priority = (uint8_t)a->priority;
    }
    spin_unlock(&e->lock);
    return rc;
}
