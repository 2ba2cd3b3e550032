/* SPDX-License-Identifier: MIT */
/*
 * What the bench guests of all architectures share: markers, boot arguments, output and verdict.
 * The architecture's guest.h defines MARK(payload) and includes this.
 *
 * The guest may have globals: it is a test program of one domain, not part of the hypervisor. All
 * of them are in bss, because the image is not relocated.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rows.h"

/* No symbol is reached through a table of addresses: the image is not relocated. */
#pragma GCC visibility push(hidden)

#define INTERVAL_BEGIN(row) MARK(0x1000 | (row))
#define INTERVAL_END(row) MARK(0x2000 | (row))
#define ASYNC_BEGIN(row) MARK(0x6000 | (row))
#define MARK_REPORT() MARK(0x3000)
#define MARK_ABANDON() MARK(0x7000)

/* Runs `op` cfg.iterations times, each between two markers, and then `check`. */
#define MEASURE(row, op, check) \
    do { \
        for (unsigned int i_ = 0; i_ < cfg.iterations; i_++) { \
            INTERVAL_BEGIN(row); \
            op; \
            INTERVAL_END(row); \
            check; \
        } \
    } while (0)

/* A loop that looks for something as often has waited too long. */
#define SPIN_MAX 50000000

/* Waits for the timer as an idle loop does, WAKE_US each. */
#define WAKE_US 500
#define MEASURE_WAKE(row) \
    do { \
        for (unsigned int i_ = 0; i_ < cfg.iterations; i_++) { \
            unsigned int old_ = irq_count(0, IRQ_TIMER); \
            timer_start_us(WAKE_US); \
            ASYNC_BEGIN(row); \
            idle_until_timer(old_); \
        } \
    } while (0)

/* ---- what to do: fdt.c ---- */

struct config {
    char run[16]; /* bootargs run=NAME */
    char seed; /* bootargs seed=X: tells two guests of one run apart */
    unsigned int iterations; /* bootargs n=NUM */
};

extern struct config cfg;

bool string_equal(const char *a, const char *b);

/* Fills `cfg` from the device tree, and calls machine_node(); false when it is not one. */
bool fdt_scan(const uint8_t *fdt);

/* ---- output and verdict: text.c ---- */

void print_string(const char *s);
void print_number(uint64_t n);
void print_hex(uint64_t n);
void print_flush(void);

/* One line "bench: FAIL what: got G, expected E"; counted. */
void fail(const char *what, uint64_t got, uint64_t expected);

/* Fails unless got == expected. */
void expect(const char *what, uint64_t got, uint64_t expected);

/* Prints the last line, which run.py waits for. */
void print_verdict(void);

/* ---- pieces of runs: timer.c ---- */

/* Spins until irq_count(cpu, irq) leaves `old`; it must then be old + 1. */
void await_irq(const char *what, unsigned int cpu, unsigned int irq, unsigned int old);
void measure_timer(void);
/* In WFI with interrupts masked, until the timer's count leaves `old`. */
void idle_until_timer(unsigned int old);
void measure_unmapped(void);

/* ---- runs: core.c of the architecture, smp.c, switch.c ---- */

void run_core(void);
void run_smp(void);
void run_switch(void);

/* Called from start.S. */
void guest_main(const uint8_t *fdt);
void secondary_main(uint64_t context);
extern char image_start[], image_end[];

/*
 * ---- by the architecture ----
 *
 * Also, in guest.h: irq_mask(), irq_unmask(), wfi(), mmio_read32(), machine.{is_xen, uart,
 * nr_cpus}; IRQ_TIMER and IRQ_IPI for irq_count(), ROW_CPU_START, and UNMAPPED_ADDRESS, which
 * lies between the devices of every guest layout here.
 */

/* Adds what is its own to the first line, " name=value" each. */
void machine_print(void);
/* False, after a fail(): a device is missing. */
bool machine_is_complete(void);
/* Does the run that cfg.run names; false: there is none. */
bool run_own(void);

/* Interrupts of this CPU on, as each counts; how often irq came on cpu. */
void irq_init_cpu(void);
unsigned int irq_count(unsigned int cpu, unsigned int irq);
void ipi_send(unsigned int cpu);
void timer_start_us(unsigned int us);
void delay_us(unsigned int us);
uint64_t now_us(void);

/* While set, an access fault of a load from exactly this address is counted and stepped over. */
extern volatile uint64_t fault_expected;
extern volatile unsigned int faults;

/* The firmware's: cpu goes to secondary_main(context); 0, or why not. */
uint64_t cpu_start(unsigned int cpu, uint64_t context);
bool cpu_is_stopped(unsigned int cpu);
void cpu_stop(void);

long hypercall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2);
enum hypercall_number {
    HC_XEN_VERSION = 17,
    HC_CONSOLE_IO = 18,
    HC_SCHED_OP = 29,
    HC_SYSCTL = 35,
    HC_DOMCTL = 36,
};
enum sched_op { SCHED_YIELD = 0, SCHED_SHUTDOWN = 2 };

/* The registers that switch_once() checks get this guest's values. */
void switch_prepare(void);
/* Begins an interval, a's or b's, yields, and ends what the other began. */
void switch_once(bool is_a);

/* By the architecture: prints. */
void console_out(const char *text, unsigned int length);

/* By the architecture: prints the verdict, has the report written and switches this domain off. */
void guest_finish(void) __attribute__((noreturn));

#pragma GCC visibility pop

#endif
