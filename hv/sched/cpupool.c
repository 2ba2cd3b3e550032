/* SPDX-License-Identifier: MIT */
/*
 * CPU pools: disjoint sets of CPUs, each with a scheduler of its own. Their list, what
 * is known about them, which CPUs they have, and how they are made and freed.
 *
 * A CPU that is in no pool runs no guest. The list hangs off hv->pools, by id; the first one, made
 * while booting, is the default pool, and stays. A pool is freed after a quiescent point:
 * sched_lock() may wait for the lock of one that the vCPU has left.
 * Lock: hv->lock for the list. Read next: sched/cpupool_op.c, sched/sched.c.
 */
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "private.h"

static const struct sched_ops *const schedulers[] = { &credit2_ops, &rtds_ops, &null_ops };

static const struct sched_ops *find_scheduler(enum sched_id id)
{
    for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
        if (schedulers[i]->id == id) {
            return schedulers[i];
        }
    }
    return NULL;
}

const char *sched_name(enum sched_id id)
{
    const struct sched_ops *ops = find_scheduler(id);

    return ops != NULL ? ops->name : "unknown";
}

/* Where in the list the pool with this id is, or would be. Locks: hv->lock is held. */
static struct cpupool **find_place(struct hv *hv, uint32_t id)
{
    struct cpupool **at = &hv->pools;

    while (*at != NULL && (*at)->id < id) {
        at = &(*at)->next;
    }
    return at;
}

struct cpupool *cpupool_find_locked(struct hv *hv, uint32_t id)
{
    struct cpupool *pool = *find_place(hv, id);

    return pool != NULL && pool->id == id ? pool : NULL;
}

static uint32_t free_id(struct hv *hv)
{
    uint32_t id = 0;

    for (struct cpupool *pool = hv->pools; pool != NULL && pool->id == id; pool = pool->next) {
        id++;
    }
    return id;
}

/* An empty pool, in no list. NULL: no memory. */
static struct cpupool *pool_alloc(struct hv *hv, const struct sched_ops *ops)
{
    struct cpupool *pool = mem_alloc(hv, ops->pool_size);

    if (pool != NULL) {
        pool->lock = SPINLOCK_INIT(LOCK_RANK_SCHED);
        pool->ops = ops;
        pool->hv = hv;
        list_init(&pool->vcpus);
        if (ops->pool_init != NULL) {
            ops->pool_init(pool);
        }
    }
    return pool;
}

void cpupool_free(struct cpupool *pool) { mem_free(pool->hv, pool, pool->ops->pool_size); }

int cpupool_attach_locked(struct cpupool *pool, uint32_t cpu)
{
    struct hv *hv = pool->hv;
    struct sched_pcpu *sp = mem_alloc(hv, pool->ops->pcpu_size);

    if (sp == NULL) {
        return -XEN_ENOMEM;
    }
    sched_pcpu_init(sp, hv->pcpus[cpu], pool);
    spin_lock(&pool->lock);
    pool->ops->pcpu_init(sp);
    cpumask_set(&pool->cpus, cpu);
    cpumask_clear(&pool->leaving, cpu);
    pool->nr_cpus++;
    pool->generation++;
    /* Release: the CPU may be in sched_pick() already. */
    atomic_store_release(&hv->pcpus[cpu]->sched, sp);
    spin_unlock(&pool->lock);
    return 0;
}

/* Takes all CPUs out of a pool in which no vCPU is, and which no CPU looks at. */
static void detach_all(struct cpupool *pool)
{
    struct hv *hv = pool->hv;

    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        struct sched_pcpu *sp = hv->pcpus[i]->sched;

        if (sp != NULL && sp->pool == pool) {
            timer_stop(&sp->slice);
            hv->pcpus[i]->sched = NULL;
            mem_free(hv, sp, pool->ops->pcpu_size);
        }
    }
}

