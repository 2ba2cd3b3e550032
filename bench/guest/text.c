/* SPDX-License-Identifier: MIT */
/*
 * The guest's output, line by line to the architecture's console_out(). Also the verdict: a guest
 * that found something wrong says so and counts it, and run.py reads it from the last line.
 */
#include "common.h"

static char line[128];
static unsigned int line_used;
static unsigned int failures;

void print_flush(void)
{
    console_out(line, line_used);
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

void print_verdict(void)
{
    print_string("bench: done run=");
    print_string(cfg.run);
    print_string(" n=");
    print_number(cfg.iterations);
    print_string(" failures=");
    print_number(failures);
    print_string("\n");
}
