/* SPDX-License-Identifier: MIT */
/* domctl: how much memory a domain may have, and its caches (Xen public header domctl.h). */
#include <arch/mmu.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/memory.h>
#include <loam/p2m.h>
#include <loam/refusal.h>
#include <xen/errno.h>

#include "private.h"

#define FLUSH_PAGES_MAX (UINT64_C(1) << FRAME_ORDER_MAX)
#define FLUSH_PAGES_PER_CALL 128
#define RAM_TYPES (1u << P2M_RAM_RW | 1u << P2M_RAM_RO)

int domctl_op_max_mem(struct ctl *c, void *arg)
{
    const struct xen_domctl_max_mem *a = arg;

    memory_set_max(c->d, a->max_memkb / (PAGE_SIZE / KIB));
    return 0;
}

int domctl_op_set_paging_mempool_size(struct ctl *c, void *arg)
{
    const struct xen_domctl_paging_mempool *a = arg;

    return memory_set_pool(c->d, a->size);
}

int domctl_op_get_paging_mempool_size(struct ctl *c, void *arg)
{
    struct xen_domctl_paging_mempool *a = arg;

    a->size = memory_pool(c->d);
    return 0;
}

/* How tools up to 4.16 set the same pool, in MiB. */
int domctl_op_shadow_op(struct ctl *c, void *arg)
{
    struct xen_domctl_shadow_op *a = arg;

    if (a->op == XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION) {
        return memory_set_pool(c->d, a->mb * MIB);
    }
    if (a->op == XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION) {
        a->mb = (uint32_t)MIN(memory_pool(c->d) / MIB, (uint64_t)UINT32_MAX);
        return 0;
    }
    return refuse(-XEN_EOPNOTSUPP, "no shadow page tables, no log of dirty pages", a->op, 0);
}

/*
 * What a toolstack wrote into d's RAM becomes visible with caches off. The caller's structure
 * is the progress: what is done leaves the range.
 */
int domctl_op_cacheflush(struct ctl *c, void *arg)
{
    struct xen_domctl_cacheflush *a = arg;
    struct hv *hv = c->d->hv;

    if (a->nr_pfns > FLUSH_PAGES_MAX || a->start_pfn + a->nr_pfns < a->start_pfn) {
        return refuse(-XEN_EINVAL, "too many pages at once", a->start_pfn, a->nr_pfns);
    }
    for (uint32_t i = 0; i < FLUSH_PAGES_PER_CALL && a->nr_pfns != 0; i++) {
        mfn_t m = p2m_get_frame(c->d, gfn(a->start_pfn), RAM_TYPES, NULL);

        if (!mfn_is_none(m)) {
            void *page = frame_map_local(hv, m);

            arch_cache_clean_invalidate(page, PAGE_SIZE);
            frame_unmap(hv, page);
            frame_put(hv, m);
        }
        a->start_pfn++;
        a->nr_pfns--;
    }
    return a->nr_pfns != 0 ? hc_again(c->hc) : 0;
}
