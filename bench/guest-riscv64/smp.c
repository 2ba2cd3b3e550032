/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs: HSM hart_start, and IPIs by SBI from vCPU 0 to vCPU 1 running or idle.
 *
 * vCPU 1 is started and stopped once per iteration, then stays on and does what `cpu1_job` says.
 */
#include "guest.h"

enum { SPIN_MAX = 50000000, SETTLE_US = 100, HART_STOPPED = 1 };
enum job { JOB_OFF, JOB_SPIN, JOB_IDLE };

static volatile enum job cpu1_job;
static volatile uint64_t cpu1_started; /* the last opaque value seen */

void secondary_main(uint64_t context)
{
    cpu1_started = context;
    if (cpu1_job == JOB_OFF) {
        sbi(SBI_HSM, SBI_HSM_STOP, 0, 0, 0);
        fail("hart_stop returned", 0, 0);
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
    expect("opaque value of hart_start", cpu1_started, context);
}

static uint64_t cpu1_on(uint64_t context)
{
    return (uint64_t)sbi(SBI_HSM, SBI_HSM_START, 1, (uint64_t)secondary_entry, context).error;
}

static void await_off(void)
{
    long state = -1;

    for (unsigned int i = 0; i < SPIN_MAX / 1000 && state != HART_STOPPED; i++) {
        delay_us(10);
        state = sbi(SBI_HSM, SBI_HSM_STATUS, 1, 0, 0).value;
    }
    expect("hart_get_status after hart_stop", (uint64_t)state, HART_STOPPED);
}

static void measure_start(void)
{
    for (uint64_t i = 1; i <= cfg.iterations; i++) {
        ASYNC_BEGIN(ROW_HART_START);
        expect("hart_start", cpu1_on(i), 0);
        await_start(i);
        await_off();
        delay_us(SETTLE_US);
    }
}

static void ipi(const char *what, unsigned int old)
{
    expect("send_ipi", (uint64_t)sbi(SBI_IPI, SBI_IPI_SEND, 1 << 1, 0, 0).error, 0);
    for (unsigned int i = 0; i < SPIN_MAX && irq_count(1, IRQ_SOFT) == old; i++) {
    }
    expect(what, irq_count(1, IRQ_SOFT), old + 1);
}

static void measure_ipi(void)
{
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        unsigned int old = irq_count(1, IRQ_SOFT);
        delay_us(SETTLE_US);
        ASYNC_BEGIN(ROW_IPI_RUNNING);
        ipi("IPI to a running vCPU", old);
    }
    cpu1_job = JOB_IDLE;
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        unsigned int old = irq_count(1, IRQ_SOFT);
        delay_us(SETTLE_US);
        ASYNC_BEGIN(ROW_IPI_IDLE);
        ipi("IPI to an idle vCPU", old);
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
    expect("hart_start", cpu1_on(context), 0);
    await_start(context);
    measure_ipi();
}
