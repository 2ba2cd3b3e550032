/* SPDX-License-Identifier: MIT */
/*
 * How an event reaches a guest: bits in memory that it shares with the hypervisor, then an
 * interrupt if nobody has told the vCPU since it looked last.
 *
 * 2-level ABI: a bit per port in shared_info, unless its mask is set a bit per 64 ports in the
 * vcpu_info of the vCPU, and that one's upcall flag. FIFO ABI: evtchn_fifo.c.
 *
 * The guest may write all of this at any time: what is read decides about nothing but what the
 * guest is told, each step is one access, and none is repeated because of what was read.
 *
 * Locks: evtchn. The interrupt is sent when it is given up.
 */
#include <arch/guest.h>
#include <loam/bits.h>
#include <loam/evtchn.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "channels.h"

static uint64_t *shared_word(const struct evtchn *e, size_t array, evtchn_port_t port)
{
    return guest_shared_word(&e->shared, array + port / 64 * sizeof(uint64_t));
}

#define PENDING_BITS offsetof(struct shared_info, evtchn_pending)
#define MASK_BITS offsetof(struct shared_info, evtchn_mask)

bool upcall_mark(struct evtchn_vcpu *ev)
{
    if (unlikely(!guest_is_shared(&ev->info))) {
        return false;
    }
    /* The flag is a byte, the first of a word: not every CPU has atomic accesses to bytes. */
    size_t at = offsetof(struct vcpu_info, evtchn_upcall_pending);
    uint32_t *flag = guest_shared_half(&ev->info, at);

    return (atomic_fetch_or(flag, 1u) & 0xff) == 0;
}

/* An unmasked port has an event: its vCPU is to look at that word. True: it did not know. */
static bool select_word(struct evtchn_vcpu *ev, evtchn_port_t port)
{
    if (unlikely(!guest_is_shared(&ev->info))) {
        return false; /* it is told when it registers a place, of all words */
    }
    uint64_t *words = guest_shared_word(&ev->info, offsetof(struct vcpu_info, evtchn_pending_sel));
    uint64_t bit = BIT(port / 64);

    return !(atomic_fetch_or(words, bit) & bit) && upcall_mark(ev);
}

static bool two_level_raise(struct evtchn *e, struct channel *c, evtchn_port_t port, bool *fresh)
{
    uint64_t bit = BIT(port % 64);

    *fresh = !(atomic_fetch_or(shared_word(e, PENDING_BITS, port), bit) & bit);
    return *fresh && !(atomic_load_relaxed(shared_word(e, MASK_BITS, port)) & bit) &&
           select_word(&e->vcpu[c->vcpu], port);
}

static bool two_level_unmask(struct evtchn *e, struct channel *c, evtchn_port_t port)
{
    uint64_t bit = BIT(port % 64);

    return (atomic_fetch_and(shared_word(e, MASK_BITS, port), ~bit) & bit) &&
           (atomic_load_relaxed(shared_word(e, PENDING_BITS, port)) & bit) &&
           select_word(&e->vcpu[c->vcpu], port);
}

/* --- Pollers --- */

static __noinline void wake_pollers(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = d->evtchn;

    for (uint32_t w = 0; w < ARRAY_SIZE(e->pollers); w++) {
        for (uint64_t all = e->pollers[w]; all != 0; all &= all - 1) {
            uint32_t id = w * 64 + ctz64(all);
            uint32_t poll = e->vcpu[id].poll;

            if (poll == port || poll == POLL_ANY) {
                e->pollers[w] &= ~BIT(id % 64);
                vcpu_wake(d->vcpus[id]);
            }
        }
    }
}

/* --- Both ABIs --- */

struct vcpu *channel_raise(struct domain *d, struct channel *c, evtchn_port_t port)
{
    struct evtchn *e = d->evtchn;
    bool fresh;
    bool tell = e->fifo == NULL ? two_level_raise(e, c, port, &fresh)
                                : fifo_raise(e, c, port, &fresh);

    if (unlikely((e->pollers[0] | e->pollers[1]) != 0) && fresh) {
        wake_pollers(d, port);
    }
    return tell ? d->vcpus[c->vcpu] : NULL;
}

struct vcpu *channel_unmask(struct domain *d, struct channel *c, evtchn_port_t port)
{
    struct evtchn *e = d->evtchn;
    bool tell = e->fifo == NULL ? two_level_unmask(e, c, port) : fifo_unmask(e, c, port);

    return tell ? d->vcpus[c->vcpu] : NULL;
}

bool channel_is_pending(const struct evtchn *e, const struct channel *c, evtchn_port_t port)
{
    if (e->fifo != NULL) {
        return fifo_is_pending(e, c, port);
    }
    return atomic_load_relaxed(shared_word(e, PENDING_BITS, port)) >> port % 64 & 1;
}

void channel_clear(struct evtchn *e, struct channel *c, evtchn_port_t port)
{
    if (e->fifo != NULL) {
        fifo_clear(e, c, port);
    } else {
        atomic_fetch_and(shared_word(e, PENDING_BITS, port), ~BIT(port % 64));
    }
}

/* --- Virtual interrupts --- */

static void virq_raise(struct domain *d, uint32_t vcpu, uint32_t virq)
{
    struct evtchn *e = d->evtchn;
    struct vcpu *told = NULL;

    if (e == NULL) {
        return;
    }
    spin_lock(&e->lock);
    evtchn_port_t port = e->vcpu[vcpu].virq[virq];

    if (port != 0) {
        told = channel_raise(d, channel_find(e, port), port);
    }
    spin_unlock(&e->lock);
    if (told != NULL) {
        arch_vintc_event(told);
    }
}

void evtchn_virq(struct vcpu *v, uint32_t virq) { virq_raise(v->domain, v->id, virq); }

void evtchn_global_virq(struct hv *hv, uint32_t virq)
{
    /* Without a reference: it is freed after a quiescent point, and this pass contains none. */
    uint32_t handler = atomic_load_relaxed(&hv->virq_handler[virq]);
    struct domain *d = atomic_load_acquire(&hv->domains[handler]);

    /* Whichever vCPU's channel tells: a global virq is bound to vCPU 0's list. */
    if (d != NULL) {
        virq_raise(d, 0, virq);
    }
}

void evtchn_forget_handler(struct domain *d)
{
    for (uint32_t virq = 0; virq < NR_VIRQS; virq++) {
        uint32_t id = d->id;

        (void)atomic_compare_exchange(&d->hv->virq_handler[virq], &id, 0u);
    }
}

int evtchn_set_virq_handler(struct domain *d, uint32_t virq)
{
    struct hv *hv = d->hv;
    struct evtchn *e = d->evtchn;

    if (!virq_is_global(virq)) {
        return refuse(-XEN_EINVAL, "no global virq", virq, 0);
    }
    if (e == NULL) {
        return refuse(-XEN_ESRCH, "the domain has no event channels", d->id, 0);
    }
    spin_lock(&e->lock);
    bool closing = e->closing;
    if (!closing) {
        atomic_store_relaxed(&hv->virq_handler[virq], (uint32_t)d->id);
    }
    spin_unlock(&e->lock);
    return closing ? refuse(-XEN_ESRCH, "the domain is dying", d->id, 0) : 0;
}
