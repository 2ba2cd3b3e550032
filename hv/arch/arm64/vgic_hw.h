/* SPDX-License-Identifier: MIT */
/*
 * What the virtual GIC asks of the hardware, in one place: the unit test
 * has a model of it instead (tests/unit/arm64_vgic.h).
 */
#ifndef ARM64_VGIC_HW_H
#define ARM64_VGIC_HW_H

#include <loam/types.h>

/* List registers (Arm IHI 0069 12.4.9). */
#define LR_PENDING BIT(62)
#define LR_ACTIVE BIT(63)
#define LR_STATE (LR_PENDING | LR_ACTIVE)
#define LR_HW BIT(61)
#define LR_GROUP1 BIT(60)
#define LR_PRIO_SHIFT 48
#define LR_PINTID_SHIFT 32
#define LR_EOI BIT(41) /* maintenance interrupt at the end, if not LR_HW */

/* ICH_HCR_EL2. */
#define ICH_HCR_EN BIT(0)
#define ICH_HCR_LRENPIE BIT(2)
#define ICH_HCR_NPIE BIT(3)
#define ICH_HCR_TDIR BIT(14)
#define ICH_HCR_EOICOUNT(hcr) ((uint32_t)((hcr) >> 27) & 0x1f)

/* ICH_VMCR_EL2. */
#define ICH_VMCR_GRP0 BIT(0)
#define ICH_VMCR_GRP1 BIT(1)
#define ICH_VMCR_PMR(vmcr) ((uint32_t)((vmcr) >> 24) & 0xff)

#if __STDC_HOSTED__

uint64_t ich_lr_read(uint32_t n);
void ich_lr_write(uint32_t n, uint64_t value);
uint16_t ich_elrsr_read(void); /* list registers that are empty */
uint64_t ich_hcr_read(void);
void ich_hcr_write(uint64_t value);
uint64_t ich_vmcr_read(void);
void ich_vmcr_write(uint64_t value);
uint64_t ich_apr_read(uint32_t group, uint32_t n);
void ich_apr_write(uint32_t group, uint32_t n, uint64_t value);
/* Active state of a private interrupt at the host, on this CPU / of any interrupt. */
void host_irq_set_active(uint32_t intid);
void host_irq_deactivate(uint32_t intid);
/* Does the virtual timer assert its interrupt now? */
bool host_vtimer_asserted(void);

#else

#include <loam/pcpu.h>

#include "sysreg.h"

#define LR_REGS(op)                                                                                \
    op(0, S3_4_C12_C12_0) op(1, S3_4_C12_C12_1) op(2, S3_4_C12_C12_2) op(3, S3_4_C12_C12_3)        \
    op(4, S3_4_C12_C12_4) op(5, S3_4_C12_C12_5) op(6, S3_4_C12_C12_6) op(7, S3_4_C12_C12_7)        \
    op(8, S3_4_C12_C13_0) op(9, S3_4_C12_C13_1) op(10, S3_4_C12_C13_2) op(11, S3_4_C12_C13_3)      \
    op(12, S3_4_C12_C13_4) op(13, S3_4_C12_C13_5) op(14, S3_4_C12_C13_6) op(15, S3_4_C12_C13_7)

/* The number is rarely a constant: a jump table of one instruction each. */
static inline uint64_t ich_lr_read(uint32_t n)
{
    switch (n) {
#define LR_CASE(i, reg)                                                                            \
    case i:                                                                                        \
        return sysreg_read(reg);
        LR_REGS(LR_CASE)
#undef LR_CASE
    }
    return 0;
}

static inline void ich_lr_write(uint32_t n, uint64_t value)
{
    switch (n) {
#define LR_CASE(i, reg)                                                                            \
    case i:                                                                                        \
        sysreg_write(reg, value);                                                                  \
        break;
        LR_REGS(LR_CASE)
#undef LR_CASE
    }
}

static inline uint16_t ich_elrsr_read(void) { return (uint16_t)sysreg_read_s(ICH_ELRSR_EL2); }
static inline uint64_t ich_hcr_read(void) { return sysreg_read_s(ICH_HCR_EL2); }
static inline void ich_hcr_write(uint64_t value) { sysreg_write_s(ICH_HCR_EL2, value); }
static inline uint64_t ich_vmcr_read(void) { return sysreg_read_s(ICH_VMCR_EL2); }
static inline void ich_vmcr_write(uint64_t value) { sysreg_write_s(ICH_VMCR_EL2, value); }

static inline uint64_t ich_apr_read(uint32_t group, uint32_t n)
{
    switch (group * 4 + n) {
    case 0: return sysreg_read(S3_4_C12_C8_0);
    case 1: return sysreg_read(S3_4_C12_C8_1);
    case 2: return sysreg_read(S3_4_C12_C8_2);
    case 3: return sysreg_read(S3_4_C12_C8_3);
    case 4: return sysreg_read(S3_4_C12_C9_0);
    case 5: return sysreg_read(S3_4_C12_C9_1);
    case 6: return sysreg_read(S3_4_C12_C9_2);
    default: return sysreg_read(S3_4_C12_C9_3);
    }
}

static inline void ich_apr_write(uint32_t group, uint32_t n, uint64_t value)
{
    switch (group * 4 + n) {
    case 0: sysreg_write(S3_4_C12_C8_0, value); break;
    case 1: sysreg_write(S3_4_C12_C8_1, value); break;
    case 2: sysreg_write(S3_4_C12_C8_2, value); break;
    case 3: sysreg_write(S3_4_C12_C8_3, value); break;
    case 4: sysreg_write(S3_4_C12_C9_0, value); break;
    case 5: sysreg_write(S3_4_C12_C9_1, value); break;
    case 6: sysreg_write(S3_4_C12_C9_2, value); break;
    default: sysreg_write(S3_4_C12_C9_3, value); break;
    }
}

/* GICR_ISACTIVER0 of this CPU; pcpu.arch.gicr is its RD_base frame (Arm IHI 0069 12.11). */
static inline void host_irq_set_active(uint32_t intid)
{
    uintptr_t reg = this_pcpu()->arch.gicr + 0x10300;

    __asm__ volatile("str %w0, [%1]" ::"r"(1u << intid), "r"(reg) : "memory");
    dsb(sy); /* active before the timer is started */
}

static inline void host_irq_deactivate(uint32_t intid)
{
    sysreg_write_s(ICC_DIR_EL1, intid);
}

static inline bool host_vtimer_asserted(void)
{
    /* CNTV_CTL_EL0: ISTATUS and ENABLE set, IMASK clear. */
    return (sysreg_read(cntv_ctl_el0) & 7) == 5;
}

#endif
#endif
