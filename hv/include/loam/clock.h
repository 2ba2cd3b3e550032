/* SPDX-License-Identifier: MIT */
/*
 * Ticks of a counter to nanoseconds and back, by multiplication: a factor is a
 * whole number and a fraction of 2^64, made once by long division (lib/clock.c).
 *
 * Truncating the fraction costs less than one unit of the result over all 64
 * bits of the argument. Nothing overflows before the result itself needs more
 * than 64 bits: 584 years of nanoseconds.
 */
#ifndef LOAM_CLOCK_H
#define LOAM_CLOCK_H

#include <loam/types.h>

struct clock_factor {
    uint64_t whole;
    uint64_t fraction; /* of 2^64 */
};

/* Constant after clock_init(). */
struct clock {
    struct clock_factor ns; /* in a tick */
    struct clock_factor ticks; /* in a nanosecond */
    uint64_t hz; /* 0: not prepared */
};

/* Prepares *c for a counter of this frequency, which is not 0. */
void clock_init(struct clock *c, uint64_t hz);

static inline uint64_t clock_scale(const struct clock_factor *f, uint64_t n)
{
    return n * f->whole + (uint64_t)(((unsigned __int128)n * f->fraction) >> 64);
}

/* The exact time, rounded down, or one nanosecond less. */
static inline ns_t clock_ticks_to_ns(const struct clock *c, uint64_t ticks)
{
    return clock_scale(&c->ns, ticks);
}

/*
 * A counter value that is not before ns, and at most two ticks late: for
 * deadlines. Two ticks make up for the fraction's truncation and the product's.
 */
static inline uint64_t clock_ns_to_ticks(const struct clock *c, ns_t ns)
{
    return clock_scale(&c->ticks, ns) + 2;
}

#endif
