/* SPDX-License-Identifier: MIT */
/*
 * Guest virtual addresses of hypercalls: translated by the hardware, in the
 * context of the vCPU that is loaded, at the moment of use.
 */
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/version.h>

#include "sysreg.h"

#define PAR_F BIT(0)
#define PAR_S BIT(9) /* the fault was stage 2's, on the walk */
#define PAR_ADDR BITS(47, 12)
#define PAR_ATTR_SHIFT 56
#define PAR_ATTR_NORMAL 0x10 /* device memory has less (DDI 0487 D24.2.149) */

/* A walk meets a stage-2 entry that is being changed (break before make) at most this often. */
#define TRIES 8

/* Runs an AT instruction; PAR_EL1 after it. */
#define TRANSLATE(op) \
    ({ \
        __asm__ volatile("at " op ", %0" ::"r"(addr) : "memory"); \
        isb(); \
        sysreg_read(par_el1); \
    })

/* The same, again while it meets an entry that is being changed. */
#define TRANSLATE_AGAIN(op) \
    ({ \
        uint64_t par_ = TRANSLATE(op); \
        for (uint32_t i = 1; i < TRIES && (par_ & (PAR_F | PAR_S)) == (PAR_F | PAR_S); i++) { \
            par_ = TRANSLATE(op); \
        } \
        par_; \
    })

int arch_guest_translate(struct vcpu *v, uint64_t addr, bool write, gpa_t *out)
{
    uint64_t guests = sysreg_read(par_el1);
    /* With the guest's MMU off stage 1 is the identity, and AT says so. */
    uint64_t par = write ? TRANSLATE_AGAIN("s1e1w") : TRANSLATE_AGAIN("s1e1r");

    sysreg_write(par_el1, guests);
    if (par & PAR_F) {
        return -XEN_EFAULT;
    }
    *out = gpa((par & PAR_ADDR) | (addr & ~PAGE_MASK));
    return 0;
}

static __noinline uint64_t reach_again(uint64_t addr, bool write)
{
    return write ? TRANSLATE_AGAIN("s12e1w") : TRANSLATE_AGAIN("s12e1r");
}

/* Both stages in one instruction, with the permissions of both. */
__inline_at_link void *arch_guest_reach(struct vcpu *v, uint64_t addr, bool write)
{
    uint64_t guests = sysreg_read(par_el1);
    uint64_t par = write ? TRANSLATE("s12e1w") : TRANSLATE("s12e1r");

    if (unlikely(par & PAR_F)) {
        par = reach_again(addr, write);
    }
    sysreg_write(par_el1, guests);
    if (unlikely((par & PAR_F) != 0 || par >> PAR_ATTR_SHIFT < PAR_ATTR_NORMAL)) {
        return NULL;
    }
    char *page = frame_map_local(v->domain->hv, mfn((par & PAR_ADDR) >> PAGE_SHIFT));
    return page + (addr & ~PAGE_MASK);
}

const char *arch_capabilities(void) { return "xen-3.0-aarch64 "; }

uint32_t arch_features(void)
{
    /* Firmware calls by SMC are handled. */
    return BIT(XENFEAT_ARM_SMCCC_supported);
}

/* The preferred return address of an HVC is the instruction after it (DDI 0487 D1.3.3). */
void arch_hc_repeat(struct vcpu *v) { sysreg_write(elr_el2, sysreg_read(elr_el2) - 4); }
