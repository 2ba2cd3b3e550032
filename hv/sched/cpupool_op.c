/* SPDX-License-Identifier: MIT */
/*
 * Pools that change while guests run: a CPU enters or leaves one, a domain moves to another one,
 * a pool ends.
 *
 * Nothing here stops the machine. A CPU leaves by itself, in sched_pick(), when it runs nothing and
 * holds nobody's state; the caller comes again until it has. The masks of many vCPUs are
 * brought up to date by a job. A domain moves while its vCPUs have VCPU_PAUSE_MOVING: a job
 * waits until all are off their CPUs, so that a domain can move itself. All that may fail, fails
 * before: places in the new pool are made first.
 *
 * Locks: hv->lock, then d->lock, then one pool's. Read next: sched/sched.c.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/refusal.h>
#include <xen/errno.h>

#include "private.h"

#define REFRESH_NOW 64 /* vCPUs whose masks are brought up to date by the call itself */
#define REFRESH_STEP 256 /* ... and by a step of the job */

static int no_pool(uint32_t id)
{
    return refuse(-XEN_ENOENT, "there is no pool with this number", id, 0);
}

/* --- CPUs ----------------------------------------------------------------- */

static int refresh_step(struct job *j)
{
    struct cpupool *pool = container_of(j, struct cpupool, job);

    spin_lock(&pool->lock);
    bool all = sched_refresh(pool, REFRESH_STEP);
    spin_unlock(&pool->lock);
    return all ? 0 : -XEN_EAGAIN;
}

static void refresh_done(struct job *j, int rc)
{
    struct cpupool *pool = container_of(j, struct cpupool, job);

    spin_lock(&pool->lock);
    /* Whoever changed the CPUs again since the last step has left the rest to the job. */
    bool again = !sched_refresh(pool, REFRESH_STEP);
    pool->refreshing = again;
    spin_unlock(&pool->lock);
    if (again) {
        job_start(pool->hv, &pool->job);
    }
}

/* The pool's CPUs changed: so do the masks of its vCPUs, soon. Locks: none is held. */
static void refresh_all(struct cpupool *pool)
{
    spin_lock(&pool->lock);
    bool start = !sched_refresh(pool, REFRESH_NOW) && !pool->refreshing;
    pool->refreshing |= start;
    spin_unlock(&pool->lock);
    if (start) {
        pool->job = (struct job){ .step = refresh_step, .done = refresh_done };
        job_start(pool->hv, &pool->job);
    }
}

static bool cpu_exists(const struct hv *hv, uint32_t cpu)
{
    return cpu < hv->nr_pcpus && hv->pcpus[cpu] != NULL;
}

static int check_cpu(const struct hv *hv, uint32_t cpu)
{
    return cpu == CPUPOOL_ANY || cpu_exists(hv, cpu)
               ? 0
               : refuse(-XEN_EINVAL, "there is no such CPU", cpu, hv->nr_pcpus);
}

/* Errors: -XEN_ENODEV it is in a pool, or none is free. */
static int find_free_cpu(struct hv *hv, uint32_t wanted, uint32_t *out)
{
    struct cpumask cpus;

    cpupool_free_cpus(hv, &cpus);
    *out = wanted == CPUPOOL_ANY ? cpumask_first(&cpus) : wanted;
    if (*out == CPUMASK_NONE || !cpumask_test(&cpus, *out)) {
        return refuse(-XEN_ENODEV, "the CPU is in a pool", wanted, 0);
    }
    return 0;
}

/* Nobody waits any more for `cpu`, which is in no pool, to leave one. Locks: hv->lock is held. */
static void forget_leaving(struct hv *hv, uint32_t cpu)
{
    for (struct cpupool *pool = hv->pools; pool != NULL; pool = pool->next) {
        spin_lock(&pool->lock);
        cpumask_clear(&pool->leaving, cpu);
        spin_unlock(&pool->lock);
    }
}

int cpupool_add_cpu(struct hv *hv, uint32_t id, uint32_t cpu)
{
    int rc = check_cpu(hv, cpu);

    if (rc != 0) {
        return rc;
    }
    spin_lock(&hv->lock);
    struct cpupool *pool = cpupool_find_locked(hv, id);
    rc = pool == NULL ? no_pool(id) : find_free_cpu(hv, cpu, &cpu);
    if (rc == 0) {
        forget_leaving(hv, cpu);
        rc = cpupool_attach_locked(pool, cpu);
    }
    spin_unlock(&hv->lock);
    if (rc == 0) {
        refresh_all(pool);
        pcpu_kick(hv->pcpus[cpu], PCPU_WORK_SCHED);
    }
    return rc;
}

/* The highest CPU of m, CPUPOOL_ANY when there is none. */
static uint32_t last_cpu(const struct cpumask *m)
{
    uint32_t last = CPUPOOL_ANY;

    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        last = cpumask_test(m, i) ? i : last;
    }
    return last;
}

