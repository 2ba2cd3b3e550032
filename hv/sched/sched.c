/* SPDX-License-Identifier: MIT */
/*
 * The neutral half of scheduling: locking, who runs where, states and their times,
 * affinity, the preemption timer. What is decided is decided by pool->ops.
 *
 * Invariants, all under pool->lock: a vCPU with `running` set is the `current`
 * of exactly one CPU; a scheduler queues a vCPU only while it is not running.
 * sched_pick() looks at vcpu_is_runnable() of the vCPU that ran under the lock,
 * and sched_wake() takes the lock after the pause bits changed: whichever comes
 * second sees the other, no wake-up is lost between "it blocks" and "it left".
 *
 * A vCPU changes its pool only while it has a pause bit and is on no CPU, and v->pool changes
 * under the old pool's lock: sched_lock() looks again when it has the lock. A pool is freed
 * after a quiescent point, and p->sched is freed by p itself. So the state of a vCPU is never
 * loaded on a CPU of another pool.
 *
 * Read next: sched/private.h, then sched/credit2.c; sched/cpupool.c for what changes.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

static const struct cpumask all_cpus = { { UINT64_MAX, UINT64_MAX } };

struct cpupool *sched_lock(struct vcpu *v)
{
    for (;;) {
        /* Acquire pairs with the release in sched_place_change(). */
        struct cpupool *pool = atomic_load_acquire(&v->pool);

        spin_lock(&pool->lock);
        if (likely(atomic_load_relaxed(&v->pool) == pool)) {
            return pool;
        }
        spin_unlock(&pool->lock);
    }
}

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

/* --- places in a pool, affinity ------------------------------------------- */

/* The CPUs of the pool that may run who is restricted to `hard`: all where that leaves none. */
static struct cpumask usable_cpus(const struct cpupool *pool, const struct cpumask *hard)
{
    struct cpumask mask = cpumask_and(hard, &pool->cpus);

    return cpumask_is_empty(&mask) ? pool->cpus : mask;
}

/* Those of `usable` that sv prefers: empty where it makes no difference. */
static struct cpumask preferred_cpus(const struct sched_vcpu *sv, const struct cpumask *usable)
{
    struct cpumask mask = cpumask_and(&sv->set.soft, usable);

    return cpumask_count(&mask) == cpumask_count(usable) ? (struct cpumask){ { 0 } } : mask;
}

static void set_preferred(struct sched_vcpu *sv, struct cpumask preferred)
{
    sv->pool->nr_choosy -= !cpumask_is_empty(&sv->preferred);
    sv->preferred = preferred;
    sv->pool->nr_choosy += !cpumask_is_empty(&sv->preferred);
}

/* sv's masks follow what was set and the pool's CPUs. Errors: as ops->set_affinity(). */
static int refresh(struct sched_vcpu *sv, const struct cpumask *hard)
{
    struct cpumask usable = usable_cpus(sv->pool, hard);

    /* First, as it may be put on another CPU at once. */
    set_preferred(sv, preferred_cpus(sv, &usable));
    if (usable.w[0] == sv->affinity.w[0] && usable.w[1] == sv->affinity.w[1]) {
        return 0;
    }
    int rc = sv->pool->ops->set_affinity(sv, &usable);
    if (rc != 0) {
        set_preferred(sv, preferred_cpus(sv, &sv->affinity));
    }
    return rc;
}

bool sched_refresh(struct cpupool *pool, uint32_t limit)
{
    for (;;) {
        struct list_node *first = list_first(&pool->vcpus);
        struct sched_vcpu *sv = first != NULL ? list_entry(first, struct sched_vcpu, link) : NULL;

        if (sv == NULL || sv->generation == pool->generation) {
            return true;
        }
        if (limit-- == 0) {
            return false;
        }
        /* If the CPU that it would go back to is taken now (null), it stays where it is. */
        (void)refresh(sv, &sv->set.hard);
        sv->generation = pool->generation;
        list_remove(&sv->link);
        list_push_back(&pool->vcpus, &sv->link);
    }
}

int sched_place_make(struct vcpu *v, struct cpupool *pool, struct pcpu **first,
                     struct sched_vcpu **out)
{
    struct sched_vcpu *sv = mem_alloc(pool->hv, pool->ops->vcpu_size);

    if (sv == NULL) {
        return -XEN_ENOMEM;
    }
    sv->vcpu = v;
    sv->pool = pool;
    sv->set = (struct sched_affinity){ all_cpus, all_cpus };

