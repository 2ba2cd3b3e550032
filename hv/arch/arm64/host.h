/* SPDX-License-Identifier: MIT */
/*
 * struct arch_host: what the boot found out about this machine. Written
 * while booting, read-only afterwards; reached by p->arch.host.
 */
#ifndef ARM64_HOST_H
#define ARM64_HOST_H

#include <loam/lock.h>
#include <loam/pcpu.h>
#include <loam/types.h>
#include <arch/stage2.h>

struct arch_host {
    /* CPUs, in the order of the device tree; the boot CPU first. */
    uint32_t nr_cpus;
    uint64_t cpu_mpidr[128];

    /* Abilities, the same on all CPUs (a CPU that differs is left out). */
    uint8_t pa_bits;
    uint8_t vmid_bits;
    bool has_fwb;      /* FEAT_S2FWB: stage 2 forces write-back, no cleaning for guests */
    bool has_pauth;
    bool has_sve;
    bool has_hcx;      /* HCRX_EL2 */
    bool has_fgt;      /* fine-grained traps */
    uint32_t sve_vl_max; /* bytes */
    uint32_t dczva_size; /* bytes DC ZVA clears, 0: prohibited */
    uint32_t dcache_line;
    uint32_t icache_line;

    /* Counter: ns = (ticks * mult) >> shift. */
    uint32_t cntfrq;
    uint32_t ns_mult, ns_shift;

    /* GICv3, from the device tree. */
    hpa_t gicd_addr;
    uint64_t gicd_size;
    hpa_t gicr_addr;   /* first region of redistributors */
    uint64_t gicr_size;
    uintptr_t gicd;    /* mapped */
    uintptr_t gicr;
    uint32_t nr_irqs;  /* INTIDs of the distributor */
    uint32_t nr_lrs;   /* list registers */
    uint32_t pri_bits;

    /* PPIs (INTIDs) of the timers. */
    uint32_t vtimer_irq, htimer_irq, ptimer_irq;

    /* PSCI conduit is always SMC: we run at EL2. */
    uint32_t psci_version;

    struct stage2_format s2;
    uint64_t vtcr;

    /* VMIDs (arch/arm64/stage2.c). */
    struct spinlock vmid_lock;      /* LOCK_RANK_FRAMES - 1: taken while loading a vCPU */
    uint64_t vmid_generation;       /* [vmid_lock] */
    uint32_t vmid_next;             /* [vmid_lock] */

    /* ID registers as guests see them, made once (arch/arm64/idreg.c). */
    uint64_t idreg[8 * 8]; /* by CRm 0..7, op2 0..7 of op0 3 op1 0 CRn 0 */
};

#endif
