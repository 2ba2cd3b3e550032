/* SPDX-License-Identifier: MIT */
/*
 * vdev/vpci.c: what a guest sees of its devices, what it can change, and that nothing
 * it writes reaches more than its own.
 */
#include "dom.h"
#include "pci_model.h"

#include <loam/vpci.h>

#define ECAM UINT64_C(0x30000000) /* of the fake layout, and its windows */
#define MEM UINT64_C(0x23000000)
#define MEM_SIZE UINT64_C(0xd000000)
#define MEM64 UINT64_C(0x2000000000)
#define INTC 7

struct bench {
    struct world *w;
    struct fdt tree;
    uint64_t blob[4096];
    struct domain *d;
    struct pci_dev *disk, *net;
    struct model_dev *m;
};

static void make_devices(struct bench *b)
{
    pci_model_reset();
    b->m = pci_model_add(PCI_DEVFN(5, 0), 0x1af4, 0x1042);
    put_le32(&b->m->config[0x2c], 0x11001af4);
    pci_model_bar(b->m, 0, 0x80, PCI_BAR_IO);
    pci_model_bar(b->m, 1, 0x200, 0);
    pci_model_bar(b->m, 4, 0x4000, PCI_BAR_64 | PCI_BAR_PREFETCH);
    put_le32(&b->m->config[PCI_ROM], 1);
    pci_model_cap(b->m, PCI_CAP_MSIX, 0x98, 12);
    pci_model_cap(b->m, PCI_CAP_VENDOR, 0x84, 20);
    pci_model_cap(b->m, PCI_CAP_MSI, 0x74, 14);
    pci_model_cap(b->m, PCI_CAP_EXPRESS, 0x40, 0x14);
    b->m->config[0x42] = 1;
    pci_model_cap(b->m, PCI_CAP_PM, 0xf8, 8);
    pci_model_bar(pci_model_add(PCI_DEVFN(6, 3), 0x8086, 0x100e), 0, 0x20000, 0);
    pci_model_add(PCI_DEVFN(6, 0), 1, 1)->config[PCI_HEADER] = PCI_HEADER_MULTI;
}