/*
 * `cpu` of the pool is given nothing to run any more. Errors: as cpupool_remove_cpu().
 * Locks: hv->lock and the pool's are held.
 */
static int begin_leaving_locked(struct cpupool *pool, uint32_t cpu)
{
    if (cpu == CPUPOOL_ANY || !cpumask_test(&pool->cpus, cpu)) {
        return refuse(-XEN_ENODEV, "the CPU is not in the pool", cpu, pool->id);
    }
    if (pool->nr_cpus == 1 && pool->nr_domains != 0) {
        return refuse(-XEN_EBUSY, "the pool has domains, it is its last CPU", cpu,
                      pool->nr_domains);
    }
    cpumask_clear(&pool->cpus, cpu);
    int rc =
        pool->ops->pcpu_leaves != NULL ? pool->ops->pcpu_leaves(pool->hv->pcpus[cpu]->sched) : 0;
    if (rc != 0) {
        cpumask_set(&pool->cpus, cpu);
        if (pool->nr_domains == 0) {
            return -XEN_EAGAIN; /* the vCPU's domain is dead, it goes soon */
        }
        return refuse(rc, "the CPU's vCPU finds no other CPU in the pool", cpu, pool->id);
    }
    cpumask_set(&pool->leaving, cpu);
    pool->nr_cpus--;
    pool->generation++;
    return 0;
}

/* True when `cpu`, which was told to leave, is gone; else it is asked again. */
static bool end_leaving(struct cpupool *pool, uint32_t cpu)
{
    struct pcpu *p = pool->hv->pcpus[cpu];

    spin_lock(&pool->lock);
    bool gone = atomic_load_relaxed(&p->sched) == NULL;
    if (gone) {
        cpumask_clear(&pool->leaving, cpu);
    }
    spin_unlock(&pool->lock);
    if (!gone) {
        pcpu_kick(p, PCPU_WORK_SCHED | PCPU_WORK_SAVE);
    }
    return gone;
}

int cpupool_remove_cpu(struct hv *hv, uint32_t id, uint32_t cpu)
{
    int rc = check_cpu(hv, cpu);

    if (rc != 0) {
        return rc;
    }
    spin_lock(&hv->lock);
    struct cpupool *pool = cpupool_find_locked(hv, id);
    if (pool != NULL) {
        spin_lock(&pool->lock);
        if (cpu == CPUPOOL_ANY) {
            bool again = !cpumask_is_empty(&pool->leaving);

            cpu = last_cpu(again ? &pool->leaving : &pool->cpus);
        }
        rc = cpu != CPUPOOL_ANY && cpumask_test(&pool->leaving, cpu)
                 ? 0
                 : begin_leaving_locked(pool, cpu);
        spin_unlock(&pool->lock);
    } else {
        rc = no_pool(id);
    }
    spin_unlock(&hv->lock);
    if (rc != 0) {
        return rc;
    }
    refresh_all(pool);
    return end_leaving(pool, cpu) ? 0 : -XEN_EAGAIN;
}

/* --- the end of a pool ---------------------------------------------------- */

static int free_step(struct job *j)
{
    struct cpupool *pool = container_of(j, struct cpupool, job);

    return hv_quiesce(pool->hv, pool) ? 0 : -XEN_EAGAIN;
}

static void free_done(struct job *j, int rc) { cpupool_free(container_of(j, struct cpupool, job)); }

/* Errors: -XEN_EAGAIN a vCPU, a CPU or the job is still on its way out. */
static int check_empty(struct cpupool *pool)
{
    int rc = 0;

    spin_lock(&pool->lock);
    if (!list_is_empty(&pool->vcpus) || pool->refreshing) {
        rc = -XEN_EAGAIN;
    }
    for (uint32_t i = 0; i < pool->hv->nr_pcpus; i++) {
        struct pcpu *p = pool->hv->pcpus[i];

        if (cpumask_test(&pool->leaving, i) && atomic_load_relaxed(&p->sched) != NULL) {
            pcpu_kick(p, PCPU_WORK_SCHED | PCPU_WORK_SAVE);
            rc = -XEN_EAGAIN;
        }
    }
    spin_unlock(&pool->lock);
    return rc;
}

int cpupool_destroy(struct hv *hv, uint32_t id)
{
    spin_lock(&hv->lock);
    struct cpupool *pool = cpupool_find_locked(hv, id);
    int rc = 0;

    if (pool == NULL) {
        rc = no_pool(id);
    } else if (pool == hv->pools) {
        rc = refuse(-XEN_EBUSY, "the default pool stays", id, 0);
    } else if (pool->nr_cpus != 0) {
        rc = refuse(-XEN_EBUSY, "the pool has CPUs", id, pool->nr_cpus);
    } else if (pool->nr_domains != 0 || pool->refs != 0) {
        rc = refuse(-XEN_EBUSY, "the pool has domains, or is kept for those of the boot plan",
                    pool->nr_domains, pool->refs);
    } else {
        rc = check_empty(pool);
    }
    if (rc == 0) {
        cpupool_unlink_locked(pool);
    }
    spin_unlock(&hv->lock);
    if (rc == 0) {
        pool->job = (struct job){ .step = free_step, .done = free_done };
        job_start(hv, &pool->job);
    }
    return rc;
}

