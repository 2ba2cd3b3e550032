/* SPDX-License-Identifier: MIT */
/* Cache maintenance by set and way, made good by address (set_way.c). */
#ifndef ARM64_SET_WAY_H
#define ARM64_SET_WAY_H

#include <loam/types.h>

struct vcpu;

/* A handler's answer besides enum vm_resume: the instruction is to be executed again. */
#define SYSREG_AGAIN (-1)

int set_way_op(struct vcpu *v, uint32_t key, uint64_t *value);
/* Writes of SCTLR_EL1 and of the other registers that HCR_EL2.TVM traps. */
int set_way_sctlr(struct vcpu *v, uint32_t key, uint64_t *value);
int set_way_tvm(struct vcpu *v, uint32_t key, uint64_t *value);

#endif
