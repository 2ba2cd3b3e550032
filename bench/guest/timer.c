/* SPDX-License-Identifier: MIT */
/* Waiting for interrupts, and what the timer's cost; what a fault costs that the guest gets. */
#include "guest.h"

enum { TIMER_US = 200 };

void await_irq(const char *what, unsigned int cpu, unsigned int irq, unsigned int old)
{
    for (unsigned int i = 0; i < SPIN_MAX && irq_count(cpu, irq) == old; i++) {
    }
    expect(what, irq_count(cpu, irq), old + 1);
}

void measure_timer(void)
{
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        unsigned int old = irq_count(0, IRQ_TIMER);
        timer_start_us(TIMER_US);
        ASYNC_BEGIN(ROW_TIMER_FIRES);
        await_irq("timer", 0, IRQ_TIMER, old);
    }
}

void idle_until_timer(unsigned int old)
{
    while (irq_count(0, IRQ_TIMER) == old) {
        irq_mask();
        if (irq_count(0, IRQ_TIMER) == old) {
            wfi();
        }
        irq_unmask();
    }
    expect("timer in WFI", irq_count(0, IRQ_TIMER), old + 1);
}

void measure_unmapped(void)
{
    fault_expected = UNMAPPED_ADDRESS;
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        unsigned int old = faults;
        ASYNC_BEGIN(ROW_UNMAPPED_READ);
        mmio_read32(UNMAPPED_ADDRESS);
        expect("faults reflected", faults, old + 1);
    }
    fault_expected = 0;
}
