/* SPDX-License-Identifier: MIT */
/*
 * memory, arm64: instructions and page tables where nothing is.
 */

#include "guest.h"

void walk_hole(u64 hole);
void execute_hole(u64 address);

static u64 level1_hole[512] __attribute__((aligned(4096)));

void execute_hole(u64 address)
{
    static const u64 zero[29];
    struct trap t = TRY(call_trapped((void *)address, zero));

    check(t.taken && trap_class(t) == EC_IABT, "executing 0x%lx: esr 0x%x", address, t.esr);
}

/* TTBR1 points to a hole: the walk itself aborts, in stage 2. */
void walk_hole(u64 hole)
{
    u64 old = read_sysreg(ttbr1_el1);
    u64 value;

    write_sysreg(ttbr1_el1, hole);
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb" ::: "memory");
    struct trap t = TRY(__asm__ volatile("ldr %0, [%1]"
                                         : "=r"(value)
                                         : "r"(0xffffff8000000000ul)
                                         : "memory"));
    check(t.taken && trap_class(t) == EC_DABT, "a page table at 0x%lx: esr 0x%x", hole, t.esr);
    /* A table in RAM whose entry points to a table in the hole. */
    level1_hole[0] = hole | 3;
    write_sysreg(ttbr1_el1, level1_hole);
    __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory");
    t = TRY(__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(0xffffff8000000000ul) : "memory"));
    check(t.taken && trap_class(t) == EC_DABT, "a second-level table there: esr 0x%x", t.esr);
    t = TRY(__asm__ volatile("at s1e1r, %0\n isb" ::"r"(0xffffff8000000000ul) : "memory"));
    check(true, "AT through it: %s", t.taken ? "an exception" : "a failed PAR");
    write_sysreg(ttbr1_el1, old);
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb" ::: "memory");
}
