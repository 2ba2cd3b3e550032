/* SPDX-License-Identifier: MIT */
/*
 * What the host's interrupt controllers of riscv64 make of device trees: good ones, broken ones,
 * and hardware that does not do. riscv64_board.h has the controllers;
 * LOAM_TEST_RISCV64_DTB=file reads the tree of a real machine.
 */
#include "riscv64_board.h"

#include <stdio.h>
#include <stdlib.h>

TEST(plic_is_found_and_quiet)
{
    hpa_t start;
    uint64_t size;

    REQUIRE(boot(BOARD_PLIC));
    CHECK_EQ(m.host.intc, HOST_INTC_PLIC);
    CHECK_EQ(arch_irq_first(&m.hv), 1);
    CHECK_EQ(arch_irq_count(&m.hv), 96);
    CHECK_EQ(pcpu[0].arch.claim, PLIC_ADDR + 0x201004);
    CHECK_EQ(pcpu[1].arch.claim, PLIC_ADDR + 0x203004);
    REQUIRE(irq_private_range(&m.hv, 0, &start, &size));
    CHECK_EQ(start.a, PLIC_ADDR);
    CHECK_EQ(size, 0x600000);
    CHECK(!irq_private_range(&m.hv, 1, &start, &size));
    for (uint32_t i = 1; i < 96; i++) {
        wire(i, true);
        CHECK(hw.p_enabled[0][i]); /* M mode's are the firmware's */
        CHECK(!hw.p_enabled[1][i] && !hw.p_enabled[3][i]);
    }
    CHECK_EQ(hw.threshold[1], 0);
    CHECK_EQ(poll(), 0);
    end();
}

TEST(aplic_is_found_and_quiet)
{
    hpa_t start;
    uint64_t size;

    REQUIRE(boot(BOARD_APLIC));
    CHECK_EQ(m.host.intc, HOST_INTC_APLIC);
    CHECK_EQ(arch_irq_count(&m.hv), 97);
    CHECK_EQ(pcpu[1].arch.claim, APLIC_ADDR + 0x403c);
    CHECK_EQ(hw.domaincfg, 0x100);
    CHECK_EQ(hw.idelivery[1], 1);
    CHECK_EQ(hw.ithreshold[1], 0);
    REQUIRE(irq_private_range(&m.hv, 0, &start, &size));
    CHECK_EQ(start.a, APLIC_ADDR);
    CHECK(!irq_private_range(&m.hv, 1, &start, &size));
    for (uint32_t i = 1; i < IRQS; i++) {
        wire(i, true);
    }
    CHECK_EQ(poll(), 0);
    end();
}

TEST(imsic_is_found_and_quiet)
{
    hpa_t start;
    uint64_t size;

    REQUIRE(boot(BOARD_IMSIC));
    CHECK_EQ(m.host.intc, HOST_INTC_IMSIC);
    CHECK_EQ(arch_irq_count(&m.hv), 97);
    CHECK_EQ(pcpu[0].arch.imsic, IMSIC_ADDR);
    CHECK_EQ(pcpu[1].arch.imsic, IMSIC_ADDR + 0x8000);
    CHECK_EQ(hw.domaincfg, 0x104);
    CHECK_EQ(hw.eithreshold[1], 0);
    REQUIRE(irq_private_range(&m.hv, 0, &start, &size) && start.a == IMSIC_ADDR);
    CHECK_EQ(size, 0x10000);
    REQUIRE(irq_private_range(&m.hv, 1, &start, &size) && start.a == APLIC_ADDR);
    CHECK(!irq_private_range(&m.hv, 2, &start, &size));
    for (uint32_t i = 1; i < IRQS; i++) {
        wire(i, true);
    }
    CHECK_EQ(poll(), 0);
    CHECK_EQ(hw.messages, 0);
    end();
}

