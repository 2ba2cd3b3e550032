/* SPDX-License-Identifier: MIT */
/*
 * Ranges of RAM that a domain node names: modules (kernel, ramdisk, partial
 * device tree) and static memory. What is noted in the plan is claimed; a
 * module stays where it is for good, so that the domain can be built again.
 * plan_keep_ranges() sees the same ranges long before, when no node is checked.
 */
#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/mem.h>
#include <loam/plan.h>
#include <loam/string.h>

#include "private.h"

/* A row per kind of module. The names of Xen 4.4 are still in trees of dom0 (booting.txt). */
static const struct module_kind {
    const char *compatible, *old;
    enum plan_module_kind kind;
    enum claim_kind claim;
} module_kinds[] = {
    { "multiboot,kernel", "xen,linux-zimage", PLAN_KERNEL, CLAIM_KERNEL },
    { "multiboot,ramdisk", "xen,linux-initrd", PLAN_RAMDISK, CLAIM_RAMDISK },
    { "multiboot,device-tree", NULL, PLAN_PARTIAL, CLAIM_PARTIAL },
};

static const struct module_kind *module_kind(const struct fdt *f, struct fdt_node node)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(module_kinds); i++) {
        if (fdt_compatible(f, node, module_kinds[i].compatible)) {
            return &module_kinds[i];
        }
    }
    return NULL;
}

/*
 * The kind of a child of /chosen, which is a module of the control domain: one that does not
 * say is the kernel if it is the first of those, `*untyped`, else the ramdisk.
 */
static const struct module_kind *dom0_module_kind(const struct fdt *f, struct fdt_node node,
                                                  uint32_t *untyped)
{
    if (!fdt_is_enabled(f, node) || fdt_compatible(f, node, "xen,domain")) {
        return NULL;
    }
    for (uint32_t i = 0; i <= PLAN_RAMDISK; i++) {
        if (fdt_compatible(f, node, module_kinds[i].compatible) ||
            fdt_compatible(f, node, module_kinds[i].old)) {
            return &module_kinds[i];
        }
    }
    /* A module of another kind has a word for it in front. */
    const char *first = fdt_string(f, node, "compatible");
    bool plain = first && (strcmp(first, "multiboot,module") == 0 ||
                           strcmp(first, "xen,multiboot-module") == 0);
    return plain && *untyped < 2 ? &module_kinds[(*untyped)++] : NULL;
}

bool dom0_is_wanted(const struct fdt *host, struct fdt_node chosen)
{
    uint32_t untyped = 0;
    struct fdt_node node;
    for_each_fdt_child(host, chosen, node)
    {
        if (dom0_module_kind(host, node, &untyped)) {
            return true;
        }
    }
    return false;
}

/* The (address, size) pairs of a property, and how many cells either has. */
struct pairs {
    const uint8_t *data;
    uint32_t ac, sc;
    uint32_t nr; /* 0: no property, or not whole pairs of one or two cells */
};

static void pairs_find(struct pairs *p, const struct fdt *f, struct fdt_node node, const char *prop)
{
    uint32_t len;
    p->data = fdt_prop(f, node, prop, &len);
    bool ok = p->data && p->ac - 1 < 2 && p->sc - 1 < 2 && len % (4 * (p->ac + p->sc)) == 0;
    p->nr = ok ? len / (4 * (p->ac + p->sc)) : 0;
}

static struct plan_range pairs_get(const struct pairs *p, uint32_t i)
{
    const uint8_t *at = p->data + (size_t)i * 4 * (p->ac + p->sc);
    return (struct plan_range){ fdt_read_cells(at, p->ac), fdt_read_cells(at + 4 * p->ac, p->sc) };
}

/* reg of a module of a domain. */
static struct pairs module_pairs(const struct fdt *f, struct fdt_node domain,
                                 struct fdt_node module)
{
    struct pairs p = { .ac = fdt_address_cells(f, domain), .sc = fdt_size_cells(f, domain) };
    pairs_find(&p, f, module, "reg");
    return p;
}

/* reg of a child of /chosen, which inherits the root's widths: guest-loader relies on that. */
static struct pairs dom0_pairs(const struct fdt *f, struct fdt_node chosen, struct fdt_node module)
{
    struct pairs p = {
        .ac = fdt_u32_or(f, chosen, "#address-cells", fdt_address_cells(f, FDT_ROOT)),
        .sc = fdt_u32_or(f, chosen, "#size-cells", fdt_size_cells(f, FDT_ROOT)),
    };
    pairs_find(&p, f, module, "reg");
    return p;
}

