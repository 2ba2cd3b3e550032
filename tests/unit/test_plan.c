/* SPDX-License-Identifier: MIT */
/*
 * boot/plan*.c and claims.c: what a domain node may say, every refusal with
 * its message, and that one bad node leaves the others alone.
 */
#include <loam/gnttab.h>

#include "board.h"

/* One property of another kind or value than a good domain has, and what is said. */
struct bad_node {
    const char *prop;
    enum { U32, U64, STRING, EMPTY, CELLS3 } kind;
    uint64_t value;
    const char *text;
    const char *message;
};

static void write_refusal(struct fdt_writer *w, const struct bad_node *r)
{
    static const uint32_t cells[3] = { 1, 2, 3 };
    switch (r->kind) {
    case U32:
        fdt_write_prop_u32(w, r->prop, (uint32_t)r->value);
        break;
    case U64:
        fdt_write_prop_u64(w, r->prop, r->value);
        break;
    case STRING:
        fdt_write_prop_string(w, r->prop, r->text);
        break;
    case EMPTY:
        fdt_write_prop_empty(w, r->prop);
        break;
    case CELLS3:
        fdt_write_prop_cells(w, r->prop, cells, 3);
        break;
    }
}

TEST_ALLOC(one_domain_with_defaults)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    board_domain(&b, "dom1@7", 8192, 3);
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    if (board_parse(&b)) {
        const struct plan_domain *pd = board_planned(&b, "dom1");
        CHECK(pd || unit_injected());
        if (pd) {
            CHECK_EQ(pd->memory, 8 * MIB);
            CHECK_EQ(pd->config.vcpus_max, 3);
            CHECK_EQ(pd->config.weight, 256);
            CHECK_EQ(pd->config.nr_spis, 0);
            CHECK_EQ(pd->restart, RESTART_NEVER);
            CHECK(!pd->vuart && !pd->config.enhanced && !pd->config.direct_map);
            CHECK(pd->config.pool == cpupool_default(b.hv));
            CHECK_STR(pd->bootargs, "console=ttyAMA0");
            CHECK_EQ(board_warnings(&b), 0);
        }
    }
    board_end(&b);
}

TEST_ALLOC(every_property)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    board_pool(&b, "fast", 0x77, "null", 1, 1);
    board_domain(&b, "dom1", 0, 2);
    fdt_write_prop_u32(&b.w, "memory", 16384);
    fdt_write_prop_empty(&b.w, "vpl011");
    fdt_write_prop_u32(&b.w, "nr_spis", 40);
    fdt_write_prop_empty(&b.w, "xen,enhanced");
    fdt_write_prop_u32(&b.w, "sve", 256);
    fdt_write_prop_u32(&b.w, "max_grant_version", 2);
    fdt_write_prop_u32(&b.w, "max_grant_frames", 32);
    fdt_write_prop_u32(&b.w, "max_maptrack_frames", 0);
    fdt_write_prop_u32(&b.w, "domain-cpupool", 0x77);
    fdt_write_prop_string(&b.w, "passthrough", "disabled");
    fdt_write_prop_u32(&b.w, "loam,weight", 512);
    fdt_write_prop_string(&b.w, "loam,restart", "on-crash");
    board_kernel(&b, 0x100000, 0x5000);
    board_module(&b, "multiboot,ramdisk", 0x200000, 0x1234);
    board_vcpu(&b, 1, "0-1,3");
    board_end_domain(&b);
    if (board_parse(&b)) {
        const struct plan_domain *pd = board_planned(&b, "dom1");
        CHECK(pd || unit_injected());
        if (pd) {
            CHECK_EQ(pd->memory, 16 * MIB);
            CHECK(pd->vuart && pd->config.enhanced);
            CHECK_EQ(pd->config.nr_spis, 40);
            CHECK_EQ(pd->config.sve_bits, 256);
            CHECK_EQ(pd->config.grant_version_max, 2);
            CHECK_EQ(pd->config.grant_frames_max, 32);
            CHECK_EQ(pd->config.maptrack_frames_max, GNTTAB_MAPTRACK_NONE);
            CHECK_EQ(pd->config.weight, 512);
            CHECK_EQ(pd->restart, RESTART_ON_CRASH);
            CHECK_STR(pd->pool->name, "fast");
            CHECK_EQ(pd->module[PLAN_RAMDISK].size, 0x1234);
            CHECK_EQ(pd->nr_affinity, 1);
            CHECK_EQ(pd->affinity[0].vcpu, 1);
            CHECK_EQ(pd->affinity[0].cpus.w[0], 0xb);
            CHECK_EQ(board_warnings(&b), 0);
        }
    }
    board_end(&b);
}

