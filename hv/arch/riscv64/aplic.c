/* SPDX-License-Identifier: MIT */
/*
 * The APLIC: found in the device tree, put into a known state, sources switched.
 * The invariants are in aplic.h; claiming is in irq.c.
 */
#include <loam/log.h>
#include <loam/mem.h>
#include <xen/errno.h>

#include "aplic.h"
#include "csr.h"
#include "host.h"
#include "imsic.h"
#include "irq.h"
#include "mmio.h"

/* AIA 4.5: registers of an interrupt domain. */
#define APLIC_DOMAINCFG 0x0000
#define APLIC_SOURCECFG 0x0000 /* + 4 * source */
#define APLIC_SETIPNUM 0x1cdc
#define APLIC_SETIENUM 0x1edc
#define APLIC_CLRIENUM 0x1fdc
#define APLIC_TARGET 0x3000 /* + 4 * source */
#define APLIC_IDC 0x4000 /* direct mode: a structure for each hart index */
#define APLIC_IDC_SIZE 32
#define IDC_IDELIVERY 0x00
#define IDC_IFORCE 0x04
#define IDC_ITHRESHOLD 0x08
#define IDC_CLAIMI 0x1c

#define DOMAINCFG_IE BIT(8)
#define DOMAINCFG_MSI BIT(2)
#define DOMAINCFG_BIG_ENDIAN BIT(0)

/* sourcecfg.SM */
#define SOURCE_EDGE 4 /* rising */
#define SOURCE_LEVEL 6 /* high */
#define SOURCE_INVERTED 1 /* the other one of the two */

#define TARGET_HART_SHIFT 18
#define TARGET_PRIORITY 1 /* direct mode; all alike */

static uintptr_t idc_reg(const struct aplic *aplic, uint32_t hart_index, uint32_t reg)
{
    return aplic->regs + APLIC_IDC + (uintptr_t)hart_index * APLIC_IDC_SIZE + reg;
}

/* The hart index that entry i of interrupts-extended has (riscv,hart-indexes: AIA 4.3). */
static uint32_t direct_index(const struct fdt *fdt, struct fdt_node node, uint32_t i)
{
    uint32_t index = i;

    if (fdt_has_prop(fdt, node, "riscv,hart-indexes") &&
        fdt_cell(fdt, node, "riscv,hart-indexes", i, &index)) {
        return APLIC_NO_HART;
    }
    return index;
}

/* Direct mode: hart indices of our CPUs; each has its structure within the registers. */
static int find_harts(struct hv *hv, const struct fdt *fdt, struct fdt_node node, uint64_t size,
                      struct aplic *aplic)
{
    const struct arch_host *host = arch_host(hv);
    uint32_t cpu;
    int rc;

    for (uint32_t i = 0; (rc = intc_parent(host, fdt, node, i, &cpu)) == 0; i++) {
        if (cpu == INTC_NO_CPU) {
            continue;
        }
        uint32_t index = direct_index(fdt, node, i);

        if (index >= APLIC_HARTS_MAX || size < APLIC_IDC + (index + UINT64_C(1)) * APLIC_IDC_SIZE) {
            log_error(hv, "irq: %s: entry %u of interrupts-extended has a hart index past reg",
                      fdt_name(fdt, node), i);
            return -XEN_ENODEV;
        }
        aplic->hart_index[cpu] = index;
    }
    if (rc != -XEN_ENOENT) {
        log_error(hv, "irq: %s: interrupts-extended is no list of pairs", fdt_name(fdt, node));
        return -XEN_ENODEV;
    }
    return 0;
}

/*
 * Every source inactive, which clears its enable and pending bits too (AIA 4.5.2), and
 * the delivery mode; it may be wired to the other one.
 */
static int reset_domain(struct hv *hv, const char *name, const struct aplic *aplic,
                        uint32_t sources)
{
    uint32_t mode = aplic->msi ? DOMAINCFG_MSI : 0;

    reg_write32(aplic->regs + APLIC_DOMAINCFG, mode);
    for (uint32_t irq = 1; irq <= sources; irq++) {
        reg_write32(aplic->regs + APLIC_SOURCECFG + irq * 4, 0);
    }
    reg_write32(aplic->regs + APLIC_DOMAINCFG, mode | DOMAINCFG_IE);

    uint32_t cfg = reg_read32(aplic->regs + APLIC_DOMAINCFG);
    if (cfg & DOMAINCFG_BIG_ENDIAN || (cfg & DOMAINCFG_MSI) != mode) {
        log_error(hv, "irq: %s cannot be set to %s mode, little-endian (domaincfg is 0x%x)", name,
                  aplic->msi ? "MSI" : "direct", cfg);
        return -XEN_ENODEV;
    }
    return 0;
}

