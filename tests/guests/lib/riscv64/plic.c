/* SPDX-License-Identifier: MIT */
/*
 * plic.c: the PLIC as a guest drives it (RISC-V PLIC specification 1.0.0).
 */

#include "guest.h"

#define ENABLE 0x2000
#define ENABLE_STRIDE 0x80
#define THRESHOLD 0x200000
#define CLAIM 0x200004
#define CONTEXT_STRIDE 0x1000

volatile u32 plic_last;

/* interrupts-extended has a pair for each context: a hart's controller, its interrupt. */
u32 plic_context(void)
{
    const u8 *wire = machine.arch.plic_wires;
    u32 phandle = machine.arch.intc_phandle[this_cpu()->index];

    for (u32 i = 0; wire && i < machine.arch.plic_wires_size / 8; i++) {
        if (be32(wire + 8 * i) == phandle && be32(wire + 8 * i + 4) == EXTERNAL_IRQ) {
            return i;
        }
    }
    return 0;
}

/* A completion counts only while its source is enabled (ch. 9). */
void plic_init(void)
{
    u64 enable = machine.arch.plic + ENABLE + plic_context() * ENABLE_STRIDE;
    u64 context = machine.arch.plic + plic_context() * CONTEXT_STRIDE;

    write32(context + THRESHOLD, ~0u);
    for (u32 i = 0; i <= machine.arch.plic_sources; i += 32) {
        write32(enable + i / 8, ~0u);
    }
    for (u32 i = 1; i <= machine.arch.plic_sources; i++) {
        write32(machine.arch.plic + 4 * i, 1);
        write32(context + CLAIM, i);
    }
    for (u32 i = 0; i <= machine.arch.plic_sources; i += 32) {
        write32(enable + i / 8, 0);
    }
    write32(context + THRESHOLD, 0);
    csr_set(sie, 1ul << EXTERNAL_IRQ);
}

void plic_enable(u32 source, bool on)
{
    u64 reg = machine.arch.plic + ENABLE + plic_context() * ENABLE_STRIDE + source / 32 * 4;
    u32 bit = 1u << source % 32;

    write32(reg, on ? read32(reg) | bit : read32(reg) & ~bit);
}

void plic_claim(void)
{
    u64 reg = machine.arch.plic + CLAIM + plic_context() * CONTEXT_STRIDE;
    u32 source = read32(reg);

    if (source) {
        plic_last = source;
        write32(reg, source);
    }
}
