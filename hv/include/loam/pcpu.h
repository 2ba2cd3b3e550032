/* SPDX-License-Identifier: MIT */
/*
 * struct pcpu: all state of one physical CPU.
 *
 * Everything runs to completion on the pcpu's one stack, with interrupts
 * masked. Other CPUs touch only the fields marked shared; they ask for
 * attention with pcpu_kick(). Read next: core/vcpu_run.c.
 */
#ifndef LOAM_PCPU_H
#define LOAM_PCPU_H

#include <arch/impl/regs.h>
#include <loam/atomic.h>
#include <loam/heap.h>
#include <loam/lock.h>
#include <loam/perfc.h>
#include <loam/refusal.h>
#include <loam/trace.h>
#include <loam/types.h>
#include <loam/vmid.h>

struct hv;
struct sched_pcpu;
struct vcpu;

/* Reasons to leave the guest, bits of pcpu.work. */
enum pcpu_work {
    PCPU_WORK_TIMER = 1 << 0,   /* a timer of this CPU is due */
    PCPU_WORK_SCHED = 1 << 1,   /* choose a vCPU anew */
    PCPU_WORK_VINTC = 1 << 2,   /* the running vCPU has interrupts to deliver */
    PCPU_WORK_SAVE = 1 << 3,    /* give up the state of the loaded vCPU if it does not run */
    PCPU_WORK_QUIESCE = 1 << 4, /* report a quiescent point */
    PCPU_WORK_JOB = 1 << 5,     /* a job step may run here (core/job.c) */
    PCPU_WORK_CONSOLE = 1 << 6, /* console input waits */
    PCPU_WORK_STOP = 1 << 7,    /* the machine goes down */
};

struct pcpu {
    struct arch_pcpu arch; /* first: assembly knows its offsets */
    struct hv *hv;
    uint32_t id;   /* index in hv->pcpus, 0 is the boot CPU */
    uint32_t work; /* shared: enum pcpu_work, set by pcpu_kick(), taken by vcpu_next() */

    struct vcpu *current; /* vCPU in or just out of its guest; NULL while idle. shared, read only */
    struct vcpu *loaded;  /* vCPU whose guest state is in the hardware; stays loaded over idle */
    bool online;          /* shared, set once */
    bool idle;            /* shared: waits for an interrupt */
    uint64_t idle_clock;  /* shared, read only: pcpu_idle_time() */
    struct vmid_pcpu vmid; /* whose map this CPU has (mm/vmid.c) */

    struct spinlock timer_lock; /* LOCK_RANK_TIMER */
    struct heap timers;         /* [timer_lock] struct timer by deadline */
    ns_t timer_programmed;      /* [timer_lock] what the hardware was last told; NS_NEVER: off */

    struct sched_pcpu *sched; /* the scheduler's (sched/), NULL while in no pool */
    struct refusal_note refusal; /* why the hypercall that runs here is refused (core/refusal.c) */
    uint64_t mem_bytes;       /* objects this CPU took less those it gave back, in bytes */
    uint32_t lock_depth;      /* checked builds: locks held */
    uint8_t lock_ranks[8];    /* checked builds: their ranks */
    struct trace_ring trace;
    struct perfc_cpu perfc; /* last: the trace is written on each exit, at a small offset */
};

/* The CPU that executes this. For lock, trace, print, panic and the run loop only. */
struct pcpu *this_pcpu(void);

/* Counts something of p. Context: p itself. */
static inline void perfc_count(struct pcpu *p, enum perfc what)
{
    atomic_store_relaxed(&p->perfc.count[what], p->perfc.count[what] + 1);
}

/*
 * Makes p look at `work` (enum pcpu_work bits) before it enters a guest again,
 * interrupting its guest or idle wait if it is another CPU. Cheap when the
 * bits are already set. Context: any CPU. Locks: none taken.
 */
void pcpu_kick(struct pcpu *p, uint32_t work);

/* Sets the bits for the CPU that executes this; no interrupt is sent. */
void pcpu_raise(struct pcpu *p, uint32_t work);

/* Prepares p (zeroed memory) as number id of hv. Errors: none. */
void pcpu_init(struct hv *hv, struct pcpu *p, uint32_t id);

/*
 * ns since the boot, at `now`, in which p had no vCPU. Context: any CPU, no lock needed.
 *
 * One word tells it at any moment: twice those of the times that are over, and while p idles 1 less
 * twice the time at which that began. What switches between two vCPUs does not touch it.
 */
ns_t pcpu_idle_time(const struct pcpu *p, ns_t now);

/* p had a vCPU and has none from `now` on; and the other way round. Context: p's CPU. */
static inline void pcpu_idle_begins(struct pcpu *p, ns_t now)
{
    atomic_store_relaxed(&p->idle_clock, p->idle_clock - 2 * now + 1);
}

static inline void pcpu_idle_ends(struct pcpu *p, ns_t now)
{
    atomic_store_relaxed(&p->idle_clock, p->idle_clock + 2 * now - 1);
}

/*
 * Starts the other CPUs of the machine and waits until they are online. A CPU
 * that does not come up is reported and left out.
 */
void pcpu_start_all(struct hv *hv);

/*
 * Lock-free readers run between two quiescent points of their CPU (the run
 * loop's passes). Once hv_quiesce() returns true no CPU uses anything that was unlinked before its
 * first call with this owner, any pointer that tells it from others; who is not yet served
 * calls again later. Served is one at a time: with begin, then done.
 */
bool hv_quiesce(struct hv *hv, const void *owner);
void hv_quiesce_begin(struct hv *hv);
bool hv_quiesce_done(struct hv *hv);

#endif
