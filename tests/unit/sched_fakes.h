/* SPDX-License-Identifier: MIT */
/*
 * What the scheduler needs of the rest of the core, for its own tests: memory
 * that checks sizes, ticket locks, kicks that set bits, one timer per CPU and a
 * clock that the test owns.
 *
 * Weak, so that a program that links the real ones uses those.
 */
#ifndef SCHED_FAKES_H
#define SCHED_FAKES_H

#include <stdio.h>
#include <stdlib.h>

#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/lock.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/timer.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "unit.h"

#define FAKE_CPUS 16

/* The test's machine. */
static ns_t fake_now;
static struct timer
    *fake_timers[HV_PCPUS_MAX]; /* atomic; the preemption timer of each CPU if set */
static uint64_t fake_timer_sets; /* atomic */
static uint64_t fake_kicks; /* atomic; kicks that set a bit */
static size_t fake_allocated;

__weak ns_t arch_time_now(void) { return atomic_load_relaxed(&fake_now); }

__weak void *mem_alloc(struct hv *hv, size_t size)
{
    if (unit_alloc_should_fail()) {
        return NULL;
    }
    size_t *block = calloc(1, size + 16);
    *block = size;
    fake_allocated += size;
    return (char *)block + 16;
}

__weak void mem_free(struct hv *hv, void *p, size_t size)
{
    if (p == NULL) {
        return;
    }
    size_t *block = (size_t *)((char *)p - 16);
    CHECK_EQ(*block, size);
    fake_allocated -= size;
    free(block);
}

__weak void spin_lock(struct spinlock *l)
{
    uint16_t ticket = atomic_fetch_add_relaxed(&l->next, (uint16_t)1);

    for (uint64_t spins = 0; atomic_load_acquire(&l->owner) != ticket; spins++) {
        if (spins > 2000000000) {
            fprintf(stderr, "a lock is never released\n");
            abort();
        }
    }
}

__weak void spin_unlock(struct spinlock *l)
{
    atomic_store_release(&l->owner, (uint16_t)(l->owner + 1));
}

__weak bool spin_is_locked(const struct spinlock *l)
{
    return atomic_load_relaxed(&l->owner) != atomic_load_relaxed(&l->next);
}

__weak void pcpu_kick(struct pcpu *p, uint32_t work)
{
    if ((atomic_fetch_or(&p->work, work) & work) != work) {
        atomic_fetch_add_relaxed(&fake_kicks, 1);
    }
}

__weak void pcpu_raise(struct pcpu *p, uint32_t work) { atomic_fetch_or(&p->work, work); }

__weak void timer_init(struct timer *t, void (*fn)(struct timer *t, struct pcpu *p))
{
    *t = (struct timer){ .fn = fn };
}

__weak void timer_set(struct pcpu *p, struct timer *t, ns_t deadline)
{
    t->node.key = deadline;
    t->pcpu = p;
    atomic_store_relaxed(&fake_timers[p->id], t);
    atomic_fetch_add_relaxed(&fake_timer_sets, 1);
}

__weak void timer_stop(struct timer *t)
{
    if (t->pcpu != NULL) {
        fake_timers[t->pcpu->id] = NULL;
        t->pcpu = NULL;
    }
}

static inline ns_t fake_timer_due(const struct pcpu *p)
{
    return fake_timers[p->id] != NULL ? fake_timers[p->id]->node.key : NS_NEVER;
}

static inline void fake_timer_fire(struct pcpu *p)
{
    struct timer *t = fake_timers[p->id];

    fake_timers[p->id] = NULL;
    t->pcpu = NULL;
    t->fn(t, p);
}

/* A host with nr CPUs and no pool. */
static inline struct hv *fake_hv_create(uint32_t nr)
{
    struct hv *hv = calloc(1, sizeof(*hv));

    hv->nr_pcpus = nr;
    for (uint32_t i = 0; i < nr; i++) {
        hv->pcpus[i] = calloc(1, sizeof(struct pcpu));
        hv->pcpus[i]->hv = hv;
        hv->pcpus[i]->id = i;
    }
    fake_now = NS_PER_S;
    fake_timer_sets = 0;
    fake_kicks = 0;
    return hv;
}

static inline void fake_hv_destroy(struct hv *hv)
{
    cpupool_destroy_all(hv);
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        CHECK(hv->pcpus[i]->sched == NULL);
        CHECK(fake_timers[i] == NULL);
        free(hv->pcpus[i]);
    }
    free(hv);
    CHECK_EQ(fake_allocated, 0);
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
    d->pool = pool;
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

    for_each_vcpu(d, v, i)
    {
        sched_vcpu_fini(v);
        free(v);
    }
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
    }
}

#endif
