/* SPDX-License-Identifier: MIT */
/*
 * The decoder of loads and stores, and the allow-list of ID registers. The
 * encodings are what the assembler makes of the text beside them.
 */
#include "unit.h"

#include "../../hv/arch/arm64/decode.c"
#include "../../hv/arch/arm64/idreg.c"

struct expect {
    uint32_t insn;
    const char *text;
    struct insn_access a;
};

#define ONE(...) { .nr = 1, __VA_ARGS__ }
#define TWO(...) { .nr = 2, __VA_ARGS__ }

static const struct expect known[] = {
    { 0xb8404420, "ldr w0, [x1], #4",
      ONE(.size = 4, .rn = 1, .writeback = true, .post = true, .offset = 4) },
    { 0xf81f0c41, "str x1, [x2, #-16]!",
      ONE(.size = 8, .rt = 1, .rn = 2, .write = true, .writeback = true, .offset = -16) },
    { 0x39400041, "ldrb w1, [x2]", ONE(.size = 1, .rt = 1, .rn = 2) },
    { 0x39c00041, "ldrsb w1, [x2]", ONE(.size = 1, .rt = 1, .rn = 2, .sign = true) },
    { 0x39800041, "ldrsb x1, [x2]", ONE(.size = 1, .rt = 1, .rn = 2, .sign = true, .wide = true) },
    { 0xb9800041, "ldrsw x1, [x2]", ONE(.size = 4, .rt = 1, .rn = 2, .sign = true, .wide = true) },
    { 0x78004041, "sturh w1, [x2, #4]",
      ONE(.size = 2, .rt = 1, .rn = 2, .write = true, .offset = 4) },
    { 0xb8400841, "ldtr w1, [x2]", ONE(.size = 4, .rt = 1, .rn = 2) },
    { 0xf8637841, "ldr x1, [x2, x3, lsl #3]", ONE(.size = 8, .rt = 1, .rn = 2) },
    { 0xa9400841, "ldp x1, x2, [x2]", TWO(.size = 8, .rt = 1, .rt2 = 2, .rn = 2) },
    { 0x29bf0be1, "stp w1, w2, [sp, #-8]!",
      TWO(.size = 4, .rt = 1, .rt2 = 2, .rn = 31, .write = true, .writeback = true, .offset = -8) },
    { 0xa8c10861, "ldp x1, x2, [x3], #16",
      TWO(.size = 8, .rt = 1, .rt2 = 2, .rn = 3, .writeback = true, .post = true, .offset = 16) },
    { 0x69400861, "ldpsw x1, x2, [x3]",
      TWO(.size = 4, .rt = 1, .rt2 = 2, .rn = 3, .sign = true, .wide = true) },
    { 0xa8400861, "ldnp x1, x2, [x3]", TWO(.size = 8, .rt = 1, .rt2 = 2, .rn = 3) },
    { 0x3dc00041, "ldr q1, [x2]", ONE(.size = 16, .rt = 1, .rn = 2, .simd = true) },
    { 0x3d800041, "str q1, [x2]", ONE(.size = 16, .rt = 1, .rn = 2, .simd = true, .write = true) },
    { 0xbd400041, "ldr s1, [x2]", ONE(.size = 4, .rt = 1, .rn = 2, .simd = true) },
    { 0x3d000041, "str b1, [x2]", ONE(.size = 1, .rt = 1, .rn = 2, .simd = true, .write = true) },
    { 0xad000841, "stp q1, q2, [x2]",
      TWO(.size = 16, .rt = 1, .rt2 = 2, .rn = 2, .simd = true, .write = true) },
};

static const struct expect refused[] = {
    { 0xc85f7c41, "ldxr x1, [x2]", { 0 } },       { 0xc8017c43, "stxr w1, x3, [x2]", { 0 } },
    { 0xc8dffc41, "ldar x1, [x2]", { 0 } },       { 0xf8230041, "ldadd x3, x1, [x2]", { 0 } },
    { 0xf9800040, "prfm pldl1keep, [x2]", { 0 } }, { 0xc8a17c43, "cas x1, x3, [x2]", { 0 } },
    { 0xd50b7422, "dc zva, x2", { 0 } },          { 0x4c407041, "ld1 {v1.16b}, [x2]", { 0 } },
    { 0x69000861, "stgp x1, x2, [x3]", { 0 } },   { 0x58000001, "ldr x1, label", { 0 } },
    { 0x91000421, "add x1, x1, #1", { 0 } },      { 0, "udf", { 0 } },
};

