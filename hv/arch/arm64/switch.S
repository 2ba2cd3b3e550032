/* SPDX-License-Identifier: MIT */
/*
 * Moving a guest's EL1 registers, keys and floating point registers between
 * memory and the hardware, in pairs: what makes a switch between vCPUs cheap.
 * Layouts: struct arch_el1, arch_keys, arch_fp of arch/impl/regs.h.
 */
    .arch   armv8.3-a+fp+simd+sve

    .macro  save2 off, a, b
    mrs     x1, \a
    mrs     x2, \b
    stp     x1, x2, [x0, #\off]
    .endm

    .macro  load2 off, a, b
    ldp     x1, x2, [x0, #\off]
    msr     \a, x1
    msr     \b, x2
    .endm

    .macro  each_el1 op
    \op     0, sctlr_el1, cpacr_el1
    \op     16, ttbr0_el1, ttbr1_el1
    \op     32, tcr_el1, mair_el1
    \op     48, amair_el1, contextidr_el1
    \op     64, vbar_el1, cntkctl_el1
    \op     80, elr_el1, spsr_el1
    \op     96, esr_el1, far_el1
    \op     112, afsr0_el1, afsr1_el1
    \op     128, par_el1, csselr_el1
    \op     144, tpidr_el1, tpidrro_el0
    \op     160, tpidr_el0, sp_el0
    \op     176, sp_el1, mdscr_el1
    .endm

    .macro  each_key op
    \op     0, apiakeylo_el1, apiakeyhi_el1
    \op     16, apibkeylo_el1, apibkeyhi_el1
    \op     32, apdakeylo_el1, apdakeyhi_el1
    \op     48, apdbkeylo_el1, apdbkeyhi_el1
    \op     64, apgakeylo_el1, apgakeyhi_el1
    .endm

    .macro  function name
    .balign 16
    .globl  \name
    .type   \name, %function
\name:
    .endm

    .text
    function el1_save
    each_el1 save2
    ret

    function el1_load
    each_el1 load2
    ret

    function keys_save
    each_key save2
    ret

    function keys_load
    each_key load2
    ret

    .macro  each_fp op
    \op     q0, q1, [x0]
    \op     q2, q3, [x0, #32]
    \op     q4, q5, [x0, #64]
    \op     q6, q7, [x0, #96]
    \op     q8, q9, [x0, #128]
    \op     q10, q11, [x0, #160]
    \op     q12, q13, [x0, #192]
    \op     q14, q15, [x0, #224]
    \op     q16, q17, [x0, #256]
    \op     q18, q19, [x0, #288]
    \op     q20, q21, [x0, #320]
    \op     q22, q23, [x0, #352]
    \op     q24, q25, [x0, #384]
    \op     q26, q27, [x0, #416]
    \op     q28, q29, [x0, #448]
    \op     q30, q31, [x0, #480]
    .endm

    function fp_save
    each_fp stp
    add     x0, x0, #512
    save2   0, fpcr, fpsr
    ret

    function fp_load
    each_fp ldp
    add     x0, x0, #512
    load2   0, fpcr, fpsr
    ret

    .macro  each_z op
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op     z\n, [x0, #\n, mul vl]
    .endr
    .endm

    .macro  each_p op
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    \op     p\n, [x0, #\n, mul vl]
    .endr
    .endm

    /* sve_vl(): bytes of a vector now. */
    function sve_vl
    rdvl    x0, #1
    ret

    /*
     * sve_save(z, p, fp), sve_load(z, p, fp): Z0-Z31 at z, P0-P15 and FFR at
     * p, FPCR and FPSR in fp. The vector length is that of ZCR_EL2.
     */
    function sve_save
    each_z  str
    mov     x0, x1
    each_p  str
    rdffr   p0.b
    str     p0, [x0, #16, mul vl]
    add     x0, x2, #512
    save2   0, fpcr, fpsr
    ret

    function sve_load
    each_z  ldr
    mov     x0, x1
    ldr     p0, [x0, #16, mul vl]
    wrffr   p0.b
    each_p  ldr
    add     x0, x2, #512
    load2   0, fpcr, fpsr
    ret

    /* fp_reg_save(n, value), fp_reg_load(n, value): a table of two instructions a register. */
    .macro  each_q op
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op     q\n, [x1]
    ret
    .endr
    .endm

    function fp_reg_save
    adr     x2, 1f
    add     x2, x2, w0, uxtw #3
    br      x2
1:  each_q  str

    function fp_reg_load
    adr     x2, 1f
    add     x2, x2, w0, uxtw #3
    br      x2
1:  each_q  ldr
