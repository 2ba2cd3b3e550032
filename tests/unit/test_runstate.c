/* SPDX-License-Identifier: MIT */
/* ipc/runstate.c: what a guest reads about the time that its vCPUs ran and waited. */
#include "events.h"

#define AREA (DOM_RAM + 0x3100)

static int64_t register_area(struct vcpu *v, uint32_t id, uint64_t addr)
{
    struct vcpu_register_runstate_memory_area a = { .addr = addr };

    return guest_call(v, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, id, &a,
                      sizeof(a));
}

static int64_t get_info(struct vcpu *v, uint32_t id, struct vcpu_runstate_info *out)
{
    return guest_call(v, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, id, out, sizeof(*out));
}

static struct vcpu_runstate_info read_area(struct domain *d, uint64_t addr)
{
    struct vcpu_runstate_info r;

    for (size_t i = 0; i < sizeof(r); i += 8) {
        memcpy((char *)&r + i, guest_bytes(d, addr + i), 8);
    }
    return r;
}

static void block(struct vcpu *v)
{
    struct world *w = container_of(fake_machine, struct world, machine);

    CHECK_EQ(dom_hypercall(w, cpu_of(v), __HYPERVISOR_sched_op, 1, 0, 0), 0);
}

static void check_area(uint64_t addr)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];

    a->arch.va_base = UINT64_C(0x1000000000); /* its addresses are virtual */
    struct vcpu_register_runstate_memory_area arg = { .addr = addr + a->arch.va_base };
    memcpy(guest_bytes(f.a, ARGS), &arg, sizeof(arg));
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0,
                           ARGS + a->arch.va_base), 0);
    struct vcpu_runstate_info was = read_area(f.a, addr);

    CHECK_EQ(was.state, RUNSTATE_running);
    f.w->machine.now += 7 * NS_PER_MS;
    block(a);
    struct vcpu_runstate_info r = read_area(f.a, addr);
    CHECK_EQ(r.state, RUNSTATE_blocked);
    CHECK_EQ(r.state_entry_time, f.w->machine.now);
    CHECK_EQ(r.time[RUNSTATE_running], was.time[RUNSTATE_running] +
                                           (r.state_entry_time - was.state_entry_time));
    f.w->machine.now += 5 * NS_PER_MS;
    vcpu_wake(a);
    dom_settle(f.w);
    r = read_area(f.a, addr);
    CHECK_EQ(r.state, RUNSTATE_running);
    CHECK_EQ(r.time[RUNSTATE_blocked], was.time[RUNSTATE_blocked] + 5 * NS_PER_MS);
    CHECK_EQ(r.time[0] + r.time[1] + r.time[2] + r.time[3] - was.time[0] - was.time[1] -
                 was.time[2] - was.time[3], r.state_entry_time - was.state_entry_time);
    events_end(&f);
}

TEST(an_area_is_written_at_each_change) { check_area(AREA); }

TEST(an_area_in_two_pages)
{
    for (uint64_t first = 8; first < sizeof(struct vcpu_runstate_info); first += 8) {
        check_area(DOM_RAM + 3 * PAGE_SIZE - first);
    }
}

/* What the area holds while it is being written is seen at the flag alone. */
TEST(the_update_flag_is_off_when_all_is_written)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];

    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vm_assist, 0, VMASST_TYPE_runstate_update_flag, 0),
             0);
    CHECK(f.a->evtchn->runstate_flag);
    CHECK_EQ(register_area(a, 0, AREA), 0);
    CHECK_EQ(read_area(f.a, AREA).state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    CHECK_EQ(read_area(f.a, AREA).state_entry_time, a->rs.since);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vm_assist, 1, VMASST_TYPE_runstate_update_flag, 0),
             0);
    CHECK(!f.a->evtchn->runstate_flag);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vm_assist, 0, 0, 0), -XEN_EINVAL);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vm_assist, 0, 64, 0), -XEN_EINVAL);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_vm_assist, 2, 5, 0), -XEN_ENOSYS);
    events_end(&f);
}

