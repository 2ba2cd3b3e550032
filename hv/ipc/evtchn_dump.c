/* SPDX-License-Identifier: MIT */
/* What a person may want to know of a domain's event channels (debug key e). */
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/log.h>

#include "channels.h"

void evtchn_dump(struct domain *d)
{
    struct evtchn *e = d->evtchn;

    if (e == NULL) {
        log_info(d->hv, "d%u: no event channels", d->id);
        return;
    }
    spin_lock(&e->lock);
    uint32_t used = e->nr_used;
    bool fifo = e->fifo != NULL, closing = e->closing;
    spin_unlock(&e->lock);
    log_info(d->hv, "d%u: %u event channels, %s, the largest may be %u%s", d->id, used,
             fifo ? "FIFO" : "2-level", e->port_max, closing ? ", closing" : "");
}
