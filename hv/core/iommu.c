/* SPDX-License-Identifier: MIT */
/*
 * Which device is attached to which domain. Contract: loam/iommu.h.
 *
 * An attachment is in two lists: of its IOMMU, under iommu.lock, for messages and to
 * refuse a second one; and of its domain, under p2m.lock, for flushes. d->sub[IOMMU_SUB]
 * is the first of the domain's, NULL while it has none: that is the one test that other
 * domains pay in mm/p2m.c.
 *
 * The order that keeps memory safe: a domain's devices are detached before its RAM is
 * freed (core/domain.c), and p2m.c has iommu_flush() done before a frame that was
 * mapped can be used for anything else.
 */
#include <arch/time.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/iommu.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <xen/errno.h>

#define TOLD_MAX 10 /* faults told in a second */

struct attachment {
    struct list_node link; /* [iommu.lock] in iommu.attached */
    struct attachment *next; /* [p2m.lock] of the same domain */
    struct domain *domain;
    struct iommu_stream stream;
    char name[32];
};

void iommu_register(struct iommu *x)
{
    x->lock = SPINLOCK_INIT(LOCK_RANK_IOMMU);
    list_init(&x->attached);
    x->next = x->hv->iommus;
    x->hv->iommus = x;
}

int iommu_find_pci(const struct hv *hv, const struct fdt *host, struct fdt_node bridge,
                   uint32_t rid, struct iommu_stream *out)
{
    uint32_t phandle, id;

    if (fdt_id_map(host, bridge, "iommu-map", rid, &phandle, &id)) {
        return -XEN_ENOENT;
    }
    for (struct iommu *x = hv->iommus; x != NULL; x = x->next) {
        if (x->phandle == phandle) {
            *out = (struct iommu_stream){ x, id };
            return 0;
        }
    }
    return -XEN_ENOENT;
}

static const struct attachment *find_locked(const struct iommu *x, uint32_t stream)
{
    struct attachment *a;

    list_for_each_entry(&x->attached, a, link)
    {
        if (a->stream.id == stream) {
            return a;
        }
    }
    return NULL;
}

int iommu_attach(struct domain *d, const struct iommu_stream *s, const char *name)
{
    struct iommu *x = s->iommu;
    struct attachment *a = mem_alloc(d->hv, sizeof(*a));

    if (a == NULL) {
        return -XEN_ENOMEM;
    }
    a->domain = d;
    a->stream = *s;
    str_copy(a->name, sizeof(a->name), name);
    spin_lock(&d->p2m.lock);
    spin_lock(&x->lock);
    int rc = find_locked(x, s->id) != NULL ? -XEN_EBUSY : x->ops->attach(x, s->id, d);
    if (rc == 0) {
        list_push_back(&x->attached, &a->link);
        a->next = d->sub[IOMMU_SUB];
        d->sub[IOMMU_SUB] = a;
    }
    spin_unlock(&x->lock);
    spin_unlock(&d->p2m.lock);
    if (rc) {
        mem_free(d->hv, a, sizeof(*a));
    }
    return rc;
}

void iommu_detach_all(struct domain *d)
{
    struct attachment *a;

    while ((a = d->sub[IOMMU_SUB]) != NULL) {
        struct iommu *x = a->stream.iommu;

        spin_lock(&d->p2m.lock);
        spin_lock(&x->lock);
        x->ops->detach(x, a->stream.id, d);
        list_remove(&a->link);
        d->sub[IOMMU_SUB] = a->next;
        spin_unlock(&x->lock);
        spin_unlock(&d->p2m.lock);
        mem_free(d->hv, a, sizeof(*a));
    }
}

void iommu_flush(struct domain *d)
{
    for (struct attachment *a = d->sub[IOMMU_SUB]; a != NULL; a = a->next) {
        struct iommu *x = a->stream.iommu;
        const struct attachment *first = d->sub[IOMMU_SUB];

        while (first->stream.iommu != x) {
            first = first->next;
        }
        if (first == a) { /* once for each IOMMU */
            spin_lock(&x->lock);
            x->ops->flush(x, d);
            spin_unlock(&x->lock);
        }
    }
}

/*
 * Whether a fault may be told; those that were not are counted. In one second each page is
 * told of once, if nothing else comes between, and TOLD_MAX faults in all.
 */
static bool may_tell_locked(struct iommu *x, uint32_t stream, uint64_t page)
{
    ns_t now = arch_time_now();

    if (x->told == 0 || now - x->told_since >= NS_PER_S) {
        if (x->untold != 0) {
            log_warn(x->hv, "iommu: %s: %u more faults were not told", x->name, x->untold);
        }
        x->told_since = now;
        x->told = x->untold = 0;
    } else if (x->told == TOLD_MAX || (x->told_stream == stream && x->told_page == page)) {
        x->untold++;
        return false;
    }
    x->told++;
    x->told_stream = stream;
    x->told_page = page;
    return true;
}

void iommu_fault_locked(struct iommu *x, uint32_t stream, enum iommu_access access, uint64_t addr,
                        const char *why)
{
    static const char *const words[] = { [IOMMU_READ] = "read",
                                         [IOMMU_WRITE] = "write",
                                         [IOMMU_EXECUTE] = "instruction fetch",
                                         [IOMMU_ACCESS] = "access" };

    if (!may_tell_locked(x, stream, addr >> PAGE_SHIFT)) {
        return;
    }
    const struct attachment *a = find_locked(x, stream);
    if (a != NULL) {
        log_warn(x->hv, "iommu: %s of %s: %s at %#lx refused: %s", a->name, a->domain->config.name,
                 words[access], addr, why);
    } else {
        log_warn(x->hv, "iommu: %s: stream %#x, no domain's: %s at %#lx refused: %s", x->name,
                 stream, words[access], addr, why);
    }
}
