/* SPDX-License-Identifier: MIT */
/*
 * sched/cpupool_op.c in the simulator: CPUs enter and leave pools of every scheduler and domains
 * move between them while vCPUs run, block, wake and are pinned; no rule of the simulator is
 * broken, nobody starves who has a CPU, and all memory comes back.
 */
#include "sched_sim.h"

#ifndef CROWDS
#define CROWDS 60
#endif

static uint32_t pools_left(struct hv *hv)
{
    struct cpupool_info info;
    uint32_t nr = 0;

    for (uint32_t id = 0; cpupool_info(hv, id, &info) == 0; id = info.id + 1) {
        nr++;
    }
    return nr;
}

static void crowd(uint64_t seed, enum sched_id first)
{
    uint32_t cpus = 2 + (uint32_t)(seed % 4);
    struct sim *s = sim_create(cpus, first, seed);
    uint32_t nr = 2 + (uint32_t)sim_random(s, first == SCHED_NULL ? cpus - 1 : 10);

    s->chaos = s->admin = true;
    s->caps = s->idles = seed % 3 == 0;
    for (uint32_t d = 0; d < 3; d++) {
        sim_domain(s, 128u << sim_random(s, 4));
    }
    for (uint32_t i = 0; i < nr; i++) {
        struct sim_guest g = { .domain = (uint32_t)sim_random(s, 3) };

        if (sim_random(s, 3) != 0) {
            g.burst = 5 * NS_PER_US + sim_random(s, sim_random(s, 2) ? 200000 : 20000000);
            g.pause = sim_random(s, 4) == 0 ? 0 : 1 + sim_random(s, 20 * NS_PER_MS);
        }
        if (sim_random(s, 4) == 0 && first != SCHED_NULL) {
            g.affinity.w[0] = 1 + sim_random(s, (1u << cpus) - 1);
        }
        sim_add(s, g);
    }
    sim_run(s, NS_PER_S);
    SIM_CHECK(s, s->ops > 20);
    SIM_CHECK(s, s->wasted_max < 2 * NS_PER_MS);
    for (uint32_t i = 0; i < s->nr_vcpus; i++) {
        struct vcpu_runstate r;

        vcpu_runstate(s->vcpu[i].v, &r);
        SIM_CHECK(s, r.since - FAKE_START == r.time[0] + r.time[1] + r.time[2] + r.time[3]);
        SIM_CHECK(s, s->caps || s->vcpu[i].longest < 900 * NS_PER_MS);
    }
    /* Stops, all domains back into the first pool; the others are destroyed. */
    sim_stop(s);
    for (uint32_t d = 0; d < s->nr_domains; d++) {
        s->again = sim_op_move;
        s->op_pool = 0;
        s->op_domain = s->domain[d];
        for (uint32_t i = 0; i < 100 && s->again != NULL; i++) {
            sim_admin(s);
            sim_run(s, 100 * NS_PER_US);
        }
    }
    sim_destroy(s);
}

TEST(pools_change_under_a_crowd)
{
    for (uint64_t i = 0; i < CROWDS; i++) {
        crowd(0x6000 + i, SCHED_CREDIT2);
    }
}

TEST(pools_change_under_a_crowd_with_periods)
{
    for (uint64_t i = 0; i < CROWDS / 2; i++) {
        crowd(0x7000 + i, SCHED_RTDS);
    }
}

TEST(pools_change_under_vcpus_with_a_cpu_each)
{
    for (uint64_t i = 0; i < CROWDS / 2; i++) {
        crowd(0x8000 + i, SCHED_NULL);
    }
}

