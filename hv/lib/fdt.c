/* SPDX-License-Identifier: MIT */
/*
 * Reader for flattened device trees: opening, nodes and properties.
 *
 * The first half validates an untrusted blob: fdt_open() sets up the blocks
 * and check_structure() walks them once. Everything after that walks tokens it
 * may trust: names and values end inside their blocks, nodes are balanced,
 * properties precede children, and the END token stops every loop.
 * Addresses and interrupts are in fdt_addr.c.
 */
#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/fdt.h>
#include <loam/printf.h>
#include <loam/string.h>

#include "fdt_format.h"

static int fail(struct fdt *f, int rc, uint64_t off, const char *why)
{
    f->error = why;
    f->error_off = (uint32_t)MIN(off, UINT32_MAX);
    return rc;
}

static const char *struct_at(const struct fdt *f, uint32_t off)
{
    return (const char *)f->blob + f->struct_off + off;
}

static uint32_t struct_be32(const struct fdt *f, uint32_t off)
{
    return get_be32_aligned(f->blob + f->struct_off + off);
}

/* --- Validation ---------------------------------------------------------- */

static int check_block(struct fdt *f, uint32_t field, uint32_t off, uint64_t size, uint32_t align)
{
    if (!IS_ALIGNED(off, align)) {
        return fail(f, -XEN_ERANGE, field, "a block of the device tree is misaligned");
    }
    if (off > f->size || size > f->size - off) {
        return fail(f, -XEN_ERANGE, field, "a block lies outside the device tree");
    }
    return 0;
}

static int check_header(struct fdt *f, size_t size)
{
    const uint8_t *b = f->blob;

    if (get_be32(b + FDT_HDR_MAGIC) != FDT_MAGIC) {
        return fail(f, -XEN_ENOEXEC, FDT_HDR_MAGIC, "no device tree: wrong magic");
    }
    f->version = get_be32(b + FDT_HDR_VERSION);
    if (f->version < FDT_VERSION_MIN || get_be32(b + FDT_HDR_LAST_COMP) > FDT_VERSION) {
        return fail(f, -XEN_EOPNOTSUPP, FDT_HDR_VERSION, "unsupported device tree version");
    }
    f->size = get_be32(b + FDT_HDR_TOTALSIZE);
    /* Half the number range, so that no offset plus padding below can wrap. */
    if (f->size > size || f->size > INT32_MAX) {
        return fail(f, -XEN_EMSGSIZE, FDT_HDR_TOTALSIZE, "the device tree is truncated");
    }
    if (f->size < (f->version < FDT_VERSION ? FDT_HDR_LEN_V16 : FDT_HDR_LEN)) {
        return fail(f, -XEN_EMSGSIZE, FDT_HDR_TOTALSIZE, "total size is below the header's");
    }
    f->boot_cpu = get_be32(b + FDT_HDR_BOOT_CPU);
    return 0;
}

static int check_blocks(struct fdt *f)
{
    const uint8_t *b = f->blob;

    f->reserve_off = get_be32(b + FDT_HDR_OFF_RESERVE);
    f->struct_off = get_be32(b + FDT_HDR_OFF_STRUCT);
    f->strings_off = get_be32(b + FDT_HDR_OFF_STRINGS);
    f->strings_size = get_be32(b + FDT_HDR_SIZE_STRINGS);

    int rc = check_block(f, FDT_HDR_OFF_RESERVE, f->reserve_off, 0, 8);
    if (!rc) {
        rc = check_block(f, FDT_HDR_OFF_STRINGS, f->strings_off, f->strings_size, 1);
    }
    if (!rc) {
        rc = check_block(f, FDT_HDR_OFF_STRUCT, f->struct_off, 0, 4);
    }
    if (rc) {
        return rc;
    }
    /* Version 16 does not say how long the structure is: at most to the end. */
    f->struct_size = f->size - f->struct_off;
    if (f->version >= FDT_VERSION) {
        f->struct_size = get_be32(b + FDT_HDR_SIZE_STRUCT);
    }
    return check_block(f, FDT_HDR_SIZE_STRUCT, f->struct_off, f->struct_size, 4);
}

