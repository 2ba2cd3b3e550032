/* SPDX-License-Identifier: MIT */
/* domctl: where vCPUs run, and their share of it (Xen public header domctl.h; loam/sched.h). */
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

#define AFFINITY_FLAGS (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE)

static int check_affinity(const struct ctl *c, const struct xen_domctl_vcpuaffinity *a)
{
    if (a->flags == 0 || (a->flags & ~AFFINITY_FLAGS) != 0) {
        return refuse(-XEN_EINVAL, "which affinity", a->flags, AFFINITY_FLAGS);
    }
    if (((a->flags & XEN_VCPUAFFINITY_HARD) && a->cpumap_hard.bitmap == 0) ||
        ((a->flags & XEN_VCPUAFFINITY_SOFT) && a->cpumap_soft.bitmap == 0)) {
        return refuse(-XEN_EINVAL, "no bitmap", a->flags, 0);
    }
    return 0;
}

static int write_affinity(struct ctl *c, const struct xen_domctl_vcpuaffinity *a,
                          const struct sched_affinity *s)
{
    int rc = 0;

    if (a->flags & XEN_VCPUAFFINITY_HARD) {
        rc = ctl_bitmap_write(c->hc, &a->cpumap_hard, s->hard.w, CPUMASK_WORDS);
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT)) {
        rc = ctl_bitmap_write(c->hc, &a->cpumap_soft, s->soft.w, CPUMASK_WORDS);
    }
    return rc;
}

/* Both masks are read before the first is set; if the second is refused the first is put back. */
static int set_affinity(struct ctl *c, const struct xen_domctl_vcpuaffinity *a, struct vcpu *v)
{
    struct cpumask hard, soft;
    struct sched_affinity old;
    int rc = 0;

    if (a->flags & XEN_VCPUAFFINITY_HARD) {
        rc = ctl_bitmap_read(c->hc, &a->cpumap_hard, hard.w, CPUMASK_WORDS);
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT)) {
        rc = ctl_bitmap_read(c->hc, &a->cpumap_soft, soft.w, CPUMASK_WORDS);
    }
    if (rc != 0) {
        return rc;
    }
    sched_get_affinity(v, &old);
    if (a->flags & XEN_VCPUAFFINITY_HARD) {
        rc = sched_set_affinity(v, &hard);
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT)) {
        rc = sched_set_soft_affinity(v, &soft);
        if (rc != 0 && (a->flags & XEN_VCPUAFFINITY_HARD) && sched_set_affinity(v, &old.hard)) {
            refuse(rc, "the old affinity is not to be had any more", v->id, old.hard.w[0]);
        }
    }
    return rc;
}

/* The caller gets back what counts: the intersection with the pool's CPUs. */
int domctl_op_setvcpuaffinity(struct ctl *c, void *arg)
{
    const struct xen_domctl_vcpuaffinity *a = arg;
    struct sched_affinity effective;
    struct vcpu *v;
    int rc = ctl_vcpu(c, a->vcpu, &v);

    if (rc == 0) {
        rc = check_affinity(c, a);
    }
    if (rc == 0) {
        rc = set_affinity(c, a, v);
    }
    if (rc != 0) {
        return rc;
    }
    sched_get_effective_affinity(v, &effective);
    return write_affinity(c, a, &effective);
}

int domctl_op_getvcpuaffinity(struct ctl *c, void *arg)
{
    const struct xen_domctl_vcpuaffinity *a = arg;
    struct sched_affinity set;
    struct vcpu *v;
    int rc = ctl_vcpu(c, a->vcpu, &v);

    if (rc == 0) {
        rc = check_affinity(c, a);
    }
    if (rc != 0) {
        return rc;
    }
    sched_get_affinity(v, &set);
    return write_affinity(c, a, &set);
}

int domctl_op_setnodeaffinity(struct ctl *c, void *arg)
{
    const struct xen_domctl_nodeaffinity *a = arg;
    uint64_t nodes;
    int rc = ctl_bitmap_read(c->hc, &a->nodemap, &nodes, 1);

    return rc != 0 ? rc : sched_set_node_affinity(c->d, nodes);
}

int domctl_op_getnodeaffinity(struct ctl *c, void *arg)
{
    const struct xen_domctl_nodeaffinity *a = arg;
    uint64_t nodes = sched_node_affinity(c->d);

    return ctl_bitmap_write(c->hc, &a->nodemap, &nodes, 1);
}

