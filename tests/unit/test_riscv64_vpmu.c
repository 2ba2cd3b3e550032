/* SPDX-License-Identifier: MIT */
/* Counters of riscv64's guests (vpmu.c), on a model of the CSRs that it reads. */
/* Before all others, in place of the fake architecture's. */
#include "../../hv/arch/riscv64/include/arch/impl/regs.h"

#include <loam/domain.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>

#include "../../hv/arch/riscv64/csr.h"
#include "unit.h"

/* The CSRs of the CPU that executes. */
static struct {
    uint64_t cycle, instret, sstatus, scounteren, sepc;
} csr;
#undef csr_read
#undef csr_write
#define csr_read(name) (csr.name)
#define csr_write(name, value) (csr.name = (value))

#include "../../hv/arch/riscv64/vpmu.c"

#define FW UINT64_C(0xf0000)
#define SET_TIMER (FW | PMU_EVENT_SET_TIMER)
#define IPI_SENT (FW | PMU_EVENT_IPI_SENT)
#define IPI_RECEIVED (FW | PMU_EVENT_IPI_RECEIVED)

#define FIRMWARE_MASK UINT64_C(0x7f8)
#define ALL_MASK UINT64_C(0x7fd)

static struct arch_host machine;
static struct pcpu cpu;
static struct vcpu vcpus[2], *self = &vcpus[0];
static uint64_t got; /* value of the last call */

static void world(void)
{
    memset(vcpus, 0, sizeof(vcpus));
    machine = (struct arch_host){ .has_zicntr = true };
    cpu = (struct pcpu){ .arch.host = &machine };
    vcpus[0].pcpu = vcpus[1].pcpu = &cpu;
    memset(&csr, 0, sizeof(csr));
    csr.cycle = 1000;
    csr.instret = 500;
    csr.sepc = 0x1000;
    csr.sstatus = SSTATUS_SPP;
    csr.scounteren = 7;
}

static int64_t call(uint64_t fn, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    const uint64_t arg[] = { a0, a1, a2, a3, a4, 0x77 };
    struct sbi_ret r = vpmu_call(self, fn, arg);

    got = r.value;
    CHECK(r.error == 0 || r.value == 0);
    return r.error;
}

static int64_t config(uint64_t base, uint64_t mask, uint64_t flags, uint64_t event)
{
    return call(SBI_PMU_CONFIG_MATCHING, base, mask, flags, event, 0);
}

static int64_t go(uint64_t base, uint64_t mask, uint64_t flags, uint64_t initial)
{
    return call(SBI_PMU_START, base, mask, flags, initial, 0);
}

static int64_t halt(uint64_t base, uint64_t mask, uint64_t flags)
{
    return call(SBI_PMU_STOP, base, mask, flags, 0, 0);
}

static uint64_t fw(uint64_t counter)
{
    CHECK_EQ(call(SBI_PMU_FW_READ, counter, 0, 0, 0, 0), 0);
    return got;
}

/* csrr a0, csr by this vCPU */
static uint64_t csr_of(struct vcpu *v, uint32_t number)
{
    uint64_t at = csr.sepc;

    v->arch.x[REG_A0] = 0xbad;
    CHECK(vpmu_csr(v, number << 20 | 2u << 12 | REG_A0 << 7 | 0x73));
    CHECK_EQ(csr.sepc, at + 4);
    return v->arch.x[REG_A0];
}

static uint64_t cycle(void) { return csr_of(self, 0xc00); }
static uint64_t instret(void) { return csr_of(self, 0xc02); }

static void load(struct vcpu *v)
{
    if (v->arch.rare & RARE_PMU) {
        vpmu_load(v);
    }
}

static void save(struct vcpu *v)
{
    if (v->arch.rare & RARE_PMU) {
        vpmu_save(v);
    }
}

static void pass(uint64_t cycles)
{
    csr.cycle += cycles;
    csr.instret += cycles / 2;
}

/* --- Which there are ------------------------------------------------------------------ */

