/* SPDX-License-Identifier: MIT */
/*
 * sched/credit2.c in the simulator: shares by weight, no starvation, no CPU
 * idle while somebody could use it, affinity, state that stays loaded.
 */
#include "sched_sim.h"

#define SEEDS 4
#ifndef CROWDS
#define CROWDS 150
#endif

static const struct cpumask anywhere;

/* Parts in a million that a is off from b. */
static uint64_t off_by(ns_t a, ns_t b)
{
    ns_t d = a > b ? a - b : b - a;

    return d * 1000000 / (b != 0 ? b : 1);
}

/* Four domains of two busy vCPUs each with weights 1:1:2:4 on two CPUs for 20 s, and `extra`. */
static void shares(uint64_t seed, uint32_t sleepers, uint64_t limit)
{
    static const uint32_t weights[] = { 256, 256, 512, 1024 };
    struct sim *s = sim_create(2, SCHED_CREDIT2, seed);

    for (uint32_t d = 0; d < 4; d++) {
        sim_domain(s, weights[d]);
        for (uint32_t i = 0; i < 2; i++) {
            sim_add(s, (struct sim_guest){ .domain = d });
        }
    }
    uint32_t idlers = sim_domain(s, 256);
    for (uint32_t i = 0; i < sleepers; i++) {
        sim_add(s, (struct sim_guest){ idlers, 30 * NS_PER_US + sim_random(s, 200000),
                                       NS_PER_MS + sim_random(s, 9 * NS_PER_MS), anywhere });
    }
    sim_run(s, 20 * NS_PER_S);
    ns_t total = 0;
    for (uint32_t d = 0; d < 4; d++) {
        total += sim_domain_ran(s, d);
    }
    for (uint32_t d = 0; d < 4; d++) {
        ns_t ran = sim_domain_ran(s, d);
        uint64_t off = off_by(ran, total * weights[d] / 2048);

        printf("# weight %u: %llu ms, off by %llu ppm\n", weights[d],
               (unsigned long long)(ran / NS_PER_MS), (unsigned long long)off);
        SIM_CHECK(s, off < limit);
    }
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        SIM_CHECK(s, s->vcpu[i].longest < 250 * NS_PER_MS);
        SIM_CHECK(s, off_by(sched_runtime(s->vcpu[i].v), s->vcpu[i].ran) < 50000);
    }
    SIM_CHECK(s, s->wasted_max < 100 * NS_PER_US);
    sim_destroy(s);
}

TEST(shares_follow_weights)
{
    for (uint64_t i = 0; i < SEEDS; i++) {
        shares(0x10a0 + i, 0, 10000);
    }
}

TEST(shares_follow_weights_beside_sleepers)
{
    for (uint64_t i = 0; i < SEEDS; i++) {
        shares(0x20a0 + i, 12, 15000);
    }
}

/* A random crowd on 1 to 4 CPUs; with chaos it is paused, resumed and moved at random. */
static void crowd(uint64_t seed, bool chaos)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, seed);
    uint32_t cpus = 1 + (uint32_t)sim_random(s, 4);

    sim_destroy(s);
    s = sim_create(cpus, SCHED_CREDIT2, seed);
    s->chaos = chaos;
    for (uint32_t d = 0; d < 4; d++) {
        sim_domain(s, 128u << sim_random(s, 4));
    }
    uint32_t nr = 2 + (uint32_t)sim_random(s, 14);
    for (uint32_t i = 0; i < nr; i++) {
        struct sim_guest g = { .domain = (uint32_t)sim_random(s, 4) };

        if (sim_random(s, 3) != 0) {
            g.burst = 5 * NS_PER_US + sim_random(s, sim_random(s, 2) ? 200000 : 20000000);
            g.pause = sim_random(s, 4) == 0 ? 0 : 1 + sim_random(s, 20 * NS_PER_MS);
        }
        if (sim_random(s, 4) == 0) {
            g.affinity.w[0] = 1 + sim_random(s, (1u << cpus) - 1);
        }
        sim_add(s, g);
    }
    sim_run(s, 3 * NS_PER_S);
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        SIM_CHECK(s, s->vcpu[i].longest < 1500 * NS_PER_MS);
        SIM_CHECK(s, chaos || s->vcpu[i].runs > 0);
    }
    SIM_CHECK(s, s->wasted_max < 100 * NS_PER_US);
    sim_destroy(s);
}

