/* SPDX-License-Identifier: MIT */
/* What start.c, smp.c and irq.c share of the CPU, its timer and its firmware. */
#ifndef ARM64_CPU_H
#define ARM64_CPU_H

#include <loam/types.h>

struct arch_host;
struct fdt;
struct hv;
struct pcpu;

/* Aff3, Aff2, Aff1, Aff0 of MPIDR_EL1. */
#define MPIDR_AFFINITY (BITS(39, 32) | BITS(23, 0))

/* Physical address bits that this CPU and the descriptors' format can use, at most 48. */
uint8_t cpu_pa_bits(void);

/* The traps and controls of EL2 on this CPU, as they are while no guest is loaded. */
void cpu_init(void);

/* vcpu.c: which vector lengths there are. Before any vCPU is loaded. */
void sve_probe(struct arch_host *host);

/* timer.c: factors from CNTFRQ_EL0; interrupts from the tree. Errors: -XEN_ENODEV. */
void counter_probe(struct arch_host *host);
int __must_check counter_init(struct hv *hv, const struct fdt *fdt);

/* smp.c: the list of CPUs. Errors: -XEN_ENODEV the boot CPU is not in the tree. */
int __must_check smp_init(struct hv *hv, const struct fdt *fdt);

/* psci_host.c (Arm DEN 0022). Errors: -XEN_ENODEV, -XEN_EINVAL, -XEN_EBUSY as the firmware says. */
void psci_init(struct hv *hv, const struct fdt *fdt);
int __must_check psci_cpu_on(const struct arch_host *host, uint64_t mpidr, uint64_t entry,
                             uint64_t context);
void psci_system_off(const struct arch_host *host);
void psci_system_reset(const struct arch_host *host);

/* gicv3.c. Errors: -XEN_ENODEV no GICv3 in the tree, -XEN_ENOMEM; of a CPU: no redistributor. */
int __must_check gicv3_init(struct hv *hv, const struct fdt *fdt);
int __must_check gicv3_init_pcpu(struct pcpu *p);

#endif