    spin_lock(&pool->lock);
    if (v->sched != NULL) {
        sv->set = v->sched->set; /* it changes with the domain's lock held */
    }
    sv->affinity = usable_cpus(pool, &sv->set.hard);
    int rc = pool->nr_cpus == 0 ? -XEN_ENODEV : pool->ops->vcpu_init(sv, first);
    if (rc == 0) {
        set_preferred(sv, preferred_cpus(sv, &sv->affinity));
        sv->generation = pool->generation;
        list_push_back(&pool->vcpus, &sv->link);
    }
    spin_unlock(&pool->lock);
    if (rc != 0) {
        mem_free(pool->hv, sv, pool->ops->vcpu_size);
        return rc;
    }
    *out = sv;
    return 0;
}

/* sv's pool forgets it. Locks: the pool's. */
static void place_leave(struct sched_vcpu *sv)
{
    sv->pool->ops->vcpu_fini(sv);
    set_preferred(sv, (struct cpumask){ { 0 } });
    list_remove(&sv->link);
}

void sched_place_free(struct sched_vcpu *sv)
{
    struct cpupool *pool = sv->pool;

    spin_lock(&pool->lock);
    place_leave(sv);
    spin_unlock(&pool->lock);
    mem_free(pool->hv, sv, pool->ops->vcpu_size);
}

void sched_place_change(struct vcpu *v, struct sched_vcpu *to, struct pcpu *first)
{
    struct cpupool *old = v->pool;
    struct sched_vcpu *from = v->sched;

    spin_lock(&old->lock);
    place_leave(from);
    v->sched = to;
    v->pcpu = first;
    v->wanted = false;
    v->dedicated = to->pool->ops->dedicated;
    /* Release: who finds the new pool finds the new place. Partner: sched_lock(). */
    atomic_store_release(&v->pool, to->pool);
    spin_unlock(&old->lock);
    mem_free(old->hv, from, old->ops->vcpu_size);
}

int sched_vcpu_init(struct vcpu *v)
{
    struct cpupool *pool = v->domain->pool;
    int rc = sched_place_make(v, pool, &v->pcpu, &v->sched);

    if (rc == 0) {
        v->rs = (struct vcpu_runstate){ .state = VCPU_STATE_OFFLINE, .since = arch_time_now() };
        v->dedicated = pool->ops->dedicated;
        v->pool = pool;
    }
    return rc;
}

void sched_vcpu_fini(struct vcpu *v)
{
    sched_place_free(v->sched);
    v->sched = NULL;
}

void sched_domain_stop(struct domain *d)
{
    struct cpupool *pool = d->pool;

    if (pool->ops->domain_stop != NULL) {
        spin_lock(&pool->lock);
        pool->ops->domain_stop(d);
        spin_unlock(&pool->lock);
    }
}

void sched_domain_fini(struct domain *d)
{
    if (d->sched != NULL) {
        mem_free(d->hv, d->sched, sizeof(*d->sched));
        d->sched = NULL;
    }
}

void sched_get_affinity(struct vcpu *v, struct sched_affinity *out)
{
    struct cpupool *pool = sched_lock(v);

    *out = v->sched->set;
    spin_unlock(&pool->lock);
}

void sched_get_effective_affinity(struct vcpu *v, struct sched_affinity *out)
{
    struct cpupool *pool = sched_lock(v);
    const struct sched_vcpu *sv = v->sched;

    out->hard = sv->affinity;
    out->soft = cpumask_is_empty(&sv->preferred) ? sv->affinity : sv->preferred;
    spin_unlock(&pool->lock);
}

int sched_set_affinity(struct vcpu *v, const struct cpumask *hard)
{
    struct domain *d = v->domain;

    spin_lock(&d->lock);
    struct cpupool *pool = sched_lock(v);
    struct cpumask mask = cpumask_and(hard, &pool->cpus);
    int rc = -XEN_EINVAL;

    if (d->move != NULL) {
        rc = -XEN_EBUSY;
    } else if (!cpumask_is_empty(&mask)) {
        rc = refresh(v->sched, hard);
    }
    if (rc == 0) {
        v->sched->set.hard = *hard;
    }
    spin_unlock(&pool->lock);
    spin_unlock(&d->lock);
    if (rc == -XEN_EINVAL) {
        return refuse(rc, "no CPU of the vCPU's pool is among them", hard->w[0], mask.w[0]);
    }
    return rc == 0 ? 0 : refuse(rc, "the CPUs have vCPUs, or the domain moves", hard->w[0], v->id);
}

