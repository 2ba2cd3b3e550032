/* SPDX-License-Identifier: MIT */
/*
 * The factors of a clock. Long division bit by bit: there is no division of
 * 128 bits by 64 without a compiler's library.
 */
#include <loam/clock.h>

/* den < 2^63 */
static struct clock_factor factor(uint64_t num, uint64_t den)
{
    uint64_t rest = num % den, fraction = 0;

    for (uint32_t i = 0; i < 64; i++) {
        rest <<= 1;
        fraction <<= 1;
        if (rest >= den) {
            rest -= den;
            fraction |= 1;
        }
    }
    return (struct clock_factor){ .whole = num / den, .fraction = fraction };
}

void clock_init(struct clock *c, uint64_t hz)
{
    *c = (struct clock){
        .ns = factor(NS_PER_S, hz),
        .ticks = factor(hz, NS_PER_S),
        .hz = hz,
    };
}
