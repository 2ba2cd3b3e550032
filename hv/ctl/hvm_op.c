/* SPDX-License-Identifier: MIT */
/*
 * hvm_op: parameters of a domain that its builder leaves for its kernel: where the store's and the
 * console's pages and ports are (Xen public headers hvm/hvm_op.h, params.h).
 *
 * They are kept and handed out, nothing here acts on them. A control domain writes those of
 * others, as often as it likes: a restarted daemon binds another port. No domain writes
 * its own. Lock: d->lock.
 */
#include <loam/domain.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <xen/errno.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

/* By place in d->hvm_params. */
static const struct {
    uint32_t index;
    bool own; /* the domain itself may read it */
} params[DOMAIN_HVM_PARAMS] = {
    { HVM_PARAM_CALLBACK_IRQ, true },      { HVM_PARAM_STORE_PFN, true },
    { HVM_PARAM_STORE_EVTCHN, true },      { HVM_PARAM_CONSOLE_PFN, true },
    { HVM_PARAM_CONSOLE_EVTCHN, true },    { HVM_PARAM_PAGING_RING_PFN, false },
    { HVM_PARAM_MONITOR_RING_PFN, false }, { HVM_PARAM_SHARING_RING_PFN, false },
};

/* The place of a parameter in d->hvm_params, which the caller may read or write. */
static int find(const struct hc *hc, const struct domain *d, uint32_t index, bool write,
                uint32_t *place)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(params); i++) {
        if (params[i].index != index) {
            continue;
        }
        if (d == hc->d && (write || !params[i].own)) {
            return refuse(-XEN_EPERM, "a parameter of the caller's own that is the toolstack's",
                          index, write);
        }
        *place = i;
        return 0;
    }
    return refuse(-XEN_EINVAL, "no such parameter", index, HVM_NR_PARAMS);
}

/* Reads or writes a parameter, *value. */
static int access(const struct hc *hc, const struct xen_hvm_param *a, bool write, uint64_t *value)
{
    struct domain *d;
    uint32_t place = 0;
    int rc = hc_target(hc, a->domid, &d);

    if (rc != 0) {
        return rc;
    }
    rc = find(hc, d, a->index, write, &place);
    if (rc == 0) {
        spin_lock(&d->lock);
        if (write) {
            d->hvm_params[place] = *value;
        } else {
            *value = d->hvm_params[place];
        }
        spin_unlock(&d->lock);
    }
    domain_put(d);
    return rc;
}

int hvm_op_set_param(struct hc *hc, void *arg)
{
    struct xen_hvm_param *a = arg;

    return access(hc, a, true, &a->value);
}

int hvm_op_get_param(struct hc *hc, void *arg)
{
    struct xen_hvm_param *a = arg;

    return access(hc, a, false, &a->value);
}
