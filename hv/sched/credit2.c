/* SPDX-License-Identifier: MIT */
/*
 * credit2: shares CPUs by weight and lets who slept go first.
 *
 * Credit is kept the other way round, as what a vCPU has *burned*: ns of CPU
 * time x 256 / weight. Least burned is most credit and runs first. Xen's credit
 * reset adds a constant to all credits, which changes nobody's order, so it needs
 * no doing; what remains of it are the limits of credit and debt against `front`,
 * the most that the first of several had burned when one of them was chosen:
 *
 *   - who wakes has at most CREDIT_MAX more credit than that (clamp);
 *   - CPU time that nobody else wants is free: credit burns only while the
 *     preemption timer of the CPU is set (book), and who is chosen while nobody
 *     waits owes nothing (choose).
 *
 * Queue: a heap by `burned` for the pool, and one per CPU for those vCPUs that
 * may run on this CPU alone. A vCPU is in one of them exactly while it is
 * runnable and not running. A front belongs to each heap, so that CPUs with
 * pinned vCPUs only, whose credit burns faster or slower, go their own way.
 *
 * At most one CPU is kicked per wake-up; a CPU that leaves others waiting kicks
 * one of those that run without a timer (`untimed`), so that all get theirs.
 *
 * A domain with a cap (cap.c) whose budget is used up has none of its vCPUs in a queue: those that
 * could run are parked. Its vCPUs always run with the preemption timer.
 *
 * Lock: pool->lock, held by sched.c around everything here. One
 * queue serves the whole pool. Where that lock becomes too hot (beyond some 16
 * CPUs), the heap in struct credit2_pool is what there would be several of, and
 * place() would choose one. docs/decisions/0004-scheduler.md says why so.
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

#define CREDIT_MAX (10 * NS_PER_MS) /* a sleeper's lead when it wakes */
#define LEAD_MAX (2 * CREDIT_MAX) /* the lead of one that always runs and still has credit */
#define PREEMPT_MIN (500 * NS_PER_US) /* credit that a waking vCPU must have more */
#define RUN_MIN (1 * NS_PER_MS) /* run_min, unless it is set otherwise */
#define SLICE_MIN (100 * NS_PER_US) /* slice_min without a rate limit */
#define RUN_MAX (10 * NS_PER_MS) /* nobody is asked later whether it should go on */
#define DISLIKE (5 * NS_PER_MS) /* credit that a vCPU must have more on a CPU it dislikes */
#define RUN_PAST (5 * NS_PER_MS) /* how far a vCPU may burn past the next one before it goes */
#define BURN_MAX BIT(30) /* ns, the longest time booked at once: no overflow */
#define NOBODY UINT64_MAX /* burned by the first of an empty queue */

struct credit2_pool {
    struct cpupool pool;
    struct heap waiting; /* those that may run on several CPUs, by burned */
    uint64_t front;
    ns_t run_min; /* nobody is preempted earlier */
    ns_t slice_min; /* nor asked whether it should go on; never 0 */
    struct cpumask untimed; /* run something, preemption timer not set */
};

struct credit2_pcpu {
    struct sched_pcpu sp;
    struct heap waiting; /* those that may run here only, by burned */
    uint64_t front; /* also of the pool's vCPUs chosen here */
    bool tickled; /* kicked to preempt, has not chosen yet */
    uint64_t bit; /* its bit in these words of the pool's masks */
    uint64_t *idle;
    uint64_t *untimed;
};

struct credit2_vcpu {
    struct sched_vcpu sv; /* sv.node: in queue, by ns burned, fixed while queued */
    struct heap *queue; /* the one that it waits in, by its affinity */
    uint32_t weight;
    uint32_t rate; /* 2^24 / weight: ns burned per ns run, x 2^16 */
    ns_t booked; /* until when its running is in the key */
};

static struct credit2_pool *credit2_pool(struct cpupool *pool)
{
    return container_of(pool, struct credit2_pool, pool);
}

