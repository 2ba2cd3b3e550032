/* SPDX-License-Identifier: MIT */
/*
 * Writer for flattened device trees.
 *
 * The structure grows upward behind the header and the reservations, the
 * strings downward from the end of the buffer; room() is the space between the
 * two, and every append asks it first. A name is written once: string_offset()
 * looks through the strings there are. While writing, PROP tokens hold a name's
 * distance from the end of the buffer, which does not change as strings are
 * added; finish turns it into an offset.
 */
#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/fdt_write.h>
#include <loam/printf.h>
#include <loam/string.h>

#include "fdt_format.h"

static void set_error(struct fdt_writer *w, int rc)
{
    if (!w->error) {
        w->error = rc;
    }
}

static uint32_t room(const struct fdt_writer *w) { return w->size - w->pos - w->strings_size; }

/* Reserve len bytes, rounded up to 4 and cleared; NULL (and the error set) if there is no room. */
static uint8_t *append(struct fdt_writer *w, size_t len)
{
    if (w->error) {
        return NULL;
    }
    if (len > room(w) || ALIGN_UP(len, (size_t)4) > room(w)) {
        set_error(w, -XEN_ENOSPC);
        return NULL;
    }
    uint32_t padded = ALIGN_UP((uint32_t)len, 4u);
    uint8_t *p = w->buf + w->pos;
    if (padded) {
        memset(p + padded - MIN(padded, 4), 0, MIN(padded, 4));
    }
    w->pos += padded;
    return p;
}

static void append_token(struct fdt_writer *w, enum fdt_token token)
{
    uint8_t *p = append(w, 4);
    if (p) {
        put_be32(p, token);
    }
}

void fdt_write_begin(struct fdt_writer *w, void *buf, size_t size)
{
    *w = (struct fdt_writer){
        .buf = buf, .size = (uint32_t)MIN(size, INT32_MAX), .address_cells = 2, .size_cells = 2
    };
    if (!buf || !IS_ALIGNED((uintptr_t)buf, 8u)) {
        set_error(w, -XEN_EINVAL);
    }
    append(w, FDT_HDR_LEN);
}

static void append_reserve(struct fdt_writer *w, uint64_t addr, uint64_t size)
{
    uint8_t *p = append(w, FDT_RESERVE_LEN);
    if (p) {
        put_be64(p, addr);
        put_be64(p + 8, size);
    }
}

void fdt_write_reserve(struct fdt_writer *w, uint64_t addr, uint64_t size)
{
    /* An entry of zeroes would end the list. */
    if (w->struct_off || (addr == 0 && size == 0)) {
        set_error(w, -XEN_EINVAL);
    }
    append_reserve(w, addr, size);
}

void fdt_write_begin_node(struct fdt_writer *w, const char *name)
{
    size_t len = strlen(name);

    if (w->root_closed || (len == 0) != (w->depth == 0) || !fdt_name_is_valid(name, len)) {
        set_error(w, -XEN_EINVAL);
    }
    if (w->depth == FDT_DEPTH_MAX) {
        set_error(w, -XEN_EMLINK);
    }
    if (!w->struct_off) {
        append_reserve(w, 0, 0);
        w->struct_off = w->pos;
    }
    append_token(w, FDT_BEGIN_NODE);
    uint8_t *p = append(w, len + 1);
    if (p) {
        memcpy(p, name, len + 1);
        w->depth++;
        w->props_allowed = true;
    }
}

void fdt_write_begin_unit(struct fdt_writer *w, const char *name, uint64_t unit)
{
    char full[80];

    if (fmt_print(full, sizeof(full), "%s@%llx", name, (unsigned long long)unit) >= sizeof(full)) {
        set_error(w, -XEN_EINVAL);
    }
    fdt_write_begin_node(w, full);
}

void fdt_write_end_node(struct fdt_writer *w)
{
    if (w->depth == 0) {
        set_error(w, -XEN_EINVAL);
    }
    append_token(w, FDT_END_NODE);
    if (!w->error) {
        w->depth--;
        w->props_allowed = false;
        w->root_closed = w->depth == 0;
    }
}

