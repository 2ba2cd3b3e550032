/* SPDX-License-Identifier: MIT */
/*
 * PCI devices of the host, for passing them through: found on the root bus of each
 * generic host bridge (binding host-generic-pci, "pci-host-ecam-generic"), kept quiet
 * until a domain has them. The hypervisor drives none itself. What a guest sees
 * of one is vdev/vpci.c; what its DMA may reach is core/iommu.c.
 *
 * All is written while the plan is made, on the boot CPU; later only `used` and
 * `ready_at` of a device change, by the job that builds or takes apart its domain.
 */
#ifndef LOAM_PCI_H
#define LOAM_PCI_H

#include <loam/fdt.h>
#include <loam/list.h>
#include <loam/types.h>

struct hv;
struct pci;

/* Configuration space (PCI Local Bus 3.0 ch. 6; PCI Express 5.0 ch. 7): what we use. */
#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY BIT(1)
#define PCI_COMMAND_MASTER BIT(2)
#define PCI_COMMAND_INTX_OFF BIT(10)
#define PCI_STATUS 0x06
#define PCI_STATUS_INTX BIT(3)
#define PCI_STATUS_CAPS BIT(4)
#define PCI_CLASS 0x08
#define PCI_HEADER 0x0e
#define PCI_HEADER_MULTI BIT(7)
#define PCI_BAR0 0x10
#define PCI_BARS 6
#define PCI_BAR_IO BIT(0)
#define PCI_BAR_64 BIT(2)
#define PCI_BAR_PREFETCH BIT(3)
#define PCI_ROM 0x30
#define PCI_CAPS 0x34
#define PCI_PIN 0x3d
#define PCI_CAP_PM 0x01
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_AF 0x13 /* Advanced Features: a reset without PCI Express */

#define PCI_DEVFN(device, function) ((uint8_t)((device) << 3 | (function)))

/* How to reach the configuration space; sizes are 1, 2 and 4 bytes. */
struct pci_access {
    uint32_t (*read)(const struct pci *p, uint8_t devfn, uint32_t reg, uint32_t size);
    void (*write)(const struct pci *p, uint8_t devfn, uint32_t reg, uint32_t size, uint32_t value);
};

/* Memory that a host bridge forwards. Only 32-bit addresses, unless is_64. */
struct pci_window {
    uint64_t pci, cpu, size; /* address on the bus, address of the machine */
    uint64_t used; /* bytes handed out, from the start */
    bool is_64, prefetch;
};
#define PCI_WINDOWS_MAX 8

/* A memory range of a device, in pages of its own. size 0: there is none. */
struct pci_bar {
    hpa_t cpu;
    uint64_t pci;
    uint64_t size; /* at least a page */
    bool is_64, prefetch;
};

struct pci_dev {
    struct list_node link; /* in pci->devices */
    struct pci *pci;
    uint8_t devfn;
    uint8_t pin; /* of its interrupt, 1 to 4; 0: none */
    uint8_t flr_reg; /* where a function level reset is asked for, 0: it has none */
    bool flr_af; /* that register is of the Advanced Features */
    bool assigned; /* its BARs have addresses */
    bool used; /* since it was last reset */
    uint16_t rid; /* requester id */
    char name[16]; /* "0000:00:01.0" */
    const char *owner; /* name of the domain it is planned for, NULL: none */
    ns_t ready_at; /* a reset is over then */
    struct pci_bar bar[PCI_BARS];
};

/* A host bridge. */
struct pci {
    struct hv *hv;
    struct pci *next;
    const struct pci_access *access;
    uintptr_t ecam; /* mapped: its first bus */
    hpa_t ecam_at; /* of all its buses */
    uint64_t ecam_size;
    struct fdt_node node; /* in the host's tree */
    uint32_t segment; /* linux,pci-domain */
    uint8_t bus; /* the root bus */
    bool coherent; /* its DMA sees the caches (dma-coherent) */
    uint32_t nr_windows;
    struct pci_window window[PCI_WINDOWS_MAX];
    struct list devices;
};

/*
 * Opens all host bridges of the tree, if that has not been done, and finds their devices;
 * each is made quiet: it does not answer, interrupt or reach memory. A bridge
 * that cannot be used is said and left out. Context: boot CPU. Errors: -XEN_ENOMEM.
 */
int __must_check pci_probe(struct hv *hv, const struct fdt *host);
/* The same for one host bridge; access NULL: its ECAM. Errors: also -XEN_ENODEV, said. */
int __must_check pci_open(struct hv *hv, const struct fdt *host, struct fdt_node node,
                          const struct pci_access *access);
/* Forgets all (host tests). */
void pci_close_all(struct hv *hv);

/* The device of that address, NULL: none was found there. */
struct pci_dev *pci_find(const struct hv *hv, uint32_t segment, uint32_t bus, uint8_t devfn);

/* Gives dev's BARs addresses. Idempotent. Errors: -XEN_ENOSPC the windows have no room. */
int __must_check pci_assign(struct pci_dev *dev);

/*
 * The host interrupt of dev's pin. Errors: -XEN_ENOENT it has no pin, or the tree does
 * not route it; -XEN_EINVAL the route leads to no interrupt that a domain can have.
 */
int __must_check pci_interrupt(const struct pci_dev *dev, const struct fdt *host, uint32_t *irq,
                               bool *edge);

/*
 * Makes dev, whose BARs are assigned, fit for a domain: reset if it was used and can
 * be, BARs programmed, everything off. Errors: -XEN_EAGAIN it is still being reset.
 */
int __must_check pci_prepare(struct pci_dev *dev);
/* dev stops all that it does, and is reset, if it can be. */
void pci_quiet(struct pci_dev *dev);

static inline uint32_t pci_read(const struct pci_dev *dev, uint32_t reg, uint32_t size)
{
    return dev->pci->access->read(dev->pci, dev->devfn, reg, size);
}

static inline void pci_write(const struct pci_dev *dev, uint32_t reg, uint32_t size, uint32_t value)
{
    dev->pci->access->write(dev->pci, dev->devfn, reg, size, value);
}

/*
 * The next capability after the one at `at`, 0 to begin: its place, 0 at the end. The
 * list is the device's: callers count, because it may lead in a circle.
 */
uint32_t pci_next_cap(const struct pci_dev *dev, uint32_t at);
#define PCI_CAPS_MAX 48

#endif
