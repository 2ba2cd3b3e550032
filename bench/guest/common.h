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

/* By the architecture: prints. */
void console_out(const char *text, unsigned int length);

/* By the architecture: prints the verdict, has the report written and switches this domain off. */
void guest_finish(void) __attribute__((noreturn));

#pragma GCC visibility pop

#endif