TEST(no_rule_is_broken_by_a_crowd)
{
    for (uint64_t i = 0; i < CROWDS; i++) {
        crowd(0x3000 + i, false);
    }
}

TEST(no_rule_is_broken_while_affinities_change)
{
    for (uint64_t i = 0; i < CROWDS; i++) {
        crowd(0x4000 + i, true);
    }
}

/* A sleeper that uses little gets a CPU soon although two others never let go of it. */
TEST(who_slept_runs_soon)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0x50);

    sim_domain(s, 256);
    sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_add(s, (struct sim_guest){ .domain = 0 });
    struct sim_vcpu *sleeper = sim_add(s, (struct sim_guest){ 0, 100000, 7777777, anywhere });
    sim_run(s, NS_PER_S);
    sleeper->longest = 0;
    sim_run(s, 10 * NS_PER_S);
    SIM_CHECK(s, sleeper->runs > 1100);
    SIM_CHECK(s, sleeper->longest < 2 * NS_PER_MS);
    sim_destroy(s);
}

/* Three busy ones on two CPUs: nobody keeps a CPU to itself. */
TEST(an_odd_one_moves_around)
{
    struct sim *s = sim_create(2, SCHED_CREDIT2, 0x55);

    sim_domain(s, 256);
    for (uint32_t i = 0; i < 3; i++) {
        sim_run(s, 50 * NS_PER_MS);
        sim_add(s, (struct sim_guest){ .domain = 0 });
    }
    sim_run(s, 9 * NS_PER_S);
    for (uint32_t i = 0; i < 3; i++) {
        SIM_CHECK(s, off_by(s->vcpu[i].ran, 6 * NS_PER_S) < 30000);
        SIM_CHECK(s, s->vcpu[i].longest < 25 * NS_PER_MS);
    }
    sim_destroy(s);
}

/* Who slept for long has no more credit than who slept shortly. */
TEST(sleep_saves_up_little_credit)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0x58);

    sim_domain(s, 256);
    struct sim_vcpu *a = sim_add(s, (struct sim_guest){ .domain = 0 });
    struct sim_vcpu *b = sim_add(s, (struct sim_guest){ .domain = 0 });
    struct sim_vcpu *c = sim_add(s, (struct sim_guest){ .domain = 0 });
    fake_pause(c->v, VCPU_PAUSE_DOMAIN);
    sim_run(s, 10 * NS_PER_S);
    a->longest = b->longest = 0;
    fake_unpause(c->v, VCPU_PAUSE_DOMAIN);
    sim_run(s, 100 * NS_PER_MS);
    SIM_CHECK(s, c->ran > 35 * NS_PER_MS && c->ran < 52 * NS_PER_MS);
    SIM_CHECK(s, a->longest < 35 * NS_PER_MS && b->longest < 35 * NS_PER_MS);
    sim_destroy(s);
}

/* What one vCPU got while it was alone is not held against it when company comes. */
TEST(cpu_time_that_nobody_wants_is_free)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0x60);

    sim_domain(s, 256);
    struct sim_vcpu *first = sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_run(s, 60 * NS_PER_S);
    SIM_CHECK(s, s->timers == 0); /* nor does it need a timer */
    struct sim_vcpu *second = sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_run(s, 2 * NS_PER_S);
    SIM_CHECK(s, off_by(second->ran, NS_PER_S) < 20000);
    SIM_CHECK(s, off_by(first->ran, 61 * NS_PER_S) < 2000);
    SIM_CHECK(s, second->longest < 20 * NS_PER_MS && first->longest < 20 * NS_PER_MS);
    sim_destroy(s);
}

