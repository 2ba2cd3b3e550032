/* SPDX-License-Identifier: MIT */
/* ctl/sysctl.c, sysctl_console.c: what a toolstack is told of the host. */
#include <loam/console.h>
#include <loam/log.h>
#include <loam/memory.h>
#include <xen/sysctl.h>

#include "control.h"

#define SYSCTL 35
#define NOWHERE UINT64_C(0x7000000000)

static int64_t call_version(struct control *c, uint32_t version, uint32_t cmd, void *op,
                            size_t size)
{
    return control_op(c, 0, SYSCTL, version, cmd, op, size);
}

static int64_t call(struct control *c, uint32_t cmd, void *op, size_t size)
{
    return call_version(c, 0x15, cmd, op, size);
}

TEST(the_machine)
{
    struct control c = control_begin();
    struct xen_sysctl_physinfo a;
    struct frames *fr = &c.w->hv->frames;

    memset(&a, 0x5a, sizeof(a));
    CHECK_EQ(call(&c, 3, &a, sizeof(a)), 0);
    CHECK_EQ(a.nr_cpus, 2);
    CHECK_EQ(a.max_cpu_id, 1);
    CHECK_EQ(a.threads_per_core * a.cores_per_socket, 2);
    CHECK_EQ(a.nr_nodes, 1);
    CHECK_EQ(a.max_node_id, 0);
    CHECK_EQ(a.total_pages, 64 * MIB / PAGE_SIZE);
    CHECK_EQ(a.free_pages, fr->avail);
    CHECK_EQ(a.max_mfn, fr->base.n + fr->pages - 1);
    CHECK_EQ(a.capabilities, XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap |
                                 XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2);
    CHECK(a.cpu_khz != 0);
    CHECK_EQ(a.pad, 0);
    CHECK_EQ(a.hw_cap[7], 0);
    CHECK_EQ(a.outstanding_pages, 0);
    /* Free all the same, but promised: `xl info` tells both. */
    memory_set_max(c.domu, 1000);
    CHECK_EQ(memory_claim(c.domu, c.domu->pages + 40), 0);
    CHECK_EQ(call(&c, 3, &a, sizeof(a)), 0);
    CHECK_EQ(a.outstanding_pages, 40);
    CHECK_EQ(a.free_pages, fr->avail);
    CHECK_EQ(memory_claim(c.domu, 0), 0);
    control_end(&c);
}

/* Up to 4.15 it had no arch_capabilities, and fewer capabilities. */
TEST(the_machine_as_older_tools_see_it)
{
    struct control c = control_begin();
    struct xen_sysctl_physinfo now;
    struct {
        uint32_t head[8];
        uint64_t total, free, scrub, outstanding, max_mfn;
        uint32_t hw_cap[8];
        uint32_t after;
    } old = { .after = 0x5a5a5a5a };

    CHECK_EQ(call(&c, 3, &now, sizeof(now)), 0);
    CHECK_EQ(call_version(&c, 0x13, 3, &old, sizeof(old)), 0);
    CHECK_EQ(old.head[2], 2);
    CHECK_EQ(old.head[7], XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap);
    CHECK_EQ(old.total, now.total_pages);
    CHECK_EQ(old.max_mfn, now.max_mfn);
    CHECK_EQ(old.after, 0x5a5a5a5a);
    control_end(&c);
}

TEST(the_scheduler_of_the_first_pool)
{
    struct control c = control_begin();
    struct xen_sysctl_sched_id a = { 0 };

    CHECK_EQ(call(&c, 4, &a, sizeof(a)), 0);
    CHECK_EQ(a.sched_id, SCHED_CREDIT2);
    control_end(&c);
}

