/* SPDX-License-Identifier: MIT */
/* Counters of a guest: SBI PMU, and the CSRs cycle and instret (vpmu.c). */
#ifndef RISCV64_VPMU_H
#define RISCV64_VPMU_H

#include <loam/atomic.h>
#include <loam/vcpu.h>

#include "sbi.h"

/*
 * What firmware counts, by event code (SBI 2.0 11.5). Not here are misaligned accesses,
 * which never come to the hypervisor, and fences of the hypervisor extension.
 */
enum pmu_event {
    PMU_EVENT_ACCESS_LOAD = 2,
    PMU_EVENT_ACCESS_STORE,
    PMU_EVENT_ILLEGAL_INSN,
    PMU_EVENT_SET_TIMER,
    PMU_EVENT_IPI_SENT,
    PMU_EVENT_IPI_RECEIVED,
    PMU_EVENT_FENCE_I_SENT, /* fences: _RECEIVED follows each */
    PMU_EVENT_SFENCE_VMA_SENT = PMU_EVENT_FENCE_I_SENT + 2,
    PMU_EVENT_SFENCE_VMA_ASID_SENT = PMU_EVENT_SFENCE_VMA_SENT + 2,
    PMU_EVENTS_END = PMU_EVENT_SFENCE_VMA_ASID_SENT + 2,
};
_Static_assert(PMU_EVENTS_END - PMU_EVENT_ACCESS_LOAD == PMU_EVENTS, "struct arch_pmu");

/* Something happened to v, current. */
static inline void vpmu_count(struct vcpu *v, enum pmu_event event)
{
    v->arch.pmu.events[event - PMU_EVENT_ACCESS_LOAD]++;
}

/* v sent `what` (IPI or a fence) to another vCPU. Context: v is current. */
static inline void vpmu_count_sent(struct vcpu *v, struct vcpu *to, enum pmu_event what)
{
    uint64_t *received = &to->arch.pmu.events[what + 1 - PMU_EVENT_ACCESS_LOAD];

    vpmu_count(v, what);
    atomic_fetch_add_relaxed(received, 1);
}

/* All counters stopped, at 0, without an event. v is not loaded. */
void vpmu_reset(struct vcpu *v);

/* The counters' part of arch_vcpu_load() and arch_vcpu_save(), of a vCPU with RARE_PMU. */
void vpmu_load(struct vcpu *v);
void vpmu_save(struct vcpu *v);

/* Answers v's call of a function of SBI PMU. Context: v is current. */
struct sbi_ret vpmu_call(struct vcpu *v, uint64_t fn, const uint64_t *arg);
#define VPMU_FUNCTIONS (SBI_PMU_FW_READ_HI + 1)

/*
 * v, current, executed `insn`, which raised a virtual-instruction exception: true if it
 * read cycle or instret, done and stepped over.
 */
bool vpmu_csr(struct vcpu *v, uint32_t insn);

#endif
