/* SPDX-License-Identifier: MIT */
/*
 * A domain's event channels: what evtchn.c (operations), evtchn_deliver.c (how an event reaches
 * the guest), evtchn_fifo.c (the FIFO ABI) and evtchn_check.c are to each other.
 *
 * Everything of a domain is under its one lock, struct evtchn.lock, but for two
 * things that are read without: where a port's channel is (places are made once and stay until
 * the domain is freed), and channel.peer, one word that says who is at the other end. A
 * sender reads the word of its own channel, finds the other domain by its domid without a
 * reference (domains are freed after a quiescent point, which no hypercall contains), and
 * under that domain's lock looks whether the channel there is still the other end of this
 * one. So no domain holds anything of another, and what is stale leads nowhere.
 *
 * channel.peer changes only under the lock, of two domains that are connected or
 * disconnected under both (lower domid first).
 *
 *               offer                      bind (by who may)
 *   CLOSED ----------------> UNBOUND <--------------------------> INTERDOMAIN
 *     | bind_virq, bind_ipi                 the other end closed
 *     +-------> VIRQ, IPI              close: from each of them to CLOSED
 */
#ifndef IPC_CHANNELS_H
#define IPC_CHANNELS_H

#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/lock.h>
#include <loam/timer.h>
#include <loam/types.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

#define BUCKET_CHANNELS 64
#define GROUP_BUCKETS 32
#define GROUPS_MAX 64 /* x 32 x 64 channels: what the FIFO ABI has */

#define FIFO_PAGE_WORDS ((uint32_t)(PAGE_SIZE / sizeof(event_word_t)))
#define FIFO_PAGES_MAX (EVTCHN_FIFO_NR_CHANNELS / FIFO_PAGE_WORDS)

struct channel {
    uint64_t peer;      /* atomic: peer_*() below */
    uint16_t vcpu;      /* [lock] is told of events */
    uint16_t last_vcpu; /* [lock] FIFO: whose queue it was put into last, */
    uint8_t last_queue; /* and which */
    uint8_t priority;   /* [lock] FIFO: the queue for the next event */
    bool waiting;       /* [lock] FIFO: has an event, and the guest gave no word for it yet */
};

/* channel.peer: EVTCHNSTAT_* in bits 0..7, a domid in 16..31, a port or virq in 32..63. */
static inline uint64_t peer_make(uint32_t status, domid_t domain, uint32_t number)
{
    return status | (uint64_t)domain << 16 | (uint64_t)number << 32;
}

static inline uint32_t peer_status(uint64_t peer) { return peer & 0xff; }
static inline domid_t peer_domain(uint64_t peer) { return (domid_t)(peer >> 16); }
static inline uint32_t peer_number(uint64_t peer) { return (uint32_t)(peer >> 32); }

struct channel_group {
    struct channel *bucket[GROUP_BUCKETS]; /* atomic, set once: BUCKET_CHANNELS each */
    uint64_t used[GROUP_BUCKETS];          /* [lock] a bit per channel that is not closed */
    uint32_t full;                         /* [lock] a bit per bucket without a closed one */
};

/* What the FIFO ABI adds: a word per port, in pages that the guest gives one by one. */
struct evtchn_fifo {
    uint32_t nr_pages;
    struct guest_shared page[FIFO_PAGES_MAX];
};

#define POLL_ANY UINT32_MAX /* several ports: any event is looked at */

/* Where a guest reads its vCPU's runstate: a page, or the end of one and the begin of another. */
struct runstate_area {
    struct guest_shared part[2];
    size_t split; /* bytes of it that are in part[0] */
};

/* Of one vCPU; all of it [lock]. */
struct evtchn_vcpu {
    struct guest_shared info;    /* its struct vcpu_info, none: it has no place yet */
    bool registered;             /* and the guest named that place */
    struct guest_shared control; /* FIFO: its control block, none: no events for it */
    uint32_t tail[EVTCHN_FIFO_MAX_QUEUES]; /* FIFO: port that was put in last, 0: none */
    uint32_t virq[NR_VIRQS];     /* port that it is bound to, 0: none */
    uint32_t poll;               /* port that it waits for in SCHEDOP_poll, if in pollers */
    struct runstate_area runstate; /* constant while the scheduler's hook is set */
    struct timer poll_timer;     /* ends that wait */
    struct vcpu *vcpu;           /* for the timer; set when it polls first */
};

