/* SPDX-License-Identifier: MIT */
/*
 * State of the virtual GICv3 of one vCPU: private interrupts and list registers.
 */
#ifndef ARCH_IMPL_VGIC_H
#define ARCH_IMPL_VGIC_H

#include <loam/lock.h>
#include <loam/types.h>

#define VGIC_LRS_MAX 16

struct vgic_cpu {
    struct spinlock lock; /* LOCK_RANK_VINTC_CPU */
    uint64_t lr[VGIC_LRS_MAX];
};

#endif
