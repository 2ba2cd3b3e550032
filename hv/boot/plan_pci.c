/* SPDX-License-Identifier: MIT */
/*
 * PCI devices of the host for a domain: the property loam,pci.
 *
 * When the plan is made each device gets its one owner, addresses, its interrupt line
 * and its stream at the IOMMU, or the domain is refused with the reason. When the domain
 * is built, each time, its devices are reset, attached to its memory, and put on
 * a bus of its own (vdev/vpci.c); its end takes that apart (core/subsystems.c).
 *
 * Lines are shared by devices of one domain only: who has a line can hold it.
 */
#include <xen/errno.h>

#include <loam/bitmap.h>
#include <loam/iommu.h>
#include <loam/irq.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pci.h>
#include <loam/string.h>
#include <loam/vpci.h>

#include <arch/guest.h>

#include "private.h"

#define PROP "loam,pci"
#define PROP_FORCE "xen,force-assign-without-iommu"

/* A hexadecimal number of at most `digits` digits; NULL: there is none. */
static const char *hex_parse(const char *s, uint32_t digits, uint32_t *out)
{
    uint32_t n = 0;
    *out = 0;
    for (; n < digits; n++, s++) {
        uint32_t digit = *s >= '0' && *s <= '9'   ? (uint32_t)(*s - '0')
                         : *s >= 'a' && *s <= 'f' ? (uint32_t)(*s - 'a' + 10)
                         : *s >= 'A' && *s <= 'F' ? (uint32_t)(*s - 'A' + 10)
                                                  : 16;
        if (digit == 16) {
            break;
        }
        *out = *out << 4 | digit;
    }
    return n ? s : NULL;
}

/* "0000:00:01.0", or without the segment, as in xl's pci=. */
static bool address_parse(const char *text, uint32_t part[4])
{
    bool segment = strchr(text, ':') != NULL && strchr(strchr(text, ':') + 1, ':') != NULL;
    static const uint8_t digits[] = { 4, 2, 2, 1 };
    static const char after[] = { ':', ':', '.', '\0' };
    part[0] = 0;
    for (uint32_t i = segment ? 0 : 1; i < 4; i++) {
        text = hex_parse(text, digits[i], &part[i]);
        if (!text || *text++ != after[i]) {
            return false;
        }
    }
    return part[2] < 32 && part[3] < 8;
}

/* Whose the interrupt line is, NULL: not in the plan. Also among the devices of pd so far. */
static const struct plan_domain *line_owner(const struct plan_domain *pd, uint32_t irq)
{
    const struct plan_domain *other = pd;
    for (uint32_t i = 0; i < pd->nr_pci; i++) {
        if (pd->pci[i].irq == irq) {
            return pd;
        }
    }
    list_for_each_entry(&pd->hv->plan->domains, other, link)
    {
        for (uint32_t i = 0; i < other->nr_pci; i++) {
            if (other->pci[i].irq == irq) {
                return other;
            }
        }
        for (uint32_t i = 0; other->devices && i < other->devices->nr_irqs; i++) {
            if (other->devices->irq[i].irq == irq) {
                return other;
            }
        }
    }
    return NULL;
}

static int line_read(struct plan_domain *pd, struct plan_pci *x)
{
    struct plan *plan = pd->hv->plan;
    const struct guest_layout *layout = arch_guest_layout();
    uint32_t irq;
    bool edge;
    int rc = pci_interrupt(x->dev, &plan->host, &irq, &edge);
    if (rc == -XEN_ENOENT) {
        return 0; /* it does without */
    }
    if (rc || edge || irq == 0 || irq < layout->virq_base || irq >= plan->nr_irqs ||
        irq - layout->virq_base >= PLAN_SPIS_MAX) {
        return plan_warn(pd, NULL, PROP, "%s: interrupt-map leads to no line of this machine",
                         x->dev->name);
    }
    if (pd->vuart && irq == layout->uart_virq) {
        return plan_warn(pd, NULL, PROP, "%s: its interrupt %u is the one of the domain's vpl011",
                         x->dev->name, irq);
    }
    const struct plan_domain *owner = line_owner(pd, irq);
    if (owner != pd && bitmap_test(plan->irqs, irq)) {
        return plan_warn(pd, NULL, PROP, "%s: its interrupt line %u is shared with a device of %s",
                         x->dev->name, irq, owner ? owner->config.name : "this domain");
    }
    bitmap_set(plan->irqs, irq);
    x->irq = irq;
    return 0;
}

