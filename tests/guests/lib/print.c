/* SPDX-License-Identifier: MIT */
/*
 * print.c: text to the console and the result protocol.
 *
 * A lock keeps lines of several CPUs apart.
 */

#include "guest.h"

static u32 print_lock;
static u32 nr_passed, nr_failed;

static void put(char c)
{
    if (c == '\n') {
        console_put('\r');
    }
    console_put(c);
}

static void put_text(const char *s)
{
    while (*s) {
        put(*s++);
    }
}

static void put_number(u64 value, u32 base, bool is_signed)
{
    char text[24];
    u32 at = 0;

    if (is_signed && (long)value < 0) {
        put('-');
        value = -value;
    }
    do {
        text[at++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (at) {
        put(text[--at]);
    }
}

/* %s %c %d %u %x %%, each number with l or without. */
static void vprint(const char *format, va_list args)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        bool is_long = *++format == 'l';
        format += is_long;
        switch (*format) {
        case 's':
            put_text(va_arg(args, const char *));
            break;
        case 'c':
            put((char)va_arg(args, int));
            break;
        case 'd':
            put_number(is_long ? va_arg(args, u64) : (u64)va_arg(args, int), 10, true);
            break;
        case 'u':
            put_number(is_long ? va_arg(args, u64) : va_arg(args, u32), 10, false);
            break;
        case 'x':
            put_number(is_long ? va_arg(args, u64) : va_arg(args, u32), 16, false);
            break;
        default:
            put(*format);
        }
    }
}

static void lock(void)
{
    while (__atomic_exchange_n(&print_lock, 1, __ATOMIC_ACQUIRE)) {
    }
}

static void unlock(void) { __atomic_store_n(&print_lock, 0, __ATOMIC_RELEASE); }

void print(const char *format, ...)
{
    va_list args;

    lock();
    va_start(args, format);
    vprint(format, args);
    va_end(args);
    unlock();
}

void check(bool ok, const char *format, ...)
{
    va_list args;

    lock();
    nr_passed += ok;
    nr_failed += !ok;
    put_text(ok ? "ok " : "not ok ");
    put_number(nr_passed + nr_failed, 10, false);
    put_text(" - ");
    va_start(args, format);
    vprint(format, args);
    va_end(args);
    put('\n');
    unlock();
}

void done(void)
{
    print("%u passed, %u failed\n", nr_passed, nr_failed);
    power_off();
    for (;;) {
        wait_for_irq();
    }
}
