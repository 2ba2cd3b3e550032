/* SPDX-License-Identifier: MIT */
/*
 * fp: the floating point registers are this guest's alone.
 *
 * All 32 and fcsr are filled from the option id=, and checked while other guests
 * with other values share the hart; again and again they are changed, left clean,
 * or turned off for a while (sstatus.FS: Dirty, Clean, Off), because what the
 * hypervisor saves and loads hangs on that. Registers that were off must be there
 * afterwards, and while they are off their use must be illegal. Options: id=,
 * seconds= (5), rounds=. Priv. spec 4.1.1 and 3.1.6 (extension context status).
 */

#include "guest.h"

#define FS_OFF 0ul
#define FS_CLEAN (2ul << 13)
#define FS_DIRTY (3ul << 13)

/* fld or fsd of all registers, at a0 */
#define EACH_REGISTER(op) \
    ".irp n, " \
    "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n" op \
    " f\\n, 8*\\n(%0)\n .endr\n"
#define WITH_FP(text) ".option push\n .option arch, +d\n" text ".option pop\n"

static u64 wanted[32], found[32], wanted_fcsr, salt, state;
static u32 bad_registers, bad_fcsr, bad_traps, phases[4];

static void load(void)
{
    __asm__ volatile(WITH_FP(EACH_REGISTER("fld"))::"r"(wanted) : "memory");
    csr_write(fcsr, wanted_fcsr);
}

static void store(void) { __asm__ volatile(WITH_FP(EACH_REGISTER("fsd"))::"r"(found) : "memory"); }

static void set_fs(u64 fs)
{
    csr_clear(sstatus, SSTATUS_FS);
    csr_set(sstatus, fs);
}

/* This guest's own sequence, a different one for each id. */
static u64 next(void)
{
    state = state * 0x5851f42d4c957f2dul + salt;
    return state ^ state >> 31;
}

static void new_values(void)
{
    for (u32 i = 0; i < 32; i++) {
        wanted[i] = next();
    }
    wanted_fcsr = next() >> 20 & 0xff;
}

static void compare(u32 phase)
{
    store();
    for (u32 i = 0; i < 32; i++) {
        if (found[i] != wanted[i] && bad_registers++ < 10) {
            print("f%u is 0x%lx, was 0x%lx, phase %u\n", i, found[i], wanted[i], phase);
        }
    }
    u64 fcsr = csr_read(fcsr);
    if (fcsr != wanted_fcsr && bad_fcsr++ < 10) {
        print("fcsr is 0x%lx, was 0x%lx, phase %u\n", fcsr, wanted_fcsr, phase);
    }
}

/* Something to do without FP registers, for about us microseconds. */
static void spend(u64 us)
{
    for (u64 end = now() + ticks_of_us(us); now() < end;) {
    }
}

static void use_while_off(void)
{
    set_fs(FS_OFF);
    struct trap t = TRY(__asm__ volatile(WITH_FP("fmv.x.d a0, f1\n")::: "a0"));
    bad_traps += t.cause != CAUSE_ILLEGAL;
    t = TRY(csr_read(fcsr));
    bad_traps += t.cause != CAUSE_ILLEGAL;
    spend(next() >> 20 & 0xfff);
    bad_traps += (csr_read(sstatus) & SSTATUS_FS) != FS_OFF;
    set_fs(FS_CLEAN);
}

static void one_phase(u32 phase)
{
    switch (phase) {
    case 0: /* new values: Dirty */
        new_values();
        load();
        bad_traps += (csr_read(sstatus) & SSTATUS_FS) != FS_DIRTY;
        break;
    case 1: /* as they are, and called clean */
        set_fs(FS_CLEAN);
        break;
    case 2:
        use_while_off();
        break;
    default: /* only one of them changes */
        set_fs(FS_CLEAN);
        wanted[7] = next();
        __asm__ volatile(WITH_FP("fmv.d.x f7, %0\n")::"r"(wanted[7]));
    }
    spend(next() >> 20 & 0x3ff);
    for (u32 i = 0; i < 20; i++) {
        compare(phase);
    }
    phases[phase]++;
}

int main(void)
{
    u64 least = option("rounds", 0), rounds = 0;

    salt = option("id", 1) * 0x9e3779b97f4a7c15ul | 1;
    new_values();
    load();
    u64 end = now() + ticks_of_us(option("seconds", 5) * 1000000);
    for (; rounds < least || now() < end; rounds++) {
        one_phase(next() >> 40 & 3);
    }
    check(!bad_registers, "FP registers, %u bad", bad_registers);
    check(!bad_fcsr, "fcsr, %u bad", bad_fcsr);
    check(!bad_traps, "FS and its traps, %u bad", bad_traps);
    check(phases[0] && phases[1] && phases[2] && phases[3],
          "%lu rounds: %u dirty, %u clean, %u off, %u with one changed", rounds, phases[0],
          phases[1], phases[2], phases[3]);
    return 0;
}
