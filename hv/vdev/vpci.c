/* SPDX-License-Identifier: MIT */
/*
 * A virtual host bridge: ECAM of one bus, and for each device a configuration space
 * that is this file's, not the device's.
 *
 * What never changes is copied when the bus is made: identity, class, and the
 * capabilities that a guest can use without writing to them (power management and PCI
 * Express, both read-only here, and the vendor's). All others are not in the list; so
 * there is no MSI, and the guest uses the device's interrupt line. The guest can write
 *
 *   command         memory decoding, bus mastering, interrupts off: passed on
 *   BARs            shadows with the device's sizes. While memory decoding is on, the
 *                   device's memory is mapped where they say, if that is in the
 *                   bridge's windows; the device's own BARs never change
 *   cache line size, interrupt line: bytes that mean nothing
 *
 * and the rest ignores it. Expansion ROM, port I/O and extended configuration space are
 * not there. One register is read from the device: the interrupt's state.
 *
 * All is under vpci.lock, whose rank is below p2m.lock's.
 */
#include <arch/guest.h>
#include <loam/bits.h>
#include <loam/domain.h>
#include <loam/fdt_write.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/pci.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <loam/vpci.h>
#include <xen/errno.h>

#define ECAM_SIZE (UINT64_C(1) << 20) /* one bus */
#define CONFIG_SIZE 0x100 /* of a function without extended space */
#define COMMAND_BITS (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF)
#define CACHE_LINE 0x0c
#define SUBSYSTEM 0x2c
#define INTERRUPT_LINE 0x3c

#define PM_SIZE 8
#define EXPRESS_SIZE_V1 0x14
#define EXPRESS_SIZE_V2 0x3c
#define EXPRESS_FLR_BYTE 0x07 /* of the capability: bit 28 of its device capabilities */
#define EXPRESS_FLR BIT(4)

struct bar {
    uint64_t addr; /* as the guest wrote it */
    bool mapped; /* there */
};

struct function {
    struct pci_dev *dev;
    uint32_t virq;
    uint16_t command;
    bool complained; /* of a BAR that cannot be mapped: once is enough */
    struct bar bar[PCI_BARS];
    uint8_t config[CONFIG_SIZE]; /* what is constant, and bytes that mean nothing */
};

struct vpci {
    struct spinlock lock; /* LOCK_RANK_VPCI */
    struct domain *domain;
    uint32_t nr;
    struct function function[]; /* number i is device i + 1 */
};

static size_t vpci_size(uint32_t nr) { return sizeof(struct vpci) + nr * sizeof(struct function); }

/* --- BARs -------------------------------------------------------------------- */

/* Is [addr, addr + size) in a window of the bridge? */
static bool in_window(uint64_t addr, uint64_t size)
{
    const struct guest_layout *layout = arch_guest_layout();
    uint64_t at = addr - layout->pci_mem_base.a, at64 = addr - layout->pci_mem64_base.a;

    return (size <= layout->pci_mem_size && at <= layout->pci_mem_size - size) ||
           (size <= layout->pci_mem64_size && at64 <= layout->pci_mem64_size - size);
}

static void bar_complain(struct vpci *x, struct function *f, uint32_t i, const char *why)
{
    if (!f->complained) {
        f->complained = true;
        log_info(x->domain->hv, "dom %s: %s: BAR %u at %#lx is not mapped: %s",
                 x->domain->config.name, f->dev->name, i, f->bar[i].addr, why);
    }
}

static void bar_map_locked(struct vpci *x, struct function *f, uint32_t i)
{
    const struct pci_bar *real = &f->dev->bar[i];
    struct bar *b = &f->bar[i];

    if (real->size == 0 || b->mapped) {
        return;
    }
    if (!in_window(b->addr, real->size)) {
        bar_complain(x, f, i, "it is in no window of the bridge");
        return;
    }
    int rc = p2m_map(x->domain, gpa_to_gfn(gpa(b->addr)), hpa_to_mfn(real->cpu),
                     real->size >> PAGE_SHIFT, P2M_MMIO_DIRECT);
    b->mapped = rc == 0;
    if (rc) {
        bar_complain(x, f, i, rc == -XEN_EEXIST ? "something else is there" : "no memory");
    }
}

