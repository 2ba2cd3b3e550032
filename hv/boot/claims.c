/* SPDX-License-Identifier: MIT */
/*
 * Which range of the machine belongs to which boot-time domain.
 *
 * One table, sorted by address, holds modules, static memory and devices.
 * Nothing in it overlaps; only a module that is the same for several domains
 * is there once with a count. Claimed RAM is out of the frame allocator in
 * whole pages. Two modules may meet inside a page: the first that touches the
 * page takes it, the last that leaves gives it back. As long as nodes are read
 * it is given back as kept, not as free: the next node may name it, too, and
 * what is in a module must not be lost until then.
 *
 *   bytes   ..[ kernel ][ ramdisk      ]......[ kernel of another ]..
 *   pages   |    a    |    b    |    c    |         |    d    |
 *            kernel: a b   ramdisk: c (b is taken)
 */
#include <xen/errno.h>

#include <loam/frame.h>
#include <loam/iommu.h>
#include <loam/log.h>
#include <loam/pci.h>
#include <loam/string.h>

#include <arch/boot.h>

#include "private.h"

static const char *const kind_name[] = {
    [CLAIM_KERNEL] = "kernel",        [CLAIM_RAMDISK] = "ramdisk", [CLAIM_PARTIAL] = "device tree",
    [CLAIM_STATIC] = "static memory", [CLAIM_DEVICE] = "device",
};

void claims_init(struct plan *plan)
{
    struct fdt_memory_iter it;
    fdt_memory_begin(&plan->host, &it);
    while (plan->nr_ram < PLAN_RAM_MAX) {
        struct plan_range r;
        int rc = fdt_memory_next(&plan->host, &it, &r.start, &r.size);
        if (rc == -XEN_ENOENT) {
            return;
        }
        if (rc == 0 && r.size != 0) {
            plan->ram[plan->nr_ram++] = r;
        }
    }
}

bool claims_is_ram(const struct plan *plan, struct plan_range range)
{
    uint64_t at = range.start, end = range.start + range.size;
    for (bool moved = true; moved && at < end;) {
        moved = false;
        for (uint32_t i = 0; i < plan->nr_ram; i++) {
            const struct plan_range *r = &plan->ram[i];
            if (at >= r->start && at - r->start < r->size) {
                at = r->start + r->size;
                moved = true;
            }
        }
    }
    return at >= end;
}

bool claims_touch_ram(const struct plan *plan, struct plan_range range)
{
    for (uint32_t i = 0; i < plan->nr_ram; i++) {
        const struct plan_range *r = &plan->ram[i];
        if (range.start < r->start + r->size && r->start < range.start + range.size) {
            return true;
        }
    }
    return false;
}

bool claims_private_range(const struct plan *plan, uint32_t *i, struct plan_range *out)
{
    uint32_t n = (*i)++;
    hpa_t start;
    uint32_t nr = 0;
    for (; arch_private_range(plan->hv, nr, &start, &out->size); nr++) {
        if (nr == n) {
            out->start = start.a;
            return true;
        }
    }
    for (const struct iommu *x = plan->hv->iommus; x != NULL; x = x->next, nr++) {
        if (nr == n) {
            *out = (struct plan_range){ x->regs_at.a, x->regs_size };
            return true;
        }
    }
    for (const struct pci *x = plan->hv->pci; x != NULL; x = x->next, nr++) {
        if (nr == n) {
            *out = (struct plan_range){ x->ecam_at.a, x->ecam_size };
            return true;
        }
    }
    struct fdt_node console = fdt_stdout(&plan->host);
    return nr == n && fdt_reg_translated(&plan->host, console, 0, &out->start, &out->size) == 0;
}

bool claims_is_private(const struct plan *plan, const struct plan_range *range)
{
    struct plan_range r;
    for (uint32_t i = 0; claims_private_range(plan, &i, &r);) {
        if (range->start < r.start + r.size && r.start < range->start + range->size) {
            return true;
        }
    }
    return false;
}

/* Index of the first claim that ends after addr. */
static uint32_t claim_index(const struct plan *plan, uint64_t addr)
{
    uint32_t low = 0, high = plan->nr_claims;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (plan->claim[mid].end > addr) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return low;
}

const struct plan_claim *claims_find(const struct plan *plan, struct plan_range range)
{
    uint32_t i = claim_index(plan, range.start);
    if (i < plan->nr_claims && plan->claim[i].start < range.start + range.size) {
        return &plan->claim[i];
    }
    return NULL;
}

/*
 * The pages of range that no neighbour in the table has: claims i - 1 and i
 * are those before and after it. Returns their number.
 */