/* Sources that have a number we can tell from others at the hart. */
static uint32_t usable_irqs(struct hv *hv, const char *name, uint32_t sources,
                            const struct imsic *imsic)
{
    if (imsic == NULL || IMSIC_ID_OF_IRQ(sources) <= imsic->nr_ids) {
        return sources + 1;
    }
    uint32_t nr_irqs = IMSIC_IRQ_OF_ID(imsic->nr_ids) + 1;

    log_warn(hv, "irq: %s: sources from %u on are not used, interrupt files have %u identities",
             name, nr_irqs, imsic->nr_ids);
    return nr_irqs;
}

int aplic_init(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
               const struct imsic *imsic)
{
    struct arch_host *host = arch_host(hv);
    const char *name = fdt_name(fdt, node);
    const struct intc_region *region;
    uint32_t sources;

    int rc = intc_number(hv, fdt, node, "riscv,num-sources", 1, APLIC_SOURCES_MAX, &sources);
    if (rc == 0) {
        rc = intc_map(hv, fdt, node, 0, APLIC_IDC, &region);
    }
    if (rc) {
        return rc;
    }
    uint32_t nr_irqs = usable_irqs(hv, name, sources, imsic);
    struct aplic *aplic = mem_alloc(hv, sizeof(*aplic) + nr_irqs * sizeof(aplic->source[0]));
    if (aplic == NULL) {
        return -XEN_ENOMEM;
    }
    host->aplic = aplic;
    aplic->regs = region->regs;
    aplic->msi = imsic != NULL;
    aplic->nr_irqs = nr_irqs;
    for (uint32_t cpu = 0; cpu < HV_PCPUS_MAX; cpu++) {
        aplic->hart_index[cpu] = imsic ? imsic->cpu[cpu].hart_index : APLIC_NO_HART;
    }
    if (imsic == NULL) {
        rc = find_harts(hv, fdt, node, region->size, aplic);
    }
    if (rc == 0) {
        rc = reset_domain(hv, name, aplic, sources);
    }
    host->nr_irqs = aplic->nr_irqs;
    return rc;
}

uintptr_t aplic_init_cpu(const struct aplic *aplic, uint32_t cpu)
{
    uint32_t index = aplic->hart_index[cpu];

    if (index == APLIC_NO_HART) {
        return 0;
    }
    reg_write32(idc_reg(aplic, index, IDC_IFORCE), 0);
    reg_write32(idc_reg(aplic, index, IDC_ITHRESHOLD), 0);
    reg_write32(idc_reg(aplic, index, IDC_IDELIVERY), 1);
    return idc_reg(aplic, index, IDC_CLAIMI);
}

void aplic_set_inverted(struct aplic *aplic, uint32_t irq, bool inverted)
{
    aplic->source[irq] = inverted ? APLIC_SOURCE_INVERTED : 0;
}

bool aplic_unmask(struct aplic *aplic, uint32_t irq, bool edge, uint32_t cpu)
{
    uint8_t inverted = aplic->source[irq] & APLIC_SOURCE_INVERTED;
    uint32_t mode = edge ? SOURCE_EDGE : SOURCE_LEVEL;
    uint32_t what = aplic->msi ? IMSIC_ID_OF_IRQ(irq) : TARGET_PRIORITY;

    aplic->source[irq] = (uint8_t)(inverted | (edge ? 0 : APLIC_SOURCE_LEVEL));
    mode |= inverted ? SOURCE_INVERTED : 0;
    reg_write32(aplic->regs + APLIC_SOURCECFG + irq * 4, mode);
    /* A source that is another domain's stays inactive here (AIA 4.5.2). */
    if (reg_read32(aplic->regs + APLIC_SOURCECFG + irq * 4) != mode) {
        return false;
    }
    reg_write32(aplic->regs + APLIC_TARGET + irq * 4,
                aplic->hart_index[cpu] << TARGET_HART_SHIFT | what);
    aplic_release(aplic, irq);
    return true;
}

void aplic_mask(struct aplic *aplic, uint32_t irq)
{
    reg_write32(aplic->regs + APLIC_CLRIENUM, irq);
    reg_write32(aplic->regs + APLIC_SOURCECFG + irq * 4, 0);
    fence();
}

void aplic_hold(const struct aplic *aplic, uint32_t irq)
{
    reg_write32(aplic->regs + APLIC_CLRIENUM, irq);
    fence(); /* before another CPU can come to release it */
}

/*
 * In MSI mode a level that stayed high has lost its pending bit to the message that was
 * sent; setipnum sets it again if the line is high, and only then (AIA 4.7, 4.9.2). Before
 * the source is enabled: both together send one message.
 */
void aplic_release(const struct aplic *aplic, uint32_t irq)
{
    fence(); /* the device was told first; or, unmasking, the table's row is there */
    if (aplic->msi && aplic->source[irq] & APLIC_SOURCE_LEVEL) {
        reg_write32(aplic->regs + APLIC_SETIPNUM, irq);
    }
    reg_write32(aplic->regs + APLIC_SETIENUM, irq);
}
