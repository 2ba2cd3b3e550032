/* SPDX-License-Identifier: MIT */
/*
 * multicall: a list of hypercalls in one (Xen public header xen.h).
 *
 * Each entry goes through the dispatcher like a call of its own: policy, copies, reasons. Its
 * result is written before the next one begins. A call that is not finished leaves its
 * arguments in its entry, as the ABI has it; the list is then begun anew at that entry: the
 * arguments of the multicall move on. So does a list that takes long, or whose caller gave
 * its CPU up.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/guest_copy.h>
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/xen.h>

/* A list goes on after whatever else waits for this CPU when one of the two is over. */
#define STEP_CALLS 32
#define STEP_TIME (50 * NS_PER_US)

/* The list is done up to the entry at `at`, `left` of it are to do. */
static int go_on(struct hc *hc, uint64_t at, uint64_t left)
{
    hc->arg[0] = at;
    hc->arg[1] = left;
    return left != 0 ? hc_again(hc) : 0;
}

/*
 * Executes the entry at `at`. *again: it is not finished and its arguments are what they
 * are to be next time. Errors: -XEN_EFAULT the entry cannot be accessed.
 */
static int call_entry(struct hc *hc, uint64_t at, bool *again)
{
    struct guest_ref result = { at + offsetof(struct multicall_entry, result) };
    struct guest_ref args = { at + offsetof(struct multicall_entry, args) };
    struct multicall_entry e;
    int rc = guest_copy_from(hc->v, &e, (struct guest_ref){ at }, sizeof(e));

    if (rc == 0) {
        /* Before anything is done: that its result cannot be written. */
        rc = guest_copy_to(hc->v, result, &e.result, sizeof(e.result));
    }
    if (rc != 0) {
        return refuse(rc, "an entry of the list cannot be accessed", at, 0);
    }
    perfc_count(hc->v->pcpu, PERFC_MULTICALL_CALLS);
    struct hc inner = { .v = hc->v, .d = hc->d, .arg = e.args };

    rc = e.op == __HYPERVISOR_multicall ? refuse(-XEN_EINVAL, "a list inside of a list", at, 0)
                                        : hypercall_do(&inner, e.op);
    hc->resume = inner.resume;
    *again = rc == 0 && inner.again;
    if (*again) {
        return guest_copy_to(hc->v, args, e.args, sizeof(e.args));
    }
    e.result = rc != 0 ? (uint64_t)(int64_t)rc : inner.ret;
    return guest_copy_to(hc->v, result, &e.result, sizeof(e.result));
}

int hypercall_multicall(struct hc *hc, void *arg)
{
    uint64_t at = hc->arg[0], left = (uint32_t)hc->arg[1];
    ns_t end = arch_time_now() + STEP_TIME;

    perfc_count(hc->v->pcpu, PERFC_MULTICALLS);
    for (uint32_t n = 0; left != 0; n++) {
        bool again;

        if (n == STEP_CALLS) {
            return go_on(hc, at, left);
        }
        int rc = call_entry(hc, at, &again);
        if (rc != 0) {
            return rc;
        }
        if (again) {
            return go_on(hc, at, left);
        }
        at += sizeof(struct multicall_entry);
        left--;
        if (hc->resume != VM_RESUME || atomic_load_relaxed(&hc->v->pcpu->work) != 0 ||
            arch_time_now() >= end) {
            return go_on(hc, at, left);
        }
    }
    return 0;
}
