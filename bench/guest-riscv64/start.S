/* SPDX-License-Identifier: MIT */
/*
 * Entry of the riscv64 bench guest: Linux Image header, trap vector, calls out of the guest.
 *
 * The image is position independent and carries no relocations. The first instruction executed is
 * point marker 1, the first instruction of a secondary hart and of the trap vector is marker 5000
 * (end of the open asynchronous interval): nothing of the guest runs before them. tp holds the
 * hart's number, C does not use it.
 */
#define MARK(payload) .word 0x2013 | ((payload) >> 12) << 15 | ((payload) & 0xfff) << 20
#define STACK_SIZE 8192
#define FRAME_SIZE 128
#define XEN_HYPERCALL_EID 0x0a000007

    .section .head, "ax"
    .globl  image_start
image_start:
    .option push
    .option norvc
    MARK(0x4001)
    j       primary
    .option pop
    .balign 8
    .quad   0x200000                /* text offset */
    .quad   image_end - image_start /* effective size, with bss */
    .quad   0                       /* little endian */
    .long   2                       /* header version 0.2 */
    .long   0
    .quad   0
    .ascii  "RISCV\0\0\0"
    .ascii  "RSC\x05"
    .long   0

primary:
    mv      tp, a0
    lla     t0, bss_start
    lla     t1, image_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    lla     sp, stack_cpu0 + STACK_SIZE
    lla     t0, vector
    csrw    stvec, t0
    mv      a0, a1
    call    guest_main
    j       .

    .text
    .balign 4
    .globl  secondary_entry
secondary_entry:                    /* a0: hart, a1: HSM's opaque value */
    MARK(0x5000)
    mv      tp, a0
    lla     sp, stack_cpu1 + STACK_SIZE
    lla     t0, vector
    csrw    stvec, t0
    mv      a0, a1
    call    secondary_main
    j       .

    .balign 4
vector:
    MARK(0x5000)
    addi    sp, sp, -FRAME_SIZE
    sd      ra, 0(sp)
    sd      t0, 8(sp)
    sd      t1, 16(sp)
    sd      t2, 24(sp)
    sd      t3, 32(sp)
    sd      t4, 40(sp)
    sd      t5, 48(sp)
    sd      t6, 56(sp)
    sd      a0, 64(sp)
    sd      a1, 72(sp)
    sd      a2, 80(sp)
    sd      a3, 88(sp)
    sd      a4, 96(sp)
    sd      a5, 104(sp)
    sd      a6, 112(sp)
    sd      a7, 120(sp)
    csrr    a0, scause
    csrr    a1, sepc
    csrr    a2, stval
    call    trap_handle             /* returns where to go on */
    csrw    sepc, a0
    ld      ra, 0(sp)
    ld      t0, 8(sp)
    ld      t1, 16(sp)
    ld      t2, 24(sp)
    ld      t3, 32(sp)
    ld      t4, 40(sp)
    ld      t5, 48(sp)
    ld      t6, 56(sp)
    ld      a0, 64(sp)
    ld      a1, 72(sp)
    ld      a2, 80(sp)
    ld      a3, 88(sp)
    ld      a4, 96(sp)
    ld      a5, 104(sp)
    ld      a6, 112(sp)
    ld      a7, 120(sp)
    addi    sp, sp, FRAME_SIZE
    sret

/* long hypercall(number, a0, a1, a2): arguments are in a1 to a3 already. */
    .globl  hypercall
hypercall:
    mv      a6, a0
    li      a7, XEN_HYPERCALL_EID
    ecall
    ret

/* struct sbi_ret sbi(extension, function, a0, a1, a2) */
    .globl  sbi
sbi:
    mv      a7, a0
    mv      a6, a1
    mv      a0, a2
    mv      a1, a3
    mv      a2, a4
    ecall
    ret

    .option arch, +d
    .macro  fp_all op
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op     f\n, 8 * \n(a0)
    .endr
    .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op     f\n, 8 * \n(a0)
    .endr
    .endm

/* void fp_load(const void *values), fp_store(void *values) */
    .globl  fp_load
fp_load:
    fp_all  fld
    ret
    .globl  fp_store
fp_store:
    fp_all  fsd
    ret

    .bss
    .balign 16
stack_cpu0:
    .space  STACK_SIZE
stack_cpu1:
    .space  STACK_SIZE
