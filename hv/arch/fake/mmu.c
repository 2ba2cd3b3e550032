/* SPDX-License-Identifier: MIT */
/*
 * Memory of the fake machine: an arena, and a shadow of it that holds what an
 * observer with caches off would read. Cleaning copies lines to the shadow,
 * which is kept complemented: memory never cleaned reads as ones there.
 */
#include <arch/impl/fake.h>
#include <arch/mmu.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "fake.h"

#define LINE 64
#define FAKE_PA_BITS 48

void *arch_frame_map(mfn_t m)
{
    uint64_t off = (m.n << PAGE_SHIFT) - FAKE_RAM_BASE;

    if (m.n > UINT64_MAX >> PAGE_SHIFT || off >= fake_machine->ram_size) {
        fake_violation("a frame that is no RAM is mapped");
        return fake_machine->device;
    }
    return fake_machine->ram + off;
}

void arch_frame_unmap(void *va) {}

mfn_t arch_frame_of(const void *va)
{
    uint64_t off = (uint64_t)((const uint8_t *)va - fake_machine->ram);

    if (off >= fake_machine->ram_size) {
        fake_violation("an address that is no RAM is taken for a frame");
    }
    return mfn((FAKE_RAM_BASE + off) >> PAGE_SHIFT);
}

uint8_t *fake_shadow(const void *va)
{
    return fake_machine->shadow + ((const uint8_t *)va - fake_machine->ram);
}

int arch_map_ram(struct hv *hv, hpa_t start, uint64_t size)
{
    bool inside = start.a >= FAKE_RAM_BASE && size <= fake_machine->ram_size &&
                  start.a - FAKE_RAM_BASE <= fake_machine->ram_size - size;

    return inside ? 0 : -XEN_EINVAL;
}

/* Takes note of it only: what lies at va, the test has put there. */
int arch_map(struct hv *hv, uintptr_t va, hpa_t start, uint64_t size, bool writable)
{
    struct fake_machine *m = fake_machine;

    if (size == 0 || !IS_ALIGNED(va | start.a | size, PAGE_SIZE)) {
        fake_violation("arch_map() of what is no page");
    }
    if (hv->frames.total != 0) { /* a table may be needed */
        mfn_t table = frame_alloc(hv, 0, 0);

        if (mfn_is_none(table)) {
            return -XEN_ENOMEM;
        }
        frame_free(hv, table, 0);
    }
    if (m->nr_mapped == ARRAY_SIZE(m->mapped)) {
        return -XEN_ENOMEM;
    }
    m->mapped[m->nr_mapped++] = (struct fake_mapping){ va, start.a, size, writable };
    return 0;
}

uintptr_t arch_map_device(struct hv *hv, hpa_t start, uint64_t size)
{
    uint64_t off = start.a & ~PAGE_MASK, last = start.a + size - 1;
    bool possible = size != 0 && last >= start.a && last >> FAKE_PA_BITS == 0 &&
                    size <= sizeof(fake_machine->device) - off;

    return possible ? (uintptr_t)fake_machine->device + off : 0;
}

void arch_cache_clean(const void *va, size_t size)
{
    const uint8_t *p = (const uint8_t *)ALIGN_DOWN((uintptr_t)va, LINE);
    const uint8_t *end = (const uint8_t *)ALIGN_UP((uintptr_t)va + size, LINE);
    uint8_t *s = fake_shadow(p);

    for (; size != 0 && p < end; p++) {
        *s++ = (uint8_t) ~*p;
    }
}

void arch_cache_clean_code(const void *va, size_t size) { arch_cache_clean(va, size); }
void arch_cache_clean_invalidate(const void *va, size_t size) { arch_cache_clean(va, size); }

void arch_clear_pages(void *va, size_t size, bool clean)
{
    if (!IS_ALIGNED((uintptr_t)va | size, PAGE_SIZE)) {
        fake_violation("arch_clear_pages() of what is no page");
    }
    memset(va, 0, size);
    fake_stage2_cleared(va, size);
    if (clean) {
        memset(fake_shadow(va), 0xff, size);
    }
}
