/* SPDX-License-Identifier: MIT */
/*
 * The decoder of loads and stores, and of what traps leave in htinst. The
 * encodings are what the assembler makes of the text beside them; those of Zcb, which
 * it does not know, are composed from the specification.
 */
#include <loam/bits.h>

#include "unit.h"

#include "../../hv/arch/riscv64/decode.c"

struct expect {
    uint32_t insn;
    const char *text;
    struct insn_access a;
};

#define LOAD(bytes, r, len) \
    { \
        .size = bytes, .reg = r, .length = len, .sign = true \
    }
#define LOADU(bytes, r, len) \
    { \
        .size = bytes, .reg = r, .length = len \
    }
#define STORE(bytes, r, len) \
    { \
        .size = bytes, .reg = r, .length = len, .write = true \
    }

static const struct expect known[] = {
    { 0x00058503, "lb x10, 0(x11)", LOAD(1, 10, 4) },
    { 0x00251583, "lh x11, 2(x10)", LOAD(2, 11, 4) },
    { 0xffc42283, "lw x5, -4(x8)", LOAD(4, 5, 4) },
    { 0x00813f83, "ld x31, 8(x2)", LOAD(8, 31, 4) },
    { 0x00074783, "lbu x15, 0(x14)", LOADU(1, 15, 4) },
    { 0x00075f83, "lhu x31, 0(x14)", LOADU(2, 31, 4) },
    { 0x00476d83, "lwu x27, 4(x14)", LOADU(4, 27, 4) },
    { 0x00052003, "lw x0, 0(x10)", LOAD(4, 0, 4) },
    { 0x00050023, "sb x0, 0(x10)", STORE(1, 0, 4) },
    { 0x00f71023, "sh x15, 0(x14)", STORE(2, 15, 4) },
    { 0x00a5a223, "sw x10, 4(x11)", STORE(4, 10, 4) },
    { 0xfff43c23, "sd x31, -8(x8)", STORE(8, 31, 4) },
    { 0x41c8, "c.lw x10, 4(x11)", LOAD(4, 10, 2) },
    { 0x5c7c, "c.lw x15, 124(x8)", LOAD(4, 15, 2) },
    { 0x6780, "c.ld x8, 8(x15)", LOAD(8, 8, 2) },
    { 0xc3b8, "c.sw x14, 64(x15)", STORE(4, 14, 2) },
    { 0xfcfc, "c.sd x15, 248(x9)", STORE(8, 15, 2) },
    { 0x4532, "c.lwsp x10, 12(x2)", LOAD(4, 10, 2) },
    { 0x5ffe, "c.lwsp x31, 252(x2)", LOAD(4, 31, 2) },
    { 0x60a2, "c.ldsp x1, 8(x2)", LOAD(8, 1, 2) },
    { 0xc27e, "c.swsp x31, 4(x2)", STORE(4, 31, 2) },
    { 0xc002, "c.swsp x0, 0(x2)", STORE(4, 0, 2) },
    { 0xffa6, "c.sdsp x9, 504(x2)", STORE(8, 9, 2) },
    { 0x81e8, "c.lbu x10, 3(x11)", LOADU(1, 10, 2) },
    { 0x85a8, "c.lhu x10, 2(x11)", LOADU(2, 10, 2) },
    { 0x85e8, "c.lh x10, 2(x11)", LOAD(2, 10, 2) },
    { 0x89e8, "c.sb x10, 3(x11)", STORE(1, 10, 2) },
    { 0x8da8, "c.sh x10, 2(x11)", STORE(2, 10, 2) },
};

static const struct expect refused[] = {
    { 0x00052507, "flw f10, 0(x10)", { 0 } },
    { 0x00a52027, "fsw f10, 0(x10)", { 0 } },
    { 0x2108, "c.fld f10, 0(x10)", { 0 } },
    { 0xa108, "c.fsd f10, 0(x10)", { 0 } },
    { 0x2502, "c.fldsp f10, 0(x2)", { 0 } },
    { 0xa02a, "c.fsdsp f10, 0(x2)", { 0 } },
    { 0x1005a52f, "lr.w x10, (x11)", { 0 } },
    { 0x18c5b52f, "sc.d x10, x12, (x11)", { 0 } },
    { 0x00b6252f, "amoadd.w x10, x11, (x12)", { 0 } },
    { 0x00057503, "load of the reserved width 7", { 0 } },
    { 0x00a54023, "store of the reserved width 4", { 0 } },
    { 0x4002, "c.lwsp x0, 0(x2), reserved", { 0 } },
    { 0x6002, "c.ldsp x0, 0(x2), reserved", { 0 } },
    { 0x8de8, "c.sh with bit 6, reserved", { 0 } },
    { 0x9000, "Zcb operation 4, reserved", { 0 } },
    { 0x0505, "c.addi x10, 1", { 0 } },
    { 0x0808, "c.addi4spn x10, x2, 16", { 0 } },
    { 0x852e, "c.mv x10, x11", { 0 } },
    { 0x050a, "c.slli x10, 2", { 0 } },
    { 0x8082, "c.jr x1", { 0 } },
    { 0xa001, "c.j 0", { 0 } },
    { 0x9002, "c.ebreak", { 0 } },
    { 0x000000ef, "jal x1, 0", { 0 } },
    { 0x00000517, "auipc x10, 0", { 0 } },
    { 0x0ff0000f, "fence iorw, iorw", { 0 } },
    { 0x00000073, "ecall", { 0 } },
    { 0, "the illegal instruction", { 0 } },
};

static bool same(const struct insn_access *a, const struct insn_access *want)
{
    return a->kind == INSN_ACCESS && a->size == want->size && a->reg == want->reg &&
           a->length == want->length && a->write == want->write && a->sign == want->sign;
}

