/* SPDX-License-Identifier: MIT */
/*
 * vCPUs go off and on (PSCI, `xl vcpu-set`) while their domain is paused, moved to another CPU pool
 * and killed, in random order beside a model: who is on, how often it is paused. Whatever happened
 * before, the domain is taken apart and all is given back.
 */
#include "dom.h"
#include "random.h"

#define VCPUS 4
#define CPUS 3

static struct model {
    struct world *w;
    struct domain *d; /* a reference of the test's own */
    bool on[VCPUS];
    ns_t created;
    uint32_t pauses;
    uint32_t pool; /* where it was moved to last */
    bool moving;
    bool killed; /* domain_kill() began */
    bool gone; /* ... and said so */
} m;

static void begin(void)
{
    struct cpumask last = { { BIT(CPUS - 1) } };
    uint32_t id = CPUPOOL_ANY;

    m = (struct model){ .w = dom_world(CPUS) };
    m.w->machine.idle_polls_max = 20;
    CHECK_EQ(cpupool_make(m.w->hv, &id, seed & 1 ? SCHED_CREDIT2 : SCHED_RTDS), 0);
    for (uint32_t i = 0; i < 10 && cpupool_remove_cpu(m.w->hv, 0, CPUS - 1) != 0; i++) {
        dom_settle(m.w);
    }
    CHECK_EQ(cpupool_add_cpu(m.w->hv, id, cpumask_first(&last)), 0);
    world_set_baseline(m.w);
    m.created = m.w->machine.now;
    m.d = dom_create(m.w, "hotplug", VCPUS, true);
    domain_get(m.d);
    domain_start(m.d);
    m.on[0] = true;
}

static void power_on(void)
{
    uint32_t i = any(VCPUS);
    int rc = vcpu_power_on(m.d, i, DOM_RAM, 0);

    if (m.on[i]) {
        CHECK_EQ(rc, -XEN_EEXIST);
    } else {
        CHECK(rc == 0 || rc == -XEN_EBUSY);
        m.on[i] = rc == 0;
    }
}

static void power_off(void)
{
    uint32_t cpu = any(CPUS);
    struct vcpu *v = m.w->hv->pcpus[cpu]->current;

    /* It does so itself, in its guest. */
    if (v != NULL && v->running && m.w->hv->pcpus[cpu]->loaded == v && vcpu_is_runnable(v)) {
        world_cpu(m.w, cpu);
        vcpu_power_off(v);
        m.on[v->id] = false;
    }
}

static void pause_or_unpause(void)
{
    if (any(2) == 0 && m.pauses < 3) {
        domain_pause(m.d);
        m.pauses++;
        return;
    }
    CHECK_EQ(domain_unpause(m.d), m.pauses != 0 ? 0 : -XEN_EINVAL);
    m.pauses -= m.pauses != 0;
}

static void move(void)
{
    if (!m.moving) {
        m.pool = any(2);
    }
    int rc = cpupool_move_domain(m.w->hv, m.pool, m.d);

    CHECK(rc == 0 || rc == -XEN_EAGAIN || (m.killed && rc == -XEN_EINVAL));
    m.moving = rc == -XEN_EAGAIN;
}

static void block_or_wake(void)
{
    uint32_t cpu = any(CPUS);
    struct vcpu *v = m.w->hv->pcpus[cpu]->current;

    if (any(2) == 0) {
        vcpu_wake(m.d->vcpus[any(VCPUS)]);
    } else if (v != NULL && m.w->hv->pcpus[cpu]->loaded == v && vcpu_is_runnable(v)) {
        world_cpu(m.w, cpu);
        v->pause |= VCPU_PAUSE_BLOCKED;
        pcpu_raise(v->pcpu, PCPU_WORK_SCHED);
    }
}

static void step(void)
{
    static void (*const actions[])(void) = { power_on, power_on, power_off,    pause_or_unpause,
                                             move,     move,     block_or_wake };

    m.w->machine.now += any(3000000);
    world_cpu(m.w, any(CPUS));
    if (!m.gone && any(3) != 0) {
        actions[any(ARRAY_SIZE(actions))]();
    } else {
        dom_run(m.w, any(CPUS), 0);
    }
    if (!m.gone && (m.killed || any(200) == 0)) {
        int rc = domain_kill(m.d);

        CHECK(rc == 0 || rc == -XEN_EAGAIN);
        m.killed = true;
        m.gone = rc == 0;
    }
}

