/* SPDX-License-Identifier: MIT */
/*
 * Instructions of this hart that C has no word for: fences of what it fetched and walked, and
 * clearing by blocks. The unit tests have functions of their own instead.
 */
#ifndef RISCV64_FENCES_H
#define RISCV64_FENCES_H

#include <loam/types.h>

#if __STDC_HOSTED__

void fence_instructions(void);
void fence_guest_translations(void);
void fence_translations(void);
void fence_gvma(void);
void fence_gvma_vmid(uint64_t vmid);
void fence_gvma_page(uint64_t gpa_shifted, uint64_t vmid);
void clear_block(uintptr_t a);

#else

/* fence.i (Zifencei): instructions fetched from now on are what was stored before. */
static inline void fence_instructions(void)
{
    __asm__ volatile(".insn i 0x0f, 1, x0, x0, 0" ::: "memory");
}

/* hfence.vvma: all that this hart's TLB holds of the VMID in hgatp (Priv. spec 21.3.3). */
static inline void fence_guest_translations(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" ::: "memory");
}

/* sfence.vma: the hypervisor's own translations, and entries that were stored before. */
static inline void fence_translations(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

/* hfence.gvma: G-stage translations of all guests, of a VMID, of one page under it (21.3.3). */
static inline void fence_gvma(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" ::: "memory");
}

static inline void fence_gvma_vmid(uint64_t vmid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0" ::"r"(vmid) : "memory");
}

/* The guest-physical address shifted right by 2 bits, as htval has it. */
static inline void fence_gvma_page(uint64_t gpa_shifted, uint64_t vmid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, %0, %1" ::"r"(gpa_shifted), "r"(vmid) : "memory");
}

/* cbo.zero (Zicboz): the block that a is in. */
static inline void clear_block(uintptr_t a)
{
    __asm__ volatile(".insn i 0x0f, 2, x0, %0, 4" ::"r"(a) : "memory");
}

#endif

#endif
