/* SPDX-License-Identifier: MIT */
/* core/iommu.c, and that mm/p2m.c and core/domain.c call it when they must. */
#include "dom.h"

#include <loam/fdt_write.h>
#include <loam/iommu.h>

/* An IOMMU that remembers what it was told. */
struct model {
    struct iommu iommu;
    struct domain *owner[8]; /* by stream */
    mfn_t ram; /* of the domain attached last */
    uint32_t attaches, detaches, flushes;
    int result; /* of the next attach */
};

static int model_attach(struct iommu *x, uint32_t stream, struct domain *d)
{
    struct model *m = container_of(x, struct model, iommu);

    CHECK(spin_is_locked(&x->lock) && spin_is_locked(&d->p2m.lock));
    if (m->result == 0) {
        m->attaches++;
        m->owner[stream] = d;
        m->ram = p2m_lookup_locked(d, gpa_to_gfn(gpa(DOM_RAM)), NULL, NULL);
    }
    return m->result;
}

static void model_detach(struct iommu *x, uint32_t stream, struct domain *d)
{
    struct model *m = container_of(x, struct model, iommu);

    CHECK(m->owner[stream] == d);
    CHECK(frame_lookup(d->hv, m->ram)->owner == d); /* still its own */
    m->owner[stream] = NULL;
    m->detaches++;
}

static void model_flush(struct iommu *x, struct domain *d)
{
    struct model *m = container_of(x, struct model, iommu);

    CHECK(spin_is_locked(&d->p2m.lock));
    m->flushes++;
}

static const struct iommu_ops model_ops = { model_attach, model_detach, model_flush };

static void model_init(struct model *m, struct hv *hv, uint32_t phandle, const char *name)
{
    memset(m, 0, sizeof(*m));
    m->iommu.ops = &model_ops;
    m->iommu.hv = hv;
    m->iommu.phandle = phandle;
    strcpy(m->iommu.name, name);
    iommu_register(&m->iommu);
}

TEST_ALLOC(attached_flushed_detached)
{
    struct world *w = dom_world(1);
    struct model one, two;
    model_init(&one, w->hv, 1, "one");
    model_init(&two, w->hv, 2, "two");
    const struct iommu_stream a = { &one.iommu, 3 }, b = { &one.iommu, 4 }, c = { &two.iommu, 3 };
    world_inject(w, true);
    struct domain *d = dom_create(w, "dom1", 1, false);
    if (d != NULL) {
        CHECK(!iommu_guards(d));
        CHECK_EQ(p2m_unmap(d, gpa_to_gfn(gpa(0x10000000)), 1), 0);
        CHECK_EQ(one.flushes, 0);
        int rc = iommu_attach(d, &a, "a");
        rc = rc ? rc : iommu_attach(d, &b, "b");
        rc = rc ? rc : iommu_attach(d, &c, "c");
        CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
        if (rc == 0) {
            CHECK(iommu_guards(d) && one.owner[3] == d && one.owner[4] == d && two.owner[3] == d);
            /* A page that is unmapped: once each, however many devices there are. */
            rc = p2m_unmap(d, gpa_to_gfn(gpa(0x10000000)), 1);
            CHECK(one.flushes == 1 && two.flushes == 1);
            CHECK(rc == 0);
        }
        dom_destroy(w, d);
        CHECK_EQ(one.detaches, one.attaches);
        CHECK_EQ(two.detaches, two.attaches);
    }
    world_destroy(w);
}

