/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, the timer (Sstc) and faults of the riscv64 bench guest.
 *
 * Every interrupt taken is counted per hart and cause, so that a run can check that what it
 * measured happened exactly once. A trap's first instruction is the marker in start.S.
 */
#include "guest.h"

#define CAUSE_INTERRUPT (1ull << 63)
#define TIMER_NEVER (~0ull)
enum { CAUSE_LOAD_ACCESS = 5 };

volatile uint64_t fault_expected;
volatile unsigned int faults;

static volatile unsigned int counts[MAX_CPUS][NR_IRQS];

static unsigned int this_cpu(void)
{
    uint64_t id;

    __asm__ volatile("mv %0, tp" : "=r"(id));
    return (unsigned int)id;
}

unsigned int irq_count(unsigned int cpu, unsigned int irq) { return counts[cpu][irq]; }

static void timer_set(uint64_t when) { CSR_WRITE(0x14d, when); } /* stimecmp */

void irq_init_cpu(void)
{
    timer_set(TIMER_NEVER);
    CSR_WRITE(sie, 1 << IRQ_IPI | 1 << IRQ_TIMER);
}

static uint64_t ticks(unsigned int us) { return (uint64_t)us * machine.frequency / 1000000; }

void timer_start_us(unsigned int us) { timer_set(CSR_READ(time) + ticks(us)); }

void delay_us(unsigned int us)
{
    uint64_t end = CSR_READ(time) + ticks(us);

    while (CSR_READ(time) < end) {
    }
}

uint64_t now_us(void) { return CSR_READ(time) / (machine.frequency / 1000000); }

void ipi_send(unsigned int cpu)
{
    expect("send_ipi", (uint64_t)sbi(SBI_IPI, SBI_IPI_SEND, 1ul << cpu, 0, 0).error, 0);
}

static void irq_handle(unsigned int irq)
{
    if (irq == IRQ_TIMER) {
        timer_set(TIMER_NEVER);
    } else if (irq == IRQ_IPI) {
        CSR_CLEAR(sip, 1 << IRQ_IPI);
    } else {
        fail("interrupt nobody asked for", irq, IRQ_TIMER);
        CSR_CLEAR(sie, 1ull << irq);
    }
    if (irq < NR_IRQS) {
        counts[this_cpu()][irq]++;
    }
}

/* Bits 1:0 of an instruction say whether it has 2 or 4 bytes (Unpriv. spec 1.5). */
static uint64_t insn_bytes(uint64_t pc) { return (*(const uint16_t *)pc & 3) == 3 ? 4 : 2; }

uint64_t trap_handle(uint64_t cause, uint64_t epc, uint64_t tval)
{
    if (cause & CAUSE_INTERRUPT) {
        irq_handle((unsigned int)(cause & 63));
        return epc;
    }
    if (cause == CAUSE_LOAD_ACCESS && fault_expected != 0 && tval == fault_expected) {
        faults++;
        return epc + insn_bytes(epc);
    }
    fail("unexpected exception, cause", cause, 0);
    fail("  at image offset", epc - (uint64_t)image_start, 0);
    fail("  trap value", tval, 0);
    guest_finish();
}
