/* SPDX-License-Identifier: MIT */
/* ID registers as guests see them (idreg.c). */
#ifndef ARM64_IDREG_H
#define ARM64_IDREG_H

#include <loam/types.h>

#define IDREG_INDEX(crm, op2) ((crm) * 8 + (op2))
#define IDREG_AA64PFR0 IDREG_INDEX(4, 0)
#define IDREG_AA64PFR1 IDREG_INDEX(4, 1)
#define IDREG_AA64ZFR0 IDREG_INDEX(4, 4)
#define IDREG_AA64MMFR1 IDREG_INDEX(7, 1)

/*
 * What of a register (op0 3, op1 0, CRn 0, CRm 1..7, op2) a guest may see:
 * fields that are not on the allow-list read as zero, others at most as the
 * list says. An unallocated register is zero.
 */
uint64_t idreg_filter(uint32_t crm, uint32_t op2, uint64_t host, bool pauth);

/* A guest with SVE: the value of register index for it. */
uint64_t idreg_with_sve(uint32_t index, uint64_t filtered, uint64_t host);

struct arch_host;
/* Fills h->idreg from this CPU. */
void idreg_init(struct arch_host *h);

#endif