TEST(a_list_of_domains)
{
    struct control c = control_begin();
    struct xen_domctl_getdomaininfo info[3];
    struct xen_sysctl_getdomaininfolist a = { 0, 3, BUF, 77 };

    memset(info, 0x5a, sizeof(info));
    control_put(&c, 0, BUF, info, sizeof(info));
    CHECK_EQ(call(&c, 6, &a, sizeof(a)), 0);
    control_get(&c, 0, BUF, info, sizeof(info));
    CHECK_EQ(a.num_domains, 2);
    CHECK_EQ(info[0].domain, 0);
    CHECK_EQ(info[1].domain, c.domu->id);
    CHECK_EQ(info[2].domain, 0x5a5a);

    /* A part of it; nothing; nothing behind the last. */
    a = (struct xen_sysctl_getdomaininfolist){ 0, 1, BUF, 77 };
    CHECK_EQ(call(&c, 6, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_domains, 1);
    a = (struct xen_sysctl_getdomaininfolist){ 0, 0, NOWHERE, 77 };
    CHECK_EQ(call(&c, 6, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_domains, 0);
    a = (struct xen_sysctl_getdomaininfolist){ c.domu->id + 1, UINT32_MAX, NOWHERE, 77 };
    CHECK_EQ(call(&c, 6, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_domains, 0);
    a = (struct xen_sysctl_getdomaininfolist){ UINT16_MAX, UINT32_MAX, NOWHERE, 77 };
    CHECK_EQ(call(&c, 6, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_domains, 0);
    a = (struct xen_sysctl_getdomaininfolist){ 0, 2, NOWHERE, 77 };
    CHECK_EQ(call(&c, 6, &a, sizeof(a)), -XEN_EFAULT);
    CHECK_EQ(c.domu->refs, 1);
    CHECK_EQ(c.dom0->refs, 1);
    control_end(&c);
}

/* 4.14 and 4.15 had entries of 112 bytes. */
TEST(a_list_for_older_tools_has_their_stride)
{
    struct control c = control_begin();
    uint8_t info[3 * 112];
    uint16_t id;
    struct xen_sysctl_getdomaininfolist a = { 0, 2, BUF, 0 };

    memset(info, 0x5a, sizeof(info));
    control_put(&c, 0, BUF, info, sizeof(info));
    CHECK_EQ(call_version(&c, 0x13, 6, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_domains, 2);
    control_get(&c, 0, BUF, info, sizeof(info));
    memcpy(&id, info + 112, 2);
    CHECK_EQ(id, c.domu->id);
    CHECK_EQ(info[224], 0x5a);
    control_end(&c);
}

TEST(idle_times)
{
    struct control c = control_begin();
    struct xen_sysctl_getcpuinfo a = { 5, BUF, 0 };
    uint64_t idle[3] = { 7, 7, 7 };

    domain_pause(c.domu);
    dom_run(c.w, 1, 0);
    c.w->machine.now += 3 * NS_PER_S;
    control_put(&c, 0, BUF, idle, sizeof(idle));
    CHECK_EQ(call(&c, 8, &a, sizeof(a)), 0);
    control_get(&c, 0, BUF, idle, sizeof(idle));
    CHECK_EQ(a.nr_cpus, 2);
    CHECK(idle[0] < NS_PER_S && idle[1] >= 3 * NS_PER_S);
    CHECK_EQ(idle[2], 7);
    a = (struct xen_sysctl_getcpuinfo){ 1, BUF, 0 };
    CHECK_EQ(call(&c, 8, &a, sizeof(a)), 0);
    CHECK_EQ(a.nr_cpus, 1);
    a = (struct xen_sysctl_getcpuinfo){ UINT32_MAX, NOWHERE, 0 };
    CHECK_EQ(call(&c, 8, &a, sizeof(a)), -XEN_EFAULT);
    control_end(&c);
}

TEST(free_memory)
{
    struct control c = control_begin();
    struct xen_sysctl_availheap a = { 0, 0, -1, 0 };
    uint64_t bytes = c.w->hv->frames.avail << PAGE_SHIFT;

    CHECK_EQ(call(&c, 9, &a, sizeof(a)), 0);
    CHECK_EQ(a.avail_bytes, bytes);
    a = (struct xen_sysctl_availheap){ 4, 64, 0, 0 };
    CHECK_EQ(call(&c, 9, &a, sizeof(a)), 0);
    CHECK_EQ(a.avail_bytes, bytes);
    a = (struct xen_sysctl_availheap){ 0, 12, -1, 0 };
    CHECK_EQ(call(&c, 9, &a, sizeof(a)), -XEN_EOPNOTSUPP);
    a = (struct xen_sysctl_availheap){ UINT32_MAX, UINT32_MAX, -1, 0 };
    CHECK_EQ(call(&c, 9, &a, sizeof(a)), -XEN_EOPNOTSUPP);
    a = (struct xen_sysctl_availheap){ 0, 0, 1, 0 };
    CHECK_EQ(call(&c, 9, &a, sizeof(a)), -XEN_EINVAL);
    a = (struct xen_sysctl_availheap){ 0, 0, INT32_MIN, 0 };
    CHECK_EQ(call(&c, 9, &a, sizeof(a)), -XEN_EINVAL);
    control_end(&c);
}

TEST(topology)
{
    struct control c = control_begin();
    struct xen_sysctl_cputopoinfo a = { 0, 0 };
    struct xen_sysctl_cputopo cpu[3];

    memset(cpu, 0x5a, sizeof(cpu));
    CHECK_EQ(call(&c, 16, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_cpus, 2);
    control_put(&c, 0, BUF, cpu, sizeof(cpu));
    a = (struct xen_sysctl_cputopoinfo){ 1, BUF };
    CHECK_EQ(call(&c, 16, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_cpus, 2); /* there are more than were asked for */
    control_get(&c, 0, BUF, cpu, sizeof(cpu));
    CHECK_EQ(cpu[0].core, 0);
    CHECK_EQ(cpu[1].core, 0x5a5a5a5a);
    a = (struct xen_sysctl_cputopoinfo){ UINT32_MAX, BUF };
    CHECK_EQ(call(&c, 16, &a, sizeof(a)), 0);
    control_get(&c, 0, BUF, cpu, sizeof(cpu));
    CHECK_EQ(cpu[1].core, 1);
    CHECK_EQ(cpu[1].socket, 0);
    CHECK_EQ(cpu[2].core, 0x5a5a5a5a);
    a = (struct xen_sysctl_cputopoinfo){ 2, NOWHERE };
    CHECK_EQ(call(&c, 16, &a, sizeof(a)), -XEN_EFAULT);
    control_end(&c);
}

TEST(nodes)
{
    struct control c = control_begin();
    struct xen_sysctl_numainfo a = { 0, 0, 0 };
    struct xen_sysctl_meminfo mem = { 0, 0 };
    uint32_t distance[2] = { 0, 7 };

    CHECK_EQ(call(&c, 17, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_nodes, 1);
    control_put(&c, 0, BUF + 64, distance, sizeof(distance));
    a = (struct xen_sysctl_numainfo){ 64, BUF, BUF + 64 };
    CHECK_EQ(call(&c, 17, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_nodes, 1);
    control_get(&c, 0, BUF, &mem, sizeof(mem));
    control_get(&c, 0, BUF + 64, distance, sizeof(distance));
    CHECK_EQ(mem.memsize, 64 * MIB);
    CHECK_EQ(mem.memfree, c.w->hv->frames.avail << PAGE_SHIFT);
    CHECK_EQ(distance[0], 10);
    CHECK_EQ(distance[1], 7);
    a = (struct xen_sysctl_numainfo){ 1, NOWHERE, 0 };
    CHECK_EQ(call(&c, 17, &a, sizeof(a)), -XEN_EFAULT);
    a = (struct xen_sysctl_numainfo){ 1, BUF, NOWHERE };
    CHECK_EQ(call(&c, 17, &a, sizeof(a)), -XEN_EFAULT);
    control_end(&c);
}

TEST(nodes_of_devices)
{
    struct control c = control_begin();
    struct xen_sysctl_pcitopoinfo a = { 3, BUF, BUF + 64 };
    uint32_t node[4] = { 7, 7, 7, 7 };

    control_put(&c, 0, BUF + 64, node, sizeof(node));
    CHECK_EQ(call(&c, 22, &a, sizeof(a)), 0);
    control_get(&c, 0, BUF + 64, node, sizeof(node));
    CHECK_EQ(a.num_devs, 3);
    CHECK(node[0] == 0 && node[2] == 0 && node[3] == 7);
    a.num_devs = UINT32_MAX; /* as many as one call answers */
    CHECK_EQ(call(&c, 22, &a, sizeof(a)), 0);
    CHECK_EQ(a.num_devs, 64);
    a = (struct xen_sysctl_pcitopoinfo){ 3, BUF, NOWHERE };
    CHECK_EQ(call(&c, 22, &a, sizeof(a)), -XEN_EFAULT);
    a = (struct xen_sysctl_pcitopoinfo){ 3, 0, BUF };
    CHECK_EQ(call(&c, 22, &a, sizeof(a)), -XEN_EINVAL);
    control_end(&c);
}

/* As `xl dmesg` does it: everything, then on from where it ended. */
TEST(the_log)
{
    struct control c = control_begin();
    struct xen_sysctl_readconsole a = { .buffer = BUF, .count = 8192 };
    char text[8192 + 1] = { 0 };

    for (uint32_t i = 0; i < 100; i++) {
        log_info(c.w->hv, "a line with the number %u", i);
    }
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    CHECK(a.count > 2500 && a.count < 8192);
    control_get(&c, 0, BUF, text, a.count);
    CHECK(strstr(text, "a line with the number 99\n") == text + a.count - 26);

    a = (struct xen_sysctl_readconsole){ 0, 1, 0, 0, a.index, BUF, 8192 };
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    CHECK_EQ(a.count, 0);
    log_info(c.w->hv, "one more");
    a.count = 4;
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    CHECK_EQ(a.count, 4);
    a.count = 8192;
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    CHECK_EQ(a.count, 5);
    control_end(&c);
}

TEST(the_log_is_cleared_as_far_as_it_was_read)
{
    struct control c = control_begin();
    struct xen_sysctl_readconsole a = { .clear = 1, .buffer = NOWHERE, .count = UINT32_MAX };
    uint32_t first = console_log_first(c.w->hv);

    log_info(c.w->hv, "a line");
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), -XEN_EFAULT);
    CHECK_EQ(console_log_first(c.w->hv), first);
    a = (struct xen_sysctl_readconsole){ .clear = 1, .buffer = BUF, .count = 3 };
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    CHECK_EQ(console_log_first(c.w->hv), first + 3);
    a = (struct xen_sysctl_readconsole){ .clear = 1, .buffer = BUF, .count = UINT32_MAX };
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    a = (struct xen_sysctl_readconsole){ .buffer = BUF, .count = UINT32_MAX };
    CHECK_EQ(call(&c, 1, &a, sizeof(a)), 0);
    CHECK_EQ(a.count, 0);
    control_end(&c);
}

TEST(what_is_no_row_or_no_version_is_refused)
{
    struct control c = control_begin();
    uint64_t a[16] = { 0 };

    CHECK_EQ(call(&c, 0, a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call(&c, 2, a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call(&c, 15, a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call(&c, 1000, a, sizeof(a)), -XEN_ENOSYS);
    CHECK_EQ(call_version(&c, 0x12, 3, a, sizeof(a)), -XEN_EACCES);
    CHECK_EQ(call_version(&c, 0x17, 3, a, sizeof(a)), -XEN_EACCES);
    CHECK_EQ(control_op(&c, 1, SYSCTL, 0x15, 3, a, sizeof(a)), -XEN_EPERM);
    control_end(&c);
}
