/* SPDX-License-Identifier: MIT */
/* Registers of the distributor and the redistributors (Arm IHI 0069 12.8 - 12.11). */
#ifndef ARM64_GICV3_H
#define ARM64_GICV3_H

#include <loam/types.h>

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define GICD_IGROUPR 0x0080
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_ICPENDR 0x0280
#define GICD_ICACTIVER 0x0380
#define GICD_IPRIORITYR 0x0400
#define GICD_ICFGR 0x0c00
#define GICD_IROUTER 0x6000
#define GICD_PIDR2 0xffe8

/* GICD_CTLR seen non-secure or with one security state: the same bits for what we use. */
#define GICD_CTLR_GROUP1 BIT(1)
#define GICD_CTLR_ARE BIT(4)
#define GICD_CTLR_RWP BIT(31)

#define GICR_CTLR 0x0000
#define GICR_TYPER 0x0008
#define GICR_WAKER 0x0014
#define GICR_SGI_BASE 0x10000 /* IGROUPR0 ... at the distributor's offsets */

#define GICR_TYPER_VLPIS BIT(1)
#define GICR_TYPER_LAST BIT(4)
#define GICR_WAKER_SLEEP BIT(1)
#define GICR_WAKER_ASLEEP BIT(2)
#define GICR_CTLR_RWP BIT(3)

#define GICR_STRIDE 0x20000
#define GICR_STRIDE_VLPI 0x40000

#define GIC_SPI_FIRST 32
#define GIC_SPECIAL 1020 /* and above: no interrupt */
#define GIC_PRIORITY 0xa0

/* Our SGI: leave the guest and look at pcpu.work. */
#define SGI_KICK 0

static inline uint32_t reg_read32(uintptr_t a)
{
    uint32_t v;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(a) : "memory");
    return v;
}

static inline uint64_t reg_read64(uintptr_t a)
{
    uint64_t v;

    __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(a) : "memory");
    return v;
}

static inline void reg_write32(uintptr_t a, uint32_t v)
{
    __asm__ volatile("str %w0, [%1]" ::"rZ"(v), "r"(a) : "memory");
}

static inline void reg_write64(uintptr_t a, uint64_t v)
{
    __asm__ volatile("str %0, [%1]" ::"rZ"(v), "r"(a) : "memory");
}

/* Waits until writes to a distributor (redistributor) have taken effect. */
void gicd_sync(uintptr_t gicd);
void gicr_sync(uintptr_t gicr);

#endif
