/* SPDX-License-Identifier: MIT */
/* domctl: registers of vCPUs (Xen public header domctl.h). */
#include <arch/ctl.h>
#include <arch/vcpu.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

static bool is_online(struct vcpu *v)
{
    return !(atomic_load_relaxed(&v->pause) & VCPU_PAUSE_OFFLINE);
}

int domctl_op_setvcpucontext(struct ctl *c, void *arg)
{
    const struct xen_domctl_vcpucontext *a = arg;
    size_t size = arch_vcpu_context_size();
    uint64_t wire[ARCH_CONTEXT_MAX / 8], context[ARCH_CONTEXT_MAX / 8];
    bool online = false;
    struct vcpu *v;

    if (c->d == c->hc->d) {
        return refuse(-XEN_EINVAL, "the caller's own domain", c->d->id, c->cmd);
    }
    int rc = ctl_vcpu(c, a->vcpu, &v);
    if (rc == 0 && a->ctxt != 0) {
        rc = guest_copy_from(c->hc->v, wire, (struct guest_ref){ a->ctxt },
                             ctl_wire_size(CTL_KIND_vcpu_guest_context, c->version, size));
    }
    if (rc != 0) {
        return rc;
    }
    if (!ctl_freeze(c)) {
        return hc_again(c->hc);
    }
    if (a->ctxt == 0) {
        arch_vcpu_reset(v, 0, 0);
    } else {
        ctl_from_wire(CTL_KIND_vcpu_guest_context, c->version, context, wire, size);
        rc = arch_vcpu_context_set(v, context, &online);
    }
    if (rc == 0 && online) {
        vcpu_unpause(v, VCPU_PAUSE_OFFLINE | VCPU_PAUSE_BLOCKED);
    } else if (rc == 0) {
        vcpu_pause(v, VCPU_PAUSE_OFFLINE);
    }
    ctl_thaw(c);
    return rc;
}

int domctl_op_getvcpucontext(struct ctl *c, void *arg)
{
    const struct xen_domctl_vcpucontext *a = arg;
    size_t size = arch_vcpu_context_size();
    uint64_t wire[ARCH_CONTEXT_MAX / 8], context[ARCH_CONTEXT_MAX / 8] = { 0 };
    struct vcpu *v;
    int rc = ctl_vcpu(c, a->vcpu, &v);

    if (rc != 0) {
        return rc;
    }
    if (v == c->hc->v || !is_online(v)) {
        return v == c->hc->v ? refuse(-XEN_EINVAL, "the caller's own registers", a->vcpu, 0)
                             : refuse(-XEN_ENODATA, "the vCPU is off", a->vcpu, c->d->id);
    }
    if (c->d == c->hc->d) {
        return refuse(-XEN_EINVAL, "the caller's own domain", c->d->id, c->cmd);
    }
    if (!ctl_freeze(c)) {
        return hc_again(c->hc);
    }
    arch_vcpu_context_get(v, true, context);
    ctl_thaw(c);
    ctl_to_wire(CTL_KIND_vcpu_guest_context, c->version, wire, context, size);
    return guest_copy_to(c->hc->v, (struct guest_ref){ a->ctxt }, wire,
                         ctl_wire_size(CTL_KIND_vcpu_guest_context, c->version, size));
}
