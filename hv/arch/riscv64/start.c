/* SPDX-License-Identifier: MIT */
/*
 * From boot.S to the neutral core, on the boot CPU and on the others.
 *
 * The only writable objects of this architecture live here: the machine, the
 * first page tables, the boot CPU's stack and its guard. tools/ check that
 * nobody adds others. Read next: core/start.c.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <loam/atomic.h>
#include <loam/fdt.h>
#include <loam/host_map.h>
#include <loam/log.h>
#include <loam/start.h>

#include "cpu.h"
#include "csr.h"
#include "host.h"
#include "layout.h"
#include "mmu.h"

void start_primary(uint64_t hartid, uint64_t fdt_pa, uint64_t image_pa);
void start_secondary(struct pcpu *p);

extern char _start[], _end[]; /* NOLINT: the linker's names */
extern char boot_stack_guard[PAGE_SIZE], boot_stack[STACK_SIZE];

__section(".bss.guard") __aligned(4096) char boot_stack_guard[PAGE_SIZE];
__section(".bss.stack") __aligned(4096) char boot_stack[STACK_SIZE];
__aligned(4096) uint64_t page_tables[PAGE_TABLES][512];
static struct machine machine;

/* The CPU that runs this is the boot CPU: tp, and what no tree is needed for. */
static void boot_cpu_init(uint64_t hartid)
{
    struct pcpu *p = &machine.boot_cpu;

    p->hv = &machine.hv;
    p->arch.host = &machine.host;
    p->arch.stack = (uintptr_t)boot_stack + STACK_SIZE;
    p->arch.hartid = hartid;
    __asm__ volatile("mv tp, %0" ::"r"(p) : "memory");
}

void start_primary(uint64_t hartid, uint64_t fdt_pa, uint64_t image_pa)
{
    struct arch_host *host = &machine.host;
    struct boot_info info = {
        .image_start = hpa(image_pa),
        .image_end = hpa(image_pa + (uintptr_t)(_end - _start)),
    };

    host->image_pa = image_pa;
    host->image_size = (uintptr_t)(_end - _start);
    host->tables_used = 3;
    host->device_next = DEVICE_VA;
    boot_cpu_init(hartid);
    mmu_init(host);
    mmu_unmap_guard((uintptr_t)boot_stack_guard);
    host_map_fdt(&machine.hv, FDT_VA, fdt_pa, &info);
    if (info.fdt != NULL && fdt_open(&host->fdt, info.fdt, info.fdt_size_max) == 0) {
        cpu_find(host, hartid);
        mmu_widen(host);
    }
    hv_start(&machine.hv, &machine.boot_cpu, &info);
}

void start_secondary(struct pcpu *p)
{
    if (atomic_load_acquire(&p->hv->pcpus[p->id]) != p) {
        arch_cpu_halt(); /* too late: pcpu_start_all() has given up */
    }
    cpu_init(p);
    hv_start_secondary(p);
}

/* Of the linker script. */
extern const char image_note_start[], image_note_end[];

const void *arch_image_note(size_t *size)
{
    *size = (size_t)(image_note_end - image_note_start);
    return image_note_start;
}
