/* SPDX-License-Identifier: MIT */
/*
 * The scalar types that keep address spaces apart.
 *
 * gfn/gpa: frame number and address as a guest sees physical memory.
 * mfn/hpa: frame number and address of the machine.
 * A one-member struct each, so that mixing two of them does not compile. The
 * helpers are written out, so that a search for gfn_add finds it.
 */
#ifndef LOAM_TYPES_H
#define LOAM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loam/compiler.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

typedef struct {
    uint64_t n;
} gfn_t;

typedef struct {
    uint64_t n;
} mfn_t;

typedef struct {
    uint64_t a;
} gpa_t;

typedef struct {
    uint64_t a;
} hpa_t;

static inline gfn_t gfn(uint64_t n) { return (gfn_t){ n }; }
static inline mfn_t mfn(uint64_t n) { return (mfn_t){ n }; }
static inline gpa_t gpa(uint64_t a) { return (gpa_t){ a }; }
static inline hpa_t hpa(uint64_t a) { return (hpa_t){ a }; }

static inline gfn_t gfn_add(gfn_t g, uint64_t pages) { return gfn(g.n + pages); }
static inline mfn_t mfn_add(mfn_t m, uint64_t pages) { return mfn(m.n + pages); }
static inline gpa_t gpa_add(gpa_t a, uint64_t bytes) { return gpa(a.a + bytes); }
static inline hpa_t hpa_add(hpa_t a, uint64_t bytes) { return hpa(a.a + bytes); }

static inline bool gfn_eq(gfn_t x, gfn_t y) { return x.n == y.n; }
static inline bool mfn_eq(mfn_t x, mfn_t y) { return x.n == y.n; }

static inline gpa_t gfn_to_gpa(gfn_t g) { return gpa(g.n << PAGE_SHIFT); }
static inline hpa_t mfn_to_hpa(mfn_t m) { return hpa(m.n << PAGE_SHIFT); }
static inline gfn_t gpa_to_gfn(gpa_t a) { return gfn(a.a >> PAGE_SHIFT); }
static inline mfn_t hpa_to_mfn(hpa_t a) { return mfn(a.a >> PAGE_SHIFT); }

#define MFN_NONE ((mfn_t){ UINT64_MAX })
#define GFN_NONE ((gfn_t){ UINT64_MAX })

static inline bool mfn_is_none(mfn_t m) { return m.n == UINT64_MAX; }
static inline bool gfn_is_none(gfn_t g) { return g.n == UINT64_MAX; }

/* Nanoseconds of the machine's architected counter since it was started. */
typedef uint64_t ns_t;
#define NS_NEVER UINT64_MAX
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

#endif
