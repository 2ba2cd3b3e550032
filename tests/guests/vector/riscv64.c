/* SPDX-License-Identifier: MIT */
/*
 * vector: the vector registers are this CPU's alone.
 *
 * A CPU that never used them finds zeros and no vector type, whoever used the hart before.
 * Then on each CPU all 32 registers and the CSRs are filled from the option id= and the
 * CPU's number, and checked while others with other values share the hart; again
 * and again they are changed, left clean, left alone for some turns, or turned off
 * (sstatus.VS: Dirty, Clean, Off), because what the hypervisor saves and loads hangs on
 * that. While they are off, their use must be illegal.
 * Options: id=, seconds= (5), rounds=, wait= (0, milliseconds before the first use),
 * absent (the hart has none). V 1.0 3.2 (context status), 3.11 (reset).
 */

#include "guest.h"

#define VS (3ul << 9)
#define VS_OFF 0ul
#define VS_CLEAN (2ul << 9)
#define VS_DIRTY (3ul << 9)
#define VTYPE_VILL (1ul << 63)
#define REGISTERS 32
#define VLENB_MAX 128

#define V(text) ".option push\n .option arch, +v\n" text "\n .option pop\n"
#define PHASES 5

/* A CPU's own values. */
struct mine {
    u8 wanted[REGISTERS * VLENB_MAX], found[REGISTERS * VLENB_MAX];
    u64 vcsr, vl, vtype, vstart;
    u64 vlenb, salt, state;
    u32 bad_registers, bad_csrs, bad_traps, phases[PHASES];
    u64 rounds;
    volatile bool is_done;
};

static struct mine mines[MAX_CPUS];

static void set_vs(u64 vs)
{
    csr_clear(sstatus, VS);
    csr_set(sstatus, vs);
}

/* Whole registers, eight at a time (V 7.9); they begin at vstart. */
static void load(const struct mine *m)
{
    csr_write(vstart, 0);
    for (u32 i = 0; i < REGISTERS; i += 8) {
        const u8 *from = m->wanted + i * m->vlenb;

        switch (i) {
        case 0:
            __asm__ volatile(V("vl8re8.v v0, (%0)")::"r"(from) : "memory");
            break;
        case 8:
            __asm__ volatile(V("vl8re8.v v8, (%0)")::"r"(from) : "memory");
            break;
        case 16:
            __asm__ volatile(V("vl8re8.v v16, (%0)")::"r"(from) : "memory");
            break;
        default:
            __asm__ volatile(V("vl8re8.v v24, (%0)")::"r"(from) : "memory");
        }
    }
}

static void store(struct mine *m)
{
    u8 *to = m->found;
    u64 step = 8 * m->vlenb;

    __asm__ volatile(V("vs8r.v v0, (%0)")::"r"(to) : "memory");
    __asm__ volatile(V("vs8r.v v8, (%0)")::"r"(to + step) : "memory");
    __asm__ volatile(V("vs8r.v v16, (%0)")::"r"(to + 2 * step) : "memory");
    __asm__ volatile(V("vs8r.v v24, (%0)")::"r"(to + 3 * step) : "memory");
}

/* This CPU's own sequence, a different one for each guest and CPU. */
static u64 next(struct mine *m)
{
    m->state = m->state * 0x5851f42d4c957f2dul + m->salt;
    return m->state ^ m->state >> 31;
}

static void new_values(struct mine *m)
{
    u64 vl, type = next(m) >> 20;

    for (u32 i = 0; i < REGISTERS * m->vlenb; i++) {
        m->wanted[i] = (u8)(next(m) >> 24);
    }
    load(m);
    m->vcsr = next(m) >> 20 & 7;
    csr_write(vcsr, m->vcsr);
    /* Elements of 8 to 64 bits in 1 to 8 registers, any tail and mask policy; or none. */
    type = (type & 0x700) == 0 ? VTYPE_VILL : (type & 0xdb);
    __asm__ volatile(V("vsetvl %0, %1, %2") : "=r"(vl) : "r"(next(m) >> 20 & 0xff), "r"(type));
    m->vl = vl;
    m->vtype = type;
    m->vstart = next(m) >> 20 & 3 ? 0 : next(m) >> 20 & 15;
    csr_write(vstart, m->vstart);
}

static void compare_csr(struct mine *m, const char *name, u64 found, u64 wanted, u32 phase)
{
    if (found != wanted && m->bad_csrs++ < 10) {
        print("%s is 0x%lx, was 0x%lx, phase %u\n", name, found, wanted, phase);
    }
}

