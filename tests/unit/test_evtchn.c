/* SPDX-License-Identifier: MIT */
/* ipc/evtchn*.c through the hypercalls of two domains: the operations and the 2-level ABI. */
#include <loam/wallclock.h>

#include "events.h"

struct pair {
    struct events f;
    struct vcpu *a, *b;
    evtchn_port_t pa, pb; /* connected */
};

static struct pair pair_begin(void)
{
    struct pair p = { .f = events_begin(1, 1) };

    p.a = p.f.a->vcpus[0];
    p.b = p.f.b->vcpus[0];
    p.pa = (evtchn_port_t)alloc_unbound(p.a, DOMID_SELF, p.f.b->id);
    p.pb = (evtchn_port_t)bind_interdomain(p.b, p.f.a->id, p.pa);
    CHECK_EQ(take(p.b), BIT(p.pb)); /* what may have been sent before */
    return p;
}

TEST(an_event_reaches_the_other_domain)
{
    struct pair p = pair_begin();

    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK(is_pending(p.f.b, p.pb));
    CHECK_EQ(take(p.b), BIT(p.pb));
    CHECK_EQ(send(p.b, p.pb), 0);
    CHECK_EQ(take(p.a), BIT(p.pa));
    CHECK_EQ(take(p.b), 0);
    events_end(&p.f);
}

TEST(an_event_that_nobody_took_yet_is_one)
{
    struct pair p = pair_begin();

    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK_EQ(p.b->arch.events, 1);
    CHECK_EQ(take(p.b), BIT(p.pb));
    CHECK_EQ(take(p.b), 0);
    events_end(&p.f);
}

TEST(a_masked_event_waits_for_unmask)
{
    struct pair p = pair_begin();

    shared_info(p.f.b)->evtchn_mask[0] = UINT64_MAX;
    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK(is_pending(p.f.b, p.pb));
    CHECK(!upcall(p.b));
    CHECK_EQ(unmask(p.b, p.pb), 0);
    CHECK_EQ(take(p.b), BIT(p.pb));
    /* Nothing is pending now; and it is not masked. */
    CHECK_EQ(unmask(p.b, p.pb), 0);
    CHECK(!upcall(p.b));
    CHECK_EQ(unmask(p.b, 3000), -XEN_EINVAL);
    events_end(&p.f);
}

TEST(an_event_wakes_who_waits)
{
    struct pair p = pair_begin();

    CHECK_EQ(dom_hypercall(p.f.w, cpu_of(p.b), __HYPERVISOR_sched_op, 1, 0, 0), 0);
    CHECK(!vcpu_is_runnable(p.b));
    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK(vcpu_is_runnable(p.b));
    CHECK_EQ(take(p.b), BIT(p.pb));
    events_end(&p.f);
}

TEST(a_port_is_bound_by_whom_it_is_for)
{
    struct events f = events_begin(1, 1);
    struct vcpu *a = f.a->vcpus[0], *b = f.b->vcpus[0];
    int64_t port = alloc_unbound(a, DOMID_SELF, 77);

    CHECK_EQ(bind_interdomain(b, f.a->id, (evtchn_port_t)port), -XEN_EINVAL);
    CHECK_EQ(bind_interdomain(b, f.a->id, 0), -XEN_EINVAL);
    CHECK_EQ(bind_interdomain(b, f.a->id, 4000), -XEN_EINVAL);
    CHECK_EQ(bind_interdomain(b, f.a->id, UINT32_MAX), -XEN_EINVAL);
    CHECK_EQ(bind_interdomain(b, f.a->id, EVTCHN_FIFO_NR_CHANNELS), -XEN_EINVAL);
    CHECK_EQ(bind_interdomain(b, 77, 1), -XEN_ESRCH);
    CHECK_EQ(bind_interdomain(b, DOMID_INVALID, 1), -XEN_ESRCH);
    CHECK_EQ(send(a, (evtchn_port_t)port), 0); /* into the void */
    CHECK_EQ(alloc_unbound(a, f.b->id, f.b->id), -XEN_EPERM);
    /* Connected ones are nobody's any more. */
    port = alloc_unbound(a, DOMID_SELF, f.b->id);
    CHECK(bind_interdomain(b, f.a->id, (evtchn_port_t)port) > 0);
    CHECK_EQ(bind_interdomain(b, f.a->id, (evtchn_port_t)port), -XEN_EINVAL);
    events_end(&f);
}

