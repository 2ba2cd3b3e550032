/* SPDX-License-Identifier: MIT */
/* boot/guest_fdt.c: the tree that a domain is given, read back from its memory. */
#include "board.h"

#include <loam/guest_copy.h>
#include <loam/vcpu.h>
#include <loam/vuart.h>

struct guest_tree {
    void *blob;
    struct fdt f;
};

static bool tree_open(struct guest_tree *t, struct domain *d)
{
    t->blob = calloc(1, 256 * KIB);
    return guest_phys_read(d, t->blob, gpa(d->vcpus[0]->arch.boot_arg), 256 * KIB) == 0 &&
           fdt_open(&t->f, t->blob, 256 * KIB) == 0;
}

static struct domain *built(struct board *b, const char *name)
{
    struct plan_domain *pd = board_planned(b, name);
    return pd ? pd->domain : NULL;
}

TEST(everything_that_was_asked_for)
{
    struct board b;
    struct guest_tree t;
    uint64_t addr, size;
    REQUIRE(board_begin(&b));
    board_domain(&b, "dom1", 16384, 4);
    fdt_write_prop_empty(&b.w, "vpl011");
    fdt_write_prop_string(&b.w, "xen,enhanced", "enabled");
    board_kernel(&b, 0x100000, 0x5000);
    board_module(&b, "multiboot,ramdisk", 0x200010, 0x2345);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct domain *d = built(&b, "dom1");
    REQUIRE(d);
    REQUIRE(tree_open(&t, d));
    const struct fdt *f = &t.f;
    CHECK_STR(fdt_string(f, FDT_ROOT, "model"), "Loam");
    CHECK(fdt_compatible(f, FDT_ROOT, "xen,xenvm"));
    CHECK_EQ(fdt_u32_or(f, FDT_ROOT, "interrupt-parent", 0), GUEST_PHANDLE_INTC);

    struct fdt_node chosen = fdt_find(f, "/chosen");
    uint64_t start = 0, end = 0;
    CHECK_STR(fdt_string(f, chosen, "bootargs"), "console=ttyAMA0");
    CHECK_EQ(fdt_u64(f, chosen, "linux,initrd-start", &start), 0);
    CHECK_EQ(fdt_u64(f, chosen, "linux,initrd-end", &end), 0);
    CHECK_EQ(start, 0x40000000 + 0x80000 + 0x5000);
    CHECK_EQ(end - start, 0x2345);

    struct fdt_memory_iter it;
    fdt_memory_begin(f, &it);
    CHECK_EQ(fdt_memory_next(f, &it, &addr, &size), 0);
    CHECK(addr == 0x40000000 && size == 16 * MIB);
    CHECK_EQ(fdt_memory_next(f, &it, &addr, &size), -XEN_ENOENT);

    struct fdt_node uart = fdt_stdout(f);
    struct fdt_interrupt irq;
    CHECK(fdt_compatible(f, uart, "arm,sbsa-uart"));
    CHECK_EQ(fdt_u32_or(f, uart, "current-speed", 0), 115200);
    CHECK_EQ(fdt_reg_translated(f, uart, 0, &addr, &size), 0);
    CHECK(addr == arch_guest_layout()->uart_base.a && size == PAGE_SIZE);
    CHECK_EQ(fdt_interrupt(f, uart, 0, &irq), 0);
    CHECK_EQ(irq.cells[0], arch_guest_layout()->uart_virq);

    struct fdt_node xen = fdt_find(f, "/hypervisor");
    CHECK(fdt_compatible(f, xen, "xen,xen-4.17") && fdt_compatible(f, xen, "xen,xen"));
    CHECK_EQ(fdt_reg_translated(f, xen, 0, &addr, &size), 0);
    CHECK(addr == arch_guest_layout()->grant_base.a && size == arch_guest_layout()->grant_size);
    CHECK_EQ(fdt_interrupt(f, xen, 0, &irq), 0);
    CHECK(fdt_node_exists(fdt_find(f, "/cpus/cpu@3")));
    CHECK(!fdt_node_exists(fdt_find(f, "/cpus/cpu@4")));

    struct fdt_node kept = fdt_find(f, "/reserved-memory/vcpus");
    CHECK_EQ(fdt_reg_translated(f, kept, 0, &addr, &size), 0);
    CHECK(addr == d->vcpu_shared.a && size == PAGE_SIZE);
    CHECK(addr >= d->vcpus[0]->arch.boot_arg + t.f.size && addr + size <= 0x41000000);
    CHECK_EQ(vcpu_share_waited(d->vcpus[0], gpa_add(d->vcpu_shared, 8)), 0);
    free(t.blob);
    board_end(&b);
}

