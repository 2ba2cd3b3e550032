/* SPDX-License-Identifier: MIT */
/*
 * Taking interrupts, sending kicks, masking lines, with whichever controllers the
 * machine has:
 *
 *   PLIC           devices -> PLIC -> SEIP of a hart; kicks by SBI: SSIP
 *   APLIC, direct  devices -> APLIC -> SEIP; kicks by SBI
 *   IMSIC          devices -> APLIC -> store to a hart's interrupt file -> SEIP; a kick is
 *                  such a store too and needs no firmware
 *
 * An interrupt is claimed at once and sends nothing until it is completed: here
 * when irq_deliver() says that it is over, by intc_complete() when a guest has it.
 *
 * What orders accesses to controllers and memory: a fence() after each claim (the table's
 * row is read after it) pairs with the one before a source is enabled.
 */
#include "irq.h"

#include <arch/cpu.h>
#include <arch/guest.h>
#include <arch/irq.h>
#include <arch/mmu.h>
#include <loam/bits.h>
#include <loam/irq.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "aplic.h"
#include "cpu.h"
#include "csr.h"
#include "host.h"
#include "imsic.h"
#include "mmio.h"
#include "plic.h"
#include "sbi.h"
#include "vintc.h"

/* Types of an interrupt, second cell (binding riscv,aplic). */
#define TYPE_EDGE_RISING 1
#define TYPE_EDGE_FALLING 2
#define TYPE_LEVEL_HIGH 4
#define TYPE_LEVEL_LOW 8

/* Claims what is most urgent on p and keeps its source quiet. 0: nothing, or a kick. */
static uint32_t claim(const struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;
    uint32_t irq = 0;

    if (host->intc == HOST_INTC_IMSIC) {
        /* AIA 3.10: the write claims what the same instruction reads. */
        uint32_t id = (uint32_t)(csr_swap(CSR_STOPEI, 0) >> 16);

        irq = id > IMSIC_ID_KICK ? IMSIC_IRQ_OF_ID(id) : 0;
    } else if (host->intc == HOST_INTC_PLIC) {
        irq = reg_read32(p->arch.claim);
    } else {
        irq = reg_read32(p->arch.claim) >> 16;
    }
    /* Also for a kick: p->work is read after the claim, or a later kick would be lost. */
    fence();
    if (irq != 0 && host->intc != HOST_INTC_PLIC) {
        aplic_hold(host->aplic, irq);
    }
    return irq;
}

static void complete(const struct arch_host *host, uint32_t irq)
{
    if (host->intc == HOST_INTC_PLIC) {
        plic_complete(host->plic, irq);
    } else {
        aplic_release(host->aplic, irq);
    }
}

static void take_external(struct pcpu *p)
{
    uint32_t irq = claim(p);

    if (irq != 0 && irq < p->arch.host->nr_irqs && !irq_deliver(p, irq)) {
        complete(p->arch.host, irq);
    }
}

/*
 * All that one look at sip showed; of external interrupts one a call: a second one ends
 * the next guest entry or idle wait at once. Guest files (SGEIP) are in hip only, which is
 * read when sip explains nothing. Out of line, so that the timer's way needs no stack
 * frame.
 */
static __noinline void take(struct pcpu *p, uint64_t pending)
{
    if (pending & SIP_STIP) {
        timer_due(p);
    }
    if (pending & SIP_SEIP) {
        take_external(p);
    }
    if (pending & SIP_SSIP) {
        csr_clear(sip, SIP_SSIP);
        fence(); /* p->work is read after this, or a later kick would be lost */
    }
    if (p->arch.vintc.files != NULL) {
        if (pending == 0 && csr_read(hip) & HIP_SGEIP) {
            vintc_guest_external(p);
        }
        vintc_poll(p);
    }
}

void arch_irq_poll(struct pcpu *p)
{
    uint64_t pending = csr_read(sip) & csr_read(sie); /* a timer masked in sie stays in sip */

    if (likely(pending == SIP_STIP)) {
        timer_due(p);
    } else {
        take(p, pending);
    }
}

void arch_cpu_kick(struct pcpu *p)
{
    fence(); /* what the work is about is seen by p before the interrupt */
    if (p->arch.imsic != 0) {
        reg_write32(p->arch.imsic + IMSIC_SETEIPNUM_LE, IMSIC_ID_KICK);
    } else {
        sbi_send_ipi(p->arch.hartid);
    }
}

uint32_t arch_irq_first(const struct hv *hv) { return 1; }

uint32_t arch_irq_count(const struct hv *hv) { return arch_host_const(hv)->nr_irqs; }

