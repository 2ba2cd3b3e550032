/* SPDX-License-Identifier: MIT */
/*
 * lib/fdt.c and lib/fdt_addr.c: what fdt_open refuses, and every accessor on a
 * tree of a board like the ones we boot on.
 *
 * The tree is written with fdt_write.h and then corrupted byte by byte. With
 * LOAM_TEST_DTB=file in the environment a real tree is read as well (QEMU:
 * -machine virt,dumpdtb=file).
 */
#include <stdio.h>
#include <stdlib.h>

#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/compiler.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>

#include "unit.h"

#define PHANDLE_GIC 0x8001
#define PHANDLE_GPIO 7

struct blob {
    _Alignas(8) uint8_t data[8192];
    size_t size;
    struct fdt f;
};

static void write_soc(struct fdt_writer *w)
{
    static const uint64_t no_wrap = 0xfffffffffffff000;
    static const uint32_t ranges[] = { 0x1000, 0, 0x10000000, 0x1000, 0x8000, 2, 0, 0x100 };
    static const uint32_t extended[] = { PHANDLE_GPIO, 3, 4, PHANDLE_GIC, 0, 44, 4 };

    fdt_write_begin_unit(w, "soc", 0);
    fdt_write_prop_string(w, "compatible", "simple-bus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 1);
    fdt_write_prop_cells(w, "ranges", ranges, ARRAY_SIZE(ranges));

    fdt_write_begin_unit(w, "uart", 0x1800);
    fdt_write_prop_cells(w, "reg", (uint32_t[]){ 0x1800, 0x100, 0x8080, 0x80 }, 4);
    fdt_write_prop_cells(w, "interrupts", (uint32_t[]){ 0, 33, 4, 1, 2, 8 }, 6);
    fdt_write_end_node(w);

    fdt_write_begin_unit(w, "gpio", 0x8000);
    fdt_write_prop_u32(w, "phandle", PHANDLE_GPIO);
    fdt_write_prop_u32(w, "#interrupt-cells", 2);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_cells(w, "reg", (uint32_t[]){ 0x80f0, 0x20 }, 2);
    fdt_write_prop_cells(w, "interrupts", (uint32_t[]){ 0, 34, 4 }, 3);
    fdt_write_begin_node(w, "button");
    fdt_write_prop_cells(w, "interrupts", (uint32_t[]){ 5, 6 }, 2);
    fdt_write_end_node(w);
    fdt_write_end_node(w);

    fdt_write_begin_unit(w, "isolated", 0x9000);
    fdt_write_prop_u32(w, "reg", 0x9000);
    fdt_write_begin_node(w, "child");
    fdt_write_prop_cells(w, "reg", (uint32_t[]){ 0, 1, 2 }, 3);
    fdt_write_prop_cells(w, "interrupts-extended", extended, ARRAY_SIZE(extended));
    fdt_write_end_node(w);
    fdt_write_end_node(w);
    fdt_write_end_node(w);

    fdt_write_begin_node(w, "wide");
    fdt_write_prop_u32(w, "#address-cells", 3);
    fdt_write_begin_node(w, "child");
    fdt_write_prop_cells(w, "reg", (uint32_t[]){ 1, 2, 3, 4 }, 4);
    fdt_write_prop_u64(w, "no-wrap", no_wrap);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

static void write_board(struct fdt_writer *w)
{
    static const char *const compatible[] = { "loam,board", "linux,dummy-virt" };
    static const uint64_t mem0[] = { 0x40000000, 0x8000000, 0x880000000, 0x100000000 };
    static const uint64_t mem1[] = { 0x60000000, 0x1000000 };
    static const uint64_t wrapping[] = { 0xfffffffffffff000, 0x2000 };

    fdt_write_reserve(w, 0x48000000, 0x10000);
    fdt_write_reserve(w, 0x4a000000, 0x800);
    fdt_write_begin_node(w, "");
    fdt_write_prop_u32(w, "interrupt-parent", PHANDLE_GIC);
    fdt_write_prop_strings(w, "compatible", compatible, 2);
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", 2);

    fdt_write_begin_node(w, "aliases");
    fdt_write_prop_string(w, "serial0", "/soc@0/uart@1800");
    fdt_write_prop_string(w, "soc", "/soc");
    fdt_write_prop_string(w, "loop", "loop");
    fdt_write_end_node(w);

    fdt_write_begin_node(w, "chosen");
    fdt_write_prop_string(w, "stdout-path", "serial0:115200n8");
    fdt_write_prop_string(w, "bootargs", "console=ttyAMA0");
    fdt_write_begin_node(w, "dom1");
    fdt_write_prop_string(w, "compatible", "xen,domain");
    fdt_write_prop_u64(w, "memory", 0x20000);
    fdt_write_prop_u32(w, "cpus", 2);
    fdt_write_prop(w, "odd", "12345", 5);
    fdt_write_prop_empty(w, "vpl011");
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "dom2");
    fdt_write_prop_string(w, "compatible", "xen,domain");
    fdt_write_end_node(w);
    fdt_write_end_node(w);

    fdt_write_begin_unit(w, "memory", 0x40000000);
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_u64s(w, "reg", mem0, 4);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "memory-off");
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_string(w, "status", "disabled");
    fdt_write_prop_u64s(w, "reg", mem1, 2);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "memory-bad");
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_u64s(w, "reg", wrapping, 2);
    fdt_write_end_node(w);
    fdt_write_begin_unit(w, "memory", 0x60000000);
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_string(w, "status", "okay");
    fdt_write_prop_u64s(w, "reg", mem1, 2);
    fdt_write_end_node(w);

    fdt_write_begin_node(w, "intc");
    fdt_write_prop_u32(w, "linux,phandle", PHANDLE_GIC);
    fdt_write_prop_u32(w, "#interrupt-cells", 3);
    fdt_write_prop_cells(w, "interrupts", (uint32_t[]){ 1, 9, 4 }, 3);
    fdt_write_end_node(w);
    write_soc(w);
    fdt_write_end_node(w);
}

