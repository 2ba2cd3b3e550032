/* SPDX-License-Identifier: MIT */
/* core/vcpu.c: creation, power, reasons to wait, and the races between them. */
#include <loam/timer.h>

#include "../../hv/arch/fake/fake.h"
#include "dom.h"

struct fixture {
    struct world *w;
    struct domain *d;
    struct vcpu *v0, *v1;
};

/* A running domain of two vCPUs on two CPUs; vCPU 0 is in its guest on CPU 0. */
static struct fixture begin(void)
{
    struct fixture f = { .w = dom_world(2) };

    f.d = dom_create(f.w, "two", 2, true);
    f.v0 = f.d->vcpus[0];
    f.v1 = f.d->vcpus[1];
    domain_start(f.d);
    dom_run(f.w, 0, 0);
    CHECK(f.w->hv->pcpus[0]->current == f.v0);
    world_cpu(f.w, 0);
    return f;
}

static void end(struct fixture *f)
{
    f->w->machine.on_event_check = NULL;
    dom_destroy(f->w, f->d);
    world_destroy(f->w);
}

/* v, in its guest on `cpu`, executes an idle instruction; `before` happens just before. */
static enum fake_stop idle_after(struct fixture *f, uint32_t cpu, void (*before)(struct vcpu *v))
{
    struct fake_step step = { .exit = { .kind = VM_EXIT_IDLE }, .before = before };
    struct vcpu *v = f->w->hv->pcpus[cpu]->current;
    struct fake_script s;

    dom_script(v, &s, &step, 1);
    enum fake_stop why = dom_run(f->w, cpu, 1);
    v->arch.script = NULL;
    return why;
}

static enum fake_stop idle(struct fixture *f, uint32_t cpu) { return idle_after(f, cpu, NULL); }

TEST_ALLOC(creation)
{
    struct world *w = dom_world(1);
    struct domain_config c = { .name = "d", .vcpus_max = 2 };
    struct domain *d;

    if (domain_create(w->hv, &c, &d) == 0) {
        int rc = vcpu_create(d, 1);

        CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
        CHECK_EQ(d->vcpus[1] != NULL, rc == 0);
        if (rc == 0) {
            CHECK_EQ(d->vcpus[1]->tag, (uint32_t)d->id << 16 | 1);
            CHECK_EQ(d->vcpus[1]->pause, VCPU_PAUSE_OFFLINE | VCPU_PAUSE_DOMAIN);
            CHECK_EQ(vcpu_create(d, 1), -XEN_EEXIST);
        }
        CHECK_EQ(vcpu_create(d, 2), -XEN_EINVAL);
        CHECK_EQ(vcpu_create(d, UINT32_MAX), -XEN_EINVAL);
        dom_destroy(w, d);
    }
    world_destroy(w);
}

TEST(power_on)
{
    struct fixture f = begin();

    CHECK_EQ(vcpu_power_on(f.d, 0, 1, 2), -XEN_EEXIST);
    CHECK_EQ(vcpu_power_on(f.d, 2, 1, 2), -XEN_EINVAL);
    CHECK_EQ(vcpu_power_on(f.d, UINT32_MAX, 1, 2), -XEN_EINVAL);
    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM + 64, 77), 0);
    CHECK_EQ(f.v1->arch.pc, DOM_RAM + 64);
    CHECK_EQ(f.v1->arch.boot_arg, 77);
    CHECK_EQ(f.v1->arch.resets, 1);
    /* Not run yet, and on all the same. */
    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM, 0), -XEN_EEXIST);
    dom_run(f.w, 1, 0);
    CHECK(f.w->hv->pcpus[1]->current == f.v1);
    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM, 0), -XEN_EEXIST);
    CHECK_EQ(f.v1->arch.resets, 1);
    end(&f);
}

