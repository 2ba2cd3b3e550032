/* SPDX-License-Identifier: MIT */
/* Where a guest has its interrupt controller, and how its CPUs are numbered (guest.c). */
#ifndef ARM64_GUEST_H
#define ARM64_GUEST_H

#include <loam/types.h>

struct domain;

#define GUEST_GICD_SIZE UINT64_C(0x10000)
#define GUEST_GICR_STRIDE UINT64_C(0x20000) /* two frames for each vCPU */
/* INTIDs of the event interrupt, of a domain (arch-arm.h: GUEST_EVTCHN_PPI) and of the control
 * domain, whose board uses the others; this one is free on those that there are. */
#define GUEST_PPI_EVENT 31
#define GUEST_PPI_EVENT_CONTROL 16

struct guest_gic {
    gpa_t gicd, gicr;
};
struct guest_gic guest_gic(const struct domain *d);

/* Affinity fields of MPIDR_EL1: 16 vCPUs in a cluster, as ICC_SGI1R's target list has bits. */
uint64_t guest_mpidr(uint32_t vcpu);

#endif
