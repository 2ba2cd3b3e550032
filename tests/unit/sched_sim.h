/* SPDX-License-Identifier: MIT */
/*
 * A discrete-event simulator of CPUs that run vCPUs by sched_pick().
 *
 * Each CPU goes through the steps of vcpu_next() one by one with random delays
 * between them, so that whatever another CPU may do in between does happen:
 *
 *   GUEST -(kick, timer, block, yield)-> WORK -> PICK -> SAVE -> RELEASE -> LOAD -> GUEST
 *                                                   `-> IDLE -(kick, timer)-> WORK
 *
 * The vCPUs are busy, sleep and wake on any CPU, yield, get paused and moved; pools are made,
 * changed and destroyed, and domains move between them (sim_admin()). After each step the rules
 * that no schedule may break are checked.
 */
#ifndef SCHED_SIM_H
#define SCHED_SIM_H

#include <loam/job.h>

#include "sched_fakes.h"

#define SIM_VCPUS 128
#define SIM_POOLS 4

enum sim_step { SIM_GUEST, SIM_WORK, SIM_PICK, SIM_SAVE, SIM_RELEASE, SIM_LOAD, SIM_IDLE };

/* What a vCPU does: runs `burst`, then sleeps `pause` or (pause 0) yields; burst 0: runs on. */
struct sim_guest {
    uint32_t domain;
    ns_t burst;
    ns_t pause;
    struct cpumask affinity; /* empty: all */
};

struct sim_vcpu {
    struct vcpu *v;
    struct sim_guest guest;
    ns_t left; /* of the burst */
    ns_t wake_at; /* NS_NEVER: does not sleep */
    ns_t ran; /* by the simulator's own account */
    ns_t waits; /* since when it could run and does not, 0: it does or could not */
    ns_t longest; /* longest such wait */
    uint64_t runs; /* how often it was entered */
};

struct sim_cpu {
    struct pcpu *p;
    enum sim_step step;
    ns_t at; /* when the step is done; GUEST, IDLE: when the work bits are seen */
    ns_t since; /* GUEST: booked up to here */
    struct vcpu *next; /* chosen, not loaded yet */
    struct vcpu *saved;
    ns_t wasted; /* idle while somebody could run here, since; 0: not */
};

struct sim {
    struct hv *hv;
    struct cpupool *pool;
    uint32_t nr_cpus, nr_vcpus, nr_domains;
    struct sim_cpu cpu[FAKE_CPUS];
    struct sim_vcpu vcpu[SIM_VCPUS];
    struct domain *domain[SIM_VCPUS];
    uint64_t seed, first_seed;
    ns_t wasted_max;
    bool chaos; /* pauses and affinities change at random */
    bool admin; /* pools change at random */
    bool caps; /* caps change at random */
    bool idles; /* CPUs may idle beside vCPUs that could run: rtds without extra time */
    int (*again)(struct sim *s); /* the pool operation that is under way, NULL: none */
    uint32_t op_pool, op_cpu; /* its arguments */
    struct domain *op_domain;
    uint64_t ops, moves; /* those that succeeded */
    uint64_t bad;
    uint64_t timers; /* that fired */
};

static inline uint64_t sim_random(struct sim *s, uint64_t below)
{
    s->seed += 0x9e3779b97f4a7c15u;
    uint64_t x = s->seed;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % below;
}

