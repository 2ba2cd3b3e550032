/* SPDX-License-Identifier: MIT */
/*
 * stvec: out of a guest, through C, back into one.
 *
 * While a guest runs sscratch holds the address of its struct vcpu, in the
 * hypervisor it is 0: a trap that finds 0 is the hypervisor's own, which is
 * broken. tp is the address of struct pcpu in the hypervisor; gp is the guest's
 * throughout, C does not use it. An exit stores what a C function may clobber
 * (ra, sp, tp, t0-t6, a0-a7) in v->arch.x; s0-s11 stay in their registers, which
 * C preserves, for exits that are handled without looking at them (ecall,
 * interrupts). Exits that may name any register store all.
 *
 * arch_exit_*() returns true: the same guest goes on, the short way. False:
 * all registers are stored and vcpu_next() chooses; what it returns is entered
 * with all registers.
 */
#include <gen/asm-offsets.h>

#include "csr.h"

    /* v in a0; what C may clobber is stored, tp and sp are the hypervisor's. */
    .macro  save_volatile
    sd      ra, VCPU_X + 8 * 1(a0)
    sd      sp, VCPU_X + 8 * 2(a0)
    sd      tp, VCPU_X + 8 * 4(a0)
    sd      t0, VCPU_X + 8 * 5(a0)
    sd      t1, VCPU_X + 8 * 6(a0)
    sd      t2, VCPU_X + 8 * 7(a0)
    sd      a1, VCPU_X + 8 * 11(a0)
    sd      a2, VCPU_X + 8 * 12(a0)
    sd      a3, VCPU_X + 8 * 13(a0)
    sd      a4, VCPU_X + 8 * 14(a0)
    sd      a5, VCPU_X + 8 * 15(a0)
    sd      a6, VCPU_X + 8 * 16(a0)
    sd      a7, VCPU_X + 8 * 17(a0)
    sd      t3, VCPU_X + 8 * 28(a0)
    sd      t4, VCPU_X + 8 * 29(a0)
    sd      t5, VCPU_X + 8 * 30(a0)
    sd      t6, VCPU_X + 8 * 31(a0)
    csrrw   t0, sscratch, zero
    sd      t0, VCPU_X + 8 * 10(a0)
    ld      tp, VCPU_PCPU(a0)
    ld      sp, PCPU_STACK(tp)
    .endm

    .macro  save_preserved v
    sd      gp, VCPU_X + 8 * 3(\v)
    sd      s0, VCPU_X + 8 * 8(\v)
    sd      s1, VCPU_X + 8 * 9(\v)
    sd      s2, VCPU_X + 8 * 18(\v)
    sd      s3, VCPU_X + 8 * 19(\v)
    sd      s4, VCPU_X + 8 * 20(\v)
    sd      s5, VCPU_X + 8 * 21(\v)
    sd      s6, VCPU_X + 8 * 22(\v)
    sd      s7, VCPU_X + 8 * 23(\v)
    sd      s8, VCPU_X + 8 * 24(\v)
    sd      s9, VCPU_X + 8 * 25(\v)
    sd      s10, VCPU_X + 8 * 26(\v)
    sd      s11, VCPU_X + 8 * 27(\v)
    .endm

    .macro  restore_preserved v
    ld      gp, VCPU_X + 8 * 3(\v)
    ld      s0, VCPU_X + 8 * 8(\v)
    ld      s1, VCPU_X + 8 * 9(\v)
    ld      s2, VCPU_X + 8 * 18(\v)
    ld      s3, VCPU_X + 8 * 19(\v)
    ld      s4, VCPU_X + 8 * 20(\v)
    ld      s5, VCPU_X + 8 * 21(\v)
    ld      s6, VCPU_X + 8 * 22(\v)
    ld      s7, VCPU_X + 8 * 23(\v)
    ld      s8, VCPU_X + 8 * 24(\v)
    ld      s9, VCPU_X + 8 * 25(\v)
    ld      s10, VCPU_X + 8 * 26(\v)
    ld      s11, VCPU_X + 8 * 27(\v)
    .endm

    /* Ends with the guest running; v in a0. */
    .macro  restore_volatile_and_enter
    csrw    sscratch, a0
    ld      ra, VCPU_X + 8 * 1(a0)
    ld      sp, VCPU_X + 8 * 2(a0)
    ld      tp, VCPU_X + 8 * 4(a0)
    ld      t0, VCPU_X + 8 * 5(a0)
    ld      t1, VCPU_X + 8 * 6(a0)
    ld      t2, VCPU_X + 8 * 7(a0)
    ld      a1, VCPU_X + 8 * 11(a0)
    ld      a2, VCPU_X + 8 * 12(a0)
    ld      a3, VCPU_X + 8 * 13(a0)
    ld      a4, VCPU_X + 8 * 14(a0)
    ld      a5, VCPU_X + 8 * 15(a0)
    ld      a6, VCPU_X + 8 * 16(a0)
    ld      a7, VCPU_X + 8 * 17(a0)
    ld      t3, VCPU_X + 8 * 28(a0)
    ld      t4, VCPU_X + 8 * 29(a0)
    ld      t5, VCPU_X + 8 * 30(a0)
    ld      t6, VCPU_X + 8 * 31(a0)
    ld      a0, VCPU_X + 8 * 10(a0)
    sret
    .endm

    .text
    .balign 64
    .globl  guest_exit