static void make_board(struct blob *b)
{
    struct fdt_writer w;

    fdt_write_begin(&w, b->data, sizeof(b->data));
    write_board(&w);
    int size = fdt_write_finish(&w);
    CHECK(size > 0);
    b->size = (size_t)size;
    CHECK_EQ(fdt_open(&b->f, b->data, b->size), 0);
    CHECK_STR(b->f.error, NULL);
}

static void check_path(const struct fdt *f, struct fdt_node node, const char *expected)
{
    char path[100];

    CHECK_EQ(fdt_path(f, node, path, sizeof(path)), strlen(expected));
    CHECK_STR(path, expected);
}

TEST(walk)
{
    struct blob b;
    struct fdt_node it, path[FDT_DEPTH_MAX];
    size_t nodes = 0, children = 0;

    make_board(&b);
    for_each_fdt_node(&b.f, it)
    {
        nodes++;
        struct fdt_node parent = fdt_parent(&b.f, it);
        CHECK_EQ(fdt_node_exists(parent), nodes > 1);
        struct fdt_node sibling;
        bool found = nodes == 1;
        for_each_fdt_child(&b.f, parent, sibling) { found |= fdt_node_eq(sibling, it); }
        CHECK(found);
    }
    CHECK_EQ(nodes, 18);
    for_each_fdt_child(&b.f, FDT_ROOT, it) { children++; }
    CHECK_EQ(children, 9);
    CHECK_STR(fdt_name(&b.f, FDT_ROOT), "");
    CHECK_EQ(fdt_ancestors(&b.f, fdt_find(&b.f, "/soc/gpio/button"), path), 4);
    CHECK_STR(fdt_name(&b.f, path[2]), "gpio@8000");
    CHECK(fdt_node_eq(path[0], FDT_ROOT));
    CHECK_EQ(fdt_ancestors(&b.f, (struct fdt_node){ 6 }, path), 0);
}

/* Node by node what the functions say that search from the root. */
TEST(a_walk_knows_the_way)
{
    struct blob b;
    struct fdt_walk w;
    struct fdt_node it, path[FDT_DEPTH_MAX];

    make_board(&b);
    fdt_walk_begin(&w);
    bool more = true;
    for_each_fdt_node(&b.f, it)
    {
        REQUIRE(more);
        CHECK(fdt_node_eq(fdt_walk_node(&w), it));
        REQUIRE(w.depth == fdt_ancestors(&b.f, it, path));
        CHECK(memcmp(path, w.path, w.depth * sizeof(path[0])) == 0);
        for (uint32_t i = 0; i < 3; i++) {
            uint64_t addr[2] = { 0 }, size[2] = { 0 };
            CHECK_EQ(fdt_walk_reg(&b.f, &w, i, &addr[0], &size[0]),
                     fdt_reg_translated(&b.f, it, i, &addr[1], &size[1]));
            CHECK_EQ(addr[0], addr[1]);
            CHECK_EQ(size[0], size[1]);
        }
        more = fdt_walk_next(&b.f, &w);
    }
    CHECK(!more);
}

