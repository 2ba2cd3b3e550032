/* SPDX-License-Identifier: MIT */
/*
 * sched/sched.c and sched/null.c: who runs where step by step, run time, races
 * between blocking and waking, and the null scheduler in the simulator.
 */
#include "../../hv/sched/private.h"
#include "sched_sim.h"

static const struct cpumask anywhere;

/* A pool of nr CPUs and a domain with up to 8 vCPUs in it. */
struct setup {
    struct hv *hv;
    struct cpupool *pool;
    struct domain *d;
};

static bool setup(struct setup *t, uint32_t nr, enum sched_id id)
{
    struct cpumask all = fake_cpus(0, nr - 1);

    t->hv = fake_hv_create(nr);
    if (cpupool_create(t->hv, "pool", id, &all, &t->pool) != 0) {
        fake_hv_destroy(t->hv);
        return false;
    }
    t->d = fake_domain_create(t->hv, t->pool, 8, 256);
    return true;
}

static void teardown(struct setup *t)
{
    fake_domain_destroy(t->d);
    fake_hv_destroy(t->hv);
}

static struct vcpu *add(struct setup *t, uint32_t id)
{
    if (fake_vcpu_create(t->d, id) != 0) {
        abort();
    }
    return t->d->vcpus[id];
}

/* What vcpu_next() does with a choice. */
static struct vcpu *pick(struct pcpu *p)
{
    fake_machine->cpu = p;
    p->work = 0;
    struct vcpu *v = sched_pick(p);

    p->current = v;
    if (v != NULL && v != p->loaded) {
        struct vcpu *old = p->loaded;
        p->loaded = v;
        CHECK(v->loaded_on == NULL);
        if (old != NULL) {
            old->loaded_on = NULL;
            sched_released(old);
        }
        v->loaded_on = p;
    }
    return v;
}

static void release(struct pcpu *p)
{
    struct vcpu *old = p->loaded;

    p->loaded = NULL;
    old->loaded_on = NULL;
    sched_released(old);
}

static void each_scheduler(void (*fn)(enum sched_id id))
{
    fn(SCHED_CREDIT2);
    fn(SCHED_RTDS);
    fn(SCHED_NULL);
}

static void wake_and_block(enum sched_id id)
{
    struct setup t;

    REQUIRE(setup(&t, 1, id));
    struct pcpu *p = t.hv->pcpus[0];
    struct vcpu *v = add(&t, 0);

    CHECK(v->dedicated == (id == SCHED_NULL));
    CHECK(pick(p) == NULL);
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(p->work, PCPU_WORK_SCHED);
    CHECK(pick(p) == v && v->running && v->pcpu == p);
    fake_machine->now += 5 * NS_PER_MS;
    CHECK_EQ(sched_runtime(v), 5 * NS_PER_MS);
    CHECK(pick(p) == v);
    CHECK_EQ(sched_runtime(v), 5 * NS_PER_MS);

    /* It blocks; a wake-up that comes before the pick keeps it running. */
    v->pause |= VCPU_PAUSE_BLOCKED;
    fake_unpause(v, VCPU_PAUSE_BLOCKED);
    CHECK(pick(p) == v && v->running);
    /* One that comes after it brings it back. */
    v->pause |= VCPU_PAUSE_BLOCKED;
    CHECK(pick(p) == NULL && !v->running);
    fake_machine->now += NS_PER_MS;
    CHECK_EQ(sched_runtime(v), 5 * NS_PER_MS);
    fake_unpause(v, VCPU_PAUSE_BLOCKED);
    CHECK_EQ(p->work, PCPU_WORK_SCHED);
    CHECK(pick(p) == v);

    /* Stopped from elsewhere while it runs. */
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(p->work, PCPU_WORK_SCHED);
    CHECK(pick(p) == NULL && !v->running);
    /* Stopped while it waits, before its CPU has looked. */
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == NULL);
    /* Waking what must not run, or twice, does no harm. */
    sched_wake(v);
    CHECK(pick(p) == NULL);
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    sched_wake(v);
    CHECK(pick(p) == v);
    sched_wake(v);
    sched_yield_vcpu(v);
    CHECK(pick(p) == v);
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == NULL);
    if (id != SCHED_RTDS) { /* budget needs a timer also of one that is alone */
        CHECK_EQ(fake_timer_due(t.hv->pcpus[0]), NS_NEVER);
    }
    teardown(&t);
}

