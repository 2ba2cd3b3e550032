/* SPDX-License-Identifier: MIT */
/*
 * domctl: a toolstack's domains run, wait and stop (Xen public header domctl.h).
 *
 * The dispatcher (ctl.c) has found the domain and holds a reference. A domain that is being taken
 * apart is found too, until its memory is back.
 *
 * Who pauses a domain may rely on its memory and registers when the call returns: it waits
 * until the last vCPU has left its CPU. "Waits" is the call made again; that the pause is
 * counted already is in argument 1, which has no other use.
 */
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/plan.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <loam/wallclock.h>
#include <xen/errno.h>

#include "private.h"

#define FROZEN UINT64_C(0x6c6f616d70617573) /* argument 1: the pause is counted */
#define PAUSES_MAX 65535u

int ctl_vcpu(const struct ctl *c, uint32_t id, struct vcpu **out)
{
    if (id >= c->d->config.vcpus_max) {
        return refuse(-XEN_EINVAL, "no such vCPU", id, c->d->config.vcpus_max);
    }
    *out = atomic_load_acquire(&c->d->vcpus[id]);
    return *out != NULL ? 0 : refuse(-XEN_ESRCH, "the vCPU was not made yet", id, c->d->id);
}

bool ctl_freeze(struct ctl *c)
{
    uint64_t *frozen = &c->hc->arg[1];
    bool off = true;
    struct vcpu *v;

    if (*frozen != FROZEN || atomic_load_relaxed(&c->d->pause_count) == 0) {
        *frozen = FROZEN;
        domain_pause(c->d);
    }
    for_each_vcpu(c->d, v, i) { off &= vcpu_is_off_cpu(v); }
    if (off) {
        *frozen = 0;
    }
    return off;
}

void ctl_thaw(struct ctl *c) { (void)domain_unpause(c->d); }

/* Operations that a domain cannot do to itself: it would wait for its own CPU. */
static int refuse_self(const struct ctl *c)
{
    return c->d != c->hc->d ? 0 : refuse(-XEN_EINVAL, "the caller's own domain", c->d->id, c->cmd);
}

int domctl_op_pausedomain(struct ctl *c, void *arg)
{
    int rc = refuse_self(c);

    if (rc != 0) {
        return rc;
    }
    if (atomic_load_relaxed(&c->d->pause_count) >= PAUSES_MAX) {
        return refuse(-XEN_EBUSY, "paused too many times", c->d->id, PAUSES_MAX);
    }
    return ctl_freeze(c) ? 0 : hc_again(c->hc);
}

int domctl_op_unpausedomain(struct ctl *c, void *arg)
{
    if (domain_unpause(c->d) != 0) {
        return refuse(-XEN_EINVAL, "the domain is not paused by a toolstack", c->d->id, 0);
    }
    return 0;
}

int domctl_op_resumedomain(struct ctl *c, void *arg)
{
    int rc = refuse_self(c);

    if (rc == 0) {
        domain_resume(c->d);
    }
    return rc;
}

/* d, which is held and paused by this call, begins anew with the Xen interfaces, and goes on. */
static int soft_reset(struct domain *d)
{
    spin_lock(&d->lock);
    uint32_t state = d->state;
    spin_unlock(&d->lock);
    if (state != DOMAIN_SHUTDOWN || d->plan != NULL) {
        return refuse(-XEN_EINVAL, "no domain of a toolstack that has shut down", d->id, state);
    }
    int rc = evtchn_soft_reset(d);

    if (rc == 0) {
        domain_resume(d);
    }
    return rc;
}

int domctl_op_soft_reset(struct ctl *c, void *arg)
{
    int rc = refuse_self(c);

    if (rc != 0) {
        return rc;
    }
    if (!domain_hold(c->d)) {
        return hc_again(c->hc);
    }
    rc = -XEN_EAGAIN;
    if (ctl_freeze(c)) {
        rc = soft_reset(c->d);
        ctl_thaw(c);
    }
    domain_unhold(c->d);
    return rc == -XEN_EAGAIN ? hc_again(c->hc) : rc;
}

int domctl_op_setdomainhandle(struct ctl *c, void *arg)
{
    const struct xen_domctl_setdomainhandle *a = arg;

    spin_lock(&c->d->lock);
    memcpy(c->d->handle, a->handle, sizeof(c->d->handle));
    spin_unlock(&c->d->lock);
    return 0;
}

int domctl_op_settimeoffset(struct ctl *c, void *arg)
{
    const struct xen_domctl_settimeoffset *a = arg;

    wallclock_set_offset(c->d, a->time_offset_seconds);
    return 0;
}

int domctl_op_set_virq_handler(struct ctl *c, void *arg)
{
    const struct xen_domctl_set_virq_handler *a = arg;

    return evtchn_set_virq_handler(c->d, a->virq);
}

/* Tools of 4.20 ask for each domain, of none in particular: this answer is "as usual" to them. */
int domctl_op_set_llc_colors(struct ctl *c, void *arg)
{
    const struct xen_domctl_set_llc_colors *a = arg;

    return a->num_llc_colors == 0
               ? refuse_unsaid(-XEN_EOPNOTSUPP)
               : refuse(-XEN_EOPNOTSUPP, "caches are not coloured", a->num_llc_colors, 0);
}

int domctl_op_destroydomain(struct ctl *c, void *arg)
{
    int rc = refuse_self(c);

    if (rc != 0) {
        return rc;
    }
    if (c->d->plan != NULL) {
        rc = plan_domain_end(c->d);
        return rc == 0 ? 0 : refuse(rc, "a boot-time domain that is being built", c->d->id, 0);
    }
    rc = domain_kill(c->d);
    return rc == -XEN_EAGAIN ? hc_again(c->hc) : rc;
}
