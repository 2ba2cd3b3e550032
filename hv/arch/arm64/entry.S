/* SPDX-License-Identifier: MIT */
/*
 * The exception vectors of EL2: out of a guest, through C, back into one.
 *
 * While a guest runs, SP_EL2 is the top of the pcpu's stack less 16 and the
 * word there is the address of its struct vcpu. An exit stores what a C
 * function may clobber (x0-x18, x30) in v->arch.x; x19-x29 stay in their
 * registers, which C preserves, for exits that are handled without looking
 * at them (HVC, IRQ). Exits that may name any register store all.
 *
 * arch_exit_*() returns true: the same guest goes on, the short way. False:
 * x19-x29 are stored and vcpu_next() chooses; what it returns is entered with
 * all registers. ELR_EL2 and SPSR_EL2 belong to the guest throughout: nothing
 * here takes another exception.
 */
#include <gen/asm-offsets.h>

    /* v in x0; x0-x18 and x30 of the guest are stored. Clobbers nothing else. */
    .macro  save_volatile
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #16]
    stp     x2, x3, [x0, #VCPU_X + 16]
    stp     x4, x5, [x0, #VCPU_X + 32]
    stp     x6, x7, [x0, #VCPU_X + 48]
    stp     x8, x9, [x0, #VCPU_X + 64]
    stp     x10, x11, [x0, #VCPU_X + 80]
    stp     x12, x13, [x0, #VCPU_X + 96]
    stp     x14, x15, [x0, #VCPU_X + 112]
    stp     x16, x17, [x0, #VCPU_X + 128]
    str     x18, [x0, #VCPU_X + 144]
    str     x30, [x0, #VCPU_X + 240]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0, #VCPU_X]
    .endm

    .macro  save_preserved v
    stp     x19, x20, [\v, #VCPU_X + 152]
    stp     x21, x22, [\v, #VCPU_X + 168]
    stp     x23, x24, [\v, #VCPU_X + 184]
    stp     x25, x26, [\v, #VCPU_X + 200]
    stp     x27, x28, [\v, #VCPU_X + 216]
    str     x29, [\v, #VCPU_X + 232]
    .endm

    .macro  restore_preserved v
    ldp     x19, x20, [\v, #VCPU_X + 152]
    ldp     x21, x22, [\v, #VCPU_X + 168]
    ldp     x23, x24, [\v, #VCPU_X + 184]
    ldp     x25, x26, [\v, #VCPU_X + 200]
    ldp     x27, x28, [\v, #VCPU_X + 216]
    ldr     x29, [\v, #VCPU_X + 232]
    .endm

    /* Ends with the guest running; v in x0. */
    .macro  restore_volatile_and_enter
    ldp     x2, x3, [x0, #VCPU_X + 16]
    ldp     x4, x5, [x0, #VCPU_X + 32]
    ldp     x6, x7, [x0, #VCPU_X + 48]
    ldp     x8, x9, [x0, #VCPU_X + 64]
    ldp     x10, x11, [x0, #VCPU_X + 80]
    ldp     x12, x13, [x0, #VCPU_X + 96]
    ldp     x14, x15, [x0, #VCPU_X + 112]
    ldp     x16, x17, [x0, #VCPU_X + 128]
    ldr     x18, [x0, #VCPU_X + 144]
    ldr     x30, [x0, #VCPU_X + 240]
    ldp     x0, x1, [x0, #VCPU_X]
    eret
    /* No speculation past the return (straight-line speculation). */
    dsb     nsh
    isb
    .endm

    .macro  vector target
    .balign 128
    b       \target
    .endm

    /* An exception of the hypervisor itself: it is broken; \n says which vector. */
    .macro  broken n
    .balign 128
    msr     tpidr_el1, x0
    mov     x0, #\n
    b       el2_broken
    .endm

    .section .text.vectors, "ax"
    .balign 2048
    .globl  vectors
vectors:
    broken  0
    broken  1
    broken  2
    broken  3
    broken  4
    broken  5
    broken  6
    broken  7
    vector  exit_sync
    vector  exit_irq
    vector  exit_irq            /* FIQ: group 0 is not ours, but it would come here */
    vector  exit_serror
    vector  exit_aarch32        /* guests are 64-bit at EL1; EL0 may be 32-bit */
    vector  exit_irq
    vector  exit_irq
    vector  exit_serror

    .text
    .balign 64
exit_sync:
    save_volatile
    mrs     x1, esr_el2
    lsr     w2, w1, #26
    cmp     w2, #0x16                   /* EC_HVC64 */
    b.ne    exit_full
    bl      arch_exit_hvc
    cbz     w0, exit_next
    ldr     x0, [sp]
    restore_volatile_and_enter

    .balign 64
exit_irq:
    save_volatile
    bl      arch_exit_irq
    cbz     w0, exit_next
    ldr     x0, [sp]
    restore_volatile_and_enter

    /* Synchronous exits whose handlers may touch any register. */
    .balign 64
exit_full:
    save_preserved x0
    bl      arch_exit_sync
    cbz     w0, next
    ldr     x0, [sp]
    restore_preserved x0
    restore_volatile_and_enter

exit_aarch32:
    save_volatile
    mrs     x1, esr_el2
    b       exit_full

exit_serror:
    save_volatile
    save_preserved x0
    mrs     x1, esr_el2
    bl      arch_exit_serror
    cbz     w0, next
    ldr     x0, [sp]
    restore_preserved x0
    restore_volatile_and_enter

    /* There is work: all of the guest is in memory before anything may switch. */
exit_next:
    ldr     x0, [sp]
    save_preserved x0
next:
    ldr     x0, [sp]
    ldr     x0, [x0, #VCPU_PCPU]
    bl      vcpu_next
    str     x0, [sp]
    restore_preserved x0
    restore_volatile_and_enter

    /* arch_vcpu_enter(p, v): the boot's stack is given up. */
    .globl  arch_vcpu_enter
    .type   arch_vcpu_enter, %function
arch_vcpu_enter:
    ldr     x2, [x0, #PCPU_STACK]
    sub     sp, x2, #16
    str     x1, [sp]
    mov     x0, x1
    restore_preserved x0
    restore_volatile_and_enter

    /*
     * Stores x0-x30, sp, elr, spsr, esr, far and the vector's number on a
     * stack that works: SP_EL2 may be what broke (guard page).
     */
el2_broken:
    msr     tpidr_el0, x1
    msr     tpidrro_el0, x2
    adrp    x1, el2_emergency_stack
    add     x1, x1, :lo12:el2_emergency_stack
    add     x1, x1, #4096
    sub     x1, x1, #304
    stp     x3, x4, [x1, #24]
    stp     x5, x6, [x1, #40]
    stp     x7, x8, [x1, #56]
    stp     x9, x10, [x1, #72]
    stp     x11, x12, [x1, #88]
    stp     x13, x14, [x1, #104]
    stp     x15, x16, [x1, #120]
    stp     x17, x18, [x1, #136]
    stp     x19, x20, [x1, #152]
    stp     x21, x22, [x1, #168]
    stp     x23, x24, [x1, #184]
    stp     x25, x26, [x1, #200]
    stp     x27, x28, [x1, #216]
    stp     x29, x30, [x1, #232]
    mrs     x3, tpidr_el1               /* x0 */
    mrs     x4, tpidr_el0               /* x1 */
    mrs     x5, tpidrro_el0             /* x2 */
    stp     x3, x4, [x1]
    str     x5, [x1, #16]
    mov     x3, sp
    mrs     x4, elr_el2
    stp     x3, x4, [x1, #248]
    mrs     x3, spsr_el2
    mrs     x4, esr_el2
    stp     x3, x4, [x1, #264]
    mrs     x3, far_el2
    stp     x3, x0, [x1, #280]
    mov     sp, x1
    mov     x0, x1
    bl      arch_el2_exception
1:  wfi
    b       1b

    .section .bss.emergency, "aw", %nobits
    .balign 16
el2_emergency_stack:
    .space  4096