static struct credit2_pcpu *credit2_pcpu(struct sched_pcpu *sp)
{
    return container_of(sp, struct credit2_pcpu, sp);
}

static struct credit2_vcpu *from_sv(struct sched_vcpu *sv)
{
    return container_of(sv, struct credit2_vcpu, sv);
}

static struct credit2_vcpu *credit2_vcpu(struct vcpu *v) { return from_sv(v->sched); }

/* --- credit --------------------------------------------------------------- */

static void set_rate(struct credit2_vcpu *c, uint32_t weight)
{
    c->weight = weight;
    c->rate = (1u << 24) / weight;
}

/* Books what c burned, running on cp. */
static __inline_hot void book(const struct credit2_pcpu *cp, struct credit2_vcpu *c, ns_t now)
{
    if (atomic_load_relaxed(&cp->sp.slice_at) != NS_NEVER) {
        ns_t ran = MIN(ns_since(c->booked, now), BURN_MAX);

        c->sv.node.key += (ran * c->rate) >> 16;
        if (unlikely(c->sv.limit != NULL)) { /* it always runs with the timer */
            c->sv.limit->budget -= (int64_t)ran;
        }
    }
    c->booked = now;
}

/* c, off the queues, has at most `lead` more credit than a vCPU at `front`. */
static void clamp(struct credit2_vcpu *c, uint64_t front, ns_t lead)
{
    if (c->sv.node.key + lead < front) {
        c->sv.node.key = front - lead;
    }
}

/* True where the pool's front limits c's credit and debt too, not that of its CPU alone. */
static bool is_pooled(const struct credit2_pool *pool, const struct credit2_vcpu *c)
{
    return likely(c->queue == &pool->waiting);
}

/* --- queue ---------------------------------------------------------------- */

static bool is_queued(const struct credit2_vcpu *c) { return heap_node_is_queued(&c->sv.node); }
static void enqueue(struct credit2_vcpu *c) { heap_insert(c->queue, &c->sv.node); }
static void dequeue(struct credit2_vcpu *c) { heap_remove(c->queue, &c->sv.node); }

/* The least burned of all that wait and might run on cp. */
static uint64_t next_burned(const struct credit2_pool *pool, const struct credit2_pcpu *cp)
{
    const struct heap_node *a = heap_min(&pool->waiting);
    const struct heap_node *b = heap_min(&cp->waiting);
    uint64_t next = a != NULL ? a->key : NOBODY;

    return b != NULL ? MIN(b->key, next) : next;
}

/* True when next_burned() is not NOBODY. */
static bool somebody_waits(const struct credit2_pool *pool, const struct credit2_pcpu *cp)
{
    return !heap_is_empty(&pool->waiting) || !heap_is_empty(&cp->waiting);
}

/* As find_best(), where the first of the pool's queue will not do. */
static __noinline struct credit2_vcpu *find_slow(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                                 uint64_t limit)
{
    struct pcpu *p = cp->sp.pcpu;
    struct sched_vcpu *best = sched_find(&pool->pool, &pool->waiting, p, limit, DISLIKE);
    struct sched_vcpu *own =
        sched_find(&pool->pool, &cp->waiting, p, best != NULL ? best->node.key : limit, DISLIKE);

    best = own != NULL ? own : best;
    return best != NULL ? from_sv(best) : NULL;
}

/* Who of those that burned less than `limit` has burned least and can run on cp. */
static __inline_hot struct credit2_vcpu *find_best(struct credit2_pool *pool,
                                                   struct credit2_pcpu *cp, uint64_t limit)
{
    struct heap_node *first = heap_min(&pool->waiting);

    if (heap_is_empty(&cp->waiting) && likely(pool->pool.nr_choosy == 0)) {
        /* Nearly always the first one will do. */
        if (first == NULL || first->key >= limit) {
            return NULL;
        }
        if (likely(sched_can_load(&pool->pool, sched_from_node(first), cp->sp.pcpu))) {
            return from_sv(sched_from_node(first));
        }
    }
    return find_slow(pool, cp, limit);
}

