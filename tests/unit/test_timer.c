/* SPDX-License-Identifier: MIT */
/*
 * core/timer.c: order, moving, stopping, and what the hardware is told, on two
 * CPUs of a fake machine.
 */
#include <stdlib.h>

#include <arch/impl/fake.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/timer.h>

#include "unit.h"

struct bench {
    struct fake_machine machine;
    struct hv hv;
    struct pcpu p[2];
    char fired[16];
    uint32_t nr_fired;
};

struct named {
    struct timer timer; /* first */
    char name;
    ns_t again; /* sets itself again from its callback, once */
    struct timer *stops; /* stops another one from its callback */
};

static struct bench *begin(void)
{
    struct bench *b = calloc(1, sizeof(*b));

    fake_machine_init(&b->machine, PAGE_SIZE, 2);
    b->machine.hv = &b->hv;
    b->machine.arg = b;
    hv_init(&b->hv);
    for (uint32_t i = 0; i < 2; i++) {
        pcpu_init(&b->hv, &b->p[i], i);
        b->p[i].arch.deadline = NS_NEVER;
    }
    b->hv.nr_pcpus = 2;
    b->machine.cpu = &b->p[0];
    return b;
}

static void end(struct bench *b)
{
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(heap_is_empty(&b->p[i].timers));
        CHECK_EQ(b->p[i].lock_depth, 0);
    }
    fake_machine_fini(&b->machine);
    free(b);
}

static void fire(struct timer *t, struct pcpu *p)
{
    struct named *n = (struct named *)t;
    struct bench *b = fake_machine->arg;

    CHECK(t->pcpu == NULL);
    CHECK(fake_machine->cpu == p);
    CHECK_EQ(p->lock_depth, 0);
    b->fired[b->nr_fired++] = n->name;
    if (n->again != 0) {
        timer_set(p, t, n->again);
        n->again = 0;
    }
    if (n->stops != NULL) {
        timer_stop(n->stops);
    }
}

static struct named named(char name)
{
    struct named n = { .name = name };

    timer_init(&n.timer, fire);
    return n;
}

static void run_at(struct bench *b, uint32_t cpu, ns_t now)
{
    struct pcpu *was = b->machine.cpu;

    b->machine.cpu = &b->p[cpu];
    b->machine.now = now;
    timer_run(&b->p[cpu]);
    b->machine.cpu = was;
}

TEST(timers_fire_in_order_of_deadline)
{
    struct bench *b = begin();
    struct named x = named('x'), y = named('y'), z = named('z');

    timer_set(&b->p[0], &x.timer, 3000);
    timer_set(&b->p[0], &y.timer, 1000);
    timer_set(&b->p[0], &z.timer, 2000);
    CHECK_EQ(b->p[0].arch.deadline, 1000);
    run_at(b, 0, 999);
    CHECK_EQ(b->nr_fired, 0);
    CHECK_EQ(b->p[0].arch.deadline, 1000);
    run_at(b, 0, 2000);
    CHECK_STR(b->fired, "yz");
    CHECK_EQ(b->p[0].arch.deadline, 3000);
    run_at(b, 0, 5000);
    CHECK_STR(b->fired, "yzx");
    CHECK_EQ(b->p[0].arch.deadline, NS_NEVER);
    end(b);
}

TEST(equal_deadlines_all_fire)
{
    struct bench *b = begin();
    struct named t[3] = { named('a'), named('b'), named('c') };

    for (uint32_t i = 0; i < 3; i++) {
        timer_set(&b->p[0], &t[i].timer, 700);
    }
    run_at(b, 0, 700);
    CHECK_EQ(b->nr_fired, 3);
    CHECK(strchr(b->fired, 'a') != NULL && strchr(b->fired, 'b') != NULL &&
          strchr(b->fired, 'c') != NULL);
    end(b);
}

TEST(a_queued_timer_is_moved_not_doubled)
{
    struct bench *b = begin();
    struct named x = named('x');

    timer_set(&b->p[0], &x.timer, 1000);
    timer_set(&b->p[0], &x.timer, 5000);
    run_at(b, 0, 2000);
    CHECK_EQ(b->nr_fired, 0);
    CHECK_EQ(b->p[0].arch.deadline, 5000);
    timer_set(&b->p[0], &x.timer, 2500);
    CHECK_EQ(b->p[0].arch.deadline, 2500);
    run_at(b, 0, 9000);
    CHECK_STR(b->fired, "x");
    end(b);
}

