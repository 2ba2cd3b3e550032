/* SPDX-License-Identifier: MIT */
/* dev/irq.c: who owns a host interrupt, and where it goes. */
#include <arch/irq.h>
#include <loam/domain.h>
#include <loam/irq.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define NR_SPIS 8
#define IRQ 5

struct fixture {
    struct world w;
    struct vcpu *v;
    struct domain *d;
    struct vcpu *vcpus[1];
};

static uint32_t calls;
static struct pcpu *called_on;

static void handler(struct hv *hv, struct pcpu *p)
{
    calls++;
    called_on = p;
}

static void begin(struct fixture *f)
{
    calls = 0;
    world_init(&f->w, 2, 16);
    world_inject(&f->w, false);
    f->v = world_guest(&f->w);
    CHECK_EQ(irq_table_init(f->w.hv, arch_irq_count(f->w.hv)), 0);
    f->d = f->v->domain;
    f->d->config.nr_spis = NR_SPIS;
    f->d->arch.has_vintc = true;
    f->vcpus[0] = NULL;
    f->d->vcpus = f->vcpus;
    world_set_baseline(&f->w);
    world_inject(&f->w, true);
}

static void end(struct fixture *f)
{
    irq_release_domain(f->d);
    world_inject(&f->w, false);
    f->w.avail_base = f->w.hv->frames.avail;
    world_guest_end(&f->w, f->v);
    f->w.avail_base = f->w.hv->frames.avail;
    world_fini(&f->w);
}

TEST(a_handler_is_called_and_the_interrupt_ends)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(irq_request(f.w.hv, IRQ, IRQ_LEVEL, handler), 0);
    CHECK(f.w.machine.irq_unmasked[IRQ]);
    CHECK_EQ(irq_request(f.w.hv, IRQ, IRQ_LEVEL, handler), -XEN_EBUSY);
    CHECK_EQ(irq_assign(f.d, IRQ, FAKE_VIRQ_BASE, IRQ_LEVEL), -XEN_EBUSY);
    fake_irq_raise(IRQ);
    arch_irq_poll(f.w.boot);
    CHECK_EQ(calls, 1u);
    CHECK(called_on == f.w.boot);
    CHECK(!f.w.machine.irq_active[IRQ]);
    /* A refused assignment leaves the virtual interrupt free. */
    CHECK_EQ(irq_assign(f.d, IRQ + 1, FAKE_VIRQ_BASE, IRQ_LEVEL), 0);
    end(&f);
}

TEST(numbers_are_checked)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(irq_request(f.w.hv, arch_irq_first(f.w.hv) - 1, IRQ_EDGE, handler), -XEN_EINVAL);
    CHECK_EQ(irq_request(f.w.hv, FAKE_IRQS, IRQ_EDGE, handler), -XEN_EINVAL);
    CHECK_EQ(irq_request(f.w.hv, UINT32_MAX, IRQ_EDGE, handler), -XEN_EINVAL);
    CHECK_EQ(irq_assign(f.d, FAKE_IRQS, FAKE_VIRQ_BASE, IRQ_EDGE), -XEN_EINVAL);
    CHECK_EQ(irq_assign(f.d, IRQ, FAKE_VIRQ_BASE + NR_SPIS, IRQ_EDGE), -XEN_EINVAL);
    CHECK(!irq_deliver(f.w.boot, IRQ));
    CHECK(!irq_deliver(f.w.boot, FAKE_IRQS));
    CHECK(!irq_deliver(f.w.boot, UINT32_MAX));
    end(&f);
}

TEST(a_guests_interrupt_stays_active_until_the_guest_ends_it)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(irq_assign(f.d, IRQ, FAKE_VIRQ_BASE + 1, IRQ_LEVEL), 0);
    CHECK_EQ(irq_assign(f.d, IRQ + 1, FAKE_VIRQ_BASE + 1, IRQ_LEVEL), -XEN_EBUSY);
    CHECK_EQ(irq_request(f.w.hv, IRQ, IRQ_LEVEL, handler), -XEN_EBUSY);
    fake_irq_raise(IRQ);
    arch_irq_poll(f.w.boot);
    CHECK(f.w.machine.irq_active[IRQ]);
    CHECK(f.d->arch.pulsed[0] & BIT(FAKE_VIRQ_BASE + 1));
    CHECK_EQ(calls, 0u);
    fake_guest_eoi(f.d, FAKE_VIRQ_BASE + 1);
    CHECK(!f.w.machine.irq_active[IRQ]);
    end(&f);
}

TEST(release_takes_every_interrupt_back)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(irq_request(f.w.hv, IRQ, IRQ_LEVEL, handler), 0);
    CHECK_EQ(irq_assign(f.d, IRQ + 1, FAKE_VIRQ_BASE + 1, IRQ_LEVEL), 0);
    CHECK_EQ(irq_assign(f.d, FAKE_IRQS - 1, FAKE_VIRQ_BASE + 2, IRQ_EDGE), 0);
    fake_irq_raise(IRQ + 1);
    arch_irq_poll(f.w.boot);
    irq_release_domain(f.d);
    CHECK(f.w.machine.irq_unmasked[IRQ]);
    CHECK(!f.w.machine.irq_unmasked[IRQ + 1]);
    CHECK(!f.w.machine.irq_active[IRQ + 1]);
    CHECK(!f.w.machine.irq_unmasked[FAKE_IRQS - 1]);
    CHECK_EQ(irq_assign(f.d, FAKE_IRQS - 1, FAKE_VIRQ_BASE + 1, IRQ_EDGE), 0);
    end(&f);
}
