/* SPDX-License-Identifier: MIT */
/*
 * The host's GICv3: found in the device tree and put into a known state.
 *
 * Affinity routing, everything in group 1, one priority. All shared
 * interrupts start masked; a private one is enabled only where somebody
 * handles it. Deactivation is separate from priority drop (EOImode 1), so that
 * an interrupt given to a guest stays active until the guest ends it. Taking
 * interrupts is in irq.c. Arm IHI 0069 is the specification.
 */
#include <arch/boot.h>
#include <arch/mmu.h>
#include <loam/fdt.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "cpu.h"
#include "gicv3.h"
#include "host.h"
#include "sysreg.h"
#include "vgic.h"

#define ICC_SRE_ALL 0xf /* system registers, no bypass, and EL1 may use them */
#define ICC_CTLR_EOIMODE BIT(1)
#define ICC_PMR_ALL 0xff
#define ICH_VTR_LRS(vtr) (((uint32_t)(vtr) & 0x1f) + 1)
#define ICH_VTR_PRI_BITS(vtr) (((uint32_t)((vtr) >> 29) & 7) + 1)

void gicd_sync(uintptr_t gicd)
{
    while (reg_read32(gicd + GICD_CTLR) & GICD_CTLR_RWP) {
    }
}

void gicr_sync(uintptr_t gicr)
{
    while (reg_read32(gicr + GICR_CTLR) & GICR_CTLR_RWP) {
    }
}

/* Addresses from the node: distributor first, then the regions of redistributors. */
static int map_regions(struct hv *hv, const struct fdt *fdt, struct fdt_node node)
{
    struct arch_host *host = arch_host(hv);
    uint32_t regions = fdt_u32_or(fdt, node, "#redistributor-regions", 1);
    uint64_t addr;

    if (fdt_reg_translated(fdt, node, 0, &addr, &host->gicd_size)) {
        log_error(hv, "gic: %s has no usable reg", fdt_name(fdt, node));
        return -XEN_ENODEV;
    }
    host->gicd_addr = hpa(addr);
    host->gicd = arch_map_device(hv, host->gicd_addr, host->gicd_size);
    if (regions == 0 || regions > GICR_REGIONS_MAX) {
        log_error(hv, "gic: #redistributor-regions is %u, 1 to %u can be used", regions,
                  GICR_REGIONS_MAX);
        return -XEN_ENODEV;
    }
    for (uint32_t i = 0; i < regions; i++) {
        struct gicr_region *r = &host->gicr[i];

        if (fdt_reg_translated(fdt, node, 1 + i, &addr, &r->size)) {
            log_error(hv, "gic: reg of %s has no region %u of redistributors",
                      fdt_name(fdt, node), i);
            return -XEN_ENODEV;
        }
        r->addr = hpa(addr);
        r->regs = arch_map_device(hv, r->addr, r->size);
        if (r->regs == 0) {
            return -XEN_ENOMEM;
        }
    }
    host->nr_gicr = regions;
    host->gicr_stride = fdt_u32_or(fdt, node, "redistributor-stride", 0);
    return host->gicd ? 0 : -XEN_ENOMEM;
}

static void init_distributor(struct arch_host *host)
{
    uintptr_t d = host->gicd;
    uint32_t nr = 32 * ((reg_read32(d + GICD_TYPER) & 0x1f) + 1);

    host->nr_irqs = MIN(nr, GIC_SPECIAL);
    reg_write32(d + GICD_CTLR, 0);
    gicd_sync(d);
    for (uint32_t i = GIC_SPI_FIRST; i < host->nr_irqs; i += 32) {
        reg_write32(d + GICD_ICENABLER + i / 8, UINT32_MAX);
        reg_write32(d + GICD_ICPENDR + i / 8, UINT32_MAX);
        reg_write32(d + GICD_ICACTIVER + i / 8, UINT32_MAX);
        reg_write32(d + GICD_IGROUPR + i / 8, UINT32_MAX);
    }
    for (uint32_t i = GIC_SPI_FIRST; i < host->nr_irqs; i += 4) {
        reg_write32(d + GICD_IPRIORITYR + i, GIC_PRIORITY * 0x01010101u);
    }
    gicd_sync(d);
    reg_write32(d + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP1);
    gicd_sync(d);
}

