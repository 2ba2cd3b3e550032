/* SPDX-License-Identifier: MIT */
/*
 * memory: touch what is not there, and what is the hypervisor's.
 *
 * Reads, writes, executes and walks page tables through guest-physical
 * addresses that this guest was never given; each must end in an exception of
 * its own (arm64: a synchronous external abort, riscv64: an access fault), or in the word of a
 * device that it does have. Options: from=, to=, step= name a range more to probe (for a
 * direct-mapped domain: all of the host's RAM and devices). With strict each
 * access must abort: the machine has no device but those that this guest knows.
 */

#include "guest.h"

void walk_hole(u64 hole);
void execute_hole(u64 address);

static bool is_mine(u64 address)
{
    return address - machine.ram_base < machine.ram_size || is_device(address);
}

/* True if nothing but a clean abort, or nothing at all, came of it. */
static bool probe(u64 address, u32 *aborts)
{
    struct trap t = TRY(read64(address));
    bool ok = !t.taken || (trap_is_load(t) && trap_address(t) == address);

    *aborts += t.taken;
    t = TRY(write32(address, ~0u));
    ok &= !t.taken || (trap_is_store(t) && trap_address(t) == address);
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

int main(void)
{
    u64 end = machine.ram_base + machine.ram_size;
    u64 hole = has_option("hole") ? option("hole", 0) : 0x7000000000ul;
    u32 aborts = 0;

    probe_range(0, LOWEST_RAM, 0x1000000, "below RAM, each 16 MiB");
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
