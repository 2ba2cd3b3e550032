/* SPDX-License-Identifier: MIT */
/*
 * What is arm64's own of the bench guest, beside ../guest/common.h: markers, register access, the
 * machine found in the device tree, and what each file offers.
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include "../guest/common.h"

/* No symbol is reached through a table of addresses: the image is not relocated. */
#pragma GCC visibility push(hidden)

/* A marker for the plugin: see ../plugin/count.c. */
#define MARK(payload) __asm__ volatile(".inst %c0" ::"i"(0xd280001f | ((payload) << 5)) : "memory")

/* ---- registers ---- */

#define STRINGIFY(x) #x
#define SYSREG_READ(reg) \
    ({ \
        uint64_t value_; \
        __asm__ volatile("mrs %0, " STRINGIFY(reg) : "=r"(value_)::"memory"); \
        value_; \
    })
#define SYSREG_WRITE(reg, value) \
    __asm__ volatile("msr " STRINGIFY(reg) ", %0" ::"r"((uint64_t)(value)) : "memory")

static inline void isb(void) { __asm__ volatile("isb" ::: "memory"); }

static inline void wfi(void) { __asm__ volatile("dsb sy\n\twfi" ::: "memory"); }

static inline void irq_mask(void) { __asm__ volatile("msr daifset, #2" ::: "memory"); }

static inline void irq_unmask(void) { __asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory"); }

/* One plain access each: a trap then carries a valid syndrome. */
static inline uint32_t mmio_read32(uint64_t address)
{
    uint32_t value;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline uint64_t mmio_read64(uint64_t address)
{
    uint64_t value;

    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

/* ---- the machine: machine.c ---- */

#define MAX_CPUS 8

struct machine {
    bool is_xen; /* a node compatible with "xen,xen" */
    uint64_t uart; /* PL011, 0 for none */
    uint64_t gicd; /* GICv3 distributor */
    uint64_t gicr; /* its redistributors */
    uint32_t vtimer; /* INTID of the virtual timer */
    uint32_t event; /* INTID of the event interrupt, 0 for none */
    unsigned int nr_cpus;
    uint64_t mpidr[MAX_CPUS];
};

extern struct machine machine;

/* ---- interrupts, timer, faults: irq.c ---- */

enum { SGI_SELF = 1, IRQ_IPI = 2 }; /* SGIs */
#define IRQ_TIMER machine.vtimer

void sgi_send(uint64_t mpidr, unsigned int intid);
uint64_t gicr_of_this_cpu(void);

/* While set, an undefined instruction is counted and stepped over. */
extern volatile bool undefined_expected;
extern volatile unsigned int undefineds;

/* ---- calls out of the guest: start.S ---- */

long smccc(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3);
void fp_load(const void *values);
void fp_store(void *values);
void secondary_entry(void);

enum psci {
    PSCI_VERSION = 0x84000000,
    PSCI_CPU_OFF = 0x84000002,
    PSCI_CPU_ON = 0xc4000003,
    PSCI_AFFINITY_INFO = 0xc4000004,
    PSCI_SYSTEM_OFF = 0x84000008,
};

/* ---- runs ---- */

#define ROW_CPU_START ROW_CPU_ON
#define UNMAPPED_ADDRESS 0x0e800000ul

void run_dedicated(void);

/* Called from start.S. */
void map_build(const uint8_t *fdt);
uint64_t sync_handle(uint64_t esr, uint64_t elr, uint64_t far);
void irq_handle(void);
void exception_fatal(uint64_t esr, uint64_t elr, uint64_t far) __attribute__((noreturn));

extern uint64_t map_root[512];

#pragma GCC visibility pop

#endif