/* --- wake ----------------------------------------------------------------- */

/*
 * Brings the credit of what runs on the CPUs of mask up to date. Returns the CPU
 * whose vCPU has burned most, NULL if none runs one, and the farthest front in *front.
 */
static struct credit2_pcpu *survey(struct credit2_pool *pool, const struct cpumask *mask, ns_t now,
                                   uint64_t *front)
{
    struct credit2_pcpu *last = NULL;
    uint64_t most = 0;

    *front = 0;
    for (uint32_t w = 0; w < CPUMASK_WORDS; w++) {
        for (uint64_t bits = mask->w[w]; bits != 0; bits &= bits - 1) {
            struct pcpu *p = pool->pool.hv->pcpus[w * 64 + ctz64(bits)];
            struct credit2_pcpu *cp = credit2_pcpu(p->sched);

            *front = MAX(*front, cp->front);
            if (cp->sp.current == NULL || cp->tickled) {
                continue;
            }
            struct credit2_vcpu *c = credit2_vcpu(cp->sp.current);
            book(cp, c, now);
            if (c->sv.node.key >= most) {
                most = c->sv.node.key;
                last = cp;
            }
        }
    }
    return last;
}

/* c waits, no CPU is idle: kicks `last` if c has clearly more credit, or one that needs a timer. */
static void preempt(struct credit2_pool *pool, struct credit2_vcpu *c, struct credit2_pcpu *last,
                    ns_t now)
{
    if (last != NULL &&
        c->sv.node.key + PREEMPT_MIN < credit2_vcpu(last->sp.current)->sv.node.key) {
        ns_t may_go = last->sp.current->rs.since + pool->run_min;

        /* No need to ask a CPU that will look by itself as soon as it may switch. */
        if (now >= may_go || atomic_load_relaxed(&last->sp.slice_at) > may_go) {
            last->tickled = true;
            pcpu_kick(last->sp.pcpu, PCPU_WORK_SCHED);
        }
        return;
    }
    struct cpumask untimed = cpumask_and(&pool->untimed, &c->sv.affinity);

    if (!cpumask_is_empty(&untimed)) {
        pcpu_kick(pool->pool.hv->pcpus[cpumask_first(&untimed)], PCPU_WORK_SCHED);
    }
}

/* Queues c; kicks the CPU that should run it: an idle one, else one with less credit. */
static void place(struct credit2_pool *pool, struct credit2_vcpu *c)
{
    struct cpumask idle = sched_idle_for(&pool->pool, &c->sv);

    if (!cpumask_is_empty(&idle)) {
        enqueue(c);
        sched_use_idle(&pool->pool, &c->sv, &idle);
        return;
    }
    ns_t now = arch_time_now();
    uint64_t front;
    struct credit2_pcpu *last = survey(pool, &c->sv.affinity, now, &front);

    if (unlikely(!cpumask_is_empty(&c->sv.preferred))) {
        uint64_t ignored;
        struct credit2_pcpu *liked = survey(pool, &c->sv.preferred, now, &ignored);

        last = liked != NULL ? liked : last;
    }
    clamp(c, front, CREDIT_MAX);
    enqueue(c);
    if (!sched_is_held(&pool->pool, &c->sv)) {
        preempt(pool, c, last, now);
    }
}

static void credit2_wake(struct vcpu *v)
{
    struct credit2_vcpu *c = credit2_vcpu(v);

    if (unlikely(c->sv.limit != NULL) &&
        (sched_cap_is_parked(&c->sv) || sched_cap_park(&c->sv, arch_time_now()))) {
        return;
    }
    if (!is_queued(c)) {
        place(credit2_pool(c->sv.pool), c);
    }
}

/* c does not wait any more. */
static void forget(struct credit2_vcpu *c)
{
    if (is_queued(c)) {
        dequeue(c);
    }
    sched_cap_unpark(&c->sv);
}

static void credit2_sleep(struct vcpu *v) { forget(credit2_vcpu(v)); }

