/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables on riscv64 (mmu.c), walked here as the hardware does: what is
 * mapped, to where, with which rights, in which size of pages. The image is its page tables alone,
 * and machine memory from MEMORY on is an array.
 */
/* Before all others: struct pcpu is riscv64's. */
#include "riscv64_csr.h"

#include <arch/mmu.h>
#include <loam/fdt.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

/* How often each was asked for, and what happened before the last store to a table was ordered. */
static uint32_t nr_fences, nr_sfences;

static void fence(void) { nr_fences++; }

#include "../../hv/arch/riscv64/layout.h"
#undef IMAGE_VA
#define IMAGE_VA ((uintptr_t)page_tables)
#undef DIRECT_VA_SV39
#undef DIRECT_VA_SV48
#define DIRECT_VA_SV39 (direct_of_memory())
#define DIRECT_VA_SV48 (direct_of_memory() + 0) /* the same: the walks tell levels apart */

#define MEMORY_PAGES 64
static _Alignas(4096) uint8_t memory[MEMORY_PAGES * PAGE_SIZE];
/* The same offset in a GiB as the array has: the direct map can have pages of that size. */
#define MEMORY (UINT64_C(0x80000000) + (uintptr_t)memory % GIB)

static uint64_t direct_of_memory(void) { return (uintptr_t)memory - MEMORY; }

#include "../../hv/arch/riscv64/mmu.c"

#define IMAGE_PA UINT64_C(0x80200000)

_Alignas(4096) uint64_t page_tables[PAGE_TABLES][512];
static struct machine m;
static const char *mmu_type;
static uint64_t satp;
static uint32_t frames_used, frames_max, nr_blocks;

static uint64_t hw_csr_read(const char *csr)
{
    CHECK_STR(csr, "satp");
    return satp;
}

static void hw_csr_write(const char *csr, uint64_t value)
{
    CHECK_STR(csr, "satp");
    CHECK(nr_fences > 0); /* the new root is there before */
    satp = value;
}

void fence_translations(void) { nr_sfences++; }
struct pcpu *this_pcpu(void) { return &m.boot_cpu; }

const char *fdt_string(const struct fdt *fdt, struct fdt_node n, const char *name)
{
    CHECK_STR(name, "mmu-type");
    return mmu_type;
}

mfn_t frame_alloc(struct hv *hv, uint32_t order, uint32_t flags)
{
    CHECK(order == 0 && flags == FRAME_ALLOC_ZERO);
    return frames_used < frames_max ? mfn((MEMORY >> PAGE_SHIFT) + frames_used++) : MFN_NONE;
}

void clear_block(uintptr_t a)
{
    memset((void *)ALIGN_DOWN(a, (uint64_t)m.host.cbo_zero_size), 0, m.host.cbo_zero_size);
    nr_blocks++;
}

/* Sv39 to Sv57 (Priv. spec 12.3.2): machine address of va, its rights and the size of its page. */
static bool walk(uint64_t va, uint64_t *pa, uint64_t *attr, uint64_t *size)
{
    uint64_t *table = table_at(&m.host, (m.host.satp & ATP_PPN) << PAGE_SHIFT);
    uint32_t levels = (uint32_t)(m.host.satp >> SATP_MODE_SHIFT) - 5;

    for (uint32_t level = levels; level-- > 0;) {
        uint64_t pte = table[va >> (12 + 9 * level) & 511];
        uint64_t span = UINT64_C(1) << (12 + 9 * level);

        if (!(pte & 1)) {
            return false;
        }
        uint64_t base = (pte >> 10 & BITS(43, 0)) << 12;

        if (pte & (PTE_R | PTE_W | PTE_X)) {
            CHECK(IS_ALIGNED(base, span)); /* a misaligned superpage faults */
            *pa = base + (va & (span - 1));
            *attr = pte & 0xff;
            *size = span;
            return true;
        }
        CHECK_EQ(pte & (PTE_A | PTE_D | PTE_U), 0); /* reserved in what is no leaf */
        table = table_at(&m.host, base);
    }
    CHECK(!"a leaf at the last level");
    return false;
}

