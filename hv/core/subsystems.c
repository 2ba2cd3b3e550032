/* SPDX-License-Identifier: MIT */
/*
 * The services a domain has, in the order they are set up; taken apart in the
 * reverse order. A service keeps its state in d->sub[its index].
 */
#include "subsystems.h"

#include <loam/domain.h>
#include <loam/iommu.h>
#include <loam/irq.h>
#include <loam/vpci.h>
#include <loam/vuart.h>

/* Interrupts of passed-through devices: assigned by boot/passthrough.c, all taken back here. */
static void irq_domain_fini(struct domain *d) { irq_release_domain(d); }

static const struct subsystem subsystems[] = {
    { "vuart", vuart_destroy },
    { "irq", irq_domain_fini },
    { "iommu", iommu_detach_all },
    { "vpci", vpci_destroy },
};

void subsystems_fini(struct domain *d)
{
    for (size_t i = ARRAY_SIZE(subsystems); i-- > 0;) {
        subsystems[i].fini(d);
    }
}