TEST(wake_and_block) { each_scheduler(wake_and_block); }

/* Time without a CPU counts while a vCPU could run, and only then; the guest reads it. */
TEST(time_spent_waiting)
{
    struct setup t;
    uint64_t seen = 0;

    REQUIRE(setup(&t, 1, SCHED_CREDIT2));
    struct pcpu *p = t.hv->pcpus[0];
    struct vcpu *a = add(&t, 0), *b = add(&t, 1);

    b->waited_word.at = &seen;
    fake_machine->now += NS_PER_S; /* they may not run yet */
    fake_unpause(a, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == a);
    fake_unpause(b, VCPU_PAUSE_DOMAIN);
    fake_machine->now += 3 * NS_PER_MS;
    CHECK_EQ(seen, 0);
    sched_yield_vcpu(a);
    CHECK(pick(p) == b);
    CHECK_EQ(a->rs.time[VCPU_STATE_RUNNABLE], 0);
    CHECK_EQ(b->rs.time[VCPU_STATE_RUNNABLE], 3 * NS_PER_MS);
    CHECK_EQ(seen, 3 * NS_PER_MS);
    fake_machine->now += 2 * NS_PER_MS;
    sched_yield_vcpu(b);
    CHECK(pick(p) == a);
    CHECK_EQ(a->rs.time[VCPU_STATE_RUNNABLE], 2 * NS_PER_MS);
    /* b sleeps for a second, then waits for a millisecond. */
    fake_pause(b, VCPU_PAUSE_BLOCKED);
    fake_machine->now += NS_PER_S;
    fake_unpause(b, VCPU_PAUSE_BLOCKED);
    fake_machine->now += NS_PER_MS;
    sched_yield_vcpu(a);
    CHECK(pick(p) == b);
    CHECK_EQ(seen, 4 * NS_PER_MS);
    CHECK_EQ(sched_runtime(a), 4 * NS_PER_MS + NS_PER_S);
    b->waited_word.at = NULL;
    fake_pause(a, VCPU_PAUSE_DOMAIN);
    fake_pause(b, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == NULL);
    teardown(&t);
}

static uint32_t hooked;
static struct vcpu_runstate last_told;

static void hook(struct vcpu *v, const struct vcpu_runstate *r)
{
    CHECK(spin_is_locked(&v->domain->pool->lock));
    hooked++;
    last_told = *r;
}

/* v has been told of all changes, and is in this state since now. */
static bool is_told(struct vcpu *v, enum vcpu_state state)
{
    struct vcpu_runstate r;

    vcpu_runstate(v, &r);
    return r.state == state && r.since == fake_now() && last_told.state == state &&
           last_told.since == r.since && last_told.time[state] == r.time[state];
}

