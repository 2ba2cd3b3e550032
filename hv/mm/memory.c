/* SPDX-License-Identifier: MIT */
/*
 * The memory of domains: counts and limits, RAM into and out of their maps.
 *
 * A frame counts in d->pages from before it is allocated, so that two CPUs which populate d
 * at the same time stay within d->pages_max together. A claim is frames that the
 * allocator keeps free (frames_promise()); what is allocated to d counts it down.
 *
 * In a direct map a frame that was taken out of the map stays d's and counts on: it can only come
 * back to its own place. The end of d finds those frames by their owner.
 *
 * Locks: d->lock for the counts, p2m.lock and frames.lock by what is called; none is held over
 * another but d->lock over frames.lock in memory_claim(). Next: mm/memory_op.c.
 */
#include <loam/atomic.h>
#include <loam/bits.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/memory.h>
#include <loam/p2m.h>
#include <loam/refusal.h>
#include <xen/errno.h>

/*
 * Page tables that a domain may fill without a toolstack's word, as stock toolstacks compute
 * it: 1 MiB per vCPU for what it maps of others, 8 KiB per MiB of RAM.
 */
#define TABLES_PER_VCPU 256
#define TABLES_PER_MIB 2
#define PAGES_PER_MIB (UINT64_C(1) << (20 - PAGE_SHIFT))

#define CLOSE_BLOCKS 64 /* given back in one step of memory_release_rest() */

void memory_counts(struct domain *d, struct memory_counts *out)
{
    spin_lock(&d->lock);
    out->pages = d->pages;
    out->max = d->pages_max;
    spin_unlock(&d->lock);
    out->claim = atomic_load_relaxed(&d->claim);
    spin_lock(&d->p2m.lock);
    out->tables = d->p2m.table_pages;
    out->tables_max = d->p2m.tables_max;
    out->end_gfn = d->p2m.max_gfn;
    spin_unlock(&d->p2m.lock);
}

static uint64_t default_tables(const struct domain *d, uint64_t pages)
{
    uint64_t mib = pages / PAGES_PER_MIB + 1;

    return TABLES_PER_VCPU * (uint64_t)d->config.vcpus_max + TABLES_PER_MIB * mib;
}

void memory_set_max(struct domain *d, uint64_t pages)
{
    spin_lock(&d->lock);
    d->pages_max = pages;
    spin_unlock(&d->lock);
    spin_lock(&d->p2m.lock);
    if (!d->p2m.tables_given && !d->config.control) {
        d->p2m.tables_max = MAX(default_tables(d, pages), d->p2m.table_pages);
    }
    spin_unlock(&d->p2m.lock);
}

int memory_set_pool(struct domain *d, uint64_t bytes)
{
    uint64_t pages = bytes >> PAGE_SHIFT;
    int rc = 0;

    if (!IS_ALIGNED(bytes, PAGE_SIZE)) {
        return refuse(-XEN_EINVAL, "a paging pool of whole pages", bytes, 0);
    }
    spin_lock(&d->p2m.lock);
    uint64_t used = d->p2m.table_pages;
    if (pages >= used) {
        d->p2m.tables_max = pages;
        d->p2m.tables_given = true;
    } else {
        rc = -XEN_ENOMEM;
    }
    spin_unlock(&d->p2m.lock);
    return rc == 0 ? 0 : refuse(rc, "more page tables than that are in use", pages, used);
}

uint64_t memory_pool(struct domain *d)
{
    spin_lock(&d->p2m.lock);
    uint64_t pages = d->p2m.tables_max;
    spin_unlock(&d->p2m.lock);
    return pages == UINT64_MAX ? pages : pages << PAGE_SHIFT;
}

/* Why a claim on `pages` cannot be; d->lock is held. */
static int claim_check(const struct domain *d, uint64_t pages)
{
    if (d->state == DOMAIN_DYING) {
        return refuse(-XEN_EINVAL, "the domain is dying", d->id, 0);
    }
    if (d->claim != 0) {
        return refuse(-XEN_EINVAL, "the domain has a claim already", d->claim, pages);
    }
    if (pages <= d->pages) {
        return refuse(-XEN_EINVAL, "a claim of no more than the domain has", pages, d->pages);
    }
    if (pages > d->pages_max) {
        return refuse(-XEN_EINVAL, "a claim over the domain's maximum", pages, d->pages_max);
    }
    return 0;
}

int memory_claim(struct domain *d, uint64_t pages)
{
    spin_lock(&d->lock);
    int rc = pages != 0 ? claim_check(d, pages) : 0;
    if (rc == 0) {
        rc = frames_promise(d->hv, &d->claim, pages != 0 ? pages - d->pages : 0);
        if (rc != 0) {
            (void)refuse(rc, "so many frames are not free and unclaimed", pages - d->pages,
                         d->hv->frames.avail);
        }
    }
    spin_unlock(&d->lock);
    return rc;
}

