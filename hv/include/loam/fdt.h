/* SPDX-License-Identifier: MIT */
/*
 * Reader for flattened device trees (Devicetree Specification v0.4, chapter 5).
 *
 * fdt_open() trusts nothing: it checks the header and walks the whole structure
 * block once. Every accessor relies on that walk and checks only what belongs
 * to its own question, so the blob must not change while it is open and must
 * not lie in memory that a guest can write. There is no allocation, no
 * recursion and no state besides struct fdt, which is read-only after fdt_open.
 *
 *   header | memory reservations | structure block         | strings block
 *                                  BEGIN_NODE name          "reg\0compatible\0..."
 *                                    PROP len nameoff data
 *                                    BEGIN_NODE ... END_NODE
 *                                  END_NODE
 *                                  END
 *
 * A node is the offset of its BEGIN_NODE token in the structure block. Lookups
 * that answer with a node answer FDT_NONE where there is none, and every
 * accessor takes FDT_NONE for a node without properties and children, so that
 * fdt_u32(f, fdt_find(f, "/chosen"), ...) needs one check. Finding the parent
 * of a node means walking from the root: O(size of the tree). Where a node has
 * two properties or children of one name, the first counts.
 */
#ifndef LOAM_FDT_H
#define LOAM_FDT_H

#include <loam/compiler.h>
#include <loam/types.h>

/* Nodes on the longest path, the root included. */
#define FDT_DEPTH_MAX 32

/* Cells of one interrupt specifier that fdt_interrupt() can return. */
#define FDT_INTERRUPT_CELLS_MAX 8

struct fdt {
    const uint8_t *blob;
    uint32_t size; /* totalsize of the header */
    uint32_t version;
    uint32_t boot_cpu; /* boot_cpuid_phys */
    uint32_t reserve_off; /* blocks, from the start of the blob */
    uint32_t nr_reserve;
    uint32_t struct_off;
    uint32_t struct_size;
    uint32_t strings_off;
    uint32_t strings_size;
    const char *error; /* after a failed fdt_open: why */
    uint32_t error_off; /* and at which byte of the blob */
};

struct fdt_node {
    uint32_t off;
};

struct fdt_prop {
    const char *name;
    const void *data;
    uint32_t len;
    uint32_t off; /* of its PROP token in the structure block */
};

#define FDT_NONE ((struct fdt_node){ UINT32_MAX })
#define FDT_ROOT ((struct fdt_node){ 0 })

static inline bool fdt_node_exists(struct fdt_node n) { return n.off != UINT32_MAX; }
static inline bool fdt_node_eq(struct fdt_node a, struct fdt_node b) { return a.off == b.off; }

/*
 * Check the blob of at most size bytes and set f up to read it. FDT_ROOT then
 * is the root node. On failure f->error and f->error_off say what and where.
 * Errors:
 *   EFAULT        blob is NULL or not 8-byte aligned
 *   ENODATA       size is too small for a header
 *   ENOEXEC       wrong magic
 *   EOPNOTSUPP    version < 16 or last compatible version > 17
 *   EMSGSIZE      totalsize exceeds size (truncated) or is below the header's
 *   ERANGE        a block is misaligned or lies outside the blob
 *   ENOBUFS       the memory reservations have no end inside the blob
 *   EILSEQ        an unknown token
 *   EBADMSG       unbalanced nodes, more than one root, or no END token
 *   ENAMETOOLONG  a node name has no end inside the structure block
 *   EINVAL        an empty name or one with characters that no name may have
 *   EMLINK        nodes nested deeper than FDT_DEPTH_MAX
 *   EOVERFLOW     a property's value exceeds the structure block
 *   EDOM          a property's name is outside, or has no end in, the strings block
 *   EEXIST        a property follows a child node
 */
int __must_check fdt_open(struct fdt *f, const void *blob, size_t size);

/* The totalsize that a header claims, 0 without a header; to size a mapping before fdt_open. */
uint32_t fdt_blob_size(const void *header, size_t size);

/* --- Nodes ------------------------------------------------------------- */