int gicv3_init(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);
    struct fdt_node node = fdt_find_compatible(fdt, FDT_NONE, "arm,gic-v3");
    struct fdt_interrupt irq;

    if (!fdt_node_exists(node)) {
        log_error(hv, "gic: no arm,gic-v3 in the device tree");
        return -XEN_ENODEV;
    }
    int rc = map_regions(hv, fdt, node);
    if (rc) {
        return rc;
    }
    /* GICD_PIDR2.ArchRev: 3 or 4. */
    if ((reg_read32(host->gicd + GICD_PIDR2) >> 4 & 0xf) < 3) {
        log_error(hv, "gic: the distributor is no GICv3");
        return -XEN_ENODEV;
    }
    if (fdt_interrupt(fdt, node, 0, &irq) || irq.nr_cells < 3 || irq.cells[0] != 1) {
        log_error(hv, "gic: %s has no maintenance interrupt", fdt_name(fdt, node));
        return -XEN_ENODEV;
    }
    host->maintenance_irq = irq.cells[1] + 16;
    init_distributor(host);

    uint64_t vtr = sysreg_read_s(ICH_VTR_EL2);
    host->nr_lrs = ICH_VTR_LRS(vtr);
    host->pri_bits = ICH_VTR_PRI_BITS(vtr);
    return 0;
}

/* The redistributor whose GICR_TYPER names this CPU's affinity; 0: none. */
static uintptr_t find_redistributor(const struct arch_host *host, uint64_t mpidr)
{
    uint64_t want = (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff);

    for (uint32_t i = 0; i < host->nr_gicr; i++) {
        const struct gicr_region *r = &host->gicr[i];
        uint64_t stride = host->gicr_stride;

        for (uint64_t off = 0; off + GICR_STRIDE <= r->size; off += stride) {
            uint64_t typer = reg_read64(r->regs + off + GICR_TYPER);

            if (typer >> 32 == want) {
                return r->regs + off;
            }
            if (typer & GICR_TYPER_LAST) {
                break;
            }
            if (host->gicr_stride == 0) {
                stride = typer & GICR_TYPER_VLPIS ? GICR_STRIDE_VLPI : GICR_STRIDE;
            }
        }
    }
    return 0;
}

static void init_redistributor(const struct arch_host *host, uintptr_t r)
{
    uintptr_t sgi = r + GICR_SGI_BASE;

    reg_write32(r + GICR_WAKER, reg_read32(r + GICR_WAKER) & ~(uint32_t)GICR_WAKER_SLEEP);
    while (reg_read32(r + GICR_WAKER) & GICR_WAKER_ASLEEP) {
    }
    reg_write32(sgi + GICD_ICENABLER, UINT32_MAX);
    gicr_sync(r);
    reg_write32(sgi + GICD_ICPENDR, UINT32_MAX);
    reg_write32(sgi + GICD_ICACTIVER, UINT32_MAX);
    reg_write32(sgi + GICD_IGROUPR, UINT32_MAX);
    for (uint32_t i = 0; i < GIC_SPI_FIRST; i += 4) {
        reg_write32(sgi + GICD_IPRIORITYR + i, GIC_PRIORITY * 0x01010101u);
    }
    reg_write32(sgi + GICD_ISENABLER,
                (uint32_t)(BIT(SGI_KICK) | BIT(host->htimer_irq) | BIT(host->vtimer_irq) |
                           BIT(host->maintenance_irq)));
    gicr_sync(r);
}

int gicv3_init_pcpu(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;

    sysreg_write_s(ICC_SRE_EL2, ICC_SRE_ALL);
    isb(); /* the other system registers exist from here on */
    p->arch.gicr = find_redistributor(host, p->arch.mpidr);
    if (p->arch.gicr == 0) {
        return -XEN_ENODEV;
    }
    init_redistributor(host, p->arch.gicr);
    vgic_pcpu_init(p);
    sysreg_write_s(ICC_PMR_EL1, ICC_PMR_ALL);
    sysreg_write_s(ICC_BPR1_EL1, 0);
    sysreg_write_s(ICC_CTLR_EL1, ICC_CTLR_EOIMODE);
    sysreg_write_s(ICC_IGRPEN1_EL1, 1);
    isb();
    return 0;
}

bool arch_private_range(const struct hv *hv, uint32_t i, hpa_t *start, uint64_t *size)
{
    const struct arch_host *host = arch_host_const(hv);

    if (i > host->nr_gicr) {
        return false;
    }
    *start = i == 0 ? host->gicd_addr : host->gicr[i - 1].addr;
    *size = i == 0 ? host->gicd_size : host->gicr[i - 1].size;
    return true;
}
