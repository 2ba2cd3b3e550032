/* SPDX-License-Identifier: MIT */
/* The harts that an SBI call names. A guest's harts are its vCPUs, by the same numbers. */
#ifndef RISCV64_HART_MASK_H
#define RISCV64_HART_MASK_H

#include <loam/bitmap.h>
#include <loam/bits.h>
#include <loam/domain.h>

struct hart_mask {
    uint64_t w[DOMAIN_VCPUS_MAX / 64]; /* bitmap by id */
};

#define for_each_hart(m, id) bitmap_for_each_set((m)->w, (size_t)DOMAIN_VCPUS_MAX, id)

/*
 * Reads the two arguments (SBI 2.0 3.1): hart base + n for each bit n of mask; base
 * UINT64_MAX: all there are. False when base or a bit names no vCPU of d.
 */
static inline bool hart_mask_read(struct hart_mask *m, const struct domain *d, uint64_t mask,
                                  uint64_t base)
{
    const struct vcpu *v;

    *m = (struct hart_mask){ 0 };
    if (base == UINT64_MAX) {
        for_each_vcpu(d, v, i) { bitmap_set(m->w, i); }
        return true;
    }
    if (base >= d->config.vcpus_max) {
        return false;
    }
    for (; mask != 0; mask &= mask - 1) {
        uint64_t id = base + ctz64(mask);

        if (id >= d->config.vcpus_max || d->vcpus[id] == NULL) {
            return false;
        }
        bitmap_set(m->w, id);
    }
    return true;
}

#endif
