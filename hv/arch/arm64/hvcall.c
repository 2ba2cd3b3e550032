/* SPDX-License-Identifier: MIT */
/*
 * Guest virtual addresses of hypercalls: translated by the hardware, in the
 * context of the vCPU that is loaded, at the moment of use.
 */
#include <arch/vcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/version.h>

#include "sysreg.h"

#define PAR_F BIT(0)
#define PAR_S BIT(9) /* the fault was stage 2's, on the walk */
#define PAR_ADDR BITS(47, 12)

/* A walk meets a stage-2 entry that is being changed (break before make) at most this often. */
#define TRIES 8

int arch_guest_translate(struct vcpu *v, uint64_t addr, bool write, gpa_t *out)
{
    uint64_t guests = sysreg_read(par_el1);
    uint64_t par = PAR_F;

    /* With the guest's MMU off stage 1 is the identity, and AT says so. */
    for (uint32_t i = 0; i < TRIES; i++) {
        if (write) {
            __asm__ volatile("at s1e1w, %0" ::"r"(addr) : "memory");
        } else {
            __asm__ volatile("at s1e1r, %0" ::"r"(addr) : "memory");
        }
        isb();
        par = sysreg_read(par_el1);
        if (!(par & PAR_F) || !(par & PAR_S)) {
            break;
        }
    }
    sysreg_write(par_el1, guests);
    if (par & PAR_F) {
        return -XEN_EFAULT;
    }
    *out = gpa((par & PAR_ADDR) | (addr & ~PAGE_MASK));
    return 0;
}

const char *arch_capabilities(void)
{
    return "xen-3.0-aarch64 ";
}

uint32_t arch_features(void)
{
    /* Firmware calls by SMC are handled. */
    return BIT(XENFEAT_ARM_SMCCC_supported);
}

/* The preferred return address of an HVC is the instruction after it (DDI 0487 D1.3.3). */
void arch_hc_repeat(struct vcpu *v) { sysreg_write(elr_el2, sysreg_read(elr_el2) - 4); }
