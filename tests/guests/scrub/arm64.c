/* SPDX-License-Identifier: MIT */
/*
 * scrub: looks through all memory of its own for what somebody left there.
 *
 *   fill    first writes that everywhere
 *
 * Ends by a crash if it finds it and by powering off if not, so that a toolstack, which has no
 * console for it, sees which. What it looks for is made at run time: no image has it.
 * Numbers: Xen's public headers xen.h, sched.h.
 */

#include "guest.h"

#define HC_SCHED_OP 29
#define SCHED_SHUTDOWN 2

extern char bss_end[];

static void shut_down_as_crashed(void)
{
    u32 reason = 3; /* SHUTDOWN_crash */

    hypercall(HC_SCHED_OP, SCHED_SHUTDOWN, (u64)&reason, 0);
}

int main(void)
{
    bool fill = has_option("fill");
    /* From here on bootargs and the device tree may be overwritten. */
    u64 end = machine.ram_base + machine.ram_size;
    u64 left = ~0x1234567812345678ul ^ machine.ram_base;
    u64 found = 0;

    if (fill) {
        for (u64 at = (u64)bss_end; at < end; at += sizeof(u64)) {
            *(u64 *)at = left;
        }
    }
    for (u64 at = (u64)bss_end; at < end; at += sizeof(u64)) {
        found += *(const u64 *)at == left;
    }
    if (found != 0) {
        shut_down_as_crashed();
    }
    power_off();
    return 0;
}
