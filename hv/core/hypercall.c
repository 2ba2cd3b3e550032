/* SPDX-License-Identifier: MIT */
/*
 * The hypercall dispatcher: bounds, policy, copy in, handler, copy out.
 *
 * The tables below are generated from abi/tables. A domain without the Xen
 * interfaces gets -ENOSYS for everything, as for a number that does not exist;
 * one with them, -EPERM for what is not for it. Each refusal leaves its
 * reason (loam/refusal.h).
 *
 * Cost: this path is the null hypercall; no guest memory is touched for a row
 * without an argument.
 */
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define HC_INCLUDES
#include <gen/hypercalls.h>
#undef HC_INCLUDES

#define HC_ROWS(name) static const struct hc_row rows_##name[] = {
#define HC_ROW(op, bytes, direction, reg, mask, fn)                                                \
    [op] = { .handler = fn, .size = bytes, .dir = direction, .arg = reg, .who = mask },
#define HC_ROWS_END                                                                                \
    }                                                                                              \
    ;
#include <gen/hypercalls.h>
#undef HC_ROW

static const struct hc_table hypercalls[HYPERCALLS_MAX] = {
#define HC_CALL(number, name, bits)                                                                \
    [number] = { .rows = rows_##name, .nr = ARRAY_SIZE(rows_##name), .mask = bits },
#include <gen/hypercalls.h>
#undef HC_CALL
};

/* A row with an argument: copied in once, and out if the handler succeeds. */
static __noinline int call_with_arg(struct hc *hc, const struct hc_row *row)
{
    uint64_t buf[HC_ARG_MAX / sizeof(uint64_t)];
    struct guest_ref ref = { hc->arg[row->arg] };
    int rc;

    if (row->dir & HC_IN) {
        rc = guest_copy_from(hc->v, buf, ref, row->size);
        if (rc != 0) {
            return rc;
        }
    }
    rc = row->handler(hc, buf);
    if (rc == 0 && (row->dir & HC_OUT)) {
        rc = guest_copy_to(hc->v, ref, buf, row->size);
    }
    return rc;
}

static __inline_hot int dispatch(struct hc *hc, uint64_t number)
{
    if (unlikely(number >= HYPERCALLS_MAX)) {
        return -XEN_ENOSYS;
    }
    const struct hc_table *t = &hypercalls[number];
    uint64_t op = hc->arg[0] & t->mask;

    if (unlikely(op >= t->nr || t->rows[op].who == 0)) {
        return -XEN_ENOSYS;
    }
    const struct hc_row *row = &t->rows[op];

    if (unlikely((row->who & hc->d->who) == 0)) {
        return hc->d->who & HC_WHO_ENHANCED ? -XEN_EPERM : -XEN_ENOSYS;
    }
    return row->size == 0 ? row->handler(hc, NULL) : call_with_arg(hc, row);
}

int hypercall_do(struct hc *hc, uint64_t number)
{
    int rc = dispatch(hc, number);

    if (unlikely(rc < 0)) {
        refusal_record(hc->v, number, hc->arg[0], rc);
    }
    return rc;
}

int hc_target_borrow(const struct hc *hc, domid_t id, struct domain **out)
{
    if (id == DOMID_SELF || id == hc->d->id) {
        *out = hc->d;
        return 0;
    }
    if (!hc_is_control(hc)) {
        return refuse(-XEN_EPERM, "another domain's, and the caller is no control domain", id, 0);
    }
    /* Acquire pairs with the release of who makes a domain known. */
    *out = id < HV_DOMAINS_MAX ? atomic_load_acquire(&hc->d->hv->domains[id]) : NULL;
    return *out != NULL ? 0 : refuse(-XEN_ESRCH, "no domain has this id", id, 0);
}

int hc_target(const struct hc *hc, domid_t id, struct domain **out)
{
    if (id == DOMID_SELF || id == hc->d->id) {
        domain_get(hc->d);
        *out = hc->d;
        return 0;
    }
    if (!hc_is_control(hc)) {
        return refuse(-XEN_EPERM, "another domain's, and the caller is no control domain", id, 0);
    }
    *out = domain_lookup(hc->d->hv, id);
    return *out != NULL ? 0 : refuse(-XEN_ESRCH, "no domain has this id", id, 0);
}

enum vm_resume exit_hypercall(struct vcpu *v, struct vm_exit *x)
{
    uint64_t number = arch_hc_number(&v->arch);
    struct hc hc = { .v = v, .d = v->domain, .arg = arch_hc_args(&v->arch) };
    int rc = dispatch(&hc, number);

    if (unlikely(rc != 0)) {
        trace_add(&v->pcpu->trace, TRACE_HYPERCALL, v->tag, number, (uint64_t)(int64_t)rc);
        refusal_record(v, number, hc.arg[0], rc);
        hc.ret = (uint64_t)(int64_t)rc;
    } else if (unlikely(hc.again)) {
        arch_hc_repeat(v);
        return hc.resume;
    }
    arch_hc_set_result(&v->arch, hc.ret);
    return hc.resume;
}