static int check_reserve(struct fdt *f)
{
    for (uint32_t off = f->reserve_off; f->size - off >= FDT_RESERVE_LEN; off += FDT_RESERVE_LEN) {
        if (get_be64(f->blob + off) == 0 && get_be64(f->blob + off + 8) == 0) {
            return 0;
        }
        f->nr_reserve++;
    }
    return fail(f, -XEN_ENOBUFS, f->reserve_off, "the memory reservations have no end");
}

/* Check the name of a node at *off and move behind it. */
static int check_node_name(struct fdt *f, uint32_t *off, bool is_root)
{
    uint32_t room = f->struct_size - *off;
    const char *name = struct_at(f, *off);
    size_t len = strnlen(name, room);

    if (len == room) {
        return fail(f, -XEN_ENAMETOOLONG, f->struct_off + *off, "a node name has no end");
    }
    if ((len == 0) != is_root || !fdt_name_is_valid(name, len)) {
        return fail(f, -XEN_EINVAL, f->struct_off + *off, "invalid node name");
    }
    *off = ALIGN_UP(*off + (uint32_t)len + 1, 4u);
    return 0;
}

/* Check the property whose length is at *off and move behind its value. */
static int check_prop(struct fdt *f, uint32_t *off)
{
    uint32_t at = f->struct_off + *off;

    if (f->struct_size - *off < 8) {
        return fail(f, -XEN_EOVERFLOW, at, "a property is cut off");
    }
    uint32_t len = struct_be32(f, *off);
    uint32_t nameoff = struct_be32(f, *off + 4);
    *off += 8;
    if (len > f->struct_size - *off) {
        return fail(f, -XEN_EOVERFLOW, at, "a property exceeds the structure block");
    }
    if (nameoff >= f->strings_size) {
        return fail(f, -XEN_EDOM, at + 4, "a property name is outside the strings block");
    }
    const char *name = (const char *)f->blob + f->strings_off + nameoff;
    size_t name_len = strnlen(name, f->strings_size - nameoff);
    if (name_len == f->strings_size - nameoff) {
        return fail(f, -XEN_EDOM, at + 4, "a property name has no end");
    }
    if (name_len == 0 || !fdt_name_is_valid(name, name_len)) {
        return fail(f, -XEN_EINVAL, at + 4, "invalid property name");
    }
    *off = ALIGN_UP(*off + len, 4u);
    return 0;
}

struct check_state {
    unsigned int depth;
    bool root_seen;
    bool props_allowed; /* no child of the open node yet */
    uint32_t root_off;
};

/* Check one token, at *off, and move behind it. */
static int check_token(struct fdt *f, struct check_state *st, uint32_t *off, uint32_t token)
{
    uint32_t at = f->struct_off + *off;

    *off += 4;
    switch (token) {
    case FDT_BEGIN_NODE:
        if (st->depth == 0 && st->root_seen) {
            return fail(f, -XEN_EBADMSG, at, "a second root node");
        }
        if (st->depth == FDT_DEPTH_MAX) {
            return fail(f, -XEN_EMLINK, at, "nodes are nested too deep");
        }
        if (!st->root_seen) {
            st->root_off = *off - 4;
            st->root_seen = true;
        }
        st->props_allowed = true;
        return check_node_name(f, off, st->depth++ == 0);
    case FDT_END_NODE:
        if (st->depth == 0) {
            return fail(f, -XEN_EBADMSG, at, "end of a node that was not begun");
        }
        st->depth--;
        st->props_allowed = false;
        return 0;
    case FDT_PROP:
        if (st->depth == 0) {
            return fail(f, -XEN_EBADMSG, at, "a property outside any node");
        }
        if (!st->props_allowed) {
            return fail(f, -XEN_EEXIST, at, "a property follows a child node");
        }
        return check_prop(f, off);
    case FDT_NOP:
        return 0;
    case FDT_END:
        if (st->depth != 0 || !st->root_seen) {
            return fail(f, -XEN_EBADMSG, at, "the device tree ends inside a node");
        }
        return 0;
    default:
        return fail(f, -XEN_EILSEQ, at, "unknown token in the structure block");
    }
}

