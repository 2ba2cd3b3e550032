/* SPDX-License-Identifier: MIT */
/*
 * core/vcpu_run.c: each kind of exit, and what the run loop does between two
 * entries: work, choosing, loading, idling.
 */
#include <loam/console.h>
#include <loam/mmio.h>

#include "dom.h"

#define DEVICE UINT64_C(0x10000000)

struct fixture {
    struct world *w;
    struct domain *d;
    struct vcpu *v;
};

static struct fixture begin(uint32_t cpus)
{
    struct fixture f = { .w = dom_world(cpus) };

    f.d = dom_create(f.w, "guest", 1, true);
    f.v = f.d->vcpus[0];
    domain_start(f.d);
    dom_run(f.w, 0, 0);
    return f;
}

static void end(struct fixture *f)
{
    dom_destroy(f->w, f->d);
    world_destroy(f->w);
}

/* v, in its guest on CPU 0, makes one exit. */
static enum fake_stop make_exit(struct fixture *f, struct vm_exit x)
{
    struct fake_step step = { .exit = x };
    struct vcpu *v = f->w->boot->current;
    struct fake_script s;

    dom_script(v, &s, &step, 1);
    enum fake_stop why = dom_run(f->w, 0, 1);
    v->arch.script = NULL;
    return why;
}

/* --- Exits ------------------------------------------------------------------ */

static int firmware(struct vcpu *v, struct vm_exit *x)
{
    v->arch.reg[7] = x->info;
    return VM_RESUME;
}

static int trap(struct vcpu *v, struct vm_exit *x)
{
    v->arch.reg[6] = x->info;
    vcpu_pause(v, VCPU_PAUSE_DOMAIN);
    return VM_RESCHEDULE;
}

TEST(firmware_calls_go_to_the_architecture)
{
    struct fixture f = begin(1);

    make_exit(&f, (struct vm_exit){ .kind = VM_EXIT_FIRMWARE, .info = 9 });
    CHECK_EQ(f.v->arch.injected, FAKE_INJECT_UNDEFINED);
    f.w->machine.on_firmware = firmware;
    make_exit(&f, (struct vm_exit){ .kind = VM_EXIT_FIRMWARE, .info = 9 });
    CHECK_EQ(f.v->arch.reg[7], 9);
    end(&f);
}

TEST(other_traps_go_to_the_architecture)
{
    struct fixture f = begin(1);

    make_exit(&f, (struct vm_exit){ .kind = VM_EXIT_ARCH, .info = 8 });
    CHECK_EQ(f.v->arch.injected, FAKE_INJECT_UNDEFINED);
    f.w->machine.on_arch = trap;
    CHECK_EQ(make_exit(&f, (struct vm_exit){ .kind = VM_EXIT_ARCH, .info = 8 }), FAKE_STOP_IDLE);
    CHECK_EQ(f.v->arch.reg[6], 8);
    CHECK(!f.v->running);
    end(&f);
}

TEST(each_exit_is_counted_and_traced)
{
    struct fixture f = begin(1);
    struct trace_ring *t = &f.w->boot->trace;
    uint64_t exits = f.v->exits;

    make_exit(&f, (struct vm_exit){ .kind = VM_EXIT_ARCH, .info = 0x123 });
    CHECK_EQ(f.v->exits, exits + 1);
    const struct trace_record *r = &t->rec[(t->next - 1) & (TRACE_RING_RECORDS - 1)];
    CHECK_EQ(r->event, TRACE_EXIT);
    CHECK_EQ(r->arg[0], VM_EXIT_ARCH);
    CHECK_EQ(r->arg[1], 0x123);
    end(&f);
}

/* --- MMIO ------------------------------------------------------------------- */

struct device {
    uint64_t last_offset, last_value;
    uint32_t accesses;
    enum mmio_result result;
};

static enum mmio_result device_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                    uint64_t *value)
{
    struct device *dev = data;

    dev->accesses++;
    dev->last_offset = offset;
    *value = UINT64_C(0x1122334455667788);
    return dev->result;
}

