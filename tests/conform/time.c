/* SPDX-License-Identifier: MIT */
/* arch/time.h, and of arch/cpu.h and arch/irq.h what wakes a CPU: kicks and timers. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/timer.h>

#include "conform.h"

#define SOON NS_PER_S /* an emulator's host may be busy */
#define ROUNDS 50

/* --- The counter ------------------------------------------------------------------ */

static bool is_past(void *arg) { return arch_time_now() > *(ns_t *)arg; }

static void counter_goes_on(struct conform *c)
{
    ns_t before = arch_time_now(), start = before;

    for (uint32_t i = 0; i < 10000; i++) {
        ns_t now = arch_time_now();

        NEED(c, now >= before);
        before = now;
    }
    for (uint32_t i = 0; i < 1000000 && arch_time_now() == start; i++) {
        conform_step(c);
    }
    NEED(c, arch_time_now() > start);
    start += NS_PER_MS;
    EXPECT(c, conform_wait(c, is_past, &start, SOON));
}

/* --- A function on another CPU ------------------------------------------------------ */

struct call {
    struct timer timer;
    struct pcpu *ran_on;
    ns_t at;
    bool done;
};

static void called(struct timer *t, struct pcpu *p)
{
    struct call *call = container_of(t, struct call, timer);

    call->ran_on = this_pcpu();
    call->at = arch_time_now();
    atomic_store_release(&call->done, true);
}

static bool call_is_done(void *arg)
{
    const struct call *call = arg;

    return atomic_load_acquire(&call->done);
}

/* Runs *call on p, another CPU, at `deadline`; a kick takes it there. */
static bool call_on(struct conform *c, struct pcpu *p, struct call *call, ns_t deadline)
{
    *call = (struct call){ 0 };
    timer_init(&call->timer, called);
    timer_set(p, &call->timer, deadline);
    bool done = conform_wait(c, call_is_done, call, SOON);

    timer_stop(&call->timer);
    return done;
}

static bool is_idle(void *arg)
{
    const struct pcpu *p = arg;

    return atomic_load_relaxed(&p->idle) && atomic_load_relaxed(&p->work) == 0;
}

static void counter_is_the_same_on_all_cpus(struct conform *c)
{
    struct call call;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 1; i < c->hv->nr_pcpus; i++) {
            ns_t before = arch_time_now();

            NEED(c, call_on(c, c->hv->pcpus[i], &call, 0));
            ns_t after = arch_time_now();

            NEED(c, before <= call.at);
            NEED(c, call.at <= after);
        }
    }
}

static void a_kick_ends_an_idle_wait(struct conform *c)
{
    struct call call;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 1; i < c->hv->nr_pcpus; i++) {
            struct pcpu *p = c->hv->pcpus[i];

            NEED(c, conform_wait(c, is_idle, p, SOON));
            NEED(c, call_on(c, p, &call, 0));
            NEED(c, call.ran_on == p);
        }
    }
}

/* No work comes with it: the CPU must take it and wait again. */
static void a_kick_for_nothing_does_no_harm(struct conform *c)
{
    struct call call;

    for (uint32_t i = 1; i < c->hv->nr_pcpus; i++) {
        struct pcpu *p = c->hv->pcpus[i];

        arch_cpu_kick(p);
        arch_cpu_kick(p);
        NEED(c, conform_wait(c, is_idle, p, SOON));
        NEED(c, call_on(c, p, &call, 0));
    }
}

/* --- This CPU's timer ----------------------------------------------------------------- */

static bool timer_came(void *arg)
{
    struct pcpu *p = arg;

    arch_irq_poll(p);
    return atomic_load_relaxed(&p->work) & PCPU_WORK_TIMER;
}

static void forget(struct pcpu *p)
{
    arch_timer_set(p, NS_NEVER);
    arch_irq_poll(p);
    atomic_fetch_and(&p->work, ~(uint32_t)PCPU_WORK_TIMER);
}

