/* SPDX-License-Identifier: MIT */
/*
 * rtds: each vCPU gets its budget of every period, the earliest deadline first.
 *
 * A vCPU's period begins when it wakes after the end of the last one; its deadline is the
 * end of the period. Budget burns while it runs. Without budget it waits for the next period
 * (`depleted`), or, with extra time, goes on with a new budget behind all that have some of their
 * own: one level further back for each budget that it used up.
 *
 * Queue: a heap by level, then deadline, for the pool; a vCPU is in it exactly while it is
 * runnable, has budget and does not run. All runnable vCPUs are also in the heap `refills`,
 * by deadline, and one timer of the pool is set for the first of them. Nothing walks all
 * vCPUs: a wake-up looks at the CPUs that may run it, a timer at those that are due.
 *
 * Lock: pool->lock, held by sched.c around everything here but the timer's callback.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/heap.h>
#include <loam/hv.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

#define PERIOD_DEFAULT (10 * NS_PER_MS)
#define BUDGET_DEFAULT (4 * NS_PER_MS)
#define SHORTEST_US 10 /* period and budget */
#define LEVELS 8
#define LEVEL_SHIFT 61 /* of a key; below it the deadline in units of 8 ns, which fit */
#define REFILLS_AT_ONCE 32 /* in one run of the timer */
#define NOBODY UINT64_MAX

struct rtds_pool {
    struct cpupool pool;
    struct heap waiting;
    struct heap refills; /* struct rtds_vcpu.refill, by deadline */
    struct timer timer; /* set for the first refill, or earlier */
    ns_t timer_at; /* NS_NEVER: not set */
};

struct rtds_pcpu {
    struct sched_pcpu sp;
    bool tickled; /* kicked to preempt, has not chosen yet */
};

struct rtds_vcpu {
    struct sched_vcpu sv; /* sv.node: in `waiting`; its key holds while it runs, too */
    struct heap_node refill; /* queued while it is runnable; key: its deadline */
    ns_t period;
    ns_t budget; /* of each period */
    ns_t left; /* of the budget, up to `booked` */
    ns_t booked; /* while it runs */
    uint32_t level; /* how often it used up its budget in this period: 0..LEVELS - 1 */
    bool extra;
    bool depleted; /* runnable, and waits for the next period */
};

static struct rtds_pool *rtds_pool(struct cpupool *pool)
{
    return container_of(pool, struct rtds_pool, pool);
}

static struct rtds_pcpu *rtds_pcpu(struct sched_pcpu *sp)
{
    return container_of(sp, struct rtds_pcpu, sp);
}

static struct rtds_vcpu *from_sv(struct sched_vcpu *sv)
{
    return container_of(sv, struct rtds_vcpu, sv);
}

static bool is_queued(const struct rtds_vcpu *c) { return heap_node_is_queued(&c->sv.node); }
static bool is_active(const struct rtds_vcpu *c) { return heap_node_is_queued(&c->refill); }

/* --- budget and periods --------------------------------------------------- */

static void set_key(struct rtds_vcpu *c)
{
    c->sv.node.key = ((uint64_t)c->level << LEVEL_SHIFT) | (c->refill.key >> 3);
}

/* c, in no heap, has a new period that ends at `deadline`. */
static void begin_period(struct rtds_vcpu *c, ns_t deadline)
{
    c->refill.key = deadline;
    c->left = c->budget;
    c->level = 0;
    c->depleted = false;
    set_key(c);
}

/* c, not queued, has used up its budget. */
static void use_up(struct rtds_vcpu *c)
{
    if (!c->extra) {
        c->left = 0;
        c->depleted = true;
        return;
    }
    c->left = c->budget;
    c->level = MIN(c->level + 1, LEVELS - 1);
    set_key(c);
}

/* c runs: books what it burned. */
static void book(struct rtds_vcpu *c, ns_t now)
{
    ns_t ran = ns_since(c->booked, now);

    c->left -= MIN(ran, c->left);
    c->booked = now;
}

