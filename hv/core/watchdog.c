/* SPDX-License-Identifier: MIT */
/*
 * The watchdogs of a domain (Xen public header sched.h, SCHEDOP_watchdog): two timers, made when
 * the first is asked for, each of which stops the domain with SHUTDOWN_WATCHDOG unless it is
 * set anew in time. They run on while the domain is paused, as they do on Xen.
 *
 * Lock: d->lock.
 */
#include <arch/time.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/mem.h>
#include <loam/refusal.h>
#include <loam/timer.h>
#include <loam/watchdog.h>
#include <xen/errno.h>
#include <xen/sched.h>

#define WATCHDOGS 2

struct watchdogs {
    struct domain *domain;
    bool closed;            /* [d->lock] */
    bool in_use[WATCHDOGS]; /* [d->lock] */
    struct timer timer[WATCHDOGS];
};

static void bark(struct watchdogs *w, uint32_t i)
{
    struct domain *d = w->domain;

    spin_lock(&d->lock);
    bool barks = w->in_use[i] && !w->closed;
    w->in_use[i] = false;
    spin_unlock(&d->lock);
    if (barks) {
        domain_shutdown(d, SHUTDOWN_WATCHDOG);
    }
}

static void due_0(struct timer *t, struct pcpu *p)
{
    bark(container_of(t, struct watchdogs, timer[0]), 0);
}

static void due_1(struct timer *t, struct pcpu *p)
{
    bark(container_of(t, struct watchdogs, timer[1]), 1);
}

/* d's watchdogs, which are made if there are none. NULL: no memory. */
static struct watchdogs *watchdogs_of(struct domain *d)
{
    struct watchdogs *w = mem_alloc(d->hv, sizeof(*w));

    spin_lock(&d->lock);
    if (w != NULL && d->watchdogs == NULL) {
        w->domain = d;
        timer_init(&w->timer[0], due_0);
        timer_init(&w->timer[1], due_1);
        d->watchdogs = w;
        w = NULL;
    }
    spin_unlock(&d->lock);
    if (w != NULL) {
        mem_free(d->hv, w, sizeof(*w)); /* another vCPU was first */
    }
    return d->watchdogs;
}

/* A new one, or an old one's next deadline. Locks: d->lock is held. */
static int set_locked(struct hc *hc, struct watchdogs *w, uint32_t id, uint32_t seconds)
{
    uint32_t i = id - 1;

    if (id == 0) {
        for (i = 0; i < WATCHDOGS && w->in_use[i]; i++) {
        }
        if (i == WATCHDOGS) {
            return refuse(-XEN_ENOSPC, "the domain has as many watchdogs already", WATCHDOGS, 0);
        }
        hc->ret = i + 1;
    } else if (!w->in_use[i]) {
        return refuse(-XEN_EINVAL, "no watchdog has this id", id, 0);
    }
    w->in_use[i] = seconds != 0;
    if (seconds != 0) {
        timer_set(hc->v->pcpu, &w->timer[i], arch_time_now() + seconds * (ns_t)NS_PER_S);
    } else {
        timer_stop(&w->timer[i]);
    }
    return 0;
}

int sched_op_watchdog(struct hc *hc, void *arg)
{
    const struct sched_watchdog *a = arg;
    struct domain *d = hc->d;

    if (a->id == UINT32_MAX) {
        return refuse_unsaid(-XEN_EINVAL); /* how Linux asks whether there are any */
    }
    if (a->id > WATCHDOGS) {
        return refuse(-XEN_EINVAL, "no watchdog has this id", a->id, WATCHDOGS);
    }
    if (a->id == 0 && a->timeout == 0) {
        return refuse(-XEN_EINVAL, "a watchdog without time", 0, 0);
    }
    struct watchdogs *w = d->watchdogs != NULL ? d->watchdogs : watchdogs_of(d);

    if (w == NULL) {
        return refuse(-XEN_ENOMEM, "no memory for watchdogs", sizeof(*w), 0);
    }
    spin_lock(&d->lock);
    int rc = set_locked(hc, w, a->id, a->timeout);
    spin_unlock(&d->lock);
    return rc;
}

int watchdog_close(struct domain *d)
{
    struct watchdogs *w = d->watchdogs;

    if (w != NULL) {
        spin_lock(&d->lock);
        w->closed = true;
        spin_unlock(&d->lock);
        for (uint32_t i = 0; i < WATCHDOGS; i++) {
            timer_stop(&w->timer[i]);
        }
    }
    return 0;
}

void watchdog_free(struct domain *d) { mem_free(d->hv, d->watchdogs, sizeof(struct watchdogs)); }
