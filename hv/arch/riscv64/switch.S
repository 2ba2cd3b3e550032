/* SPDX-License-Identifier: MIT */
/* Floating point registers, between memory and the hardware; sstatus.FS is not Off. */
    .option arch, +f, +d
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