TEST(paths)
{
    struct blob b;
    char small[6];

    make_board(&b);
    check_path(&b.f, FDT_ROOT, "/");
    check_path(&b.f, FDT_NONE, "");
    check_path(&b.f, fdt_find(&b.f, "/"), "/");
    check_path(&b.f, fdt_find(&b.f, "/chosen/dom2"), "/chosen/dom2");
    check_path(&b.f, fdt_find(&b.f, "/chosen//dom2/"), "/chosen/dom2");
    check_path(&b.f, fdt_find(&b.f, "/memory"), "/memory@40000000");
    check_path(&b.f, fdt_find(&b.f, "/memory@60000000"), "/memory@60000000");
    check_path(&b.f, fdt_find(&b.f, "/soc/uart"), "/soc@0/uart@1800");
    check_path(&b.f, fdt_find(&b.f, "serial0"), "/soc@0/uart@1800");
    check_path(&b.f, fdt_find(&b.f, "soc/gpio@8000"), "/soc@0/gpio@8000");
    check_path(&b.f, fdt_stdout(&b.f), "/soc@0/uart@1800");
    check_path(&b.f, fdt_child(&b.f, fdt_find(&b.f, "/chosen"), "dom1"), "/chosen/dom1");

    static const char *const absent[] = {
        "/chosen/dom", "/memory@4", "/memory@40000000x", "/nope/x", "loop",
        "serial1",     "",          "/soc/uart/x"
    };
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        CHECK(!fdt_node_exists(fdt_find(&b.f, absent[i])));
    }
    CHECK_EQ(fdt_path(&b.f, fdt_find(&b.f, "/chosen/dom1"), small, sizeof(small)), 12);
    CHECK_STR(small, "/chos");
    CHECK_EQ(fdt_path(&b.f, fdt_find(&b.f, "/chosen/dom1"), NULL, 0), 12);
}

TEST(exact_name_wins)
{
    struct blob b;
    struct fdt_writer w;

    fdt_write_begin(&w, b.data, sizeof(b.data));
    fdt_write_begin_node(&w, "");
    fdt_write_begin_unit(&w, "a", 1);
    fdt_write_end_node(&w);
    fdt_write_begin_unit(&w, "a", 2);
    fdt_write_end_node(&w);
    fdt_write_begin_node(&w, "ab");
    fdt_write_end_node(&w);
    CHECK_EQ(w.error, 0);
    struct fdt_writer without = w;
    fdt_write_begin_node(&w, "a");
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    int size = fdt_write_finish(&w);
    REQUIRE(size > 0 && fdt_open(&b.f, b.data, (size_t)size) == 0);
    check_path(&b.f, fdt_find(&b.f, "/a"), "/a");

    fdt_write_end_node(&without);
    size = fdt_write_finish(&without);
    REQUIRE(size > 0 && fdt_open(&b.f, b.data, (size_t)size) == 0);
    check_path(&b.f, fdt_find(&b.f, "/a"), "/a@1");
}

TEST(properties)
{
    struct blob b;
    uint32_t v = 77, len, cells[4], nr;
    uint64_t v64 = 78;

    make_board(&b);
    struct fdt_node dom1 = fdt_find(&b.f, "/chosen/dom1");
    CHECK_EQ(fdt_u32(&b.f, dom1, "cpus", &v), 0);
    CHECK_EQ(v, 2);
    CHECK_EQ(fdt_u32(&b.f, dom1, "memory", &v), -XEN_EINVAL);
    CHECK_EQ(fdt_u32(&b.f, dom1, "cpu", &v), -XEN_ENOENT);
    CHECK_EQ(fdt_u32(&b.f, FDT_NONE, "cpus", &v), -XEN_ENOENT);
    CHECK_EQ(v, 2);
    CHECK_EQ(fdt_u64(&b.f, dom1, "memory", &v64), 0);
    CHECK_EQ(v64, 0x20000);
    CHECK_EQ(fdt_u64(&b.f, dom1, "cpus", &v64), -XEN_EINVAL);
    CHECK_EQ(fdt_u64(&b.f, dom1, "none", &v64), -XEN_ENOENT);
    CHECK_EQ(fdt_u32_or(&b.f, dom1, "cpus", 9), 2);
    CHECK_EQ(fdt_u32_or(&b.f, dom1, "memory", 9), 9);
    CHECK(fdt_has_prop(&b.f, dom1, "vpl011"));
    CHECK(fdt_prop(&b.f, dom1, "vpl011", &len) && len == 0);
    CHECK(!fdt_has_prop(&b.f, dom1, "vpl01"));
    CHECK(!fdt_has_prop(&b.f, FDT_NONE, "vpl011"));

    struct fdt_node uart = fdt_find(&b.f, "serial0");
    CHECK_EQ(fdt_cell(&b.f, uart, "interrupts", 4, &v), 0);
    CHECK_EQ(v, 2);
    CHECK_EQ(fdt_cell(&b.f, uart, "interrupts", 6, &v), -XEN_ERANGE);
    CHECK_EQ(fdt_cell(&b.f, dom1, "odd", 0, &v), -XEN_EINVAL);
    CHECK_EQ(fdt_cell(&b.f, dom1, "none", 0, &v), -XEN_ENOENT);
    CHECK_EQ(fdt_cells(&b.f, uart, "reg", cells, 4, &nr), 0);
    CHECK_EQ(nr, 4);
    CHECK_EQ(cells[2], 0x8080);
    CHECK_EQ(fdt_cells(&b.f, uart, "reg", cells, 3, &nr), -XEN_ENOSPC);
    CHECK_EQ(fdt_cells(&b.f, dom1, "odd", cells, 4, &nr), -XEN_EINVAL);
    CHECK_EQ(fdt_cells(&b.f, dom1, "none", cells, 4, &nr), -XEN_ENOENT);

    struct fdt_prop p;
    size_t props = 0;
    for_each_fdt_prop(&b.f, dom1, p)
    {
        props++;
        CHECK(fdt_prop(&b.f, dom1, p.name, &len) == p.data && len == p.len);
    }
    CHECK_EQ(props, 5);
    CHECK(!fdt_first_prop(&b.f, FDT_NONE, &p));
}