static int guard_read(struct plan_domain *pd, struct plan_pci *x)
{
    const struct plan *plan = pd->hv->plan;
    const struct pci *bridge = x->dev->pci;
    x->guarded = iommu_find_pci(pd->hv, &plan->host, bridge->node, x->dev->rid, &x->stream) == 0;
    if (x->guarded) {
        return 0;
    }
    if (!fdt_has_prop(&plan->host, pd->node, PROP_FORCE)) {
        return plan_warn(pd, NULL, PROP, "%s: no IOMMU guards the device", x->dev->name);
    }
    if (!pd->config.direct_map) {
        return plan_warn(pd, NULL, PROP,
                         "%s: no IOMMU guards the device: the domain needs "
                         "direct-map",
                         x->dev->name);
    }
    log_info(pd->hv, "%s: %s can reach all memory: no IOMMU guards it", pd->config.name,
             x->dev->name);
    return 0;
}

static int memory_read(struct plan_domain *pd, const struct pci_dev *dev)
{
    const struct plan *plan = pd->hv->plan;
    for (uint32_t i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &dev->bar[i];
        if (bar->size && claims_touch_ram(plan, (struct plan_range){ bar->cpu.a, bar->size })) {
            return plan_warn(pd, NULL, PROP, "%s: its memory at %#lx is RAM", dev->name,
                             bar->cpu.a);
        }
    }
    return 0;
}

static int device_check(struct plan_domain *pd, const struct pci_dev *dev)
{
    const struct pci *bridge = dev->pci;
    const struct plan_claim *claim =
        claims_find(pd->hv->plan, (struct plan_range){ bridge->ecam_at.a, bridge->ecam_size });
    if (claim) {
        return plan_warn(pd, NULL, PROP, "%s: its host bridge is given to %s", dev->name,
                         claim->owner->config.name);
    }
    if (dev->owner) {
        return plan_warn(pd, NULL, PROP, "%s is given to %s", dev->name, dev->owner);
    }
    return 0;
}

static int device_read(struct plan_domain *pd, const char *text)
{
    uint32_t part[4];
    if (!address_parse(text, part)) {
        return plan_warn(pd, NULL, PROP, "\"%s\" is no address as 0000:00:01.0", text);
    }
    struct pci_dev *dev = pci_find(pd->hv, part[0], part[1], PCI_DEVFN(part[2], part[3]));
    if (!dev) {
        return plan_warn(pd, NULL, PROP, "there is no device %s on a root bus that is known", text);
    }
    int rc = device_check(pd, dev);
    if (rc) {
        return rc;
    }
    void *table = pd->pci;
    rc = plan_grow(pd->hv, &table, pd->nr_pci, &pd->pci_max, sizeof(*pd->pci));
    pd->pci = table;
    if (rc) {
        return rc;
    }
    struct plan_pci *x = &pd->pci[pd->nr_pci];
    *x = (struct plan_pci){ .dev = dev };
    if (pci_assign(dev)) {
        return plan_warn(pd, NULL, PROP, "%s: the bridge's windows have no room for its memory",
                         dev->name);
    }
    rc = memory_read(pd, dev);
    if (rc == 0) {
        rc = guard_read(pd, x);
    }
    if (rc == 0) {
        rc = line_read(pd, x);
    }
    if (rc == 0) {
        dev->owner = pd->config.name;
        pd->nr_pci++;
    }
    return rc;
}

