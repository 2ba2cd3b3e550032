/* SPDX-License-Identifier: MIT */
/*
 * sysctl: pools of CPUs and their schedulers (Xen public header sysctl.h). What happens is
 * sched/'s; here are the ABI's forms. An operation that takes several calls is repeated by the
 * guest until it is done.
 */
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <xen/errno.h>
#include <xen/sysctl.h>

static int pool_info(struct ctl *c, struct xen_sysctl_cpupool_op *a)
{
    struct cpupool_info info;
    int rc = cpupool_info(c->hc->d->hv, a->cpupool_id, &info);

    if (rc == -XEN_ENOENT) {
        return refuse_unsaid(rc); /* how a list of the pools ends */
    }
    if (rc == 0) {
        a->cpupool_id = info.id;
        a->sched_id = info.sched;
        a->n_dom = info.nr_domains;
        rc = ctl_bitmap_write(c->hc, &a->cpumap, info.cpus.w, CPUMASK_WORDS);
    }
    return rc;
}

static int free_cpus(struct ctl *c, const struct xen_sysctl_cpupool_op *a)
{
    struct cpumask mask;

    cpupool_free_cpus(c->hc->d->hv, &mask);
    return ctl_bitmap_write(c->hc, &a->cpumap, mask.w, CPUMASK_WORDS);
}

static int move_domain(struct ctl *c, const struct xen_sysctl_cpupool_op *a)
{
    if (a->domid >= DOMID_FIRST_RESERVED) {
        return refuse(-XEN_EINVAL, "no domid", a->domid, 0);
    }
    struct domain *d = domain_lookup(c->hc->d->hv, (uint16_t)a->domid);

    if (d == NULL) {
        return refuse(-XEN_ESRCH, "no domain has this id", a->domid, 0);
    }
    int rc = cpupool_move_domain(c->hc->d->hv, a->cpupool_id, d);

    domain_put(d);
    return rc;
}

int sysctl_op_cpupool(struct ctl *c, void *arg)
{
    struct xen_sysctl_cpupool_op *a = arg;
    struct hv *hv = c->hc->d->hv;
    int rc;

    switch (a->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        rc = cpupool_make(hv, &a->cpupool_id, (enum sched_id)a->sched_id);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        rc = cpupool_destroy(hv, a->cpupool_id);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        rc = pool_info(c, a);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        rc = cpupool_add_cpu(hv, a->cpupool_id, a->cpu);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        rc = cpupool_remove_cpu(hv, a->cpupool_id, a->cpu);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        rc = move_domain(c, a);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        rc = free_cpus(c, a);
        break;
    default:
        return refuse(-XEN_ENOSYS, "no such operation on pools", a->op, 0);
    }
    return rc == -XEN_EAGAIN ? hc_again(c->hc) : rc;
}

int sysctl_op_scheduler(struct ctl *c, void *arg)
{
    struct xen_sysctl_scheduler_op *a = arg;
    struct hv *hv = c->hc->d->hv;
    uint32_t *us = &a->u.sched_credit2.ratelimit_us;

    switch (a->cmd) {
    case XEN_SYSCTL_SCHEDOP_getinfo:
        return cpupool_get_ratelimit(hv, a->cpupool_id, (enum sched_id)a->sched_id, us);
    case XEN_SYSCTL_SCHEDOP_putinfo:
        return cpupool_set_ratelimit(hv, a->cpupool_id, (enum sched_id)a->sched_id, *us);
    default:
        return refuse(-XEN_EINVAL, "neither to get nor to set", a->cmd, 0);
    }
}
