/* SPDX-License-Identifier: MIT */
/* core/lock.c: locks exclude, and a wrong order or a wrong release panics. */
#include <stdio.h>

#include <loam/hv.h>
#include <loam/lock.h>
#include <loam/pcpu.h>

#include "unit.h"
#include "world.h"

struct pair {
    struct spinlock first, second;
};

TEST(a_lock_is_held_until_it_is_released)
{
    struct world *w = world_create(1, 4);
    struct spinlock l = SPINLOCK_INIT(LOCK_RANK_P2M);

    CHECK(!spin_is_locked(&l));
    spin_lock(&l);
    CHECK(spin_is_locked(&l));
    CHECK_EQ(w->boot->lock_depth, 1);
    CHECK(!spin_trylock(&l));
    CHECK_EQ(w->boot->lock_depth, 1);
    spin_unlock(&l);
    CHECK(!spin_is_locked(&l));
    CHECK(spin_trylock(&l));
    CHECK(spin_is_locked(&l));
    CHECK_EQ(w->boot->lock_depth, 1);
    spin_unlock(&l);
    CHECK_EQ(w->boot->lock_depth, 0);
    world_destroy(w);
}

TEST(tickets_wrap_around)
{
    struct world *w = world_create(1, 4);
    struct spinlock l = SPINLOCK_INIT(LOCK_RANK_P2M);

    for (uint32_t i = 0; i < 70000; i++) {
        spin_lock(&l);
        spin_unlock(&l);
    }
    CHECK(!spin_is_locked(&l));
    world_destroy(w);
}

TEST(locks_are_taken_in_order_and_released_in_any)
{
    struct world *w = world_create(1, 4);
    struct spinlock a = SPINLOCK_INIT(LOCK_RANK_HV), b = SPINLOCK_INIT(LOCK_RANK_DOMAIN),
                    c = SPINLOCK_INIT(LOCK_RANK_CONSOLE);

    spin_lock(&a);
    spin_lock(&b);
    spin_lock(&c);
    CHECK_EQ(w->boot->lock_depth, 3);
    spin_unlock(&b);
    spin_unlock(&a);
    CHECK_EQ(w->boot->lock_depth, 1);
    spin_unlock(&c);
    CHECK_EQ(w->boot->lock_depth, 0);
    world_destroy(w);
}

static void take_both(void *arg)
{
    struct pair *p = arg;

    spin_lock(&p->first);
    spin_lock(&p->second);
}

static void release_unheld(void *arg)
{
    struct pair *p = arg;

    spin_unlock(&p->first);
}

/* What fn leads to is a panic that says `format` with these ranks. */
static void check_panic(void (*fn)(void *arg), struct pair *p, const char *format, uint32_t a,
                        uint32_t b)
{
    struct world *w = world_create(2, 4);
    char text[100];

    snprintf(text, sizeof(text), format, a, b);

    CHECK_EQ(fake_try(fn, p), FAKE_STOP_HALT);
    CHECK(world_console_has(w, "PANIC on CPU 0: "));
    CHECK(world_console_has(w, text));
    CHECK(world_console_has(w, "newest trace records"));
    /* The others stop too. */
    CHECK(w->hv->pcpus[1]->work & PCPU_WORK_STOP);
    w->boot->lock_depth = 0;
    world_destroy(w);
}

TEST(a_lower_rank_after_a_higher_one_panics)
{
    struct pair p = { SPINLOCK_INIT(LOCK_RANK_SCHED), SPINLOCK_INIT(LOCK_RANK_P2M) };

    check_panic(take_both, &p, "lock of rank %u taken while one of rank %u is held",
                LOCK_RANK_P2M, LOCK_RANK_SCHED);
}

TEST(the_same_rank_twice_panics)
{
    struct pair p = { SPINLOCK_INIT(LOCK_RANK_DOMAIN), SPINLOCK_INIT(LOCK_RANK_DOMAIN) };

    check_panic(take_both, &p, "lock of rank %u taken while one of rank %u is held",
                LOCK_RANK_DOMAIN, LOCK_RANK_DOMAIN);
}

static void take_second(void *arg)
{
    struct pair *p = arg;

    spin_lock(&p->first);
    spin_lock_second(&p->second);
}

TEST(a_second_lock_of_the_same_rank_is_taken_on_purpose)
{
    struct pair p = { SPINLOCK_INIT(LOCK_RANK_EVTCHN), SPINLOCK_INIT(LOCK_RANK_EVTCHN) };
    struct world *w = world_create(1, 4);

    take_second(&p);
    CHECK_EQ(w->boot->lock_depth, 2);
    spin_unlock(&p.second);
    spin_unlock(&p.first);
    CHECK_EQ(w->boot->lock_depth, 0);
    world_destroy(w);
    p.first.rank = LOCK_RANK_SCHED;
    check_panic(take_second, &p, "lock of rank %u taken while one of rank %u is held",
                LOCK_RANK_EVTCHN, LOCK_RANK_SCHED);
}

TEST(releasing_what_is_not_held_panics)
{
    struct pair p = { SPINLOCK_INIT(LOCK_RANK_VDEV), SPINLOCK_INIT(LOCK_RANK_VDEV) };

    check_panic(release_unheld, &p, "lock of rank %u released that this CPU does not hold",
                LOCK_RANK_VDEV, 0);
}
