/* SPDX-License-Identifier: MIT */
/*
 * Aborts at stage 2, and the other exits of VM_EXIT_ARCH.
 *
 * An access to an address where nothing is mapped either belongs to an emulated
 * device or ends as a synchronous external abort at EL1, as on a machine with
 * nothing there. Most device accesses come with a valid syndrome and take the
 * short way (decode_mmio); for the rest the instruction is fetched and
 * decoded (decode.c). Whatever EL2 traps for other reasons is undefined for
 * the guest, because its ID registers do not show it.
 */
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>

#include "decode.h"
#include "switch.h"
#include "sysreg.h"
#include "trap.h"

/* mmio_access.flags */
#define ACCESS_SIGN 1
#define ACCESS_WIDE 2

void trap_skip(void)
{
    sysreg_write(elr_el2, sysreg_read(elr_el2) + 4);
}

/* Where the access went: HPFAR_EL2 holds the page, FAR_EL2 the bytes in it. */
static gpa_t fault_gpa(void)
{
    return gpa((sysreg_read(hpfar_el2) & BITS(43, 4)) << 8 | (sysreg_read(far_el2) & ~PAGE_MASK));
}

bool decode_mmio(struct vcpu *v, uint64_t esr, struct vm_exit *x)
{
    struct mmio_access *a = &x->mmio;

    if ((esr & (ISS_ISV | ISS_S1PTW | ISS_CM)) != ISS_ISV ||
        FSC_TYPE(ISS_FSC(esr)) != FSC_TRANSLATION) {
        return false;
    }
    uint32_t reg = (uint32_t)(esr >> 16) & 31;
    uint32_t size = 1u << ((esr >> 22) & 3);

    a->addr = fault_gpa();
    a->size = (uint8_t)size;
    a->reg = (uint8_t)reg;
    a->flags = (esr & ISS_SSE ? ACCESS_SIGN : 0) | (esr & ISS_SF ? ACCESS_WIDE : 0);
    a->write = esr & ISS_WNR;
    if (a->write) {
        a->value = reg == 31 ? 0 : v->arch.x[reg] & (~UINT64_C(0) >> (64 - 8 * size));
    }
    return true;
}

void arch_mmio_complete(struct vcpu *v, const struct mmio_access *a)
{
    uint64_t value = a->value;

    if (unlikely(v->arch.vgic.retry) || a->reg == 31) {
        return;
    }
    if (a->flags & ACCESS_SIGN) {
        uint32_t shift = 64 - 8u * a->size;

        value = (uint64_t)((int64_t)(value << shift) >> shift);
        if (!(a->flags & ACCESS_WIDE)) {
            value = (uint32_t)value;
        }
    }
    v->arch.x[a->reg] = value;
}

void arch_vcpu_skip(struct vcpu *v, const struct vm_exit *x)
{
    if (unlikely(v->arch.vgic.retry)) {
        v->arch.vgic.retry = false; /* vgic_mmio.c: the access is to be made again */
        return;
    }
    trap_skip();
}

/* --- Accesses without a valid syndrome ----------------------------------------- */

/* The base register; SP is that of the mode that was interrupted. */
static uint64_t base_read(const struct vcpu *v, uint32_t rn)
{
    if (rn != 31) {
        return v->arch.x[rn];
    }
    return (sysreg_read(spsr_el2) & 0x1f) == 5 ? sysreg_read(sp_el1) : sysreg_read(sp_el0);
}

static void base_write(struct vcpu *v, uint32_t rn, uint64_t value)
{
    if (rn != 31) {
        v->arch.x[rn] = value;
    } else if ((sysreg_read(spsr_el2) & 0x1f) == 5) {
        sysreg_write(sp_el1, value);
    } else {
        sysreg_write(sp_el0, value);
    }
}

/* The instruction at the guest's PC. */
static bool fetch(struct vcpu *v, uint32_t *insn)
{
    uint64_t pc = sysreg_read(elr_el2);
    gpa_t where;

    return arch_guest_translate(v, pc, false, &where) == 0 &&
           guest_phys_read(v->domain, insn, where, sizeof(*insn)) == 0;
}

