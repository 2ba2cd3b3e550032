/* SPDX-License-Identifier: MIT */
/*
 * The null scheduler: one vCPU, one CPU, nothing to decide.
 *
 * A vCPU gets a free CPU of the pool when it is created and keeps it; an
 * affinity moves it to another one that is free, or swaps it with a vCPU that
 * may run where it was. There is no queue, no timer and no credit, and as
 * nobody waits for the CPU idle instructions need not trap (v->dedicated).
 * Lock: pool->lock, held by sched.c around everything here.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

struct null_pcpu {
    struct sched_pcpu sp;
    struct vcpu *owner; /* the vCPU that has this CPU, NULL: it is free */
};

struct null_vcpu {
    struct sched_vcpu sv;
    struct null_pcpu *home; /* never NULL between init and fini */
};

static struct null_pcpu *null_pcpu(struct sched_pcpu *sp)
{
    return container_of(sp, struct null_pcpu, sp);
}

static struct null_vcpu *null_vcpu(struct vcpu *v)
{
    return container_of(v->sched, struct null_vcpu, sv);
}

static void null_pcpu_init(struct sched_pcpu *sp) {}

/* A CPU of mask that is free, or else whose owner may run on `old` (NULL: no swap); NULL: none. */
static struct null_pcpu *find_home(const struct cpupool *pool, const struct cpumask *mask,
                                   const struct null_pcpu *old)
{
    struct null_pcpu *swap = NULL;

    for (uint32_t i = 0; i < pool->hv->nr_pcpus; i++) {
        if (!cpumask_test(mask, i)) {
            continue;
        }
        struct null_pcpu *np = null_pcpu(pool->hv->pcpus[i]->sched);
        if (np->owner == NULL) {
            return np;
        }
        if (old != NULL && swap == NULL && sched_may_run_on(np->owner->sched, old->sp.pcpu)) {
            swap = np;
        }
    }
    return swap;
}

static void set_home(struct vcpu *v, struct null_pcpu *np)
{
    null_vcpu(v)->home = np;
    np->owner = v;
    v->pcpu = v->running ? v->pcpu : np->sp.pcpu;
}

static int null_vcpu_init(struct vcpu *v)
{
    struct null_pcpu *np = find_home(v->sched->pool, &v->sched->affinity, NULL);

    if (np == NULL) {
        return -XEN_ENOSPC;
    }
    set_home(v, np);
    v->dedicated = true;
    return 0;
}

static void null_vcpu_fini(struct vcpu *v) { null_vcpu(v)->home->owner = NULL; }

static void null_wake(struct vcpu *v) { pcpu_kick(null_vcpu(v)->home->sp.pcpu, PCPU_WORK_SCHED); }

static void null_nothing(struct vcpu *v) {}

/* True when sp may run its owner v now; if not, what has to happen first is asked for. */
static bool can_run(struct sched_pcpu *sp, struct vcpu *v)
{
    if (v == NULL || !vcpu_is_runnable(v)) {
        return false;
    }
    if (v == sp->current) {
        return true;
    }
    /* Running elsewhere: that CPU was kicked when v was moved here. */
    return !v->running &&
           (sched_is_loadable(v, sp->pcpu) || sched_ask_holder(v->sched, PCPU_WORK_SAVE) == NULL);
}

static struct vcpu *null_pick(struct sched_pcpu *sp, struct vcpu *prev)
{
    struct vcpu *owner = null_pcpu(sp)->owner;
    struct vcpu *next = can_run(sp, owner) ? owner : NULL;

    if (next == prev) {
        return next;
    }
    if (prev != NULL && prev != owner && vcpu_is_runnable(prev)) {
        /* It was moved away: its new CPU waits until this one has left it. */
        atomic_store_relaxed(&prev->sched->wanted, true);
        pcpu_raise(sp->pcpu, PCPU_WORK_SAVE);
    }
    sched_switch(sp, prev, next, arch_time_now());
    return next;
}

/* v has a new home: its CPU leaves it, the new one takes it. */
static void move(struct vcpu *v, struct null_pcpu *np)
{
    if (v->running) {
        pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
    }
    set_home(v, np);
    if (!v->running && vcpu_is_runnable(v)) {
        null_wake(v);
    }
}

static int null_set_affinity(struct vcpu *v, const struct cpumask *mask)
{
    struct null_pcpu *old = null_vcpu(v)->home;

    if (!cpumask_test(mask, old->sp.pcpu->id)) {
        struct null_pcpu *np = find_home(v->sched->pool, mask, old);

        if (np == NULL) {
            return -XEN_EBUSY;
        }
        struct vcpu *other = np->owner;
        old->owner = NULL;
        move(v, np);
        if (other != NULL) {
            move(other, old);
        }
    }
    v->sched->affinity = *mask;
    return 0;
}

const struct sched_ops null_ops = {
    .id = SCHED_NULL,
    .pool_size = sizeof(struct cpupool),
    .pcpu_size = sizeof(struct null_pcpu),
    .vcpu_size = sizeof(struct null_vcpu),
    .pcpu_init = null_pcpu_init,
    .vcpu_init = null_vcpu_init,
    .vcpu_fini = null_vcpu_fini,
    .wake = null_wake,
    .sleep = null_nothing,
    .released = null_wake,
    .pick = null_pick,
    .set_affinity = null_set_affinity,
};
