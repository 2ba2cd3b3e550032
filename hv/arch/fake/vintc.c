/* SPDX-License-Identifier: MIT */
/*
 * The fake guests' interrupt controller: shared lines, all to vCPU 0, without
 * masks. An interrupt waits (v->arch.pending) until the vCPU is entered.
 */
#include <arch/guest.h>
#include <arch/impl/fake.h>
#include <loam/atomic.h>
#include <loam/bitmap.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "fake.h"

int arch_vintc_create(struct domain *d)
{
    d->arch.has_vintc = true;
    return 0;
}

static bool is_known(const struct domain *d, uint32_t virq)
{
    return d->arch.has_vintc && virq >= FAKE_VIRQ_BASE &&
           virq - FAKE_VIRQ_BASE < d->config.nr_spis && virq < FAKE_VIRQS;
}

static void signal_vcpu(struct vcpu *v)
{
    if (v == NULL) {
        return;
    }
    atomic_store_relaxed(&v->arch.pending, 1); /* vcpu_wake() has the barrier */
    vcpu_wake(v);
    if (v->running) {
        pcpu_kick(v->pcpu, PCPU_WORK_VINTC);
    }
}

void arch_vintc_set_level(struct domain *d, uint32_t virq, bool level)
{
    if (!is_known(d, virq)) {
        return;
    }
    if (!level) {
        bitmap_clear(d->arch.level, virq);
    } else if (!bitmap_test_and_set(d->arch.level, virq)) {
        signal_vcpu(d->vcpus[0]);
    }
}

void arch_vintc_pulse(struct domain *d, uint32_t virq)
{
    if (is_known(d, virq)) {
        bitmap_set(d->arch.pulsed, virq);
        signal_vcpu(d->vcpus[0]);
    }
}

void arch_vintc_event(struct vcpu *v)
{
    v->arch.events++;
    signal_vcpu(v);
}

int arch_vintc_assign(struct domain *d, uint32_t virq, uint32_t irq, bool edge)
{
    if (!is_known(d, virq)) {
        return -XEN_EINVAL;
    }
    if (d->arch.host_irq[virq] != 0) {
        return -XEN_EBUSY;
    }
    d->arch.host_irq[virq] = (uint16_t)(irq + 1);
    return 0;
}

void arch_vintc_unassign(struct domain *d, uint32_t virq)
{
    if (is_known(d, virq)) {
        d->arch.host_irq[virq] = 0;
    }
}

void arch_vintc_host_irq(struct domain *d, uint32_t virq) { arch_vintc_pulse(d, virq); }

void fake_guest_eoi(struct domain *d, uint32_t virq)
{
    bitmap_clear(d->arch.pulsed, virq);
    if (d->arch.host_irq[virq] != 0) {
        fake_machine->irq_active[d->arch.host_irq[virq] - 1u] = false;
    }
}
