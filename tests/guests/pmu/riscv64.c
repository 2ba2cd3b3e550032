/* SPDX-License-Identifier: MIT */
/*
 * pmu: counters by SBI PMU (SBI 2.0 ch. 11), and the CSRs cycle and instret.
 *
 * Every call with random arguments, many times: an error must be one that the text has, and
 * no counter may be there afterwards that was not before. Then counters in earnest: an
 * event is counted as often as it happened, on the CPU where it did; cycle and instret
 * stand still until they are started; programs read what scounteren lets them. With
 * `shared` another guest wants the whole hart: its part of the time must not be in cycle.
 * Not without a hypervisor: OpenSBI 1.5's counters run from the beginning, and random
 * calls stop it for good. Options: rounds= (20000), seed=, shared, seconds= (2, of shared).
 */

#include "guest.h"

#define SBI_PMU 0x504d55
#define NO_SHMEM (-9)
#define ALREADY_STARTED (-7)
#define ALREADY_STOPPED (-8)
enum { NUM_COUNTERS, GET_INFO, CONFIG, START, STOP, FW_READ, FW_READ_HI, SET_SHMEM };

#define EVENT_CYCLES 1
#define EVENT_INSTRUCTIONS 2
#define FIRMWARE(code) (0xf0000ul + (code))
enum { ACCESS_LOAD = 2, ACCESS_STORE, ILLEGAL, SET_TIMER, IPI_SENT, IPI_RECEIVED, FENCE_I_SENT };
#define FENCE_I_RECEIVED (FENCE_I_SENT + 1)
#define RFENCE_FENCE_I 0

#define CONFIG_CLEAR 2
#define CONFIG_START 4
#define EBREAK 0x00100073u
#define HOLE 0x3000000000ul
#define TIMES 100

static u64 nr_counters, all; /* the counters there are, as a mask */

static struct sbi call(u64 function, u64 a, u64 b, u64 c, u64 d, u64 e)
{
    register u64 a0 __asm__("a0") = a;
    register u64 a1 __asm__("a1") = b;
    register u64 a2 __asm__("a2") = c;
    register u64 a3 __asm__("a3") = d;
    register u64 a4 __asm__("a4") = e;
    register u64 a6 __asm__("a6") = function;
    register u64 a7 __asm__("a7") = SBI_PMU;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi){ .error = (long)a0, .value = a1 };
}

static u64 info(u64 counter)
{
    struct sbi r = call(GET_INFO, counter, 0, 0, 0, 0);

    return r.error ? 0 : r.value;
}

static void stop_all(void) { call(STOP, 0, all, 1, 0, 0); }

/* A counter of this event, running from 0; all of them if there is none. */
static u64 counter_of(u64 event)
{
    struct sbi r = call(CONFIG, 0, all, CONFIG_CLEAR | CONFIG_START, event, 0);

    return r.error ? ~0ul : r.value;
}

static u64 fw_read(u64 counter)
{
    struct sbi r = call(FW_READ, counter, 0, 0, 0, 0);

    return r.error ? ~0ul : r.value;
}

/* --- which there are ------------------------------------------------------------------ */

static void look(void)
{
    struct sbi r = call(NUM_COUNTERS, 0, 0, 0, 0, 0);
    u32 hardware = 0, firmware = 0;

    nr_counters = r.value;
    for (u64 i = 0; i < nr_counters && i < 64; i++) {
        u64 what = info(i);

        all |= what ? 1ul << i : 0;
        firmware += what >> 63;
        hardware += what && !(what >> 63);
    }
    check(!r.error && nr_counters < 64 && info(0) == (63ul << 12 | 0xc00) &&
              info(2) == (63ul << 12 | 0xc02),
          "%lu counters: %u hardware, %u firmware", nr_counters, hardware, firmware);
    r = call(SET_SHMEM, 0, 0, 0, 0, 0);
    check(r.error == SBI_NOT_SUPPORTED, "snapshots, error %ld", r.error);
}

