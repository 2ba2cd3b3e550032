/* SPDX-License-Identifier: MIT */
/* Decoder of loads and stores of integer registers, for accesses to emulated devices (decode.c). */
#ifndef RISCV64_DECODE_H
#define RISCV64_DECODE_H

#include <loam/types.h>

enum insn_kind {
    INSN_ACCESS, /* a load or store of the forms below: the other fields are valid */
    INSN_OTHER, /* anything else: it cannot access an emulated device */
    INSN_UNKNOWN, /* htinst only: nothing was said, the instruction must be fetched */
    INSN_IMPLICIT, /* htinst only: the CPU's own access to the guest's page tables */
};

struct insn_access {
    enum insn_kind kind;
    uint8_t size; /* bytes of the access: 1, 2, 4, 8 */
    uint8_t reg; /* where a load goes, 0: nowhere; what a store stores, 0: zeros */
    uint8_t length; /* bytes of the instruction: 2, 4 */
    bool write;
    bool sign; /* what was loaded is sign-extended to 64 bits, else zero-extended */
};

/*
 * What the instruction does whose first bytes are insn; for one of two bytes the
 * upper half is ignored. Understood: LB to LD, SB to SD, their compressed forms
 * (C, Zcb). Not: AMO, LR, SC and floating point, which no driver uses on devices.
 * Returns whether it is INSN_ACCESS.
 */
bool insn_decode(uint32_t insn, struct insn_access *out);

/*
 * The same for what a trap left in htinst (Priv. spec 21.6.3): a transformed
 * instruction or a pseudoinstruction. A part of a misaligned access that is not its
 * first is INSN_OTHER: no device takes half of an access.
 */
bool htinst_decode(uint64_t htinst, struct insn_access *out);

#endif