/* Errors: -XEN_EINVAL a CPU that there is not or none at all, -XEN_EBUSY one is taken. */
static int check_cpus(const struct hv *hv, const struct cpumask *cpus)
{
    if (cpumask_is_empty(cpus)) {
        return -XEN_EINVAL;
    }
    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        if (!cpumask_test(cpus, i)) {
            continue;
        }
        if (i >= hv->nr_pcpus || hv->pcpus[i] == NULL) {
            return -XEN_EINVAL;
        }
        if (hv->pcpus[i]->sched != NULL) {
            return -XEN_EBUSY;
        }
    }
    return 0;
}

static void link_locked(struct cpupool *pool, uint32_t id)
{
    struct cpupool **at = find_place(pool->hv, id);

    pool->id = id;
    pool->next = *at;
    *at = pool;
}

int cpupool_create(struct hv *hv, const char *name, enum sched_id id, const struct cpumask *cpus,
                   struct cpupool **out)
{
    const struct sched_ops *ops = find_scheduler(id);
    struct cpupool *pool = NULL;

    if (ops == NULL) {
        return -XEN_EINVAL;
    }
    spin_lock(&hv->lock);
    int rc = check_cpus(hv, cpus);
    if (rc == 0) {
        pool = pool_alloc(hv, ops);
        rc = pool == NULL ? -XEN_ENOMEM : 0;
    }
    for (uint32_t i = 0; rc == 0 && i < hv->nr_pcpus; i++) {
        rc = cpumask_test(cpus, i) ? cpupool_attach_locked(pool, i) : 0;
    }
    if (rc == 0) {
        str_copy(pool->name, sizeof(pool->name), name);
        link_locked(pool, free_id(hv));
        *out = pool;
    } else if (pool != NULL) {
        detach_all(pool);
        cpupool_free(pool);
    }
    spin_unlock(&hv->lock);
    return rc;
}

int cpupool_make(struct hv *hv, uint32_t *id, enum sched_id sched)
{
    const struct sched_ops *ops = find_scheduler(sched);

    if (ops == NULL) {
        return refuse(-XEN_EINVAL, "there is no such scheduler", sched, 0);
    }
    struct cpupool *pool = pool_alloc(hv, ops);
    if (pool == NULL) {
        return -XEN_ENOMEM;
    }
    spin_lock(&hv->lock);
    bool taken = *id != CPUPOOL_ANY && cpupool_find_locked(hv, *id) != NULL;
    if (!taken) {
        link_locked(pool, *id == CPUPOOL_ANY ? free_id(hv) : *id);
        *id = pool->id;
    }
    spin_unlock(&hv->lock);
    if (taken) {
        cpupool_free(pool);
        return refuse(-XEN_EEXIST, "a pool has this number", *id, 0);
    }
    return 0;
}

void cpupool_unlink_locked(struct cpupool *pool)
{
    *find_place(pool->hv, pool->id) = pool->next;
    if (pool->ops->pool_fini != NULL) {
        spin_lock(&pool->lock);
        pool->ops->pool_fini(pool);
        spin_unlock(&pool->lock);
    }
}

void cpupool_destroy_all(struct hv *hv)
{
    while (hv->pools != NULL) {
        struct cpupool *pool = hv->pools;

        cpupool_unlink_locked(pool);
        detach_all(pool);
        cpupool_free(pool);
    }
}

struct cpupool *cpupool_default(struct hv *hv) { return hv->pools; }
uint32_t cpupool_id(const struct cpupool *pool) { return pool->id; }
uint32_t cpupool_nr_cpus(const struct cpupool *pool) { return pool->nr_cpus; }
const struct cpumask *cpupool_cpus(const struct cpupool *pool) { return &pool->cpus; }
enum sched_id cpupool_sched(const struct cpupool *pool) { return pool->ops->id; }
const char *cpupool_name(const struct cpupool *pool) { return pool->name; }