TEST(a_domain_connects_with_itself)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];
    int64_t one = alloc_unbound(a, DOMID_SELF, DOMID_SELF);
    int64_t two = bind_interdomain(a, DOMID_SELF, (evtchn_port_t)one);

    CHECK(one > 0 && two > 0 && one != two);
    take(a);
    CHECK_EQ(send(a, (evtchn_port_t)one), 0);
    CHECK_EQ(take(a), BIT(two));
    CHECK_EQ(send(a, (evtchn_port_t)two), 0);
    CHECK_EQ(take(a), BIT(one));
    CHECK_EQ(close_port(a, (evtchn_port_t)one), 0);
    CHECK_EQ(status(a, DOMID_SELF, (evtchn_port_t)two).status, EVTCHNSTAT_unbound);
    events_end(&f);
}

TEST(closing_one_end_leaves_the_other_waiting)
{
    struct pair p = pair_begin();

    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK_EQ(close_port(p.b, p.pb), 0);
    CHECK(!is_pending(p.f.b, p.pb));
    CHECK_EQ(close_port(p.b, p.pb), -XEN_EINVAL);
    CHECK_EQ(send(p.b, p.pb), -XEN_EINVAL);
    struct evtchn_status s = status(p.a, DOMID_SELF, p.pa);
    CHECK_EQ(s.status, EVTCHNSTAT_unbound);
    CHECK_EQ(s.u.unbound.dom, p.f.b->id);
    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK_EQ(bind_interdomain(p.b, p.f.a->id, p.pa), p.pb);
    s = status(p.a, DOMID_SELF, p.pa);
    CHECK_EQ(s.status, EVTCHNSTAT_interdomain);
    CHECK_EQ(s.u.interdomain.dom, p.f.b->id);
    CHECK_EQ(s.u.interdomain.port, p.pb);
    CHECK_EQ(close_port(p.b, 0), -XEN_EINVAL);
    CHECK_EQ(close_port(p.b, UINT32_MAX), -XEN_EINVAL);
    events_end(&p.f);
}

TEST(the_other_end_of_a_dying_domain_waits_for_nobody)
{
    struct pair p = pair_begin();

    dom_destroy(p.f.w, p.f.b);
    p.f.b = NULL;
    struct evtchn_status s = status(p.a, DOMID_SELF, p.pa);
    CHECK_EQ(s.status, EVTCHNSTAT_unbound);
    CHECK_EQ(s.u.unbound.dom, DOMID_INVALID);
    CHECK_EQ(send(p.a, p.pa), 0);
    events_end(&p.f);
}

TEST(a_dying_domain_makes_no_channels)
{
    struct pair p = pair_begin();
    evtchn_port_t port;

    domain_get(p.f.b);
    dom_destroy(p.f.w, p.f.b);
    CHECK_EQ(evtchn_offer(p.f.b, p.f.a->id, &port), -XEN_ESRCH);
    CHECK_EQ(evtchn_set_virq_handler(p.f.b, VIRQ_DOM_EXC), -XEN_ESRCH);
    evtchn_virq(p.b, VIRQ_DEBUG);
    domain_put(p.f.b);
    p.f.b = NULL;
    events_end(&p.f);
}

