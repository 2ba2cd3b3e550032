/* SPDX-License-Identifier: MIT */
/*
 * Exceptions into the guest's EL1, as the processor takes them
 * (Arm DDI 0487 D1.3, AArch64.TakeException). v is current: its registers are
 * in the hardware.
 */
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>

#include "host.h"
#include "idreg.h"
#include "sysreg.h"
#include "trap.h"

#define PSTATE_MODE 0x1f
#define PSTATE_AARCH32 BIT(4)
#define PSTATE_EL1T 4
#define PSTATE_EL1H 5
#define PSTATE_DAIF (UINT64_C(0xf) << 6)
#define PSTATE_BTYPE (UINT64_C(3) << 10)
#define PSTATE_SSBS BIT(12)
#define PSTATE_IL BIT(20)
#define PSTATE_SS BIT(21)
#define PSTATE_PAN BIT(22)
#define PSTATE_UAO BIT(23)
#define PSTATE_DIT BIT(24)
#define PSTATE_NZCV (UINT64_C(0xf) << 28)

#define SCTLR_SPAN BIT(23)
#define SCTLR_DSSBS BIT(44)

/* Where the vector of a synchronous exception from this state is. */
static uint64_t vector_offset(uint64_t spsr)
{
    if (spsr & PSTATE_AARCH32) {
        return 0x600;
    }
    switch (spsr & PSTATE_MODE) {
    case PSTATE_EL1H:
        return 0x200;
    case PSTATE_EL1T:
        return 0;
    default:
        return 0x400;
    }
}

static bool is_from_el1(uint64_t spsr)
{
    return !(spsr & PSTATE_AARCH32) && (spsr & PSTATE_MODE) != 0;
}

/* PSTATE at the vector: what the old one hands on and what SCTLR_EL1 asks for. */
static uint64_t entry_pstate(const struct vcpu *v, uint64_t spsr)
{
    const uint64_t *id = v->pcpu->arch.host->idreg;
    uint64_t sctlr = sysreg_read(sctlr_el1);
    /* In an AArch32 SPSR, DIT and PAN sit at the same places or mean nothing here. */
    uint64_t keep = PSTATE_NZCV | PSTATE_PAN | (spsr & PSTATE_AARCH32 ? 0 : PSTATE_DIT);
    uint64_t pstate = (spsr & keep) | PSTATE_DAIF | PSTATE_EL1H;

    if ((id[IDREG_AA64MMFR1] >> 20 & 0xf) == 0) {
        pstate &= ~PSTATE_PAN;
    } else if (!(sctlr & SCTLR_SPAN)) {
        pstate |= PSTATE_PAN;
    }
    if ((id[IDREG_AA64PFR1] >> 4 & 0xf) != 0 && sctlr & SCTLR_DSSBS) {
        pstate |= PSTATE_SSBS;
    }
    return pstate;
}

static void enter_el1(struct vcpu *v, uint64_t spsr, uint64_t esr)
{
    uint64_t pc = sysreg_read(elr_el2);

    trace_add(&v->pcpu->trace, TRACE_INJECT, v->tag, esr, pc);
    sysreg_write(elr_el1, pc);
    sysreg_write(spsr_el1, spsr);
    sysreg_write(esr_el1, esr);
    sysreg_write(elr_el2, sysreg_read(vbar_el1) + vector_offset(spsr));
    sysreg_write(spsr_el2, entry_pstate(v, spsr));
}

void inject_undefined(struct vcpu *v)
{
    enter_el1(v, sysreg_read(spsr_el2), (uint64_t)EC_UNKNOWN << 26 | ESR_IL);
}

/* The guest is told of a synchronous external abort, on its own walk where it was one. */
static uint64_t abort_iss(uint64_t esr)
{
    /* The stage-2 level of a fault on a walk is not the stage-1 level: the walk's last is said. */
    return esr & ISS_S1PTW ? FSC_EXTERNAL_WALK | 3u : FSC_EXTERNAL;
}

static void inject_abort(struct vcpu *v, uint64_t iss, enum esr_ec from_el0)
{
    uint64_t spsr = sysreg_read(spsr_el2);
    uint32_t ec = (uint32_t)from_el0 + (is_from_el1(spsr) ? 1 : 0);

    sysreg_write(far_el1, sysreg_read(far_el2));
    enter_el1(v, spsr, (uint64_t)ec << 26 | ESR_IL | iss);
}

void inject_data_abort(struct vcpu *v, uint64_t esr)
{
    inject_abort(v, abort_iss(esr) | (esr & (ISS_WNR | ISS_CM)), EC_DABT_LOWER);
}

void inject_instruction_abort(struct vcpu *v, uint64_t esr)
{
    inject_abort(v, abort_iss(esr), EC_IABT_LOWER);
}

void arch_inject_undefined(struct vcpu *v)
{
    inject_undefined(v);
}

void arch_inject_access_fault(struct vcpu *v, const struct vm_exit *x)
{
    if (likely(!p2m_fault_is_stale(v))) {
        inject_data_abort(v, x->info);
    }
}