static int check_structure(struct fdt *f)
{
    struct check_state st = { 0 };
    uint32_t off = 0;
    uint32_t token;

    do {
        /* Padding may have moved off beyond the end. */
        if (off > f->struct_size || f->struct_size - off < 4) {
            return fail(f, -XEN_EBADMSG, f->struct_off + off, "the structure block has no end");
        }
        token = struct_be32(f, off);
        int rc = check_token(f, &st, &off, token);
        if (rc) {
            return rc;
        }
    } while (token != FDT_END);

    /* NOPs may come before the root; from here on it is at offset 0. */
    f->struct_off += st.root_off;
    f->struct_size = off - st.root_off;
    return 0;
}

int fdt_open(struct fdt *f, const void *blob, size_t size)
{
    *f = (struct fdt){ .blob = blob };
    if (!blob || !IS_ALIGNED((uintptr_t)blob, 8u)) {
        return fail(f, -XEN_EFAULT, 0, "the device tree is not 8-byte aligned");
    }
    if (size < FDT_HDR_LEN) {
        return fail(f, -XEN_ENODATA, 0, "too small for a device tree");
    }
    int rc = check_header(f, size);
    if (!rc) {
        rc = check_blocks(f);
    }
    if (!rc) {
        rc = check_reserve(f);
    }
    if (!rc) {
        rc = check_structure(f);
    }
    return rc;
}

uint32_t fdt_blob_size(const void *header, size_t size)
{
    const uint8_t *b = header;

    if (size < FDT_HDR_LEN || get_be32(b + FDT_HDR_MAGIC) != FDT_MAGIC) {
        return 0;
    }
    return get_be32(b + FDT_HDR_TOTALSIZE);
}

/* --- Tokens of a validated tree ------------------------------------------- */

/* Skip NOPs from *off on; returns the token that is then at *off. */
static uint32_t token_at(const struct fdt *f, uint32_t *off)
{
    uint32_t token = struct_be32(f, *off);

    while (token == FDT_NOP) {
        *off += 4;
        token = struct_be32(f, *off);
    }
    return token;
}

/* The offset behind the token at off, which is not END. */
static uint32_t token_end(const struct fdt *f, uint32_t off, uint32_t token)
{
    switch (token) {
    case FDT_BEGIN_NODE:
        return ALIGN_UP(off + 4 + (uint32_t)strlen(struct_at(f, off + 4)) + 1, 4u);
    case FDT_PROP:
        return ALIGN_UP(off + FDT_PROP_LEN + struct_be32(f, off + 4), 4u);
    default:
        return off + 4;
    }
}

/* The offset behind the END_NODE of a node. */
static uint32_t node_end(const struct fdt *f, struct fdt_node node)
{
    uint32_t off = node.off;
    unsigned int depth = 0;

    do {
        uint32_t token = token_at(f, &off);
        if (token == FDT_BEGIN_NODE) {
            depth++;
        } else if (token == FDT_END_NODE) {
            depth--;
        }
        off = token_end(f, off, token);
    } while (depth);
    return off;
}

/* --- Nodes ---------------------------------------------------------------- */

struct fdt_node fdt_first_child(const struct fdt *f, struct fdt_node node)
{
    if (!fdt_node_exists(node)) {
        return FDT_NONE;
    }
    uint32_t off = token_end(f, node.off, FDT_BEGIN_NODE);
    uint32_t token;
    while ((token = token_at(f, &off)) == FDT_PROP) {
        off = token_end(f, off, token);
    }
    return token == FDT_BEGIN_NODE ? (struct fdt_node){ off } : FDT_NONE;
}

