/* SPDX-License-Identifier: MIT */
/*
 * Operations of one vCPU alone on its CPU: calls, traps, interrupts to itself, the timer.
 *
 * Each function measures one or a few rows and checks every result: a hypervisor that answers
 * quickly but wrongly fails.
 */
#include "guest.h"

enum { GICD_TYPER = 0x4, GICD_ISENABLER1 = 0x104, GICR_ISENABLER0 = 0x10100 };
enum {
    XENVER_VERSION = 0,
    XENVER_GET_FEATURES = 6,
    UNASSIGNED_HYPERCALL = 39,
    CONSOLEIO_WRITE = 0
};

#define MINUS_ENOSYS ((uint64_t)-38)
#define UNKNOWN_SMCCC 0xbf00ff01 /* fast call to a trusted OS that is not there */

static void measure_hypercalls(void)
{
    struct {
        uint32_t index;
        uint32_t features;
    } info;
    uint64_t r;
    char dot = '.';

    MEASURE(ROW_XEN_VERSION, r = (uint64_t)hypercall(HC_XEN_VERSION, XENVER_VERSION, 0, 0),
            expect("xen_version's major", r >> 16, 4));
    MEASURE(ROW_BAD_HYPERCALL, r = (uint64_t)hypercall(UNASSIGNED_HYPERCALL, 0, 0, 0),
            expect("unassigned hypercall", r, MINUS_ENOSYS));
    info.index = 0;
    info.features = 0;
    MEASURE(ROW_GET_FEATURES,
            r = (uint64_t)hypercall(HC_XEN_VERSION, XENVER_GET_FEATURES, (uint64_t)&info, 0),
            expect("get_features", r, 0));
    if (info.features == 0) {
        fail("features", info.features, 1);
    }
    MEASURE(ROW_YIELD_ALONE, r = (uint64_t)hypercall(HC_SCHED_OP, SCHED_YIELD, 0, 0),
            expect("yield", r, 0));
    MEASURE(ROW_CONSOLE_CHAR,
            r = (uint64_t)hypercall(HC_CONSOLE_IO, CONSOLEIO_WRITE, 1, (uint64_t)&dot),
            expect("console_io write", r, 0));
    print_string("\n");
}

static void measure_calls_and_traps(void)
{
    uint64_t r;

    MEASURE(ROW_PSCI_VERSION, r = (uint64_t)smccc(PSCI_VERSION, 0, 0, 0),
            expect("PSCI major version", r >> 16, 1));
    MEASURE(ROW_SMCCC_UNKNOWN, r = (uint64_t)smccc(UNKNOWN_SMCCC, 0, 0, 0),
            expect("unknown SMCCC call", (uint32_t)r, 0xffffffff));
    MEASURE(ROW_ID_REGISTER, r = SYSREG_READ(id_aa64pfr0_el1),
            expect("EL1 and EL0 in ID_AA64PFR0", (r & 0xf) != 0 && (r >> 4 & 0xf) != 0, 1));
}

static void measure_gic_registers(void)
{
    uint64_t frame = gicr_of_this_cpu();
    uint32_t enabled = 0xffff | 1u << machine.vtimer;
    uint32_t r;

    MEASURE(ROW_GICD_READ, r = mmio_read32(machine.gicd + GICD_TYPER),
            expect("GICD_TYPER has interrupt lines or CPUs", r != 0, 1));
    MEASURE(ROW_GICD_WRITE, mmio_write32(machine.gicd + GICD_ISENABLER1, 0),
            expect("GICD_ISENABLER1", mmio_read32(machine.gicd + GICD_ISENABLER1), 0));
    MEASURE(ROW_GICR_READ, r = mmio_read32(frame + GICR_ISENABLER0),
            expect("GICR_ISENABLER0", r & enabled, enabled));
}

static void measure_sgi(void)
{
    uint64_t self = machine.mpidr[0];
    unsigned int old = 0;

    irq_mask();
    MEASURE(ROW_SGI_MASKED, sgi_send(self, SGI_SELF), {
        old = irq_count(0, SGI_SELF);
        irq_unmask();
        await_irq("masked SGI arrives when unmasked", 0, SGI_SELF, old);
        irq_mask();
    });
    irq_unmask();
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        old = irq_count(0, SGI_SELF);
        ASYNC_BEGIN(ROW_SGI_SELF);
        sgi_send(self, SGI_SELF);
        await_irq("SGI to self", 0, SGI_SELF, old);
    }
}

void run_core(void)
{
    MEASURE(ROW_EMPTY, , );
    measure_calls_and_traps();
    measure_gic_registers();
    measure_unmapped();
    measure_sgi();
    measure_timer();
    MEASURE_WAKE(ROW_TIMER_WAKES);
    if (machine.is_xen) {
        measure_hypercalls();
    }
}

void run_dedicated(void)
{
    irq_unmask();
    MEASURE_WAKE(ROW_TIMER_DEDICATED);
}