static void bar_unmap_locked(struct vpci *x, struct function *f, uint32_t i)
{
    struct bar *b = &f->bar[i];

    if (!b->mapped) {
        return;
    }
    /* No block crosses the ends of what was mapped as one: nothing to split, no memory needed. */
    if (p2m_unmap(x->domain, gpa_to_gfn(gpa(b->addr)), f->dev->bar[i].size >> PAGE_SHIFT)) {
        domain_crash(x->domain, "BAR %u of %s cannot be unmapped", i, f->dev->name);
        return;
    }
    b->mapped = false;
}

/* Register i of the BARs: which BAR it is of, and whether it is the upper half. */
static const struct pci_bar *bar_of(const struct function *f, uint32_t i, uint32_t *first)
{
    bool upper = i > 0 && f->dev->bar[i - 1].size != 0 && f->dev->bar[i - 1].is_64;

    *first = upper ? i - 1 : i;
    return &f->dev->bar[*first];
}

static uint32_t bar_read(const struct function *f, uint32_t i)
{
    uint32_t first;
    const struct pci_bar *real = bar_of(f, i, &first);

    if (real->size == 0) {
        return 0;
    }
    if (first != i) {
        return (uint32_t)(f->bar[first].addr >> 32);
    }
    return (uint32_t)f->bar[i].addr | (real->is_64 ? (uint32_t)PCI_BAR_64 : 0) |
           (real->prefetch ? (uint32_t)PCI_BAR_PREFETCH : 0);
}

static void bar_write_locked(struct vpci *x, struct function *f, uint32_t i, uint32_t value)
{
    uint32_t first;
    const struct pci_bar *real = bar_of(f, i, &first);
    struct bar *b = &f->bar[first];

    if (real->size == 0) {
        return;
    }
    uint64_t addr = first != i ? (uint64_t)value << 32 | (uint32_t)b->addr
                               : (b->addr & ~(uint64_t)UINT32_MAX) | value;

    bar_unmap_locked(x, f, first);
    if (!b->mapped) {
        b->addr = addr & ~(real->size - 1) & (real->is_64 ? UINT64_MAX : UINT32_MAX);
    }
    if (f->command & PCI_COMMAND_MEMORY) {
        bar_map_locked(x, f, first);
    }
}

static void command_write_locked(struct vpci *x, struct function *f, uint32_t value)
{
    uint16_t before = f->command;

    f->command = (uint16_t)(value & COMMAND_BITS);
    for (uint32_t i = 0; i < PCI_BARS && (before & ~f->command & PCI_COMMAND_MEMORY); i++) {
        bar_unmap_locked(x, f, i);
    }
    if (f->command != before) {
        pci_write(f->dev, PCI_COMMAND, 2, f->command);
    }
    for (uint32_t i = 0; i < PCI_BARS && (f->command & ~before & PCI_COMMAND_MEMORY); i++) {
        bar_map_locked(x, f, i);
    }
}

/* --- Configuration space ------------------------------------------------------- */

static uint32_t dword_read_locked(const struct function *f, uint32_t reg)
{
    uint32_t value = get_le32(&f->config[reg]);

    if (reg == PCI_COMMAND) {
        uint32_t status = pci_read(f->dev, PCI_STATUS, 2) & PCI_STATUS_INTX;

        return value | status << 16 | f->command;
    }
    if (reg >= PCI_BAR0 && reg < PCI_BAR0 + 4 * PCI_BARS) {
        return bar_read(f, (reg - PCI_BAR0) / 4);
    }
    return value;
}

static void dword_write_locked(struct vpci *x, struct function *f, uint32_t reg, uint32_t mask,
                               uint32_t value)
{
    if (reg == PCI_COMMAND && (mask & 0xffff)) {
        command_write_locked(x, f, value);
    } else if (reg >= PCI_BAR0 && reg < PCI_BAR0 + 4 * PCI_BARS) {
        bar_write_locked(x, f, (reg - PCI_BAR0) / 4, value);
    } else if (reg == CACHE_LINE || reg == INTERRUPT_LINE) {
        f->config[reg] = (uint8_t)value;
    }
}

/* The function that ECAM offset is of, NULL: none is there. */
static struct function *function_at(struct vpci *x, uint64_t offset)
{
    uint64_t devfn = offset >> 12;
    uint64_t device = devfn >> 3;

    return (devfn & 7) == 0 && device >= 1 && device <= x->nr ? &x->function[device - 1] : NULL;
}

