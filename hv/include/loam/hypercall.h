/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: one dispatcher, rows in abi/tables.
 *
 * A row names the operation, its argument and who may use it. The dispatcher
 * checks bounds and policy and copies a fixed-size argument in and out once;
 * handlers see only the copy. One that cannot finish in bounded time leaves its
 * progress in hc->arg and returns hc_again(): the guest makes the same call again.
 */
#ifndef LOAM_HYPERCALL_H
#define LOAM_HYPERCALL_H

#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/types.h>
#include <loam/vcpu.h>
#include <xen/xen.h>

/* One hypercall being executed. */
struct hc {
    struct vcpu *v;       /* caller */
    struct domain *d;     /* its domain */
    uint64_t *arg;        /* raw arguments 0..4: the caller's registers, or a multicall's */
    uint64_t ret;         /* value for the guest when the handler returns 0 */
    enum vm_resume resume; /* VM_RESCHEDULE: the caller gave its CPU up */
    bool again;           /* hc_again() was called */
};

/*
 * The call is not finished: the guest executes it again, with hc->arg as it is now,
 * after whatever else waits on this CPU. What was copied in is copied out, if the row says so.
 */
static inline int hc_again(struct hc *hc)
{
    hc->again = true;
    return 0;
}

/* Who may use a row: its "who" column. */
enum hc_who {
    HC_WHO_ENHANCED = 1 << 0, /* any domain that has the Xen interfaces */
    HC_WHO_CONTROL = 1 << 1,  /* a control domain: the toolstack's (dom0) */
};

static inline bool hc_is_control(const struct hc *hc) { return hc->d->who & HC_WHO_CONTROL; }

/*
 * The domain that id, DOMID_SELF included, means to the caller, with a reference in *out.
 * Errors: -XEN_EPERM another domain and the caller is no control domain, -XEN_ESRCH.
 */
int __must_check hc_target(const struct hc *hc, domid_t id, struct domain **out);
/* The same without a reference: *out stays until the hypercall ends (hv_quiesce_begin()). */
int __must_check hc_target_borrow(const struct hc *hc, domid_t id, struct domain **out);

/*
 * Executes one hypercall with hc->arg: 0 (then hc->ret) or an error. A multicall's way to
 * its entries. Context: hc->v is current.
 */
int hypercall_do(struct hc *hc, uint64_t number);

#define HC_ARG_MAX 1024 /* largest fixed-size argument */

struct hc_row {
    int (*handler)(struct hc *hc, void *arg); /* 0 (then hc->ret) or -XEN_E*; NULL: no such row */
    uint16_t size;   /* bytes of the argument, 0: none */
    uint8_t dir;     /* HC_IN, HC_OUT: copied before, after */
    uint8_t arg;     /* index of the register with its address */
    uint32_t who;    /* enum hc_who: any of these */
};

#define HC_IN 1
#define HC_OUT 2

struct hc_table {
    const struct hc_row *rows; /* by sub-operation; NULL: no such hypercall */
    uint32_t nr;
    uint32_t mask;             /* bits of argument 0 that are the sub-operation */
};

/*
 * VM_EXIT_HYPERCALL: executes the hypercall in v's registers and writes the
 * result there. Context: v is current.
 */
enum vm_resume exit_hypercall(struct vcpu *v, struct vm_exit *x);

#endif