static bool is_mapped(uint64_t va, uint64_t pa, uint64_t attr)
{
    uint64_t got_pa, got_attr, size;

    return walk(va, &got_pa, &got_attr, &size) && got_pa == pa && got_attr == attr;
}

static bool is_there(uint64_t va)
{
    uint64_t pa, attr, size;

    return walk(va, &pa, &attr, &size);
}

static uint64_t size_at(uint64_t va)
{
    uint64_t pa, attr, size = 0;

    return walk(va, &pa, &attr, &size) ? size : 0;
}

static void world(const char *type)
{
    memset(page_tables, 0, sizeof(page_tables));
    memset(memory, 0, sizeof(memory));
    memset(&m, 0, sizeof(m));
    m.boot_cpu.arch.host = &m.host;
    m.host.image_pa = IMAGE_PA;
    m.host.image_size = sizeof(page_tables);
    m.host.tables_used = 3;
    m.host.device_next = DEVICE_VA;
    mmu_type = type;
    satp = frames_used = frames_max = nr_fences = nr_sfences = nr_blocks = 0;
    mmu_init(&m.host);
    mmu_widen(&m.host);
}

static const char *const types[] = { NULL, "riscv,sv39", "riscv,sv48", "riscv,sv57" };
static const uint8_t levels[] = { 3, 3, 4, 5 };

TEST(what_is_mapped_before_is_there_with_more_levels)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
        world("riscv,sv39");
        CHECK_EQ(arch_map(&m.hv, FDT_VA, hpa(0xbfe00000), 2 * PAGE_SIZE, false), 0);
        mmu_type = types[i];
        mmu_widen(&m.host);
        CHECK_EQ(m.host.levels, levels[i]);
        CHECK_EQ(m.host.satp >> SATP_MODE_SHIFT, 5u + levels[i]);
        CHECK_EQ(satp, levels[i] == 3 ? 0 : m.host.satp); /* written when it changes */
        CHECK(is_mapped(FDT_VA, 0xbfe00000, PTE_RODATA));
        CHECK(is_mapped(FDT_VA + 0x1fff, 0xbfe01fff, PTE_RODATA));
        CHECK(!is_there(FDT_VA + 0x2000) && !is_there(FDT_VA - 1));
        CHECK(levels[i] == 3 || !is_there(FDT_VA - BIT(39))); /* not once more, further down */
    }
}

TEST(memory_is_mapped_in_the_largest_pages)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
        uint64_t start = 0xbfdff000, end = UINT64_C(0x140202000);
        uint64_t d = STACK_VA - ALIGN_DOWN(start, GIB); /* the same offset in a GiB */

        world(types[i]);
        CHECK_EQ(arch_map(&m.hv, d + start, hpa(start), end - start, true), 0);
        CHECK(!is_there(d + start - 1) && !is_there(d + end));
        for (uint64_t a = start; a < end; a += MIN(size_at(d + a) ?: PAGE_SIZE, end - a)) {
            CHECK(is_mapped(d + a, a, PTE_DATA));
        }
        CHECK_EQ(size_at(d + start), PAGE_SIZE);
        CHECK_EQ(size_at(d + 0xbfe00000), 2 * MIB);
        CHECK_EQ(size_at(d + 0xc0000000), GIB);
        CHECK_EQ(size_at(d + UINT64_C(0x140000000)), 2 * MIB);
        CHECK_EQ(size_at(d + UINT64_C(0x140200000)), PAGE_SIZE);
        CHECK(nr_sfences > 0);
    }
}

