/* SPDX-License-Identifier: MIT */
/*
 * Two domains on two CPUs of a fake host, each in its guest: a control domain ("dom0", on CPU
 * 0) and another one ("guest", on CPU 1), which make hypercalls with arguments in their RAM.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <loam/frame.h>
#include <loam/hypercall.h>
#include <loam/memory.h>
#include <xen/memory.h>
#include <xen/xen.h>

#include "dom.h"
#include "memory_invariants.h"

#define RAM_GFN (DOM_RAM >> PAGE_SHIFT)
#define RAM_PAGES (UINT64_C(1) << DOM_RAM_ORDER)
#define HOLE UINT64_C(0x80000) /* a gfn where nothing is mapped */
#define NOWHERE UINT64_C(0x7000000000)
/* Where arguments and lists are in the RAM of who calls. */
#define ARG (DOM_RAM + 0x100)
#define LIST (DOM_RAM + 0x1000)
#define LIST2 (DOM_RAM + 0x5000)
#define LIST3 (DOM_RAM + 0x9000)

struct pair {
    struct world *w;
    struct domain *dom0, *guest;
};

static inline struct domain *pair_create(struct world *w, const char *name, bool control)
{
    struct domain_config c = {
        .vcpus_max = 1, .nr_spis = DOM_SPIS, .weight = 256, .enhanced = true, .control = control
    };
    static const struct cpumask cpus[] = { { { 2, 0 } }, { { 1, 0 } } };

    snprintf(c.name, sizeof(c.name), "%s", name);
    struct domain *d = dom_create_with(w, &c);

    if (d != NULL) {
        d->pages = RAM_PAGES;
        memory_set_max(d, 4096);
        CHECK_EQ(sched_set_affinity(d->vcpus[0], &cpus[control]), 0);
        domain_start(d);
        dom_run(w, control ? 0 : 1, 0);
    }
    return d;
}

static inline struct pair pair_begin(void)
{
    struct pair p = { .w = dom_world(2) };

    world_inject(p.w, false);
    p.dom0 = pair_create(p.w, "dom0", true);
    p.guest = pair_create(p.w, "guest", false);
    CHECK(p.w->hv->pcpus[0]->current == p.dom0->vcpus[0]);
    CHECK(p.w->hv->pcpus[1]->current == p.guest->vcpus[0]);
    return p;
}

static inline void pair_end(struct pair *p)
{
    world_inject(p->w, false);
    CHECK_STR(memory_check(p->w->hv) != NULL ? memory_check(p->w->hv) : "nothing", "nothing");
    if (p->guest != NULL) {
        dom_destroy(p->w, p->guest);
    }
    dom_destroy(p->w, p->dom0);
    world_destroy(p->w);
}

static inline uint32_t cpu_of(struct pair *p, struct domain *d) { return d == p->dom0 ? 0 : 1; }

static inline void put(struct pair *p, struct domain *d, uint64_t at, const void *buf, size_t size)
{
    world_cpu(p->w, cpu_of(p, d));
    CHECK(fake_guest_write(d->vcpus[0], gpa(at), buf, size));
}

static inline void get(struct pair *p, struct domain *d, uint64_t at, void *buf, size_t size)
{
    world_cpu(p->w, cpu_of(p, d));
    CHECK(fake_guest_read(d->vcpus[0], gpa(at), buf, size));
}

/* memory_op of d, its argument a copy of the structure. */
static inline int64_t op(struct pair *p, struct domain *d, uint32_t cmd, const void *arg,
                         size_t size)
{
    put(p, d, ARG, arg, size);
    return dom_hypercall(p->w, cpu_of(p, d), __HYPERVISOR_memory_op, cmd, ARG, 0);
}

/* A reservation of one of the two for `target`; gfns are in LIST already. */
static inline int64_t extents(struct pair *p, struct domain *d, uint32_t cmd, uint64_t nr,
                              uint32_t order, domid_t target)
{
    struct xen_memory_reservation r = {
        .extent_start = LIST, .nr_extents = nr, .extent_order = order, .domid = target
    };

    return op(p, d, cmd, &r, sizeof(r));
}

static inline void list_gfns(struct pair *p, struct domain *d, uint64_t first, uint64_t step,
                             uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++) {
        uint64_t g = first + i * step;

        put(p, d, LIST + i * 8, &g, sizeof(g));
    }
}

/* The domid that one domain names another by. */
static inline domid_t id_of(const struct domain *d) { return d->id; }

static inline int32_t map_batch(struct pair *p, struct domain *d, uint16_t space, domid_t foreign,
                                uint64_t idx, uint64_t g)
{
    struct xen_add_to_physmap_batch a = { .domid = DOMID_SELF,
                                          .space = space,
                                          .size = 1,
                                          .u.foreign_domid = foreign,
                                          .idxs = LIST,
                                          .gpfns = LIST2,
                                          .errs = LIST3 };
    int32_t err = 77;

    put(p, d, LIST, &idx, sizeof(idx));
    put(p, d, LIST2, &g, sizeof(g));
    put(p, d, LIST3, &err, sizeof(err));
    int64_t rc = op(p, d, XENMEM_add_to_physmap_batch, &a, sizeof(a));
    get(p, d, LIST3, &err, sizeof(err));
    CHECK(rc == 0 || err == 77);
    return rc != 0 ? (int32_t)rc : err;
}

static inline int64_t map_one(struct pair *p, struct domain *d, uint32_t space, uint64_t idx,
                              uint64_t g)
{
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = g };

    return op(p, d, XENMEM_add_to_physmap, &a, sizeof(a));
}

static inline int64_t remove_one(struct pair *p, struct domain *d, uint64_t g)
{
    struct xen_remove_from_physmap a = { .domid = DOMID_SELF, .gpfn = g };

    return op(p, d, XENMEM_remove_from_physmap, &a, sizeof(a));
}

static inline uint32_t frame_refs(struct pair *p, mfn_t m)
{
    return p->w->hv->frames.table[m.n - p->w->hv->frames.base.n].refs;
}

static inline uint32_t order_at(struct domain *d, uint64_t g)
{
    uint32_t order = 99;

    return mfn_is_none(p2m_lookup(d, gfn(g), NULL, &order)) ? 99 : order;
}

#endif
