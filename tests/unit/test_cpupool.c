/* SPDX-License-Identifier: MIT */
/*
 * sched/cpupool.c: which pools can be made, and that they are gone again,
 * also when an allocation fails half-way; the same of what changes pools. CPU masks.
 */
#include <loam/job.h>

#include "sched_fakes.h"

static struct cpumask one(uint32_t cpu) { return fake_cpus(cpu, cpu); }

TEST(masks)
{
    struct cpumask m = { { 0 } };

    CHECK(cpumask_is_empty(&m));
    CHECK_EQ(cpumask_first(&m), CPUMASK_NONE);
    cpumask_set(&m, 127);
    CHECK_EQ(cpumask_first(&m), 127);
    cpumask_set(&m, 64);
    cpumask_set(&m, 63);
    CHECK_EQ(cpumask_first(&m), 63);
    CHECK_EQ(cpumask_count(&m), 3);
    CHECK(cpumask_test(&m, 64) && !cpumask_test(&m, 65) && !cpumask_test(&m, 0));
    struct cpumask low = fake_cpus(0, 64);
    struct cpumask both = cpumask_and(&m, &low);
    CHECK_EQ(cpumask_count(&both), 2);
    cpumask_clear(&m, 63);
    CHECK_EQ(cpumask_first(&m), 64);
}

TEST_ALLOC(pools_are_disjoint)
{
    struct hv *hv = fake_hv_create(4);
    struct cpumask m = fake_cpus(1, 2);
    struct cpupool *first = NULL, *second = NULL;

    CHECK(cpupool_default(hv) == NULL);
    int rc = cpupool_create(hv, "first", SCHED_CREDIT2, &m, &first);
    CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
    if (rc == 0) {
        CHECK(cpupool_default(hv) == first);
        CHECK_EQ(cpupool_nr_cpus(first), 2);
        CHECK_EQ(cpupool_cpus(first)->w[0], 6);
        CHECK_EQ(cpupool_sched(first), SCHED_CREDIT2);
        CHECK_STR(cpupool_name(first), "first");
        m = fake_cpus(2, 3);
        CHECK_EQ(cpupool_create(hv, "second", SCHED_NULL, &m, &second), -XEN_EBUSY);
        CHECK(hv->pcpus[3]->sched == NULL);
    }
    m = one(3);
    rc = cpupool_create(hv, "second", SCHED_NULL, &m, &second);
    CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
    if (rc == 0) {
        CHECK_EQ(cpupool_sched(second), SCHED_NULL);
        CHECK(first == NULL || cpupool_default(hv) == first);
    } else {
        CHECK(hv->pcpus[3]->sched == NULL);
    }
    /* A CPU in no pool runs nothing. */
    CHECK(sched_pick(hv->pcpus[0]) == NULL);
    CHECK(!spin_is_locked(&hv->lock));
    fake_hv_destroy(hv);
}

TEST(refused_pools)
{
    struct hv *hv = fake_hv_create(2);
    struct cpumask none = { { 0 } }, all = fake_cpus(0, 1), beyond = fake_cpus(1, 2);
    struct cpumask far = one(127);
    struct cpupool *pool;

    CHECK_EQ(cpupool_create(hv, "x", SCHED_NULL, &none, &pool), -XEN_EINVAL);
    CHECK_EQ(cpupool_create(hv, "x", SCHED_NULL, &beyond, &pool), -XEN_EINVAL);
    CHECK_EQ(cpupool_create(hv, "x", SCHED_NULL, &far, &pool), -XEN_EINVAL);
    CHECK_EQ(cpupool_create(hv, "x", (enum sched_id)5, &all, &pool), -XEN_EINVAL);
    CHECK(cpupool_default(hv) == NULL && !spin_is_locked(&hv->lock));
    fake_hv_destroy(hv);
}

