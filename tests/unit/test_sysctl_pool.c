/* SPDX-License-Identifier: MIT */
/* ctl/sysctl_pool.c: pools of CPUs as a toolstack changes them. */
#include <xen/sysctl.h>

#include "control.h"

#define SYSCTL 35
#define NOWHERE UINT64_C(0x7000000000)

static int64_t op(struct control *c, struct xen_sysctl_cpupool_op *a)
{
    return control_op(c, 0, SYSCTL, 0x15, 18, a, sizeof(*a));
}

static int64_t pool_op(struct control *c, uint32_t what, uint32_t pool, uint32_t cpu)
{
    struct xen_sysctl_cpupool_op a = { .op = what, .cpupool_id = pool, .cpu = cpu };

    return op(c, &a);
}

static uint64_t cpus_of(struct control *c, uint32_t what, uint32_t pool)
{
    struct xen_sysctl_cpupool_op a = { .op = what, .cpupool_id = pool,
                                       .cpumap = { BUF, 64 } };
    uint64_t cpus = 0;

    control_put(c, 0, BUF, &cpus, sizeof(cpus));
    CHECK_EQ(op(c, &a), 0);
    control_get(c, 0, BUF, &cpus, sizeof(cpus));
    return cpus;
}

TEST(the_first_pool)
{
    struct control c = control_begin();
    struct xen_sysctl_cpupool_op a = { .op = XEN_SYSCTL_CPUPOOL_OP_INFO, .cpumap = { BUF, 64 } };

    CHECK_EQ(op(&c, &a), 0);
    CHECK_EQ(a.cpupool_id, 0);
    CHECK_EQ(a.sched_id, SCHED_CREDIT2);
    CHECK_EQ(a.n_dom, 2);
    CHECK_EQ(cpus_of(&c, XEN_SYSCTL_CPUPOOL_OP_INFO, 0), 3);
    CHECK_EQ(cpus_of(&c, XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0), 0);
    /* Tools ask for the next one until there is none. */
    a = (struct xen_sysctl_cpupool_op){ .op = XEN_SYSCTL_CPUPOOL_OP_INFO, .cpupool_id = 1,
                                        .cpumap = { BUF, 64 } };
    CHECK_EQ(op(&c, &a), -XEN_ENOENT);
    control_end(&c);
}

TEST(a_pool_is_made_filled_used_and_destroyed)
{
    struct control c = control_begin();
    struct xen_sysctl_cpupool_op a = { .op = XEN_SYSCTL_CPUPOOL_OP_CREATE,
                                       .cpupool_id = XEN_SYSCTL_CPUPOOL_PAR_ANY,
                                       .sched_id = SCHED_NULL };
    struct xen_sysctl_cpupool_op move = { .op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN,
                                          .domid = c.domu->id };

    CHECK_EQ(op(&c, &a), 0);
    CHECK_EQ(a.cpupool_id, 1);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 1), 0);
    CHECK_EQ(cpus_of(&c, XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0), 2);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 1), 0);
    CHECK_EQ(cpus_of(&c, XEN_SYSCTL_CPUPOOL_OP_INFO, 1), 2);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0), -XEN_EBUSY);
    move.cpupool_id = 1;
    CHECK_EQ(op(&c, &move), 0);
    CHECK_EQ(cpupool_id(c.domu->pool), 1);
    move.cpupool_id = 0;
    CHECK_EQ(op(&c, &move), 0);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, XEN_SYSCTL_CPUPOOL_PAR_ANY), 0);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0), 0);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, XEN_SYSCTL_CPUPOOL_PAR_ANY), 0);
    CHECK_EQ(cpus_of(&c, XEN_SYSCTL_CPUPOOL_OP_INFO, 0), 3);
    control_end(&c);
}

TEST(what_there_is_not)
{
    struct control c = control_begin();
    struct xen_sysctl_cpupool_op a = { .op = XEN_SYSCTL_CPUPOOL_OP_CREATE, .sched_id = 5,
                                       .cpupool_id = XEN_SYSCTL_CPUPOOL_PAR_ANY };

    CHECK_EQ(op(&c, &a), -XEN_EINVAL);
    a.sched_id = SCHED_NULL;
    a.cpupool_id = 0;
    CHECK_EQ(op(&c, &a), -XEN_EEXIST);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_DESTROY, 9, 0), -XEN_ENOENT);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 9, 0), -XEN_ENOENT);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, 1000), -XEN_EINVAL);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, 0), -XEN_ENODEV);
    CHECK_EQ(pool_op(&c, XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 1000), -XEN_EINVAL);
    CHECK_EQ(pool_op(&c, 0, 0, 0), -XEN_ENOSYS);
    CHECK_EQ(pool_op(&c, 8, 0, 0), -XEN_ENOSYS);
    a = (struct xen_sysctl_cpupool_op){ .op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, .domid = 1000 };
    CHECK_EQ(op(&c, &a), -XEN_ESRCH);
    a = (struct xen_sysctl_cpupool_op){ .op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN,
                                        .domid = 0x10001 };
    CHECK_EQ(op(&c, &a), -XEN_EINVAL);
    a = (struct xen_sysctl_cpupool_op){ .op = XEN_SYSCTL_CPUPOOL_OP_INFO,
                                        .cpumap = { NOWHERE, 64 } };
    CHECK_EQ(op(&c, &a), -XEN_EFAULT);
    a.cpumap.nr_bits = UINT32_MAX;
    CHECK_EQ(op(&c, &a), -XEN_EINVAL);
    control_end(&c);
}

TEST(how_long_credit2_lets_run)
{
    struct control c = control_begin();
    struct xen_sysctl_scheduler_op a = { .sched_id = SCHED_CREDIT2,
                                         .cmd = XEN_SYSCTL_SCHEDOP_putinfo };

    a.u.sched_credit2.ratelimit_us = 5000;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), 0);
    a.u.sched_credit2.ratelimit_us = 0;
    a.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), 0);
    CHECK_EQ(a.u.sched_credit2.ratelimit_us, 5000);
    a.cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    a.u.sched_credit2.ratelimit_us = 99;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), -XEN_EINVAL);
    a.u.sched_credit2.ratelimit_us = 500001;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), -XEN_EINVAL);
    a.cmd = 2;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), -XEN_EINVAL);
    a.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    a.sched_id = 5;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), -XEN_EINVAL);
    a.sched_id = SCHED_CREDIT2;
    a.cpupool_id = 3;
    CHECK_EQ(control_op(&c, 0, SYSCTL, 0x15, 19, &a, sizeof(a)), -XEN_ESRCH);
    control_end(&c);
}
