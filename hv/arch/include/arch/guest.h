/* SPDX-License-Identifier: MIT */
/*
 * Contract: what a guest that boot builds looks like: address map, kernel format,
 * and the nodes of its device tree that only the architecture knows.
 */
#ifndef ARCH_GUEST_H
#define ARCH_GUEST_H

#include <loam/types.h>

struct domain;
struct fdt;
struct fdt_interrupt;
struct fdt_node;
struct fdt_writer;
struct hv;
struct vcpu;

/* Where things are in a guest that is not direct-mapped. */
struct guest_layout {
    gpa_t ram_base[2];
    uint64_t ram_size[2]; /* most that fits there */
    uint8_t uart_kind; /* enum vuart_kind */
    gpa_t uart_base;
    uint32_t uart_virq;
    uint32_t virq_base; /* first number of shared interrupts */
    gpa_t grant_base; /* window for grant frames, /hypervisor reg 0 */
    uint64_t grant_size;
    gpa_t pci_ecam_base; /* bus of passed-through PCI devices: 1 MiB of registers, */
    gpa_t pci_mem_base; /* window below 4 GiB for their memory, size 0: no such bus, */
    uint64_t pci_mem_size;
    gpa_t pci_mem64_base; /* and one above it, size 0: none */
    uint64_t pci_mem64_size;
    uint32_t fdt_vcpu_size; /* bytes that its node takes in the device tree, at most */
    uint32_t vcpu_shared_size; /* bytes of the guest's RAM kept for each vCPU, 64-byte aligned */
};
const struct guest_layout *arch_guest_layout(void);

/*
 * Looks at the first bytes of a kernel module (at least 64). Fills where it
 * wants to be: offset from a base aligned to `align`, and how much memory it
 * takes from there (>= size). Errors: -XEN_ENOEXEC it is not a kernel image of
 * this architecture, *why then says what is wrong, in words.
 */
struct kernel_image {
    uint64_t offset, align, memory;
};
int __must_check arch_kernel_probe(const void *head, uint64_t size, struct kernel_image *out,
                                   const char **why);

/* How other nodes of a guest's tree name its interrupt controller, and count on it (spec 2.4.3). */
struct guest_intc {
    uint32_t phandle;
    uint32_t address_cells;
};
#define GUEST_PHANDLE_INTC 0xfde8
#define GUEST_INTC ((struct guest_intc){ GUEST_PHANDLE_INTC, 0 })

/*
 * Writes cpus, firmware, timer and interrupt controller nodes of d into the
 * root of its tree, each reg by fdt_write_prop_reg(); sets the root's interrupt-parent.
 * phandles from GUEST_PHANDLE_ARCH up are the architecture's.
 */
void arch_guest_fdt(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc);

/*
 * What the control domain is not shown of the host's tree: what arch_guest_fdt() writes in its
 * place, and what the hypervisor keeps (controllers, firmware, timers, IOMMUs, counters).
 */
bool arch_host_keeps_node(const struct hv *hv, const struct fdt *host, struct fdt_node node);
/* The host's controller of the interrupts that domains can have. False: there is none. */
bool arch_host_intc(const struct hv *hv, const struct fdt *host, struct fdt_node *out);

/* Cells of an "interrupts" property for a shared interrupt of d. Returns their number. */
uint32_t arch_guest_irq_cells(const struct domain *d, uint32_t virq, bool edge, uint32_t cells[4]);
/*
 * Cells of the interrupt that tells an enhanced domain of events, private to
 * each vCPU (/hypervisor interrupts); the control domain has another than the rest.
 * Returns their number, 0: there is none.
 */
uint32_t arch_guest_event_irq_cells(bool control, uint32_t cells[4]);
/*
 * The number of an interrupt that the host's tree describes. Errors: -XEN_EINVAL it is not
 * the controller's, or none that a domain can have.
 */
int __must_check arch_host_irq_of(const struct hv *hv, const struct fdt *host,
                                  const struct fdt_interrupt *in, uint32_t *irq, bool *edge);

/* Creates the interrupt controller of d at the layout's place, or at the host's for direct_map. */
int __must_check arch_vintc_create(struct domain *d);

/*
 * Level of a shared interrupt line / a pulse on it. Any CPU, any time d's
 * reference is held. An unknown virq is ignored.
 */
void arch_vintc_set_level(struct domain *d, uint32_t virq, bool level);
void arch_vintc_pulse(struct domain *d, uint32_t virq);
/*
 * An edge of the interrupt that tells v of events, the one of arch_guest_event_irq_cells(). Wakes v
 * if it waits. Any CPU; v's domain has a reference, or v was found in this pass of the run loop.
 */
void arch_vintc_event(struct vcpu *v);
/*
 * Ties virq to a host interrupt, so that the guest's deactivation ends it.
 * Errors: -XEN_EINVAL no such virq, -XEN_EBUSY tied.
 */
int __must_check arch_vintc_assign(struct domain *d, uint32_t virq, uint32_t irq, bool edge);
void arch_vintc_unassign(struct domain *d, uint32_t virq);
/* A tied host interrupt came: it is active at the host until the guest ends it. */
void arch_vintc_host_irq(struct domain *d, uint32_t virq);

#endif
