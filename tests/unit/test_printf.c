/* SPDX-License-Identifier: MIT */
/*
 * lib/printf.c: against the C library where both know the conversion, and
 * against literal text where ours is its own (%p, unknown conversions, NULL).
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include <loam/compiler.h>
#include <loam/printf.h>

#include "unit.h"

/* The same format and arguments through both. */
#define SAME(...) \
    do { \
        char ours_[200], theirs_[200]; \
        int len_ = snprintf(theirs_, sizeof(theirs_), __VA_ARGS__); \
        CHECK_EQ(fmt_print(ours_, sizeof(ours_), __VA_ARGS__), (size_t)len_); \
        CHECK_STR(ours_, theirs_); \
    } while (0)

/* Formats the compiler would warn about. */
static size_t print_unchecked(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size_t len = fmt_vprint(buf, size, fmt, args);
    va_end(args);
    return len;
}

TEST(integers)
{
    static const long long v[] = { 0,    1,     -1,      9,       10,        255,
                                   -128, 65536, INT_MAX, INT_MIN, LLONG_MAX, LLONG_MIN };

    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        SAME("%d %i %u %x %X", (int)v[i], (int)v[i], (unsigned)v[i], (unsigned)v[i],
             (unsigned)v[i]);
        SAME("%hhd %hd %hhu %hu %hhx", (signed char)v[i], (short)v[i], (unsigned char)v[i],
             (unsigned short)v[i], (unsigned char)v[i]);
        SAME("%ld %lu %lx %lld %llu %llX", (long)v[i], (unsigned long)v[i], (unsigned long)v[i],
             v[i], (unsigned long long)v[i], (unsigned long long)v[i]);
        SAME("%zu %zx %#x %#llx", (size_t)v[i], (size_t)v[i], (unsigned)v[i],
             (unsigned long long)v[i]);
    }
}

TEST(width_zero_left_precision)
{
    static const int v[] = { 0, 7, -7, 12345678, -12345678 };

    for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
        SAME("[%5d] [%-5d] [%05d] [%12d]", v[i], v[i], v[i], v[i]);
        SAME("[%8x] [%-12x] [%08x] [%#010x]", (unsigned)v[i], (unsigned)v[i], (unsigned)v[i],
             (unsigned)v[i]);
        SAME("[%.0d] [%.3d] [%8.3d] [%-8.3d] [%*d] [%-*d] [%*.*d]", v[i], v[i], v[i], v[i], 6, v[i],
             6, v[i], 9, 4, v[i]);
        SAME("[%*d]", -6, v[i]);
    }
}

TEST(strings_and_characters)
{
    SAME("%s|%5s|%-5s|%.2s|%5.1s|%-5.1s|%.*s", "abc", "abc", "abc", "abc", "abc", "abc", 2, "xyz");
    SAME("%.*s", -1, "negative precision is none");
    SAME("%c|%3c|%-3c|%%|100%%", 'x', 'y', 'z');
    SAME("plain");
    SAME("%s", "");

    char unterminated[3] = { 'a', 'b', 'c' };
    char buf[16];
    CHECK_EQ(fmt_print(buf, sizeof(buf), "%.3s", unterminated), 3);
    CHECK_STR(buf, "abc");
}

TEST(own_conversions)
{
    char buf[64];

    fmt_print(buf, sizeof(buf), "%p", (void *)(uintptr_t)0xffff0000a5);
    CHECK_STR(buf, "0x000000ffff0000a5");
    fmt_print(buf, sizeof(buf), "%p", (void *)NULL);
    CHECK_STR(buf, "0x0000000000000000");
    print_unchecked(buf, sizeof(buf), "%s %3s", NULL, NULL);
    CHECK_STR(buf, "(null) (null)");
    print_unchecked(buf, sizeof(buf), "a%q %-5y %l", 0);
    CHECK_STR(buf, "a%q %-5y %l");
    /* A precision and the - flag both end what 0 does. */
    print_unchecked(buf, sizeof(buf), "[%08.3d] [%-05d]", 7, 7);
    CHECK_STR(buf, "[     007] [7    ]");
    CHECK_EQ(print_unchecked(buf, sizeof(buf), "end%"), 4);
    CHECK_STR(buf, "end%");
    CHECK_EQ(print_unchecked(buf, sizeof(buf), "%*d", INT_MIN, 1), 4096);
}

TEST(length_and_termination)
{
    char buf[8];

    for (size_t size = 0; size <= sizeof(buf); size++) {
        memset(buf, 'z', sizeof(buf));
        CHECK_EQ(fmt_print(buf, size, "%d%s", 123, "456789"), 9);
        if (size) {
            CHECK_EQ(strlen(buf), size - 1);
            CHECK(memcmp(buf, "123456789", size - 1) == 0);
        }
        for (size_t i = size; i < sizeof(buf); i++) {
            CHECK_EQ(buf[i], 'z');
        }
    }
    CHECK_EQ(fmt_print(NULL, 0, "%s", "four"), 4);
}
