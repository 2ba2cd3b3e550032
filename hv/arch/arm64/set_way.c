/* SPDX-License-Identifier: MIT */
/*
 * DC ISW, CSW, CISW of a guest (docs/decisions/0005-set-way.md).
 *
 * By set and way a guest can only reach the caches of the CPU it happens to be
 * on, so the operations are trapped and their purpose is served: before a
 * guest switches its caches off or on, what it wrote is in memory. With
 * FEAT_S2FWB guest memory is cacheable whatever the guest says, and nothing
 * needs cleaning. Without: the first operation cleans and invalidates all of
 * the guest's RAM by address and sets HCR_EL2.TVM; from then on operations do
 * nothing until the guest changes SCTLR_EL1.M or C, when RAM is cleaned once
 * more; TVM goes when the caches are on again.
 *
 * A clean takes long, so it goes in steps: after each step the instruction is
 * executed again (SYSREG_AGAIN), with the cursor in v->arch.clean_cursor.
 */
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>

#include "host.h"
#include "set_way.h"
#include "sysreg.h"

#define SCTLR_M BIT(0)
#define SCTLR_C BIT(2)
#define STEP_PAGES 64

static void clean_page(struct vcpu *v, mfn_t m)
{
    uint32_t line = v->pcpu->arch.host->dcache_line;
    uintptr_t va = (uintptr_t)frame_map_local(v->domain->hv, m);

    for (uintptr_t at = va; at < va + PAGE_SIZE; at += line) {
        __asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
    }
    frame_unmap(v->domain->hv, (void *)va);
}

/* One step of cleaning all RAM; true when that was the last. */
static bool clean_step(struct vcpu *v)
{
    uint64_t at = v->arch.clean_cursor;
    uint64_t left = STEP_PAGES;
    enum p2m_type type;
    uint64_t pages;
    gfn_t g = gfn(at);
    mfn_t m;

    while (left != 0 && p2m_next(v->domain, &g, &m, &type, &pages)) {
        uint64_t i = at > g.n ? at - g.n : 0; /* the block may begin before the cursor */

        if (type == P2M_MMIO_DIRECT) {
            i = pages;
        }
        for (; i < pages && left != 0; i++, left--) {
            clean_page(v, mfn_add(m, i));
        }
        at = g.n + i;
        g = gfn(at);
    }
    dsb(sy);
    v->arch.clean_cursor = left == 0 ? at : 0;
    return left != 0;
}

static void tvm_set(struct vcpu *v, bool on)
{
    v->arch.hcr = on ? v->arch.hcr | HCR_TVM : v->arch.hcr & ~HCR_TVM;
    v->pcpu->arch.hcr = on ? v->pcpu->arch.hcr | HCR_TVM : v->pcpu->arch.hcr & ~HCR_TVM;
    sysreg_write(hcr_el2, v->pcpu->arch.hcr);
}

int set_way_op(struct vcpu *v, uint32_t key, uint64_t *value)
{
    if (v->arch.hcr & (HCR_FWB | HCR_TVM)) {
        return VM_RESUME;
    }
    if (!clean_step(v)) {
        return SYSREG_AGAIN;
    }
    tvm_set(v, true);
    return VM_RESUME;
}

int set_way_sctlr(struct vcpu *v, uint32_t key, uint64_t *value)
{
    uint64_t old = sysreg_read(sctlr_el1);

    if (((old ^ *value) & (SCTLR_M | SCTLR_C)) != 0) {
        if (!clean_step(v)) {
            return SYSREG_AGAIN;
        }
        if ((*value & (SCTLR_M | SCTLR_C)) == (SCTLR_M | SCTLR_C)) {
            tvm_set(v, false);
        }
    }
    sysreg_write(sctlr_el1, *value);
    return VM_RESUME;
}

/* By CRn, CRm and op2 of op0 3, op1 0. */
int set_way_tvm(struct vcpu *v, uint32_t key, uint64_t *value)
{
    switch ((key >> 6 & 0xf0) | (key >> 1 & 15)) { /* CRn, CRm */
    case 0x20:
        switch (key >> 17 & 7) {
        case 0:
            sysreg_write(ttbr0_el1, *value);
            break;
        case 1:
            sysreg_write(ttbr1_el1, *value);
            break;
        default:
            sysreg_write(tcr_el1, *value);
            break;
        }
        break;
    case 0x51:
        if (key >> 17 & 7) {
            sysreg_write(afsr1_el1, *value);
        } else {
            sysreg_write(afsr0_el1, *value);
        }
        break;
    case 0x52:
        sysreg_write(esr_el1, *value);
        break;
    case 0x60:
        sysreg_write(far_el1, *value);
        break;
    case 0xa2:
        sysreg_write(mair_el1, *value);
        break;
    case 0xa3:
        sysreg_write(amair_el1, *value);
        break;
    default:
        sysreg_write(contextidr_el1, *value);
        break;
    }
    return VM_RESUME;
}
