/* SPDX-License-Identifier: MIT */
/*
 * access: every kind of load, store and fetch where there is nothing.
 *
 * Integer and floating point, compressed, atomic and reserved accesses of S and U
 * mode to guest-physical memory that this guest was never given, and to a hole among
 * the devices, each through the identity map and through a page at another
 * virtual address: the access fault of its kind (Priv. spec table of scause: 1, 5,
 * 7), with the virtual address in stval, registers unchanged. The same to the
 * registers of devices must end so or be done. Options: hole=, gap=.
 */

#include "guest.h"

struct form {
    const char *name;
    const void *code;
    u64 store; /* 2: a store conditional, which may fail before it looks */
    u64 size;
};

/* Address in a1 (c.lwsp: sp), data in a2 or fa2. An ebreak follows. */
#define FORM(text, store, size) \
    ".pushsection .rodata.names,\"a\"\n 91: .asciz \"" text "\"\n .popsection\n" \
    ".pushsection .text.forms,\"ax\"\n .balign 4\n 92: " text "\n ebreak\n .popsection\n" \
    ".pushsection .data.forms,\"aw\"\n .quad 91b, 92b, " #store ", " #size "\n .popsection\n"

__asm__(
    ".option push\n.option arch, +d\n.option norelax\n"
    ".pushsection .data.forms,\"aw\"\n .balign 8\n forms:\n .popsection\n" /* clang-format off */
        FORM("lb a2, 0(a1)", 0, 1) FORM("lbu a2, 0(a1)", 0, 1) FORM("lh a2, 0(a1)", 0, 2)
        FORM("lhu a2, 0(a1)", 0, 2) FORM(".option norvc; lw a2, 0(a1); .option rvc", 0, 4)
        FORM("lwu a2, 0(a1)", 0, 4) FORM(".option norvc; ld a2, 0(a1); .option rvc", 0, 8)
        FORM("sb a2, 0(a1)", 1, 1) FORM("sh a2, 0(a1)", 1, 2)
        FORM(".option norvc; sw a2, 0(a1); .option rvc", 1, 4)
        FORM(".option norvc; sd a2, 0(a1); .option rvc", 1, 8)
        FORM("c.lw a2, 0(a1)", 0, 4) FORM("c.ld a2, 0(a1)", 0, 8)
        FORM("c.sw a2, 0(a1)", 1, 4) FORM("c.sd a2, 0(a1)", 1, 8)
        FORM("c.lwsp a2, 0(sp)", 0, 4) FORM("c.ldsp a2, 0(sp)", 0, 8)
        FORM("c.swsp a2, 0(sp)", 1, 4) FORM("c.sdsp a2, 0(sp)", 1, 8)
        FORM(".option norvc; flw fa2, 0(a1); .option rvc", 0, 4)
        FORM(".option norvc; fld fa2, 0(a1); .option rvc", 0, 8)
        FORM(".option norvc; fsw fa2, 0(a1); .option rvc", 1, 4)
        FORM(".option norvc; fsd fa2, 0(a1); .option rvc", 1, 8)
        FORM("c.fld fa2, 0(a1)", 0, 8) FORM("c.fsd fa2, 0(a1)", 1, 8)
        FORM("c.fldsp fa2, 0(sp)", 0, 8) FORM("c.fsdsp fa2, 0(sp)", 1, 8)
        FORM("lr.w a2, (a1)", 0, 4) FORM("lr.d a2, (a1)", 0, 8)
        FORM("sc.w a3, a2, (a1)", 2, 4) FORM("sc.d a3, a2, (a1)", 2, 8)
        FORM("amoswap.w a2, a2, (a1)", 1, 4) FORM("amoadd.w a2, a2, (a1)", 1, 4)
        FORM("amoand.w a2, a2, (a1)", 1, 4) FORM("amoor.w a2, a2, (a1)", 1, 4)
        FORM("amoxor.w a2, a2, (a1)", 1, 4) FORM("amomax.w a2, a2, (a1)", 1, 4)
        FORM("amominu.w a2, a2, (a1)", 1, 4) FORM("amoswap.d a2, a2, (a1)", 1, 8)
        FORM("amoadd.d a2, a2, (a1)", 1, 8) FORM("amomaxu.d a2, a2, (a1)", 1, 8)
        FORM("amomin.d a2, a2, (a1)", 1, 8) /* clang-format on */
    ".pushsection .data.forms,\"aw\"\n forms_end:\n .popsection\n.option pop\n");

extern const struct form forms[], forms_end[];

static u32 user_code[1024] __attribute__((aligned(4096)));
static u64 user_code_at;
static u64 regs[32];

enum { SP = 2, A1 = 11, A2 = 12 };

static struct trap access(const struct form *f, u64 address, bool user)
{
    for (u32 i = 1; i < 32; i++) {
        regs[i] = chance();
    }
    regs[SP] = regs[A1] = address;
    if (user) {
        memcpy(user_code, f->code, 8);
        sync_code(user_code, 8);
        return run_code((void *)user_code_at, regs, RUN_USER);
    }
    return run_code(f->code, regs, RUN_KERNEL);
}

/* The registers after a trap, a1 and a2 among them. */
static bool kept(void)
{
    for (u32 i = 1; i < 32; i++) {
        if (this_cpu()->x[i] != regs[i]) {
            return false;
        }
    }
    return true;
}

