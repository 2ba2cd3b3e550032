/* SPDX-License-Identifier: MIT */
/* ctl/platform_op.c: what a control domain asks of the machine. */
#include <xen/platform.h>

#include "control.h"

#define PLATFORM_OP 7

static int64_t call(struct control *c, uint32_t cpu, uint32_t cmd, void *op, size_t size)
{
    return control_op(c, cpu, PLATFORM_OP, XENPF_INTERFACE_VERSION, cmd, op, size);
}

TEST(idle_times_of_the_cpus_that_there_are)
{
    struct control c = control_begin();
    uint8_t map = 0xfe; /* all but CPU 0 */
    uint64_t idle[8];
    struct xenpf_getidletime a = { BUF, 8, BUF + 64, 0 };

    memset(idle, 0x5a, sizeof(idle));
    domain_pause(c.domu);
    dom_run(c.w, 1, 0);
    c.w->machine.now += 7 * NS_PER_S;
    control_put(&c, 0, BUF, &map, 1);
    control_put(&c, 0, BUF + 64, idle, sizeof(idle));
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), 0);
    control_get(&c, 0, BUF, &map, 1);
    control_get(&c, 0, BUF + 64, idle, sizeof(idle));
    CHECK_EQ(map, 2);
    CHECK(idle[0] == UINT64_C(0x5a5a5a5a5a5a5a5a)); /* was not asked for */
    CHECK(idle[1] >= 7 * NS_PER_S && idle[1] <= a.now);
    CHECK_EQ(idle[2], 0);
    CHECK(a.now >= 7 * NS_PER_S);
    CHECK_EQ(domain_unpause(c.domu), 0);

    /* CPU 0 has been in dom0 all the time. */
    map = 1;
    control_put(&c, 0, BUF, &map, 1);
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), 0);
    control_get(&c, 0, BUF + 64, idle, sizeof(idle));
    CHECK(idle[0] < NS_PER_S);
    control_end(&c);
}

TEST(idle_times_check_their_buffers)
{
    struct control c = control_begin();
    uint8_t map = 1;
    struct xenpf_getidletime a = { BUF, HV_PCPUS_MAX + 1, BUF + 64, 0 };

    control_put(&c, 0, BUF, &map, 1);
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), -XEN_EINVAL);
    a = (struct xenpf_getidletime){ BUF, UINT32_MAX, BUF + 64, 0 };
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), -XEN_EINVAL);
    a = (struct xenpf_getidletime){ 0, 1, BUF + 64, 0 };
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), -XEN_EFAULT);
    a = (struct xenpf_getidletime){ BUF, 1, UINT64_MAX - 3, 0 };
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), -XEN_EFAULT);
    a = (struct xenpf_getidletime){ 0, 0, 0, 0 };
    CHECK_EQ(call(&c, 0, 53, &a, sizeof(a)), 0);
    control_end(&c);
}

TEST(which_cpus_there_are)
{
    struct control c = control_begin();
    struct xenpf_pcpuinfo a = { .xen_cpuid = 1 };

    CHECK_EQ(call(&c, 0, 55, &a, sizeof(a)), 0);
    CHECK_EQ(a.max_present, 1);
    CHECK_EQ(a.flags, XEN_PCPU_FLAGS_ONLINE);
    a = (struct xenpf_pcpuinfo){ .xen_cpuid = UINT32_MAX };
    CHECK_EQ(call(&c, 0, 55, &a, sizeof(a)), 0);
    CHECK_EQ(a.max_present, 1);
    CHECK_EQ(a.flags, XEN_PCPU_FLAGS_INVALID);
    control_end(&c);
}

TEST(versions_and_operations_that_do_not_exist)
{
    static const uint32_t versions[] = { 0, 1, 0x03000000, 0x03000002, 0x15, UINT32_MAX };
    struct control c = control_begin();
    struct xenpf_pcpuinfo a = { 0 };

    for (uint32_t i = 0; i < ARRAY_SIZE(versions); i++) {
        CHECK_EQ(control_op(&c, 0, PLATFORM_OP, versions[i], 55, &a, sizeof(a)), -XEN_EACCES);
    }
    CHECK_EQ(call(&c, 0, 0, &a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call(&c, 0, 31, &a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call(&c, 0, UINT32_MAX, &a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call(&c, 1, 55, &a, sizeof(a)), -XEN_EPERM);
    control_end(&c);
}

TEST(the_time_of_day)
{
    struct control c = control_begin();
    struct xenpf_settime64 a = { 1700000000, 999999999, 0, 1000 };
    struct xenpf_settime32 b = { 1700000000, 5, 1000 };

    CHECK_EQ(call(&c, 0, 62, &a, sizeof(a)), 0);
    CHECK_EQ(call(&c, 0, 17, &b, sizeof(b)), 0);
    a.mbz = 1;
    CHECK_EQ(call(&c, 0, 62, &a, sizeof(a)), -XEN_EINVAL);
    a.mbz = 0;
    a.nsecs = NS_PER_S;
    CHECK_EQ(call(&c, 0, 62, &a, sizeof(a)), -XEN_EINVAL);
    b.nsecs = UINT32_MAX;
    CHECK_EQ(call(&c, 0, 17, &b, sizeof(b)), -XEN_EINVAL);
    CHECK_EQ(call(&c, 1, 62, &a, sizeof(a)), -XEN_EPERM);
    /* What Debian's dom0 says at each boot of a machine without a clock. */
    a = (struct xenpf_settime64){ .system_time = 7 * NS_PER_S };
    CHECK_EQ(call(&c, 0, 62, &a, sizeof(a)), 0);
    control_end(&c);
}
