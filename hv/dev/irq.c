/* SPDX-License-Identifier: MIT */
/*
 * The table of host interrupts: each belongs to nobody, to the hypervisor or
 * to one domain.
 *
 * Changes are made under irq_table.lock; irq_deliver() reads without it, on
 * the CPU that took the interrupt. A line is unmasked after its row is whole and
 * masked before the row is cleared; domain_destroy() passes a quiescent point
 * between irq_release_domain() and the domain's end.
 */
#include <arch/guest.h>
#include <arch/irq.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/lock.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

struct irq_row {
    void (*fn)(struct hv *hv, struct pcpu *p);
    struct domain *domain;
    uint32_t virq;
};

struct irq_table {
    struct spinlock lock; /* LOCK_RANK_IRQ */
    uint32_t nr;
    struct irq_row row[];
};

int irq_table_init(struct hv *hv, uint32_t nr)
{
    struct irq_table *t = mem_alloc(hv, sizeof(*t) + nr * sizeof(t->row[0]));

    if (t == NULL) {
        return -XEN_ENOMEM;
    }
    t->lock = SPINLOCK_INIT(LOCK_RANK_IRQ);
    t->nr = nr;
    hv->irqs = t;
    return 0;
}

static int irq_check_locked(const struct hv *hv, uint32_t irq)
{
    const struct irq_table *t = hv->irqs;

    if (irq < arch_irq_first(hv) || irq >= t->nr) {
        return -XEN_EINVAL;
    }
    return t->row[irq].fn != NULL || t->row[irq].domain != NULL ? -XEN_EBUSY : 0;
}

int irq_request(struct hv *hv, uint32_t irq, enum irq_trigger trigger,
                void (*fn)(struct hv *hv, struct pcpu *p))
{
    struct irq_table *t = hv->irqs;

    spin_lock(&t->lock);
    int rc = irq_check_locked(hv, irq);
    if (rc == 0) {
        /* Pairs with the acquire in irq_deliver(). */
        atomic_store_release(&t->row[irq].fn, fn);
        arch_irq_unmask(hv, irq, trigger == IRQ_EDGE, hv->pcpus[0]);
    }
    spin_unlock(&t->lock);
    return rc;
}

int irq_assign(struct domain *d, uint32_t irq, uint32_t virq, enum irq_trigger trigger)
{
    struct hv *hv = d->hv;
    struct irq_table *t = hv->irqs;

    /* First, because its locks come before ours; of two callers one gets -XEN_EBUSY below. */
    int rc = arch_vintc_assign(d, virq, irq, trigger == IRQ_EDGE);
    if (rc) {
        return rc;
    }
    spin_lock(&t->lock);
    rc = irq_check_locked(hv, irq);
    if (rc == 0) {
        t->row[irq].virq = virq;
        /* Pairs with the acquire in irq_deliver(): virq is there before. */
        atomic_store_release(&t->row[irq].domain, d);
        arch_irq_unmask(hv, irq, trigger == IRQ_EDGE, hv->pcpus[0]);
    }
    spin_unlock(&t->lock);
    if (rc) {
        arch_vintc_unassign(d, virq);
    }
    return rc;
}

bool irq_is_of(const struct domain *d, uint32_t irq)
{
    const struct irq_table *t = d->hv->irqs;

    return irq < t->nr && atomic_load_relaxed(&t->row[irq].domain) == d;
}

bool irq_release(struct domain *d, uint32_t irq)
{
    struct irq_table *t = d->hv->irqs;
    bool mine = false;
    uint32_t virq = 0;

    if (irq >= t->nr) {
        return false;
    }
    spin_lock(&t->lock);
    struct irq_row *row = &t->row[irq];
    if (row->domain == d) {
        mine = true;
        virq = row->virq;
        arch_irq_mask(d->hv, irq);
        atomic_store_release(&row->domain, NULL);
    }
    spin_unlock(&t->lock);
    if (mine) {
        arch_vintc_unassign(d, virq);
    }
    return mine;
}

void irq_release_domain(struct domain *d)
{
    for (uint32_t irq = arch_irq_first(d->hv); irq < d->hv->irqs->nr; irq++) {
        (void)irq_release(d, irq);
    }
}

bool irq_deliver(struct pcpu *p, uint32_t irq)
{
    struct hv *hv = p->hv;

    if (irq >= hv->irqs->nr) {
        return false;
    }
    const struct irq_row *row = &hv->irqs->row[irq];
    struct domain *d = atomic_load_acquire(&row->domain);

    if (d != NULL) {
        arch_vintc_host_irq(d, row->virq);
        return true;
    }
    void (*fn)(struct hv *, struct pcpu *) = atomic_load_acquire(&row->fn);
    if (fn != NULL) {
        fn(hv, p);
    }
    return false;
}
