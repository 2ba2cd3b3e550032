/* SPDX-License-Identifier: MIT */
/*
 * Event channels as guests see them, for tests: two domains, each vCPU on a CPU of its own, their
 * calls, and what the hypervisor marks in their memory.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <loam/evtchn.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#include "../../hv/ipc/channels.h"
#include "dom.h"

#define ARGS (DOM_RAM + 0x400)
#define CONTROL_PAGE (DOM_RAM + 8 * PAGE_SIZE) /* control blocks of all vCPUs */
#define ARRAY_PAGE (DOM_RAM + 9 * PAGE_SIZE)   /* event words from here on */
#define INFO_PAGE (DOM_RAM + 7 * PAGE_SIZE)    /* vcpu_info of all vCPUs */

struct events {
    struct world *w;
    struct domain *a, *b; /* a runs on CPUs 0 .., b on those after it */
};

/* Where v runs; each vCPU has a CPU. */
static inline uint32_t cpu_of(const struct vcpu *v) { return v->pcpu->id; }

static inline struct domain *events_domain(struct world *w, const char *name, uint32_t vcpus,
                                           bool control)
{
    struct domain_config c = { .vcpus_max = vcpus, .nr_spis = DOM_SPIS, .weight = 256,
                               .enhanced = true, .control = control };

    snprintf(c.name, sizeof(c.name), "%s", name);
    struct domain *d = dom_create_with(w, &c);
    if (d == NULL) {
        return NULL;
    }
    domain_start(d);
    for (uint32_t i = 1; i < vcpus; i++) {
        CHECK_EQ(vcpu_power_on(d, i, DOM_RAM, 0), 0);
    }
    dom_settle(w);
    return d;
}

/* a has na vCPUs, b nb, 0: there is no b. */
static inline struct events events_begin(uint32_t na, uint32_t nb)
{
    struct events f = { .w = dom_world(na + nb) };

    f.a = events_domain(f.w, "a", na, false);
    f.b = nb != 0 ? events_domain(f.w, "b", nb, false) : NULL;
    return f;
}

static inline void events_end(struct events *f)
{
    CHECK_STR(evtchn_check(f->w->hv) == NULL ? "" : evtchn_check(f->w->hv), "");
    dom_destroy(f->w, f->a);
    if (f->b != NULL) {
        dom_destroy(f->w, f->b);
    }
    world_destroy(f->w);
}

/* v's guest calls number(op, extra, arg), the argument is copied in and out. */
static inline int64_t guest_call(struct vcpu *v, uint64_t number, uint64_t op, uint64_t extra,
                                 void *arg, size_t size)
{
    struct world *w = container_of(fake_machine, struct world, machine);
    gpa_t at = gpa(ARGS + v->id * 0x100);
    bool by_vcpu = number == __HYPERVISOR_vcpu_op;

    CHECK(v->pcpu->current == v);
    w->machine.cpu = v->pcpu;
    CHECK(fake_guest_write(v, at, arg, size));
    int64_t rc = dom_hypercall(w, cpu_of(v), number, op, by_vcpu ? extra : at.a, at.a);
    if (v->pcpu->loaded == v) {
        w->machine.cpu = v->pcpu;
        CHECK(fake_guest_read(v, at, arg, size));
    }
    world_cpu(w, 0);
    return rc;
}

static inline int64_t evtchn_call(struct vcpu *v, uint64_t op, void *arg, size_t size)
{
    return guest_call(v, __HYPERVISOR_event_channel_op, op, 0, arg, size);
}

#define CALL(v, op, arg) evtchn_call(v, EVTCHNOP_##op, arg, sizeof(*(arg)))

/* Each gives the port, or the error. */
static inline int64_t alloc_unbound(struct vcpu *v, domid_t dom, domid_t remote)
{
    struct evtchn_alloc_unbound a = { .dom = dom, .remote_dom = remote };
    int64_t rc = CALL(v, alloc_unbound, &a);

    return rc != 0 ? rc : a.port;
}

static inline int64_t bind_interdomain(struct vcpu *v, domid_t remote, evtchn_port_t port)
{
    struct evtchn_bind_interdomain a = { .remote_dom = remote, .remote_port = port };
    int64_t rc = CALL(v, bind_interdomain, &a);

    return rc != 0 ? rc : a.local_port;
}

static inline int64_t bind_virq(struct vcpu *v, uint32_t virq, uint32_t vcpu)
{
    struct evtchn_bind_virq a = { .virq = virq, .vcpu = vcpu };
    int64_t rc = CALL(v, bind_virq, &a);

    return rc != 0 ? rc : a.port;
}

static inline int64_t bind_ipi(struct vcpu *v, uint32_t vcpu)
{
    struct evtchn_bind_ipi a = { .vcpu = vcpu };
    int64_t rc = CALL(v, bind_ipi, &a);

    return rc != 0 ? rc : a.port;
}

static inline int64_t bind_vcpu(struct vcpu *v, evtchn_port_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu a = { .port = port, .vcpu = vcpu };

    return CALL(v, bind_vcpu, &a);
}

static inline int64_t close_port(struct vcpu *v, evtchn_port_t port)
{
    struct evtchn_close a = { .port = port };

    return CALL(v, close, &a);
}

static inline int64_t send(struct vcpu *v, evtchn_port_t port)
{
    struct evtchn_send a = { .port = port };

    return CALL(v, send, &a);
}

static inline int64_t unmask(struct vcpu *v, evtchn_port_t port)
{
    struct evtchn_unmask a = { .port = port };

    return CALL(v, unmask, &a);
}

static inline int64_t reset(struct vcpu *v, domid_t dom)
{
    struct evtchn_reset a = { .dom = dom };

    return CALL(v, reset, &a);
}

