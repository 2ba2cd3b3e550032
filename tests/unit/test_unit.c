/* SPDX-License-Identifier: MIT */
/*
 * The harness's own failing allocator: each allocation of a test fails once,
 * in order, after one run in which none does.
 */
#include <stdlib.h>

#include "unit.h"

#define ALLOCATIONS 5

/* One bit per allocation that was seen to fail; bit 0: the run without a failure. */
static unsigned int failed_mask;

static void *allocate(void) { return unit_alloc_should_fail() ? NULL : malloc(16); }

TEST_ALLOC(injection)
{
    void *p[ALLOCATIONS] = { NULL };
    unsigned int n;

    for (n = 0; n < ALLOCATIONS; n++) {
        p[n] = allocate();
        if (!p[n]) {
            break;
        }
    }
    CHECK_EQ(n < ALLOCATIONS, unit_injected());
    CHECK(!unit_injected() || unit_injecting());
    failed_mask |= n < ALLOCATIONS ? 2u << n : 1;
    while (n--) {
        free(p[n]);
    }
    REQUIRE_OR_INJECTED(!unit_injected());
}

TEST(each_allocation_has_failed)
{
    CHECK(!unit_injecting());
    CHECK(!unit_alloc_should_fail());
    CHECK_EQ(failed_mask, (2u << ALLOCATIONS) - 1);
}