TEST(a_bad_property_costs_its_domain)
{
    static const struct bad_node refusals[] = {
        { "memory", U64, 0, NULL, "memory: 0 KiB is no multiple of a page, 4 KiB" },
        { "memory", U64, 4098, NULL, "memory: 4098 KiB is no multiple of a page, 4 KiB" },
        { "memory", U64, 1ull << 40, NULL,
          "memory: 1099511627776 KiB is more than this machine has" },
        { "memory", CELLS3, 0, NULL, "memory: must be one number of two cells, in KiB" },
        { "mmu-type", EMPTY, 0, NULL, "mmu-type: must be a word" },
        { "memory", EMPTY, 0, NULL, "memory: must be one number of two cells, in KiB" },
        { "cpus", U32, 0, NULL, "cpus: 0 is not between 1 and 128" },
        { "cpus", U32, 129, NULL, "cpus: 129 is not between 1 and 128" },
        { "cpus", U64, 1, NULL, "cpus: must be one cell" },
        { "nr_spis", U32, 989, NULL, "nr_spis: 989 is not between 0 and 988" },
        { "max_grant_version", U32, 3, NULL, "max_grant_version: 3 is not between 1 and 2" },
        { "max_grant_frames", U32, 0, NULL, "max_grant_frames: 0 is not between 1 and 1024" },
        { "max_maptrack_frames", U32, 65536, NULL,
          "max_maptrack_frames: 65536 is not between 0 and 65535" },
        { "sve", U32, 100, NULL, "sve: 100 is no multiple of 128 bits" },
        { "sve", U32, 4096, NULL, "sve: 4096 is not between 0 and 2048" },
        { "sve", EMPTY, 0, NULL, "sve: must be one cell" },
        { "xen,enhanced", STRING, 0, "yes", "xen,enhanced: \"yes\" is none of its values" },
        { "passthrough", STRING, 0, "maybe", "passthrough: \"maybe\" is none of its values" },
        { "loam,restart", STRING, 0, "now", "loam,restart: \"now\" is none of its values" },
        { "loam,restart", EMPTY, 0, NULL, "loam,restart: \"\" is none of its values" },
        { "loam,weight", U32, 0, NULL, "loam,weight: 0 is not between 1 and 65535" },
        { "loam,weight", U32, 65536, NULL, "loam,weight: 65536 is not between 1 and 65535" },
        { "domain-cpupool", U32, 0x99, NULL, "domain-cpupool: 0x99 is the phandle of no CPU pool" },
        { "domain-cpupool", U32, 0, NULL, "domain-cpupool: 0 is the phandle of no CPU pool" },
        { "domain-cpupool", U64, 0, NULL, "domain-cpupool: must be the phandle of a CPU pool" },
        { "#address-cells", U32, 3, NULL, "#address-cells: 3 is not between 1 and 2" },
        { "xen,static-mem", U32, 3, NULL,
          "xen,static-mem: must be addresses and sizes of 2 and 2" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct bad_node *r = &refusals[i];
        struct board b;
        REQUIRE(board_begin(&b));
        fdt_write_begin_node(&b.w, "bad");
        fdt_write_prop_string(&b.w, "compatible", "xen,domain");
        write_refusal(&b.w, r);
        if (strcmp(r->prop, "#address-cells") != 0) {
            fdt_write_prop_u32(&b.w, "#address-cells", 2);
            fdt_write_prop_u32(&b.w, "#size-cells", 2);
        }
        if (strcmp(r->prop, "memory") != 0) {
            fdt_write_prop_u64(&b.w, "memory", 4096);
        }
        if (strcmp(r->prop, "cpus") != 0) {
            fdt_write_prop_u32(&b.w, "cpus", 1);
        }
        board_kernel(&b, 0x100000, 0x5000);
        board_end_domain(&b);
        board_good_domain(&b, "good", 0x100000);
        REQUIRE(board_parse(&b));
        CHECK(!board_planned(&b, "bad"));
        CHECK(board_planned(&b, "good"));
        CHECK(board_says(&b, "/chosen/bad: "));
        CHECK(board_says(&b, r->message));
        CHECK(board_says(&b, "1 of 2 domains can be built"));
        CHECK_EQ(board_warnings(&b), 1);
        board_end(&b);
    }
}

TEST(missing_properties)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_domain(&b, "no-memory", 0, 1);
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    board_domain(&b, "no-cpus", 4096, 0);
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    board_domain(&b, "no-kernel", 4096, 1);
    board_module(&b, "multiboot,ramdisk", 0x200000, 0x1000);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    CHECK(board_says(&b, "/chosen/no-memory: memory: missing: KiB of RAM the domain has"));
    CHECK(board_says(&b, "/chosen/no-cpus: cpus: missing: how many vCPUs the domain has"));
    CHECK(board_says(&b, "/chosen/no-kernel: multiboot,kernel: missing"));
    CHECK_EQ(board_warnings(&b), 3);
    CHECK_EQ(b.hv->plan->nr_domains, 0);
    CHECK_EQ(b.hv->plan->nr_claims, 0);
    board_end(&b);
}

