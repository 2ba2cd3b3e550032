/* SPDX-License-Identifier: MIT */
/*
 * arm64 for the counter: levels are EL0 to EL3, a marker is `movz xzr, #payload`. Decoding follows
 * Arm DDI 0487 C4.1, only as far as events need it.
 */
#include "target.h"

static unsigned int marker(uint32_t w)
{
    bool is_movz_xzr = (w & 0xffe0001fu) == 0xd280001fu;

    return is_movz_xzr ? (w >> 5) & 0xffff : 0;
}

static bool is_memory_access(uint32_t w) { return (w & 0x0a000000u) == 0x08000000u; }

static bool is_atomic(uint32_t w)
{
    bool exclusive_or_cas = (w & 0x3f000000u) == 0x08000000u && (w & 0x00a00000u) != 0x00800000u;
    bool lse = (w & 0x3b200c00u) == 0x38200000u;

    return exclusive_or_cas || lse;
}

/* opc of the register forms (bits 23:22) is 0, and 2 for a 128-bit vector store; L otherwise. */
static bool is_store(uint32_t w)
{
    bool register_form = (w & 0x38000000u) == 0x38000000u;
    bool vector = (w & 0x04000000u) != 0;
    unsigned int opc = (w >> 22) & 3;

    if (register_form) {
        return opc == 0 || (vector && opc == 2);
    }
    return (w & 0x3b000000u) != 0x18000000u && (opc & 1) == 0;
}

static bool is_system(uint32_t w)
{
    return (w & 0xff000000u) == 0xd5000000u || (w & 0xff000000u) == 0xd4000000u;
}

static enum event classify(uint32_t w)
{
    if ((w & 0xffd00000u) == 0xd5100000u) { /* MRS, MSR (register) */
        return SYSREG;
    }
    if ((w & 0xffd80000u) == 0xd5080000u) { /* SYS, SYSL: TLBI is CRn 8 and 9 */
        return ((w >> 12) & 14) == 8 ? TLBI : SYSOP;
    }
    if ((w & 0xfffff01fu) == 0xd503301fu) { /* DSB, DMB, ISB, SB, CLREX */
        return BARRIER;
    }
    if ((w & 0xfffffbffu) == 0xd69f03e0u || (w & 0xfffffbffu) == 0xd69f0bffu) {
        return ERET;
    }
    if (is_memory_access(w)) {
        return is_atomic(w) ? ATOMIC : is_store(w) ? STORE : LOAD;
    }
    return INSN;
}

static bool may_leave(uint32_t w) { return is_memory_access(w) || is_system(w); }

const struct target target_arm64 = {
    .name = "aarch64",
    .nr_levels = 4,
    .hypervisor = 2,
    .guests = 1 << 0 | 1 << 1,
    .below = { [1] = 1 << 0, [2] = 1 << 0 | 1 << 1, [3] = 1 << 0 | 1 << 1 | 1 << 2 },
    .level_register = "cpsr", /* gdb's name for PSTATE */
    .level_shift = 2,
    .level_mask = 3,
    .marker = marker,
    .classify = classify,
    .may_leave = may_leave,
};