TEST(addresses_that_do_not_fit_go_by_pages)
{
    world("riscv,sv39");
    CHECK_EQ(arch_map(&m.hv, STACK_VA, hpa(0x90001000), 4 * MIB, true), 0);
    for (uint64_t a = 0; a < 4 * MIB; a += PAGE_SIZE) {
        CHECK(is_mapped(STACK_VA + a, 0x90001000 + a, PTE_DATA));
        CHECK_EQ(size_at(STACK_VA + a), PAGE_SIZE);
    }
    CHECK(!is_there(STACK_VA + 4 * MIB));
}

TEST(what_is_mapped_stays_as_it_is)
{
    world("riscv,sv39");
    CHECK_EQ(arch_map(&m.hv, STACK_VA + PAGE_SIZE, hpa(0x90000000), PAGE_SIZE, false), 0);
    CHECK_EQ(arch_map(&m.hv, STACK_VA, hpa(0xa0000000), 3 * PAGE_SIZE, true), 0);
    CHECK(is_mapped(STACK_VA, 0xa0000000, PTE_DATA));
    CHECK(is_mapped(STACK_VA + PAGE_SIZE, 0x90000000, PTE_RODATA));
    CHECK(is_mapped(STACK_VA + 2 * PAGE_SIZE, 0xa0002000, PTE_DATA));
}

TEST(tables_come_from_the_pool_and_then_from_memory)
{
    world("riscv,sv39");
    m.host.tables_used = PAGE_TABLES - 1;
    CHECK_EQ(arch_map(&m.hv, STACK_VA, hpa(0x90000000), PAGE_SIZE, true), -XEN_ENOMEM);
    CHECK(!is_there(STACK_VA));
    m.hv.frames.total = frames_max = 1; /* one table: the other was made above */
    CHECK_EQ(arch_map(&m.hv, STACK_VA, hpa(0x90000000), PAGE_SIZE, true), 0);
    CHECK_EQ(frames_used, 1);
    CHECK(is_mapped(STACK_VA, 0x90000000, PTE_DATA));
    CHECK_EQ(arch_map(&m.hv, STACK_VA + GIB, hpa(0x90000000), PAGE_SIZE, true), -XEN_ENOMEM);
    frames_max = MEMORY_PAGES;
    CHECK_EQ(arch_map(&m.hv, STACK_VA + GIB, hpa(0x90000000), PAGE_SIZE, true), 0);
    CHECK(is_mapped(STACK_VA + GIB, 0x90000000, PTE_DATA));
    CHECK_EQ(frames_used, 3);
}

/* The image's frames have no second mapping: writable here would be executable there. */
TEST(the_image_is_left_out_of_ram)
{
    uint64_t d = direct_of_memory(), image_end = IMAGE_PA + sizeof(page_tables);

    world("riscv,sv39");
    CHECK_EQ(arch_map_ram(&m.hv, hpa(0x80000800), 0x1000000), 0);
    CHECK(!is_there(d + 0x80000000)); /* half a page */
    CHECK(is_mapped(d + 0x80001000, 0x80001000, PTE_DATA));
    CHECK(is_mapped(d + IMAGE_PA - 1, IMAGE_PA - 1, PTE_DATA));
    CHECK(!is_there(d + IMAGE_PA) && !is_there(d + image_end - 1));
    CHECK(is_mapped(d + image_end, image_end, PTE_DATA));
    CHECK(is_mapped(d + 0x80ffffff, 0x80ffffff, PTE_DATA));
    CHECK(!is_there(d + 0x81000000));
    CHECK(arch_frame_map(mfn((MEMORY >> PAGE_SHIFT) + 3)) == memory + 0x3000);
    CHECK(mfn_eq(arch_frame_of(memory + 0x3fff), mfn((MEMORY >> PAGE_SHIFT) + 3)));
}