static void states(enum sched_id id)
{
    struct setup t;
    struct vcpu_runstate r;
    struct vcpu_status status;

    REQUIRE(setup(&t, 1, id));
    struct pcpu *p = t.hv->pcpus[0];
    struct vcpu *v = add(&t, 0);

    hooked = 0;
    vcpu_watch_runstate(v, hook);
    CHECK(hooked == 1 && is_told(v, VCPU_STATE_OFFLINE));
    fake_machine->now += 1000;
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    CHECK(is_told(v, VCPU_STATE_RUNNABLE));
    fake_machine->now += 20;
    CHECK(pick(p) == v);
    CHECK(is_told(v, VCPU_STATE_RUNNING));
    fake_machine->now += 300;
    vcpu_status(v, &status);
    CHECK(status.online && !status.blocked && status.running && status.cpu == 0 &&
          status.cpu_time == 300);
    v->pause |= VCPU_PAUSE_BLOCKED;
    CHECK(pick(p) == NULL);
    CHECK(is_told(v, VCPU_STATE_BLOCKED));
    fake_machine->now += 4000;
    /* Paused while it is blocked it counts as blocked, until what it waits for comes. */
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    fake_machine->now += 50000;
    fake_unpause(v, VCPU_PAUSE_BLOCKED);
    CHECK(is_told(v, VCPU_STATE_OFFLINE));
    vcpu_status(v, &status);
    CHECK(status.online && !status.blocked && !status.running && status.cpu_time == 300);
    fake_machine->now += 600000;
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    CHECK(is_told(v, VCPU_STATE_RUNNABLE));
    /* It blocks and is paused before it has left its CPU. */
    CHECK(pick(p) == v);
    v->pause |= VCPU_PAUSE_BLOCKED;
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == NULL);
    CHECK(is_told(v, VCPU_STATE_BLOCKED));
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    fake_unpause(v, VCPU_PAUSE_BLOCKED);
    CHECK(is_told(v, VCPU_STATE_RUNNABLE));
    fake_machine->now += 7;
    fake_pause(v, VCPU_PAUSE_OFFLINE);
    CHECK(is_told(v, VCPU_STATE_OFFLINE));
    vcpu_status(v, &status);
    CHECK(!status.online);
    fake_machine->now += 8000000;
    uint32_t before = hooked;
    vcpu_watch_runstate(v, NULL);
    fake_unpause(v, VCPU_PAUSE_OFFLINE);
    CHECK_EQ(hooked, before);
    vcpu_runstate(v, &r);
    CHECK_EQ(r.time[VCPU_STATE_RUNNING], 300);
    CHECK_EQ(r.time[VCPU_STATE_RUNNABLE], 20 + 7);
    CHECK_EQ(r.time[VCPU_STATE_BLOCKED], 4000 + 50000);
    CHECK_EQ(r.time[VCPU_STATE_OFFLINE], 1000 + 600000 + 8000000);
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == NULL);
    teardown(&t);
}

TEST(states_and_their_times) { each_scheduler(states); }

static void affinity_errors(enum sched_id id)
{
    struct setup t;
    struct cpumask none = { { 0 } }, other = fake_cpus(2, 5);

    REQUIRE(setup(&t, 2, id));
    struct vcpu *v = add(&t, 0);
    CHECK_EQ(sched_set_affinity(v, &none), -XEN_EINVAL);
    CHECK_EQ(sched_set_affinity(v, &other), -XEN_EINVAL);
    teardown(&t);
}

TEST(affinity_outside_the_pool_is_refused) { each_scheduler(affinity_errors); }

TEST(yield_goes_behind_one_other)
{
    struct setup t;

    REQUIRE(setup(&t, 1, SCHED_CREDIT2));
    struct pcpu *p = t.hv->pcpus[0];
    struct vcpu *a = add(&t, 0), *b = add(&t, 1);

    pick(p);
    fake_unpause(a, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == a);
    fake_unpause(b, VCPU_PAUSE_DOMAIN);
    for (uint32_t i = 0; i < 5; i++) {
        struct vcpu *next = i % 2 == 0 ? b : a;

        fake_machine->now += 10 * NS_PER_US;
        CHECK(pick(p) == p->current); /* nobody asked for a change */
        sched_yield_vcpu(p->current);
        CHECK(pick(p) == next);
        CHECK(pick(p) == next);
    }
    fake_pause(a, VCPU_PAUSE_DOMAIN);
    sched_yield_vcpu(b);
    CHECK(pick(p) == b);
    fake_pause(b, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p) == NULL);
    teardown(&t);
}

