/* SPDX-License-Identifier: MIT */
/*
 * Devices of the host for a domain, by a partial device tree.
 *
 * The tree's /passthrough node is copied into the guest's tree, without the
 * properties that speak to the hypervisor:
 *
 *   xen,path                        the device's node in the host's tree; its
 *                                   interrupts are the guest's under their numbers
 *   xen,reg                         (machine, size, guest) ranges to map
 *   xen,force-assign-without-iommu  the operator knows that no IOMMU guards it
 *
 * A range must lie in the pages of the host node's own reg, so that a tree
 * cannot name what it likes. No IOMMU is driven: a device that reaches memory
 * by itself needs machine addresses, hence direct-map, and can harm everyone.
 */
#include <xen/errno.h>

#include <loam/bitmap.h>
#include <loam/bits.h>
#include <loam/irq.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/mmio.h>
#include <loam/p2m.h>
#include <loam/printf.h>
#include <loam/string.h>

#include <arch/guest.h>

#include "private.h"

#define PROP_PATH "xen,path"
#define PROP_REG "xen,reg"
#define PROP_FORCE "xen,force-assign-without-iommu"
#define REG_BYTES 24 /* three numbers of two cells */

/* A node of the partial tree that is being read. */
struct device {
    struct plan_domain *pd;
    struct fdt_node node; /* in the partial tree */
    struct fdt_node host; /* in the host's tree */
    char child[64]; /* for messages */
};

