/* SPDX-License-Identifier: MIT */
/*
 * Access to system registers by name, and the encodings of those that
 * the assembler (armv8-a baseline) does not name (Arm DDI 0487 D24, Arm IHI 0069 12).
 */
#ifndef ARM64_SYSREG_H
#define ARM64_SYSREG_H

#include <loam/types.h>

#define sysreg_read(reg)                                                                           \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " #reg : "=r"(value_));                                          \
        value_;                                                                                    \
    })
#define sysreg_write(reg, value)                                                                   \
    __asm__ volatile("msr " #reg ", %x0" ::"rZ"((uint64_t)(value)) : "memory")
/* The same with a register that is a macro. */
#define sysreg_read_s(reg) sysreg_read(reg)
#define sysreg_write_s(reg, value) sysreg_write(reg, value)

#define isb() __asm__ volatile("isb" ::: "memory")
#define dsb(domain) __asm__ volatile("dsb " #domain ::: "memory")
#define dmb(domain) __asm__ volatile("dmb " #domain ::: "memory")

/* GICv3 CPU interface, physical (used at EL2) and hypervisor control. */
#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_DIR_EL1 S3_0_C12_C11_1
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_BPR1_EL1 S3_0_C12_C12_3
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SRE_EL2 S3_4_C12_C9_5
#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_HCR_EL2 S3_4_C12_C11_0
#define ICH_VTR_EL2 S3_4_C12_C11_1
#define ICH_MISR_EL2 S3_4_C12_C11_2
#define ICH_EISR_EL2 S3_4_C12_C11_3
#define ICH_ELRSR_EL2 S3_4_C12_C11_5
#define ICH_VMCR_EL2 S3_4_C12_C11_7

/* Exception classes of ESR_ELx.EC (Arm DDI 0487 D24.2.40). */
enum esr_ec {
    EC_UNKNOWN = 0x00,
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_PAUTH = 0x09,
    EC_BTI = 0x0d,
    EC_ILLEGAL = 0x0e,
    EC_HVC64 = 0x16,
    EC_SMC64 = 0x17,
    EC_SYSREG = 0x18,
    EC_SVE = 0x19,
    EC_FPAC = 0x1c,
    EC_SME = 0x1d,
    EC_IABT_LOWER = 0x20,
    EC_IABT_CURRENT = 0x21,
    EC_PC_ALIGN = 0x22,
    EC_DABT_LOWER = 0x24,
    EC_DABT_CURRENT = 0x25,
    EC_SP_ALIGN = 0x26,
    EC_SERROR = 0x2f,
    EC_BRK = 0x3c,
};
#define ESR_EC(esr) ((uint32_t)((esr) >> 26) & 0x3f)
#define ESR_IL BIT(25)
#define ESR_ISS(esr) ((uint32_t)(esr) & 0x1ffffff)

/* HCR_EL2 (Arm DDI 0487 D24.2.49). */
#define HCR_VM BIT(0)
#define HCR_SWIO BIT(1)
#define HCR_PTW BIT(2)
#define HCR_FMO BIT(3)
#define HCR_IMO BIT(4)
#define HCR_AMO BIT(5)
#define HCR_VF BIT(6)
#define HCR_VI BIT(7)
#define HCR_VSE BIT(8)
#define HCR_FB BIT(9)
#define HCR_BSU_INNER BIT(10)
#define HCR_DC BIT(12)
#define HCR_TWI BIT(13)
#define HCR_TWE BIT(14)
#define HCR_TID0 BIT(15)
#define HCR_TID1 BIT(16)
#define HCR_TID2 BIT(17)
#define HCR_TID3 BIT(18)
#define HCR_TSC BIT(19)
#define HCR_TIDCP BIT(20)
#define HCR_TACR BIT(21)
#define HCR_TSW BIT(22)
#define HCR_TVM BIT(26)
#define HCR_TGE BIT(27)
#define HCR_HCD BIT(29)
#define HCR_RW BIT(31)
#define HCR_E2H BIT(34)
#define HCR_TERR BIT(36)
#define HCR_TEA BIT(37)
#define HCR_APK BIT(40)
#define HCR_API BIT(41)
#define HCR_FWB BIT(46)

#endif
