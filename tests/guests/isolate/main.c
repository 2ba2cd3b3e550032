/* SPDX-License-Identifier: MIT */
/*
 * isolate: everything that is this guest's stays this guest's.
 *
 * Fills its RAM, its FP registers and the system registers that nothing else
 * here uses (ARCH.c) with values made from the option id=, and checks them for seconds= while other
 * guests, with the same addresses and other values, share its CPU (or for rounds=, if that takes
 * longer). A lost or swapped bit is a failure of the vCPU switch, of stage 2,
 * or of a VMID.
 */

#include "isolate.h"

static u64 salt;
extern char bss_end[];

u64 mix(u64 n)
{
    n = (n + salt) * 0x9e3779b97f4a7c15ul;
    return n ^ n >> 29;
}

/* --- memory --------------------------------------------------------------------- */
static u64 *ram_from, *ram_to;

static void fill_ram(void)
{
    for (u64 *p = ram_from; p < ram_to; p += 8) {
        *p = mix((u64)p);
    }
}

static u64 check_ram(u64 **at, u64 count)
{
    u64 bad = 0;

    for (u64 n = 0; n < count; n++) {
        bad += **at != mix((u64)*at);
        *at += 8;
        if (*at >= ram_to) {
            *at = ram_from;
        }
    }
    return bad;
}

int main(void)
{
    u64 bad_ram = 0, rounds = 0;
    u64 least = option("rounds", 0);

    salt = option("id", 1) * 0x100000001b3ul;
    ram_from = (u64 *)(((u64)bss_end + 0xfffff) & ~0xffffful);
    /* The upper part may hold the device tree. */
    ram_to = (u64 *)(machine.ram_base + machine.ram_size / 2);
    if (ram_to <= ram_from) {
        ram_to = ram_from + 8;
    }
    fill_ram();
    registers_write();
    u64 *at = ram_from;
    u64 end = now() + ticks_of_us(option("seconds", 5) * 1000000);
    while (rounds < least || now() < end) {
        bad_ram += check_ram(&at, 2000);
        rounds++;
        if (!registers_check()) {
            break;
        }
    }
    check(!bad_ram, "RAM, %lu words bad", bad_ram);
    registers_report();
    check(rounds > 10, "%lu rounds", rounds);
    return 0;
}
