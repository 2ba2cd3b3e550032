/* SPDX-License-Identifier: MIT */
/*
 * ticker: a guest that only proves that it is alive, and ends on request.
 *
 * Prints "tick N MS" every 100 ms of its own time: the neighbour whom nothing
 * may disturb, and the guest that is restarted a hundred times. Options:
 * every=MS (100), busy, ticks=N (without end), then one of off, reset, crash, hang, wild.
 * "crash" fetches from unmapped memory with vectors there too; "wild" spins
 * with all interrupts masked.
 */

#include "guest.h"

static void finish(void)
{
    if (has_option("reset")) {
        power_reset();
    }
    if (has_option("crash")) {
        print("crashing\n");
        crash();
    }
    if (has_option("wild")) {
        spin_masked();
    }
    if (has_option("hang")) {
        for (;;) {
            wait_for_irq();
        }
    }
    power_off();
    print("not ok 1 - power_off() or power_reset() returned\n");
}

int main(void)
{
    u64 every = option("every", 100) * 1000;
    u64 ticks = option("ticks", ~0ul);
    u64 start = now();
    bool busy = has_option("busy");

    timer_enable();
    print("ticker: start, %u cpus, %lu KiB at 0x%lx\n", machine.nr_cpus, machine.ram_size >> 10,
          machine.ram_base);
    for (u64 n = 1; n <= ticks; n++) {
        u64 due = start + ticks_of_us(n * every);
        if (!busy) {
            timer_at(due);
        }
        while (now() < due) {
            if (!busy) {
                wait_for_irq();
            }
        }
        if (!busy) {
            timer_off();
        }
        print("tick %lu %lu\n", n, (now() - start) * 1000 / counter_hz());
    }
    finish();
    return 0;
}
