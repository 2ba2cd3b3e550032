/* SPDX-License-Identifier: MIT */
/*
 * boot/passthrough.c: devices by a partial device tree, and every reason to
 * refuse one.
 */
#include "board.h"

#include <loam/guest_copy.h>
#include <loam/p2m.h>

#define PARTIAL_SIZE 4096
#define PARTIAL_AT 0x300000 /* of domain i: plus i * PARTIAL_SIZE */

/* A node of a partial tree; what is 0 or NULL is left out. */
struct node {
    const char *name;
    const char *path;
    uint64_t reg[3];
    bool no_force;
    bool short_reg;
    uint32_t phandle;
};

/* Writes a partial tree into RAM at offset. */
static void write_partial(struct board *b, uint64_t offset, const struct node *nodes, size_t nr)
{
    static const uint32_t irq[] = { 34, 0 };
    struct fdt_writer w;
    fdt_write_begin(&w, board_ram(b, offset), PARTIAL_SIZE);
    fdt_write_begin_node(&w, "");
    fdt_write_begin_node(&w, "aliases");
    fdt_write_prop_string(&w, "rtc0", "/passthrough/rtc");
    fdt_write_end_node(&w);
    fdt_write_begin_node(&w, "passthrough");
    fdt_write_prop_string(&w, "compatible", "simple-bus");
    fdt_write_prop_empty(&w, "ranges");
    fdt_write_begin_node(&w, "clock");
    fdt_write_prop_u32(&w, "phandle", 1);
    fdt_write_end_node(&w);
    for (size_t i = 0; i < nr; i++) {
        const struct node *n = &nodes[i];
        fdt_write_begin_node(&w, n->name);
        fdt_write_prop_cells(&w, "interrupts", irq, 2);
        fdt_write_prop_u32(&w, "clocks", 1);
        if (n->path) {
            fdt_write_prop_string(&w, "xen,path", n->path);
        }
        if (n->reg[1] || n->short_reg) {
            fdt_write_prop_u64s(&w, "xen,reg", n->reg, n->short_reg ? 2 : 3);
        }
        if (!n->no_force) {
            fdt_write_prop_empty(&w, "xen,force-assign-without-iommu");
        }
        if (n->phandle) {
            fdt_write_prop_u32(&w, "phandle", n->phandle);
        }
        fdt_write_end_node(&w);
    }
    fdt_write_end_node(&w);
    fdt_write_begin_node(&w, "after");
    fdt_write_prop_string(&w, "xen,path", "/not-looked-at");
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    CHECK(fdt_write_finish(&w) > 0);
}

static void begin_domain(struct board *b, const char *name, bool direct)
{
    board_domain(b, name, 4096, 1);
    if (direct) {
        fdt_write_prop_empty(&b->w, "direct-map");
    }
    fdt_write_prop_empty(&b->w, "vpl011");
}

static void end_domain(struct board *b, uint32_t i, const struct node *nodes, size_t nr)
{
    board_kernel(b, 0x100000, 0x5000);
    board_module(b, "multiboot,device-tree", PARTIAL_AT + i * PARTIAL_SIZE, PARTIAL_SIZE);
    write_partial(b, PARTIAL_AT + i * PARTIAL_SIZE, nodes, nr);
    board_end_domain(b);
}

static const struct node rtc = { .name = "rtc",
                                 .path = "/rtc@9010000",
                                 .reg = { BOARD_RTC, 0x1000, 0x10000000 } };
static const struct node disks[] = {
    { .name = "disk0", .path = "/disk@a000000", .reg = { BOARD_DISK, 0x1000, BOARD_DISK } },
    { .name = "disk1", .path = "/disk@a000200", .reg = { BOARD_DISK, 0x1000, BOARD_DISK } },
};

static void check_rtc_tree(struct domain *d)
{
    struct fdt f;
    void *blob = calloc(1, 65536);
    CHECK_EQ(guest_phys_read(d, blob, gpa(d->vcpus[0]->arch.boot_arg), 65536), 0);
    CHECK_EQ(fdt_open(&f, blob, 65536), 0);
    struct fdt_node node = fdt_find(&f, "/passthrough/rtc");
    CHECK(fdt_node_exists(node));
    CHECK_EQ(fdt_u32_or(&f, node, "clocks", 0), 1);
    CHECK(!fdt_has_prop(&f, node, "xen,path") && !fdt_has_prop(&f, node, "xen,reg"));
    CHECK(!fdt_has_prop(&f, node, "xen,force-assign-without-iommu"));
    CHECK(fdt_compatible(&f, fdt_find(&f, "/passthrough"), "simple-bus"));
    CHECK_EQ(fdt_u32_or(&f, fdt_find(&f, "/passthrough/clock"), "phandle", 0), 1);
    CHECK_STR(fdt_string(&f, fdt_find(&f, "/aliases"), "rtc0"), "/passthrough/rtc");
    CHECK(!fdt_node_exists(fdt_find(&f, "/after")));
    free(blob);
}