TEST(known_forms)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(known); i++) {
        const struct insn_access *want = &known[i].a;
        struct insn_access a;

        REQUIRE(insn_decode(known[i].insn, &a));
        bool same = a.size == want->size && a.nr == want->nr && a.rt == want->rt &&
                    (a.nr == 1 || a.rt2 == want->rt2) && a.write == want->write &&
                    a.simd == want->simd && a.sign == want->sign && a.wide == want->wide &&
                    a.writeback == want->writeback && a.post == want->post && a.rn == want->rn &&
                    a.offset == want->offset;
        CHECK_STR(same ? known[i].text : "wrong", known[i].text);
    }
}

TEST(refused_forms)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct insn_access a;

        CHECK_STR(insn_decode(refused[i].insn, &a) ? "accepted" : refused[i].text, refused[i].text);
    }
}

TEST(any_word_gives_a_sane_access)
{
    uint32_t word = 1;

    for (uint32_t i = 0; i < 2000000; i++) {
        struct insn_access a;

        word = word * 1664525u + 1013904223u;
        if (insn_decode(word ^ word >> 15, &a)) {
            REQUIRE((a.size & (a.size - 1)) == 0 && a.size >= 1 && a.size <= 16);
            REQUIRE((a.nr == 1 || a.nr == 2) && (a.size <= 8 || a.simd));
            REQUIRE(!(a.sign && (a.write || a.simd)));
        }
    }
}

static uint64_t shown(uint32_t crm, uint32_t op2, uint32_t shift, uint64_t host)
{
    return idreg_filter(crm, op2, host, true) >> shift & 0xf;
}

TEST(what_nothing_switches_is_hidden)
{
    uint64_t all = UINT64_C(0x1111111111111111);

    CHECK_EQ(shown(4, 0, 32, all), 0); /* SVE */
    CHECK_EQ(shown(4, 0, 28, all), 0); /* RAS */
    CHECK_EQ(shown(4, 0, 40, all), 0); /* MPAM */
    CHECK_EQ(shown(4, 0, 44, all), 0); /* AMU */
    CHECK_EQ(shown(4, 0, 8, all), 0);  /* EL2 */
    CHECK_EQ(shown(4, 1, 8, all), 0);  /* MTE */
    CHECK_EQ(shown(4, 1, 24, all), 0); /* SME */
    CHECK_EQ(shown(5, 0, 8, all), 0);  /* PMU */
    CHECK_EQ(shown(5, 0, 32, all), 0); /* SPE */
    CHECK_EQ(shown(5, 0, 44, all), 0); /* trace buffer */
    CHECK_EQ(shown(6, 1, 60, all), 0); /* LS64 */
    CHECK_EQ(shown(7, 1, 8, all), 0);  /* VHE */
    CHECK_EQ(shown(7, 2, 24, all), 0); /* NV */
    CHECK_EQ(idreg_filter(4, 5, all, true), 0); /* SMFR0 */
    CHECK_EQ(idreg_filter(7, 7, all, true), 0); /* not allocated */
    CHECK_EQ(idreg_filter(1, 2, all, true) >> 24 & 0xf, 0); /* AArch32 PMU */
}

TEST(what_a_guest_may_use_is_shown)
{
    CHECK_EQ(shown(4, 0, 0, 2), 2);
    CHECK_EQ(shown(4, 0, 4, 0x22), 1); /* EL1 is 64-bit whatever the host can */
    CHECK_EQ(shown(4, 0, 16, UINT64_C(0xf) << 16), 0xf); /* no FP stays no FP */
    CHECK_EQ(shown(4, 0, 24, 0), 1); /* GIC registers */
    CHECK_EQ(shown(7, 0, 0, 6), 2);  /* 52 bits become 40 */
    CHECK_EQ(shown(7, 0, 0, 1), 1);
    CHECK_EQ(shown(7, 0, 28, UINT64_C(0xf) << 28), 0xf);
    CHECK_EQ(idreg_filter(6, 1, 0x50, true), 0x50);
    CHECK_EQ(idreg_filter(6, 1, 0x50, false), 0); /* keys are not switched */
    CHECK_EQ(idreg_with_sve(IDREG_AA64PFR0, 0x11, 0) >> 32, 1);
    CHECK_EQ(idreg_with_sve(IDREG_AA64ZFR0, 0, 0x1234), 0x1234);
    CHECK_EQ(idreg_with_sve(IDREG_INDEX(6, 0), 7, 9), 7);
}
