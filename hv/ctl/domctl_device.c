/* SPDX-License-Identifier: MIT */
/*
 * domctl: devices of the machine for a running toolstack's domains, as `iomem` and `irqs` in a
 * domain's configuration ask for them (Xen public header domctl.h).
 *
 * A control domain gives what it has: device memory in its own map at the machine's address,
 * interrupts that are routed to it, and what the host's tree keeps from it for others
 * (loam/rights.h). RAM and the hypervisor's own devices are in none of these. To map a page or
 * route an interrupt is a step of its own, after the right to it.
 *
 * A device that is given this way reaches all memory if it does DMA: no IOMMU guards it.
 */
#include <arch/irq.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/refusal.h>
#include <loam/rights.h>
#include <xen/errno.h>

#include "private.h"

#define MAPPED_AT_ONCE 512 /* pages */
#define BLOCKS_LOOKED_AT 1024 /* of the caller's map */
#define LAST_PAGE (UINT64_MAX >> PAGE_SHIFT)

/* [first, first + nr) are pages that there can be, and there is one. */
static int check_range(uint64_t first, uint64_t nr)
{
    if (nr == 0 || first > LAST_PAGE || nr > LAST_PAGE - first + 1) {
        return refuse(-XEN_EINVAL, "no range of pages", first, nr);
    }
    return 0;
}

/* d has all of [m, m + nr), as device memory at this very address or as a right. */
static bool has_pages(struct domain *d, mfn_t m, uint64_t nr)
{
    if (rights_has_pages(d, m, nr)) {
        return true;
    }
    for (uint32_t i = 0; i < BLOCKS_LOOKED_AT; i++) {
        enum p2m_type type = P2M_INVALID;
        uint32_t order = 0;
        mfn_t at = p2m_lookup(d, gfn(m.n), &type, &order);
        uint64_t rest = (UINT64_C(1) << order) - (m.n & ((UINT64_C(1) << order) - 1));

        if (type != P2M_MMIO_DIRECT || !mfn_eq(at, m)) {
            return false;
        }
        if (rest >= nr) {
            return true;
        }
        m = mfn_add(m, rest);
        nr -= rest;
    }
    return false;
}

static int check_caller_has(const struct ctl *c, uint64_t first, uint64_t nr)
{
    if (!has_pages(c->hc->d, mfn(first), nr)) {
        return refuse(-XEN_EPERM, "no device memory of the caller's", first, nr);
    }
    return 0;
}

int domctl_op_iomem_permission(struct ctl *c, void *arg)
{
    const struct xen_domctl_iomem_permission *a = arg;
    int rc = check_range(a->first_mfn, a->nr_mfns);

    if (rc == 0) {
        rc = check_caller_has(c, a->first_mfn, a->nr_mfns);
    }
    if (rc == 0) {
        rc = rights_set_pages(c->d, mfn(a->first_mfn), a->nr_mfns, a->allow_access);
    }
    return rc;
}

static int map_pages(struct domain *d, gfn_t g, mfn_t m, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        if (mmio_find(d, gfn_to_gpa(gfn_add(g, i))) != NULL) {
            return refuse(-XEN_EBUSY, "an emulated device of the domain is there", g.n + i, d->id);
        }
    }
    int rc = p2m_map(d, g, m, nr, P2M_MMIO_DIRECT);

    return rc == 0 ? 0 : refuse(rc, "the domain has something else there", g.n, d->id);
}

static int unmap_pages(struct domain *d, gfn_t g, mfn_t m, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        enum p2m_type type = P2M_INVALID;
        mfn_t at = p2m_lookup(d, gfn_add(g, i), &type, NULL);

        if (type != P2M_MMIO_DIRECT || !mfn_eq(at, mfn_add(m, i))) {
            return refuse(-XEN_ENOENT, "this page of a device is not mapped there", g.n + i, d->id);
        }
    }
    int rc = p2m_unmap(d, g, nr);

    return rc == 0 ? 0 : refuse(rc, "the pages cannot be unmapped", g.n, d->id);
}