/* One register of the access; false: the device refuses it. */
static bool emulate_one(struct vcpu *v, const struct mmio_region *r, uint64_t offset,
                        const struct insn_access *i, uint32_t reg)
{
    uint32_t step = MIN(i->size, 8u);
    uint64_t value[2] = { 0 };
    enum mmio_result result = MMIO_OK;

    if (i->write && i->simd) {
        fp_reg_save(reg, value);
    } else if (i->write && reg != 31) {
        value[0] = v->arch.x[reg];
    }
    for (uint32_t n = 0; n < i->size / step && result == MMIO_OK; n++) {
        uint64_t mask = ~UINT64_C(0) >> (64 - 8 * step);

        if (i->write) {
            result = r->ops->write(v, r->data, offset + n * step, step, value[n] & mask);
        } else {
            result = r->ops->read(v, r->data, offset + n * step, step, &value[n]);
        }
    }
    if (result != MMIO_OK || i->write || v->arch.vgic.retry) {
        return result == MMIO_OK;
    }
    if (i->simd) {
        fp_reg_load(reg, value);
        return true;
    }
    const struct mmio_access a = {
        .value = value[0],
        .size = i->size,
        .reg = (uint8_t)reg,
        .flags = (i->sign ? ACCESS_SIGN : 0) | (i->wide ? ACCESS_WIDE : 0),
    };
    arch_mmio_complete(v, &a);
    return true;
}

/* A load or store to the device at `addr`. False: not one that can be emulated. */
static bool emulate(struct vcpu *v, gpa_t addr, bool write)
{
    const struct mmio_region *r = mmio_find(v->domain, addr);
    struct insn_access i;
    uint32_t insn;

    if (r == NULL || sysreg_read(spsr_el2) & BIT(4) || !fetch(v, &insn) ||
        !insn_decode(insn, &i) || i.write != write) {
        return false;
    }
    uint64_t offset = addr.a - r->base.a;

    if ((offset & (i.size - 1u)) != 0 || (uint32_t)i.size * i.nr > r->size - offset) {
        return false;
    }
    uint64_t base = base_read(v, i.rn);

    /* A pair may have got through its first half on another page. */
    if (i.nr == 2 && base + (i.post ? 0 : (uint64_t)i.offset) != sysreg_read(far_el2)) {
        return false;
    }
    if (!emulate_one(v, r, offset, &i, i.rt) ||
        (i.nr == 2 && !emulate_one(v, r, offset + i.size, &i, i.rt2))) {
        return false;
    }
    if (i.writeback && !v->arch.vgic.retry) {
        base_write(v, i.rn, base + (uint64_t)i.offset);
    }
    return true;
}

/* --- Aborts ------------------------------------------------------------------------ */

static void data_abort(struct vcpu *v, struct vm_exit *x)
{
    uint64_t esr = x->info;

    if (FSC_TYPE(ISS_FSC(esr)) == FSC_TRANSLATION) {
        gpa_t addr = fault_gpa();

        if (p2m_fault_is_stale(v)) {
            return;
        }
        if (!(esr & ISS_S1PTW) && mmio_find(v->domain, addr) != NULL) {
            if (esr & ISS_CM) {
                trap_skip(); /* no cache holds a device's registers */
                return;
            }
            if (emulate(v, addr, esr & ISS_WNR)) {
                arch_vcpu_skip(v, x);
                return;
            }
        }
    }
    inject_data_abort(v, esr);
}

static void instruction_abort(struct vcpu *v, uint64_t esr)
{
    if (FSC_TYPE(ISS_FSC(esr)) == FSC_TRANSLATION && p2m_fault_is_stale(v)) {
        return;
    }
    inject_instruction_abort(v, esr);
}

int arch_exit_handle(struct vcpu *v, struct vm_exit *x)
{
    switch (ESR_EC(x->info)) {
    case EC_SYSREG:
        return sysreg_trap(v, x->info);
    case EC_DABT_LOWER:
        data_abort(v, x);
        break;
    case EC_IABT_LOWER:
        instruction_abort(v, x->info);
        break;
    default:
        inject_undefined(v);
        break;
    }
    return VM_RESUME;
}