/* Weights hold on each CPU by itself where vCPUs are pinned, however unequal the CPUs are. */
TEST(weights_hold_among_pinned_vcpus)
{
    struct sim *s = sim_create(2, SCHED_CREDIT2, 0x70);
    static const uint32_t weights[] = { 256, 1024, 256, 512 };
    static const uint32_t cpus[] = { 0, 0, 1, 1 };

    for (uint32_t d = 0; d < 4; d++) {
        sim_domain(s, weights[d]);
        sim_add(s, (struct sim_guest){ .domain = d, .affinity = fake_cpus(cpus[d], cpus[d]) });
    }
    sim_run(s, 20 * NS_PER_S);
    SIM_CHECK(s, off_by(s->vcpu[0].ran, 4 * NS_PER_S) < 10000);
    SIM_CHECK(s, off_by(s->vcpu[1].ran, 16 * NS_PER_S) < 10000);
    SIM_CHECK(s, off_by(s->vcpu[2].ran, 20 * NS_PER_S / 3) < 10000);
    SIM_CHECK(s, off_by(s->vcpu[3].ran, 40 * NS_PER_S / 3) < 10000);
    sim_destroy(s);
}

/* A weight of 1 gets its hundredth and nobody waits long behind it. */
TEST(extreme_weights)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0x80);

    sim_domain(s, 1);
    sim_domain(s, 100);
    sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_add(s, (struct sim_guest){ .domain = 1 });
    struct sim_vcpu *sleeper = sim_add(s, (struct sim_guest){ 1, 50000, 5000000, anywhere });
    sim_run(s, NS_PER_S);
    sleeper->longest = 0;
    sim_run(s, 30 * NS_PER_S);
    SIM_CHECK(s, off_by(s->vcpu[0].ran, s->vcpu[1].ran / 100) < 100000);
    SIM_CHECK(s, sleeper->longest < 5 * NS_PER_MS);
    sim_destroy(s);
}

TEST(weights_change_while_running)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0x90);

    sim_domain(s, 256);
    sim_domain(s, 256);
    sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_add(s, (struct sim_guest){ .domain = 1 });
    sim_run(s, 2 * NS_PER_S);
    SIM_CHECK(s, off_by(s->vcpu[0].ran, NS_PER_S) < 20000);
    ns_t before = s->vcpu[0].ran;
    CHECK_EQ(sim_set_weight(s, 0, 768), 0);
    sim_run(s, 4 * NS_PER_S);
    SIM_CHECK(s, off_by(s->vcpu[0].ran - before, 3 * NS_PER_S) < 20000);
    CHECK_EQ(sim_set_weight(s, 0, 0), -XEN_EINVAL);
    CHECK_EQ(sim_set_weight(s, 0, SCHED_WEIGHT_MAX + 1), -XEN_EINVAL);
    sim_destroy(s);
}

/* Two that yield to each other all the time share evenly, one that yields alone goes on. */
TEST(yield_lets_others_go_first)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0xa0);

    sim_domain(s, 256);
    struct sim_vcpu *a = sim_add(s, (struct sim_guest){ 0, 20000, 0, anywhere });
    sim_run(s, 100 * NS_PER_MS);
    SIM_CHECK(s, a->runs > 4000);
    struct sim_vcpu *b = sim_add(s, (struct sim_guest){ 0, 20000, 0, anywhere });
    uint64_t runs = a->runs, timers = s->timers;
    sim_run(s, NS_PER_S);
    printf("# %llu and %llu runs, %llu timers\n", (unsigned long long)(a->runs - runs),
           (unsigned long long)b->runs, (unsigned long long)(s->timers - timers));
    SIM_CHECK(s, off_by(a->runs - runs, b->runs) < 20000);
    SIM_CHECK(s, b->runs > 20000);
    /* Switches do not set a new timer each. */
    SIM_CHECK(s, s->timers - timers < 1500);
    sim_destroy(s);
}

/* ns that sv ran on CPUs of its soft affinity, in parts in a million of all that it ran. */
static void run_and_count(struct sim *s, ns_t duration, uint64_t at_home[], const uint32_t home[])
{
    uint64_t seen[SIM_VCPUS] = { 0 };

    for (ns_t t = 0; t < duration; t += 100 * NS_PER_US) {
        sim_run(s, 100 * NS_PER_US);
        for (uint32_t i = 0; i < s->nr_vcpus; i++) {
            if (s->vcpu[i].v->running) {
                seen[i]++;
                at_home[i] += s->vcpu[i].v->pcpu->id == home[i];
            }
        }
    }
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        at_home[i] = at_home[i] * 1000000 / (seen[i] != 0 ? seen[i] : 1);
    }
}