TEST(virqs_are_bound_once)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];

    CHECK_EQ(bind_virq(a, NR_VIRQS, 0), -XEN_EINVAL);
    CHECK_EQ(bind_virq(a, UINT32_MAX, 0), -XEN_EINVAL);
    CHECK_EQ(bind_virq(a, VIRQ_DOM_EXC, 1), -XEN_EINVAL);
    CHECK_EQ(bind_virq(a, VIRQ_DEBUG, 2), -XEN_ENOENT);
    int64_t port = bind_virq(a, VIRQ_DEBUG, 0);
    CHECK(port > 0);
    CHECK_EQ(bind_virq(a, VIRQ_DEBUG, 0), -XEN_EEXIST);
    CHECK(bind_virq(a, VIRQ_DEBUG, 1) > 0);
    evtchn_virq(a, VIRQ_DEBUG);
    CHECK_EQ(take(a), BIT(port));
    evtchn_virq(a, VIRQ_TIMER); /* not bound */
    CHECK_EQ(take(a), 0);
    CHECK_EQ(send(a, (evtchn_port_t)port), -XEN_EINVAL);
    CHECK_EQ(bind_vcpu(a, (evtchn_port_t)port, 1), -XEN_EINVAL);
    struct evtchn_status s = status(a, DOMID_SELF, (evtchn_port_t)port);
    CHECK_EQ(s.status, EVTCHNSTAT_virq);
    CHECK_EQ(s.u.virq, VIRQ_DEBUG);
    CHECK_EQ(close_port(a, (evtchn_port_t)port), 0);
    evtchn_virq(a, VIRQ_DEBUG);
    CHECK_EQ(take(a), 0);
    CHECK_EQ(bind_virq(a, VIRQ_DEBUG, 0), port);
    events_end(&f);
}

TEST(a_global_virq_goes_to_its_handler_and_may_move)
{
    struct events f = { .w = dom_world(3) };
    struct evtchn_status s;

    f.a = events_domain(f.w, "zero", 2, true);
    f.b = events_domain(f.w, "b", 1, false);
    struct vcpu *a = f.a->vcpus[0], *b = f.b->vcpus[0];
    int64_t pa = bind_virq(a, VIRQ_DOM_EXC, 0), pb = bind_virq(b, VIRQ_DOM_EXC, 0);

    CHECK_EQ(register_info(f.a->vcpus[1], 1), 0);
    take(f.a->vcpus[1]);
    evtchn_global_virq(f.w->hv, VIRQ_DOM_EXC);
    CHECK_EQ(take(a), BIT(pa));
    CHECK_EQ(take(b), 0);
    CHECK_EQ(bind_vcpu(a, (evtchn_port_t)pa, 1), 0);
    s = status(a, DOMID_SELF, (evtchn_port_t)pa);
    CHECK_EQ(s.vcpu, 1);
    evtchn_global_virq(f.w->hv, VIRQ_DOM_EXC);
    CHECK_EQ(take(a), 0);
    CHECK_EQ(take(f.a->vcpus[1]), BIT(pa));
    /* Closed after it has moved, it can be bound again. */
    CHECK_EQ(close_port(a, (evtchn_port_t)pa), 0);
    CHECK_EQ(bind_virq(a, VIRQ_DOM_EXC, 0), pa);
    CHECK_EQ(evtchn_set_virq_handler(f.b, VIRQ_DEBUG), -XEN_EINVAL);
    CHECK_EQ(evtchn_set_virq_handler(f.b, VIRQ_DOM_EXC), 0);
    evtchn_global_virq(f.w->hv, VIRQ_DOM_EXC);
    CHECK_EQ(take(a), 0);
    CHECK_EQ(take(b), BIT(pb));
    /* It is dom0's again; who died is told. */
    dom_destroy(f.w, f.b);
    f.b = NULL;
    CHECK_EQ(take(a), BIT(pa));
    events_end(&f);
}

