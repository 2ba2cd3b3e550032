/* SPDX-License-Identifier: MIT */
/*
 * State of the virtual GICv3: of one vCPU (struct vgic_cpu) and of a domain
 * (struct vgic). What it means and who may touch it: arch/arm64/vgicv3.c.
 */
#ifndef ARCH_IMPL_VGIC_H
#define ARCH_IMPL_VGIC_H

#include <loam/lock.h>
#include <loam/types.h>

#define VGIC_LRS_MAX 16
#define VGIC_SPIS_MAX 960 /* INTIDs 32..991 */
#define VGIC_SPI_WORDS (VGIC_SPIS_MAX / 64)

struct vgic;

struct vgic_cpu {
    struct vgic *gic;
    uint16_t id;
    bool offered; /* active priorities may not be 0: an interrupt was in a list register */
    bool loaded; /* its list registers are in the hardware of the CPU vcpu.loaded_on */

    /* Private interrupts, bit n is INTID n. Atomic: any CPU may change them. */
    uint32_t pending;      /* latched: SGIs, edges, written by the guest */
    uint32_t set_active;   /* wishes of GICR_ISACTIVER0 / ICACTIVER0 not yet applied */
    uint32_t clear_active;
    uint32_t clear_pending;
    uint32_t dirty;        /* not 0: vgic_sync() must look at everything */

    /* [gic->lock] set by register writes, read by all. */
    uint32_t enabled, group, edge;
    uint32_t open;         /* enabled, and so is the group at the distributor */
    uint8_t prio[32];
    bool asleep;           /* GICR_WAKER.ProcessorSleep */

    /* The owner's: the CPU that has it loaded; anyone under gic->lock if none has. */
    uint32_t line;         /* level of PPIs that are emulated */
    uint32_t active;       /* active when list registers were last written back */
    uint32_t in_lr;        /* in a list register, or was when last looked at */
    uint32_t lr_pending;   /* of those: put there pending, as last seen */
    uint32_t lr_latch;     /* of those: level-triggered, put there pending by a write */
    uint32_t hcr;          /* ICH_HCR_EL2 for it, 0: only EN */
    uint16_t used;         /* list registers that may hold something */
    uint16_t spi_lrs;      /* those of them that hold SPIs */
    uint32_t published;    /* counts how often list registers were written back */
    uint8_t lr_of[32];     /* of private INTIDs in in_lr */

    /* SPIs that may need a list register of this vCPU. Bits set under gic->lock. */
    uint64_t spi[VGIC_SPI_WORDS];
    uint32_t spi_words;    /* atomic: words of spi[] that are not 0 */

    /* A register read that waits for another vCPU's list registers (vgic_mmio.c). */
    bool retry;
    uint16_t wait_vcpu;
    uint32_t wait_published;
    uint64_t wait_addr;

    /* Hardware state while not loaded. */
    uint64_t vmcr;
    uint64_t ap0r[4], ap1r[4];
};

#define VGIC_NO_VCPU 0xff

/* A shared interrupt; all of it [gic->lock]. */
struct vgic_spi {
    uint32_t affinity; /* GICD_IROUTER, Aff2..Aff0 */
    uint16_t hwirq;    /* host interrupt tied to it, 0: none */
    uint8_t prio;
    uint8_t target;    /* vCPU that affinity names, VGIC_NO_VCPU: none */
    uint8_t owner;     /* vCPU that has it in a list register or active */
    bool enabled : 1;
    bool group1 : 1;
    bool edge : 1;
    bool latch : 1;    /* pending by an edge, a write, or the host's interrupt */
    bool line : 1;     /* level, if not tied to a host interrupt */
    bool active : 1;   /* active when list registers were last written back */
    bool in_lr : 1;    /* in a list register of owner */
    bool lr_pending : 1; /* put there pending, as last seen */
    bool lr_latch : 1;   /* and that because of latch, which went along */
    bool unlatch : 1;    /* while in_lr: its pending (active) state is to go when folded */
    bool deactivate : 1;
};

struct vgic {
    struct spinlock lock; /* LOCK_RANK_VINTC */
    uint16_t nr_cpus;
    uint16_t nr_spis;
    uint8_t nr_lrs;
    uint8_t nr_apr;        /* active priority registers of each group */
    uint8_t prio_mask;     /* implemented bits of a priority */
    uint8_t ppi_hw;        /* the PPI that is tied to the host's (virtual timer) */
    uint8_t ppi_event;     /* the PPI that tells of events: an edge, however it is configured */
    uint32_t ctlr;         /* GICD_CTLR.EnableGrp0, EnableGrp1 */
    struct vgic_cpu **cpu;
    struct vgic_spi *spis;
};

#endif