TEST(strings)
{
    struct blob b;

    make_board(&b);
    struct fdt_node chosen = fdt_find(&b.f, "/chosen");
    struct fdt_node dom1 = fdt_find(&b.f, "/chosen/dom1");
    CHECK_STR(fdt_string(&b.f, chosen, "bootargs"), "console=ttyAMA0");
    CHECK_STR(fdt_string(&b.f, chosen, "none"), NULL);
    CHECK_STR(fdt_string(&b.f, dom1, "odd"), NULL);
    CHECK_STR(fdt_string(&b.f, dom1, "vpl011"), NULL);
    CHECK_STR(fdt_string(&b.f, FDT_ROOT, "compatible"), "loam,board");
    CHECK_STR(fdt_string_at(&b.f, FDT_ROOT, "compatible", 1), "linux,dummy-virt");
    CHECK_STR(fdt_string_at(&b.f, FDT_ROOT, "compatible", 2), NULL);
    CHECK_EQ(fdt_string_index(&b.f, FDT_ROOT, "compatible", "linux,dummy-virt"), 1);
    CHECK_EQ(fdt_string_index(&b.f, FDT_ROOT, "compatible", "linux,dummy"), -XEN_ENOENT);
    CHECK_EQ(fdt_string_index(&b.f, dom1, "odd", "12345"), -XEN_ENOENT);
    CHECK(fdt_compatible(&b.f, FDT_ROOT, "loam,board"));
    CHECK(!fdt_compatible(&b.f, chosen, "loam,board"));
    CHECK(!fdt_compatible(&b.f, FDT_NONE, "loam,board"));

    struct fdt_node it;
    char found[100] = "";
    for_each_fdt_compatible(&b.f, "xen,domain", it) { strcat(found, fdt_name(&b.f, it)); }
    CHECK_STR(found, "dom1dom2");
    CHECK(fdt_node_eq(fdt_find_compatible(&b.f, FDT_NONE, "loam,board"), FDT_ROOT));
    CHECK(fdt_is_enabled(&b.f, dom1));
    CHECK(fdt_is_enabled(&b.f, fdt_find(&b.f, "/memory@60000000")));
    CHECK(!fdt_is_enabled(&b.f, fdt_find(&b.f, "/memory-off")));
}

TEST(addresses)
{
    struct blob b;
    uint64_t addr = 0, size = 0;

    make_board(&b);
    struct fdt_node uart = fdt_find(&b.f, "serial0");
    struct fdt_node soc = fdt_find(&b.f, "/soc");
    CHECK_EQ(fdt_address_cells(&b.f, FDT_ROOT), 2);
    CHECK_EQ(fdt_address_cells(&b.f, soc), 1);
    CHECK_EQ(fdt_address_cells(&b.f, uart), 2);
    CHECK_EQ(fdt_size_cells(&b.f, uart), 1);

    CHECK_EQ(fdt_reg(&b.f, fdt_find(&b.f, "/memory"), 1, &addr, &size), 0);
    CHECK_EQ(addr, 0x880000000);
    CHECK_EQ(size, 0x100000000);
    CHECK_EQ(fdt_reg(&b.f, uart, 1, &addr, NULL), 0);
    CHECK_EQ(addr, 0x8080);
    CHECK_EQ(fdt_reg(&b.f, uart, 2, &addr, &size), -XEN_ENOENT);
    CHECK_EQ(fdt_reg(&b.f, uart, UINT32_MAX, &addr, &size), -XEN_ENOENT);
    CHECK_EQ(fdt_reg(&b.f, soc, 0, &addr, &size), -XEN_ENOENT);
    CHECK_EQ(fdt_reg(&b.f, fdt_find(&b.f, "/soc/isolated"), 0, &addr, &size), -XEN_EINVAL);
    CHECK_EQ(fdt_reg(&b.f, fdt_find(&b.f, "/wide/child"), 0, &addr, &size), -XEN_EOPNOTSUPP);
    CHECK_EQ(fdt_reg(&b.f, fdt_find(&b.f, "/memory-bad"), 0, &addr, &size), -XEN_ERANGE);

    CHECK_EQ(fdt_reg_translated(&b.f, uart, 0, &addr, &size), 0);
    CHECK_EQ(addr, 0x10000800);
    CHECK_EQ(size, 0x100);
    CHECK_EQ(fdt_reg_translated(&b.f, uart, 1, &addr, &size), 0);
    CHECK_EQ(addr, 0x200000080);
    /* Begins inside the second range and reaches beyond it. */
    CHECK_EQ(fdt_reg_translated(&b.f, fdt_find(&b.f, "/soc/gpio"), 0, &addr, &size), -XEN_ENXIO);
    CHECK_EQ(fdt_reg_translated(&b.f, fdt_find(&b.f, "/memory"), 0, &addr, NULL), 0);
    CHECK_EQ(addr, 0x40000000);

    addr = 0xfff;
    CHECK_EQ(fdt_translate(&b.f, uart, &addr), -XEN_ENXIO);
    addr = 0x2000;
    CHECK_EQ(fdt_translate(&b.f, uart, &addr), -XEN_ENXIO);
    addr = 0x1fff;
    CHECK_EQ(fdt_translate(&b.f, uart, &addr), 0);
    CHECK_EQ(addr, 0x10000fff);
    addr = 0;
    CHECK_EQ(fdt_translate(&b.f, fdt_find(&b.f, "/soc/isolated/child"), &addr), -XEN_ENXIO);
    CHECK_EQ(fdt_translate(&b.f, FDT_NONE, &addr), -XEN_ENOENT);
    CHECK_EQ(addr, 0);
}

