/* SPDX-License-Identifier: MIT */
/* dev/pci.c and lib/fdt_map.c: what is found on a root bus, addresses, interrupts, resets. */
#include <stdlib.h>

#include <loam/mem.h>
#include <xen/errno.h>

#include "pci_model.h"
#include "unit.h"
#include "world.h"

#define INTC 7
#define IOMMU 9

struct bench {
    struct world *w;
    struct fdt tree;
    uint64_t blob[4096];
    struct fdt_node node;
};

static void bench_begin(struct bench *b)
{
    struct fdt_writer w;

    pci_model_reset();
    b->w = world_create(1, 16);
    fdt_write_begin(&w, b->blob, sizeof(b->blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 2);
    fdt_write_prop_u32(&w, "#size-cells", 2);
    fdt_write_begin_node(&w, "intc");
    fdt_write_prop_u32(&w, "phandle", INTC);
    fdt_write_prop_u32(&w, "#interrupt-cells", 2);
    fdt_write_prop_u32(&w, "#address-cells", 0);
    fdt_write_end_node(&w);
    pci_model_node(&w, INTC, IOMMU);
    fdt_write_end_node(&w);
    int size = fdt_write_finish(&w);
    CHECK(size > 0 && fdt_open(&b->tree, b->blob, (size_t)size) == 0);
    b->node = fdt_find(&b->tree, "/pci");
}

static int bench_open(struct bench *b)
{
    return pci_open(b->w->hv, &b->tree, b->node, &pci_model_access);
}

static void bench_end(struct bench *b)
{
    pci_close_all(b->w->hv);
    world_destroy(b->w);
}

TEST_ALLOC(devices_of_a_bus)
{
    struct bench b;
    bench_begin(&b);
    struct model_dev *one = pci_model_add(PCI_DEVFN(1, 0), 0x1af4, 0x1042);
    pci_model_bar(one, 0, 0x100, PCI_BAR_IO);
    pci_model_bar(one, 1, 0x200, 0);
    pci_model_bar(one, 4, 0x4000, PCI_BAR_64 | PCI_BAR_PREFETCH);
    struct model_dev *two = pci_model_add(PCI_DEVFN(2, 0), 1, 2);
    two->config[PCI_HEADER] = PCI_HEADER_MULTI;
    struct model_dev *three = pci_model_add(PCI_DEVFN(2, 5), 1, 3);
    pci_model_bar(three, 0, UINT64_C(0x200000000), PCI_BAR_64);
    pci_model_add(PCI_DEVFN(3, 0), 1, 4)->config[PCI_HEADER] = 1;
    pci_model_add(PCI_DEVFN(4, 1), 1, 5); /* without function 0 nobody looks */
    int rc = bench_open(&b);
    if (rc == 0) {
        struct hv *hv = b.w->hv;
        const struct pci_dev *dev = pci_find(hv, 0, 0, PCI_DEVFN(1, 0));
        CHECK(dev != NULL && pci_find(hv, 0, 0, PCI_DEVFN(2, 0)) != NULL);
        CHECK(pci_find(hv, 0, 0, PCI_DEVFN(3, 0)) == NULL);
        CHECK(pci_find(hv, 0, 0, PCI_DEVFN(4, 1)) == NULL);
        CHECK(pci_find(hv, 0, 1, PCI_DEVFN(1, 0)) == NULL);
        CHECK(pci_find(hv, 1, 0, PCI_DEVFN(1, 0)) == NULL);
        CHECK(world_console_has(b.w, "pci: 0000:00:03.0 is a bridge"));
        CHECK(world_console_has(b.w, "pci: 0000:00 has 3 devices"));
        CHECK_STR(dev->name, "0000:00:01.0");
        CHECK_EQ(dev->bar[0].size, 0);
        CHECK_EQ(dev->bar[1].size, PAGE_SIZE);
        CHECK_EQ(dev->bar[2].size, 0);
        CHECK_EQ(dev->bar[4].size, 0x4000);
        CHECK(dev->bar[4].is_64 && dev->bar[4].prefetch && !dev->bar[1].is_64);
        CHECK_EQ(pci_find(hv, 0, 0, PCI_DEVFN(2, 5))->bar[0].size, UINT64_C(0x200000000));
        /* Quiet: no memory, no DMA, no interrupt. */
        CHECK_EQ(get_le32(&one->config[PCI_COMMAND]) & 0xffff, PCI_COMMAND_INTX_OFF);
        CHECK_EQ(get_le32(&one->config[PCI_BAR0 + 4]), 0);
    }
    CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
    bench_end(&b);
}

TEST(addresses)
{
    struct bench b;
    bench_begin(&b);
    struct model_dev *m = pci_model_add(PCI_DEVFN(1, 0), 1, 1);
    pci_model_bar(m, 0, 0x200, 0);
    pci_model_bar(m, 1, 0x8000, 0);
    pci_model_bar(m, 2, 0x4000, PCI_BAR_64);
    m = pci_model_add(PCI_DEVFN(2, 0), 1, 1);
    pci_model_bar(m, 0, 0x1000, 0);
    m = pci_model_add(PCI_DEVFN(3, 0), 1, 1);
    pci_model_bar(m, 0, 0x100000, 0); /* as large as the window, of which some is gone */
    m = pci_model_add(PCI_DEVFN(4, 0), 1, 1);
    pci_model_bar(m, 0, UINT64_C(0x200000000), PCI_BAR_64); /* larger than any */
    REQUIRE(bench_open(&b) == 0);
    struct pci_dev *one = pci_find(b.w->hv, 0, 0, PCI_DEVFN(1, 0));
    struct pci_dev *two = pci_find(b.w->hv, 0, 0, PCI_DEVFN(2, 0));
    CHECK_EQ(pci_assign(one), 0);
    CHECK_EQ(pci_assign(one), 0);
    CHECK_EQ(pci_assign(two), 0);
    CHECK_EQ(one->bar[0].pci, MODEL_MEM);
    CHECK_EQ(one->bar[0].cpu.a, 0x60000000);
    CHECK_EQ(one->bar[1].pci, MODEL_MEM + 0x8000);
    CHECK_EQ(one->bar[2].pci, MODEL_MEM64);
    CHECK_EQ(two->bar[0].pci, MODEL_MEM + 0x10000);
    CHECK_EQ(two->bar[0].cpu.a, 0x60010000);
    CHECK_EQ(pci_assign(pci_find(b.w->hv, 0, 0, PCI_DEVFN(3, 0))), -XEN_ENOSPC);
    CHECK_EQ(pci_assign(pci_find(b.w->hv, 0, 0, PCI_DEVFN(4, 0))), -XEN_ENOSPC);
    CHECK_EQ(pci_prepare(one), 0);
    m = pci_model_at(PCI_DEVFN(1, 0));
    CHECK_EQ(get_le32(&m->config[PCI_BAR0]), MODEL_MEM);
    CHECK_EQ(get_le64(&m->config[PCI_BAR0 + 8]), MODEL_MEM64 | PCI_BAR_64);
    CHECK_EQ(m->resets, 0);
    bench_end(&b);
}

TEST(resets)
{
    struct bench b;
    bench_begin(&b);
    struct model_dev *m = pci_model_add(PCI_DEVFN(1, 0), 1, 1);
    pci_model_bar(m, 0, 0x1000, 0);
    pci_model_cap(m, PCI_CAP_EXPRESS, 0x40, 0x3c);
    m->config[0x47] = 0x10; /* can be reset */
    REQUIRE(bench_open(&b) == 0);
    struct pci_dev *dev = pci_find(b.w->hv, 0, 0, PCI_DEVFN(1, 0));
    CHECK_EQ(dev->flr_reg, 0x48);
    CHECK_EQ(pci_assign(dev), 0);
    /* Once after the firmware, once after each domain; never when nobody used it. */
    for (uint32_t i = 1; i <= 3; i++) {
        CHECK_EQ(pci_prepare(dev), -XEN_EAGAIN);
        CHECK_EQ(m->resets, i);
        b.w->machine.now += 99 * NS_PER_MS;
        CHECK_EQ(pci_prepare(dev), -XEN_EAGAIN);
        b.w->machine.now += NS_PER_MS;
        put_le32(&m->config[PCI_BAR0], 0);
        CHECK_EQ(pci_prepare(dev), 0);
        CHECK_EQ(get_le32(&m->config[PCI_BAR0]), MODEL_MEM);
        CHECK_EQ(m->resets, i);
        pci_write(dev, PCI_COMMAND, 2, 7);
        pci_quiet(dev);
        CHECK_EQ(get_le32(&m->config[PCI_COMMAND]) & 0xffff, PCI_COMMAND_INTX_OFF);
        CHECK_EQ(m->resets, i + 1);
    }
    bench_end(&b);
}

TEST(a_list_that_goes_in_circles)
{
    struct bench b;
    bench_begin(&b);
    struct model_dev *m = pci_model_add(PCI_DEVFN(1, 0), 1, 1);
    pci_model_cap(m, PCI_CAP_MSI, 0x40, 8);
    m->config[0x41] = 0x40;
    CHECK_EQ(bench_open(&b), 0);
    bench_end(&b);
}

TEST(interrupts_and_ids)
{
    struct bench b;
    uint32_t irq = 0, phandle = 0, id = 0;
    bool edge = true;
    bench_begin(&b);
    for (uint32_t i = 1; i <= 3; i++) {
        pci_model_add(PCI_DEVFN(i, 0), 1, 1)->config[PCI_PIN] = (uint8_t)(i - 1);
    }
    pci_model_add(PCI_DEVFN(20, 0), 1, 1);
    pci_model_add(PCI_DEVFN(21, 0), 1, 1)->config[PCI_PIN] = 9;
    REQUIRE(bench_open(&b) == 0);
    struct hv *hv = b.w->hv;
    CHECK_EQ(pci_interrupt(pci_find(hv, 0, 0, PCI_DEVFN(1, 0)), &b.tree, &irq, &edge), -XEN_ENOENT);
    CHECK_EQ(pci_interrupt(pci_find(hv, 0, 0, PCI_DEVFN(2, 0)), &b.tree, &irq, &edge), 0);
    CHECK(irq == 42 && !edge);
    CHECK_EQ(pci_interrupt(pci_find(hv, 0, 0, PCI_DEVFN(3, 0)), &b.tree, &irq, &edge), 0);
    CHECK_EQ(irq, 53);
    CHECK_EQ(pci_interrupt(pci_find(hv, 0, 0, PCI_DEVFN(20, 0)), &b.tree, &irq, &edge),
             -XEN_ENOENT);
    CHECK_EQ(pci_interrupt(pci_find(hv, 0, 0, PCI_DEVFN(21, 0)), &b.tree, &irq, &edge),
             -XEN_ENOENT);

    CHECK_EQ(fdt_id_map(&b.tree, b.node, "iommu-map", 0x10, &phandle, &id), 0);
    CHECK(phandle == IOMMU && id == 0x110);
    CHECK_EQ(fdt_id_map(&b.tree, b.node, "iommu-map", 0xffff, &phandle, &id), -XEN_ENOENT);
    CHECK_EQ(fdt_id_map(&b.tree, b.node, "msi-map", 0x10, &phandle, &id), -XEN_ENOENT);
    CHECK_EQ(fdt_id_map(&b.tree, b.node, "bus-range", 0x10, &phandle, &id), -XEN_EINVAL);
    bench_end(&b);
}

/* Maps that end in the middle of an entry, or name nobody. */
TEST(broken_interrupt_maps)
{
    static const uint32_t child[] = { 0x800, 0, 0, 1 };
    static const struct {
        uint32_t cells[8], nr;
    } maps[] = {
        { { 0x800, 0, 0, 1 }, 4 },
        { { 0x800, 0, 0, 1, 99, 1, 2 }, 7 },
        { { 0x800, 0, 0, 1, INTC, 1 }, 6 },
        { { 0x800, 0, 0, 1, INTC, 1, 2, 3 }, 8 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        uint64_t blob[256];
        struct fdt_writer w;
        struct fdt_interrupt in;
        struct fdt f;
        fdt_write_begin(&w, blob, sizeof(blob));
        fdt_write_begin_node(&w, "");
        fdt_write_prop_cells(&w, "interrupt-map", maps[i].cells, maps[i].nr);
        fdt_write_begin_node(&w, "intc");
        fdt_write_prop_u32(&w, "phandle", INTC);
        fdt_write_prop_u32(&w, "#interrupt-cells", 2);
        fdt_write_end_node(&w);
        fdt_write_end_node(&w);
        int size = fdt_write_finish(&w);
        REQUIRE(size > 0 && fdt_open(&f, blob, (size_t)size) == 0);
        int rc = fdt_interrupt_map(&f, FDT_ROOT, child, 4, &in);
        CHECK_EQ(rc, i == 3 ? 0 : -XEN_EINVAL); /* the last one matches before its rest is seen */
        CHECK_EQ(fdt_interrupt_map(&f, fdt_find(&f, "/intc"), child, 4, &in), -XEN_ENOENT);
    }
}
