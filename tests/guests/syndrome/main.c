/* SPDX-License-Identifier: MIT */
/*
 * syndrome: device accesses that leave the hypervisor without a syndrome.
 *
 * Pairs, write-back addressing, SIMD, exclusives, atomics and DC ZVA do not
 * set ESR_EL2.ISV (Arm DDI 0487 D24.2.39), so an emulated device cannot know
 * what to do from it alone. Each must either be done right or end in a data
 * abort at its own address, with the base register unchanged; none may be
 * silently skipped or hang.
 */

#include "guest.h"

#define RET 0xd65f03c0u
#define UNSCALED 0xffe00c00u /* load or store with write-back: the bits that tell */

static u64 regs[29];

struct form {
    const char *name;
    u32 word; /* base register x1, data x2, x3 */
};

static const struct form forms[] = {
    { "ldr w2, [x1]", 0xb9400022 },
    { "ldp w2, w3, [x1]", 0x29400c22 },
    { "stp w2, w3, [x1]", 0x29000c22 },
    { "ldp x2, x3, [x1]", 0xa9400c22 },
    { "ldr w2, [x1], #4", 0xb8404422 },
    { "ldr w2, [x1, #0]!", 0xb8400c22 },
    { "str w2, [x1], #4", 0xb8004422 },
    { "str w2, [x1, #0]!", 0xb8000c22 },
    { "ldrsw x2, [x1], #4", 0xb8804422 },
    { "ldr q2, [x1]", 0x3dc00022 },
    { "str q2, [x1]", 0x3d800022 },
    { "ldr s2, [x1]", 0xbd400022 },
    { "str s2, [x1]", 0xbd000022 },
    { "ld1 {v2.4s}, [x1]", 0x4c407822 },
    { "st1 {v2.4s}, [x1]", 0x4c007822 },
    { "ldxr w2, [x1]", 0x885f7c22 },
    { "stxr w3, w2, [x1]", 0x88037c22 },
    { "ldaxp w2, w3, [x1]", 0x887f8c22 },
    { "ldadd w2, w3, [x1]", 0xb8220023 },
    { "swpal w2, w3, [x1]", 0xb8e28023 },
    { "cas w2, w3, [x1]", 0x88a27c23 },
    { "dc zva, x1", 0xd50b7421 },
    { "dc ivac, x1", 0xd5087621 },
    { "dc cvac, x1", 0xd50b7a21 },
    { "prfm pldl1keep, [x1]", 0xf9800020 },
    { "ldtr w2, [x1]", 0xb8400822 },
    { "ldar w2, [x1]", 0x88dffc22 },
    { "stlr w2, [x1]", 0x889ffc22 },
    { "ldr w2, [x1, #1] (unaligned)", 0xb8401022 },
};

/* The word, then x1 out as the result. */
static void try_form(const struct form *form, u64 address, const char *where)
{
    static u32 body[4] __attribute__((aligned(64)));

    body[0] = form->word;
    body[1] = 0xaa0103e0; /* mov x0, x1 */
    body[2] = RET;
    sync_code(body, sizeof(body));
    memset(regs, 0, sizeof(regs));
    regs[1] = address;
    u64 base = address;
    struct trap t = TRY(base = call_trapped(body, regs));
    u32 kind = form->word & UNSCALED;
    bool post = kind == 0xb8400400 || kind == 0xb8000400 || kind == 0xb8800400;

    if (t.taken) {
        /* The handler stepped over the word: the base register must be as it was. */
        check((trap_class(t) == EC_DABT || trap_class(t) == EC_UNKNOWN) && t.elr == (u64)body &&
                  base == address,
              "%s on %s: exception 0x%x", form->name, where, trap_class(t));
    } else {
        check(base == (post ? address + 4 : address), "%s on %s: done", form->name, where);
    }
}

int main(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
        try_form(&forms[i], machine.arch.gicd + 0x0400, "GICD"); /* priorities of SGIs: RAZ/WI */
        try_form(&forms[i], gic_redist() + 0x10000 + 0x0400, "GICR");
        try_form(&forms[i], machine.uart + 0x38, "UART"); /* UARTIMSC: interrupts are off */
    }
    /* The device still works, and so does a plain access. */
    write32(machine.uart + 0x38, 0);
    check(read32(machine.arch.gicd + 0xffe8) >> 4 == 3, "GICD_PIDR2 still says GICv3");
    return 0;
}