/* The other kind of UART, which an architecture's layout may ask for. */
TEST(a_16550)
{
    struct board b;
    struct guest_tree t;
    uint64_t addr, size;
    REQUIRE(board_begin(&b));
    struct guest_layout layout = *arch_guest_layout();
    layout.uart_kind = VUART_NS16550;
    b.world.machine.layout = &layout;
    board_domain(&b, "dom1", 16384, 1);
    fdt_write_prop_empty(&b.w, "vpl011");
    board_kernel(&b, 0x100000, 0x5000);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct domain *d = built(&b, "dom1");
    REQUIRE(d);
    REQUIRE(tree_open(&t, d));
    const struct fdt *f = &t.f;
    struct fdt_node uart = fdt_stdout(f);
    struct fdt_interrupt irq;
    CHECK_STR(fdt_name(f, uart), "serial@22000000");
    CHECK(fdt_compatible(f, uart, "ns16550a"));
    CHECK_EQ(fdt_u32_or(f, uart, "clock-frequency", 0), 3686400);
    CHECK_EQ(fdt_u32_or(f, uart, "current-speed", 0), 115200);
    CHECK_EQ(fdt_reg_translated(f, uart, 0, &addr, &size), 0);
    CHECK(addr == layout.uart_base.a && size == 0x100);
    CHECK_EQ(fdt_interrupt(f, uart, 0, &irq), 0);
    CHECK_EQ(irq.cells[0], layout.uart_virq);
    /* And it is there. */
    const struct mmio_region *r = mmio_find(d, gpa_add(layout.uart_base, 0xff));
    uint64_t status = 0;
    REQUIRE(r);
    CHECK(r->ops->read(d->vcpus[0], r->data, 5, 1, &status) == MMIO_OK && status == 0x60);
    CHECK(!mmio_find(d, gpa_add(layout.uart_base, 0x100)));
    free(t.blob);
    board_end(&b);
}

TEST(nothing_that_was_not)
{
    struct board b;
    struct guest_tree t;
    REQUIRE(board_begin(&b));
    board_good_domain(&b, "dom1", 0x100000);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct domain *d = built(&b, "dom1");
    REQUIRE(d);
    REQUIRE(tree_open(&t, d));
    struct fdt_node chosen = fdt_find(&t.f, "/chosen");
    CHECK(!fdt_has_prop(&t.f, chosen, "stdout-path"));
    CHECK(!fdt_has_prop(&t.f, chosen, "linux,initrd-start"));
    CHECK(!fdt_node_exists(fdt_find(&t.f, "/hypervisor")));
    CHECK(!fdt_node_exists(fdt_find(&t.f, "/uart")));
    CHECK(!fdt_node_exists(fdt_find(&t.f, "/passthrough")));
    free(t.blob);
    board_end(&b);
}

/* The largest that the limits allow fits into what is put aside. */
TEST(a_tree_of_128_vcpus_and_a_long_command_line)
{
    struct board b;
    struct guest_tree t;
    char *args = calloc(1, 8001);
    memset(args, 'a', 8000);
    REQUIRE(board_begin(&b));
    board_domain(&b, "dom1", 16384, 128);
    fdt_write_prop_empty(&b.w, "vpl011");
    fdt_write_prop_empty(&b.w, "xen,enhanced");
    board_kernel_args(&b, 0x100000, 0x5000, args);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    struct domain *d = built(&b, "dom1");
    REQUIRE(d);
    REQUIRE(tree_open(&t, d));
    CHECK_STR(fdt_string(&t.f, fdt_find(&t.f, "/chosen"), "bootargs"), args);
    CHECK(fdt_node_exists(fdt_find(&t.f, "/cpus/cpu@7f")));
    free(t.blob);
    free(args);
    board_end(&b);
}
