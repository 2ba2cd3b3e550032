/* SPDX-License-Identifier: MIT */
/* core/mmio.c: the table stays sorted, without overlap, and each address finds its region. */
#include <loam/domain.h>
#include <loam/mmio.h>
#include <xen/errno.h>

#include "unit.h"

static const struct mmio_ops ops;

static int add(struct domain *d, uint64_t base, uint64_t size)
{
    return mmio_register(d, gpa(base), size, &ops, d);
}

static struct domain *domain(void)
{
    static struct domain d;

    memset(&d, 0, sizeof(d));
    return &d;
}

TEST(regions_are_sorted_and_found)
{
    struct domain *d = domain();

    CHECK_EQ(add(d, 0x3000, 0x1000), 0);
    CHECK_EQ(add(d, 0x1000, 0x1000), 0);
    CHECK_EQ(add(d, 0x2000, 0x10), 0);
    CHECK_EQ(d->mmio.nr, 3);
    for (uint32_t i = 1; i < 3; i++) {
        CHECK(d->mmio.region[i - 1].base.a < d->mmio.region[i].base.a);
    }
    CHECK(mmio_find(d, gpa(0xfff)) == NULL);
    CHECK_EQ(mmio_find(d, gpa(0x1000))->base.a, 0x1000);
    CHECK_EQ(mmio_find(d, gpa(0x1fff))->base.a, 0x1000);
    CHECK_EQ(mmio_find(d, gpa(0x200f))->base.a, 0x2000);
    CHECK(mmio_find(d, gpa(0x2010)) == NULL);
    CHECK_EQ(mmio_find(d, gpa(0x3fff))->base.a, 0x3000);
    CHECK(mmio_find(d, gpa(0x4000)) == NULL);
    CHECK(mmio_find(d, gpa(UINT64_MAX)) == NULL);
}

TEST(an_overlap_is_refused_and_changes_nothing)
{
    struct domain *d = domain();

    CHECK_EQ(add(d, 0x2000, 0x1000), 0);
    CHECK_EQ(add(d, 0x2000, 0x1000), -XEN_EEXIST);
    CHECK_EQ(add(d, 0x1000, 0x1001), -XEN_EEXIST);
    CHECK_EQ(add(d, 0x2fff, 1), -XEN_EEXIST);
    CHECK_EQ(add(d, 0, 0x100000), -XEN_EEXIST);
    CHECK_EQ(d->mmio.nr, 1);
    CHECK_EQ(add(d, 0x1000, 0x1000), 0);
    CHECK_EQ(add(d, 0x3000, 0x1000), 0);
    CHECK_EQ(add(d, 0x1800, 0x1000), -XEN_EEXIST);
    CHECK_EQ(d->mmio.nr, 3);
}

TEST(an_empty_or_wrapping_range_is_refused)
{
    struct domain *d = domain();

    CHECK_EQ(add(d, 0x1000, 0), -XEN_EINVAL);
    CHECK_EQ(add(d, UINT64_MAX - 0xfff, 0x2000), -XEN_EINVAL);
    CHECK_EQ(d->mmio.nr, 0);
}

TEST(the_table_is_bounded)
{
    struct domain *d = domain();

    for (uint64_t i = 0; i < MMIO_REGIONS_MAX; i++) {
        CHECK_EQ(add(d, i << 12, 0x1000), 0);
    }
    CHECK_EQ(add(d, UINT64_C(1) << 30, 0x1000), -XEN_ENOSPC);
    CHECK_EQ(d->mmio.nr, MMIO_REGIONS_MAX);
}
