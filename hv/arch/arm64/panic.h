/* SPDX-License-Identifier: MIT */
/* An exception that EL2 took from itself, as entry.S hands it to panic.c. */
#ifndef ARM64_PANIC_H
#define ARM64_PANIC_H

#include <loam/types.h>

/* Words of the frame: x0..x30, then these. */
#define EL2_FRAME_SP 31
#define EL2_FRAME_ELR 32
#define EL2_FRAME_SPSR 33
#define EL2_FRAME_ESR 34
#define EL2_FRAME_FAR 35
#define EL2_FRAME_VECTOR 36 /* 0..7: index of the entry in the table of vectors */
#define EL2_FRAME_WORDS 37

/* Prints it and panics. Context: an emergency stack. */
__noreturn void arch_el2_exception(const uint64_t frame[EL2_FRAME_WORDS]);

#endif
