/* SPDX-License-Identifier: MIT */
/*
 * riscv64 for the counter: levels are QEMU's register "priv", the privilege with V as bit 2, so
 * 0 U, 1 HS, 3 M, 4 VU, 5 VS. A marker is `slti x0, x<kind>, id`, a HINT without effect that is
 * free for custom use (Unpriv. spec 2.9), with the payload's upper 4 and lower 12 bits. Decoding
 * follows the Unpriv. spec (its listings of instructions), only as far as events need it.
 *
 * What comes from U is no trap of HS mode: a program there serves the hypervisor and is no guest.
 */
#include "target.h"

enum { LEVEL_U = 0, LEVEL_HS = 1, LEVEL_M = 3, LEVEL_VU = 4, LEVEL_VS = 5, NR_LEVELS = 6 };
enum {
    OP_LOAD = 0x03,
    OP_LOAD_FP = 0x07,
    OP_MISC_MEM = 0x0f,
    OP_STORE = 0x23,
    OP_STORE_FP = 0x27,
    OP_AMO = 0x2f,
    OP_SYSTEM = 0x73,
};
enum {
    CAUSE_ECALL_HS = 9,
    CAUSE_ECALL_VS = 10,
    CAUSE_INSN_GUEST_PAGE = 20,
    CAUSE_LOAD_GUEST_PAGE = 21,
    CAUSE_VIRTUAL_INSN = 22,
    CAUSE_STORE_GUEST_PAGE = 23,
};

/* Of the faulting address shifted right by 2: the 4-KiB page. */
#define HTVAL_PAGE (~0x3ffull)

static unsigned int marker(uint32_t w)
{
    bool is_slti_x0 = (w & 0x7fff) == 0x2013;

    return is_slti_x0 ? (w >> 15 & 15) << 12 | w >> 20 : 0;
}

static bool is_compressed(uint32_t w) { return (w & 3) != 3; }

/* Loads and stores of C have funct3 1 to 3 and 5 to 7 in quadrants 0 and 2; Zcb has 4 in 0. */
static enum event classify_compressed(uint32_t w)
{
    unsigned int quadrant = w & 3, funct3 = w >> 13 & 7;

    if (quadrant == 1 || funct3 == 0 || (quadrant == 2 && funct3 == 4)) {
        return INSN;
    }
    if (funct3 == 4) {
        return (w >> 11 & 1) ? STORE : LOAD;
    }
    return funct3 > 4 ? STORE : LOAD;
}

static enum event classify_system(uint32_t w)
{
    unsigned int funct3 = w >> 12 & 7, funct7 = w >> 25;

    if (funct3 == 4) { /* HLV, HSV */
        return (funct7 & 1) ? STORE : LOAD;
    }
    if (funct3 != 0) {
        return SYSREG;
    }
    switch (funct7) {
    case 0x09: /* SFENCE.VMA, HFENCE.VVMA, HFENCE.GVMA, and Svinval's invalidations */
    case 0x11:
    case 0x31:
    case 0x0b:
    case 0x13:
    case 0x33:
        return TLBI;
    default:
        break;
    }
    if (w == 0x10200073 || w == 0x30200073) { /* SRET, MRET */
        return ERET;
    }
    return w == 0x10500073 ? SYSOP : INSN; /* WFI */
}

static enum event classify(uint32_t w)
{
    if (is_compressed(w)) {
        return classify_compressed(w);
    }
    switch (w & 0x7f) {
    case OP_LOAD:
    case OP_LOAD_FP:
        return LOAD;
    case OP_STORE:
    case OP_STORE_FP:
        return STORE;
    case OP_AMO:
        return ATOMIC;
    case OP_MISC_MEM:
        return (w >> 12 & 7) == 2 ? SYSOP : BARRIER; /* CBO.* */
    case OP_SYSTEM:
        return classify_system(w);
    default:
        return INSN;
    }
}

static bool may_leave(uint32_t w)
{
    return classify(w) != INSN || (!is_compressed(w) && (w & 0x7f) == OP_SYSTEM);
}

const struct target target_riscv64 = {
    .name = "riscv64",
    .nr_levels = NR_LEVELS,
    .hypervisor = LEVEL_HS,
    .guests = 1 << LEVEL_VU | 1 << LEVEL_VS,
    .below = {
        [LEVEL_VS] = 1 << LEVEL_VU,
        [LEVEL_HS] = 1 << LEVEL_VU | 1 << LEVEL_VS,
        [LEVEL_M] = 1 << LEVEL_VU | 1 << LEVEL_VS | 1 << LEVEL_U | 1 << LEVEL_HS,
    },
    .level_register = "priv",
    .level_mask = 7,
    .trap = {
        [LEVEL_HS] = {
            .vector = "stvec",
            .cause = "scause",
            .detail = {
                [CAUSE_ECALL_VS] = { "a7", ~0ull },
                [CAUSE_INSN_GUEST_PAGE] = { "htval", HTVAL_PAGE },
                [CAUSE_LOAD_GUEST_PAGE] = { "htval", HTVAL_PAGE },
                [CAUSE_VIRTUAL_INSN] = { "stval", ~0ull },
                [CAUSE_STORE_GUEST_PAGE] = { "htval", HTVAL_PAGE },
            },
        },
        [LEVEL_M] = {
            .vector = "mtvec",
            .cause = "mcause",
            .detail = { [CAUSE_ECALL_HS] = { "a7", ~0ull } },
        },
    },
    .marker = marker,
    .classify = classify,
    .may_leave = may_leave,
};
