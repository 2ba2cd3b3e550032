/* SPDX-License-Identifier: MIT */
/*
 * Host interrupts: who gets which. A number belongs to the hypervisor (a
 * handler) or to one domain (passed through under a guest's own number).
 */
#ifndef LOAM_IRQ_H
#define LOAM_IRQ_H

#include <arch/guest.h>
#include <loam/fdt.h>
#include <loam/types.h>
#include <xen/errno.h>

struct domain;
struct hv;
struct pcpu;

enum irq_trigger { IRQ_LEVEL, IRQ_EDGE };

/*
 * The number of interrupt i of a node of the host's tree. Errors: -XEN_ENOENT no more, -XEN_EINVAL
 * malformed, not the controller's, or none that a domain can have.
 */
static inline int __must_check irq_of_node(const struct hv *hv, const struct fdt *host,
                                           struct fdt_node node, uint32_t i, uint32_t *irq,
                                           bool *edge)
{
    struct fdt_interrupt in;
    int rc = fdt_interrupt(host, node, i, &in);

    if (rc != 0) {
        return rc == -XEN_ENOENT ? rc : -XEN_EINVAL;
    }
    return arch_host_irq_of(hv, host, &in, irq, edge);
}

/* Errors: -XEN_ENOMEM. nr: interrupts of the host controller. */
int __must_check irq_table_init(struct hv *hv, uint32_t nr);

/*
 * Gives irq to the hypervisor; fn only acknowledges its device and raises
 * work. Errors: -XEN_EINVAL no such interrupt, -XEN_EBUSY taken.
 */
int __must_check irq_request(struct hv *hv, uint32_t irq, enum irq_trigger trigger,
                             void (*fn)(struct hv *hv, struct pcpu *p));

/* Gives irq to d as its virtual interrupt virq. Errors: as irq_request, -XEN_EINVAL virq. */
int __must_check irq_assign(struct domain *d, uint32_t irq, uint32_t virq,
                            enum irq_trigger trigger);
/* irq is d's; of a d that is dying, or while it changes, nobody's word for long. */
bool irq_is_of(const struct domain *d, uint32_t irq);
/*
 * Takes irq back from d, masked and inactive at the controller; false: it was not d's. One that is
 * being delivered at that moment is lost in the domain, which has a reference.
 */
bool irq_release(struct domain *d, uint32_t irq);
/* Takes every interrupt of d back, masked and inactive at the controller. */
void irq_release_domain(struct domain *d);

/*
 * The architecture acknowledged irq. Returns true when it went to a guest
 * (whose deactivation ends it), false when it is over (the caller deactivates it).
 */
bool irq_deliver(struct pcpu *p, uint32_t irq);

#endif
