/* SPDX-License-Identifier: MIT */
/*
 * domctl: a toolstack's domains run, wait and stop (Xen public header domctl.h).
 *
 * The dispatcher (ctl.c) has found the domain and holds a reference. A domain that is being taken
 * apart is found too, until its memory is back.
 */
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <xen/errno.h>

int domctl_op_pausedomain(struct ctl *c, void *arg)
{
    if (c->d == c->hc->d) {
        return refuse(-XEN_EINVAL, "a domain pauses itself", c->d->id, 0);
    }
    domain_pause(c->d);
    return 0;
}

int domctl_op_unpausedomain(struct ctl *c, void *arg)
{
    if (domain_unpause(c->d) != 0) {
        return refuse(-XEN_EINVAL, "the domain is not paused by a toolstack", c->d->id, 0);
    }
    return 0;
}