struct fdt_node fdt_next_sibling(const struct fdt *f, struct fdt_node node)
{
    if (!fdt_node_exists(node)) {
        return FDT_NONE;
    }
    uint32_t off = node_end(f, node);
    return token_at(f, &off) == FDT_BEGIN_NODE ? (struct fdt_node){ off } : FDT_NONE;
}

struct fdt_node fdt_next(const struct fdt *f, struct fdt_node node)
{
    if (!fdt_node_exists(node)) {
        return FDT_NONE;
    }
    uint32_t off = token_end(f, node.off, FDT_BEGIN_NODE);
    uint32_t token;
    while ((token = token_at(f, &off)) != FDT_BEGIN_NODE) {
        if (token == FDT_END) {
            return FDT_NONE;
        }
        off = token_end(f, off, token);
    }
    return (struct fdt_node){ off };
}

bool fdt_walk_next(const struct fdt *f, struct fdt_walk *w)
{
    uint32_t off = token_end(f, fdt_walk_node(w).off, FDT_BEGIN_NODE);
    uint32_t token;

    while ((token = token_at(f, &off)) != FDT_END) {
        if (token == FDT_BEGIN_NODE) {
            w->path[w->depth++].off = off;
            return true;
        }
        w->depth -= token == FDT_END_NODE;
        off = token_end(f, off, token);
    }
    return false;
}

unsigned int fdt_ancestors(const struct fdt *f, struct fdt_node node,
                           struct fdt_node path[FDT_DEPTH_MAX])
{
    uint32_t off = 0;
    unsigned int depth = 0;

    if (!fdt_node_exists(node)) {
        return 0;
    }
    for (;;) {
        uint32_t token = token_at(f, &off);
        if (token == FDT_END) {
            return 0;
        }
        if (token == FDT_BEGIN_NODE) {
            path[depth++].off = off;
            if (off == node.off) {
                return depth;
            }
        } else if (token == FDT_END_NODE) {
            depth--;
        }
        off = token_end(f, off, token);
    }
}

struct fdt_node fdt_parent(const struct fdt *f, struct fdt_node node)
{
    struct fdt_node path[FDT_DEPTH_MAX];
    unsigned int depth = fdt_ancestors(f, node, path);

    return depth > 1 ? path[depth - 2] : FDT_NONE;
}

const char *fdt_name(const struct fdt *f, struct fdt_node node)
{
    return fdt_node_exists(node) ? struct_at(f, node.off + 4) : "";
}

/* fdt_child for a name that is the first len characters of name. */
static struct fdt_node child_n(const struct fdt *f, struct fdt_node node, const char *name,
                               size_t len)
{
    bool has_unit = false;
    for (size_t i = 0; i < len; i++) {
        has_unit |= name[i] == '@';
    }

    struct fdt_node any_unit = FDT_NONE;
    struct fdt_node it;
    for_each_fdt_child(f, node, it)
    {
        const char *child = fdt_name(f, it);
        if (strncmp(child, name, len) != 0) {
            continue;
        }
        if (child[len] == '\0') {
            return it;
        }
        if (child[len] == '@' && !has_unit && !fdt_node_exists(any_unit)) {
            any_unit = it;
        }
    }
    return any_unit;
}

struct fdt_node fdt_child(const struct fdt *f, struct fdt_node node, const char *name)
{
    return child_n(f, node, name, strlen(name));
}

/* Walk the first len characters of path downward from node. */
static struct fdt_node find_below(const struct fdt *f, struct fdt_node node, const char *path,
                                  size_t len)
{
    size_t pos = 0;

    while (pos < len && fdt_node_exists(node)) {
        size_t start = pos;
        while (pos < len && path[pos] != '/') {
            pos++;
        }
        if (pos > start) {
            node = child_n(f, node, path + start, pos - start);
        }
        pos++;
    }
    return node;
}

static struct fdt_node find_n(const struct fdt *f, const char *path, size_t len)
{
    char alias[64];
    size_t alias_len = 0;