struct fdt_node fdt_first_child(const struct fdt *f, struct fdt_node node);
struct fdt_node fdt_next_sibling(const struct fdt *f, struct fdt_node node);

/* Visit the children of parent in order. */
#define for_each_fdt_child(f, parent, it) \
    for ((it) = fdt_first_child(f, parent); fdt_node_exists(it); (it) = fdt_next_sibling(f, it))

/*
 * A walk through all nodes in document order that knows the way to each: path[depth - 1] is
 * the node, path[0] the root. What it asks needs no search from the root.
 */
struct fdt_walk {
    struct fdt_node path[FDT_DEPTH_MAX];
    unsigned int depth;
};

/* Stands at the root. */
static inline void fdt_walk_begin(struct fdt_walk *w)
{
    w->path[0] = FDT_ROOT;
    w->depth = 1;
}

/* To the next node, children first; false when there is none. */
bool fdt_walk_next(const struct fdt *f, struct fdt_walk *w);

static inline struct fdt_node fdt_walk_node(const struct fdt_walk *w)
{
    return w->path[w->depth - 1];
}

/* The next node in document order (children first). Start with FDT_ROOT. */
struct fdt_node fdt_next(const struct fdt *f, struct fdt_node node);

/* Visit every node of the tree in document order. */
#define for_each_fdt_node(f, it) for ((it) = FDT_ROOT; fdt_node_exists(it); (it) = fdt_next(f, it))

/* The parent; FDT_NONE for the root. Walks from the root. */
struct fdt_node fdt_parent(const struct fdt *f, struct fdt_node node);

/*
 * The nodes from the root (path[0]) to node (path[depth - 1]). Returns depth,
 * 0 if node does not exist. Walks from the root.
 */
unsigned int fdt_ancestors(const struct fdt *f, struct fdt_node node,
                           struct fdt_node path[FDT_DEPTH_MAX]);

/* The name with its unit address; "" for the root and FDT_NONE. */
const char *fdt_name(const struct fdt *f, struct fdt_node node);

/*
 * The child called name; name without a unit address also finds the first
 * child called name@anything, if none has just that name.
 */
struct fdt_node fdt_child(const struct fdt *f, struct fdt_node node, const char *name);

/*
 * The node with that path, each part matched as by fdt_child. A path that does
 * not begin with '/' begins with an alias from /aliases.
 */
struct fdt_node fdt_find(const struct fdt *f, const char *path);

/* The node whose phandle (or linux,phandle) that is. Walks the tree. */
struct fdt_node fdt_find_phandle(const struct fdt *f, uint32_t phandle);

/*
 * The next node after from, in document order, that is compatible with str;
 * from = FDT_NONE begins at the root.
 */
struct fdt_node fdt_find_compatible(const struct fdt *f, struct fdt_node from, const char *str);

/* Visit every node that is compatible with str. */
#define for_each_fdt_compatible(f, str, it) \
    for ((it) = fdt_find_compatible(f, FDT_NONE, str); fdt_node_exists(it); \
         (it) = fdt_find_compatible(f, it, str))

/* Write the full path to buf[size]; returns its length as fmt_print does. */
size_t fdt_path(const struct fdt *f, struct fdt_node node, char *buf, size_t size);

/* --- Properties -------------------------------------------------------- */

/* The value and, unless len is NULL, its length; NULL if there is no such property. */
const void *fdt_prop(const struct fdt *f, struct fdt_node node, const char *name, uint32_t *len);

static inline bool fdt_has_prop(const struct fdt *f, struct fdt_node node, const char *name)
{
    return fdt_prop(f, node, name, NULL) != NULL;
}

/* Step through the properties of a node; false at the end. */
bool fdt_first_prop(const struct fdt *f, struct fdt_node node, struct fdt_prop *p);
bool fdt_next_prop(const struct fdt *f, struct fdt_prop *p);

/* Visit every property of node (struct fdt_prop p). */
#define for_each_fdt_prop(f, node, p) \
    for (bool more_ = fdt_first_prop(f, node, &(p)); more_; more_ = fdt_next_prop(f, &(p)))

