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

/* --- Performance counters --- */

#define COUNTERS (PERFC_MAX + PERFC_HOST_MAX)
#define VALUES (PERFC_MAX * 2 + PERFC_HOST_MAX)

static struct xen_sysctl_perfc_desc descs[COUNTERS + 1];
static uint32_t vals[VALUES + 1];

/* As `xenperf` does it: how many, then all. */
static void counters(struct control *c, uint32_t cmd)
{
    struct xen_sysctl_perfc_op a = { .cmd = XEN_SYSCTL_PERFCOP_query };

    CHECK_EQ(call(c, 5, &a, sizeof(a)), 0);
    CHECK_EQ(a.nr_counters, COUNTERS);
    CHECK_EQ(a.nr_vals, VALUES);
    memset(descs, 0x5a, sizeof(descs));
    memset(vals, 0x5a, sizeof(vals));
    control_put(c, 0, BUF, descs, sizeof(descs));
    control_put(c, 0, BUF + PAGE_SIZE / 2, vals, sizeof(vals));
    a = (struct xen_sysctl_perfc_op){ .cmd = cmd, .desc = BUF, .val = BUF + PAGE_SIZE / 2 };
    CHECK_EQ(call(c, 5, &a, sizeof(a)), 0);
    control_get(c, 0, BUF, descs, sizeof(descs));
    control_get(c, 0, BUF + PAGE_SIZE / 2, vals, sizeof(vals));
    CHECK_EQ(descs[COUNTERS].nr_vals, 0x5a5a5a5a);
    CHECK_EQ(vals[VALUES], 0x5a5a5a5a);
}

/* The sum of the values of a counter. */
static uint32_t counted(const char *name)
{
    uint32_t at = 0, sum = 0;

    for (uint32_t i = 0; i < COUNTERS; i++) {
        for (uint32_t k = 0; k < descs[i].nr_vals; k++, at++) {
            sum += strcmp(descs[i].name, name) == 0 ? vals[at] : 0;
        }
    }
    CHECK_EQ(at, VALUES);
    return sum;
}

TEST(counters_have_names_and_values)
{
    struct control c = control_begin();

    CHECK(sizeof(descs) <= PAGE_SIZE / 2);
    counters(&c, XEN_SYSCTL_PERFCOP_query);
    for (uint32_t i = 0; i < COUNTERS; i++) {
        CHECK(descs[i].name[0] != '\0' && strlen(descs[i].name) < sizeof(descs[i].name));
        CHECK_EQ(descs[i].nr_vals, i < PERFC_MAX ? 2 : 1);
    }
    CHECK_EQ(counted("domains created"), 2);
    CHECK_EQ(counted("sched: context switches"), 2);
    CHECK_EQ(vals[PERFC_SWITCHES * 2 + 1], 1); /* each on its own CPU */
    CHECK_EQ(counted("frames allocated"), (uint32_t)c.w->hv->frames.allocated);
    CHECK(counted("frames cleared") > 0 &&
          counted("frames cleared") <= counted("frames allocated"));
    CHECK_EQ(counted("vCPU exits"), c.dom0->vcpus[0]->exits + c.domu->vcpus[0]->exits);
    CHECK_EQ(counted("hypercalls refused"), 0);
    control_end(&c);
}

TEST(counters_count_and_begin_anew)
{
    struct control c = control_begin();
    struct domain *d = dom_create(c.w, "late", 1, true);
    struct xen_sysctl_perfc_op bad = { .cmd = 3 };
    uint32_t exits;

    d->vcpus[0]->exits = 1000;
    counters(&c, XEN_SYSCTL_PERFCOP_reset);
    CHECK(counted("vCPU exits") >= 1000); /* as they were */
    counters(&c, XEN_SYSCTL_PERFCOP_query);
    exits = counted("vCPU exits");
    CHECK(exits < 10);
    CHECK_EQ(counted("domains created"), 0);
    CHECK_EQ(counted("sched: context switches"), 0);

    CHECK_EQ(call(&c, 5, &bad, sizeof(bad)), -XEN_EINVAL);
    d->vcpus[0]->exits = 1234;
    dom_destroy(c.w, d);
    counters(&c, XEN_SYSCTL_PERFCOP_query);
    CHECK_EQ(counted("hypercalls refused"), 1);
    /* A domain that is gone has been counted. */
    CHECK(counted("vCPU exits") >= exits + 234 && counted("vCPU exits") < exits + 260);
    control_end(&c);
}

TEST(counters_without_room)
{
    struct control c = control_begin();
    struct xen_sysctl_perfc_op a = { .cmd = 2, .desc = NOWHERE, .val = BUF };

    CHECK_EQ(call(&c, 5, &a, sizeof(a)), -XEN_EFAULT);
    a = (struct xen_sysctl_perfc_op){ .cmd = 1, .desc = BUF, .val = NOWHERE };
    c.w->hv->pcpus[0]->perfc.count[PERFC_TIMERS] = 7;
    CHECK_EQ(call(&c, 5, &a, sizeof(a)), -XEN_EFAULT);
    CHECK_EQ(c.w->hv->pcpus[0]->perfc.base[PERFC_TIMERS], 0);
    a.cmd = 0;
    CHECK_EQ(call(&c, 5, &a, sizeof(a)), -XEN_EINVAL);
    CHECK_EQ(control_op(&c, 1, SYSCTL, 0x15, 5, &a, sizeof(a)), -XEN_EPERM);
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
