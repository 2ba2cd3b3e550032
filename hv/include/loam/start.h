/* SPDX-License-Identifier: MIT */
/*
 * The boot as a checklist: what the architecture gives and in which order the
 * neutral phases run (core/start.c).
 */
#ifndef LOAM_START_H
#define LOAM_START_H

#include <loam/fdt.h>
#include <loam/types.h>

struct hv;
struct pcpu;

/* What the architecture knows when it calls hv_start(). */
struct boot_info {
    const void *fdt; /* host device tree, mapped; size not yet validated */
    size_t fdt_size_max; /* bytes mapped there */
    hpa_t fdt_addr;
    hpa_t image_start; /* the hypervisor's own image, page aligned */
    hpa_t image_end;
};

/*
 * Boots the neutral part on the boot CPU and never returns: it ends in the
 * run loop. Context: own page tables, stack, exception vectors set;
 * interrupts masked; p->arch set and this_pcpu() works.
 */
__noreturn void hv_start(struct hv *hv, struct pcpu *boot_cpu, const struct boot_info *info);

/* A secondary CPU joins: never returns. Same context. */
__noreturn void hv_start_secondary(struct pcpu *p);

/* How the machine ends. */
enum hv_end {
    HV_OFF,
    HV_RESET,
    HV_HALT, /* nothing runs any more; what is on the console stays */
};

/* Stops everything and ends the machine so. Context: any CPU. */
__noreturn void hv_end(struct hv *hv, enum hv_end end);
/* Says it and does HV_OFF. */
__noreturn void hv_power_off(struct hv *hv);

#endif
