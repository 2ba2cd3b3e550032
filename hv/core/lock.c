/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks. In checked builds each CPU remembers the ranks it holds and
 * panics when the order of enum lock_rank is broken or a lock is released
 * that it does not hold last.
 */
#include <arch/cpu.h>
#include <loam/lock.h>
#include <loam/log.h>
#include <loam/pcpu.h>

#ifdef CONFIG_DEBUG
/* below: no lock of this rank or a higher one may be held. */
static void lock_check_acquire(const struct spinlock *l, uint32_t below)
{
    struct pcpu *p = this_pcpu();

    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->lock_depth; i++) {
        if (p->lock_ranks[i] >= below) {
            panic("lock of rank %u taken while one of rank %u is held", l->rank, p->lock_ranks[i]);
        }
    }
    BUG_ON(p->lock_depth >= ARRAY_SIZE(p->lock_ranks));
    p->lock_ranks[p->lock_depth++] = l->rank;
}

static void lock_check_release(const struct spinlock *l)
{
    struct pcpu *p = this_pcpu();

    if (p == NULL) {
        return;
    }
    for (uint32_t i = p->lock_depth; i-- > 0;) {
        if (p->lock_ranks[i] == l->rank) {
            p->lock_ranks[i] = p->lock_ranks[--p->lock_depth];
            return;
        }
    }
    panic("lock of rank %u released that this CPU does not hold", l->rank);
}
#else
static inline void lock_check_acquire(const struct spinlock *l, uint32_t below) {}
static inline void lock_check_release(const struct spinlock *l) {}
#endif

static inline void acquire(struct spinlock *l)
{
    uint32_t ticket = atomic_fetch_add_relaxed(&l->next, 1u);

    /* Acquire pairs with the release in spin_unlock(). */
    while (atomic_load_acquire(&l->owner) != ticket) {
        arch_cpu_relax();
    }
}

void spin_lock(struct spinlock *l)
{
    lock_check_acquire(l, l->rank);
    acquire(l);
}

void spin_lock_second(struct spinlock *l)
{
    lock_check_acquire(l, l->rank + 1u);
    acquire(l);
}

void spin_unlock(struct spinlock *l)
{
    atomic_store_release(&l->owner, l->owner + 1);
    lock_check_release(l);
}

bool spin_trylock(struct spinlock *l)
{
    uint32_t owner = atomic_load_relaxed(&l->owner);
    uint32_t expected = owner;

    if (!atomic_compare_exchange(&l->next, &expected, owner + 1)) {
        return false;
    }
    lock_check_acquire(l, l->rank);
    return true;
}

bool spin_is_locked(const struct spinlock *l)
{
    return atomic_load_relaxed(&l->owner) != atomic_load_relaxed(&l->next);
}
