/* SPDX-License-Identifier: MIT */
/*
 * Hosts, domains and vCPUs for the scheduler's tests: a world of CPUs, and
 * vCPUs that are nothing but what the scheduler looks at.
 */
#ifndef SCHED_FAKES_H
#define SCHED_FAKES_H

#include <stdio.h>
#include <stdlib.h>

#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/timer.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define FAKE_CPUS 16
#define FAKE_START NS_PER_S

static inline ns_t fake_now(void) { return fake_machine->now; }

/* When the timer hardware of p fires. */
static inline ns_t fake_timer_due(const struct pcpu *p) { return p->arch.deadline; }

/* A host with nr CPUs and no pool, at the time FAKE_START. */
static inline struct hv *fake_hv_create(uint32_t nr)
{
    struct world *w = world_create(nr, 4);

    w->machine.now = FAKE_START;
    return w->hv;
}

static inline void fake_hv_destroy(struct hv *hv)
{
    struct world *w = container_of(fake_machine, struct world, machine);

    CHECK(list_is_empty(&hv->jobs));
    timer_stop(&hv->job_timer); /* it may be set for a job that is done */
    cpupool_destroy_all(hv);
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        CHECK(hv->pcpus[i]->sched == NULL);
        CHECK(heap_is_empty(&hv->pcpus[i]->timers));
    }
    world_destroy(w);
}

/* Runs the timers of p, on p. */
static inline void fake_timer_fire(struct pcpu *p)
{
    fake_machine->cpu = p;
    timer_run(p);
}

/* CPUs first..last. */
static inline struct cpumask fake_cpus(uint32_t first, uint32_t last)
{
    struct cpumask m = { { 0 } };

    for (uint32_t i = first; i <= last; i++) {
        cpumask_set(&m, i);
    }
    return m;
}

static inline struct domain *fake_domain_create(struct hv *hv, struct cpupool *pool, uint32_t vcpus,
                                                uint32_t weight)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->hv = hv;
    d->lock = SPINLOCK_INIT(LOCK_RANK_DOMAIN);
    d->refs = 1;
    d->state = DOMAIN_RUNNING;
    d->pool = pool;
    CHECK_EQ(cpupool_enter(d), 0);
    d->config.weight = weight;
    d->config.vcpus_max = vcpus;
    d->vcpus = calloc(vcpus, sizeof(struct vcpu *));
    return d;
}

/* Adds vCPU id, paused. Returns what sched_vcpu_init() says. */
static inline int fake_vcpu_create(struct domain *d, uint32_t id)
{
    struct vcpu *v = calloc(1, sizeof(*v));

    v->domain = d;
    v->id = id;
    v->pause = VCPU_PAUSE_DOMAIN;
    int rc = sched_vcpu_init(v);
    if (rc != 0) {
        free(v);
    } else {
        d->vcpus[id] = v;
    }
    return rc;
}

static inline void fake_domain_destroy(struct domain *d)
{
    struct vcpu *v;

    sched_domain_stop(d);
    for_each_vcpu(d, v, i)
    {
        sched_vcpu_fini(v);
        free(v);
    }
    sched_domain_fini(d);
    cpupool_leave(d);
    CHECK_EQ(d->refs, 1);
    free(d->vcpus);
    free(d);
}

static inline void fake_pause(struct vcpu *v, uint32_t reason)
{
    if (atomic_fetch_or(&v->pause, reason) == 0) {
        sched_sleep(v);
    }
}

static inline void fake_unpause(struct vcpu *v, uint32_t reason)
{
    uint32_t old = atomic_fetch_and(&v->pause, ~reason);

    if (old != 0 && (old & ~reason) == 0) {
        sched_wake(v);
    } else if ((old & reason) & VCPU_PAUSE_BLOCKED) {
        sched_state_changed(v);
    }
}

#endif