#define SIM_CHECK(s, cond) \
    do { \
        if (!(cond) && (s)->bad++ < 5) { \
            printf("seed %#llx, time %llu us: %s\n", (unsigned long long)(s)->first_seed, \
                   (unsigned long long)((fake_now() - FAKE_START) / 1000), #cond); \
            unit_fail(__FILE__, __LINE__, #cond); \
        } \
    } while (0)

static inline struct sim_vcpu *sim_of(struct sim *s, const struct vcpu *v)
{
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        if (s->vcpu[i].v == v) {
            return &s->vcpu[i];
        }
    }
    return NULL;
}

static inline bool sim_allowed(const struct sim_vcpu *sv, uint32_t cpu)
{
    const struct cpumask *pool = cpupool_cpus(sv->v->domain->pool);
    struct cpumask usable = cpumask_and(&sv->guest.affinity, pool);

    return cpumask_test(cpumask_is_empty(&usable) ? pool : &usable, cpu);
}

static inline struct sim *sim_create(uint32_t cpus, enum sched_id id, uint64_t seed)
{
    struct sim *s = calloc(1, sizeof(*s));
    struct cpumask all = fake_cpus(0, cpus - 1);

    s->hv = fake_hv_create(cpus);
    s->nr_cpus = cpus;
    s->seed = s->first_seed = seed;
    if (cpupool_create(s->hv, "sim", id, &all, &s->pool) != 0) {
        abort();
    }
    for (uint32_t i = 0; i < cpus; i++) {
        s->cpu[i] = (struct sim_cpu){ .p = s->hv->pcpus[i], .step = SIM_WORK, .at = fake_now() };
    }
    return s;
}

static inline uint32_t sim_domain(struct sim *s, uint32_t weight)
{
    s->domain[s->nr_domains] = fake_domain_create(s->hv, s->pool, SIM_VCPUS, weight);
    return s->nr_domains++;
}

static inline int sim_set_weight(struct sim *s, uint32_t domain, uint32_t weight)
{
    return sched_set_params(s->domain[domain], SCHED_CREDIT2,
                            &(struct sched_params){ .weight = weight });
}

static inline struct sim_vcpu *sim_add(struct sim *s, struct sim_guest g)
{
    uint32_t i = s->nr_vcpus++;
    struct sim_vcpu *sv = &s->vcpu[i];

    if (fake_vcpu_create(s->domain[g.domain], i) != 0) {
        abort();
    }
    sv->v = s->domain[g.domain]->vcpus[i];
    sv->guest = g;
    if (cpumask_is_empty(&g.affinity)) {
        sv->guest.affinity = fake_cpus(0, s->nr_cpus - 1);
    }
    sv->left = g.burst;
    sv->wake_at = NS_NEVER;
    if (!cpumask_is_empty(&g.affinity)) {
        CHECK_EQ(sched_set_affinity(sv->v, &g.affinity), 0);
    }
    fake_unpause(sv->v, VCPU_PAUSE_DOMAIN);
    return sv;
}

/* The guest on c, if one runs, has run until now. */
static inline void sim_account(struct sim *s, struct sim_cpu *c)
{
    if (c->step != SIM_GUEST) {
        return;
    }
    struct sim_vcpu *sv = sim_of(s, c->p->current);
    ns_t ran = fake_now() - c->since;

    sv->ran += ran;
    c->since = fake_now();
    if (sv->guest.burst != 0) {
        sv->left -= ran < sv->left ? ran : sv->left;
    }
}

static inline void sim_goto(struct sim *s, struct sim_cpu *c, enum sim_step step)
{
    c->step = step;
    c->at = fake_now() + 50 + sim_random(s, 500);
}

/* The burst of the guest on c is over. */
static inline void sim_guest_stops(struct sim *s, struct sim_cpu *c, struct sim_vcpu *sv)
{
    sv->left = sv->guest.burst;
    if (sv->guest.pause != 0) {
        atomic_fetch_or(&sv->v->pause, VCPU_PAUSE_BLOCKED);
        /* Sometimes it wakes before its CPU has left it. */
        sv->wake_at = fake_now() + (sim_random(s, 8) == 0 ? sim_random(s, 1500) : sv->guest.pause);
    } else {
        sched_yield_vcpu(sv->v);
    }
    pcpu_raise(c->p, PCPU_WORK_SCHED);
    sim_goto(s, c, SIM_WORK);
}

static inline void sim_save(struct sim_cpu *c)
{
    c->saved = c->p->loaded;
    c->p->loaded = NULL;
    if (c->saved != NULL) {
        atomic_store_release(&c->saved->loaded_on, NULL);
    }
}

static inline void sim_work(struct sim *s, struct sim_cpu *c)
{
    struct pcpu *p = c->p;
    uint32_t work = atomic_exchange(&p->work, 0);

    if ((work & PCPU_WORK_TIMER) || fake_timer_due(p) <= fake_now()) {
        fake_timer_fire(p);
        s->timers++;
    }
    if (work & PCPU_WORK_JOB) {
        job_step(p);
    }
    if (work & PCPU_WORK_QUIESCE) {
        atomic_fetch_sub(&p->hv->quiesce_pending, 1);
    }
    if ((work & PCPU_WORK_SAVE) && p->loaded != p->current) {
        sim_save(c);
        if (c->saved != NULL) {
            sched_released(c->saved);
        }
    }
    work |= atomic_fetch_and(&p->work, ~(uint32_t)PCPU_WORK_SCHED);
    bool pick = p->current == NULL || (work & PCPU_WORK_SCHED) || !vcpu_is_runnable(p->current);
    sim_goto(s, c, pick ? SIM_PICK : SIM_LOAD);
    c->next = p->current;
}

static inline void sim_pick(struct sim *s, struct sim_cpu *c)
{
    struct vcpu *v = sched_pick(c->p);

    c->next = v;
    c->p->current = v;
    if (v == NULL) {
        /* As pcpu_idle(). */
        sim_goto(s, c, c->p->work != 0 || job_step(c->p) ? SIM_WORK : SIM_IDLE);
        return;
    }
    SIM_CHECK(s, v->running && v->pcpu == c->p);
    SIM_CHECK(s, v->loaded_on == NULL || v->loaded_on == c->p);
    SIM_CHECK(s, sim_allowed(sim_of(s, v), c->p->id));
    for (uint32_t i = 0; i < s->nr_cpus; i++) {
        SIM_CHECK(s, &s->cpu[i] == c || s->cpu[i].p->current != v);
    }
    sim_goto(s, c, v != c->p->loaded ? SIM_SAVE : SIM_LOAD);
}

static inline void sim_load(struct sim *s, struct sim_cpu *c)
{
    struct vcpu *v = c->next;

    if (c->p->loaded != v) {
        SIM_CHECK(s, v->loaded_on == NULL);
        c->p->loaded = v;
        v->loaded_on = c->p;
    }
    if (c->p->work != 0 || !vcpu_is_runnable(v)) {
        sim_goto(s, c, SIM_WORK);
        return;
    }
    c->step = SIM_GUEST;
    c->at = NS_NEVER;
    c->since = fake_now();
    sim_of(s, v)->runs++;
}

/* When c does something next by itself. A kick takes up to 5 us to arrive. */
static inline ns_t sim_cpu_due(struct sim *s, struct sim_cpu *c)
{
    if (c->step != SIM_GUEST && c->step != SIM_IDLE) {
        return c->at;
    }
    if (c->p->work != 0 && c->at > fake_now() + 5000) {
        c->at = fake_now() + sim_random(s, 5000);
    }
    ns_t due = MIN(c->p->work != 0 ? c->at : NS_NEVER, fake_timer_due(c->p));
    if (c->step == SIM_GUEST) {
        const struct sim_vcpu *sv = sim_of(s, c->p->current);
        if (sv->guest.burst != 0) {
            due = MIN(due, c->since + sv->left);
        }
    }
    return MAX(due, fake_now());
}

static inline void sim_cpu_step(struct sim *s, struct sim_cpu *c)
{
    struct sim_vcpu *sv;

    fake_machine->cpu = c->p;
    c->p->idle = false;
    switch (c->step) {
    case SIM_GUEST:
        sv = sim_of(s, c->p->current);
        if (sv->guest.burst != 0 && sv->left == 0) {
            sim_guest_stops(s, c, sv);
            break;
        }
        sim_goto(s, c, SIM_WORK);
        break;
    case SIM_IDLE:
        sim_goto(s, c, SIM_WORK);
        break;
    case SIM_WORK:
        sim_work(s, c);
        if (c->step == SIM_LOAD && c->next == NULL) {
            sim_goto(s, c, SIM_PICK);
        }
        break;
    case SIM_PICK:
        sim_pick(s, c);
        if (c->step == SIM_IDLE) {
            c->p->idle = true;
            c->at = NS_NEVER;
        }
        break;
    case SIM_SAVE:
        sim_save(c);
        sim_goto(s, c, SIM_RELEASE);
        break;
    case SIM_RELEASE:
        if (c->saved != NULL) {
            sched_released(c->saved);
        }
        sim_goto(s, c, SIM_LOAD);
        break;
    case SIM_LOAD:
        sim_load(s, c);
        break;
    }
}

/* Pauses, unpauses or moves some vCPU. */
static inline void sim_chaos(struct sim *s)
{
    struct sim_vcpu *sv = &s->vcpu[sim_random(s, s->nr_vcpus)];

    fake_machine->cpu = s->hv->pcpus[sim_random(s, s->nr_cpus)];
    if (sim_random(s, 3) != 0) {
        if (sv->v->pause & VCPU_PAUSE_DOMAIN) {
            fake_unpause(sv->v, VCPU_PAUSE_DOMAIN);
        } else if (sim_random(s, 2) == 0) {
            fake_pause(sv->v, VCPU_PAUSE_DOMAIN);
        }
        return;
    }
    struct cpumask m = { { 1 + sim_random(s, (1u << s->nr_cpus) - 1), 0 } };
    if (sim_random(s, 4) == 0 && s->caps) {
        struct sched_params p = { .weight = 256, .cap = (uint32_t)sim_random(s, 3) * 40 };
        int rc = sched_set_params(sv->v->domain, SCHED_CREDIT2, &p);

        SIM_CHECK(s, rc == 0 || rc == -XEN_EBUSY || rc == -XEN_EINVAL);
    } else if (sim_random(s, 3) == 0) {
        int rc = sched_set_soft_affinity(sv->v, &m);

        SIM_CHECK(s, rc == 0 || rc == -XEN_EBUSY);
    } else if (sched_set_affinity(sv->v, &m) == 0) {
        sv->guest.affinity = m;
    }
}

/* --- pools ---------------------------------------------------------------- */

static inline int sim_op_add(struct sim *s)
{
    return cpupool_add_cpu(s->hv, s->op_pool, s->op_cpu);
}

static inline int sim_op_remove(struct sim *s)
{
    return cpupool_remove_cpu(s->hv, s->op_pool, s->op_cpu);
}

static inline int sim_op_make(struct sim *s)
{
    static const enum sched_id ids[] = { SCHED_CREDIT2, SCHED_RTDS, SCHED_NULL };
    uint32_t id = s->op_pool;

    return cpupool_make(s->hv, &id, ids[sim_random(s, 3)]);
}

static inline int sim_op_destroy(struct sim *s) { return cpupool_destroy(s->hv, s->op_pool); }

static inline int sim_op_move(struct sim *s)
{
    return cpupool_move_domain(s->hv, s->op_pool, s->op_domain);
}

/* Begins an operation on pools, or goes on with the one under way. */
static inline void sim_admin(struct sim *s)
{
    static int (*const ops[])(struct sim * s) = { sim_op_add,    sim_op_add,  sim_op_remove,
                                                  sim_op_make,   sim_op_move, sim_op_move,
                                                  sim_op_destroy };

    fake_machine->cpu = s->hv->pcpus[sim_random(s, s->nr_cpus)];
    if (s->again == NULL) {
        s->again = ops[sim_random(s, ARRAY_SIZE(ops))];
        s->op_pool = (uint32_t)sim_random(s, SIM_POOLS);
        s->op_cpu = sim_random(s, 4) == 0 ? CPUPOOL_ANY : (uint32_t)sim_random(s, s->nr_cpus);
        s->op_domain = s->domain[sim_random(s, s->nr_domains)];
    }
    int rc = s->again(s);

    if (rc == -XEN_EAGAIN) {
        return;
    }
    s->ops += rc == 0;
    s->moves += rc == 0 && s->again == sim_op_move;
    s->again = NULL;
}

/* Books waits of vCPUs and idle time of CPUs that could have been used. */
static inline void sim_watch(struct sim *s)
{
    uint64_t could[2] = { 0, 0 };

    if (s->idles) {
        return;
    }

    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        struct sim_vcpu *sv = &s->vcpu[i];

        if (!vcpu_is_runnable(sv->v) || sv->v->running) {
            sv->waits = 0;
            continue;
        }
        sv->waits = sv->waits == 0 ? fake_now() : sv->waits;
        sv->longest = MAX(sv->longest, fake_now() - sv->waits);
        for (uint32_t c = 0; c < s->nr_cpus; c++) {
            could[0] |= sim_allowed(sv, c) ? BIT(c) : 0;
        }
    }
    for (uint32_t i = 0; i < s->nr_cpus; i++) {
        struct sim_cpu *c = &s->cpu[i];

        if (c->step != SIM_IDLE || (could[0] & BIT(i)) == 0) {
            c->wasted = 0;
            continue;
        }
        c->wasted = c->wasted == 0 ? fake_now() : c->wasted;
        s->wasted_max = MAX(s->wasted_max, fake_now() - c->wasted);
    }
}

