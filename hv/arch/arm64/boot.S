/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader or from PSCI CPU_ON to C.
 *
 * Entered as a Linux arm64 Image (Linux Documentation/arch/arm64/booting.rst):
 * EL2, MMU off, x0 = device tree. Runs at any page-aligned address until the
 * MMU is on. There is no identity map: VBAR_EL2 holds the linked address of
 * _start, so that the first fetch after SCTLR_EL2.M is set aborts to
 * _start + 0x200, which is mapped. A CPU that PSCI starts comes by
 * secondary_entry with the address of its struct pcpu in x0 and reads no
 * memory before its MMU is on. Read next: start.c.
 */
#include <gen/asm-offsets.h>

#include "layout.h"

/* SCTLR_EL2: M, C, SA, I, WXN and the bits that are RES1 (Arm DDI 0487 D24.2.164). */
#define SCTLR_RES1 0x30c50830
#define SCTLR_ON (SCTLR_RES1 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 19)
/* TCR_EL2: 48 bits, 4 KiB, inner shareable, write-back walks; PS at 18:16, without E2H. */
#define TCR_WALK (16 | 1 << 8 | 1 << 10 | 3 << 12)
#define TCR_RES1 (1 << 31 | 1 << 23)
#define TCR_EPD1 (1 << 23)
/* HCR_EL2: lower level is AArch64, physical interrupts and errors come to EL2. */
#define HCR_BASE (1 << 31 | 1 << 5 | 1 << 4 | 1 << 3)
#define HCR_E2H_BIT 34

    .section .text.boot, "ax"
    .globl _start
_start:
    b primary
    .long 0
    .quad 0          /* text_offset */
    .quad image_size
    .quad 0xa        /* little endian, 4 KiB pages, anywhere in memory */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

primary:
    mov x20, x0
    mov x19, xzr
    bl el2_prepare

    /*
     * What the loader left in the caches for memory beyond the file must
     * neither hide nor overwrite what is written with caches off.
     */
    adrp x0, image_file_end
    adrp x1, _end
    bl clean_invalidate
    bl map_image
    adrp x0, page_tables
    add x1, x0, #4 * 4096
    bl clean_invalidate
    b mmu_on

    .globl secondary_entry
secondary_entry:
    mov x19, x0
    bl el2_prepare

/* x19: pcpu or 0, x20: device tree. Goes on at switched, in the image's own addresses. */
mmu_on:
    adrp x21, _start
    adrp x0, page_tables
    msr ttbr0_el2, x0
    mov x0, #MAIR_VALUE
    msr mair_el2, x0
    mrs x0, id_aa64mmfr0_el1
    and x0, x0, #0xf
    mov x1, #5                 /* 48 bits: descriptors hold no more here */
    cmp x0, x1
    csel x0, x0, x1, lo
    mrs x2, hcr_el2
    tbnz x2, #HCR_E2H_BIT, 1f
    mov x1, #TCR_WALK
    movk x1, #(TCR_RES1 >> 16) & 0xffff, lsl #16
    orr x1, x1, x0, lsl #16
    b 2f
1:  /* The layout of TCR_EL1: just enough for arch_cpu_probe() to refuse in words. */
    mov x1, #TCR_WALK
    movk x1, #(TCR_EPD1 >> 16) & 0xffff, lsl #16
    orr x1, x1, x0, lsl #32
    .inst 0xd500409f           /* msr pan, #0: AP[1] means EL0 in this regime */
2:  msr tcr_el2, x1
    ldr x0, =_start
    msr vbar_el2, x0
    msr spsel, #1
    ldr w0, =SCTLR_ON
    tlbi alle2
    ic iallu
    dsb nsh
    isb
    msr sctlr_el2, x0
    isb
    b park                     /* not reached: the fetch aborts */

    .org 0x200
switched:
    ldr x0, =vectors
    msr vbar_el2, x0
    isb
    cbnz x19, 1f

    ldr x0, =image_bss_start
    ldr x1, =image_bss_end
0:  stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo 0b
    ldr x0, =boot_stack + STACK_SIZE - STACK_RESERVE
    mov sp, x0
    mov x29, xzr
    mov x30, xzr
    mov x0, x20
    mov x1, x21
    b start_primary

1:  ldr x0, [x19, #PCPU_STACK]
    sub x0, x0, #STACK_RESERVE
    mov sp, x0
    mov x29, xzr
    mov x30, xzr
    mov x0, x19
    b start_secondary

/* Not at EL2, or at the end of the road. */
park:
    wfe
    b park

/* Interrupts off, E2H clear if this CPU lets it be, little-endian accesses, MMU off. */
el2_prepare:
    msr daifset, #0xf
    mrs x0, CurrentEL
    cmp x0, #2 << 2
    b.ne park
    mov x0, #HCR_BASE & 0xffff
    movk x0, #HCR_BASE >> 16, lsl #16
    msr hcr_el2, x0
    isb
    ldr w0, =SCTLR_RES1
    msr sctlr_el2, x0
    isb
    ret

/* Cleans and invalidates [x0, x1) to the point of coherency. Clobbers x2, x3. */
clean_invalidate:
    mrs x2, ctr_el0
    ubfx x2, x2, #16, #4       /* DminLine: log2 of words */
    mov x3, #4
    lsl x2, x3, x2
1:  dc civac, x0
    add x0, x0, x2
    cmp x0, x1
    b.lo 1b
    dsb sy
    ret

/* Fills the first four tables: level 0, 1, 2, and level 3 with the image's pages. */
map_image:
    adrp x0, page_tables
    mov x1, x0
    add x2, x0, #4 * 4096
1:  stp xzr, xzr, [x1], #16
    cmp x1, x2
    b.lo 1b

    add x1, x0, #1 * 4096
    orr x2, x1, #PTE_TABLE
    str x2, [x0, #(IMAGE_VA >> 39) * 8]
    add x2, x0, #2 * 4096
    orr x3, x2, #PTE_TABLE
    str x3, [x1]
    add x1, x0, #3 * 4096
    orr x3, x1, #PTE_TABLE
    str x3, [x2]

    adrp x2, _start
    adrp x3, image_text_end
    adrp x4, image_rodata_end
    adrp x5, _end
    ldr x6, =PTE_TEXT | PTE_TABLE
    ldr x7, =PTE_RODATA | PTE_TABLE
    ldr x8, =PTE_DATA | PTE_TABLE
2:  cmp x2, x4
    csel x9, x7, x8, lo
    cmp x2, x3
    csel x9, x6, x9, lo
    orr x9, x9, x2
    str x9, [x1], #8
    add x2, x2, #4096
    cmp x2, x5
    b.lo 2b
    ret

    .ltorg