void arch_irq_unmask(struct hv *hv, uint32_t irq, bool edge, struct pcpu *p)
{
    const struct arch_host *host = arch_host(hv);

    if (host->intc == HOST_INTC_PLIC) {
        plic_unmask(host->plic, irq, p->arch.hwid); /* its gateways know what is an edge */
    } else if (!aplic_unmask(host->aplic, irq, edge, p->arch.hwid)) {
        log_warn(hv, "irq: interrupt %u will not come: the firmware has not delegated it", irq);
    }
}

void arch_irq_mask(struct hv *hv, uint32_t irq)
{
    const struct arch_host *host = arch_host(hv);

    if (host->intc == HOST_INTC_PLIC) {
        plic_mask(host->plic, irq);
    } else {
        aplic_mask(host->aplic, irq);
    }
}

void intc_complete(struct hv *hv, uint32_t irq) { complete(arch_host(hv), irq); }

int arch_host_irq_of(const struct hv *hv, const struct fdt *fdt, const struct fdt_interrupt *in,
                     uint32_t *irq, bool *edge)
{
    const struct arch_host *host = arch_host_const(hv);
    uint32_t cells = host->intc == HOST_INTC_PLIC ? 1 : 2;

    if (fdt_u32_or(fdt, in->controller, "phandle", 0) != host->intc_phandle ||
        in->nr_cells != cells || in->cells[0] == 0 || in->cells[0] >= host->nr_irqs) {
        return -XEN_EINVAL;
    }
    uint32_t type = cells == 2 ? in->cells[1] : TYPE_LEVEL_HIGH;
    if (!is_power_of_two(type) || type > TYPE_LEVEL_LOW) {
        return -XEN_EINVAL; /* both edges: no source mode of an APLIC */
    }
    if (cells == 2) {
        aplic_set_inverted(host->aplic, in->cells[0],
                           type == TYPE_EDGE_FALLING || type == TYPE_LEVEL_LOW);
    }
    *irq = in->cells[0];
    *edge = type == TYPE_EDGE_RISING || type == TYPE_EDGE_FALLING;
    return 0;
}

/* --- The device tree ----------------------------------------------------- */

int intc_parent(const struct arch_host *host, const struct fdt *fdt, struct fdt_node node,
                uint32_t index, uint32_t *cpu)
{
    uint32_t phandle, irq;

    /* Pairs: a riscv,cpu-intc has one cell. */
    int rc = fdt_cell(fdt, node, "interrupts-extended", index * 2, &phandle);
    if (rc) {
        return rc == -XEN_EINVAL ? rc : -XEN_ENOENT;
    }
    if (fdt_cell(fdt, node, "interrupts-extended", index * 2 + 1, &irq)) {
        return -XEN_EINVAL;
    }
    *cpu = INTC_NO_CPU;
    for (uint32_t i = 0; i < host->nr_cpus && irq == IRQ_SEI; i++) {
        if (host->cpu[i].intc_phandle == phandle) {
            *cpu = i;
        }
    }
    return 0;
}

/* Does the controller interrupt the boot CPU's S mode? The M-level ones are the firmware's. */
static bool reaches_boot_cpu(const struct arch_host *host, const struct fdt *fdt,
                             struct fdt_node node)
{
    uint32_t cpu;

    for (uint32_t i = 0; intc_parent(host, fdt, node, i, &cpu) == 0; i++) {
        if (cpu == 0) {
            return true;
        }
    }
    return false;
}

int intc_map(struct hv *hv, const struct fdt *fdt, struct fdt_node node, uint32_t index,
             uint64_t min_size, const struct intc_region **out)
{
    struct arch_host *host = arch_host(hv);
    uint64_t addr, size;

    if (fdt_reg_translated(fdt, node, index, &addr, &size) || size < min_size) {
        log_error(hv, "irq: %s: reg has no usable entry %u", fdt_name(fdt, node), index);
        return -XEN_ENODEV;
    }
    if (host->nr_intc_regions == INTC_REGIONS_MAX) {
        log_error(hv, "irq: %s: reg has more entries than the %u that can be used",
                  fdt_name(fdt, node), index);
        return -XEN_ENODEV;
    }
    struct intc_region *r = &host->intc_region[host->nr_intc_regions];

    *r = (struct intc_region){ hpa(addr), size, arch_map_device(hv, hpa(addr), size) };
    if (r->regs == 0) {
        log_error(hv, "irq: %s: no memory to map its registers", fdt_name(fdt, node));
        return -XEN_ENOMEM;
    }
    host->nr_intc_regions++;
    *out = r;
    return 0;
}

