/* SPDX-License-Identifier: MIT */
/*
 * Control and status registers by name, and their bits (RISC-V Privileged ISA
 * 1.13: Supervisor, Hypervisor; Sstc; AIA 1.0 ch. 2). The assembler is told of the
 * extensions here; that the machine has one is asked before it is used.
 */
#ifndef RISCV64_CSR_H
#define RISCV64_CSR_H

#define SSTATUS_SIE (1 << 1)
#define SSTATUS_SPIE (1 << 5)
#define SSTATUS_SPP (1 << 8)
#define SSTATUS_VS (3 << 9)
#define SSTATUS_VS_CLEAN (2 << 9)
#define SSTATUS_VS_CHANGED (1 << 9) /* the bit in which Dirty and Clean differ */
#define SSTATUS_FS (3 << 13)
#define SSTATUS_FS_CLEAN (2 << 13)
#define SSTATUS_FS_DIRTY (3 << 13)
#define SSTATUS_FS_CHANGED (1 << 13) /* the bit in which Dirty and Clean differ */
#define SSTATUS_SUM (1 << 18)
#define SSTATUS_UXL_64 (2l << 32)

#define HSTATUS_GVA (1 << 6)
#define HSTATUS_SPV (1 << 7)
#define HSTATUS_SPVP (1 << 8)
#define HSTATUS_VGEIN_SHIFT 12
#define HSTATUS_VGEIN (0x3f << HSTATUS_VGEIN_SHIFT)
#define HSTATUS_VTVM (1 << 20)
#define HSTATUS_VTW (1 << 21)
#define HSTATUS_VTSR (1 << 22)
#define HSTATUS_VSXL_64 (2l << 32)

/* Interrupts: numbers in sie, sip, hie, hip, hideleg. */
#define IRQ_SSI 1
#define IRQ_VSSI 2
#define IRQ_STI 5
#define IRQ_VSTI 6
#define IRQ_SEI 9
#define IRQ_VSEI 10
#define IRQ_SGEI 12

#define SIP_SSIP (1 << IRQ_SSI)
#define SIP_STIP (1 << IRQ_STI)
#define SIP_SEIP (1 << IRQ_SEI)
#define HIP_VSSIP (1 << IRQ_VSSI)
#define HIP_VSTIP (1 << IRQ_VSTI)
#define HIP_VSEIP (1 << IRQ_VSEI)
#define HIP_SGEIP (1 << IRQ_SGEI)

/* Causes of exceptions. */
#define CAUSE_INSN_MISALIGNED 0
#define CAUSE_INSN_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_ECALL_S 9
#define CAUSE_ECALL_VS 10
#define CAUSE_INSN_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define CAUSE_INSN_GUEST_PAGE 20
#define CAUSE_LOAD_GUEST_PAGE 21
#define CAUSE_VIRTUAL_INSN 22
#define CAUSE_STORE_GUEST_PAGE 23
#define CAUSE_INTERRUPT (UINT64_C(1) << 63)

#define SATP_MODE_SHIFT 60
#define SATP_SV39 8 /* Sv48 and Sv57 follow; hgatp: Sv39x4 ... */

#define HGATP_VMID_SHIFT 44
#define HGATP_VMID_MASK UINT64_C(0x3fff)

/* hcounteren, scounteren */
#define COUNTEREN_TM (1 << 1)
#define COUNTEREN_ZICNTR 7 /* cycle, time, instret */

/* Identity 9, a supervisor external interrupt, of the lowest priority (AIA ch. 6.3). */
#define HVICTL_EXTERNAL (UINT64_C(9) << 16 | 255)

#define ENVCFG_FIOM BIT(0)
#define ENVCFG_CBIE_FLUSH (UINT64_C(1) << 4) /* cbo.inval writes back first */
#define ENVCFG_CBCFE BIT(6)
#define ENVCFG_CBZE BIT(7)
#define ENVCFG_ADUE BIT(61)
#define ENVCFG_PBMTE BIT(62)
#define ENVCFG_STCE BIT(63)

/* Custom and late CSRs by number, for assemblers that do not name them. */
#define CSR_STIMECMP 0x14d
#define CSR_VSTIMECMP 0x24d
#define CSR_SISELECT 0x150
#define CSR_SIREG 0x151
#define CSR_STOPEI 0x15c
#define CSR_STOPI 0xdb0
#define CSR_VSISELECT 0x250
#define CSR_VSIREG 0x251
#define CSR_HVICTL 0x609
#define CSR_HGEIE 0x607
#define CSR_HGEIP 0xe12
#define CSR_HSTATEEN0 0x60c
#define CSR_HENVCFG 0x60a
#define CSR_CYCLE 0xc00
#define CSR_INSTRET 0xc02

#ifndef __ASSEMBLY__
#include <loam/bits.h>
#include <loam/types.h>

#define SATP_MODE(mode) ((uint64_t)(mode) << SATP_MODE_SHIFT)
#define ATP_PPN BITS(43, 0)

/* `csr` is a name that the assembler knows, or one of the numbers above. */
#define CSR_TEXT_(csr) #csr
#define CSR_TEXT(csr) CSR_TEXT_(csr)
#define csr_read(csr) \
    ({ \
        uint64_t value_; \
        __asm__ volatile("csrr %0, " CSR_TEXT(csr) : "=r"(value_)::"memory"); \
        value_; \
    })
#define csr_write(csr, value) \
    __asm__ volatile("csrw " CSR_TEXT(csr) ", %0" ::"rK"((uint64_t)(value)) : "memory")
/* Writes the register and returns what it was. */
#define csr_swap(csr, value) \
    ({ \
        uint64_t old_; \
        __asm__ volatile("csrrw %0, " CSR_TEXT(csr) ", %1" \
                         : "=r"(old_) \
                         : "r"((uint64_t)(value)) \
                         : "memory"); \
        old_; \
    })
#define csr_set(csr, bits) \
    __asm__ volatile("csrs " CSR_TEXT(csr) ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(csr, bits) \
    __asm__ volatile("csrc " CSR_TEXT(csr) ", %0" ::"rK"((uint64_t)(bits)) : "memory")

/* Orders all accesses, memory and devices. */
static inline void fence(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }
#endif

#endif