TEST(unknown_things_are_said_and_ignored)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_domain(&b, "dom1", 4096, 1);
    fdt_write_prop_u32(&b.w, "llc-colors", 4);
    fdt_write_prop_string(&b.w, "passthrough", "enabled");
    board_kernel(&b, 0x100000, 0x5000);
    fdt_write_begin_node(&b.w, "thing");
    fdt_write_prop_string(&b.w, "compatible", "xen,evtchn-v1");
    fdt_write_end_node(&b.w);
    board_end_domain(&b);
    fdt_write_begin_node(&b.w, "off");
    fdt_write_prop_string(&b.w, "compatible", "xen,domain");
    fdt_write_prop_string(&b.w, "status", "disabled");
    fdt_write_end_node(&b.w);
    REQUIRE(board_parse(&b));
    CHECK(board_planned(&b, "dom1"));
    CHECK(board_says(&b, "/chosen/dom1: llc-colors: unknown property, ignored"));
    CHECK(board_says(&b, "/chosen/dom1: passthrough: no IOMMU is driven on this machine, ignored"));
    CHECK(board_says(&b, "/chosen/dom1/thing: compatible: xen,evtchn-v1 is unknown, ignored"));
    CHECK(board_says(&b, "off is disabled by its status"));
    board_end(&b);
}

TEST(names)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_good_domain(&b, "dom@1", 0x100000);
    board_good_domain(&b, "dom@2", 0x100000);
    board_good_domain(&b, "a-name-of-just-thirty-1-letters", 0x100000);
    board_good_domain(&b, "one-that-has-more-than-30-letters", 0x100000);
    REQUIRE(board_parse(&b));
    CHECK_EQ(b.hv->plan->nr_domains, 2);
    CHECK(board_says(&b, "/chosen/dom@2: name: /chosen/dom@1 has the name dom already"));
    CHECK(board_says(&b, "/chosen/one-that-has-more-than-30-letters: name: longer than 31"));
    CHECK(board_planned(&b, "a-name-of-just-thirty-1-letters"));
    board_end(&b);
}

/* A module of dom2 against a kernel of dom1 at 0x100000 with 0x5000 bytes. */
TEST(modules_that_are_refused)
{
    static const struct {
        uint64_t addr, size;
        const char *message;
    } cases[] = {
        { 0x104fff, 0x1000, "overlaps the kernel of dom1" },
        { 0x0ff000, 0x10000, "overlaps the kernel of dom1" },
        { 0x100000, 0x5000, "overlaps the kernel of dom1" },
        { 0x100000, 0x4000, "overlaps the kernel of dom1" },
        { 0x300000, 0, "the module is empty" },
        { BOARD_RAM_SIZE - 0x1000, 0x1001, "is outside RAM" },
        { BOARD_RAM_SIZE + 0x1000, 0x1000, "is outside RAM" },
        { 0x300000, UINT64_MAX, "is no range" },
        { 0x300000, 1ull << 40, "is outside RAM" },
        { BOARD_RESERVED, 0x1000, "overlaps the hypervisor, its device tree or reserved memory" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        board_good_domain(&b, "dom1", 0x100000);
        board_domain(&b, "dom2", 4096, 1);
        board_kernel(&b, 0x200000, 0x5000);
        board_module(&b, "multiboot,ramdisk", cases[i].addr, cases[i].size);
        board_end_domain(&b);
        board_good_domain(&b, "dom3", 0x200000);
        uint64_t free_pages = b.hv->frames.avail;
        REQUIRE(board_parse(&b));
        CHECK(board_says(&b, "/chosen/dom2/module@"));
        CHECK(board_says(&b, cases[i].message));
        CHECK(board_planned(&b, "dom1") && board_planned(&b, "dom3"));
        CHECK_EQ(b.hv->plan->nr_domains, 2);
        CHECK_EQ(b.hv->plan->nr_claims, 2);
        CHECK(b.hv->frames.avail <= free_pages - 10);
        board_end(&b);
    }
}

TEST(modules_shared_and_side_by_side)
{
    struct board b;
    REQUIRE(board_begin(&b));
    uint64_t before = b.hv->frames.total;
    for (uint32_t i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "dom%u", i);
        board_domain(&b, name, 4096, 1);
        board_kernel(&b, 0x100800, 0x5000); /* ends at 0x105800 */
        board_module(&b, "multiboot,ramdisk", 0x105800 + i * 0x100, 0x100);
        board_end_domain(&b);
    }
    REQUIRE(board_parse(&b));
    CHECK_EQ(board_warnings(&b), 0);
    CHECK_EQ(b.hv->plan->nr_domains, 3);
    CHECK_EQ(b.hv->plan->nr_claims, 4);
    CHECK_EQ(before - b.hv->frames.total, 6);
    board_end(&b);
}

