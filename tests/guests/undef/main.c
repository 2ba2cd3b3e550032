/* SPDX-License-Identifier: MIT */
/*
 * undef: every system-register and SYS encoding, and words that are no
 * instructions.
 *
 * Each encoding of op0 2 and 3 is read and, with the value that was read (or a
 * random one), written; each of op0 1 is executed on a scratch page. Whatever
 * the hypervisor does with one, this guest sees it done or sees an exception
 * of its own, and goes on. Which ones work depends on the CPU: the numbers are
 * printed, the survival is the result. Arm DDI 0487 C5.1.2, C4.1.
 */

#include "guest.h"

#define BATCH 512
#define RET 0xd65f03c0u

static u32 code[BATCH][2] __attribute__((aligned(4096)));
static u8 scratch[8192] __attribute__((aligned(4096)));
static u64 regs[29];
static u32 done_ok, undefined, other;

static struct trap run(u32 index, u64 x0)
{
    regs[0] = x0;
    struct trap t = TRY(call_trapped(code[index], regs));
    u32 class = trap_class(t);

    if (!t.taken) {
        done_ok++;
    } else if (class == EC_UNKNOWN) {
        undefined++;
    } else {
        /* FP, SVE, SME, system register traps to EL1, PAC, data aborts of DC and AT */
        other++;
    }
    return t;
}

/* MRS or MSR Xt = x0, SYS with Xt = x0. */
static u32 system_word(bool read, u32 op0, u32 encoding)
{
    return 0xd5000000u | (u32)read << 21 | op0 << 19 | encoding << 5;
}

static bool may_write(u32 op0, u32 encoding)
{
    static const u32 forbidden[] = {
        /* SPSel, DAIF, SP_EL0 and the registers that the runtime stands on */
        3u << 14 | 0 << 11 | 4 << 7 | 2 << 3 | 0, /* SPSel */
        3u << 14 | 3 << 11 | 4 << 7 | 2 << 3 | 1, /* DAIF */
        3u << 14 | 0 << 11 | 13 << 7 | 0 << 3 | 4, /* TPIDR_EL1 */
    };

    for (u32 i = 0; i < ARRAY_SIZE(forbidden); i++) {
        if ((op0 << 14 | encoding) == forbidden[i]) {
            return false;
        }
    }
    return true;
}

/* Leave nothing on that a write of nonsense may have turned on. */
static void calm(void)
{
    irqs_off();
    timer_off();
    write_sysreg(cntp_ctl_el0, 0);
    write_sysreg(mdscr_el1, 0);
    mmu_on();
}

static void sweep_registers(u32 op0)
{
    for (u32 first = 0; first < 1u << 14; first += BATCH / 2) {
        for (u32 i = 0; i < BATCH / 2; i++) {
            code[2 * i][0] = system_word(true, op0, first + i);
            code[2 * i + 1][0] = system_word(false, op0, first + i);
            code[2 * i][1] = code[2 * i + 1][1] = RET;
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < BATCH / 2; i++) {
            u64 value = 0;
            regs[0] = 0;
            struct trap t = TRY(value = call_trapped(code[2 * i], regs));
            t.taken ? undefined++ : done_ok++;
            if (may_write(op0, first + i)) {
                run(2 * i + 1, t.taken ? chance() : value);
                if (t.taken) {
                    run(2 * i + 1, 0);
                }
            }
        }
        calm();
    }
    check(true, "system registers with op0 %u: %u done, %u undefined, %u other", op0, done_ok,
          undefined, other);
    done_ok = undefined = other = 0;
}

/* op0 1: cache, address translation and TLB operations on a scratch page. */
static void sweep_operations(void)
{
    for (u32 first = 0; first < 1u << 14; first += BATCH) {
        for (u32 i = 0; i < BATCH; i++) {
            code[i][0] = system_word(false, 1, first + i);
            code[i][1] = RET;
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < BATCH; i++) {
            run(i, (u64)scratch + 4096);
        }
        calm();
    }
    check(true, "SYS operations: %u done, %u undefined, %u other", done_ok, undefined, other);
    done_ok = undefined = other = 0;
}

/* Words of the reserved group: bits 28:25 all 0, UDF among them. */
static void sweep_words(u32 count)
{
    bool all = true;

    for (u32 n = 0; n < count; n += BATCH) {
        for (u32 i = 0; i < BATCH; i++) {
            /* bit 31 set would be SME; 0 in 31 and the group is unallocated or UDF */
            code[i][0] = (u32)chance() & 0x01ffffff;
            code[i][1] = RET;
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < BATCH; i++) {
            struct trap t = run(i, 0);
            all &= t.taken && trap_class(t) == EC_UNKNOWN && t.elr == (u64)code[i];
        }
    }
    check(all, "%u undefined words: each an exception at its own address", count);
    done_ok = undefined = other = 0;
}

int main(void)
{
    u64 before = now();

    sweep_words((u32)option("words", 8192));
    sweep_operations();
    sweep_registers(2);
    sweep_registers(3);
    code[0][0] = 0xd5032fdf; /* hint #126, reserved */
    code[0][1] = RET;
    code[1][0] = 0xd4000003; /* smc #0 */
    code[1][1] = RET;
    sync_code(code, sizeof(code));
    struct trap t = run(0, 0);
    check(!t.taken, "a reserved hint does nothing");
    t = run(1, 0xffffffff);
    check(!t.taken || trap_class(t) == EC_UNKNOWN, "smc is answered or undefined");
    check(now() > before, "the counter went on");
    return 0;
}
