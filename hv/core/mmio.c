/* SPDX-License-Identifier: MIT */
/*
 * The table of a domain's emulated devices, sorted by address.
 */
#include <loam/domain.h>
#include <loam/mmio.h>
#include <xen/errno.h>

int mmio_register(struct domain *d, gpa_t base, uint64_t size, const struct mmio_ops *ops,
                  void *data)
{
    struct mmio_map *m = &d->mmio;
    uint32_t at = 0;

    if (size == 0 || base.a + size < base.a) {
        return -XEN_EINVAL;
    }
    if (m->nr == MMIO_REGIONS_MAX) {
        return -XEN_ENOSPC;
    }
    while (at < m->nr && m->region[at].base.a + m->region[at].size <= base.a) {
        at++;
    }
    if (at < m->nr && m->region[at].base.a < base.a + size) {
        return -XEN_EEXIST;
    }
    /* point of no return */
    for (uint32_t i = m->nr; i > at; i--) {
        m->region[i] = m->region[i - 1];
    }
    m->region[at] = (struct mmio_region){ base, size, ops, data };
    m->nr++;
    return 0;
}

const struct mmio_region *mmio_find(const struct domain *d, gpa_t addr)
{
    const struct mmio_map *m = &d->mmio;

    /* A handful of entries: the interrupt controller comes first by address and by use. */
    for (uint32_t i = 0; i < m->nr; i++) {
        if (addr.a - m->region[i].base.a < m->region[i].size) {
            return &m->region[i];
        }
    }
    return NULL;
}