TEST(power_on_of_a_hole_in_the_list)
{
    struct world *w = dom_world(1);
    struct domain_config c = { .name = "d", .vcpus_max = 3 };
    struct domain *d;

    CHECK_EQ(domain_create(w->hv, &c, &d), 0);
    CHECK_EQ(vcpu_create(d, 0), 0);
    CHECK_EQ(vcpu_power_on(d, 1, 0, 0), -XEN_EINVAL);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(power_off_and_on_again)
{
    struct fixture f = begin();

    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM, 1), 0);
    dom_run(f.w, 1, 0);
    world_cpu(f.w, 1);
    vcpu_power_off(f.v1); /* it is still in the hardware of CPU 1 */
    world_cpu(f.w, 0);
    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM + 8, 2), -XEN_EBUSY);
    CHECK_EQ(f.v1->arch.resets, 1);
    CHECK_EQ(dom_run(f.w, 1, 0), FAKE_STOP_IDLE);
    CHECK(f.v1->loaded_on == NULL && !f.v1->running);
    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM + 8, 2), 0);
    CHECK_EQ(f.v1->arch.boot_arg, 2);
    dom_run(f.w, 1, 0);
    CHECK(f.w->hv->pcpus[1]->current == f.v1);
    end(&f);
}

TEST(a_start_ends_a_wait_from_before)
{
    struct fixture f = begin();

    f.v1->pause |= VCPU_PAUSE_BLOCKED;
    CHECK_EQ(vcpu_power_on(f.d, 1, DOM_RAM, 0), 0);
    CHECK_EQ(f.v1->pause, 0);
    end(&f);
}

TEST(block_without_a_reason_waits)
{
    struct fixture f = begin();

    CHECK_EQ(idle(&f, 0), FAKE_STOP_IDLE);
    CHECK_EQ(f.v0->pause, VCPU_PAUSE_BLOCKED);
    CHECK_EQ(f.v0->arch.pc, DOM_RAM + 4);
    CHECK(!f.v0->running);
    /* Its state stays in the hardware. */
    CHECK(f.v0->loaded_on == f.w->hv->pcpus[0]);
    world_cpu(f.w, 1);
    vcpu_wake(f.v0);
    CHECK_EQ(f.v0->pause, 0);
    CHECK(f.w->hv->pcpus[0]->work & PCPU_WORK_SCHED);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_EXITS);
    CHECK(f.w->hv->pcpus[0]->current == f.v0);
    CHECK_EQ(f.v0->arch.loads, 1);
    end(&f);
}

static void make_pending(struct vcpu *v) { v->arch.pending = 1; }

TEST(block_with_an_interrupt_pending_goes_on)
{
    struct fixture f = begin();

    CHECK_EQ(idle_after(&f, 0, make_pending), FAKE_STOP_EXITS);
    CHECK_EQ(f.v0->pause, 0);
    CHECK(f.v0->running);
    end(&f);
}

TEST(an_interrupt_wakes)
{
    struct fixture f = begin();

    CHECK_EQ(idle(&f, 0), FAKE_STOP_IDLE);
    world_cpu(f.w, 1);
    arch_vintc_pulse(f.d, FAKE_VIRQ_BASE + 3);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_EXITS);
    CHECK(fake_guest_ack(f.v0));
    end(&f);
}

TEST(the_wake_timer_wakes)
{
    struct fixture f = begin();

    timer_set(f.w->hv->pcpus[0], &f.v0->wake, f.w->machine.now + NS_PER_MS);
    ns_t before = f.w->machine.now;
    CHECK_EQ(idle(&f, 0), FAKE_STOP_EXITS); /* idles until then */
    CHECK_EQ(f.w->machine.now, before + NS_PER_MS);
    CHECK_EQ(f.v0->pause, 0);
    end(&f);
}

TEST(wake_of_one_that_does_not_wait_changes_nothing)
{
    struct fixture f = begin();

    vcpu_wake(f.v0);
    CHECK_EQ(f.v0->pause, 0);
    vcpu_wake(f.v1); /* switched off */
    CHECK_EQ(f.v1->pause, VCPU_PAUSE_OFFLINE);
    vcpu_pause(f.v0, VCPU_PAUSE_DOMAIN);
    vcpu_wake(f.v0);
    CHECK_EQ(f.v0->pause, VCPU_PAUSE_DOMAIN);
    vcpu_unpause(f.v0, VCPU_PAUSE_DOMAIN);
    end(&f);
}

