/* SPDX-License-Identifier: MIT */
/*
 * Self test of the counter: known instructions at EL2 between markers executed at EL1.
 *
 * Enters EL1, calls EL2 by HVC in interval 1 and again in interval 2. The first call executes one
 * of each event; the second takes a fault in the middle of a block, whose remaining instructions
 * must not be counted. EXPECT lines state the counts at EL2; each run.py compares them first.
 */
#define MARK(payload) .inst (0xd280001f | ((payload) << 5))
#define UNMAPPED 0x0e800000             /* nothing there on QEMU's virt board */

    .arch   armv8.1-a
    .globl  _start
_start:
    adr     x0, vectors
    msr     vbar_el2, x0
    mov     x0, #(1 << 31)              /* HCR_EL2.RW */
    msr     hcr_el2, x0
    adr     x0, el1
    msr     elr_el2, x0
    mov     x0, #0x3c5                  /* EL1h, all masked */
    msr     spsr_el2, x0
    eret

el1:
    mov     x9, #4                      /* samples */
1:  mov     x1, #1
    MARK(0x1001)
    hvc     #0
    MARK(0x2001)
    mov     x1, #2
    MARK(0x1002)
    hvc     #0
    MARK(0x2002)
    subs    x9, x9, #1
    b.ne    1b
    MARK(0x3000)
    ldr     x0, =0x84000008             /* PSCI SYSTEM_OFF */
    smc     #0
    b       .

/*
 * EXPECT 1 insn=16 sysreg=2 sysop=1 tlbi=1 barrier=2 load=2 store=2 atomic=1 eret=1 trap=1
 * EXPECT 2 insn=15 sysreg=6 sysop=0 tlbi=0 barrier=0 load=1 store=0 atomic=0 eret=2 trap=1
 */
call:
    cmp     x1, #1
    b.ne    second                      /* 3 with the vector's branch */
    adr     x2, scratch
    mrs     x3, esr_el2
    msr     tpidr_el2, x3
    ldr     x4, [x2]
    ldp     x4, x5, [x2]
    str     x4, [x2]
    stp     x4, x5, [x2]
    ldadd   x4, x5, [x2]
    dc      civac, x2
    tlbi    vmalls12e1
    dsb     sy
    isb
    eret                                /* 3 + 13 */

second:
    mrs     x4, elr_el2                 /* the fault overwrites both */
    mrs     x5, spsr_el2
    movz    x2, #(UNMAPPED >> 16), lsl #16
    ldr     x3, [x2]                    /* faults: counted, what follows is not */
    nop
    nop
    msr     elr_el2, x4                 /* the fault handler returns here */
    msr     spsr_el2, x5
    eret                                /* 3 + 7, and 5 in the handler */

fault:
    mrs     x3, elr_el2
    add     x3, x3, #12                 /* over the load and two that do not run */
    msr     elr_el2, x3
    eret

    .align  11
vectors:
    .org    vectors + 0x200
    b       fault
    .org    vectors + 0x400
    b       call
    .org    vectors + 0x800
scratch:
    .quad   0, 0
