/* SPDX-License-Identifier: MIT */
/*
 * The neutral half of scheduling: locking, who runs where, run time, the
 * preemption timer. What is decided is decided by pool->ops.
 *
 * Invariants, all under pool->lock: a vCPU with `running` set is the `current`
 * of exactly one CPU; a scheduler queues a vCPU only while it is not running.
 * sched_pick() looks at vcpu_is_runnable() of the vCPU that ran under the lock,
 * and sched_wake() takes the lock after the pause bits changed: whichever comes
 * second sees the other, no wake-up is lost between "it blocks" and "it left".
 *
 * Read next: sched/private.h, then sched/credit2.c.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

/* The preemption timer of a CPU is due: choose anew. Context: that CPU. */
static void slice_due(struct timer *t, struct pcpu *p)
{
    struct sched_pcpu *sp = container_of(t, struct sched_pcpu, slice);

    /* Read by sched_wake() on other CPUs; it may see the old value, a pick follows either way. */
    atomic_store_relaxed(&sp->slice_at, 0);
    pcpu_raise(p, PCPU_WORK_SCHED);
}

void sched_pcpu_init(struct sched_pcpu *sp, struct pcpu *p, struct cpupool *pool)
{
    sp->pcpu = p;
    sp->pool = pool;
    sp->slice_at = NS_NEVER;
    timer_init(&sp->slice, slice_due);
}

void sched_set_slice(struct sched_pcpu *sp, ns_t deadline)
{
    if (sp->slice_at > deadline) {
        atomic_store_relaxed(&sp->slice_at, deadline);
        timer_set(sp->pcpu, &sp->slice, deadline);
    }
}

int sched_vcpu_init(struct vcpu *v)
{
    struct cpupool *pool = v->domain->pool;
    struct sched_vcpu *sv = mem_alloc(pool->hv, pool->ops->vcpu_size);

    if (sv == NULL) {
        return -XEN_ENOMEM;
    }
    sv->vcpu = v;
    sv->pool = pool;
    sv->affinity = pool->cpus;
    v->sched = sv;

    spin_lock(&pool->lock);
    int rc = pool->ops->vcpu_init(v);
    spin_unlock(&pool->lock);
    if (rc != 0) {
        v->sched = NULL;
        mem_free(pool->hv, sv, pool->ops->vcpu_size);
    }
    return rc;
}

void sched_vcpu_fini(struct vcpu *v)
{
    struct sched_vcpu *sv = v->sched;
    struct cpupool *pool = sv->pool;

    spin_lock(&pool->lock);
    pool->ops->vcpu_fini(v);
    spin_unlock(&pool->lock);
    v->sched = NULL;
    mem_free(pool->hv, sv, pool->ops->vcpu_size);
}

int sched_set_affinity(struct vcpu *v, const struct cpumask *hard)
{
    struct cpupool *pool = v->sched->pool;
    struct cpumask mask = cpumask_and(hard, &pool->cpus);

    if (cpumask_is_empty(&mask)) {
        return -XEN_EINVAL;
    }
    spin_lock(&pool->lock);
    int rc = pool->ops->set_affinity(v, &mask);
    spin_unlock(&pool->lock);
    return rc;
}

int sched_set_weight(struct domain *d, uint32_t weight)
{
    struct cpupool *pool = d->pool;
    struct vcpu *v;

    if (weight == 0 || weight > SCHED_WEIGHT_MAX) {
        return -XEN_EINVAL;
    }
    if (pool->ops->set_weight == NULL) {
        return -XEN_EOPNOTSUPP;
    }
    spin_lock(&pool->lock);
    d->config.weight = weight;
    for_each_vcpu(d, v, i) { pool->ops->set_weight(v, weight); }
    spin_unlock(&pool->lock);
    return 0;
}

void sched_wake(struct vcpu *v)
{
    struct cpupool *pool = v->sched->pool;

    spin_lock(&pool->lock);
    /* Running still: it is on its way out and sched_pick() will find it runnable. */
    if (!v->running && vcpu_is_runnable(v)) {
        v->since = arch_time_now();
        pool->ops->wake(v);
    }
    spin_unlock(&pool->lock);
}

void sched_sleep(struct vcpu *v)
{
    struct cpupool *pool = v->sched->pool;

    spin_lock(&pool->lock);
    if (v->running) {
        pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
    } else if (!vcpu_is_runnable(v)) {
        pool->ops->sleep(v);
    }
    spin_unlock(&pool->lock);
}

void sched_yield_vcpu(struct vcpu *v) { v->sched->yields = true; }

void sched_released(struct vcpu *v)
{
    struct sched_vcpu *sv = v->sched;

    /*
     * Full barrier between the caller's store to v->loaded_on and this load.
     * Partner: sched_ask_holder(), which sets wanted and then looks at loaded_on.
     */
    smp_mb();
    if (likely(!atomic_load_relaxed(&sv->wanted))) {
        return;
    }
    struct cpupool *pool = sv->pool;

    spin_lock(&pool->lock);
    atomic_store_relaxed(&sv->wanted, false);
    if (!v->running && vcpu_is_runnable(v)) {
        pool->ops->released(v);
    }
    spin_unlock(&pool->lock);
}

struct pcpu *sched_ask_holder(struct sched_vcpu *sv, uint32_t work)
{
    /* Acquire pairs with the release of the CPU that saved the state. */
    struct pcpu *holder = atomic_load_acquire(&sv->vcpu->loaded_on);

    if (holder == NULL) {
        return NULL;
    }
    atomic_store_relaxed(&sv->wanted, true);
    /* Partner: the full barrier in sched_released(). */
    smp_mb();
    holder = atomic_load_acquire(&sv->vcpu->loaded_on);
    if (holder != NULL && holder->sched->current == NULL) {
        pcpu_kick(holder, work);
    }
    return holder;
}

struct vcpu *sched_pick(struct pcpu *p)
{
    struct sched_pcpu *sp = p->sched;

    if (unlikely(sp == NULL)) {
        return NULL;
    }
    struct cpupool *pool = sp->pool;

    spin_lock(&pool->lock);
    struct vcpu *next = pool->ops->pick(sp, sp->current);
    spin_unlock(&pool->lock);
    return next;
}

ns_t sched_runtime(const struct vcpu *v)
{
    struct cpupool *pool = v->sched->pool;

    spin_lock(&pool->lock);
    ns_t ran = v->runtime + (v->running ? ns_since(v->since, arch_time_now()) : 0);
    spin_unlock(&pool->lock);
    return ran;
}