int sched_set_soft_affinity(struct vcpu *v, const struct cpumask *soft)
{
    struct domain *d = v->domain;
    int rc = -XEN_EBUSY;

    spin_lock(&d->lock);
    struct cpupool *pool = sched_lock(v);

    if (d->move == NULL) {
        v->sched->set.soft = *soft;
        set_preferred(v->sched, preferred_cpus(v->sched, &v->sched->affinity));
        if (v->running) {
            pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
        }
        rc = 0;
    }
    spin_unlock(&pool->lock);
    spin_unlock(&d->lock);
    return rc == 0 ? 0 : refuse(rc, "the domain moves to another pool", d->id, v->id);
}

int sched_set_node_affinity(struct domain *d, uint64_t nodes)
{
    return nodes & 1 ? 0
                     : refuse(-XEN_EINVAL, "node 0, the only one, is not among them", nodes, d->id);
}

uint64_t sched_node_affinity(const struct domain *d) { return 1; }

/* --- parameters ----------------------------------------------------------- */

/* Errors: -XEN_EINVAL the pool's scheduler is another one, -XEN_EOPNOTSUPP it has none of these. */
static int check_scheduler(const struct cpupool *pool, enum sched_id id, bool has)
{
    if (pool->ops->id != id) {
        return refuse(-XEN_EINVAL, "the pool has another scheduler", id, pool->ops->id);
    }
    return has ? 0 : refuse(-XEN_EOPNOTSUPP, "the scheduler has no parameters", id, 0);
}

int sched_get_params(struct domain *d, enum sched_id id, struct sched_params *out)
{
    spin_lock(&d->lock);
    struct cpupool *pool = d->pool;
    int rc = check_scheduler(pool, id, pool->ops->get_domain != NULL);

    if (rc == 0) {
        *out = (struct sched_params){ 0 };
        spin_lock(&pool->lock);
        pool->ops->get_domain(d, out);
        spin_unlock(&pool->lock);
    }
    spin_unlock(&d->lock);
    return rc;
}

int sched_set_params(struct domain *d, enum sched_id id, const struct sched_params *in)
{
    spin_lock(&d->lock);
    struct cpupool *pool = d->pool;
    int rc = check_scheduler(pool, id, pool->ops->set_domain != NULL);

    if (rc == 0 && (d->move != NULL || d->state == DOMAIN_DYING)) {
        rc = refuse(-XEN_EBUSY, "the domain moves to another pool, or is dying", d->id, d->state);
    }
    if (rc == 0) {
        spin_lock(&pool->lock);
        rc = pool->ops->set_domain(d, in);
        spin_unlock(&pool->lock);
    }
    spin_unlock(&d->lock);
    return rc;
}

int sched_get_vcpu_params(struct vcpu *v, enum sched_id id, struct sched_params *out)
{
    struct cpupool *pool = sched_lock(v);
    int rc = -XEN_EINVAL;

    if (pool->ops->id == id && pool->ops->get_vcpu != NULL) {
        *out = (struct sched_params){ 0 };
        pool->ops->get_vcpu(v->sched, out);
        rc = 0;
    }
    spin_unlock(&pool->lock);
    return rc == 0 ? 0 : refuse(rc, "the scheduler has no parameters of vCPUs", id, pool->ops->id);
}

int sched_set_vcpu_params(struct vcpu *v, enum sched_id id, const struct sched_params *in)
{
    struct cpupool *pool = sched_lock(v);
    bool has = pool->ops->id == id && pool->ops->set_vcpu != NULL;
    int rc = has ? pool->ops->set_vcpu(v->sched, in) : -XEN_EINVAL;

    spin_unlock(&pool->lock);
    return has ? rc : refuse(rc, "the scheduler has no parameters of vCPUs", id, pool->ops->id);
}

/* --- states --------------------------------------------------------------- */

void vcpu_runstate(struct vcpu *v, struct vcpu_runstate *out)
{
    struct cpupool *pool = sched_lock(v);

    *out = v->rs;
    spin_unlock(&pool->lock);
}

void vcpu_watch_runstate(struct vcpu *v,
                         void (*hook)(struct vcpu *v, const struct vcpu_runstate *r))
{
    struct cpupool *pool = sched_lock(v);

    v->on_runstate = hook;
    if (hook != NULL) {
        hook(v, &v->rs);
    }
    spin_unlock(&pool->lock);
}

void vcpu_status(struct vcpu *v, struct vcpu_status *out)
{
    struct cpupool *pool = sched_lock(v);
    uint32_t pause = atomic_load_relaxed(&v->pause);

    out->online = (pause & VCPU_PAUSE_OFFLINE) == 0;
    out->blocked = (pause & VCPU_PAUSE_BLOCKED) != 0;
    out->running = v->running;
    out->cpu = v->pcpu->id;
    out->cpu_time = v->rs.time[VCPU_STATE_RUNNING];
    if (v->running) {
        out->cpu_time += ns_since(v->rs.since, arch_time_now());
    }
    spin_unlock(&pool->lock);
}

