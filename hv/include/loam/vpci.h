/* SPDX-License-Identifier: MIT */
/*
 * The PCI bus that a domain sees: a generic host bridge (binding host-generic-pci) with
 * the devices of the host that are the domain's, and nothing else (vdev/vpci.c).
 */
#ifndef LOAM_VPCI_H
#define LOAM_VPCI_H

#include <loam/types.h>

struct domain;
struct fdt_writer;
struct pci_dev;

#define VPCI_SUB 3 /* index in domain.sub[], its row in core/subsystems.c */
#define VPCI_DEVICES_MAX 16

struct vpci_device {
    struct pci_dev *dev; /* prepared (pci_prepare()) */
    uint32_t virq; /* level-triggered, 0: none */
};

/*
 * Gives d a bus where device list[i] is 00:(i + 1).0, in the places of the architecture's
 * layout. Context: before d runs. Errors: -XEN_EOPNOTSUPP the layout has no place for PCI,
 * -XEN_EEXIST d has a bus, or RAM or a device at the bridge's registers, -XEN_EINVAL more
 * than VPCI_DEVICES_MAX, -XEN_ENOMEM, mmio_register()'s.
 */
int __must_check vpci_create(struct domain *d, const struct vpci_device *list, uint32_t nr);
/* Makes the devices quiet. Nothing to do is no error. d does not run any more. */
void vpci_destroy(struct domain *d);

/* Writes the bridge's node, if d has one. Its size is at most VPCI_FDT_SIZE. */
void vpci_guest_fdt(struct domain *d, struct fdt_writer *w);
#define VPCI_FDT_SIZE (1024 + VPCI_DEVICES_MAX * 48)

#endif
