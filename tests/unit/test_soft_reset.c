/* SPDX-License-Identifier: MIT */
/* ipc/soft_reset.c and domctl soft_reset: a domain's next kernel finds what the first one found. */
#include <loam/hv.h>
#include <loam/memory.h>
#include <xen/arch-arm.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "../../hv/ipc/channels.h"
#include "ctl.h"

#define AT (DOM_RAM + 0x400) /* arguments of the guest's calls */
#define SHARED_AT (DOM_RAM + 3 * PAGE_SIZE)
#define SCHEDOP_SHUTDOWN 2
#define CPU 1 /* where the guest runs */

struct guest {
    struct toolstack t;
    struct domain *d;
};

/* A toolstack's domain with 16 pages of RAM, in its guest. */
static struct guest guest_begin(void)
{
    struct guest g = { .t = toolstack_begin(2) };
    struct cpumask one = { { 0 } };
    struct vcpu_guest_context c = { .flags = VGCF_online, .user_regs = { .pc64 = DOM_RAM } };
    struct xen_domctl_vcpucontext a = { 0, TOOLSTACK_BUF };
    uint16_t id = toolstack_create(&g.t, 2);

    g.d = g.t.w->hv->domains[id];
    memory_set_max(g.d, 16);
    CHECK_EQ(memory_populate(g.d, gpa_to_gfn(gpa(DOM_RAM)), 16), 0);
    toolstack_put(&g.t, TOOLSTACK_BUF, &c, sizeof(c));
    CHECK_EQ(toolstack_do(&g.t, XEN_DOMCTL_setvcpucontext, id, &a, sizeof(a)), 0);
    cpumask_set(&one, CPU);
    CHECK_EQ(sched_set_affinity(g.d->vcpus[0], &one), 0);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_unpausedomain, id), 0);
    dom_run(g.t.w, CPU, 0);
    CHECK(g.t.w->hv->pcpus[CPU]->current == g.d->vcpus[0]);
    return g;
}

static int64_t call(struct guest *g, uint64_t number, uint64_t op, uint64_t extra, const void *arg,
                    size_t size)
{
    bool by_vcpu = number == __HYPERVISOR_vcpu_op;

    world_cpu(g->t.w, CPU);
    CHECK(fake_guest_write(g->d->vcpus[0], gpa(AT), arg, size));
    int64_t rc = dom_hypercall(g->t.w, CPU, number, op, by_vcpu ? extra : AT, AT);
    world_cpu(g->t.w, 0);
    return rc;
}

static void kernel_registers(struct guest *g)
{
    struct xen_add_to_physmap map = { .domid = DOMID_SELF, .gpfn = SHARED_AT >> PAGE_SHIFT };
    struct vcpu_register_vcpu_info info = { .mfn = (DOM_RAM >> PAGE_SHIFT) + 5 };
    struct vcpu_register_runstate_memory_area area = { DOM_RAM + 6 * PAGE_SIZE };
    struct evtchn_alloc_unbound port = { .dom = DOMID_SELF, .remote_dom = 0 };

    CHECK_EQ(call(g, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, 0, &map, sizeof(map)), 0);
    CHECK_EQ(call(g, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, &info, sizeof(info)), 0);
    CHECK_EQ(call(g, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, &area,
                  sizeof(area)), 0);
    CHECK_EQ(call(g, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, 0, &port,
                  sizeof(port)), 0);
}

static void kernel_stops(struct guest *g)
{
    struct sched_shutdown a = { SHUTDOWN_SOFT_RESET };

    call(g, __HYPERVISOR_sched_op, SCHEDOP_SHUTDOWN, 0, &a, sizeof(a));
    CHECK_EQ(g->d->state, DOMAIN_SHUTDOWN);
}

static enum p2m_type type_at(struct guest *g, uint64_t at)
{
    enum p2m_type type = P2M_INVALID;

