/* SPDX-License-Identifier: MIT */
/*
 * Domains with grant tables for a test: domain i has CPU i to itself and runs there. Its RAM is
 * DOM_RAM's 16 pages, page n filled with bytes of its own; the last one has arguments.
 */
#ifndef GRANTS_TEST_H
#define GRANTS_TEST_H

#include <loam/gnttab.h>
#include <loam/guest_copy.h>
#include <loam/refusal.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#include "../../hv/arch/fake/fake.h"
#include "../../hv/ipc/grants.h"
#include "dom.h"

#define G_DOMAINS 3
#define G_GFN(page) (gpa_to_gfn(gpa(DOM_RAM)).n + (page)) /* of RAM's pages */
#define G_ARG_PAGE 15
#define G_ARG (DOM_RAM + G_ARG_PAGE * PAGE_SIZE)
#define G_WINDOW UINT64_C(0x90000000) /* where grants are mapped */
#define G_OP __HYPERVISOR_grant_table_op

struct grants {
    struct world *w;
    struct domain *d[G_DOMAINS];
};

static inline uint8_t g_byte(uint32_t i, uint32_t page)
{
    return (uint8_t)(0x10 + i * 0x20 + page);
}

static inline void g_fill(struct grants *g, uint32_t i)
{
    uint8_t bytes[PAGE_SIZE];

    for (uint32_t page = 0; page < 16; page++) {
        memset(bytes, g_byte(i, page), sizeof(bytes));
        CHECK_EQ(guest_phys_write(g->d[i], gpa(DOM_RAM + page * PAGE_SIZE), bytes, PAGE_SIZE, true),
                 0);
    }
}

/* g_create(), with or without bytes of its own in the domain's pages. */
static inline bool g_create_with(struct grants *g, uint32_t i, struct domain_config c, bool fill)
{
    struct cpumask own = { { 0 } };

    snprintf(c.name, sizeof(c.name), "%c", (char)('a' + i));
    c.vcpus_max = 1;
    c.nr_spis = DOM_SPIS;
    c.weight = 256;
    c.enhanced = true;
    g->d[i] = dom_create_with(g->w, &c);
    if (g->d[i] == NULL) {
        return false;
    }
    cpumask_set(&own, i);
    CHECK_EQ(sched_set_affinity(g->d[i]->vcpus[0], &own), 0);
    if (fill) {
        g_fill(g, i);
    }
    domain_start(g->d[i]);
    dom_run(g->w, i, 0);
    return true;
}

/* Makes domain i as c says, whose name does not count. False: an allocation was made to fail. */
static inline bool g_create(struct grants *g, uint32_t i, struct domain_config c)
{
    return g_create_with(g, i, c, true);
}

static inline struct grants g_begin_with(struct domain_config c)
{
    struct grants g = { .w = dom_world(G_DOMAINS) };

    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        g_create(&g, i, c);
    }
    return g;
}

/* Domains that may have version 2. */
static inline struct grants g_begin(void)
{
    return g_begin_with((struct domain_config){ .grant_version_max = 2 });
}

static inline void g_destroy(struct grants *g, uint32_t i)
{
    dom_destroy(g->w, g->d[i]);
    g->d[i] = NULL;
}

static inline void g_end(struct grants *g)
{
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        if (g->d[i] != NULL) {
            g_destroy(g, i);
        }
    }
    world_destroy(g->w);
}

/* Domain i's vCPU makes the hypercall; its CPU is called away first, if somebody does. */
static inline int64_t g_hypercall(struct grants *g, uint32_t i, uint64_t op, uint64_t at,
                                  uint64_t count)
{
    for (uint32_t n = 0; n < 10 && fake_irq_is_pending(g->w->hv->pcpus[i]); n++) {
        dom_run(g->w, i, 1);
    }
    CHECK(g->w->hv->pcpus[i]->current == g->d[i]->vcpus[0]);
    return dom_hypercall(g->w, i, G_OP, op, at, count);
}