TEST(it_runs_when_the_last_reason_is_gone)
{
    struct fixture f = begin();

    CHECK_EQ(idle(&f, 0), FAKE_STOP_IDLE);
    vcpu_pause(f.v0, VCPU_PAUSE_DOMAIN);
    vcpu_wake(f.v0);
    CHECK_EQ(f.v0->pause, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_IDLE);
    vcpu_unpause(f.v0, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_EXITS);
    CHECK(f.v0->running);
    end(&f);
}

TEST(pause_takes_a_running_one_off_its_cpu)
{
    struct fixture f = begin();

    world_cpu(f.w, 1);
    vcpu_pause(f.v0, VCPU_PAUSE_DOMAIN);
    CHECK(f.w->hv->pcpus[0]->arch.kicked);
    CHECK_EQ(dom_run(f.w, 0, 1), FAKE_STOP_IDLE);
    CHECK(!f.v0->running);
    vcpu_unpause(f.v0, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_EXITS);
    CHECK(f.v0->running);
    end(&f);
}

TEST(off_cpu_asks_the_holder)
{
    struct fixture f = begin();

    CHECK(!vcpu_is_off_cpu(f.v0));
    CHECK(vcpu_is_off_cpu(f.v1));
    vcpu_pause(f.v0, VCPU_PAUSE_DOMAIN);
    CHECK(!vcpu_is_off_cpu(f.v0));
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_IDLE);
    CHECK(vcpu_is_off_cpu(f.v0));
    CHECK_EQ(f.v0->arch.saves, 1);
    end(&f);
}

static void wake_now(struct vcpu *v)
{
    fake_machine->on_event_check = NULL;
    v->arch.pending = 1;
    world_cpu(fake_machine->arg, 1);
    vcpu_wake(v);
    world_cpu(fake_machine->arg, 0);
}

TEST(a_wake_while_it_blocks_is_not_lost)
{
    struct fixture f = begin();

    f.w->machine.arg = f.w;
    f.w->machine.on_event_check = wake_now;
    CHECK_EQ(idle(&f, 0), FAKE_STOP_EXITS);
    CHECK_EQ(f.v0->pause, 0);
    CHECK(f.v0->running);
    end(&f);
}

static void pause_now(struct vcpu *v)
{
    fake_machine->on_event_check = NULL;
    v->arch.pending = 1;
    world_cpu(fake_machine->arg, 1);
    vcpu_pause(v, VCPU_PAUSE_DOMAIN);
    world_cpu(fake_machine->arg, 0);
}

TEST(a_pause_while_it_blocks_is_not_lost)
{
    struct fixture f = begin();

    f.w->machine.arg = f.w;
    f.w->machine.on_event_check = pause_now;
    /* It has a reason not to block, and one not to go on. */
    CHECK_EQ(idle(&f, 0), FAKE_STOP_IDLE);
    CHECK_EQ(f.v0->pause, VCPU_PAUSE_DOMAIN);
    CHECK(!f.v0->running);
    end(&f);
}

/* Time does not go on while all wait. */
static void no_time(struct fake_machine *m, struct pcpu *p) { fake_stop(FAKE_STOP_IDLE); }

TEST(destruction_stops_the_wake_timer)
{
    struct fixture f = begin();

    f.w->machine.on_wait = no_time;
    timer_set(f.w->hv->pcpus[1], &f.v0->wake, f.w->machine.now + NS_PER_S);
    timer_set(f.w->hv->pcpus[1], &f.v1->wake, f.w->machine.now + NS_PER_S);
    dom_destroy(f.w, f.d);
    CHECK(heap_is_empty(&f.w->hv->pcpus[1]->timers));
    world_destroy(f.w);
}
