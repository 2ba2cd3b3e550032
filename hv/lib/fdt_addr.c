/* SPDX-License-Identifier: MIT */
/*
 * Reader for flattened device trees: addresses and interrupts.
 *
 * reg and ranges are arrays of cells whose widths other nodes give (Devicetree
 * Specification v0.4, 2.3.5, 2.3.6, 2.3.8); interrupts are specifiers whose
 * width the interrupt controller gives (2.4). Addresses of one or two cells are
 * understood; a bus with three, PCI, has its own reader.
 */
#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/fdt.h>
#include <loam/string.h>

/* Widths of one entry of reg or ranges, in cells. */
struct widths {
    uint32_t child; /* address on the bus, ranges only */
    uint32_t addr;
    uint32_t size;
};

uint32_t fdt_address_cells(const struct fdt *f, struct fdt_node node)
{
    return fdt_u32_or(f, node, "#address-cells", 2);
}

uint32_t fdt_size_cells(const struct fdt *f, struct fdt_node node)
{
    return fdt_u32_or(f, node, "#size-cells", 1);
}

static bool address_width_ok(uint32_t cells) { return cells == 1 || cells == 2; }

/* fdt_reg() of a node on that bus. */
static int reg_on(const struct fdt *f, struct fdt_node bus, struct fdt_node node, uint32_t index,
                  uint64_t *addr, uint64_t *size)
{
    uint32_t len;
    const uint8_t *reg = fdt_prop(f, node, "reg", &len);

    if (!reg) {
        return -XEN_ENOENT;
    }
    struct widths w = { .addr = fdt_address_cells(f, bus), .size = fdt_size_cells(f, bus) };
    if (!address_width_ok(w.addr) || w.size > 2) {
        return -XEN_EOPNOTSUPP;
    }
    uint32_t entry = (w.addr + w.size) * 4;
    if (len % entry) {
        return -XEN_EINVAL;
    }
    if (index >= len / entry) {
        return -XEN_ENOENT;
    }
    reg += (size_t)index * entry;
    uint64_t a = fdt_read_cells(reg, w.addr);
    uint64_t s = w.size ? fdt_read_cells(reg + 4 * w.addr, w.size) : 0;
    if (s && a + (s - 1) < a) {
        return -XEN_ERANGE;
    }
    *addr = a;
    if (size) {
        *size = s;
    }
    return 0;
}

int fdt_reg(const struct fdt *f, struct fdt_node node, uint32_t index, uint64_t *addr,
            uint64_t *size)
{
    if (!fdt_has_prop(f, node, "reg")) {
        return -XEN_ENOENT;
    }
    return reg_on(f, fdt_parent(f, node), node, index, addr, size);
}

/* Translate [*addr, *addr + size), size > 0, from bus to the bus that its parent provides. */
static int translate_step(const struct fdt *f, struct fdt_node bus, struct fdt_node parent,
                          uint64_t *addr, uint64_t size)
{
    uint32_t len;
    const uint8_t *ranges = fdt_prop(f, bus, "ranges", &len);

    if (!ranges) {
        return -XEN_ENXIO;
    }
    if (len == 0) {
        return 0;
    }
    struct widths w = { .child = fdt_address_cells(f, bus),
                        .addr = fdt_address_cells(f, parent),
                        .size = fdt_size_cells(f, bus) };
    if (!address_width_ok(w.child) || !address_width_ok(w.addr) || !address_width_ok(w.size)) {
        return -XEN_EOPNOTSUPP;
    }
    uint32_t entry = (w.child + w.addr + w.size) * 4;
    if (len % entry) {
        return -XEN_EINVAL;
    }
    for (const uint8_t *end = ranges + len; ranges < end; ranges += entry) {
        uint64_t offset = *addr - fdt_read_cells(ranges, w.child);
        uint64_t room = fdt_read_cells(ranges + 4 * (w.child + w.addr), w.size);
        /* An address below the range gives an offset that has wrapped. */
        if (*addr < offset || offset >= room || size > room - offset) {
            continue;
        }
        uint64_t base = fdt_read_cells(ranges + 4 * w.child, w.addr);
        if (base + (room - 1) < base) {
            return -XEN_EINVAL;
        }
        *addr = base + offset;
        return 0;
    }
    return -XEN_ENXIO;
}

