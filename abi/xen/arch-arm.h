/* SPDX-License-Identifier: MIT */
/* What a toolstack says and reads of arm64 domains and vCPUs (Xen public header arch-arm.h). */
#ifndef XEN_ARCH_ARM_H
#define XEN_ARCH_ARM_H

#include <stdint.h>

#define XEN_DOMCTL_CONFIG_GIC_NATIVE 0
#define XEN_DOMCTL_CONFIG_GIC_V2 1
#define XEN_DOMCTL_CONFIG_GIC_V3 2
#define XEN_DOMCTL_CONFIG_TEE_NONE 0
#define XEN_DOMCTL_CONFIG_ARM_SCI_NONE 0

struct xen_arch_domainconfig {
    uint8_t gic_version;      /* in, out */
    uint8_t sve_vl;           /* vector length / 128, since 4.18 */
    uint16_t tee_type;
    uint32_t nr_spis;
    uint32_t clock_frequency; /* out: clock-frequency of the host's timer node, 0: it has none */
    uint8_t arm_sci_type;     /* since 4.21 */
    uint8_t v8r_el1_msa;      /* since 4.22 */
    uint8_t pad[2];
};

struct vcpu_guest_core_regs {
    uint64_t x[31];
    uint64_t pc64;
    uint64_t cpsr;
    uint64_t spsr_el1;
    uint32_t spsr_fiq, spsr_irq, spsr_und, spsr_abt;
    uint64_t sp_el0;
    uint64_t sp_el1, elr_el1;
};

#define VGCF_online 1u

struct vcpu_guest_context {
    uint32_t flags; /* VGCF_* */
    struct vcpu_guest_core_regs user_regs;
    uint64_t sctlr;
    uint64_t ttbcr, ttbr0, ttbr1;
};

#endif
