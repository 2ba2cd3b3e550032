/* SPDX-License-Identifier: MIT */
/*
 * What a toolstack calls: domctl, sysctl and platform_op, one dispatcher, rows in abi/tables.
 *
 * A call is a header, with the operation and the version of the interface that the
 * caller was built for, and a structure. Every version that the table names is
 * accepted, call by call. Where a structure differs between versions
 * abi/tables/layout.tbl says how, and a handler sees one form only: abi/xen's.
 */
#ifndef LOAM_CTL_H
#define LOAM_CTL_H

#include <loam/hypercall.h>

/* A call being executed. */
struct ctl {
    struct hc *hc;
    struct domain *d; /* target "dom": the domain, with a reference that the dispatcher drops */
    uint32_t cmd;
    uint32_t version;
    domid_t
        domain; /* domctl: of the header. What a handler leaves here is copied out, if its row is */
};

/* What the bytes of a caller's structure mean, see layout.tbl. */
enum ctl_kind {
    CTL_KIND_SAME, /* as abi/xen declares it, in each version */
#define CTL_KIND(name) CTL_KIND_##name,
#include <gen/ctl.h>
#undef CTL_KIND
    CTL_KINDS
};

#define CTL_UNION_SIZE 128 /* of what follows either header */

/* A row of domctl.tbl or sysctl.tbl. */
struct ctl_row {
    int (*handler)(struct ctl *c, void *arg); /* 0 (then hc->ret), or -XEN_E* */
    uint16_t size; /* bytes of the structure as abi/xen declares it */
    uint8_t dir; /* HC_IN, HC_OUT */
    uint8_t kind; /* enum ctl_kind */
    bool dom; /* the header's domain is looked up */
};

/*
 * Bytes that a caller of this version has in place of a structure of `size` bytes here; and
 * the structure from them and back. What they do not tell is 0. `own` and `wire`
 * do not overlap.
 */
size_t ctl_wire_size(enum ctl_kind kind, uint32_t version, size_t size);
void ctl_from_wire(enum ctl_kind kind, uint32_t version, void *own, const void *wire, size_t size);
void ctl_to_wire(enum ctl_kind kind, uint32_t version, void *wire, const void *own, size_t size);

struct xen_domctl_getdomaininfo;
/* What getdomaininfo says of d, and sysctl's getdomaininfolist in its stride. */
void ctl_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);
/* The domain with this id or else the next higher one, with a reference; NULL: none. */
struct domain *ctl_domain_from(struct hv *hv, uint32_t id);

struct xenctl_bitmap;
#define CTL_BITMAP_WORDS_MAX 64u
/*
 * Copies a caller's bitmap into, out of `nr` words. Errors: -XEN_EFAULT; of a write -XEN_EINVAL
 * it is larger than CTL_BITMAP_WORDS_MAX.
 */
int __must_check ctl_bitmap_read(struct hc *hc, const struct xenctl_bitmap *b, uint64_t *words,
                                 uint32_t nr);
int __must_check ctl_bitmap_write(struct hc *hc, const struct xenctl_bitmap *b,
                                  const uint64_t *words, uint32_t nr);

#define CTL_HANDLER(handler) int handler(struct ctl *c, void *arg);
#include <gen/ctl.h>
#undef CTL_HANDLER

#endif
