/* SPDX-License-Identifier: MIT */
/*
 * memory: touch what is not there, and what is the hypervisor's.
 *
 * Reads, writes, executes and walks page tables through guest-physical
 * addresses that this guest was never given; each must end in an exception of
 * its own (a synchronous external abort), or in the word of a device that it
 * does have. Options: from=, to=, step= name a range more to probe (for a
 * direct-mapped domain: all of the host's RAM and devices). With strict each
 * access must abort: the machine has no device but those that this guest knows.
 */

#include "guest.h"

#define DFSC_MASK 0x3f

static u64 level1_hole[512] __attribute__((aligned(4096)));

static bool is_mine(u64 address)
{
    return (address >= machine.ram_base && address < machine.ram_base + machine.ram_size) ||
           (address >= machine.gicd && address < machine.gicd + 0x10000) ||
           (address >= machine.gicr && address < machine.gicr + 0x1000000) ||
           (address >= machine.uart && address < machine.uart + 0x1000);
}

/* True if nothing but a clean abort, or nothing at all, came of it. */
static bool probe(u64 address, u32 *aborts)
{
    u64 value = 0;
    struct trap t = TRY(__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory"));
    bool ok = !t.taken || (trap_class(t) == EC_DABT && t.far == address);

    *aborts += t.taken;
    t = TRY(__asm__ volatile("str %w0, [%1]" ::"r"(~0u), "r"(address) : "memory"));
    ok &= !t.taken || (trap_class(t) == EC_DABT && t.far == address && (t.esr & 1u << 6));
    *aborts += t.taken;
    return ok;
}

static void probe_range(u64 from, u64 to, u64 step, const char *what)
{
    u32 aborts = 0, probes = 0;
    bool ok = true;

    for (u64 at = from; at < to; at += step) {
        if (!is_mine(at)) {
            ok &= probe(at, &aborts);
            probes += 2;
        }
    }
    ok &= has_option("strict") ? aborts == probes : aborts != 0;
    check(ok, "%s: %u accesses, %u aborts", what, probes, aborts);
}

static void execute_hole(u64 address)
{
    static const u64 zero[29];
    struct trap t = TRY(call_trapped((void *)address, zero));

    check(t.taken && trap_class(t) == EC_IABT, "executing 0x%lx: esr 0x%x", address, t.esr);
}

/* TTBR1 points to a hole: the walk itself aborts, in stage 2. */
static void walk_hole(u64 hole)
{
    u64 old = read_sysreg(ttbr1_el1);
    u64 value;

    write_sysreg(ttbr1_el1, hole);
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb" ::: "memory");
    struct trap t = TRY(__asm__ volatile("ldr %0, [%1]"
                                         : "=r"(value)
                                         : "r"(0xffffff8000000000ul)
                                         : "memory"));
    check(t.taken && trap_class(t) == EC_DABT, "a page table at 0x%lx: esr 0x%x", hole, t.esr);
    /* A table in RAM whose entry points to a table in the hole. */
    level1_hole[0] = hole | 3;
    write_sysreg(ttbr1_el1, level1_hole);
    __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory");
    t = TRY(__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(0xffffff8000000000ul) : "memory"));
    check(t.taken && trap_class(t) == EC_DABT, "a second-level table there: esr 0x%x", t.esr);
    t = TRY(__asm__ volatile("at s1e1r, %0\n isb" ::"r"(0xffffff8000000000ul) : "memory"));
    check(true, "AT through it: %s", t.taken ? "an exception" : "a failed PAR");
    write_sysreg(ttbr1_el1, old);
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb" ::: "memory");
}

int main(void)
{
    u64 end = machine.ram_base + machine.ram_size;
    u64 hole = has_option("hole") ? option("hole", 0) : 0x7000000000ul;
    u32 aborts = 0;

    probe_range(0, 0x40000000, 0x1000000, "below RAM, each 16 MiB");
    probe_range(end, end + 0x40000000, 0x1000000, "above RAM, each 16 MiB");
    probe_range(end, end + 0x10000, 8, "right behind RAM");
    probe_range(0x100000000ul, 0x8000000000ul, 0x40000000, "up to 512 GiB, each GiB");
    check(probe(end - 8, &aborts) && !aborts, "the last word of RAM is mine");
    execute_hole(hole);
    walk_hole(hole);
    if (has_option("from")) {
        probe_range(option("from", 0), option("to", 0), option("step", 0x1000), "the range asked");
    }
    return 0;
}
