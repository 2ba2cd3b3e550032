/* SPDX-License-Identifier: MIT */
/*
 * A64 loads and stores (Arm DDI 0487 C4.1.94): the encodings that an operating
 * system may use on device registers without giving a valid syndrome: pairs,
 * SIMD registers, base register update. Pure: runs on the host too
 * (tests/unit/test_arm64_decode.c).
 */
#include <loam/types.h>

#include "decode.h"

static inline uint32_t bits(uint32_t insn, uint32_t hi, uint32_t lo)
{
    return insn >> lo & ((1u << (hi - lo + 1)) - 1);
}

static inline int64_t sign_extend(uint32_t value, uint32_t width)
{
    return (int64_t)((uint64_t)value << (64 - width)) >> (64 - width);
}

/* Load/store register pair: opc 101 V 0 mode L imm7 Rt2 Rn Rt. */
static bool decode_pair(uint32_t insn, struct insn_access *a)
{
    uint32_t opc = bits(insn, 31, 30);
    uint32_t mode = bits(insn, 24, 23); /* 0: no-allocate, 1: post, 2: offset, 3: pre */

    a->simd = bits(insn, 26, 26);
    a->write = !bits(insn, 22, 22);
    if (opc == 3) {
        return false;
    }
    if (a->simd) {
        a->size = (uint8_t)(4u << opc);
    } else if (opc == 1) {
        /* LDPSW; the store of this encoding is STGP, and there is no no-allocate form. */
        if (a->write || mode == 0) {
            return false;
        }
        a->size = 4;
        a->sign = true;
        a->wide = true;
    } else {
        a->size = opc == 0 ? 4 : 8;
    }
    a->nr = 2;
    a->rt2 = (uint8_t)bits(insn, 14, 10);
    a->writeback = mode & 1;
    a->post = mode == 1;
    a->offset = sign_extend(bits(insn, 21, 15), 7) * a->size;
    return true;
}

/* Size, direction and extension of the single-register forms: size 111 V .. opc. */
static bool decode_single(uint32_t insn, struct insn_access *a)
{
    uint32_t size = bits(insn, 31, 30);
    uint32_t opc = bits(insn, 23, 22);

    a->nr = 1;
    a->simd = bits(insn, 26, 26);
    if (a->simd) {
        /* opc<1> makes size 0 a 128-bit access. */
        if (opc >= 2 && size != 0) {
            return false;
        }
        a->size = opc >= 2 ? 16 : (uint8_t)(1u << size);
        a->write = !(opc & 1);
        return true;
    }
    a->size = (uint8_t)(1u << size);
    a->write = opc == 0;
    if (opc >= 2) {
        /* Signed loads: to 64 bits (opc 2), to 32 (opc 3); size 3 opc 2 is PRFM. */
        if (size == 3 || (size == 2 && opc == 3)) {
            return false;
        }
        a->sign = true;
        a->wide = opc == 2;
    }
    return true;
}

bool insn_decode(uint32_t insn, struct insn_access *a)
{
    *a = (struct insn_access){
        .rt = (uint8_t)bits(insn, 4, 0),
        .rn = (uint8_t)bits(insn, 9, 5),
    };
    if (bits(insn, 29, 27) == 5 && bits(insn, 25, 25) == 0) {
        return decode_pair(insn, a);
    }
    if (bits(insn, 29, 27) != 7 || bits(insn, 25, 25) != 0) {
        return false;
    }
    if (bits(insn, 24, 24)) { /* unsigned immediate */
        return decode_single(insn, a);
    }
    uint32_t form = bits(insn, 11, 10);

    if (bits(insn, 21, 21)) {
        /* 10: register offset; option must name a 32- or 64-bit index. The others are atomics. */
        return form == 2 && bits(insn, 14, 14) && decode_single(insn, a);
    }
    /* 00: unscaled, 01: post-index, 10: unprivileged, 11: pre-index. */
    if (form == 2 && bits(insn, 26, 26)) {
        return false;
    }
    a->writeback = form & 1;
    a->post = form == 1;
    a->offset = sign_extend(bits(insn, 20, 12), 9);
    return decode_single(insn, a);
}