/* The node is path[depth - 1], the root path[0]. */
static int translate_path(const struct fdt *f, const struct fdt_node *path, unsigned int depth,
                          uint64_t *addr, uint64_t size)
{
    uint64_t a = *addr;

    /* path[i] is the bus that the address is on; the root's needs no translation. */
    for (unsigned int i = depth - 1; i-- > 1;) {
        int rc = translate_step(f, path[i], path[i - 1], &a, size);
        if (rc) {
            return rc;
        }
    }
    *addr = a;
    return 0;
}

static int translate(const struct fdt *f, struct fdt_node node, uint64_t *addr, uint64_t size)
{
    struct fdt_node path[FDT_DEPTH_MAX];
    unsigned int depth = fdt_ancestors(f, node, path);

    return depth == 0 ? -XEN_ENOENT : translate_path(f, path, depth, addr, size);
}

int fdt_translate(const struct fdt *f, struct fdt_node node, uint64_t *addr)
{
    return translate(f, node, addr, 1);
}

int fdt_reg_translated(const struct fdt *f, struct fdt_node node, uint32_t index, uint64_t *addr,
                       uint64_t *size)
{
    uint64_t a, s;

    int rc = fdt_reg(f, node, index, &a, &s);
    if (!rc) {
        rc = translate(f, node, &a, MAX(s, 1));
    }
    if (rc) {
        return rc;
    }
    *addr = a;
    if (size) {
        *size = s;
    }
    return 0;
}

int fdt_walk_translate(const struct fdt *f, const struct fdt_walk *w, uint64_t *addr, uint64_t size)
{
    return translate_path(f, w->path, w->depth, addr, size);
}

int fdt_walk_reg(const struct fdt *f, const struct fdt_walk *w, uint32_t index, uint64_t *addr,
                 uint64_t *size)
{
    struct fdt_node bus = w->depth > 1 ? w->path[w->depth - 2] : FDT_NONE;
    uint64_t a, s;

    int rc = reg_on(f, bus, fdt_walk_node(w), index, &a, &s);
    if (!rc) {
        rc = translate_path(f, w->path, w->depth, &a, MAX(s, 1));
    }
    if (rc) {
        return rc;
    }
    *addr = a;
    if (size) {
        *size = s;
    }
    return 0;
}

int fdt_reserve(const struct fdt *f, uint32_t index, uint64_t *addr, uint64_t *size)
{
    if (index >= f->nr_reserve) {
        return -XEN_ENOENT;
    }
    const uint8_t *entry = f->blob + f->reserve_off + 16 * (size_t)index;
    *addr = get_be64(entry);
    *size = get_be64(entry + 8);
    return 0;
}

/* The first enabled memory node among node and its later siblings. */
static struct fdt_node memory_node(const struct fdt *f, struct fdt_node node)
{
    while (fdt_node_exists(node)) {
        const char *type = fdt_string(f, node, "device_type");
        if (type && strcmp(type, "memory") == 0 && fdt_is_enabled(f, node)) {
            break;
        }
        node = fdt_next_sibling(f, node);
    }
    return node;
}

/* Index that says: this node was faulty, go on with the next one. */
#define MEMORY_SKIP UINT32_MAX

void fdt_memory_begin(const struct fdt *f, struct fdt_memory_iter *it)
{
    it->node = memory_node(f, fdt_first_child(f, FDT_ROOT));
    it->index = 0;
}

