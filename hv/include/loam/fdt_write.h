/* SPDX-License-Identifier: MIT */
/*
 * Writer for flattened device trees, sequentially into a caller's buffer.
 *
 * Order: begin, reserve*, then one root node with its properties before its
 * children, finish. What finish accepts fdt_open accepts. An error sticks: later
 * calls do nothing, finish returns the first one, so a caller checks once.
 *
 *   buf  header | reservations | structure ->   (free)   <- strings  buf + size
 *
 * While writing, a name's offset is its distance from the end of the buffer;
 * finish moves the strings down behind the structure and corrects the offsets.
 */
#ifndef LOAM_FDT_WRITE_H
#define LOAM_FDT_WRITE_H

#include <loam/fdt.h>
#include <loam/types.h>

struct fdt_writer {
    uint8_t *buf;
    uint32_t size;
    uint32_t pos; /* next byte of the structure block, or of the reservations */
    uint32_t struct_off; /* 0 until the first node */
    uint32_t strings_size;
    uint32_t depth;
    uint32_t address_cells, size_cells; /* of fdt_write_prop_reg() */
    int error; /* 0 or the first -XEN_Exxx */
    bool props_allowed; /* no child of the open node yet */
    bool root_closed;
};

/* Start a tree in buf[size]; buf must be 8-byte aligned. */
void fdt_write_begin(struct fdt_writer *w, void *buf, size_t size);

/* Add a memory reservation; before the first node only. */
void fdt_write_reserve(struct fdt_writer *w, uint64_t addr, uint64_t size);

/* Open a node; the root's name is "". */
void fdt_write_begin_node(struct fdt_writer *w, const char *name);

/* Open a node called name@unit, unit in hexadecimal. */
void fdt_write_begin_unit(struct fdt_writer *w, const char *name, uint64_t unit);

/* Close the innermost open node. */
void fdt_write_end_node(struct fdt_writer *w);

/* Add a property to the innermost open node, before its first child. */
void fdt_write_prop(struct fdt_writer *w, const char *name, const void *data, size_t len);
void fdt_write_prop_empty(struct fdt_writer *w, const char *name);
void fdt_write_prop_u32(struct fdt_writer *w, const char *name, uint32_t value);
void fdt_write_prop_u64(struct fdt_writer *w, const char *name, uint64_t value);
void fdt_write_prop_string(struct fdt_writer *w, const char *name, const char *value);

/* A list of nr strings. */
void fdt_write_prop_strings(struct fdt_writer *w, const char *name, const char *const *values,
                            size_t nr);

/* An array of nr cells (numbers of the host's byte order). */
void fdt_write_prop_cells(struct fdt_writer *w, const char *name, const uint32_t *cells, size_t nr);

/* An array of nr numbers of two cells each: reg with 2 address and 2 size cells. */
void fdt_write_prop_u64s(struct fdt_writer *w, const char *name, const uint64_t *values, size_t nr);

/*
 * reg of nr (address, size) pairs. Both take two cells, or as many (1 or 2, sizes also 0) as
 * fdt_write_widths() said before; a number that has no room is an error, ERANGE.
 */
void fdt_write_widths(struct fdt_writer *w, uint32_t address_cells, uint32_t size_cells);
void fdt_write_prop_reg(struct fdt_writer *w, const uint64_t *pairs, size_t nr);

/*
 * Complete the tree; returns its size, or the first error of any call.
 * Errors: ENOSPC the buffer is too small; EINVAL calls out of order, a name
 * that fdt_open would refuse, or a misaligned buffer; EMLINK nested too deep; ERANGE a reg
 * that its cells do not hold.
 */
int __must_check fdt_write_finish(struct fdt_writer *w);

/*
 * Says what a copy takes along. keep is called with prop for each property of
 * each copied node, and with prop = NULL for each descendant before it is
 * entered. Called for a property, it may write others to the writer instead.
 */
struct fdt_filter {
    bool (*keep)(void *arg, const struct fdt *f, struct fdt_node node, const struct fdt_prop *prop);
    void *arg;
};

/*
 * Copy node with properties and descendants as a child of the open node (or as
 * the root). filter may be NULL: everything. Errors stick in w as usual.
 */
void fdt_copy_node(struct fdt_writer *w, const struct fdt *f, struct fdt_node node,
                   const struct fdt_filter *filter);

/* Copy only the properties of node into the open node. */
void fdt_copy_props(struct fdt_writer *w, const struct fdt *f, struct fdt_node node,
                    const struct fdt_filter *filter);

#endif
