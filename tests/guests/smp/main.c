/* SPDX-License-Identifier: MIT */
/*
 * smp: CPUs turned on and off, also by several at once.
 *
 * Every CPU but the first is cycled many times; then pairs of CPUs race to
 * turn on the same third one, of which exactly one may succeed; then atomics
 * and a spin lock under contention. Arm DEN 0022 5.6 (CPU_ON) and 6.6 (races).
 */

#include "guest.h"

static volatile u32 go, arrived, started, counter, lock_word, locked_counter;
static volatile long result[MAX_CPUS];
static volatile u64 argument_seen[MAX_CPUS];

static void note_argument(u64 arg) { argument_seen[this_cpu()->index] = arg; }

static bool wait_off(u32 index)
{
    for (u64 end = now() + ticks_of_us(2000000); !cpu_is_off(index);) {
        if (now() > end) {
            return false;
        }
    }
    return true;
}

static bool wait_argument(u32 index, u64 wanted)
{
    for (u64 end = now() + ticks_of_us(2000000); argument_seen[index] != wanted;) {
        if (now() > end) {
            return false;
        }
    }
    return true;
}

static void cycles(u32 rounds)
{
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        u32 good = 0;
        for (u32 n = 0; n < rounds; n++) {
            u64 token = chance();
            if (cpu_start(i, note_argument, token) != 0 || !wait_argument(i, token) ||
                !wait_off(i)) {
                break;
            }
            good++;
        }
        check(good == rounds, "CPU %u turned on and off %u times of %u", i, good, rounds);
    }
}

static void count_start(u64 arg)
{
    (void)arg;
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    while (go) {
    }
}

static void racer(u64 target)
{
    __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    while (go != 2) {
    }
    result[this_cpu()->index] = cpu_start_raw((u32)target);
}

/* All CPUs but the target ask for the target at the same time. */
static bool race(u32 target, u32 *refused)
{
    u32 wins = 0, others = 0;

    cpu_prepare(target, count_start, 0);
    arrived = started = 0;
    go = 1;
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        if (i != target && cpu_start(i, racer, target) != 0) {
            return false;
        }
    }
    while (arrived != machine.nr_cpus - 2) {
    }
    go = 2;
    result[0] = cpu_start_raw(target);
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        if (i != target && !wait_off(i)) {
            return false;
        }
    }
    for (u32 i = 0; i < machine.nr_cpus; i++) {
        if (i != target) {
            wins += result[i] == 0;
            others += cpu_was_on(result[i]);
        }
    }
    while (!started) {
    }
    go = 0;
    *refused += others;
    if (wins != 1 || started != 1) {
        print("%u winners, %u refused, CPU %u entered %u times\n", wins, others, target, started);
        return false;
    }
    return wait_off(target) && wins + others == machine.nr_cpus - 1;
}

static void races(u32 rounds)
{
    u32 good = 0, refused = 0;

    for (u32 n = 0; n < rounds; n++) {
        if (!race(1 + n % (machine.nr_cpus - 1), &refused)) {
            break;
        }
        good++;
    }
    check(good == rounds, "races for one CPU: %u of %u with one winner, %u refused", good, rounds,
          refused);
}

static void contend(u64 rounds)
{
    for (u64 n = 0; n < rounds; n++) {
        __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE)) {
        }
        locked_counter = locked_counter + 1;
        __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
    }
}

static void contention(u32 rounds)
{
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        cpu_start(i, contend, rounds);
    }
    contend(rounds);
    bool off = true;
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        off &= wait_off(i);
    }
    check(off && counter == rounds * machine.nr_cpus && locked_counter == counter,
          "%u CPUs counted to %u", machine.nr_cpus, counter);
}

int main(void)
{
    u32 rounds = (u32)option("rounds", 100);

    check(machine.nr_cpus > 1, "%u CPUs", machine.nr_cpus);
    check(cpu_was_on(cpu_start_raw(0)), "this CPU is on already");
    cycles(rounds);
    if (machine.nr_cpus > 2) {
        races(rounds);
    }
    contention(rounds * 50);
    return 0;
}