static enum mmio_result vpci_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                  uint64_t *value)
{
    struct vpci *x = data;
    struct function *f = function_at(x, offset);
    uint32_t reg = offset & 0xfff, bits = 8 * size;

    if (size > 4) {
        return MMIO_FAULT;
    }
    *value = UINT32_MAX; /* nobody answers */
    if (f != NULL && reg >= CONFIG_SIZE) {
        *value = 0;
    } else if (f != NULL) {
        spin_lock(&x->lock);
        *value = dword_read_locked(f, reg & ~3u);
        spin_unlock(&x->lock);
    }
    *value = *value >> 8 * (reg & 3) & BITS(bits - 1, 0);
    return MMIO_OK;
}

static enum mmio_result vpci_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                   uint64_t value)
{
    struct vpci *x = data;
    struct function *f = function_at(x, offset);
    uint32_t reg = offset & 0xfff, shift = 8 * (reg & 3);

    if (size > 4) {
        return MMIO_FAULT;
    }
    if (f == NULL || reg >= CONFIG_SIZE) {
        return MMIO_OK;
    }
    uint32_t mask = (uint32_t)BITS(8 * size - 1, 0) << shift;

    spin_lock(&x->lock);
    uint32_t old = dword_read_locked(f, reg & ~3u);
    dword_write_locked(x, f, reg & ~3u, mask, (old & ~mask) | ((uint32_t)value << shift & mask));
    spin_unlock(&x->lock);
    return MMIO_OK;
}

static const struct mmio_ops vpci_ops = { .read = vpci_read, .write = vpci_write };

/* --- Creation -------------------------------------------------------------------- */

static void config_copy(struct function *f, uint32_t reg, uint32_t size)
{
    for (uint32_t i = 0; i < size && reg + i < CONFIG_SIZE; i++) {
        f->config[reg + i] = (uint8_t)pci_read(f->dev, reg + i, 1);
    }
}

/* Bytes of a capability that the guest may have, 0: it may not. */
static uint32_t cap_size(const struct pci_dev *dev, uint32_t at)
{
    switch (pci_read(dev, at, 1)) {
    case PCI_CAP_PM:
        return PM_SIZE;
    case PCI_CAP_VENDOR:
        return pci_read(dev, at + 2, 1);
    case PCI_CAP_EXPRESS:
        return (pci_read(dev, at + 2, 1) & 0xf) >= 2 ? EXPRESS_SIZE_V2 : EXPRESS_SIZE_V1;
    default:
        return 0;
    }
}

static void caps_copy(struct function *f)
{
    uint32_t at = 0, link = PCI_CAPS;

    for (uint32_t n = 0; n < PCI_CAPS_MAX && (at = pci_next_cap(f->dev, at)) != 0; n++) {
        uint32_t size = cap_size(f->dev, at);

        if (size < 3) {
            continue;
        }
        config_copy(f, at, size);
        if (f->config[at] == PCI_CAP_EXPRESS) {
            f->config[at + EXPRESS_FLR_BYTE] &= (uint8_t)~EXPRESS_FLR;
        }
        f->config[at + 1] = 0;
        f->config[link] = (uint8_t)at;
        link = at + 1;
        f->config[PCI_STATUS] = PCI_STATUS_CAPS;
    }
}

static void function_init(struct function *f, const struct vpci_device *from)
{
    f->dev = from->dev;
    f->virq = from->virq;
    f->command = PCI_COMMAND_INTX_OFF; /* as pci_prepare() left it */
    config_copy(f, PCI_VENDOR, 4);
    config_copy(f, PCI_CLASS, 4);
    config_copy(f, SUBSYSTEM, 4);
    f->config[PCI_PIN] = f->virq ? f->dev->pin : 0;
    caps_copy(f);
}

int vpci_create(struct domain *d, const struct vpci_device *list, uint32_t nr)
{
    const struct guest_layout *layout = arch_guest_layout();

    if (layout->pci_mem_size == 0) {
        return -XEN_EOPNOTSUPP;
    }
    if (nr > VPCI_DEVICES_MAX) {
        return -XEN_EINVAL;
    }
    if (d->sub[VPCI_SUB] != NULL ||
        !mfn_is_none(p2m_lookup(d, gpa_to_gfn(layout->pci_ecam_base), NULL, NULL))) {
        return -XEN_EEXIST;
    }
    struct vpci *x = mem_alloc(d->hv, vpci_size(nr));
    if (x == NULL) {
        return -XEN_ENOMEM;
    }
    x->lock = SPINLOCK_INIT(LOCK_RANK_VPCI);
    x->domain = d;
    x->nr = nr;
    for (uint32_t i = 0; i < nr; i++) {
        function_init(&x->function[i], &list[i]);
    }
    int rc = mmio_register(d, layout->pci_ecam_base, ECAM_SIZE, &vpci_ops, x);
    if (rc) {
        mem_free(d->hv, x, vpci_size(nr));
        return rc;
    }
    d->sub[VPCI_SUB] = x;
    return 0;
}

