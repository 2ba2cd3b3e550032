/* SPDX-License-Identifier: MIT */
/*
 * A guest's timer on riscv64 (vtimer.c), with Sstc and without: what is in vstimecmp, which level
 * the line has, and when a vCPU that waits is woken. The test turns the clock.
 */
/* Before all others: struct vcpu is riscv64's. */
#include "riscv64_csr.h"

#include <arch/time.h>
#include <loam/domain.h>
#include <loam/pcpu.h>
#include <loam/timer.h>
#include <loam/vcpu.h>

#include "../../hv/arch/riscv64/vtimer.c"

#define HZ 10000000u /* 100 ns a tick */
#define START UINT64_C(1000000)
#define OFFSET UINT64_C(0xffffffffffff0000) /* the guest's clock is behind */

static struct hw_csr csrs[4];
static struct arch_host host;
static struct pcpu cpu;
static struct domain dom;
static struct vcpu vcpu, *v = &vcpu;
static bool line;
static uint32_t nr_lines, nr_wakes;
static ns_t armed; /* when v->wake is due, NS_NEVER: it is not set */

static uint64_t *reg(const char *name) { return hw_csr_at(csrs, ARRAY_SIZE(csrs), name); }
static uint64_t hw_csr_read(const char *csr) { return *reg(csr); }
static void hw_csr_write(const char *csr, uint64_t value) { *reg(csr) = value; }

ns_t arch_time_now(void) { return clock_ticks_to_ns(&host.clock, *reg("time")); }

void vcpu_line_set(struct vcpu *w, uint64_t bit, bool level)
{
    CHECK(w == v && bit == HIP_VSTIP);
    line = level;
    nr_lines++;
}

void vcpu_wake(struct vcpu *w) { nr_wakes++; }

void timer_init(struct timer *t, void (*fn)(struct timer *t, struct pcpu *p)) { t->fn = fn; }

void timer_set(struct pcpu *p, struct timer *t, ns_t deadline)
{
    CHECK(p == &cpu && t == &v->wake);
    t->pcpu = p;
    armed = deadline;
}

void timer_stop(struct timer *t)
{
    CHECK(t->pcpu != NULL);
    t->pcpu = NULL;
    armed = NS_NEVER;
}

static void world(bool sstc)
{
    memset(csrs, 0, sizeof(csrs));
    memset(&vcpu, 0, sizeof(vcpu));
    host = (struct arch_host){ .has_sstc = sstc };
    clock_init(&host.clock, HZ);
    cpu = (struct pcpu){ .arch.host = &host };
    dom = (struct domain){ .arch.time_offset = OFFSET };
    vcpu.domain = &dom;
    vcpu.pcpu = &cpu;
    vcpu.arch.timecmp = UINT64_MAX;
    *reg("time") = START;
    line = false;
    nr_lines = nr_wakes = 0;
    armed = NS_NEVER;
    vtimer_init(v);
}

/* The guest's clock, and what ns the host has in so many ticks. */
static uint64_t guest_now(void) { return *reg("time") + OFFSET; }
static ns_t host_in(uint64_t ticks) { return (*reg("time") + ticks) * 100; }

static void fire(void)
{
    struct timer *t = &v->wake;

    t->pcpu = NULL;
    armed = NS_NEVER;
    t->fn(t, &cpu);
}

TEST(with_sstc_the_hardware_compares)
{
    world(true);
    vtimer_set(v, 4711);
    CHECK_EQ(*reg("0x24d"), 4711);
    CHECK_EQ(nr_lines, 0);
    *reg("0x24d") = 815; /* the guest writes it itself, without an exit */
    v->pause = VCPU_PAUSE_BLOCKED;
    vtimer_save(v, &cpu);
    CHECK_EQ(v->arch.timecmp, 815);
    *reg("0x24d") = 0;
    vtimer_load(v, &cpu);
    CHECK_EQ(*reg("0x24d"), 815);
    CHECK_EQ(armed, NS_NEVER); /* loaded: the hardware sees to it */
}

TEST(who_waits_is_woken_when_it_is_due)
{
    world(true);
    *reg("0x24d") = guest_now() + 500;
    vtimer_wait(v, &cpu);
    CHECK_EQ(armed, host_in(500));
    fire();
    CHECK_EQ(nr_wakes, 1);
    CHECK_EQ(nr_lines, 0); /* VSTIP is the hardware's */
    *reg("0x24d") = guest_now() - 1;
    vtimer_wait(v, &cpu);
    CHECK_EQ(armed, 0); /* at once */
    *reg("0x24d") = UINT64_MAX;
    vtimer_wait(v, &cpu);
    CHECK_EQ(armed, NS_NEVER); /* the one that was set is gone */
}

TEST(far_deadlines_are_none)
{
    world(true);
    *reg("0x24d") = guest_now() + TICKS_FAR;
    vtimer_wait(v, &cpu);
    CHECK_EQ(armed, NS_NEVER);
    *reg("0x24d") = guest_now() + TICKS_FAR - 1;
    vtimer_wait(v, &cpu);
    CHECK(armed != NS_NEVER && armed > host_in(0));
}

TEST(who_is_saved_runnable_needs_no_timer)
{
    world(true);
    *reg("0x24d") = guest_now() + 500;
    vtimer_save(v, &cpu);
    CHECK_EQ(armed, NS_NEVER);
    v->pause = VCPU_PAUSE_BLOCKED;
    vtimer_save(v, &cpu);
    CHECK_EQ(armed, host_in(500));
}

TEST(without_sstc_the_line_is_ours)
{
    world(false);
    vtimer_set(v, guest_now() + 500);
    CHECK(!line && nr_lines == 1);
    CHECK_EQ(armed, host_in(500));
    CHECK(!vtimer_is_due(v));
    fire(); /* early: nothing is due */
    CHECK(!line && nr_wakes == 1);
    *reg("time") += 500;
    CHECK(vtimer_is_due(v));
    fire();
    CHECK(line && nr_wakes == 2);
    vtimer_set(v, UINT64_MAX); /* how a guest withdraws it */
    CHECK(!line);
    CHECK_EQ(armed, NS_NEVER);
    vtimer_set(v, guest_now()); /* due: now */
    CHECK(line);
}

TEST(without_sstc_a_new_deadline_replaces_the_old)
{
    world(false);
    vtimer_set(v, guest_now() + 500);
    vtimer_set(v, guest_now() + 200);
    CHECK_EQ(armed, host_in(200));
    vtimer_set(v, UINT64_MAX);
    CHECK_EQ(armed, NS_NEVER);
}
