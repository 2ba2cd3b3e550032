/* SPDX-License-Identifier: MIT */
/*
 * The state that is live when ../guest/switch.c goes to the other domain: FP registers.
 *
 * All were written before, so they have to be saved; the first thing after the call, still inside
 * the interval, is an access to one: a hypervisor that restores them by a trap pays. After each
 * switch f0 to f31 must hold this domain's values.
 */
#include "guest.h"

enum { NR_FP = 32 };

static uint64_t fp_mine[NR_FP];
static uint64_t fp_seen[NR_FP];

#define SWITCH(begin, end) \
    __asm__ volatile( \
        "li a6, %[sched_op]\n\t" \
        "li a1, %[yield]\n\t" \
        "li a7, 0x0a000007\n\t" \
        ".word %[first]\n\t" \
        "ecall\n\t" \
        ".option push\n\t" \
        ".option arch, +d\n\t" \
        "fmv.x.d t0, f0\n\t" \
        ".option pop\n\t" \
        ".word %[last]" \
        : \
        : [yield] "i"(SCHED_YIELD), [sched_op] "i"(HC_SCHED_OP), \
          [first] "i"(MARK_WORD(0x6000 | (begin))), [last] "i"(MARK_WORD(0x8000 | (end))) \
        : "t0", "a0", "a1", "a6", "a7", "memory")

void switch_prepare(void)
{
    for (unsigned int i = 0; i < NR_FP; i++) {
        fp_mine[i] = (uint64_t)cfg.seed << 56 | (i + 1) * 0x10001ull;
    }
    CSR_SET(sstatus, SSTATUS_FS_INITIAL);
}

static void state_check(void)
{
    fp_store(fp_seen);
    for (unsigned int i = 0; i < NR_FP; i++) {
        expect("FP register after a switch", fp_seen[i], fp_mine[i]);
    }
}

void switch_once(bool is_a)
{
    fp_load(fp_mine);
    if (is_a) {
        SWITCH(ROW_SWITCH_AB, ROW_SWITCH_BA);
    } else {
        SWITCH(ROW_SWITCH_BA, ROW_SWITCH_AB);
    }
    state_check();
}