TEST_ALLOC(a_clock_and_two_disks)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    begin_domain(&b, "rtc", false);
    fdt_write_prop_string(&b.w, "loam,restart", "always");
    end_domain(&b, 0, &rtc, 1);
    begin_domain(&b, "disks", true);
    end_domain(&b, 1, disks, 2);
    if (board_parse(&b)) {
        board_run(&b);
    }
    struct plan_domain *one = board_planned(&b, "rtc"), *two = board_planned(&b, "disks");
    if (one && one->domain) {
        enum p2m_type type;
        CHECK_EQ(p2m_lookup(one->domain, gpa_to_gfn(gpa(0x10000000)), &type, NULL).n,
                 BOARD_RTC >> PAGE_SHIFT);
        CHECK_EQ(type, P2M_MMIO_DIRECT);
        CHECK_EQ(one->config.nr_spis, 3);
        CHECK_EQ(one->domain->arch.host_irq[34], 35);
        check_rtc_tree(one->domain);
        world_inject(&b.world, false);
        board_stop(&b, one, SHUTDOWN_REBOOT);
        CHECK(one->domain && one->domain->arch.host_irq[34] == 35);
    }
    if (two && two->domain) {
        CHECK_EQ(two->devices->nr_ranges, 1);
        CHECK_EQ(two->devices->nr_irqs, 2);
        CHECK_EQ(two->config.nr_spis, 18);
        CHECK(board_says(&b, "disks: has a device that can reach all memory"));
    }
    CHECK((one && one->domain && two && two->domain) || unit_injected());
    board_end(&b);
}

TEST(what_is_refused)
{
    static const struct {
        struct node node;
        const char *message;
    } cases[] = {
        { { .name = "n", .path = "/nothing", .reg = { BOARD_RTC, 0x1000, BOARD_RTC } },
          "passthrough/n: xen,path: the host has no /nothing" },
        { { .name = "n", .reg = { BOARD_RTC, 0x1000, BOARD_RTC } },
          "passthrough/n: xen,path: missing: where the host has the device" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { BOARD_RTC, 0x1000 }, .short_reg = true },
          "passthrough/n: xen,reg: must be triples of numbers of two cells" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { BOARD_RTC, 0x800, BOARD_RTC } },
          "xen,reg: 0x9010000, 0x800, 0x9010000 are not made of whole pages" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { BOARD_RTC, 0x1000, 0x10 } },
          "xen,reg: 0x9010000, 0x1000, 0x10 are not made of whole pages" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { ~0xfffull, 0x1000, 0 } },
          "are not made of whole pages" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { BOARD_RTC, 0x2000, BOARD_RTC } },
          "xen,reg: 0x9010000-0x9012000 is not in the device's reg" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { BOARD_RAM, 0x1000, BOARD_RTC } },
          "xen,reg: 0x40000000-0x40001000 is RAM" },
        { { .name = "n", .path = "/intc@8000000", .reg = { FAKE_INTC_BASE, 0x1000, BOARD_RTC } },
          "xen,reg: 0x8000000-0x8001000 belongs to the hypervisor" },
        { { .name = "n", .path = "/rtc@9010000", .reg = { BOARD_UART, 0x1000, BOARD_RTC } },
          "xen,reg: 0x9000000-0x9001000 belongs to the hypervisor" },
        { { .name = "n", .path = "/uart@9000000" },
          "passthrough/n: xen,path: /uart@9000000 is the hypervisor's console" },
        { { .name = "n", .path = "/timer@9020000", .reg = { BOARD_TIMER, 0x1000, BOARD_TIMER } },
          "passthrough/n: interrupts: 5 is no shared interrupt of this machine" },
        { { .name = "n",
            .path = "/rtc@9010000",
            .reg = { BOARD_RTC, 0x1000, BOARD_RTC },
            .no_force = true },
          "xen,force-assign-without-iommu: missing, and no IOMMU guards the device" },
        { { .name = "n", .path = "/disk@a000000", .reg = { BOARD_DISK, 0x1000, BOARD_DISK } },
          "the device does DMA without an IOMMU: the domain needs direct-map" },
        { { .name = "n", .phandle = GUEST_PHANDLE_INTC },
          "passthrough/n: phandle: 0xfde8 and above are the hypervisor's" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        begin_domain(&b, "bad", false);
        end_domain(&b, 0, &cases[i].node, 1);
        begin_domain(&b, "good", false);
        end_domain(&b, 1, &rtc, 1);
        REQUIRE(board_parse(&b));
        CHECK(board_says(&b, "/chosen/bad/passthrough/n: "));
        if (!board_says(&b, cases[i].message)) {
            printf("# wanted: %s\n%s", cases[i].message, b.world.machine.console);
        }
        CHECK(board_says(&b, cases[i].message));
        CHECK(!board_planned(&b, "bad"));
        CHECK(board_planned(&b, "good"));
        CHECK_EQ(board_warnings(&b), 1);
        board_end(&b);
    }
}

