/* SPDX-License-Identifier: MIT */
/*
 * The fake architecture's private state: a host library whose guests are
 * scripts of exits and whose hardware is modelled where QEMU shows nothing
 * (stale TLB entries, dirty caches). See arch/fake/fake.h.
 */
#ifndef ARCH_IMPL_REGS_H
#define ARCH_IMPL_REGS_H

#include <loam/types.h>

#define FAKE_REGS 8

struct arch_vcpu {
    uint64_t reg[FAKE_REGS]; /* hypercall: 0..4 arguments, 5 number, 0 result */
    uint64_t pc, boot_arg;
    uint32_t pending;        /* atomic: interrupts that wait */
    uint32_t injected;       /* faults injected, FAKE_INJECT_* */
    uint64_t loads, saves;   /* how often its state moved */
    const void *script;
};

static inline uint64_t arch_hc_number(const struct arch_vcpu *a) { return a->reg[5]; }
static inline const uint64_t *arch_hc_args(const struct arch_vcpu *a) { return a->reg; }
static inline void arch_hc_set_result(struct arch_vcpu *a, uint64_t value) { a->reg[0] = value; }

struct arch_domain {
    uint32_t vmid;
    uint64_t lines[4];       /* level of shared interrupt lines */
};

struct arch_pcpu {
    uint64_t deadline;       /* timer */
    uint32_t irq_pending;    /* atomic: FAKE_IRQ_* */
    void *tlb;               /* model of cached translations */
};

#endif
