/* SPDX-License-Identifier: MIT */
/*
 * What an architecture prints when the hypervisor panics: registers, and who
 * called whom, by frame records and the image's own table of symbols.
 *
 * Context: any, also on a broken stack: nothing here takes a lock, allocates,
 * or trusts what it reads there.
 */
#ifndef LOAM_BACKTRACE_H
#define LOAM_BACKTRACE_H

#include <loam/types.h>

/* The table that tools/gen/symbols.awk makes for the second link. */
struct symbols {
    uint64_t base; /* address of the first function */
    uint32_t count;
    const uint32_t *offsets; /* of the functions from there, ascending */
    const char *names; /* in the same order, each with its zero */
    uint64_t end; /* of the code, first address that is no function's */
};

/* Where lines go, and how addresses get names. */
struct dump {
    void (*emit)(void *arg, const char *line);
    void *arg;
    const struct symbols *symbols;
};

/*
 * A function's frame record: two words, the caller's frame pointer and the
 * address to return to. AAPCS64 keeps them at the frame pointer, the RISC-V
 * psABI in the 16 bytes below it.
 */
struct frame_layout {
    uint32_t below; /* bytes from the record to the frame pointer */
    uint32_t call; /* bytes of the shortest call: what is printed is the call, not what follows */
};

/* Addresses that frame records may have. */
struct stack_range {
    uint64_t bottom;
    uint64_t top; /* first address above */
};

/* The function that holds address, NULL if none; *offset is into it. */
const char *symbol_find(const struct symbols *s, uint64_t address, uint64_t *offset);

/* A line with one address and its name, if it has one. */
void dump_address(const struct dump *to, const char *what, uint64_t address);

/* A line with two registers. */
void dump_pair(const struct dump *to, const char *a, uint64_t va, const char *b, uint64_t vb);

/*
 * A line for each caller, from the function on whose frame pointer is fp. Ends at a
 * return address of 0, at a record outside the stack, or when records do not go up.
 */
void dump_callers(const struct dump *to, const struct frame_layout *layout,
                  const struct stack_range *stack, uint64_t fp);

#endif