    (void)p2m_lookup(g->d, gpa_to_gfn(gpa(at)), &type, NULL);
    return type;
}

/* Twice, as one kernel after another does it. */
TEST(the_next_kernel_begins_as_the_first_one)
{
    struct guest g = guest_begin();

    for (uint32_t i = 0; i < 2; i++) {
        uint64_t word = 0x1234 + i, got = 0;

        CHECK_EQ(type_at(&g, SHARED_AT), P2M_RAM_RW);
        kernel_registers(&g);
        CHECK_EQ(type_at(&g, SHARED_AT), P2M_SHARED);
        CHECK_EQ(g.d->pages, 15);
        CHECK_EQ(guest_phys_write(g.d, gpa(DOM_RAM + 0x2000), &word, sizeof(word), false), 0);
        *guest_shared_word(&g.d->evtchn->shared, 0x800) = 7;
        kernel_stops(&g);
        CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, g.d->id), 0);

        struct evtchn *e = g.d->evtchn;
        CHECK_EQ(g.d->state, DOMAIN_RUNNING);
        CHECK_EQ(g.d->pause_count, 0);
        CHECK_EQ(e->nr_used, 0);
        CHECK(!e->vcpu[0].registered);
        CHECK(e->vcpu[0].info.at == guest_shared_word(&e->shared, 0));
        CHECK(!guest_is_shared(&e->vcpu[0].runstate.part[0]));
        CHECK_EQ(*guest_shared_word(&e->shared, 0x800), 0);
        CHECK_EQ(type_at(&g, SHARED_AT), P2M_RAM_RW);
        CHECK_EQ(g.d->pages, 16);
        /* Memory stays, and the vCPU goes on where it called. */
        CHECK_EQ(guest_phys_read(g.d, &got, gpa(DOM_RAM + 0x2000), sizeof(got)), 0);
        CHECK_EQ(got, word);
        dom_run(g.t.w, CPU, 0);
        CHECK(g.t.w->hv->pcpus[CPU]->current == g.d->vcpus[0]);
    }
    toolstack_end(&g.t);
}

/* shared_info outside of RAM covers nothing: no page appears there. */
TEST(a_page_that_was_none_stays_none)
{
    struct guest g = guest_begin();
    struct xen_add_to_physmap map = { .domid = DOMID_SELF, .gpfn = 0x1000 };

    CHECK_EQ(call(&g, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, 0, &map, sizeof(map)), 0);
    kernel_stops(&g);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, g.d->id), 0);
    CHECK_EQ(g.d->pages, 16);
    CHECK(type_at(&g, 0x1000 << PAGE_SHIFT) != P2M_RAM_RW);
    toolstack_end(&g.t);
}

TEST(only_a_domain_that_stopped_is_reset)
{
    struct guest g = guest_begin();
    uint16_t id = g.d->id;

    kernel_registers(&g);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, id), -XEN_EINVAL);
    CHECK_EQ(g.d->evtchn->nr_used, 1);
    CHECK_EQ(g.d->pause_count, 0);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, 0), -XEN_EINVAL);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, 99), -XEN_ESRCH);
    uint16_t fresh = toolstack_create(&g.t, 1);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, fresh), -XEN_EINVAL);
    toolstack_end(&g.t);
}

/* No RAM for the page: said so, and it works once there is. */
TEST(without_memory_it_can_be_done_later)
{
    struct guest g = guest_begin();

    kernel_registers(&g);
    kernel_stops(&g);
    memory_set_max(g.d, 15);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, g.d->id), -XEN_ENOMEM);
    CHECK_EQ(g.d->state, DOMAIN_SHUTDOWN);
    memory_set_max(g.d, 16);
    CHECK_EQ(toolstack_act(&g.t, XEN_DOMCTL_soft_reset, g.d->id), 0);
    CHECK_EQ(type_at(&g, SHARED_AT), P2M_RAM_RW);
    toolstack_end(&g.t);
}
