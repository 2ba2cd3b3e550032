/* SPDX-License-Identifier: MIT */
/*
 * What the compiler is asked for by name: attributes, hints and the few
 * macros that C has no expression for. Knows nothing about Loam.
 */
#ifndef LOAM_COMPILER_H
#define LOAM_COMPILER_H

#include <stddef.h>

#define __must_check __attribute__((warn_unused_result))
#define __noreturn __attribute__((noreturn))
#define __printf(fmt, first) __attribute__((format(printf, fmt, first)))
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __section(name) __attribute__((section(name)))
#define __unused __attribute__((unused))
#define __noinline __attribute__((noinline))
/* For what a hot path must not call: the compiler counts callers, not how often they run. */
#define __inline_hot inline __attribute__((always_inline))
#define __weak __attribute__((weak))
/* For a public function: inlined where its callers are compiled with its body (-flto). */
#define __inline_at_link inline __attribute__((always_inline))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* n must be a power of two. */
#define ALIGN_UP(x, n) (((x) + ((n) - 1)) & ~((n) - 1))
#define ALIGN_DOWN(x, n) ((x) & ~((n) - 1))
#define IS_ALIGNED(x, n) (((x) & ((n) - 1)) == 0)

#define BIT(n) (UINT64_C(1) << (n))
/* Mask of the bits hi..lo, both included. */
#define BITS(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#endif
