/* SPDX-License-Identifier: MIT */
/* Vector registers of guests (vector.c): whose are in the hardware, and when they move. */
#ifndef RISCV64_VECTOR_H
#define RISCV64_VECTOR_H

#include <loam/types.h>

struct hv;
struct pcpu;
struct vcpu;

/*
 * Finds the length of p's vector registers. All CPUs must have the same, or guests are not
 * told of V. sstatus is set up. Context: p itself, while it starts.
 */
void vector_cpu_init(struct pcpu *p);

/* Guests are to be told of V. */
bool vector_is_offered(const struct hv *hv);

/* Memory for v's registers. arch_vcpu_reset() must follow. Errors: -XEN_ENOMEM. */
int __must_check vector_vcpu_init(struct vcpu *v);
void vector_vcpu_fini(struct vcpu *v);
/* As a hart begins: zeros, no vector type. v is not loaded. */
void vector_vcpu_reset(struct vcpu *v);

/*
 * v, current, executed something illegal: true if it was because its vector registers are
 * not in the hardware. Now they are, and it is to execute it again.
 */
bool vector_use(struct vcpu *v);

/* The vector part of arch_vcpu_load() and arch_vcpu_save(), of a vCPU with RARE_VECTOR. */
void vector_load(struct vcpu *v, struct pcpu *p);
void vector_save(struct vcpu *v);

#endif