static void compare(struct mine *m, u32 phase)
{
    compare_csr(m, "vstart", csr_read(vstart), m->vstart, phase);
    compare_csr(m, "vl", csr_read(vl), m->vl, phase);
    compare_csr(m, "vtype", csr_read(vtype), m->vtype, phase);
    compare_csr(m, "vcsr", csr_read(vcsr), m->vcsr, phase);
    if (m->vstart != 0) { /* a store would begin there */
        csr_write(vstart, m->vstart = 0);
    }
    store(m);
    for (u32 i = 0; i < REGISTERS * m->vlenb; i++) {
        if (m->found[i] != m->wanted[i] && m->bad_registers++ < 10) {
            print("v%lu byte %lu is 0x%x, was 0x%x, phase %u\n", i / m->vlenb, i % m->vlenb,
                  m->found[i], m->wanted[i], phase);
        }
    }
}

/* Something to do without vector registers, for about us microseconds. */
static void spend(u64 us)
{
    for (u64 end = now() + ticks_of_us(us); now() < end;) {
    }
}

static u32 bad_uses(void)
{
    struct trap t = TRY(__asm__ volatile(V("vmv.x.s a0, v1")::: "a0"));
    u32 bad = t.cause != CAUSE_ILLEGAL;

    t = TRY(csr_read(vl));
    bad += t.cause != CAUSE_ILLEGAL;
    t = TRY(csr_write(vstart, 0));
    bad += t.cause != CAUSE_ILLEGAL;
    t = TRY(__asm__ volatile(V("vsetivli zero, 1, e8, m1, ta, ma")));
    return bad + (t.cause != CAUSE_ILLEGAL);
}

static void one_phase(struct mine *m, u32 phase)
{
    switch (phase) {
    case 0: /* new values: Dirty */
        new_values(m);
        m->bad_traps += (csr_read(sstatus) & VS) != VS_DIRTY;
        break;
    case 1: /* as they are, and called clean */
        set_vs(VS_CLEAN);
        break;
    case 2:
        set_vs(VS_OFF);
        m->bad_traps += bad_uses();
        spend(next(m) >> 20 & 0xfff);
        m->bad_traps += (csr_read(sstatus) & VS) != VS_OFF;
        set_vs(VS_CLEAN);
        break;
    case 3: /* left alone for longer than a turn on the hart */
        spend(8192 + (next(m) >> 20 & 0x3fff));
        break;
    default: /* only one of them changes */
        set_vs(VS_CLEAN);
        csr_write(vstart, m->vstart = 0);
        for (u32 i = 0; i < m->vlenb; i++) {
            m->wanted[7 * m->vlenb + i] = (u8)(next(m) >> 24);
        }
        __asm__ volatile(V("vl1re8.v v7, (%0)")::"r"(m->wanted + 7 * m->vlenb) : "memory");
    }
    spend(next(m) >> 20 & 0x3ff);
    for (u32 i = 0; i < 4; i++) {
        compare(m, phase);
    }
    m->phases[phase]++;
}

/* Before this CPU used them: off, then as after reset. */
static void first_use(struct mine *m)
{
    csr_clear(sstatus, VS);
    m->bad_traps += bad_uses();
    delay_us(option("wait", 0) * 1000);
    set_vs(VS_CLEAN);
    m->vlenb = csr_read(vlenb);
    m->vtype = VTYPE_VILL;
    compare(m, 99);
    /* An instruction that is none stays one with the registers on. */
    struct trap t = TRY(__asm__ volatile(".word 0xffffffff"));
    m->bad_traps += t.cause != CAUSE_ILLEGAL;
}

static void run(u64 index)
{
    struct mine *m = &mines[index];
    u64 least = option("rounds", 0);

    m->salt = (option("id", 1) * MAX_CPUS + index) * 0x9e3779b97f4a7c15ul | 1;
    first_use(m);
    new_values(m);
    u64 end = now() + ticks_of_us(option("seconds", 5) * 1000000);
    while (m->rounds < least || now() < end) {
        one_phase(m, (u32)((next(m) >> 40) % PHASES));
        m->rounds++;
    }
    m->is_done = true;
}

static void report(u32 index)
{
    const struct mine *m = &mines[index];

    check(!m->bad_registers, "CPU %u: registers of %lu bytes, %u bad", index, m->vlenb,
          m->bad_registers);
    check(!m->bad_csrs, "CPU %u: vector CSRs, %u bad", index, m->bad_csrs);
    check(!m->bad_traps, "CPU %u: VS and its traps, %u bad", index, m->bad_traps);
    check(m->phases[0] && m->phases[1] && m->phases[2] && m->phases[3] && m->phases[4],
          "CPU %u: %lu rounds: %u dirty, %u clean, %u off, %u alone, %u with one changed", index,
          m->rounds, m->phases[0], m->phases[1], m->phases[2], m->phases[3], m->phases[4]);
}

int main(void)
{
    if (has_option("absent")) {
        u32 bad = bad_uses();
        csr_set(sstatus, VS);
        bad += bad_uses();
        check(!bad, "no vector instruction, %u worked", bad);
        return 0;
    }
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        check(cpu_start(i, run, i) == 0, "CPU %u starts", i);
    }
    run(0);
    for (u32 i = 0; i < machine.nr_cpus; i++) {
        while (!mines[i].is_done) {
        }
        report(i);
    }
    return 0;
}
