/* SPDX-License-Identifier: MIT */
/*
 * struct vcpu: one virtual CPU, and what the run loop does with it.
 *
 * A vCPU that waits is state, not a blocked stack: it may run when `pause`
 * is 0. The trap path: arch entry.S -> arch exit.c -> vcpu_exit() ->
 * exit_handlers[] -> back, or by vcpu_next() into another guest.
 */
#ifndef LOAM_VCPU_H
#define LOAM_VCPU_H

#include <arch/impl/regs.h>
#include <loam/guest_copy.h>
#include <loam/sched.h>
#include <loam/timer.h>
#include <loam/types.h>

struct cpupool;
struct domain;
struct hv;
struct pcpu;
struct sched_vcpu;

/* Reasons why a vCPU must not run, bits of vcpu.pause. */
enum vcpu_pause {
    VCPU_PAUSE_OFFLINE = 1 << 0, /* not switched on by PSCI CPU_ON / SBI hart_start */
    VCPU_PAUSE_BLOCKED = 1 << 1, /* waits for an interrupt (WFI, HLT, SCHEDOP_block) */
    VCPU_PAUSE_DOMAIN = 1 << 2,  /* its domain is paused: d->pause_count is not 0 */
    VCPU_PAUSE_SHUTDOWN = 1 << 3, /* its domain has shut down */
    VCPU_PAUSE_DYING = 1 << 4,   /* its domain is taken apart: never cleared */
    VCPU_PAUSE_MOVING = 1 << 5,  /* its domain moves to another CPU pool */
};

struct vcpu {
    struct arch_vcpu arch; /* first: assembly knows its offsets */
    struct domain *domain;
    uint32_t id;
    uint32_t tag;               /* domain id << 16 | id, for trace records */
    uint32_t pause;             /* enum vcpu_pause, atomic; 0: may run */
    struct pcpu *pcpu;          /* where it runs or last ran; valid while running */
    struct pcpu *loaded_on;     /* whose hardware holds its state, NULL: all state is in memory */
    bool running;               /* chosen by a CPU; changed by the scheduler under its lock */
    bool dedicated;             /* has its CPU to itself: idle instructions need no trap */
    bool wanted;                /* atomic: some CPU waits until loaded_on is NULL */
    struct cpupool *pool;       /* [lock of that pool] where it is scheduled */
    struct sched_vcpu *sched;   /* [pool's lock] the scheduler's */
    struct timer wake;          /* unblocks it when its own timer, not in hardware, is due */
    uint64_t exits;             /* for the statistics */
    uint32_t p2m_changes;       /* p2m.changes, even, at its last fault: p2m_fault_is_stale() */
    struct vcpu_runstate rs;    /* [pool's lock] what it does since when, and did how long */
    void (*on_runstate)(struct vcpu *v, const struct vcpu_runstate *r); /* [pool's lock] */
    struct guest_shared waited_word; /* where the guest reads how long it waited for a CPU */
};

/* Why a guest was left. The kinds are the same on every architecture. */
enum vm_exit_kind {
    VM_EXIT_HYPERCALL, /* Xen ABI: number and arguments in registers */
    VM_EXIT_FIRMWARE,  /* SMCCC/PSCI, SBI: a call to firmware, handled by the architecture */
    VM_EXIT_IRQ,       /* a physical interrupt */
    VM_EXIT_MMIO,      /* access to guest-physical memory that is not mapped, decoded */
    VM_EXIT_IDLE,      /* WFI, HLT */
    VM_EXIT_YIELD,     /* WFE, PAUSE: spins */
    VM_EXIT_ARCH,      /* arch_exit_handle(): system registers, MSRs, CSRs, faults */
    VM_EXIT_KINDS
};

struct mmio_access {
    gpa_t addr;
    uint64_t value;     /* of a write; result of a read */
    uint8_t size;       /* 1, 2, 4, 8 */
    bool write;
    uint8_t reg;        /* architecture's own: where a read goes */
    uint8_t flags;      /* architecture's own: sign extension, width */
};

struct vm_exit {
    enum vm_exit_kind kind;
    uint64_t info; /* the architecture's: syndrome, exit code, cause */
    struct mmio_access mmio;
};

/* What a handler wants done next. */
enum vm_resume {
    VM_RESUME,     /* enter the same guest again unless there is other work */
    VM_RESCHEDULE, /* choose anew: it blocked, yielded, was stopped or died */
};

/*
 * The one way from a guest into the neutral code: handles the exit of v on
 * the CPU that it ran on. True: enter v again at once, its registers are
 * where they were. False: there is work; the architecture stores whatever
 * registers of v it still holds and calls vcpu_next().
 * Context: v was the running vCPU of this CPU, interrupts masked.
 */
bool vcpu_exit(struct vcpu *v, struct vm_exit *x);

/*
 * Does the work that waits for p, chooses a vCPU, loads its state and returns
 * it, to be entered. Idles until there is one.
 * Context: p itself, all registers of the vCPU that ran last stored.
 */
struct vcpu *vcpu_next(struct pcpu *p);

/* Gives up the hardware state of p->loaded, if any, so that another CPU may load it. Context: p. */
void vcpu_put_loaded(struct pcpu *p);

/* Errors: -XEN_ENOMEM, -XEN_EINVAL id not below d->vcpus_max, -XEN_EEXIST. */
int __must_check vcpu_create(struct domain *d, uint32_t id);
/*
 * The end of v, which has VCPU_PAUSE_DYING and is on no CPU, in three parts: its timer and the
 * memory that it shares with the guest; its place in the scheduler, after a quiescent
 * point; and itself, when nobody knows it any more. Until then others may still wake it, which
 * does nothing.
 */
void vcpu_stop(struct vcpu *v);
void vcpu_retire(struct vcpu *v);
void vcpu_destroy(struct vcpu *v);

/* Puts pause bits on v; when it runs elsewhere its CPU is kicked and leaves it soon. */
void vcpu_pause(struct vcpu *v, uint32_t reasons);
/* Takes pause bits off; makes v runnable when none is left. */
void vcpu_unpause(struct vcpu *v, uint32_t reasons);
/* True when v neither runs nor is loaded on a CPU; otherwise asks that CPU to let go. */
bool vcpu_is_off_cpu(struct vcpu *v);

/* v waits for an interrupt unless one is deliverable already. Context: v is current. */
enum vm_resume vcpu_block(struct vcpu *v);
/* An interrupt or event for v arrived; wakes it if it waits. Context: any CPU. */
void vcpu_wake(struct vcpu *v);

/*
 * From now on the guest reads v's stolen time, ns that it waited for a CPU, at
 * guest-physical `at` (Arm DEN 0057, SBI STA). Errors: as guest_share().
 * Context: v is current.
 */
int __must_check vcpu_share_waited(struct vcpu *v, gpa_t at);

/*
 * Power, as PSCI and SBI HSM need it. vcpu_power_on: starts vCPU id of d at
 * `entry` with `arg`. Errors: -XEN_EINVAL no such vCPU, -XEN_EEXIST already
 * on, -XEN_EBUSY being switched on or still leaving its CPU.
 */
int vcpu_power_on(struct domain *d, uint32_t id, uint64_t entry, uint64_t arg);
void vcpu_power_off(struct vcpu *v);

static inline bool vcpu_is_runnable(const struct vcpu *v)
{
    return __atomic_load_n(&v->pause, __ATOMIC_RELAXED) == 0;
}

/* Who, for trace records. */
static inline uint32_t vcpu_tag(const struct vcpu *v) { return v->tag; }

#endif