static void credit2_released(struct vcpu *v)
{
    struct credit2_vcpu *c = credit2_vcpu(v);

    if (is_queued(c)) {
        dequeue(c);
        place(credit2_pool(c->sv.pool), c);
    }
}

/* --- pick ----------------------------------------------------------------- */

/* While the first of those that wait for cp has burned `next`: how long c may run. */
static void set_slice(const struct credit2_pool *pool, struct credit2_pcpu *cp,
                      const struct credit2_vcpu *c, uint64_t next, ns_t now)
{
    ns_t slice = pool->slice_min;

    if (cp->sp.slice_at <= now + slice) {
        return; /* it is looked at before that anyway */
    }
    if (next + RUN_PAST > c->sv.node.key) {
        /* The bound is RUN_MAX for a weight of 1, so that the product cannot overflow. */
        uint64_t ahead = MIN(next + RUN_PAST - c->sv.node.key, RUN_MAX << 8);

        slice = MAX(slice, MIN(RUN_MAX, (ahead * c->weight) >> 8));
    }
    sched_set_slice(&cp->sp, now + slice);
}

/*
 * c runs on cp from now on, or goes on; is_pooled() is `pooled`. Returns the front that its credit
 * is measured against.
 */
static __inline_hot uint64_t begin_turn(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                        struct credit2_vcpu *c, bool pooled, ns_t now)
{
    uint64_t front = pooled ? MAX(cp->front, pool->front) : cp->front;

    c->booked = now;
    clamp(c, front, LEAD_MAX);
    if (unlikely(c->sv.limit != NULL)) {
        sched_set_slice(&cp->sp, now + sched_cap_slice(c->sv.limit));
    }
    return front;
}

/* Nobody waits: c owes nothing. */
static __noinline void choose_alone(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                    struct credit2_vcpu *c, ns_t now)
{
    uint64_t front = begin_turn(pool, cp, c, is_pooled(pool, c), now);

    c->sv.node.key = MIN(c->sv.node.key, front);
}

/* The first of those that wait has burned `next`, NOBODY: none is left. */
static __inline_hot void choose(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                struct credit2_vcpu *c, uint64_t next, ns_t now)
{
    if (unlikely(next == NOBODY)) {
        choose_alone(pool, cp, c, now);
        return;
    }
    bool pooled = is_pooled(pool, c);

    (void)begin_turn(pool, cp, c, pooled, now);
    /* Who goes on for having run too shortly, or after a yield, is not the first. */
    uint64_t first = MIN(c->sv.node.key, next);
    cp->front = MAX(cp->front, first);
    if (pooled) {
        pool->front = MAX(pool->front, first);
    }
    set_slice(pool, cp, c, next, now);
}

/* Takes best (or NULL) off its queue for cp, where prev (or NULL) gives way and can run still. */
static void exchange(struct credit2_pool *pool, struct credit2_pcpu *cp, struct vcpu *prev,
                     struct credit2_vcpu *best)
{
    if (best != NULL) {
        dequeue(best);
        atomic_store_relaxed(&best->sv.vcpu->wanted, false);
    }
    if (prev == NULL) {
        return;
    }
    struct credit2_vcpu *c = credit2_vcpu(prev);

    if (sched_stays(&pool->pool, &c->sv, cp->sp.pcpu)) {
        enqueue(c);
        /* Its state stays here until the next one is loaded; then an idle CPU may have it. */
        atomic_store_relaxed(&c->sv.vcpu->wanted, !cpumask_is_empty(&pool->pool.idle));
    } else {
        place(pool, c);
        pcpu_raise(cp->sp.pcpu, PCPU_WORK_SAVE);
    }
}

/* The usual exchange: best is the first of the queue that c, which may go on here, waits in. */
static bool swap_first(struct credit2_vcpu *c, struct credit2_vcpu *best)
{
    if (c->queue != best->queue || heap_min(best->queue) != &best->sv.node) {
        return false;
    }
    heap_replace_min(best->queue, &c->sv.node);
    atomic_store_relaxed(&best->sv.vcpu->wanted, false);
    return true; /* spread() follows, for an idle CPU that may have c */
}

