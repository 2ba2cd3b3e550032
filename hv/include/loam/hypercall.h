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
#include <loam/vcpu.h>

/* One hypercall being executed. */
struct hc {
    struct vcpu *v;       /* caller */
    struct domain *d;     /* its domain */
    const uint64_t *arg;  /* raw arguments 0..4, in the caller's registers */
    uint64_t ret;         /* value for the guest when the handler returns 0 */
    enum vm_resume resume; /* VM_RESCHEDULE: the caller gave its CPU up */
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

/*
 * VM_EXIT_HYPERCALL: executes the hypercall in v's registers and writes the
 * result there. Context: v is current.
 */
enum vm_resume exit_hypercall(struct vcpu *v, struct vm_exit *x);

#endif
