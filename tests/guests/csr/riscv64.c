/* SPDX-License-Identifier: MIT */
/*
 * csr: every CSR number, and instruction words at random, in S and in U mode.
 *
 * Each CSR is read, and exchanged for a random value and back again. Each word
 * runs with registers that point to scratch pages, to holes, to the interrupt
 * controller and to nothing. Whatever the hypervisor does with one, this guest
 * sees it done or takes a trap of its own at that instruction, and goes on. Left
 * out is what would end the guest by its own doing: another satp, ecall and sret
 * in S mode, jumps there; what waits is woken by the timer. Which CSRs work
 * depends on the hart: the numbers are printed, the survival is the result.
 * Options: rounds= (1), words= (20000), seed=. Priv. spec ch. 2, 10.
 */

#include "guest.h"

#define EBREAK 0x00100073u
#define C_EBREAK 0x9002u
#define SLOTS 128

static u32 code[SLOTS][8] __attribute__((aligned(4096)));
static u8 scratch[4 * 4096] __attribute__((aligned(4096)));
static u64 regs[32];
static u64 user_code, user_scratch;
static u32 runs, quiet, illegal, faults, other, interrupts, traps;
static u64 calm_sstatus;

enum { A0 = 10, A1 = 11, A2 = 12 };

/* csrrw (1), csrrs (2) with rd, csr, rs1 */
static u32 csr_word(u32 funct3, u32 rd, u32 csr, u32 rs1)
{
    return csr << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

/* Leave nothing on that a write of nonsense may have turned on. */
static void calm(void)
{
    csr_write(sie, 0);
    csr_write(sstatus, calm_sstatus);
    csr_clear(sip, 1ul << SOFT_IRQ);
    timer_off();
}

static struct trap run(u32 slot, bool user)
{
    struct trap t = user ? run_code((void *)(user_code + slot * sizeof(code[0])), regs, RUN_USER)
                         : run_code(code[slot], regs, RUN_KERNEL);

    runs++;
    if (t.cause == CAUSE_BREAKPOINT) {
        quiet++;
        return t;
    }
    traps++;
    if (t.cause & CAUSE_IRQ) {
        interrupts++;
    } else if (t.cause == CAUSE_ILLEGAL) {
        illegal++;
    } else if (t.cause < 16) {
        faults++;
    } else {
        other++;
    }
    return t;
}

static void report(bool ok, const char *what)
{
    check(ok, "%s: %u runs, %u done, %u illegal, %u faults, %u interrupted, %u other", what, runs,
          quiet, illegal, faults, interrupts, other);
    runs = quiet = illegal = faults = interrupts = other = 0;
}

/* --- CSRs --------------------------------------------------------------------- */

#define SATP 0x180
#define SATP_MODE (0xful << 60)
#define SATP_ASID (0xfffful << 44)

/* Another root or mode would end this guest; another ASID, or a mode that is none, will not. */
static u64 value_for(u32 csr)
{
    static const u64 no_mode[] = { 1, 5, 7, 11, 15 };
    u64 r = chance();

    if (csr != SATP) {
        return r;
    }
    if (r & 1) {
        return (r & ~SATP_MODE) | no_mode[r >> 1 & 3] << 60;
    }
    return csr_read(satp) ^ (r & SATP_ASID);
}

/* A trap of an access must be illegal, at that instruction, and tell its word or nothing. */
static bool access_ok(struct trap t, u32 slot, bool user)
{
    u64 base = (user ? user_code : (u64)code) + slot * sizeof(code[0]);

    if (t.cause == CAUSE_BREAKPOINT) {
        return true;
    }
    bool ok = t.cause == CAUSE_ILLEGAL && t.pc >= base && t.pc < base + 8 &&
              (t.value == 0 || t.value == code[slot][(t.pc - base) / 4]);

    if (!ok) {
        print("word 0x%x: cause 0x%lx value 0x%lx pc 0x%lx, expected at 0x%lx\n", code[slot][0],
              t.cause, t.value, t.pc, base);
    }
    return ok;
}

static void sweep(bool user)
{
    bool ok = true;

    for (u32 first = 0; first < 0x1000; first += SLOTS / 2) {
        for (u32 i = 0; i < SLOTS / 2; i++) {
            u32 *read = code[2 * i], *write = code[2 * i + 1];

            read[0] = csr_word(2, A0, first + i, 0);
            read[1] = EBREAK;
            write[0] = csr_word(1, A0, first + i, A1);
            write[1] = csr_word(1, A2, first + i, A0);
            write[2] = EBREAK;
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < SLOTS / 2; i++) {
            ok &= access_ok(run(2 * i, user), 2 * i, user);
            regs[A1] = value_for(first + i);
            ok &= access_ok(run(2 * i + 1, user), 2 * i + 1, user);
            calm();
        }
    }
    report(ok, user ? "CSRs in U mode" : "CSRs in S mode");
}

/* --- random words ---------------------------------------------------------------- */

static u64 pointer(bool user)
{
    u64 r = chance();

    switch (r & 7) {
    case 0:
        return 0x3000000000ul;
    case 1:
        return machine.arch.plic + (r >> 8 & 0x3fffff8);
    case 2:
        return r;
    default:
        return (user ? user_scratch : (u64)scratch) + 8192 + (r >> 8 & 0xff8);
    }
}

/* In S mode: no jumps, no CSRs (see above), no ecall, no sret. Any length but two bytes. */
static bool is_wanted(u32 word)
{
    u32 opcode = word & 0x7f, funct3 = word >> 12 & 7;

    if ((word & 3) != 3 || opcode == 0x63 || opcode == 0x67 || opcode == 0x6f) {
        return false;
    }
    return opcode != 0x73 || funct3 == 4 ||
           (funct3 == 0 && word != 0x00000073 && word != 0x10200073);
}

static bool is_wanted_short(u32 half)
{
    u32 quadrant = half & 3, funct3 = half >> 13 & 7;

    return quadrant != 3 && !(quadrant == 1 && funct3 >= 5) && !(quadrant == 2 && funct3 == 4);
}

static void make_word(u32 *slot, bool user)
{
    u32 word;

    do {
        word = (u32)chance();
        if (chance() & 1) { /* SYSTEM and AMO, which chance alone seldom hits */
            word = (word & ~0x7fu) | (word & 0x80 ? 0x73 : 0x2f);
        }
    } while (user ? (word & 3) != 3 : !is_wanted(word));
    slot[0] = word;
    slot[1] = EBREAK;
}

static void make_short(u32 *slot, bool user)
{
    u32 half;

    do {
        half = (u32)chance() & 0xffff;
    } while (user ? (half & 3) == 3 : !is_wanted_short(half));
    slot[0] = half | C_EBREAK << 16;
    slot[1] = EBREAK;
}

/* In S mode a word ends at itself or behind itself, because there are no jumps. */
static bool word_ok(struct trap t, u32 slot, bool user)
{
    u64 base = (u64)code[slot];
    bool ok = user || t.pc == base || (t.cause == CAUSE_BREAKPOINT && t.pc - base <= 4);

    if (!ok) {
        print("word 0x%x: cause 0x%lx value 0x%lx pc 0x%lx, expected at 0x%lx\n", code[slot][0],
              t.cause, t.value, t.pc, base);
    }
    return ok;
}

static void random_words(u32 words, bool user)
{
    bool ok = true;

    for (u32 n = 0; n < words; n += SLOTS) {
        for (u32 i = 0; i < SLOTS; i++) {
            chance() & 3 ? make_word(code[i], user) : make_short(code[i], user);
        }
        sync_code(code, sizeof(code));
        for (u32 i = 0; i < SLOTS; i++) {
            for (u32 k = 1; k < 32; k++) {
                regs[k] = pointer(user);
            }
            /* S mode: pending and masked, so that nothing waits. U mode: ends loops and waits. */
            timer_at(user ? now() + ticks_of_us(1000) : 0);
            csr_write(sie, 1ul << TIMER_IRQ);
            ok &= word_ok(run(i, user), i, user);
            calm();
        }
    }
    report(ok, user ? "words in U mode" : "words in S mode");
}

/* The instructions with which a guest waits: pending and masked interrupts do not let it. */
static void waits(void)
{
    static const u32 words[] = { 0x10500073, 0x00d00073, 0x01d00073 }; /* wfi, wrs.nto, wrs.sto */
    bool ok = true;

    for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
        code[i][0] = words[i];
        code[i][1] = EBREAK;
    }
    sync_code(code, sizeof(code));
    for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
        timer_at(0);
        csr_write(sie, 1ul << TIMER_IRQ);
        struct trap t = run(i, false);
        ok &= t.cause == CAUSE_BREAKPOINT || (i && t.cause == CAUSE_ILLEGAL);
        calm();
    }
    report(ok, "wfi and wrs with the timer pending");
}

int main(void)
{
    u32 rounds = (u32)option("rounds", 1), words = (u32)option("words", 20000);
    u64 before = now();

    user_code = user_page(0, code);
    user_scratch = user_page(4, scratch);
    for (u32 i = 1; i < 4; i++) {
        user_page(4 + i, scratch + i * 4096);
    }
    calm_sstatus = csr_read(sstatus) & ~SSTATUS_SIE;
    calm();
    for (u32 round = 0; round < rounds; round++) {
        sweep(false);
        sweep(true);
        waits();
        random_words(words, false);
        random_words(words, true);
    }
    check(now() > before, "the counter went on");
    timer_enable();
    irqs_on();
    u32 ticks = this_cpu()->irqs[TIMER_IRQ];
    timer_in(1000);
    check(irq_wait(TIMER_IRQ, ticks + 1, 1000000), "the timer still interrupts");
    print("csr: done, %u traps\n", traps);
    return 0;
}