static enum mmio_result device_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                     uint64_t value)
{
    struct device *dev = data;

    dev->accesses++;
    dev->last_offset = offset;
    dev->last_value = value;
    return dev->result;
}

static const struct mmio_ops device_ops = { device_read, device_write };

static struct vm_exit access_to(uint64_t addr, uint8_t size, bool write)
{
    return (struct vm_exit){
        .kind = VM_EXIT_MMIO,
        .mmio = { .addr = gpa(addr), .size = size, .write = write, .value = 0xabcd, .reg = 3 },
    };
}

TEST(an_access_reaches_its_device)
{
    struct fixture f = begin(1);
    struct device dev = { .result = MMIO_OK };

    CHECK_EQ(mmio_register(f.d, gpa(DEVICE), 0x100, &device_ops, &dev), 0);
    make_exit(&f, access_to(DEVICE + 0x10, 4, true));
    CHECK_EQ(dev.last_offset, 0x10);
    CHECK_EQ(dev.last_value, 0xabcd);
    CHECK_EQ(f.v->arch.pc, DOM_RAM + 4);
    make_exit(&f, access_to(DEVICE + 0xf8, 8, false));
    CHECK_EQ(f.v->arch.reg[3], 0x1122334455667788);
    make_exit(&f, access_to(DEVICE + 0xfe, 2, false));
    CHECK_EQ(f.v->arch.reg[3], 0x7788);
    CHECK_EQ(f.v->arch.pc, DOM_RAM + 12);
    CHECK_EQ(f.v->arch.injected, 0);
    CHECK_EQ(dev.accesses, 3);
    end(&f);
}

TEST(an_access_that_no_device_takes_is_a_fault)
{
    struct fixture f = begin(1);
    struct device dev = { .result = MMIO_OK };
    const struct vm_exit bad[] = {
        access_to(DEVICE - 4, 4, true),     access_to(DEVICE + 0x100, 4, false),
        access_to(DEVICE + 2, 4, true),     access_to(DEVICE + 4, 8, false),
        access_to(DEVICE + 0xfc, 8, false), access_to(UINT64_MAX, 1, true),
        access_to(DEVICE + 0x100 - 4, 8, true),
    };

    CHECK_EQ(mmio_register(f.d, gpa(DEVICE), 0x100, &device_ops, &dev), 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        f.v->arch.injected = 0;
        make_exit(&f, bad[i]);
        CHECK_EQ(f.v->arch.injected, FAKE_INJECT_ACCESS);
    }
    CHECK_EQ(dev.accesses, 0);
    /* The instruction was not stepped over. */
    CHECK_EQ(f.v->arch.pc, DOM_RAM);
    end(&f);
}

TEST(a_region_that_ends_inside_of_a_word)
{
    struct fixture f = begin(1);
    struct device dev = { .result = MMIO_OK };

    CHECK_EQ(mmio_register(f.d, gpa(DEVICE), 6, &device_ops, &dev), 0);
    make_exit(&f, access_to(DEVICE + 4, 4, true));
    CHECK_EQ(f.v->arch.injected, FAKE_INJECT_ACCESS);
    make_exit(&f, access_to(DEVICE + 4, 2, true));
    CHECK_EQ(dev.accesses, 1);
    end(&f);
}

TEST(a_device_may_refuse)
{
    struct fixture f = begin(1);
    struct device dev = { .result = MMIO_FAULT };

    CHECK_EQ(mmio_register(f.d, gpa(DEVICE), 0x100, &device_ops, &dev), 0);
    f.v->arch.reg[3] = 5;
    make_exit(&f, access_to(DEVICE, 4, false));
    CHECK_EQ(f.v->arch.injected, FAKE_INJECT_ACCESS);
    CHECK_EQ(f.v->arch.reg[3], 5);
    CHECK_EQ(f.v->arch.pc, DOM_RAM);
    end(&f);
}

/* --- Choosing and loading --------------------------------------------------- */

