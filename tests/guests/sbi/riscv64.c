/* SPDX-License-Identifier: MIT */
/*
 * sbi: firmware calls of every extension, with random arguments.
 *
 * Functions 0 to 15 of the legacy extensions, the named ones and random ids, with
 * arguments that are small, random, addresses of a scratch page, or unmapped.
 * Left out is what ends the guest, starts random code on a hart, or waits for good.
 * What a call may not do: change registers that it keeps (SBI 2.0 ch. 3: all but
 * a0 and a1), write outside of the page it was given, answer with an error that
 * there is not, or stop the guest. Then each service that this guest needs is asked
 * for in earnest.
 * Options: rounds= (20), seed=, bare (OpenSBI 1.5 hangs on a console buffer in a hole).
 */

#include "guest.h"

#define EBREAK 0x00100073u
#define ECALL 0x00000073u
#define HSM_START 0
#define HSM_STOP 1
#define HSM_STATUS 2
#define HSM_SUSPEND 3
#define SBI_SUSP 0x53555350
#define ERROR_LAST (-14)

static u32 code[1024] __attribute__((aligned(4096)));
static u8 scratch[4096] __attribute__((aligned(4096)));
static u64 canary[512] __attribute__((aligned(4096)));
static u64 regs[32];
static u32 calls, supported;
static bool is_bare;

enum { A0 = 10, A1 = 11, A6 = 16, A7 = 17 };

static const u32 named[] = {
    SBI_BASE,
    SBI_TIME,
    SBI_IPI,
    SBI_RFENCE,
    SBI_HSM,
    SBI_SRST,
    SBI_DBCN,
    SBI_SUSP,
    0x504d55,
    /* PMU */ 0x43505043,
    /* CPPC */ 0x4e41434c, /* NACL */
    0x535441,
    /* STA */ 0x535345,
    /* SSE */ 0x46574654, /* FWFT */
    0x44425452,
    /* DBTR */ 0x4d505859, /* MPXY */
};

static u64 argument(void)
{
    u64 r = chance();

    switch (r >> 8 & 7) {
    case 0:
        return r & 0xff;
    case 1:
        return (u64)scratch + (r >> 16 & 0xff8);
    case 2:
        return 0;
    case 3:
        return 0x3000000000ul;
    case 4:
        return ~0ul;
    case 5:
        return machine.ram_base + machine.ram_size - 4;
    case 6:
        return r & 7;
    default:
        return r;
    }
}

static bool is_excluded(u64 extension, u64 function)
{
    switch (extension) {
    case 0x08: /* legacy shutdown */
        return true;
    case SBI_SRST:
    case SBI_SUSP:
        return function == 0;
    case SBI_DBCN:
        return is_bare;
    case SBI_HSM:
        return function != HSM_STATUS && function <= HSM_SUSPEND;
    default:
        return false;
    }
}

/* One call with random arguments; true if it kept what it has to keep. */
static bool call(u64 extension, u64 function)
{
    for (u32 i = 1; i < 32; i++) {
        regs[i] = i >= A0 && i < A6 ? argument() : chance();
    }
    regs[A6] = function;
    regs[A7] = extension;
    struct trap t = run_code(code, regs, RUN_KERNEL);
    const u64 *x = this_cpu()->x;
    bool ok = t.cause == CAUSE_BREAKPOINT && t.pc == (u64)code + 4;

    if (extension < SBI_BASE && !ok) { /* those that read through a virtual address may fault */
        ok = (t.cause == CAUSE_LOAD_ACCESS || t.cause == CAUSE_LOAD_PAGE) && t.pc == (u64)code;
    }
    for (u32 i = 1; i < 32; i++) {
        ok &= x[i] == regs[i] || i == A0 || i == A1;
    }
    calls++;
    supported += (long)x[A0] >= 0;
    if (!ok) {
        print("extension 0x%lx function %lu: cause %lu pc 0x%lx\n", extension, function, t.cause,
              t.pc);
    }
    return ok;
}

static bool canary_is_intact(void)
{
    bool intact = true;

    for (u32 i = 0; i < ARRAY_SIZE(canary); i++) {
        intact &= canary[i] == i * 0x0123456789abcdeful;
    }
    return intact;
}

static void sweep(const char *what, u32 nr, u64 (*extension)(u32), bool has_errors, u32 rounds)
{
    bool ok = true;

    for (u32 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < nr; i++) {
            for (u32 function = 0; function < 16; function++) {
                u64 id = extension(i);

                if (is_excluded(id, function)) {
                    continue;
                }
                ok &= call(id, function);
                long error = (long)this_cpu()->x[A0];
                if (has_errors && (error > 0 || error < ERROR_LAST)) {
                    print("extension 0x%lx function %u: error %ld\n", id, function, error);
                    ok = false;
                }
            }
        }
    }
    check(ok && canary_is_intact(), "%s: %u calls, %u without error", what, calls, supported);
    calls = supported = 0;
}

static u64 legacy_id(u32 i) { return i; }
static u64 named_id(u32 i) { return named[i]; }

/* Small, 32-bit, 64-bit; the firmware's own space with Xen's hypercalls in it. */
static u64 random_id(u32 i)
{
    u64 r = chance();

    switch (i & 3) {
    case 0:
        return 0x21 + (r & 0xffff);
    case 1:
        return 0x80000000 | (u32)r;
    case 2:
        return r | 1ul << 40;
    default:
        return 0x0a000000 | (r & 0xf);
    }
}

