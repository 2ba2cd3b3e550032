/* SPDX-License-Identifier: MIT */
/*
 * Scheduling: one interface, a scheduler per cpupool behind it.
 *
 * The run loop asks sched_pick(); everything else tells the scheduler what
 * changed. credit2 shares CPUs by weight with preemption; rtds gives each vCPU its
 * budget of every period, earliest deadline first; null gives each vCPU a CPU of its
 * own. Read next: sched/sched.c, then sched/credit2.c.
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
enum sched_id { SCHED_CREDIT2 = 6, SCHED_RTDS = 8, SCHED_NULL = 9 };

/* As a device tree and `xl` name it: "credit2", "rtds", "null"; "unknown". */
const char *sched_name(enum sched_id id);

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

static inline struct cpumask cpumask_or(const struct cpumask *a, const struct cpumask *b)
{
    return (struct cpumask){ { a->w[0] | b->w[0], a->w[1] | b->w[1] } };
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

/* --- pools ---------------------------------------------------------------- */

#define CPUPOOL_ANY UINT32_MAX /* XEN_SYSCTL_CPUPOOL_PAR_ANY */
#define CPUPOOL_RATELIMIT_MIN 100 /* XEN_SYSCTL_SCHED_RATELIMIT_*, us */
#define CPUPOOL_RATELIMIT_MAX 500000

struct cpupool_info {
    uint32_t id;
    enum sched_id sched;
    uint32_t nr_domains;
    struct cpumask cpus;
};

/*
 * Makes a pool of the CPUs in `cpus` (which must be in no pool), with the lowest free
 * id. The first pool made is the default one, number 0. name is copied. Errors: -XEN_ENOMEM,
 * -XEN_EINVAL unknown scheduler, no CPU or one that there is not, -XEN_EBUSY a CPU is in a pool.
 */
int __must_check cpupool_create(struct hv *hv, const char *name, enum sched_id id,
                                const struct cpumask *cpus, struct cpupool **out);
struct cpupool *cpupool_default(struct hv *hv);
uint32_t cpupool_id(const struct cpupool *pool);
uint32_t cpupool_nr_cpus(const struct cpupool *pool);
const struct cpumask *cpupool_cpus(const struct cpupool *pool);
enum sched_id cpupool_sched(const struct cpupool *pool);
const char *cpupool_name(const struct cpupool *pool);
/* Frees all pools (host tests; no vCPU is left). */
void cpupool_destroy_all(struct hv *hv);

/*
 * What a toolstack does with pools while the machine runs, by their ids. Errors are those that
 * Xen's public sysctl.h has for the operation; those that are detected here are refuse()d.
 * Locks: hv->lock and what ranks above. -XEN_EAGAIN: it has begun, call again with the
 * same arguments (hc_again()) until it is done; a caller that does not return leaves
 * nothing behind that others would wait for.
 */

/*
 * Makes a pool without CPUs, with number *id or (CPUPOOL_ANY) the lowest free one, which is then
 * in *id. Errors: -XEN_EINVAL unknown scheduler, -XEN_EEXIST the number is taken, -XEN_ENOMEM.
 */
int __must_check cpupool_make(struct hv *hv, uint32_t *id, enum sched_id sched);
/*
 * The end of a pool without CPUs and domains. Errors: -XEN_ENOENT, -XEN_EBUSY it has a CPU or a
 * domain, may get one of the boot plan's, or is the default one; -XEN_EAGAIN.
 */
int __must_check cpupool_destroy(struct hv *hv, uint32_t id);
/* About the pool with this number or the next higher one. Errors: -XEN_ENOENT there is none. */
int __must_check cpupool_info(struct hv *hv, uint32_t id, struct cpupool_info *out);
/*
 * A CPU that is in no pool (CPUPOOL_ANY: the lowest) enters one. Errors: -XEN_ENOENT,
 * -XEN_EINVAL no such CPU, -XEN_ENODEV it is in a pool, or none is free; -XEN_ENOMEM, -XEN_EAGAIN.
 */
int __must_check cpupool_add_cpu(struct hv *hv, uint32_t id, uint32_t cpu);
/*
 * A CPU (CPUPOOL_ANY: the highest) leaves its pool and idles, doing its other work; vCPUs that may
 * run on no other CPU of the pool run on all of them, until theirs is back. Errors: -XEN_ENOENT,
 * -XEN_EINVAL no such CPU, -XEN_ENODEV it is not in the pool, -XEN_EBUSY it is the last one
 * and the pool has domains, or (null) its vCPU finds no other; -XEN_EAGAIN.
 */
int __must_check cpupool_remove_cpu(struct hv *hv, uint32_t id, uint32_t cpu);
/*
 * d moves to another pool; its vCPUs do not run meanwhile. The scheduler's parameters are the new
 * one's defaults, without a cap, but for the weight; affinities stay as they were set. Context:
 * d's own vCPU, too. Errors: -XEN_ENOENT, -XEN_EINVAL d is dying, -XEN_ENODEV the pool has no
 * CPU, -XEN_ENOSPC (null) too few CPUs without a vCPU, -XEN_EBUSY another move of d is under way,
 * -XEN_ENOMEM, -XEN_EAGAIN.
 */
int __must_check cpupool_move_domain(struct hv *hv, uint32_t id, struct domain *d);
/* The CPUs that are in no pool. */
void cpupool_free_cpus(struct hv *hv, struct cpumask *out);

/*
 * The pool with this number, kept from being destroyed until cpupool_put(): for
 * domain_config.pool, or for who creates domains again (boot plan). NULL: there is none.
 */
struct cpupool *cpupool_get(struct hv *hv, uint32_t id);
void cpupool_put(struct cpupool *pool);
/*
 * A domain that is created enters d->pool; it leaves its pool for good (its vCPUs may be in it a
 * little longer). Errors: -XEN_ENODEV the pool has no CPU.
 */
int __must_check cpupool_enter(struct domain *d);
void cpupool_leave(struct domain *d);

/*
 * The shortest time that credit2 lets a vCPU run before another one takes its CPU, in us:
 * 0 or 100..500000. Errors: -XEN_ESRCH no such pool, -XEN_EINVAL it has another scheduler, or
 * a bad value; -XEN_EOPNOTSUPP the scheduler has nothing to set.
 */
int __must_check cpupool_get_ratelimit(struct hv *hv, uint32_t pool, enum sched_id sched,
                                       uint32_t *us);
int __must_check cpupool_set_ratelimit(struct hv *hv, uint32_t pool, enum sched_id sched,
                                       uint32_t us);

/* --- vCPUs and domains ---------------------------------------------------- */

/*
 * A vCPU enters its domain's pool, paused. Errors: -XEN_ENOMEM, -XEN_ENOSPC
 * (null: every CPU of the pool has a vCPU already).
 */
int __must_check sched_vcpu_init(struct vcpu *v);
void sched_vcpu_fini(struct vcpu *v);
/*
 * The end of what d as a whole has with its scheduler: stop before a quiescent point, when no
 * parameters are set any more; fini after it.
 */
void sched_domain_stop(struct domain *d);
void sched_domain_fini(struct domain *d);

/*
 * Where a vCPU may run (hard) and where it should if it can choose (soft; null and rtds ignore
 * it), as they were set. What counts is their intersection with the CPUs of the pool, now and when
 * those change; of an empty one, all CPUs of the pool.
 * All functions on v and d below. Context: any CPU; the domain was found by domain_lookup() in this
 * hypercall, or is known not to be retired.
 */
struct sched_affinity {
    struct cpumask hard;
    struct cpumask soft;
};

void sched_get_affinity(struct vcpu *v, struct sched_affinity *out);
/* The intersections: hard with the pool's CPUs, soft with that. Never empty: see above. */
void sched_get_effective_affinity(struct vcpu *v, struct sched_affinity *out);
/*
 * Locks: d->lock. Errors: -XEN_EBUSY the domain moves to another pool; of hard also (null) the CPUs
 * are taken, and -XEN_EINVAL no CPU of the pool is among them.
 */
int __must_check sched_set_affinity(struct vcpu *v, const struct cpumask *hard);
int __must_check sched_set_soft_affinity(struct vcpu *v, const struct cpumask *soft);

/* NUMA nodes of d, one bit each. There is node 0 only. Errors: -XEN_EINVAL it is not among them. */
int __must_check sched_set_node_affinity(struct domain *d, uint64_t nodes);
uint64_t sched_node_affinity(const struct domain *d);

/* Parameters of all schedulers; each looks at its own. */
struct sched_params {
    uint32_t weight; /* credit2: 1..SCHED_WEIGHT_MAX */
    uint32_t cap;    /* credit2: percent of one CPU that the domain gets at most, 0: no limit */
    uint32_t period; /* rtds: us */
    uint32_t budget; /* rtds: us of each period */
    bool extra;      /* rtds: may use CPU time beyond its budget that nobody else wants */
};

/*
 * Parameters of a domain (rtds: of all its vCPUs; get has the defaults). Errors: -XEN_EINVAL its
 * pool has another scheduler, or a value is out of range; -XEN_EOPNOTSUPP (null) there are none;
 * -XEN_EBUSY it moves to another pool or is dying, -XEN_ENOMEM.
 */
int __must_check sched_get_params(struct domain *d, enum sched_id id, struct sched_params *out);
int __must_check sched_set_params(struct domain *d, enum sched_id id,
                                  const struct sched_params *in);
/* The same of one vCPU; -XEN_EINVAL also where only domains have parameters (credit2). */
int __must_check sched_get_vcpu_params(struct vcpu *v, enum sched_id id,
                                       struct sched_params *out);
int __must_check sched_set_vcpu_params(struct vcpu *v, enum sched_id id,
                                       const struct sched_params *in);

/* RUNSTATE_* of the Xen ABI (public vcpu.h). */
enum vcpu_state {
    VCPU_STATE_RUNNING,
    VCPU_STATE_RUNNABLE, /* waits for a CPU */
    VCPU_STATE_BLOCKED,  /* waits for an interrupt or event */
    VCPU_STATE_OFFLINE,  /* switched off or paused, and does not wait for an event either */
    VCPU_STATES
};

struct vcpu_runstate {
    enum vcpu_state state;
    ns_t since;             /* when it entered this state, of arch_time_now() */
    ns_t time[VCPU_STATES]; /* in each state; the present one up to `since` */
};

/* A consistent copy. time[state] grows by now - since. */
void vcpu_runstate(struct vcpu *v, struct vcpu_runstate *out);

/*
 * From now on hook(v, &runstate) is called at each change of v's state, and once at once:
 * it tells the guest. NULL: no more; the last call is over then. hook runs under the scheduler's
 * lock (LOCK_RANK_SCHED): it may write to memory shared for good and take no lock below.
 */
void vcpu_watch_runstate(struct vcpu *v,
                         void (*hook)(struct vcpu *v, const struct vcpu_runstate *r));

/* What getvcpuinfo tells. */
struct vcpu_status {
    bool online;   /* not switched off by PSCI CPU_OFF / SBI hart_stop */
    bool blocked;  /* waits for an event */
    bool running;  /* on `cpu` now */
    uint32_t cpu;  /* where it runs or ran last */
    ns_t cpu_time; /* as sched_runtime() */
};

void vcpu_status(struct vcpu *v, struct vcpu_status *out);

/* ns that v has run since it was created. */
ns_t sched_runtime(struct vcpu *v);
/* v's pause bits changed and some are left: its state may be another one. */
void sched_state_changed(struct vcpu *v);

/* --- for the run loop ----------------------------------------------------- */

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

#endif