/* A pool is made, gets a CPU and a domain, loses both and is gone; memory is as before. */
TEST(a_pool_comes_and_goes)
{
    struct sim *s = sim_create(2, SCHED_CREDIT2, 0x90);
    uint32_t id = CPUPOOL_ANY;
    struct cpupool_info info;

    sim_domain(s, 256);
    struct sim_vcpu *sv = sim_add(s, (struct sim_guest){ .domain = 0 });
    sim_run(s, NS_PER_MS);
    CHECK_EQ(cpupool_make(s->hv, &id, SCHED_RTDS), 0);
    CHECK_EQ(id, 1);
    CHECK_EQ(pools_left(s->hv), 2);
    CHECK_EQ(cpupool_make(s->hv, &id, SCHED_RTDS), -XEN_EEXIST);
    CHECK_EQ(cpupool_make(s->hv, &id, (enum sched_id)5), -XEN_EINVAL);
    CHECK_EQ(cpupool_move_domain(s->hv, 1, s->domain[0]), -XEN_ENODEV);
    CHECK_EQ(cpupool_move_domain(s->hv, 2, s->domain[0]), -XEN_ENOENT);
    CHECK_EQ(cpupool_add_cpu(s->hv, 1, 0), -XEN_ENODEV);
    CHECK_EQ(cpupool_add_cpu(s->hv, 1, CPUPOOL_ANY), -XEN_ENODEV);
    CHECK_EQ(cpupool_add_cpu(s->hv, 1, 2), -XEN_EINVAL);
    CHECK_EQ(cpupool_add_cpu(s->hv, 7, 1), -XEN_ENOENT);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 1, 1), -XEN_ENODEV);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 1, CPUPOOL_ANY), -XEN_ENODEV);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 0, 1), -XEN_EAGAIN);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 0, 0), -XEN_EBUSY);
    sim_run(s, NS_PER_MS);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 0, 1), 0);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 0, 1), -XEN_ENODEV);
    CHECK_EQ(cpupool_add_cpu(s->hv, 1, CPUPOOL_ANY), 0);
    CHECK_EQ(cpupool_destroy(s->hv, 1), -XEN_EBUSY);
    CHECK_EQ(cpupool_destroy(s->hv, 0), -XEN_EBUSY);
    CHECK_EQ(cpupool_move_domain(s->hv, 1, s->domain[0]), -XEN_EAGAIN);
    CHECK_EQ(cpupool_move_domain(s->hv, 0, s->domain[0]), -XEN_EBUSY);
    CHECK_EQ(sched_set_affinity(sv->v, &sv->guest.affinity), -XEN_EBUSY);
    sim_run(s, 5 * NS_PER_MS);
    CHECK_EQ(cpupool_move_domain(s->hv, 1, s->domain[0]), 0);
    CHECK_EQ(sv->v->pcpu->id, 1);
    CHECK_EQ(cpupool_info(s->hv, 1, &info), 0);
    CHECK(info.nr_domains == 1 && info.cpus.w[0] == 2 && info.sched == SCHED_RTDS);
    ns_t ran = sv->ran;
    sim_run(s, 10 * NS_PER_MS);
    CHECK(sv->ran > ran + 9 * NS_PER_MS);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 1, 1), -XEN_EBUSY);
    CHECK_EQ(cpupool_move_domain(s->hv, 0, s->domain[0]), -XEN_EAGAIN);
    sim_run(s, 5 * NS_PER_MS);
    CHECK_EQ(cpupool_move_domain(s->hv, 0, s->domain[0]), 0);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 1, CPUPOOL_ANY), -XEN_EAGAIN);
    CHECK_EQ(cpupool_destroy(s->hv, 1), -XEN_EAGAIN);
    sim_run(s, NS_PER_MS);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 1, CPUPOOL_ANY), 0);
    CHECK_EQ(cpupool_destroy(s->hv, 1), 0);
    CHECK_EQ(cpupool_destroy(s->hv, 1), -XEN_ENOENT);
    CHECK_EQ(pools_left(s->hv), 1);
    sim_destroy(s);
}

/* A pin holds again as soon as its CPU is back; meanwhile the vCPU runs elsewhere. */
TEST(a_pin_comes_back_with_its_cpu)
{
    struct sim *s = sim_create(3, SCHED_CREDIT2, 0xa0);
    struct sched_affinity set, effective;

    sim_domain(s, 256);
    struct sim_vcpu *sv =
        sim_add(s, (struct sim_guest){ .domain = 0, .affinity = fake_cpus(2, 2) });
    sim_run(s, NS_PER_MS);
    CHECK_EQ(sv->v->pcpu->id, 2);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 0, 2), -XEN_EAGAIN);
    sim_run(s, NS_PER_MS);
    CHECK_EQ(cpupool_remove_cpu(s->hv, 0, 2), 0);
    CHECK(sv->v->running && sv->v->pcpu->id != 2);
    sched_get_affinity(sv->v, &set);
    sched_get_effective_affinity(sv->v, &effective);
    CHECK(set.hard.w[0] == 4 && effective.hard.w[0] == 3);
    CHECK_EQ(cpupool_add_cpu(s->hv, 0, 2), 0);
    sim_run(s, NS_PER_MS);
    CHECK(sv->v->running && sv->v->pcpu->id == 2);
    sim_destroy(s);
}

/* More vCPUs than one call brings up to date: a job does the rest, then the CPU leaves. */
TEST(many_vcpus_follow_in_steps)
{
    struct sim *s = sim_create(2, SCHED_CREDIT2, 0xb0);

    sim_domain(s, 256);
    for (uint32_t i = 0; i < 120; i++) {
        sim_add(s, (struct sim_guest){ .domain = 0,
                                       .burst = 20000,
                                       .pause = 30 * NS_PER_MS,
                                       .affinity = fake_cpus(i & 1, i & 1) });
    }
    sim_run(s, 10 * NS_PER_MS);
    s->again = sim_op_remove;
    s->op_pool = 0;
    s->op_cpu = 1;
    for (uint32_t i = 0; i < 100 && s->again != NULL; i++) {
        sim_admin(s);
        sim_run(s, 100 * NS_PER_US);
    }
    CHECK(s->again == NULL && s->hv->pcpus[1]->sched == NULL);
    for (uint32_t i = 0; i < 120; i++) {
        struct sched_affinity effective;

        sched_get_effective_affinity(s->vcpu[i].v, &effective);
        CHECK_EQ(effective.hard.w[0], 1);
    }
    sim_run(s, 50 * NS_PER_MS);
    sim_destroy(s);
}
