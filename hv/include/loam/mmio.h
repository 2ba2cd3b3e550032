/* SPDX-License-Identifier: MIT */
/*
 * Emulated devices of a domain: a sorted table from guest-physical ranges to
 * the functions that stand for the device's registers.
 */
#ifndef LOAM_MMIO_H
#define LOAM_MMIO_H

#include <loam/types.h>

struct domain;
struct vcpu;

enum mmio_result {
    MMIO_OK,
    MMIO_FAULT, /* no such register or width: the guest gets an external abort / access fault */
};

/* offset is relative to the region and naturally aligned for size (1, 2, 4, 8). */
struct mmio_ops {
    enum mmio_result (*read)(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                             uint64_t *value);
    enum mmio_result (*write)(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                              uint64_t value);
};

struct mmio_region {
    gpa_t base;
    uint64_t size;
    const struct mmio_ops *ops;
    void *data;
};

#define MMIO_REGIONS_MAX 12

struct mmio_map {
    uint32_t nr;
    struct mmio_region region[MMIO_REGIONS_MAX]; /* sorted by base, no overlap */
};

/* Context: before the domain runs. Errors: -XEN_EEXIST overlap, -XEN_ENOSPC, -XEN_EINVAL. */
int __must_check mmio_register(struct domain *d, gpa_t base, uint64_t size,
                               const struct mmio_ops *ops, void *data);

/* The region that holds addr, NULL if none. */
const struct mmio_region *mmio_find(const struct domain *d, gpa_t addr);

#endif
