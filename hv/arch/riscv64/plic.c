/* SPDX-License-Identifier: MIT */
/*
 * The PLIC: found in the device tree, put into a known state, sources switched.
 * The invariants are in plic.h; claiming is in irq.c.
 */
#include <loam/log.h>
#include <loam/mem.h>
#include <xen/errno.h>

#include "csr.h"
#include "host.h"
#include "irq.h"
#include "mmio.h"
#include "plic.h"

/* PLIC spec 1.0 ch. 3: memory map. */
#define PLIC_PRIORITY 0x0 /* a word for each source */
#define PLIC_ENABLE 0x2000 /* a bit for each source, */
#define PLIC_ENABLE_STRIDE 0x80 /* by context */
#define PLIC_CONTEXT 0x200000
#define PLIC_CONTEXT_STRIDE 0x1000
#define PLIC_THRESHOLD 0x0 /* in a context */
#define PLIC_CLAIM 0x4 /* read: claim, write: complete */
#define PLIC_CONTEXTS_MAX 15872

static uintptr_t context_reg(const struct plic *plic, uint32_t context, uint32_t reg)
{
    return plic->regs + PLIC_CONTEXT + (uintptr_t)context * PLIC_CONTEXT_STRIDE + reg;
}

static uintptr_t enable_reg(const struct plic *plic, uint32_t context, uint32_t irq)
{
    return plic->regs + PLIC_ENABLE + context * PLIC_ENABLE_STRIDE + irq / 32 * 4;
}

static uintptr_t priority_reg(const struct plic *plic, uint32_t irq)
{
    return plic->regs + PLIC_PRIORITY + irq * 4;
}

/* Contexts of our CPUs; each must lie within the registers. */
static int find_contexts(struct hv *hv, const struct fdt *fdt, struct fdt_node node, uint64_t size,
                         struct plic *plic)
{
    const struct arch_host *host = arch_host(hv);
    uint32_t cpu;
    int rc;

    for (uint32_t i = 0; (rc = intc_parent(host, fdt, node, i, &cpu)) == 0; i++) {
        if (cpu == INTC_NO_CPU) {
            continue;
        }
        if (i >= PLIC_CONTEXTS_MAX ||
            size < PLIC_CONTEXT + (i + UINT64_C(1)) * PLIC_CONTEXT_STRIDE) {
            log_error(hv, "irq: %s: reg has no room for context %u of interrupts-extended",
                      fdt_name(fdt, node), i);
            return -XEN_ENODEV;
        }
        plic->context[cpu] = (uint16_t)i;
    }
    if (rc != -XEN_ENOENT) {
        log_error(hv, "irq: %s: interrupts-extended is no list of pairs", fdt_name(fdt, node));
        return -XEN_ENODEV;
    }
    return 0;
}

/* All sources off; what firmware or a boot loader left enabled for our contexts, too. */
static void quiesce(const struct arch_host *host, const struct plic *plic)
{
    for (uint32_t irq = 1; irq < plic->nr_irqs; irq++) {
        reg_write32(priority_reg(plic, irq), 0);
    }
    for (uint32_t cpu = 0; cpu < host->nr_cpus; cpu++) {
        for (uint32_t irq = 0; irq < plic->nr_irqs && plic->context[cpu] != PLIC_NO_CONTEXT;
             irq += 32) {
            reg_write32(enable_reg(plic, plic->context[cpu], irq), 0);
        }
    }
}

int plic_init(struct hv *hv, const struct fdt *fdt, struct fdt_node node)
{
    struct arch_host *host = arch_host(hv);
    const struct intc_region *region;
    uint32_t ndev;

    int rc = intc_number(hv, fdt, node, "riscv,ndev", 1, PLIC_SOURCES_MAX, &ndev);
    if (rc == 0) {
        rc = intc_map(hv, fdt, node, 0, PLIC_CONTEXT, &region);
    }
    if (rc) {
        return rc;
    }
    struct plic *plic = mem_alloc(hv, sizeof(*plic) + (ndev + 1) * sizeof(plic->target[0]));
    if (plic == NULL) {
        return -XEN_ENOMEM;
    }
    host->plic = plic;
    plic->regs = region->regs;
    plic->nr_irqs = ndev + 1;
    for (uint32_t cpu = 0; cpu < HV_PCPUS_MAX; cpu++) {
        plic->context[cpu] = PLIC_NO_CONTEXT;
    }
    rc = find_contexts(hv, fdt, node, region->size, plic);
    if (rc) {
        return rc;
    }
    quiesce(host, plic);
    host->nr_irqs = plic->nr_irqs;
    return 0;
}

uintptr_t plic_init_cpu(const struct plic *plic, uint32_t cpu)
{
    uint32_t context = plic->context[cpu];

    if (context == PLIC_NO_CONTEXT) {
        return 0;
    }
    reg_write32(context_reg(plic, context, PLIC_THRESHOLD), 0);
    return context_reg(plic, context, PLIC_CLAIM);
}

/*
 * The completion is for a claim that nobody could end: one that raced with plic_mask(),
 * or of the software that ran before us. With priority 0 nothing new is claimed meanwhile,
 * and a source that is not claimed ignores it.
 */
void plic_unmask(struct plic *plic, uint32_t irq, uint32_t cpu)
{
    uint16_t context = plic->context[cpu];
    uintptr_t enable = enable_reg(plic, context, irq);

    plic->target[irq] = context;
    reg_write32(enable, reg_read32(enable) | 1u << irq % 32);
    plic_complete(plic, irq);
    reg_write32(priority_reg(plic, irq), 1);
}

/* Completed before it is disabled: a completion of a disabled source is lost (ch. 9). */
void plic_mask(struct plic *plic, uint32_t irq)
{
    uintptr_t enable = enable_reg(plic, plic->target[irq], irq);

    reg_write32(priority_reg(plic, irq), 0);
    plic_complete(plic, irq);
    reg_write32(enable, reg_read32(enable) & ~(1u << irq % 32));
    fence();
}

void plic_complete(const struct plic *plic, uint32_t irq)
{
    fence(); /* the device was told first; or, unmasking, the table's row is there */
    reg_write32(context_reg(plic, plic->target[irq], PLIC_CLAIM), irq);
}
