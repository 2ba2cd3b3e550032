/* SPDX-License-Identifier: MIT */
/* core/multicall.c: a list of hypercalls, results, repeated entries, bad lists. */
#include <loam/refusal.h>
#include <xen/version.h>

#include "memory.h"

#define CALLS (DOM_RAM + 0xc000)
#define ENTRY sizeof(struct multicall_entry)

static void set(struct pair *p, struct domain *d, uint64_t i, uint64_t op, uint64_t a0, uint64_t a1)
{
    struct multicall_entry e = { .op = op, .result = 0x5555, .args = { a0, a1, 2, 3, 4, 5 } };

    put(p, d, CALLS + i * ENTRY, &e, sizeof(e));
}

static struct multicall_entry entry(struct pair *p, struct domain *d, uint64_t i)
{
    struct multicall_entry e;

    get(p, d, CALLS + i * ENTRY, &e, sizeof(e));
    return e;
}

static int64_t result(struct pair *p, struct domain *d, uint64_t i)
{
    return (int64_t)entry(p, d, i).result;
}

static int64_t run(struct pair *p, struct domain *d, uint64_t list, uint64_t nr)
{
    return dom_hypercall(p->w, cpu_of(p, d), __HYPERVISOR_multicall, list, nr, 0);
}

TEST(each_call_has_its_result)
{
    struct pair p = pair_begin();
    struct xen_memory_domain self = { DOMID_SELF };

    put(&p, p.guest, ARG, &self, sizeof(self));
    set(&p, p.guest, 0, __HYPERVISOR_xen_version, 0, 0);
    set(&p, p.guest, 1, __HYPERVISOR_memory_op, XENMEM_current_reservation, ARG);
    set(&p, p.guest, 2, 55, 0, 0);
    set(&p, p.guest, 3, UINT64_MAX, 0, 0);
    set(&p, p.guest, 4, __HYPERVISOR_memory_op, XENMEM_current_reservation, NOWHERE);
    set(&p, p.guest, 5, __HYPERVISOR_memory_op, XENMEM_claim_pages, ARG);
    set(&p, p.guest, 6, __HYPERVISOR_multicall, CALLS, 1);
    set(&p, p.guest, 7, __HYPERVISOR_xen_version, 7, 0);
    CHECK_EQ(run(&p, p.guest, CALLS, 7), 0);
    CHECK_EQ(result(&p, p.guest, 0), XEN_ABI_MAJOR << 16 | XEN_ABI_MINOR);
    CHECK_EQ(result(&p, p.guest, 1), RAM_PAGES);
    CHECK_EQ(result(&p, p.guest, 2), -XEN_ENOSYS);
    CHECK_EQ(result(&p, p.guest, 3), -XEN_ENOSYS);
    CHECK_EQ(result(&p, p.guest, 4), -XEN_EFAULT);
    CHECK_EQ(result(&p, p.guest, 5), -XEN_EPERM);
    CHECK_EQ(result(&p, p.guest, 6), -XEN_EINVAL);
    CHECK_EQ(result(&p, p.guest, 7), 0x5555);
    CHECK_EQ(entry(&p, p.guest, 1).args[1], ARG);
    CHECK_EQ(run(&p, p.guest, CALLS, 0), 0);
    /* The number of calls has 32 bits. */
    CHECK_EQ(run(&p, p.guest, CALLS, UINT64_C(1) << 32), 0);
    pair_end(&p);
}