/*
 * best, which has a cap, is the first of those that wait. Returns it, or if its cap does not let it
 * run the first one that may; those before it are parked.
 */
static __noinline struct credit2_vcpu *park_or_take(struct credit2_pool *pool,
                                                    struct credit2_pcpu *cp,
                                                    struct credit2_vcpu *best, uint64_t limit,
                                                    ns_t now)
{
    while (best != NULL && best->sv.limit != NULL && sched_cap_park(&best->sv, now)) {
        dequeue(best);
        best = find_slow(pool, cp, limit);
    }
    return best;
}

/*
 * c, which has a cap, ran; it can run still if `ready`. True when it has to wait for its cap. If it
 * stops before that, another one of its domain may go on.
 */
static __noinline bool settle_cap(struct credit2_vcpu *c, bool ready, ns_t now)
{
    if (ready) {
        return sched_cap_park(&c->sv, now);
    }
    sched_cap_hand_on(c->sv.limit, now);
    return false;
}

/*
 * Others wait: c, which is prev's, goes on if it may (`keep`) and still has more credit, or has run
 * too shortly.
 */
static __inline_hot struct credit2_vcpu *pick_contended(struct credit2_pool *pool,
                                                        struct credit2_pcpu *cp, struct vcpu *prev,
                                                        struct credit2_vcpu *c, bool keep, ns_t now)
{
    uint64_t limit = NOBODY;

    if (keep && c->sv.yields) {
        c->sv.yields = false;
    } else if (keep) {
        limit = c->sv.node.key;
        if (ns_since(prev->rs.since, now) < pool->run_min) {
            if (next_burned(pool, cp) + PREEMPT_MIN < limit) {
                sched_set_slice(&cp->sp, prev->rs.since + pool->run_min);
            }
            limit = 0;
        }
    }
    struct credit2_vcpu *best = find_best(pool, cp, limit);

    if (best != NULL && unlikely(best->sv.limit != NULL)) {
        best = park_or_take(pool, cp, best, limit, now);
    }
    if (best != NULL || !keep) {
        if (!keep || best == NULL || !swap_first(c, best)) {
            exchange(pool, cp, prev, best);
        }
        c = best;
    }
    if (c != NULL) {
        choose(pool, cp, c, next_burned(pool, cp), now);
    }
    return c;
}

/*
 * Others wait. If a CPU idles that could run one of them (it was kicked for one
 * and took another), or one has no timer yet, it shall look, and goes on so.
 */
static __noinline void spread_slow(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                   struct vcpu *prev)
{
    if (!heap_is_empty(&pool->waiting) && !cpumask_is_empty(&pool->untimed)) {
        pcpu_kick(pool->pool.hv->pcpus[cpumask_first(&pool->untimed)], PCPU_WORK_SCHED);
    }
    if (cpumask_is_empty(&pool->pool.idle)) {
        return;
    }
    struct credit2_vcpu *c = prev != NULL ? credit2_vcpu(prev) : NULL;

    if (c != NULL && is_queued(c) && sched_stays(&pool->pool, &c->sv, cp->sp.pcpu)) {
        /* As in exchange(). */
        atomic_store_relaxed(&prev->wanted, true);
    }
    sched_spread(&pool->pool, &pool->waiting);
}

static __inline_hot void spread(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                struct vcpu *prev)
{
    struct cpumask any = cpumask_or(&pool->untimed, &pool->pool.idle);

    if (unlikely(!cpumask_is_empty(&any))) {
        spread_slow(pool, cp, prev);
    }
}

/* The pick that is more than going on, alone, with what cp did. */
static __noinline struct vcpu *pick_anew(struct credit2_pool *pool, struct credit2_pcpu *cp,
                                         struct vcpu *prev)
{
    ns_t now = arch_time_now();
    struct credit2_vcpu *c = NULL;
    /* Asked once: a wake-up that comes after this finds it not running and not queued. */
    struct vcpu *ready = prev != NULL && vcpu_is_runnable(prev) ? prev : NULL;
    bool keep = false;

