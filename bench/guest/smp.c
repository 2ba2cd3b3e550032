/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs: starting the other one, and interrupts from vCPU 0 to vCPU 1 running or idle.
 *
 * vCPU 1 is started and stopped once per iteration, then stays on and does what `cpu1_job` says.
 */
#include "guest.h"

enum { SETTLE_US = 100 };
enum job { JOB_OFF, JOB_SPIN, JOB_IDLE };

static volatile enum job cpu1_job;
static volatile uint64_t cpu1_started; /* the last context seen */

void secondary_main(uint64_t context)
{
    cpu1_started = context;
    if (cpu1_job == JOB_OFF) {
        cpu_stop();
        fail("a vCPU that is stopped goes on", 0, 0);
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
    expect("context of a started vCPU", cpu1_started, context);
}

static void await_stop(void)
{
    bool stopped = false;

    for (unsigned int i = 0; i < SPIN_MAX / 1000 && !stopped; i++) {
        delay_us(10);
        stopped = cpu_is_stopped(1);
    }
    expect("vCPU 1 is stopped", stopped, true);
}

static void measure_start(void)
{
    for (uint64_t i = 1; i <= cfg.iterations; i++) {
        ASYNC_BEGIN(ROW_CPU_START);
        expect("start of vCPU 1", cpu_start(1, i), 0);
        await_start(i);
        await_stop();
        delay_us(SETTLE_US);
    }
}

static void measure_ipi(void)
{
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        delay_us(SETTLE_US);
        unsigned int old = irq_count(1, IRQ_IPI);
        ASYNC_BEGIN(ROW_IPI_RUNNING);
        ipi_send(1);
        await_irq("IPI to a running vCPU", 1, IRQ_IPI, old);
    }
    cpu1_job = JOB_IDLE;
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        delay_us(SETTLE_US);
        unsigned int old = irq_count(1, IRQ_IPI);
        ASYNC_BEGIN(ROW_IPI_IDLE);
        ipi_send(1);
        await_irq("IPI to an idle vCPU", 1, IRQ_IPI, old);
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
    measure_start();
    cpu1_job = JOB_SPIN;
    expect("start of vCPU 1", cpu_start(1, context), 0);
    await_start(context);
    measure_ipi();
}
