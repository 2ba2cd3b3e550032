/* SPDX-License-Identifier: MIT */
/*
 * Guest page faults, virtual instructions, and the other exits of VM_EXIT_ARCH.
 *
 * An access to an address where nothing is mapped either belongs to an emulated
 * device or ends as an access fault, as on a machine with nothing there. htinst holds
 * the instruction as a rule; where it does not, it is fetched through the guest's
 * own tables. Whatever HS mode traps for other reasons is illegal for the guest, because its
 * device tree does not tell of it.
 */
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "decode.h"
#include "trap.h"
#include "vector.h"
#include "vintc.h"
#include "vpmu.h"

/* mmio_access.flags */
#define ACCESS_SIGN 1
#define ACCESS_SHORT 2 /* the instruction is 2 bytes long */

static gpa_t fault_gpa(void) { return gpa(csr_read(htval) << 2 | (csr_read(stval) & 3)); }

int insn_fetch(struct vcpu *v, uint32_t *insn)
{
    uint64_t pc = csr_read(sepc);
    uint16_t half[2] = { 0, 0 };

    /* In halves: an instruction may cross into a page that is not there. */
    for (uint32_t i = 0; i < 2; i++) {
        gpa_t at;

        spin_lock(&v->domain->p2m.lock);
        int rc = arch_guest_translate(v, pc + 2 * i, false, &at);
        spin_unlock(&v->domain->p2m.lock);
        if (rc == 0) {
            rc = guest_phys_read(v->domain, &half[i], at, sizeof(half[i]));
        }
        if (rc != 0) {
            return rc;
        }
        if ((half[0] & 3) != 3) {
            break;
        }
    }
    *insn = half[0] | (uint32_t)half[1] << 16;
    return 0;
}

uint32_t trap_insn(struct vcpu *v)
{
    uint32_t insn = (uint32_t)csr_read(stval);

    /* A hart need not say (Priv. spec 12.1.9). */
    return insn != 0 || insn_fetch(v, &insn) == 0 ? insn : 0;
}

static bool decode(struct vcpu *v, struct insn_access *i)
{
    uint64_t htinst = csr_read(htinst);
    uint32_t insn;

    if (likely(htinst_decode(htinst, i))) {
        return true;
    }
    /* Not 0: an access that no driver makes, or the guest's tables are where nothing is. */
    return htinst == 0 && insn_fetch(v, &insn) == 0 && insn_decode(insn, i);
}

bool trap_decode_mmio(struct vcpu *v, struct vm_exit *x)
{
    struct mmio_access *a = &x->mmio;
    struct insn_access i;

    if (!decode(v, &i) || i.write != (x->info == CAUSE_STORE_GUEST_PAGE)) {
        return false;
    }
    a->addr = fault_gpa();
    a->size = i.size;
    a->reg = i.reg;
    a->flags = (uint8_t)((i.sign ? ACCESS_SIGN : 0) | (i.length == 2 ? ACCESS_SHORT : 0));
    a->write = i.write;
    if (a->write) {
        a->value = i.reg == 0 ? 0 : v->arch.x[i.reg] & (~UINT64_C(0) >> (64 - 8 * i.size));
    }
    return true;
}

void arch_mmio_complete(struct vcpu *v, const struct mmio_access *a)
{
    uint64_t value = a->value;

    if (a->flags & ACCESS_SIGN) {
        uint32_t shift = 64 - 8u * a->size;

        value = (uint64_t)((int64_t)(value << shift) >> shift);
    }
    if (a->reg != 0) {
        v->arch.x[a->reg] = value;
    }
}

void arch_vcpu_skip(struct vcpu *v, const struct vm_exit *x)
{
    bool is_short = x->kind == VM_EXIT_MMIO && (x->mmio.flags & ACCESS_SHORT);

    csr_write(sepc, csr_read(sepc) + (is_short ? 2 : 4));
}

/* An access that is no device's. */
static void guest_page_fault(struct vcpu *v, const struct vm_exit *x)
{
    if (likely(!p2m_fault_is_stale(v))) {
        arch_inject_access_fault(v, x);
    }
}

int arch_exit_handle(struct vcpu *v, struct vm_exit *x)
{
    switch (x->info) {
    case CAUSE_INSN_GUEST_PAGE:
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        guest_page_fault(v, x);
        break;
    case CAUSE_VIRTUAL_INSN: {
        uint32_t insn = trap_insn(v);

        if (!vintc_csr(v, insn) && !vpmu_csr(v, insn)) {
            arch_inject_undefined(v);
        }
        break;
    }
    case CAUSE_ILLEGAL: /* where guests have V (cpu.c) */
        if (!vector_use(v)) {
            arch_inject_undefined(v);
        }
        break;
    default:
        /* Not delegated, or sent on by the firmware: the guest's own fault. */
        inject_exception(v, x->info, csr_read(stval));
        break;
    }
    return VM_RESUME;
}
