/* SPDX-License-Identifier: MIT */
/*
 * The host's interrupt controllers, whichever the machine has (irq.c): the
 * port's own part of the contract <arch/irq.h>, and what plic.c, aplic.c and imsic.c
 * share for reading the device tree.
 */
#ifndef RISCV64_IRQ_H
#define RISCV64_IRQ_H

#include <loam/fdt.h>
#include <loam/types.h>

struct arch_host;
struct hv;
struct intc_region;
struct pcpu;

/*
 * Finds the machine's controllers, all sources masked. arch_host has CPUs and abilities;
 * frames and mem work. Context: boot CPU. Errors, with a log line: -XEN_ENODEV there is none
 * or the tree does not describe it well, -XEN_ENOMEM.
 */
int __must_check irq_init(struct hv *hv, const struct fdt *fdt);

/*
 * p's hart takes external and software interrupts from here on (once they are let
 * through). Context: p itself. Errors: -XEN_ENODEV no controller reaches this hart.
 */
int __must_check irq_init_pcpu(struct pcpu *p);

/*
 * The guest to which irq_deliver() gave irq has ended it: if its line is still active
 * it comes again. Harmless if irq was masked in between. Context: any CPU. Locks: none taken.
 */
void intc_complete(struct hv *hv, uint32_t irq);

/* The controllers' share of arch_private_range(). */
bool irq_private_range(const struct hv *hv, uint32_t i, hpa_t *start, uint64_t *size);

/*
 * Which CPU entry `index` of a controller's interrupts-extended leads to: the index in
 * host->cpu[] if it is the external interrupt of that CPU's S mode, otherwise INTC_NO_CPU
 * (M mode, a hart that is not used). Errors: -XEN_ENOENT past the last entry, -XEN_EINVAL.
 */
#define INTC_NO_CPU UINT32_MAX
int __must_check intc_parent(const struct arch_host *host, const struct fdt *fdt,
                             struct fdt_node node, uint32_t index, uint32_t *cpu);

/*
 * Maps entry `index` of the controller's reg, of at least min_size bytes, and makes it
 * a private range. Errors, with a log line: -XEN_ENODEV, -XEN_ENOMEM.
 */
int __must_check intc_map(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
                          uint32_t index, uint64_t min_size, const struct intc_region **out);

/*
 * A number that the node must have, within [min, max]. Errors, with a log line:
 * -XEN_ENODEV.
 */
int __must_check intc_number(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
                             const char *name, uint32_t min, uint32_t max, uint32_t *out);

#endif