int cpupool_info(struct hv *hv, uint32_t id, struct cpupool_info *out)
{
    spin_lock(&hv->lock);
    const struct cpupool *pool = *find_place(hv, id);
    if (pool != NULL) {
        *out = (struct cpupool_info){
            .id = pool->id,
            .sched = pool->ops->id,
            .nr_domains = pool->nr_domains,
            .cpus = pool->cpus,
        };
    }
    spin_unlock(&hv->lock);
    /* That is how a list of the pools ends: no reason to give. */
    return pool != NULL ? 0 : -XEN_ENOENT;
}

void cpupool_free_cpus(struct hv *hv, struct cpumask *out)
{
    *out = (struct cpumask){ { 0 } };
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        if (hv->pcpus[i] != NULL && atomic_load_relaxed(&hv->pcpus[i]->sched) == NULL) {
            cpumask_set(out, i);
        }
    }
}

struct cpupool *cpupool_get(struct hv *hv, uint32_t id)
{
    spin_lock(&hv->lock);
    struct cpupool *pool = cpupool_find_locked(hv, id);
    if (pool != NULL) {
        pool->refs++;
    }
    spin_unlock(&hv->lock);
    return pool;
}

void cpupool_put(struct cpupool *pool)
{
    spin_lock(&pool->hv->lock);
    pool->refs--;
    spin_unlock(&pool->hv->lock);
}

int cpupool_enter(struct domain *d)
{
    struct cpupool *pool = d->pool;

    spin_lock(&d->hv->lock);
    int rc = pool->nr_cpus == 0 ? -XEN_ENODEV : 0;
    pool->nr_domains += rc == 0;
    spin_unlock(&d->hv->lock);
    return rc == 0 ? 0 : refuse(rc, "the CPU pool has no CPU", pool->id, 0);
}

void cpupool_leave(struct domain *d)
{
    spin_lock(&d->hv->lock);
    d->pool->nr_domains--;
    spin_unlock(&d->hv->lock);
}

/* Finds the rate limit of a pool. Errors: as cpupool_get_ratelimit(). Locks: hv->lock is held. */
static int find_ratelimit(struct hv *hv, uint32_t id, enum sched_id sched, struct cpupool **out)
{
    struct cpupool *pool = cpupool_find_locked(hv, id);

    *out = pool;
    if (pool == NULL) {
        return refuse(-XEN_ESRCH, "there is no pool with this number", id, 0);
    }
    if (pool->ops->id != sched) {
        return refuse(-XEN_EINVAL, "the pool has another scheduler", sched, pool->ops->id);
    }
    return pool->ops->get_ratelimit != NULL
               ? 0
               : refuse(-XEN_EOPNOTSUPP, "the scheduler has no parameters", sched, 0);
}

int cpupool_get_ratelimit(struct hv *hv, uint32_t id, enum sched_id sched, uint32_t *us)
{
    struct cpupool *pool;

    spin_lock(&hv->lock);
    int rc = find_ratelimit(hv, id, sched, &pool);
    if (rc == 0) {
        spin_lock(&pool->lock);
        *us = (uint32_t)(pool->ops->get_ratelimit(pool) / NS_PER_US);
        spin_unlock(&pool->lock);
    }
    spin_unlock(&hv->lock);
    return rc;
}

int cpupool_set_ratelimit(struct hv *hv, uint32_t id, enum sched_id sched, uint32_t us)
{
    struct cpupool *pool;

    if (us != 0 && (us < CPUPOOL_RATELIMIT_MIN || us > CPUPOOL_RATELIMIT_MAX)) {
        return refuse(-XEN_EINVAL, "the rate limit is neither 0 nor in 100..500000 us", us, 0);
    }
    spin_lock(&hv->lock);
    int rc = find_ratelimit(hv, id, sched, &pool);
    if (rc == 0) {
        spin_lock(&pool->lock);
        pool->ops->set_ratelimit(pool, us * NS_PER_US);
        spin_unlock(&pool->lock);
    }
    spin_unlock(&hv->lock);
    return rc;
}
