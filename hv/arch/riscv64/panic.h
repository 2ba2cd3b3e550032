/* SPDX-License-Identifier: MIT */
/* The end of traps that the hypervisor takes itself (panic.c). */
#ifndef RISCV64_PANIC_H
#define RISCV64_PANIC_H

#include <loam/types.h>

/* What entry.S stores: x1-x31 by number, then these. */
enum { HS_FRAME_SEPC = 32, HS_FRAME_SCAUSE, HS_FRAME_STVAL, HS_FRAME_WORDS };

/* Does not return. */
void hs_exception(const uint64_t frame[HS_FRAME_WORDS]);

#endif
