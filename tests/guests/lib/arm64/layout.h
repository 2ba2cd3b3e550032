/* SPDX-License-Identifier: MIT */
/*
 * layout.h: offsets in struct cpu that start.S uses, checked in runtime.c.
 */

#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define STACK_SIZE 8192
#define CPU_SP 248
#define CPU_SPSR 264
#define CPU_FAR 280
#define CPU_STACK 288
#define CPU_EXC_STACK 296
#define CPU_SAVED 304

#endif
