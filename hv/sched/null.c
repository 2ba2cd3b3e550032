/* SPDX-License-Identifier: MIT */
/*
 * The null scheduler: one vCPU, one CPU, nothing to decide.
 *
 * A vCPU gets a free CPU of the pool when it is created and keeps it; an
 * affinity moves it to another one that is free, or swaps it with a vCPU that
 * may run where it was. A CPU leaves the pool only if its vCPU finds another one: nobody is
 * ever without. There is no queue, no timer and no credit, and as
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
    struct null_vcpu *owner; /* the vCPU that has this CPU, NULL: it is free */
};

struct null_vcpu {
    struct sched_vcpu sv;
    struct null_pcpu *home; /* never NULL between init and fini */
};

static struct null_pcpu *null_pcpu(struct sched_pcpu *sp)
{
    return container_of(sp, struct null_pcpu, sp);
}

static struct null_vcpu *null_vcpu(struct sched_vcpu *sv)
{
    return container_of(sv, struct null_vcpu, sv);
}

static void null_pcpu_init(struct sched_pcpu *sp) {}

/* A CPU of mask that is free, or else whose owner may run on `old` (NULL: no swap); NULL: none. */
static struct null_pcpu *find_home(const struct cpupool *pool, const struct cpumask *mask,
                                   const struct null_pcpu *old)
{
    struct cpumask cpus = cpumask_and(mask, &pool->cpus);
    struct null_pcpu *swap = NULL;

    for (uint32_t i = 0; i < pool->hv->nr_pcpus; i++) {
        if (!cpumask_test(&cpus, i)) {
            continue;
        }
        struct null_pcpu *np = null_pcpu(pool->hv->pcpus[i]->sched);
        if (np->owner == NULL) {
            return np;
        }
        if (old != NULL && swap == NULL && sched_may_run_on(&np->owner->sv, old->sp.pcpu)) {
            swap = np;
        }
    }
    return swap;
}

static void set_home(struct null_vcpu *nv, struct null_pcpu *np)
{
    nv->home = np;
    np->owner = nv;
}

static int null_vcpu_init(struct sched_vcpu *sv, struct pcpu **first)
{
    struct null_pcpu *np = find_home(sv->pool, &sv->affinity, NULL);

    if (np == NULL) {
        return -XEN_ENOSPC;
    }
    set_home(null_vcpu(sv), np);
    *first = np->sp.pcpu;
    return 0;
}

static void null_vcpu_fini(struct sched_vcpu *sv) { null_vcpu(sv)->home->owner = NULL; }

static void null_wake(struct vcpu *v)
{
    pcpu_kick(null_vcpu(v->sched)->home->sp.pcpu, PCPU_WORK_SCHED);
}

static void null_nothing(struct vcpu *v) {}

/* True when sp may run its owner now; if not, what has to happen first is asked for. */
static bool can_run(struct sched_pcpu *sp, struct null_vcpu *owner)
{
    struct vcpu *v = owner != NULL ? owner->sv.vcpu : NULL;

    if (v == NULL || !vcpu_is_runnable(v) || !sched_has_entered(&owner->sv)) {
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
    struct null_vcpu *owner = null_pcpu(sp)->owner;
    struct vcpu *next = can_run(sp, owner) ? owner->sv.vcpu : NULL;

    if (next == prev) {
        return next;
    }
    if (prev != NULL && null_vcpu(prev->sched) != owner && vcpu_is_runnable(prev)) {
        /* It was moved away: its new CPU waits until this one has left it. */
        atomic_store_relaxed(&prev->wanted, true);
        pcpu_raise(sp->pcpu, PCPU_WORK_SAVE);
    }
    sched_switch(sp, prev, next, arch_time_now());
    return next;
}

/* nv has a new home: its CPU leaves it, the new one takes it. */
static void move(struct null_vcpu *nv, struct null_pcpu *np)
{
    struct vcpu *v = nv->sv.vcpu;

    set_home(nv, np);
    if (!sched_has_entered(&nv->sv)) {
        return;
    }
    if (v->running) {
        pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
    } else {
        v->pcpu = np->sp.pcpu;
        if (vcpu_is_runnable(v)) {
            null_wake(v);
        }
    }
}

static int null_set_affinity(struct sched_vcpu *sv, const struct cpumask *mask)
{
    struct null_vcpu *nv = null_vcpu(sv);
    struct null_pcpu *old = nv->home;

    if (!cpumask_test(mask, old->sp.pcpu->id)) {
        struct null_pcpu *np = find_home(sv->pool, mask, old);

        if (np == NULL) {
            return -XEN_EBUSY;
        }
        struct null_vcpu *other = np->owner;
        old->owner = NULL;
        move(nv, np);
        if (other != NULL) {
            move(other, old);
        }
    }
    sv->affinity = *mask;
    return 0;
}

/* The owner of a CPU that leaves goes where it may run, or anywhere if that is nowhere any more. */
static int null_pcpu_leaves(struct sched_pcpu *sp)
{
    struct null_pcpu *np = null_pcpu(sp), *to;
    struct null_vcpu *nv = np->owner;

    if (nv == NULL) {
        return 0;
    }
    struct cpumask usable = cpumask_and(&nv->sv.affinity, &sp->pool->cpus);
    to = find_home(sp->pool, cpumask_is_empty(&usable) ? &sp->pool->cpus : &usable, NULL);
    if (to == NULL) {
        return -XEN_EBUSY;
    }
    np->owner = NULL;
    move(nv, to);
    return 0;
}

const struct sched_ops null_ops = {
    .id = SCHED_NULL,
    .name = "null",
    .dedicated = true,
    .pool_size = sizeof(struct cpupool),
    .pcpu_size = sizeof(struct null_pcpu),
    .vcpu_size = sizeof(struct null_vcpu),
    .pcpu_init = null_pcpu_init,
    .pcpu_leaves = null_pcpu_leaves,
    .vcpu_init = null_vcpu_init,
    .vcpu_fini = null_vcpu_fini,
    .wake = null_wake,
    .sleep = null_nothing,
    .released = null_wake,
    .pick = null_pick,
    .set_affinity = null_set_affinity,
};
