/* SPDX-License-Identifier: MIT */
/* ctl/domctl_device.c, dev/rights.c: device memory and interrupts for a toolstack's domains. */
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/mmio.h>
#include <loam/rights.h>

#include "ctl.h"

#define DEVICE UINT64_C(0x9010) /* page of a device that dom0 has mapped, 3 of them */
#define SPARE UINT64_C(0xa000)  /* of one that the tree keeps from it, 4 of them */
#define IRQ (FAKE_VIRQ_BASE + 3) /* of that one */
#define OWN_IRQ (FAKE_VIRQ_BASE + 1) /* routed to dom0 */
#define PLACE UINT64_C(0x3000) /* gfn */
#define SPIS 16

struct host {
    struct toolstack t;
    uint16_t id;
    struct domain *d;
};

static struct host host_begin(void)
{
    struct host h = { .t = toolstack_begin(2) };
    struct domain_config c = { .name = "guest", .vcpus_max = 1, .nr_spis = SPIS, .weight = 256,
                               .enhanced = true };

    CHECK_EQ(p2m_map(h.t.d, gfn(DEVICE), mfn(DEVICE), 3, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(rights_set_pages(h.t.d, mfn(SPARE), 4, true), 0);
    CHECK_EQ(rights_set_irq(h.t.d, IRQ, true, true), 0);
    CHECK_EQ(irq_assign(h.t.d, OWN_IRQ, OWN_IRQ, IRQ_LEVEL), 0);
    h.d = dom_create_with(h.t.w, &c);
    h.id = h.d->id;
    return h;
}

static int64_t permit(struct host *h, uint64_t first, uint64_t nr, uint8_t allow)
{
    struct xen_domctl_iomem_permission a = { first, nr, allow };

    return toolstack_do(&h->t, XEN_DOMCTL_iomem_permission, h->id, &a, sizeof(a));
}

static int64_t map(struct host *h, uint64_t gfn_nr, uint64_t first, uint64_t nr, uint32_t add)
{
    struct xen_domctl_memory_mapping a = { gfn_nr, first, nr, add, 0 };

    return toolstack_do(&h->t, XEN_DOMCTL_memory_mapping, h->id, &a, sizeof(a));
}

static bool has_device(struct host *h, uint64_t gfn_nr, uint64_t page)
{
    enum p2m_type type = P2M_INVALID;
    mfn_t m = p2m_lookup(h->d, gfn(gfn_nr), &type, NULL);

    return type == P2M_MMIO_DIRECT && m.n == page;
}

/* As `iomem=["0x9010,3@0x3000"]` does it. */
TEST(device_memory_is_given_and_taken_back)
{
    struct host h = host_begin();

    CHECK_EQ(map(&h, PLACE, DEVICE, 3, DPCI_ADD_MAPPING), -XEN_EPERM);
    CHECK_EQ(permit(&h, DEVICE, 3, 1), 0);
    CHECK_EQ(map(&h, PLACE, DEVICE, 3, DPCI_ADD_MAPPING), 0);
    CHECK(has_device(&h, PLACE, DEVICE) && has_device(&h, PLACE + 2, DEVICE + 2));
    CHECK_EQ(map(&h, PLACE, DEVICE, 1, DPCI_ADD_MAPPING), -XEN_EEXIST);
    /* A part goes; what is mapped is not given up by the right's end. */
    CHECK_EQ(map(&h, PLACE + 1, DEVICE + 1, 1, DPCI_REMOVE_MAPPING), 0);
    CHECK(!has_device(&h, PLACE + 1, DEVICE + 1) && has_device(&h, PLACE + 2, DEVICE + 2));
    CHECK_EQ(map(&h, PLACE, DEVICE, 3, DPCI_REMOVE_MAPPING), -XEN_ENOENT);
    CHECK(has_device(&h, PLACE, DEVICE));
    CHECK_EQ(permit(&h, DEVICE, 3, 0), 0);
    CHECK(has_device(&h, PLACE, DEVICE));
    CHECK_EQ(map(&h, PLACE + 1, DEVICE + 1, 1, DPCI_ADD_MAPPING), -XEN_EPERM);
    /* Kept from dom0 by the tree, for others. */
    CHECK_EQ(permit(&h, SPARE + 1, 2, 1), 0);
    CHECK_EQ(map(&h, SPARE, SPARE, 2, DPCI_ADD_MAPPING), -XEN_EPERM);
    CHECK_EQ(map(&h, SPARE + 1, SPARE + 1, 2, DPCI_ADD_MAPPING), 0);
    CHECK(has_device(&h, SPARE + 2, SPARE + 2));
    toolstack_end(&h.t);
}

TEST(what_the_caller_has_not_cannot_be_given)
{
    struct host h = host_begin();
    mfn_t ram = p2m_lookup(h.t.d, gpa_to_gfn(gpa(DOM_RAM)), NULL, NULL);
    static const struct {
        uint64_t first, nr;
        int rc;
    } bad[] = {
        { DEVICE - 1, 2, -XEN_EPERM },     { DEVICE + 2, 2, -XEN_EPERM },
        { SPARE, 5, -XEN_EPERM },          { 0, UINT64_MAX >> PAGE_SHIFT, -XEN_EPERM },
        { DEVICE, 0, -XEN_EINVAL },        { UINT64_MAX, 2, -XEN_EINVAL },
        { DEVICE, UINT64_MAX, -XEN_EINVAL }, { UINT64_MAX >> PAGE_SHIFT, 2, -XEN_EINVAL },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(permit(&h, bad[i].first, bad[i].nr, 1), bad[i].rc);
        CHECK_EQ(permit(&h, bad[i].first, bad[i].nr, 0), bad[i].rc);
    }
    CHECK_EQ(permit(&h, ram.n, 1, 1), -XEN_EPERM);
    CHECK(h.d->rights == NULL);
    /* Device memory at another address in dom0 names no page of the machine. */
    CHECK_EQ(p2m_map(h.t.d, gfn(0x5000), mfn(0x6000), 1, P2M_MMIO_DIRECT), 0);
    CHECK_EQ(permit(&h, 0x5000, 1, 1), -XEN_EPERM);
    CHECK_EQ(permit(&h, 0x6000, 1, 1), -XEN_EPERM);
    toolstack_end(&h.t);
}

static enum mmio_result nothing_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                     uint64_t *value)
{
    return MMIO_FAULT;
}

static enum mmio_result nothing_written(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                        uint64_t value)
{
    return MMIO_FAULT;
}

TEST(a_place_that_cannot_be)
{
    static const struct mmio_ops ops = { nothing_read, nothing_written };
    struct host h = host_begin();
    uint64_t ram = DOM_RAM >> PAGE_SHIFT;

    CHECK_EQ(permit(&h, DEVICE, 3, 1), 0);
    CHECK_EQ(mmio_register(h.d, gfn_to_gpa(gfn(PLACE + 2)), PAGE_SIZE, &ops, NULL), 0);
    CHECK_EQ(map(&h, ram, DEVICE, 1, DPCI_ADD_MAPPING), -XEN_EEXIST);
    CHECK_EQ(map(&h, PLACE, DEVICE, 3, DPCI_ADD_MAPPING), -XEN_EBUSY);
    CHECK(!has_device(&h, PLACE, DEVICE));
    CHECK_EQ(map(&h, PLACE, DEVICE, 0, DPCI_ADD_MAPPING), -XEN_EINVAL);
    CHECK_EQ(map(&h, UINT64_MAX, DEVICE, 3, DPCI_ADD_MAPPING), -XEN_EINVAL);
    CHECK_EQ(map(&h, UINT64_MAX >> PAGE_SHIFT, DEVICE, 3, DPCI_ADD_MAPPING), -XEN_EINVAL);
    CHECK_EQ(map(&h, UINT64_C(1) << 50, DEVICE, 3, DPCI_ADD_MAPPING), -XEN_EINVAL);
    CHECK_EQ(map(&h, PLACE, DEVICE, 1, 2), -XEN_EINVAL);
    CHECK_EQ(map(&h, ram, DEVICE, 1, DPCI_REMOVE_MAPPING), -XEN_ENOENT);
    /* Too many at once: tools ask for half of it then. */
    uint64_t refused = refusal_count(h.t.w->hv);
    CHECK_EQ(map(&h, PLACE, DEVICE, 513, DPCI_ADD_MAPPING), -XEN_E2BIG);
    CHECK_EQ(refusal_count(h.t.w->hv), refused);
    h.id = 99;
    CHECK_EQ(map(&h, PLACE, DEVICE, 1, DPCI_ADD_MAPPING), -XEN_ESRCH);
    toolstack_end(&h.t);
}

static int64_t permit_irq(struct host *h, uint32_t irq, uint8_t allow)
{
    struct xen_domctl_irq_permission a = { irq, allow, { 0 } };

    return toolstack_do(&h->t, XEN_DOMCTL_irq_permission, h->id, &a, sizeof(a));
}

static int64_t bind_irq(struct host *h, uint32_t cmd, uint32_t irq, uint16_t spi)
{
    struct xen_domctl_bind_pt_irq a = { irq, PT_IRQ_TYPE_SPI, { .spi = spi } };

    return toolstack_do(&h->t, cmd, h->id, &a, sizeof(a));
}

/* As `irqs=[...]` does it. */
TEST(an_interrupt_is_given_and_comes)
{
    struct host h = host_begin();
    bool edge = false;

    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, IRQ, IRQ), 0);
    CHECK(irq_is_of(h.d, IRQ));
    CHECK_EQ(permit_irq(&h, IRQ, 1), 0);
    CHECK(rights_has_irq(h.d, IRQ, &edge) && edge);
    fake_irq_raise(IRQ);
    world_cpu(h.t.w, 0);
    arch_irq_poll(h.t.w->hv->pcpus[0]);
    CHECK(arch_vcpu_has_event(h.d->vcpus[0]));
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, IRQ, IRQ), -XEN_EBUSY);
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_unbind_pt_irq, IRQ, IRQ), 0);
    CHECK(!irq_is_of(h.d, IRQ) && !h.t.w->machine.irq_unmasked[IRQ]);
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_unbind_pt_irq, IRQ, IRQ), -XEN_EINVAL);
    /* Its domain's end frees it for the next one. */
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, IRQ, IRQ), 0);
    dom_destroy(h.t.w, h.d);
    CHECK(!h.t.w->machine.irq_unmasked[IRQ]);
    toolstack_end(&h.t);
}

