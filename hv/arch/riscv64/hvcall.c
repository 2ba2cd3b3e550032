/* SPDX-License-Identifier: MIT */
/*
 * Guest virtual addresses of hypercalls and instructions: a walk in software of the
 * guest's VS-stage tables (Priv. spec 12.3.2), in the context of the vCPU that
 * is loaded, at the moment of use.
 */
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "layout.h"

#define PTE_RESERVED BITS(60, 54)
#define PTE_PPN BITS(53, PTE_PPN_SHIFT)

/* May VS mode read (write) through a leaf? Its own MXR and page-based memory types aside. */
static bool is_allowed(uint64_t pte, bool write)
{
    if ((pte & PTE_U) && !(csr_read(vsstatus) & SSTATUS_SUM)) {
        return false;
    }
    return pte & (write ? PTE_W : PTE_R | PTE_X);
}

static int walk(struct vcpu *v, uint64_t atp, uint64_t addr, bool write, gpa_t *out)
{
    uint32_t levels = (uint32_t)(atp >> SATP_MODE_SHIFT) - SATP_SV39 + 3;
    uint32_t unused = 64 - PAGE_SHIFT - 9 * levels;
    uint64_t table = (atp & ATP_PPN) << PAGE_SHIFT;

    if ((uint64_t)((int64_t)(addr << unused) >> unused) != addr) {
        return -XEN_EFAULT;
    }
    for (uint32_t level = levels - 1;; level--) {
        uint32_t shift = PAGE_SHIFT + 9 * level;
        uint64_t pte;

        if (guest_phys_read_locked(v->domain, &pte, gpa(table + (addr >> shift) % 512 * 8),
                                   sizeof(pte)) != 0 ||
            !(pte & PTE_V) || (pte & PTE_RESERVED)) {
            return -XEN_EFAULT;
        }
        table = (pte & PTE_PPN) << (PAGE_SHIFT - PTE_PPN_SHIFT);
        if (pte & (PTE_R | PTE_W | PTE_X)) {
            uint64_t offset = BITS(shift - 1, 0);

            if ((table & offset) != 0 || !is_allowed(pte, write)) {
                return -XEN_EFAULT;
            }
            *out = gpa(table | (addr & offset));
            return 0;
        }
        if (level == 0) {
            return -XEN_EFAULT;
        }
    }
}

int arch_guest_translate(struct vcpu *v, uint64_t addr, bool write, gpa_t *out)
{
    uint64_t atp = csr_read(vsatp);

    if (atp >> SATP_MODE_SHIFT == 0) {
        *out = gpa(addr);
        return 0;
    }
    return walk(v, atp, addr, write, out);
}

/* arch_exit_ecall() stepped over the ecall, which has no compressed form. */
void arch_hc_repeat(struct vcpu *v) { csr_write(sepc, csr_read(sepc) - 4); }

void *arch_guest_reach(struct vcpu *v, uint64_t addr, bool write)
{
    gpa_t a;

    if (arch_guest_translate(v, addr, write, &a) != 0) {
        return NULL;
    }
    return guest_phys_reach(v->domain, a, write);
}

const char *arch_capabilities(void) { return "xen-3.0-riscv64 "; }

uint32_t arch_features(void) { return 0; }
