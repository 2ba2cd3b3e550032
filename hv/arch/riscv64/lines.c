/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's interrupts: what others set, and hvip, where the guest sees it.
 *
 * Whoever changes `lines` or `soft` does so with an atomic and then looks whether the
 * vCPU runs; the CPU that enters it looks at them in arch_vcpu_sync_interrupts(),
 * after it is marked running: one of the two sees the other. VSSIP is the
 * guest's to clear, so that it is set once for each request and read back with hvip.
 */
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/pcpu.h>
#include <loam/timer.h>
#include <loam/vcpu.h>

#include "csr.h"
#include "host.h"
#include "lines.h"
#include "vintc.h"
#include "vtimer.h"

#define LEVELS (HIP_VSTIP | HIP_VSEIP)

static __noinline void apply_lines(struct vcpu *v, uint64_t lines)
{
    v->arch.hvip = lines;
    csr_clear(hvip, LEVELS);
    csr_set(hvip, lines);
    vintc_external(v, lines & HIP_VSEIP);
}

static __noinline void apply_soft(struct vcpu *v)
{
    (void)atomic_exchange(&v->arch.soft, 0);
    csr_set(hvip, HIP_VSSIP);
}

/* hvip as `lines` and `soft` want it. v is loaded on this CPU. */
static __inline_hot void apply(struct vcpu *v)
{
    uint64_t lines = atomic_load_relaxed(&v->arch.lines);

    if (unlikely((v->arch.hvip & LEVELS) != lines)) {
        apply_lines(v, lines);
    }
    if (unlikely(atomic_load_relaxed(&v->arch.soft) != 0)) {
        apply_soft(v);
    }
}

/* Something of v changed. */
static void changed(struct vcpu *v, bool wake)
{
    struct pcpu *p = this_pcpu();

    if (p->current == v && p->loaded == v) {
        apply(v);
        return;
    }
    /* Full barrier: what changed is visible before `running` is read. Partner: sync, below. */
    if (wake) {
        vcpu_wake(v);
    } else {
        smp_mb();
    }
    /* Acquire: v->pcpu is the CPU that it was set to with `running`. Partner: sched_pick(). */
    if (atomic_load_acquire(&v->running)) {
        pcpu_kick(v->pcpu, PCPU_WORK_VINTC);
    }
}

void vcpu_line_set(struct vcpu *v, uint64_t bit, bool level)
{
    uint64_t old =
        level ? atomic_fetch_or(&v->arch.lines, bit) : atomic_fetch_and(&v->arch.lines, ~bit);

    if (((old & bit) != 0) != level) {
        changed(v, level);
    }
}

void vcpu_soft_raise(struct vcpu *v)
{
    if (atomic_exchange(&v->arch.soft, 1) == 0) {
        changed(v, true);
    }
}

void arch_vcpu_sync_interrupts(struct vcpu *v)
{
    smp_mb(); /* partner: changed() */
    vintc_sync(v, v->pcpu);
    apply(v);
}

bool arch_vcpu_has_event(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();
    uint64_t pending = atomic_load_relaxed(&v->arch.lines) |
                       (atomic_load_relaxed(&v->arch.soft) != 0 ? HIP_VSSIP : 0);
    uint64_t enabled;

    if (p->loaded == v) {
        pending |= csr_read(hip);
        enabled = csr_read(hie);
    } else {
        pending |= v->arch.hvip | (vtimer_is_due(v) ? HIP_VSTIP : 0);
        enabled = v->arch.vs.ie << 1; /* vsie's bits are one place below hie's */
    }
    if (pending & enabled & (HIP_VSSIP | LEVELS)) {
        return true;
    }
    if (p->loaded == v) {
        vtimer_wait(v, p);
        vintc_wait(v);
    }
    return false;
}
