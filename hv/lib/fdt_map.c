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

int fdt_interrupt_map_next(const struct fdt *f, struct fdt_node bus, uint32_t nr,
                           struct fdt_map_iter *it, struct fdt_interrupt *irq)
{
    uint32_t len;
    const uint8_t *data = fdt_prop(f, bus, "interrupt-map", &len);

    if (!data || (len % CELL == 0 && it->at == len / CELL)) {
        return -XEN_ENOENT;
    }
    uint32_t left = len / CELL - it->at;
    if (len % CELL != 0 || nr >= left) {
        return -XEN_EINVAL;
    }
    uint32_t phandle = cell_at(data, it->at + nr);
    if (it->at == 0 || phandle != it->phandle) {
        it->parent = fdt_find_phandle(f, phandle);
        it->phandle = phandle;
    }
    uint32_t address = fdt_u32_or(f, it->parent, "#address-cells", 0);
    uint32_t cells = fdt_u32_or(f, it->parent, "#interrupt-cells", 0);
    uint32_t room = left - nr - 1;

    if (cells == 0 || cells > FDT_INTERRUPT_CELLS_MAX || address > room || cells > room - address) {
        return -XEN_EINVAL;
    }
    irq->controller = it->parent;
    irq->nr_cells = cells;
    for (uint32_t i = 0; i < cells; i++) {
        irq->cells[i] = cell_at(data, it->at + nr + 1 + address + i);
    }
    it->at += nr + 1 + address + cells;
    return 0;
}

int fdt_interrupt_map(const struct fdt *f, struct fdt_node bus, const uint32_t *child, uint32_t nr,
                      struct fdt_interrupt *irq)
{
    uint32_t mask_len;
    const uint8_t *data = fdt_prop(f, bus, "interrupt-map", NULL);
    const uint8_t *mask = fdt_prop(f, bus, "interrupt-map-mask", &mask_len);
    struct fdt_map_iter it = { 0 };
    struct fdt_interrupt found;

    if (data && mask && mask_len != nr * CELL) {
        return -XEN_EINVAL;
    }
    for (;;) {
        uint32_t at = it.at;
        int rc = fdt_interrupt_map_next(f, bus, nr, &it, &found);

        if (rc) {
            return rc;
        }
        if (entry_matches(data + CELL * (size_t)at, child, nr, mask)) {
            *irq = found;
            return 0;
        }
    }
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
