/* SPDX-License-Identifier: MIT */
/*
 * riscv64: layout of the guest's and the CPU's private state.
 *
 * While a vCPU is loaded on a CPU the hardware holds all of struct arch_vs, the
 * floating point registers, sepc, hstatus and the guest's interrupts (hvip), and
 * its vector registers if it uses them (vector.c); only x[] is stored at each exit
 * (entry.S: what C may clobber always, s0-s11 before anything that may switch). The
 * hypervisor takes no trap of its own, so that sepc, hstatus.SPV and sstatus.SPP
 * stay the guest's over an exit.
 */
#ifndef ARCH_IMPL_REGS_H
#define ARCH_IMPL_REGS_H

#include <arch/impl/vintc.h>
#include <loam/types.h>

/* Numbers of integer registers in arch_vcpu.x[]: calling convention names. */
enum { REG_RA = 1, REG_SP = 2, REG_A0 = 10, REG_A1 = 11, REG_A6 = 16, REG_A7 = 17 };

/* VS-mode CSRs of a vCPU that is not loaded (Priv. spec 21.2). */
struct arch_vs {
    uint64_t status, ie;
    uint64_t tvec, scratch;
    uint64_t epc, cause;
    uint64_t tval, atp;
    uint64_t counteren, envcfg; /* scounteren, senvcfg: U-mode's view, not banked by hardware */
};

struct arch_fp {
    uint64_t f[32];
    uint64_t fcsr;
};

#define PMU_COUNTERS 11 /* cycle, none, instret; then firmware's */
#define PMU_HARDWARE 5u /* the bits of cycle and instret among them */
#define PMU_EVENTS 12 /* what firmware can count */

/* Counters by SBI PMU (vpmu.c). */
struct arch_pmu {
    uint32_t running; /* bits of counters */
    uint8_t event[PMU_COUNTERS]; /* what each counts: code of a firmware event; 0: nothing */
    uint64_t value[PMU_COUNTERS]; /* of a stopped counter; of a running one: minus its source */
    uint64_t events[PMU_EVENTS]; /* so far, by code; atomic where others add to it */
};

struct vector_regs; /* vector.c */

struct arch_vector {
    struct vector_regs *regs; /* NULL: guests are not told of V */
    uint32_t cpu; /* pcpu whose vector registers hold regs as it is, UINT32_MAX: none */
    bool active; /* it changed them when it was loaded last */
};

/* Bits of arch_vcpu.rare. */
#define RARE_VECTOR 1u /* it used V since its reset (vector.c) */
#define RARE_PMU 2u /* its cycle or instret counter is running (vpmu.c) */

struct arch_vcpu {
    uint64_t x[32]; /* by number; x[0] is never used. entry.S knows this offset is 0 */
    uint64_t pc;
    uint64_t hstatus; /* SPV, SPVP, VTW, VGEIN ...; without VTW while it runs dedicated */
    uint64_t sstatus; /* SPP: the mode it goes on in; FS: Clean, as it is loaded */
    struct arch_vs vs;
    /*
     * Interrupts, by bits of hip. `lines` are levels that only the hypervisor changes
     * (VSTIP without Sstc, VSEIP): atomic, any CPU. `soft` asks for VSSIP, which the
     * guest itself clears: atomic, taken when it is entered. `hvip` is the register
     * as of the last save, or as last written while loaded.
     */
    uint64_t lines;
    uint32_t soft;
    uint32_t fence; /* atomic: FENCE_* that it owes before it runs again (vfence.c) */
    uint64_t hvip;
    uint64_t timecmp; /* guest's deadline in its own time, UINT64_MAX: none */
    uint32_t tlb_cpu; /* pcpu whose TLB may hold what this vCPU walked, UINT32_MAX: none */
    struct vintc_cpu vintc;
    uint32_t fp_cpu; /* pcpu whose FP registers hold fp as it is, UINT32_MAX: none */
    struct arch_fp fp;
    uint32_t rare; /* RARE_*: what few vCPUs have to load and save */
    struct arch_vector vector;
    struct arch_pmu pmu;
};

/*
 * Hypercalls: ecall with a7 = XEN_HYPERCALL_EID, number in a6, arguments in
 * a1-a5, result in a0 (hvcall.h).
 */
static inline uint64_t arch_hc_number(const struct arch_vcpu *a) { return a->x[REG_A6]; }
static inline uint64_t *arch_hc_args(struct arch_vcpu *a) { return &a->x[REG_A1]; }
static inline void arch_hc_set_result(struct arch_vcpu *a, uint64_t value) { a->x[REG_A0] = value; }

struct arch_domain {
    struct vintc *vintc; /* the part that all vCPUs share (vintc.c) */
    uint64_t hgatp; /* but for the VMID */
    uint64_t time_offset; /* htimedelta: guest time - machine time */
    struct tlb_last *tlb; /* by pcpu: whose translations its TLB may hold (stage2.c) */
};

struct arch_host; /* what was found at boot, host.h */

struct arch_pcpu {
    uint64_t stack; /* top; entry.S loads it at each exit */
    uint64_t satp; /* for boot.S: the hypervisor's, and */
    uintptr_t self; /* the address of this pcpu in its address space */
    const struct arch_host *host;
    uint64_t hartid;
    const struct vcpu *fp_owner; /* whose FP registers the hardware holds */
    const struct vcpu *vector_owner; /* and whose vector registers */
    uint32_t hwid; /* index in host->cpu[] */
    struct vintc_pcpu vintc; /* guest interrupt files of this hart */
    uintptr_t claim; /* register that claims an interrupt: PLIC, APLIC without IMSIC */
    uintptr_t imsic; /* this hart's S-level interrupt file, mapped (imsic.c), 0: none */
};

#endif
