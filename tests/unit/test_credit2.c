/* SPDX-License-Identifier: MIT */
/*
 * sched/credit2.c in the simulator: shares by weight, no starvation, no CPU
 * idle while somebody could use it, affinity, state that stays loaded.
 */
#include "sched_sim.h"

#define SEEDS 4

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
