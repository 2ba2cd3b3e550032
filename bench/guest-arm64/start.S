/* SPDX-License-Identifier: MIT */
/*
 * Entry of the bench guest: Linux arm64 Image header, MMU, exception vectors.
 *
 * The image is position independent and carries no relocations. The first instruction executed is
 * point marker 1, the first instruction of a secondary CPU and of the IRQ and synchronous vectors
 * is marker 5000 (end of the open asynchronous interval): nothing of the guest runs before them.
 * x18 is not used by the C code (-ffixed-x18), x0 holds the device tree's address at entry.
 */
#define MARK(payload) .inst (0xd280001f | ((payload) << 5))
#define STACK_SIZE 8192
#define FRAME_SIZE 192

    .section .head, "ax"
    .globl  image_start
image_start:
    MARK(0x4001)
    b       primary
    .quad   0                       /* text offset */
    .quad   image_end - image_start /* effective size, with bss */
    .quad   0xa                     /* little endian, 4 KiB pages, anywhere in memory */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

primary:
    mov     x20, x0
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, image_end
    add     x2, x2, :lo12:image_end
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b
    adrp    x1, stack_cpu0 + STACK_SIZE
    mov     sp, x1
    mov     x0, x20
    bl      map_build
    bl      mmu_enable
    mov     x0, x20
    bl      guest_main
    b       .

    .text
    .globl  secondary_entry
secondary_entry:
    MARK(0x5000)
    mov     x20, x0                 /* PSCI's context identifier */
    adrp    x1, stack_cpu1 + STACK_SIZE
    mov     sp, x1
    bl      mmu_enable
    mov     x0, x20
    bl      secondary_main
    b       .

/* Same registers on every CPU: MAIR 0 = normal write-back, 1 = device nGnRE; 39-bit addresses. */
mmu_enable:
    adrp    x0, vectors
    msr     vbar_el1, x0
    mov     x0, #0x04ff
    msr     mair_el1, x0
    ldr     x0, =((64 - 39) | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | (2 << 32))
    msr     tcr_el1, x0
    adrp    x0, map_root
    msr     ttbr0_el1, x0
    mov     x0, #(3 << 20)          /* FP and SIMD without traps */
    msr     cpacr_el1, x0
    tlbi    vmalle1
    dsb     nsh
    isb
    ldr     x0, =0x30d0180d         /* RES1 bits, I, C, M; no alignment check */
    msr     sctlr_el1, x0
    isb
    ret
    .ltorg

    .align  12
vectors:
    .rept   4                       /* current EL with SP_EL0: never used */
    .align  7
    b       unexpected
    .endr
    .align  7                       /* current EL with SP_EL1: synchronous */
    MARK(0x5000)
    b       sync_entry
    .align  7                       /* IRQ */
    MARK(0x5000)
    b       irq_entry
    .rept   10                      /* FIQ, SError; lower levels: never used */
    .align  7
    b       unexpected
    .endr

    .macro  frame_save
    stp     x0, x1, [sp, #-FRAME_SIZE]!
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x29, [sp, #144]
    str     x30, [sp, #160]
    .endm

    .macro  frame_restore
    ldr     x30, [sp, #160]
    ldp     x18, x29, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp], #FRAME_SIZE
    .endm

sync_entry:
    frame_save
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    bl      sync_handle             /* returns where to go on */
    msr     elr_el1, x0
    frame_restore
    eret

irq_entry:
    frame_save
    bl      irq_handle
    frame_restore
    eret

unexpected:
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    bl      exception_fatal
    b       .

/* long hypercall(number, a0, a1, a2): Xen's arm64 convention, HVC 0xea1, number in x16. */
    .globl  hypercall
hypercall:
    mov     x16, x0
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    hvc     #0xea1
    ret

/* long smccc(function, a1, a2, a3): SMC calling convention by HVC. */
    .globl  smccc
smccc:
    hvc     #0
    ret

/* void fp_load(const void *values), fp_store(void *values): q0 to q31, 512 bytes. */
    .macro  fp_all op
    \op     q0, q1, [x0, #0]
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

    .globl  fp_load
fp_load:
    fp_all  ldp
    ret
    .globl  fp_store
fp_store:
    fp_all  stp
    ret
    .bss
    .align  12
stack_cpu0:
    .space  STACK_SIZE
stack_cpu1:
    .space  STACK_SIZE
    .globl  map_root
map_root:
    .space  4096