int fdt_memory_next(const struct fdt *f, struct fdt_memory_iter *it, uint64_t *addr, uint64_t *size)
{
    while (fdt_node_exists(it->node)) {
        int rc =
            it->index == MEMORY_SKIP ? -XEN_ENOENT : fdt_reg(f, it->node, it->index, addr, size);
        if (rc != -XEN_ENOENT) {
            it->index = rc ? MEMORY_SKIP : it->index + 1;
            return rc;
        }
        it->node = memory_node(f, fdt_next_sibling(f, it->node));
        it->index = 0;
    }
    return -XEN_ENOENT;
}

/* Cells of one interrupt specifier of a controller; false if it is none. */
static bool interrupt_cells(const struct fdt *f, struct fdt_node controller, uint32_t *cells)
{
    return fdt_u32(f, controller, "#interrupt-cells", cells) == 0;
}

struct fdt_node fdt_interrupt_parent(const struct fdt *f, struct fdt_node node)
{
    struct fdt_node path[FDT_DEPTH_MAX];
    unsigned int depth = fdt_ancestors(f, node, path);
    uint32_t cells;

    for (unsigned int i = depth; i-- > 0;) {
        uint32_t phandle;
        /* A controller's own interrupts go to its parent, not to itself. */
        if (i + 1 < depth && interrupt_cells(f, path[i], &cells)) {
            return path[i];
        }
        int rc = fdt_u32(f, path[i], "interrupt-parent", &phandle);
        if (rc != -XEN_ENOENT) {
            struct fdt_node parent = rc ? FDT_NONE : fdt_find_phandle(f, phandle);
            return interrupt_cells(f, parent, &cells) ? parent : FDT_NONE;
        }
    }
    return FDT_NONE;
}

/* Take the specifier at data, of which there are len bytes, for the controller in irq. */
static int read_specifier(struct fdt_interrupt *irq, const uint8_t *data, uint32_t len)
{
    if (irq->nr_cells > FDT_INTERRUPT_CELLS_MAX) {
        return -XEN_EOPNOTSUPP;
    }
    if (len / 4 < irq->nr_cells) {
        return -XEN_EINVAL;
    }
    for (uint32_t i = 0; i < irq->nr_cells; i++) {
        irq->cells[i] = get_be32(data + 4 * i);
    }
    return 0;
}

/* From interrupts-extended: entries of a phandle and as many cells as it says. */
static int interrupt_extended(const struct fdt *f, const uint8_t *data, uint32_t len,
                              uint32_t index, struct fdt_interrupt *irq)
{
    while (len >= 4) {
        irq->controller = fdt_find_phandle(f, get_be32(data));
        if (!interrupt_cells(f, irq->controller, &irq->nr_cells)) {
            return -XEN_ENXIO;
        }
        data += 4;
        len -= 4;
        int rc = read_specifier(irq, data, len);
        if (rc || index-- == 0) {
            return rc;
        }
        data += 4 * irq->nr_cells;
        len -= 4 * irq->nr_cells;
    }
    return len ? -XEN_EINVAL : -XEN_ENOENT;
}

int fdt_interrupt(const struct fdt *f, struct fdt_node node, uint32_t index,
                  struct fdt_interrupt *irq)
{
    uint32_t len;
    const uint8_t *data = fdt_prop(f, node, "interrupts-extended", &len);

    if (data) {
        return interrupt_extended(f, data, len, index, irq);
    }
    data = fdt_prop(f, node, "interrupts", &len);
    if (!data) {
        return -XEN_ENOENT;
    }
    irq->controller = fdt_interrupt_parent(f, node);
    if (!interrupt_cells(f, irq->controller, &irq->nr_cells) || irq->nr_cells == 0) {
        return -XEN_ENXIO;
    }
    if (irq->nr_cells > FDT_INTERRUPT_CELLS_MAX) {
        return -XEN_EOPNOTSUPP;
    }
    uint32_t entry = 4 * irq->nr_cells;
    if (len % entry) {
        return -XEN_EINVAL;
    }
    if (index >= len / entry) {
        return -XEN_ENOENT;
    }
    size_t skip = (size_t)index * entry;
    return read_specifier(irq, data + skip, len - (uint32_t)skip);
}