/* Where there is a choice, vCPUs run where they like to; alone they use any CPU. */
TEST(soft_affinity_is_a_preference)
{
    struct sim *s = sim_create(2, SCHED_CREDIT2, 0xb0);
    static const uint32_t home[] = { 1, 0, 1, 0 };
    uint64_t at_home[SIM_VCPUS] = { 0 };

    sim_domain(s, 256);
    for (uint32_t i = 0; i < 4; i++) {
        struct cpumask soft = fake_cpus(home[i], home[i]);
        struct sim_vcpu *sv =
            sim_add(s, (struct sim_guest){ 0, 300000 + 10000 * i, 200000, anywhere });

        CHECK_EQ(sched_set_soft_affinity(sv->v, &soft), 0);
    }
    run_and_count(s, NS_PER_S, at_home, home);
    for (uint32_t i = 0; i < 4; i++) {
        printf("# vCPU %u: %llu ppm at home\n", i, (unsigned long long)at_home[i]);
        CHECK(at_home[i] > 850000);
    }
    SIM_CHECK(s, s->wasted_max < 100 * NS_PER_US);
    /* Three go to sleep for good: the last is at home, however it began. */
    for (uint32_t i = 1; i < 4; i++) {
        fake_pause(s->vcpu[i].v, VCPU_PAUSE_DOMAIN);
    }
    uint64_t alone[SIM_VCPUS] = { 0 };
    run_and_count(s, NS_PER_S / 2, alone, home);
    CHECK(alone[0] > 990000);
    /* Both CPUs are home to nobody: it is as if there was no preference. */
    struct cpumask far = fake_cpus(5, 5);
    struct sched_affinity effective;
    CHECK_EQ(sched_set_soft_affinity(s->vcpu[0].v, &far), 0);
    sched_get_effective_affinity(s->vcpu[0].v, &effective);
    CHECK(effective.soft.w[0] == 3 && effective.hard.w[0] == 3);
    sched_get_affinity(s->vcpu[0].v, &effective);
    CHECK(effective.soft.w[0] == 32);
    sim_destroy(s);
}

TEST(the_rate_limit_is_how_long_one_runs_at_least)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0xc0);
    uint32_t us;

    sim_domain(s, 256);
    sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_add(s, (struct sim_guest){ .domain = 0 });
    struct sim_vcpu *sleeper = sim_add(s, (struct sim_guest){ 0, 50000, 7777777, anywhere });
    CHECK_EQ(cpupool_get_ratelimit(s->hv, 0, SCHED_CREDIT2, &us), 0);
    CHECK_EQ(us, 1000);
    CHECK_EQ(cpupool_set_ratelimit(s->hv, 0, SCHED_CREDIT2, 99), -XEN_EINVAL);
    CHECK_EQ(cpupool_set_ratelimit(s->hv, 0, SCHED_CREDIT2, 500001), -XEN_EINVAL);
    CHECK_EQ(cpupool_set_ratelimit(s->hv, 0, SCHED_CREDIT2, 8000), 0);
    sim_run(s, NS_PER_S);
    sleeper->longest = 0;
    sim_run(s, NS_PER_S);
    printf("# longest wait with a rate limit of 8 ms: %llu us",
           (unsigned long long)sleeper->longest / 1000);
    SIM_CHECK(s, sleeper->longest > 6 * NS_PER_MS && sleeper->longest < 9 * NS_PER_MS);
    CHECK_EQ(cpupool_set_ratelimit(s->hv, 0, SCHED_CREDIT2, 0), 0);
    sim_run(s, 100 * NS_PER_MS);
    sleeper->longest = 0;
    sim_run(s, NS_PER_S);
    printf(", with none: %llu us\n", (unsigned long long)sleeper->longest / 1000);
    SIM_CHECK(s, sleeper->longest < 100 * NS_PER_US);
    sim_destroy(s);
}