void vpci_destroy(struct domain *d)
{
    struct vpci *x = d->sub[VPCI_SUB];

    if (x == NULL) {
        return;
    }
    for (uint32_t i = 0; i < x->nr; i++) {
        pci_quiet(x->function[i].dev);
    }
    d->sub[VPCI_SUB] = NULL;
    mem_free(d->hv, x, vpci_size(x->nr));
}

/* --- The guest's device tree ------------------------------------------------------- */

#define SPACE_MEM 0x02000000 /* IEEE 1275 PCI 2.2.1.1: 32-bit memory */
#define SPACE_MEM64 0x43000000 /* 64-bit, prefetchable */

static uint32_t put_range(uint32_t *cells, uint32_t space, gpa_t base, uint64_t size)
{
    uint32_t hi = (uint32_t)(base.a >> 32), lo = (uint32_t)base.a;
    const uint32_t range[] = { space, hi, lo, hi, lo, (uint32_t)(size >> 32), (uint32_t)size };

    if (size == 0) {
        return 0;
    }
    memcpy(cells, range, sizeof(range));
    return ARRAY_SIZE(range);
}

static void write_ranges(struct fdt_writer *w)
{
    const struct guest_layout *layout = arch_guest_layout();
    uint32_t cells[2 * 7] = { 0 };
    uint32_t nr = put_range(cells, SPACE_MEM, layout->pci_mem_base, layout->pci_mem_size);

    nr += put_range(cells + nr, SPACE_MEM64, layout->pci_mem64_base, layout->pci_mem64_size);
    fdt_write_prop_cells(w, "ranges", cells, nr);
}

/* Each device has its own entry: nothing is to be said of those that are not there. */
static void write_interrupts(const struct vpci *x, struct fdt_writer *w)
{
    static const uint32_t mask[] = { 0xf800, 0, 0, 7 };
    uint32_t map[VPCI_DEVICES_MAX * 9], nr = 0;

    for (uint32_t i = 0; i < x->nr; i++) {
        const struct function *f = &x->function[i];

        if (f->virq == 0) {
            continue;
        }
        map[nr++] = (i + 1) << 11;
        map[nr++] = 0;
        map[nr++] = 0;
        map[nr++] = f->dev->pin;
        map[nr++] = GUEST_PHANDLE_INTC;
        nr += arch_guest_irq_cells(x->domain, f->virq, false, map + nr);
    }
    fdt_write_prop_u32(w, "#interrupt-cells", 1);
    fdt_write_prop_cells(w, "interrupt-map-mask", mask, ARRAY_SIZE(mask));
    fdt_write_prop_cells(w, "interrupt-map", map, nr);
}

void vpci_guest_fdt(struct domain *d, struct fdt_writer *w)
{
    static const uint32_t buses[] = { 0, 0 };
    const struct vpci *x = d->sub[VPCI_SUB];
    gpa_t ecam = arch_guest_layout()->pci_ecam_base;
    const uint64_t reg[] = { ecam.a, ECAM_SIZE };

    if (x == NULL) {
        return;
    }
    fdt_write_begin_unit(w, "pcie", ecam.a);
    fdt_write_prop_string(w, "compatible", "pci-host-ecam-generic");
    fdt_write_prop_string(w, "device_type", "pci");
    fdt_write_prop_u32(w, "#address-cells", 3);
    fdt_write_prop_u32(w, "#size-cells", 2);
    fdt_write_prop_u64s(w, "reg", reg, ARRAY_SIZE(reg));
    fdt_write_prop_cells(w, "bus-range", buses, ARRAY_SIZE(buses));
    if (x->nr != 0 && x->function[0].dev->pci->coherent) {
        fdt_write_prop_empty(w, "dma-coherent");
    }
    write_ranges(w);
    write_interrupts(x, w);
    fdt_write_end_node(w);
}
