/* SPDX-License-Identifier: MIT */
/*
 * sched/rtds.c in the simulator: everybody gets its budget of each period, no more without extra
 * time and the rest with it, by the earliest deadline; parameters and their limits.
 */
#include "sched_sim.h"

static const struct cpumask anywhere;

static struct sched_params params(uint32_t period, uint32_t budget, bool extra)
{
    return (struct sched_params){ .period = period, .budget = budget, .extra = extra };
}

static void set(struct sim *s, uint32_t vcpu, struct sched_params p)
{
    CHECK_EQ(sched_set_vcpu_params(s->vcpu[vcpu].v, SCHED_RTDS, &p), 0);
}

/* Parts in a million of `of` that `part` is. */
static uint64_t ppm(ns_t part, ns_t of) { return part * 1000000 / of; }

TEST(budgets_are_kept)
{
    struct sim *s = sim_create(1, SCHED_RTDS, 0x100);

    s->idles = true;
    sim_domain(s, 256);
    for (uint32_t i = 0; i < 3; i++) {
        sim_add(s, (struct sim_guest){ .domain = 0 });
    }
    set(s, 0, params(10000, 2000, false));
    set(s, 1, params(20000, 5000, false));
    set(s, 2, params(5000, 1500, false));
    sim_run(s, 20 * NS_PER_MS);
    ns_t before[3] = { s->vcpu[0].ran, s->vcpu[1].ran, s->vcpu[2].ran };
    sim_run(s, 4 * NS_PER_S);
    uint64_t shares[3];
    for (uint32_t i = 0; i < 3; i++) {
        shares[i] = ppm(s->vcpu[i].ran - before[i], 4 * NS_PER_S);
        printf("# vCPU %u: %llu ppm\n", i, (unsigned long long)shares[i]);
    }
    CHECK(shares[0] > 197000 && shares[0] < 203000);
    CHECK(shares[1] > 247000 && shares[1] < 253000);
    CHECK(shares[2] > 296000 && shares[2] < 304000);
    /* A wait is never longer than period - budget, and twice at the border of two periods. */
    CHECK(s->vcpu[2].longest < 2 * 3500 * NS_PER_US + 100 * NS_PER_US);
    sim_destroy(s);
}

/* 90 % of the CPU is promised; what is left goes to those with extra time, and no CPU idles. */
TEST(extra_time_is_what_nobody_was_promised)
{
    struct sim *s = sim_create(1, SCHED_RTDS, 0x110);

    sim_domain(s, 256);
    for (uint32_t i = 0; i < 3; i++) {
        sim_add(s, (struct sim_guest){ .domain = 0 });
    }
    set(s, 0, params(10000, 6000, false));
    set(s, 1, params(10000, 1000, true));
    set(s, 2, params(10000, 1000, true));
    s->idles = true;
    sim_run(s, 20 * NS_PER_MS);
    ns_t before[3] = { s->vcpu[0].ran, s->vcpu[1].ran, s->vcpu[2].ran };
    sim_run(s, 2 * NS_PER_S);
    CHECK(ppm(s->vcpu[0].ran - before[0], 2 * NS_PER_S) > 590000);
    CHECK(ppm(s->vcpu[0].ran - before[0], 2 * NS_PER_S) < 605000);
    for (uint32_t i = 1; i < 3; i++) {
        uint64_t share = ppm(s->vcpu[i].ran - before[i], 2 * NS_PER_S);

        CHECK(share > 180000 && share < 210000);
    }
    sim_destroy(s);
}

/* The defaults: 4 of 10 ms each on two CPUs, four busy vCPUs and as many that sleep. */
TEST(defaults_share_two_cpus)
{
    struct sim *s = sim_create(2, SCHED_RTDS, 0x120);

    sim_domain(s, 256);
    for (uint32_t i = 0; i < 4; i++) {
        sim_add(s, (struct sim_guest){ .domain = 0 });
    }
    for (uint32_t i = 0; i < 4; i++) {
        sim_add(s, (struct sim_guest){ 0, 100000, 5000000, anywhere });
    }
    sim_run(s, 3 * NS_PER_S);
    CHECK(s->wasted_max < 100 * NS_PER_US);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(ppm(s->vcpu[i].ran, 3 * NS_PER_S) > 440000);
        CHECK(s->vcpu[i + 4].runs > 300);
        /* All are promised less than the CPUs have: nobody misses a deadline. */
        CHECK(s->vcpu[i + 4].longest < 10 * NS_PER_MS);
    }
    sim_destroy(s);
}

