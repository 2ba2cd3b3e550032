/* SPDX-License-Identifier: MIT */
/*
 * The PLIC of the machine (RISC-V PLIC specification 1.0; binding sifive,plic-1.0.0).
 *
 * A context is a hart in one privilege mode; ours are those of S mode. Every source has
 * priority 1 or is off (0), thresholds are 0. A claimed source sends nothing until
 * it is completed at a context for which it is enabled; any CPU may do that.
 *
 * Locks: enabling and disabling are under the lock of the interrupt table, claim and
 * completion under none.
 */
#ifndef RISCV64_PLIC_H
#define RISCV64_PLIC_H

#include <loam/fdt.h>
#include <loam/hv.h>
#include <loam/types.h>

#define PLIC_SOURCES_MAX 1023
#define PLIC_NO_CONTEXT UINT16_MAX

struct plic {
    uintptr_t regs;
    uint32_t nr_irqs;
    uint16_t context[HV_PCPUS_MAX]; /* of S mode, by index in host->cpu[] */
    uint16_t target[]; /* by source: the context that it was last enabled for */
};

/* Fills host->plic, host->nr_irqs. Errors as irq_init(). */
int __must_check plic_init(struct hv *hv, const struct fdt *fdt, struct fdt_node node);

/* Lets CPU `cpu` take interrupts. Returns the address of its claim register, 0: it has none. */
uintptr_t plic_init_cpu(const struct plic *plic, uint32_t cpu);

void plic_unmask(struct plic *plic, uint32_t irq, uint32_t cpu);
/* Also ends it, should it be claimed. */
void plic_mask(struct plic *plic, uint32_t irq);
void plic_complete(const struct plic *plic, uint32_t irq);

#endif