TEST(who_handles_domains_is_told_of_stops_and_ends)
{
    struct events f = { .w = dom_world(2) };

    f.a = events_domain(f.w, "zero", 1, true);
    f.b = events_domain(f.w, "b", 1, false);
    struct vcpu *a = f.a->vcpus[0];
    int64_t port = bind_virq(a, VIRQ_DOM_EXC, 0);

    domain_shutdown(f.b, SHUTDOWN_POWEROFF);
    CHECK_EQ(take(a), BIT(port));
    domain_shutdown(f.b, SHUTDOWN_POWEROFF);
    CHECK_EQ(take(a), 0);
    dom_destroy(f.w, f.b);
    f.b = NULL;
    CHECK_EQ(take(a), BIT(port));
    events_end(&f);
}

TEST(dom0_makes_channels_for_others)
{
    struct events f = { .w = dom_world(2) };

    f.a = events_domain(f.w, "zero", 1, true);
    f.b = events_domain(f.w, "b", 1, false);
    struct vcpu *a = f.a->vcpus[0], *b = f.b->vcpus[0];
    int64_t there = alloc_unbound(a, f.b->id, f.a->id);

    CHECK(there > 0);
    CHECK_EQ(status(a, f.b->id, (evtchn_port_t)there).u.unbound.dom, f.a->id);
    CHECK_EQ(status(b, f.a->id, 1).status, UINT32_MAX); /* not for others to see */
    CHECK_EQ(status(a, f.b->id, 5000).status, UINT32_MAX);
    CHECK_EQ(status(a, 900, 1).status, UINT32_MAX);
    CHECK_EQ(status(a, f.b->id, 63).status, EVTCHNSTAT_closed);
    int64_t here = bind_interdomain(a, f.b->id, (evtchn_port_t)there);
    CHECK(here > 0);
    take(a);
    CHECK_EQ(send(b, (evtchn_port_t)there), 0);
    CHECK_EQ(take(a), BIT(here));
    CHECK_EQ(reset(b, f.a->id), -XEN_EPERM);
    CHECK_EQ(reset(a, f.b->id), 0);
    CHECK_EQ(status(a, f.b->id, (evtchn_port_t)there).status, EVTCHNSTAT_closed);
    CHECK_EQ(status(a, DOMID_SELF, (evtchn_port_t)here).u.unbound.dom, f.b->id);
    events_end(&f);
}

TEST(an_ipi_is_for_its_vcpu)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0], *other = f.a->vcpus[1];
    int64_t port = bind_ipi(a, 1);

    CHECK_EQ(bind_ipi(a, 2), -XEN_ENOENT);
    CHECK_EQ(bind_ipi(a, UINT32_MAX), -XEN_ENOENT);
    CHECK_EQ(register_info(other, 1), 0);
    take(other);
    CHECK_EQ(send(a, (evtchn_port_t)port), 0);
    CHECK_EQ(take(a), 0);
    CHECK_EQ(take(other), BIT(port));
    CHECK_EQ(bind_vcpu(a, (evtchn_port_t)port, 0), -XEN_EINVAL);
    CHECK_EQ(status(a, DOMID_SELF, (evtchn_port_t)port).vcpu, 1);
    CHECK_EQ(status(a, DOMID_SELF, (evtchn_port_t)port).status, EVTCHNSTAT_ipi);
    events_end(&f);
}

TEST(a_channel_moves_to_another_vcpu)
{
    struct events f = events_begin(2, 1);
    struct vcpu *a = f.a->vcpus[0], *b = f.b->vcpus[0];
    int64_t pa = alloc_unbound(a, DOMID_SELF, f.b->id);
    int64_t pb = bind_interdomain(b, f.a->id, (evtchn_port_t)pa);

    CHECK_EQ(register_info(f.a->vcpus[1], 1), 0);
    take(f.a->vcpus[1]);
    CHECK_EQ(bind_vcpu(a, (evtchn_port_t)pa, 1), 0);
    CHECK_EQ(send(b, (evtchn_port_t)pb), 0);
    CHECK_EQ(take(a), 0);
    CHECK_EQ(take(f.a->vcpus[1]), BIT(pa));
    CHECK_EQ(bind_vcpu(a, (evtchn_port_t)pa, 2), -XEN_ENOENT);
    CHECK_EQ(bind_vcpu(a, 50000, 0), -XEN_EINVAL);
    CHECK_EQ(bind_vcpu(a, 60, 0), -XEN_EINVAL); /* closed */
    /* Its next life begins at vCPU 0. */
    CHECK_EQ(close_port(a, (evtchn_port_t)pa), 0);
    CHECK_EQ(alloc_unbound(a, DOMID_SELF, f.b->id), pa);
    CHECK_EQ(status(a, DOMID_SELF, (evtchn_port_t)pa).vcpu, 0);
    events_end(&f);
}

