/* SPDX-License-Identifier: MIT */
/* mm/guest_copy.c: what may be copied where, across pages and blocks, and cleaning. */
#include <stdlib.h>

#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/guest_copy.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

#define PAGES 512

/* A guest with 2 MiB of RAM at 2 MiB, a read-only page at 16, a device at 32. */
struct guest {
    struct world w;
    struct vcpu *v;
    struct domain *d;
    mfn_t ram, rom;
};

static bool begin(struct guest *g)
{
    world_init(&g->w, 1, 16);
    g->v = world_guest(&g->w);
    if (g->v == NULL) {
        world_fini(&g->w);
        return false;
    }
    g->d = g->v->domain;
    world_inject(&g->w, false);
    g->ram = frame_alloc(g->w.hv, 9, 0);
    g->rom = frame_alloc(g->w.hv, 0, FRAME_ALLOC_ZERO);
    CHECK_EQ(p2m_map(g->d, gfn(PAGES), g->ram, PAGES, P2M_RAM_RW), 0);
    CHECK_EQ(p2m_map(g->d, gfn(16), g->rom, 1, P2M_RAM_RO), 0);
    CHECK_EQ(p2m_map(g->d, gfn(32), mfn(0x9000), 1, P2M_MMIO_DIRECT), 0);
    world_inject(&g->w, true);
    return true;
}

static void end(struct guest *g)
{
    frame_free(g->w.hv, g->ram, 9);
    frame_free(g->w.hv, g->rom, 0);
    world_guest_end(&g->w, g->v);
    world_fini(&g->w);
}

static struct guest_ref ref(uint64_t addr) { return (struct guest_ref){ addr }; }

#define RAM (PAGES * PAGE_SIZE)
#define RAM_END (2 * PAGES * PAGE_SIZE)
#define ROM (16 * PAGE_SIZE)
#define DEVICE (32 * PAGE_SIZE)

TEST(bytes_arrive_across_pages)
{
    struct guest g;
    uint8_t out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];
    static const struct {
        uint64_t at;
        size_t size;
    } copies[] = {
        { 0, 16 },
        { PAGE_SIZE - 8, 16 },
        { 5, 3 * PAGE_SIZE - 10 },
        { PAGE_SIZE, PAGE_SIZE },
        { RAM_END - RAM - 1, 1 },
        { 7, 0 },
    };

    REQUIRE(begin(&g));
    g.v->arch.va_base = 0xffff000000000000;
    for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
        struct guest_ref r = ref(g.v->arch.va_base + RAM + copies[i].at);

        for (size_t k = 0; k < copies[i].size; k++) {
            out[k] = (uint8_t)(k * 7 + i);
        }
        memset(in, 0, sizeof(in));
        CHECK_EQ(guest_copy_to(g.v, r, out, copies[i].size), 0);
        CHECK_EQ(guest_copy_from(g.v, in, r, copies[i].size), 0);
        CHECK(memcmp(in, out, copies[i].size) == 0);
        memset(in, 0, sizeof(in));
        CHECK_EQ(guest_phys_read(g.d, in, gpa(RAM + copies[i].at), copies[i].size), 0);
        CHECK(memcmp(in, out, copies[i].size) == 0);
        CHECK(fake_guest_read(g.v, gpa(RAM + copies[i].at), in, copies[i].size));
        CHECK(memcmp(in, out, copies[i].size) == 0);
    }
    end(&g);
}

