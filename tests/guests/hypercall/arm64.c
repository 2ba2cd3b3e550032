/* SPDX-License-Identifier: MIT */
/*
 * hypercall: every number, with random arguments.
 *
 * Calls every hypercall number through hvc #0xea1, hvc with other immediates,
 * and SMCCC functions of every owner through hvc and smc, with arguments that
 * are random, addresses of a scratch page, or unmapped. Calls that end or
 * suspend this guest by definition are left out. What a call may not do:
 * change registers that the convention keeps (x18 and up, Arm DEN 0028 2.6),
 * write outside of the pages it was given, or stop the guest.
 */

#include "guest.h"

#define RET 0xd65f03c0u

static u8 scratch[4096] __attribute__((aligned(4096)));
static u32 code[1024] __attribute__((aligned(4096))); /* a page: emulators watch it for writes */
static u64 regs[32];
static u64 canary[512] __attribute__((aligned(4096)));
static u32 calls, exceptions;

static u64 argument(void)
{
    u64 r = chance();

    switch (r >> 8 & 7) {
    case 0:
        return r & 0xff;
    case 1:
        return (u64)scratch;
    case 2:
        return (u64)scratch + (r >> 16 & 0xfff);
    case 3:
        return 0x7000000000ul;
    case 4:
        return ~0ul;
    case 5:
        return machine.ram_base + machine.ram_size - 4;
    default:
        return r;
    }
}

/* One call with x0-x17 as prepared; true if x19-x28 came back as they went in. */
static bool call(u32 instruction)
{
    static const u64 pattern = 0x5a5a000000000000ul;

    if (code[0] != instruction) {
        code[0] = instruction;
        code[1] = 0xca1c0260; /* eor x0, x19, x28 */
        code[2] = RET;
        sync_code(code, 12);
    }
    for (u32 i = 18; i < 29; i++) {
        regs[i] = pattern + i;
    }

    u64 result = 0;
    struct trap t = TRY(result = call_trapped(code, regs));
    calls++;
    exceptions += t.taken;
    return (t.taken && trap_class(t) == EC_UNKNOWN) ||
           (!t.taken && result == ((pattern + 19) ^ (pattern + 28)));
}

/* What blocks is woken by the timer, whose interrupt is taken. */
static void timer_over(struct cpu *cpu, u32 intid)
{
    (void)cpu;
    if (intid == TIMER_IRQ) {
        timer_off();
    }
}

static u32 hvc(u32 immediate) { return 0xd4000002u | immediate << 5; }

#define SMC 0xd4000003u

static bool ends_the_guest(u32 function)
{
    switch (function & ~(1u << 30)) {
    case 0x84000001: /* CPU_SUSPEND */
    case 0x84000002: /* CPU_OFF */
    case 0x84000003: /* CPU_ON: runs random code on another CPU */
    case 0x84000008: /* SYSTEM_OFF */
    case 0x84000009: /* SYSTEM_RESET */
    case 0x8400000c: /* CPU_DEFAULT_SUSPEND */
    case 0x8400000e: /* SYSTEM_SUSPEND */
    case 0x84000012: /* SYSTEM_RESET2 */
        return true;
    default:
        return false;
    }
}

static void random_arguments(u32 from, u32 to)
{
    for (u32 i = from; i < to; i++) {
        regs[i] = argument();
    }
}

/* What a guest may do to itself: it would not be there to say how the others went. */
static bool hurts_the_guest(u32 number, u32 op)
{
    switch (number) {
    case 12: /* memory_op: takes memory away, puts other things in its place */
    case 13: /* multicall: any of the others */
    case 20: /* grant_table_op: maps over memory */
        return true;
    case 29: /* sched_op: stops, waits for events, sets a watchdog */
        return op >= 2;
    default:
        return false;
    }
}