static bool is_fault(const struct form *f, struct trap t, u64 address, bool user)
{
    u64 pc = user ? user_code_at : (u64)f->code;

    return t.cause == (f->store ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS) && t.value == address &&
           t.pc == pc && kept();
}

static void wrong(const struct form *f, struct trap t, u64 address)
{
    print("%s at 0x%lx: cause %lu value 0x%lx pc 0x%lx%s\n", f->name, address, t.cause, t.value,
          t.pc, kept() ? "" : ", registers changed");
}

/* Nothing is there: each must fault. A lone store conditional may also just fail. */
static void check_hole(u64 address, bool user, const char *what)
{
    u32 bad = 0, nr = 0;

    for (const struct form *f = forms; f < forms_end; f++) {
        for (u32 offset = 0; offset < 4096; offset += 4096 - f->size) {
            struct trap t = access(f, address + offset, user);
            bool failed = f->store == 2 && t.cause == CAUSE_BREAKPOINT;

            nr++;
            if (!failed && !is_fault(f, t, address + offset, user)) {
                wrong(f, t, address + offset);
                bad++;
            }
        }
    }
    check(!bad && nr, "%s, %s mode: %u accesses, %u wrong", what, user ? "U" : "S", nr, bad);
}

/* A device is there: done, or a fault of its own. */
static void check_device(u64 address, const char *what)
{
    u32 bad = 0, done_ok = 0;

    for (const struct form *f = forms; f < forms_end; f++) {
        struct trap t = access(f, address, false);
        bool good = t.cause == CAUSE_BREAKPOINT;

        done_ok += good;
        if (!good && !is_fault(f, t, address, false)) {
            wrong(f, t, address);
            bad++;
        }
    }
    check(!bad, "%s: %u forms done, %u wrong", what, done_ok, bad);
}

/* Done in parts, or misaligned, or a fault of a part: whose address stval may be. */
static void check_misaligned(u64 address)
{
    u32 bad = 0;

    for (const struct form *f = forms; f < forms_end; f++) {
        u64 at = address + 4096 - f->size / 2;

        if (f->size == 1) {
            continue;
        }
        struct trap t = access(f, at, false);
        bool fault = t.cause == (f->store ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS) ||
                     t.cause == CAUSE_LOAD_MISALIGNED || t.cause == CAUSE_STORE_MISALIGNED;

        if (t.cause != CAUSE_BREAKPOINT && !(fault && t.value - at < f->size)) {
            wrong(f, t, at);
            bad++;
        }
    }
    check(!bad, "misaligned, over a page's end: %u wrong", bad);
}

static void check_pages(void)
{
    u64 hole = window_page(3, 0, false);
    u32 bad = 0;

    for (const struct form *f = forms; f < forms_end; f++) {
        struct trap t = access(f, hole + 8, false);

        if (t.cause != (f->store ? CAUSE_STORE_PAGE : CAUSE_LOAD_PAGE) || t.value != hole + 8 ||
            t.pc != (u64)f->code || !kept()) {
            bad += f->store != 2 || t.cause != CAUSE_BREAKPOINT;
        }
    }
    check(!bad, "the guest's own page faults: %u wrong", bad);
}

static void check_fetch(u64 address, enum run how, const char *what)
{
    struct trap t = run_code((void *)address, regs, how);

    check(t.cause == CAUSE_FETCH_ACCESS && t.value == address && t.pc == address && kept(),
          "%s: cause %lu value 0x%lx pc 0x%lx", what, t.cause, t.value, t.pc);
}

/* The first half of an instruction is mine, the second is nobody's. */
static void check_fetch_crossing(u64 hole)
{
    u64 page = user_page(8, user_code);
    u64 behind = user_page(9, (void *)hole);

    *(u16 *)((u8 *)user_code + 4094) = 0x0013; /* half of a nop */
    sync_code(user_code, sizeof(user_code));
    struct trap t = run_code((void *)(page + 4094), regs, RUN_USER);
    check(t.cause == CAUSE_FETCH_ACCESS && t.value == behind && t.pc == page + 4094,
          "a fetch over a page's end: cause %lu value 0x%lx pc 0x%lx", t.cause, t.value, t.pc);
}

int main(void)
{
    u64 holes[] = { option("hole", 0x3000000000ul), option("gap", 0x18000000) };

    user_code_at = user_page(0, user_code);
    for (u32 i = 0; i < ARRAY_SIZE(holes); i++) {
        const char *what = i ? "a gap among devices" : "a hole in memory";

        print("%s: 0x%lx\n", what, holes[i]);
        check_hole(holes[i], false, what);
        check_hole(window_page(i, holes[i], true), false, "the same by another address");
        check_hole(user_page(1 + i, (void *)holes[i]), true, "the same by another address");
        check_fetch(holes[i], RUN_KERNEL, "executing it in S mode");
        check_fetch(user_page(1 + i, (void *)holes[i]), RUN_USER, "executing it in U mode");
    }
    check_misaligned(window_page(0, holes[0], true));
    check_fetch_crossing(holes[0]);
    check_pages();
    check_device(machine.arch.plic, "the PLIC's register of no source");
    check_device(machine.arch.plic + machine.arch.plic_size - 4096, "the PLIC's last page");
    if (machine.uart) {
        check_device(machine.uart + 0x100, "behind the UART's registers");
    }
    return 0;
}