TEST(an_interrupt_that_cannot_be_given)
{
    struct host h = host_begin();
    struct xen_domctl_bind_pt_irq msi = { IRQ, 2, { .spi = IRQ } };

    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, OWN_IRQ, OWN_IRQ), -XEN_EBUSY);
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, IRQ + 1, IRQ + 1), -XEN_EPERM);
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, IRQ, IRQ + 1), -XEN_EINVAL);
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, UINT32_MAX, UINT16_MAX), -XEN_EINVAL);
    CHECK_EQ(toolstack_do(&h.t, XEN_DOMCTL_bind_pt_irq, h.id, &msi, sizeof(msi)),
             -XEN_EOPNOTSUPP);
    CHECK_EQ(permit_irq(&h, IRQ + 1, 1), -XEN_EPERM);
    CHECK_EQ(permit_irq(&h, UINT32_MAX, 1), -XEN_EINVAL);
    CHECK_EQ(permit_irq(&h, OWN_IRQ, 1), 0);
    CHECK_EQ(permit_irq(&h, OWN_IRQ, 0), 0);

    /* More than the domain has interrupts; a domain that has no vCPU yet, and so no controller. */
    CHECK_EQ(rights_set_irq(h.t.d, FAKE_VIRQ_BASE + SPIS, false, true), 0);
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, FAKE_VIRQ_BASE + SPIS, FAKE_VIRQ_BASE + SPIS),
             -XEN_EINVAL);
    struct xen_domctl_createdomain c = toolstack_config(1);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .domain = 0x7ff5 };
    memcpy(op.u, &c, sizeof(c));
    CHECK_EQ(toolstack_domctl(&h.t, &op), 0);
    h.id = op.domain;
    CHECK_EQ(bind_irq(&h, XEN_DOMCTL_bind_pt_irq, IRQ, IRQ), -XEN_EINVAL);
    toolstack_end(&h.t);
}

