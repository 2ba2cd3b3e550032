/* SPDX-License-Identifier: MIT */
/*
 * memory, riscv64: instructions and page tables where nothing is.
 *
 * A walk that cannot read a table ends in the access fault of the access that it
 * was for (Priv. spec, address translation, step 2), not in a page fault; QEMU's
 * bare machine says page fault, so that only strict asks for it.
 */

#include "guest.h"

void walk_hole(u64 hole);
void execute_hole(u64 address);

static u64 table[512] __attribute__((aligned(4096)));

void execute_hole(u64 address)
{
    static const u64 zero[32];
    struct trap t = run_code((void *)address, zero, RUN_KERNEL);

    check(t.cause == CAUSE_FETCH_ACCESS && t.value == address && t.pc == address,
          "executing 0x%lx: cause %lu value 0x%lx", address, t.cause, t.value);
}

static void check_walk(u64 address, const char *what)
{
    bool strict = has_option("strict");
    struct trap t = TRY(read64(address));

    check((trap_is_load(t) || (!strict && t.cause == CAUSE_LOAD_PAGE)) && t.value == address,
          "%s, load: cause %lu value 0x%lx", what, t.cause, t.value);
    t = TRY(write32(address + 8, 1));
    check((trap_is_store(t) || (!strict && t.cause == CAUSE_STORE_PAGE)) && t.value == address + 8,
          "%s, store: cause %lu value 0x%lx", what, t.cause, t.value);
}

void walk_hole(u64 hole)
{
    check_walk(window_table(hole), "a page table in the hole");
    table[0] = hole >> 12 << 10 | 1;
    check_walk(window_table((u64)table), "a table behind a table there");
    window_table(0);
}