/* Domain i's vCPU makes the hypercall, with `count` elements at G_ARG. */
static inline int64_t g_call(struct grants *g, uint32_t i, uint32_t op, void *elements, size_t size,
                             uint32_t count)
{
    CHECK_EQ(guest_phys_write(g->d[i], gpa(G_ARG), elements, size * count, false), 0);
    int64_t rc = g_hypercall(g, i, op, G_ARG, count);
    CHECK_EQ(guest_phys_read(g->d[i], elements, gpa(G_ARG), size * count), 0);
    return rc;
}

/* Frame `index` of domain i's table, for the test to look at and to write as the guest does. */
static inline void *g_frame(struct grants *g, uint32_t i, uint32_t index, bool status)
{
    mfn_t m;

    if (gnttab_frame(g->d[i], index, status, true, &m) != 0) {
        CHECK(!"the grant table has this frame");
        return NULL;
    }
    frame_put(g->w->hv, m);
    return frame_map_local(g->w->hv, m);
}

static inline struct grant_entry_v1 *g_v1(struct grants *g, uint32_t i, grant_ref_t ref)
{
    return (struct grant_entry_v1 *)g_frame(g, i, ref / 512, false) + ref % 512;
}

static inline union grant_entry_v2 *g_v2(struct grants *g, uint32_t i, grant_ref_t ref)
{
    return (union grant_entry_v2 *)g_frame(g, i, ref / 256, false) + ref % 256;
}

static inline grant_status_t *g_status(struct grants *g, uint32_t i, grant_ref_t ref)
{
    return (grant_status_t *)g_frame(g, i, ref / 2048, true) + ref % 2048;
}

/* Domain i grants its page to domain `to`. */
static inline void g_grant(struct grants *g, uint32_t i, grant_ref_t ref, uint32_t to,
                           uint32_t page, uint16_t flags)
{
    *g_v1(g, i, ref) = (struct grant_entry_v1){ (uint16_t)(GTF_permit_access | flags),
                                                g->d[to]->id, (uint32_t)G_GFN(page) };
}

static inline struct gnttab_map_grant_ref g_map(struct grants *g, uint32_t i, uint32_t from,
                                                grant_ref_t ref, uint32_t flags, uint64_t at)
{
    struct gnttab_map_grant_ref a = { .host_addr = at, .flags = GNTMAP_host_map | flags,
                                      .ref = ref, .dom = g->d[from]->id, .status = 99,
                                      .handle = 0xdead };

    CHECK_EQ(g_call(g, i, GNTTABOP_map_grant_ref, &a, sizeof(a), 1), 0);
    return a;
}

static inline int16_t g_unmap(struct grants *g, uint32_t i, uint32_t handle, uint64_t at)
{
    struct gnttab_unmap_grant_ref a = { .host_addr = at, .handle = handle, .status = 99 };

    CHECK_EQ(g_call(g, i, GNTTABOP_unmap_grant_ref, &a, sizeof(a), 1), 0);
    return a.status;
}

/* Domain i's guest reads / writes a byte; -1: it cannot. */
static inline int g_peek(struct grants *g, uint32_t i, uint64_t at)
{
    uint8_t byte = 0;

    world_cpu(g->w, i);
    return fake_guest_read(g->d[i]->vcpus[0], gpa(at), &byte, 1) ? byte : -1;
}

static inline bool g_poke(struct grants *g, uint32_t i, uint64_t at, uint8_t byte)
{
    world_cpu(g->w, i);
    return fake_guest_write(g->d[i]->vcpus[0], gpa(at), &byte, 1);
}

/* What was said about the last refusal. */
static inline const char *g_why(struct grants *g)
{
    struct refusal r = { 0 };
    uint64_t nr = refusal_count(g->w->hv);

    return nr != 0 && refusal_read(g->w->hv, nr - 1, &r) && r.check != NULL ? r.check : "";
}

#endif
