/* SPDX-License-Identifier: MIT */
/*
 * PCI devices of a test: configuration spaces in memory, of which the bits in `writable`
 * can be written, so that BARs tell their size as hardware does.
 *
 *   pci_model_reset();
 *   struct model_dev *m = pci_model_add(PCI_DEVFN(1, 0), 0x1af4, 0x1042);
 *   pci_model_bar(m, 4, 0x4000, PCI_BAR_64 | PCI_BAR_PREFETCH);
 *   pci_model_cap(m, PCI_CAP_MSIX, 0x40, 12);
 *   pci_open(hv, &tree, node, &pci_model_access);
 */
#ifndef PCI_MODEL_H
#define PCI_MODEL_H

#include <loam/bits.h>
#include <loam/fdt_write.h>
#include <loam/pci.h>

#include "unit.h"

#define MODEL_DEVS 20
#define PCI_CAP_MSI 0x05
#define PCI_CAP_MSIX 0x11
#define MODEL_MEM UINT64_C(0x50000000) /* windows, on the bus */
#define MODEL_MEM64 UINT64_C(0x400000000)

struct model_dev {
    uint8_t devfn;
    uint8_t config[256], writable[256];
    uint32_t resets; /* function level resets asked for */
    uint32_t writes;
    uint32_t last_cap; /* where the list ends */
    uint32_t express;
};

static struct model_dev model_devs[MODEL_DEVS];
static uint32_t model_nr;
static uint32_t model_reads_beyond; /* accesses that no device has */

static inline void pci_model_reset(void)
{
    memset(model_devs, 0, sizeof(model_devs));
    model_nr = model_reads_beyond = 0;
}

static inline struct model_dev *pci_model_at(uint8_t devfn)
{
    for (uint32_t i = 0; i < model_nr; i++) {
        if (model_devs[i].devfn == devfn) {
            return &model_devs[i];
        }
    }
    return NULL;
}

static inline uint32_t model_read(const struct pci *p, uint8_t devfn, uint32_t reg, uint32_t size)
{
    const struct model_dev *m = pci_model_at(devfn);
    uint32_t value = 0;

    if (m == NULL || reg + size > sizeof(m->config)) {
        model_reads_beyond += m != NULL;
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < size; i++) {
        value |= (uint32_t)m->config[reg + i] << 8 * i;
    }
    return value;
}

static inline void model_write(const struct pci *p, uint8_t devfn, uint32_t reg, uint32_t size,
                               uint32_t value)
{
    struct model_dev *m = pci_model_at(devfn);

    for (uint32_t i = 0; m != NULL && i < size && reg + i < sizeof(m->config); i++) {
        uint8_t mask = m->writable[reg + i], byte = (uint8_t)(value >> 8 * i);

        m->config[reg + i] = (uint8_t)((m->config[reg + i] & ~mask) | (byte & mask));
    }
    if (m != NULL) {
        m->writes++;
        m->resets += m->express != 0 && reg == m->express + 8 && (value & BIT(15));
    }
}

static const struct pci_access pci_model_access = { model_read, model_write };

static inline struct model_dev *pci_model_add(uint8_t devfn, uint16_t vendor, uint16_t device)
{
    struct model_dev *m = &model_devs[model_nr++];

    m->devfn = devfn;
    m->config[0] = (uint8_t)vendor;
    m->config[1] = (uint8_t)(vendor >> 8);
    m->config[2] = (uint8_t)device;
    m->config[3] = (uint8_t)(device >> 8);
    m->config[PCI_CLASS + 3] = 1; /* mass storage */
    m->config[PCI_PIN] = 1;
    m->writable[PCI_COMMAND] = 0x07;
    m->writable[PCI_COMMAND + 1] = 0x05;
    m->config[PCI_COMMAND] = 0x06; /* the firmware used it */
    return m;
}

static inline void pci_model_bar(struct model_dev *m, uint32_t i, uint64_t size, uint32_t flags)
{
    uint32_t reg = PCI_BAR0 + 4 * i;

    put_le32(&m->config[reg], flags);
    put_le32(&m->writable[reg], (uint32_t) ~(size - 1) & ~0xfu);
    if (flags & PCI_BAR_64) {
        put_le32(&m->writable[reg + 4], (uint32_t)(~(size - 1) >> 32));
    }
}

/* Appends a capability of size bytes at `at`, filled with its id. */
static inline void pci_model_cap(struct model_dev *m, uint8_t id, uint8_t at, uint32_t size)
{
    m->config[m->last_cap ? m->last_cap + 1 : PCI_CAPS] = at;
    m->config[PCI_STATUS] = PCI_STATUS_CAPS;
    memset(&m->config[at], id, size);
    m->config[at + 1] = 0;
    if (id == PCI_CAP_VENDOR) {
        m->config[at + 2] = (uint8_t)size;
    }
    if (id == PCI_CAP_EXPRESS) {
        m->express = at;
    }
    m->last_cap = at;
}

/*
 * The host bridge's node, below an interrupt controller of that phandle with 2 cells:
 * pins A and B of device d are interrupts 40 + d and 50 + d; an IOMMU of phandle
 * `iommu` (0: none) has requester id + 0x100.
 */
static inline void pci_model_node(struct fdt_writer *w, uint32_t intc, uint32_t iommu)
{
    static const uint32_t ranges[] = {
        0x01000000, 0,          0,
        0,          0x3000000,  0,
        0x10000, /* ports */
        0x02000000, 0,          (uint32_t)MODEL_MEM,
        0,          0x60000000, 0,
        0x100000,   0x03000000, 4,
        0,          4,          0,
        1,          0,
    };
    static const uint32_t mask[] = { 0xf800, 0, 0, 7 }, buses[] = { 0, 0xff };
    const uint64_t reg[] = { 0x30000000, 0x10000000 };
    uint32_t map[16 * 2 * 7], nr = 0;

    fdt_write_begin_unit(w, "pci", reg[0]);
    fdt_write_prop_string(w, "compatible", "pci-host-ecam-generic");
    fdt_write_prop_u32(w, "#address-cells", 3);
    fdt_write_prop_u32(w, "#size-cells", 2);
    fdt_write_prop_u32(w, "#interrupt-cells", 1);
    fdt_write_prop_u64s(w, "reg", reg, 2);
    fdt_write_prop_cells(w, "ranges", ranges, ARRAY_SIZE(ranges));
    fdt_write_prop_cells(w, "bus-range", buses, 2);
    fdt_write_prop_empty(w, "dma-coherent");
    fdt_write_prop_cells(w, "interrupt-map-mask", mask, 4);
    for (uint32_t i = 0; i < 32; i++) {
        const uint32_t entry[] = {
            (i / 2) << 11, 0, 0, 1 + i % 2, intc, 40 + i / 2 + i % 2 * 10, 0
        };
        memcpy(&map[nr], entry, sizeof(entry));
        nr += ARRAY_SIZE(entry);
    }
    fdt_write_prop_cells(w, "interrupt-map", map, nr);
    if (iommu != 0) {
        const uint32_t ids[] = { 0, iommu, 0x100, 0xffff };
        fdt_write_prop_cells(w, "iommu-map", ids, 4);
    }
    fdt_write_end_node(w);
}

#endif
