/* SPDX-License-Identifier: MIT */
/*
 * The architected counter and the EL2 physical timer (Arm DDI 0487 D11).
 */
#include <arch/time.h>
#include <loam/clock.h>
#include <loam/fdt.h>
#include <loam/log.h>
#include <xen/errno.h>

#include "cpu.h"
#include "host.h"
#include "sysreg.h"

#define CNT_CTL_ENABLE 1

void counter_probe(struct arch_host *host)
{
    uint32_t hz = (uint32_t)sysreg_read(cntfrq_el0);

    if (hz != 0) {
        clock_init(&host->counter, hz);
    }
}

/* INTID of entry i of the timer's interrupts: GIC cells are type (1: PPI), number, flags. */
static uint32_t timer_ppi(const struct fdt *fdt, struct fdt_node node, uint32_t i)
{
    struct fdt_interrupt irq;

    if (fdt_interrupt(fdt, node, i, &irq) || irq.nr_cells < 3 || irq.cells[0] != 1 ||
        irq.cells[1] > 15) {
        return 0;
    }
    return irq.cells[1] + 16;
}

int counter_init(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);
    struct fdt_node node = fdt_find_compatible(fdt, FDT_NONE, "arm,armv8-timer");

    /* Devicetree binding arm,arch_timer: secure, non-secure, virtual, hypervisor. */
    host->ptimer_irq = timer_ppi(fdt, node, 1);
    host->vtimer_irq = timer_ppi(fdt, node, 2);
    host->htimer_irq = timer_ppi(fdt, node, 3);
    if (host->counter.hz == 0 || host->vtimer_irq == 0 || host->htimer_irq == 0) {
        log_error(hv, "timer: no arm,armv8-timer with virtual and hypervisor interrupt in the "
                      "device tree, or CNTFRQ_EL0 is 0");
        return -XEN_ENODEV;
    }
    return 0;
}

ns_t arch_time_now(void)
{
    /* May be read a few instructions early, which no caller can tell. */
    return clock_ticks_to_ns(&this_pcpu()->arch.host->counter, sysreg_read(cntpct_el0));
}

void arch_timer_set(struct pcpu *p, ns_t deadline)
{
    if (deadline == NS_NEVER) {
        sysreg_write(cnthp_ctl_el2, 0);
        return;
    }
    sysreg_write(cnthp_cval_el2, clock_ns_to_ticks(&p->arch.host->counter, deadline));
    sysreg_write(cnthp_ctl_el2, CNT_CTL_ENABLE);
}
