/* SPDX-License-Identifier: MIT */
/*
 * chaos: random instruction words, executed.
 *
 * All but branches and system instructions, with registers that point to a
 * scratch page, to holes, to devices and to nothing; SIMD, SVE and SME words
 * too. This guest may well ruin itself: then it prints less, or ends by an
 * exception that it reports. That it lives to its last word is not required
 * of the hypervisor; that others do is. Options: words= (20000), seed=.
 */

#include "guest.h"

#define BATCH 256

/* mov sp, x27; ldp x29, x30, [x29, #232]; the word; b call_return */
static u32 code[BATCH][4] __attribute__((aligned(4096)));
static u8 scratch[65536] __attribute__((aligned(4096)));
static u64 regs[31];

extern char call_return[];

static u64 pointer(void)
{
    u64 r = chance();

    switch (r & 7) {
    case 0:
        return 0x7000000000ul;
    case 1:
        return machine.arch.gicd + (r >> 8 & 0xfff8);
    case 2:
        return r;
    default:
        return (u64)scratch + 32768 + (r >> 8 & 0x3ff8);
    }
}

/*
 * Not wanted: branches, exceptions and system instructions (bits 28:26 are
 * 101), and copies and fills of up to 2^55 bytes (FEAT_MOPS).
 */
static bool is_wanted(u32 word)
{
    return (word >> 26 & 7) != 5 && (word & 0x3b200c00) != 0x19000400;
}

static u32 branch_to_return(u32 *at)
{
    return 0x14000000u | ((u32)(((u64)call_return - (u64)at) >> 2) & 0x3ffffff);
}

int main(void)
{
    u32 words = (u32)option("words", 20000);
    u32 quiet = 0, undefined = 0, aborts = 0, other = 0;

    this_cpu()->resume = (u64)call_return;
    for (u32 n = 0; n < words; n += BATCH) {
        for (u32 i = 0; i < BATCH; i++) {
            u32 word;
            do {
                word = (u32)chance();
            } while (!is_wanted(word));
            code[i][0] = 0x9100037f;
            code[i][1] = 0xa94efbbd;
            code[i][2] = word;
            code[i][3] = branch_to_return(&code[i][3]);
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < BATCH; i++) {
            for (u32 k = 0; k < ARRAY_SIZE(regs); k++) {
                regs[k] = pointer();
            }
            struct trap t = TRY(call_trapped(code[i], regs));
            u32 class = trap_class(t);
            quiet += !t.taken;
            undefined += t.taken && class == EC_UNKNOWN;
            aborts += t.taken && class == EC_DABT;
            other += t.taken && class != EC_UNKNOWN && class != EC_DABT;
        }
    }
    check(true, "%u words: %u done, %u undefined, %u aborts, %u other", words, quiet, undefined,
          aborts, other);
    return 0;
}
