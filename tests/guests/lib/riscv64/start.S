/* SPDX-License-Identifier: MIT */
/*
 * start.S: how a micro guest is entered, and its trap vector.
 *
 * The Image header of the riscv64 boot protocol (Linux
 * Documentation/arch/riscv/boot-image-header.rst), entry of the first and of
 * further harts, self-relocation, and a trap vector that needs no valid register:
 * sscratch holds the struct cpu, everything goes there. C code is free of tp
 * and gp. Read next: guest.h, arch.c.
 */

#include "layout.h"

    .section .head, "ax"
    .global image_head
image_head:
    .option push
    .option norvc
    j start
    nop
    .option pop
    .quad 0x200000                  /* text_offset: from the beginning of RAM */
    .quad bss_end - image_head      /* image size */
    .quad 0                         /* little endian */
    .long 2, 0                      /* version 0.2 */
    .quad 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\x05"
    .long 0

start:
    csrw sie, zero
    mv s0, a0                       /* this hart's id */
    mv s1, a1                       /* the device tree */
    lla s2, image_head
    /* R_RISCV_RELATIVE entries: *(base + offset) = base + addend */
    lla t0, rela_start
    lla t1, rela_end
1:  bgeu t0, t1, 2f
    ld t2, 0(t0)
    ld t3, 16(t0)
    addi t0, t0, 24
    add t2, t2, s2
    add t3, t3, s2
    sd t3, 0(t2)
    j 1b
2:  lla t0, bss_start
    lla t1, bss_end
3:  bgeu t0, t1, 4f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 3b
4:  lla a1, cpus
    lla t0, stacks
    li t1, STACK_SIZE
    add t0, t0, t1
    sd t0, CPU_STACK(a1)
    add t0, t0, t1
    sd t0, CPU_EXC_STACK(a1)
    call setup
    mv a0, s1
    mv a1, s0
    call first_start
5:  j 5b

    /* A further hart: a1 is its struct cpu, stacks filled in. */
    .global secondary_entry
secondary_entry:
    csrw sie, zero
    mv s1, a1
    call setup
    mv a0, s1
    call secondary_start
6:  j 6b

setup:                              /* a1: the struct cpu */
    csrw sscratch, a1
    ld sp, CPU_STACK(a1)
    lla t0, vector
    csrw stvec, t0
    li t0, 1 << 13                  /* FS: on */
    csrs sstatus, t0
    ret

    .macro each_saved_register op
    \op ra, 8(tp)
    \op sp, 16(tp)
    \op gp, 24(tp)
    \op t0, 40(tp)
    \op t1, 48(tp)
    \op t2, 56(tp)
    \op s0, 64(tp)
    \op s1, 72(tp)
    \op a0, 80(tp)
    \op a1, 88(tp)
    \op a2, 96(tp)
    \op a3, 104(tp)
    \op a4, 112(tp)
    \op a5, 120(tp)
    \op a6, 128(tp)
    \op a7, 136(tp)
    \op s2, 144(tp)
    \op s3, 152(tp)
    \op s4, 160(tp)
    \op s5, 168(tp)
    \op s6, 176(tp)
    \op s7, 184(tp)
    \op s8, 192(tp)
    \op s9, 200(tp)
    \op s10, 208(tp)
    \op s11, 216(tp)
    \op t3, 224(tp)
    \op t4, 232(tp)
    \op t5, 240(tp)
    \op t6, 248(tp)
    .endm

    .macro each_callee_register op, at
    \op ra, CPU_SAVED(\at)
    \op sp, CPU_SAVED + 8(\at)
    \op gp, CPU_SAVED + 16(\at)
    \op tp, CPU_SAVED + 24(\at)
    \op s0, CPU_SAVED + 32(\at)
    \op s1, CPU_SAVED + 40(\at)
    \op s2, CPU_SAVED + 48(\at)
    \op s3, CPU_SAVED + 56(\at)
    \op s4, CPU_SAVED + 64(\at)
    \op s5, CPU_SAVED + 72(\at)
    \op s6, CPU_SAVED + 80(\at)
    \op s7, CPU_SAVED + 88(\at)
    \op s8, CPU_SAVED + 96(\at)
    \op s9, CPU_SAVED + 104(\at)
    \op s10, CPU_SAVED + 112(\at)
    \op s11, CPU_SAVED + 120(\at)
    .endm

    .text
    .balign 4
vector:
    csrrw tp, sscratch, tp
    each_saved_register sd
    csrr t0, sscratch
    sd t0, 32(tp)
    csrw sscratch, tp
    csrr t0, sepc
    csrr t1, sstatus
    csrr t2, scause
    csrr t3, stval
    sd t0, CPU_PC(tp)
    sd t1, CPU_STATUS(tp)
    sd t2, CPU_CAUSE(tp)
    sd t3, CPU_VALUE(tp)
    ld sp, CPU_EXC_STACK(tp)
    mv a0, tp
    call trap_entry
    csrr tp, sscratch
leave:
    ld t0, CPU_PC(tp)
    ld t1, CPU_STATUS(tp)
    csrw sepc, t0
    csrw sstatus, t1
    each_saved_register ld
    ld tp, 32(tp)
    sret

    /*
     * void enter(void): go on as x, pc and status of this struct cpu say. Ends by
     * a trap that sends pc to call_return. Whatever happened to registers and
     * stack pointer is undone.
     */
    .global enter
enter:
    csrr t0, sscratch
    each_callee_register sd, t0
    mv tp, t0
    j leave
    .global call_return
call_return:
    csrr t0, sscratch
    each_callee_register ld, t0
    ret
