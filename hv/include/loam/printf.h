/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer.
 *
 * Conversions: %d %i %u %x %X %p %s %c %% with the lengths hh h l ll z, a
 * width (also *), the flags 0 - and #, and a precision (also .*) for strings
 * and numbers. %p prints 0x and 16 digits. An unknown conversion is copied as it
 * stands; a NULL string prints "(null)". There is no floating point and no %n.
 */
#ifndef LOAM_PRINTF_H
#define LOAM_PRINTF_H

#include <stdarg.h>

#include <loam/types.h>

/*
 * Format into buf[size]; returns the length of the whole text without its NUL,
 * so that a result >= size says that it was cut. NUL-terminates if size > 0;
 * buf may be NULL where size is 0.
 */
size_t fmt_print(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
size_t fmt_vprint(char *buf, size_t size, const char *fmt, va_list args) __printf(3, 0);

#endif
