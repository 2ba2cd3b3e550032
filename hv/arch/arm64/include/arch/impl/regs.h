/* SPDX-License-Identifier: MIT */
/*
 * arm64: layout of the guest's and the CPU's private state.
 *
 * While a vCPU is loaded on a CPU the hardware holds all of struct arch_el1,
 * the floating point registers, the keys, the timer and the list registers;
 * only x[] is stored at each exit (entry.S: x0-x18 and x30 always, x19-x29
 * before anything that may switch). ELR_EL2 and SPSR_EL2 stay in the hardware
 * too: the hypervisor takes no exception of its own.
 */
#ifndef ARCH_IMPL_REGS_H
#define ARCH_IMPL_REGS_H

#include <arch/impl/vgic.h>
#include <loam/types.h>

/* EL1 system registers of a vCPU that is not loaded (Arm DDI 0487 D24). */
struct arch_el1 {
    uint64_t sctlr, cpacr;
    uint64_t ttbr0, ttbr1;
    uint64_t tcr, mair;
    uint64_t amair, contextidr;
    uint64_t vbar, cntkctl;
    uint64_t elr, spsr;
    uint64_t esr, far;
    uint64_t afsr0, afsr1;
    uint64_t par, csselr;
    uint64_t tpidr, tpidrro_el0;
    uint64_t tpidr_el0, sp_el0;
    uint64_t sp_el1, mdscr;
    uint64_t actlr, spare;
};

/* Pointer authentication keys, low and high halves (FEAT_PAuth). */
struct arch_keys {
    uint64_t apia[2], apib[2], apda[2], apdb[2], apga[2];
};

struct arch_fp {
    uint64_t q[64] __aligned(16); /* Q0..Q31 */
    uint64_t fpcr, fpsr;
};

/* The SVE state beyond the Q registers, allocated only where the domain has it. */
struct arch_sve;

/* A guest's generic timers while not loaded (Arm DDI 0487 D11). */
struct arch_timers {
    uint64_t cntv_ctl, cntv_cval;
    uint64_t cntp_ctl, cntp_cval; /* emulated: the hypervisor's software timer */
};

struct arch_vcpu {
    uint64_t x[31]; /* entry.S knows this offset is 0 */
    uint64_t pc;
    uint64_t pstate;
    uint64_t hcr;   /* HCR_EL2 while it runs */
    uint64_t vmpidr;
    struct arch_el1 el1;
    struct arch_keys keys;
    struct arch_timers timers;
    struct arch_sve *sve; /* NULL: no SVE */
    uint64_t zcr;
    uint64_t clean_cursor; /* guest frame where cleaning goes on (set_way.c) */
    struct vgic_cpu vgic;
    struct arch_fp fp;
};

/* Hypercalls: number in x16, arguments in x0-x4, result in x0 (Xen public header arch-arm.h). */
static inline uint64_t arch_hc_number(const struct arch_vcpu *a) { return a->x[16]; }
static inline uint64_t *arch_hc_args(struct arch_vcpu *a) { return a->x; }
static inline void arch_hc_set_result(struct arch_vcpu *a, uint64_t value) { a->x[0] = value; }

struct vgic;

struct arch_domain {
    struct vgic *vgic;   /* the shared part, arch/arm64/vgicv3.c */
    uint64_t cntvoff;    /* virtual counter offset */
    uint64_t vcpu_hcr;   /* HCR_EL2 of its vCPUs, before dedicated CPUs */
    uint32_t sve_vq;     /* vector length in quadwords, 0: no SVE */
};

struct arch_host; /* what was found at boot, arch/arm64/host.h */

struct arch_pcpu {
    uint64_t stack;        /* top; entry.S keeps the running vCPU's address at stack - 16 */
    const struct arch_host *host;
    uint64_t mpidr;        /* affinity fields only */
    uintptr_t gicr;        /* this CPU's redistributor frames */
    uint64_t hcr;          /* what HCR_EL2 holds */
    uint32_t hwid;         /* index in the device tree's list of CPUs */
};

#endif
