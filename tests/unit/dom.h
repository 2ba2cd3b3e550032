/* SPDX-License-Identifier: MIT */
/*
 * Domains of a test on a fake host (world.h): made, run by scripts of exits,
 * taken apart.
 *
 *   struct world *w = dom_world(2);                    2 CPUs and a pool
 *   struct domain *d = dom_create(w, "a", 2, true);    2 vCPUs, RAM, enhanced
 *   dom_script(d->vcpus[0], steps, nr);
 *   domain_start(d);
 *   dom_run(w, 0, 10);                                 CPU 0 makes 10 exits
 *   dom_destroy(w, d);
 *   world_destroy(w);
 *
 * dom_create() gives NULL when an allocation was made to fail; nothing is left then.
 */
#ifndef DOM_H
#define DOM_H

#include <stdio.h>
#include <stdlib.h>

#include <arch/guest.h>
#include <arch/impl/fake.h>
#include <arch/irq.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/irq.h>
#include <loam/mem.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define DOM_RAM UINT64_C(0x40000000) /* guest-physical */
#define DOM_RAM_ORDER 4
#define DOM_SPIS 16

static inline struct world *dom_world_of(uint32_t nr_cpus, uint32_t ram_mib)
{
    struct world *w = world_create(nr_cpus, ram_mib);

    world_inject(w, false);
    CHECK_EQ(irq_table_init(w->hv, arch_irq_count(w->hv)), 0);
    world_add_pool(w);
    return w;
}

static inline struct world *dom_world(uint32_t nr_cpus) { return dom_world_of(nr_cpus, 64); }

/* p makes up to `exits` exits; the scripts of what runs there may end earlier. */
static inline enum fake_stop dom_run(struct world *w, uint32_t cpu, uint32_t exits)
{
    return fake_run(w->hv->pcpus[cpu], exits);
}

/* Every CPU does what waits for it. */
static inline void dom_settle(struct world *w)
{
    for (uint32_t i = 0; i < w->hv->nr_pcpus; i++) {
        dom_run(w, i, 0);
    }
}

static inline void dom_destroy(struct world *w, struct domain *d)
{
    for (uint32_t i = 0; i < 1000; i++) {
        if (domain_destroy(d) == 0) {
            return;
        }
        dom_settle(w);
    }
    CHECK(!"a domain is taken apart within 1,000 steps");
}

static inline int dom_fill(struct domain *d)
{
    int rc = arch_vintc_create(d);

    for (uint32_t i = 0; rc == 0 && i < d->config.vcpus_max; i++) {
        rc = vcpu_create(d, i);
    }
    if (rc != 0) {
        return rc;
    }
    mfn_t m = frame_alloc(d->hv, DOM_RAM_ORDER, FRAME_ALLOC_ZERO);

    if (mfn_is_none(m)) {
        return -XEN_ENOMEM;
    }
    frame_assign(d->hv, m, DOM_RAM_ORDER, d);
    rc = p2m_map(d, gpa_to_gfn(gpa(DOM_RAM)), m, 1u << DOM_RAM_ORDER, P2M_RAM_RW);
    if (rc != 0) {
        domain_free_ram(d, m, 1u << DOM_RAM_ORDER);
        return rc;
    }
    arch_vcpu_reset(d->vcpus[0], DOM_RAM, 0);
    return 0;
}

static inline struct domain *dom_create_with(struct world *w, const struct domain_config *c)
{
    struct domain *d;
    int rc = domain_create(w->hv, c, &d);

    if (rc == 0) {
        rc = dom_fill(d);
        if (rc != 0) {
            dom_destroy(w, d);
        }
    }
    if (rc != 0) {
        CHECK(unit_injected() && rc == -XEN_ENOMEM);
        return NULL;
    }
    return d;
}

static inline struct domain *dom_create(struct world *w, const char *name, uint32_t vcpus,
                                        bool enhanced)
{
    struct domain_config c = {
        .vcpus_max = vcpus, .nr_spis = DOM_SPIS, .weight = 256, .enhanced = enhanced
    };

    snprintf(c.name, sizeof(c.name), "%s", name);
    return dom_create_with(w, &c);
}

/* v makes these exits, once. */
static inline void dom_script(struct vcpu *v, struct fake_script *s, const struct fake_step *steps,
                              uint32_t nr)
{
    *s = (struct fake_script){ .steps = steps, .nr = nr };
    v->arch.script = s;
}

/*
 * The vCPU that is in its guest on CPU `cpu` makes one hypercall, as often as it takes; its
 * result. The other CPUs do what waits for them in between.
 */
static inline int64_t dom_hypercall5(struct world *w, uint32_t cpu, uint64_t number,
                                     const uint64_t a[5])
{
    struct vcpu *v = w->hv->pcpus[cpu]->current;
    struct fake_step step = { .exit = { .kind = VM_EXIT_HYPERCALL },
                              .set_regs = true,
                              .reg = { a[0], a[1], a[2], a[3], a[4], number } };
    struct fake_script s = { .steps = &step, .nr = 1 };

    v->arch.script = &s;
    for (uint32_t i = 0; i < 10 && s.pos == 0; i++) {
        dom_run(w, cpu, 1); /* interrupts go first */
    }
    for (uint32_t i = 0; i < 10000 && v->arch.repeat; i++) {
        for (uint32_t c = 0; c < w->hv->nr_pcpus; c++) {
            if (c != cpu) {
                dom_run(w, c, 0);
            }
        }
        dom_run(w, cpu, 1);
    }
    CHECK(!v->arch.repeat);
    v->arch.script = NULL;
    return (int64_t)v->arch.reg[0];
}

static inline int64_t dom_hypercall(struct world *w, uint32_t cpu, uint64_t number, uint64_t a0,
                                    uint64_t a1, uint64_t a2)
{
    return dom_hypercall5(w, cpu, number, (uint64_t[5]){ a0, a1, a2 });
}

#endif
