/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs: CPU_ON, and interrupts from vCPU 0 to vCPU 1 running or idle.
 *
 * vCPU 1 is switched on and off once per iteration, then stays on and does what `cpu1_job` says.
 */
#include "guest.h"

enum { SGI_INTID = 2, SPIN_MAX = 50000000, SETTLE_US = 100 };
enum { AFFINITY_INFO_OFF = 1 };
enum job { JOB_OFF, JOB_SPIN, JOB_IDLE };

static volatile enum job cpu1_job;
static volatile uint64_t cpu1_started; /* the last context identifier seen */

void secondary_main(uint64_t context)
{
    cpu1_started = context;
    if (cpu1_job == JOB_OFF) {
        smccc(PSCI_CPU_OFF, 0, 0, 0);
        fail("CPU_OFF returned", 0, 0);
    }
    irq_init_cpu();
    irq_unmask();
    for (;;) {
        if (cpu1_job == JOB_IDLE) {
            irq_mask();
            if (cpu1_job == JOB_IDLE) {
                wfi();
            }
            irq_unmask();
        }
    }
}

static void await_start(uint64_t context)
{
    for (unsigned int i = 0; i < SPIN_MAX && cpu1_started != context; i++) {
    }
    expect("context of CPU_ON", cpu1_started, context);
}

static uint64_t cpu1_on(uint64_t context)
{
    return (uint64_t)smccc(PSCI_CPU_ON, machine.mpidr[1], (uint64_t)secondary_entry, context);
}

static void await_off(void)
{
    uint64_t state = 0;

    for (unsigned int i = 0; i < SPIN_MAX / 1000 && state != AFFINITY_INFO_OFF; i++) {
        delay_us(10);
        state = (uint64_t)smccc(PSCI_AFFINITY_INFO, machine.mpidr[1], 0, 0);
    }
    expect("AFFINITY_INFO after CPU_OFF", state, AFFINITY_INFO_OFF);
}

static void measure_cpu_on(void)
{
    for (uint64_t i = 1; i <= cfg.iterations; i++) {
        ASYNC_BEGIN(ROW_CPU_ON);
        expect("CPU_ON", cpu1_on(i), 0);
        await_start(i);
        await_off();
        delay_us(SETTLE_US);
    }
}

static void await_ipi(const char *what, unsigned int old)
{
    for (unsigned int i = 0; i < SPIN_MAX && irq_count(1, SGI_INTID) == old; i++) {
    }
    expect(what, irq_count(1, SGI_INTID), old + 1);
}

static void measure_ipi(void)
{
    unsigned int old;

    for (unsigned int i = 0; i < cfg.iterations; i++) {
        delay_us(SETTLE_US);
        old = irq_count(1, SGI_INTID);
        ASYNC_BEGIN(ROW_IPI_RUNNING);
        sgi_send(machine.mpidr[1], SGI_INTID);
        await_ipi("IPI to a running vCPU", old);
    }
    cpu1_job = JOB_IDLE;
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        delay_us(SETTLE_US);
        old = irq_count(1, SGI_INTID);
        ASYNC_BEGIN(ROW_IPI_IDLE);
        sgi_send(machine.mpidr[1], SGI_INTID);
        await_ipi("IPI to an idle vCPU", old);
    }
}

void run_smp(void)
{
    uint64_t context = cfg.iterations + 1;

    if (machine.nr_cpus < 2) {
        fail("vCPUs", machine.nr_cpus, 2);
        return;
    }
    cpu1_job = JOB_OFF;
    measure_cpu_on();
    cpu1_job = JOB_SPIN;
    expect("CPU_ON", cpu1_on(context), 0);
    await_start(context);
    measure_ipi();
}