/* --- every call, random arguments ------------------------------------------------------------ */

static u64 argument(void)
{
    u64 r = chance();

    switch (r >> 8 & 7) {
    case 0:
        return r & 0xf;
    case 1:
        return 1ul << (r & 63);
    case 2:
        return FIRMWARE(r & 0x1f);
    case 3:
        return ~0ul;
    case 4:
        return all;
    case 5:
        return r;
    default:
        return r & 7;
    }
}

static bool error_is_known(long error)
{
    return error == 0 || error == SBI_NOT_SUPPORTED || error == SBI_INVALID_PARAM ||
           error == SBI_INVALID_ADDRESS || error == ALREADY_STARTED || error == ALREADY_STOPPED ||
           error == NO_SHMEM;
}

static void storm(u64 rounds)
{
    u32 good = 0, bad = 0;

    for (u64 i = 0; i < rounds; i++) {
        u64 function = chance() & 7;
        struct sbi r = call(function, argument(), argument(), argument(), argument(), argument());

        good += r.error == 0;
        if (!error_is_known(r.error) || (r.error && r.value)) {
            bad++;
        }
        if (function == CONFIG && !r.error && !(r.value < 64 && all >> r.value & 1)) {
            bad++;
        }
        if (i % 16 == 0) {
            stop_all();
        }
    }
    u64 now_there = 0;
    for (u64 i = 0; i < 64; i++) {
        now_there |= info(i) ? 1ul << i : 0;
    }
    check(!bad && good && now_there == all, "%lu random calls, %u did something, %u bad", rounds,
          good, bad);
    stop_all();
}

/* --- events ----------------------------------------------------------------------------------- */

static void own_events(void)
{
    u64 timers = counter_of(FIRMWARE(SET_TIMER)), loads = counter_of(FIRMWARE(ACCESS_LOAD));
    u64 illegal = counter_of(FIRMWARE(ILLEGAL)), more = counter_of(FIRMWARE(SET_TIMER));

    for (u32 i = 0; i < TIMES; i++) {
        sbi_call(SBI_TIME, 0, ~0ul, 0, 0);
        TRY(read32(HOLE));
        TRY(csr_read(hpmcounter3));
        if (i == TIMES / 2) {
            call(STOP, more, 1, 0, 0, 0);
        }
    }
    check(fw_read(timers) == TIMES && fw_read(loads) == TIMES && fw_read(illegal) == TIMES &&
              fw_read(more) == TIMES / 2 + 1,
          "%lu timers set, %lu bad loads, %lu illegal; stopped at %lu", fw_read(timers),
          fw_read(loads), fw_read(illegal), fw_read(more));
    stop_all();
}

static volatile u32 step;
static u64 other_ipis, other_fences, other_timers;

static void other(u64 arg)
{
    u64 ipis = counter_of(FIRMWARE(IPI_RECEIVED)), fences = counter_of(FIRMWARE(FENCE_I_RECEIVED));
    u64 timers = counter_of(FIRMWARE(SET_TIMER));

    (void)arg;
    step = 1;
    while (step == 1) {
    }
    other_ipis = fw_read(ipis);
    other_fences = fw_read(fences);
    other_timers = fw_read(timers);
    step = 3;
}

static void events_of_two(void)
{
    u64 ipis = counter_of(FIRMWARE(IPI_SENT)), fences = counter_of(FIRMWARE(FENCE_I_SENT));
    u64 hart = machine.cpu_id[1];

    cpu_start(1, other, 0);
    while (step == 0) {
    }
    u64 before = fw_read(ipis);
    for (u32 i = 0; i < TIMES; i++) {
        sbi_call(SBI_IPI, 0, 1, hart, 0);
        sbi_call(SBI_RFENCE, RFENCE_FENCE_I, 1, hart, 0);
        sbi_call(SBI_TIME, 0, ~0ul, 0, 0);
    }
    step = 2;
    while (step == 2) {
    }
    check(fw_read(ipis) - before == TIMES && other_ipis == TIMES, "%lu IPIs sent, %lu received",
          fw_read(ipis) - before, other_ipis);
    check(fw_read(fences) == TIMES && other_fences == TIMES, "%lu fences sent, %lu received",
          fw_read(fences), other_fences);
    check(other_timers == 0, "no event of another CPU, %lu counted", other_timers);
    stop_all();
}

