/* SPDX-License-Identifier: MIT */
/*
 * Ranges of RAM that a domain node names: modules (kernel, ramdisk, partial
 * device tree) and static memory. What is noted in the plan is claimed; a
 * module stays where it is for good, so that the domain can be built again.
 */
#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/mem.h>
#include <loam/string.h>

#include "private.h"

/* A row per kind of module. */
static const struct module_kind {
    const char *compatible;
    enum plan_module_kind kind;
    enum claim_kind claim;
} module_kinds[] = {
    { "multiboot,kernel", PLAN_KERNEL, CLAIM_KERNEL },
    { "multiboot,ramdisk", PLAN_RAMDISK, CLAIM_RAMDISK },
    { "multiboot,device-tree", PLAN_PARTIAL, CLAIM_PARTIAL },
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

/* One (address, size) pair of ac + sc cells. */
static struct plan_range read_range(const uint8_t *data, uint32_t ac, uint32_t sc)
{
    return (struct plan_range){ fdt_read_cells(data, ac), fdt_read_cells(data + 4 * ac, sc) };
}

static int module_read(struct plan_domain *pd, struct fdt_node node, const struct module_kind *kind)
{
    const struct fdt *f = &pd->hv->plan->host;
    const char *child = fdt_name(f, node);
    uint32_t ac = fdt_address_cells(f, pd->node), sc = fdt_size_cells(f, pd->node);
    uint32_t len;
    const void *reg = fdt_prop(f, node, "reg", &len);
    if (pd->module[kind->kind].size != 0) {
        return plan_warn(pd, child, "compatible", "a second module of kind %s", kind->compatible);
    }
    if (!reg || len != 4 * (ac + sc)) {
        return plan_warn(pd, child, "reg", "must be one address and size of %u and %u cells", ac,
                         sc);
    }
    struct plan_range range = read_range(reg, ac, sc);
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
            rc = module_read(pd, node, kind);
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
    uint32_t ac =
        fdt_u32_or(f, pd->node, "#xen,static-mem-address-cells", fdt_address_cells(f, pd->node));
    uint32_t sc =
        fdt_u32_or(f, pd->node, "#xen,static-mem-size-cells", fdt_size_cells(f, pd->node));
    uint32_t len, pair = 4 * (ac + sc);
    const uint8_t *data = fdt_prop(f, pd->node, prop, &len);
    if (!data) {
        return 0;
    }
    if (len == 0 || len % pair != 0) {
        return plan_warn(pd, NULL, prop, "must be addresses and sizes of %u and %u cells", ac, sc);
    }
    uint64_t total = 0;
    for (uint32_t at = 0; at < len; at += pair) {
        struct plan_range range = read_range(data + at, ac, sc);
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
        }
    }
    for (uint32_t i = 0; i < pd->nr_statics; i++) {
        claims_remove(pd->hv->plan, pd->statics[i]);
    }
    mem_free(pd->hv, pd->statics, pd->statics_max * sizeof(*pd->statics));
}