TEST(memory_and_reservations)
{
    static const uint64_t expected[][2] = {
        { 0x40000000, 0x8000000 }, { 0x880000000, 0x100000000 }, { 0, 0 }, { 0x60000000, 0x1000000 }
    };
    struct blob b;
    struct fdt_memory_iter it;
    uint64_t addr, size;

    make_board(&b);
    fdt_memory_begin(&b.f, &it);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        int rc = fdt_memory_next(&b.f, &it, &addr, &size);
        if (i == 2) {
            CHECK_EQ(rc, -XEN_ERANGE);
            check_path(&b.f, it.node, "/memory-bad");
            continue;
        }
        CHECK_EQ(rc, 0);
        CHECK_EQ(addr, expected[i][0]);
        CHECK_EQ(size, expected[i][1]);
    }
    CHECK_EQ(fdt_memory_next(&b.f, &it, &addr, &size), -XEN_ENOENT);
    CHECK_EQ(fdt_memory_next(&b.f, &it, &addr, &size), -XEN_ENOENT);

    CHECK_EQ(fdt_reserve(&b.f, 1, &addr, &size), 0);
    CHECK_EQ(addr, 0x4a000000);
    CHECK_EQ(size, 0x800);
    CHECK_EQ(fdt_reserve(&b.f, 2, &addr, &size), -XEN_ENOENT);
}

TEST(interrupts)
{
    struct blob b;
    struct fdt_interrupt irq;

    make_board(&b);
    struct fdt_node gic = fdt_find(&b.f, "/intc");
    struct fdt_node gpio = fdt_find(&b.f, "/soc/gpio");
    struct fdt_node uart = fdt_find(&b.f, "serial0");
    struct fdt_node child = fdt_find(&b.f, "/soc/isolated/child");
    CHECK(fdt_node_eq(fdt_find_phandle(&b.f, PHANDLE_GIC), gic));
    CHECK(fdt_node_eq(fdt_find_phandle(&b.f, PHANDLE_GPIO), gpio));
    CHECK(!fdt_node_exists(fdt_find_phandle(&b.f, 0)));
    CHECK(!fdt_node_exists(fdt_find_phandle(&b.f, UINT32_MAX)));
    CHECK(!fdt_node_exists(fdt_find_phandle(&b.f, 99)));
    CHECK(fdt_node_eq(fdt_interrupt_parent(&b.f, uart), gic));
    CHECK(fdt_node_eq(fdt_interrupt_parent(&b.f, gpio), gic));
    CHECK(fdt_node_eq(fdt_interrupt_parent(&b.f, fdt_find(&b.f, "/soc/gpio/button")), gpio));
    CHECK(!fdt_node_exists(fdt_interrupt_parent(&b.f, FDT_NONE)));

    CHECK_EQ(fdt_interrupt(&b.f, uart, 1, &irq), 0);
    CHECK(fdt_node_eq(irq.controller, gic));
    CHECK_EQ(irq.nr_cells, 3);
    CHECK_EQ(irq.cells[0] * 100 + irq.cells[1] * 10 + irq.cells[2], 128);
    CHECK_EQ(fdt_interrupt(&b.f, uart, 2, &irq), -XEN_ENOENT);
    CHECK_EQ(fdt_interrupt(&b.f, fdt_find(&b.f, "/chosen"), 0, &irq), -XEN_ENOENT);
    CHECK_EQ(fdt_interrupt(&b.f, child, 0, &irq), 0);
    CHECK(fdt_node_eq(irq.controller, gpio));
    CHECK_EQ(irq.cells[1], 4);
    CHECK_EQ(fdt_interrupt(&b.f, child, 1, &irq), 0);
    CHECK(fdt_node_eq(irq.controller, gic));
    CHECK_EQ(irq.cells[1], 44);
    CHECK_EQ(fdt_interrupt(&b.f, child, 2, &irq), -XEN_ENOENT);
}

