/* SPDX-License-Identifier: MIT */
/*
 * struct domain: one virtual machine, from domain_create() to the last
 * reference. docs/lifetimes.md says who holds references and in which order
 * a domain is taken apart.
 */
#ifndef LOAM_DOMAIN_H
#define LOAM_DOMAIN_H

#include <arch/impl/regs.h>
#include <loam/job.h>
#include <loam/list.h>
#include <loam/lock.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/types.h>

struct console_input;
struct cpupool;
struct cpupool_move;
struct gnttab;
struct evtchn;
struct hv;
struct plan_domain;
struct rights;
struct sched_domain;
struct vcpu;
struct watchdogs;

#define DOMAIN_NAME_MAX 32
#define DOMAIN_VCPUS_MAX 128
#define DOMAIN_SUBSYSTEMS_MAX 8
#define DOMAIN_HVM_PARAMS 8 /* parameters of hvm_op (ctl/hvm_op.c) */

/* SHUTDOWN_* of the Xen ABI (public sched.h). */
enum domain_shutdown_reason {
    SHUTDOWN_POWEROFF = 0,
    SHUTDOWN_REBOOT = 1,
    SHUTDOWN_SUSPEND = 2,
    SHUTDOWN_CRASH = 3,
    SHUTDOWN_WATCHDOG = 4,
    SHUTDOWN_SOFT_RESET = 5,
};

enum domain_state {
    DOMAIN_BUILDING, /* not started yet */
    DOMAIN_RUNNING,  /* also while it is paused */
    DOMAIN_SHUTDOWN, /* stopped with shutdown_reason; memory still there */
    DOMAIN_DYING,    /* being taken apart */
};

/* Options of domain_create(). */
struct domain_config {
    char name[DOMAIN_NAME_MAX]; /* "": d and its domid */
    uint32_t vcpus_max;
    uint32_t nr_spis;       /* shared interrupts, beyond the private ones */
    uint32_t weight;        /* scheduler weight, 256 is normal, 1..65535 */
    struct cpupool *pool;   /* NULL: the default pool */
    const char *mmu_type;   /* of guest page tables, NULL: the usual one. Borrowed */
    uint32_t sve_bits;      /* vector length shown to the guest, 0: none */
    uint32_t grant_frames_max;   /* frames of its grant table, 0: as many as usual (gnttab.h) */
    uint32_t maptrack_frames_max; /* 256 grants each that it may map, 0: as many as usual */
    uint8_t grant_version_max;   /* 1 or 2, 0: the usual one */
    uint16_t id;            /* wanted domid, 0: any */
    uint32_t evtchn_port_max; /* the largest event channel, 0: what the ABI has */
    uint8_t handle[16];     /* UUID, d->handle at first */
    bool held;              /* domain_kill() waits until domain_unhold() */
    bool xenstore;          /* a toolstack's word: it is the one with the store */
    bool control;           /* the control domain: domid 0, may use every hypercall */
    bool enhanced;          /* gets the Xen interfaces (/hypervisor node, hypercalls) */
    bool direct_map;        /* guest-physical = machine addresses */
};

