/* SPDX-License-Identifier: MIT */
/*
 * The PLIC as a domain's interrupt controller: its registers in the guest's
 * map, its node in the guest's tree, and its contexts as lines of vCPUs.
 * State and registers themselves are in vplic.c.
 */
#include <arch/guest.h>
#include <loam/domain.h>
#include <loam/fdt_write.h>
#include <loam/mem.h>
#include <loam/mmio.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "guest.h"
#include "irq.h"
#include "lines.h"
#include "vintc.h"
#include "vplic.h"

/* Where QEMU's virt board and many others have it. A direct-mapped domain has it there, too. */
#define GUEST_PLIC_BASE UINT64_C(0x0c000000)

struct vintc_plic {
    struct vintc common; /* first */
    struct vplic plic; /* last: what it needs follows it */
};

static inline struct vplic *plic_of(struct vintc *vi)
{
    return &container_of(vi, struct vintc_plic, common)->plic;
}

static inline struct domain *domain_of(struct vplic *p)
{
    return container_of(p, struct vintc_plic, plic)->common.domain;
}

/* --- What vplic.c asks for ----------------------------------------------------- */

void vplic_line(struct vplic *p, uint32_t context, bool level)
{
    struct vcpu *v = domain_of(p)->vcpus[context];

    /* One that is not created yet runs no guest that could have enabled anything. */
    if (likely(v != NULL)) {
        vcpu_line_set(v, HIP_VSEIP, level);
    }
}

void vplic_host_complete(struct vplic *p, uint32_t irq) { intc_complete(domain_of(p)->hv, irq); }

/* --- Registers ------------------------------------------------------------------- */

static enum mmio_result plic_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                  uint64_t *value)
{
    return vplic_read(data, offset, size, value) ? MMIO_OK : MMIO_FAULT;
}

static enum mmio_result plic_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                   uint64_t value)
{
    return vplic_write(data, offset, size, value) ? MMIO_OK : MMIO_FAULT;
}

static const struct mmio_ops mmio_ops = { plic_read, plic_write };

/* --- Lines ------------------------------------------------------------------------- */

static void set_level(struct vintc *vi, uint32_t virq, bool level)
{
    vplic_set_level(plic_of(vi), virq, level);
}

static void pulse(struct vintc *vi, uint32_t virq) { vplic_pulse(plic_of(vi), virq); }

static int assign(struct vintc *vi, uint32_t virq, uint32_t irq, bool edge)
{
    return vplic_assign(plic_of(vi), virq, irq);
}

static void unassign(struct vintc *vi, uint32_t virq) { vplic_unassign(plic_of(vi), virq); }

static void host_irq(struct vintc *vi, uint32_t virq) { vplic_host_irq(plic_of(vi), virq); }

/* --- Device tree ---------------------------------------------------------------------- */

/* Binding sifive,plic-1.0.0: entry n of interrupts-extended is context n. */
static void guest_fdt(struct vintc *vi, struct fdt_writer *w, const struct guest_intc *intc)
{
    static const char *const compatible[] = { "sifive,plic-1.0.0", "riscv,plic0" };
    const uint64_t reg[] = { GUEST_PLIC_BASE, VPLIC_SIZE };
    const struct vplic *p = plic_of(vi);
    uint32_t parents[2 * VPLIC_CONTEXTS_MAX];

    for (uint32_t i = 0; i < p->nr_contexts; i++) {
        parents[2 * i] = GUEST_PHANDLE_CPU_INTC + i;
        parents[2 * i + 1] = IRQ_SEI;
    }
    fdt_write_begin_unit(w, "interrupt-controller", GUEST_PLIC_BASE);
    fdt_write_prop_strings(w, "compatible", compatible, ARRAY_SIZE(compatible));
    fdt_write_prop_u32(w, "#interrupt-cells", 1);
    fdt_write_prop_u32(w, "#address-cells", intc->address_cells);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_reg(w, reg, ARRAY_SIZE(reg) / 2);
    fdt_write_prop_cells(w, "interrupts-extended", parents, 2u * p->nr_contexts);
    fdt_write_prop_u32(w, "riscv,ndev", p->nr_sources - 1u);
    fdt_write_prop_u32(w, "phandle", intc->phandle);
    fdt_write_end_node(w);
}

static uint32_t irq_cells(uint32_t virq, bool edge, uint32_t cells[4])
{
    cells[0] = virq; /* edge or level is the gateway's business */
    return 1;
}

/* --- Creation --------------------------------------------------------------------------- */

static const struct vintc_ops plic_ops = {
    .set_level = set_level,
    .pulse = pulse,
    .assign = assign,
    .unassign = unassign,
    .host_irq = host_irq,
    .guest_fdt = guest_fdt,
    .irq_cells = irq_cells,
};

int vintc_plic_create(struct domain *d)
{
    uint32_t nr_sources = MAX(d->config.nr_spis, 1u) + 1;

    if (d->config.nr_spis >= VPLIC_SOURCES_MAX || d->config.vcpus_max > VPLIC_CONTEXTS_MAX) {
        return -XEN_EINVAL;
    }
    size_t bytes = offsetof(struct vintc_plic, plic) + vplic_bytes(nr_sources, d->config.vcpus_max);
    struct vintc_plic *vp = mem_alloc(d->hv, bytes);
    if (vp == NULL) {
        return -XEN_ENOMEM;
    }
    vp->common = (struct vintc){ .ops = &plic_ops, .domain = d, .bytes = bytes };
    vplic_init(&vp->plic, nr_sources, d->config.vcpus_max);
    int rc = mmio_register(d, gpa(GUEST_PLIC_BASE), VPLIC_SIZE, &mmio_ops, &vp->plic);
    if (rc != 0) {
        mem_free(d->hv, vp, bytes);
        return rc;
    }
    d->arch.vintc = &vp->common;
    return 0;
}