    if (len && path[0] == '/') {
        return find_below(f, FDT_ROOT, path, len);
    }
    while (alias_len < len && path[alias_len] != '/') {
        alias_len++;
    }
    if (alias_len >= sizeof(alias)) {
        return FDT_NONE;
    }
    memcpy(alias, path, alias_len);
    alias[alias_len] = '\0';

    /* The alias must be a full path: an alias of an alias could be a loop. */
    const char *target = fdt_string(f, fdt_child(f, FDT_ROOT, "aliases"), alias);
    if (!target || target[0] != '/') {
        return FDT_NONE;
    }
    struct fdt_node node = find_below(f, FDT_ROOT, target, strlen(target));
    return find_below(f, node, path + alias_len, len - alias_len);
}

struct fdt_node fdt_find(const struct fdt *f, const char *path)
{
    return find_n(f, path, strlen(path));
}

struct fdt_node fdt_stdout(const struct fdt *f)
{
    const char *path = fdt_string(f, fdt_child(f, FDT_ROOT, "chosen"), "stdout-path");

    if (!path) {
        return FDT_NONE;
    }
    const char *options = strchr(path, ':');
    return find_n(f, path, options ? (size_t)(options - path) : strlen(path));
}

struct fdt_node fdt_find_compatible(const struct fdt *f, struct fdt_node from, const char *str)
{
    struct fdt_node it = fdt_node_exists(from) ? fdt_next(f, from) : FDT_ROOT;

    while (fdt_node_exists(it) && !fdt_compatible(f, it, str)) {
        it = fdt_next(f, it);
    }
    return it;
}

size_t fdt_path(const struct fdt *f, struct fdt_node node, char *buf, size_t size)
{
    struct fdt_node path[FDT_DEPTH_MAX];
    unsigned int depth = fdt_ancestors(f, node, path);
    size_t len = 0;

    if (depth < 2) {
        return fmt_print(buf, size, "%s", depth ? "/" : "");
    }
    for (unsigned int i = 1; i < depth; i++) {
        size_t used = MIN(len, size);
        len += fmt_print(used ? buf + used : buf, size - used, "/%s", fdt_name(f, path[i]));
    }
    return len;
}

/* --- Properties ----------------------------------------------------------- */

/* The property at or, past NOPs, after off; false if the properties end there. */
static bool prop_at(const struct fdt *f, uint32_t off, struct fdt_prop *p)
{
    if (token_at(f, &off) != FDT_PROP) {
        return false;
    }
    p->off = off;
    p->len = struct_be32(f, off + 4);
    p->name = (const char *)f->blob + f->strings_off + struct_be32(f, off + 8);
    p->data = struct_at(f, off + FDT_PROP_LEN);
    return true;
}

bool fdt_first_prop(const struct fdt *f, struct fdt_node node, struct fdt_prop *p)
{
    return fdt_node_exists(node) && prop_at(f, token_end(f, node.off, FDT_BEGIN_NODE), p);
}

bool fdt_next_prop(const struct fdt *f, struct fdt_prop *p)
{
    return prop_at(f, token_end(f, p->off, FDT_PROP), p);
}

const void *fdt_prop(const struct fdt *f, struct fdt_node node, const char *name, uint32_t *len)
{
    struct fdt_prop p;

    for_each_fdt_prop(f, node, p)
    {
        if (p.name[0] == name[0] && strcmp(p.name, name) == 0) {
            if (len) {
                *len = p.len;
            }
            return p.data;
        }
    }
    return NULL;
}

struct fdt_node fdt_find_phandle(const struct fdt *f, uint32_t phandle)
{
    struct fdt_node node = FDT_ROOT;
    struct fdt_prop p;
    uint32_t off = 0;
    uint32_t token;

