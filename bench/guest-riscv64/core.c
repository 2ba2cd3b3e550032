/* SPDX-License-Identifier: MIT */
/*
 * Operations of one vCPU alone on its hart: calls, traps, the timer.
 *
 * Each function measures one or a few rows and checks every result: a hypervisor that answers
 * quickly but wrongly fails.
 */
#include "guest.h"

enum { SETTLE_US = 5000 };
enum { XENVER_VERSION = 0, XENVER_GET_FEATURES = 6, UNASSIGNED_HYPERCALL = 39 };
enum { PLIC_PRIORITY_1 = 0x4, PLIC_ENABLE_0 = 0x2000, APLIC_DOMAINCFG = 0x0 };

#define MINUS_ENOSYS ((uint64_t)-38)
#define UNKNOWN_EXTENSION 0x0a7fff00 /* in the space of firmware, and nobody's */

static void measure_hypercalls(void)
{
    struct {
        uint32_t index;
        uint32_t features;
    } info = { 0, 0 };
    uint64_t r;

    MEASURE(ROW_XEN_VERSION, r = (uint64_t)hypercall(HC_XEN_VERSION, XENVER_VERSION, 0, 0),
            expect("xen_version's major", r >> 16, 4));
    MEASURE(ROW_BAD_HYPERCALL, r = (uint64_t)hypercall(UNASSIGNED_HYPERCALL, 0, 0, 0),
            expect("unassigned hypercall", r, MINUS_ENOSYS));
    MEASURE(ROW_GET_FEATURES,
            r = (uint64_t)hypercall(HC_XEN_VERSION, XENVER_GET_FEATURES, (uint64_t)&info, 0),
            expect("get_features", r, 0));
    MEASURE(ROW_YIELD_ALONE, r = (uint64_t)hypercall(HC_SCHED_OP, SCHED_YIELD, 0, 0),
            expect("yield", r, 0));
}

static void measure_firmware(void)
{
    struct sbi_ret r;

    MEASURE(ROW_SBI_SPEC_VERSION, r = sbi(SBI_BASE, SBI_BASE_SPEC_VERSION, 0, 0, 0),
            expect("SBI major version", (uint64_t)r.value >> 24, 2));
    MEASURE(ROW_SBI_UNKNOWN, r = sbi(UNKNOWN_EXTENSION, 0, 0, 0, 0),
            expect("unknown SBI extension", (uint64_t)r.error, (uint64_t)SBI_ERR_NOT_SUPPORTED));
}

static void measure_registers(void)
{
    uint32_t r;

    if (machine.plic != 0) {
        MEASURE(ROW_PLIC_READ, r = mmio_read32(machine.plic + PLIC_PRIORITY_1),
                expect("priority of source 1", r, 0));
        MEASURE(ROW_PLIC_WRITE, mmio_write32(machine.plic + PLIC_ENABLE_0, 0),
                expect("enabled", mmio_read32(machine.plic + PLIC_ENABLE_0), 0));
    }
    if (machine.aplic != 0) {
        MEASURE(ROW_APLIC_READ, r = mmio_read32(machine.aplic + APLIC_DOMAINCFG),
                expect("domaincfg's constant", r >> 24, 0x80));
    }
}

void run_core(void)
{
    MEASURE(ROW_EMPTY, , );
    measure_firmware();
    measure_registers();
    measure_unmapped();
    irq_unmask();
    delay_us(SETTLE_US); /* what the hypervisor had left to do after it started this guest */
    measure_timer();
    MEASURE_WAKE(ROW_TIMER_WAKES);
    if (machine.is_xen) {
        measure_hypercalls();
    }
}