/* 4.14 and 4.15 had one byte for the number. */
TEST(an_interrupt_by_older_tools)
{
    struct host h = host_begin();
    uint8_t a[2] = { IRQ, 1 };
    bool edge;

    h.t.version = 0x13;
    CHECK_EQ(toolstack_do(&h.t, XEN_DOMCTL_irq_permission, h.id, a, sizeof(a)), 0);
    CHECK(rights_has_irq(h.d, IRQ, &edge));
    toolstack_end(&h.t);
}

/* --- Rights, beside a bit per page --- */

#define MODEL_PAGES 96

TEST(rights_are_what_was_allowed)
{
    struct host h = host_begin();
    bool model[MODEL_PAGES + 1] = { false };
    uint64_t seed = 88172645463325252;

    for (uint32_t n = 0; n < 3000; n++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint32_t first = seed % MODEL_PAGES;
        uint32_t nr = 1 + (uint32_t)(seed >> 20) % MIN(MODEL_PAGES - first, 9u);
        bool allow = seed >> 40 & 1;
        int rc = rights_set_pages(h.d, mfn(first), nr, allow);

        CHECK(rc == 0 || rc == -XEN_ENOMEM);
        for (uint32_t i = first; rc == 0 && i < first + nr; i++) {
            model[i] = allow;
        }
        for (uint32_t i = 0; i < MODEL_PAGES; i++) {
            CHECK_EQ(rights_has_pages(h.d, mfn(i), 1), model[i]);
            CHECK_EQ(rights_has_pages(h.d, mfn(i), 2), model[i] && model[i + 1]);
        }
    }
    toolstack_end(&h.t);
}