TEST(interrupts_of_host_nodes)
{
    uint32_t irq;
    bool edge;

    REQUIRE(boot(BOARD_PLIC));
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@1"), 0, &irq, &edge), 0);
    CHECK(irq == UART_IRQ && !edge);
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@1"), 1, &irq, &edge), -XEN_ENOENT);
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@4"), 0, &irq, &edge), -XEN_EINVAL);
    m.host.intc_phandle = 77; /* another controller's */
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@1"), 0, &irq, &edge), -XEN_EINVAL);
    REQUIRE(boot(BOARD_APLIC));
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@1"), 0, &irq, &edge), 0);
    CHECK(irq == UART_IRQ && !edge);
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@2"), 0, &irq, &edge), 0);
    CHECK(irq == 11 && edge);
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@3"), 0, &irq, &edge), 0);
    CHECK(irq == 12 && !edge);
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@4"), 0, &irq, &edge), -XEN_EINVAL);
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_find(&tree, "/serial@5"), 0, &irq, &edge),
             -XEN_EINVAL); /* both edges */
    arch_irq_unmask(&m.hv, 12, false, &pcpu[0]); /* active low */
    CHECK_EQ(hw.sourcecfg[12], 7);
    guest_has = true;
    CHECK_EQ(poll(), 1);
    end();
}

/* Trees that cannot be used: the log names node and property. */
TEST(broken_trees)
{
    static const uint32_t zero[] = { 0 }, big[] = { 1024 }, three[] = { 4, 9, 2 };
    static const uint32_t small[] = { 0, PLIC_ADDR, 0, 0x202000 };
    static const uint32_t small_aplic[] = { 0, APLIC_ADDR, 0, 0x4020 };
    static const uint32_t small_files[] = { 0, IMSIC_ADDR, 0, 0x8000 };
    static const struct {
        enum board board;
        struct breakage b;
        const char *text; /* NULL: the property */
    } rows[] = {
        { BOARD_PLIC, { "plic", PLIC_ADDR, "riscv,ndev", NULL, 0 }, NULL },
        { BOARD_PLIC, { "plic", PLIC_ADDR, "riscv,ndev", zero, 1 }, NULL },
        { BOARD_PLIC, { "plic", PLIC_ADDR, "riscv,ndev", big, 1 }, NULL },
        { BOARD_PLIC, { "plic", PLIC_ADDR, "reg", NULL, 0 }, NULL },
        { BOARD_PLIC, { "plic", PLIC_ADDR, "reg", small, 4 }, "context 3" },
        { BOARD_PLIC, { "plic", PLIC_ADDR, "interrupts-extended", three, 3 }, NULL },
        { BOARD_PLIC, { "plic", PLIC_ADDR, "interrupts-extended", NULL, 0 }, NULL },
        { BOARD_APLIC, { "interrupt-controller", APLIC_ADDR, "riscv,num-sources", big, 1 }, NULL },
        { BOARD_APLIC, { "interrupt-controller", APLIC_ADDR, "reg", NULL, 0 }, NULL },
        { BOARD_APLIC, { "interrupt-controller", APLIC_ADDR, "reg", small_aplic, 4 }, "reg" },
        { BOARD_APLIC,
          { "interrupt-controller", APLIC_ADDR, "interrupts-extended", three, 3 },
          NULL },
        { BOARD_IMSIC, { "interrupt-controller", IMSIC_ADDR, "riscv,num-ids", zero, 1 }, NULL },
        { BOARD_IMSIC,
          { "interrupt-controller", IMSIC_ADDR, "riscv,guest-index-bits", big, 1 },
          NULL },
        { BOARD_IMSIC, { "interrupt-controller", IMSIC_ADDR, "reg", NULL, 0 }, NULL },
        { BOARD_IMSIC, { "interrupt-controller", IMSIC_ADDR, "reg", small_files, 4 }, "reg" },
        { BOARD_IMSIC, { "interrupt-controller", IMSIC_ADDR, "riscv,num-ids", NULL, 0 }, NULL },
        { BOARD_IMSIC, { "interrupt-controller", APLIC_ADDR, "msi-parent", zero, 1 }, NULL },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        reset();
        broken = rows[i].b;
        make_tree(rows[i].board);
        CHECK_EQ(irq_init(&m.hv, &tree), -XEN_ENODEV);
        CHECK(strstr(log_text, rows[i].text ? rows[i].text : rows[i].b.prop) != NULL);
    }
    end();
}

