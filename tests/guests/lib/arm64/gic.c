/* SPDX-License-Identifier: MIT */
/*
 * gic.c: the GICv3 as a guest drives it (Arm IHI 0069, chapter 12).
 */

#include "guest.h"

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define IGROUPR 0x0080
#define ISENABLER 0x0100
#define ICENABLER 0x0180
#define ISPENDR 0x0200
#define ICPENDR 0x0280
#define ISACTIVER 0x0300
#define ICACTIVER 0x0380
#define IPRIORITYR 0x0400
#define ICFGR 0x0c00
#define INMIR 0x0f80
#define IROUTER 0x6000
#define GICR_WAKER 0x0014
#define GICR_TYPER 0x0008
#define GICR_STRIDE 0x20000
#define GICR_SGI 0x10000

u64 gic_redist(void)
{
    u64 mpidr = read_sysreg(mpidr_el1);
    u32 affinity = (u32)(mpidr & 0xffffff) | (u32)(mpidr >> 32 & 0xff) << 24;

    for (u64 frame = machine.arch.gicr;; frame += GICR_STRIDE) {
        if (read32(frame + GICR_TYPER + 4) == affinity) {
            return frame;
        }
        if (read32(frame + GICR_TYPER) & 1u << 4) { /* Last */
            return machine.arch.gicr;
        }
    }
}

/* The frame whose registers hold intid, for this CPU. */
static u64 frame_of(u32 intid) { return intid < 32 ? gic_redist() + GICR_SGI : machine.arch.gicd; }

static void set_bit(u32 reg, u32 intid)
{
    write32(frame_of(intid) + reg + intid / 32 * 4, 1u << intid % 32);
}

static bool get_bit(u32 reg, u32 intid)
{
    return read32(frame_of(intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}

static void wait_rwp(void)
{
    while (read32(machine.arch.gicd + GICD_CTLR) & 1u << 31) {
    }
}

u32 gic_nr_irqs(void)
{
    u32 nr = 32 * ((read32(machine.arch.gicd + GICD_TYPER) & 0x1f) + 1);

    return nr > 1020 ? 1020 : nr;
}

void gic_init(void)
{
    u32 nr = gic_nr_irqs();

    write32(machine.arch.gicd + GICD_CTLR, 0);
    wait_rwp();
    for (u32 i = 32; i < nr; i += 32) {
        write32(machine.arch.gicd + ICENABLER + i / 8, ~0u);
        write32(machine.arch.gicd + ICPENDR + i / 8, ~0u);
        write32(machine.arch.gicd + ICACTIVER + i / 8, ~0u);
        write32(machine.arch.gicd + IGROUPR + i / 8, ~0u);
        write32(machine.arch.gicd + INMIR + i / 8, 0); /* no-ops where there are no NMIs */
    }
    for (u32 i = 32; i < nr; i += 4) {
        write32(machine.arch.gicd + IPRIORITYR + i, 0xa0a0a0a0);
    }
    for (u32 i = 32; i < nr; i += 16) {
        write32(machine.arch.gicd + ICFGR + i / 4, 0); /* level-sensitive */
    }
    for (u32 i = 32; i < nr; i++) {
        u64 mpidr = machine.cpu_id[0];
        write32(machine.arch.gicd + IROUTER + 8 * i, (u32)mpidr & 0xffffff);
        write32(machine.arch.gicd + IROUTER + 8 * i + 4, 0);
    }
    wait_rwp();
    write32(machine.arch.gicd + GICD_CTLR, 1u << 4 | 1u << 1); /* ARE_NS, EnableGrp1 */
    wait_rwp();
}

void gic_cpu_init(void)
{
    u64 redist = gic_redist();

    write32(redist + GICR_WAKER, read32(redist + GICR_WAKER) & ~2u);
    while (read32(redist + GICR_WAKER) & 4) {
    }
    redist += GICR_SGI;
    write32(redist + ICENABLER, ~0u);
    write32(redist + ICPENDR, ~0u);
    write32(redist + ICACTIVER, ~0u);
    write32(redist + IGROUPR, ~0u);
    write32(redist + INMIR, 0);
    write32(redist + ICFGR + 4, 0); /* level-sensitive, as the timer is */
    for (u32 i = 0; i < 32; i += 4) {
        write32(redist + IPRIORITYR + i, 0xa0a0a0a0);
    }
    write_sysreg(s3_0_c12_c12_5, 7); /* ICC_SRE_EL1 */
    write_sysreg(s3_0_c12_c12_4, 0); /* ICC_CTLR_EL1: EOImode 0 */
    write_sysreg(s3_0_c4_c6_0, 0xf0); /* ICC_PMR_EL1 */
    write_sysreg(s3_0_c12_c12_3, 0); /* ICC_BPR1_EL1 */
    write_sysreg(s3_0_c12_c12_7, 1); /* ICC_IGRPEN1_EL1 */
}

void gic_enable(u32 intid) { set_bit(ISENABLER, intid); }

void gic_disable(u32 intid) { set_bit(ICENABLER, intid); }

void gic_pend(u32 intid) { set_bit(ISPENDR, intid); }

bool gic_is_pending(u32 intid) { return get_bit(ISPENDR, intid); }

bool gic_is_active(u32 intid) { return get_bit(ISACTIVER, intid); }

void gic_clear_active(u32 intid) { set_bit(ICACTIVER, intid); }

void gic_priority(u32 intid, u8 priority)
{
    u64 address = frame_of(intid) + IPRIORITYR + intid;

    __asm__ volatile("strb %w0, [%1]" ::"r"(priority), "r"(address) : "memory");
}

void gic_sgi(u32 index, u32 sgi)
{
    u64 mpidr = machine.cpu_id[index];
    u64 value = 1ul << (mpidr & 0xf) | (mpidr >> 8 & 0xff) << 16 | (mpidr >> 16 & 0xff) << 32 |
                (u64)sgi << 24 | (mpidr >> 4 & 0xf) << 44;

    __asm__ volatile("dsb ishst" ::: "memory");
    write_sysreg(s3_0_c12_c11_5, value); /* ICC_SGI1R_EL1 */
}
