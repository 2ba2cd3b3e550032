/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions.
 *
 * The C library's names with the C library's meaning, because the compiler
 * emits calls to the first four by itself. A freestanding build gets them from
 * lib/string.c; a hosted build from its C library, where sanitizers watch them.
 * str_copy is ours in both.
 *
 * Ours use aligned accesses only, so that they work while the MMU is off, but of
 * any size: device registers have accessors of their own.
 */
#ifndef LOAM_STRING_H
#define LOAM_STRING_H

#include <loam/types.h>

void *memset(void *dst, int byte, size_t len);
void *memcpy(void *dst, const void *src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
int memcmp(const void *a, const void *b, size_t len);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);

/*
 * Copy src into dst[size], always NUL-terminated (size > 0); true where src
 * did not fit and was truncated.
 */
bool str_copy(char *dst, size_t size, const char *src);

#endif
