/* SPDX-License-Identifier: MIT */
/*
 * Tables of a device tree that lead from a bus to somebody else's numbers:
 * interrupt-map (Devicetree Specification v0.4, 2.4.3) and maps of ids as
 * iommu-map and msi-map (bindings pci-iommu.txt, pci-msi.txt). Contract: loam/fdt.h.
 */
#include <loam/bits.h>
#include <loam/fdt.h>
#include <loam/printf.h>
#include <xen/errno.h>

#define CELL 4

static uint32_t cell_at(const uint8_t *data, uint32_t index)
{
    return get_be32(data + CELL * (size_t)index);
}

/* The child's part of an entry at data says the same as `child`, where the mask has ones. */
static bool entry_matches(const uint8_t *data, const uint32_t *child, uint32_t nr,
                          const uint8_t *mask)
{
    for (uint32_t i = 0; i < nr; i++) {
        if (((cell_at(data, i) ^ child[i]) & (mask ? cell_at(mask, i) : UINT32_MAX)) != 0) {
            return false;
        }
    }
    return true;
}

int fdt_interrupt_map(const struct fdt *f, struct fdt_node bus, const uint32_t *child, uint32_t nr,
                      struct fdt_interrupt *irq)
{
    uint32_t len, mask_len;
    const uint8_t *data = fdt_prop(f, bus, "interrupt-map", &len);
    const uint8_t *mask = fdt_prop(f, bus, "interrupt-map-mask", &mask_len);

    if (!data) {
        return -XEN_ENOENT;
    }
    if (len % CELL != 0 || (mask && mask_len != nr * CELL)) {
        return -XEN_EINVAL;
    }
    for (uint32_t at = 0, end = len / CELL; at < end;) {
        if (end - at < nr + 1) {
            return -XEN_EINVAL;
        }
        struct fdt_node parent = fdt_find_phandle(f, cell_at(data, at + nr));
        uint32_t address = fdt_u32_or(f, parent, "#address-cells", 0);
        uint32_t cells = fdt_u32_or(f, parent, "#interrupt-cells", 0);
        uint32_t room = end - at - nr - 1;

        if (cells == 0 || cells > FDT_INTERRUPT_CELLS_MAX || address > room ||
            cells > room - address) {
            return -XEN_EINVAL;
        }
        if (entry_matches(data + CELL * (size_t)at, child, nr, mask)) {
            irq->controller = parent;
            irq->nr_cells = cells;
            for (uint32_t i = 0; i < cells; i++) {
                irq->cells[i] = cell_at(data, at + nr + 1 + address + i);
            }
            return 0;
        }
        at += nr + 1 + address + cells;
    }
    return -XEN_ENOENT;
}

int fdt_id_map(const struct fdt *f, struct fdt_node bus, const char *name, uint32_t id,
               uint32_t *phandle, uint32_t *out)
{
    char mask_name[32];
    uint32_t len;
    const uint8_t *data = fdt_prop(f, bus, name, &len);

    if (!data) {
        return -XEN_ENOENT;
    }
    if (len % (4 * CELL) != 0) {
        return -XEN_EINVAL;
    }
    if (fmt_print(mask_name, sizeof(mask_name), "%s-mask", name) < sizeof(mask_name)) {
        id &= fdt_u32_or(f, bus, mask_name, UINT32_MAX);
    }
    /* Entries: first id, phandle, first id there, how many. */
    for (uint32_t at = 0; at < len / CELL; at += 4) {
        uint32_t first = cell_at(data, at), count = cell_at(data, at + 3);

        if (id >= first && id - first < count) {
            *phandle = cell_at(data, at + 1);
            *out = cell_at(data, at + 2) + (id - first);
            return 0;
        }
    }
    return -XEN_ENOENT;
}