int plan_pci_read(struct plan_domain *pd)
{
    const struct fdt *host = &pd->hv->plan->host;
    const char *text;
    if (!fdt_has_prop(host, pd->node, PROP)) {
        return 0;
    }
    if (!fdt_string(host, pd->node, PROP)) {
        return plan_warn(pd, NULL, PROP, "must be a list of addresses as \"0000:00:01.0\"");
    }
    if (arch_guest_layout()->pci_mem_size == 0) {
        return plan_warn(pd, NULL, PROP, "guests of this architecture have no PCI bus yet");
    }
    int rc = pci_probe(pd->hv, host);
    for (uint32_t i = 0; rc == 0 && (text = fdt_string_at(host, pd->node, PROP, i)); i++) {
        if (i == VPCI_DEVICES_MAX) {
            return plan_warn(pd, NULL, PROP, "more than %u devices", VPCI_DEVICES_MAX);
        }
        rc = device_read(pd, text);
    }
    return rc;
}

void plan_pci_release(struct plan_domain *pd)
{
    for (uint32_t i = 0; i < pd->nr_pci; i++) {
        pd->pci[i].dev->owner = NULL;
        if (pd->pci[i].irq) {
            bitmap_clear(pd->hv->plan->irqs, pd->pci[i].irq);
        }
    }
    mem_free(pd->hv, pd->pci, pd->pci_max * sizeof(*pd->pci));
    pd->pci = NULL;
    pd->nr_pci = pd->pci_max = 0;
}

/* --- Building ------------------------------------------------------------------ */

static int device_attach(struct plan_domain *pd, const struct plan_pci *x)
{
    int rc = x->guarded ? iommu_attach(pd->domain, &x->stream, x->dev->name) : 0;
    switch (rc) {
    case 0:
        return 0;
    case -XEN_ENOMEM:
        return plan_warn(pd, NULL, PROP, "the hypervisor has too little memory left");
    case -XEN_EOPNOTSUPP:
        return plan_warn(pd, NULL, PROP,
                         "%s: the IOMMU has no page tables of the domain's mmu-type", x->dev->name);
    case -XEN_EIO:
        return plan_warn(pd, NULL, PROP, "%s: the IOMMU does not answer", x->dev->name);
    default:
        return plan_warn(pd, NULL, PROP, "%s: the IOMMU refuses stream %#x, error %d", x->dev->name,
                         x->stream.id, -rc);
    }
}

static int line_assign(struct plan_domain *pd, uint32_t i)
{
    uint32_t irq = pd->pci[i].irq;
    for (uint32_t k = 0; k < i; k++) {
        if (pd->pci[k].irq == irq) {
            return 0; /* two of its devices share it */
        }
    }
    int rc = irq ? irq_assign(pd->domain, irq, irq, IRQ_LEVEL) : 0;
    return rc ? plan_warn(pd, NULL, PROP, "%s: interrupt %u cannot be assigned, error %d",
                          pd->pci[i].dev->name, irq, -rc)
              : 0;
}

int plan_pci_prepare(struct plan_domain *pd, uint64_t *cursor)
{
    for (; *cursor < pd->nr_pci; ++*cursor) {
        if (pci_prepare(pd->pci[*cursor].dev)) {
            return -XEN_EAGAIN;
        }
    }
    return 0;
}

int plan_pci_build(struct plan_domain *pd)
{
    struct vpci_device list[VPCI_DEVICES_MAX];
    if (pd->nr_pci == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < pd->nr_pci; i++) {
        list[i] = (struct vpci_device){ pd->pci[i].dev, pd->pci[i].irq };
    }
    int rc = vpci_create(pd->domain, list, pd->nr_pci);
    if (rc) {
        return plan_warn(pd, NULL, PROP, "the domain's PCI bus cannot be made, error %d", -rc);
    }
    for (uint32_t i = 0; i < pd->nr_pci && rc == 0; i++) {
        rc = device_attach(pd, &pd->pci[i]);
        if (rc == 0) {
            rc = line_assign(pd, i);
        }
    }
    return rc;
}
