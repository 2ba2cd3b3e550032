/* SPDX-License-Identifier: MIT */
/* arch/guest.h: lines of the virtual interrupt controller, and arch_vcpu_has_event(). */
#include <arch/guest.h>
#include <arch/irq.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "conform.h"

#define LEVEL 5 /* number of a shared interrupt that is a level */
#define EDGE 6
#define TIED 7

static uint32_t virq(uint32_t n) { return arch_guest_layout()->virq_base + n; }

static void check_level(struct conform *c, struct domain *d, struct vcpu *v, bool follows)
{
    EXPECT(c, !arch_vcpu_has_event(v));
    arch_vintc_set_level(d, virq(LEVEL), true);
    EXPECT(c, arch_vcpu_has_event(v));
    arch_vintc_set_level(d, virq(LEVEL), true); /* it is high already */
    EXPECT(c, arch_vcpu_has_event(v));
    for (uint32_t i = 0; i < 2; i++) {
        arch_vintc_set_level(d, virq(LEVEL), false);
        EXPECT(c, arch_vcpu_has_event(v) != follows);
    }
}

static void a_level_goes_up_and_down(struct conform *c)
{
    struct domain *d = conform_domain(c, 2, 2);

    if (d == NULL) {
        return;
    }
    enum conform_intc intc = conform_open_virq(d->vcpus[0], virq(LEVEL), false);

    if (intc != INTC_CLOSED) {
        check_level(c, d, d->vcpus[0], intc == INTC_FOLLOWS);
        arch_vintc_set_level(d, virq(LEVEL), true);
        EXPECT(c, !arch_vcpu_has_event(d->vcpus[1])); /* it is vCPU 0's */
    }
    arch_vintc_set_level(d, virq(LEVEL), true);
    arch_vintc_set_level(d, virq(LEVEL), false);
    conform_domain_end(c, d);
}

static void a_pulse_stays(struct conform *c)
{
    struct domain *d = conform_domain(c, 2, 2);

    if (d == NULL) {
        return;
    }
    if (conform_open_virq(d->vcpus[0], virq(EDGE), true) != INTC_CLOSED) {
        EXPECT(c, !arch_vcpu_has_event(d->vcpus[0]));
        arch_vintc_pulse(d, virq(EDGE));
        EXPECT(c, arch_vcpu_has_event(d->vcpus[0]));
        EXPECT(c, arch_vcpu_has_event(d->vcpus[0])); /* looking does not take it */
        EXPECT(c, !arch_vcpu_has_event(d->vcpus[1]));
    }
    arch_vintc_pulse(d, virq(EDGE));
    conform_domain_end(c, d);
}

static void unknown_numbers_are_ignored(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    const uint32_t none[] = { virq(0) - 1, virq(32), virq(1000), 1u << 16, UINT32_MAX };

    (void)conform_open_virq(d->vcpus[0], virq(LEVEL), false);
    for (uint32_t i = 0; i < ARRAY_SIZE(none); i++) {
        arch_vintc_set_level(d, none[i], true);
        arch_vintc_pulse(d, none[i]);
        arch_vintc_set_level(d, none[i], false);
        arch_vintc_unassign(d, none[i]);
        EXPECT(c, arch_vintc_assign(d, none[i], arch_irq_count(c->hv) - 1, true) == -XEN_EINVAL);
    }
    EXPECT(c, !arch_vcpu_has_event(d->vcpus[0]));
    conform_domain_end(c, d);
}

static void a_line_is_tied_once(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    uint32_t irq = arch_irq_count(c->hv) - 1;

    for (uint32_t edge = 0; edge < 2; edge++) {
        EXPECT(c, arch_vintc_assign(d, virq(TIED), irq, edge) == 0);
        EXPECT(c, arch_vintc_assign(d, virq(TIED), irq, edge) == -XEN_EBUSY);
        EXPECT(c, arch_vintc_assign(d, virq(TIED), irq - 1, edge) == -XEN_EBUSY);
        EXPECT(c, arch_vintc_assign(d, virq(TIED + 1), irq - 1, edge) == 0);
        arch_vintc_unassign(d, virq(TIED));
        arch_vintc_unassign(d, virq(TIED + 1));
    }
    EXPECT(c, arch_vintc_assign(d, virq(31), irq, true) == 0); /* the last one of 32 */
    arch_vintc_unassign(d, virq(31));
    conform_domain_end(c, d);
}

/* A tied host interrupt reaches the guest. */
static void a_host_interrupt_reaches_the_guest(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    uint32_t irq = arch_irq_count(c->hv) - 1;

    EXPECT(c, arch_vintc_assign(d, virq(TIED), irq, true) == 0);
    if (conform_open_virq(d->vcpus[0], virq(TIED), true) != INTC_CLOSED) {
        EXPECT(c, !arch_vcpu_has_event(d->vcpus[0]));
        arch_vintc_host_irq(d, virq(TIED));
        EXPECT(c, arch_vcpu_has_event(d->vcpus[0]));
    }
    arch_vintc_unassign(d, virq(TIED));
    conform_domain_end(c, d);
}

/* A line that changes while its vCPU is in the hardware, or is saved meanwhile. */
static void a_line_is_seen_loaded_or_not(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    struct vcpu *v = d->vcpus[0];
    enum conform_intc intc = conform_open_virq(v, virq(LEVEL), false);

    if (intc != INTC_CLOSED) {
        conform_load(v);
        EXPECT(c, !arch_vcpu_has_event(v));
        arch_vintc_set_level(d, virq(LEVEL), true);
        EXPECT(c, arch_vcpu_has_event(v));
        conform_save(v);
        EXPECT(c, arch_vcpu_has_event(v));
        arch_vintc_set_level(d, virq(LEVEL), false);
        conform_load(v);
        EXPECT(c, arch_vcpu_has_event(v) != (intc == INTC_FOLLOWS));
        conform_save(v);
    }
    conform_domain_end(c, d);
}

static const struct conform_test tests[] = {
    { "vintc: a level goes up and down", a_level_goes_up_and_down, false },
    { "vintc: a pulse stays", a_pulse_stays, false },
    { "vintc: unknown numbers are ignored", unknown_numbers_are_ignored, false },
    { "vintc: a line is tied once", a_line_is_tied_once, false },
    { "vintc: a host interrupt reaches the guest", a_host_interrupt_reaches_the_guest, false },
    { "vintc: a line is seen, loaded or not", a_line_is_seen_loaded_or_not, false },
};
const struct conform_group conform_vintc = { tests, ARRAY_SIZE(tests) };
