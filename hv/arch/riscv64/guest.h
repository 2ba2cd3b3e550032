/* SPDX-License-Identifier: MIT */
/* Numbers of a guest's device tree that guest.c and vintc.c share. */
#ifndef RISCV64_GUEST_H
#define RISCV64_GUEST_H

#include <arch/guest.h>

/* Each vCPU's own interrupt controller ("riscv,cpu-intc"): this + its id. */
#define GUEST_PHANDLE_CPU_INTC (GUEST_PHANDLE_INTC + 0x100)

#endif