/* Each wake-up kicks an idle CPU of its own; without one it kicks at most one. */
TEST(wake_ups_spread_over_idle_cpus)
{
    struct setup t;

    REQUIRE(setup(&t, 3, SCHED_CREDIT2));
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(pick(t.hv->pcpus[i]) == NULL);
    }
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t kicked = 0;

        fake_unpause(add(&t, i), VCPU_PAUSE_DOMAIN);
        for (uint32_t c = 0; c < 3; c++) {
            kicked += t.hv->pcpus[c]->work != 0;
        }
        CHECK_EQ(kicked, MIN(i + 1, 3));
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(pick(t.hv->pcpus[i]) != NULL);
    }
    for (uint32_t i = 0; i < 5; i++) {
        fake_pause(t.d->vcpus[i], VCPU_PAUSE_DOMAIN);
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(pick(t.hv->pcpus[i]) == NULL);
    }
    teardown(&t);
}

/* State that is loaded on an idle CPU draws the vCPU there, or is given up where it may not run. */
TEST(loaded_state_stays_where_it_is)
{
    struct setup t;

    REQUIRE(setup(&t, 2, SCHED_CREDIT2));
    struct pcpu *p0 = t.hv->pcpus[0], *p1 = t.hv->pcpus[1];
    struct vcpu *v = add(&t, 0);
    struct cpumask only1 = fake_cpus(1, 1);

    CHECK(pick(p0) == NULL && pick(p1) == NULL);
    fake_unpause(v, VCPU_PAUSE_DOMAIN);
    CHECK(p0->work != 0 && p1->work == 0);
    CHECK(pick(p0) == v);
    v->pause |= VCPU_PAUSE_BLOCKED;
    CHECK(pick(p0) == NULL);
    CHECK(v->loaded_on == p0);

    /* The other CPU must not take it: it asks the one that holds it. */
    fake_unpause(v, VCPU_PAUSE_BLOCKED);
    CHECK(p0->work == PCPU_WORK_SCHED && p1->work == 0);
    p0->work = 0;
    CHECK(pick(p1) == NULL);
    CHECK_EQ(p0->work, PCPU_WORK_SCHED);
    CHECK(pick(p0) == v);

    /* Moved away while it runs: its CPU lets go, then the other one is asked. */
    CHECK_EQ(sched_set_affinity(v, &only1), 0);
    CHECK_EQ(p0->work, PCPU_WORK_SCHED);
    p0->work = 0;
    CHECK(sched_pick(p0) == NULL);
    p0->current = NULL;
    CHECK(p0->work & PCPU_WORK_SAVE);
    CHECK(pick(p1) == NULL);
    CHECK_EQ(p1->work, 0);
    release(p0);
    CHECK_EQ(p1->work, PCPU_WORK_SCHED);
    CHECK(pick(p1) == v);

    /* Moved while it sleeps. */
    v->pause |= VCPU_PAUSE_BLOCKED;
    CHECK(pick(p1) == NULL);
    struct cpumask only0 = fake_cpus(0, 0);
    CHECK_EQ(sched_set_affinity(v, &only0), 0);
    p0->work = 0;
    fake_unpause(v, VCPU_PAUSE_BLOCKED);
    CHECK_EQ(p1->work, PCPU_WORK_SAVE);
    CHECK_EQ(p0->work, 0);
    release(p1);
    CHECK_EQ(p0->work, PCPU_WORK_SCHED);
    CHECK(pick(p0) == v);
    fake_pause(v, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p0) == NULL);
    teardown(&t);
}

/* A preempted vCPU goes to an idle CPU as soon as its state is free. */
TEST(preempted_state_is_handed_over)
{
    struct setup t;

    REQUIRE(setup(&t, 2, SCHED_CREDIT2));
    struct pcpu *p0 = t.hv->pcpus[0], *p1 = t.hv->pcpus[1];
    struct vcpu *a = add(&t, 0), *b = add(&t, 1);
    struct cpumask only0 = fake_cpus(0, 0);

    CHECK_EQ(sched_set_affinity(b, &only0), 0);
    pick(p0);
    pick(p1);
    fake_unpause(a, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p0) == a);
    fake_unpause(b, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(p0->work, PCPU_WORK_SCHED); /* to set its timer */
    CHECK(pick(p0) == a);
    CHECK(fake_timer_due(p0) != NS_NEVER);
    fake_machine->now = fake_timer_due(p0);
    fake_timer_fire(p0);
    CHECK_EQ(p0->work, PCPU_WORK_SCHED);
    CHECK(pick(p0) == b);
    CHECK(a->loaded_on == NULL);
    CHECK_EQ(p1->work, PCPU_WORK_SCHED);
    CHECK(pick(p1) == a);
    fake_pause(a, VCPU_PAUSE_DOMAIN);
    fake_pause(b, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p0) == NULL && pick(p1) == NULL);
    teardown(&t);
}

