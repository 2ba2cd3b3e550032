/* SPDX-License-Identifier: MIT */
/*
 * What sched.c, cpupool.c and the schedulers share; nobody else includes it.
 *
 * sched.c owns the neutral parts: the lock, who runs where and since when, the
 * preemption timer. A scheduler is a const struct sched_ops and decides. Its
 * pool, per-CPU and per-vCPU data begin with the structs below; sched.c and
 * cpupool.c allocate them, zeroed, in the sizes that the table names.
 */
#ifndef SCHED_PRIVATE_H
#define SCHED_PRIVATE_H

#include <loam/atomic.h>
#include <loam/lock.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/timer.h>
#include <loam/types.h>
#include <loam/vcpu.h>

#define CPUPOOL_NAME_MAX 32

struct sched_ops;

struct cpupool {
    struct spinlock lock; /* LOCK_RANK_SCHED: everything that is scheduled in the pool */
    const struct sched_ops *ops;
    struct hv *hv;
    struct cpupool *next; /* [hv->lock] */
    struct cpumask cpus; /* constant */
    uint32_t nr_cpus; /* constant */
    char name[CPUPOOL_NAME_MAX];
};

struct sched_pcpu {
    struct pcpu *pcpu;
    struct cpupool *pool;
    struct vcpu *current; /* [pool->lock] what the last sched_pick() chose, NULL: nothing */
    /*
     * When the preemption timer will ask for sched_pick(): NS_NEVER it is not
     * set, 0 it has fired and sched_pick() follows. Changed by its own CPU only.
     */
    ns_t slice_at;
    struct timer slice;
};

struct sched_vcpu {
    struct vcpu *vcpu;
    struct cpupool *pool;
    struct cpumask affinity; /* [pool->lock] CPUs of the pool that may run it, never empty */
    bool wanted; /* atomic: some CPU waits until v->loaded_on is NULL */
    bool yields; /* goes behind one other vCPU at the next pick. Its CPU's own, no lock */
};

/* A scheduler. All functions are called with pool->lock held and take no lock but a timer's. */
struct sched_ops {
    enum sched_id id;
    size_t pool_size; /* of its struct that begins with struct cpupool */
    size_t pcpu_size; /* ... with struct sched_pcpu */
    size_t vcpu_size; /* ... with struct sched_vcpu */

    /* A CPU enters its pool; it runs nothing. */
    void (*pcpu_init)(struct sched_pcpu *sp);
    /* v enters with affinity set. Errors: -XEN_ENOSPC no room for it. */
    int (*vcpu_init)(struct vcpu *v);
    /* v leaves; it neither runs nor may run. */
    void (*vcpu_fini)(struct vcpu *v);
    /* v, neither running nor queued, may run now. */
    void (*wake)(struct vcpu *v);
    /* v, not running, may not run any more. */
    void (*sleep)(struct vcpu *v);
    /* The CPU that held v's state gave it up and somebody asked for that. */
    void (*released)(struct vcpu *v);
    /*
     * What sp runs next; prev is sp->current and may not be runnable any more.
     * Calls sched_switch() if the two differ.
     */
    struct vcpu *(*pick)(struct sched_pcpu *sp, struct vcpu *prev);
    /* Takes the mask over into v->sched->affinity. Errors: -XEN_EBUSY no such CPU is free. */
    int (*set_affinity)(struct vcpu *v, const struct cpumask *mask);
    /* NULL: weights mean nothing here. */
    void (*set_weight)(struct vcpu *v, uint32_t weight);
};

extern const struct sched_ops credit2_ops;
extern const struct sched_ops null_ops;

static inline bool sched_may_run_on(const struct sched_vcpu *sv, const struct pcpu *p)
{
    return cpumask_test(&sv->affinity, p->id);
}

/* True when p may load v: no other CPU's hardware holds its state. */
static inline bool sched_is_loadable(const struct vcpu *v, const struct pcpu *p)
{
    /* Acquire pairs with the release of the CPU that saved the state. */
    const struct pcpu *holder = atomic_load_acquire(&v->loaded_on);

    return holder == NULL || holder == p;
}

/* now - then; 0 where two CPUs read the counter so close together that it is negative. */
static inline ns_t ns_since(ns_t then, ns_t now) { return MAX(now, then) - then; }

/*
 * Books that sp goes from prev to next, either may be NULL: prev begins to wait
 * (anew when it is woken), next has waited. Locks: pool->lock is held.
 */
static inline void sched_switch(struct sched_pcpu *sp, struct vcpu *prev, struct vcpu *next,
                                ns_t now)
{
    if (prev != NULL) {
        prev->runtime += ns_since(prev->since, now);
        prev->since = now;
        /* Release: partner is vcpu_is_off_cpu(). */
        atomic_store_release(&prev->running, false);
    }
    if (next != NULL) {
        next->waited += ns_since(next->since, now);
        next->since = now;
        if (unlikely(guest_is_shared(&next->waited_word))) {
            guest_shared_store(&next->waited_word, next->waited);
        }
        next->pcpu = sp->pcpu;
        atomic_store_release(&next->running, true);
    }
    sp->current = next;
}

/* Prepares sp for p. */
void sched_pcpu_init(struct sched_pcpu *sp, struct pcpu *p, struct cpupool *pool);

/*
 * Makes the preemption timer of sp fire at `deadline` or earlier. It is left
 * alone when it is set to fire earlier: sched_pick() then sets it again.
 * Context: sp's CPU. Locks: the CPU's timer lock.
 */
void sched_set_slice(struct sched_pcpu *sp, ns_t deadline);

/*
 * If the state of sv's vCPU is in some CPU's hardware, makes sure that
 * ops->released() follows when it is not any more, and returns that CPU, which
 * is kicked with `work` if it idles (a busy one is about to load another vCPU
 * over it). NULL: no CPU holds it. Locks: pool->lock is held.
 */
struct pcpu *sched_ask_holder(struct sched_vcpu *sv, uint32_t work);

#endif
