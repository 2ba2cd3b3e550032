/* SPDX-License-Identifier: MIT */
/*
 * Tests of what a control domain calls: a host with dom0, in its guest on CPU 0, and
 * another domain, in its guest on CPU 1.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <loam/ctl.h>

#include "dom.h"

struct control {
    struct world *w;
    struct domain *dom0, *domu;
};

/* Where arguments and buffers lie in either guest. */
#define ARG (DOM_RAM + 0x100)
#define BUF (DOM_RAM + PAGE_SIZE)

static inline struct domain *control_domain(struct world *w, const char *name, bool control,
                                            uint32_t cpu)
{
    struct domain_config c = { .vcpus_max = 1, .weight = 256, .enhanced = true, .control = control,
                               .direct_map = false };

    snprintf(c.name, sizeof(c.name), "%s", name);
    struct domain *d = dom_create_with(w, &c);
    struct cpumask one = { { 0 } };

    cpumask_set(&one, cpu);
    CHECK_EQ(sched_set_affinity(d->vcpus[0], &one), 0);
    domain_start(d);
    dom_run(w, cpu, 0);
    CHECK(w->hv->pcpus[cpu]->current == d->vcpus[0]);
    return d;
}

static inline struct control control_begin(void)
{
    struct control c = { .w = dom_world(2) };

    c.dom0 = control_domain(c.w, "dom0", true, 0);
    c.domu = control_domain(c.w, "guest", false, 1);
    return c;
}

static inline void control_end(struct control *c)
{
    dom_destroy(c->w, c->domu);
    dom_destroy(c->w, c->dom0);
    world_destroy(c->w);
}

static inline struct vcpu *control_caller(struct control *c, uint32_t cpu)
{
    world_cpu(c->w, cpu);
    return (cpu == 0 ? c->dom0 : c->domu)->vcpus[0];
}

/* Puts bytes into the memory of the guest on CPU `cpu` / gets them. */
static inline void control_put(struct control *c, uint32_t cpu, uint64_t at, const void *p,
                               size_t size)
{
    CHECK(fake_guest_write(control_caller(c, cpu), gpa(at), p, size));
}

static inline void control_get(struct control *c, uint32_t cpu, uint64_t at, void *p, size_t size)
{
    CHECK(fake_guest_read(control_caller(c, cpu), gpa(at), p, size));
}

/* A call with a header of cmd and version, then the operation's structure, which is read back. */
static inline int64_t control_op(struct control *c, uint32_t cpu, uint64_t number, uint32_t version,
                                 uint32_t cmd, void *op, size_t size)
{
    uint32_t head[2] = { cmd, version };

    control_put(c, cpu, ARG, head, sizeof(head));
    control_put(c, cpu, ARG + sizeof(head), op, size);
    int64_t rc = dom_hypercall(c->w, cpu, number, ARG, 0, 0);
    control_get(c, cpu, ARG + sizeof(head), op, size);
    return rc;
}

#endif
