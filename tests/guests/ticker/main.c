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
        psci(PSCI_SYSTEM_RESET, 0, 0, 0);
    }
    if (has_option("crash")) {
        print("crashing\n");
        write_sysreg(vbar_el1, 0xdead000);
        __asm__ volatile("br %0" ::"r"(0xdead000ul));
    }
    if (has_option("wild")) {
        __asm__ volatile("msr daifset, #15\n b .");
    }
    if (has_option("hang")) {
        for (;;) {
            __asm__ volatile("wfi");
        }
    }
    psci(PSCI_SYSTEM_OFF, 0, 0, 0);
    print("not ok 1 - SYSTEM_OFF or SYSTEM_RESET returned\n");
}

int main(void)
{
    u64 every = option("every", 100) * 1000;
    u64 ticks = option("ticks", ~0ul);
    u64 start = now();
    bool busy = has_option("busy");

    gic_init();
    gic_cpu_init();
    gic_enable(TIMER_IRQ);
    print("ticker: start, %u cpus, %lu KiB at 0x%lx\n", machine.nr_cpus, machine.ram_size >> 10,
          machine.ram_base);
    for (u64 n = 1; n <= ticks; n++) {
        u64 due = start + ticks_of_us(n * every);
        if (busy) {
            while (now() < due) {
            }
        } else {
            write_sysreg(cntv_cval_el0, due);
            write_sysreg(cntv_ctl_el0, 1);
            while (now() < due) {
                __asm__ volatile("wfi");
            }
            timer_off();
        }
        print("tick %lu %lu\n", n, (now() - start) * 1000 / read_sysreg(cntfrq_el0));
    }
    finish();
    return 0;
}