/* Sets the timer for the first refill, on a CPU that is `near` if it is in the pool. */
static void set_timer(struct rtds_pool *pool, const struct pcpu *near)
{
    const struct heap_node *first = heap_min(&pool->refills);

    if (first == NULL || first->key >= pool->timer_at) {
        return;
    }
    uint32_t cpu =
        cpumask_test(&pool->pool.cpus, near->id) ? near->id : cpumask_first(&pool->pool.cpus);
    pool->timer_at = first->key;
    timer_set(pool->pool.hv->pcpus[cpu], &pool->timer, first->key);
}

/* --- queue ---------------------------------------------------------------- */

/* The CPU of mask whose vCPU is the last in line, unless it was kicked for that already. */
static struct rtds_pcpu *find_last(struct rtds_pool *pool, const struct cpumask *mask)
{
    struct rtds_pcpu *last = NULL;
    uint64_t most = 0;

    for (uint32_t w = 0; w < CPUMASK_WORDS; w++) {
        for (uint64_t bits = mask->w[w]; bits != 0; bits &= bits - 1) {
            struct rtds_pcpu *cp = rtds_pcpu(pool->pool.hv->pcpus[w * 64 + ctz64(bits)]->sched);

            if (cp->sp.current != NULL && !cp->tickled && cp->sp.current->sched->node.key >= most) {
                most = cp->sp.current->sched->node.key;
                last = cp;
            }
        }
    }
    return last;
}

/* Queues c, which has budget; kicks the CPU that should run it. */
static void place(struct rtds_pool *pool, struct rtds_vcpu *c)
{
    struct cpumask idle = sched_idle_for(&pool->pool, &c->sv);

    heap_insert(&pool->waiting, &c->sv.node);
    if (!cpumask_is_empty(&idle)) {
        sched_use_idle(&pool->pool, &c->sv, &idle);
    } else if (!sched_is_held(&pool->pool, &c->sv)) {
        struct rtds_pcpu *last = find_last(pool, &c->sv.affinity);

        if (last != NULL && c->sv.node.key < last->sp.current->sched->node.key) {
            last->tickled = true;
            pcpu_kick(last->sp.pcpu, PCPU_WORK_SCHED);
        }
    }
}

/* Takes c off the queue if it is there. */
static bool dequeue(struct rtds_pool *pool, struct rtds_vcpu *c)
{
    if (!is_queued(c)) {
        return false;
    }
    heap_remove(&pool->waiting, &c->sv.node);
    return true;
}

/* c's period is over. */
static void refill(struct rtds_pool *pool, struct rtds_vcpu *c, ns_t now)
{
    struct vcpu *v = c->sv.vcpu;
    bool waits = dequeue(pool, c) || c->depleted;
    ns_t over = now - c->refill.key;

    heap_remove(&pool->refills, &c->refill);
    begin_period(c, c->refill.key + (over / c->period + 1) * c->period);
    heap_insert(&pool->refills, &c->refill);
    if (waits) {
        place(pool, c);
    } else if (v->running) {
        c->booked = now;
        /* It may not be the first any more, and its timer is set for the old budget. */
        pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
    }
}

static void refills_due(struct timer *t, struct pcpu *p)
{
    struct rtds_pool *pool = container_of(t, struct rtds_pool, timer);
    ns_t now = arch_time_now();

    spin_lock(&pool->pool.lock);
    pool->timer_at = NS_NEVER;
    for (uint32_t i = 0; i < REFILLS_AT_ONCE; i++) {
        struct heap_node *first = heap_min(&pool->refills);

        if (first == NULL || first->key > now) {
            break;
        }
        refill(pool, container_of(first, struct rtds_vcpu, refill), now);
    }
    set_timer(pool, p);
    spin_unlock(&pool->pool.lock);
}

/* c is not runnable any more. */
static void deactivate(struct rtds_pool *pool, struct rtds_vcpu *c)
{
    if (is_active(c)) {
        heap_remove(&pool->refills, &c->refill);
    }
    c->depleted = false;
}

static void rtds_wake(struct vcpu *v)
{
    struct rtds_pool *pool = rtds_pool(v->pool);
    struct rtds_vcpu *c = from_sv(v->sched);
    ns_t now = arch_time_now();

    if (is_active(c)) {
        return;
    }
    if (now >= c->refill.key) {
        begin_period(c, now + c->period);
    } else if (c->left == 0) {
        use_up(c);
    }
    heap_insert(&pool->refills, &c->refill);
    set_timer(pool, v->pcpu);
    if (!c->depleted) {
        place(pool, c);
    }
}

