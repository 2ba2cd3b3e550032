/* SPDX-License-Identifier: MIT */
/* The fake machine's interrupt controller: pending, unmasked and active bits by number. */
#include <arch/impl/fake.h>
#include <arch/irq.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/pcpu.h>

#include "fake.h"

static bool is_deliverable(const struct pcpu *p, uint32_t irq)
{
    const struct fake_machine *m = fake_machine;

    return m->irq_pending[irq] && m->irq_unmasked[irq] && !m->irq_active[irq] &&
           m->irq_cpu[irq] == p;
}

bool fake_irq_is_pending(const struct pcpu *p)
{
    bool any = atomic_load_relaxed(&p->arch.kicked) || p->arch.deadline <= fake_machine->now;

    for (uint32_t i = 0; i < FAKE_IRQS && !any; i++) {
        any = is_deliverable(p, i);
    }
    return any;
}

void arch_irq_poll(struct pcpu *p)
{
    struct fake_machine *m = fake_machine;

    /* An idle CPU whose job waits for another CPU would go on for ever: there is one thread. */
    if (p->current == NULL && m->idle_polls_max != 0 && ++m->idle_polls > m->idle_polls_max) {
        fake_stop(FAKE_STOP_IDLE);
    }
    atomic_store_relaxed(&p->arch.kicked, false);
    if (p->arch.deadline <= m->now) {
        p->arch.deadline = NS_NEVER;
        pcpu_raise(p, PCPU_WORK_TIMER);
    }
    for (uint32_t i = 0; i < FAKE_IRQS; i++) {
        if (is_deliverable(p, i)) {
            m->irq_pending[i] = false;
            m->irq_active[i] = true;
            m->irq_active[i] = irq_deliver(p, i);
        }
    }
}

uint32_t arch_irq_first(const struct hv *hv) { return 1; }
uint32_t arch_irq_count(const struct hv *hv) { return FAKE_IRQS; }

void arch_irq_unmask(struct hv *hv, uint32_t irq, bool edge, struct pcpu *p)
{
    fake_machine->irq_unmasked[irq] = true;
    fake_machine->irq_cpu[irq] = p;
}

void arch_irq_mask(struct hv *hv, uint32_t irq)
{
    fake_machine->irq_unmasked[irq] = false;
    fake_machine->irq_active[irq] = false;
}

void fake_irq_raise(uint32_t irq) { fake_machine->irq_pending[irq] = true; }
