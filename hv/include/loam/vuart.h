/* SPDX-License-Identifier: MIT */
/* The UART that a domain sees: an emulated PL011 on the host console (vdev/vpl011.c). */
#ifndef LOAM_VUART_H
#define LOAM_VUART_H

#include <loam/types.h>

struct domain;

#define VUART_SUB 0 /* index in domain.sub[], its row in core/subsystems.c */

/*
 * Gives d a PL011 (Arm DDI 0183) of one page at base, level-triggered
 * interrupt virq, connected to the host console under d's name. Errors:
 * -XEN_ENOMEM, -XEN_EEXIST d has one, mmio_register()'s.
 */
int __must_check vpl011_create(struct domain *d, gpa_t base, uint32_t virq);
/* Nothing to do is no error. d does not run any more. */
void vpl011_destroy(struct domain *d);

#endif