static void timer_is_neither_early_nor_lost(struct conform *c)
{
    struct pcpu *p = this_pcpu();

    forget(p);
    for (uint32_t i = 1; i <= 5; i++) {
        ns_t deadline = arch_time_now() + i * (NS_PER_MS / 2);

        arch_timer_set(p, deadline);
        NEED(c, conform_wait(c, timer_came, p, SOON));
        EXPECT(c, arch_time_now() >= deadline);
        atomic_fetch_and(&p->work, ~(uint32_t)PCPU_WORK_TIMER);
    }
    forget(p);
}

static void timer_of_the_past_is_due(struct conform *c)
{
    struct pcpu *p = this_pcpu();

    forget(p);
    arch_timer_set(p, 0);
    EXPECT(c, conform_wait(c, timer_came, p, SOON));
    atomic_fetch_and(&p->work, ~(uint32_t)PCPU_WORK_TIMER);
    arch_timer_set(p, arch_time_now() - 1);
    EXPECT(c, conform_wait(c, timer_came, p, SOON));
    forget(p);
}

static void timer_that_is_off_stays_off(struct conform *c)
{
    struct pcpu *p = this_pcpu();

    forget(p);
    arch_timer_set(p, arch_time_now() + NS_PER_MS);
    arch_timer_set(p, NS_NEVER);
    EXPECT(c, !conform_wait(c, timer_came, p, 3 * NS_PER_MS));
    /* Moved away counts too. */
    arch_timer_set(p, arch_time_now() + NS_PER_MS);
    arch_timer_set(p, arch_time_now() + 10 * SOON);
    EXPECT(c, !conform_wait(c, timer_came, p, 3 * NS_PER_MS));
    forget(p);
}

/* Fired once and taken once, it does not come again. */
static void timer_fires_once(struct conform *c)
{
    struct pcpu *p = this_pcpu();

    forget(p);
    arch_timer_set(p, arch_time_now() + NS_PER_MS);
    NEED(c, conform_wait(c, timer_came, p, SOON));
    atomic_fetch_and(&p->work, ~(uint32_t)PCPU_WORK_TIMER);
    EXPECT(c, !conform_wait(c, timer_came, p, 2 * NS_PER_MS));
    forget(p);
}

/* A broken one hangs here: the watchdog of who started the machine speaks. */
static void waiting_ends_with_the_timer(struct conform *c)
{
    struct pcpu *p = this_pcpu();
    ns_t deadline = arch_time_now() + NS_PER_MS;

    forget(p);
    arch_timer_set(p, deadline);
    for (uint32_t i = 0; i < 1000 && !timer_came(p); i++) {
        arch_cpu_wait();
    }
    EXPECT(c, timer_came(p));
    EXPECT(c, arch_time_now() >= deadline);
    forget(p);
}

static void timers_of_other_cpus(struct conform *c)
{
    struct call call;

    for (uint32_t i = 1; i < c->hv->nr_pcpus; i++) {
        struct pcpu *p = c->hv->pcpus[i];
        ns_t deadline = arch_time_now() + 2 * NS_PER_MS;

        NEED(c, call_on(c, p, &call, deadline));
        EXPECT(c, call.ran_on == p);
        EXPECT(c, call.at >= deadline);
    }
}

static const struct conform_test tests[] = {
    { "time: the counter goes on", counter_goes_on, false },
    { "time: the timer is neither early nor lost", timer_is_neither_early_nor_lost, false },
    { "time: a deadline in the past is due", timer_of_the_past_is_due, false },
    { "time: a timer that is off stays off", timer_that_is_off_stays_off, false },
    { "time: a timer fires once", timer_fires_once, false },
    { "cpu: waiting ends with the timer", waiting_ends_with_the_timer, false },
    { "cpu: a kick ends an idle wait", a_kick_ends_an_idle_wait, false },
    { "cpu: a kick for nothing does no harm", a_kick_for_nothing_does_no_harm, false },
    { "time: timers of the other CPUs", timers_of_other_cpus, false },
    { "time: the counter is the same on all CPUs", counter_is_the_same_on_all_cpus, false },
};
const struct conform_group conform_time = { tests, ARRAY_SIZE(tests) };
