/* SPDX-License-Identifier: MIT */
/*
 * What sched.c, cpupool.c and the schedulers share; nobody else includes it.
 *
 * sched.c owns the neutral parts: the lock, who runs where and since when, the
 * preemption timer. A scheduler is a const struct sched_ops and decides. Its
 * pool, per-CPU and per-vCPU data begin with the structs below; sched.c and
 * cpupool.c allocate them, zeroed, in the sizes that the table names. queue.c has
 * what the schedulers with a queue do alike.
 */
#ifndef SCHED_PRIVATE_H
#define SCHED_PRIVATE_H

#include <loam/atomic.h>
#include <loam/heap.h>
#include <loam/job.h>
#include <loam/list.h>
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
    struct cpupool *next; /* [hv->lock] by id */
    uint32_t id; /* constant */
    uint32_t refs; /* [hv->lock] who keeps it from being destroyed */
    uint32_t nr_domains; /* [hv->lock] */
    /* Written with both hv->lock and lock held, read with one of them. */
    uint32_t nr_cpus;
    struct cpumask cpus; /* those that may be given work */
    struct cpumask leaving; /* [lock] taken out, until cpupool_remove_cpu() has seen them gone */
    uint32_t generation; /* [lock] of `cpus`: how often it changed */
    struct list vcpus; /* [lock] struct sched_vcpu, the one of the lowest generation first */
    struct cpumask idle; /* [lock] run nothing and were not kicked to change that */
    uint32_t nr_choosy; /* [lock] vCPUs that prefer some of their CPUs */
    bool refreshing; /* [lock] the job is queued */
    struct job job; /* refreshes vCPUs; then waits to free the pool */
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
    struct vcpu *vcpu; /* whose `sched` this is; not yet while its domain moves here */
    struct heap_node node; /* in the queue of those that wait for a CPU; key: the scheduler's */
    struct cpumask
        affinity; /* [pool->lock] CPUs of the pool that may run it; empty: the pool's is */
    struct cpumask preferred; /* [pool->lock] a true part of affinity, empty: all are alike */
    struct sched_domain *limit; /* [pool->lock] of its domain, NULL: no cap */
    struct list_node parked; /* [pool->lock] in limit->parked */
    bool yields; /* goes behind one other vCPU at the next pick. Its CPU's own, no lock */
    struct cpupool *pool;
    struct sched_affinity set; /* [pool->lock] as it was asked for */
    uint32_t generation; /* [pool->lock] of pool->cpus that affinity was made from */
    struct list_node link; /* [pool->lock] in pool->vcpus */
};

/*
 * What a domain may use at most: credit2's cap (cap.c). Made when a cap is set for the first time,
 * kept as long as the domain lives.
 */
struct sched_domain {
    struct cpupool *pool; /* [its lock] where the cap holds, NULL: nowhere */
    uint32_t cap; /* [pool->lock] percent of one CPU */
    int64_t budget; /* [pool->lock] ns left until `refill_at`; negative: debt */
    ns_t refill_at;
    ns_t timer_at; /* NS_NEVER: not set */
    struct timer timer; /* set while somebody is parked */
    struct list parked; /* [pool->lock] struct sched_vcpu.parked: could run, if the cap let them */
};

/* A scheduler. All functions are called with pool->lock held and take no lock but a timer's. */
struct sched_ops {
    enum sched_id id;
    const char *name;
    bool dedicated; /* each vCPU has a CPU to itself */
    size_t pool_size; /* of its struct that begins with struct cpupool */
    size_t pcpu_size; /* ... with struct sched_pcpu */
    size_t vcpu_size; /* ... with struct sched_vcpu */

    /* NULL: nothing to prepare; nothing that has to be over before the pool can be freed. */
    void (*pool_init)(struct cpupool *pool);
    void (*pool_fini)(struct cpupool *pool);
    /* A CPU enters its pool; it runs nothing. */
    void (*pcpu_init)(struct sched_pcpu *sp);
    /*
     * sp is in pool->cpus no more. Errors: -XEN_EBUSY it has to stay, nothing was changed.
     * NULL: no objection.
     */
    int (*pcpu_leaves)(struct sched_pcpu *sp);
    /* A CPU is gone: it runs nothing, and no vCPU may run there. */
    void (*pcpu_fini)(struct sched_pcpu *sp);
    /*
     * A vCPU enters with affinity set; *first: the CPU where it may be expected first. It may still
     * run in the pool that it comes from. Errors: -XEN_ENOSPC no room for it.
     */
    int (*vcpu_init)(struct sched_vcpu *sv, struct pcpu **first);
    /* It leaves (or does not come after all): it neither runs nor may run here. */
    void (*vcpu_fini)(struct sched_vcpu *sv);
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
    /* Takes the mask over into sv->affinity. Errors: -XEN_EBUSY no such CPU is free. */
    int (*set_affinity)(struct sched_vcpu *sv, const struct cpumask *mask);
    /*
     * Parameters of a domain, or of one vCPU (get with NULL: the defaults). Errors:
     * -XEN_EINVAL a value is out of range, -XEN_ENOMEM. NULL: there are none.
     */
    void (*get_domain)(struct domain *d, struct sched_params *out);
    int (*set_domain)(struct domain *d, const struct sched_params *in);
    void (*get_vcpu)(struct sched_vcpu *sv, struct sched_params *out);
    int (*set_vcpu)(struct sched_vcpu *sv, const struct sched_params *in);
    /* d is dying, or leaves the pool: d->sched holds no longer. */
    void (*domain_stop)(struct domain *d);
    /* The pool's rate limit. NULL: there is none. */
    ns_t (*get_ratelimit)(const struct cpupool *pool);
    void (*set_ratelimit)(struct cpupool *pool, ns_t limit);
};