/* More pieces than there is room for: refused whole, in either direction. */
TEST(rights_in_too_many_pieces)
{
    struct host h = host_begin();

    for (uint32_t i = 0; i < 32; i++) {
        CHECK_EQ(rights_set_pages(h.d, mfn(i * 10), 3, true), 0);
    }
    CHECK_EQ(rights_set_pages(h.d, mfn(1000), 1, true), -XEN_ENOMEM);
    CHECK_EQ(rights_set_pages(h.d, mfn(1), 1, false), -XEN_ENOMEM);
    CHECK(rights_has_pages(h.d, mfn(0), 3));
    CHECK_EQ(rights_set_pages(h.d, mfn(3), 7, true), 0); /* joins two */
    CHECK(rights_has_pages(h.d, mfn(0), 13));
    CHECK_EQ(rights_set_pages(h.d, mfn(1), 1, false), 0);
    CHECK(!rights_has_pages(h.d, mfn(0), 2) && rights_has_pages(h.d, mfn(2), 11));
    toolstack_end(&h.t);
}

TEST_ALLOC(without_memory_there_are_no_rights)
{
    struct toolstack t = toolstack_begin(1);
    bool edge;

    world_inject(t.w, true);
    int pages = rights_set_pages(t.d, mfn(5), 1, true);
    int irq = rights_set_irq(t.d, 5, false, true);
    world_inject(t.w, false);
    CHECK(pages == 0 || (pages == -XEN_ENOMEM && unit_injected()));
    CHECK_EQ(rights_has_pages(t.d, mfn(5), 1), pages == 0);
    CHECK_EQ(rights_has_irq(t.d, 5, &edge), irq == 0);
    toolstack_end(&t);
}