static const struct fake_step yield_step = { .exit = { .kind = VM_EXIT_YIELD }, .ran = 1000 };

TEST(two_that_yield_take_turns)
{
    struct fixture f = begin(1);
    struct domain *other = dom_create(f.w, "other", 1, false);
    struct fake_script a = { &yield_step, 1, .repeat = true }, b = a;

    f.v->arch.script = &a;
    other->vcpus[0]->arch.script = &b;
    domain_start(other);
    CHECK_EQ(dom_run(f.w, 0, 20), FAKE_STOP_EXITS);
    CHECK(f.v->exits >= 9 && other->vcpus[0]->exits >= 9);
    CHECK_EQ(f.v->running + other->vcpus[0]->running, 1);
    /* Of two states one is in the hardware. */
    CHECK_EQ((f.v->loaded_on != NULL) + (other->vcpus[0]->loaded_on != NULL), 1);
    dom_destroy(f.w, other);
    end(&f);
}

TEST(a_yield_alone_goes_on_without_a_switch)
{
    struct fixture f = begin(1);
    struct fake_script a = { &yield_step, 1, .repeat = true };

    f.v->arch.script = &a;
    CHECK_EQ(dom_run(f.w, 0, 20), FAKE_STOP_EXITS);
    CHECK_EQ(f.v->arch.loads, 1);
    CHECK_EQ(f.v->arch.pc, DOM_RAM + 80);
    end(&f);
}

TEST(a_vcpu_moves_to_another_cpu_with_its_state)
{
    struct fixture f = begin(2);
    struct cpumask one = { { BIT(1) } };

    CHECK_EQ(sched_set_affinity(f.v, &one), 0);
    CHECK(f.w->hv->pcpus[0]->work & PCPU_WORK_SCHED);
    dom_run(f.w, 1, 0); /* not before CPU 0 has let go */
    CHECK(f.w->hv->pcpus[1]->current == NULL);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_IDLE);
    CHECK_EQ(dom_run(f.w, 1, 0), FAKE_STOP_EXITS);
    CHECK(f.w->hv->pcpus[1]->current == f.v);
    CHECK(f.v->loaded_on == f.w->hv->pcpus[1]);
    CHECK_EQ(f.v->arch.loads, 2);
    CHECK_EQ(f.v->arch.saves, 1);
    end(&f);
}

TEST(giving_up_nothing_is_allowed)
{
    struct world *w = dom_world(1);

    vcpu_put_loaded(w->boot);
    CHECK(w->boot->loaded == NULL);
    CHECK_EQ(dom_run(w, 0, 0), FAKE_STOP_IDLE);
    world_destroy(w);
}

TEST(a_kick_leaves_the_guest)
{
    struct fixture f = begin(2);
    struct fake_script a = { .steps = &yield_step, .nr = 1 };

    f.v->arch.script = &a;
    world_cpu(f.w, 1);
    pcpu_kick(f.w->hv->pcpus[0], PCPU_WORK_VINTC);
    CHECK_EQ(f.w->hv->pcpus[0]->arch.kicks, 1);
    /* Bits that are set already send nothing. */
    pcpu_kick(f.w->hv->pcpus[0], PCPU_WORK_VINTC);
    CHECK_EQ(f.w->hv->pcpus[0]->arch.kicks, 1);
    f.v->arch.pending = 1;
    CHECK_EQ(dom_run(f.w, 0, 1), FAKE_STOP_EXITS);
    CHECK_EQ(a.pos, 0);
    CHECK_EQ(f.v->arch.delivered, 1);
    CHECK_EQ(f.w->hv->pcpus[0]->work, 0);
    end(&f);
}

TEST(raising_work_sends_nothing)
{
    struct world *w = dom_world(2);

    pcpu_raise(w->hv->pcpus[0], PCPU_WORK_SCHED | PCPU_WORK_TIMER);
    pcpu_raise(w->hv->pcpus[0], PCPU_WORK_SCHED);
    CHECK_EQ(w->hv->pcpus[0]->work, PCPU_WORK_SCHED | PCPU_WORK_TIMER);
    CHECK_EQ(w->hv->pcpus[0]->arch.kicks, 0);
    world_destroy(w);
}

