/* SPDX-License-Identifier: MIT */
/*
 * struct hv: all mutable state of the host that is not per CPU.
 *
 * There is one on hardware (core/start.c) and as many as a host test likes.
 * It is passed, not found: v->domain->hv, p->hv, hc->d->hv lead here.
 */
#ifndef LOAM_HV_H
#define LOAM_HV_H

#include <loam/frame.h>
#include <loam/list.h>
#include <loam/lock.h>
#include <loam/perfc.h>
#include <loam/refusal.h>
#include <loam/timer.h>
#include <loam/types.h>
#include <loam/vmid.h>

#define HV_PCPUS_MAX 128
#define HV_VIRQS 24 /* NR_VIRQS of the Xen ABI */
#define HV_DOMAINS_MAX 1024 /* boot-time and later ones; domids are indices */

struct console;
struct cpupool;
struct domain;
struct iommu;
struct irq_table;
struct mem_heap;
struct pcpu;
struct pci;
struct plan;

struct hv {
    struct vmid_pool vmids; /* set up by arch_cpu_probe(), read at each switch (mm/vmid.c) */
    struct spinlock lock;   /* LOCK_RANK_HV */

    /* CPUs. Written while booting, read-only afterwards. */
    uint32_t nr_pcpus;
    struct pcpu *pcpus[HV_PCPUS_MAX];

    /* Domains by id; entries change under lock, are read without (see domain_lookup). */
    struct domain *domains[HV_DOMAINS_MAX];
    uint16_t last_domid;     /* [lock] given last */
    struct list domain_list; /* [lock] in order of creation */
    uint32_t virq_handler[HV_VIRQS]; /* atomic: domid that a global virq is for (ipc/evtchn.c) */
    struct {
        int64_t sec;         /* [lock] since the epoch, when system time was 0 (ipc/wallclock.c) */
        uint32_t nsec;       /* [lock] */
    } wallclock;

    struct frames frames;        /* machine memory (mm/frame.c) */
    struct mem_heap *mem;        /* small objects (mm/mem.c) */
    struct cpupool *pools;       /* [lock] list, first is the default pool (sched/cpupool.c) */
    struct irq_table *irqs;      /* host interrupts (dev/irq.c) */
    struct iommu *iommus;        /* those that are driven, constant after boot (core/iommu.c) */
    struct console *console;     /* host console and its owners (dev/console.c) */
    struct pci *pci;             /* host bridges, NULL until a domain wants a device (dev/pci.c) */
    struct plan *plan;           /* boot-time domains (boot/plan.c) */
    struct list jobs;       /* [lock] long work cut into steps (core/job.c) */

    const void *quiescing;       /* atomic: whose wait for a quiescent point is served now */
    uint32_t quiesce_pending;    /* CPUs that have yet to pass one */
    struct timer job_timer;      /* lets busy CPUs do steps of jobs */
    struct {
        struct spinlock lock; /* LOCK_RANK_REFUSALS */
        uint64_t count;       /* [lock] refused hypercalls since boot */
        struct refusal ring[REFUSALS_KEPT]; /* [lock] the last ones, by number */
    } refusals; /* core/refusal.c */
    struct perfc_totals perfc;   /* what is counted of the host (ctl/sysctl_perfc.c) */
    ns_t boot_start;             /* counter at entry */
};

/* Prepares *h (zeroed memory). */
void hv_init(struct hv *h);

#endif