extern const struct sched_ops credit2_ops;
extern const struct sched_ops rtds_ops;
extern const struct sched_ops null_ops;

/* The pool that v is in now, locked. */
struct cpupool *sched_lock(struct vcpu *v);

/* --- cpupool.c ------------------------------------------------------------ */

/* Locks: hv->lock is held. Errors of attach: -XEN_ENOMEM. */
struct cpupool *cpupool_find_locked(struct hv *hv, uint32_t id);
/* The pool is in the list no more; its timers are stopped. */
void cpupool_unlink_locked(struct cpupool *pool);
/* `cpu`, which is in no pool, enters this one. */
int __must_check cpupool_attach_locked(struct cpupool *pool, uint32_t cpu);
/* Frees a pool that is in no list and has neither CPUs nor vCPUs, and that nobody looks at. */
void cpupool_free(struct cpupool *pool);

/* --- sched.c -------------------------------------------------------------- */

static inline bool sched_may_run_on(const struct sched_vcpu *sv, const struct pcpu *p)
{
    return cpumask_test(&sv->affinity, p->id);
}

/* True when v may be told to run: it is not only expected from another pool. */
static inline bool sched_has_entered(const struct sched_vcpu *sv) { return sv->vcpu->sched == sv; }

/* True when p may load v: no other CPU's hardware holds its state. */
static inline bool sched_is_loadable(const struct vcpu *v, const struct pcpu *p)
{
    /* Acquire pairs with the release of the CPU that saved the state. */
    const struct pcpu *holder = atomic_load_acquire(&v->loaded_on);

    return holder == NULL || holder == p;
}

/* now - then; 0 where two CPUs read the counter so close together that it is negative. */
static inline ns_t ns_since(ns_t then, ns_t now) { return MAX(now, then) - then; }

/* v, whose pool is locked, leaves the state `from` for another one, or the same. */
static __inline_hot void sched_change_state(struct vcpu *v, enum vcpu_state from,
                                            enum vcpu_state state, ns_t now)
{
    v->rs.time[from] += ns_since(v->rs.since, now);
    v->rs.since = now;
    v->rs.state = state;
    if (unlikely(v->on_runstate != NULL)) {
        v->on_runstate(v, &v->rs);
    }
}

static inline void sched_enter_state(struct vcpu *v, enum vcpu_state state, ns_t now)
{
    sched_change_state(v, v->rs.state, state, now);
}

/* The state of a vCPU without a CPU. */
static inline enum vcpu_state sched_state_off_cpu(const struct vcpu *v)
{
    uint32_t pause = atomic_load_relaxed(&v->pause);

    if (likely(pause == 0)) {
        return VCPU_STATE_RUNNABLE;
    }
    return pause & VCPU_PAUSE_BLOCKED ? VCPU_STATE_BLOCKED : VCPU_STATE_OFFLINE;
}

/*
 * Books that sp goes from prev to next, either may be NULL: prev begins to wait
 * (anew when it is woken), next has waited. Locks: pool->lock is held.
 */
static inline void sched_switch(struct sched_pcpu *sp, struct vcpu *prev, struct vcpu *next,
                                ns_t now)
{
    if (prev != NULL) {
        sched_change_state(prev, VCPU_STATE_RUNNING, sched_state_off_cpu(prev), now);
        /* Release: partner is vcpu_is_off_cpu(). */
        atomic_store_release(&prev->running, false);
    } else {
        pcpu_idle_ends(sp->pcpu, now);
    }
    if (next != NULL) {
        /* Runnable, but for one that is about to be: sched_wake() waits for the lock. */
        sched_change_state(next, VCPU_STATE_RUNNABLE, VCPU_STATE_RUNNING, now);
        if (unlikely(guest_is_shared(&next->waited_word))) {
            guest_shared_store(&next->waited_word, next->rs.time[VCPU_STATE_RUNNABLE]);
        }
        next->pcpu = sp->pcpu;
        atomic_store_release(&next->running, true);
    } else {
        pcpu_idle_begins(sp->pcpu, now);
    }
    sp->current = next;
}

/* Prepares sp for p. */
void sched_pcpu_init(struct sched_pcpu *sp, struct pcpu *p, struct cpupool *pool);

