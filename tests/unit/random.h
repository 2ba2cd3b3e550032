/* SPDX-License-Identifier: MIT */
/* Numbers that look random and are the same in each run; random operations beside a model. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdio.h>

#include "unit.h"

static uint32_t seed;

/* 0 .. n - 1, and less than 2^24. */
static inline uint32_t any(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* A test of random operations: what it does at the begin and end of a run and in each step. */
struct random_test {
    uint32_t runs, steps;
    void (*begin)(void);
    void (*step)(void);
    bool (*same)(void); /* what is tested is as the model has it */
    void (*end)(void); /* may be NULL */
};

/* Runs with the seeds 1, 2, ...; ends with the first difference. */
static inline void random_run(const struct random_test *t)
{
    for (uint32_t run = 1; run <= t->runs; run++) {
        bool same = true;

        seed = run;
        t->begin();
        for (uint32_t n = 0; n < t->steps && same; n++) {
            t->step();
            same = t->same();
            if (!same) {
                printf("seed %u, step %u: not as the model\n", run, n);
            }
        }
        if (t->end != NULL) {
            t->end();
        }
        REQUIRE(same);
    }
}

#endif
