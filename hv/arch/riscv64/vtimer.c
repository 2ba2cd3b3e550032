/* SPDX-License-Identifier: MIT */
/*
 * A guest's timer.
 *
 * With Sstc the hardware compares vstimecmp while the vCPU is loaded and raises
 * VSTIP without an exit. Without it SBI TIME notes the deadline, v->wake is set to it,
 * and VSTIP is a line that the hypervisor raises. Either way v->wake stands in while
 * the vCPU waits: a CPU that is idle hears of no VS interrupt.
 */
#include <arch/time.h>
#include <loam/domain.h>
#include <loam/pcpu.h>
#include <loam/timer.h>
#include <loam/vcpu.h>

#include "csr.h"
#include "host.h"
#include "lines.h"
#include "vtimer.h"

/* Deadlines further away (decades) are not worth a timer, and do not overflow. */
#define TICKS_FAR (UINT64_C(1) << 56)

static uint64_t guest_time(const struct vcpu *v)
{
    return csr_read(time) + v->domain->arch.time_offset;
}

static bool is_due(const struct vcpu *v) { return v->arch.timecmp <= guest_time(v); }

static void wake_due(struct timer *t, struct pcpu *p)
{
    struct vcpu *v = container_of(t, struct vcpu, wake);

    if (!p->arch.host->has_sstc && is_due(v)) {
        vcpu_line_set(v, HIP_VSTIP, true);
    }
    vcpu_wake(v);
}

void vtimer_init(struct vcpu *v) { timer_init(&v->wake, wake_due); }

/* Sets v->wake to the deadline, if there is one worth it. */
static void arm(struct vcpu *v, struct pcpu *p)
{
    uint64_t now = guest_time(v), left = v->arch.timecmp - now;

    if (v->arch.timecmp <= now) {
        timer_set(p, &v->wake, 0);
    } else if (left < TICKS_FAR) {
        timer_set(p, &v->wake, arch_time_now() + clock_ticks_to_ns(&p->arch.host->clock, left));
    } else if (v->wake.pcpu != NULL) {
        timer_stop(&v->wake);
    }
}

void vtimer_set(struct vcpu *v, uint64_t when)
{
    struct pcpu *p = v->pcpu;

    v->arch.timecmp = when;
    if (p->arch.host->has_sstc) {
        csr_write(CSR_VSTIMECMP, when);
        return;
    }
    vcpu_line_set(v, HIP_VSTIP, is_due(v));
    if (!is_due(v)) {
        arm(v, p);
    }
}

void vtimer_load(struct vcpu *v, struct pcpu *p)
{
    if (likely(p->arch.host->has_sstc)) {
        csr_write(CSR_VSTIMECMP, v->arch.timecmp);
        if (unlikely(v->wake.pcpu != NULL)) {
            timer_stop(&v->wake);
        }
    }
}

void vtimer_save(struct vcpu *v, struct pcpu *p)
{
    if (likely(p->arch.host->has_sstc)) {
        v->arch.timecmp = csr_read(CSR_VSTIMECMP);
        if (!vcpu_is_runnable(v)) {
            arm(v, p);
        }
    }
}

void vtimer_wait(struct vcpu *v, struct pcpu *p)
{
    if (likely(p->arch.host->has_sstc)) {
        v->arch.timecmp = csr_read(CSR_VSTIMECMP);
        arm(v, p);
    }
}

bool vtimer_is_due(const struct vcpu *v) { return is_due(v); }