TEST(a_timer_moves_between_cpus)
{
    struct bench *b = begin();
    struct named x = named('x');

    timer_set(&b->p[0], &x.timer, 1000);
    timer_set(&b->p[1], &x.timer, 1000);
    CHECK(x.timer.pcpu == &b->p[1]);
    CHECK(heap_is_empty(&b->p[0].timers));
    run_at(b, 0, 2000);
    CHECK_EQ(b->nr_fired, 0);
    run_at(b, 1, 2000);
    CHECK_STR(b->fired, "x");
    end(b);
}

TEST(a_remote_cpu_is_asked_only_for_an_earlier_deadline)
{
    struct bench *b = begin();
    struct named x = named('x'), y = named('y');

    timer_set(&b->p[1], &x.timer, 1000);
    CHECK(b->p[1].work & PCPU_WORK_TIMER);
    CHECK_EQ(b->p[1].arch.kicks, 1);
    /* Only the owner can reach its hardware. */
    CHECK_EQ(b->p[1].arch.deadline, NS_NEVER);
    b->p[1].work = 0;
    run_at(b, 1, 10);
    CHECK_EQ(b->p[1].arch.deadline, 1000);
    timer_set(&b->p[1], &y.timer, 2000);
    CHECK_EQ(b->p[1].work, 0);
    CHECK_EQ(b->p[1].arch.kicks, 1);
    timer_set(&b->p[1], &y.timer, 500);
    CHECK_EQ(b->p[1].arch.kicks, 2);
    run_at(b, 1, 3000);
    CHECK_STR(b->fired, "yx");
    end(b);
}

TEST(a_stopped_timer_does_not_fire)
{
    struct bench *b = begin();
    struct named x = named('x'), y = named('y');

    timer_stop(&x.timer); /* never set */
    timer_set(&b->p[0], &x.timer, 100);
    timer_set(&b->p[0], &y.timer, 200);
    timer_stop(&x.timer);
    timer_stop(&x.timer);
    CHECK(x.timer.pcpu == NULL);
    run_at(b, 0, 1000);
    CHECK_STR(b->fired, "y");
    /* It can be used again. */
    timer_set(&b->p[0], &x.timer, 2000);
    CHECK_EQ(b->p[0].arch.deadline, 2000);
    run_at(b, 0, 2000);
    CHECK_STR(b->fired, "yx");
    end(b);
}

TEST(the_hardware_is_set_right_after_a_stop)
{
    struct bench *b = begin();
    struct named x = named('x'), y = named('y');

    timer_set(&b->p[0], &x.timer, 100);
    timer_stop(&x.timer);
    timer_set(&b->p[0], &y.timer, 300);
    CHECK(b->p[0].arch.deadline <= 300);
    run_at(b, 0, 100); /* for nothing */
    CHECK_EQ(b->nr_fired, 0);
    CHECK_EQ(b->p[0].arch.deadline, 300);
    timer_stop(&y.timer);
    run_at(b, 0, 300);
    CHECK_EQ(b->p[0].arch.deadline, NS_NEVER);
    end(b);
}

TEST(a_past_deadline_fires_at_once)
{
    struct bench *b = begin();
    struct named x = named('x');

    b->machine.now = 10000;
    timer_set(&b->p[0], &x.timer, 1);
    CHECK(b->p[0].arch.deadline <= 10000);
    run_at(b, 0, 10000);
    CHECK_STR(b->fired, "x");
    end(b);
}

TEST(callbacks_may_set_and_stop_timers)
{
    struct bench *b = begin();
    struct named x = named('x'), y = named('y'), z = named('z');

    x.again = 150;
    x.stops = &y.timer;
    timer_set(&b->p[0], &x.timer, 100);
    timer_set(&b->p[0], &y.timer, 100 + 20);
    timer_set(&b->p[0], &z.timer, 140);
    run_at(b, 0, 200);
    CHECK_STR(b->fired, "xzx");
    end(b);
}

TEST(never_is_not_due)
{
    struct bench *b = begin();
    struct named x = named('x');

    timer_set(&b->p[0], &x.timer, NS_NEVER);
    run_at(b, 0, NS_NEVER - 1);
    CHECK_EQ(b->nr_fired, 0);
    CHECK_EQ(b->p[0].arch.deadline, NS_NEVER);
    timer_stop(&x.timer);
    end(b);
}