/* v's place in a pool: made for v->domain->pool, and given back. Errors: as sched_vcpu_init(). */
int __must_check sched_place_make(struct vcpu *v, struct cpupool *pool, struct pcpu **first,
                                  struct sched_vcpu **out);
void sched_place_free(struct sched_vcpu *sv);
/* v, on no CPU and not runnable, changes its place and with it the pool. */
void sched_place_change(struct vcpu *v, struct sched_vcpu *to, struct pcpu *first);

/*
 * Brings the masks of up to `limit` vCPUs of the pool up to date with its CPUs; false when
 * some are left. Locks: pool->lock is held.
 */
bool sched_refresh(struct cpupool *pool, uint32_t limit);

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

/* --- queue.c: heaps of vCPUs that wait, and idle CPUs -------------------- */

static inline struct sched_vcpu *sched_from_node(struct heap_node *n)
{
    return container_of(n, struct sched_vcpu, node);
}

/* False where another CPU is better for sv (soft affinity). */
static inline bool sched_likes(const struct sched_vcpu *sv, const struct pcpu *p)
{
    return likely(cpumask_is_empty(&sv->preferred)) || cpumask_test(&sv->preferred, p->id);
}

/* The idle CPUs that sv should be put on: those that it likes, else all that may run it. */
struct cpumask sched_idle_for(const struct cpupool *pool, const struct sched_vcpu *sv);

/* True when sv would be away from the CPUs that it likes on p, and one of those idles. */
static inline bool sched_is_better_elsewhere(const struct cpupool *pool,
                                             const struct sched_vcpu *sv, const struct pcpu *p)
{
    if (sched_likes(sv, p)) {
        return false;
    }
    struct cpumask better = cpumask_and(&pool->idle, &sv->preferred);

    return !cpumask_is_empty(&better);
}

/* False where sv, which runs on p, must not go on, or would better do so on an idle CPU. */
static __inline_hot bool sched_stays(const struct cpupool *pool, const struct sched_vcpu *sv,
                                     const struct pcpu *p)
{
    return sched_may_run_on(sv, p) && likely(!sched_is_better_elsewhere(pool, sv, p));
}

/*
 * If some CPU's hardware holds the state of sv, which waits, that CPU is asked to run it or to
 * let go, and true is returned: ops->released() follows.
 */
bool sched_is_held(struct cpupool *pool, struct sched_vcpu *sv);

/* True when sv, which waits, can be loaded on p now. */
static __inline_hot bool sched_can_load(struct cpupool *pool, struct sched_vcpu *sv,
                                        const struct pcpu *p)
{
    return sched_may_run_on(sv, p) &&
           (likely(sched_is_loadable(sv->vcpu, p)) || !sched_is_held(pool, sv));
}

/*
 * The vCPU in the heap with the lowest key below `limit` that can be loaded on p. One that does not
 * like p counts as having a key larger by `dislike`, and is left to an idle CPU that it likes.
 * Looks below a vCPU only if that one will not do: O(1 + number of those).
 */
struct sched_vcpu *sched_find(struct cpupool *pool, const struct heap *heap, struct pcpu *p,
                              uint64_t limit, uint64_t dislike);

/* sv, queued just now, shall run on one of `idle`, which is not empty: kicks one. */
void sched_use_idle(struct cpupool *pool, struct sched_vcpu *sv, const struct cpumask *idle);
/* Kicks an idle CPU that could run one of those in the heap, if there are both; it goes on so. */
void sched_spread(struct cpupool *pool, const struct heap *heap);
/* p idles from now on: a CPU that runs a vCPU which would rather be on p shall let it go. */
void sched_pull(struct cpupool *pool, const struct pcpu *p);

/* --- cap.c: the most CPU time that a domain may have -------------------- */

/* Changes the cap of d in its pool; 0: none. Errors: -XEN_ENOMEM. Locks: pool->lock is held. */
int __must_check sched_cap_set(struct domain *d, uint32_t cap);
uint32_t sched_cap(const struct domain *d);
/* d has no cap any more, and no timer. */
void sched_cap_stop(struct domain *d);
/* The limit that a vCPU of d has in the pool, NULL: none. */
struct sched_domain *sched_cap_of(const struct domain *d, const struct cpupool *pool);
/* True when sv->limit, which is not NULL, lets nobody run now; sv is parked until it does. */
bool sched_cap_park(struct sched_vcpu *sv, ns_t now);
/* sv does not wait any more. */
static inline void sched_cap_unpark(struct sched_vcpu *sv) { list_remove(&sv->parked); }
static inline bool sched_cap_is_parked(const struct sched_vcpu *sv)
{
    return list_node_is_linked(&sv->parked);
}
/* Somebody stopped running before the budget was used up: one of the others may. */
void sched_cap_hand_on(struct sched_domain *limit, ns_t now);
/* How long one may run before it is asked. */
ns_t sched_cap_slice(const struct sched_domain *limit);

#endif
