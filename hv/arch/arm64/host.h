/* SPDX-License-Identifier: MIT */
/*
 * struct arch_host: what the boot found out about this machine. Written
 * while booting, read-only afterwards; reached by p->arch.host, or from hv by
 * arch_host().
 *
 * struct machine holds the mutable state of the host: the one object of it is
 * in start.c.
 */
#ifndef ARM64_HOST_H
#define ARM64_HOST_H

#include <loam/clock.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/types.h>
#include <arch/stage2.h>

#define GICR_REGIONS_MAX 8

/* A range of redistributor frames, one or two pairs of 64 KiB for each CPU. */
struct gicr_region {
    hpa_t addr;
    uint64_t size;
    uintptr_t regs; /* mapped */
};

struct arch_host {
    /* Where the image was loaded (start.c), and the address space (mmu.c; boot CPU only). */
    uint64_t image_pa, image_size;
    uint32_t tables_used;
    uintptr_t device_next;
    uintptr_t early_uart; /* early.c; 0: not mapped */

    /* CPUs, in the order of the device tree; the boot CPU first. */
    uint32_t nr_cpus;
    uint64_t cpu_mpidr[HV_PCPUS_MAX];

    /* Abilities, the same on all CPUs (a CPU that differs is left out). */
    uint8_t pa_bits;
    uint8_t vmid_bits;
    uint64_t leaf[P2M_TYPES_MAX]; /* what stage-2 leaves of a type have beside their address */
    bool has_fwb;      /* FEAT_S2FWB: stage 2 forces write-back, no cleaning for guests */
    bool has_pauth;
    bool has_sve;
    bool has_hcx;      /* HCRX_EL2 */
    bool has_fgt;      /* fine-grained traps */
    uint32_t sve_vqs;  /* bit n: vectors of n + 1 quadwords can be had (vcpu.c) */
    uint32_t dczva_size; /* bytes DC ZVA clears, 0: prohibited */
    uint32_t dcache_line;
    uint32_t icache_line;

    struct clock counter; /* the architected one; hz 0: the firmware did not say */

    /* GICv3, from the device tree. */
    hpa_t gicd_addr;
    uint64_t gicd_size;
    uintptr_t gicd;    /* mapped */
    uint32_t nr_gicr;
    struct gicr_region gicr[GICR_REGIONS_MAX];
    uint32_t gicr_stride; /* bytes from CPU to CPU as the tree says, 0: by GICR_TYPER */
    uint32_t nr_irqs;  /* INTIDs of the distributor */
    uint32_t nr_lrs;   /* list registers */
    uint32_t pri_bits;

    /* PPIs (INTIDs) of the timers. */
    uint32_t vtimer_irq, htimer_irq, ptimer_irq;
    uint32_t maintenance_irq; /* of the list registers */

    /* PSCI, conduit SMC: we run at EL2. 0: the tree names none that we can use. */
    uint32_t psci_version;

    struct stage2_format s2;
    uint64_t vtcr;

    /* ID registers as guests see them, made once (arch/arm64/idreg.c). */
    uint64_t idreg[8 * 8]; /* by CRm 0..7, op2 0..7 of op0 3 op1 0 CRn 0 */
};

struct machine {
    struct hv hv;
    struct arch_host host;
    struct pcpu boot_cpu;
};

static inline struct arch_host *arch_host(struct hv *hv)
{
    return &container_of(hv, struct machine, hv)->host;
}

static inline const struct arch_host *arch_host_const(const struct hv *hv)
{
    return &((const struct machine *)((const char *)hv - offsetof(struct machine, hv)))->host;
}

#endif
