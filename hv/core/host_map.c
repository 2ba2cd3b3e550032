/* SPDX-License-Identifier: MIT */
/* Device tree and stacks in the hypervisor's own address space (loam/host_map.h). */
#include <arch/mmu.h>
#include <loam/bits.h>
#include <loam/frame.h>
#include <loam/host_map.h>
#include <loam/hv.h>
#include <loam/start.h>

/* The first page is enough to read the size of the whole; a tree of one page has a spare one. */
#define FDT_FIRST (2 * PAGE_SIZE)

static bool map_fdt(struct hv *hv, uintptr_t va, uint64_t pa, struct boot_info *info)
{
    uint64_t page = ALIGN_DOWN(pa, PAGE_SIZE);
    uint64_t offset = pa - page;

    info->fdt = (const void *)(va + offset);
    info->fdt_addr = hpa(pa);
    info->fdt_size_max = FDT_FIRST - offset;
    if (pa == 0 || pa % 8 != 0 || arch_map(hv, va, hpa(page), FDT_FIRST, false)) {
        return false;
    }
    uint64_t size = fdt_blob_size(info->fdt, info->fdt_size_max);
    if (size > info->fdt_size_max && size <= HOST_FDT_SIZE_MAX) {
        uint64_t more = ALIGN_UP(offset + size, PAGE_SIZE) - FDT_FIRST;

        if (arch_map(hv, va + FDT_FIRST, hpa(page + FDT_FIRST), more, false)) {
            return false;
        }
        info->fdt_size_max = size;
    }
    return size != 0;
}

void host_map_fdt(struct hv *hv, uintptr_t va, uint64_t pa, struct boot_info *info)
{
    if (!map_fdt(hv, va, pa, info)) {
        info->fdt = NULL;
        info->fdt_size_max = 0;
    }
}

uintptr_t host_map_stack(struct hv *hv, uintptr_t va, size_t size)
{
    uint32_t order = ilog2(size / PAGE_SIZE);
    mfn_t m = frame_alloc(hv, order, 0);

    if (mfn_is_none(m)) {
        return 0;
    }
    if (arch_map(hv, va, mfn_to_hpa(m), size, true)) {
        frame_free(hv, m, order);
        return 0;
    }
    return va + size;
}