/* The interrupts of a device below a controller of so many cells. */
static int bad_interrupt(const char *name, uint32_t controller_cells, const uint32_t *cells,
                         size_t nr, uint32_t index)
{
    struct blob b;
    struct fdt_writer w;
    struct fdt_interrupt irq;

    fdt_write_begin(&w, b.data, sizeof(b.data));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "interrupt-parent", 5);
    fdt_write_begin_node(&w, "pic");
    fdt_write_prop_u32(&w, "phandle", 5);
    fdt_write_prop_u32(&w, "#interrupt-cells", controller_cells);
    fdt_write_end_node(&w);
    fdt_write_begin_node(&w, "dev");
    fdt_write_prop_cells(&w, name, cells, nr);
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    int size = fdt_write_finish(&w);
    if (size < 0 || fdt_open(&b.f, b.data, (size_t)size) != 0) {
        return 1;
    }
    return fdt_interrupt(&b.f, fdt_find(&b.f, "/dev"), index, &irq);
}

TEST(malformed_interrupts)
{
    static const uint32_t c[] = { 5, 1, 5, 2, 6, 3, 0, 0, 0, 0 };

    CHECK_EQ(bad_interrupt("interrupts", 1, c, 3, 2), 0);
    CHECK_EQ(bad_interrupt("interrupts", 2, c, 3, 0), -XEN_EINVAL);
    CHECK_EQ(bad_interrupt("interrupts", 0, c, 3, 0), -XEN_ENXIO);
    CHECK_EQ(bad_interrupt("interrupts", 9, c, 9, 0), -XEN_EOPNOTSUPP);
    CHECK_EQ(bad_interrupt("interrupts", 0xffffffff, c, 9, 0), -XEN_EOPNOTSUPP);
    CHECK_EQ(bad_interrupt("interrupts-extended", 1, c, 4, 1), 0);
    CHECK_EQ(bad_interrupt("interrupts-extended", 1, c, 6, 2), -XEN_ENXIO);
    CHECK_EQ(bad_interrupt("interrupts-extended", 1, c, 3, 1), -XEN_EINVAL);
    CHECK_EQ(bad_interrupt("interrupts-extended", 9, c, 10, 0), -XEN_EOPNOTSUPP);
    CHECK_EQ(bad_interrupt("interrupts-extended", 0, c, 1, 0), 0);
}

/* --- What fdt_open refuses ------------------------------------------------ */

/* Open a board after writing value at the header's offset field. */
static void expect_header(uint32_t field, uint32_t value, int rc)
{
    struct blob b;

    make_board(&b);
    put_be32(b.data + field, value);
    CHECK_EQ(fdt_open(&b.f, b.data, b.size), rc);
    CHECK(b.f.error != NULL);
    if (rc != -XEN_ENOBUFS && rc != -XEN_EBADMSG && rc != -XEN_EDOM && rc != -XEN_EILSEQ) {
        CHECK_EQ(b.f.error_off, field);
    }
}

TEST(bad_headers)
{
    struct blob b;

    expect_header(0, 0xd00dfeee, -XEN_ENOEXEC);
    expect_header(4, 0, -XEN_EMSGSIZE);
    expect_header(4, 39, -XEN_EMSGSIZE);
    expect_header(4, 8192, -XEN_EMSGSIZE);
    expect_header(4, 0xffffffff, -XEN_EMSGSIZE);
    expect_header(8, 0xfffffffc, -XEN_ERANGE);
    expect_header(8, 58, -XEN_ERANGE);
    expect_header(12, 0xffffff00, -XEN_ERANGE);
    expect_header(16, 0xfffffff8, -XEN_ERANGE);
    expect_header(16, 44, -XEN_ERANGE);
    expect_header(20, 15, -XEN_EOPNOTSUPP);
    expect_header(8, 40, -XEN_EILSEQ);

    make_board(&b);
    CHECK_EQ(fdt_blob_size(b.data, b.size), b.size);
    CHECK_EQ(fdt_blob_size(b.data, 39), 0);
    CHECK_EQ(fdt_open(&b.f, b.data, 39), -XEN_ENODATA);
    CHECK_EQ(fdt_open(&b.f, b.data + 4, b.size), -XEN_EFAULT);
    CHECK_EQ(fdt_open(&b.f, NULL, b.size), -XEN_EFAULT);
    put_be32(b.data + 24, 18);
    CHECK_EQ(fdt_open(&b.f, b.data, b.size), -XEN_EOPNOTSUPP);
    put_be32(b.data, 0);
    CHECK_EQ(fdt_blob_size(b.data, b.size), 0);
}