static void rtds_sleep(struct vcpu *v)
{
    struct rtds_pool *pool = rtds_pool(v->pool);

    (void)dequeue(pool, from_sv(v->sched));
    deactivate(pool, from_sv(v->sched));
}

static void rtds_released(struct vcpu *v)
{
    struct rtds_pool *pool = rtds_pool(v->pool);

    if (dequeue(pool, from_sv(v->sched))) {
        place(pool, from_sv(v->sched));
    }
}

/* --- pick ----------------------------------------------------------------- */

/* Books what prev, which ran on cp, did. Returns it if it might go on here. */
static struct rtds_vcpu *settle(struct rtds_pool *pool, struct rtds_pcpu *cp, struct vcpu *prev,
                                ns_t now)
{
    struct rtds_vcpu *c = from_sv(prev->sched);

    book(c, now);
    if (!vcpu_is_runnable(prev)) {
        deactivate(pool, c);
        return NULL;
    }
    if (c->left == 0) {
        use_up(c);
    }
    if (c->depleted) {
        return NULL;
    }
    if (!sched_stays(&pool->pool, &c->sv, cp->sp.pcpu)) {
        place(pool, c);
        pcpu_raise(cp->sp.pcpu, PCPU_WORK_SAVE);
        return NULL;
    }
    return c;
}

static struct vcpu *rtds_pick(struct sched_pcpu *sp, struct vcpu *prev)
{
    struct rtds_pool *pool = rtds_pool(sp->pool);
    struct rtds_pcpu *cp = rtds_pcpu(sp);
    ns_t now = arch_time_now();
    struct rtds_vcpu *c = NULL;

    cp->tickled = false;
    if (sp->slice_at == 0) {
        sp->slice_at = NS_NEVER;
    }
    if (prev != NULL) {
        c = settle(pool, cp, prev, now);
    }
    uint64_t limit = c == NULL || c->sv.yields ? NOBODY : c->sv.node.key;
    struct sched_vcpu *best = sched_find(&pool->pool, &pool->waiting, sp->pcpu, limit, 0);
    if (prev != NULL) {
        prev->sched->yields = false;
    }
    if (best != NULL) {
        heap_remove(&pool->waiting, &best->node);
        atomic_store_relaxed(&best->vcpu->wanted, false);
        if (c != NULL) {
            heap_insert(&pool->waiting, &c->sv.node);
            /* Its state stays here until the next one is loaded; then an idle CPU may have it. */
            atomic_store_relaxed(&c->sv.vcpu->wanted, !cpumask_is_empty(&pool->pool.idle));
        }
        c = from_sv(best);
    }
    struct vcpu *v = c != NULL ? c->sv.vcpu : NULL;
    if (v == NULL) {
        cpumask_set(&pool->pool.idle, sp->pcpu->id);
    } else {
        cpumask_clear(&pool->pool.idle, sp->pcpu->id);
        c->booked = now;
        sched_set_slice(sp, now + c->left);
    }
    if (v != prev) {
        sched_switch(sp, prev, v, now);
    }
    if (!cpumask_is_empty(&pool->pool.idle)) {
        sched_spread(&pool->pool, &pool->waiting);
        if (v == NULL && pool->pool.nr_choosy != 0) {
            sched_pull(&pool->pool, sp->pcpu);
        }
    }
    return v;
}

/* --- pools, CPUs and vCPUs ------------------------------------------------ */

static void rtds_pool_init(struct cpupool *pool)
{
    struct rtds_pool *rp = rtds_pool(pool);

    timer_init(&rp->timer, refills_due);
    rp->timer_at = NS_NEVER;
}

static void rtds_pool_fini(struct cpupool *pool) { timer_stop(&rtds_pool(pool)->timer); }

static void rtds_pcpu_init(struct sched_pcpu *sp) { cpumask_set(&sp->pool->idle, sp->pcpu->id); }

