/* SPDX-License-Identifier: MIT */
/*
 * sched_op: a vCPU gives its CPU up or ends its domain (Xen public header sched.h).
 */
#include <loam/domain.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/sched.h>

int sched_op_yield(struct hc *hc, void *arg)
{
    sched_yield_vcpu(hc->v);
    hc->resume = VM_RESCHEDULE;
    return 0;
}

int sched_op_block(struct hc *hc, void *arg)
{
    hc->resume = vcpu_block(hc->v);
    return 0;
}

int sched_op_shutdown(struct hc *hc, void *arg)
{
    const struct sched_shutdown *a = arg;

    if (a->reason > SHUTDOWN_MAX) {
        return refuse(-XEN_EINVAL, "no such reason", a->reason, 0);
    }
    domain_shutdown(hc->d, (enum domain_shutdown_reason)a->reason);
    hc->resume = VM_RESCHEDULE;
    return 0;
}

int sched_op_remote_shutdown(struct hc *hc, void *arg)
{
    const struct sched_remote_shutdown *a = arg;
    struct domain *d;

    if (a->reason > SHUTDOWN_MAX) {
        return refuse(-XEN_EINVAL, "no such reason", a->reason, 0);
    }
    int rc = hc_target(hc, a->domain_id, &d);
    if (rc == 0) {
        domain_shutdown(d, (enum domain_shutdown_reason)a->reason);
        hc->resume = d == hc->d ? VM_RESCHEDULE : VM_RESUME;
        domain_put(d);
    }
    return rc;
}

int sched_op_shutdown_code(struct hc *hc, void *arg)
{
    const struct sched_shutdown *a = arg;

    if (a->reason > SHUTDOWN_MAX) {
        return refuse(-XEN_EINVAL, "no such reason", a->reason, 0);
    }
    spin_lock(&hc->d->lock);
    hc->d->shutdown_code = (uint8_t)(a->reason + 1);
    spin_unlock(&hc->d->lock);
    return 0;
}
