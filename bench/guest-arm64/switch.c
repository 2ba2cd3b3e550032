/* SPDX-License-Identifier: MIT */
/*
 * The state that is live when ../guest/switch.c goes to the other domain: FP registers and PAuth
 * keys.
 *
 * The first thing after the call, still inside the interval, is an access to an FP register and a
 * PAuth instruction: a hypervisor that restores them by a trap pays. After each switch all of q0
 * to q31 and the ten key registers must hold this domain's values.
 */
#include "guest.h"

enum { NR_FP_WORDS = 64, NR_KEY_WORDS = 10 };
enum { HINT_PACIA1716 = 8 };

/* SCTLR_EL1.{EnIA,EnIB,EnDA,EnDB} */
#define SCTLR_PAUTH (1ull << 31 | 1ull << 30 | 1ull << 27 | 1ull << 13)

static uint64_t fp_mine[NR_FP_WORDS] __attribute__((aligned(16)));
static uint64_t fp_seen[NR_FP_WORDS] __attribute__((aligned(16)));
static uint64_t keys_mine[NR_KEY_WORDS];
static bool has_pauth;

/* APIA, APIB, APDA, APDB, APGA, low and high halves each: Arm DDI 0487 D19.2. */
#define FOR_EACH_KEY(op) \
    op(0, S3_0_C2_C1_0) op(1, S3_0_C2_C1_1) op(2, S3_0_C2_C1_2) op(3, S3_0_C2_C1_3) \
        op(4, S3_0_C2_C2_0) op(5, S3_0_C2_C2_1) op(6, S3_0_C2_C2_2) op(7, S3_0_C2_C2_3) \
            op(8, S3_0_C2_C3_0) op(9, S3_0_C2_C3_1)

#define KEY_WRITE(i, reg) SYSREG_WRITE(reg, keys_mine[i]);
#define KEY_CHECK(i, reg) expect("PAuth key after a switch", SYSREG_READ(reg), keys_mine[i]);

#define SWITCH(begin, end) \
    __asm__ volatile( \
        "mov x0, %[yield]\n\t" \
        "mov x1, xzr\n\t" \
        "mov x16, %[sched_op]\n\t" \
        ".inst %c[first]\n\t" \
        "hvc #0xea1\n\t" \
        "fmov x9, d0\n\t" \
        "hint %[pacia]\n\t" \
        ".inst %c[last]" \
        : \
        : [yield] "i"(SCHED_YIELD), [sched_op] "i"(HC_SCHED_OP), [pacia] "i"(HINT_PACIA1716), \
          [first] "i"(0xd280001f | ((0x6000 | (begin)) << 5)), \
          [last] "i"(0xd280001f | ((0x8000 | (end)) << 5)) \
        : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", \
          "x14", "x15", "x16", "x17", "memory")

static void keys_load(void)
{
    uint64_t isar1 = SYSREG_READ(id_aa64isar1_el1);
    uint64_t isar2 = SYSREG_READ(S3_0_C0_C6_2);
    bool advertised = (isar1 & 0xff000ff0) != 0 || (isar2 & 0xff00) != 0;

    undefined_expected = true;
    SYSREG_READ(S3_0_C2_C1_0);
    undefined_expected = false;
    has_pauth = undefineds == 0;
    expect("PAuth keys are there when the ID registers say so", has_pauth, advertised);
    if (has_pauth) {
        FOR_EACH_KEY(KEY_WRITE)
        SYSREG_WRITE(sctlr_el1, SYSREG_READ(sctlr_el1) | SCTLR_PAUTH);
        isb();
    }
}

static void state_load(void)
{
    for (unsigned int i = 0; i < NR_FP_WORDS; i++) {
        fp_mine[i] = (uint64_t)cfg.seed << 56 | (i + 1) * 0x10001ull;
    }
    for (unsigned int i = 0; i < NR_KEY_WORDS; i++) {
        keys_mine[i] = (uint64_t)cfg.seed << 48 | (i + 1) * 0x1000001ull;
    }
    keys_load();
    fp_load(fp_mine);
}

static void state_check(void)
{
    fp_store(fp_seen);
    for (unsigned int i = 0; i < NR_FP_WORDS; i++) {
        expect("FP register after a switch", fp_seen[i], fp_mine[i]);
    }
    if (has_pauth) {
        FOR_EACH_KEY(KEY_CHECK)
    }
}

void switch_prepare(void)
{
    state_load();
    print_string(has_pauth ? "bench: FP and PAuth keys live\n" : "bench: FP live, no PAuth\n");
}

void switch_once(bool is_a)
{
    if (is_a) {
        SWITCH(ROW_SWITCH_AB, ROW_SWITCH_BA);
    } else {
        SWITCH(ROW_SWITCH_BA, ROW_SWITCH_AB);
    }
    state_check();
}
