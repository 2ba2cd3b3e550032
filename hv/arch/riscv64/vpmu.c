/* SPDX-License-Identifier: MIT */
/*
 * Counters of a guest (SBI 2.0 ch. 11): cycle and instret, and what the
 * hypervisor itself does for a vCPU, its "firmware events".
 *
 * A vCPU has counters of its own. The machine's cycle and instret would tell it how
 * busy others are, so that hcounteren keeps them from guests, and a guest's read of them
 * traps (vpmu_csr()). Nobody counts who did not ask: until it is started by this
 * interface a counter reads 0, as on a machine whose firmware stopped it (mcountinhibit).
 * A running one counts while the vCPU is loaded, with what the hypervisor does for it.
 *
 * arch_pmu.value is what a counter reads while it is stopped; while it runs, that minus
 * its source: a CSR of this CPU, or the number of events. So nothing has to be done for
 * an event but to count it, also if nobody listens, and only a vCPU with a
 * running hardware counter has something to do when it is loaded and saved.
 *
 * Programmable hardware counters are not offered: only the machine's firmware can set their
 * events, with a call for each counter at each switch of vCPUs, and without one
 * for each level of privilege (Sscofpmf) they would count the hypervisor, too. Nor are
 * snapshots (11.11): a counter of Loam is read in one trap.
 */
#include <loam/domain.h>

#include "csr.h"
#include "host.h"
#include "trap.h"
#include "vpmu.h"

/* Counter n is the CSR cycle + n, which kernels rely on; 1 would be time and is none. */
#define COUNTER_CYCLE 0
#define COUNTER_INSTRET (CSR_INSTRET - CSR_CYCLE)
#define FIRMWARE_FIRST 3
_Static_assert(PMU_HARDWARE == (1u << COUNTER_CYCLE | 1u << COUNTER_INSTRET), "struct arch_pmu");

/* counter_get_info: number of the CSR, its bits less one, kind. */
#define INFO_WIDTH_64 (UINT64_C(63) << 12)
#define INFO_FIRMWARE BIT(63)

/* Bits 3 to 7 of the configuration name modes in which it shall not count: hints, ignored. */
#define CONFIG_SKIP_MATCH BIT(0)
#define CONFIG_CLEAR_VALUE BIT(1)
#define CONFIG_AUTO_START BIT(2)
#define CONFIG_FLAGS BITS(7, 0)

#define START_SET_INIT_VALUE BIT(0)
#define START_INIT_SNAPSHOT BIT(1)
#define STOP_RESET BIT(0)
#define STOP_TAKE_SNAPSHOT BIT(1)
#define START_STOP_FLAGS BITS(1, 0)

/* event_idx: type in bits 19:16, code. */
#define EVENT_CYCLES 0x00001
#define EVENT_INSTRUCTIONS 0x00002
#define EVENT_FIRMWARE 0xf0000

#define for_each_counter(set, i) \
    for (uint32_t left_ = (set), i; left_ != 0 && (i = ctz64(left_), true); left_ &= left_ - 1)

static struct sbi_ret answer(uint64_t value) { return (struct sbi_ret){ .value = value }; }
static struct sbi_ret sbi_refuse(int64_t error) { return (struct sbi_ret){ .error = error }; }

/* --- Counters ----------------------------------------------------------------- */

/* What a running counter counts, as of now. */
static uint64_t source(const struct vcpu *v, uint32_t counter)
{
    const struct arch_pmu *pmu = &v->arch.pmu;

    switch (counter) {
    case COUNTER_CYCLE:
        return csr_read(cycle);
    case COUNTER_INSTRET:
        return csr_read(instret);
    default: /* others may add to it */
        return atomic_load_relaxed(&pmu->events[pmu->event[counter] - PMU_EVENT_ACCESS_LOAD]);
    }
}

static uint64_t counter_value(const struct vcpu *v, uint32_t counter)
{
    const struct arch_pmu *pmu = &v->arch.pmu;

    return pmu->value[counter] + (pmu->running & BIT(counter) ? source(v, counter) : 0);
}

static void set_running(struct vcpu *v, uint32_t counters)
{
    v->arch.pmu.running = counters;
    if (counters & PMU_HARDWARE) {
        v->arch.rare |= RARE_PMU;
    } else {
        v->arch.rare &= ~RARE_PMU;
    }
}