ns_t sched_runtime(struct vcpu *v)
{
    struct vcpu_status status;

    vcpu_status(v, &status);
    return status.cpu_time;
}

void sched_state_changed(struct vcpu *v)
{
    struct cpupool *pool = sched_lock(v);

    if (!v->running && !vcpu_is_runnable(v)) {
        sched_enter_state(v, sched_state_off_cpu(v), arch_time_now());
    }
    spin_unlock(&pool->lock);
}

/* --- waking, sleeping, choosing ------------------------------------------- */

void sched_wake(struct vcpu *v)
{
    struct cpupool *pool = sched_lock(v);

    /* Running still: it is on its way out and sched_pick() will find it runnable. */
    if (!v->running && vcpu_is_runnable(v)) {
        sched_enter_state(v, VCPU_STATE_RUNNABLE, arch_time_now());
        pool->ops->wake(v);
    }
    spin_unlock(&pool->lock);
}

void sched_sleep(struct vcpu *v)
{
    struct cpupool *pool = sched_lock(v);

    if (v->running) {
        pcpu_kick(v->pcpu, PCPU_WORK_SCHED);
    } else if (!vcpu_is_runnable(v)) {
        sched_enter_state(v, sched_state_off_cpu(v), arch_time_now());
        pool->ops->sleep(v);
    }
    spin_unlock(&pool->lock);
}

void sched_yield_vcpu(struct vcpu *v) { v->sched->yields = true; }

void sched_released(struct vcpu *v)
{
    /*
     * Full barrier between the caller's store to v->loaded_on and this load.
     * Partner: sched_ask_holder(), which sets wanted and then looks at loaded_on.
     */
    smp_mb();
    if (likely(!atomic_load_relaxed(&v->wanted))) {
        return;
    }
    struct cpupool *pool = sched_lock(v);

    atomic_store_relaxed(&v->wanted, false);
    if (!v->running && vcpu_is_runnable(v)) {
        pool->ops->released(v);
    }
    spin_unlock(&pool->lock);
}

struct pcpu *sched_ask_holder(struct sched_vcpu *sv, uint32_t work)
{
    struct vcpu *v = sv->vcpu;
    /* Acquire pairs with the release of the CPU that saved the state. */
    struct pcpu *holder = atomic_load_acquire(&v->loaded_on);

    if (holder == NULL) {
        return NULL;
    }
    atomic_store_relaxed(&v->wanted, true);
    /* Partner: the full barrier in sched_released(). */
    smp_mb();
    holder = atomic_load_acquire(&v->loaded_on);
    if (holder != NULL && holder->sched->current == NULL) {
        pcpu_kick(holder, work);
    }
    return holder;
}

/*
 * sp runs nothing. If it was taken out of its pool and nobody may run there any more, it goes,
 * without a state left in its hardware that others would ask it for. Its pool is locked.
 */
static bool leave_pool(struct sched_pcpu *sp)
{
    struct cpupool *pool = sp->pool;
    struct pcpu *p = sp->pcpu;
    struct list_node *first = list_first(&pool->vcpus);

    if (first != NULL &&
        list_entry(first, struct sched_vcpu, link)->generation != pool->generation) {
        return false;
    }
    if (p->loaded != NULL) {
        pcpu_raise(p, PCPU_WORK_SCHED | PCPU_WORK_SAVE);
        return false;
    }
    if (pool->ops->pcpu_fini != NULL) {
        pool->ops->pcpu_fini(sp);
    }
    timer_stop(&sp->slice);
    /* Release: who sees it free may put it into another pool. */
    atomic_store_release(&p->sched, NULL);
    return true;
}

struct vcpu *sched_pick(struct pcpu *p)
{
    struct sched_pcpu *sp = atomic_load_acquire(&p->sched);
    bool left = false;

    if (unlikely(sp == NULL)) {
        return NULL;
    }
    struct cpupool *pool = sp->pool;

    spin_lock(&pool->lock);
    struct vcpu *next = pool->ops->pick(sp, sp->current);
    if (next == NULL && unlikely(!cpumask_test(&pool->cpus, p->id))) {
        left = leave_pool(sp);
    }
    spin_unlock(&pool->lock);
    if (unlikely(left)) {
        mem_free(p->hv, sp, pool->ops->pcpu_size);
    }
    return next;
}