TEST(a_vcpu_info_has_one_place)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0], *other = f.a->vcpus[1];
    struct vcpu_register_vcpu_info r = { .mfn = INFO_PAGE >> PAGE_SHIFT };
    int64_t port = bind_ipi(a, 1);
    uint64_t bad[][2] = { { INFO_PAGE >> PAGE_SHIFT, PAGE_SIZE - 40 },
                          { INFO_PAGE >> PAGE_SHIFT, 4 },
                          { INFO_PAGE >> PAGE_SHIFT, UINT32_MAX },
                          { 0x7000, 0 },
                          { UINT64_MAX, 0 },
                          { UINT64_MAX >> PAGE_SHIFT, 0 } };

    /* Without a place the event waits; the place is told of everything. */
    CHECK_EQ(send(a, (evtchn_port_t)port), 0);
    CHECK_EQ(other->arch.events, 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        r.mfn = bad[i][0];
        r.offset = (uint32_t)bad[i][1];
        CHECK_EQ(guest_call(other, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1, &r,
                            sizeof(r)), -XEN_EINVAL);
    }
    CHECK_EQ(register_info(a, 1), -XEN_EINVAL); /* another vCPU that is on */
    CHECK_EQ(register_info(a, 2), -XEN_ENOENT);
    CHECK_EQ(register_info(other, 1), 0);
    CHECK_EQ(take(other), BIT(port));
    CHECK_EQ(register_info(other, 1), -XEN_EINVAL);
    /* vCPU 0 takes along what its place in shared_info has. */
    vcpu_info(a)->time.version = 1234;
    CHECK_EQ(register_info(a, 0), 0);
    CHECK((void *)vcpu_info(a) != (void *)shared_info(f.a));
    CHECK_EQ(vcpu_info(a)->time.version, 1234);
    CHECK(upcall(a));
    events_end(&f);
}

TEST(a_vcpu_that_is_off_is_prepared_by_another)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];

    vcpu_pause(f.a->vcpus[1], VCPU_PAUSE_OFFLINE);
    dom_settle(f.w);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0), 1);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 0);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 2, 0), -XEN_ENOENT);
    CHECK_EQ(register_info(a, 1), 0);
    events_end(&f);
}

TEST(ports_are_given_lowest_first)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];

    for (int64_t i = 1; i <= 200; i++) {
        CHECK_EQ(alloc_unbound(a, DOMID_SELF, DOMID_SELF), i);
    }
    CHECK_EQ(close_port(a, 130), 0);
    CHECK_EQ(close_port(a, 64), 0);
    CHECK_EQ(close_port(a, 63), 0);
    CHECK_EQ(alloc_unbound(a, DOMID_SELF, DOMID_SELF), 63);
    CHECK_EQ(alloc_unbound(a, DOMID_SELF, DOMID_SELF), 64);
    CHECK_EQ(alloc_unbound(a, DOMID_SELF, DOMID_SELF), 130);
    CHECK_EQ(alloc_unbound(a, DOMID_SELF, DOMID_SELF), 201);
    events_end(&f);
}

