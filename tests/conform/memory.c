/* SPDX-License-Identifier: MIT */
/* arch/mmu.h: frames, clearing, device registers. */
#include <arch/boot.h>
#include <arch/mmu.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "conform.h"

#define ORDER 3
#define FRAMES (1u << ORDER)

static void frames_go_and_come_back(struct conform *c)
{
    mfn_t m = frame_alloc(c->hv, ORDER, 0);

    NEED(c, !mfn_is_none(m));
    uint8_t *base = arch_frame_map(m);

    EXPECT(c, IS_ALIGNED((uintptr_t)base, PAGE_SIZE));
    for (uint32_t i = 0; i < FRAMES; i++) {
        EXPECT(c, arch_frame_map(mfn_add(m, i)) == base + i * PAGE_SIZE);
        EXPECT(c, mfn_eq(arch_frame_of(base + i * PAGE_SIZE), mfn_add(m, i)));
        EXPECT(c, mfn_eq(arch_frame_of(base + (i + 1) * PAGE_SIZE - 1), mfn_add(m, i)));
    }
    arch_frame_unmap(base + 5);
    frame_free(c->hv, m, ORDER);
}

static void frames_are_apart(struct conform *c)
{
    mfn_t m = frame_alloc(c->hv, ORDER, 0);

    NEED(c, !mfn_is_none(m));
    for (uint32_t i = 0; i < FRAMES; i++) {
        memset(arch_frame_map(mfn_add(m, i)), (int)(0x40 + i), PAGE_SIZE);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        const uint8_t *p = arch_frame_map(mfn_add(m, i));

        EXPECT(c, p[0] == 0x40 + i && p[PAGE_SIZE - 1] == 0x40 + i);
    }
    frame_free(c->hv, m, ORDER);
}

static bool all_are(const uint8_t *p, size_t size, uint8_t value)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != value) {
            return false;
        }
    }
    return true;
}

static void pages_are_cleared_whole_and_alone(struct conform *c)
{
    mfn_t m = frame_alloc(c->hv, ORDER, 0);

    NEED(c, !mfn_is_none(m));
    uint8_t *base = arch_frame_map(m);

    for (uint32_t pages = 1; pages <= FRAMES - 2; pages += 2) {
        for (uint32_t clean = 0; clean < 2; clean++) {
            size_t size = pages * PAGE_SIZE;

            memset(base, 0xa5, FRAMES * PAGE_SIZE);
            arch_clear_pages(base + PAGE_SIZE, size, clean);
            EXPECT(c, all_are(base, PAGE_SIZE, 0xa5));
            EXPECT(c, all_are(base + PAGE_SIZE, size, 0));
            EXPECT(c, all_are(base + PAGE_SIZE + size, (FRAMES - 1) * PAGE_SIZE - size, 0xa5));
        }
    }
    frame_free(c->hv, m, ORDER);
}

/* What is cached is not lost by cleaning it, whatever lines it touches. */
static void cleaning_keeps_the_contents(struct conform *c)
{
    mfn_t m = frame_alloc(c->hv, 0, 0);

    NEED(c, !mfn_is_none(m));
    uint8_t *p = arch_frame_map(m);

    memset(p, 0x3c, PAGE_SIZE);
    arch_cache_clean(p + 3, 1);
    arch_cache_clean(p, 0);
    arch_cache_clean(p + 100, 1000);
    arch_cache_clean_code(p + 7, PAGE_SIZE - 7);
    EXPECT(c, all_are(p, PAGE_SIZE, 0x3c));
    frame_free(c->hv, m, 0);
}

static void ram_that_cannot_be_is_refused(struct conform *c)
{
    EXPECT(c, arch_map_ram(c->hv, hpa(UINT64_MAX & PAGE_MASK), 2 * PAGE_SIZE) == -XEN_EINVAL);
    EXPECT(c, arch_map_ram(c->hv, hpa(BIT(60)), PAGE_SIZE) == -XEN_EINVAL);
    EXPECT(c, arch_map_ram(c->hv, hpa(PAGE_SIZE), UINT64_MAX - 2 * PAGE_SIZE) == -XEN_EINVAL);
}

static void devices_that_cannot_be_are_refused(struct conform *c)
{
    hpa_t at = hpa(0x10000000);

    EXPECT(c, arch_map_device(c->hv, at, 0) == 0);
    EXPECT(c, arch_map_device(c->hv, at, UINT64_MAX) == 0);
    EXPECT(c, arch_map_device(c->hv, at, UINT64_MAX - at.a + 1) == 0);
    EXPECT(c, arch_map_device(c->hv, hpa(UINT64_MAX - 7), 8) == 0);
    EXPECT(c, arch_map_device(c->hv, hpa(BIT(60)), PAGE_SIZE) == 0);
}

/* The interrupt controller is a device that every machine has. */
static void a_device_can_be_read(struct conform *c)
{
    uint64_t size = 0;
    hpa_t at;

    NEED(c, arch_private_range(c->hv, 0, &at, &size));
    NEED(c, size >= 8);
    uintptr_t first = arch_map_device(c->hv, at, 4);
    uintptr_t second = arch_map_device(c->hv, hpa_add(at, 4), 4);

    NEED(c, first != 0 && second != 0);
    EXPECT(c, (first & 7) == (at.a & 7));
    EXPECT(c, (second & 7) == ((at.a + 4) & 7));
    (void)*(volatile uint32_t *)first;
    (void)*(volatile uint32_t *)second;
}

static const struct conform_test tests[] = {
    { "mmu: frames go and come back", frames_go_and_come_back, false },
    { "mmu: frames are apart", frames_are_apart, false },
    { "mmu: pages are cleared whole and alone", pages_are_cleared_whole_and_alone, false },
    { "mmu: cleaning keeps the contents", cleaning_keeps_the_contents, false },
    { "mmu: RAM that cannot be is refused", ram_that_cannot_be_is_refused, false },
    { "mmu: devices that cannot be are refused", devices_that_cannot_be_are_refused, false },
    { "mmu: a device can be read", a_device_can_be_read, true },
};
const struct conform_group conform_memory = { tests, ARRAY_SIZE(tests) };