static void rtds_pcpu_fini(struct sched_pcpu *sp) { cpumask_clear(&sp->pool->idle, sp->pcpu->id); }

static int rtds_vcpu_init(struct sched_vcpu *sv, struct pcpu **first)
{
    struct rtds_vcpu *c = from_sv(sv);

    heap_node_init(&sv->node);
    heap_node_init(&c->refill);
    c->period = PERIOD_DEFAULT;
    c->budget = BUDGET_DEFAULT;
    c->extra = true;
    *first = sv->pool->hv->pcpus[cpumask_first(&sv->affinity)];
    return 0;
}

static void rtds_vcpu_fini(struct sched_vcpu *sv)
{
    (void)dequeue(rtds_pool(sv->pool), from_sv(sv));
    deactivate(rtds_pool(sv->pool), from_sv(sv));
}

static int rtds_set_affinity(struct sched_vcpu *sv, const struct cpumask *mask)
{
    struct rtds_pool *pool = rtds_pool(sv->pool);
    bool queued = dequeue(pool, from_sv(sv));

    sv->affinity = *mask;
    if (queued) {
        place(pool, from_sv(sv));
    } else if (sched_has_entered(sv) && sv->vcpu->running) {
        pcpu_kick(sv->vcpu->pcpu, PCPU_WORK_SCHED);
    }
    return 0;
}

/* --- parameters ----------------------------------------------------------- */

static void rtds_get_domain(struct domain *d, struct sched_params *out)
{
    out->period = PERIOD_DEFAULT / NS_PER_US;
    out->budget = BUDGET_DEFAULT / NS_PER_US;
    out->extra = true;
}

static void rtds_get_vcpu(struct sched_vcpu *sv, struct sched_params *out)
{
    const struct rtds_vcpu *c = from_sv(sv);

    out->period = (uint32_t)(c->period / NS_PER_US);
    out->budget = (uint32_t)(c->budget / NS_PER_US);
    out->extra = c->extra;
}

static int check_params(const struct sched_params *in)
{
    if (in->budget < SHORTEST_US || in->period < in->budget) {
        return refuse(-XEN_EINVAL, "budget and period are at least 10 us, and budget is not longer",
                      in->budget, in->period);
    }
    return 0;
}

/* What is left of this period is not more than the new budget; the rest holds from the next on. */
static void set_params(struct rtds_vcpu *c, const struct sched_params *in)
{
    c->period = in->period * NS_PER_US;
    c->budget = in->budget * NS_PER_US;
    c->extra = in->extra;
    c->left = MIN(c->left, c->budget);
    if (c->sv.vcpu->running) {
        pcpu_kick(c->sv.vcpu->pcpu, PCPU_WORK_SCHED);
    }
}

static int rtds_set_vcpu(struct sched_vcpu *sv, const struct sched_params *in)
{
    int rc = check_params(in);

    if (rc == 0) {
        set_params(from_sv(sv), in);
    }
    return rc;
}

static int rtds_set_domain(struct domain *d, const struct sched_params *in)
{
    struct vcpu *v;
    int rc = check_params(in);

    if (rc == 0) {
        for_each_vcpu(d, v, i) { set_params(from_sv(v->sched), in); }
    }
    return rc;
}

const struct sched_ops rtds_ops = {
    .id = SCHED_RTDS,
    .name = "rtds",
    .pool_size = sizeof(struct rtds_pool),
    .pcpu_size = sizeof(struct rtds_pcpu),
    .vcpu_size = sizeof(struct rtds_vcpu),
    .pool_init = rtds_pool_init,
    .pool_fini = rtds_pool_fini,
    .pcpu_init = rtds_pcpu_init,
    .pcpu_fini = rtds_pcpu_fini,
    .vcpu_init = rtds_vcpu_init,
    .vcpu_fini = rtds_vcpu_fini,
    .wake = rtds_wake,
    .sleep = rtds_sleep,
    .released = rtds_released,
    .pick = rtds_pick,
    .set_affinity = rtds_set_affinity,
    .get_domain = rtds_get_domain,
    .set_domain = rtds_set_domain,
    .get_vcpu = rtds_get_vcpu,
    .set_vcpu = rtds_set_vcpu,
};
