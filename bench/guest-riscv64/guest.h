/* SPDX-License-Identifier: MIT */
/*
 * What is riscv64's own of the bench guest, beside ../guest/common.h: markers, register access, the
 * machine found in the device tree, and what each file offers. The guest runs in VS mode without
 * translation of its own (satp 0).
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include "../guest/common.h"

#pragma GCC visibility push(hidden)

/* A marker for the plugin: `slti x0, x<upper 4 bits>, lower 12 bits`, ../plugin/target_riscv64.c.
 */
#define MARK_WORD(payload) (0x2013 | ((payload) >> 12) << 15 | ((payload)&0xfff) << 20)
#define MARK(payload) __asm__ volatile(".word %0" ::"i"(MARK_WORD(payload)) : "memory")

/* ---- registers ---- */

#define CSR_READ(csr) \
    ({ \
        uint64_t value_; \
        __asm__ volatile("csrr %0, " #csr : "=r"(value_)::"memory"); \
        value_; \
    })
#define CSR_WRITE(csr, value) \
    __asm__ volatile("csrw " #csr ", %0" ::"r"((uint64_t)(value)) : "memory")
#define CSR_SET(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define CSR_CLEAR(csr, bits) \
    __asm__ volatile("csrc " #csr ", %0" ::"r"((uint64_t)(bits)) : "memory")

enum { SSTATUS_SIE = 1 << 1, SSTATUS_FS_INITIAL = 1 << 13 };
/* Interrupts by cause, and their bits in sie and sip: Priv. spec 12.1.3. */
enum { IRQ_IPI = 1, IRQ_TIMER = 5, NR_IRQS = 16 };

static inline void wfi(void) { __asm__ volatile("wfi" ::: "memory"); }

static inline void irq_mask(void) { CSR_CLEAR(sstatus, SSTATUS_SIE); }

static inline void irq_unmask(void) { CSR_SET(sstatus, SSTATUS_SIE); }

static inline uint32_t mmio_read32(uint64_t address)
{
    uint32_t value;

    __asm__ volatile("lw %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("sw %0, 0(%1)" ::"r"(value), "r"(address) : "memory");
}

/* ---- the machine: machine.c ---- */

#define MAX_CPUS 8

struct machine {
    bool is_xen; /* a node compatible with "xen,xen" */
    uint64_t uart; /* ns16550, 0 for none */
    uint64_t plic; /* 0 for none */
    uint64_t aplic; /* 0 for none */
    uint32_t frequency; /* of the time CSR */
    unsigned int nr_cpus; /* their numbers are 0 .. nr_cpus - 1 */
};

extern struct machine machine;

/* ---- calls out of the guest: start.S ---- */

struct sbi_ret {
    long error;
    long value;
};

/* hypercall() has Xen's convention as hv/arch/riscv64/hvcall.h has it. */
struct sbi_ret sbi(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2);
/* f0 to f31, 256 bytes. */
void fp_load(const void *values);
void fp_store(void *values);
void secondary_entry(void);

/* RISC-V SBI 2.0 */
enum sbi_extension {
    SBI_BASE = 0x10,
    SBI_DBCN = 0x4442434e,
    SBI_HSM = 0x48534d,
    SBI_IPI = 0x735049,
    SBI_SRST = 0x53525354,
};
enum sbi_function {
    SBI_BASE_SPEC_VERSION = 0,
    SBI_DBCN_WRITE = 0,
    SBI_HSM_START = 0,
    SBI_HSM_STOP = 1,
    SBI_HSM_STATUS = 2,
    SBI_IPI_SEND = 0,
    SBI_SRST_RESET = 0,
};
#define SBI_ERR_NOT_SUPPORTED (-2)

/* ---- runs ---- */

#define ROW_CPU_START ROW_HART_START
#define UNMAPPED_ADDRESS 0x20000000ul

/* Called from start.S. */
uint64_t trap_handle(uint64_t cause, uint64_t epc, uint64_t tval);

#pragma GCC visibility pop

#endif
