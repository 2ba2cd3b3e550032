/* SPDX-License-Identifier: MIT */
/*
 * A toolstack in a test: the control domain, in its guest on CPU 0, and calls as its tools make
 * them: a structure in its memory, whose address the hypercall has.
 *
 *   struct toolstack t = toolstack_begin(2);
 *   struct xen_domctl op = { .cmd = XEN_DOMCTL_pausedomain, .domain = 1 };
 *   CHECK_EQ(toolstack_domctl(&t, &op), 0);      version, copy in, hypercall, copy out
 *   toolstack_end(&t);                           takes every other domain apart, too
 */
#ifndef CTL_H
#define CTL_H

#include <arch/impl/fake.h>
#include <loam/ctl.h>
#include <loam/hypercall.h>
#include <xen/domctl.h>

#include "dom.h"

#define TOOLSTACK_OP (DOM_RAM + 0x800) /* where its structure lies */
#define TOOLSTACK_BUF (DOM_RAM + PAGE_SIZE) /* and what that points at */
#define HYPERCALL_SYSCTL 35
#define HYPERCALL_DOMCTL 36

struct toolstack {
    struct world *w;
    struct domain *d;
    struct vcpu *v;
    uint32_t version; /* of domctl */
};

static inline struct toolstack toolstack_begin(uint32_t nr_cpus)
{
    struct domain_config c = { .name = "dom0", .vcpus_max = 1, .nr_spis = DOM_SPIS, .weight = 256,
                               .enhanced = true, .control = true };
    struct toolstack t = { .w = dom_world(nr_cpus), .version = DOMCTL_VERSION_LAST };

    world_inject(t.w, false);
    t.d = dom_create_with(t.w, &c);
    if (t.d != NULL) {
        t.v = t.d->vcpus[0];
        domain_start(t.d);
        dom_run(t.w, 0, 0);
        CHECK(t.w->hv->pcpus[0]->current == t.v);
        world_load(t.w, t.v);
    }
    return t;
}

static inline void toolstack_end(struct toolstack *t)
{
    for (uint32_t i = 1; i < HV_DOMAINS_MAX; i++) {
        if (t->w->hv->domains[i] != NULL) {
            dom_destroy(t->w, t->w->hv->domains[i]);
        }
    }
    if (t->d != NULL) {
        dom_destroy(t->w, t->d);
    }
    world_destroy(t->w);
}

static inline void toolstack_put(struct toolstack *t, uint64_t at, const void *p, size_t size)
{
    world_cpu(t->w, 0);
    CHECK(fake_guest_write(t->v, gpa(at), p, size));
}

static inline void toolstack_get(struct toolstack *t, uint64_t at, void *p, size_t size)
{
    world_cpu(t->w, 0);
    CHECK(fake_guest_read(t->v, gpa(at), p, size));
}

static inline int64_t toolstack_domctl(struct toolstack *t, struct xen_domctl *op)
{
    op->interface_version = t->version;
    toolstack_put(t, TOOLSTACK_OP, op, sizeof(*op));
    int64_t rc = dom_hypercall(t->w, 0, HYPERCALL_DOMCTL, TOOLSTACK_OP, 0, 0);
    toolstack_get(t, TOOLSTACK_OP, op, sizeof(*op));
    return rc;
}

/* An operation on domain id whose structure has size bytes at arg, in and out. */
static inline int64_t toolstack_do(struct toolstack *t, uint32_t cmd, uint16_t id, void *arg,
                                   size_t size)
{
    struct xen_domctl op = { .cmd = cmd, .domain = id };

    memcpy(op.u, arg, size);
    int64_t rc = toolstack_domctl(t, &op);
    memcpy(arg, op.u, size);
    return rc;
}

/* The same without a structure. */
static inline int64_t toolstack_act(struct toolstack *t, uint32_t cmd, uint16_t id)
{
    uint8_t none;

    return toolstack_do(t, cmd, id, &none, 0);
}

static inline struct xen_domctl_createdomain toolstack_config(uint32_t vcpus)
{
    return (struct xen_domctl_createdomain){
        .handle = { 1, 2, 3, 4 },
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = 1,
    };
}

/* A domain of the toolstack's, with its vCPUs; its domid, 0: an allocation was made to fail. */
static inline uint16_t toolstack_create(struct toolstack *t, uint32_t vcpus)
{
    struct xen_domctl_createdomain c = toolstack_config(vcpus);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .domain = 0x7ff5 };

    memcpy(op.u, &c, sizeof(c));
    int64_t rc = toolstack_domctl(t, &op);
    if (rc == 0) {
        struct xen_domctl_max_vcpus max = { vcpus };

        rc = toolstack_do(t, XEN_DOMCTL_max_vcpus, op.domain, &max, sizeof(max));
    }
    CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    return rc == 0 ? op.domain : 0;
}

#endif
