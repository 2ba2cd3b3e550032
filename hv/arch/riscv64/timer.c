/* SPDX-License-Identifier: MIT */
/*
 * The time CSR and this CPU's timer: stimecmp (Sstc), or SBI TIME.
 *
 * The timer's interrupt is a level. With Sstc it goes when stimecmp is moved away;
 * the firmware's is masked in sie instead, which saves a call, until the timer is set again.
 */
#include <arch/time.h>
#include <loam/pcpu.h>

#include "cpu.h"
#include "csr.h"
#include "host.h"
#include "sbi.h"

ns_t arch_time_now(void)
{
    return clock_ticks_to_ns(&this_pcpu()->arch.host->clock, csr_read(time));
}

void arch_timer_set(struct pcpu *p, ns_t deadline)
{
    uint64_t ticks =
        deadline == NS_NEVER ? UINT64_MAX : clock_ns_to_ticks(&p->arch.host->clock, deadline);

    if (likely(p->arch.host->has_sstc)) {
        csr_write(CSR_STIMECMP, ticks);
    } else {
        sbi_set_timer(ticks);
        csr_set(sie, SIP_STIP);
    }
}

void timer_due(struct pcpu *p)
{
    if (likely(p->arch.host->has_sstc)) {
        csr_write(CSR_STIMECMP, UINT64_MAX);
    } else {
        csr_clear(sie, SIP_STIP);
    }
    pcpu_raise(p, PCPU_WORK_TIMER);
}