TEST(long_names_are_cut)
{
    struct hv *hv = fake_hv_create(1);
    struct cpumask all = one(0);
    struct cpupool *pool;

    CHECK_EQ(
        cpupool_create(hv, "a name of more than thirty-one characters", SCHED_NULL, &all, &pool),
        0);
    CHECK_STR(cpupool_name(pool), "a name of more than thirty-one ");
    fake_hv_destroy(hv);
}

/* 0, or -XEN_ENOMEM because an allocation was made to fail. */
static bool did(int rc)
{
    CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
    return rc == 0;
}

/* Whatever there is no memory for, nothing is changed then and nothing stays. */
TEST_ALLOC(changes_without_memory)
{
    struct hv *hv = fake_hv_create(3);
    struct cpumask m = fake_cpus(0, 1), free_ones;
    struct cpupool_info info;
    struct cpupool *first;
    uint32_t id = 7;

    if (did(cpupool_create(hv, "first", SCHED_CREDIT2, &m, &first))) {
        struct domain *d = fake_domain_create(hv, first, 2, 256);
        bool both = did(fake_vcpu_create(d, 0)) && did(fake_vcpu_create(d, 1));

        CHECK_EQ(d->vcpus[1] != NULL, both);
        if (did(cpupool_make(hv, &id, SCHED_RTDS))) {
            CHECK_EQ(id, 7);
            CHECK_EQ(cpupool_info(hv, 1, &info), 0);
            CHECK(info.id == 7 && info.nr_domains == 0 && cpumask_is_empty(&info.cpus));
            bool added = did(cpupool_add_cpu(hv, 7, CPUPOOL_ANY));
            cpupool_free_cpus(hv, &free_ones);
            CHECK_EQ(free_ones.w[0], added ? 0 : 4);
            int rc = cpupool_move_domain(hv, 7, d);
            if (added && rc == -XEN_EAGAIN) {
                while (job_step(hv->pcpus[0])) {
                }
                CHECK_EQ(cpupool_move_domain(hv, 7, d), 0);
                CHECK_EQ(cpupool_id(d->pool), 7);
            } else {
                CHECK(rc == (added ? -XEN_ENOMEM : -XEN_ENODEV) && cpupool_id(d->pool) == 0);
                CHECK(d->move == NULL && (d->vcpus[0] == NULL || d->vcpus[0]->pool == first));
            }
            struct sched_params p = { .weight = 512, .cap = 50 };
            rc = sched_set_params(d, SCHED_CREDIT2, &p);
            CHECK(rc == -XEN_EINVAL || did(rc));
        }
        fake_domain_destroy(d);
    }
    CHECK(!spin_is_locked(&hv->lock));
    fake_hv_destroy(hv);
}

/* Who keeps a pool, keeps it. */
TEST(a_pool_that_is_kept_stays)
{
    struct hv *hv = fake_hv_create(1);
    struct cpumask all = one(0);
    struct cpupool *first;
    uint32_t id = CPUPOOL_ANY;

    REQUIRE(cpupool_create(hv, "first", SCHED_CREDIT2, &all, &first) == 0);
    CHECK_EQ(cpupool_make(hv, &id, SCHED_NULL), 0);
    CHECK(cpupool_get(hv, 2) == NULL);
    struct cpupool *kept = cpupool_get(hv, id);
    CHECK_EQ(cpupool_destroy(hv, id), -XEN_EBUSY);
    cpupool_put(kept);
    CHECK_EQ(cpupool_destroy(hv, id), 0);
    CHECK(cpupool_get(hv, id) == NULL);
    /* It is freed when the CPU has passed a quiescent point. */
    uint32_t steps = 0;
    while (!list_is_empty(&hv->jobs) && steps++ < 5) {
        job_step(hv->pcpus[0]);
        hv->quiesce_pending -= (atomic_exchange(&hv->pcpus[0]->work, 0) & PCPU_WORK_QUIESCE) != 0;
    }
    CHECK(list_is_empty(&hv->jobs));
    fake_hv_destroy(hv);
}
