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
#include "host.h"
#include "layout.h"
#include "mmu.h"
#include "sysreg.h"

void start_primary(uint64_t fdt_pa, uint64_t image_pa);
void start_secondary(struct pcpu *p);

extern char _start[], _end[]; /* NOLINT: the linker's names */
extern char boot_stack_guard[PAGE_SIZE], boot_stack[STACK_SIZE];

__section(".early.guard") __aligned(4096) char boot_stack_guard[PAGE_SIZE];
__section(".early.stack") __aligned(4096) char boot_stack[STACK_SIZE];
__section(".early.tables") __aligned(4096) uint64_t page_tables[PAGE_TABLES][512];
static struct machine machine;

/* The CPU that runs this is the boot CPU: TPIDR_EL2 and what no tree is needed for. */
static void boot_cpu_init(void)
{
    struct pcpu *p = &machine.boot_cpu;

    p->hv = &machine.hv;
    p->arch.host = &machine.host;
    p->arch.stack = (uintptr_t)boot_stack + STACK_SIZE;
    p->arch.mpidr = sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
    sysreg_write(tpidr_el2, (uintptr_t)p);
}

void start_primary(uint64_t fdt_pa, uint64_t image_pa)
{
    struct boot_info info = {
        .image_start = hpa(image_pa),
        .image_end = hpa(image_pa + (uintptr_t)(_end - _start)),
    };

    machine.host.image_pa = image_pa;
    machine.host.image_size = (uintptr_t)(_end - _start);
    machine.host.tables_used = 4;
    machine.host.device_next = DEVICE_VA;
    machine.host.pa_bits = cpu_pa_bits();
    boot_cpu_init();
    cpu_init();
    counter_probe(&machine.host);
    mmu_unmap_guard((uintptr_t)boot_stack_guard);
    host_map_fdt(&machine.hv, FDT_VA, fdt_pa, &info);
    hv_start(&machine.hv, &machine.boot_cpu, &info);
}

void start_secondary(struct pcpu *p)
{
    sysreg_write(tpidr_el2, (uintptr_t)p);
    cpu_init();
    if (atomic_load_acquire(&p->hv->pcpus[p->id]) != p) {
        arch_cpu_halt(); /* too late: pcpu_start_all() has given up */
    }
    hv_start_secondary(p);
}

/* Of the linker script. */
extern const char image_note_start[], image_note_end[];

const void *arch_image_note(size_t *size)
{
    *size = (size_t)(image_note_end - image_note_start);
    return image_note_start;
}
