/* SPDX-License-Identifier: MIT */
/* Decoder of A64 loads and stores, for accesses to devices without a valid syndrome (decode.c). */
#ifndef ARM64_DECODE_H
#define ARM64_DECODE_H

#include <loam/types.h>

struct insn_access {
    uint8_t size;      /* bytes of one register's access: 1, 2, 4, 8, 16 */
    uint8_t nr;        /* registers: 1 or 2 */
    uint8_t rt, rt2;
    bool write;
    bool simd;         /* rt, rt2 are SIMD registers */
    bool sign;         /* a read is sign-extended */
    bool wide;         /* ... to 64 bits, else 32 */
    bool writeback;    /* base register += offset */
    bool post;         /* ... after the access, which is at the base itself */
    uint8_t rn;        /* base register, 31: SP */
    int64_t offset;
};

/*
 * What the load or store `insn` does. Understood: LDR, STR and their forms of
 * one and two registers, integer and SIMD, with any addressing. Not: exclusive,
 * ordered, atomic, prefetch, tag and structure accesses, which are not for
 * devices. Returns false for all else.
 */
bool insn_decode(uint32_t insn, struct insn_access *a);

#endif