static bool bench_begin(struct bench *b)
{
    struct fdt_writer w;

    make_devices(b);
    b->w = dom_world(1);
    fdt_write_begin(&w, b->blob, sizeof(b->blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 2);
    fdt_write_prop_u32(&w, "#size-cells", 2);
    pci_model_node(&w, INTC, 0);
    fdt_write_end_node(&w);
    int size = fdt_write_finish(&w);
    CHECK(size > 0 && fdt_open(&b->tree, b->blob, (size_t)size) == 0);
    world_inject(b->w, false);
    CHECK_EQ(pci_open(b->w->hv, &b->tree, fdt_find(&b->tree, "/pci"), &pci_model_access), 0);
    b->disk = pci_find(b->w->hv, 0, 0, PCI_DEVFN(5, 0));
    b->net = pci_find(b->w->hv, 0, 0, PCI_DEVFN(6, 3));
    for (struct pci_dev **dev = &b->disk; dev <= &b->net; dev++) {
        int rc = pci_assign(*dev);
        while (rc == 0 && (rc = pci_prepare(*dev)) == -XEN_EAGAIN) {
            b->w->machine.now += NS_PER_MS;
            rc = 0;
        }
        CHECK_EQ(rc, 0);
    }
    world_inject(b->w, true);
    b->d = dom_create(b->w, "dom1", 1, false);
    return b->d != NULL;
}

static int bench_create(struct bench *b)
{
    const struct vpci_device list[] = { { b->disk, 45 }, { b->net, 0 } };

    return vpci_create(b->d, list, 2);
}

static void bench_end(struct bench *b)
{
    if (b->d != NULL) {
        dom_destroy(b->w, b->d);
    }
    pci_close_all(b->w->hv);
    world_destroy(b->w);
}

static uint64_t cfg(struct bench *b, uint32_t device, uint32_t reg, uint32_t size)
{
    uint64_t value = 0x5555555555555555;
    const struct mmio_region *r = mmio_find(b->d, gpa(ECAM));
    CHECK_EQ(r->ops->read(b->d->vcpus[0], r->data, (uint64_t)device << 15 | reg, size, &value),
             MMIO_OK);
    return value;
}

static void cfg_write(struct bench *b, uint32_t device, uint32_t reg, uint32_t size, uint64_t value)
{
    const struct mmio_region *r = mmio_find(b->d, gpa(ECAM));
    CHECK_EQ(r->ops->write(b->d->vcpus[0], r->data, (uint64_t)device << 15 | reg, size, value),
             MMIO_OK);
}

/* Where the guest finds machine page m. */
static bool is_mapped(struct bench *b, uint64_t at, hpa_t m)
{
    enum p2m_type type;
    mfn_t found = p2m_lookup(b->d, gpa_to_gfn(gpa(at)), &type, NULL);

    return mfn_eq(found, hpa_to_mfn(m)) && type == P2M_MMIO_DIRECT;
}

static bool is_hole(struct bench *b, uint64_t at)
{
    return mfn_is_none(p2m_lookup(b->d, gpa_to_gfn(gpa(at)), NULL, NULL));
}

TEST_ALLOC(created_and_destroyed)
{
    struct bench b;
    if (bench_begin(&b)) {
        int rc = bench_create(&b);
        CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
        if (rc == 0) {
            CHECK_EQ(bench_create(&b), -XEN_EEXIST);
            cfg_write(&b, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
            CHECK_EQ(get_le16(&b.m->config[PCI_COMMAND]), 6);
        }
    }
    bench_end(&b);
    CHECK_EQ(get_le16(&b.m->config[PCI_COMMAND]), PCI_COMMAND_INTX_OFF);
}

TEST(what_a_guest_sees)
{
    struct bench b;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    CHECK_EQ(cfg(&b, 0, 0, 4), UINT32_MAX);
    CHECK_EQ(cfg(&b, 3, 0, 4), UINT32_MAX);
    CHECK_EQ(cfg(&b, 31, 0, 2), 0xffff);
    CHECK_EQ(cfg(&b, 1, 1 << 12, 4), UINT32_MAX); /* function 1 */
    CHECK_EQ(cfg(&b, 1, PCI_VENDOR, 4), 0x10421af4);
    CHECK_EQ(cfg(&b, 1, PCI_DEVICE, 2), 0x1042);
    CHECK_EQ(cfg(&b, 1, PCI_DEVICE + 1, 1), 0x10);
    CHECK_EQ(cfg(&b, 1, PCI_CLASS, 4), 0x01000000);
    CHECK_EQ(cfg(&b, 1, 0x2c, 4), 0x11001af4);
    CHECK_EQ(cfg(&b, 1, PCI_HEADER, 1), 0);
    CHECK_EQ(cfg(&b, 1, PCI_PIN, 1), 1);
    CHECK_EQ(cfg(&b, 1, PCI_ROM, 4), 0);
    CHECK_EQ(cfg(&b, 1, PCI_COMMAND, 4), PCI_COMMAND_INTX_OFF | PCI_STATUS_CAPS << 16);
    CHECK_EQ(cfg(&b, 1, 0x100, 4), 0);
    CHECK_EQ(cfg(&b, 1, 0xffc, 4), 0);
    /* Number 2 was a function of a device of several; it has no interrupt here, nor capabilities.
     */
    CHECK_EQ(cfg(&b, 2, PCI_VENDOR, 4), 0x100e8086);
    CHECK_EQ(cfg(&b, 2, PCI_HEADER, 1), 0);
    CHECK_EQ(cfg(&b, 2, PCI_PIN, 1), 0);
    CHECK_EQ(cfg(&b, 2, PCI_STATUS, 2), 0);
    /* The interrupt's state is the device's. */
    b.m->config[PCI_STATUS] |= PCI_STATUS_INTX;
    CHECK_EQ(cfg(&b, 1, PCI_STATUS, 2), PCI_STATUS_INTX | PCI_STATUS_CAPS);
    uint64_t value;
    const struct mmio_region *r = mmio_find(b.d, gpa(ECAM));
    CHECK_EQ(r->ops->read(b.d->vcpus[0], r->data, 1 << 15, 8, &value), MMIO_FAULT);
    CHECK_EQ(r->ops->write(b.d->vcpus[0], r->data, 1 << 15, 8, 0), MMIO_FAULT);
    bench_end(&b);
}

TEST(capabilities)
{
    struct bench b;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    CHECK_EQ(cfg(&b, 1, PCI_CAPS, 1), 0x84);
    CHECK_EQ(cfg(&b, 1, 0x84, 4), 0x09144009);
    CHECK_EQ(cfg(&b, 1, 0x94, 4), 0x09090909);
    CHECK_EQ(cfg(&b, 1, 0x40, 2), 0xf810);
    CHECK_EQ(cfg(&b, 1, 0x44, 4),
             0x00101010); /* no function level reset: a guest's would do nothing */
    CHECK_EQ(cfg(&b, 1, 0xf8, 2), 1);
    for (uint32_t reg = 0x98; reg < 0xf8; reg += 4) {
        CHECK_EQ(cfg(&b, 1, reg, 4), 0);
    }
    CHECK_EQ(cfg(&b, 1, 0x74, 4), 0);
    bench_end(&b);
}

TEST(only_some_bits_are_passed_on)
{
    struct bench b;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    uint32_t writes = b.m->writes;
    for (uint32_t reg = 0; reg < 0x1000; reg += 4) {
        if (reg != PCI_COMMAND) {
            cfg_write(&b, 1, reg, 4, UINT32_MAX);
        }
    }
    CHECK_EQ(b.m->writes, writes);
    CHECK_EQ(cfg(&b, 1, PCI_VENDOR, 4), 0x10421af4);
    CHECK_EQ(cfg(&b, 1, 0x0c, 4), 0xff);
    CHECK_EQ(cfg(&b, 1, 0x3c, 4), 0x01ff);
    CHECK_EQ(cfg(&b, 1, 0x84, 4), 0x09144009);
    b.m->writable[PCI_COMMAND] = b.m->writable[PCI_COMMAND + 1] = 0xff;
    cfg_write(&b, 1, PCI_COMMAND, 4, UINT32_MAX);
    CHECK_EQ(get_le16(&b.m->config[PCI_COMMAND]), 0x406);
    CHECK_EQ(cfg(&b, 1, PCI_COMMAND, 2), 0x406);
    cfg_write(&b, 1, PCI_COMMAND + 1, 1, 0);
    CHECK_EQ(get_le16(&b.m->config[PCI_COMMAND]), 6);
    writes = b.m->writes;
    cfg_write(&b, 1, PCI_STATUS, 2, 0xffff); /* clears nothing, changes nothing */
    CHECK_EQ(b.m->writes, writes);
    CHECK_EQ(cfg(&b, 1, PCI_COMMAND, 2), 6);
    bench_end(&b);
}

TEST(bars_have_sizes)
{
    struct bench b;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    for (uint32_t i = 0; i < PCI_BARS; i++) {
        cfg_write(&b, 1, PCI_BAR0 + 4 * i, 4, UINT32_MAX);
    }
    CHECK_EQ(cfg(&b, 1, PCI_BAR0, 4), 0); /* ports are not there */
    CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 4, 4), 0xfffff000); /* a page, not 512 bytes of it */
    CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 8, 4), 0);
    CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 16, 4), 0xffffc00c);
    CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 20, 4), UINT32_MAX);
    cfg_write(&b, 1, PCI_BAR0 + 5, 1, 0x12);
    CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 4, 4), 0xffff1000);
    CHECK_EQ(b.d->vcpus[0]->domain->p2m.max_gfn, (DOM_RAM >> PAGE_SHIFT) + 16);
    bench_end(&b);
}