/* xen,static-mem of a domain. */
static struct pairs static_pairs(const struct fdt *f, struct fdt_node domain)
{
    struct pairs p = {
        .ac = fdt_u32_or(f, domain, "#xen,static-mem-address-cells", fdt_address_cells(f, domain)),
        .sc = fdt_u32_or(f, domain, "#xen,static-mem-size-cells", fdt_size_cells(f, domain)),
    };
    pairs_find(&p, f, domain, "xen,static-mem");
    return p;
}

/* What plan_for_each_range() calls, and with what. */
struct range_visitor {
    void (*fn)(void *arg, uint64_t start, uint64_t size);
    void *arg;
};

static void visit_pairs(const struct range_visitor *v, const struct pairs *p)
{
    for (uint32_t i = 0; i < p->nr; i++) {
        struct plan_range r = pairs_get(p, i);
        if (r.start + r.size > r.start) {
            v->fn(v->arg, r.start, r.size);
        }
    }
}

static void visit_domain(const struct range_visitor *v, const struct fdt *f, struct fdt_node domain)
{
    if (fdt_has_prop(f, domain, "xen,static-mem")) {
        struct pairs statics = static_pairs(f, domain);
        visit_pairs(v, &statics);
    }
    struct fdt_node node;
    for_each_fdt_child(f, domain, node)
    {
        if (module_kind(f, node)) {
            struct pairs reg = module_pairs(f, domain, node);
            visit_pairs(v, &reg);
        }
    }
}

void plan_for_each_range(const struct fdt *host,
                         void (*fn)(void *arg, uint64_t start, uint64_t size), void *arg)
{
    const struct range_visitor v = { fn, arg };
    struct fdt_node chosen = fdt_find(host, "/chosen"), node;
    uint32_t untyped = 0;
    for_each_fdt_child(host, chosen, node)
    {
        if (dom0_module_kind(host, node, &untyped)) {
            struct pairs reg = dom0_pairs(host, chosen, node);
            visit_pairs(&v, &reg);
        }
        if (fdt_compatible(host, node, "xen,domain") && fdt_is_enabled(host, node)) {
            visit_domain(&v, host, node);
        }
    }
}

static void keep_range(void *arg, uint64_t start, uint64_t size)
{
    uint64_t first = ALIGN_DOWN(start, PAGE_SIZE);
    uint64_t pages = (ALIGN_UP(start + size, PAGE_SIZE) - first) >> PAGE_SHIFT;
    /* What is not free now cannot be claimed later, which is said then. */
    (void)!frames_keep(arg, hpa_to_mfn(hpa(first)), pages);
}

void plan_keep_ranges(struct hv *hv, const struct fdt *host)
{
    plan_for_each_range(host, keep_range, hv);
}

static int module_read(struct plan_domain *pd, struct fdt_node node, const struct module_kind *kind,
                       struct pairs reg)
{
    const struct fdt *f = &pd->hv->plan->host;
    const char *child = fdt_name(f, node);
    if (pd->module[kind->kind].size != 0) {
        return plan_warn(pd, child, "compatible", "a second module of kind %s", kind->compatible);
    }
    if (reg.nr != 1) {
        return plan_warn(pd, child, "reg", "must be one address and size of %u and %u cells",
                         reg.ac, reg.sc);
    }
    struct plan_range range = pairs_get(&reg, 0);
    if (range.size == 0) {
        return plan_warn(pd, child, "reg", "the module is empty");
    }
    int rc = claims_add(pd, child, "reg", kind->claim, range);
    if (rc) {
        return rc;
    }
    pd->module[kind->kind] = range;
    if (kind->kind == PLAN_KERNEL) {
        pd->bootargs = fdt_string(f, node, "bootargs");
    }
    return 0;
}

int plan_modules_read(struct plan_domain *pd)
{
    const struct fdt *f = &pd->hv->plan->host;
    struct fdt_node node;
    for_each_fdt_child(f, pd->node, node)
    {
        const struct module_kind *kind = module_kind(f, node);
        int rc = 0;
        if (kind) {
            rc = module_read(pd, node, kind, module_pairs(f, pd->node, node));
        } else if (!fdt_compatible(f, node, "xen,vcpu")) {
            const char *what = fdt_string(f, node, "compatible");
            plan_warn(pd, fdt_name(f, node), "compatible", "%s is unknown, ignored",
                      what ? what : "nothing");
        }
        if (rc) {
            return rc;
        }
    }
    if (pd->module[PLAN_KERNEL].size == 0) {
        return plan_warn(pd, NULL, "multiboot,kernel", "missing: the domain has no kernel module");
    }
    return 0;
}

