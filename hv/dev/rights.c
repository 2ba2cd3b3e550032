/* SPDX-License-Identifier: MIT */
/*
 * A domain's rights to devices of the machine. Contract: loam/rights.h.
 *
 * Ranges of pages are in no order, and none touches another one, so that pages that follow each
 * other are always in one of them. They are few: an operator writes them down.
 *
 * Locks: d->lock.
 */
#include <arch/irq.h>
#include <loam/atomic.h>
#include <loam/bitmap.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/rights.h>
#include <xen/errno.h>

#define RANGES_MAX 32

struct pages {
    uint64_t first, end; /* mfn */
};

struct rights {
    uint32_t nr;
    struct pages range[RANGES_MAX];
    uint32_t nr_irqs;
    uint64_t irqs[]; /* a bit per interrupt: it may have it; then the same: edge-triggered */
};

static size_t irq_words(struct hv *hv) { return BITMAP_WORDS(arch_irq_count(hv)); }

static size_t rights_size(struct hv *hv)
{
    return sizeof(struct rights) + 2 * irq_words(hv) * sizeof(uint64_t);
}

/* d's rights, made if there are none and it shall get some. NULL: none, or no memory. */
static struct rights *rights_of(struct domain *d, bool make)
{
    struct rights *none = NULL, *r = atomic_load_acquire(&d->rights);

    if (r != NULL || !make) {
        return r;
    }
    r = mem_alloc(d->hv, rights_size(d->hv));
    if (r != NULL) {
        r->nr_irqs = arch_irq_count(d->hv);
        if (!atomic_compare_exchange(&d->rights, &none, r)) {
            mem_free(d->hv, r, rights_size(d->hv));
            r = none;
        }
    }
    return r;
}

/* Takes [first, end) in. [d->lock] */
static int add_locked(struct rights *r, struct pages add)
{
    /* What it touches becomes part of it. */
    for (uint32_t i = 0; i < r->nr;) {
        struct pages *x = &r->range[i];

        if (x->first <= add.end && add.first <= x->end) {
            add.first = MIN(add.first, x->first);
            add.end = MAX(add.end, x->end);
            *x = r->range[--r->nr];
            i = 0; /* larger, it may touch those before */
        } else {
            i++;
        }
    }
    if (r->nr == RANGES_MAX) {
        return -XEN_ENOMEM; /* it touched none, so nothing changed */
    }
    r->range[r->nr++] = add;
    return 0;
}

/* Takes [first, end) out. [d->lock] */
static int cut_locked(struct rights *r, struct pages cut)
{
    for (uint32_t i = 0; i < r->nr; i++) {
        const struct pages *x = &r->range[i];

        if (x->first < cut.first && x->end > cut.end && r->nr == RANGES_MAX) {
            return -XEN_ENOMEM; /* the only range that is concerned, to become two */
        }
    }
    for (uint32_t i = 0; i < r->nr;) {
        struct pages *x = &r->range[i], old = *x;

        if (old.end <= cut.first || cut.end <= old.first) {
            i++;
            continue;
        }
        *x = r->range[--r->nr];
        if (old.first < cut.first) {
            r->range[r->nr++] = (struct pages){ old.first, cut.first };
        }
        if (cut.end < old.end) {
            r->range[r->nr++] = (struct pages){ cut.end, old.end };
        }
        /* Those two are behind and concerned no more; who came to i may be. */
    }
    return 0;
}

int rights_set_pages(struct domain *d, mfn_t m, uint64_t pages, bool allow)
{
    struct rights *r = rights_of(d, allow);
    struct pages range = { m.n, m.n + pages };

    if (r == NULL) {
        return allow ? -XEN_ENOMEM : 0;
    }
    spin_lock(&d->lock);
    int rc = allow ? add_locked(r, range) : cut_locked(r, range);
    spin_unlock(&d->lock);
    return rc;
}

bool rights_has_pages(struct domain *d, mfn_t m, uint64_t pages)
{
    struct rights *r = rights_of(d, false);
    bool has = false;

    if (r == NULL) {
        return false;
    }
    spin_lock(&d->lock);
    for (uint32_t i = 0; !has && i < r->nr; i++) {
        has = m.n >= r->range[i].first && m.n < r->range[i].end && pages <= r->range[i].end - m.n;
    }
    spin_unlock(&d->lock);
    return has;
}

int rights_set_irq(struct domain *d, uint32_t irq, bool edge, bool allow)
{
    struct rights *r = rights_of(d, allow);

    if (r == NULL || irq >= r->nr_irqs) {
        return r == NULL && allow ? -XEN_ENOMEM : 0;
    }
    spin_lock(&d->lock);
    bitmap_clear(r->irqs, irq);
    bitmap_clear(r->irqs + irq_words(d->hv), irq);
    if (allow) {
        bitmap_set(r->irqs, irq);
    }
    if (allow && edge) {
        bitmap_set(r->irqs + irq_words(d->hv), irq);
    }
    spin_unlock(&d->lock);
    return 0;
}

bool rights_has_irq(struct domain *d, uint32_t irq, bool *edge)
{
    struct rights *r = rights_of(d, false);

    if (r == NULL || irq >= r->nr_irqs) {
        return false;
    }
    spin_lock(&d->lock);
    bool has = bitmap_test(r->irqs, irq);
    *edge = bitmap_test(r->irqs + irq_words(d->hv), irq);
    spin_unlock(&d->lock);
    return has;
}

void rights_free(struct domain *d)
{
    mem_free(d->hv, d->rights, rights_size(d->hv));
    d->rights = NULL;
}