/* Splitting a block takes it away for a moment: that is a flush as well. */
TEST(a_block_is_split)
{
    struct world *w = dom_world(1);
    struct model one;
    model_init(&one, w->hv, 1, "one");
    const struct iommu_stream a = { &one.iommu, 3 };
    struct domain *d = dom_create(w, "dom1", 1, false);
    REQUIRE(d != NULL && iommu_attach(d, &a, "a") == 0);
    REQUIRE(p2m_map(d, gfn(0x80000), mfn(0x90000), 512, P2M_MMIO_DIRECT) == 0);
    CHECK_EQ(one.flushes, 0);
    CHECK_EQ(p2m_unmap(d, gfn(0x80000), 1), 0);
    CHECK_EQ(one.flushes, 2);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(who_may_have_a_stream)
{
    struct world *w = dom_world(1);
    struct model one;
    model_init(&one, w->hv, 1, "one");
    const struct iommu_stream a = { &one.iommu, 3 };
    struct domain *d = dom_create(w, "dom1", 1, false), *e = dom_create(w, "dom2", 1, false);
    REQUIRE(d != NULL && e != NULL);
    one.result = -XEN_EOPNOTSUPP;
    CHECK_EQ(iommu_attach(d, &a, "a"), -XEN_EOPNOTSUPP);
    CHECK(!iommu_guards(d));
    one.result = 0;
    CHECK_EQ(iommu_attach(d, &a, "a"), 0);
    CHECK_EQ(iommu_attach(d, &a, "a"), -XEN_EBUSY);
    CHECK_EQ(iommu_attach(e, &a, "a"), -XEN_EBUSY);
    dom_destroy(w, d);
    CHECK_EQ(iommu_attach(e, &a, "a"), 0);
    iommu_detach_all(e);
    iommu_detach_all(e);
    CHECK_EQ(one.detaches, 2);
    dom_destroy(w, e);
    world_destroy(w);
}

TEST(streams_of_pci_devices)
{
    static const uint32_t map[] = { 0, 5, 0x100, 0x10, 0x10, 6, 0, 0x10 };
    struct world *w = dom_world(1);
    struct model one;
    struct iommu_stream s;
    struct fdt_writer f;
    struct fdt tree;
    uint64_t blob[128];
    model_init(&one, w->hv, 5, "one");
    fdt_write_begin(&f, blob, sizeof(blob));
    fdt_write_begin_node(&f, "");
    fdt_write_prop_cells(&f, "iommu-map", map, ARRAY_SIZE(map));
    fdt_write_end_node(&f);
    int size = fdt_write_finish(&f);
    REQUIRE(size > 0 && fdt_open(&tree, blob, (size_t)size) == 0);
    CHECK_EQ(iommu_find_pci(w->hv, &tree, FDT_ROOT, 8, &s), 0);
    CHECK(s.iommu == &one.iommu && s.id == 0x108);
    CHECK_EQ(iommu_find_pci(w->hv, &tree, FDT_ROOT, 0x11, &s), -XEN_ENOENT); /* not driven */
    CHECK_EQ(iommu_find_pci(w->hv, &tree, FDT_ROOT, 0x20, &s), -XEN_ENOENT);
    world_destroy(w);
}

static void fault(struct model *m, uint32_t stream, uint64_t addr)
{
    spin_lock(&m->iommu.lock);
    iommu_fault_locked(&m->iommu, stream, IOMMU_WRITE, addr, "not mapped");
    spin_unlock(&m->iommu.lock);
}

TEST(faults_are_told_but_not_all)
{
    struct world *w = dom_world(1);
    struct model one;
    model_init(&one, w->hv, 1, "iommu@1");
    const struct iommu_stream a = { &one.iommu, 3 };
    struct domain *d = dom_create(w, "dom1", 1, false);
    REQUIRE(d != NULL && iommu_attach(d, &a, "0000:00:01.0") == 0);
    w->machine.now = 5 * NS_PER_S;
    fault(&one, 3, 0x1234000);
    CHECK(world_console_has(w,
                            "iommu: 0000:00:01.0 of dom1: write at 0x1234000 refused: not mapped"));
    fault(&one, 7, 0x2000);
    CHECK(world_console_has(w, "iommu: iommu@1: stream 0x7, no domain's: write at 0x2000 refused"));
    fault(&one, 7, 0x2008); /* the same page */
    CHECK(!world_console_has(w, "at 0x2008"));
    for (uint64_t i = 0; i < 99; i++) {
        fault(&one, 3, i << PAGE_SHIFT);
    }
    CHECK(world_console_has(w, "write at 0x7000 refused"));
    CHECK(!world_console_has(w, "write at 0x8000 refused"));
    CHECK(!world_console_has(w, "not told"));
    w->machine.now += NS_PER_S;
    fault(&one, 3, 0x8000);
    CHECK(world_console_has(w, "iommu: iommu@1: 92 more faults were not told"));
    CHECK(world_console_has(w, "write at 0x8000 refused"));
    dom_destroy(w, d);
    world_destroy(w);
}
