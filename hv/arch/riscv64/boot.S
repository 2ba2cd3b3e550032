/* SPDX-License-Identifier: MIT */
/*
 * From the firmware or from SBI HSM hart_start to C.
 *
 * Entered as a Linux riscv64 Image (Linux Documentation/arch/riscv/boot-image-header.rst)
 * or as a flat binary: HS mode, satp 0, a0 = hartid, a1 = device tree. Runs at
 * any page-aligned address until the MMU is on. There is no identity map: stvec
 * holds the linked address of `switched`, so that the first fetch after satp is
 * written faults to there. A hart that hart_start starts comes by secondary_entry
 * with the machine address of its struct pcpu in a1. Read next: start.c.
 */
#include <gen/asm-offsets.h>

#include "csr.h"
#include "layout.h"

    .section .text.boot, "ax"
    .globl _start
_start:
    j primary
    .balign 8
    .quad 0x200000   /* text_offset: 2 MiB past the start of RAM, where firmware lives */
    .quad image_size
    .quad 0          /* little endian */
    .long 2          /* header version 0.2 */
    .long 0
    .quad 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\x05"
    .long 0

primary:
    csrw sie, zero
    csrci sstatus, SSTATUS_SIE
    mv s0, a0
    mv s1, a1
    mv s2, zero
    lla s3, _start

    /* What the loader did not: .bss and the tables. */
    lla t0, image_bss_start
    lla t1, _end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b

    /* Root and two tables below it, of Sv39: the image's pages by section. */
    lla t0, page_tables
    li t1, 4096
    add t2, t0, t1         /* level 1 */
    add t3, t2, t1         /* level 0 */
    srli t4, t2, 2
    ori t4, t4, PTE_V
    li t5, ((IMAGE_VA >> 30) & 511) * 8
    add t5, t5, t0
    sd t4, 0(t5)
    srli t4, t3, 2
    ori t4, t4, PTE_V
    sd t4, 0(t2)           /* IMAGE_VA is the first 2 MiB of its GiB */
    mv a2, s3
    lla a3, image_text_end
    lla a4, image_rodata_end
    lla a5, _end
2:  li a6, PTE_TEXT
    bltu a2, a3, 3f
    li a6, PTE_RODATA
    bltu a2, a4, 3f
    li a6, PTE_DATA
3:  srli a7, a2, 2
    or a7, a7, a6
    sd a7, 0(t3)
    addi t3, t3, 8
    add a2, a2, t1
    bltu a2, a5, 2b

    srli t0, t0, 12
    li t1, SATP_SV39 << SATP_MODE_SHIFT
    or t0, t0, t1
    j mmu_on

    .globl secondary_entry
secondary_entry:
    csrw sie, zero
    csrci sstatus, SSTATUS_SIE
    ld t0, PCPU_SATP(a1)
    ld s2, PCPU_SELF(a1)

/* t0: satp, s2: pcpu or 0. */
mmu_on:
    lla t1, switched_address
    ld t1, 0(t1)
    csrw stvec, t1
    sfence.vma
    csrw satp, t0
    j park                 /* not reached: the fetch faults */

    .balign 8
switched_address:
    .quad switched

    .balign 4
switched:
    lla t0, guest_exit
    csrw stvec, t0
    csrw sscratch, zero
    mv fp, zero
    mv ra, zero
    bnez s2, 1f
    lla sp, boot_stack
    li t0, STACK_SIZE
    add sp, sp, t0
    mv a0, s0
    mv a1, s1
    mv a2, s3
    tail start_primary

1:  mv tp, s2
    ld sp, PCPU_STACK(tp)
    mv a0, s2
    tail start_secondary

park:
    wfi
    j park