struct evtchn {
    struct spinlock lock; /* LOCK_RANK_EVTCHN */
    bool runstate_flag;   /* atomic: VMASST_TYPE_runstate_update_flag */
    bool closing;         /* [lock] d is dying: no channel is made any more */
    uint32_t port_max;    /* the largest port it may have, constant */
    uint32_t close_next;  /* [lock] evtchn_reset(): ports below are closed */
    uint32_t nr_vcpus;
    uint32_t nr_used;     /* [lock] channels that are not closed */
    mfn_t shared_mfn;     /* struct shared_info, constant */
    struct guest_shared shared;
    uint64_t shared_at;   /* gfn + 1 of the page of RAM that it covers in d's map, 0: none */
    struct evtchn_fifo *fifo; /* [lock] NULL: the 2-level ABI */
    uint64_t pollers[DOMAIN_VCPUS_MAX / 64]; /* [lock] vCPUs that wait in SCHEDOP_poll */
    int64_t time_offset;  /* [hv->lock] seconds, wallclock.c */
    uint64_t full;        /* [lock] a bit per group without a closed channel */
    struct channel_group *group[GROUPS_MAX]; /* atomic, set once */
    struct evtchn_vcpu vcpu[];
};

/* The channel of a port, NULL: it never had one. No lock needed. */
static inline struct channel *channel_find(const struct evtchn *e, evtchn_port_t port)
{
    if (unlikely(port >= EVTCHN_FIFO_NR_CHANNELS)) {
        return NULL;
    }
    uint32_t bucket = port / BUCKET_CHANNELS;
    /* Acquire pairs with the release in place_make(): who finds a place finds it cleared. */
    const struct channel_group *g = atomic_load_acquire(&e->group[bucket / GROUP_BUCKETS]);

    if (unlikely(g == NULL)) {
        return NULL;
    }
    struct channel *c = atomic_load_acquire(&g->bucket[bucket % GROUP_BUCKETS]);

    return likely(c != NULL) ? &c[port % BUCKET_CHANNELS] : NULL;
}

/* --- evtchn_deliver.c: all with e->lock held ------------------------------------------- */

/*
 * An event on a port: marks it in the guest's memory and wakes who polls for it. The vCPU that
 * arch_vintc_event() is to be called for once the lock is given up, NULL: none.
 */
struct vcpu *__must_check channel_raise(struct domain *d, struct channel *c, evtchn_port_t port);
/* Takes the mask off; as channel_raise() if there is an event. */
struct vcpu *__must_check channel_unmask(struct domain *d, struct channel *c, evtchn_port_t port);
/* Marks the upcall as pending; true: it was not. */
bool upcall_mark(struct evtchn_vcpu *ev);
/* The guest's mark of an event on a port is set; without a place for it, false. */
bool channel_is_pending(const struct evtchn *e, const struct channel *c, evtchn_port_t port);
/* The port gets a new use: no event from before is left, no mask. */
void channel_clear(struct evtchn *e, struct channel *c, evtchn_port_t port);

/* --- evtchn_fifo.c: the same under the FIFO ABI --- */

bool fifo_raise(struct evtchn *e, struct channel *c, evtchn_port_t port, bool *fresh);
bool fifo_unmask(struct evtchn *e, struct channel *c, evtchn_port_t port);
bool fifo_is_pending(const struct evtchn *e, const struct channel *c, evtchn_port_t port);
void fifo_clear(struct evtchn *e, struct channel *c, evtchn_port_t port);
/* Gives the guest's pages back and goes back to the 2-level ABI. */
void fifo_end(struct domain *d);

/* --- Others --- */

static inline bool virq_is_global(uint32_t virq)
{
    return virq < VIRQ_ARCH_0 && !(BIT(virq) & (BIT(VIRQ_TIMER) | BIT(VIRQ_DEBUG) |
                                                BIT(VIRQ_XENOPROF) | BIT(VIRQ_XENPMU)));
}

/* guest_share() of bytes of the page gfn. */
static inline int guest_share_gfn(struct domain *d, uint64_t gfn_nr, size_t offset, size_t size,
                                  struct guest_shared *s)
{
    return gfn_nr <= UINT64_MAX >> PAGE_SHIFT
               ? guest_share(d, gpa_add(gfn_to_gpa(gfn(gfn_nr)), offset), size, s)
               : -XEN_EINVAL;
}

/* vCPU id's vcpu_info is where a kernel finds it at first; none is shared now. (vcpu_op.c) */
void vcpu_info_begin(struct domain *d, uint32_t id);
/* Global virqs that d handled are dom0's again. */
void evtchn_forget_handler(struct domain *d);
/* The end of a wait in SCHEDOP_poll (evtchn_poll.c). */
void evtchn_poll_due(struct timer *t, struct pcpu *p);
/* No vCPU's runstate is told any more (runstate.c). */
void runstate_end(struct domain *d);
/* The vCPU that argument 1 of a vcpu_op names, 32 bits of it; NULL: none. */
static inline struct vcpu *vcpu_named(const struct hc *hc)
{
    uint32_t id = (uint32_t)hc->arg[1];

    return id < hc->d->config.vcpus_max ? hc->d->vcpus[id] : NULL;
}
/* Writes the time of day into d's shared_info (wallclock.c). */
void wallclock_tell(struct domain *d);

#endif
