/* SPDX-License-Identifier: MIT */
/*
 * guest.h: the small world of a micro guest.
 *
 * One image per behaviour, bare metal at EL1: main() runs on the first CPU
 * with the MMU on (identity map), exceptions caught, and everything about the
 * machine read from the device tree. Results go to the PL011 as
 * "ok N - name" lines and a last "N passed, N failed"; done() then powers off.
 * The same image runs without a hypervisor, which is how a test is tested.
 */

#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_CPUS 8
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

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

/* What the device tree says. */
struct machine {
    const void *fdt;
    u64 ram_base, ram_size;
    u64 gicd, gicr;
    u64 uart;
    u32 uart_irq;
    bool uart_is_pl011; /* false: the SBSA subset, always on */
    u32 nr_cpus;
    u64 mpidr[MAX_CPUS];
    bool psci_smc;
    bool hypervisor; /* a /hypervisor node */
    const char *bootargs;
};

extern struct machine machine;
extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *this_cpu(void) { return (struct cpu *)read_sysreg(tpidr_el1); }

int main(void);

/* --- results (print.c) --- */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One result line. */
void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The closing line, then PSCI SYSTEM_OFF. */
_Noreturn void done(void);

/* --- settings and chance (runtime.c) --- */
/* The number after "name=" in bootargs, decimal or 0x; otherwise the default. */
u64 option(const char *name, u64 otherwise);
/* True if bootargs have the word. */
bool has_option(const char *name);
/* xorshift64; seeded by the option "seed" or the counter, and printed. */
u64 chance(void);
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int strcmp(const char *a, const char *b);
size_t strlen(const char *s);

/* --- exceptions (runtime.c) --- */
/* From here on this CPU expects an exception; the next one is kept and skipped. */
void trap_expect(void);
/* The kept exception; ends the expectation. */
struct trap trap_end(void);
u64 call_trapped(void *code, const u64 *regs);
/* Called for each interrupt between acknowledge and end; may be replaced. */
extern void (*volatile irq_hook)(struct cpu *cpu, u32 intid);
/* With the hook's return: do not write EOIR. */
extern volatile bool irq_no_eoi;
static inline u32 trap_class(struct trap t) { return t.esr >> 26; }
#define EC_UNKNOWN 0x00
#define EC_IABT 0x21
#define EC_DABT 0x25

/* TRY(statement): the exception that the statement took. */
#define TRY(statement) \
    ({ \
        trap_expect(); \
        statement; \
        trap_end(); \
    })

/* --- memory (runtime.c) --- */
void mmu_on(void);
void mmu_off(void);
void sync_code(void *code, size_t size);

/* --- processors and power (runtime.c) --- */
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
/* Start a CPU in fn(arg); the PSCI result. */
long cpu_start(u32 index, void (*fn)(u64), u64 arg);
/* Start as above with this CPU as the one that asks; safe to race on one index. */
long cpu_start_raw(u32 index);
void cpu_prepare(u32 index, void (*fn)(u64), u64 arg);
_Noreturn void cpu_stop(void);
bool cpu_is_off(u32 index);

/* --- time (runtime.c) --- */
static inline u64 now(void)
{
    __asm__ volatile("isb");
    return read_sysreg(cntvct_el0);
}
u64 ticks_of_us(u64 us);
void delay_us(u64 us);
#define TIMER_IRQ 27
/* The virtual timer: fires at now + us; its interrupt is level until turned off. */
void timer_in(u64 us);
void timer_off(void);

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
/* Wait until this CPU took intid count times, at most us; true if it did. */
bool irq_wait(u32 intid, u32 count, u64 us);

#endif
