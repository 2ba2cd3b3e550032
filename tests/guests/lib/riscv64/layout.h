/* SPDX-License-Identifier: MIT */
/*
 * layout.h: offsets in struct cpu that start.S uses, checked in arch.c.
 */

#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define STACK_SIZE 8192
#define CPU_PC 256
#define CPU_STATUS 264
#define CPU_CAUSE 272
#define CPU_VALUE 280
#define CPU_STACK 288
#define CPU_EXC_STACK 296
#define CPU_SAVED 304

#endif
