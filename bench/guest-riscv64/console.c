/* SPDX-License-Identifier: MIT */
/*
 * The guest's output: the ns16550 of the device tree where there is one (registers of one byte:
 * transmit holding 0, line status 5), else the firmware's console.
 */
#include "guest.h"

enum { UART_THR = 0, UART_LSR = 5, UART_LSR_THRE = 1 << 5 };

static uint8_t mmio_read8(uint64_t address)
{
    uint8_t value;

    __asm__ volatile("lbu %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static void mmio_write8(uint64_t address, uint8_t value)
{
    __asm__ volatile("sb %0, 0(%1)" ::"r"(value), "r"(address) : "memory");
}

void console_out(const char *text, unsigned int length)
{
    if (machine.uart == 0) {
        sbi(SBI_DBCN, SBI_DBCN_WRITE, length, (uint64_t)text, 0);
        return;
    }
    for (unsigned int i = 0; i < length; i++) {
        while ((mmio_read8(machine.uart + UART_LSR) & UART_LSR_THRE) == 0) {
        }
        mmio_write8(machine.uart + UART_THR, (uint8_t)text[i]);
    }
}

void guest_finish(void)
{
    MARK_ABANDON();
    MARK_REPORT();
    print_verdict();
    sbi(SBI_SRST, SBI_SRST_RESET, 0, 0, 0);
    for (;;) {
        wfi();
    }
}
