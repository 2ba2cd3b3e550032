/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables (layout.h has the map).
 *
 * boot.S made the first four tables, which map the image; everything else is
 * added here by the boot CPU and never taken away, except that guard pages lose
 * their mapping once. An entry goes from invalid to valid only, so no TLB needs
 * to be told (Arm DDI 0487 D8.14). Tables come from a pool in .bss, later from
 * the frame allocator. Nothing is ever both writable and executable:
 * SCTLR_EL2.WXN is set, and the image's frames have no second mapping.
 */
#include <arch/mmu.h>
#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "host.h"
#include "layout.h"
#include "mmu.h"
#include "sysreg.h"

#define TABLE_ENTRIES 512
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * (3 - (level)))
#define PTE_ADDR BITS(47, 12)

static uint64_t *table_at(const struct arch_host *host, uint64_t pa)
{
    if (pa - host->image_pa < host->image_size) {
        return (uint64_t *)(IMAGE_VA + (pa - host->image_pa));
    }
    return (uint64_t *)(DIRECT_VA + pa);
}

/* An empty table's address, 0 when there is no memory. */
static uint64_t table_create(struct hv *hv)
{
    struct arch_host *host = arch_host(hv);

    if (host->tables_used < PAGE_TABLES) {
        uint64_t *t = page_tables[host->tables_used++];
        memset(t, 0, PAGE_SIZE);
        return host->image_pa + ((uintptr_t)t - IMAGE_VA);
    }
    mfn_t m = hv->frames.total ? frame_alloc(hv, 0, FRAME_ALLOC_ZERO) : MFN_NONE;
    return mfn_is_none(m) ? 0 : mfn_to_hpa(m).a;
}

/* Fills entries of one table from slot on; returns the bytes that are mapped then. */
static uint64_t fill(uint64_t *slot, uint32_t level, uint64_t pa, uint64_t size, uint64_t attr)
{
    uint64_t span = UINT64_C(1) << LEVEL_SHIFT(level);
    uint64_t done = 0;

    attr |= level == 3 ? PTE_TABLE : PTE_BLOCK;
    do {
        /* Walks by hardware see a whole entry; map() orders it before its use. */
        *(volatile uint64_t *)slot++ = (pa + done) | attr;
        done += span;
    } while (size - done >= span && !IS_ALIGNED((uintptr_t)slot, PAGE_SIZE) && *slot == 0);
    return done;
}

/* Maps what entries of one table and level can; returns the bytes, 0: no memory. */
static uint64_t map_some(struct hv *hv, uint64_t va, uint64_t pa, uint64_t size, uint64_t attr)
{
    const struct arch_host *host = arch_host(hv);
    uint64_t *table = page_tables[0];

    for (uint32_t level = 0;; level++) {
        uint64_t span = UINT64_C(1) << LEVEL_SHIFT(level);
        uint64_t *slot = &table[(va >> LEVEL_SHIFT(level)) % TABLE_ENTRIES];
        bool is_table = level < 3 && (*slot & PTE_TABLE) == PTE_TABLE;

        if (*slot != 0 && !is_table) {
            return MIN(span - (va & (span - 1)), size); /* mapped already */
        }
        if (!is_table && level > 0 && size >= span && IS_ALIGNED(va | pa, span)) {
            return fill(slot, level, pa, size, attr);
        }
        if (!is_table) {
            uint64_t next = table_create(hv);
            if (next == 0) {
                return 0;
            }
            dsb(ishst); /* the table is empty before a walk can reach it */
            *(volatile uint64_t *)slot = next | PTE_TABLE;
        }
        table = table_at(host, *slot & PTE_ADDR);
    }
}

/*
 * Maps [va, va + size) to pa with attr (PTE_DATA ...), by the largest blocks that fit; what is
 * mapped stays as it is. Context: boot CPU, while booting. Errors: -XEN_ENOMEM.
 */
static int map(struct hv *hv, uint64_t va, uint64_t pa, uint64_t size, uint64_t attr)
{
    while (size > 0) {
        uint64_t done = map_some(hv, va, pa, size, attr);
        if (done == 0) {
            return -XEN_ENOMEM;
        }
        va += done;
        pa += done;
        size -= done;
    }
    dsb(ishst);
    isb();
    return 0;
}

int arch_map(struct hv *hv, uintptr_t va, hpa_t start, uint64_t size, bool writable)
{
    return map(hv, va, start.a, size, writable ? PTE_DATA : PTE_RODATA);
}

void mmu_unmap_guard(uintptr_t va)
{
    /* In the image, so its level-3 table is the fourth. */
    *(volatile uint64_t *)&page_tables[3][(va - IMAGE_VA) >> PAGE_SHIFT] = 0;
    dsb(ishst);
    __asm__ volatile("tlbi vae2is, %0" ::"r"(va >> PAGE_SHIFT) : "memory");
    dsb(ish);
    isb();
}

void *arch_frame_map(mfn_t m)
{
    return (void *)(DIRECT_VA + (m.n << PAGE_SHIFT));
}

void arch_frame_unmap(void *va)
{
    (void)va;
}

