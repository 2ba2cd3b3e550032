/* SPDX-License-Identifier: MIT */
/*
 * sched/cpupool.c: which pools can be made, and that they are gone again,
 * also when an allocation fails half-way. CPU masks.
 */
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
