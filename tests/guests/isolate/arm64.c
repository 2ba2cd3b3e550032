/* SPDX-License-Identifier: MIT */
/*
 * isolate, arm64: EL1 registers that nothing else here uses, SIMD registers, and
 * pointer-authentication keys.
 */

#include "isolate.h"

#define EL1_REGISTERS(X) \
    X(tpidrro_el0) \
    X(contextidr_el1) \
    X(far_el1) \
    X(par_el1) \
    X(sp_el0) \
    X(csselr_el1) \
    X(cntp_cval_el0) \
    X(cntv_cval_el0) \
    X(afsr0_el1) \
    X(afsr1_el1) \
    X(amair_el1) \
    X(tpidr_el0) \
    X(elr_el1) \
    X(spsr_el1) \
    X(esr_el1) \
    X(cntkctl_el1) \
    X(fpsr)

static void write_registers(u64 *expected)
{
    u32 n = 0;

    /* What can be kept of a value is the register's business: read it back. */
#define WRITE(r) \
    write_sysreg(r, mix(n)); \
    expected[n++] = read_sysreg(r);
    EL1_REGISTERS(WRITE)
#undef WRITE
}

static u32 check_registers(const u64 *expected)
{
    u32 n = 0, bad = 0;

#define CHECK(r) \
    if (read_sysreg(r) != expected[n]) { \
        print(#r " is 0x%lx, was 0x%lx\n", read_sysreg(r), expected[n]); \
        bad++; \
    } \
    n++;
    EL1_REGISTERS(CHECK)
#undef CHECK
    return bad;
}

static u64 vectors[64] __attribute__((aligned(16)));

static void load_vectors(const u64 *from)
{
    __asm__ volatile(".arch_extension simd\n"
                     "ldp q0, q1, [%0]\n ldp q2, q3, [%0, #32]\n ldp q4, q5, [%0, #64]\n"
                     "ldp q6, q7, [%0, #96]\n ldp q8, q9, [%0, #128]\n ldp q10, q11, [%0, #160]\n"
                     "ldp q12, q13, [%0, #192]\n ldp q14, q15, [%0, #224]\n"
                     "ldp q16, q17, [%0, #256]\n ldp q18, q19, [%0, #288]\n"
                     "ldp q20, q21, [%0, #320]\n ldp q22, q23, [%0, #352]\n"
                     "ldp q24, q25, [%0, #384]\n ldp q26, q27, [%0, #416]\n"
                     "ldp q28, q29, [%0, #448]\n ldp q30, q31, [%0, #480]" ::"r"(from)
                     : "memory");
}

static void store_vectors(u64 *to)
{
    __asm__ volatile(".arch_extension simd\n"
                     "stp q0, q1, [%0]\n stp q2, q3, [%0, #32]\n stp q4, q5, [%0, #64]\n"
                     "stp q6, q7, [%0, #96]\n stp q8, q9, [%0, #128]\n stp q10, q11, [%0, #160]\n"
                     "stp q12, q13, [%0, #192]\n stp q14, q15, [%0, #224]\n"
                     "stp q16, q17, [%0, #256]\n stp q18, q19, [%0, #288]\n"
                     "stp q20, q21, [%0, #320]\n stp q22, q23, [%0, #352]\n"
                     "stp q24, q25, [%0, #384]\n stp q26, q27, [%0, #416]\n"
                     "stp q28, q29, [%0, #448]\n stp q30, q31, [%0, #480]" ::"r"(to)
                     : "memory");
}

static u32 check_vectors(void)
{
    static u64 found[64] __attribute__((aligned(16)));
    u32 bad = 0;

    store_vectors(found);
    for (u32 i = 0; i < 64; i++) {
        bad += found[i] != vectors[i];
    }
    return bad;
}

/* --- pointer authentication -------------------------------------------------- */
static bool has_pauth(void)
{
    u64 isar1 = read_sysreg(id_aa64isar1_el1), isar2 = read_sysreg(s3_0_c0_c6_2);

    return (isar1 >> 4 & 0xff) || (isar2 >> 12 & 0xf);
}

static u64 sign(u64 pointer)
{
    register u64 x16 __asm__("x16") = pointer;
    register u64 x17 __asm__("x17") = 0x1234;

    __asm__ volatile(".arch_extension pauth\n pacia %0, %1" : "+r"(x16) : "r"(x17));
    return x16;
}

static void write_keys(void)
{
    write_sysreg(s3_0_c2_c1_0, mix(100)); /* APIAKeyLo_EL1 */
    write_sysreg(s3_0_c2_c1_1, mix(101));
    write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 1ul << 31); /* EnIA */
}

/* --- together ------------------------------------------------------------------- */
static u64 expected[20], signature;
static u32 bad_registers, bad_vectors, bad_signatures;
static bool pauth;

void registers_write(void)
{
    pauth = has_pauth();
    for (u32 i = 0; i < 64; i++) {
        vectors[i] = mix(200 + i);
    }
    if (pauth) {
        write_keys();
        signature = sign(0x40001234);
    }
    load_vectors(vectors);
    write_registers(expected);
}

bool registers_check(void)
{
    bad_registers += check_registers(expected);
    bad_vectors += check_vectors();
    bad_signatures += pauth && sign(0x40001234) != signature;
    return bad_registers <= 10;
}

void registers_report(void)
{
    check(!bad_registers, "EL1 registers, %u bad", bad_registers);
    check(!bad_vectors, "SIMD registers, %u bad", bad_vectors);
    check(!bad_signatures, "pointer authentication (%s), %u bad", pauth ? "on" : "absent",
          bad_signatures);
}
