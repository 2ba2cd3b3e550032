/* SPDX-License-Identifier: MIT */
/*
 * The services a domain has, in the order they are set up; taken apart in the
 * reverse order. A service keeps its state in d->sub[its index] or in a member of its own.
 */
#include "subsystems.h"

#include <loam/console.h>
#include <loam/domain.h>
#include <loam/gnttab.h>
#include <loam/evtchn.h>
#include <loam/iommu.h>
#include <loam/irq.h>
#include <loam/memory.h>
#include <loam/rights.h>
#include <loam/vpci.h>
#include <loam/vuart.h>
#include <loam/watchdog.h>
#include <xen/errno.h>

static int vuart_close(struct domain *d)
{
    vuart_destroy(d);
    return 0;
}

/* Interrupts of passed-through devices: assigned by boot/passthrough.c, all taken back here. */
static int irq_close(struct domain *d)
{
    irq_release_domain(d);
    return 0;
}

static int iommu_close(struct domain *d)
{
    iommu_detach_all(d);
    return 0;
}

static int vpci_close(struct domain *d)
{
    vpci_destroy(d);
    return 0;
}

static const struct subsystem subsystems[] = {
    { "memory", memory_init, memory_close, NULL }, /* closed last: devices are off */
    /* Closed after the iommu: no device of a dying domain still writes what others granted. */
    { "gnttab", gnttab_init, gnttab_close, gnttab_free },
    { "evtchn", evtchn_init, evtchn_close, evtchn_free },
    { "watchdog", NULL, watchdog_close, watchdog_free },
    { "console", console_input_init, console_input_close, console_input_free },
    { "vuart", NULL, vuart_close, NULL },
    { "irq", NULL, irq_close, NULL },
    { "rights", NULL, NULL, rights_free },
    { "iommu", NULL, iommu_close, NULL },
    { "vpci", NULL, vpci_close, NULL },
};

int subsystems_init(struct domain *d)
{
    for (size_t i = 0; i < ARRAY_SIZE(subsystems); i++) {
        int rc = subsystems[i].init != NULL ? subsystems[i].init(d) : 0;

        if (rc != 0) {
            /* Those that are prepared may hold things that close() gives back. */
            while (subsystems_close(d) != 0) {
            }
            subsystems_free(d);
            return rc;
        }
    }
    return 0;
}

int subsystems_close(struct domain *d)
{
    for (size_t i = ARRAY_SIZE(subsystems); i-- > 0;) {
        if (subsystems[i].close != NULL && subsystems[i].close(d) != 0) {
            return -XEN_EAGAIN;
        }
    }
    return 0;
}

void subsystems_free(struct domain *d)
{
    for (size_t i = ARRAY_SIZE(subsystems); i-- > 0;) {
        if (subsystems[i].free != NULL) {
            subsystems[i].free(d);
        }
    }
}