    cp->tickled = false;
    if (prev != NULL) {
        c = credit2_vcpu(prev);
        book(cp, c, now);
        if (unlikely(c->sv.limit != NULL) && settle_cap(c, ready != NULL, now)) {
            ready = NULL;
        }
        keep = ready != NULL && sched_stays(&pool->pool, &c->sv, cp->sp.pcpu);
    }
    if (cp->sp.slice_at == 0) {
        cp->sp.slice_at = NS_NEVER;
    }
    bool was_untimed = cp->sp.slice_at == NS_NEVER; /* else neither mask has this CPU */
    bool others = somebody_waits(pool, cp);
    if (others) {
        c = pick_contended(pool, cp, ready, c, keep, now);
    } else if (keep) {
        choose_alone(pool, cp, c, now);
    } else {
        exchange(pool, cp, ready, NULL);
        c = NULL;
    }
    struct vcpu *v = c != NULL ? c->sv.vcpu : NULL;

    if (prev == NULL || v == NULL || was_untimed || cp->sp.slice_at == NS_NEVER) {
        *cp->idle = v == NULL ? *cp->idle | cp->bit : *cp->idle & ~cp->bit;
        *cp->untimed &= ~cp->bit;
        if (v != NULL && cp->sp.slice_at == NS_NEVER) {
            *cp->untimed |= cp->bit;
        }
    }
    if (v != prev) {
        sched_switch(&cp->sp, prev, v, now);
    }
    if (others) {
        spread(pool, cp, prev);
    }
    if (v == NULL && unlikely(pool->pool.nr_choosy != 0)) {
        sched_pull(&pool->pool, cp->sp.pcpu);
    }
    return v;
}

static struct vcpu *credit2_pick(struct sched_pcpu *sp, struct vcpu *prev)
{
    struct credit2_pool *pool = credit2_pool(sp->pool);
    struct credit2_pcpu *cp = credit2_pcpu(sp);

    if (!somebody_waits(pool, cp)) {
        if (prev == NULL) {
            *cp->idle |= cp->bit; /* it may have been kicked for one that is gone again */
            return NULL;
        }
        struct credit2_vcpu *c = credit2_vcpu(prev);

        c->sv.yields = false;
        if (sp->slice_at == NS_NEVER && vcpu_is_runnable(prev) &&
            sched_stays(&pool->pool, &c->sv, cp->sp.pcpu)) {
            cp->tickled = false;
            return prev;
        }
    }
    return pick_anew(pool, cp, prev);
}

/* --- vCPUs and CPUs ------------------------------------------------------- */

static void credit2_pcpu_init(struct sched_pcpu *sp)
{
    struct credit2_pool *pool = credit2_pool(sp->pool);
    struct credit2_pcpu *cp = credit2_pcpu(sp);
    uint32_t id = sp->pcpu->id;

    cp->bit = BIT(id % 64);
    cp->idle = &pool->pool.idle.w[id / 64];
    cp->untimed = &pool->untimed.w[id / 64];
    *cp->idle |= cp->bit;
}

static void credit2_pcpu_fini(struct sched_pcpu *sp)
{
    struct credit2_pcpu *cp = credit2_pcpu(sp);

    *cp->idle &= ~cp->bit;
    *cp->untimed &= ~cp->bit;
}

static ns_t credit2_get_ratelimit(const struct cpupool *pool)
{
    return container_of(pool, const struct credit2_pool, pool)->run_min;
}

static void credit2_set_ratelimit(struct cpupool *pool, ns_t limit)
{
    credit2_pool(pool)->run_min = limit;
    credit2_pool(pool)->slice_min = MAX(limit, SLICE_MIN);
}

static void credit2_pool_init(struct cpupool *pool) { credit2_set_ratelimit(pool, RUN_MIN); }

