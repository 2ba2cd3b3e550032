/* SPDX-License-Identifier: MIT */
/*
 * What the counter must know of an architecture: how its levels of privilege are told apart, and
 * what an instruction word is. One `struct target` per architecture that QEMU emulates.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_LEVELS = 8 };

enum event {
    INSN,
    SYSREG,
    SYSOP,
    TLBI,
    BARRIER,
    LOAD,
    STORE,
    ATOMIC,
    ERET,
    TRAP, /* entries of a level from one below it: counted by count.c, not decoded */
    NR_EVENTS,
};

/* A register that tells more of a trap, and its bits that matter. */
struct detail {
    const char *name;
    uint64_t mask;
};

enum { NR_CAUSES = 64 };

/* A level whose traps are told apart by cause. */
struct trap_level {
    const char *vector; /* register: where it is entered, but for bits 1:0 */
    const char *cause; /* register; bit 63: an interrupt */
    struct detail detail[NR_CAUSES]; /* by cause, of those that are no interrupts */
};

struct target {
    const char *name; /* QEMU's */
    unsigned int nr_levels;
    unsigned int hypervisor; /* the level whose traps come from guests */
    uint32_t guests; /* a bit for each level of guests */
    uint8_t below[MAX_LEVELS]; /* a bit for each level that traps into this one */
    const char *level_register; /* QEMU's name for gdb */
    unsigned int level_shift, level_mask; /* where in its first byte the level is */
    struct trap_level trap[MAX_LEVELS]; /* without a vector: causes are not told apart */

    /* The payload of a marker, 0 if it is another instruction. */
    unsigned int (*marker)(uint32_t insn);
    /* The event an instruction is besides INSN; INSN for none. */
    enum event (*classify)(uint32_t insn);
    /* May the block be left behind it, before its end? */
    bool (*may_leave)(uint32_t insn);
};

extern const struct target target_arm64, target_riscv64;

#endif