TEST(ram_beyond_the_address_space_is_refused)
{
    world("riscv,sv39");
    CHECK_EQ(arch_map_ram(&m.hv, hpa(DIRECT_SIZE_SV39 - GIB), GIB), 0);
    CHECK_EQ(arch_map_ram(&m.hv, hpa(DIRECT_SIZE_SV39 - GIB), GIB + PAGE_SIZE), -XEN_EINVAL);
    CHECK_EQ(arch_map_ram(&m.hv, hpa(PAGE_SIZE), UINT64_MAX), -XEN_EINVAL);
    world("riscv,sv48");
    CHECK_EQ(arch_map_ram(&m.hv, hpa(DIRECT_SIZE_SV39), GIB), 0);
    CHECK_EQ(arch_map_ram(&m.hv, hpa(DIRECT_SIZE_SV48 - GIB), GIB + PAGE_SIZE), -XEN_EINVAL);
}

TEST(devices_have_places_of_their_own)
{
    uintptr_t uart, plic;

    world("riscv,sv39");
    uart = arch_map_device(&m.hv, hpa(0x10000105), 8);
    plic = arch_map_device(&m.hv, hpa(0xc000000), 6 * MIB);
    REQUIRE(uart != 0 && plic != 0);
    CHECK(is_mapped(uart, 0x10000105, PTE_REGS));
    CHECK(!is_there(ALIGN_DOWN(uart, PAGE_SIZE) - 1));
    CHECK(!is_there(ALIGN_DOWN(uart, PAGE_SIZE) + PAGE_SIZE)); /* who runs over its end faults */
    CHECK(is_mapped(plic, 0xc000000, PTE_REGS));
    CHECK(is_mapped(plic + 6 * MIB - 1, 0xc5fffff, PTE_REGS));
    CHECK(!is_there(plic + 6 * MIB));
    CHECK_EQ(size_at(plic), 2 * MIB);
    /* Registers on both sides of a page's end. */
    uart = arch_map_device(&m.hv, hpa(0x10000ffc), 8);
    CHECK(is_mapped(uart, 0x10000ffc, PTE_REGS) && is_mapped(uart + 7, 0x10001003, PTE_REGS));
}

TEST(devices_that_do_not_fit_are_refused)
{
    world("riscv,sv39");
    CHECK_EQ(arch_map_device(&m.hv, hpa(0x10000000), 0), 0);
    CHECK_EQ(arch_map_device(&m.hv, hpa(UINT64_MAX - 7), 16), 0);
    CHECK_EQ(arch_map_device(&m.hv, hpa(BIT(56)), PAGE_SIZE), 0);
    CHECK_EQ(arch_map_device(&m.hv, hpa(0), DEVICE_VA_SIZE + PAGE_SIZE), 0);
    CHECK(arch_map_device(&m.hv, hpa(BIT(56) - PAGE_SIZE), PAGE_SIZE) != 0);
}

TEST(a_guard_page_is_taken_away)
{
    world("riscv,sv39");
    page_tables[2][5] = make_pte(IMAGE_PA + 5 * PAGE_SIZE, PTE_DATA);
    page_tables[2][6] = make_pte(IMAGE_PA + 6 * PAGE_SIZE, PTE_DATA);
    mmu_unmap_guard(IMAGE_VA + 5 * PAGE_SIZE);
    CHECK_EQ(page_tables[2][5], 0);
    CHECK(page_tables[2][6] != 0);
    CHECK_EQ(nr_sfences, 1);
}

TEST(pages_are_cleared_by_blocks_or_bytes)
{
    for (uint32_t size = 0; size <= 4096; size = size == 0 ? 64 : size * 64) {
        world("riscv,sv39");
        m.host.cbo_zero_size = size;
        memset(memory, 0xa5, 4 * PAGE_SIZE);
        arch_clear_pages(memory + PAGE_SIZE, 2 * PAGE_SIZE, true);
        CHECK_EQ(nr_blocks, size == 0 ? 0 : 2 * PAGE_SIZE / size);
        CHECK(memory[PAGE_SIZE - 1] == 0xa5 && memory[3 * PAGE_SIZE] == 0xa5);
        for (uint32_t i = PAGE_SIZE; i < 3 * PAGE_SIZE; i++) {
            REQUIRE(memory[i] == 0);
        }
    }
}