static void start(struct vcpu *v, uint32_t counter)
{
    v->arch.pmu.value[counter] -= source(v, counter);
    set_running(v, v->arch.pmu.running | 1u << counter);
}

static void stop(struct vcpu *v, uint32_t counter)
{
    v->arch.pmu.value[counter] += source(v, counter);
    set_running(v, v->arch.pmu.running & ~(1u << counter));
}

void vpmu_reset(struct vcpu *v)
{
    struct arch_pmu *pmu = &v->arch.pmu;

    /* Events go on: others may be adding to them, and a counter begins where it is started. */
    set_running(v, 0);
    for (uint32_t i = 0; i < PMU_COUNTERS; i++) {
        pmu->value[i] = 0;
        pmu->event[i] = 0;
    }
}

void vpmu_load(struct vcpu *v)
{
    for_each_counter(v->arch.pmu.running & PMU_HARDWARE, i)
    {
        v->arch.pmu.value[i] -= source(v, i);
    }
}

void vpmu_save(struct vcpu *v)
{
    for_each_counter(v->arch.pmu.running & PMU_HARDWARE, i)
    {
        v->arch.pmu.value[i] += source(v, i);
    }
}

__noinline bool vpmu_csr(struct vcpu *v, uint32_t insn)
{
    uint32_t counter = (insn >> 20) - CSR_CYCLE;

    /* SYSTEM; csrrs or csrrc of no bits, the forms that do not write (Unpriv. spec 6.1). */
    if ((insn & 0x7f) != 0x73 || (insn >> 13 & 1) == 0 || (insn >> 15 & 31) != 0 || counter > 31 ||
        (BIT(counter) & PMU_HARDWARE) == 0 || !v->pcpu->arch.host->has_zicntr) {
        return false;
    }
    if (!(csr_read(sstatus) & SSTATUS_SPP) && !(csr_read(scounteren) & BIT(counter))) {
        return false; /* the guest's own kernel keeps it from its programs */
    }
    trap_csr_done(v, insn, counter_value(v, counter));
    return true;
}

/* --- SBI calls ------------------------------------------------------------------ */

static uint32_t valid_counters(const struct vcpu *v)
{
    uint32_t firmware = (1u << PMU_COUNTERS) - (1u << FIRMWARE_FIRST);

    return firmware | (v->pcpu->arch.host->has_zicntr ? PMU_HARDWARE : 0);
}

static bool is_firmware(uint64_t counter)
{
    return counter >= FIRMWARE_FIRST && counter < PMU_COUNTERS;
}

/* The set that two arguments name, counter base + n for each bit n of mask. 0: not all valid. */
static uint32_t read_set(const struct vcpu *v, uint64_t base, uint64_t mask)
{
    if (base >= PMU_COUNTERS || mask >> (PMU_COUNTERS - base) != 0) {
        return 0;
    }
    uint32_t set = (uint32_t)(mask << base);

    return set & ~valid_counters(v) ? 0 : set;
}

static struct sbi_ret num_counters(struct vcpu *v, const uint64_t *arg)
{
    return answer(PMU_COUNTERS);
}

static struct sbi_ret get_info(struct vcpu *v, const uint64_t *arg)
{
    if (arg[0] >= PMU_COUNTERS || (BIT(arg[0]) & valid_counters(v)) == 0) {
        return sbi_refuse(SBI_ERR_INVALID_PARAM);
    }
    return answer(is_firmware(arg[0]) ? INFO_FIRMWARE : INFO_WIDTH_64 | (CSR_CYCLE + arg[0]));
}

/* Can the counter, stopped, monitor this event? What arch_pmu.event is then; 0: no. */
static uint8_t match(uint32_t counter, uint64_t event)
{
    switch (counter) {
    case COUNTER_CYCLE:
        return event == EVENT_CYCLES;
    case COUNTER_INSTRET:
        return event == EVENT_INSTRUCTIONS;
    default: {
        uint64_t code = event - EVENT_FIRMWARE;

        return code >= PMU_EVENT_ACCESS_LOAD && code < PMU_EVENTS_END ? (uint8_t)code : 0;
    }
    }
}

static struct sbi_ret config_matching(struct vcpu *v, const uint64_t *arg)
{
    struct arch_pmu *pmu = &v->arch.pmu;
    uint32_t set = read_set(v, arg[0], arg[1]);
    uint64_t flags = arg[2], event = arg[3];

