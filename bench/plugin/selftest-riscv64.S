/* SPDX-License-Identifier: MIT */
/*
 * Self test of the counter on riscv64: known instructions in HS mode between markers executed in VS
 * mode. M mode enters HS mode, that VS mode.
 *
 * VS mode calls HS mode in interval 1 and again in interval 2. The first call executes one of each
 * event, some of them compressed; the second takes a fault in the middle of a block, whose
 * remaining instructions must not be counted: M mode handles it and steps over them. The third
 * runs a program in U mode, which calls HS mode: that is no trap of a guest. EXPECT lines
 * state the counts in HS mode; each run.py compares them first.
 */
#define MARK(payload) .word 0x2013 | ((payload) >> 12) << 15 | ((payload) & 0xfff) << 20
#define POWER_OFF 0x5555
#define TEST_DEVICE 0x100000
#define UNMAPPED 0x40                   /* nothing there on QEMU's virt board */

    .option arch, +h, +zicbom
    .option norvc
    .globl  _start
_start:
    lla     t0, machine_trap
    csrw    mtvec, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    li      t0, 1 << 10 | 1 << 8        /* calls from VS and U mode to HS mode */
    csrw    medeleg, t0
    li      t0, 1 << 6                  /* CBCFE: cbo.clean */
    csrs    menvcfg, t0
    lla     t0, supervisor
    csrw    mepc, t0
    li      t0, 3 << 11                 /* MPP = S */
    csrc    mstatus, t0
    li      t0, 1 << 11
    csrs    mstatus, t0
    mret

supervisor:
    lla     t0, call
    csrw    stvec, t0
    lla     t0, guest
    csrw    sepc, t0
    li      t0, 1 << 7                  /* hstatus.SPV */
    csrs    hstatus, t0
    li      t0, 1 << 8                  /* sstatus.SPP */
    csrs    sstatus, t0
    sret

guest:
    li      s0, 4                       /* samples */
1:  li      a0, 1
    MARK(0x1001)
    ecall
    MARK(0x2001)
    li      a0, 2
    MARK(0x1002)
    ecall
    MARK(0x2002)
    li      a0, 3
    MARK(0x1003)
    ecall
    MARK(0x2003)
    addi    s0, s0, -1
    bnez    s0, 1b
    MARK(0x3000)
    li      t1, TEST_DEVICE
    li      t2, POWER_OFF
    sw      t2, 0(t1)
    j       .

/*
 * EXPECT 1 insn=25 sysreg=3 sysop=1 tlbi=2 barrier=2 load=4 store=3 atomic=1 eret=1 trap=1
 * EXPECT 2 insn=11 sysreg=2 sysop=0 tlbi=0 barrier=0 load=1 store=0 atomic=0 eret=1 trap=1
 * EXPECT 3 insn=28 sysreg=11 sysop=0 tlbi=0 barrier=0 load=0 store=0 atomic=0 eret=2 trap=1
 */
    .balign 4
call:
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    li      t1, 1
    bne     a0, t1, second              /* 5 */
    lla     a2, scratch                 /* 2 */
    csrr    t3, scause
    ld      t4, 0(a2)
    hlv.d   t5, (a2)
    sd      t4, 0(a2)
    hsv.d   t4, (a2)
    amoadd.d t5, t4, (a2)
    .option rvc
    c.ld    a3, 0(a2)
    c.sd    a3, 8(a2)
    c.mv    a4, a3
    c.nop
    c.addi  a4, 1
    c.lw    a4, 0(a2)
    .option norvc
    cbo.clean (a2)
    sfence.vma
    hfence.gvma
    fence
    fence.i
    sret                                /* 5 + 2 + 18 */

second:
    li      t1, 3
    beq     a0, t1, third               /* 2 */
    li      t2, UNMAPPED
    ld      t3, 0(t2)                   /* faults: counted, what follows is not */
    nop
    nop
    addi    t3, zero, 3
    sret                                /* 5 + 2 + 4 */

third:
    lla     t2, program_call            /* 2 */
    csrw    stvec, t2
    lla     t2, program                 /* 2 */
    csrr    s1, sepc
    csrw    sepc, t2
    li      t2, 1 << 8
    csrc    sstatus, t2
    li      t2, 1 << 7
    csrc    hstatus, t2
    sret                                /* 5 + 2 + 12 */

program:
    ecall

    .balign 4
program_call:
    lla     t2, call                    /* 2 */
    csrw    stvec, t2
    csrw    sepc, s1
    li      t2, 1 << 8
    csrs    sstatus, t2
    li      t2, 1 << 7
    csrs    hstatus, t2
    sret                                /* 19 + 9 */

    .balign 4
machine_trap:                           /* over the load and two that do not run */
    csrr    t5, mepc
    addi    t5, t5, 12
    csrw    mepc, t5
    mret

    .balign 64
scratch:
    .quad   0, 0