static void set_cap(struct sim *s, uint32_t domain, uint32_t cap)
{
    CHECK_EQ(sched_set_params(s->domain[domain], SCHED_CREDIT2,
                              &(struct sched_params){ .weight = 256, .cap = cap }),
             0);
}

/* Parts in a million of `duration` that the domain runs from now on. */
static uint64_t share_of(struct sim *s, uint32_t domain, ns_t duration)
{
    ns_t before = sim_domain_ran(s, domain);

    sim_run(s, duration);
    return (sim_domain_ran(s, domain) - before) * 1000000 / duration;
}

/* A domain gets no more than its cap, alone or not, with several vCPUs; the rest is others'. */
TEST(a_cap_is_kept)
{
    struct sim *s = sim_create(2, SCHED_CREDIT2, 0xd0);
    struct sched_params p;

    s->idles = true;
    sim_domain(s, 256);
    sim_domain(s, 256);
    for (uint32_t i = 0; i < 4; i++) {
        sim_add(s, (struct sim_guest){ .domain = 0 });
    }
    sim_run(s, 10 * NS_PER_MS);
    set_cap(s, 0, 30);
    CHECK_EQ(sched_get_params(s->domain[0], SCHED_CREDIT2, &p), 0);
    CHECK(p.cap == 30 && p.weight == 256);
    sim_run(s, 50 * NS_PER_MS);
    uint64_t alone = share_of(s, 0, 3 * NS_PER_S);
    set_cap(s, 0, 150);
    sim_run(s, 50 * NS_PER_MS);
    uint64_t more = share_of(s, 0, 3 * NS_PER_S);
    for (uint32_t i = 0; i < 2; i++) {
        sim_add(s, (struct sim_guest){ .domain = 1 });
    }
    set_cap(s, 0, 10);
    sim_run(s, 50 * NS_PER_MS);
    uint64_t beside = share_of(s, 0, 3 * NS_PER_S);
    printf("# caps of 30, 150 and 10 %%: %llu, %llu, %llu ppm\n", (unsigned long long)alone,
           (unsigned long long)more, (unsigned long long)beside);
    CHECK(alone > 290000 && alone < 305000);
    CHECK(more > 1450000 && more < 1510000);
    CHECK(beside > 95000 && beside < 105000);
    for (uint32_t i = 0; i < 4; i++) {
        SIM_CHECK(s, s->vcpu[i].longest < 900 * NS_PER_MS);
    }
    ns_t others = s->vcpu[4].ran;
    sim_run(s, NS_PER_S);
    SIM_CHECK(s, s->vcpu[4].ran - others > 930 * NS_PER_MS);
    /* Without it all is as before: three quarters of two CPUs are a domain's of four of six. */
    set_cap(s, 0, 0);
    sim_run(s, 50 * NS_PER_MS);
    s->idles = false;
    uint64_t none = share_of(s, 0, 3 * NS_PER_S);
    CHECK(none > 1300000 && none < 1370000);
    SIM_CHECK(s, s->wasted_max < 100 * NS_PER_US);
    sim_destroy(s);
}

/* vCPUs that sleep share what there is, and budget that one leaves another one gets. */
TEST(a_cap_among_sleepers)
{
    struct sim *s = sim_create(1, SCHED_CREDIT2, 0xd8);

    s->idles = true;
    sim_domain(s, 256);
    for (uint32_t i = 0; i < 8; i++) {
        sim_add(s, (struct sim_guest){ 0, 2 * NS_PER_MS + i * 1000, 3 * NS_PER_MS, anywhere });
    }
    set_cap(s, 0, 40);
    sim_run(s, 50 * NS_PER_MS);
    uint64_t share = share_of(s, 0, 2 * NS_PER_S);
    printf("# a cap of 40 %%: %llu ppm\n", (unsigned long long)share);
    CHECK(share > 390000 && share < 405000);
    for (uint32_t i = 0; i < 8; i++) {
        SIM_CHECK(s, s->vcpu[i].runs > 20);
    }
    sim_destroy(s);
}
