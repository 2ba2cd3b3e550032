/* SPDX-License-Identifier: MIT */
/*
 * The cap of credit2: the most CPU time that a domain may have, in percent of one CPU.
 *
 * A domain gets its budget anew each PERIOD, on paper: it is worked out when somebody looks. What
 * its vCPUs run is taken off. While it is used up those that could run are `parked`, off the
 * scheduler's queue, and a timer is set for the next period. Several at once use up more than
 * there was; that is debt, so that the cap holds over periods. Only as many as there are CPUs come
 * back at once, the others as those stop: a domain's many vCPUs never wake all together.
 *
 * Lock: pool->lock. A timer's callback may be late: it looks whether the cap still holds in the
 * pool whose lock it took. Read next: sched/credit2.c.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <xen/errno.h>

#include "private.h"

#define PERIOD (10 * NS_PER_MS)
#define SLICE_MIN (100 * NS_PER_US)
#define SLICE_MAX (2 * NS_PER_MS) /* what one may take before the others' use is looked at */

static int64_t quota(const struct sched_domain *limit)
{
    return (int64_t)(limit->cap * PERIOD / 100);
}

/* The periods that began since are added. */
static void replenish(struct sched_domain *limit, ns_t now)
{
    if (now < limit->refill_at) {
        return;
    }
    ns_t periods = (now - limit->refill_at) / PERIOD + 1;
    int64_t most = quota(limit);

    limit->refill_at += periods * PERIOD;
    /* More than a second of them pay off any debt. */
    limit->budget = periods > 100 ? most : MIN(most, limit->budget + (int64_t)periods * most);
}

/* While somebody is parked the timer is set, on a CPU that is `near` if it is in the pool. */
static void set_timer(struct sched_domain *limit, const struct pcpu *near)
{
    if (list_is_empty(&limit->parked) || limit->timer_at != NS_NEVER) {
        return;
    }
    const struct cpumask *cpus = &limit->pool->cpus;
    uint32_t cpu = cpumask_test(cpus, near->id) ? near->id : cpumask_first(cpus);

    limit->timer_at = limit->refill_at;
    timer_set(limit->pool->hv->pcpus[cpu], &limit->timer, limit->timer_at);
}

/* Lets up to nr of those that were parked first run again. */
static void unpark(struct sched_domain *limit, uint32_t nr)
{
    while (nr-- > 0 && !list_is_empty(&limit->parked)) {
        struct list_node *first = list_pop_front(&limit->parked);

        limit->pool->ops->wake(list_entry(first, struct sched_vcpu, parked)->vcpu);
    }
}

static void period_begins(struct timer *t, struct pcpu *p)
{
    struct sched_domain *limit = container_of(t, struct sched_domain, timer);
    struct cpupool *pool = atomic_load_acquire(&limit->pool);

    if (pool == NULL) {
        return;
    }
    spin_lock(&pool->lock);
    if (atomic_load_relaxed(&limit->pool) == pool) {
        limit->timer_at = NS_NEVER;
        replenish(limit, arch_time_now());
        if (limit->budget > 0) {
            unpark(limit, pool->nr_cpus);
        }
        set_timer(limit, p);
    }
    spin_unlock(&pool->lock);
}

bool sched_cap_park(struct sched_vcpu *sv, ns_t now)
{
    struct sched_domain *limit = sv->limit;

    replenish(limit, now);
    if (limit->budget > 0) {
        return false;
    }
    list_push_back(&limit->parked, &sv->parked);
    set_timer(limit, sv->vcpu->pcpu);
    return true;
}

void sched_cap_hand_on(struct sched_domain *limit, ns_t now)
{
    replenish(limit, now);
    if (limit->budget > 0) {
        unpark(limit, 1);
    }
}

ns_t sched_cap_slice(const struct sched_domain *limit)
{
    ns_t left = limit->budget > 0 ? (ns_t)limit->budget : 0;

    return MAX(SLICE_MIN, MIN(SLICE_MAX, left));
}

uint32_t sched_cap(const struct domain *d) { return d->sched != NULL ? d->sched->cap : 0; }

struct sched_domain *sched_cap_of(const struct domain *d, const struct cpupool *pool)
{
    struct sched_domain *limit = d->sched;

    return limit != NULL && limit->cap != 0 && limit->pool == pool ? limit : NULL;
}

static struct sched_domain *limit_alloc(struct hv *hv)
{
    struct sched_domain *limit = mem_alloc(hv, sizeof(*limit));

    if (limit != NULL) {
        list_init(&limit->parked);
        timer_init(&limit->timer, period_begins);
        limit->timer_at = NS_NEVER;
    }
    return limit;
}

int sched_cap_set(struct domain *d, uint32_t cap)
{
    struct sched_domain *limit = d->sched;
    struct vcpu *v;

    if (limit == NULL) {
        if (cap == 0) {
            return 0;
        }
        limit = limit_alloc(d->hv);
        if (limit == NULL) {
            return -XEN_ENOMEM;
        }
        d->sched = limit;
    }
    if (limit->cap == 0) {
        limit->budget = 0;
        limit->refill_at = arch_time_now();
    }
    limit->cap = cap;
    limit->budget = MIN(limit->budget, quota(limit));
    atomic_store_release(&limit->pool, d->pool);
    for_each_vcpu(d, v, i)
    {
        v->sched->limit = cap != 0 ? limit : NULL;
        if (v->running) {
            pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
        }
    }
    if (cap == 0) {
        unpark(limit, d->config.vcpus_max);
    }
    return 0;
}

void sched_cap_stop(struct domain *d)
{
    if (d->sched != NULL) {
        BUG_ON(sched_cap_set(d, 0) != 0);
        atomic_store_release(&d->sched->pool, NULL);
        d->sched->timer_at = NS_NEVER;
        timer_stop(&d->sched->timer);
    }
}
