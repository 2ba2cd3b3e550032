/* SPDX-License-Identifier: MIT */
/*
 * hypercall: the Xen convention of riscv64, in earnest and at random.
 *
 * ecall with a7 = 0x0a000007, the number in a6, arguments in a1 to a5, the result
 * in a0 (hv/arch/riscv64/hvcall.h). A domain with xen,enhanced has a /hypervisor
 * node and gets xen_version, console_io and sched_op; another gets -ENOSYS for
 * everything. Addresses are virtual: pages side by side need not be so in memory.
 * Then every number with random arguments, which may not change registers, nor
 * memory that they do not point to. Options: rounds= (100), seed=.
 */

#include "guest.h"

#define EBREAK 0x00100073u
#define ECALL 0x00000073u
#define XEN_HYPERCALL 0x0a000007
#define HC_XEN_VERSION 17
#define HC_CONSOLE_IO 18
#define HC_SCHED_OP 29
#define VERSION 0
#define EXTRAVERSION 1
#define PAGESIZE 7
#define EXTRAVERSION_SIZE 16
#define ENOSYS 38
#define EFAULT 14

static const char text[] = "written through console_io\n";
static u32 code[1024] __attribute__((aligned(4096)));
static u8 page[3][4096] __attribute__((aligned(4096)));
static u8 scratch[4096] __attribute__((aligned(4096)));
static u64 canary[512] __attribute__((aligned(4096)));
static u64 regs[32];

enum { A0 = 10, A1 = 11, A6 = 16, A7 = 17 };

static long hypercall(u64 number, u64 a, u64 b, u64 c)
{
    register u64 a0 __asm__("a0");
    register u64 a1 __asm__("a1") = a;
    register u64 a2 __asm__("a2") = b;
    register u64 a3 __asm__("a3") = c;
    register u64 a6 __asm__("a6") = number;
    register u64 a7 __asm__("a7") = XEN_HYPERCALL;

    __asm__ volatile("ecall" : "=r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (long)a0;
}

static void check_version(void)
{
    long version = hypercall(HC_XEN_VERSION, VERSION, 0, 0);

    check(version >> 16 == 4 && (version & 0xffff) >= 17, "xen_version says %ld.%ld", version >> 16,
          version & 0xffff);
    check(hypercall(HC_XEN_VERSION, PAGESIZE, 0, 0) == 4096, "pages have 4096 bytes");
    memset(page, 0xff, sizeof(page));
    check(hypercall(HC_XEN_VERSION, EXTRAVERSION, (u64)page, 0) == 0 && page[0][0] != 0xff &&
              page[0][EXTRAVERSION_SIZE] == 0xff,
          "extraversion is \"%s\", and no more than 16 bytes", (char *)page);
}

/* Behind the first virtual page comes the third in memory, then nothing. */
static void check_addresses(void)
{
    u64 at = window_page(0, (u64)page[0], true);

    window_page(1, (u64)page[2], true);
    window_page(2, 0, false);
    memset(page, 0xff, sizeof(page));
    long rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, at + 100, 0);
    check(rc == 0 && page[0][100] != 0xff, "a buffer by its virtual address: %ld", rc);
    memcpy(scratch, &page[0][100], EXTRAVERSION_SIZE);
    memset(page, 0xff, sizeof(page));
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, at + 4096 - 3, 0);
    bool split = page[1][0] == 0xff && page[2][EXTRAVERSION_SIZE - 3] == 0xff;
    for (u32 i = 0; i < EXTRAVERSION_SIZE; i++) {
        split &= scratch[i] == (i < 3 ? page[0][4096 - 3 + i] : page[2][i - 3]);
    }
    check(rc == 0 && split, "a buffer in two pages: %ld", rc);
    memset(page, 0xff, sizeof(page));
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, at + 2 * 4096 - 3, 0);
    check(rc == -EFAULT, "a buffer whose second page is not there: %ld", rc);
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, at + 2 * 4096, 0);
    check(rc == -EFAULT, "a buffer that is not mapped: %ld", rc);
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, 0x3000000000ul, 0);
    check(rc == -EFAULT, "a buffer in a hole: %ld", rc);
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, 0x1234567800000000ul, 0);
    check(rc == -EFAULT, "an address that is none: %ld", rc);
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, user_page(0, page[1]), 0);
    check(rc == -EFAULT, "U mode's page, SUM clear: %ld", rc);
    csr_set(sstatus, SSTATUS_SUM);
    rc = hypercall(HC_XEN_VERSION, EXTRAVERSION, user_page(0, page[1]), 0);
    csr_clear(sstatus, SSTATUS_SUM);
    check(rc == 0, "U mode's page, SUM set: %ld", rc);
}