TEST(the_2_level_abi_has_4095_ports)
{
    struct events f = events_begin(1, 0);
    evtchn_port_t port = 0;

    for (uint32_t i = 1; i < EVTCHN_2L_NR_CHANNELS; i++) {
        CHECK_EQ(evtchn_offer(f.a, 1, &port), 0);
    }
    CHECK_EQ(port, EVTCHN_2L_NR_CHANNELS - 1);
    CHECK_EQ(evtchn_offer(f.a, 1, &port), -XEN_ENOSPC);
    CHECK_EQ(close_port(f.a->vcpus[0], 2049), 0);
    CHECK_EQ(evtchn_offer(f.a, 1, &port), 0);
    CHECK_EQ(port, 2049);
    events_end(&f);
}

TEST(the_config_limits_ports)
{
    struct events f = { .w = dom_world(1) };
    struct domain_config c = { .name = "few", .vcpus_max = 1, .nr_spis = DOM_SPIS, .weight = 256,
                               .enhanced = true, .evtchn_port_max = 2 };
    evtchn_port_t port;

    f.a = dom_create_with(f.w, &c);
    CHECK_EQ(evtchn_offer(f.a, 1, &port), 0);
    CHECK_EQ(evtchn_offer(f.a, 1, &port), 0);
    CHECK_EQ(evtchn_offer(f.a, 1, &port), -XEN_ENOSPC);
    events_end(&f);
}

TEST(reset_closes_everything)
{
    struct pair p = pair_begin();
    evtchn_port_t port;

    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_EQ(evtchn_offer(p.f.b, 5, &port), 0);
    }
    CHECK(bind_virq(p.b, VIRQ_DEBUG, 0) > 0);
    CHECK_EQ(reset(p.b, DOMID_SELF), 0);
    CHECK_EQ(p.f.b->evtchn->nr_used, 0);
    CHECK_EQ(status(p.a, DOMID_SELF, p.pa).u.unbound.dom, p.f.b->id);
    CHECK(bind_virq(p.b, VIRQ_DEBUG, 0) == 1);
    events_end(&p.f);
}

TEST(a_domain_without_xen_interfaces_has_no_events)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "plain", 1, false);
    evtchn_port_t port;

    CHECK(d->evtchn == NULL);
    CHECK(mfn_is_none(evtchn_shared_info(d)));
    CHECK_EQ(evtchn_offer(d, 1, &port), -XEN_ESRCH);
    CHECK_EQ(evtchn_set_virq_handler(d, VIRQ_DOM_EXC), -XEN_ESRCH);
    evtchn_virq(d->vcpus[0], VIRQ_DEBUG);
    wallclock_set_offset(d, 1);
    dom_destroy(w, d);
    world_destroy(w);
}

/* --- SCHEDOP_poll --- */

static int64_t poll(struct vcpu *v, evtchn_port_t *ports, uint32_t nr, ns_t timeout)
{
    struct sched_poll a = { .ports = DOM_RAM + 0x2000, .nr_ports = nr, .timeout = timeout };

    world_cpu(container_of(fake_machine, struct world, machine), cpu_of(v));
    CHECK(fake_guest_write(v, gpa(a.ports), ports, MIN(nr, 128u) * sizeof(ports[0])));
    return guest_call(v, __HYPERVISOR_sched_op, 3, 0, &a, sizeof(a));
}

TEST(poll_waits_for_its_ports)
{
    struct pair p = pair_begin();
    evtchn_port_t ports[128] = { p.pb, p.pb };

    /* Masked ones end it as well; the upcall stays off. */
    shared_info(p.f.b)->evtchn_mask[0] = UINT64_MAX;
    CHECK_EQ(poll(p.b, ports, 1, 0), 0);
    CHECK(!vcpu_is_runnable(p.b));
    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK(vcpu_is_runnable(p.b));
    dom_settle(p.f.w);
    /* Pending already. */
    CHECK_EQ(poll(p.b, ports, 2, 0), 0);
    CHECK(vcpu_is_runnable(p.b));
    shared_info(p.f.b)->evtchn_pending[0] = 0;
    CHECK_EQ(poll(p.b, ports, 2, 0), 0);
    CHECK(!vcpu_is_runnable(p.b));
    CHECK_EQ(send(p.a, p.pa), 0);
    CHECK(vcpu_is_runnable(p.b));
    dom_settle(p.f.w);
    CHECK_EQ(poll(p.b, ports, 129, 0), -XEN_EINVAL);
    ports[1] = 3000;
    CHECK_EQ(poll(p.b, ports, 2, 0), -XEN_EINVAL);
    CHECK_EQ(p.f.b->evtchn->pollers[0], 0);
    events_end(&p.f);
}