TEST(hardware_that_does_not_do)
{
    reset();
    make_tree(BOARD_APLIC);
    hw.msi_fixed = 4; /* only MSI mode */
    CHECK_EQ(irq_init(&m.hv, &tree), -XEN_ENODEV);
    CHECK(strstr(log_text, "direct mode") != NULL);
    reset();
    make_tree(BOARD_IMSIC);
    m.host.has_ssaia = false;
    CHECK_EQ(irq_init(&m.hv, &tree), -XEN_ENODEV);
    CHECK(strstr(log_text, "ssaia") != NULL);
    reset();
    m.host.cpu[1].intc_phandle = 99; /* a hart that no controller names */
    make_tree(BOARD_PLIC);
    CHECK_EQ(irq_init(&m.hv, &tree), 0);
    on(0);
    CHECK_EQ(irq_init_pcpu(&pcpu[0]), 0);
    on(1);
    CHECK_EQ(irq_init_pcpu(&pcpu[1]), -XEN_ENODEV);
    end();
}

/* Two groups of one hart; hart indices are group and place (AIA 4.9.1). */
TEST(groups_of_interrupt_files)
{
    struct fdt_writer w;

    reset();
    fdt_write_begin(&w, blob, sizeof(blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 2);
    fdt_write_prop_u32(&w, "#size-cells", 2);
    begin(&w, "imsics", IMSIC_ADDR);
    CELLS(&w, "riscv,num-ids", 63);
    CELLS(&w, "riscv,hart-index-bits", 2);
    CELLS(&w, "riscv,group-index-bits", 1);
    CELLS(&w, "riscv,group-index-shift", 24);
    CELLS(&w, "reg", 0, IMSIC_ADDR, 0, 0x2000, 0, 0x29000000, 0, 0x2000);
    CELLS(&w, "interrupts-extended", 100, 9, 4, 9, 101, 9, 2, 9);
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    REQUIRE(fdt_write_finish(&w) > 0 && fdt_open(&tree, blob, sizeof(blob)) == 0);
    CHECK_EQ(imsic_init(&m.hv, &tree, fdt_find(&tree, "/imsics")), 0);
    CHECK_EQ(m.host.imsic->cpu[0].regs, IMSIC_ADDR + 0x1000);
    CHECK_EQ(m.host.imsic->cpu[0].hart_index, 1);
    CHECK_EQ(m.host.imsic->cpu[1].regs, 0x29001000);
    CHECK_EQ(m.host.imsic->cpu[1].hart_index, 5);
    CHECK_EQ(m.host.nr_intc_regions, 2);
    /* 63 identities: the kick's and 62 sources. */
    CHECK_EQ(usable_irqs(&m.hv, "aplic", 62, m.host.imsic), 63);
    CHECK_EQ(usable_irqs(&m.hv, "aplic", 96, m.host.imsic), 63);
    CHECK(strstr(log_text, "from 63 on") != NULL);
    end();
}

TEST_ALLOC(memory_runs_out)
{
    for (enum board board = BOARD_PLIC; board <= BOARD_IMSIC; board++) {
        reset();
        make_tree(board);
        int rc = irq_init(&m.hv, &tree);

        CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    }
    end();
}

TEST(real_tree)
{
    const char *path = getenv("LOAM_TEST_RISCV64_DTB");
    static _Alignas(8) uint8_t real[1 << 20];

    if (path == NULL) {
        return;
    }
    FILE *f = fopen(path, "rb");
    REQUIRE(f != NULL);
    size_t size = fread(real, 1, sizeof(real), f);
    fclose(f);
    REQUIRE(fdt_open(&tree, real, size) == 0);
    reset();
    CHECK_EQ(irq_init(&m.hv, &tree), 0);
    printf("# %s: kind %d, %u interrupts, %u regions\n", path, (int)m.host.intc, m.host.nr_irqs,
           m.host.nr_intc_regions);
    uint32_t irq;
    bool edge;
    CHECK_EQ(irq_of_node(&m.hv, &tree, fdt_stdout(&tree), 0, &irq, &edge), 0);
    CHECK(irq == UART_IRQ && !edge);
    end();
}