int domctl_op_memory_mapping(struct ctl *c, void *arg)
{
    const struct xen_domctl_memory_mapping *a = arg;
    int rc = check_range(a->first_mfn, a->nr_mfns);

    if (rc == 0) {
        rc = check_range(a->first_gfn, a->nr_mfns);
    }
    if (rc != 0) {
        return rc;
    }
    if (a->nr_mfns > MAPPED_AT_ONCE) {
        return refuse_unsaid(-XEN_E2BIG); /* the caller comes again with fewer */
    }
    rc = check_caller_has(c, a->first_mfn, a->nr_mfns);
    if (rc != 0) {
        return rc;
    }
    if (c->d != c->hc->d && !rights_has_pages(c->d, mfn(a->first_mfn), a->nr_mfns)) {
        return refuse(-XEN_EPERM, "the domain may not have this device memory", a->first_mfn,
                      a->nr_mfns);
    }
    switch (a->add_mapping) {
    case DPCI_ADD_MAPPING:
        return map_pages(c->d, gfn(a->first_gfn), mfn(a->first_mfn), a->nr_mfns);
    case DPCI_REMOVE_MAPPING:
        return unmap_pages(c->d, gfn(a->first_gfn), mfn(a->first_mfn), a->nr_mfns);
    default:
        return refuse(-XEN_EINVAL, "neither to map nor to unmap", a->add_mapping, 0);
    }
}

int domctl_op_irq_permission(struct ctl *c, void *arg)
{
    const struct xen_domctl_irq_permission *a = arg;
    struct domain *caller = c->hc->d;
    bool edge = false;

    if (a->pirq >= arch_irq_count(caller->hv)) {
        return refuse(-XEN_EINVAL, "no interrupt of the machine", a->pirq, 0);
    }
    if (!rights_has_irq(caller, a->pirq, &edge) && !irq_is_of(caller, a->pirq)) {
        return refuse(-XEN_EPERM, "no interrupt of the caller's", a->pirq, 0);
    }
    return rights_set_irq(c->d, a->pirq, edge, a->allow_access);
}

/* The interrupt of a device that the tree keeps from the caller: nobody else has one to give. */
static int check_bind(struct ctl *c, const struct xen_domctl_bind_pt_irq *a, bool *edge)
{
    if (a->irq_type != PT_IRQ_TYPE_SPI) {
        return refuse(-XEN_EOPNOTSUPP, "only shared interrupts are given", a->irq_type, 0);
    }
    if (a->machine_irq >= arch_irq_count(c->hc->d->hv) || a->u.spi != a->machine_irq) {
        return refuse(-XEN_EINVAL, "no shared interrupt, or another number in the domain",
                      a->machine_irq, a->u.spi);
    }
    if (irq_is_of(c->hc->d, a->machine_irq)) {
        return refuse(-XEN_EBUSY, "the caller has the device itself", a->machine_irq, 0);
    }
    if (!rights_has_irq(c->hc->d, a->machine_irq, edge)) {
        return refuse(-XEN_EPERM, "no interrupt that the caller may give", a->machine_irq, 0);
    }
    return 0;
}

static int bind(struct domain *d, uint32_t irq, bool edge)
{
    if (d->state == DOMAIN_DYING || d->vcpus[0] == NULL) {
        return refuse(-XEN_EINVAL, "the domain is dying, or has no vCPUs yet", d->id, d->state);
    }
    int rc = irq_assign(d, irq, irq, edge ? IRQ_EDGE : IRQ_LEVEL);

    return rc == 0 ? 0 : refuse(rc, "it is taken, or more than the domain's nr_spis", irq, d->id);
}

int domctl_op_bind_pt_irq(struct ctl *c, void *arg)
{
    const struct xen_domctl_bind_pt_irq *a = arg;
    bool edge;
    int rc = check_bind(c, a, &edge);

    if (rc != 0) {
        return rc;
    }
    /* So that its interrupts are not released before this one is there. */
    if (!domain_hold(c->d)) {
        return hc_again(c->hc);
    }
    rc = bind(c->d, a->machine_irq, edge);
    domain_unhold(c->d);
    return rc;
}

int domctl_op_unbind_pt_irq(struct ctl *c, void *arg)
{
    const struct xen_domctl_bind_pt_irq *a = arg;
    bool edge;
    int rc = check_bind(c, a, &edge);

    if (rc == 0 && !irq_release(c->d, a->machine_irq)) {
        rc = refuse(-XEN_EINVAL, "the domain has not this interrupt", a->machine_irq, c->d->id);
    }
    return rc;
}

int domctl_op_no_iommu(struct ctl *c, void *arg)
{
    return refuse(-XEN_EOPNOTSUPP, "devices are given to domains at boot", c->domain, c->cmd);
}