TEST(bad_block_sizes)
{
    struct blob b;

    expect_header(36, 0xffffffff, -XEN_ERANGE);
    expect_header(36, 0, -XEN_EBADMSG);
    expect_header(36, 8, -XEN_EBADMSG);
    expect_header(32, 3, -XEN_EDOM);

    make_board(&b);
    uint32_t strings_size = get_be32(b.data + 32);
    put_be32(b.data + 32, strings_size + 1);
    CHECK_EQ(fdt_open(&b.f, b.data, b.size), -XEN_ERANGE);
    CHECK_EQ(b.f.error_off, 12);
    /* The reservations run into the end of the blob. */
    make_board(&b);
    put_be32(b.data + 16, (uint32_t)ALIGN_DOWN(b.size - 8, 8u));
    CHECK_EQ(fdt_open(&b.f, b.data, b.size), -XEN_ENOBUFS);
}

TEST(every_truncation)
{
    struct blob b;

    make_board(&b);
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, b.data, size);
        CHECK_EQ(fdt_open(&b.f, copy, size), size < 40 ? -XEN_ENODATA : -XEN_EMSGSIZE);
        /* With a total size that lies: caught by a block or in the structure. */
        if (size >= 40) {
            put_be32(copy + 4, (uint32_t)size);
            CHECK(fdt_open(&b.f, copy, size) < 0);
        }
        free(copy);
    }
}

/* A blob whose structure block is exactly these words; names: "p\0q\0". */
static int open_words(struct fdt *f, const uint32_t *words, size_t nr)
{
    static _Alignas(8) uint8_t data[512];
    uint32_t header[] = { 0xd00dfeed, 0, 56, 0, 40, 17, 16, 0, 4, (uint32_t)nr * 4 };
    uint32_t strings = 56 + (uint32_t)nr * 4;

    memset(data, 0, sizeof(data));
    header[1] = strings + 4;
    header[3] = strings;
    for (size_t i = 0; i < ARRAY_SIZE(header); i++) {
        put_be32(data + 4 * i, header[i]);
    }
    for (size_t i = 0; i < nr; i++) {
        put_be32(data + 56 + 4 * i, words[i]);
    }
    memcpy(data + strings, "p\0q", 4);
    return fdt_open(f, data, strings + 4);
}

#define WORDS(...) (uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4
#define NAME(c) ((uint32_t)(c) << 24)

static void expect_words(const uint32_t *words, size_t nr, int rc, const char *why)
{
    struct fdt f;

    CHECK_EQ(open_words(&f, words, nr), rc);
    CHECK_STR(f.error, why);
}

TEST(bad_structures)
{
    expect_words(WORDS(1, 0, 2, 9), 0, NULL);
    expect_words(WORDS(4, 4, 1, 0, 4, 3, 0, 0, 4, 1, NAME('a'), 4, 2, 4, 2, 4, 9), 0, NULL);
    expect_words(WORDS(1, 0, 2), -XEN_EBADMSG, "the structure block has no end");
    expect_words(WORDS(9), -XEN_EBADMSG, "the device tree ends inside a node");
    expect_words(WORDS(1, 0, 9), -XEN_EBADMSG, "the device tree ends inside a node");
    expect_words(WORDS(1, 0, 2, 2, 9), -XEN_EBADMSG, "end of a node that was not begun");
    expect_words(WORDS(1, 0, 2, 1, 0, 2, 9), -XEN_EBADMSG, "a second root node");
    expect_words(WORDS(3, 0, 0, 1, 0, 2, 9), -XEN_EBADMSG, "a property outside any node");
    expect_words(WORDS(1, 0, 5, 2, 9), -XEN_EILSEQ, "unknown token in the structure block");
    expect_words(WORDS(1, NAME('r'), 2, 9), -XEN_EINVAL, "invalid node name");
    expect_words(WORDS(1, 0, 1, 0, 2, 2, 9), -XEN_EINVAL, "invalid node name");
    expect_words(WORDS(1, 0, 1, NAME('/'), 2, 2, 9), -XEN_EINVAL, "invalid node name");
    expect_words(WORDS(1, 0, 1, NAME('\033'), 2, 2, 9), -XEN_EINVAL, "invalid node name");
    expect_words(WORDS(1, 0, 1, NAME(0xe4), 2, 2, 9), -XEN_EINVAL, "invalid node name");
    expect_words(WORDS(1, 0, 1, 0x61616161), -XEN_ENAMETOOLONG, "a node name has no end");
    expect_words(WORDS(1), -XEN_ENAMETOOLONG, "a node name has no end");
    expect_words(WORDS(1, 0, 3, 0), -XEN_EOVERFLOW, "a property is cut off");
    expect_words(WORDS(1, 0, 3, 9, 0, 2, 9), -XEN_EOVERFLOW,
                 "a property exceeds the structure block");
    expect_words(WORDS(1, 0, 3, 0xffffffff, 0, 2, 9), -XEN_EOVERFLOW,
                 "a property exceeds the structure block");
    expect_words(WORDS(1, 0, 3, 8, 0, 2, 9), -XEN_EBADMSG, "the structure block has no end");
    expect_words(WORDS(1, 0, 3, 0, 4, 2, 9), -XEN_EDOM,
                 "a property name is outside the strings block");
    expect_words(WORDS(1, 0, 3, 0, 1, 2, 9), -XEN_EINVAL, "invalid property name");
    expect_words(WORDS(1, 0, 1, NAME('a'), 2, 3, 0, 0, 2, 9), -XEN_EEXIST,
                 "a property follows a child node");
}