TEST(poll_ends_in_time)
{
    struct pair p = pair_begin();
    evtchn_port_t port = p.pb;

    ns_t end = p.f.w->machine.now + NS_PER_MS;

    /* The fake CPU that idles goes to when its timer is due. */
    CHECK_EQ(poll(p.b, &port, 1, end), 0);
    CHECK(vcpu_is_runnable(p.b));
    CHECK(p.f.w->machine.now >= end);
    CHECK_EQ(p.f.b->evtchn->pollers[0], 0);
    /* A time that has passed does not wait for ever. */
    CHECK_EQ(poll(p.b, &port, 0, 1), 0);
    dom_settle(p.f.w);
    CHECK(vcpu_is_runnable(p.b));
    /* Who waits without an end is no reason to stay. */
    CHECK_EQ(poll(p.b, &port, 1, 0), 0);
    CHECK(!vcpu_is_runnable(p.b));
    events_end(&p.f);
}

/* --- Time of day --- */

static uint64_t wallclock(const struct domain *d)
{
    const struct shared_info *s = shared_info(d);

    CHECK_EQ(s->wc_version % 2, 0);
    return ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * NS_PER_S + s->wc_nsec;
}

TEST(everybody_is_told_the_time_of_day)
{
    struct events f = events_begin(1, 0);
    uint64_t sec = UINT64_C(1) << 33;
    uint32_t version = shared_info(f.a)->wc_version;

    CHECK_EQ(wallclock_set(f.w->hv, sec, 500, 3 * NS_PER_S + 700), 0);
    CHECK_EQ(wallclock(f.a), (sec - 3) * NS_PER_S - 200);
    CHECK(shared_info(f.a)->wc_version != version);
    CHECK_EQ(wallclock_set(f.w->hv, sec, NS_PER_S, 0), -XEN_EINVAL);
    CHECK_EQ(wallclock_set(f.w->hv, UINT64_MAX, 0, 0), -XEN_EINVAL);
    wallclock_set_offset(f.a, -100);
    CHECK_EQ(wallclock(f.a), (sec - 103) * NS_PER_S - 200);
    /* Also who comes later. */
    struct domain *late = dom_create(f.w, "late", 1, true);
    CHECK_EQ(wallclock(late), (sec - 3) * NS_PER_S - 200);
    dom_destroy(f.w, late);
    /* dom0 without a clock: 1970 began when its kernel did, the machine was started before. */
    CHECK_EQ(wallclock_set(f.w->hv, 0, 250, 4 * NS_PER_S), 0);
    CHECK_EQ(wallclock(f.a) + 4 * NS_PER_S, 250 - 100 * NS_PER_S);
    CHECK_EQ(wallclock_set(f.w->hv, INT64_MAX, NS_PER_S - 1, 0), 0);
    wallclock_set_offset(f.a, INT64_MAX);
    wallclock_set_offset(f.a, INT64_MIN);
    events_end(&f);
}

/* --- Memory --- */

TEST_ALLOC(an_allocation_that_fails_leaves_nothing)
{
    struct world *w = dom_world(1);

    world_inject(w, true);
    struct domain *d = dom_create(w, "a", 1, true);
    if (d != NULL) {
        evtchn_port_t port;
        int rc = evtchn_offer(d, 7, &port);

        CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
        CHECK_EQ(d->evtchn->nr_used, rc == 0);
        world_inject(w, false);
        CHECK_EQ(evtchn_offer(d, 7, &port), 0);
        dom_destroy(w, d);
    }
    world_inject(w, false);
    world_destroy(w);
}
