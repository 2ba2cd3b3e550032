/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's address space at EL2: 48 bits, 4 KiB granule, TTBR0_EL2.
 * Also for assembly and the linker script. One level-0 slot is 512 GiB.
 *
 *   slot 0    0x0000_0000_0000  nothing: a NULL pointer faults
 *   slot 1    0x0080_0000_0000  image: text RX, rodata R, data and bss RW
 *   slot 2    0x0100_0000_0000  device registers, handed out upwards
 *   slot 3    0x0180_0000_0000  stacks of secondary CPUs, a guard below each
 *   slot 4    0x0200_0000_0000  the host's device tree, read-only
 *   slot 32.. 0x1000_0000_0000  RAM: address + this, RW, without the image's frames
 */
#ifndef ARM64_LAYOUT_H
#define ARM64_LAYOUT_H

#define IMAGE_VA 0x008000000000
#define DEVICE_VA 0x010000000000
#define STACK_VA 0x018000000000
#define FDT_VA 0x020000000000
#define DIRECT_VA 0x100000000000

#define DEVICE_VA_SIZE 0x8000000000
#define DIRECT_PA_MAX 0x800000000000 /* RAM above this (128 TiB) is not used */

/* One stack per CPU; boot.S begins STACK_RESERVE below its top (entry.S owns these bytes). */
#define STACK_SIZE 0x4000
#define STACK_RESERVE 16
#define STACK_STRIDE 0x8000

/* Level 0..3 of the image are the first four tables of page_tables[]. */
#define PAGE_TABLES 64

/* Descriptors (Arm DDI 0487 D8.3), attribute index into MAIR_VALUE. */
#define PTE_VALID 0x1
#define PTE_TABLE 0x3 /* also a page, at level 3 */
#define PTE_BLOCK 0x1
#define PTE_DEVICE 0x4
#define PTE_EL2 0x40 /* AP[1], RES1 in a regime of one exception level */
#define PTE_RO 0x80
#define PTE_INNER 0x300
#define PTE_AF 0x400
#define PTE_XN 0x40000000000000

#define PTE_NORMAL (PTE_EL2 | PTE_INNER | PTE_AF)
#define PTE_TEXT (PTE_NORMAL | PTE_RO)
#define PTE_RODATA (PTE_NORMAL | PTE_RO | PTE_XN)
#define PTE_DATA (PTE_NORMAL | PTE_XN)
#define PTE_REGS (PTE_DEVICE | PTE_EL2 | PTE_AF | PTE_XN)

/* Attribute 0: write-back, 1: Device-nGnRE. */
#define MAIR_VALUE 0x04ff

#endif