uint64_t memory_claimed(struct hv *hv)
{
    spin_lock(&hv->frames.lock);
    uint64_t pages = hv->frames.promised;
    spin_unlock(&hv->frames.lock);
    return pages;
}

/* Counts `pages` more as d's. Errors: -XEN_ENOMEM it may not have them, -XEN_ESRCH it is dying. */
static int count(struct domain *d, uint64_t pages)
{
    int rc = 0;

    spin_lock(&d->lock);
    uint64_t have = d->pages, max = d->pages_max;
    if (d->state == DOMAIN_DYING) {
        rc = refuse(-XEN_ESRCH, "the domain is dying", d->id, 0);
    } else if (have > max || pages > max - have) {
        rc = -XEN_ENOMEM;
    } else {
        d->pages += pages;
    }
    spin_unlock(&d->lock);
    if (rc == -XEN_ENOMEM) {
        (void)refuse(rc, "over the domain's maximum (max_mem)", have + pages, max);
    }
    return rc;
}

/* Makes allocated frames RAM of d, or the opposite. */
static void assign(struct domain *d, mfn_t m, uint64_t pages, bool on)
{
    while (pages != 0) {
        uint32_t order = MIN(ilog2(pages), (uint32_t)FRAME_ORDER_MAX);

        if (on) {
            frame_assign(d->hv, m, order, d);
        } else {
            frame_unassign(d->hv, m, order);
        }
        m = mfn_add(m, UINT64_C(1) << order);
        pages -= UINT64_C(1) << order;
    }
}

static int why_not_mapped(int rc, gfn_t g)
{
    switch (rc) {
    case -XEN_EEXIST:
        return refuse(rc, "something is mapped there", g.n, 0);
    case -XEN_EINVAL:
        return refuse(rc, "outside of the guest's address width", g.n, 0);
    case -XEN_ESRCH:
        return refuse(rc, "the domain is dying", g.n, 0);
    default:
        return refuse(rc, "no memory for page tables", g.n, 0);
    }
}

/* d's own frames come back to their place. */
static int populate_direct(struct domain *d, gfn_t g, uint64_t pages)
{
    if (!frames_are_of(d->hv, mfn(g.n), pages, d)) {
        return refuse(-XEN_EINVAL, "no frames of the domain's own direct map", g.n, pages);
    }
    int rc = p2m_map(d, g, mfn(g.n), pages, P2M_RAM_RW);

    return rc == 0 ? 0 : why_not_mapped(rc, g);
}

int memory_populate(struct domain *d, gfn_t g, uint64_t pages)
{
    if (d->config.direct_map) {
        return populate_direct(d, g, pages);
    }
    int rc = count(d, pages);
    if (rc != 0) {
        return rc;
    }
    mfn_t m = frame_alloc_promised(d->hv, pages, FRAME_ALLOC_CLEAN, &d->claim);
    if (mfn_is_none(m)) {
        rc = refuse(-XEN_ENOMEM, "no block of so many frames is free and unclaimed", pages,
                    d->hv->frames.avail);
        goto out_count;
    }
    assign(d, m, pages, true);
    rc = p2m_map(d, g, m, pages, P2M_RAM_RW);
    if (rc == 0) {
        return 0;
    }
    rc = why_not_mapped(rc, g);
    assign(d, m, pages, false);
    frame_free_pages(d->hv, m, pages);
out_count:
    spin_lock(&d->lock);
    d->pages -= pages;
    spin_unlock(&d->lock);
    return rc;
}

int memory_release(struct domain *d, gfn_t g, uint64_t pages, uint64_t *done)
{
    for (*done = 0; *done < pages;) {
        uint64_t nr;
        mfn_t m;
        int rc = p2m_unmap_ram(d, gfn_add(g, *done), pages - *done, &m, &nr);

        if (rc != 0) {
            return rc == -XEN_ENOENT ? refuse(rc, "no RAM of the domain", g.n + *done, d->id)
                                     : why_not_mapped(rc, gfn_add(g, *done));
        }
        if (!d->config.direct_map) {
            domain_free_ram(d, m, nr);
        }
        *done += nr;
    }
    return 0;
}

int memory_init(struct domain *d)
{
    if (d->config.control) {
        d->pages_max = UINT64_MAX;
    } else {
        memory_set_max(d, 0);
    }
    return 0;
}

int memory_close(struct domain *d)
{
    return memory_claim(d, 0);
}

int memory_release_rest(struct domain *d)
{
    mfn_t m = mfn(d->p2m.teardown.n);
    uint64_t pages = 1;

    if (!d->config.direct_map || d->pages == 0) {
        return 0;
    }
    for (uint32_t n = 0; pages != 0 && n < CLOSE_BLOCKS; n++) {
        pages = frames_next_of(d->hv, &m, d);
        domain_free_ram(d, m, pages);
        m = mfn_add(m, pages);
    }
    d->p2m.teardown = gfn(mfn_is_none(m) ? 0 : m.n);
    return mfn_is_none(m) ? 0 : -XEN_EAGAIN;
}
