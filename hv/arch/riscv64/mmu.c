/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables (layout.h has the map): Sv39, Sv48 or Sv57.
 *
 * boot.S made the first three tables, which map the image; everything else is
 * added here by the boot CPU and never taken away, except that guard pages lose
 * their mapping once. An entry goes from invalid to valid only; as a CPU may
 * keep invalid ones, each mapping ends with a fence (Priv. spec 12.2.1), and CPUs that
 * start later have seen nothing. Tables come from a pool in .bss, later from the
 * frame allocator. Nothing is ever both writable and executable, and the image's
 * frames have no second mapping.
 */
#include <arch/mmu.h>
#include <loam/bits.h>
#include <loam/fdt.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "csr.h"
#include "fences.h"
#include "host.h"
#include "mmu.h"

#define TABLE_ENTRIES 512
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * (level))
#define PA_BITS 56

static bool is_leaf(uint64_t pte) { return pte & (PTE_R | PTE_W | PTE_X); }

static uint64_t pte_pa(uint64_t pte)
{
    return (pte & BITS(53, PTE_PPN_SHIFT)) << (PAGE_SHIFT - PTE_PPN_SHIFT);
}

static uint64_t make_pte(uint64_t pa, uint64_t attr)
{
    return pa >> (PAGE_SHIFT - PTE_PPN_SHIFT) | attr;
}

static uint64_t image_pa_of(const struct arch_host *host, const void *va)
{
    return host->image_pa + ((uintptr_t)va - IMAGE_VA);
}

static uint64_t *table_at(const struct arch_host *host, uint64_t pa)
{
    if (pa - host->image_pa < host->image_size) {
        return (uint64_t *)(IMAGE_VA + (pa - host->image_pa));
    }
    return (uint64_t *)(host->direct_va + pa);
}

void mmu_init(struct arch_host *host)
{
    host->levels = 3;
    host->direct_va = DIRECT_VA_SV39;
    host->satp = SATP_MODE(SATP_SV39) | image_pa_of(host, page_tables[0]) >> PAGE_SHIFT;
}

/* A root above the present one, which becomes its last entry. */
static void add_root(struct arch_host *host)
{
    uint64_t old = (host->satp & ATP_PPN) << PAGE_SHIFT;
    uint64_t *root = page_tables[host->tables_used++];

    root[TABLE_ENTRIES - 1] = make_pte(old, PTE_V);
    host->levels++;
    host->satp = SATP_MODE(SATP_SV39 + host->levels - 3) | image_pa_of(host, root) >> PAGE_SHIFT;
}

void mmu_widen(struct arch_host *host)
{
    const char *type = fdt_string(&host->fdt, host->boot_node, "mmu-type");

    if (type != NULL && strcmp(type, "riscv,sv57") == 0) {
        add_root(host);
        add_root(host);
    } else if (type != NULL && strcmp(type, "riscv,sv48") == 0) {
        add_root(host);
    }
    if (host->levels > 3) {
        host->direct_va = DIRECT_VA_SV48;
        fence();
        csr_write(satp, host->satp);
        fence_translations();
    }
}

/* An empty table's address, 0 when there is no memory. */
static uint64_t table_create(struct hv *hv)
{
    struct arch_host *host = arch_host(hv);

    if (host->tables_used < PAGE_TABLES) {
        return image_pa_of(host, page_tables[host->tables_used++]);
    }
    mfn_t m = hv->frames.total ? frame_alloc(hv, 0, FRAME_ALLOC_ZERO) : MFN_NONE;
    return mfn_is_none(m) ? 0 : mfn_to_hpa(m).a;
}

/* Fills entries of one table from slot on; returns the bytes that are mapped then. */
static uint64_t fill(uint64_t *slot, uint32_t level, uint64_t pa, uint64_t size, uint64_t attr)
{
    uint64_t span = UINT64_C(1) << LEVEL_SHIFT(level);
    uint64_t done = 0;

    do {
        *(volatile uint64_t *)slot++ = make_pte(pa + done, attr);
        done += span;
    } while (size - done >= span && !IS_ALIGNED((uintptr_t)slot, PAGE_SIZE) && *slot == 0);
    return done;
}