/* --- cycle and instret ----------------------------------------------------------------------- */

static u32 code[2] __attribute__((aligned(4096)));

/* Reads the CSR in U mode: true if it could. */
static bool user_reads(u32 csr)
{
    static u64 regs[32];

    code[0] = csr << 20 | 2 << 12 | 10 << 7 | 0x73;
    code[1] = EBREAK;
    sync_code(code, sizeof(code));
    struct trap t = run_code((void *)user_page(0, code), regs, RUN_USER);

    return t.cause == CAUSE_BREAKPOINT;
}

static void hardware(void)
{
    u64 c0 = csr_read(cycle), i0 = csr_read(instret);

    delay_us(1000);
    check(csr_read(cycle) == c0 && csr_read(instret) == i0, "nothing counts before it is started");
    u64 cycles = counter_of(EVENT_CYCLES), instructions = counter_of(EVENT_INSTRUCTIONS);
    u64 c1 = csr_read(cycle), i1 = csr_read(instret);
    delay_us(1000);
    u64 c2 = csr_read(cycle), i2 = csr_read(instret);
    check(cycles == 0 && instructions == 2 && c2 > c1 && i2 > i1, "they count: %lu, %lu", c2 - c1,
          i2 - i1);
    csr_write(scounteren, 2);
    check(!user_reads(0xc00) && user_reads(0xc01) && !user_reads(0xc02), "programs read time only");
    csr_write(scounteren, 5);
    check(user_reads(0xc00) && !user_reads(0xc01) && user_reads(0xc02), "and what they may");
    csr_write(scounteren, 7);
    struct sbi r = call(STOP, 0, 5, 0, 0, 0);
    c1 = csr_read(cycle);
    delay_us(1000);
    check(!r.error && csr_read(cycle) == c1 && c1 > c2, "stopped, and the value stays");
    r = call(START, 0, 1, 1, 0x123456789abcdeful, 0);
    c1 = csr_read(cycle);
    check(!r.error && c1 > 0x123456789abcdeful && c1 < 0x133456789abcdeful, "a value to begin at");
    struct trap t = TRY(csr_write(cycle, 0));
    check(t.cause == CAUSE_ILLEGAL, "a write is illegal");
    stop_all();
}

/* How many cycles pass in a thousand ticks on the hart: the most that was seen in a short time. */
static u64 rate(void)
{
    u64 most = 0;

    for (u32 i = 0; i < 200; i++) {
        u64 t0 = now(), c0 = csr_read(cycle);
        delay_us(300);
        u64 c1 = csr_read(cycle), t1 = now();
        u64 this = (c1 - c0) * 1000 / (t1 - t0);
        most = this > most ? this : most;
    }
    return most;
}

static void shared(void)
{
    counter_of(EVENT_CYCLES);
    u64 per_kilotick = rate();
    u64 t0 = now(), c0 = csr_read(cycle);
    delay_us(option("seconds", 2) * 1000000);
    u64 share = (csr_read(cycle) - c0) * 100000 / (per_kilotick * (now() - t0));
    check(share > 20 && share < 80, "of the hart's cycles %lu %% are this guest's", share);
    stop_all();
}

int main(void)
{
    look();
    hardware();
    storm(option("rounds", 20000));
    own_events();
    if (machine.nr_cpus > 1) {
        events_of_two();
    }
    if (has_option("shared")) {
        shared();
    }
    return 0;
}
