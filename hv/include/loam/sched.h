/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: one interface, a scheduler per cpupool behind it.
 *
 * The run loop asks sched_pick(); everything else tells the scheduler what
 * changed. credit2 shares CPUs by weight with preemption; null gives each
 * vCPU a CPU of its own. Read next: sched/sched.c, then sched/credit2.c.
 */
#ifndef LOAM_SCHED_H
#define LOAM_SCHED_H

#include <loam/bits.h>
#include <loam/types.h>

struct cpupool;
struct domain;
struct hv;
struct pcpu;
struct vcpu;

/* XEN_SCHEDULER_* ids of the Xen ABI (public domctl.h). */
enum sched_id { SCHED_CREDIT2 = 6, SCHED_NULL = 9 };

#define SCHED_WEIGHT_DEFAULT 256
#define SCHED_WEIGHT_MAX 65535

#define CPUMASK_WORDS 2
#define CPUMASK_NONE UINT32_MAX

/* A set of CPUs by pcpu.id. Not atomic: the owner of a mask serialises its writers. */
struct cpumask {
    uint64_t w[CPUMASK_WORDS]; /* HV_PCPUS_MAX bits */
};

static inline void cpumask_set(struct cpumask *m, uint32_t cpu) { m->w[cpu / 64] |= BIT(cpu % 64); }

static inline void cpumask_clear(struct cpumask *m, uint32_t cpu)
{
    m->w[cpu / 64] &= ~BIT(cpu % 64);
}

static inline bool cpumask_test(const struct cpumask *m, uint32_t cpu)
{
    return (m->w[cpu / 64] >> (cpu % 64)) & 1;
}

static inline struct cpumask cpumask_and(const struct cpumask *a, const struct cpumask *b)
{
    return (struct cpumask){ { a->w[0] & b->w[0], a->w[1] & b->w[1] } };
}

/* The lowest CPU of m, CPUMASK_NONE when it is empty. */
static inline uint32_t cpumask_first(const struct cpumask *m)
{
    if (m->w[0] != 0) {
        return (uint32_t)ctz64(m->w[0]);
    }
    return m->w[1] != 0 ? 64 + (uint32_t)ctz64(m->w[1]) : CPUMASK_NONE;
}

static inline bool cpumask_is_empty(const struct cpumask *m) { return (m->w[0] | m->w[1]) == 0; }

static inline uint32_t cpumask_count(const struct cpumask *m)
{
    return popcount64(m->w[0]) + popcount64(m->w[1]);
}

/*
 * Makes a pool of the CPUs in `cpus` (which must be in no pool). The first
 * pool made is the default one. name is copied. Errors: -XEN_ENOMEM,
 * -XEN_EINVAL unknown scheduler or no CPU, -XEN_EBUSY a CPU is in a pool.
 */
int __must_check cpupool_create(struct hv *hv, const char *name, enum sched_id id,
                                const struct cpumask *cpus, struct cpupool **out);
struct cpupool *cpupool_default(struct hv *hv);
uint32_t cpupool_nr_cpus(const struct cpupool *pool);
const struct cpumask *cpupool_cpus(const struct cpupool *pool);
enum sched_id cpupool_sched(const struct cpupool *pool);
const char *cpupool_name(const struct cpupool *pool);
/* Frees all pools (host tests; no vCPU is left). */
void cpupool_destroy_all(struct hv *hv);

/*
 * A vCPU enters its domain's pool, paused. Errors: -XEN_ENOMEM, -XEN_ENOSPC
 * (null: every CPU of the pool has a vCPU already).
 */
int __must_check sched_vcpu_init(struct vcpu *v);
void sched_vcpu_fini(struct vcpu *v);

/*
 * Restricts v to CPUs. Errors: -XEN_EINVAL no CPU of the pool is among them;
 * null also -XEN_EBUSY.
 */
int __must_check sched_set_affinity(struct vcpu *v, const struct cpumask *hard);
/* Errors: -XEN_EINVAL 0 or over SCHED_WEIGHT_MAX, -XEN_EOPNOTSUPP the pool's scheduler has none. */
int __must_check sched_set_weight(struct domain *d, uint32_t weight);

/* v became runnable (v->pause is 0). Context: any CPU, any lock below LOCK_RANK_SCHED. */
void sched_wake(struct vcpu *v);
/* v is not runnable any more; if it runs, its CPU is kicked. Context: any CPU. */
void sched_sleep(struct vcpu *v);
/*
 * v, current on this CPU, lets others go first once. (Plain "sched_yield"
 * would take the place of the C library's in host programs.)
 */
void sched_yield_vcpu(struct vcpu *v);

/*
 * v's state left the hardware of the CPU that held it (v->loaded_on is NULL
 * since); wakes a CPU that waits for v. Context: the CPU that held it, which
 * calls it after each such store, no lock of LOCK_RANK_SCHED or above held.
 * Cheap when nobody waits.
 */
void sched_released(struct vcpu *v);

/*
 * Chooses what p runs next: marks it running with v->pcpu = p, puts the
 * previous one back in its queue if it is still runnable, sets p's preemption
 * timer. NULL: nothing to run. Never returns a vCPU whose state is loaded on
 * another CPU: that CPU is asked to run or to release it.
 * Context: p itself, from vcpu_next(), no lock held.
 */
struct vcpu *sched_pick(struct pcpu *p);

/* ns that v has run since it was created. */
ns_t sched_runtime(const struct vcpu *v);

#endif