TEST(a_device_goes_to_one_domain)
{
    static const struct node rest = { .name = "n", .path = "/rtc@9010000" };
    struct board b;
    REQUIRE(board_begin(&b));
    begin_domain(&b, "one", false);
    end_domain(&b, 0, &rtc, 1);
    begin_domain(&b, "two", false);
    end_domain(&b, 1, &rtc, 1);
    begin_domain(&b, "three", false);
    end_domain(&b, 2, &rest, 1);
    begin_domain(&b, "disk0", true);
    end_domain(&b, 3, &disks[0], 1);
    begin_domain(&b, "disk1", true);
    end_domain(&b, 4, &disks[1], 1);
    REQUIRE(board_parse(&b));
    CHECK_EQ(b.hv->plan->nr_domains, 2);
    CHECK(board_says(&b, "/chosen/two/passthrough/rtc: xen,reg: 0x9010000-0x9011000 overlaps the "
                         "device of one"));
    CHECK(board_says(&b, "/chosen/three/passthrough/n: interrupts: 34 is given to another domain"));
    CHECK(board_says(&b, "/chosen/disk1/passthrough/disk1: xen,reg: 0xa000000-0xa001000 overlaps"));
    board_end(&b);
}

/* Guest addresses are only checked against the domain when it is built. */
TEST(guest_addresses_that_are_taken)
{
    const struct node in_ram = { .name = "n",
                                 .path = "/rtc@9010000",
                                 .reg = { BOARD_RTC, 0x1000, 0x40001000 } };
    const struct node in_uart = { .name = "n",
                                  .path = "/disk@a000000",
                                  .reg = { BOARD_DISK, 0x1000, 0x22000000 } };
    struct board b;
    REQUIRE(board_begin(&b));
    begin_domain(&b, "ram", false);
    end_domain(&b, 0, &in_ram, 1);
    begin_domain(&b, "uart", true);
    end_domain(&b, 1, &in_uart, 1);
    board_good_domain(&b, "good", 0x100000);
    REQUIRE(board_parse(&b));
    board_run(&b);
    CHECK(board_says(&b, "/chosen/ram: xen,reg: guest address 0x40001000 is taken"));
    CHECK(board_says(&b, "/chosen/uart: xen,reg: 0x22000000 is the address of an emulated device"));
    CHECK(board_planned(&b, "good")->domain);
    CHECK(!board_planned(&b, "ram")->domain && !board_planned(&b, "uart")->domain);
    board_end(&b);
}

TEST(partial_trees_with_faults)
{
    struct board b;
    REQUIRE(board_begin(&b));
    begin_domain(&b, "broken", false);
    end_domain(&b, 0, &rtc, 1);
    memset(board_ram(&b, PARTIAL_AT), 0x55, 4);
    begin_domain(&b, "huge", false);
    board_kernel(&b, 0x100000, 0x5000);
    board_module(&b, "multiboot,device-tree", 0x800000, PLAN_PARTIAL_MAX + 1);
    board_end_domain(&b);
    begin_domain(&b, "none", false);
    board_kernel(&b, 0x100000, 0x5000);
    board_module(&b, "multiboot,device-tree", 0x400000, PARTIAL_SIZE);
    board_end_domain(&b);
    struct fdt_writer w;
    fdt_write_begin(&w, board_ram(&b, 0x400000), PARTIAL_SIZE);
    fdt_write_begin_node(&w, "");
    fdt_write_end_node(&w);
    CHECK(fdt_write_finish(&w) > 0);
    REQUIRE(board_parse(&b));
    CHECK_EQ(b.hv->plan->nr_domains, 0);
    CHECK(board_says(&b, "/chosen/broken: multiboot,device-tree: "));
    CHECK(board_says(&b, " at byte 0"));
    CHECK(board_says(&b,
                     "/chosen/huge: multiboot,device-tree: 524289 bytes are more than the 512 KiB "
                     "that can be read"));
    CHECK(board_says(&b, "/chosen/none: multiboot,device-tree: the tree has no /passthrough node"));
    board_end(&b);
}
