/* SPDX-License-Identifier: MIT */
/*
 * The Xen hypercall convention on riscv64: a proposal, in this header and in the
 * accessors of arch/impl/regs.h alone, so that it is easy to change.
 *
 *   ecall with a7 = 0x0a000007   SBI's space for firmware specific extensions
 *                                (SBI 2.0 ch. 17) | 7, Xen's implementation id
 *   a6 number, a1-a5 arguments, result in a0, all else preserved
 *
 * Addresses in arguments are virtual ones of the vCPU that calls, as on the
 * other architectures. There is no upstream convention; this is the one that
 * known ports of Linux guests use.
 */
#ifndef RISCV64_HVCALL_H
#define RISCV64_HVCALL_H

#define XEN_HYPERCALL_EID 0x0a000007

#endif
