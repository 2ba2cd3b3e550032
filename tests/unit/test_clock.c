/* SPDX-License-Identifier: MIT */
/*
 * lib/clock.c against exact arithmetic with 128 bits, for frequencies from
 * 1 Hz to 10 GHz and times up to centuries.
 */
#include <loam/bits.h>
#include <loam/clock.h>

#include "unit.h"

#define CENTURIES (UINT64_C(5) * 100 * 365 * 86400 * NS_PER_S)

static const uint64_t frequencies[] = {
    1, 2, 3, 7, 1000, 32768, 999983, 1000000, 10000000, 19200000, 24000000, 25000000, 31250000,
    54000000, 62500000, 100000000, 333333333, 999999937, 999999999, 1000000000, 1000000001,
    1800000000, 2999999929, 9999999999, 10000000000,
};

static uint64_t seed;

static uint64_t any(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed ^ seed >> 29;
}

/* Numbers of all magnitudes up to max, the ends among them. */
static uint64_t number(uint32_t i, uint64_t max)
{
    switch (i) {
    case 0:
        return 0;
    case 1:
        return max;
    case 2:
        return max - 1;
    default:
        return (any() >> any() % 64) % max;
    }
}

static void check_ticks(const struct clock *c, uint64_t ticks)
{
    unsigned __int128 exact = (unsigned __int128)ticks * NS_PER_S / c->hz;
    ns_t ns = clock_ticks_to_ns(c, ticks);

    CHECK(ns <= exact && exact - ns <= 1);
}

static void check_ns(const struct clock *c, ns_t ns)
{
    uint64_t ticks = clock_ns_to_ticks(c, ns);
    unsigned __int128 deadline = (unsigned __int128)ns * c->hz; /* both in ticks / 10^9 */
    unsigned __int128 fires = (unsigned __int128)ticks * NS_PER_S;

    CHECK(fires >= deadline);
    CHECK(fires - deadline <= (unsigned __int128)2 * NS_PER_S);
    /* Who reads the clock then finds the deadline past; finer ticks can miss it by one. */
    if (ns < CENTURIES / 5) {
        CHECK(clock_ticks_to_ns(c, ticks) + (c->hz > NS_PER_S) >= ns);
    }
}

TEST(conversions_are_never_early_and_never_overflow)
{
    for (uint32_t f = 0; f < ARRAY_SIZE(frequencies) + 200; f++) {
        struct clock c;

        seed = f;
        clock_init(&c, f < ARRAY_SIZE(frequencies) ? frequencies[f]
                                                   : 1 + number(f, UINT64_C(10000000000)));
        /* The counter's 64 bits or five centuries, whichever ends first. */
        unsigned __int128 end = (unsigned __int128)CENTURIES * c.hz / NS_PER_S;
        uint64_t ticks_max = end > UINT64_MAX - 2 ? UINT64_MAX - 2 : (uint64_t)end;
        ns_t ns_max = (ns_t)((unsigned __int128)ticks_max * NS_PER_S / c.hz);

        for (uint32_t i = 0; i < 500; i++) {
            check_ticks(&c, number(i, ticks_max));
            check_ns(&c, number(i, ns_max));
        }
    }
}

TEST(time_does_not_go_back)
{
    for (uint32_t f = 0; f < ARRAY_SIZE(frequencies); f++) {
        struct clock c;

        clock_init(&c, frequencies[f]);
        for (uint32_t bit = 0; bit < 33; bit++) {
            for (uint64_t t = BIT(bit) - MIN(BIT(bit), 20); t < BIT(bit) + 20; t++) {
                CHECK(clock_ticks_to_ns(&c, t + 1) >= clock_ticks_to_ns(&c, t));
                CHECK(clock_ns_to_ticks(&c, t + 1) >= clock_ns_to_ticks(&c, t));
            }
        }
    }
}

TEST(factors_that_have_an_end_are_exact)
{
    struct clock c;

    clock_init(&c, 62500000);
    CHECK_EQ(clock_ticks_to_ns(&c, 0), 0);
    CHECK_EQ(clock_ticks_to_ns(&c, 1), 16);
    CHECK_EQ(clock_ticks_to_ns(&c, 62500000), NS_PER_S);
    clock_init(&c, 2 * NS_PER_S);
    CHECK_EQ(clock_ticks_to_ns(&c, 2), 1);
    CHECK_EQ(clock_ticks_to_ns(&c, UINT64_MAX), UINT64_MAX / 2);
    clock_init(&c, NS_PER_S);
    CHECK_EQ(clock_ticks_to_ns(&c, UINT64_MAX), UINT64_MAX);
    CHECK_EQ(clock_ns_to_ticks(&c, UINT64_C(1) << 63), (UINT64_C(1) << 63) + 2);
}