    /* Spec 2.3.3; 0 and all ones are no phandles. */
    if (phandle == 0 || phandle == UINT32_MAX) {
        return FDT_NONE;
    }
    /* One pass over the tokens, the cheap comparison first: every interrupt asks this. */
    while ((token = token_at(f, &off)) != FDT_END) {
        if (token == FDT_BEGIN_NODE) {
            node.off = off;
        } else if (prop_at(f, off, &p) && p.len == 4 && get_be32_aligned(p.data) == phandle &&
                   (strcmp(p.name, "phandle") == 0 || strcmp(p.name, "linux,phandle") == 0)) {
            return node;
        }
        off = token_end(f, off, token);
    }
    return FDT_NONE;
}

int fdt_u32(const struct fdt *f, struct fdt_node node, const char *name, uint32_t *out)
{
    uint32_t len;
    const void *data = fdt_prop(f, node, name, &len);

    if (!data) {
        return -XEN_ENOENT;
    }
    if (len != 4) {
        return -XEN_EINVAL;
    }
    *out = get_be32(data);
    return 0;
}

int fdt_u64(const struct fdt *f, struct fdt_node node, const char *name, uint64_t *out)
{
    uint32_t len;
    const void *data = fdt_prop(f, node, name, &len);

    if (!data) {
        return -XEN_ENOENT;
    }
    if (len != 8) {
        return -XEN_EINVAL;
    }
    *out = get_be64(data);
    return 0;
}

uint32_t fdt_u32_or(const struct fdt *f, struct fdt_node node, const char *name, uint32_t absent)
{
    uint32_t value = absent;

    return fdt_u32(f, node, name, &value) ? absent : value;
}

int fdt_cell(const struct fdt *f, struct fdt_node node, const char *name, uint32_t index,
             uint32_t *out)
{
    uint32_t len;
    const uint8_t *data = fdt_prop(f, node, name, &len);

    if (!data) {
        return -XEN_ENOENT;
    }
    if (len % 4) {
        return -XEN_EINVAL;
    }
    if (index >= len / 4) {
        return -XEN_ERANGE;
    }
    *out = get_be32(data + 4 * (size_t)index);
    return 0;
}

int fdt_cells(const struct fdt *f, struct fdt_node node, const char *name, uint32_t *out,
              uint32_t max, uint32_t *nr)
{
    uint32_t len;
    const uint8_t *data = fdt_prop(f, node, name, &len);

    if (!data) {
        return -XEN_ENOENT;
    }
    if (len % 4) {
        return -XEN_EINVAL;
    }
    if (len / 4 > max) {
        return -XEN_ENOSPC;
    }
    *nr = len / 4;
    for (uint32_t i = 0; i < *nr; i++) {
        out[i] = get_be32(data + 4 * (size_t)i);
    }
    return 0;
}

uint64_t fdt_read_cells(const void *data, uint32_t nr_cells)
{
    return nr_cells == 2 ? get_be64(data) : get_be32(data);
}

const char *fdt_string_at(const struct fdt *f, struct fdt_node node, const char *name,
                          uint32_t index)
{
    uint32_t len;
    const char *s = fdt_prop(f, node, name, &len);

    if (!s || len == 0 || s[len - 1] != '\0') {
        return NULL;
    }
    for (const char *end = s + len; s < end; s += strlen(s) + 1) {
        if (index-- == 0) {
            return s;
        }
    }
    return NULL;
}

const char *fdt_string(const struct fdt *f, struct fdt_node node, const char *name)
{
    return fdt_string_at(f, node, name, 0);
}

int fdt_string_index(const struct fdt *f, struct fdt_node node, const char *name, const char *str)
{
    uint32_t len;
    const char *s = fdt_prop(f, node, name, &len);
    int index = 0;

    if (!s || len == 0 || s[len - 1] != '\0') {
        return -XEN_ENOENT;
    }
    for (const char *end = s + len; s < end; s += strlen(s) + 1, index++) {
        if (strcmp(s, str) == 0) {
            return index;
        }
    }
    return -XEN_ENOENT;
}

bool fdt_is_enabled(const struct fdt *f, struct fdt_node node)
{
    if (!fdt_has_prop(f, node, "status")) {
        return true;
    }
    const char *status = fdt_string(f, node, "status");
    return status && (strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0);
}