/*
 * A property that is exactly one u32 (u64). *out is untouched on failure.
 * Errors: ENOENT no such property; EINVAL another length.
 */
int __must_check fdt_u32(const struct fdt *f, struct fdt_node node, const char *name,
                         uint32_t *out);
int __must_check fdt_u64(const struct fdt *f, struct fdt_node node, const char *name,
                         uint64_t *out);

/* The same with a value for an absent or malformed property. */
uint32_t fdt_u32_or(const struct fdt *f, struct fdt_node node, const char *name, uint32_t absent);

/*
 * Cell number index of a property that is an array of u32.
 * Errors: ENOENT no such property; EINVAL not a multiple of 4; ERANGE past its end.
 */
int __must_check fdt_cell(const struct fdt *f, struct fdt_node node, const char *name,
                          uint32_t index, uint32_t *out);

/*
 * All cells of a property into out[max]; the count into *nr.
 * Errors: ENOENT; EINVAL not a multiple of 4; ENOSPC more than max cells.
 */
int __must_check fdt_cells(const struct fdt *f, struct fdt_node node, const char *name,
                           uint32_t *out, uint32_t max, uint32_t *nr);

/* Read nr_cells (1 or 2) cells at data as one number. */
uint64_t fdt_read_cells(const void *data, uint32_t nr_cells);

/* A string (of a list the first one); NULL if absent, empty or unterminated. */
const char *fdt_string(const struct fdt *f, struct fdt_node node, const char *name);

/* String number index of a list of terminated strings; NULL if there is none. */
const char *fdt_string_at(const struct fdt *f, struct fdt_node node, const char *name,
                          uint32_t index);

/* The index of str in a list of strings. Errors: ENOENT no such property or string. */
int fdt_string_index(const struct fdt *f, struct fdt_node node, const char *name, const char *str);

static inline bool fdt_string_contains(const struct fdt *f, struct fdt_node node, const char *name,
                                       const char *str)
{
    return fdt_string_index(f, node, name, str) >= 0;
}

/* Is str one of the node's compatible strings? */
static inline bool fdt_compatible(const struct fdt *f, struct fdt_node node, const char *str)
{
    return fdt_string_contains(f, node, "compatible", str);
}

/* The same for any of `nr` strings. */
static inline bool fdt_compatible_any(const struct fdt *f, struct fdt_node node,
                                      const char *const *strings, uint32_t nr)
{
    bool found = false;

    for (uint32_t i = 0; i < nr && !found; i++) {
        found = fdt_compatible(f, node, strings[i]);
    }
    return found;
}

/* Is the node usable: no status property, or "okay" or "ok"? */
bool fdt_is_enabled(const struct fdt *f, struct fdt_node node);

/* --- Addresses --------------------------------------------------------- */

/* The cells that the children of node use in reg; 2 and 1 where node does not say. */
uint32_t fdt_address_cells(const struct fdt *f, struct fdt_node node);
uint32_t fdt_size_cells(const struct fdt *f, struct fdt_node node);

/*
 * Entry index of the node's reg, as it stands (an address on the parent's bus).
 * size may be NULL; it is 0 where the parent's #size-cells is 0.
 * Errors: ENOENT no reg or no such entry; EINVAL reg is no whole number of
 * entries; EOPNOTSUPP addresses or sizes of more than two cells (or none);
 * ERANGE the region wraps around.
 */
int __must_check fdt_reg(const struct fdt *f, struct fdt_node node, uint32_t index, uint64_t *addr,
                         uint64_t *size);

/*
 * Translate an address on the bus that node sits on (as in its reg) to one of
 * the root, through the ranges of every bus between.
 * Errors: ENXIO a bus has no ranges, or none that holds addr; EINVAL a
 * malformed ranges; EOPNOTSUPP cells as for fdt_reg; ENOENT no such node.
 */
int __must_check fdt_translate(const struct fdt *f, struct fdt_node node, uint64_t *addr);

