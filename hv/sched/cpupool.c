/* SPDX-License-Identifier: MIT */
/*
 * CPU pools: disjoint sets of CPUs, each with a scheduler of its own.
 *
 * Pools are made while booting and stay; a CPU that is in none runs no guest.
 * The list hangs off hv->pools, in order of creation, the default pool first.
 * Lock: hv->lock for the list. Read next: sched/sched.c.
 */
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "private.h"

static const struct sched_ops *const schedulers[] = { &credit2_ops, &null_ops };

static const struct sched_ops *find_scheduler(enum sched_id id)
{
    for (size_t i = 0; i < ARRAY_SIZE(schedulers); i++) {
        if (schedulers[i]->id == id) {
            return schedulers[i];
        }
    }
    return NULL;
}

/* Takes the CPUs below `end` out of the pool again and frees it. No vCPU is in it. */
static void pool_free(struct cpupool *pool, uint32_t end)
{
    struct hv *hv = pool->hv;

    for (uint32_t i = 0; i < end; i++) {
        struct pcpu *p = hv->pcpus[i];

        if (cpumask_test(&pool->cpus, i)) {
            struct sched_pcpu *sp = p->sched;

            timer_stop(&sp->slice);
            p->sched = NULL;
            mem_free(hv, sp, pool->ops->pcpu_size);
        }
    }
    mem_free(hv, pool, pool->ops->pool_size);
}

/* Errors: as cpupool_create(). Locks: hv->lock is held. */
static int pool_make_locked(struct hv *hv, const struct sched_ops *ops, const struct cpumask *cpus,
                            struct cpupool **out)
{
    struct cpupool *pool = mem_alloc(hv, ops->pool_size);

    if (pool == NULL) {
        return -XEN_ENOMEM;
    }
    pool->lock = SPINLOCK_INIT(LOCK_RANK_SCHED);
    pool->ops = ops;
    pool->hv = hv;
    pool->cpus = *cpus;
    pool->nr_cpus = cpumask_count(cpus);
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        if (!cpumask_test(cpus, i)) {
            continue;
        }
        struct sched_pcpu *sp = mem_alloc(hv, ops->pcpu_size);
        if (sp == NULL) {
            pool_free(pool, i);
            return -XEN_ENOMEM;
        }
        sched_pcpu_init(sp, hv->pcpus[i], pool);
        ops->pcpu_init(sp);
        /* Release: the CPU may be in sched_pick() already. */
        atomic_store_release(&hv->pcpus[i]->sched, sp);
    }
    *out = pool;
    return 0;
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

int cpupool_create(struct hv *hv, const char *name, enum sched_id id, const struct cpumask *cpus,
                   struct cpupool **out)
{
    const struct sched_ops *ops = find_scheduler(id);

    if (ops == NULL) {
        return -XEN_EINVAL;
    }
    spin_lock(&hv->lock);
    int rc = check_cpus(hv, cpus);
    if (rc == 0) {
        rc = pool_make_locked(hv, ops, cpus, out);
    }
    if (rc == 0) {
        struct cpupool **last = &hv->pools;

        while (*last != NULL) {
            last = &(*last)->next;
        }
        str_copy((*out)->name, sizeof((*out)->name), name);
        *last = *out;
    }
    spin_unlock(&hv->lock);
    return rc;
}

struct cpupool *cpupool_default(struct hv *hv) { return hv->pools; }
uint32_t cpupool_nr_cpus(const struct cpupool *pool) { return pool->nr_cpus; }
const struct cpumask *cpupool_cpus(const struct cpupool *pool) { return &pool->cpus; }
enum sched_id cpupool_sched(const struct cpupool *pool) { return pool->ops->id; }
const char *cpupool_name(const struct cpupool *pool) { return pool->name; }

void cpupool_destroy_all(struct hv *hv)
{
    while (hv->pools != NULL) {
        struct cpupool *pool = hv->pools;

        hv->pools = pool->next;
        pool_free(pool, hv->nr_pcpus);
    }
}