static inline void sim_run(struct sim *s, ns_t duration)
{
    ns_t end = fake_now() + duration;
    ns_t chaos_at = s->chaos ? fake_now() : NS_NEVER;
    ns_t admin_at = s->admin ? fake_now() : NS_NEVER;

    while (fake_now() < end) {
        ns_t due = MIN(end, MIN(chaos_at, admin_at));
        struct sim_cpu *cpu = NULL;
        struct sim_vcpu *waker = NULL;
        uint32_t first = (uint32_t)sim_random(s, s->nr_cpus);

        for (uint32_t i = 0; i < s->nr_cpus; i++) {
            struct sim_cpu *c = &s->cpu[(first + i) % s->nr_cpus];
            ns_t at = sim_cpu_due(s, c);
            if (at < due) {
                due = at;
                cpu = c;
            }
        }
        for (uint32_t i = 0; i < s->nr_vcpus; i++) {
            if (s->vcpu[i].wake_at < due) {
                due = s->vcpu[i].wake_at;
                waker = &s->vcpu[i];
            }
        }
        fake_machine->now = MAX(due, fake_now());
        for (uint32_t i = 0; i < s->nr_cpus; i++) {
            sim_account(s, &s->cpu[i]);
        }
        if (waker != NULL) {
            waker->wake_at = NS_NEVER;
            fake_unpause(waker->v, VCPU_PAUSE_BLOCKED);
        } else if (cpu != NULL) {
            sim_cpu_step(s, cpu);
        } else if (due == chaos_at) {
            sim_chaos(s);
            chaos_at = fake_now() + sim_random(s, NS_PER_MS);
        } else if (due == admin_at) {
            sim_admin(s);
            admin_at = fake_now() + sim_random(s, s->again != NULL ? 20000 : 3 * NS_PER_MS);
        }
        sim_watch(s);
    }
}