TEST(known_forms)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct insn_access a;

        REQUIRE(insn_decode(known[i].insn, &a));
        CHECK_STR(same(&a, &known[i].a) ? known[i].text : "wrong", known[i].text);
    }
}

TEST(refused_forms)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct insn_access a;

        CHECK_STR(insn_decode(refused[i].insn, &a) ? "accepted" : refused[i].text, refused[i].text);
        CHECK_EQ(a.kind, INSN_OTHER);
    }
}

TEST(what_follows_a_compressed_instruction_does_not_matter)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct insn_access a;

        if (known[i].a.length == 2) {
            REQUIRE(insn_decode(known[i].insn | 0xabcd0000, &a));
            CHECK(same(&a, &known[i].a));
        }
    }
}

/* --- htinst ------------------------------------------------------------------ */

/* As the hardware does it: the offset gone, in place of rs1 what it says of the address. */
static uint64_t transformed(uint32_t full, uint32_t offset)
{
    bool is_store = (full & 0x7f) == 0x23;

    return (full & (is_store ? 0x01f0707fu : 0x00007fffu)) | offset << 15;
}

TEST(transformed_instructions)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct insn_access want = known[i].a;
        struct insn_access a;

        if (want.length == 4) {
            uint64_t h = transformed(known[i].insn, 0);

            REQUIRE(htinst_decode(h, &a));
            CHECK(same(&a, &want));
            /* The same from a compressed original. */
            want.length = 2;
            REQUIRE(htinst_decode(h & ~UINT64_C(2), &a));
            CHECK(same(&a, &want));
        }
    }
}

static enum insn_kind kind_of(uint64_t htinst)
{
    struct insn_access a;
    bool access = htinst_decode(htinst, &a);

    CHECK_EQ(access, a.kind == INSN_ACCESS);
    return a.kind;
}

TEST(htinst_that_says_nothing)
{
    CHECK_EQ(kind_of(0), INSN_UNKNOWN);
    CHECK_EQ(kind_of(0x4000), INSN_UNKNOWN); /* no pseudoinstruction there is */
    CHECK_EQ(kind_of(UINT64_C(0x100002003)), INSN_UNKNOWN);
    CHECK_EQ(kind_of(0xffc42283), INSN_UNKNOWN); /* the offset is still there */
    CHECK_EQ(kind_of(0xfff43c23), INSN_UNKNOWN);
    CHECK_EQ(kind_of(UINT64_C(0x100003000)), INSN_UNKNOWN);
}

TEST(htinst_of_the_guests_page_tables)
{
    CHECK_EQ(kind_of(0x2000), INSN_IMPLICIT);
    CHECK_EQ(kind_of(0x2020), INSN_IMPLICIT);
    CHECK_EQ(kind_of(0x3000), INSN_IMPLICIT);
    CHECK_EQ(kind_of(0x3020), INSN_IMPLICIT);
}

TEST(htinst_of_what_no_device_takes)
{
    CHECK_EQ(kind_of(0x1000252f), INSN_OTHER); /* lr.w */
    CHECK_EQ(kind_of(0x00b0252f), INSN_OTHER); /* amoadd.w */
    CHECK_EQ(kind_of(0x00002507), INSN_OTHER); /* flw */
    CHECK_EQ(kind_of(0x00003505), INSN_OTHER); /* c.fld */
    CHECK_EQ(kind_of(0x00007503), INSN_OTHER); /* no LDU */
    /* The second page of an access that crosses into it. */
    CHECK_EQ(kind_of(transformed(0x00052003, 2)), INSN_OTHER);
    CHECK_EQ(kind_of(transformed(0x00a5a223, 3)), INSN_OTHER);
}

/* --- Any word ------------------------------------------------------------------ */

static bool is_sane(const struct insn_access *a)
{
    return is_power_of_two(a->size) && a->size <= 8 && a->reg < 32 &&
           (a->length == 2 || a->length == 4) && !(a->write && a->sign);
}

TEST(any_word_gives_a_sane_access)
{
    uint32_t word = 1;

    for (uint32_t i = 0; i < 2000000; i++) {
        struct insn_access a;

        word = word * 1664525u + 1013904223u;
        uint32_t insn = word ^ word >> 15;

        if (insn_decode(insn, &a)) {
            REQUIRE(is_sane(&a));
            REQUIRE(a.length == ((insn & 3) == 3 ? 4 : 2));
            /* Nothing but LOAD and STORE among the long ones. */
            REQUIRE(a.length == 2 || (insn & 0x7f) == (a.write ? 0x23 : 0x03));
        }
        if (htinst_decode(insn, &a)) {
            REQUIRE(is_sane(&a));
            REQUIRE(insn == (transformed(insn | 2, 0) & ~(insn & 2 ? 0u : 2u)));
        }
    }
}

/* Each word of 16 bits that is a load or store at all; counted by hand from the tables of C. */
TEST(compressed_accesses_are_as_many_as_there_are)
{
    uint32_t loads = 0, stores = 0;

    for (uint32_t insn = 0; insn < 0x10000; insn++) {
        struct insn_access a;

        if ((insn & 3) != 3 && insn_decode(insn, &a)) {
            loads += !a.write;
            stores += a.write;
        }
    }
    /* c.lw, c.ld: 2^11; c.lwsp, c.ldsp: 31 registers, 64 offsets; c.lbu, c.lh and c.lhu: 256. */
    CHECK_EQ(loads, 2 * 2048 + 2 * 31 * 64 + 2 * 256);
    /* c.sw, c.sd, c.swsp, c.sdsp: 2^11 each; c.sb 256, c.sh 128. */
    CHECK_EQ(stores, 4 * 2048 + 256 + 128);
}