/* Random crowds: no rule is broken, who has extra time leaves no CPU idle. */
TEST(crowds_with_periods)
{
    for (uint64_t seed = 0; seed < 80; seed++) {
        uint32_t cpus = 1 + (uint32_t)(seed % 4);
        struct sim *s = sim_create(cpus, SCHED_RTDS, 0x9000 + seed);
        uint32_t nr = 2 + (uint32_t)sim_random(s, 12);

        s->chaos = seed % 2;
        sim_domain(s, 256);
        for (uint32_t i = 0; i < nr; i++) {
            struct sim_guest g = { .domain = 0 };

            if (sim_random(s, 3) != 0) {
                g.burst = 5 * NS_PER_US + sim_random(s, sim_random(s, 2) ? 200000 : 20000000);
                g.pause = sim_random(s, 4) == 0 ? 0 : 1 + sim_random(s, 20 * NS_PER_MS);
            }
            sim_add(s, g);
            if (sim_random(s, 2) == 0) {
                uint32_t period = 500 + (uint32_t)sim_random(s, 30000);

                set(s, i, params(period, 100 + (uint32_t)sim_random(s, period - 100), true));
            }
        }
        sim_run(s, NS_PER_S);
        SIM_CHECK(s, s->wasted_max < 100 * NS_PER_US);
        for (uint32_t i = 0; i < nr; i++) {
            SIM_CHECK(s, s->chaos || s->vcpu[i].runs > 0);
        }
        sim_destroy(s);
    }
}

TEST(parameters)
{
    struct sim *s = sim_create(1, SCHED_RTDS, 0x130);
    struct sched_params p;
    uint32_t us;

    sim_domain(s, 256);
    struct vcpu *v = sim_add(s, (struct sim_guest){ .domain = 0 })->v;
    CHECK_EQ(sched_get_params(s->domain[0], SCHED_RTDS, &p), 0);
    CHECK(p.period == 10000 && p.budget == 4000 && p.extra);
    CHECK_EQ(sched_get_params(s->domain[0], SCHED_CREDIT2, &p), -XEN_EINVAL);
    p = params(20000, 3000, false);
    CHECK_EQ(sched_set_params(s->domain[0], SCHED_RTDS, &p), 0);
    p = (struct sched_params){ 0 };
    CHECK_EQ(sched_get_vcpu_params(v, SCHED_RTDS, &p), 0);
    CHECK(p.period == 20000 && p.budget == 3000 && !p.extra);
    p = params(1000, 1001, false);
    CHECK_EQ(sched_set_vcpu_params(v, SCHED_RTDS, &p), -XEN_EINVAL);
    p = params(1000, 9, false);
    CHECK_EQ(sched_set_params(s->domain[0], SCHED_RTDS, &p), -XEN_EINVAL);
    p = params(UINT32_MAX, UINT32_MAX, true);
    CHECK_EQ(sched_set_vcpu_params(v, SCHED_RTDS, &p), 0);
    CHECK_EQ(sched_set_vcpu_params(v, SCHED_NULL, &p), -XEN_EINVAL);
    CHECK_EQ(cpupool_get_ratelimit(s->hv, 0, SCHED_RTDS, &us), -XEN_EOPNOTSUPP);
    CHECK_EQ(cpupool_get_ratelimit(s->hv, 0, SCHED_CREDIT2, &us), -XEN_EINVAL);
    CHECK_EQ(cpupool_get_ratelimit(s->hv, 1, SCHED_CREDIT2, &us), -XEN_ESRCH);
    sim_destroy(s);
}