/* Takes the mask over and finds the queue that goes with it. c is in none. */
static void set_mask(struct credit2_pool *pool, struct credit2_vcpu *c, const struct cpumask *mask)
{
    uint32_t first = cpumask_first(mask);

    c->sv.affinity = *mask;
    c->queue = &pool->waiting;
    if (first != CPUMASK_NONE && cpumask_count(mask) == 1 && pool->pool.nr_cpus > 1) {
        c->queue = &credit2_pcpu(pool->pool.hv->pcpus[first]->sched)->waiting;
    }
}

static int credit2_vcpu_init(struct sched_vcpu *sv, struct pcpu **first)
{
    struct credit2_vcpu *c = from_sv(sv);
    struct credit2_pool *pool = credit2_pool(sv->pool);
    uint32_t weight = sv->vcpu->domain->config.weight;
    struct cpumask mask = sv->affinity;

    heap_node_init(&sv->node);
    list_node_init(&sv->parked);
    sv->limit = sched_cap_of(sv->vcpu->domain, sv->pool);
    set_rate(c, weight != 0 ? weight : SCHED_WEIGHT_DEFAULT);
    set_mask(pool, c, &mask);
    *first = pool->pool.hv->pcpus[cpumask_first(&mask)];
    return 0;
}

static void credit2_vcpu_fini(struct sched_vcpu *sv) { forget(from_sv(sv)); }

static int credit2_set_affinity(struct sched_vcpu *sv, const struct cpumask *mask)
{
    struct credit2_vcpu *c = from_sv(sv);
    struct credit2_pool *pool = credit2_pool(sv->pool);
    bool queued = is_queued(c);
    uint64_t front;

    if (queued) {
        dequeue(c);
    }
    set_mask(pool, c, mask);
    /* Credit and debt against the CPUs that it leaves mean nothing to those that it joins. */
    survey(pool, mask, arch_time_now(), &front);
    clamp(c, front, CREDIT_MAX);
    sv->node.key = MIN(sv->node.key, front);
    if (queued) {
        place(pool, c);
    } else if (sched_has_entered(sv) && sv->vcpu->running) {
        pcpu_kick(sv->vcpu->pcpu, PCPU_WORK_SCHED);
    }
    return 0;
}

/* --- parameters ----------------------------------------------------------- */

static void credit2_get_domain(struct domain *d, struct sched_params *out)
{
    out->weight = d->config.weight;
    out->cap = sched_cap(d);
}

static int credit2_set_domain(struct domain *d, const struct sched_params *in)
{
    struct vcpu *v;

    if (in->weight == 0 || in->weight > SCHED_WEIGHT_MAX) {
        return refuse(-XEN_EINVAL, "the weight is not in 1..65535", in->weight, 0);
    }
    int rc = sched_cap_set(d, in->cap);
    if (rc != 0) {
        return rc;
    }
    d->config.weight = in->weight;
    for_each_vcpu(d, v, i)
    {
        if (v->running) {
            book(credit2_pcpu(v->pcpu->sched), credit2_vcpu(v), arch_time_now());
        }
        set_rate(credit2_vcpu(v), in->weight);
    }
    return 0;
}

const struct sched_ops credit2_ops = {
    .id = SCHED_CREDIT2,
    .name = "credit2",
    .pool_size = sizeof(struct credit2_pool),
    .pcpu_size = sizeof(struct credit2_pcpu),
    .vcpu_size = sizeof(struct credit2_vcpu),
    .pool_init = credit2_pool_init,
    .pcpu_init = credit2_pcpu_init,
    .pcpu_fini = credit2_pcpu_fini,
    .vcpu_init = credit2_vcpu_init,
    .vcpu_fini = credit2_vcpu_fini,
    .wake = credit2_wake,
    .sleep = credit2_sleep,
    .released = credit2_released,
    .pick = credit2_pick,
    .set_affinity = credit2_set_affinity,
    .domain_stop = sched_cap_stop,
    .get_domain = credit2_get_domain,
    .set_domain = credit2_set_domain,
    .get_ratelimit = credit2_get_ratelimit,
    .set_ratelimit = credit2_set_ratelimit,
};
