/* SPDX-License-Identifier: MIT */
/*
 * Timers: a heap per CPU, the hardware programmed for its minimum.
 *
 * The hardware is touched only when the minimum changes. A remote CPU that
 * sets an earlier deadline asks the owner to look (PCPU_WORK_TIMER), because
 * only the owner can reach its own timer.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/pcpu.h>
#include <loam/timer.h>

void timer_init(struct timer *t, void (*fn)(struct timer *t, struct pcpu *p))
{
    *t = (struct timer){ .fn = fn };
}

/* Tells the hardware about the first deadline. p is this CPU; its lock is held. */
static void timer_program_locked(struct pcpu *p)
{
    struct heap_node *first = heap_min(&p->timers);
    ns_t deadline = first == NULL ? NS_NEVER : first->key;

    if (deadline != p->timer_programmed) {
        p->timer_programmed = deadline;
        arch_timer_set(p, deadline);
    }
}

void timer_set(struct pcpu *p, struct timer *t, ns_t deadline)
{
    timer_stop(t);
    spin_lock(&p->timer_lock);
    t->node.key = deadline;
    heap_insert(&p->timers, &t->node);
    atomic_store_relaxed(&t->pcpu, p);
    bool first = heap_min(&p->timers) == &t->node;
    if (first && p == this_pcpu()) {
        timer_program_locked(p);
        first = false;
    }
    spin_unlock(&p->timer_lock);
    if (first) {
        pcpu_kick(p, PCPU_WORK_TIMER);
    }
}

void timer_stop(struct timer *t)
{
    for (;;) {
        struct pcpu *p = atomic_load_relaxed(&t->pcpu);

        if (p == NULL) {
            return;
        }
        spin_lock(&p->timer_lock);
        /* It may have fired or moved before the lock was taken. */
        if (t->pcpu == p) {
            heap_remove(&p->timers, &t->node);
            atomic_store_relaxed(&t->pcpu, NULL);
            /* The hardware may now fire for nothing; timer_run() then sets it right. */
            spin_unlock(&p->timer_lock);
            return;
        }
        spin_unlock(&p->timer_lock);
    }
}

void timer_run(struct pcpu *p)
{
    spin_lock(&p->timer_lock);
    /* It fired or a remote CPU changed the heap: what was programmed is not known any more. */
    p->timer_programmed = 0;
    for (;;) {
        struct heap_node *first = heap_min(&p->timers);

        if (first == NULL || first->key > arch_time_now()) {
            break;
        }
        struct timer *t = container_of(first, struct timer, node);

        heap_pop(&p->timers);
        atomic_store_relaxed(&t->pcpu, NULL);
        spin_unlock(&p->timer_lock);
        perfc_count(p, PERFC_TIMERS);
        t->fn(t, p);
        spin_lock(&p->timer_lock);
    }
    timer_program_locked(p);
    spin_unlock(&p->timer_lock);
}
