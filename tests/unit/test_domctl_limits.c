/* SPDX-License-Identifier: MIT */
/* ctl/domctl_sched.c, domctl_mem.c, bitmap.c: where a domain runs, its shares, its memory. */
#include <loam/hv.h>
#include <loam/memory.h>

#include "ctl.h"

#define SOFT_BUF (TOOLSTACK_BUF + 0x100)

static struct domain *domain_of(struct toolstack *t, uint16_t id) { return t->w->hv->domains[id]; }

static struct xen_domctl_vcpuaffinity affinity(uint32_t vcpu, uint32_t flags, uint32_t bits)
{
    return (struct xen_domctl_vcpuaffinity){ .vcpu = vcpu,
                                             .flags = flags,
                                             .cpumap_hard = { TOOLSTACK_BUF, bits },
                                             .cpumap_soft = { SOFT_BUF, bits } };
}

TEST(affinity_is_set_and_read)
{
    struct toolstack t = toolstack_begin(4);
    uint16_t id = toolstack_create(&t, 2);
    uint32_t both = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    struct xen_domctl_vcpuaffinity a = affinity(1, both, 8);
    uint64_t hard = 0xfffffffffffffff6, soft = 0x3, got = 0;

    toolstack_put(&t, TOOLSTACK_BUF, &hard, 8);
    toolstack_put(&t, SOFT_BUF, &soft, 8);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), 0);
    toolstack_get(&t, TOOLSTACK_BUF, &got, 8);
    CHECK_EQ(got, 0xffffffffffffff06); /* one byte: the pool has 4 CPUs */
    toolstack_get(&t, SOFT_BUF, &got, 8);
    CHECK_EQ(got, 0x2);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpuaffinity, id, &a, sizeof(a)), 0);
    toolstack_get(&t, TOOLSTACK_BUF, &got, 1);
    CHECK_EQ((uint8_t)got, 0xf6); /* as it was set */

    /* More bits than there are CPUs: what is beyond reads as 0. */
    a = affinity(0, XEN_VCPUAFFINITY_HARD, 1024);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpuaffinity, id, &a, sizeof(a)), 0);
    toolstack_get(&t, TOOLSTACK_BUF + 120, &got, 8);
    CHECK_EQ(got, 0);
    toolstack_end(&t);
}

TEST(a_bad_affinity_changes_nothing)
{
    struct toolstack t = toolstack_begin(2);
    uint16_t id = toolstack_create(&t, 1);
    struct sched_affinity before, after;
    struct xen_domctl_vcpuaffinity a = affinity(0, 0, 8);
    uint64_t none = 0;

    sched_get_affinity(domain_of(&t, id)->vcpus[0], &before);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    a = affinity(0, 8, 8);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    a = affinity(1, XEN_VCPUAFFINITY_HARD, 8);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    a = affinity(0, XEN_VCPUAFFINITY_HARD, 8);
    a.cpumap_hard.bitmap = 0;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    a.cpumap_hard.bitmap = UINT64_MAX;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EFAULT);
    a = affinity(0, XEN_VCPUAFFINITY_HARD, 8);
    toolstack_put(&t, TOOLSTACK_BUF, &none, 8);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    a = affinity(0, XEN_VCPUAFFINITY_HARD, UINT32_MAX);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpuaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    /* The second of two masks cannot be read: the first is not set. */
    a = affinity(0, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, 8);
    none = 1;
    toolstack_put(&t, TOOLSTACK_BUF, &none, 8);
    a.cpumap_soft.bitmap = UINT64_MAX;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpuaffinity, id, &a, sizeof(a)), -XEN_EFAULT);
    sched_get_affinity(domain_of(&t, id)->vcpus[0], &after);
    CHECK(memcmp(&before, &after, sizeof(before)) == 0);
    toolstack_end(&t);
}

TEST(nodes)
{
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 1);
    struct xen_domctl_nodeaffinity a = { { TOOLSTACK_BUF, 8 } };
    uint64_t nodes = 0xff;

    toolstack_put(&t, TOOLSTACK_BUF, &nodes, 8);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setnodeaffinity, id, &a, sizeof(a)), 0);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getnodeaffinity, id, &a, sizeof(a)), 0);
    toolstack_get(&t, TOOLSTACK_BUF, &nodes, 8);
    CHECK(nodes & 1);
    nodes = 2;
    toolstack_put(&t, TOOLSTACK_BUF, &nodes, 8);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setnodeaffinity, id, &a, sizeof(a)), -XEN_EINVAL);
    toolstack_end(&t);
}

