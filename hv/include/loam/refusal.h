/* SPDX-License-Identifier: MIT */
/*
 * Why a hypercall was refused. The ABI has room for an error number only; next
 * to it each refusal leaves operation, check and values in a ring that root of a
 * control domain reads (ctl/hypfs.c). The check that fails says why; whoever
 * only passes an error on says nothing.
 */
#ifndef LOAM_REFUSAL_H
#define LOAM_REFUSAL_H

#include <loam/types.h>

struct hv;
struct vcpu;

#define REFUSALS_KEPT 256 /* of the whole host, the last ones */

/* What the check that failed left, until the hypercall ends. Per CPU. */
struct refusal_note {
    const char *check; /* a constant string, NULL: nothing was said */
    int rc;
    uint64_t value[2];
    uint64_t exit; /* of the vCPU that made the hypercall */
    uint64_t op; /* not 0: the operation, which is in memory and not in argument 0 */
};

struct refusal {
    uint64_t number;   /* how many there were before; the newest has the largest */
    ns_t time;
    const char *check; /* NULL: the error number says all there is */
    int32_t rc;
    uint16_t domain;   /* the caller */
    uint16_t vcpu;
    uint64_t hypercall;
    uint64_t op;       /* its argument 0, of domctl and sysctl the operation */
    uint64_t value[2];
};

/* The part of refuse() that is a call. */
void refusal_say(int rc, const char *check, uint64_t a, uint64_t b);

/*
 * Notes why what this CPU does is refused: `check` is what did not hold, a and b
 * are the values it looked at. Returns rc, so that `return refuse(-XEN_EINVAL, ...)`
 * reads like the error alone. The first note of a hypercall stays.
 */
static inline int refuse(int rc, const char *check, uint64_t a, uint64_t b)
{
    refusal_say(rc, check, a, b);
    return rc; /* here, where the compiler sees that it is not 0 */
}

/*
 * The error is an answer that the caller asked for, as the size that its buffer must have: it
 * leaves no refusal.
 */
int refuse_unsaid(int rc);

/* The refused operation, of a hypercall whose argument 0 does not say it. */
void refuse_op(uint64_t op);

/* What was noted on this CPU did not matter in the end: the call found another way. */
void refusal_forget(void);

/* v's hypercall ends with rc < 0: its reason goes into the ring. Context: v is current. */
void refusal_record(struct vcpu *v, uint64_t hypercall, uint64_t op, int rc);

/* Copies refusal `number` to *out; false: it never was, or is overwritten. Context: any CPU. */
bool refusal_read(struct hv *hv, uint64_t number, struct refusal *out);
/* How many there were: the newest has this number less one. */
uint64_t refusal_count(struct hv *hv);

#endif
