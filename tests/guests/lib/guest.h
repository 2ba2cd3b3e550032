/* SPDX-License-Identifier: MIT */
/*
 * guest.h: the small world of a micro guest.
 *
 * One image per behaviour, bare metal in the mode of a kernel: main() runs on
 * the first CPU with the MMU on (identity map), exceptions caught, and
 * everything about the machine read from the device tree. Results go to the
 * console as "ok N - name" lines and a last "N passed, N failed"; done() then
 * powers off. The same image runs without a hypervisor, which is how a test is
 * tested.
 *
 * What is here is what guests of all architectures share; the rest is in
 * lib/ARCH/arch.h: struct cpu, struct trap, struct arch_machine, TIMER_IRQ, and
 * inline this_cpu(), now(), read32(), write32(), irqs_on(), irqs_off(), wait_for_irq().
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

#include "arch.h"

/* What the device tree says. */
struct machine {
    const void *fdt;
    u64 ram_base, ram_size;
    u64 uart; /* 0: none that this guest knows */
    u32 uart_irq;
    u32 nr_cpus;
    u64 cpu_id[MAX_CPUS]; /* as firmware calls them; the first is the one that booted */
    bool hypervisor; /* a /hypervisor node */
    const char *bootargs;
    struct arch_machine arch;
};

extern struct machine machine;
extern struct cpu cpus[MAX_CPUS];

int main(void);

/* --- results (print.c) --- */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One result line. */
void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The closing line, then power_off(). */
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
void delay_us(u64 us);
u64 ticks_of_us(u64 us);

/* --- device tree (fdt.c) --- */
#define FDT_PROPERTIES 32
/* A node and its properties, handed over at its first child or its end. */
struct fdt_node {
    const char *name;
    u32 nr;
    struct fdt_property {
        const char *name;
        const u8 *data;
        u32 size;
    } property[FDT_PROPERTIES];
};
static inline u32 be32(const void *p)
{
    const u8 *b = p;
    return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}
static inline u64 be64(const void *p) { return (u64)be32(p) << 32 | be32((const u8 *)p + 4); }
/* The property, NULL if there is none or it is shorter than `least`. size may be NULL. */
const void *fdt_property(const struct fdt_node *n, const char *name, u32 least, u32 *size);
bool fdt_is_compatible(const struct fdt_node *n, const char *with);
void fdt_read(const void *fdt);

/* --- by the architecture (lib/ARCH/arch.c) --- */
/* What it wants to know of a node of the device tree. */
void arch_node(const struct fdt_node *n);
/* After the device tree: MMU, console. */
void arch_start(void);
void console_put(char c);

/* TRY(statement): the exception that the statement took. */
#define TRY(statement) \
    ({ \
        trap_expect(); \
        statement; \
        trap_end(); \
    })
/* From here on this CPU expects an exception; the next one is kept and skipped. */
void trap_expect(void);
/* The kept exception; ends the expectation. */
struct trap trap_end(void);
/* Called for each interrupt between acknowledge and end; may be replaced. */
extern void (*volatile irq_hook)(struct cpu *cpu, u32 irq);
/* Wait until this CPU took an interrupt count times, at most us; true if it did. */
bool irq_wait(u32 irq, u32 count, u64 us);
/* Makes words that were written executable. */
void sync_code(void *code, size_t size);

/* Ticks of the counter per second. */
u64 counter_hz(void);
/* This CPU can be woken by its timer, and interrupted once irqs_on(). */
void timer_enable(void);
/* The timer: fires at that count of now(); its interrupt is level until turned off. */
void timer_at(u64 ticks);
void timer_in(u64 us);
void timer_off(void);

/* Start a CPU in fn(arg); 0 or the firmware's error. */
long cpu_start(u32 index, void (*fn)(u64), u64 arg);
/* Start as prepared with this CPU as the one that asks; safe to race on one index. */
long cpu_start_raw(u32 index);
void cpu_prepare(u32 index, void (*fn)(u64), u64 arg);
/* The error says that the CPU is on, or being turned on. */
bool cpu_was_on(long error);
_Noreturn void cpu_stop(void);
bool cpu_is_off(u32 index);
/* The firmware is asked to; returns if it refuses. */
void power_off(void);
void power_reset(void);
/* An end without the firmware: exceptions without end, a loop that nothing interrupts. */
_Noreturn void crash(void);
_Noreturn void spin_masked(void);

/* The word of a device that this guest knows is there. */
bool is_device(u64 address);

#endif