guest_exit:
    csrrw   a0, sscratch, a0
    beqz    a0, hs_broken
    save_volatile
    csrr    a1, scause
    li      t0, CAUSE_ECALL_VS
    bne     a1, t0, 1f
    call    arch_exit_ecall
    beqz    a0, exit_next
    ld      a0, PCPU_CURRENT(tp)
    restore_volatile_and_enter

1:  bgez    a1, exit_full
    call    arch_exit_irq
    beqz    a0, exit_next
    ld      a0, PCPU_CURRENT(tp)
    restore_volatile_and_enter

    /* Exceptions whose handlers may touch any register. */
exit_full:
    save_preserved a0
    call    arch_exit_trap
    beqz    a0, next
    ld      a0, PCPU_CURRENT(tp)
    restore_preserved a0
    restore_volatile_and_enter

    /* There is work: all of the guest is in memory before anything may switch. */
exit_next:
    ld      a0, PCPU_CURRENT(tp)
    save_preserved a0
next:
    mv      a0, tp
    call    vcpu_next
    restore_preserved a0
    restore_volatile_and_enter

    /* arch_vcpu_enter(p, v): the boot's stack is given up. */
    .globl  arch_vcpu_enter
    .type   arch_vcpu_enter, %function
arch_vcpu_enter:
    mv      a0, a1
    restore_preserved a0
    restore_volatile_and_enter

    /*
     * The hypervisor's own trap: stores x1-x31 by number, sepc, scause and stval on a
     * stack that works: sp may be what broke (guard page).
     */
hs_broken:
    csrrw   a0, sscratch, a0    /* a0 as it was; sscratch is 0 again */
    csrw    sscratch, t0
    lla     t0, hs_emergency_stack + 4096 - 288
    sd      ra, 8(t0)
    sd      sp, 16(t0)
    sd      gp, 24(t0)
    sd      tp, 32(t0)
    sd      t1, 48(t0)
    sd      t2, 56(t0)
    sd      s0, 64(t0)
    sd      s1, 72(t0)
    sd      a0, 80(t0)
    sd      a1, 88(t0)
    sd      a2, 96(t0)
    sd      a3, 104(t0)
    sd      a4, 112(t0)
    sd      a5, 120(t0)
    sd      a6, 128(t0)
    sd      a7, 136(t0)
    sd      s2, 144(t0)
    sd      s3, 152(t0)
    sd      s4, 160(t0)
    sd      s5, 168(t0)
    sd      s6, 176(t0)
    sd      s7, 184(t0)
    sd      s8, 192(t0)
    sd      s9, 200(t0)
    sd      s10, 208(t0)
    sd      s11, 216(t0)
    sd      t3, 224(t0)
    sd      t4, 232(t0)
    sd      t5, 240(t0)
    sd      t6, 248(t0)
    mv      sp, t0
    csrrw   t0, sscratch, zero
    sd      t0, 40(sp)
    csrr    t0, sepc
    sd      t0, 256(sp)
    csrr    t0, scause
    sd      t0, 264(sp)
    csrr    t0, stval
    sd      t0, 272(sp)
    mv      a0, sp
    call    hs_exception
1:  wfi
    j       1b

    .section .bss.emergency, "aw", %nobits
    .balign 16
hs_emergency_stack:
    .space  4096