TEST(a_call_of_many_steps_is_finished_in_its_place)
{
    struct pair p = pair_begin();
    struct xen_memory_reservation r = { .extent_start = LIST,
                                        .nr_extents = 300,
                                        .domid = DOMID_SELF };

    put(&p, p.guest, ARG, &r, sizeof(r));
    list_gfns(&p, p.guest, HOLE, 1, 300);
    set(&p, p.guest, 0, __HYPERVISOR_xen_version, 7, 0);
    set(&p, p.guest, 1, __HYPERVISOR_memory_op, XENMEM_populate_physmap, ARG);
    set(&p, p.guest, 2, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, ARG);
    set(&p, p.guest, 3, __HYPERVISOR_xen_version, 7, 0);
    CHECK_EQ(run(&p, p.guest, CALLS, 4), 0);
    CHECK_EQ(result(&p, p.guest, 0), PAGE_SIZE);
    CHECK_EQ(result(&p, p.guest, 1), 300);
    CHECK_EQ(result(&p, p.guest, 2), 300);
    CHECK_EQ(result(&p, p.guest, 3), PAGE_SIZE);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    pair_end(&p);
}

TEST(long_lists_go_on)
{
    struct pair p = pair_begin();

    for (uint64_t i = 0; i < 200; i++) {
        set(&p, p.guest, i, __HYPERVISOR_xen_version, 7, 0);
    }
    CHECK_EQ(run(&p, p.guest, CALLS, 200), 0);
    for (uint64_t i = 0; i < 200; i++) {
        CHECK_EQ(result(&p, p.guest, i), PAGE_SIZE);
    }
    pair_end(&p);
}

TEST(a_caller_that_yields_goes_on_later)
{
    struct pair p = pair_begin();

    set(&p, p.guest, 0, __HYPERVISOR_sched_op, 0, 0);
    set(&p, p.guest, 1, __HYPERVISOR_xen_version, 7, 0);
    set(&p, p.guest, 2, __HYPERVISOR_sched_op, 0, 0);
    CHECK_EQ(run(&p, p.guest, CALLS, 3), 0);
    CHECK_EQ(result(&p, p.guest, 0), 0);
    CHECK_EQ(result(&p, p.guest, 1), PAGE_SIZE);
    CHECK_EQ(result(&p, p.guest, 2), 0);
    pair_end(&p);
}

TEST(a_list_that_cannot_be_used)
{
    struct pair p = pair_begin();
    struct xen_memory_reservation r = { .extent_start = LIST,
                                        .nr_extents = 1,
                                        .domid = DOMID_SELF };
    uint64_t end = DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER);
    gfn_t ro = gpa_to_gfn(gpa(CALLS));
    mfn_t m = p2m_lookup(p.guest, ro, NULL, NULL);
    struct refusal why;

    CHECK_EQ(run(&p, p.guest, NOWHERE, 1), -XEN_EFAULT);
    CHECK_EQ(run(&p, p.guest, UINT64_MAX - 3, 1), -XEN_EFAULT);
    CHECK_EQ(run(&p, p.guest, end - ENTRY + 1, 1), -XEN_EFAULT);
    /* The first is done, the second is not there. */
    struct multicall_entry e = { .op = __HYPERVISOR_xen_version, .args = { 7 } };
    put(&p, p.guest, end - ENTRY, &e, sizeof(e));
    CHECK_EQ(run(&p, p.guest, end - ENTRY, 2), -XEN_EFAULT);
    get(&p, p.guest, end - ENTRY, &e, sizeof(e));
    CHECK_EQ(e.result, PAGE_SIZE);
    /* No place for the result: nothing is done. */
    put(&p, p.guest, ARG, &r, sizeof(r));
    list_gfns(&p, p.guest, HOLE, 1, 1);
    set(&p, p.guest, 0, __HYPERVISOR_memory_op, XENMEM_populate_physmap, ARG);
    CHECK_EQ(p2m_unmap(p.guest, ro, 1), 0);
    CHECK_EQ(p2m_map(p.guest, ro, m, 1, P2M_RAM_RO), 0);
    CHECK_EQ(run(&p, p.guest, CALLS, 1), -XEN_EFAULT);
    CHECK_EQ(p.guest->pages, RAM_PAGES);
    REQUIRE(refusal_read(p.w->hv, refusal_count(p.w->hv) - 1, &why));
    CHECK_EQ(why.hypercall, __HYPERVISOR_multicall);
    CHECK(why.check != NULL);
    pair_end(&p);
}