TEST(what_counters_are)
{
    world();
    CHECK_EQ(call(SBI_PMU_NUM_COUNTERS, 0, 0, 0, 0, 0), 0);
    CHECK_EQ(got, 11);
    CHECK_EQ(call(SBI_PMU_GET_INFO, 0, 0, 0, 0, 0), 0);
    CHECK_EQ(got, 63 << 12 | 0xc00);
    CHECK_EQ(call(SBI_PMU_GET_INFO, 2, 0, 0, 0, 0), 0);
    CHECK_EQ(got, 63 << 12 | 0xc02);
    for (uint64_t i = 3; i < 11; i++) {
        CHECK_EQ(call(SBI_PMU_GET_INFO, i, 0, 0, 0, 0), 0);
        CHECK_EQ(got >> 63, 1);
    }
    static const uint64_t none[] = { 1, 11, 64, BIT(32), BIT(63), UINT64_MAX };
    for (uint32_t i = 0; i < ARRAY_SIZE(none); i++) {
        CHECK_EQ(call(SBI_PMU_GET_INFO, none[i], 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
        CHECK_EQ(call(SBI_PMU_FW_READ, none[i], 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
        CHECK_EQ(call(SBI_PMU_FW_READ_HI, none[i], 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
    }
    CHECK_EQ(call(SBI_PMU_FW_READ, 0, 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(call(SBI_PMU_FW_READ_HI, 2, 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(call(SBI_PMU_FW_READ_HI, 3, 0, 0, 0, 0), 0);
}

TEST(without_zicntr_firmware_counts)
{
    world();
    machine.has_zicntr = false;
    CHECK_EQ(call(SBI_PMU_GET_INFO, 0, 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(call(SBI_PMU_GET_INFO, 3, 0, 0, 0, 0), 0);
    CHECK_EQ(config(0, 1, 0, EVENT_CYCLES), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(config(0, FIRMWARE_MASK, 0, SET_TIMER), 0);
    CHECK(!vpmu_csr(self, 0xc0002573));
}

/* --- Sets of counters --------------------------------------------------------------------- */

TEST(sets_with_a_counter_that_is_not_there_do_nothing)
{
    static const struct {
        uint64_t base, mask;
    } bad[] = { { 0, 0 },       { 3, 0 },       { 0, 2 },      { 0, 7 },
                { 11, 1 },      { 0, BIT(11) }, { 10, 3 },     { 0, UINT64_MAX },
                { 0, BIT(63) }, { 3, BIT(63) }, { 64, 1 },     { UINT64_MAX, 1 },
                { BIT(32), 1 }, { 1, 1 },       { BIT(63), 1 } };

    world();
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(config(bad[i].base, bad[i].mask, 4, SET_TIMER), SBI_ERR_INVALID_PARAM);
        CHECK_EQ(go(bad[i].base, bad[i].mask, 0, 0), SBI_ERR_INVALID_PARAM);
        CHECK_EQ(halt(bad[i].base, bad[i].mask, 0), SBI_ERR_INVALID_PARAM);
    }
    CHECK_EQ(self->arch.pmu.running, 0);
    CHECK_EQ(config(10, 1, 0, SET_TIMER), 0);
    CHECK_EQ(got, 10);
    CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), 0);
    CHECK_EQ(got, 3);
}

TEST(flags_that_are_none_are_refused)
{
    world();
    CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), 0);
    for (uint32_t bit = 0; bit < 64; bit++) {
        if (bit >= 8) {
            CHECK_EQ(config(3, 2, BIT(bit), SET_TIMER), SBI_ERR_INVALID_PARAM);
        }
        int64_t want = bit == 1 ? SBI_ERR_NO_SHMEM : SBI_ERR_INVALID_PARAM;
        if (bit >= 1) {
            CHECK_EQ(go(3, 1, BIT(bit), 0), want);
            CHECK_EQ(halt(3, 1, BIT(bit)), want);
        }
    }
    CHECK_EQ(self->arch.pmu.running, 0);
    CHECK_EQ(config(3, 2, 0xf8, SET_TIMER), 0); /* modes not to count in: hints */
    CHECK_EQ(got, 4);
}

TEST(events_that_nobody_counts)
{
    static const uint64_t none[] = { 0,
                                     3,
                                     10,
                                     0x10000,
                                     0x20000,
                                     0x30000,
                                     FW,
                                     FW | 1,
                                     FW | 14,
                                     FW | 21,
                                     FW | 0xffff,
                                     FW | BIT(20),
                                     SET_TIMER | BIT(32),
                                     1 | BIT(20),
                                     2 | BIT(63),
                                     UINT64_MAX };

    world();
    for (uint32_t i = 0; i < ARRAY_SIZE(none); i++) {
        CHECK_EQ(config(0, ALL_MASK, 0, none[i]), SBI_ERR_NOT_SUPPORTED);
        CHECK_EQ(config(0, ALL_MASK, 1, none[i]), SBI_ERR_NOT_SUPPORTED);
    }
    CHECK_EQ(config(0, FIRMWARE_MASK, 0, EVENT_CYCLES), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(config(0, 5, 0, SET_TIMER), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(call(SBI_PMU_CONFIG_MATCHING, 0, ALL_MASK, 0, SET_TIMER, 1), SBI_ERR_NOT_SUPPORTED);
    for (uint64_t code = 2; code < 14; code++) {
        CHECK_EQ(config(0, ALL_MASK, 0, FW | code), 0);
        CHECK_EQ(halt(0, ALL_MASK, 1), SBI_ERR_ALREADY_STOPPED);
    }
}

/* --- Finding one -------------------------------------------------------------------------- */

TEST(each_event_gets_a_counter_of_its_own)
{
    world();
    for (uint64_t i = 3; i < 11; i++) {
        CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), 0);
        CHECK_EQ(got, i);
    }
    CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(config(0, ALL_MASK, 0, EVENT_INSTRUCTIONS), 0);
    CHECK_EQ(got, 2);
    CHECK_EQ(config(0, ALL_MASK, 0, EVENT_INSTRUCTIONS), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(config(0, ALL_MASK, 0, EVENT_CYCLES), 0);
    CHECK_EQ(got, 0);
    CHECK_EQ(halt(5, 1, 0), SBI_ERR_ALREADY_STOPPED); /* keeps its event */
    CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(halt(5, 1, 1), SBI_ERR_ALREADY_STOPPED);
    CHECK_EQ(config(0, ALL_MASK, 0, IPI_SENT), 0);
    CHECK_EQ(got, 5);
}

TEST(skipping_the_match_takes_the_first)
{
    world();
    CHECK_EQ(config(3, 2, 0, SET_TIMER), 0);
    CHECK_EQ(config(0, 0x30, 1, IPI_SENT), 0);
    CHECK_EQ(got, 4);
    vpmu_count(self, PMU_EVENT_IPI_SENT);
    CHECK_EQ(go(4, 1, 0, 0), 0);
    vpmu_count(self, PMU_EVENT_IPI_SENT);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(fw(4), 1);
    CHECK_EQ(config(0, 0x30, 1, SET_TIMER), SBI_ERR_NOT_SUPPORTED); /* it runs */
    CHECK_EQ(config(0, 5, 1, EVENT_INSTRUCTIONS), SBI_ERR_NOT_SUPPORTED); /* not cycle's */
}

/* --- Counting ----------------------------------------------------------------------------- */

TEST(a_firmware_counter_counts_while_it_runs)
{
    world();
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), 0);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(fw(3), 0);
    CHECK_EQ(go(3, 1, 0, 99), 0);
    CHECK_EQ(fw(3), 0);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    vpmu_count(self, PMU_EVENT_ILLEGAL_INSN);
    CHECK_EQ(fw(3), 1);
    CHECK_EQ(go(3, 1, 1, 5), SBI_ERR_ALREADY_STARTED);
    CHECK_EQ(fw(3), 1);
    CHECK_EQ(halt(3, 1, 0), 0);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(fw(3), 1);
    CHECK_EQ(go(3, 1, 0, 5), 0); /* goes on */
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(fw(3), 2);
    CHECK_EQ(halt(3, 1, 0), 0);
    CHECK_EQ(go(3, 1, 1, UINT64_MAX), 0);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(fw(3), 0); /* past the end */
    CHECK_EQ(halt(3, 1, 0), 0);
    CHECK_EQ(halt(3, 1, 0), SBI_ERR_ALREADY_STOPPED);
}

TEST(configuring_may_clear_and_start)
{
    world();
    CHECK_EQ(config(0, 0x8, 4, SET_TIMER), 0);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    CHECK_EQ(halt(3, 1, 1), 0);
    CHECK_EQ(config(0, 0x8, 4, IPI_SENT), 0);
    CHECK_EQ(fw(3), 1); /* starting does not change the value */
    vpmu_count(self, PMU_EVENT_IPI_SENT);
    CHECK_EQ(fw(3), 2);
    CHECK_EQ(halt(3, 1, 1), 0);
    CHECK_EQ(config(0, 0x8, 6, IPI_SENT), 0);
    CHECK_EQ(fw(3), 0);
}

TEST(sent_and_received_are_counted_at_both_ends)
{
    world();
    CHECK_EQ(config(0, ALL_MASK, 4, IPI_SENT), 0);
    self = &vcpus[1];
    CHECK_EQ(config(0, ALL_MASK, 4, IPI_RECEIVED), 0);
    vpmu_count_sent(&vcpus[0], &vcpus[1], PMU_EVENT_IPI_SENT);
    CHECK_EQ(fw(3), 1);
    self = &vcpus[0];
    CHECK_EQ(fw(3), 1);
}

TEST(starting_and_stopping_many)
{
    world();
    CHECK_EQ(config(0, ALL_MASK, 0, EVENT_CYCLES), 0);
    CHECK_EQ(go(0, ALL_MASK, 0, 0), SBI_ERR_INVALID_PARAM); /* the others have no event */
    CHECK_EQ(self->arch.pmu.running, 0);
    CHECK_EQ(config(0, ALL_MASK, 0, SET_TIMER), 0);
    CHECK_EQ(config(0, ALL_MASK, 0, IPI_SENT), 0);
    CHECK_EQ(go(3, 1, 0, 0), 0);
    CHECK_EQ(go(0, 0x19, 0, 0), SBI_ERR_ALREADY_STARTED); /* and starts the rest */
    CHECK_EQ(self->arch.pmu.running, 0x19);
    CHECK_EQ(halt(0, ALL_MASK, 1), SBI_ERR_ALREADY_STOPPED); /* and stops all */
    CHECK_EQ(self->arch.pmu.running, 0);
    CHECK_EQ(go(0, 0x19, 0, 0), SBI_ERR_INVALID_PARAM);
}

/* --- cycle and instret ------------------------------------------------------------------- */

TEST(nothing_is_counted_that_was_not_started)
{
    world();
    CHECK_EQ(cycle(), 0);
    CHECK_EQ(instret(), 0);
    pass(100);
    CHECK_EQ(cycle(), 0);
    load(self);
    save(self);
    CHECK_EQ(instret(), 0);
}

TEST(time_of_others_is_not_counted)
{
    world();
    load(self);
    CHECK_EQ(config(0, ALL_MASK, 2, EVENT_CYCLES), 0);
    CHECK_EQ(config(0, ALL_MASK, 6, EVENT_INSTRUCTIONS), 0);
    CHECK_EQ(go(0, 1, 1, 7), 0);
    pass(100);
    CHECK_EQ(cycle(), 107);
    CHECK_EQ(instret(), 50);
    save(self);
    pass(1000000);
    CHECK_EQ(csr_of(&vcpus[1], 0xc00), 0);
    csr.cycle = 3; /* another CPU */
    csr.instret = 5;
    load(self);
    CHECK_EQ(cycle(), 107);
    pass(10);
    CHECK_EQ(cycle(), 117);
    CHECK_EQ(instret(), 55);
    CHECK_EQ(halt(0, 1, 0), 0);
    pass(10);
    CHECK_EQ(cycle(), 117);
    CHECK_EQ(instret(), 60);
    save(self);
    pass(10);
    load(self);
    CHECK_EQ(cycle(), 117);
    CHECK_EQ(instret(), 60);
    CHECK_EQ(call(SBI_PMU_FW_READ, 0, 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
}

TEST(a_reset_stops_and_clears)
{
    world();
    CHECK_EQ(config(0, ALL_MASK, 4, EVENT_CYCLES), 0);
    CHECK_EQ(config(0, ALL_MASK, 4, SET_TIMER), 0);
    pass(100);
    vpmu_count(self, PMU_EVENT_SET_TIMER);
    save(self);
    vpmu_reset(self);
    CHECK_EQ(self->arch.rare, 0);
    load(self);
    CHECK_EQ(cycle(), 0);
    CHECK_EQ(fw(3), 0);
    CHECK_EQ(config(0, ALL_MASK, 4, SET_TIMER), 0);
    CHECK_EQ(got, 3);
    CHECK_EQ(fw(3), 0);
}

static bool is_read(uint32_t insn)
{
    uint64_t at = csr.sepc;
    bool done = vpmu_csr(self, insn);

    CHECK_EQ(csr.sepc, at + (done ? 4 : 0));
    return done;
}

TEST(only_reads_of_these_two)
{
    world();
    for (uint32_t number = 0; number < 0x1000; number++) {
        CHECK_EQ(is_read(number << 20 | 2 << 12 | REG_A0 << 7 | 0x73),
                 number == 0xc00 || number == 0xc02);
    }
    for (uint32_t op = 0; op < 8; op++) {
        CHECK_EQ(is_read(0xc0000073 | op << 12 | REG_A0 << 7), (op & 2) != 0);
        CHECK(!is_read(0xc0000073 | op << 12 | REG_A0 << 7 | 1 << 15)); /* writes */
    }
    CHECK(!is_read(0xc0002003));
    CHECK(!is_read(0));
    CHECK(is_read(0xc0002073)); /* to x0 */
    CHECK_EQ(self->arch.x[0], 0);
}

TEST(programs_read_what_their_kernel_lets_them)
{
    world();
    csr.sstatus = 0;
    CHECK_EQ(cycle(), 0);
    csr.scounteren = 6;
    CHECK(!is_read(0xc0002573));
    CHECK_EQ(instret(), 0);
    csr.scounteren = 2;
    CHECK(!is_read(0xc0202573));
    csr.sstatus = SSTATUS_SPP;
    CHECK_EQ(cycle(), 0);
}
