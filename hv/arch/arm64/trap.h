/* SPDX-License-Identifier: MIT */
/*
 * Exits that only this architecture knows: trap.c (aborts, dispatch),
 * sysreg_trap.c (system registers), inject.c (exceptions into EL1).
 */
#ifndef ARM64_TRAP_H
#define ARM64_TRAP_H

#include <loam/types.h>

struct vcpu;
struct vm_exit;

/* ISS of a data or instruction abort (Arm DDI 0487 D24.2.40). */
#define ISS_FSC(esr) ((uint32_t)(esr) & 0x3f)
#define ISS_WNR BIT(6)
#define ISS_S1PTW BIT(7)
#define ISS_CM BIT(8)
#define ISS_FNV BIT(10)
#define ISS_SF BIT(15)
#define ISS_SSE BIT(21)
#define ISS_ISV BIT(24)
#define FSC_TYPE(fsc) ((fsc) & 0x3c)
#define FSC_TRANSLATION 0x04
#define FSC_ACCESS 0x08
#define FSC_PERMISSION 0x0c
#define FSC_EXTERNAL 0x10
#define FSC_EXTERNAL_WALK 0x14

/*
 * Fills x->mmio for a data abort whose syndrome says all about the access.
 * False: it does not, or it is no plain access to an unmapped address.
 */
bool decode_mmio(struct vcpu *v, uint64_t esr, struct vm_exit *x);

/* Over the instruction that trapped: HVC excepted, ELR_EL2 points at it. */
void trap_skip(void);

/* A trapped MSR, MRS or SYS instruction; returns enum vm_resume. */
int sysreg_trap(struct vcpu *v, uint64_t esr);

/* Exceptions into EL1; v is current. FAR_EL2 is the guest's address of the abort. */
void inject_undefined(struct vcpu *v);
void inject_data_abort(struct vcpu *v, uint64_t esr);
void inject_instruction_abort(struct vcpu *v, uint64_t esr);


#endif
