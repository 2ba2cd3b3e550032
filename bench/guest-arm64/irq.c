/* SPDX-License-Identifier: MIT */
/*
 * Interrupts (GICv3, Arm IHI 0069), the virtual timer and faults of the bench guest.
 *
 * Every interrupt taken is counted per CPU and INTID, so that a run can check that what it measured
 * happened exactly once. An interrupt's first instruction is the marker in start.S.
 */
#include "xen.h"

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SGI1R_EL1 S3_0_C12_C11_5

enum {
    GICD_CTLR = 0x0,
    GICD_CTLR_ENABLE_G1_ARE = 0x12,
    GICR_TYPER = 0x8,
    GICR_WAKER = 0x14,
    GICR_WAKER_SLEEP = 1 << 1,
    GICR_SGI_FRAME = 0x10000,
    GICR_STRIDE = 0x20000,
    GICR_IGROUPR0 = GICR_SGI_FRAME + 0x80,
    GICR_ISENABLER0 = GICR_SGI_FRAME + 0x100,
    GICR_IPRIORITYR = GICR_SGI_FRAME + 0x400,
    NR_PRIVATE_INTIDS = 32,
};
enum { ESR_EC_SHIFT = 26, EC_UNKNOWN = 0x00, EC_PAUTH_TRAP = 0x09, EC_DATA_ABORT_EL1 = 0x25 };
#define GICR_TYPER_LAST (1ull << 4)

volatile uint64_t fault_expected;
volatile unsigned int faults;
volatile bool undefined_expected;
volatile unsigned int undefineds;

static volatile unsigned int counts[MAX_CPUS][NR_PRIVATE_INTIDS];

static uint64_t affinity(uint64_t mpidr) { return (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff); }

static unsigned int this_cpu(void)
{
    uint64_t self = affinity(SYSREG_READ(mpidr_el1));

    for (unsigned int i = 0; i < machine.nr_cpus; i++) {
        if (affinity(machine.mpidr[i]) == self) {
            return i;
        }
    }
    return 0;
}

unsigned int irq_count(unsigned int cpu, unsigned int intid) { return counts[cpu][intid]; }

uint64_t gicr_of_this_cpu(void)
{
    uint64_t self = affinity(SYSREG_READ(mpidr_el1));

    for (uint64_t frame = machine.gicr;; frame += GICR_STRIDE) {
        uint64_t typer = mmio_read64(frame + GICR_TYPER);
        if (typer >> 32 == self) {
            return frame;
        }
        if ((typer & GICR_TYPER_LAST) != 0) {
            fail("no redistributor for this CPU", typer >> 32, self);
            return machine.gicr;
        }
    }
}

void irq_init_cpu(void)
{
    uint64_t frame = gicr_of_this_cpu();

    mmio_write32(machine.gicd + GICD_CTLR, GICD_CTLR_ENABLE_G1_ARE);
    mmio_write32(frame + GICR_WAKER, mmio_read32(frame + GICR_WAKER) & ~(uint32_t)GICR_WAKER_SLEEP);
    mmio_write32(frame + GICR_IGROUPR0, ~0u);
    for (unsigned int i = 0; i < NR_PRIVATE_INTIDS; i += 4) {
        mmio_write32(frame + GICR_IPRIORITYR + i, 0xa0a0a0a0);
    }
    mmio_write32(frame + GICR_ISENABLER0,
                 0xffff | 1u << machine.vtimer | (machine.event != 0 ? 1u << machine.event : 0));
    SYSREG_WRITE(ICC_SRE_EL1, SYSREG_READ(ICC_SRE_EL1) | 1);
    isb();
    SYSREG_WRITE(ICC_PMR_EL1, 0xff);
    SYSREG_WRITE(ICC_CTLR_EL1, 0);
    SYSREG_WRITE(ICC_IGRPEN1_EL1, 1);
    isb();
}

/* ICC_SGI1R_EL1: target list of one affinity-0 group, IHI 0069 12.2.15. */
void sgi_send(uint64_t mpidr, unsigned int intid)
{
    uint64_t aff0 = mpidr & 0xff;
    uint64_t value = (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
                     (mpidr >> 8 & 0xff) << 16 | (aff0 >> 4) << 44 | 1ull << (aff0 & 15) |
                     (uint64_t)intid << 24;

    SYSREG_WRITE(ICC_SGI1R_EL1, value);
    isb();
}

void ipi_send(unsigned int cpu) { sgi_send(machine.mpidr[cpu], IRQ_IPI); }

static uint64_t ticks(unsigned int us) { return us * SYSREG_READ(cntfrq_el0) / 1000000; }

void timer_start_us(unsigned int us)
{
    isb();
    SYSREG_WRITE(cntv_cval_el0, SYSREG_READ(cntvct_el0) + ticks(us));
    SYSREG_WRITE(cntv_ctl_el0, 1);
    isb();
}

void delay_us(unsigned int us)
{
    isb();
    uint64_t end = SYSREG_READ(cntvct_el0) + ticks(us);
    while (SYSREG_READ(cntvct_el0) < end) {
        isb();
    }
}

uint64_t now_us(void)
{
    isb();
    return SYSREG_READ(cntvct_el0) / (SYSREG_READ(cntfrq_el0) / 1000000);
}

void irq_handle(void)
{
    uint64_t iar = SYSREG_READ(ICC_IAR1_EL1);
    unsigned int intid = iar & 0xffffff;

    if (intid == machine.vtimer) {
        SYSREG_WRITE(cntv_ctl_el0, 2); /* off and masked */
        isb();
    }
    if (intid == machine.event && intid != 0) {
        events_take();
    }
    if (intid < NR_PRIVATE_INTIDS) {
        counts[this_cpu()][intid]++;
        SYSREG_WRITE(ICC_EOIR1_EL1, iar);
        isb();
    } else if (intid < 1020) {
        fail("interrupt nobody asked for", intid, machine.vtimer);
        SYSREG_WRITE(ICC_EOIR1_EL1, iar);
    }
}

void exception_fatal(uint64_t esr, uint64_t elr, uint64_t far)
{
    fail("unexpected exception, syndrome", esr, 0);
    fail("  at image offset", elr - (uint64_t)image_start, 0);
    fail("  fault address", far, 0);
    guest_finish();
}

uint64_t sync_handle(uint64_t esr, uint64_t elr, uint64_t far)
{
    uint64_t ec = esr >> ESR_EC_SHIFT;

    if (ec == EC_DATA_ABORT_EL1 && fault_expected != 0 && far == fault_expected) {
        faults++;
        return elr + 4;
    }
    if ((ec == EC_UNKNOWN || ec == EC_PAUTH_TRAP) && undefined_expected) {
        undefineds++;
        return elr + 4;
    }
    exception_fatal(esr, elr, far);
}