/* The distance of a name from the end of the buffer; the name is added if new. */
static uint32_t string_offset(struct fdt_writer *w, const char *name)
{
    size_t len = strlen(name);
    const char *end = (const char *)w->buf + w->size;
    const char *s = end - w->strings_size;

    if (len == 0 || !fdt_name_is_valid(name, len)) {
        set_error(w, -XEN_EINVAL);
        return 0;
    }
    for (; s < end; s += strlen(s) + 1) {
        if (s[0] == name[0] && strcmp(s, name) == 0) {
            return (uint32_t)(end - s);
        }
    }
    if (len >= room(w)) {
        set_error(w, -XEN_ENOSPC);
        return 0;
    }
    w->strings_size += (uint32_t)len + 1;
    memcpy(w->buf + w->size - w->strings_size, name, len + 1);
    return w->strings_size;
}

/* Append a property's token; returns where its len bytes go, NULL after an error. */
static uint8_t *begin_prop(struct fdt_writer *w, const char *name, size_t len)
{
    if (!w->props_allowed) {
        set_error(w, -XEN_EINVAL);
    }
    if (w->error) {
        return NULL;
    }
    uint32_t distance = string_offset(w, name);
    if (len > room(w)) {
        set_error(w, -XEN_ENOSPC);
    }
    uint8_t *p = append(w, FDT_PROP_LEN);
    if (!p) {
        return NULL;
    }
    put_be32(p, FDT_PROP);
    put_be32(p + 4, (uint32_t)len);
    put_be32(p + 8, distance);
    return append(w, len);
}

void fdt_write_prop(struct fdt_writer *w, const char *name, const void *data, size_t len)
{
    uint8_t *p = begin_prop(w, name, len);
    if (p && len) {
        memcpy(p, data, len);
    }
}

void fdt_write_prop_empty(struct fdt_writer *w, const char *name) { begin_prop(w, name, 0); }

void fdt_write_prop_u32(struct fdt_writer *w, const char *name, uint32_t value)
{
    fdt_write_prop_cells(w, name, &value, 1);
}

void fdt_write_prop_u64(struct fdt_writer *w, const char *name, uint64_t value)
{
    fdt_write_prop_u64s(w, name, &value, 1);
}

void fdt_write_prop_string(struct fdt_writer *w, const char *name, const char *value)
{
    fdt_write_prop(w, name, value, strlen(value) + 1);
}

void fdt_write_prop_strings(struct fdt_writer *w, const char *name, const char *const *values,
                            size_t nr)
{
    size_t total = 0;
    for (size_t i = 0; i < nr; i++) {
        total += strlen(values[i]) + 1;
    }
    uint8_t *p = begin_prop(w, name, total);
    for (size_t i = 0; p && i < nr; i++) {
        size_t len = strlen(values[i]) + 1;
        memcpy(p, values[i], len);
        p += len;
    }
}

void fdt_write_prop_cells(struct fdt_writer *w, const char *name, const uint32_t *cells, size_t nr)
{
    uint8_t *p = begin_prop(w, name, nr * 4);
    for (size_t i = 0; p && i < nr; i++) {
        put_be32(p + 4 * i, cells[i]);
    }
}

void fdt_write_prop_u64s(struct fdt_writer *w, const char *name, const uint64_t *values, size_t nr)
{
    uint8_t *p = begin_prop(w, name, nr * 8);
    for (size_t i = 0; p && i < nr; i++) {
        put_be64(p + 8 * i, values[i]);
    }
}

void fdt_write_widths(struct fdt_writer *w, uint32_t address_cells, uint32_t size_cells)
{
    if (address_cells - 1 > 1 || size_cells > 2) {
        set_error(w, -XEN_EINVAL);
    }
    w->address_cells = address_cells;
    w->size_cells = size_cells;
}

static uint8_t *put_cells(struct fdt_writer *w, uint8_t *p, uint64_t value, uint32_t cells)
{
    if (cells < 2 && value >> 32 * cells != 0) {
        set_error(w, -XEN_ERANGE);
    }
    for (uint32_t i = cells; i-- > 0; p += 4) {
        put_be32(p, (uint32_t)(value >> 32 * i));
    }
    return p;
}

