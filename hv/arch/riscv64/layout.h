/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's address space in HS mode. Also for assembly and the linker
 * script. Everything lies in the upper half of Sv39, which Sv48 and Sv57 contain:
 * boot.S runs on Sv39, mmu_init() puts further roots above that one.
 *
 *   0xffff_ffc0_0000_0000  RAM with Sv39: machine addresses up to 128 GiB, RW
 *   0xffff_ffe0_0000_0000  the host's device tree, read-only
 *   0xffff_fff0_0000_0000  device registers, handed out upwards
 *   0xffff_fff8_0000_0000  stacks of secondary CPUs, a guard below each
 *   0xffff_ffff_8000_0000  image: text RX, rodata R, data and bss RW
 *
 *   0xffff_8000_0000_0000  RAM with Sv48 and Sv57: up to 64 TiB
 */
#ifndef RISCV64_LAYOUT_H
#define RISCV64_LAYOUT_H

#define IMAGE_VA 0xffffffff80000000
#define DEVICE_VA 0xfffffff000000000
#define STACK_VA 0xfffffff800000000
#define FDT_VA 0xffffffe000000000
#define DIRECT_VA_SV39 0xffffffc000000000
#define DIRECT_VA_SV48 0xffff800000000000

#define DEVICE_VA_SIZE 0x800000000
#define DIRECT_SIZE_SV39 0x2000000000
#define DIRECT_SIZE_SV48 0x400000000000

/* One stack per CPU. */
#define STACK_SIZE 0x4000
#define STACK_STRIDE 0x8000

/* Root, level 1 and level 0 of the image are the first three tables of page_tables[]. */
#define PAGE_TABLES 64

/* Page table entries (Priv. spec 12.3.2, 12.4.1). A and D are set: nobody counts them. */
#define PTE_V 0x01
#define PTE_R 0x02
#define PTE_W 0x04
#define PTE_X 0x08
#define PTE_U 0x10
#define PTE_G 0x20
#define PTE_A 0x40
#define PTE_D 0x80
#define PTE_PPN_SHIFT 10

#define PTE_LEAF (PTE_V | PTE_R | PTE_G | PTE_A | PTE_D)
#define PTE_TEXT (PTE_LEAF | PTE_X)
#define PTE_RODATA PTE_LEAF
#define PTE_DATA (PTE_LEAF | PTE_W)
/* That these are devices the machine knows itself (its PMAs). */
#define PTE_REGS (PTE_LEAF | PTE_W)

#endif
