/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks with a rank. docs/locking.md explains the order; the enum is
 * the order: a CPU may take a lock only while all locks that it holds have a
 * lower rank. Debug and host builds check it (core/lock.c).
 *
 * The hypervisor runs with interrupts masked, so there is no _irq variant.
 */
#ifndef LOAM_LOCK_H
#define LOAM_LOCK_H

#include <loam/atomic.h>
#include <loam/types.h>

enum lock_rank {
    LOCK_RANK_HV,      /* hv->lock: domain table, boot jobs */
    LOCK_RANK_DOMAIN,  /* d->lock: lifecycle of a domain and its vCPUs' power */
    LOCK_RANK_GRANT,   /* a domain's grant table */
    LOCK_RANK_VPCI,    /* a domain's PCI bus: it maps and unmaps what its devices have */
    LOCK_RANK_EVTCHN,  /* a domain's event channels; of two domains the lower domid first */
    LOCK_RANK_P2M,     /* d->p2m.lock */
    LOCK_RANK_VDEV,    /* an emulated device's registers */
    LOCK_RANK_VINTC,   /* a domain's shared interrupts */
    LOCK_RANK_VINTC_CPU, /* one vCPU's interrupt state */
    LOCK_RANK_IRQ,     /* host interrupt descriptors and controller */
    LOCK_RANK_IOMMU,   /* an IOMMU: who is attached, its tables and queues */
    LOCK_RANK_SCHED,   /* a run queue */
    LOCK_RANK_TIMER,   /* a pcpu's timer heap */
    LOCK_RANK_VMID,    /* hv->vmids: who has which VMID */
    LOCK_RANK_MEM,     /* mem_alloc's size classes */
    LOCK_RANK_FRAMES,  /* frame allocator */
    LOCK_RANK_REFUSALS, /* the ring of refused hypercalls */
    LOCK_RANK_CONSOLE, /* console output, taken last: anyone may print */
};

struct spinlock {
    uint32_t next;  /* next ticket to hand out */
    uint32_t owner; /* ticket being served */
    uint8_t rank;   /* enum lock_rank */
};

#define SPINLOCK_INIT(r) ((struct spinlock){ .rank = (r) })

/* Context: any, interrupts masked. Errors: none; a wrong order panics in checked builds. */
void spin_lock(struct spinlock *l);
/* A second lock of the same rank, where docs/locking.md gives those an order among themselves. */
void spin_lock_second(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
/* For assertions: true when some CPU holds the lock. */
bool spin_is_locked(const struct spinlock *l);

#endif