TEST(memory_follows_command_and_bars)
{
    struct bench b;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    cfg_write(&b, 1, PCI_BAR0 + 4, 4, MEM);
    cfg_write(&b, 1, PCI_BAR0 + 16, 4, (uint32_t)MEM64);
    cfg_write(&b, 1, PCI_BAR0 + 20, 4, MEM64 >> 32);
    CHECK(is_hole(&b, MEM) && is_hole(&b, MEM64));
    cfg_write(&b, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    CHECK(is_mapped(&b, MEM, b.disk->bar[1].cpu));
    CHECK(is_mapped(&b, MEM64 + 0x3000, hpa_add(b.disk->bar[4].cpu, 0x3000)));
    CHECK(is_hole(&b, MEM + 0x1000) && is_hole(&b, MEM64 + 0x4000));
    /* It moves while it is on: both windows may have a 64-bit one. */
    cfg_write(&b, 1, PCI_BAR0 + 20, 4, 0);
    CHECK(is_hole(&b, MEM64));
    cfg_write(&b, 1, PCI_BAR0 + 16, 4, MEM + 0x8000);
    CHECK(is_mapped(&b, MEM + 0x8000, b.disk->bar[4].cpu));
    cfg_write(&b, 1, PCI_COMMAND, 2, 0);
    CHECK(is_hole(&b, MEM) && is_hole(&b, MEM + 0x8000));
    CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 4, 4), MEM);
    /* The device's own BARs never moved. */
    CHECK_EQ(get_le32(&b.m->config[PCI_BAR0 + 4]), b.disk->bar[1].pci);
    CHECK_EQ(get_le64(&b.m->config[PCI_BAR0 + 16]), b.disk->bar[4].pci | 0xc);
    bench_end(&b);
}