    if (set == 0 || flags & ~CONFIG_FLAGS) {
        return sbi_refuse(SBI_ERR_INVALID_PARAM);
    }
    if (arg[4] != 0) { /* event_data, of which these events have none */
        return sbi_refuse(SBI_ERR_NOT_SUPPORTED);
    }
    if (flags & CONFIG_SKIP_MATCH) {
        set &= -set; /* the first, also if it has an event already */
    }
    for_each_counter(set & ~pmu->running, i)
    {
        uint8_t matched = match(i, event);

        if (matched == 0 || (pmu->event[i] != 0 && !(flags & CONFIG_SKIP_MATCH))) {
            continue;
        }
        pmu->event[i] = matched;
        if (flags & CONFIG_CLEAR_VALUE) {
            pmu->value[i] = 0;
        }
        if (flags & CONFIG_AUTO_START) {
            start(v, i);
        }
        return answer(i);
    }
    return sbi_refuse(SBI_ERR_NOT_SUPPORTED);
}

/*
 * Those of the set that can be started (stopped) are, also if another one is
 * already, which is an error: kernels stop all counters there are without a look.
 */
static struct sbi_ret counter_start(struct vcpu *v, const uint64_t *arg)
{
    struct arch_pmu *pmu = &v->arch.pmu;
    uint32_t set = read_set(v, arg[0], arg[1]);
    uint64_t flags = arg[2];

    if (set == 0 || flags & ~START_STOP_FLAGS) {
        return sbi_refuse(SBI_ERR_INVALID_PARAM);
    }
    if (flags & START_INIT_SNAPSHOT) {
        return sbi_refuse(SBI_ERR_NO_SHMEM);
    }
    for_each_counter(set, i)
    {
        if (pmu->event[i] == 0) {
            return sbi_refuse(SBI_ERR_INVALID_PARAM); /* nothing to count */
        }
    }
    uint32_t started = set & pmu->running;

    for_each_counter(set & ~started, n)
    {
        if (flags & START_SET_INIT_VALUE) {
            pmu->value[n] = arg[3];
        }
        start(v, n);
    }
    return started == 0 ? answer(0) : sbi_refuse(SBI_ERR_ALREADY_STARTED);
}

static struct sbi_ret counter_stop(struct vcpu *v, const uint64_t *arg)
{
    struct arch_pmu *pmu = &v->arch.pmu;
    uint32_t set = read_set(v, arg[0], arg[1]);
    uint64_t flags = arg[2];

    if (set == 0 || flags & ~START_STOP_FLAGS) {
        return sbi_refuse(SBI_ERR_INVALID_PARAM);
    }
    if (flags & STOP_TAKE_SNAPSHOT) {
        return sbi_refuse(SBI_ERR_NO_SHMEM);
    }
    uint32_t stopped = set & ~pmu->running;

    for_each_counter(set & ~stopped, i) { stop(v, i); }
    for_each_counter(flags & STOP_RESET ? set : 0, n) { pmu->event[n] = 0; }
    return stopped == 0 ? answer(0) : sbi_refuse(SBI_ERR_ALREADY_STOPPED);
}

static struct sbi_ret fw_read(struct vcpu *v, const uint64_t *arg)
{
    if (!is_firmware(arg[0])) {
        return sbi_refuse(SBI_ERR_INVALID_PARAM);
    }
    return answer(counter_value(v, (uint32_t)arg[0]));
}

/* For harts of 32 bits. */
static struct sbi_ret fw_read_hi(struct vcpu *v, const uint64_t *arg)
{
    return is_firmware(arg[0]) ? answer(0) : sbi_refuse(SBI_ERR_INVALID_PARAM);
}

struct sbi_ret vpmu_call(struct vcpu *v, uint64_t fn, const uint64_t *arg)
{
    static struct sbi_ret (*const functions[VPMU_FUNCTIONS])(struct vcpu *, const uint64_t *) = {
        [SBI_PMU_NUM_COUNTERS] = num_counters,
        [SBI_PMU_GET_INFO] = get_info,
        [SBI_PMU_CONFIG_MATCHING] = config_matching,
        [SBI_PMU_START] = counter_start,
        [SBI_PMU_STOP] = counter_stop,
        [SBI_PMU_FW_READ] = fw_read,
        [SBI_PMU_FW_READ_HI] = fw_read_hi,
    };

    return functions[fn](v, arg);
}
