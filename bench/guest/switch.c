/* SPDX-License-Identifier: MIT */
/*
 * Switching between two domains on one CPU, by sched_op yield, with registers live that a
 * hypervisor may like to move late.
 *
 * Both guests (seed=a, seed=b) run this: begin "mine to the other" and yield; whoever runs next
 * ends it, with the number it expects. A yield that came back to its caller therefore ends nothing
 * and is counted by the plugin as stray.
 */
#include "guest.h"

enum { LEAD_US = 300000, RUN_US = 150000 };

static void yield_until(uint64_t us)
{
    while (now_us() < us) {
        hypercall(HC_SCHED_OP, SCHED_YIELD, 0, 0);
    }
}

/*
 * The guests start some time apart, so both do this for a time and not for a
 * number of times: while one is still alone its switches end nothing.
 */
void run_switch(void)
{
    uint64_t start = now_us();

    switch_prepare();
    yield_until(start + LEAD_US);
    while (now_us() < start + LEAD_US + RUN_US) {
        switch_once(cfg.seed == 'a');
    }
    yield_until(start + 2 * LEAD_US + RUN_US);
}