static inline struct evtchn_status status(struct vcpu *v, domid_t dom, evtchn_port_t port)
{
    struct evtchn_status a = { .dom = dom, .port = port };
    int64_t rc = CALL(v, status, &a);

    a.status = rc == 0 ? a.status : UINT32_MAX;
    return a;
}

static inline int64_t register_info(struct vcpu *v, uint32_t id)
{
    struct vcpu_register_vcpu_info a = { .mfn = INFO_PAGE >> PAGE_SHIFT, .offset = id * 64 };

    return guest_call(v, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, id, &a, sizeof(a));
}

static inline int64_t init_control(struct vcpu *v, uint32_t vcpu)
{
    struct evtchn_init_control a = { .control_gfn = CONTROL_PAGE >> PAGE_SHIFT,
                                     .offset = vcpu * 128, .vcpu = vcpu };
    int64_t rc = CALL(v, init_control, &a);

    CHECK(rc != 0 || a.link_bits == EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static inline int64_t expand_array(struct vcpu *v, uint32_t page)
{
    struct evtchn_expand_array a = { .array_gfn = (ARRAY_PAGE >> PAGE_SHIFT) + page };

    return CALL(v, expand_array, &a);
}

static inline int64_t set_priority(struct vcpu *v, evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority a = { .port = port, .priority = priority };

    return CALL(v, set_priority, &a);
}

/* --- What the guest sees --- */

/* The hypervisor's own view of guest memory: the bytes at a. */
static inline void *guest_bytes(struct domain *d, uint64_t a)
{
    mfn_t m = p2m_lookup(d, gpa_to_gfn(gpa(a)), NULL, NULL);

    return (char *)frame_map_local(d->hv, m) + (a & ~PAGE_MASK);
}

static inline struct shared_info *shared_info(const struct domain *d)
{
    return (struct shared_info *)d->evtchn->shared.at;
}

static inline struct vcpu_info *vcpu_info(const struct vcpu *v)
{
    return (struct vcpu_info *)v->domain->evtchn->vcpu[v->id].info.at;
}

static inline bool is_pending(const struct domain *d, evtchn_port_t port)
{
    return shared_info(d)->evtchn_pending[port / 64] >> port % 64 & 1;
}

/* v's upcall: whether there was one; its flag is cleared, as the guest does first. */
static inline bool upcall(struct vcpu *v)
{
    struct world *w = container_of(fake_machine, struct world, machine);

    dom_settle(w);
    bool told = vcpu_info(v)->evtchn_upcall_pending != 0;

    vcpu_info(v)->evtchn_upcall_pending = 0;
    CHECK_EQ(told, v->arch.events != 0);
    v->arch.events = 0;
    return told;
}

/* The guest takes all events of v under the 2-level ABI: a bit per port below 64. */
static inline uint64_t take(struct vcpu *v)
{
    struct shared_info *s = shared_info(v->domain);

    if (!upcall(v)) {
        return 0;
    }
    uint64_t words = vcpu_info(v)->evtchn_pending_sel;

    vcpu_info(v)->evtchn_pending_sel = 0;
    if (!(words & 1)) {
        return 0;
    }
    uint64_t got = s->evtchn_pending[0] & ~s->evtchn_mask[0];

    s->evtchn_pending[0] &= ~got;
    return got;
}

/* --- A guest of the FIFO ABI --- */

static inline event_word_t *event_word_at(struct domain *d, evtchn_port_t port)
{
    return guest_bytes(d, ARRAY_PAGE + port * sizeof(event_word_t));
}

static inline struct evtchn_fifo_control_block *control_block(const struct vcpu *v)
{
    return guest_bytes(v->domain, CONTROL_PAGE + v->id * 128);
}

struct fifo_guest {
    uint32_t head[EVTCHN_FIFO_MAX_QUEUES]; /* the next port, 0: look into the control block */
};

#define WORD_PENDING (1u << EVTCHN_FIFO_PENDING)
#define WORD_MASKED (1u << EVTCHN_FIFO_MASKED)
#define WORD_LINKED (1u << EVTCHN_FIFO_LINKED)
#define WORD_BUSY (1u << EVTCHN_FIFO_BUSY)

/* Takes one event of queue q, its port, 0: it is not pending or masked. *more: q has others. */
static inline evtchn_port_t fifo_take_one(struct vcpu *v, struct fifo_guest *g, uint32_t q,
                                          bool *more)
{
    evtchn_port_t port = g->head[q] != 0 ? g->head[q] : control_block(v)->head[q];
    event_word_t *word = event_word_at(v->domain, port);
    event_word_t was = *word;

    *word = was & ~(WORD_LINKED | EVTCHN_FIFO_LINK_MASK);
    g->head[q] = was & EVTCHN_FIFO_LINK_MASK;
    *more = g->head[q] != 0;
    if ((was & (WORD_PENDING | WORD_MASKED)) != WORD_PENDING) {
        return 0;
    }
    *word &= ~WORD_PENDING;
    return port;
}

/* Takes what v has, the most urgent first, up to max ports; their number. */
static inline uint32_t fifo_take(struct vcpu *v, struct fifo_guest *g, evtchn_port_t *out,
                                 uint32_t max)
{
    uint32_t nr = 0;

    if (!upcall(v)) {
        return 0;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t ready = control_block(v)->ready;
        bool more;

        if (ready == 0) {
            return nr;
        }
        uint32_t q = (uint32_t)__builtin_ctz(ready);

        control_block(v)->ready &= ~(1u << q);
        do {
            evtchn_port_t port = fifo_take_one(v, g, q, &more);

            if (port != 0 && nr < max) {
                out[nr++] = port;
            }
        } while (more);
    }
    CHECK(!"the queues end");
    return nr;
}

#endif
