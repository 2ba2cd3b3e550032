/* SPDX-License-Identifier: MIT */
/*
 * A full barrier of the code under test is where the test lets another CPU act. Included before
 * that code, and after the architecture's struct vcpu where it is not the fake one's.
 */
#ifndef BARRIER_H
#define BARRIER_H

#include <loam/atomic.h>

/* What another CPU does at the next barrier; NULL: nothing. */
static void (*at_barrier)(void);

static inline void barrier(void)
{
    void (*other)(void) = at_barrier;

    at_barrier = NULL;
    if (other != NULL) {
        other();
    }
}

#undef smp_mb
#define smp_mb() barrier()

#endif