/* Bytes of board_kernel() at an offset, behind its header. */
static bool kernel_is_intact(struct board *b, uint64_t offset, uint64_t size)
{
    const uint8_t *ram = board_ram(b, offset);
    for (uint64_t i = sizeof(struct fake_kernel); i < size; i++) {
        if (ram[i] != (uint8_t)(i * 7)) {
            return false;
        }
    }
    return true;
}

static enum frame_state state_at(const struct board *b, uint64_t offset)
{
    return (enum frame_state)frame_lookup(b->hv, hpa_to_mfn(hpa(BOARD_RAM + offset)))->state;
}

/*
 * A refused domain leaves a kernel that a later one has, too. What is read in
 * between needs memory, and the smallest free block is the kernel: its
 * neighbours are static memory.
 */
TEST(a_module_outlives_the_domains_that_are_refused)
{
    struct board b;
    REQUIRE(board_begin(&b));
    const uint64_t around[] = { BOARD_RAM + 0xff000, 0x1000, BOARD_RAM + 0x101000, 0xff000 };
    board_domain(&b, "around", 0, 1);
    fdt_write_prop_u64s(&b.w, "xen,static-mem", around, 4);
    board_kernel(&b, 0x300000, 0x5000);
    board_end_domain(&b);
    board_domain(&b, "refused", 4096, 1);
    board_kernel(&b, 0x100000, 0x800);
    board_module(&b, "multiboot,ramdisk", 0x303000, 0x100);
    board_end_domain(&b);
    for (uint32_t i = 0; i < 60; i++) {
        char name[12];
        snprintf(name, sizeof(name), "dom%u", i);
        board_good_domain(&b, name, 0x300000);
    }
    board_domain(&b, "late", 4096, 1);
    board_kernel(&b, 0x100000, 0x800);
    board_end_domain(&b);
    board_domain(&b, "never", 4096, 1);
    board_kernel(&b, 0x500000, 0x3800);
    board_module(&b, "multiboot,ramdisk", 0x303000, 0x100);
    board_end_domain(&b);
    uint64_t total = b.hv->frames.total;
    REQUIRE(board_parse(&b));
    CHECK(board_says(&b, "/chosen/refused/module@"));
    CHECK_EQ(b.hv->plan->nr_domains, 62);
    CHECK(board_planned(&b, "late"));
    CHECK(kernel_is_intact(&b, 0x100000, 0x800));
    CHECK_EQ(state_at(&b, 0x100000), FRAME_RESERVED);
    /* What nobody has in the end is free like any other RAM. */
    CHECK_EQ(state_at(&b, 0x500000), FRAME_FREE);
    CHECK_EQ(total - b.hv->frames.total, 1 + 0xff + 1 + 5);
    board_end(&b);
}

/* Ranges as plan_for_each_range() gives them. */
struct ranges_seen {
    uint32_t nr;
    struct plan_range r[16];
};

static void see_range(void *arg, uint64_t start, uint64_t size)
{
    struct ranges_seen *seen = arg;
    REQUIRE(seen->nr < ARRAY_SIZE(seen->r));
    seen->r[seen->nr++] = (struct plan_range){ start, size };
}