mfn_t arch_frame_of(const void *va)
{
    return mfn(((uintptr_t)va - DIRECT_VA) >> PAGE_SHIFT);
}

static int map_direct(struct hv *hv, uint64_t start, uint64_t end)
{
    return start < end ? map(hv, DIRECT_VA + start, start, end - start, PTE_DATA) : 0;
}

int arch_map_ram(struct hv *hv, hpa_t start, uint64_t size)
{
    const struct arch_host *host = arch_host(hv);
    uint64_t first = ALIGN_UP(start.a, PAGE_SIZE);
    uint64_t end = ALIGN_DOWN(start.a + size, PAGE_SIZE);
    uint64_t image_end = host->image_pa + host->image_size;

    if (end < start.a || end > DIRECT_PA_MAX || (end - 1) >> host->pa_bits) {
        return -XEN_EINVAL;
    }
    int rc = map_direct(hv, first, MIN(end, host->image_pa));
    return rc ? rc : map_direct(hv, MAX(first, image_end), end);
}

uintptr_t arch_map_device(struct hv *hv, hpa_t start, uint64_t size)
{
    struct arch_host *host = arch_host(hv);
    uint64_t pa = ALIGN_DOWN(start.a, PAGE_SIZE);
    uint64_t end = ALIGN_UP(start.a + size, PAGE_SIZE);
    /* The same offset in 2 MiB as the registers have, so that blocks can be used. */
    uint64_t va = ALIGN_DOWN(host->device_next, 2 * MIB) + (pa & (2 * MIB - 1));

    if (va < host->device_next) {
        va += 2 * MIB;
    }
    if (size == 0 || end <= pa || (end - 1) >> host->pa_bits ||
        end - pa > DEVICE_VA + DEVICE_VA_SIZE - va || map(hv, va, pa, end - pa, PTE_REGS)) {
        return 0;
    }
    host->device_next = va + (end - pa) + PAGE_SIZE;
    return va + (start.a - pa);
}

/* log2 of bytes, from CTR_EL0: DminLine (19:16) or IminLine (3:0), in words of 4. */
static uint32_t line_size(uint32_t shift)
{
    return 4u << ((sysreg_read(ctr_el0) >> shift) & 0xf);
}

void arch_cache_clean(const void *va, size_t size)
{
    uint64_t line = line_size(16);
    uintptr_t end = (uintptr_t)va + size;

    for (uintptr_t a = ALIGN_DOWN((uintptr_t)va, line); a < end; a += line) {
        __asm__ volatile("dc cvac, %0" ::"r"(a) : "memory");
    }
    dsb(sy);
}

void arch_cache_clean_invalidate(const void *va, size_t size)
{
    uint64_t line = line_size(16);
    uintptr_t end = (uintptr_t)va + size;

    for (uintptr_t a = ALIGN_DOWN((uintptr_t)va, line); a < end; a += line) {
        __asm__ volatile("dc civac, %0" ::"r"(a) : "memory");
    }
    dsb(sy);
}

void arch_cache_clean_code(const void *va, size_t size)
{
    arch_cache_clean(va, size);
    __asm__ volatile("ic ialluis" ::: "memory");
    dsb(ish);
    isb();
}

/* An instruction for eight lines or blocks from a on. */
#define FOR_EIGHT(op, a, step) \
    __asm__ volatile(op ", %0\n\t" op ", %1\n\t" op ", %2\n\t" op ", %3\n\t" op ", %4\n\t" op \
                        ", %5\n\t" op ", %6\n\t" op ", %7" ::"r"(a), \
                     "r"((a) + (step)), "r"((a) + 2 * (step)), "r"((a) + 3 * (step)), \
                     "r"((a) + 4 * (step)), "r"((a) + 5 * (step)), "r"((a) + 6 * (step)), \
                     "r"((a) + 7 * (step)) \
                     : "memory")

static void clean_pages(uintptr_t a, uintptr_t end)
{
    uint64_t line = line_size(16);

    for (; a < end; a += 8 * line) { /* a page has 8 lines at least */
        FOR_EIGHT("dc cvac", a, line);
    }
    dsb(sy);
}

static void zero_pages(uintptr_t a, uintptr_t end, uint64_t block)
{
    if (8 * block > PAGE_SIZE) { /* a block has 2 KiB at most */
        for (; a < end; a += block) {
            __asm__ volatile("dc zva, %0" ::"r"(a) : "memory");
        }
    }
    for (; a < end; a += 8 * block) {
        FOR_EIGHT("dc zva", a, block);
    }
}

/* With FEAT_S2FWB guests' accesses are cacheable whatever they ask for: see stage2.c. */
static bool guests_miss_caches(void) { return !arch_host(this_pcpu()->hv)->has_fwb; }

void arch_clear_pages(void *va, size_t size, bool clean)
{
    uintptr_t start = (uintptr_t)va;
    uint64_t dczid = sysreg_read(dczid_el0);

    if (dczid & BIT(4)) { /* prohibited */
        memset(va, 0, size);
    } else {
        zero_pages(start, start + size, 4u << (dczid & 0xf));
    }
    if (clean && guests_miss_caches()) {
        clean_pages(start, start + size);
    }
}