TEST(null_gives_each_vcpu_a_cpu)
{
    struct setup t;
    struct cpumask only0 = fake_cpus(0, 0), only1 = fake_cpus(1, 1);

    REQUIRE(setup(&t, 2, SCHED_NULL));
    struct pcpu *p0 = t.hv->pcpus[0], *p1 = t.hv->pcpus[1];
    struct vcpu *a = add(&t, 0), *b = add(&t, 1);

    CHECK_EQ(fake_vcpu_create(t.d, 2), -XEN_ENOSPC);
    CHECK_EQ(sched_set_params(t.d, SCHED_NULL, &(struct sched_params){ .weight = 512 }),
             -XEN_EOPNOTSUPP);
    fake_unpause(a, VCPU_PAUSE_DOMAIN);
    fake_unpause(b, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p0) == a && pick(p1) == b);

    /* Both run; they change places as soon as both CPUs have let go. */
    CHECK_EQ(sched_set_affinity(a, &only1), 0);
    CHECK(p0->work != 0 && p1->work != 0);
    p0->work = p1->work = 0;
    CHECK(sched_pick(p0) == NULL);
    p0->current = NULL;
    CHECK(p0->work & PCPU_WORK_SAVE);
    CHECK(sched_pick(p1) == NULL);
    p1->current = NULL;
    release(p0);
    release(p1);
    CHECK(p0->work & PCPU_WORK_SCHED && p1->work & PCPU_WORK_SCHED);
    CHECK(pick(p0) == b && pick(p1) == a);
    CHECK_EQ(sched_set_affinity(b, &only0), 0);
    CHECK_EQ(sched_set_affinity(b, &only1), -XEN_EBUSY);
    CHECK_EQ(sched_set_affinity(a, &only0), -XEN_EBUSY);

    /* A CPU that is free again can be had. */
    fake_pause(b, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p0) == NULL);
    release(p0);
    sched_vcpu_fini(b);
    free(b);
    t.d->vcpus[1] = NULL;
    CHECK_EQ(sched_set_affinity(a, &only0), 0);
    fake_pause(a, VCPU_PAUSE_DOMAIN);
    CHECK(pick(p1) == NULL);
    CHECK_EQ(fake_timer_due(t.hv->pcpus[0]), NS_NEVER);
    teardown(&t);
}

/* Sleepers with a CPU each, moved around at random. */
TEST(null_in_the_simulator)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sim *s = sim_create(3, SCHED_NULL, 0x700 + seed);

        s->chaos = true;
        sim_domain(s, 256);
        for (uint32_t i = 0; i < 3; i++) {
            sim_add(s, (struct sim_guest){ 0, 50000 + 10000 * i, 300000, anywhere });
        }
        sim_run(s, NS_PER_S);
        for (uint32_t i = 0; i < 3; i++) {
            SIM_CHECK(s, s->vcpu[i].runs > 100);
            SIM_CHECK(s, s->vcpu[i].longest < NS_PER_MS);
        }
        sim_destroy(s);
    }
}

static void allocations(enum sched_id id)
{
    struct setup t;

    if (!setup(&t, 2, id)) {
        CHECK(unit_injected());
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        int rc = fake_vcpu_create(t.d, i);
        CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
    }
    teardown(&t);
}

TEST_ALLOC(allocations_fail) { each_scheduler(allocations); }
