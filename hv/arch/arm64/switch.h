/* SPDX-License-Identifier: MIT */
/* switch.S: groups of guest registers between memory and the hardware. */
#ifndef ARM64_SWITCH_H
#define ARM64_SWITCH_H

#include <loam/types.h>

struct arch_el1;
struct arch_fp;
struct arch_keys;

void el1_save(struct arch_el1 *r);
void el1_load(const struct arch_el1 *r);
void keys_save(struct arch_keys *k);
void keys_load(const struct arch_keys *k);
void fp_save(struct arch_fp *fp);
void fp_load(const struct arch_fp *fp);

/* Bytes of a vector with ZCR_EL2 as it is. */
uint64_t sve_vl(void);
/* Z0-Z31 at z, P0-P15 and FFR at pred, FPCR and FPSR in fp; vector length: ZCR_EL2. */
void sve_save(void *z, void *pred, struct arch_fp *fp);
void sve_load(const void *z, const void *pred, const struct arch_fp *fp);

/* One register Qn; loading clears what an SVE register has above it, as the instruction does. */
void fp_reg_save(uint32_t n, uint64_t value[2]);
void fp_reg_load(uint32_t n, const uint64_t value[2]);

#endif