/* --- scheduler_op ------------------------------------------------------------ */

#define CREDIT2_WEIGHT_KEPT 0 /* values that change nothing */
#define CREDIT2_CAP_KEPT UINT16_MAX

/* One of the structures of a scheduler. */
union params {
    struct xen_domctl_sched_credit2 credit2;
    struct xen_domctl_sched_rtds rtds;
};

static void params_write(uint32_t id, const struct sched_params *p, union params *u)
{
    if (id == SCHED_CREDIT2) {
        u->credit2 = (struct xen_domctl_sched_credit2){ (uint16_t)p->weight, (uint16_t)p->cap };
    } else if (id == SCHED_RTDS) {
        u->rtds = (struct xen_domctl_sched_rtds){ p->period, p->budget,
                                                  p->extra ? XEN_DOMCTL_SCHEDRT_extra : 0 };
    }
}

/* *p holds what is set now. */
static void params_read(uint32_t id, const union params *u, struct sched_params *p)
{
    if (id == SCHED_CREDIT2) {
        p->weight = u->credit2.weight != CREDIT2_WEIGHT_KEPT ? u->credit2.weight : p->weight;
        p->cap = u->credit2.cap != CREDIT2_CAP_KEPT ? u->credit2.cap : p->cap;
    } else if (id == SCHED_RTDS) {
        p->period = u->rtds.period;
        p->budget = u->rtds.budget;
        p->extra = u->rtds.flags & XEN_DOMCTL_SCHEDRT_extra;
    }
}

static int domain_params(struct ctl *c, struct xen_domctl_scheduler_op *a)
{
    union params *u = (union params *)&a->u;
    enum sched_id id = (enum sched_id)a->sched_id;
    struct sched_params p;
    int rc = sched_get_params(c->d, id, &p);

    if (rc != 0) {
        return rc;
    }
    if (a->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
        params_write(id, &p, u);
        return 0;
    }
    params_read(id, u, &p);
    return sched_set_params(c->d, id, &p);
}

static int vcpu_params(struct ctl *c, const struct xen_domctl_scheduler_op *a, struct guest_ref at)
{
    struct xen_domctl_schedparam_vcpu e;
    enum sched_id id = (enum sched_id)a->sched_id;
    union params *u = (union params *)&e.u;
    struct sched_params p;
    struct vcpu *v;
    int rc = guest_copy_from(c->hc->v, &e, at, sizeof(e));

    if (rc == 0) {
        rc = ctl_vcpu(c, e.vcpuid, &v);
    }
    if (rc == 0) {
        rc = sched_get_vcpu_params(v, id, &p);
    }
    if (rc != 0) {
        return rc;
    }
    if (a->cmd == XEN_DOMCTL_SCHEDOP_putvcpuinfo) {
        params_read(id, u, &p);
        return sched_set_vcpu_params(v, id, &p);
    }
    params_write(id, &p, u);
    return guest_copy_to(c->hc->v, at, &e, sizeof(e));
}

/* As many as the caller has, one after the other; those before a bad one stay changed. */
static int all_vcpu_params(struct ctl *c, struct xen_domctl_scheduler_op *a)
{
    uint32_t nr = a->u.v.nr_vcpus;

    if (nr > DOMAIN_VCPUS_MAX) {
        return refuse(-XEN_EINVAL, "more vCPUs than any domain has", nr, DOMAIN_VCPUS_MAX);
    }
    for (uint32_t i = 0; i < nr; i++) {
        struct guest_ref at = { a->u.v.vcpus + i * sizeof(struct xen_domctl_schedparam_vcpu) };
        int rc = vcpu_params(c, a, at);

        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int domctl_op_scheduler_op(struct ctl *c, void *arg)
{
    struct xen_domctl_scheduler_op *a = arg;

    switch (a->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
    case XEN_DOMCTL_SCHEDOP_getinfo:
        return domain_params(c, a);
    case XEN_DOMCTL_SCHEDOP_putvcpuinfo:
    case XEN_DOMCTL_SCHEDOP_getvcpuinfo:
        return all_vcpu_params(c, a);
    default:
        return refuse(-XEN_EINVAL, "no such operation of the scheduler", a->cmd, a->sched_id);
    }
}
