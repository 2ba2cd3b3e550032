/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher of domctl, sysctl and platform_op: version, row, copy in, target, handler, copy
 * out.
 *
 * The header and as much of the structure as the operation has are copied once each. A row that
 * changes something and also answers (dir inout) has its bytes written back before its
 * handler runs: a buffer that cannot be written is refused while nothing has changed.
 *
 * Tables: abi/tables/domctl.tbl, sysctl.tbl, platform.tbl, layout.tbl. Locks: none.
 */
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <xen/errno.h>

#define CTL_INCLUDES
#include <gen/ctl.h>
#undef CTL_INCLUDES

struct ctl_layout {
    uint8_t kind, first, last; /* enum ctl_kind; versions */
    uint16_t size;
    struct {
        uint16_t own, wire, bytes;
    } piece[3]; /* up to the first without bytes */
};

static const struct ctl_layout layouts[] = {
#define CTL_LAYOUT(name, from, to, bytes, ...) \
    { CTL_KIND_##name, from, to, bytes, { __VA_ARGS__ } },
#include <gen/ctl.h>
#undef CTL_LAYOUT
};

/* One of the hypercalls. */
struct ctl_table {
    const struct ctl_row *(*row)(uint32_t cmd); /* NULL: no such operation */
    uint8_t header; /* bytes before the structure */
    uint32_t first, last; /* versions */
};

#define CTL_ROW(nr, bytes, direction, wire, target, fn) \
    case nr: { \
        static const struct ctl_row row = { fn, bytes, direction, wire, target }; \
        return &row; \
    }

static const struct ctl_row *domctl_row(uint32_t cmd)
{
    switch (cmd) {
#define DOMCTL_ROWS
#include <gen/ctl.h>
#undef DOMCTL_ROWS
    default:
        return NULL;
    }
}

static const struct ctl_row *sysctl_row(uint32_t cmd)
{
    switch (cmd) {
#define SYSCTL_ROWS
#include <gen/ctl.h>
#undef SYSCTL_ROWS
    default:
        return NULL;
    }
}

static const struct ctl_row *platform_row(uint32_t cmd)
{
    switch (cmd) {
#define PLATFORM_ROWS
#include <gen/ctl.h>
#undef PLATFORM_ROWS
    default:
        return NULL;
    }
}

#undef CTL_ROW

static const struct ctl_table domctl_table = { domctl_row, 16, DOMCTL_VERSION_FIRST,
                                               DOMCTL_VERSION_LAST };
static const struct ctl_table sysctl_table = { sysctl_row, 8, SYSCTL_VERSION_FIRST,
                                               SYSCTL_VERSION_LAST };
static const struct ctl_table platform_table = { platform_row, 8, PLATFORM_VERSION_FIRST,
                                                 PLATFORM_VERSION_LAST };

/* The line of layout.tbl for this version, NULL: nothing differs. */
static const struct ctl_layout *layout_of(enum ctl_kind kind, uint32_t version)
{
    if (kind == CTL_KIND_SAME) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        const struct ctl_layout *l = &layouts[i];

        if (l->kind == kind && version >= l->first && version <= l->last) {
            return l;
        }
    }
    return NULL;
}

size_t ctl_wire_size(enum ctl_kind kind, uint32_t version, size_t size)
{
    const struct ctl_layout *l = layout_of(kind, version);

    return l != NULL ? l->size : size;
}

void ctl_from_wire(enum ctl_kind kind, uint32_t version, void *own, const void *wire, size_t size)
{
    const struct ctl_layout *l = layout_of(kind, version);

    if (l == NULL) {
        memcpy(own, wire, size);
        return;
    }
    memset(own, 0, size);
    for (size_t i = 0; i < ARRAY_SIZE(l->piece) && l->piece[i].bytes != 0; i++) {
        memcpy((char *)own + l->piece[i].own, (const char *)wire + l->piece[i].wire,
               l->piece[i].bytes);
    }
}

void ctl_to_wire(enum ctl_kind kind, uint32_t version, void *wire, const void *own, size_t size)
{
    const struct ctl_layout *l = layout_of(kind, version);

    if (l == NULL) {
        memcpy(wire, own, size);
        return;
    }
    memset(wire, 0, l->size);
    for (size_t i = 0; i < ARRAY_SIZE(l->piece) && l->piece[i].bytes != 0; i++) {
        memcpy((char *)wire + l->piece[i].wire, (const char *)own + l->piece[i].own,
               l->piece[i].bytes);
    }
}

/* What the caller's memory holds, or will: header and structure without a gap. */
struct ctl_wire {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        domid_t domain; /* domctl */
        uint8_t bytes[8 + CTL_UNION_SIZE] __aligned(8);
    };
};

/* Copies the structure in, gives it to the handler in our form, and copies out. */
static int run_row(struct ctl *c, const struct ctl_table *t, const struct ctl_row *row,
                   struct ctl_wire *w)
{
    struct guest_ref ref = { c->hc->arg[0] };
    uint64_t own[CTL_UNION_SIZE / sizeof(uint64_t)] = { 0 };
    void *wire = (char *)w + t->header;
    size_t size = ctl_wire_size(row->kind, c->version, row->size);
    int rc = 0;

    if (row->dir & HC_IN) {
        rc = guest_copy_from(c->hc->v, wire, (struct guest_ref){ ref.addr + t->header }, size);
        if (rc == 0 && (row->dir & HC_OUT)) {
            rc = guest_copy_to(c->hc->v, ref, w, t->header + size);
        }
        if (rc != 0) {
            return rc;
        }
        ctl_from_wire(row->kind, c->version, own, wire, row->size);
    }
    rc = row->handler(c, own);
    if (rc == 0 && (row->dir & HC_OUT)) {
        ctl_to_wire(row->kind, c->version, wire, own, row->size);
        if (t == &domctl_table) {
            w->domain = c->domain;
        }
        rc = guest_copy_to(c->hc->v, ref, w, t->header + size);
    }
    return rc;
}

static int run(struct ctl *c, const struct ctl_table *t, struct ctl_wire *w)
{
    c->cmd = w->cmd;
    c->version = w->interface_version;
    if (c->version < t->first || c->version > t->last) {
        return refuse(-XEN_EACCES, "interface version", c->version, t->last);
    }
    const struct ctl_row *row = t->row(c->cmd);

    if (row == NULL) {
        return refuse(-XEN_ENOSYS, "no such operation", c->cmd, c->version);
    }
    if (t == &domctl_table) {
        c->domain = w->domain;
    }
    if (row->dom) {
        c->d = domain_lookup(c->hc->d->hv, c->domain);
        if (c->d == NULL) {
            return refuse(-XEN_ESRCH, "no domain has this id", c->domain, c->cmd);
        }
    }
    int rc = run_row(c, t, row, w);

    if (c->d != NULL) {
        domain_put(c->d);
    }
    return rc;
}

static int call(struct hc *hc, const struct ctl_table *t)
{
    struct ctl c = { .hc = hc };
    struct ctl_wire w;
    int rc = guest_copy_from(hc->v, &w, (struct guest_ref){ hc->arg[0] }, t->header);

    if (rc == 0) {
        rc = run(&c, t, &w);
        if (rc < 0) {
            refuse_op(c.cmd);
        }
    }
    return rc;
}

int hypercall_domctl(struct hc *hc, void *arg) { return call(hc, &domctl_table); }

int hypercall_sysctl(struct hc *hc, void *arg) { return call(hc, &sysctl_table); }

int hypercall_platform(struct hc *hc, void *arg) { return call(hc, &platform_table); }