TEST(ranges_that_domains_name)
{
    static const uint32_t cells[] = { 0x1000, 0x2000, 0x5000, 0x1000 };
    const uint64_t statics[] = { BOARD_RAM + 0x100000, 0x2000, UINT64_MAX, 0x1000 };
    static const struct plan_range want[] = {
        { BOARD_RAM + 0x100000, 0x2000 },
        { BOARD_RAM + 0x300123, 0x3800 },
        { BOARD_RAM + 0x400000, 1 },
        { 0x1000, 0x2000 },
        { 0x5000, 0x1000 },
        { BOARD_RAM + 2 * BOARD_RAM_SIZE, 0x77 },
        { BOARD_RAM + 0x320000, 0x1000 },
    };
    struct board b;
    REQUIRE(board_begin(&b));
    /* Without a thing that a domain needs; a range that is none is left out. */
    board_domain(&b, "dom1", 0, 0);
    fdt_write_prop_u64s(&b.w, "xen,static-mem", statics, 4);
    board_module(&b, "multiboot,kernel", 0x300123, 0x3800);
    board_module(&b, "multiboot,ramdisk", 0x300123, 0);
    board_module(&b, "multiboot,device-tree", 0x400000, 1);
    board_module(&b, "multiboot,other", 0x500000, 0x1000);
    board_end_domain(&b);
    fdt_write_begin_node(&b.w, "dom2");
    fdt_write_prop_string(&b.w, "compatible", "xen,domain");
    fdt_write_prop_u32(&b.w, "#xen,static-mem-address-cells", 1);
    fdt_write_prop_cells(&b.w, "xen,static-mem", cells, 4);
    board_end_domain(&b);
    board_domain(&b, "dom3", 4096, 1);
    fdt_write_prop_cells(&b.w, "xen,static-mem", cells, 3); /* no pairs */
    board_module(&b, "multiboot,kernel", 2 * BOARD_RAM_SIZE, 0x77);
    board_end_domain(&b);
    fdt_write_begin_node(&b.w, "dom4");
    fdt_write_prop_string(&b.w, "compatible", "xen,domain");
    fdt_write_prop_u32(&b.w, "#address-cells", UINT32_MAX);
    fdt_write_prop_cells(&b.w, "xen,static-mem", cells, 4);
    board_module(&b, "multiboot,kernel", 0x300000, 0x1000);
    board_end_domain(&b);
    board_domain(&b, "dom5", 4096, 1);
    fdt_write_prop_string(&b.w, "status", "disabled");
    board_module(&b, "multiboot,kernel", 0x300000, 0x1000);
    board_end_domain(&b);
    board_module(&b, "multiboot,kernel", 0x320000, 0x1000); /* the control domain's */
    REQUIRE(board_parse(&b));
    struct ranges_seen seen = { 0 };
    plan_for_each_range(&b.host, see_range, &seen);
    CHECK_EQ(seen.nr, ARRAY_SIZE(want));
    for (uint32_t i = 0; i < MIN(seen.nr, (uint32_t)ARRAY_SIZE(want)); i++) {
        CHECK_EQ(seen.r[i].start, want[i].start);
        CHECK_EQ(seen.r[i].size, want[i].size);
    }
    board_end(&b);
}

TEST(module_nodes_with_faults)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_domain(&b, "two", 4096, 1);
    board_kernel(&b, 0x100000, 0x5000);
    board_kernel(&b, 0x200000, 0x5000);
    board_end_domain(&b);
    board_domain(&b, "reg", 4096, 1);
    fdt_write_begin_node(&b.w, "module@1");
    fdt_write_prop_string(&b.w, "compatible", "multiboot,kernel");
    fdt_write_prop_u32(&b.w, "reg", 1);
    fdt_write_end_node(&b.w);
    board_end_domain(&b);
    board_domain(&b, "none", 4096, 1);
    fdt_write_begin_node(&b.w, "module@1");
    fdt_write_prop_string(&b.w, "compatible", "multiboot,kernel");
    fdt_write_end_node(&b.w);
    board_end_domain(&b);
    board_domain(&b, "header", 4096, 1);
    board_module(&b, "multiboot,kernel", 0x300000, 0x5000);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    CHECK(board_says(&b, "compatible: a second module of kind multiboot,kernel"));
    CHECK(board_says(&b, "/chosen/reg/module@1: reg: must be one address and size of 2 and 2"));
    CHECK(board_says(&b, "/chosen/none/module@1: reg: must be one address and size of 2 and 2"));
    CHECK(board_says(&b, "/chosen/header: multiboot,kernel: "));
    CHECK_EQ(board_warnings(&b), 4);
    CHECK_EQ(b.hv->plan->nr_claims, 0);
    board_end(&b);
}

