/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores of integer registers (Unprivileged ISA: RV64I, C, Zcb), and how a
 * trap describes them (Priv. spec 21.6.3). Pure: runs on the host too
 * (tests/unit/test_riscv64_decode.c).
 */
#include <loam/types.h>

#include "decode.h"

/* Major opcodes of 32-bit instructions, bits 6:0. */
#define OPCODE_LOAD 0x03
#define OPCODE_STORE 0x23

/* Bits of a transformed load, store that are always 0: what held the offset. */
#define LOAD_ZEROS 0xfff00000
#define STORE_ZEROS 0xfe000f80

/* Pseudoinstructions: reads and writes of page table entries of 4 and 8 bytes. */
#define PSEUDO_READ_4 0x2000
#define PSEUDO_WRITE_4 0x2020
#define PSEUDO_READ_8 0x3000
#define PSEUDO_WRITE_8 0x3020

static inline uint8_t bits(uint32_t insn, uint32_t hi, uint32_t lo)
{
    return (uint8_t)(insn >> lo & ((1u << (hi - lo + 1)) - 1));
}

static inline bool is_compressed(uint32_t insn) { return (insn & 3) != 3; }

static bool load(struct insn_access *a, uint8_t size, bool sign, uint8_t reg)
{
    a->kind = INSN_ACCESS;
    a->size = size;
    a->sign = sign;
    a->reg = reg;
    return true;
}

static bool store(struct insn_access *a, uint8_t size, uint8_t reg)
{
    a->kind = INSN_ACCESS;
    a->size = size;
    a->write = true;
    a->reg = reg;
    return true;
}

static bool decode_full(uint32_t insn, struct insn_access *a)
{
    uint8_t funct3 = bits(insn, 14, 12);
    uint8_t size = (uint8_t)(1u << (funct3 & 3));

    a->length = 4;
    switch (bits(insn, 6, 0)) {
    case OPCODE_LOAD:
        /* 0-3: signed, 4-6: unsigned, 7: there is no LDU. */
        return funct3 != 7 && load(a, size, funct3 < 4, bits(insn, 11, 7));
    case OPCODE_STORE:
        return funct3 < 4 && store(a, size, bits(insn, 24, 20));
    default:
        return false;
    }
}

/* Zcb: bytes and halfwords, x8-x15 only. Bit 6 is part of the offset, or of the operation. */
static bool decode_zcb(uint32_t insn, struct insn_access *a)
{
    uint8_t reg = 8 + bits(insn, 4, 2);

    switch (bits(insn, 12, 10)) {
    case 0: /* c.lbu */
        return load(a, 1, false, reg);
    case 1: /* c.lhu, c.lh */
        return load(a, 2, bits(insn, 6, 6), reg);
    case 2: /* c.sb */
        return store(a, 1, reg);
    case 3: /* c.sh */
        return !bits(insn, 6, 6) && store(a, 2, reg);
    default:
        return false;
    }
}

/* Bits 15:13 and 1:0 name the form; the ones left out are no loads, or of floating point. */
static bool decode_compressed(uint32_t insn, struct insn_access *a)
{
    uint8_t near = 8 + bits(insn, 4, 2); /* x8-x15 */
    uint8_t rd = bits(insn, 11, 7);
    uint8_t rs2 = bits(insn, 6, 2);

    a->length = 2;
    switch (bits(insn, 15, 13) << 2 | (insn & 3)) {
    case 2 << 2 | 0: /* c.lw */
        return load(a, 4, true, near);
    case 3 << 2 | 0: /* c.ld */
        return load(a, 8, true, near);
    case 4 << 2 | 0:
        return decode_zcb(insn, a);
    case 6 << 2 | 0: /* c.sw */
        return store(a, 4, near);
    case 7 << 2 | 0: /* c.sd */
        return store(a, 8, near);
    case 2 << 2 | 2: /* c.lwsp; rd 0 is reserved, here and below */
        return rd != 0 && load(a, 4, true, rd);
    case 3 << 2 | 2: /* c.ldsp */
        return rd != 0 && load(a, 8, true, rd);
    case 6 << 2 | 2: /* c.swsp */
        return store(a, 4, rs2);
    case 7 << 2 | 2: /* c.sdsp */
        return store(a, 8, rs2);
    default:
        return false;
    }
}

bool insn_decode(uint32_t insn, struct insn_access *out)
{
    *out = (struct insn_access){ .kind = INSN_OTHER };
    return is_compressed(insn) ? decode_compressed(insn, out) : decode_full(insn, out);
}

static bool is_pseudo(uint64_t htinst)
{
    return htinst == PSEUDO_READ_4 || htinst == PSEUDO_WRITE_4 || htinst == PSEUDO_READ_8 ||
           htinst == PSEUDO_WRITE_8;
}

bool htinst_decode(uint64_t htinst, struct insn_access *out)
{
    uint32_t insn = (uint32_t)htinst | 2; /* bit 1 tells the length of the original */

    *out = (struct insn_access){ .kind = INSN_UNKNOWN };
    if (is_pseudo(htinst)) {
        out->kind = INSN_IMPLICIT;
        return false;
    }
    if (htinst >> 32 != 0 || !(htinst & 1)) {
        return false;
    }
    out->kind = INSN_OTHER;
    if (!decode_full(insn, out)) {
        return false;
    }
    out->length = htinst & 2 ? 4 : 2;
    if (insn & (out->write ? STORE_ZEROS : LOAD_ZEROS)) {
        /* A load or store that was not transformed: a custom value that says nothing to us. */
        out->kind = INSN_UNKNOWN;
    } else if (bits(insn, 19, 15) != 0) {
        /* Offset of the faulting byte from the access's first. */
        out->kind = INSN_OTHER;
    }
    return out->kind == INSN_ACCESS;
}
