/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: one dispatcher, rows in abi/tables/hypercall.tbl.
 *
 * A row names the operation, its argument and who may use it. The dispatcher
 * checks bounds and policy and copies a fixed-size argument in and out once;
 * handlers see only the copy.
 */
#ifndef LOAM_HYPERCALL_H
#define LOAM_HYPERCALL_H

#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/types.h>

struct hv;
struct vcpu;

/* One hypercall being executed. */
struct hc {
    struct hv *hv;
    struct vcpu *v;     /* caller */
    struct domain *d;   /* its domain */
    const uint64_t *arg; /* raw arguments 0..4, in the caller's registers */
    uint64_t ret;       /* value for the guest when the handler returns 0 */
    bool reschedule;    /* the caller gave its CPU up (yield, block, shutdown) */
};

/* Who may use a row: its "who" column. */
enum hc_who {
    HC_WHO_ENHANCED = 1 << 0, /* any domain that has the Xen interfaces */
};

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

/* What d is, as an enum hc_who mask. */
static inline uint32_t hc_who(const struct domain *d)
{
    return d->config.enhanced ? HC_WHO_ENHANCED : 0;
}

/*
 * Executes the hypercall in v's registers and writes the result there.
 * Returns true when v gave its CPU up. Context: v is current.
 */
bool hypercall_dispatch(struct vcpu *v);

#endif
