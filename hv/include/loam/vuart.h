/* SPDX-License-Identifier: MIT */
/*
 * The UART a domain sees: which device is emulated is the architecture's
 * choice by name (arch_guest_layout()->uart); pl011 is in vdev/vpl011.c.
 */
#ifndef LOAM_VUART_H
#define LOAM_VUART_H

#include <loam/types.h>

struct domain;

/*
 * Gives d a PL011 (Arm DDI 0183) at base, level-triggered interrupt virq,
 * connected to the host console under d's name. Errors: -XEN_ENOMEM, mmio_register()'s.
 */
int __must_check vpl011_create(struct domain *d, gpa_t base, uint32_t virq);
void vpl011_destroy(struct domain *d);

#endif
