/* SPDX-License-Identifier: MIT */
/*
 * arch.h: what only riscv64's micro guests know, and the riscv64 half of guest.h.
 */

#ifndef GUEST_ARCH_H
#define GUEST_ARCH_H

#define LOWEST_RAM 0x80000000ul /* where the board's and Loam's RAM begins */

#define csr_read(r) \
    ({ \
        u64 v_; \
        __asm__ volatile("csrr %0, " #r : "=r"(v_)::"memory"); \
        v_; \
    })
#define csr_write(r, v) __asm__ volatile("csrw " #r ", %0" ::"r"((u64)(v)) : "memory")
#define csr_set(r, v) __asm__ volatile("csrs " #r ", %0" ::"r"((u64)(v)) : "memory")
#define csr_clear(r, v) __asm__ volatile("csrc " #r ", %0" ::"r"((u64)(v)) : "memory")

#define SSTATUS_SIE (1ul << 1)
#define SSTATUS_SPIE (1ul << 5)
#define SSTATUS_SPP (1ul << 8)
#define SSTATUS_FS (3ul << 13)
#define SSTATUS_SUM (1ul << 18)
#define SSTATUS_MXR (1ul << 19)

/* Interrupts, by number: bits of sie and sip, and of scause with its top bit set. */
#define SOFT_IRQ 1
#define TIMER_IRQ 5
#define EXTERNAL_IRQ 9

#define CAUSE_IRQ (1ul << 63)
#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15

/* What an expected exception told; taken is false if none came. */
struct trap {
    bool expected;
    bool taken;
    u64 cause, value, pc;
};

/* Per hart, in sscratch; the first members are fixed by layout.h. */
struct cpu {
    u64 x[32];
    u64 pc, status;
    u64 cause, value;
    u64 stack, exc_stack;
    u64 saved[16];
    void (*fn)(u64 arg);
    u64 arg;
    u64 resume; /* where any trap goes on, interrupts too; 0: exceptions only, behind the
                   instruction */
    volatile struct trap trap;
    u32 index;
    volatile u32 irqs[16]; /* how often each interrupt was taken */
    volatile u32 last_irq;
};

struct arch_machine {
    u64 hz;
    bool sstc;
    u64 plic, plic_size;
    u32 plic_sources;
    const u8 *plic_wires; /* interrupts-extended: whose interrupt each context is */
    u32 plic_wires_size;
    u64 aplic, aplic_size;
    u64 imsic, imsic_size;
    u32 intc_phandle[8]; /* of each CPU's own interrupt controller */
};

static inline struct cpu *this_cpu(void) { return (struct cpu *)csr_read(sscratch); }

/* --- exceptions (arch.c) --- */
static inline bool trap_is_load(struct trap t) { return t.cause == CAUSE_LOAD_ACCESS; }
static inline bool trap_is_store(struct trap t) { return t.cause == CAUSE_STORE_ACCESS; }
static inline u64 trap_address(struct trap t) { return t.value; }
enum run { RUN_KERNEL, RUN_USER, RUN_KERNEL_IRQS };
/*
 * Executes code with x1 to x31 from regs until it traps in any way: an ebreak is
 * the good end. The registers are then in this_cpu()->x. In U mode interrupts
 * that sie has are taken, in S mode only if asked for; they, too, are an end.
 */
struct trap run_code(const void *code, const u64 *regs, enum run how);

/* --- memory (arch.c) --- */
void mmu_on(void);
/* Where U mode sees a page of this guest; at most 16 of them. */
#define USER_PAGES 16
u64 user_page(u32 index, void *page);
/*
 * A virtual address of a window of 16 pages, behind whose index stands physical
 * memory; valid: false: there is nothing mapped.
 */
u64 window_page(u32 index, u64 physical, bool valid);
/* A gigabyte of virtual addresses whose translation goes through the table at that address. */
u64 window_table(u64 table);

/* --- firmware (arch.c) --- */
struct sbi {
    long error;
    u64 value;
};
struct sbi sbi_call(u64 extension, u64 function, u64 a, u64 b, u64 c);
#define SBI_BASE 0x10
#define SBI_TIME 0x54494d45
#define SBI_IPI 0x735049
#define SBI_RFENCE 0x52464e43
#define SBI_HSM 0x48534d
#define SBI_SRST 0x53525354
#define SBI_DBCN 0x4442434e
#define SBI_NOT_SUPPORTED (-2)
#define SBI_INVALID_PARAM (-3)
#define SBI_INVALID_ADDRESS (-5)
#define SBI_ALREADY_AVAILABLE (-6)

/* --- time and interrupts --- */
static inline u64 now(void) { return csr_read(time); }
static inline void wait_for_irq(void) { __asm__ volatile("wfi" ::: "memory"); }
static inline void irqs_on(void) { csr_set(sstatus, SSTATUS_SIE); }
static inline void irqs_off(void) { csr_clear(sstatus, SSTATUS_SIE); }
/* To one hart of this guest. */
void ipi(u32 index);
/* The PLIC (plic.c): all sources off, and this hart is to hear of those that are turned on. */
void plic_init(void);
void plic_enable(u32 source, bool on);
/* The context of this hart's S mode. */
u32 plic_context(void);
/* Takes what is pending and ends it; called for each EXTERNAL_IRQ. */
void plic_claim(void);
extern volatile u32 plic_last; /* the source that was claimed last */

static inline u32 read32(u64 address) { return *(volatile u32 *)address; }
static inline void write32(u64 address, u32 v) { *(volatile u32 *)address = v; }
static inline u64 read64(u64 address) { return *(volatile u64 *)address; }

#endif
