/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions of a freestanding build.
 *
 * A hosted build takes everything but str_copy from its C library; the unit
 * test compiles this file under other names with STRING_FREESTANDING set. The
 * loops must stay loops: gcc would otherwise recognise memset in memset and
 * call it. Every access is aligned, so the functions work while the MMU is off.
 * Operands that can be aligned together are moved 128 bytes per turn, the
 * rest 32 (two load/store pairs where the machine has them), others byte by byte.
 */
#include <loam/string.h>

#if !__STDC_HOSTED__
#define STRING_FREESTANDING 1
#endif

#if STRING_FREESTANDING

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* An aligned word; may_alias, since it stands for bytes of any type. */
struct word {
    uint64_t v;
} __attribute__((may_alias));

#define WORD sizeof(struct word)

/* Do the two addresses differ by whole words, and is it worth aligning them? */
static bool use_words(const void *a, const void *b, size_t len)
{
    return len >= 2 * WORD && ((uintptr_t)a - (uintptr_t)b) % WORD == 0;
}

void *memset(void *dst, int byte, size_t len)
{
    uint8_t *d = dst;
    uint64_t v = (uint8_t)byte * UINT64_C(0x0101010101010101);

    if (len >= 2 * WORD) {
        while ((uintptr_t)d % WORD) {
            *d++ = (uint8_t)byte;
            len--;
        }
        for (; len >= 4 * WORD; len -= 4 * WORD, d += 4 * WORD) {
            struct word *w = (struct word *)d;
            w[0].v = v;
            w[1].v = v;
            w[2].v = v;
            w[3].v = v;
        }
        for (; len >= WORD; len -= WORD, d += WORD) {
            ((struct word *)d)->v = v;
        }
    }
    while (len--) {
        *d++ = (uint8_t)byte;
    }
    return dst;
}

/* All loads before the first store: right for overlaps, and they pair. */
static inline void move_up(uint8_t *d, const uint8_t *s)
{
    const struct word *from = (const struct word *)s;
    struct word *to = (struct word *)d;
    uint64_t a = from[0].v, b = from[1].v, c = from[2].v, e = from[3].v;

    to[0].v = a;
    to[1].v = b;
    to[2].v = c;
    to[3].v = e;
}

static void copy_up(uint8_t *d, const uint8_t *s, size_t len)
{
    if (use_words(d, s, len)) {
        while ((uintptr_t)d % WORD) {
            *d++ = *s++;
            len--;
        }
        for (; len >= 16 * WORD; len -= 16 * WORD, d += 16 * WORD, s += 16 * WORD) {
            move_up(d, s);
            move_up(d + 4 * WORD, s + 4 * WORD);
            move_up(d + 8 * WORD, s + 8 * WORD);
            move_up(d + 12 * WORD, s + 12 * WORD);
        }
        for (; len >= 4 * WORD; len -= 4 * WORD, d += 4 * WORD, s += 4 * WORD) {
            move_up(d, s);
        }
        for (; len >= WORD; len -= WORD, d += WORD, s += WORD) {
            ((struct word *)d)->v = ((const struct word *)s)->v;
        }
    }
    while (len--) {
        *d++ = *s++;
    }
}

/* Copies from the end, for a destination that overlaps the source from above. */
static void copy_down(uint8_t *d, const uint8_t *s, size_t len)
{
    d += len;
    s += len;
    if (use_words(d, s, len)) {
        while ((uintptr_t)d % WORD) {
            *--d = *--s;
            len--;
        }
        for (; len >= WORD; len -= WORD) {
            d -= WORD;
            s -= WORD;
            ((struct word *)d)->v = ((const struct word *)s)->v;
        }
    }
    while (len--) {
        *--d = *--s;
    }
}

void *memcpy(void *dst, const void *src, size_t len)
{
    copy_up(dst, src, len);
    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    /* Unsigned wrap: true both where dst lies below src and where it lies past its end. */
    if ((uintptr_t)dst - (uintptr_t)src >= len) {
        copy_up(dst, src, len);
    } else {
        copy_down(dst, src, len);
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a;
    const uint8_t *y = b;

    if (use_words(x, y, len)) {
        for (; (uintptr_t)x % WORD && *x == *y; len--) {
            x++;
            y++;
        }
        /* Unaligned still: the bytes differ here, which the loop below finds. */
        while ((uintptr_t)x % WORD == 0 && len >= WORD &&
               ((const struct word *)x)->v == ((const struct word *)y)->v) {
            x += WORD;
            y += WORD;
            len -= WORD;
        }
    }
    for (; len; x++, y++, len--) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

size_t strlen(const char *s)
{
    const char *end = s;
    while (*end) {
        end++;
    }
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t len = 0;
    while (len < max && s[len]) {
        len++;
    }
    return len;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max; a++, b++, max--) {
        if (*a != *b || !*a) {
            return (uint8_t)*a - (uint8_t)*b;
        }
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) {
        if (!*s) {
            return NULL;
        }
    }
    return (char *)(uintptr_t)s;
}

#endif /* STRING_FREESTANDING */

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t len = strnlen(src, size);
    bool truncated = len >= size;

    if (truncated) {
        len = size - 1;
    }
    memcpy(dst, src, len);
    dst[len] = '\0';
    return truncated;
}