void fdt_write_prop_reg(struct fdt_writer *w, const uint64_t *pairs, size_t nr)
{
    uint8_t *p = begin_prop(w, "reg", nr * 4 * (w->address_cells + w->size_cells));
    for (size_t i = 0; p && i < nr; i++) {
        p = put_cells(w, p, pairs[2 * i], w->address_cells);
        p = put_cells(w, p, pairs[2 * i + 1], w->size_cells);
    }
}

/* Turn the names' distances from the end of the buffer into offsets. */
static void fix_name_offsets(struct fdt_writer *w)
{
    uint8_t *p = w->buf + w->struct_off;

    for (;;) {
        switch (get_be32(p)) {
        case FDT_BEGIN_NODE:
            p += ALIGN_UP(4 + strlen((const char *)p + 4) + 1, (size_t)4);
            break;
        case FDT_PROP:
            put_be32(p + 8, w->strings_size - get_be32(p + 8));
            p += FDT_PROP_LEN + ALIGN_UP((size_t)get_be32(p + 4), (size_t)4);
            break;
        case FDT_END_NODE:
            p += 4;
            break;
        default: /* END: append_token wrote no others */
            return;
        }
    }
}

int fdt_write_finish(struct fdt_writer *w)
{
    if (!w->root_closed) {
        set_error(w, -XEN_EINVAL);
    }
    append_token(w, FDT_END);
    if (w->error) {
        return w->error;
    }
    fix_name_offsets(w);
    memmove(w->buf + w->pos, w->buf + w->size - w->strings_size, w->strings_size);

    uint8_t *b = w->buf;
    uint32_t total = w->pos + w->strings_size;
    put_be32(b + FDT_HDR_MAGIC, FDT_MAGIC);
    put_be32(b + FDT_HDR_TOTALSIZE, total);
    put_be32(b + FDT_HDR_OFF_STRUCT, w->struct_off);
    put_be32(b + FDT_HDR_OFF_STRINGS, w->pos);
    put_be32(b + FDT_HDR_OFF_RESERVE, FDT_HDR_LEN);
    put_be32(b + FDT_HDR_VERSION, FDT_VERSION);
    put_be32(b + FDT_HDR_LAST_COMP, FDT_VERSION_MIN);
    put_be32(b + FDT_HDR_BOOT_CPU, 0);
    put_be32(b + FDT_HDR_SIZE_STRINGS, w->strings_size);
    put_be32(b + FDT_HDR_SIZE_STRUCT, w->pos - w->struct_off);
    /* The buffer is a device tree now: nothing more may be added. */
    w->error = -XEN_EINVAL;
    return (int)total;
}

static bool kept(const struct fdt_filter *filter, const struct fdt *f, struct fdt_node node,
                 const struct fdt_prop *prop)
{
    return !filter || filter->keep(filter->arg, f, node, prop);
}

void fdt_copy_props(struct fdt_writer *w, const struct fdt *f, struct fdt_node node,
                    const struct fdt_filter *filter)
{
    struct fdt_prop p;

    for_each_fdt_prop(f, node, p)
    {
        if (kept(filter, f, node, &p)) {
            fdt_write_prop(w, p.name, p.data, p.len);
        }
    }
}

void fdt_copy_node(struct fdt_writer *w, const struct fdt *f, struct fdt_node node,
                   const struct fdt_filter *filter)
{
    struct fdt_node open[FDT_DEPTH_MAX];
    unsigned int depth = 0;
    struct fdt_node it = node;

    if (!fdt_node_exists(node)) {
        set_error(w, -XEN_EINVAL);
    }
    /* it: the node to enter next, among the children of open[depth - 1]; none: close that. */
    while (!w->error) {
        if (fdt_node_exists(it) && (depth == 0 || kept(filter, f, it, NULL))) {
            fdt_write_begin_node(w, w->depth == 0 ? "" : fdt_name(f, it));
            fdt_copy_props(w, f, it, filter);
            open[depth++] = it;
            it = fdt_first_child(f, it);
        } else if (fdt_node_exists(it)) {
            it = fdt_next_sibling(f, it);
        } else {
            fdt_write_end_node(w);
            if (--depth == 0) {
                return;
            }
            it = fdt_next_sibling(f, open[depth]);
        }
    }
}