static bool same(void)
{
    for (uint32_t i = 0; !m.gone && i < VCPUS; i++) {
        struct vcpu *v = m.d->vcpus[i];
        struct vcpu_runstate r;
        struct vcpu_status status;

        vcpu_status(v, &status);
        vcpu_runstate(v, &r);
        if (status.online != m.on[i] || status.running != v->running ||
            r.since != r.time[0] + r.time[1] + r.time[2] + r.time[3] + m.created) {
            printf("# vCPU %u: online %d, in the model %d\n", i, status.online, m.on[i]);
            return false;
        }
        if (v->running && (v->pcpu->current != v && v->pcpu->loaded != v && v->pcpu->work == 0)) {
            printf("# vCPU %u is forgotten on its CPU\n", i);
            return false;
        }
    }
    return true;
}

static void end(void)
{
    for (uint32_t i = 0; i < 1000 && !m.gone; i++) {
        m.gone = domain_kill(m.d) == 0;
        dom_settle(m.w);
    }
    CHECK(m.gone);
    for (uint32_t i = 0; i < 100 && m.d->refs != 1; i++) {
        m.w->machine.now += NS_PER_MS;
        dom_settle(m.w);
    }
    CHECK_EQ(m.d->refs, 1);
    domain_put(m.d);
    world_destroy(m.w);
}

TEST(vcpus_go_off_and_on_while_much_else_happens)
{
    static const struct random_test t = { 150, 300, begin, step, same, end };

    random_run(&t);
}

/* Nobody is forgotten: after everything each vCPU that is on and may run, runs or has its turn. */
TEST(all_run_again_afterwards)
{
    for (seed = 1; seed < 60; seed++) {
        begin();
        for (uint32_t i = 0; i < 100; i++) {
            step();
            if (m.killed) {
                break;
            }
        }
        if (!m.killed) {
            for (uint32_t i = 0; i < 1000 && m.moving; i++) {
                move();
                m.w->machine.now += NS_PER_MS;
                dom_settle(m.w);
            }
            CHECK(!m.moving);
            while (m.pauses != 0) {
                CHECK_EQ(domain_unpause(m.d), 0);
                m.pauses--;
            }
            dom_settle(m.w);
            ns_t before[VCPUS];
            for (uint32_t i = 0; i < VCPUS; i++) {
                CHECK(m.on[i] || vcpu_power_on(m.d, i, DOM_RAM, 0) == 0);
                vcpu_wake(m.d->vcpus[i]);
                before[i] = sched_runtime(m.d->vcpus[i]);
            }
            for (uint32_t i = 0; i < 100; i++) {
                m.w->machine.now += NS_PER_MS;
                dom_settle(m.w);
            }
            for (uint32_t i = 0; i < VCPUS; i++) {
                CHECK(sched_runtime(m.d->vcpus[i]) > before[i]);
            }
        }
        end();
    }
}

/* A domain that is on its way to another pool is taken apart when it has arrived. */
TEST(a_move_ends_before_the_domain_does)
{
    seed = 1;
    begin();
    domain_pause(m.d);
    dom_settle(m.w);
    for (uint32_t i = 0; i < VCPUS; i++) {
        while (!vcpu_is_off_cpu(m.d->vcpus[i])) {
            dom_settle(m.w);
        }
    }
    CHECK_EQ(cpupool_move_domain(m.w->hv, 1, m.d), -XEN_EAGAIN);
    CHECK_EQ(domain_kill(m.d), -XEN_EAGAIN);
    CHECK_EQ(m.d->teardown_step, 0);
    CHECK_EQ(cpupool_move_domain(m.w->hv, 1, m.d), -XEN_EAGAIN);
    dom_settle(m.w);
    CHECK_EQ(domain_kill(m.d), -XEN_EAGAIN);
    CHECK_EQ(m.d->teardown_step, 1);
    CHECK_EQ(cpupool_id(m.d->pool), 1);
    CHECK_EQ(cpupool_move_domain(m.w->hv, 0, m.d), -XEN_EINVAL);
    end();
}

/* Who switched itself off can be switched on as soon as its CPU has looked; nobody has to ask. */
TEST(off_and_on_at_once)
{
    seed = 1;
    begin();
    struct vcpu *v = m.d->vcpus[0];
    dom_settle(m.w);
    CHECK(v->running);
    world_cpu(m.w, v->pcpu->id);
    vcpu_power_off(v);
    dom_settle(m.w);
    CHECK_EQ(vcpu_power_on(m.d, 0, DOM_RAM, 0), 0);
    end();
}