static void check_others(void)
{
    timer_enable();
    check(hypercall(HC_SCHED_OP, 0, 0, 0) == 0, "yield");
    u64 start = now();
    timer_in(20000);
    check(hypercall(HC_SCHED_OP, 1, 0, 0) == 0, "block");
    check(now() - start >= ticks_of_us(19000), "block waited for the timer: %lu ticks",
          now() - start);
    timer_off();
    long rc = hypercall(HC_CONSOLE_IO, 0, sizeof(text) - 1, (u64)text);
    check(rc == 0, "console_io write: %ld", rc);
    rc = hypercall(HC_CONSOLE_IO, 0, 64, 0x3000000000ul);
    check(rc == -EFAULT, "console_io write from nowhere: %ld", rc);
}

/* Of the numbers below 64, those that a table of abi/tables has. */
#define KNOWN_CALLS \
    (1ul << 7 | 1ul << 12 | 1ul << 13 | 1ul << 17 | 1ul << 18 | 1ul << 20 | 1ul << 21 | \
     1ul << 24 | 1ul << 29 | 1ul << 32 | 1ul << 34 | 1ul << 35 | 1ul << 36 | 1ul << 42)

static void check_refused(void)
{
    u32 answered = 0;

    for (u32 number = 0; number < 256; number++) {
        bool known = machine.hypervisor && number < 64 && (KNOWN_CALLS >> number & 1) != 0;
        if (!known && hypercall(number, 0, (u64)page, 0) != -ENOSYS) {
            print("hypercall %u is answered\n", number);
            answered++;
        }
    }
    check(!answered, "hypercalls that there are not: -ENOSYS, but for %u", answered);
    check(hypercall(HC_XEN_VERSION, 99, (u64)page, 0) == -ENOSYS, "nor is there xen_version 99");
    check(hypercall(1ul << 32 | HC_XEN_VERSION, 0, 0, 0) == -ENOSYS, "nor 2^32 + xen_version");
}

static u64 argument(void)
{
    u64 r = chance();

    switch (r >> 8 & 7) {
    case 0:
        return r & 0x1f;
    case 1:
        return (u64)scratch;
    case 2:
        return (u64)scratch + (r >> 16 & 0xfff);
    case 3:
        return 0x3000000000ul;
    case 4:
        return ~0ul;
    case 5:
        return machine.ram_base + machine.ram_size - 4;
    default:
        return r;
    }
}

/* What a guest may do to itself: it would not be there to say how the others went. */
static bool hurts_the_guest(void)
{
    switch ((u32)regs[A6]) {
    case 12: /* memory_op: takes memory away, puts other things in its place */
    case 13: /* multicall: any of the others */
    case 20: /* grant_table_op: maps over memory */
        return true;
    case HC_SCHED_OP: /* stops, waits for events, sets a watchdog */
        return (u32)regs[A1] >= 2;
    default:
        return false;
    }
}

static void random_calls(u32 rounds)
{
    u32 calls = 0;
    bool ok = true;

    for (u32 round = 0; round < rounds; round++) {
        for (u32 number = 0; number < 64; number++) {
            for (u32 i = 1; i < 32; i++) {
                regs[i] = argument();
            }
            regs[A6] = number | ((chance() & 15) ? 0 : chance() << 32);
            regs[A7] = XEN_HYPERCALL;
            if (hurts_the_guest()) {
                continue;
            }
            timer_in(100); /* sched_op block waits for an interrupt */
            struct trap t = run_code(code, regs, RUN_KERNEL);
            ok &= t.cause == CAUSE_BREAKPOINT && t.pc == (u64)code + 4;
            for (u32 i = 1; i < 32; i++) {
                ok &= i == A0 || this_cpu()->x[i] == regs[i];
            }
            calls++;
        }
    }
    check(ok, "%u random calls, registers kept", calls);
}

int main(void)
{
    bool intact = true;

    for (u32 i = 0; i < ARRAY_SIZE(canary); i++) {
        canary[i] = i * 0x0123456789abcdeful;
    }
    code[0] = ECALL;
    code[1] = EBREAK;
    sync_code(code, sizeof(code));
    if (machine.hypervisor) {
        check_version();
        check_addresses();
        check_others();
    } else {
        check(hypercall(HC_XEN_VERSION, VERSION, 0, 0) == -ENOSYS, "xen_version is refused");
    }
    check_refused();
    timer_enable();
    random_calls((u32)option("rounds", 100));
    for (u32 i = 0; i < ARRAY_SIZE(canary); i++) {
        intact &= canary[i] == i * 0x0123456789abcdeful;
    }
    check(intact, "memory beside the arguments is as it was");
    return 0;
}
