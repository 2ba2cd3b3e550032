/* SPDX-License-Identifier: MIT */
/* What the boot and vcpu.c need of stage2.c besides the contract. */
#ifndef ARM64_STAGE2_H
#define ARM64_STAGE2_H

#include <loam/types.h>

struct domain;
struct hv;
struct pcpu;

/* Chooses format and VTCR_EL2 from the host's pa_bits and vmid_bits; sets hv->vmids up. */
void stage2_init(struct hv *hv);

/* Makes d's map the one of this CPU. Context: p itself, !vmid_is_loaded(). */
void stage2_load(struct domain *d, struct pcpu *p);

#endif