static void hypercalls(u32 rounds)
{
    bool ok = true;

    for (u32 round = 0; round < rounds; round++) {
        for (u32 number = 0; number < 64; number++) {
            random_arguments(0, 16);
            if (round & 1) {
                regs[0] = round / 2 % 32; /* small sub-operations, too */
            }
            if (hurts_the_guest(number, (u32)regs[0])) {
                continue;
            }
            /* sched_op block waits for an interrupt */
            timer_in(100);
            regs[16] = number;
            ok &= call(hvc(0xea1));
        }
    }
    for (u32 i = 0; i < 1000; i++) {
        random_arguments(0, 17);
        regs[16] |= 1ul << 20;
        ok &= call(hvc(0xea1));
    }
    check(ok, "hypercalls: %u calls, %u exceptions, registers kept", calls, exceptions);
    calls = exceptions = 0;
}

static void smccc(u32 instruction, const char *what, u32 rounds)
{
    bool ok = true;

    for (u32 round = 0; round < rounds; round++) {
        for (u32 owner = 0; owner < 64; owner++) {
            for (u32 n = 0; n < 34; n++) {
                u32 number = n < 32 ? n : (u32)chance() & 0xffff;
                u32 function = (u32)(chance() & 3) << 30 | owner << 24 | number;
                if (ends_the_guest(function)) {
                    continue;
                }
                random_arguments(1, 18);
                regs[0] = (chance() & 15) ? function : function | chance() << 32;
                timer_in(100);
                ok &= call(instruction);
            }
        }
    }
    check(ok, "%s: %u calls, %u exceptions, registers kept", what, calls, exceptions);
    calls = exceptions = 0;
}

static void other_immediates(void)
{
    bool ok = true;

    for (u32 i = 1; i < 0x10000; i = i < 256 ? i + 1 : i + 97) {
        if (i != 0xea1) {
            random_arguments(0, 18);
            regs[0] = PSCI_SYSTEM_OFF; /* must not be taken for hvc #0 */
            ok &= call(hvc(i));
            regs[0] = 0;
            ok &= call(SMC | i << 5);
        }
    }
    check(ok, "other immediates: %u calls, %u exceptions", calls, exceptions);
    calls = exceptions = 0;
}

static void psci_arguments(void)
{
    long rc = psci(PSCI_CPU_ON, 0xffffff, 0, 0);
    check(rc == PSCI_INVALID, "CPU_ON of no CPU: %ld", rc);
    rc = psci(PSCI_CPU_ON, machine.cpu_id[0], 0, 0);
    check(rc == PSCI_ALREADY_ON || rc == -9, "CPU_ON of this CPU: %ld", rc);
    if (machine.nr_cpus > 1) {
        rc = psci(PSCI_CPU_ON, machine.cpu_id[1], 0x7000000000ul, 0);
        check(rc == PSCI_SUCCESS || rc == -9, "CPU_ON at an address that is not there: %ld", rc);
    }
    rc = psci(PSCI_AFFINITY_INFO, 0xffffff, 0, 0);
    check(rc == PSCI_INVALID, "AFFINITY_INFO of no CPU: %ld", rc);
    rc = psci(PSCI_AFFINITY_INFO, machine.cpu_id[0], 7, 0);
    check(rc < 0, "AFFINITY_INFO of a level that is not there: %ld", rc);
    rc = psci(0x84000000, 0, 0, 0);
    check(rc >= 0x10000, "PSCI_VERSION: 0x%lx", rc);
    timer_in(1000);
    rc = psci(PSCI_CPU_SUSPEND, chance() & 0x7fffffff, chance(), chance());
    check(rc == 0 || rc == PSCI_INVALID || rc == -1, "CPU_SUSPEND of a random state: %ld", rc);
    timer_off();
}

int main(void)
{
    u32 rounds = (u32)option("rounds", 8);
    bool intact = true;

    for (u32 i = 0; i < ARRAY_SIZE(canary); i++) {
        canary[i] = i * 0x0123456789abcdeful;
    }
    gic_init();
    gic_cpu_init();
    gic_enable(TIMER_IRQ);
    irq_hook = timer_over;
    irqs_on();
    hypercalls(rounds);
    smccc(hvc(0), "SMCCC by hvc", rounds);
    if (!has_option("nosmc")) {
        smccc(SMC, "SMCCC by smc", rounds);
    }
    other_immediates();
    psci_arguments();
    for (u32 i = 0; i < ARRAY_SIZE(canary); i++) {
        intact &= canary[i] == i * 0x0123456789abcdeful;
    }
    check(intact, "memory beside the arguments is as it was");
    return 0;
}