/* --- a domain changes its pool -------------------------------------------- */

struct cpupool_move {
    struct job job;
    struct domain *d; /* a reference */
    struct cpupool *to;
    struct {
        struct sched_vcpu *sv; /* NULL: there is no such vCPU */
        struct pcpu *first;
    } place[]; /* by vCPU */
};

static size_t move_size(const struct domain *d)
{
    return sizeof(struct cpupool_move) +
           d->config.vcpus_max * sizeof(((struct cpupool_move *)NULL)->place[0]);
}

static void move_free(struct hv *hv, struct cpupool_move *m)
{
    for (uint32_t i = 0; i < m->d->config.vcpus_max; i++) {
        if (m->place[i].sv != NULL) {
            sched_place_free(m->place[i].sv);
        }
    }
    mem_free(hv, m, move_size(m->d));
}

/* The vCPUs are off their CPUs: they change their places. */
static int move_step(struct job *j)
{
    struct cpupool_move *m = container_of(j, struct cpupool_move, job);
    struct domain *d = m->d;
    struct vcpu *v;
    int rc = 0;

    for_each_vcpu(d, v, i) { rc = vcpu_is_off_cpu(v) ? rc : -XEN_EAGAIN; }
    if (rc != 0) {
        return rc;
    }
    spin_lock(&d->lock);
    struct cpupool *from = d->pool;
    for_each_vcpu(d, v, i)
    {
        sched_place_change(v, m->place[i].sv, m->place[i].first);
        m->place[i].sv = NULL;
    }
    d->pool = m->to;
    for_each_vcpu(d, v, i) { vcpu_unpause(v, VCPU_PAUSE_MOVING); }
    d->move = NULL;
    spin_unlock(&d->lock);

    spin_lock(&d->hv->lock);
    from->nr_domains--;
    spin_unlock(&d->hv->lock);
    return 0;
}

static void move_done(struct job *j, int rc)
{
    struct cpupool_move *m = container_of(j, struct cpupool_move, job);
    struct domain *d = m->d;

    move_free(d->hv, m);
    domain_put(d);
}

/* Makes all that the move needs. Errors: as cpupool_move_domain(). Locks: d->lock is held. */
static int move_prepare(struct domain *d, struct cpupool *to, struct cpupool_move **out)
{
    struct cpupool_move *m = mem_alloc(d->hv, move_size(d));
    struct vcpu *v;
    int rc = 0;

    if (m == NULL) {
        return -XEN_ENOMEM;
    }
    m->d = d;
    m->to = to;
    m->job = (struct job){ .step = move_step, .done = move_done };
    for_each_vcpu(d, v, i)
    {
        if (rc == 0) {
            rc = sched_place_make(v, to, &m->place[i].first, &m->place[i].sv);
        }
    }
    if (rc != 0) {
        move_free(d->hv, m);
        return rc == -XEN_ENOSPC ? refuse(rc, "the pool has too few CPUs without a vCPU", to->id, 0)
                                 : rc;
    }
    *out = m;
    return 0;
}

/* Begins, or looks how far it is. Locks: hv->lock and d->lock are held. */
static int move_begin_locked(struct domain *d, struct cpupool *to, struct cpupool_move **out)
{
    struct vcpu *v;

    if (d->move != NULL) {
        return d->move->to == to
                   ? -XEN_EAGAIN
                   : refuse(-XEN_EBUSY, "the domain moves to another pool", d->id, d->move->to->id);
    }
    if (d->state == DOMAIN_DYING) {
        return refuse(-XEN_EINVAL, "the domain is dying", d->id, 0);
    }
    if (d->pool == to) {
        return 0;
    }
    if (to->nr_cpus == 0) {
        return refuse(-XEN_ENODEV, "the CPU pool has no CPU", to->id, 0);
    }
    int rc = move_prepare(d, to, out);
    if (rc != 0) {
        return rc;
    }
    /* point of no return */
    domain_get(d);
    d->move = *out;
    to->nr_domains++;
    for_each_vcpu(d, v, i) { vcpu_pause(v, VCPU_PAUSE_MOVING); }
    return -XEN_EAGAIN;
}

int cpupool_move_domain(struct hv *hv, uint32_t id, struct domain *d)
{
    struct cpupool_move *m = NULL;

    spin_lock(&hv->lock);
    struct cpupool *to = cpupool_find_locked(hv, id);
    int rc = to == NULL ? no_pool(id) : 0;
    if (rc == 0) {
        spin_lock(&d->lock);
        rc = move_begin_locked(d, to, &m);
        spin_unlock(&d->lock);
    }
    spin_unlock(&hv->lock);
    if (m != NULL) {
        job_start(hv, &m->job);
    }
    return rc;
}