TEST(bad_places_are_refused_and_change_nothing)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];
    uint64_t bad[] = { 0, 4, AREA + 4, UINT64_MAX - 7, UINT64_C(0x7000000000),
                       DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER) - 8 };

    CHECK_EQ(register_area(a, 0, AREA), 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(register_area(a, 0, bad[i]), -XEN_EINVAL);
    }
    CHECK_EQ(register_area(a, 2, AREA), -XEN_ENOENT);
    f.w->machine.now += NS_PER_MS;
    block(a);
    CHECK_EQ(read_area(f.a, AREA).state, RUNSTATE_blocked);
    events_end(&f);
}

TEST(another_place_takes_over)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];

    CHECK_EQ(register_area(a, 0, AREA), 0);
    CHECK_EQ(register_area(a, 0, AREA + 0x100), 0);
    CHECK_EQ(register_area(a, 1, AREA + 0x200), 0); /* another vCPU's */
    memset(guest_bytes(f.a, AREA), 0xee, 48);
    /* The page that was given back is written until the end, and nobody else's. */
    CHECK_EQ(p2m_unmap_page(f.a, gpa_to_gfn(gpa(AREA)), MFN_NONE, 1u << P2M_RAM_RW), 0);
    block(a);
    block(f.a->vcpus[1]);
    events_end(&f);
}

TEST(who_asks_is_told_up_to_now)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];
    struct vcpu_runstate_info r, s;

    CHECK_EQ(get_info(a, 0, &r), 0);
    CHECK_EQ(r.state, RUNSTATE_running);
    f.w->machine.now += 3 * NS_PER_MS;
    CHECK_EQ(get_info(a, 0, &s), 0);
    CHECK_EQ(s.time[RUNSTATE_running] - r.time[RUNSTATE_running], 3 * NS_PER_MS);
    block(f.a->vcpus[1]);
    CHECK_EQ(get_info(a, 1, &s), 0);
    CHECK_EQ(s.state, RUNSTATE_blocked);
    CHECK_EQ(get_info(a, 2, &s), -XEN_ENOENT);
    events_end(&f);
}

TEST(a_shutdown_code_is_what_the_stop_reports)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];
    struct sched_shutdown s = { .reason = SHUTDOWN_MAX + 1 };

    CHECK_EQ(guest_call(a, __HYPERVISOR_sched_op, 5, 0, &s, sizeof(s)), -XEN_EINVAL);
    s.reason = SHUTDOWN_CRASH;
    CHECK_EQ(guest_call(a, __HYPERVISOR_sched_op, 5, 0, &s, sizeof(s)), 0);
    domain_shutdown(f.a, SHUTDOWN_POWEROFF);
    CHECK_EQ(f.a->shutdown_reason, SHUTDOWN_CRASH);
    /* For once. */
    domain_resume(f.a);
    domain_shutdown(f.a, SHUTDOWN_REBOOT);
    CHECK_EQ(f.a->shutdown_reason, SHUTDOWN_REBOOT);
    events_end(&f);
}

TEST(dom0_declares_others_shut_down)
{
    struct events f = { .w = dom_world(2) };

    f.a = events_domain(f.w, "zero", 1, true);
    f.b = events_domain(f.w, "b", 1, false);
    struct sched_remote_shutdown s = { .domain_id = 500, .reason = SHUTDOWN_REBOOT };
    struct vcpu *a = f.a->vcpus[0], *b = f.b->vcpus[0];

    CHECK_EQ(guest_call(b, __HYPERVISOR_sched_op, 4, 0, &s, sizeof(s)), -XEN_EPERM);
    CHECK_EQ(guest_call(a, __HYPERVISOR_sched_op, 4, 0, &s, sizeof(s)), -XEN_ESRCH);
    s = (struct sched_remote_shutdown){ .domain_id = f.b->id, .reason = SHUTDOWN_MAX + 1 };
    CHECK_EQ(guest_call(a, __HYPERVISOR_sched_op, 4, 0, &s, sizeof(s)), -XEN_EINVAL);
    s.reason = SHUTDOWN_REBOOT;
    CHECK_EQ(guest_call(a, __HYPERVISOR_sched_op, 4, 0, &s, sizeof(s)), 0);
    CHECK_EQ(f.b->state, DOMAIN_SHUTDOWN);
    CHECK_EQ(f.b->shutdown_reason, SHUTDOWN_REBOOT);
    events_end(&f);
}
