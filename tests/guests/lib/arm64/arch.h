/* SPDX-License-Identifier: MIT */
/*
 * arch.h: what only arm64's micro guests know, and the arm64 half of guest.h.
 */

#ifndef GUEST_ARCH_H
#define GUEST_ARCH_H

#define LOWEST_RAM 0x40000000ul /* where the board's and Loam's RAM begins */

#define read_sysreg(r) \
    ({ \
        u64 v_; \
        __asm__ volatile("mrs %0, " #r : "=r"(v_)); \
        v_; \
    })
#define write_sysreg(r, v) __asm__ volatile("msr " #r ", %0\n isb" ::"r"((u64)(v)) : "memory")

/* What an expected exception told; taken is false if none came. */
struct trap {
    bool expected;
    bool taken;
    u32 esr;
    u64 far;
    u64 elr;
};

/* Per CPU, in TPIDR_EL1; the first members are fixed by layout.h. */
struct cpu {
    u64 x[31];
    u64 sp, elr;
    u64 spsr, esr;
    u64 far;
    u64 stack, exc_stack;
    u64 saved[14];
    void (*fn)(u64 arg);
    u64 arg;
    u64 resume; /* where an expected exception goes on; 0: after the instruction */
    volatile struct trap trap;
    u32 index;
    volatile u32 irqs[1024]; /* how often each interrupt was taken */
    volatile u32 last_irq;
};

struct arch_machine {
    u64 gicd, gicr;
    bool uart_is_pl011; /* false: the SBSA subset, always on */
    bool psci_smc;
};

static inline struct cpu *this_cpu(void) { return (struct cpu *)read_sysreg(tpidr_el1); }

/* --- exceptions (arch.c) --- */
u64 call_trapped(void *code, const u64 *regs);
/* With the hook's return: do not write EOIR. */
extern volatile bool irq_no_eoi;
static inline u32 trap_class(struct trap t) { return t.esr >> 26; }
#define EC_UNKNOWN 0x00
#define EC_IABT 0x21
#define EC_DABT 0x25
static inline bool trap_is_load(struct trap t) { return trap_class(t) == EC_DABT; }
/* WnR */
static inline bool trap_is_store(struct trap t) { return trap_is_load(t) && (t.esr & 1u << 6); }
static inline u64 trap_address(struct trap t) { return t.far; }

/* --- memory (arch.c) --- */
void mmu_on(void);
void mmu_off(void);

/* --- processors and power (arch.c) --- */
#define PSCI_CPU_SUSPEND 0xc4000001u
#define PSCI_CPU_OFF 0x84000002u
#define PSCI_CPU_ON 0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_SUCCESS 0
#define PSCI_INVALID (-2)
#define PSCI_ALREADY_ON (-4)
#define PSCI_ON_PENDING (-5)
long psci(u32 function, u64 a, u64 b, u64 c);

/* --- time --- */
static inline u64 now(void)
{
    __asm__ volatile("isb");
    return read_sysreg(cntvct_el0);
}
#define TIMER_IRQ 27
static inline void wait_for_irq(void) { __asm__ volatile("wfi"); }

/* --- interrupts (gic.c) --- */
static inline u32 read32(u64 address)
{
    u32 v;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(address) : "memory");
    return v;
}
static inline void write32(u64 address, u32 v)
{
    __asm__ volatile("str %w0, [%1]" ::"r"(v), "r"(address) : "memory");
}
static inline u64 read64(u64 address)
{
    u64 v;
    __asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(address) : "memory");
    return v;
}
/* Everything in its reset state, groups on; each CPU then calls gic_cpu_init(). */
void gic_init(void);
void gic_cpu_init(void);
u64 gic_redist(void);
u32 gic_nr_irqs(void);
void gic_enable(u32 intid);
void gic_disable(u32 intid);
void gic_pend(u32 intid);
bool gic_is_pending(u32 intid);
bool gic_is_active(u32 intid);
void gic_clear_active(u32 intid);
void gic_priority(u32 intid, u8 priority);
/* SGI to one CPU of this guest. */
void gic_sgi(u32 index, u32 sgi);
static inline void irqs_on(void) { __asm__ volatile("msr daifclr, #2\n isb" ::: "memory"); }
static inline void irqs_off(void) { __asm__ volatile("msr daifset, #2\n isb" ::: "memory"); }

/* Of Xen (public header arch-arm.h): a number and its first arguments. */
static inline long hypercall(u64 number, u64 a, u64 b, u64 c)
{
    register u64 x0 __asm__("x0") = a;
    register u64 x1 __asm__("x1") = b;
    register u64 x2 __asm__("x2") = c;
    register u64 x16 __asm__("x16") = number;

    __asm__ volatile("hvc #0xea1" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x16)::"memory");
    return (long)x0;
}

#endif