/* fdt_reg and fdt_translate, of the whole region, in one. Errors: of both. */
int __must_check fdt_reg_translated(const struct fdt *f, struct fdt_node node, uint32_t index,
                                    uint64_t *addr, uint64_t *size);

/* The same two for the node where a walk stands; size: how many bytes from *addr on, at least 1. */
int __must_check fdt_walk_translate(const struct fdt *f, const struct fdt_walk *w, uint64_t *addr,
                                    uint64_t size);
int __must_check fdt_walk_reg(const struct fdt *f, const struct fdt_walk *w, uint32_t index,
                              uint64_t *addr, uint64_t *size);

/* Entry index of the memory reservation block. Errors: ENOENT past the last. */
int __must_check fdt_reserve(const struct fdt *f, uint32_t index, uint64_t *addr, uint64_t *size);

/* A position in the memory nodes of the root; set both members by fdt_memory_begin. */
struct fdt_memory_iter {
    struct fdt_node node;
    uint32_t index;
};

/*
 * Visit the reg entries of all enabled children of the root whose device_type
 * is "memory", in order: begin once, then next until it fails.
 * Errors of next: ENOENT past the last; else as fdt_reg, with it->node the
 * node at fault; the next call goes on after it.
 */
void fdt_memory_begin(const struct fdt *f, struct fdt_memory_iter *it);
int __must_check fdt_memory_next(const struct fdt *f, struct fdt_memory_iter *it, uint64_t *addr,
                                 uint64_t *size);

/* --- Interrupts and /chosen -------------------------------------------- */

struct fdt_interrupt {
    struct fdt_node controller;
    uint32_t nr_cells;
    uint32_t cells[FDT_INTERRUPT_CELLS_MAX];
};

/*
 * The interrupt controller of a node: its own interrupt-parent, or that of the
 * nearest ancestor that has one or is a controller itself (spec 2.4). FDT_NONE
 * if there is none or if it has no #interrupt-cells.
 */
struct fdt_node fdt_interrupt_parent(const struct fdt *f, struct fdt_node node);

/*
 * Interrupt number index of a node, from interrupts-extended or interrupts.
 * Errors: ENOENT no such entry; ENXIO no interrupt controller; EINVAL a
 * malformed property; EOPNOTSUPP more than FDT_INTERRUPT_CELLS_MAX cells.
 */
int __must_check fdt_interrupt(const struct fdt *f, struct fdt_node node, uint32_t index,
                               struct fdt_interrupt *irq);

/*
 * The interrupt of a device on a bus that maps them: `child` is the device's address on
 * the bus and its interrupt there, nr cells together (a PCI bus: 3 and 1).
 * Errors: ENOENT no interrupt-map or no such entry; EINVAL a malformed one, or a
 * controller without #interrupt-cells or with more than can be returned.
 */
int __must_check fdt_interrupt_map(const struct fdt *f, struct fdt_node bus, const uint32_t *child,
                                   uint32_t nr, struct fdt_interrupt *irq);

/* A position in an interrupt-map; zeroed memory is its beginning. */
struct fdt_map_iter {
    uint32_t at; /* cells done */
    uint32_t phandle; /* of the entry before, and the node that has it */
    struct fdt_node parent;
};

/*
 * The next entry of the map, whose child part has nr cells: where its interrupts go.
 * Errors: as fdt_interrupt_map(); ENOENT: no more.
 */
int __must_check fdt_interrupt_map_next(const struct fdt *f, struct fdt_node bus, uint32_t nr,
                                        struct fdt_map_iter *it, struct fdt_interrupt *irq);

/*
 * Looks an id of a bus up in its property `name` (iommu-map, msi-map), with name-mask
 * if there is one: who has it, under which id. The target takes one cell.
 * Errors: ENOENT no such property, or none of its entries has the id; EINVAL.
 */
int __must_check fdt_id_map(const struct fdt *f, struct fdt_node bus, const char *name, uint32_t id,
                            uint32_t *phandle, uint32_t *out);

/* The node that /chosen stdout-path names, options after ':' ignored. */
struct fdt_node fdt_stdout(const struct fdt *f);

#endif
