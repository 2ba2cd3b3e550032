/* SPDX-License-Identifier: MIT */
/*
 * Which devices of the machine a domain may have, beside those that it was built with: pages of
 * their registers, and interrupts (domctl iomem_permission, irq_permission). A control domain
 * begins with those that the host's tree keeps from it, to give them to others.
 *
 * A right is no mapping and no route: it says that one may be made (ctl/domctl_device.c), and
 * what was made stays when the right is taken away.
 */
#ifndef LOAM_RIGHTS_H
#define LOAM_RIGHTS_H

#include <loam/types.h>

struct domain;

/*
 * d may, or may not, have the pages [m, m + pages), which do not wrap. Locks: d->lock. Errors,
 * nothing changed: -XEN_ENOMEM, also: more ranges than one domain's rights can be in.
 */
int __must_check rights_set_pages(struct domain *d, mfn_t m, uint64_t pages, bool allow);
/* d may have all of them. Locks: d->lock. */
bool rights_has_pages(struct domain *d, mfn_t m, uint64_t pages);

/* The same for a host interrupt below arch_irq_count(), and how it is triggered. */
int __must_check rights_set_irq(struct domain *d, uint32_t irq, bool edge, bool allow);
bool rights_has_irq(struct domain *d, uint32_t irq, bool *edge);

/* For core/subsystems.c. */
void rights_free(struct domain *d);

#endif