int dom0_modules_read(struct plan_domain *pd)
{
    const struct fdt *f = &pd->hv->plan->host;
    uint32_t untyped = 0;
    struct fdt_node node;
    for_each_fdt_child(f, pd->node, node)
    {
        const struct module_kind *kind = dom0_module_kind(f, node, &untyped);
        int rc = kind ? module_read(pd, node, kind, dom0_pairs(f, pd->node, node)) : 0;
        if (rc) {
            return rc;
        }
    }
    if (pd->module[PLAN_KERNEL].size == 0) {
        return plan_warn(pd, NULL, "multiboot,kernel", "missing: a ramdisk has no kernel");
    }
    return 0;
}

void plan_module_copy(struct hv *hv, void *buf, uint64_t start, size_t size)
{
    uint8_t *to = buf;
    while (size) {
        uint64_t in_page = start % PAGE_SIZE;
        size_t part = MIN(size, (size_t)(PAGE_SIZE - in_page));
        uint8_t *from = frame_map_local(hv, hpa_to_mfn(hpa(start)));
        memcpy(to, from + in_page, part);
        frame_unmap(hv, from);
        to += part;
        start += part;
        size -= part;
    }
}

int plan_kernel_check(struct plan_domain *pd)
{
    uint8_t head[256] = { 0 };
    const struct plan_range *kernel = &pd->module[PLAN_KERNEL];
    const char *why = "unknown format";
    plan_module_copy(pd->hv, head, kernel->start, (size_t)MIN(kernel->size, sizeof(head)));
    if (arch_kernel_probe(head, kernel->size, &pd->image, &why)) {
        return plan_warn(pd, NULL, "multiboot,kernel", "%s", why);
    }
    return 0;
}

static int static_add(struct plan_domain *pd, struct plan_range range)
{
    static const char prop[] = "xen,static-mem";
    if (range.size == 0 || !IS_ALIGNED(range.start | range.size, PAGE_SIZE)) {
        return plan_warn(pd, NULL, prop, "%#lx with size %#lx is not made of whole pages",
                         range.start, range.size);
    }
    if (pd->nr_statics == PLAN_BANKS_MAX) {
        return plan_warn(pd, NULL, prop, "more than %u ranges", PLAN_BANKS_MAX);
    }
    void *table = pd->statics;
    int rc = plan_grow(pd->hv, &table, pd->nr_statics, &pd->statics_max, sizeof(range));
    pd->statics = table;
    if (rc == 0) {
        rc = claims_add(pd, NULL, prop, CLAIM_STATIC, range);
    }
    if (rc == 0) {
        pd->statics[pd->nr_statics++] = range;
    }
    return rc;
}

int plan_statics_read(struct plan_domain *pd)
{
    const struct fdt *f = &pd->hv->plan->host;
    static const char prop[] = "xen,static-mem";
    if (!fdt_has_prop(f, pd->node, prop)) {
        return 0;
    }
    struct pairs statics = static_pairs(f, pd->node);
    if (statics.nr == 0) {
        return plan_warn(pd, NULL, prop, "must be addresses and sizes of %u and %u cells",
                         statics.ac, statics.sc);
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < statics.nr; i++) {
        struct plan_range range = pairs_get(&statics, i);
        int rc = static_add(pd, range);
        if (rc) {
            return rc;
        }
        total += range.size;
    }
    if (pd->memory != 0 && pd->memory != total) {
        return plan_warn(pd, NULL, "memory", "%lu KiB, but xen,static-mem has %lu KiB",
                         pd->memory / KIB, total / KIB);
    }
    pd->memory = total;
    return 0;
}

void plan_modules_release(struct plan_domain *pd)
{
    for (uint32_t i = 0; i < PLAN_MODULES; i++) {
        if (pd->module[i].size != 0) {
            claims_remove(pd->hv->plan, pd->module[i]);
            pd->module[i].size = 0;
        }
    }
    for (uint32_t i = 0; i < pd->nr_statics; i++) {
        claims_remove(pd->hv->plan, pd->statics[i]);
    }
    mem_free(pd->hv, pd->statics, pd->statics_max * sizeof(*pd->statics));
    pd->statics = NULL;
    pd->nr_statics = pd->statics_max = 0;
}