/* ns that all vCPUs of a domain ran. */
static inline ns_t sim_domain_ran(const struct sim *s, uint32_t domain)
{
    ns_t ran = 0;

    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        ran += s->vcpu[i].guest.domain == domain ? s->vcpu[i].ran : 0;
    }
    return ran;
}

/* Ends chaos and what is under way with pools. */
static inline void sim_stop(struct sim *s)
{
    s->chaos = false;
    for (uint32_t i = 0; i < 1000 && s->again != NULL; i++) {
        s->admin = true;
        sim_run(s, 20 * NS_PER_US);
    }
    SIM_CHECK(s, s->again == NULL);
    s->admin = false;
}

/* Stops everything, lets the CPUs let go and frees it all. */
static inline void sim_destroy(struct sim *s)
{
    sim_stop(s);
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        s->vcpu[i].wake_at = NS_NEVER;
        fake_pause(s->vcpu[i].v, VCPU_PAUSE_OFFLINE);
    }
    sim_run(s, 20 * NS_PER_MS);
    for (uint32_t i = 0; i < s->nr_cpus; i++) {
        SIM_CHECK(s, s->cpu[i].step == SIM_IDLE && s->cpu[i].p->current == NULL);
        pcpu_kick(s->cpu[i].p, PCPU_WORK_SAVE);
    }
    sim_run(s, NS_PER_MS);
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        SIM_CHECK(s, s->vcpu[i].v->loaded_on == NULL && !s->vcpu[i].v->running);
    }
    for (uint32_t i = 0; i < s->nr_domains; i++) {
        fake_domain_destroy(s->domain[i]);
    }
    fake_hv_destroy(s->hv);
    free(s);
}

#endif
