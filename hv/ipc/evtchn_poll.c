/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_poll: a vCPU waits until one of some ports has an event, masked or not, or until some
 * time (Xen public header sched.h).
 *
 * Who raises an event does so under the domain's lock and looks for pollers there; a poller looks
 * at its ports and says that it waits under the same lock. What else wakes it leaves its bit
 * in e->pollers, and the next event on its port wakes it once more for nothing.
 */
#include <loam/guest_copy.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/sched.h>

#include "channels.h"

#define POLL_PORTS_MAX 128

void evtchn_poll_due(struct timer *t, struct pcpu *p)
{
    struct vcpu *v = container_of(t, struct evtchn_vcpu, poll_timer)->vcpu;
    struct evtchn *e = v->domain->evtchn;

    spin_lock(&e->lock);
    e->pollers[v->id / 64] &= ~BIT(v->id % 64);
    spin_unlock(&e->lock);
    vcpu_wake(v);
}

/* [e->lock] */
static bool any_pending(const struct evtchn *e, const evtchn_port_t *ports, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (channel_is_pending(e, channel_find(e, ports[i]), ports[i])) {
            return true;
        }
    }
    return false;
}

/* [e->lock] */
static void begin_wait(struct hc *hc, const evtchn_port_t *ports, uint32_t nr, ns_t timeout)
{
    struct vcpu *v = hc->v;
    struct evtchn *e = hc->d->evtchn;
    struct evtchn_vcpu *ev = &e->vcpu[v->id];

    ev->poll = nr == 1 ? ports[0] : POLL_ANY;
    if (nr != 0) {
        e->pollers[v->id / 64] |= BIT(v->id % 64);
    }
    ev->vcpu = v;
    timer_stop(&ev->poll_timer);
    if (timeout != 0) {
        timer_set(v->pcpu, &ev->poll_timer, timeout);
    }
    hc->resume = vcpu_block(v);
}

int sched_op_poll(struct hc *hc, void *arg)
{
    const struct sched_poll *a = arg;
    struct evtchn *e = hc->d->evtchn;
    evtchn_port_t ports[POLL_PORTS_MAX];

    if (a->nr_ports > POLL_PORTS_MAX) {
        return refuse(-XEN_EINVAL, "more than 128 ports", a->nr_ports, 0);
    }
    if (a->nr_ports != 0) {
        int rc = guest_copy_from(hc->v, ports, (struct guest_ref){ a->ports },
                                 a->nr_ports * sizeof(ports[0]));

        if (rc != 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < a->nr_ports; i++) {
        if (channel_find(e, ports[i]) == NULL) {
            return refuse(-XEN_EINVAL, "no such port", ports[i], i);
        }
    }
    spin_lock(&e->lock);
    if (!any_pending(e, ports, a->nr_ports)) {
        begin_wait(hc, ports, a->nr_ports, a->timeout);
    }
    spin_unlock(&e->lock);
    return 0;
}
