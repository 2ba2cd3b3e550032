/* SPDX-License-Identifier: MIT */
/*
 * The guest's output, line by line: the PL011 of the device tree where there is one (Arm DDI 0183:
 * data register at 0, flags at 0x18), else the console_io hypercall. In this order, because Xen
 * shows a domain's console_io only at a log level that slows other rows down. Also the verdict: a
 * guest that found something wrong says so and counts it, and run.py reads it from the last line.
 */
#include "guest.h"

enum { PL011_DR = 0x00, PL011_FR = 0x18, PL011_FR_TXFF = 1 << 5 };
enum { CONSOLEIO_WRITE = 0, SHUTDOWN_POWEROFF = 0 };

static char line[128];
static unsigned int line_used;
static unsigned int failures;

void print_flush(void)
{
    if (machine.uart != 0) {
        for (unsigned int i = 0; i < line_used; i++) {
            while ((mmio_read32(machine.uart + PL011_FR) & PL011_FR_TXFF) != 0) {
            }
            mmio_write32(machine.uart + PL011_DR, (uint8_t)line[i]);
        }
    } else if (machine.is_xen) {
        hypercall(HC_CONSOLE_IO, CONSOLEIO_WRITE, line_used, (uint64_t)line);
    }
    line_used = 0;
}

static void print_char(char c)
{
    line[line_used++] = c;
    if (c == '\n' || line_used == sizeof(line)) {
        print_flush();
    }
}

void print_string(const char *s)
{
    while (*s != 0) {
        print_char(*s++);
    }
}

void print_number(uint64_t n)
{
    if (n >= 10) {
        print_number(n / 10);
    }
    print_char((char)('0' + n % 10));
}

void print_hex(uint64_t n)
{
    print_string("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        unsigned int digit = (n >> shift) & 15;
        if (digit != 0 || shift == 0 || (n >> shift) != 0) {
            print_char((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
        }
    }
}

void fail(const char *what, uint64_t got, uint64_t expected)
{
    failures++;
    print_string("bench: FAIL ");
    print_string(what);
    print_string(": got ");
    print_hex(got);
    print_string(", expected ");
    print_hex(expected);
    print_string("\n");
}

void expect(const char *what, uint64_t got, uint64_t expected)
{
    if (got != expected) {
        fail(what, got, expected);
    }
}

void guest_finish(void)
{
    uint32_t reason = SHUTDOWN_POWEROFF;

    MARK_ABANDON();
    MARK_REPORT();
    print_string("bench: done run=");
    print_string(cfg.run);
    print_string(" n=");
    print_number(cfg.iterations);
    print_string(" failures=");
    print_number(failures);
    print_string("\n");
    if (machine.is_xen) {
        hypercall(HC_SCHED_OP, SCHED_SHUTDOWN, (uint64_t)&reason, 0);
    }
    smccc(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;) {
        wfi();
    }
}