static void check_base(void)
{
    struct sbi r = sbi_call(SBI_BASE, 0, 0, 0, 0);

    check(r.error == 0 && r.value >> 24 >= 1, "SBI %lu.%lu", r.value >> 24, r.value & 0xffffff);
    r = sbi_call(SBI_BASE, 3, SBI_TIME, 0, 0);
    check(r.error == 0 && r.value != 0, "TIME is there: %ld %lu", r.error, r.value);
    r = sbi_call(SBI_BASE, 3, 0x12345678, 0, 0);
    check(r.error == 0 && r.value == 0, "extension 0x12345678 is not: %ld %lu", r.error, r.value);
    r = sbi_call(0x12345678, 0, 0, 0, 0);
    check(r.error == SBI_NOT_SUPPORTED, "calling it: %ld", r.error);
    r = sbi_call(SBI_BASE, 99, 0, 0, 0);
    check(r.error == SBI_NOT_SUPPORTED, "function 99 of BASE: %ld", r.error);
}

static void check_harts(void)
{
    struct sbi r = sbi_call(SBI_HSM, HSM_STATUS, machine.cpu_id[0], 0, 0);

    check(r.error == 0 && r.value == 0, "this hart is started: %ld %lu", r.error, r.value);
    r = sbi_call(SBI_HSM, HSM_STATUS, 4000, 0, 0);
    check(r.error == SBI_INVALID_PARAM, "status of hart 4000: %ld", r.error);
    r = sbi_call(SBI_HSM, HSM_START, 4000, (u64)code, 0);
    check(r.error == SBI_INVALID_PARAM, "start of hart 4000: %ld", r.error);
    check(cpu_was_on(cpu_start_raw(0)), "start of this hart is refused");
    timer_enable();
    u64 before = now();
    timer_in(2000);
    r = sbi_call(SBI_HSM, HSM_SUSPEND, 0, 0, 0);
    check((r.error == 0 && now() - before >= ticks_of_us(1900)) || r.error == SBI_NOT_SUPPORTED,
          "suspended until the timer: %ld after %lu ticks", r.error, now() - before);
    timer_off();
    r = sbi_call(SBI_HSM, HSM_SUSPEND, 0x1234, 0, 0);
    check(r.error == SBI_INVALID_PARAM || r.error == SBI_NOT_SUPPORTED,
          "suspended in a state that there is not: %ld", r.error);
}

static void check_interrupts(void)
{
    struct cpu *cpu = this_cpu();

    timer_enable();
    csr_set(sie, 1ul << SOFT_IRQ);
    irqs_on();
    u32 soft = cpu->irqs[SOFT_IRQ], timer = cpu->irqs[TIMER_IRQ];
    ipi(0);
    check(irq_wait(SOFT_IRQ, soft + 1, 1000000), "an IPI to this hart");
    struct sbi r = sbi_call(SBI_TIME, 0, now() + ticks_of_us(1000), 0, 0);
    check(r.error == 0 && irq_wait(TIMER_IRQ, timer + 1, 1000000), "set_timer: %ld", r.error);
    r = sbi_call(SBI_IPI, 0, 1, 4000, 0);
    check(r.error == SBI_INVALID_PARAM, "an IPI to hart 4000: %ld", r.error);
    r = sbi_call(SBI_RFENCE, 1, 0, ~0ul, 0);
    check(r.error == 0, "sfence.vma on all harts: %ld", r.error);
    r = sbi_call(SBI_RFENCE, 1, 1, 4000, 0);
    check(r.error == SBI_INVALID_PARAM, "sfence.vma on hart 4000: %ld", r.error);
    irqs_off();
}

static void check_console(void)
{
    static const char text[] = "written through DBCN\n";
    struct sbi r = sbi_call(SBI_DBCN, 0, sizeof(text) - 1, (u64)text, 0);

    check(r.error == 0 && r.value == sizeof(text) - 1, "console write: %ld %lu", r.error, r.value);
    if (!is_bare) {
        r = sbi_call(SBI_DBCN, 0, 64, 0x3000000000ul, 0);
        check(r.error < 0, "console write from nowhere: %ld", r.error);
        r = sbi_call(SBI_DBCN, 0, 64, machine.ram_base + machine.ram_size - 32, 0);
        check(r.error < 0 || r.value <= 32, "console write over the end of RAM: %ld %lu", r.error,
              r.value);
    }
    r = sbi_call(SBI_DBCN, 0, 64, (u64)text, 1);
    check(r.error < 0, "console write from above 2^64: %ld", r.error);
    r = sbi_call(SBI_DBCN, 1, 64, (u64)scratch, 0);
    check(r.error == 0 && r.value <= 64, "console read: %ld %lu", r.error, r.value);
}

int main(void)
{
    u32 rounds = (u32)option("rounds", 20);

    is_bare = has_option("bare");
    for (u32 i = 0; i < ARRAY_SIZE(canary); i++) {
        canary[i] = i * 0x0123456789abcdeful;
    }
    memset(scratch, '.', sizeof(scratch));
    code[0] = ECALL;
    code[1] = EBREAK;
    sync_code(code, sizeof(code));
    sweep("legacy extensions", 0x20, legacy_id, false, rounds);
    sweep("named extensions", ARRAY_SIZE(named), named_id, true, rounds);
    sweep("random extensions", 64, random_id, false, rounds);
    csr_clear(sip, 1ul << SOFT_IRQ);
    print("\n");
    check_base();
    check_harts();
    check_interrupts();
    check_console();
    struct sbi r = sbi_call(SBI_SRST, 0, 77, 0, 0);
    check(r.error == SBI_INVALID_PARAM, "a reset of type 77: %ld", r.error);
    check(canary_is_intact(), "memory beside the arguments is as it was");
    return 0;
}
