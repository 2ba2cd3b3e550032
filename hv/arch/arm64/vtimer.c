/* SPDX-License-Identifier: MIT */
/*
 * The generic timers of a guest (Arm DDI 0487 D11).
 *
 * The virtual timer is the hardware's while its vCPU is loaded; its interrupt
 * goes through a list register tied to the host's PPI (vgicv3.c). The
 * physical one is emulated against the same counter, the virtual one: a guest
 * cannot tell how long the machine ran before it.
 *
 * v->wake stands in where no hardware timer does: for the emulated timer while
 * the vCPU is loaded, and for both once a vCPU that waits is taken off its CPU.
 */
#include <arch/time.h>
#include <loam/domain.h>
#include <loam/pcpu.h>
#include <loam/timer.h>
#include <loam/vcpu.h>

#include "host.h"
#include "sysreg.h"
#include "vgic.h"
#include "vtimer.h"

#define CTL_ENABLE BIT(0)
#define CTL_IMASK BIT(1)
#define CTL_ISTATUS BIT(2)

/* Deadlines further away (decades) are not worth a timer, and do not overflow. */
#define TICKS_FAR (UINT64_C(1) << 56)

static void wake_due(struct timer *t, struct pcpu *p)
{
    struct vcpu *v = container_of(t, struct vcpu, wake);

    /* Its owner looks at the timers in vtimer_sync(). */
    vgic_notify(&v->arch.vgic);
}

void vtimer_init(struct vcpu *v)
{
    timer_init(&v->wake, wake_due);
}

uint64_t vtimer_counter(const struct vcpu *v)
{
    return sysreg_read(cntpct_el0) - v->domain->arch.cntvoff;
}

static inline bool is_armed(uint64_t ctl)
{
    return (ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
}

/* When a timer will be due; NS_NEVER: not armed, or too far away. */
static ns_t deadline(const struct vcpu *v, uint64_t ctl, uint64_t cval)
{
    if (!is_armed(ctl)) {
        return NS_NEVER;
    }
    uint64_t now = vtimer_counter(v);

    if (cval <= now) {
        return 0;
    }
    if (cval - now > TICKS_FAR) {
        return NS_NEVER;
    }
    const struct clock *counter = &arch_host_const(v->domain->hv)->counter;

    return arch_time_now() + clock_ticks_to_ns(counter, cval - now);
}

static void arm(struct vcpu *v, struct pcpu *p, ns_t when)
{
    if (when != NS_NEVER) {
        timer_set(p, &v->wake, when);
    } else if (v->wake.pcpu != NULL) {
        timer_stop(&v->wake);
    }
}

static bool ptimer_level(const struct vcpu *v)
{
    const struct arch_timers *t = &v->arch.timers;

    return is_armed(t->cntp_ctl) && vtimer_counter(v) >= t->cntp_cval;
}

void vtimer_sync(struct vcpu *v)
{
    if (unlikely(v->arch.timers.cntp_ctl & CTL_ENABLE ||
                 v->arch.vgic.line >> GUEST_PTIMER_INTID & 1)) {
        vgic_ppi_line(&v->arch.vgic, GUEST_PTIMER_INTID, ptimer_level(v));
    }
}

/* The emulated timer changed or v was loaded: when must somebody look again? */
static void ptimer_arm(struct vcpu *v, struct pcpu *p)
{
    arm(v, p, ptimer_level(v) ? NS_NEVER
                              : deadline(v, v->arch.timers.cntp_ctl, v->arch.timers.cntp_cval));
}

void vtimer_load(struct vcpu *v, struct pcpu *p)
{
    const struct arch_timers *t = &v->arch.timers;

    sysreg_write(cntvoff_el2, v->domain->arch.cntvoff);
    sysreg_write(cntv_cval_el0, t->cntv_cval);
    if (t->cntv_ctl != 0) {
        sysreg_write(cntv_ctl_el0, t->cntv_ctl);
    }
    if (unlikely(t->cntp_ctl & CTL_ENABLE || v->wake.pcpu != NULL)) {
        ptimer_arm(v, p);
    }
}

void vtimer_save(struct vcpu *v, struct pcpu *p)
{
    struct arch_timers *t = &v->arch.timers;

    t->cntv_ctl = sysreg_read(cntv_ctl_el0) & (CTL_ENABLE | CTL_IMASK);
    t->cntv_cval = sysreg_read(cntv_cval_el0);
    if (t->cntv_ctl != 0) {
        /* 0 while nobody is loaded; the level is gone before the interrupt is made inactive. */
        sysreg_write(cntv_ctl_el0, 0);
        isb();
    }
}

void vtimer_arm_wake(struct vcpu *v, struct pcpu *p)
{
    const struct arch_timers *t = &v->arch.timers;

    if (vcpu_is_runnable(v)) {
        if (unlikely(v->wake.pcpu != NULL)) {
            timer_stop(&v->wake); /* it is looked at when it is loaded again */
        }
        return;
    }
    ns_t virtual = deadline(v, t->cntv_ctl, t->cntv_cval);
    ns_t physical = deadline(v, t->cntp_ctl, t->cntp_cval);

    arm(v, p, MIN(virtual, physical));
}

bool vtimer_is_due(const struct vcpu *v)
{
    const struct arch_timers *t = &v->arch.timers;

    return ptimer_level(v) || (is_armed(t->cntv_ctl) && vtimer_counter(v) >= t->cntv_cval);
}

uint64_t vtimer_ctl_read(const struct vcpu *v)
{
    const struct arch_timers *t = &v->arch.timers;
    bool expired = t->cntp_ctl & CTL_ENABLE && vtimer_counter(v) >= t->cntp_cval;

    return t->cntp_ctl | (expired ? CTL_ISTATUS : 0);
}

void vtimer_ctl_write(struct vcpu *v, uint64_t value)
{
    v->arch.timers.cntp_ctl = value & (CTL_ENABLE | CTL_IMASK);
    ptimer_arm(v, v->pcpu);
    vgic_ppi_line(&v->arch.vgic, GUEST_PTIMER_INTID, ptimer_level(v));
}

void vtimer_cval_write(struct vcpu *v, uint64_t value)
{
    v->arch.timers.cntp_cval = value;
    ptimer_arm(v, v->pcpu);
    vgic_ppi_line(&v->arch.vgic, GUEST_PTIMER_INTID, ptimer_level(v));
}
