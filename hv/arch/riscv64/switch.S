/* SPDX-License-Identifier: MIT */
/*
 * Floating point and vector registers, between memory and the hardware; sstatus.FS and
 * sstatus.VS are not Off.
 */
    .option arch, +f, +d, +v
    .text

    /* fp_save(struct arch_fp *) */
    .globl fp_save
    .type fp_save, %function
fp_save:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
        24, 25, 26, 27, 28, 29, 30, 31
    fsd     f\n, 8 * \n(a0)
    .endr
    frcsr   a1
    sd      a1, 256(a0)
    ret

    /* fp_load(const struct arch_fp *) */
    .globl fp_load
    .type fp_load, %function
fp_load:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
        24, 25, 26, 27, 28, 29, 30, 31
    fld     f\n, 8 * \n(a0)
    .endr
    ld      a1, 256(a0)
    fscsr   a1
    ret

    /*
     * vector_regs_save(struct vector_regs *): offsets are vector.c's. The hardware keeps what
     * it has. Loads and stores of whole registers do not look at vl and vtype, but
     * begin at vstart (V 7.9).
     */
    .globl vector_regs_save
    .type vector_regs_save, %function
vector_regs_save:
    csrr    a1, vstart
    sd      a1, 0(a0)
    csrr    a2, vcsr
    sd      a2, 8(a0)
    csrr    a2, vl
    sd      a2, 16(a0)
    csrr    a2, vtype
    sd      a2, 24(a0)
    csrw    vstart, zero
    csrr    a2, vlenb
    slli    a2, a2, 3
    addi    a0, a0, 32
    vs8r.v  v0, (a0)
    add     a0, a0, a2
    vs8r.v  v8, (a0)
    add     a0, a0, a2
    vs8r.v  v16, (a0)
    add     a0, a0, a2
    vs8r.v  v24, (a0)
    csrw    vstart, a1
    ret

    /* vector_regs_load(const struct vector_regs *) */
    .globl vector_regs_load
    .type vector_regs_load, %function
vector_regs_load:
    csrw    vstart, zero
    csrr    a2, vlenb
    slli    a2, a2, 3
    addi    a1, a0, 32
    vl8re8.v v0, (a1)
    add     a1, a1, a2
    vl8re8.v v8, (a1)
    add     a1, a1, a2
    vl8re8.v v16, (a1)
    add     a1, a1, a2
    vl8re8.v v24, (a1)
    /* A vl that was in force is at most VLMAX and comes back as it is; with vill it is 0. */
    ld      a1, 16(a0)
    ld      a2, 24(a0)
    vsetvl  zero, a1, a2
    ld      a1, 8(a0)
    csrw    vcsr, a1
    ld      a1, 0(a0)
    csrw    vstart, a1
    ret
