/* SPDX-License-Identifier: MIT */
/*
 * boot/build.c, build_memory.c and restart.c: a plan becomes domains, a domain
 * that stops goes or comes again, and nothing is left behind either way.
 */
#include "board.h"

#include <arch/guest.h>
#include <loam/guest_copy.h>
#include <loam/p2m.h>
#include <loam/vcpu.h>

#define GUEST_RAM UINT64_C(0x40000000)

/* Byte i of what board_kernel() makes, past its header. */
static bool kernel_is_at(struct domain *d, uint64_t gpa_start, uint64_t size)
{
    uint8_t buf[4096];
    for (uint64_t at = 64; at < size; at += sizeof(buf)) {
        size_t part = (size_t)MIN(sizeof(buf), size - at);
        if (guest_phys_read(d, buf, gpa(gpa_start + at), part)) {
            return false;
        }
        for (size_t i = 0; i < part; i++) {
            if (buf[i] != (uint8_t)((at + i) * 7)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_zero_at(struct domain *d, uint64_t gpa_start, uint64_t size)
{
    uint8_t buf[4096];
    for (uint64_t at = 0; at < size; at += sizeof(buf)) {
        if (guest_phys_read(d, buf, gpa(gpa_start + at), sizeof(buf))) {
            return false;
        }
        for (size_t i = 0; i < sizeof(buf); i++) {
            if (buf[i] != 0) {
                return false;
            }
        }
    }
    return true;
}

static bool guest_tree_open(struct board *b, struct domain *d, uint64_t at, struct fdt *f,
                            void **blob)
{
    *blob = calloc(1, 65536);
    return guest_phys_read(d, *blob, gpa(at), 32768) == 0 && fdt_open(f, *blob, 65536) == 0;
}

static void write_one(struct board *b)
{
    board_domain(b, "dom1", 8192, 3);
    fdt_write_prop_empty(&b->w, "vpl011");
    fdt_write_prop_string(&b->w, "loam,restart", "always");
    board_kernel(b, 0x100000, 0x45678);
    board_module(b, "multiboot,ramdisk", 0x180123, 0x3333);
    board_vcpu(b, 1, "0-1");
    board_end_domain(b);
}

TEST_ALLOC(one_domain)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    memset(board_ram(&b, 0x400000), 0xaa, 0x2000000); /* what others left */
    write_one(&b);
    memset(board_ram(&b, 0x180123), 0x5a, 0x3333);
    if (board_parse(&b)) {
        board_run(&b);
    }
    struct plan_domain *pd = board_planned(&b, "dom1");
    if (pd && pd->domain) {
        struct domain *d = pd->domain;
        uint8_t ramdisk[0x3333 + 1];
        CHECK_EQ(d->state, DOMAIN_RUNNING);
        CHECK_EQ(d->pages, 2048);
        CHECK(d->vcpus[0] && d->vcpus[1] && d->vcpus[2]);
        CHECK(vcpu_is_runnable(d->vcpus[0]) && !vcpu_is_runnable(d->vcpus[1]));
        CHECK_EQ(d->vcpus[0]->arch.pc, GUEST_RAM + 0x80000);
        CHECK(kernel_is_at(d, GUEST_RAM + 0x80000, 0x45678));
        uint64_t ramdisk_at = ALIGN_UP(GUEST_RAM + 0x80000 + 0x45678, PAGE_SIZE);
        CHECK_EQ(guest_phys_read(d, ramdisk, gpa(ramdisk_at), sizeof(ramdisk)), 0);
        CHECK(ramdisk[0] == 0x5a && ramdisk[0x3332] == 0x5a && ramdisk[0x3333] == 0);
        CHECK(is_zero_at(d, GUEST_RAM, 0x80000));
        CHECK(is_zero_at(d, GUEST_RAM + 0x200000, 0x600000));
        CHECK(board_says(&b, "dom1: 8 MiB at 0x40000000, 3 vCPUs, pool Pool-0 (credit2), "
                             "kernel 278 KiB, ramdisk 13 KiB"));
        CHECK(board_says(&b, "mem: domain dom1 uses "));
        struct fdt f;
        void *blob;
        CHECK(guest_tree_open(&b, d, d->vcpus[0]->arch.boot_arg, &f, &blob));
        CHECK_EQ(d->vcpus[0]->arch.boot_arg, ALIGN_UP(ramdisk_at + 0x3333, PAGE_SIZE));
        free(blob);
    } else {
        CHECK(unit_injected());
    }
    board_end(&b);
}

/* Through the caches off, as a kernel begins: everything was cleaned. */
TEST(memory_is_clean)
{
    struct board b;
    REQUIRE(board_begin(&b));
    memset(board_ram(&b, 0x400000), 0xaa, 0x2000000);
    write_one(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct vcpu *v = board_planned(&b, "dom1")->domain->vcpus[0];
    REQUIRE(v->loaded_on != NULL);
    world_cpu(&b.world, v->loaded_on->id);
    for (uint64_t at = 0; at < 8 * MIB; at += PAGE_SIZE) {
        uint8_t cached[PAGE_SIZE], memory[PAGE_SIZE];
        REQUIRE(fake_guest_read(v, gpa(GUEST_RAM + at), cached, sizeof(cached)));
        REQUIRE(fake_guest_read_uncached(v, gpa(GUEST_RAM + at), memory, sizeof(memory)));
        REQUIRE(memcmp(cached, memory, sizeof(memory)) == 0);
    }
    board_end(&b);
}

TEST(restart_policies)
{
    static const struct {
        const char *policy;
        enum domain_shutdown_reason reason;
        const char *line;
        bool again;
    } cases[] = {
        { "never", SHUTDOWN_POWEROFF, "dom d: powered off: stays down", false },
        { "never", SHUTDOWN_REBOOT, "dom d: asked for a reset: stays down", false },
        { "never", SHUTDOWN_CRASH, "dom d: crashed: stays down", false },
        { "on-crash", SHUTDOWN_POWEROFF, "dom d: powered off: stays down", false },
        { "on-crash", SHUTDOWN_SUSPEND, "dom d: suspended: stays down", false },
        { "on-crash", SHUTDOWN_REBOOT, "dom d: asked for a reset: restarting (1)", true },
        { "on-crash", SHUTDOWN_CRASH, "dom d: crashed: restarting (1)", true },
        { "on-crash", SHUTDOWN_WATCHDOG, "dom d: was stopped by its watchdog: restarting (1)",
          true },
        { "always", SHUTDOWN_POWEROFF, "dom d: powered off: restarting (1)", true },
        { "always", SHUTDOWN_REBOOT, "dom d: asked for a reset: restarting (1)", true },
        { "always", SHUTDOWN_CRASH, "dom d: crashed: restarting (1)", true },
        { "always", (enum domain_shutdown_reason)77, "dom d: stopped: restarting (1)", true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        board_domain(&b, "d", 4096, 1);
        fdt_write_prop_string(&b.w, "loam,restart", cases[i].policy);
        board_kernel(&b, 0x100000, 0x5000);
        board_end_domain(&b);
        board_good_domain(&b, "other", 0x100000);
        REQUIRE(board_parse(&b));
        board_run(&b);
        struct plan_domain *pd = board_planned(&b, "d"), *other = board_planned(&b, "other");
        REQUIRE(pd->domain && other->domain);
        struct domain *was = other->domain;
        board_stop(&b, pd, cases[i].reason);
        CHECK(board_says(&b, cases[i].line));
        CHECK_EQ(pd->domain != NULL, cases[i].again);
        CHECK(other->domain == was && was->state == DOMAIN_RUNNING);
        CHECK_EQ(b.stop, 0);
        board_end(&b);
        CHECK_EQ(b.stop, FAKE_STOP_OFF);
    }
}

TEST(a_hundred_restarts_leave_nothing)
{
    struct board b;
    REQUIRE(board_begin(&b));
    write_one(&b);
    board_good_domain(&b, "other", 0x100000);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct plan_domain *pd = board_planned(&b, "dom1");
    REQUIRE(pd->domain);
    uint64_t used = mem_used(b.hv), avail = b.hv->frames.avail;
    for (uint32_t i = 0; i < 100; i++) {
        b.world.machine.now += i % 3 ? 0 : 2 * NS_PER_S;
        board_stop(&b, pd, i % 2 ? SHUTDOWN_CRASH : SHUTDOWN_REBOOT);
        REQUIRE(pd->domain && pd->domain->state == DOMAIN_RUNNING);
        CHECK_EQ(mem_used(b.hv), used);
        CHECK_EQ(b.hv->frames.avail, avail);
        CHECK(kernel_is_at(pd->domain, GUEST_RAM + 0x80000, 0x45678));
    }
    CHECK_EQ(pd->life.restarts, 100);
    CHECK(board_says(&b, "dom dom1: crashed: restarting (100)"));
    board_end(&b);
}

/* Each next start of a domain that crashes at once comes later, up to 64 ms. */
TEST(a_crash_loop_is_slowed_down)
{
    struct board b;
    REQUIRE(board_begin(&b));
    write_one(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct plan_domain *pd = board_planned(&b, "dom1");
    ns_t took[10];
    for (uint32_t i = 0; i < 10; i++) {
        ns_t before = b.world.machine.now;
        board_stop(&b, pd, SHUTDOWN_CRASH);
        took[i] = b.world.machine.now - before;
    }
    CHECK(took[3] >= 8 * NS_PER_MS && took[3] < 64 * NS_PER_MS);
    CHECK(took[9] >= 64 * NS_PER_MS && took[9] < 128 * NS_PER_MS);
    b.world.machine.now += 2 * NS_PER_S;
    board_stop(&b, pd, SHUTDOWN_CRASH);
    CHECK_EQ(pd->life.short_runs, 0);
    board_end(&b);
}

TEST(the_machine_goes_off_after_the_last_domain)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_good_domain(&b, "one", 0x100000);
    board_good_domain(&b, "two", 0x100000);
    REQUIRE(board_parse(&b));
    board_run(&b);
    board_stop(&b, board_planned(&b, "one"), SHUTDOWN_POWEROFF);
    CHECK_EQ(b.stop, 0);
    board_stop(&b, board_planned(&b, "two"), SHUTDOWN_CRASH);
    CHECK_EQ(b.stop, FAKE_STOP_OFF);
    CHECK(board_says(&b, "all domains have stopped: powering off"));
    board_end(&b);
}

TEST(the_machine_goes_off_without_domains)
{
    struct board b;
    REQUIRE(board_begin(&b));
    REQUIRE(board_parse(&b));
    board_run(&b);
    CHECK_EQ(b.stop, FAKE_STOP_OFF);
    CHECK(board_says(&b, "there is no domain to run: powering off"));
    board_end(&b);
}

/* What is only found out while building: the domain is left out, the other runs. */
TEST(builds_that_fail)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_pool(&b, "lone", 0x71, "null", 3, 1);
    board_domain(&b, "small", 512, 1);
    board_kernel(&b, 0x100000, 0x50000);
    board_end_domain(&b);
    board_domain(&b, "ramdisk", 1024, 1);
    board_kernel(&b, 0x200000, 0x20000);
    board_module(&b, "multiboot,ramdisk", 0x300000, 0x80000);
    board_end_domain(&b);
    board_domain(&b, "null", 4096, 2);
    fdt_write_prop_u32(&b.w, "domain-cpupool", 0x71);
    board_kernel(&b, 0x200000, 0x20000);
    board_end_domain(&b);
    board_domain(&b, "huge", 63 * 1024, 1);
    board_kernel(&b, 0x200000, 0x20000);
    board_end_domain(&b);
    board_domain(&b, "deep", 4096, 1);
    fdt_write_prop_string(&b.w, "mmu-type", "fake,deep");
    board_kernel(&b, 0x200000, 0x20000);
    board_end_domain(&b);
    board_domain(&b, "plain", 4096, 1);
    fdt_write_prop_string(&b.w, "mmu-type", "fake,plain");
    board_kernel(&b, 0x200000, 0x20000);
    board_end_domain(&b);
    board_good_domain(&b, "good", 0x100000 + 0x50000);
    REQUIRE(board_parse(&b));
    CHECK_EQ(b.hv->plan->nr_domains, 7);
    board_run(&b);
    CHECK(board_says(&b, "/chosen/small: memory: 512 KiB is too little for kernel (320 KiB) and "
                         "ramdisk (0 KiB)"));
    CHECK(board_says(&b, "/chosen/ramdisk: memory: 1024 KiB is too little for kernel (128 KiB) and "
                         "ramdisk (512 KiB)"));
    CHECK(board_says(&b, "/chosen/null: cpus: pool lone has no CPU left for vCPU 1"));
    CHECK(board_says(&b, "/chosen/huge: memory: 64512 KiB are not free, there are "));
    CHECK(board_says(&b, "/chosen/deep: mmu-type: this machine has no fake,deep for guests"));
    CHECK(board_planned(&b, "plain")->domain);
    CHECK(board_planned(&b, "good")->domain);
    CHECK(!board_planned(&b, "small")->domain && !board_planned(&b, "huge")->domain);
    CHECK_EQ(board_warnings(&b), 5);
    board_end(&b);
}

TEST(many_domains_until_memory_ends)
{
    struct board b;
    uint32_t running = 0;
    REQUIRE(board_begin(&b));
    for (uint32_t i = 0; i < 60; i++) {
        char name[12];
        snprintf(name, sizeof(name), "dom%u", i);
        board_domain(&b, name, 2048, 1);
        board_kernel(&b, 0x100000, 0x5000);
        board_end_domain(&b);
    }
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct plan_domain *pd;
    list_for_each_entry(&b.hv->plan->domains, pd, link) { running += pd->domain ? 1 : 0; }
    CHECK(running >= 25 && running < 32);
    CHECK_EQ(board_warnings(&b), 60 - running);
    CHECK_EQ(b.hv->plan->alive, running);
    board_end(&b);
}

TEST_ALLOC(static_memory_in_the_guest_map)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    const uint64_t two[] = { BOARD_RAM + 0x800000, 0x200000, BOARD_RAM + 0x2003000, 0x101000 };
    board_domain(&b, "dom1", 0, 1);
    fdt_write_prop_u64s(&b.w, "xen,static-mem", two, 4);
    fdt_write_prop_string(&b.w, "loam,restart", "always");
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    if (board_parse(&b)) {
        board_run(&b);
    }
    struct plan_domain *pd = board_planned(&b, "dom1");
    if (pd && pd->domain) {
        enum p2m_type type;
        CHECK_EQ(p2m_lookup(pd->domain, gpa_to_gfn(gpa(GUEST_RAM + 0x1ff000)), &type, NULL).n,
                 (BOARD_RAM + 0x9ff000) >> PAGE_SHIFT);
        CHECK_EQ(p2m_lookup(pd->domain, gpa_to_gfn(gpa(GUEST_RAM + 0x200000)), &type, NULL).n,
                 (BOARD_RAM + 0x2003000) >> PAGE_SHIFT);
        CHECK(
            mfn_is_none(p2m_lookup(pd->domain, gpa_to_gfn(gpa(GUEST_RAM + 0x301000)), NULL, NULL)));
        CHECK_EQ(pd->domain->pages, 0x301);
        uint64_t avail = b.hv->frames.avail;
        world_inject(&b.world, false);
        board_stop(&b, pd, SHUTDOWN_REBOOT);
        CHECK(pd->domain);
        CHECK_EQ(b.hv->frames.avail, avail);
    } else {
        CHECK(unit_injected());
    }
    board_end(&b);
}

TEST_ALLOC(direct_map)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    const uint64_t ranges[] = { BOARD_RAM + 0x800000, 0x200000, BOARD_RAM + 0x2003000, 0x101000 };
    board_domain(&b, "static", 0, 1);
    fdt_write_prop_u64s(&b.w, "xen,static-mem", ranges, 4);
    fdt_write_prop_empty(&b.w, "direct-map");
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    board_domain(&b, "found", 6144, 1);
    fdt_write_prop_empty(&b.w, "direct-map");
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    if (board_parse(&b)) {
        board_run(&b);
    }
    struct plan_domain *fixed = board_planned(&b, "static"), *found = board_planned(&b, "found");
    if (fixed && fixed->domain) {
        CHECK_EQ(p2m_lookup(fixed->domain, gpa_to_gfn(gpa(BOARD_RAM + 0x2003000)), NULL, NULL).n,
                 (BOARD_RAM + 0x2003000) >> PAGE_SHIFT);
        CHECK_EQ(fixed->domain->vcpus[0]->arch.pc, BOARD_RAM + 0x800000 + 0x80000);
        CHECK(board_says(&b, "static: 3 MiB at 0x40800000 (2 ranges)"));
    }
    if (found && found->domain) {
        gfn_t g = gfn(0);
        mfn_t m;
        enum p2m_type type;
        uint64_t pages, sum = 0;
        while (p2m_next(found->domain, &g, &m, &type, &pages)) {
            CHECK_EQ(g.n, m.n);
            sum += pages;
            g = gfn_add(g, pages);
        }
        CHECK_EQ(sum, 6144 / 4);
    }
    CHECK((fixed && fixed->domain && found && found->domain) || unit_injected());
    board_end(&b);
}

/* A domain is built in many small steps: none clears more than 2 MiB. */
TEST(steps_are_bounded)
{
    struct board b;
    uint32_t steps = 0;
    REQUIRE(board_begin(&b));
    board_domain(&b, "dom1", 32 * 1024, 1);
    board_kernel(&b, 0x100000, 0x45678);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    plan_start(b.hv);
    while (job_step(b.world.boot) && steps < 1000) {
        steps++;
    }
    CHECK(steps >= 16 + 2);
    CHECK(board_planned(&b, "dom1")->domain);
    board_end(&b);
}
