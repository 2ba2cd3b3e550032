/* SPDX-License-Identifier: MIT */
/*
 * start.S: how a micro guest is entered, and its exception vectors.
 *
 * The Image header of the arm64 boot protocol (Linux
 * Documentation/arm64/booting.rst), entry of the first and of further CPUs,
 * self-relocation, and vectors that need no valid stack pointer: registers go
 * to the struct cpu in TPIDR_EL1, and TPIDR_EL0 is clobbered. Read next:
 * guest.h, runtime.c.
 */

#include "layout.h"

    .section .head, "ax"
    .global image_head
image_head:
    b start
    .long 0
    .quad 0                         /* text_offset */
    .quad bss_end - . + 16          /* image size: from here, back to image_head */
    .quad 0xa                       /* little endian, 4 KiB pages, anywhere in memory */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

start:
    mov x19, x0                     /* the device tree */
    adrp x20, image_head
    /* R_AARCH64_RELATIVE entries: *(base + offset) = base + addend */
    adrp x1, rela_start
    add x1, x1, :lo12:rela_start
    adrp x2, rela_end
    add x2, x2, :lo12:rela_end
1:  cmp x1, x2
    b.hs 2f
    ldp x3, x4, [x1], #16
    ldr x4, [x1], #8
    add x4, x4, x20
    str x4, [x20, x3]
    b 1b
2:  adrp x1, bss_start
    add x1, x1, :lo12:bss_start
    adrp x2, bss_end
    add x2, x2, :lo12:bss_end
3:  cmp x1, x2
    b.hs 4f
    stp xzr, xzr, [x1], #16
    b 3b
4:  adrp x0, cpus
    add x0, x0, :lo12:cpus
    adrp x1, stacks
    add x1, x1, :lo12:stacks
    add x1, x1, #STACK_SIZE
    str x1, [x0, #CPU_STACK]
    add x1, x1, #STACK_SIZE
    str x1, [x0, #CPU_EXC_STACK]
    mov x21, x0
    bl setup
    mov x0, x19
    bl guest_start
    b .

    /* A further CPU: x0 is its struct cpu, stacks filled in. */
    .global secondary_entry
secondary_entry:
    mov x21, x0
    bl setup
    mov x0, x21
    bl secondary_start
    b .

setup:
    msr tpidr_el1, x21
    ldr x1, [x21, #CPU_STACK]
    msr spsel, #1
    mov sp, x1
    mov x1, #(3 << 20)              /* CPACR_EL1.FPEN */
    msr cpacr_el1, x1
    adrp x1, vectors
    add x1, x1, :lo12:vectors
    msr vbar_el1, x1
    isb
    ret

    .macro vector kind
    .balign 0x80
    msr tpidr_el0, x0
    mrs x0, tpidr_el1
    stp x1, x2, [x0, #8]
    mov x1, #\kind
    b trap
    .endm

    .text
    .balign 0x800
vectors:
    .irp base, 0, 4, 8, 12
    vector \base
    vector (\base + 1)
    vector (\base + 2)
    vector (\base + 3)
    .endr

trap:
    mrs x2, tpidr_el0
    str x2, [x0]
    stp x3, x4, [x0, #24]
    stp x5, x6, [x0, #40]
    stp x7, x8, [x0, #56]
    stp x9, x10, [x0, #72]
    stp x11, x12, [x0, #88]
    stp x13, x14, [x0, #104]
    stp x15, x16, [x0, #120]
    stp x17, x18, [x0, #136]
    stp x19, x20, [x0, #152]
    stp x21, x22, [x0, #168]
    stp x23, x24, [x0, #184]
    stp x25, x26, [x0, #200]
    stp x27, x28, [x0, #216]
    stp x29, x30, [x0, #232]
    mov x2, sp
    mrs x3, elr_el1
    stp x2, x3, [x0, #CPU_SP]
    mrs x2, spsr_el1
    mrs x3, esr_el1
    stp x2, x3, [x0, #CPU_SPSR]
    mrs x2, far_el1
    str x2, [x0, #CPU_FAR]
    ldr x2, [x0, #CPU_EXC_STACK]
    mov sp, x2
    bl trap_entry
    mrs x0, tpidr_el1
    ldp x2, x3, [x0, #CPU_SP]
    mov sp, x2
    msr elr_el1, x3
    ldr x2, [x0, #CPU_SPSR]
    msr spsr_el1, x2
    ldp x3, x4, [x0, #24]
    ldp x5, x6, [x0, #40]
    ldp x7, x8, [x0, #56]
    ldp x9, x10, [x0, #72]
    ldp x11, x12, [x0, #88]
    ldp x13, x14, [x0, #104]
    ldp x15, x16, [x0, #120]
    ldp x17, x18, [x0, #136]
    ldp x19, x20, [x0, #152]
    ldp x21, x22, [x0, #168]
    ldp x23, x24, [x0, #184]
    ldp x25, x26, [x0, #200]
    ldp x27, x28, [x0, #216]
    ldp x29, x30, [x0, #232]
    ldp x1, x2, [x0, #8]
    ldr x0, [x0]
    eret

    /*
     * u64 call_trapped(void *code, const u64 *regs): call code with x0-x28
     * from regs; an exception that cpu->trap expects ends the call here.
     * Whatever code does to registers and stack pointer is undone.
     */
    .global call_trapped
call_trapped:
    mrs x9, tpidr_el1
    stp x19, x20, [x9, #CPU_SAVED]
    stp x21, x22, [x9, #CPU_SAVED + 16]
    stp x23, x24, [x9, #CPU_SAVED + 32]
    stp x25, x26, [x9, #CPU_SAVED + 48]
    stp x27, x28, [x9, #CPU_SAVED + 64]
    stp x29, x30, [x9, #CPU_SAVED + 80]
    mov x10, sp
    str x10, [x9, #CPU_SAVED + 96]
    mov x30, x0
    mov x29, x1
    ldp x0, x1, [x29]
    ldp x2, x3, [x29, #16]
    ldp x4, x5, [x29, #32]
    ldp x6, x7, [x29, #48]
    ldp x8, x9, [x29, #64]
    ldp x10, x11, [x29, #80]
    ldp x12, x13, [x29, #96]
    ldp x14, x15, [x29, #112]
    ldp x16, x17, [x29, #128]
    ldp x18, x19, [x29, #144]
    ldp x20, x21, [x29, #160]
    ldp x22, x23, [x29, #176]
    ldp x24, x25, [x29, #192]
    ldp x26, x27, [x29, #208]
    ldr x28, [x29, #224]
    blr x30
    .global call_return
call_return:
    mrs x9, tpidr_el1
    ldp x19, x20, [x9, #CPU_SAVED]
    ldp x21, x22, [x9, #CPU_SAVED + 16]
    ldp x23, x24, [x9, #CPU_SAVED + 32]
    ldp x25, x26, [x9, #CPU_SAVED + 48]
    ldp x27, x28, [x9, #CPU_SAVED + 64]
    ldp x29, x30, [x9, #CPU_SAVED + 80]
    ldr x10, [x9, #CPU_SAVED + 96]
    mov sp, x10
    ret