TEST(a_bar_where_it_must_not_be)
{
    static const uint64_t places[] = { 0, DOM_RAM, ECAM, MEM - 0x1000, MEM + MEM_SIZE, 0xfffff000 };
    struct bench b;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    mfn_t ram = p2m_lookup(b.d, gpa_to_gfn(gpa(DOM_RAM)), NULL, NULL);
    cfg_write(&b, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        cfg_write(&b, 1, PCI_BAR0 + 4, 4, places[i]);
        CHECK_EQ(cfg(&b, 1, PCI_BAR0 + 4, 4), places[i]);
        CHECK(places[i] == DOM_RAM || is_hole(&b, places[i]));
    }
    CHECK(mfn_eq(p2m_lookup(b.d, gpa_to_gfn(gpa(DOM_RAM)), NULL, NULL), ram));
    char *first = strstr(b.w->machine.console, "dom dom1: 0000:00:05.0: BAR ");
    CHECK(first != NULL && strstr(first + 1, "dom dom1: 0000:00:05.0: BAR ") == NULL);
    /* Two at one place: the second one is not there, and moving it takes nothing from the first. */
    cfg_write(&b, 1, PCI_BAR0 + 4, 4, MEM);
    cfg_write(&b, 2, PCI_BAR0, 4, MEM);
    cfg_write(&b, 2, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    CHECK(is_mapped(&b, MEM, b.disk->bar[1].cpu));
    CHECK(
        world_console_has(b.w, "0000:00:06.3: BAR 0 at 0x23000000 is not mapped: something else"));
    cfg_write(&b, 2, PCI_BAR0, 4, MEM + 0x20000);
    CHECK(is_mapped(&b, MEM, b.disk->bar[1].cpu));
    CHECK(is_mapped(&b, MEM + 0x20000, b.net->bar[0].cpu));
    bench_end(&b);
}

TEST(no_place_for_a_bus)
{
    static struct guest_layout none;
    const struct vpci_device list[] = { { NULL, 0 } };
    struct bench b;
    REQUIRE(bench_begin(&b));
    CHECK_EQ(vpci_create(b.d, list, VPCI_DEVICES_MAX + 1), -XEN_EINVAL);
    none = *arch_guest_layout();
    none.pci_ecam_base = gpa(DOM_RAM);
    b.w->machine.layout = &none;
    CHECK_EQ(vpci_create(b.d, list, 0), -XEN_EEXIST);
    none.pci_mem_size = 0;
    CHECK_EQ(vpci_create(b.d, list, 0), -XEN_EOPNOTSUPP);
    b.w->machine.layout = NULL;
    vpci_destroy(b.d);
    bench_end(&b);
}

TEST(the_guests_tree)
{
    struct bench b;
    struct fdt_writer w;
    struct fdt f;
    uint64_t blob[1024], addr, size;
    struct fdt_interrupt in;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    fdt_write_begin(&w, blob, sizeof(blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 2);
    fdt_write_prop_u32(&w, "#size-cells", 2);
    arch_guest_fdt(b.d, &w, &GUEST_INTC);
    vpci_guest_fdt(b.d, &w);
    fdt_write_end_node(&w);
    int total = fdt_write_finish(&w);
    REQUIRE(total > 0 && fdt_open(&f, blob, (size_t)total) == 0);
    struct fdt_node node = fdt_find(&f, "/pcie");
    CHECK(fdt_compatible(&f, node, "pci-host-ecam-generic"));
    CHECK(fdt_reg(&f, node, 0, &addr, &size) == 0 && addr == ECAM && size == MIB);
    CHECK(fdt_has_prop(&f, node, "dma-coherent"));
    const uint32_t disk[] = { 1 << 11 | 0x700, 0, 0, 1 }, pin_b[] = { 1 << 11, 0, 0, 2 };
    const uint32_t net[] = { 2 << 11, 0, 0, 1 };
    CHECK_EQ(fdt_interrupt_map(&f, node, disk, 4, &in), 0);
    CHECK(in.cells[0] == 45 && in.cells[1] == 0);
    CHECK_EQ(fdt_interrupt_map(&f, node, pin_b, 4, &in), -XEN_ENOENT);
    CHECK_EQ(fdt_interrupt_map(&f, node, net, 4, &in), -XEN_ENOENT);
    uint32_t len;
    CHECK(fdt_prop(&f, node, "ranges", &len) != NULL && len == 2 * 28);
    bench_end(&b);
}

/* Nothing that a guest writes, in any order, changes the device's BARs or maps what is not its. */
TEST(random_accesses)
{
    static const uint64_t values[] = {
        0, 2, 6, 0x406, MEM, MEM + 0x8000, UINT32_MAX, DOM_RAM, 0x20
    };
    struct bench b;
    uint64_t seed = 1;
    REQUIRE(bench_begin(&b));
    REQUIRE(bench_create(&b) == 0);
    const struct mmio_region *r = mmio_find(b.d, gpa(ECAM));
    for (uint32_t n = 0; n < 200000; n++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t x = (uint32_t)(seed >> 32);
        uint32_t size = 1u << (x & 3);
        uint64_t offset = (uint64_t)(x >> 2 & 3) << 15 | ((x >> 4 & 7) == 0 ? 0x7f00 : 0) |
                          (x >> 7 & (x >> 31 ? 0xff : 0x3f));
        uint64_t value = x >> 20 & 1 ? values[(x >> 21) % ARRAY_SIZE(values)] : seed;

        offset &= ~(uint64_t)(size - 1);
        if (x >> 30 & 1) {
            enum mmio_result got = r->ops->write(b.d->vcpus[0], r->data, offset, size, value);
            CHECK_EQ(got, size == 8 ? MMIO_FAULT : MMIO_OK);
        } else {
            (void)r->ops->read(b.d->vcpus[0], r->data, offset, size, &value);
            CHECK(size == 8 || value >> 8 * (size - 1) >> 8 == 0);
        }
    }
    CHECK_EQ(model_reads_beyond, 0);
    CHECK_EQ(get_le32(&b.m->config[PCI_BAR0 + 4]), b.disk->bar[1].pci);
    CHECK_EQ(get_le64(&b.m->config[PCI_BAR0 + 16]), b.disk->bar[4].pci | 0xc);
    gfn_t g = gfn(0);
    mfn_t m;
    enum p2m_type type;
    uint64_t pages;
    for (; p2m_next(b.d, &g, &m, &type, &pages); g = gfn_add(g, pages)) {
        uint64_t at = gfn_to_gpa(g).a;
        CHECK((type == P2M_RAM_RW && at >= DOM_RAM && at < DOM_RAM + 16 * PAGE_SIZE) ||
              (type == P2M_MMIO_DIRECT && ((at >= MEM && at < MEM + MEM_SIZE) || at >= MEM64)));
        CHECK(type == P2M_RAM_RW || mfn_to_hpa(m).a >= 0x60000000);
    }
    bench_end(&b);
}