TEST(shares_of_a_domain)
{
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 1);
    struct xen_domctl_scheduler_op a = { .sched_id = SCHED_CREDIT2,
                                         .cmd = XEN_DOMCTL_SCHEDOP_getinfo };

    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), 0);
    CHECK_EQ(a.u.credit2.weight, 256);
    CHECK_EQ(a.u.credit2.cap, 0);
    a.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    a.u.credit2.weight = 512;
    a.u.credit2.cap = UINT16_MAX; /* stays */
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), 0);
    a.u.credit2.weight = 0; /* stays */
    a.u.credit2.cap = 50;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), 0);
    a.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), 0);
    CHECK_EQ(a.u.credit2.weight, 512);
    struct sched_params p;
    CHECK_EQ(sched_get_params(domain_of(&t, id), SCHED_CREDIT2, &p), 0);
    CHECK_EQ(a.u.credit2.cap, p.cap);
    a.cmd = 4;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), -XEN_EINVAL);
    a.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    a.sched_id = SCHED_NULL;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), -XEN_EINVAL);
    a = (struct xen_domctl_scheduler_op){ .sched_id = SCHED_CREDIT2,
                                          .cmd = XEN_DOMCTL_SCHEDOP_getvcpuinfo,
                                          .u.v = { TOOLSTACK_BUF, 1, 0 } };
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), -XEN_EINVAL);
    a.u.v.nr_vcpus = UINT32_MAX;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_scheduler_op, id, &a, sizeof(a)), -XEN_EINVAL);
    toolstack_end(&t);
}

TEST(limits_of_memory)
{
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 1);
    struct xen_domctl_max_mem max = { 1027 };
    struct xen_domctl_paging_mempool pool = { MIB };
    struct xen_domctl_shadow_op shadow = { .op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, .mb = 3 };
    struct xen_domctl_getdomaininfo info = { 0 };
    struct memory_counts counts;

    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_max_mem, id, &max, sizeof(max)), 0);
    memory_counts(domain_of(&t, id), &counts);
    CHECK_EQ(counts.max, 256);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getdomaininfo, id, &info, sizeof(info)), 0);
    CHECK_EQ(info.max_pages, 256);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_set_paging_mempool_size, id, &pool, sizeof(pool)), 0);
    pool.size = 0;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_get_paging_mempool_size, id, &pool, sizeof(pool)), 0);
    CHECK_EQ(pool.size, MIB);
    pool.size = MIB + 1;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_set_paging_mempool_size, id, &pool, sizeof(pool)),
             -XEN_EINVAL);
    t.version = 0x13;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_shadow_op, id, &shadow, sizeof(shadow)), 0);
    CHECK_EQ(memory_pool(domain_of(&t, id)), 3 * MIB);
    shadow = (struct xen_domctl_shadow_op){ .op = XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION };
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_shadow_op, id, &shadow, sizeof(shadow)), 0);
    CHECK_EQ(shadow.mb, 3);
    shadow.op = 32;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_shadow_op, id, &shadow, sizeof(shadow)),
             -XEN_EOPNOTSUPP);
    toolstack_end(&t);
}

/* What an observer without caches sees at `at` of d. */
static uint64_t uncached(struct domain *d, uint64_t at)
{
    mfn_t m = p2m_lookup(d, gpa_to_gfn(gpa(at)), NULL, NULL);
    uint64_t word;

    memcpy(&word,
           fake_machine->shadow + (m.n << PAGE_SHIFT) - FAKE_RAM_BASE + (at & ~PAGE_MASK), 8);
    return ~word;
}

/* A guest with its caches off reads what the toolstack wrote, in a range of any length. */
TEST(caches_are_flushed_in_steps)
{
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 1);
    struct domain *d = domain_of(&t, id);
    struct xen_domctl_max_mem max = { 4096 };
    struct xen_domctl_cacheflush a = { 0x40000, 1000 };
    uint64_t word = 0x1234567890;

    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_max_mem, id, &max, sizeof(max)), 0);
    CHECK_EQ(memory_populate(d, gfn(0x40300), 4), 0);
    CHECK_EQ(guest_phys_write(d, gpa(0x40303008), &word, sizeof(word), false), 0);
    CHECK(uncached(d, 0x40303008) != word);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_cacheflush, id, &a, sizeof(a)), 0);
    CHECK_EQ(a.nr_pfns, 0);
    CHECK_EQ(a.start_pfn, 0x40000 + 1000);
    CHECK_EQ(uncached(d, 0x40303008), word);
    a = (struct xen_domctl_cacheflush){ 0, UINT64_C(1) << 40 };
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_cacheflush, id, &a, sizeof(a)), -XEN_EINVAL);
    a = (struct xen_domctl_cacheflush){ UINT64_MAX, 2 };
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_cacheflush, id, &a, sizeof(a)), -XEN_EINVAL);
    toolstack_end(&t);
}
