/* SPDX-License-Identifier: MIT */
/*
 * Taking interrupts, sending kicks, masking lines.
 *
 * An interrupt is acknowledged and its priority dropped at once; it is
 * deactivated here unless a guest got it through a list register tied to it
 * (its own timer, or a device passed through), whose deactivation then does it.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <loam/irq.h>
#include <loam/pcpu.h>

#include "gicv3.h"
#include "host.h"
#include "sysreg.h"
#include "vgic.h"

static void deactivate(uint64_t intid)
{
    sysreg_write_s(ICC_DIR_EL1, intid);
}

/*
 * One interrupt a call: more than one is seldom pending, and a second one ends
 * the next guest entry or idle wait at once, which costs less than asking
 * the controller each time whether there is one.
 */
void arch_irq_poll(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;
    uint64_t intid = sysreg_read_s(ICC_IAR1_EL1);

    if (intid >= GIC_SPECIAL) {
        return;
    }
    sysreg_write_s(ICC_EOIR1_EL1, intid);
    if (likely(intid == host->vtimer_irq)) {
        vgic_host_vtimer(p);
        return;
    }
    if (intid == host->htimer_irq) {
        sysreg_write(cnthp_ctl_el2, 0);
        isb(); /* the level is gone before the interrupt is inactive */
        pcpu_raise(p, PCPU_WORK_TIMER);
    } else if (intid == host->maintenance_irq) {
        vgic_maintenance(p);
    } else if (intid != SGI_KICK && irq_deliver(p, (uint32_t)intid)) {
        return;
    }
    deactivate(intid);
}

void arch_cpu_kick(struct pcpu *p)
{
    uint64_t mpidr = p->arch.mpidr;
    uint64_t aff0 = mpidr & 0xff;

    /* What the work is about is seen by p before the interrupt. */
    dsb(ish);
    sysreg_write_s(ICC_SGI1R_EL1, (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
                                      (mpidr >> 8 & 0xff) << 16 | (aff0 >> 4) << 44 |
                                      BIT(aff0 & 0xf) | (uint64_t)SGI_KICK << 24);
    isb();
}

uint32_t arch_irq_first(const struct hv *hv)
{
    return GIC_SPI_FIRST;
}

uint32_t arch_irq_count(const struct hv *hv)
{
    return arch_host_const(hv)->nr_irqs;
}

void arch_irq_unmask(struct hv *hv, uint32_t irq, bool edge, struct pcpu *p)
{
    uintptr_t d = arch_host(hv)->gicd;
    uintptr_t cfg = d + GICD_ICFGR + irq / 16 * 4;
    uint32_t bit = 2u << (irq % 16 * 2);
    uint32_t value = reg_read32(cfg);

    reg_write32(cfg, edge ? value | bit : value & ~bit);
    /* IROUTER holds the affinity fields of MPIDR_EL1 at the same places. */
    reg_write64(d + GICD_IROUTER + irq * UINT64_C(8), p->arch.mpidr);
    dsb(sy);
    reg_write32(d + GICD_ISENABLER + irq / 32 * 4, 1u << (irq % 32));
}

void arch_irq_mask(struct hv *hv, uint32_t irq)
{
    uintptr_t d = arch_host(hv)->gicd;

    reg_write32(d + GICD_ICENABLER + irq / 32 * 4, 1u << (irq % 32));
    gicd_sync(d);
    reg_write32(d + GICD_ICACTIVER + irq / 32 * 4, 1u << (irq % 32));
    reg_write32(d + GICD_ICPENDR + irq / 32 * 4, 1u << (irq % 32));
    dsb(sy);
}