static void static_domain(struct board *b, const char *name, uint64_t kib, const uint64_t *pairs,
                          size_t nr)
{
    board_domain(b, name, kib, 1);
    fdt_write_prop_u64s(&b->w, "xen,static-mem", pairs, nr);
    board_kernel(b, 0x100000, 0x5000);
    board_end_domain(b);
}

TEST_ALLOC(static_memory)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    const uint64_t ram = BOARD_RAM;
    const uint64_t two[] = { ram + 0x800000, 0x200000, ram + 0xc00000, 0x100000 };
    const uint64_t odd[] = { ram + 0x1000800, 0x1000 };
    const uint64_t taken[] = { ram + 0x900000, 0x1000 };
    const uint64_t module[] = { ram + 0x104000, 0x1000 };
    const uint64_t outside[] = { ram + BOARD_RAM_SIZE, 0x1000 };
    const uint64_t self[] = { ram + 0x1000000, 0x2000, ram + 0x1001000, 0x1000 };
    const uint64_t fine[] = { ram + 0x1000000, 0x2000 };
    static_domain(&b, "two", 0, two, 4);
    static_domain(&b, "odd", 0, odd, 2);
    static_domain(&b, "taken", 0, taken, 2);
    static_domain(&b, "module", 0, module, 2);
    static_domain(&b, "outside", 0, outside, 2);
    static_domain(&b, "self", 0, self, 4);
    static_domain(&b, "sum", 4, fine, 2);
    static_domain(&b, "fine", 8, fine, 2);
    if (board_parse(&b) && !unit_injecting()) {
        CHECK_EQ(board_planned(&b, "two")->memory, 0x300000);
        CHECK_EQ(board_planned(&b, "two")->nr_statics, 2);
        CHECK(board_says(&b, "/chosen/odd: xen,static-mem: "));
        CHECK(board_says(&b, "/chosen/taken: xen,static-mem: "));
        CHECK(board_says(&b, "overlaps the static memory of two"));
        CHECK(board_says(&b, "/chosen/module: xen,static-mem: "));
        CHECK(board_says(&b, "overlaps the kernel of two"));
        CHECK(board_says(&b, "/chosen/outside: xen,static-mem: "));
        CHECK(board_says(&b, "/chosen/self: xen,static-mem: "));
        CHECK(board_says(&b, "overlaps the static memory of self"));
        CHECK(board_says(&b, "/chosen/sum: memory: 4 KiB, but xen,static-mem has 8 KiB"));
        CHECK(board_planned(&b, "fine"));
        CHECK_EQ(b.hv->plan->nr_domains, 2);
    }
    board_end(&b);
}

TEST_ALLOC(pools)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    board_pool(&b, "one", 0x71, NULL, 1, 1);
    board_pool(&b, "again", 0x72, NULL, 1, 2);
    board_pool(&b, "odd", 0x73, "fair", 2, 1);
    board_pool(&b, "nobody", 0x74, NULL, 70, 1);
    fdt_write_begin_node(&b.w, "empty");
    fdt_write_prop_string(&b.w, "compatible", "xen,cpupool");
    fdt_write_end_node(&b.w);
    board_pool(&b, "three", 0x75, "null", 3, 1);
    if (board_parse(&b) && !unit_injecting()) {
        const struct plan *plan = b.hv->plan;
        CHECK_EQ(list_length(&plan->pools), 3);
        CHECK_STR(plan_pool_find(plan, 0)->name, "Pool-0");
        CHECK_EQ(plan_pool_find(plan, 0)->cpus.w[0], 5);
        CHECK_EQ(plan_pool_find(plan, 0x71)->cpus.w[0], 2);
        CHECK_EQ(plan_pool_find(plan, 0x75)->cpus.w[0], 8);
        CHECK_EQ(plan_pool_find(plan, 0x75)->sched, SCHED_NULL);
        CHECK(board_says(&b, "/chosen/again: cpupool-cpus: CPU 1 is in pool one already"));
        CHECK(board_says(&b, "/chosen/odd: cpupool-sched: \"fair\" is no scheduler"));
        CHECK(board_says(&b, "/chosen/nobody: cpupool-cpus: 0x56 is the phandle of no CPU"));
        CHECK(board_says(&b, "/chosen/empty: cpupool-cpus: must be phandles of CPUs"));
        CHECK_EQ(board_warnings(&b), 4);
    }
    board_end(&b);
}