int intc_number(struct hv *hv, const struct fdt *fdt, struct fdt_node node, const char *name,
                uint32_t min, uint32_t max, uint32_t *out)
{
    if (fdt_u32(fdt, node, name, out)) {
        log_error(hv, "irq: %s: %s is missing or no number", fdt_name(fdt, node), name);
        return -XEN_ENODEV;
    }
    if (*out < min || *out > max) {
        log_error(hv, "irq: %s: %s is %u, %u to %u can be used", fdt_name(fdt, node), name, *out,
                  min, max);
        return -XEN_ENODEV;
    }
    return 0;
}

bool irq_private_range(const struct hv *hv, uint32_t i, hpa_t *start, uint64_t *size)
{
    const struct arch_host *host = arch_host_const(hv);

    if (i >= host->nr_intc_regions) {
        return false;
    }
    *start = host->intc_region[i].addr;
    *size = host->intc_region[i].size;
    return true;
}

/* The interrupt files that an APLIC sends to, if they are the boot CPU's S mode's. */
static struct fdt_node files_of(const struct arch_host *host, const struct fdt *fdt,
                                struct fdt_node aplic)
{
    uint32_t phandle;

    if (fdt_cell(fdt, aplic, "msi-parent", 0, &phandle)) {
        return FDT_NONE;
    }
    struct fdt_node files = fdt_find_phandle(fdt, phandle);

    return fdt_compatible(fdt, files, "riscv,imsics") && reaches_boot_cpu(host, fdt, files)
               ? files
               : FDT_NONE;
}

static int init_aplic(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
                      struct fdt_node files)
{
    struct arch_host *host = arch_host(hv);
    bool direct = reaches_boot_cpu(host, fdt, node);

    if (!host->has_ssaia && fdt_node_exists(files)) {
        if (!direct) {
            log_error(hv, "irq: %s has an msi-parent, but the CPUs have no ssaia",
                      fdt_name(fdt, node));
            return -XEN_ENODEV;
        }
        files = FDT_NONE;
    }
    if (!fdt_node_exists(files)) {
        host->intc = HOST_INTC_APLIC;
        return aplic_init(hv, fdt, node, NULL);
    }
    host->intc = HOST_INTC_IMSIC;
    int rc = imsic_init(hv, fdt, files);
    return rc ? rc : aplic_init(hv, fdt, node, host->imsic);
}

/* The first S-level APLIC, else the first PLIC. */
int irq_init(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);
    struct fdt_node node;

    for_each_fdt_compatible(fdt, "riscv,aplic", node)
    {
        struct fdt_node files = files_of(host, fdt, node);

        if (fdt_is_enabled(fdt, node) &&
            (fdt_node_exists(files) || reaches_boot_cpu(host, fdt, node))) {
            host->intc_phandle = fdt_u32_or(fdt, node, "phandle", 0);
            return init_aplic(hv, fdt, node, files);
        }
    }
    static const char *const names[] = { "sifive,plic-1.0.0", "riscv,plic0" };
    for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
        for_each_fdt_compatible(fdt, names[i], node)
        {
            if (fdt_is_enabled(fdt, node) && reaches_boot_cpu(host, fdt, node)) {
                host->intc = HOST_INTC_PLIC;
                host->intc_phandle = fdt_u32_or(fdt, node, "phandle", 0);
                return plic_init(hv, fdt, node);
            }
        }
    }
    log_error(hv, "irq: no riscv,aplic or riscv,plic0 in the device tree whose "
                  "interrupts-extended or msi-parent leads to S mode of the boot CPU");
    return -XEN_ENODEV;
}

int irq_init_pcpu(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;

    if (host->intc == HOST_INTC_IMSIC) {
        p->arch.imsic = host->imsic->cpu[p->arch.hwid].regs;
        if (p->arch.imsic != 0) {
            imsic_init_this_cpu(host->imsic);
        }
    } else {
        p->arch.claim = host->intc == HOST_INTC_PLIC ? plic_init_cpu(host->plic, p->arch.hwid)
                                                     : aplic_init_cpu(host->aplic, p->arch.hwid);
    }
    if (p->arch.imsic == 0 && p->arch.claim == 0) {
        log_error(p->hv, "irq: hart %llu is in no controller's interrupts-extended",
                  (unsigned long long)p->arch.hartid);
        return -XEN_ENODEV;
    }
    csr_clear(sip, SIP_SSIP);
    csr_set(sie, SIP_SEIP | SIP_SSIP);
    vintc_pcpu_init(p);
    if (p->arch.vintc.files != NULL) {
        csr_set(hie, HIP_SGEIP);
    }
    return 0;
}
