/* SPDX-License-Identifier: MIT */
/* Fences of this hart; the unit test counts them instead (tests/unit/test_riscv64_sbi.c). */
#ifndef RISCV64_FENCES_H
#define RISCV64_FENCES_H

#if __STDC_HOSTED__

void fence_instructions(void);
void fence_guest_translations(void);

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

#endif

#endif