static bool ranges_meet(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* range lies in the pages of one reg entry of the host's node. */
static bool host_node_has(const struct device *dev, const struct plan_range *range)
{
    const struct fdt *host = &dev->pd->hv->plan->host;
    uint64_t addr, size;
    for (uint32_t i = 0; fdt_reg_translated(host, dev->host, i, &addr, &size) == 0; i++) {
        uint64_t start = ALIGN_DOWN(addr, PAGE_SIZE), end = ALIGN_UP(addr + size, PAGE_SIZE);
        if (range->start >= start && range->start + range->size <= end) {
            return true;
        }
    }
    return false;
}

static int range_check(const struct device *dev, const struct plan_device_range *r)
{
    struct plan_range range = { r->hpa, r->size };
    if (r->size == 0 || !IS_ALIGNED(r->hpa | r->size | r->gpa, PAGE_SIZE) ||
        r->hpa + r->size < r->hpa || r->gpa + r->size < r->gpa) {
        return plan_warn(dev->pd, dev->child, PROP_REG,
                         "%#lx, %#lx, %#lx are not made of whole pages", r->hpa, r->size, r->gpa);
    }
    if (claims_touch_ram(dev->pd->hv->plan, range)) {
        return plan_warn(dev->pd, dev->child, PROP_REG, "%#lx-%#lx is RAM", r->hpa,
                         r->hpa + r->size);
    }
    if (claims_is_private(dev->pd->hv->plan, &range)) {
        return plan_warn(dev->pd, dev->child, PROP_REG, "%#lx-%#lx belongs to the hypervisor",
                         r->hpa, r->hpa + r->size);
    }
    if (!host_node_has(dev, &range)) {
        return plan_warn(dev->pd, dev->child, PROP_REG, "%#lx-%#lx is not in the device's reg",
                         r->hpa, r->hpa + r->size);
    }
    return 0;
}

/* Two devices of one domain may share a page: it is claimed and mapped once. */
static bool has_range(const struct plan_devices *devices, const struct plan_device_range *r)
{
    for (uint32_t i = 0; i < devices->nr_ranges; i++) {
        const struct plan_device_range *x = &devices->range[i];
        if (x->hpa == r->hpa && x->size == r->size && x->gpa == r->gpa) {
            return true;
        }
    }
    return false;
}

static int range_add(const struct device *dev, const struct plan_device_range *r)
{
    struct plan_domain *pd = dev->pd;
    struct plan_devices *devices = pd->devices;
    int rc = range_check(dev, r);
    if (rc || has_range(devices, r)) {
        return rc;
    }
    void *table = devices->range;
    rc = plan_grow(pd->hv, &table, devices->nr_ranges, &devices->ranges_max, sizeof(*r));
    devices->range = table;
    if (rc == 0) {
        rc = claims_add(pd, dev->child, PROP_REG, CLAIM_DEVICE,
                        (struct plan_range){ r->hpa, r->size });
    }
    if (rc == 0) {
        devices->range[devices->nr_ranges++] = *r;
    }
    return rc;
}

static int regs_read(const struct device *dev)
{
    const struct fdt *tree = &dev->pd->devices->tree;
    uint32_t len;
    const uint8_t *data = fdt_prop(tree, dev->node, PROP_REG, &len);
    if (!data) {
        return 0;
    }
    if (len == 0 || len % REG_BYTES != 0) {
        return plan_warn(dev->pd, dev->child, PROP_REG, "must be triples of numbers of two cells");
    }
    for (uint32_t at = 0; at < len; at += REG_BYTES) {
        struct plan_device_range r = { get_be64(data + at), get_be64(data + at + 8),
                                       get_be64(data + at + 16) };
        int rc = range_add(dev, &r);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static bool has_irq(const struct plan_devices *devices, uint32_t irq)
{
    for (uint32_t i = 0; i < devices->nr_irqs; i++) {
        if (devices->irq[i].irq == irq) {
            return true;
        }
    }
    return false;
}

static int irq_add(const struct device *dev, uint32_t irq, bool edge)
{
    static const char prop[] = "interrupts";
    struct plan_domain *pd = dev->pd;
    struct plan *plan = pd->hv->plan;
    const struct guest_layout *layout = arch_guest_layout();
    if (irq < layout->virq_base || irq >= plan->nr_irqs ||
        irq - layout->virq_base >= PLAN_SPIS_MAX) {
        return plan_warn(pd, dev->child, prop, "%u is no shared interrupt of this machine", irq);
    }
    if (pd->vuart && irq == layout->uart_virq) {
        return plan_warn(pd, dev->child, prop, "%u is the interrupt of the domain's vpl011", irq);
    }
    if (has_irq(pd->devices, irq)) {
        return 0;
    }
    if (bitmap_test(plan->irqs, irq)) {
        return plan_warn(pd, dev->child, prop, "%u is given to another domain", irq);
    }
    struct plan_devices *devices = pd->devices;
    void *table = devices->irq;
    int rc = plan_grow(pd->hv, &table, devices->nr_irqs, &devices->irqs_max, sizeof(*devices->irq));
    devices->irq = table;
    if (rc == 0) {
        bitmap_set(plan->irqs, irq);
        devices->irq[devices->nr_irqs++] = (struct plan_device_irq){ .irq = irq, .edge = edge };
    }
    return rc;
}

/* Every interrupt of the host's node. */
static int irqs_read(const struct device *dev)
{
    struct plan *plan = dev->pd->hv->plan;
    for (uint32_t i = 0;; i++) {
        uint32_t irq;
        bool edge;
        int rc = irq_of_node(plan->hv, &plan->host, dev->host, i, &irq, &edge);
        if (rc == -XEN_ENOENT) {
            return 0;
        }
        if (rc) {
            return plan_warn(dev->pd, dev->child, "interrupts",
                             "number %u of the host's node is none that a domain can have", i);
        }
        rc = irq_add(dev, irq, edge);
        if (rc) {
            return rc;
        }
    }
}

/* Properties of a device that reaches memory by itself. */
static bool does_dma(const struct fdt *f, struct fdt_node node)
{
    static const char *const signs[] = { "dma-coherent", "dma-noncoherent", "dma-ranges",
                                         "iommus",       "iommu-map",       "dmas",
                                         "memory-region" };
    for (uint32_t i = 0; i < ARRAY_SIZE(signs); i++) {
        if (fdt_has_prop(f, node, signs[i])) {
            return true;
        }
    }
    return false;
}

static int dma_check(const struct device *dev)
{
    struct plan_domain *pd = dev->pd;
    const struct fdt *tree = &pd->devices->tree;
    if (!fdt_has_prop(tree, dev->node, PROP_FORCE)) {
        return plan_warn(pd, dev->child, PROP_FORCE, "missing, and no IOMMU guards the device");
    }
    if (!does_dma(tree, dev->node) && !does_dma(&pd->hv->plan->host, dev->host)) {
        return 0;
    }
    if (!pd->config.direct_map) {
        return plan_warn(pd, dev->child, PROP_FORCE,
                         "the device does DMA without an IOMMU: the domain needs direct-map");
    }
    pd->devices->does_dma = true;
    return 0;
}

static int device_read(struct device *dev)
{
    struct plan *plan = dev->pd->hv->plan;
    const char *path = fdt_string(&dev->pd->devices->tree, dev->node, PROP_PATH);
    if (!path) {
        return plan_warn(dev->pd, dev->child, PROP_PATH, "missing: where the host has the device");
    }
    dev->host = fdt_find(&plan->host, path);
    if (!fdt_node_exists(dev->host)) {
        return plan_warn(dev->pd, dev->child, PROP_PATH, "the host has no %s", path);
    }
    if (fdt_node_eq(dev->host, fdt_stdout(&plan->host))) {
        return plan_warn(dev->pd, dev->child, PROP_PATH, "%s is the hypervisor's console", path);
    }
    int rc = dma_check(dev);
    if (rc == 0) {
        rc = regs_read(dev);
    }
    return rc ? rc : irqs_read(dev);
}

static int node_read(struct plan_domain *pd, struct fdt_node node)
{
    const struct fdt *tree = &pd->devices->tree;
    struct device dev = { .pd = pd, .node = node };
    fmt_print(dev.child, sizeof(dev.child), "passthrough/%s", fdt_name(tree, node));
    uint32_t phandle = fdt_u32_or(tree, node, "phandle", 0);
    if (phandle >= GUEST_PHANDLE_INTC) {
        return plan_warn(pd, dev.child, "phandle", "%#x and above are the hypervisor's", phandle);
    }
    if (!fdt_has_prop(tree, node, PROP_PATH) && !fdt_has_prop(tree, node, PROP_REG)) {
        return 0;
    }
    return device_read(&dev);
}

/* Copies the module and opens it. */
static int tree_open(struct plan_domain *pd)
{
    static const char prop[] = "multiboot,device-tree";
    struct plan_devices *devices = pd->devices;
    const struct plan_range *module = &pd->module[PLAN_PARTIAL];
    if (module->size > PLAN_PARTIAL_MAX) {
        return plan_warn(pd, NULL, prop, "%lu bytes are more than the %lu KiB that can be read",
                         module->size, PLAN_PARTIAL_MAX / KIB);
    }
    devices->blob_size = (size_t)module->size;
    devices->blob = mem_alloc(pd->hv, devices->blob_size);
    if (!devices->blob) {
        return -XEN_ENOMEM;
    }
    plan_module_copy(pd->hv, devices->blob, module->start, devices->blob_size);
    if (fdt_open(&devices->tree, devices->blob, devices->blob_size)) {
        return plan_warn(pd, NULL, prop, "%s at byte %u", devices->tree.error,
                         devices->tree.error_off);
    }
    if (!fdt_node_exists(fdt_find(&devices->tree, "/passthrough"))) {
        return plan_warn(pd, NULL, prop, "the tree has no /passthrough node");
    }
    return 0;
}

int passthrough_read(struct plan_domain *pd)
{
    if (pd->module[PLAN_PARTIAL].size == 0) {
        return 0;
    }
    pd->devices = mem_alloc(pd->hv, sizeof(*pd->devices));
    int rc = pd->devices ? tree_open(pd) : -XEN_ENOMEM;
    if (rc) {
        return rc;
    }
    const struct fdt *tree = &pd->devices->tree;
    struct fdt_node top = fdt_find(tree, "/passthrough");
    struct fdt_node after = fdt_next_sibling(tree, top); /* a child of the root */
    struct fdt_node node = fdt_next(tree, top);
    while (rc == 0 && fdt_node_exists(node) && !fdt_node_eq(node, after)) {
        rc = node_read(pd, node);
        node = fdt_next(tree, node);
    }
    if (rc == 0 && pd->devices->does_dma) {
        log_info(pd->hv, "%s: has a device that can reach all memory: no IOMMU guards it",
                 pd->config.name);
    }
    return rc;
}

void passthrough_release(struct plan_domain *pd)
{
    struct plan_devices *devices = pd->devices;
    if (!devices) {
        return;
    }
    for (uint32_t i = 0; i < devices->nr_ranges; i++) {
        claims_remove(pd->hv->plan,
                      (struct plan_range){ devices->range[i].hpa, devices->range[i].size });
    }
    for (uint32_t i = 0; i < devices->nr_irqs; i++) {
        bitmap_clear(pd->hv->plan->irqs, devices->irq[i].irq);
    }
    mem_free(pd->hv, devices->range, devices->ranges_max * sizeof(*devices->range));
    mem_free(pd->hv, devices->irq, devices->irqs_max * sizeof(*devices->irq));
    mem_free(pd->hv, devices->blob, devices->blob_size);
    mem_free(pd->hv, devices, sizeof(*devices));
    pd->devices = NULL;
}

/* An emulated device would be hidden behind what is mapped there. */
static const struct mmio_region *emulated_at(const struct domain *d,
                                             const struct plan_device_range *r)
{
    for (uint32_t i = 0; i < d->mmio.nr; i++) {
        const struct mmio_region *x = &d->mmio.region[i];
        if (ranges_meet(r->gpa, r->size, x->base.a, x->size)) {
            return x;
        }
    }
    return NULL;
}

static int range_map(struct plan_domain *pd, const struct plan_device_range *r)
{
    if (emulated_at(pd->domain, r)) {
        return plan_warn(pd, NULL, PROP_REG, "%#lx is the address of an emulated device", r->gpa);
    }
    int rc = p2m_map(pd->domain, gpa_to_gfn(gpa(r->gpa)), hpa_to_mfn(hpa(r->hpa)),
                     r->size >> PAGE_SHIFT, P2M_MMIO_DIRECT);
    if (rc == -XEN_EEXIST) {
        return plan_warn(pd, NULL, PROP_REG, "guest address %#lx is taken", r->gpa);
    }
    if (rc) {
        return plan_warn(pd, NULL, PROP_REG, "%#lx cannot be mapped, error %d", r->gpa, -rc);
    }
    return 0;
}

int passthrough_map(struct plan_domain *pd)
{
    const struct plan_devices *devices = pd->devices;
    for (uint32_t i = 0; devices && i < devices->nr_ranges; i++) {
        int rc = range_map(pd, &devices->range[i]);
        if (rc) {
            return rc;
        }
    }
    for (uint32_t i = 0; devices && i < devices->nr_irqs; i++) {
        const struct plan_device_irq *x = &devices->irq[i];
        int rc = irq_assign(pd->domain, x->irq, x->irq, x->edge ? IRQ_EDGE : IRQ_LEVEL);
        if (rc) {
            return plan_warn(pd, NULL, "interrupts", "%u cannot be assigned, error %d", x->irq,
                             -rc);
        }
    }
    return 0;
}

/* What speaks to the hypervisor is not for the guest. */
static bool keep_for_guest(void *arg, const struct fdt *f, struct fdt_node node,
                           const struct fdt_prop *prop)
{
    return !prop || strncmp(prop->name, "xen,", 4) != 0;
}

void passthrough_fdt(const struct plan_domain *pd, struct fdt_writer *w)
{
    static const struct fdt_filter filter = { .keep = keep_for_guest };
    static const char *const nodes[] = { "/passthrough", "/aliases" };
    for (uint32_t i = 0; pd->devices && i < ARRAY_SIZE(nodes); i++) {
        struct fdt_node node = fdt_find(&pd->devices->tree, nodes[i]);
        if (fdt_node_exists(node)) {
            fdt_copy_node(w, &pd->devices->tree, node, &filter);
        }
    }
}