static uint64_t own_pages(const struct plan *plan, uint32_t i, struct plan_range range,
                          mfn_t *first)
{
    uint64_t start = ALIGN_DOWN(range.start, PAGE_SIZE);
    uint64_t end = ALIGN_UP(range.start + range.size, PAGE_SIZE);
    if (i > 0 && plan->claim[i - 1].end > start) {
        start += PAGE_SIZE;
    }
    if (i < plan->nr_claims && plan->claim[i].start < end) {
        end -= PAGE_SIZE;
    }
    *first = hpa_to_mfn(hpa(start));
    return start < end ? (end - start) >> PAGE_SHIFT : 0;
}

static int claim_frames(struct plan_domain *pd, const char *child, const char *prop, uint32_t i,
                        struct plan_range range)
{
    mfn_t first;
    uint64_t pages = own_pages(pd->hv->plan, i, range, &first);
    int rc = pages ? frames_claim(pd->hv, first, pages) : 0;
    if (rc == -XEN_EBUSY) {
        return plan_warn(pd, child, prop,
                         "%#lx-%#lx overlaps the hypervisor, its device tree or reserved memory",
                         range.start, range.start + range.size);
    }
    if (rc) {
        return plan_warn(pd, child, prop, "%#lx-%#lx cannot be reserved, error %d", range.start,
                         range.start + range.size, -rc);
    }
    return 0;
}

/* Another claim is in the way: the same module of another domain is shared. */
static int claim_meets(struct plan_domain *pd, const char *child, const char *prop,
                       enum claim_kind kind, struct plan_claim *c, struct plan_range range)
{
    uint64_t end = range.start + range.size;
    if (kind < CLAIM_STATIC && c->kind == kind && c->start == range.start && c->end == end &&
        c->owner != pd) {
        c->users++;
        return 0;
    }
    return plan_warn(pd, child, prop, "%#lx-%#lx overlaps the %s of %s (%#lx-%#lx)", range.start,
                     end, kind_name[c->kind], c->owner->config.name, c->start, c->end);
}

int claims_add(struct plan_domain *pd, const char *child, const char *prop, enum claim_kind kind,
               struct plan_range range)
{
    struct plan *plan = pd->hv->plan;
    uint64_t end = range.start + range.size;
    if (end <= range.start) {
        return plan_warn(pd, child, prop, "%#lx with size %#lx is no range", range.start,
                         range.size);
    }
    if (kind != CLAIM_DEVICE && !claims_is_ram(plan, range)) {
        return plan_warn(pd, child, prop, "%#lx-%#lx is outside RAM", range.start, end);
    }
    uint32_t i = claim_index(plan, range.start);
    if (i < plan->nr_claims && plan->claim[i].start < end) {
        return claim_meets(pd, child, prop, kind, &plan->claim[i], range);
    }
    void *table = plan->claim;
    int rc = plan_grow(pd->hv, &table, plan->nr_claims, &plan->claims_max, sizeof(*plan->claim));
    plan->claim = table;
    if (rc == 0 && kind != CLAIM_DEVICE) {
        rc = claim_frames(pd, child, prop, i, range);
    }
    if (rc) {
        return rc;
    }
    memmove(&plan->claim[i + 1], &plan->claim[i], (plan->nr_claims - i) * sizeof(*plan->claim));
    plan->claim[i] = (struct plan_claim){
        .start = range.start, .end = end, .owner = pd, .kind = kind, .users = 1
    };
    plan->nr_claims++;
    return 0;
}

/* Nobody allocates between the two steps: only this CPU has work until all nodes are read. */
static int claim_give_back(struct plan *plan, mfn_t first, uint64_t pages)
{
    int rc = frames_add(plan->hv, first, pages);
    return rc == 0 && plan->parsing ? frames_keep(plan->hv, first, pages) : rc;
}

void claims_remove(struct plan *plan, struct plan_range range)
{
    uint32_t i = claim_index(plan, range.start);
    if (--plan->claim[i].users != 0) {
        return;
    }
    bool is_device = plan->claim[i].kind == CLAIM_DEVICE;
    plan->nr_claims--;
    memmove(&plan->claim[i], &plan->claim[i + 1], (plan->nr_claims - i) * sizeof(*plan->claim));
    mfn_t first;
    uint64_t pages = own_pages(plan, i, range, &first);
    if (!is_device && pages && claim_give_back(plan, first, pages)) {
        log_warn(plan->hv, "plan: %lu pages at %#lx cannot be used any more", pages,
                 mfn_to_hpa(first).a);
    }
}
