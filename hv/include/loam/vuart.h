/* SPDX-License-Identifier: MIT */
/*
 * The UART that a domain sees, emulated on the host console (vdev/vuart.c).
 * Which kind a boot-time domain gets is in its architecture's layout.
 */
#ifndef LOAM_VUART_H
#define LOAM_VUART_H

#include <loam/types.h>

struct domain;

#define VUART_SUB 0 /* index in domain.sub[], its row in core/subsystems.c */

enum vuart_kind {
    VUART_PL011,   /* Arm DDI 0183; vdev/vpl011.c */
    VUART_NS16550, /* TI PC16550D, registers one byte apart; vdev/vns16550.c */
};

/* Bytes of guest addresses that each takes. */
#define VUART_PL011_SIZE PAGE_SIZE
#define VUART_NS16550_SIZE UINT64_C(0x100)

/*
 * Gives d a UART of that kind at base, level-triggered interrupt virq,
 * connected to the host console under d's name. Context: before d runs. Errors:
 * -XEN_ENOMEM, -XEN_EEXIST d has one, mmio_register()'s.
 */
int __must_check vuart_create(struct domain *d, enum vuart_kind kind, gpa_t base, uint32_t virq);
/* Nothing to do is no error. d does not run any more. */
void vuart_destroy(struct domain *d);

#endif