/* Maps what entries of one table and level can; returns the bytes, 0: no memory. */
static uint64_t map_some(struct hv *hv, uint64_t va, uint64_t pa, uint64_t size, uint64_t attr)
{
    const struct arch_host *host = arch_host(hv);
    uint64_t *table = table_at(host, (host->satp & ATP_PPN) << PAGE_SHIFT);

    for (uint32_t level = host->levels - 1u;; level--) {
        uint64_t span = UINT64_C(1) << LEVEL_SHIFT(level);
        uint64_t *slot = &table[(va >> LEVEL_SHIFT(level)) % TABLE_ENTRIES];

        if (*slot != 0 && is_leaf(*slot)) {
            return MIN(span - (va & (span - 1)), size); /* mapped already */
        }
        if (*slot == 0 && level < 3 && size >= span && IS_ALIGNED(va | pa, span)) {
            return fill(slot, level, pa, size, attr);
        }
        if (*slot == 0) {
            uint64_t next = table_create(hv);
            if (next == 0) {
                return 0;
            }
            fence(); /* the table is empty before a walk can reach it */
            *(volatile uint64_t *)slot = make_pte(next, PTE_V);
        }
        table = table_at(host, pte_pa(*slot));
    }
}

/*
 * Maps [va, va + size) to pa with attr (PTE_DATA ...), by the largest blocks that fit; what is
 * mapped stays as it is. Context: boot CPU, while booting. Errors: -XEN_ENOMEM.
 */
static int map(struct hv *hv, uint64_t va, uint64_t pa, uint64_t size, uint64_t attr)
{
    int rc = 0;

    while (size > 0 && rc == 0) {
        uint64_t done = map_some(hv, va, pa, size, attr);

        rc = done == 0 ? -XEN_ENOMEM : 0;
        va += done;
        pa += done;
        size -= done;
    }
    fence_translations();
    return rc;
}

int arch_map(struct hv *hv, uintptr_t va, hpa_t start, uint64_t size, bool writable)
{
    return map(hv, va, start.a, size, writable ? PTE_DATA : PTE_RODATA);
}

void mmu_unmap_guard(uintptr_t va)
{
    /* In the image, so its level-0 table is the third. */
    *(volatile uint64_t *)&page_tables[2][(va - IMAGE_VA) >> PAGE_SHIFT] = 0;
    fence_translations();
}

void *arch_frame_map(mfn_t m)
{
    return (void *)(this_pcpu()->arch.host->direct_va + (m.n << PAGE_SHIFT));
}

void arch_frame_unmap(void *va) { (void)va; }

mfn_t arch_frame_of(const void *va)
{
    return mfn(((uintptr_t)va - this_pcpu()->arch.host->direct_va) >> PAGE_SHIFT);
}

static int map_direct(struct hv *hv, uint64_t start, uint64_t end)
{
    return start < end ? map(hv, arch_host(hv)->direct_va + start, start, end - start, PTE_DATA)
                       : 0;
}

int arch_map_ram(struct hv *hv, hpa_t start, uint64_t size)
{
    const struct arch_host *host = arch_host(hv);
    uint64_t first = ALIGN_UP(start.a, PAGE_SIZE);
    uint64_t end = ALIGN_DOWN(start.a + size, PAGE_SIZE);
    uint64_t image_end = host->image_pa + host->image_size;
    uint64_t limit = host->levels == 3 ? DIRECT_SIZE_SV39 : DIRECT_SIZE_SV48;

    if (end < start.a || end > limit) {
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
    if (size == 0 || end <= pa || (end - 1) >> PA_BITS ||
        end - pa > DEVICE_VA + DEVICE_VA_SIZE - va || map(hv, va, pa, end - pa, PTE_REGS)) {
        return 0;
    }
    host->device_next = va + (end - pa) + PAGE_SIZE;
    return va + (start.a - pa);
}

/*
 * Harts are coherent with each other and have no mode without caches; what a
 * guest's device does past the caches its driver has to manage (Zicbom).
 */
void arch_cache_clean(const void *va, size_t size)
{
    (void)va;
    (void)size;
}

void arch_cache_clean_invalidate(const void *va, size_t size)
{
    (void)va;
    (void)size;
}

/* A vCPU that comes to a CPU begins with a fence.i there (stage2.c): nothing is stale for it. */
void arch_cache_clean_code(const void *va, size_t size)
{
    (void)va;
    (void)size;
}

void arch_clear_pages(void *va, size_t size, bool clean)
{
    const size_t block = this_pcpu()->arch.host->cbo_zero_size;
    uintptr_t a = (uintptr_t)va, end = a + size;

    (void)clean;
    if (block == 0) {
        memset(va, 0, size);
        return;
    }
    for (; a < end; a += block) { /* read once: the loop is most of a domain's building */
        clear_block(a);
    }
}