TEST(name_at_the_end_of_strings)
{
    struct blob b;

    make_board(&b);
    /* Cut the terminator off the strings block: only the last name notices. */
    put_be32(b.data + 32, get_be32(b.data + 32) - 1);
    CHECK_EQ(fdt_open(&b.f, b.data, b.size), -XEN_EDOM);
    CHECK_STR(b.f.error, "a property name has no end");
}

TEST(depth)
{
    uint32_t words[3 * (FDT_DEPTH_MAX + 1) + 1];
    struct fdt f;

    for (size_t depth = FDT_DEPTH_MAX; depth <= FDT_DEPTH_MAX + 1; depth++) {
        size_t nr = 0;
        for (size_t i = 0; i < depth; i++) {
            words[nr++] = 1;
            words[nr++] = i ? NAME('n') : 0;
        }
        for (size_t i = 0; i < depth; i++) {
            words[nr++] = 2;
        }
        words[nr++] = 9;
        int rc = open_words(&f, words, nr);
        CHECK_EQ(rc, depth > FDT_DEPTH_MAX ? -XEN_EMLINK : 0);
    }
    struct fdt_node node = FDT_ROOT, last = FDT_ROOT;
    CHECK_EQ(open_words(&f, words, 0), -XEN_EBADMSG);
    words[2 * FDT_DEPTH_MAX] = 2;
    for (size_t i = 1; i < FDT_DEPTH_MAX; i++) {
        words[2 * FDT_DEPTH_MAX + i] = 2;
    }
    words[3 * FDT_DEPTH_MAX] = 9;
    CHECK_EQ(open_words(&f, words, 3 * FDT_DEPTH_MAX + 1), 0);
    size_t nr = 0;
    for (; fdt_node_exists(node); node = fdt_first_child(&f, node)) {
        last = node;
        nr++;
    }
    CHECK_EQ(nr, FDT_DEPTH_MAX);
    char path[100];
    CHECK_EQ(fdt_path(&f, last, path, sizeof(path)), 2 * (FDT_DEPTH_MAX - 1));
}

TEST(version_16_has_no_structure_size)
{
    struct blob b;

    make_board(&b);
    put_be32(b.data + 20, 16);
    put_be32(b.data + 36, 0xffffffff);
    CHECK_EQ(fdt_open(&b.f, b.data, b.size), 0);
    CHECK_EQ(b.f.version, 16);
    CHECK_STR(fdt_name(&b.f, fdt_stdout(&b.f)), "uart@1800");
}

/* No single corrupted byte may lead an accessor astray; the sanitizers are the judge. */
TEST(every_corrupted_byte)
{
    struct blob b;

    make_board(&b);
    uint8_t *copy = malloc(b.size);
    for (size_t i = 0; i < b.size; i++) {
        static const uint8_t flips[] = { 0x01, 0x80, 0xff };
        for (size_t k = 0; k < ARRAY_SIZE(flips); k++) {
            struct fdt f;
            struct fdt_node it;
            memcpy(copy, b.data, b.size);
            copy[i] ^= flips[k];
            if (fdt_open(&f, copy, b.size)) {
                CHECK(f.error && f.error_off <= b.size);
                continue;
            }
            for_each_fdt_node(&f, it)
            {
                struct fdt_interrupt irq;
                uint64_t addr, size;
                (void)!fdt_reg_translated(&f, it, 0, &addr, &size);
                (void)!fdt_interrupt(&f, it, 0, &irq);
            }
        }
    }
    free(copy);
}

TEST(tree_of_a_real_machine)
{
    const char *name = getenv("LOAM_TEST_DTB");
    static _Alignas(8) uint8_t data[2 * MIB];
    struct fdt f;

    if (!name) {
        printf("# LOAM_TEST_DTB is not set\n");
        return;
    }
    FILE *file = fopen(name, "rb");
    REQUIRE(file);
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    REQUIRE(fdt_open(&f, data, size) == 0);

    struct fdt_memory_iter it;
    uint64_t addr, bytes;
    fdt_memory_begin(&f, &it);
    CHECK_EQ(fdt_memory_next(&f, &it, &addr, &bytes), 0);
    CHECK(bytes >= MIB);
    struct fdt_node uart = fdt_stdout(&f);
    struct fdt_interrupt irq;
    CHECK(fdt_node_exists(uart));
    CHECK_EQ(fdt_reg_translated(&f, uart, 0, &addr, &bytes), 0);
    CHECK_EQ(fdt_interrupt(&f, uart, 0, &irq), 0);
    printf("# %s: stdout %s at 0x%llx, interrupt of %u cells from %s\n", name, fdt_name(&f, uart),
           (unsigned long long)addr, irq.nr_cells, fdt_name(&f, irq.controller));
}