TEST(a_pool_of_all_cpus_is_the_default_one)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_pool(&b, "all", 0x71, NULL, 0, BOARD_CPUS);
    board_good_domain(&b, "dom1", 0x100000);
    REQUIRE(board_parse(&b));
    CHECK_EQ(list_length(&b.hv->plan->pools), 1);
    CHECK_STR(board_planned(&b, "dom1")->pool->name, "all");
    board_end(&b);
}

TEST(cpu_lists)
{
    static const struct {
        const char *text;
        uint64_t low, high;
    } good[] = { { "0", 1, 0 },
                 { "0-3,5", 0x2f, 0 },
                 { "7,1", 0x82, 0 },
                 { "63-64", 1ull << 63, 1 },
                 { "127", 0, 1ull << 63 } };
    static const char *const bad[] = {
        "",   ",",    "1,",   "-", "1-", "-1", "3-1", "a", "1a", "128", "99999999999999999999",
        "1 ", "1--2", "1-2-3"
    };
    struct cpumask mask;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        CHECK_EQ(cpu_list_parse(good[i].text, &mask), 0);
        CHECK_EQ(mask.w[0], good[i].low);
        CHECK_EQ(mask.w[1], good[i].high);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(cpu_list_parse(bad[i], &mask), -XEN_EINVAL);
    }
}

TEST(affinity_that_is_refused)
{
    static const struct {
        uint32_t id;
        const char *list, *message;
    } cases[] = {
        { 1, "0", "id: must be one cell, below the 1 vCPUs of the domain" },
        { 0, "0-", "hard-affinity: \"0-\" is no list of CPUs like 0-3,5" },
        { 0, "", "hard-affinity: \"\" is no list of CPUs like 0-3,5" },
        { 0, "9-20", "hard-affinity: no CPU of pool Pool-0 is in \"9-20\"" },
        { 0, "1", "hard-affinity: no CPU of pool Pool-0 is in \"1\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        board_pool(&b, "one", 0x71, NULL, 1, 1);
        board_domain(&b, "dom1", 4096, 1);
        board_kernel(&b, 0x100000, 0x5000);
        board_vcpu(&b, cases[i].id, cases[i].list);
        board_end_domain(&b);
        REQUIRE(board_parse(&b));
        CHECK(board_says(&b, "/chosen/dom1/vcpu@"));
        CHECK(board_says(&b, cases[i].message));
        CHECK_EQ(b.hv->plan->nr_domains, 0);
        board_end(&b);
    }
}

TEST(a_vcpu_node_twice)
{
    struct board b;
    REQUIRE(board_begin(&b));
    board_domain(&b, "dom1", 4096, 2);
    board_kernel(&b, 0x100000, 0x5000);
    board_vcpu(&b, 1, "0");
    fdt_write_begin_node(&b.w, "again");
    fdt_write_prop_string(&b.w, "compatible", "xen,vcpu");
    fdt_write_prop_u32(&b.w, "id", 1);
    fdt_write_end_node(&b.w);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    CHECK(board_says(&b, "/chosen/dom1/again: id: vCPU 1 has a node already"));
    board_end(&b);
}

TEST(a_thousand_domains)
{
    struct board b;
    REQUIRE(board_begin(&b));
    for (uint32_t i = 0; i < 1000; i++) {
        char name[12];
        snprintf(name, sizeof(name), "dom%u", i);
        board_good_domain(&b, name, 0x100000);
    }
    REQUIRE(board_parse(&b));
    CHECK_EQ(b.hv->plan->nr_domains, 1000);
    CHECK_EQ(b.hv->plan->nr_claims, 1);
    CHECK_EQ(board_warnings(&b), 0);
    board_end(&b);
}

TEST(no_chosen_and_no_domains)
{
    struct board b;
    REQUIRE(board_begin(&b));
    REQUIRE(board_parse(&b));
    CHECK_EQ(b.hv->plan->nr_domains, 0);
    CHECK(board_says(&b, "plan: 0 of 0 domains can be built"));
    board_end(&b);
}
