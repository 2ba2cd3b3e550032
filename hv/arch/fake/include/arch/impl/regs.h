/* SPDX-License-Identifier: MIT */
/*
 * The fake architecture's private state: a host library whose guests are
 * scripts of exits and whose hardware is modelled where an emulator shows
 * nothing (stale TLB entries, dirty caches). Tests include <arch/impl/fake.h>.
 */
#ifndef ARCH_IMPL_REGS_H
#define ARCH_IMPL_REGS_H

#include <loam/types.h>

#define FAKE_REGS 8
#define FAKE_VIRQS 256

struct arch_vcpu {
    uint64_t reg[FAKE_REGS]; /* hypercall: 0..4 arguments, 5 number, 0 result */
    uint64_t pc, boot_arg; /* pc counts up by 4 when an instruction is stepped over */
    uint64_t va_base; /* "virtual" addresses are guest-physical ones + va_base */
    uint64_t va_ro; /* guest-physical addresses below are read-only for the guest itself */
    uint32_t pending; /* atomic: 1 while an interrupt waits */
    uint32_t delivered; /* times that a pending interrupt was given to it */
    uint32_t events; /* calls of arch_vintc_event() */
    uint32_t injected; /* FAKE_INJECT_* that happened */
    uint32_t resets; /* calls of arch_vcpu_reset() */
    uint64_t loads, saves; /* how often its state moved */
    bool repeat; /* arch_hc_repeat(): the hypercall is made again */
    struct fake_script *script;
};

#define FAKE_INJECT_ACCESS 1
#define FAKE_INJECT_UNDEFINED 2

static inline uint64_t arch_hc_number(const struct arch_vcpu *a) { return a->reg[5]; }
static inline uint64_t *arch_hc_args(struct arch_vcpu *a) { return a->reg; }
static inline void arch_hc_set_result(struct arch_vcpu *a, uint64_t value) { a->reg[0] = value; }

struct arch_domain {
    bool has_vintc;
    uint64_t level[FAKE_VIRQS / 64]; /* shared interrupt lines that are high */
    uint64_t pulsed[FAKE_VIRQS / 64]; /* edges that no vCPU took yet */
    uint16_t host_irq[FAKE_VIRQS]; /* tied to host interrupt n - 1, 0: to none */
};

#define FAKE_TLB_ENTRIES 64

struct fake_tlb_entry {
    bool valid;
    uint16_t vmid;
    uint8_t order;
    uint8_t type;
    gfn_t gfn;
    mfn_t mfn;
};

struct arch_pcpu {
    ns_t deadline; /* of the timer; NS_NEVER: off */
    bool dead; /* it does not start */
    bool kicked; /* atomic */
    uint32_t kicks; /* kicks that arrived */
    uint32_t tlb_next; /* entry to be replaced next */
    struct fake_tlb_entry tlb[FAKE_TLB_ENTRIES];
};

#endif
