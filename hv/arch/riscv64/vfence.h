/* SPDX-License-Identifier: MIT */
/* Fences that a guest asks for on its other vCPUs by SBI RFENCE (vfence.c). */
#ifndef RISCV64_VFENCE_H
#define RISCV64_VFENCE_H

#include <loam/types.h>

struct vcpu;

/* Bits of arch_vcpu.fence: what a vCPU that was not on a CPU owes when it is loaded. */
#define FENCE_I 1u
#define FENCE_VMA 2u

enum vfence_kind { VFENCE_I, VFENCE_VMA, VFENCE_VMA_ASID };

/*
 * Does the fence on each vCPU of v's domain whose bit is set in mask (bit n: vCPU base + n;
 * base UINT64_MAX: all), before it returns. start and size as SBI has them.
 * Context: v is current. Errors: -XEN_EINVAL base or a bit names no vCPU; none has fenced.
 */
int __must_check vfence(struct vcpu *v, enum vfence_kind kind, uint64_t mask, uint64_t base,
                        uint64_t start, uint64_t size, uint64_t asid);

/*
 * What v owes, done on this CPU, on which it is being loaded. Context: v->loaded_on is
 * this CPU and hgatp is v's. Full barrier inside.
 */
void vfence_pay(struct vcpu *v);

#endif
