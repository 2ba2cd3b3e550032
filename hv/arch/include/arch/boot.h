/* SPDX-License-Identifier: MIT */
/* Contract: the architecture's phases of the boot, in the order core/start.c calls them. */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <loam/types.h>

struct fdt;
struct hv;
struct pcpu;

/*
 * Writes text on the UART that the build names for this board, if it names one: a panic
 * before the tree told of any. Context: boot CPU, no lock held.
 */
void arch_early_print(struct hv *hv, const char *text);
/*
 * Finds the CPU's abilities and sets hv->vmids up (loam/vmid.h); refuses a machine that cannot
 * run guests with a log line.
 */
int __must_check arch_cpu_probe(struct hv *hv, const struct fdt *host);
/* Host interrupt controller, timer, firmware: from the device tree. Frames and mem work. */
int __must_check arch_platform_init(struct hv *hv, const struct fdt *host);
/* This CPU's share of it; also on secondary CPUs. */
int __must_check arch_pcpu_init(struct pcpu *p);
/*
 * Finds the machine's IOMMUs, lets nothing pass them, and registers them (loam/iommu.h).
 * One that cannot be driven is said, and guards nobody. Boot CPU, interrupts can be
 * requested. Errors: -XEN_ENOMEM.
 */
int __must_check arch_iommu_init(struct hv *hv, const struct fdt *host);
/* The ELF note with the image's build id, *size 0: it has none. Constant. */
const void *arch_image_note(size_t *size);
/* Name and a word on the CPU, GIC, address widths for the boot log. */
void arch_describe(const struct hv *hv, char *buf, size_t size);
/*
 * Ranges of the host's address space that no domain may be given (controllers).
 * Index from 0; false: no more.
 */
bool arch_private_range(const struct hv *hv, uint32_t i, hpa_t *start, uint64_t *size);

#endif