/* --- Work ------------------------------------------------------------------- */

TEST(stop_halts_the_cpu)
{
    struct fixture f = begin(2);

    world_cpu(f.w, 1);
    pcpu_kick(f.w->hv->pcpus[0], PCPU_WORK_STOP);
    CHECK_EQ(dom_run(f.w, 0, 1), FAKE_STOP_HALT);
    end(&f);
}

TEST(every_cpu_passes_a_quiescent_point)
{
    struct fixture f = begin(3);

    world_cpu(f.w, 0);
    hv_quiesce_begin(f.w->hv);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(!hv_quiesce_done(f.w->hv));
        dom_run(f.w, i, i == 0 ? 1 : 0);
    }
    CHECK(hv_quiesce_done(f.w->hv));
    /* Going round again counts once only. */
    dom_settle(f.w);
    CHECK_EQ(f.w->hv->quiesce_pending, 0);
    end(&f);
}

static char got[8];

static void input(struct domain *d, char c)
{
    size_t n = strlen(got);

    CHECK_EQ(fake_machine->cpu->lock_depth, 0);
    got[n < sizeof(got) - 1 ? n : 0] = c;
}

TEST(console_input_is_polled_as_work)
{
    struct fixture f = begin(1);

    memset(got, 0, sizeof(got));
    CHECK_EQ(console_attach(f.d, input), 0);
    f.w->machine.console_input = "hey";
    pcpu_raise(f.w->boot, PCPU_WORK_CONSOLE);
    dom_run(f.w, 0, 0);
    CHECK_STR(got, "hey");
    CHECK_EQ(f.d->refs, 1);
    console_detach(f.d);
    end(&f);
}

TEST(an_idle_cpu_says_so)
{
    struct world *w = dom_world(2);

    CHECK_EQ(dom_run(w, 1, 0), FAKE_STOP_IDLE);
    CHECK(w->hv->pcpus[1]->idle);
    CHECK(!w->hv->pcpus[0]->idle);
    world_destroy(w);
}

TEST(a_cpu_in_no_pool_runs_nothing)
{
    struct world *w = world_create(2, 16);

    CHECK_EQ(dom_run(w, 1, 0), FAKE_STOP_IDLE);
    CHECK(w->hv->pcpus[1]->current == NULL);
    world_destroy(w);
}

/* Time that a guest ran is its own, time that the CPU idled is nobody's. */
TEST(run_time_and_idle_time_are_counted)
{
    static const struct fake_step busy = { .exit = { .kind = VM_EXIT_ARCH }, .ran = 5000 };
    struct fixture f = begin(1);
    struct fake_script s;
    const struct pcpu *p = f.w->hv->pcpus[0];
    ns_t before = sched_runtime(f.v), idle = pcpu_idle_time(p, f.w->machine.now);

    dom_script(f.v, &s, &busy, 1);
    dom_run(f.w, 0, 1);
    CHECK_EQ(sched_runtime(f.v), before + 5000);
    CHECK_EQ(pcpu_idle_time(p, f.w->machine.now), idle);
    vcpu_pause(f.v, VCPU_PAUSE_DOMAIN);
    CHECK_EQ(dom_run(f.w, 0, 0), FAKE_STOP_IDLE);
    idle = pcpu_idle_time(p, f.w->machine.now);
    f.w->machine.now += 7000;
    CHECK_EQ(sched_runtime(f.v), before + 5000);
    CHECK_EQ(pcpu_idle_time(p, f.w->machine.now), idle + 7000);
    vcpu_unpause(f.v, VCPU_PAUSE_DOMAIN);
    dom_script(f.v, &s, &busy, 1);
    dom_run(f.w, 0, 1);
    CHECK_EQ(sched_runtime(f.v), before + 10000);
    CHECK_EQ(pcpu_idle_time(p, f.w->machine.now), idle + 7000);
    end(&f);
}