struct domain {
    struct arch_domain arch; /* first */
    struct hv *hv;
    uint16_t id;
    uint8_t state;               /* [lock] enum domain_state */
    uint8_t shutdown_reason;     /* [lock] */
    uint8_t shutdown_code;       /* [lock] reason + 1 to report in place of its own, 0: none */
    uint32_t refs;               /* atomic */
    uint32_t who;                /* enum hc_who: which hypercalls it may use, constant */
    uint32_t pause_count;        /* [lock] who paused it; 1 until it is started */
    uint32_t busy;               /* atomic: a CPU builds it, or is at a step of domain_kill() */
    uint8_t handle[16];          /* [lock] UUID that the toolstack gave it */
    struct spinlock lock;        /* LOCK_RANK_DOMAIN */
    struct list_node link;       /* [hv->lock] in hv->domain_list */
    struct vcpu **vcpus;         /* vcpus_max entries, constant after creation */
    struct p2m p2m;
    struct mmio_map mmio;        /* emulated devices */
    uint64_t pages;              /* [lock] frames of RAM owned */
    uint64_t pages_max;          /* [lock] as many it may own (loam/memory.h) */
    uint64_t claim;              /* [hv->frames.lock] free frames promised to it */
    struct cpupool *pool;        /* [lock] */
    struct cpupool_move *move;   /* [lock] to another pool, under way (sched/cpupool_op.c) */
    struct sched_domain *sched;  /* [pool's lock] its scheduler's, NULL: nothing special */
    struct gnttab *gnttab;       /* NULL: it has no Xen interfaces */
    struct evtchn *evtchn;       /* its event channels, NULL: it has no Xen interfaces */
    void *sub[DOMAIN_SUBSYSTEMS_MAX]; /* one per row of core/subsystems.c */
    struct plan_domain *plan;    /* boot-time domain: how to build it again */
    struct rights *rights;       /* atomic, set once: devices it may have (dev/rights.c) */
    struct watchdogs *watchdogs; /* core/watchdog.c, NULL: none was asked for. Set once */
    struct console_input *console_input; /* of a control domain (dev/console_io.c) */
    uint64_t hvm_params[DOMAIN_HVM_PARAMS]; /* [lock] by place in ctl/hvm_op.c */
    uint32_t teardown_step;      /* [busy] cursor of domain_destroy() */
    struct job reaper;           /* the end of domain_kill() */
    gpa_t vcpu_shared;           /* guest_layout.vcpu_shared_size of RAM per vCPU, 0: none */
    uint64_t bytes;              /* hypervisor memory it takes, without its vCPUs and page tables */
    uint64_t vcpu_bytes;         /* the same of its vCPUs together */
    struct domain_config config; /* constant after creation, but for weight [scheduler's lock] */
};

#define for_each_vcpu(d, v, i)                                                                     \
    for (uint32_t i = 0; i < (d)->config.vcpus_max; i++)                                           \
        if (((v) = (d)->vcpus[i]) != NULL)

/*
 * Creates a domain without memory and vCPUs, paused once, one reference returned in *out.
 * A domid is used again only when all others were meanwhile.
 * Locks: hv->lock. Errors: -XEN_EINVAL a bad config value, -XEN_ENOMEM,
 * -XEN_ENOSPC no free domid, -XEN_EEXIST the wanted one is taken.
 */
int __must_check domain_create(struct hv *hv, const struct domain_config *config,
                               struct domain **out);

/* Starts a domain that was built: state DOMAIN_RUNNING, vCPU 0 may run. */
void domain_start(struct domain *d);

/*
 * Stops d for good: its vCPUs do not run any more, what happens next is the
 * restart policy's (boot/plan.c). A second call is ignored. Context: any,
 * also from d's own vCPU.
 */
void domain_shutdown(struct domain *d, enum domain_shutdown_reason reason);

/* A guest did what cannot go on: says why on the console, then SHUTDOWN_CRASH. */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);

/* The opposite, for a domain whose kernel goes on from there (SHUTDOWN_SUSPEND). */
void domain_resume(struct domain *d);

/*
 * Takes d apart in steps: vCPUs off their CPUs, subsystems, memory, tables, its
 * place in the table of domains; then drops the creator's reference. Returns 0 when done,
 * -XEN_EAGAIN to be called again (later: other CPUs may have to act first). What others
 * may reach while they hold a reference is freed with the last one.
 */
int domain_destroy(struct domain *d);

/*
 * The same for a toolstack, which knows d by its domid only: returns 0 as soon as the domid
 * is free, and a job does the rest. Context: the caller holds a reference.
 */
int domain_kill(struct domain *d);

/*
 * One CPU at a time builds d or takes it apart, for a toolstack: false, another one does, try
 * again (hc_again()). domain_kill() does the same for itself. While held d may be dying.
 */
bool domain_hold(struct domain *d);
void domain_unhold(struct domain *d);

/*
 * Each pause needs its unpause. The first unpause starts a domain whose vCPU 0
 * is on. Locks: d->lock. Errors of unpause: -XEN_EINVAL it is not paused.
 */
void domain_pause(struct domain *d);
int domain_unpause(struct domain *d);

/*
 * Gives [m, m + pages), RAM of d, back: to the allocator, or to the reserve it
 * was claimed from (static memory). Frames that are d's no more are skipped. They are
 * mapped nowhere in d any more, but to others, who hold references. Locks: d->lock, frames.
 */
void domain_free_ram(struct domain *d, mfn_t m, uint64_t pages);

/* References. domain_try_get fails once the last reference is gone. */
void domain_get(struct domain *d);
bool domain_try_get(struct domain *d);
void domain_put(struct domain *d);

/* The domain with this id and a reference, or NULL. */
struct domain *domain_lookup(struct hv *hv, uint16_t id);

#endif