TEST(only_ram_that_the_guest_may_access)
{
    struct guest g;
    uint64_t x = 5;

    REQUIRE(begin(&g));
    CHECK_EQ(guest_copy_from(g.v, &x, ref(ROM), 8), 0);
    CHECK_EQ(x, 0u);
    CHECK_EQ(guest_copy_to(g.v, ref(ROM), &x, 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(DEVICE), 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_to(g.v, ref(DEVICE), &x, 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(RAM_END - 4), 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_to(g.v, ref(RAM_END - 4), &x, 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(RAM - 4), 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(UINT64_MAX - 3), 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(RAM), SIZE_MAX), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(UINT64_C(1) << 40), 8), -XEN_EFAULT);
    /* RAM that the guest's own tables make read-only. */
    g.v->arch.va_ro = RAM + PAGE_SIZE;
    CHECK_EQ(guest_copy_to(g.v, ref(RAM), &x, 8), -XEN_EFAULT);
    CHECK_EQ(guest_copy_from(g.v, &x, ref(RAM), 8), 0);
    CHECK_EQ(guest_copy_to(g.v, ref(RAM + PAGE_SIZE), &x, 8), 0);

    CHECK_EQ(guest_phys_read(g.d, &x, gpa(DEVICE), 8), -XEN_EFAULT);
    CHECK_EQ(guest_phys_read(g.d, &x, gpa(RAM_END - 4), 8), -XEN_EFAULT);
    CHECK_EQ(guest_phys_read(g.d, &x, gpa(UINT64_MAX), 2), -XEN_EFAULT);
    CHECK_EQ(guest_phys_write(g.d, gpa(ROM), &x, 8, false), -XEN_EFAULT);
    CHECK_EQ(guest_phys_write(g.d, gpa(UINT64_MAX), &x, 2, false), -XEN_EFAULT);
    CHECK_EQ(guest_phys_clear(g.d, gpa(ROM), 8, false), -XEN_EFAULT);
    CHECK_EQ(guest_phys_clear(g.d, gpa(RAM_END - 8), 16, false), -XEN_EFAULT);
    CHECK_EQ(guest_phys_clear(g.d, gpa(16), UINT64_MAX, false), -XEN_EFAULT);
    end(&g);
}

TEST(a_shared_word)
{
    struct guest g;
    struct guest_shared s = { NULL };
    uint64_t x = 0;

    REQUIRE(begin(&g));
    CHECK_EQ(guest_share(g.d, gpa(RAM + 4), 8, &s), -XEN_EINVAL);
    CHECK_EQ(guest_share(g.d, gpa(ROM), 8, &s), -XEN_EFAULT);
    CHECK_EQ(guest_share(g.d, gpa(DEVICE), 8, &s), -XEN_EFAULT);
    CHECK_EQ(guest_share(g.d, gpa(RAM_END), 8, &s), -XEN_EFAULT);
    CHECK_EQ(guest_share(g.d, gpa(UINT64_MAX - 7), 8, &s), -XEN_EFAULT);
    CHECK(!guest_is_shared(&s));
    CHECK_EQ(guest_share(g.d, gpa(RAM_END - 8), 8, &s), 0);
    guest_shared_store(&s, 0x1122334455667788);
    CHECK(fake_guest_read(g.v, gpa(RAM_END - 8), &x, sizeof(x)));
    CHECK_EQ(x, 0x1122334455667788);
    /* What cannot be shared leaves the old place; another one takes over. */
    CHECK_EQ(guest_share(g.d, gpa(ROM), 8, &s), -XEN_EFAULT);
    CHECK(guest_is_shared(&s));
    CHECK_EQ(guest_share(g.d, gpa(RAM), 8, &s), 0);
    guest_shared_store(&s, 1);
    CHECK(fake_guest_read(g.v, gpa(RAM_END - 8), &x, sizeof(x)));
    CHECK_EQ(x, 0x1122334455667788);
    guest_unshare(g.d, &s);
    guest_unshare(g.d, &s);
    CHECK(!guest_is_shared(&s));
    end(&g);
}

TEST(what_is_cleaned_is_seen_without_caches)
{
    struct guest g;
    static uint8_t data[300000], seen[300000];

    REQUIRE(begin(&g));
    memset(data, 0x3c, sizeof(data));
    CHECK_EQ(guest_phys_write(g.d, gpa(RAM + 100), data, sizeof(data), false), 0);
    CHECK(fake_guest_read_uncached(g.v, gpa(RAM + 100), seen, sizeof(seen)));
    CHECK(seen[0] != 0x3c && seen[sizeof(seen) - 1] != 0x3c);
    CHECK_EQ(guest_phys_write(g.d, gpa(RAM + 100), data, sizeof(data), true), 0);
    CHECK(fake_guest_read_uncached(g.v, gpa(RAM + 100), seen, sizeof(seen)));
    CHECK(memcmp(seen, data, sizeof(data)) == 0);
    end(&g);
}

TEST(clearing_touches_what_was_asked_for)
{
    struct guest g;
    static uint8_t all[PAGES * PAGE_SIZE];
    static const struct {
        uint64_t at, size;
    } ranges[] = {
        { 0, PAGES * PAGE_SIZE },
        { 1, 100 },
        { PAGE_SIZE - 1, 2 },
        { 100, 5 * PAGE_SIZE },
        { 3 * PAGE_SIZE, PAGE_SIZE },
        { 3 * PAGE_SIZE, PAGE_SIZE + 1 },
        { 9, 0 },
        { 4095, PAGES * PAGE_SIZE - 4096 },
    };

    REQUIRE(begin(&g));
    for (size_t i = 0; i < ARRAY_SIZE(ranges) * 2; i++) {
        uint64_t at = ranges[i / 2].at, size = ranges[i / 2].size;
        bool clean = i & 1, good = true;

        memset(all, 0xff, sizeof(all));
        CHECK_EQ(guest_phys_write(g.d, gpa(RAM), all, sizeof(all), clean), 0);
        CHECK_EQ(guest_phys_clear(g.d, gpa(RAM + at), size, clean), 0);
        if (clean) {
            CHECK(fake_guest_read_uncached(g.v, gpa(RAM), all, sizeof(all)));
        } else {
            CHECK_EQ(guest_phys_read(g.d, all, gpa(RAM), sizeof(all)), 0);
        }
        for (uint64_t k = 0; k < sizeof(all); k++) {
            good = good && all[k] == (k - at < size ? 0 : 0xff);
        }
        CHECK(good);
    }
    end(&g);
}
