/* SPDX-License-Identifier: MIT */
/*
 * cache: maintenance by set and way, and memory that survives it.
 *
 * Writes a pattern, cleans or invalidates every set and way of every level
 * that CLIDR_EL1 tells of, turns the MMU off and on in between, and reads the
 * pattern back. An invalidate may be upgraded to clean and invalidate (it must,
 * under a hypervisor: HCR_EL2.SWIO), so no data may be lost. Arm DDI 0487 D7.5.
 */

#include "guest.h"

static u64 data[32768] __attribute__((aligned(4096)));
static u64 operations;

enum kind { CLEAN, INVALIDATE, CLEAN_INVALIDATE };

static void one_way(enum kind kind, u64 value)
{
    switch (kind) {
    case CLEAN:
        __asm__ volatile("dc csw, %0" ::"r"(value) : "memory");
        break;
    case INVALIDATE:
        __asm__ volatile("dc isw, %0" ::"r"(value) : "memory");
        break;
    case CLEAN_INVALIDATE:
        __asm__ volatile("dc cisw, %0" ::"r"(value) : "memory");
        break;
    }
    operations++;
}

static u32 log2_up(u32 n)
{
    u32 bits = 0;

    while (1u << bits < n) {
        bits++;
    }
    return bits;
}

static void one_level(enum kind kind, u32 level, u32 limit)
{
    write_sysreg(csselr_el1, level << 1);
    u64 id = read_sysreg(ccsidr_el1);
    bool wide = (read_sysreg(s3_0_c0_c7_2) >> 20 & 0xf) == 1; /* ID_AA64MMFR2_EL1.CCIDX */
    u32 line = (u32)(id & 7) + 4;
    u32 ways = (u32)(wide ? id >> 3 & 0x1fffff : id >> 3 & 0x3ff) + 1;
    u32 sets = (u32)(wide ? id >> 32 & 0xffffff : id >> 13 & 0x7fff) + 1;
    u32 shift = 32 - log2_up(ways);

    for (u32 set = 0; set < sets && set < limit; set++) {
        for (u32 way = 0; way < ways; way++) {
            u64 upper = shift == 32 ? 0 : (u64)way << shift;
            one_way(kind, upper | (u64)set << line | level << 1);
        }
    }
}

static void all_levels(enum kind kind, u32 limit)
{
    u64 clidr = read_sysreg(clidr_el1);

    for (u32 level = 0; level < 7; level++) {
        u32 type = clidr >> 3 * level & 7;
        if (type == 0) {
            break;
        }
        if (type >= 2) {
            one_level(kind, level, limit);
        }
    }
    __asm__ volatile("dsb sy\n isb" ::: "memory");
}

static bool round_trip(enum kind kind, u32 limit, bool off)
{
    u64 salt = chance();
    bool ok = true;

    for (u64 i = 0; i < ARRAY_SIZE(data); i++) {
        data[i] = i * salt;
    }
    if (off) {
        all_levels(kind, limit);
        mmu_off();
        all_levels(kind, limit);
        mmu_on();
    }
    all_levels(kind, limit);
    for (u64 i = 0; i < ARRAY_SIZE(data); i++) {
        ok &= data[i] == i * salt;
    }
    return ok;
}

int main(void)
{
    static const char *const names[] = { "clean", "invalidate", "clean and invalidate" };
    u32 limit = (u32)option("sets", 16);
    u32 rounds = (u32)option("rounds", 4);

    for (u32 kind = 0; kind < 3; kind++) {
        bool ok = true;
        for (u32 n = 0; n < rounds; n++) {
            ok &= round_trip((enum kind)kind, limit, n & 1);
        }
        check(ok, "%s by set and way, %lu operations: nothing lost", names[kind], operations);
    }
    return 0;
}
