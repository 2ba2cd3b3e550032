/* SPDX-License-Identifier: MIT */
/*
 * chaos: random instruction words, executed in S mode.
 *
 * All but ecall, and CSRs without which no trap comes back, with registers that
 * point to scratch pages, to holes, to devices, to this guest's own RAM and to
 * nothing: jumps and other CSRs too; the timer ends loops. This guest may well ruin
 * itself: then it prints less, hangs, or ends by an exception that it reports. That
 * it lives to its last word is not required of the hypervisor; that others do is.
 * Options: words= (20000), seed=.
 */

#include "guest.h"

#define EBREAK 0x00100073u
#define BATCH 256

static u32 code[BATCH][2] __attribute__((aligned(4096)));
static u8 scratch[65536] __attribute__((aligned(4096)));
static u64 regs[32];

static u64 pointer(void)
{
    u64 r = chance();

    switch (r & 15) {
    case 0:
        return 0x3000000000ul;
    case 1:
        return machine.arch.plic + (r >> 8 & 0x3fffff8);
    case 2:
        return r;
    case 3:
        return machine.ram_base + (r >> 8) % machine.ram_size;
    case 4:
        return (u64)code + (r >> 8 & 0x7fe);
    default:
        return (u64)scratch + 32768 + (r >> 8 & 0x3ff8);
    }
}

static bool is_wanted(u32 word)
{
    u32 csr = word >> 20;

    return word != 0x00000073 &&
           ((word & 0x7f) != 0x73 || (csr != 0x180 && csr != 0x105 && csr != 0x140));
}

static u32 random_word(void)
{
    u32 word;

    do {
        word = (u32)chance();
        if (chance() % 8 == 0) {
            word = (word & ~0x7fu) | 0x73; /* SYSTEM */
        }
    } while (!is_wanted(word));
    return word;
}

int main(void)
{
    u32 words = (u32)option("words", 20000);
    u32 quiet = 0, illegal = 0, faults = 0, other = 0;

    for (u32 n = 0; n < words; n += BATCH) {
        print("chaos: %u words\n", n);
        for (u32 i = 0; i < BATCH; i++) {
            code[i][0] = random_word();
            code[i][1] = EBREAK;
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < BATCH; i++) {
            for (u32 k = 1; k < ARRAY_SIZE(regs); k++) {
                regs[k] = pointer();
            }
            timer_in(1000);
            csr_write(sie, 1ul << TIMER_IRQ);
            struct trap t = run_code(code[i], regs, RUN_KERNEL_IRQS);
            quiet += t.cause == CAUSE_BREAKPOINT;
            illegal += t.cause == CAUSE_ILLEGAL;
            faults += t.cause != CAUSE_BREAKPOINT && t.cause != CAUSE_ILLEGAL && t.cause < 16;
            other += t.cause >= 16;
        }
    }
    csr_write(sie, 0);
    check(true, "%u words: %u done, %u illegal, %u faults, %u other", words, quiet, illegal, faults,
          other);
    return 0;
}
