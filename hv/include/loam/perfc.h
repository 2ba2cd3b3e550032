/* SPDX-License-Identifier: MIT */
/*
 * Performance counters: what happened how often, as `xenperf` in a control domain prints it
 * (ctl/sysctl_perfc.c has their names).
 *
 * Neither an exit that is handled at once nor a hypercall is counted here: a vCPU counts its exits
 * itself (v->exits), and what those are for is in the trace. Each of these is one addition, by
 * the CPU that it is about, on a path that costs hundreds of instructions more.
 */
#ifndef LOAM_PERFC_H
#define LOAM_PERFC_H

#include <loam/types.h>

/* Of one CPU. */
enum perfc {
    PERFC_SWITCHES,       /* another vCPU's state was loaded (core/vcpu_run.c) */
    PERFC_BLOCKS,         /* a vCPU went to sleep (core/vcpu.c) */
    PERFC_IDLE_WAITS,     /* the CPU waited for an interrupt (core/vcpu_run.c) */
    PERFC_KICKS,          /* it interrupted another CPU (core/pcpu.c) */
    PERFC_TIMERS,         /* a timer was due (core/timer.c) */
    PERFC_JOB_STEPS,      /* steps of long work (core/job.c) */
    PERFC_MULTICALLS,     /* lists of hypercalls, begun or gone on with (core/multicall.c) */
    PERFC_MULTICALL_CALLS, /* hypercalls in such lists */
    PERFC_MAX
};

/* Of the host; those that are not noted elsewhere are in hv->perfc. */
enum perfc_host {
    PERFC_EXITS,          /* of all vCPUs, also of those that are gone */
    PERFC_REFUSED,        /* hypercalls that left a reason */
    PERFC_DOMAINS,        /* made */
    PERFC_FRAMES,         /* allocated */
    PERFC_FRAMES_CLEARED,
    PERFC_VMID_ROLLOVERS,
    PERFC_HOST_MAX
};

struct perfc_cpu {
    uint64_t count[PERFC_MAX]; /* written by its CPU alone */
    uint64_t base[PERFC_MAX];  /* what it was when somebody asked to begin at 0 */
};

struct perfc_totals {
    uint64_t exits_gone; /* [hv->lock] of vCPUs whose domain nobody finds any more */
    uint64_t domains;    /* [hv->lock] */
    uint64_t base[PERFC_HOST_MAX];
};

#endif
