/* SPDX-License-Identifier: MIT */
/*
 * Driver of the Arm PL011 UART (Arm DDI 0183) and of its subset, the SBSA
 * generic UART (Arm DEN 0029 appendix B), which has no line control.
 *
 * Speed and format stay as the firmware set them. Output waits for room in
 * the FIFO; input is announced by interrupt and read until the FIFO is empty.
 */
#include "uart.h"

#define UARTDR 0x000
#define UARTFR 0x018
#define UARTLCR_H 0x02c
#define UARTCR 0x030
#define UARTIMSC 0x038
#define UARTICR 0x044

#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define LCR_H_FEN BIT(4)
#define CR_ENABLE (BIT(0) | BIT(8) | BIT(9)) /* UART, transmitter, receiver */
#define INT_RX BIT(4)
#define INT_RX_TIMEOUT BIT(6)
#define INT_ALL 0x7ff

static uint32_t reg_read(const struct uart_regs *regs, uint32_t offset)
{
    return *(volatile uint32_t *)(regs->base + offset);
}

static void reg_write(const struct uart_regs *regs, uint32_t offset, uint64_t value)
{
    *(volatile uint32_t *)(regs->base + offset) = (uint32_t)value;
}

static void sbsa_init(const struct uart_regs *regs)
{
    reg_write(regs, UARTIMSC, 0);
    reg_write(regs, UARTICR, INT_ALL);
}

static void pl011_init(const struct uart_regs *regs)
{
    sbsa_init(regs);
    reg_write(regs, UARTLCR_H, reg_read(regs, UARTLCR_H) | LCR_H_FEN);
    reg_write(regs, UARTCR, reg_read(regs, UARTCR) | CR_ENABLE);
}

static void pl011_putc(const struct uart_regs *regs, char c)
{
    while (reg_read(regs, UARTFR) & FR_TXFF) {
    }
    reg_write(regs, UARTDR, (uint8_t)c);
}

static int pl011_getc(const struct uart_regs *regs)
{
    if (reg_read(regs, UARTFR) & FR_RXFE) {
        return -1;
    }
    return (int)(reg_read(regs, UARTDR) & 0xff);
}

static void pl011_enable_rx_irq(const struct uart_regs *regs)
{
    reg_write(regs, UARTIMSC, INT_RX | INT_RX_TIMEOUT);
}

static void pl011_ack_irq(const struct uart_regs *regs)
{
    reg_write(regs, UARTICR, INT_RX | INT_RX_TIMEOUT);
}

const struct console_driver pl011_driver = {
    .init = pl011_init,
    .putc = pl011_putc,
    .getc = pl011_getc,
    .enable_rx_irq = pl011_enable_rx_irq,
    .ack_irq = pl011_ack_irq,
};

const struct console_driver sbsa_uart_driver = {
    .init = sbsa_init,
    .putc = pl011_putc,
    .getc = pl011_getc,
    .enable_rx_irq = pl011_enable_rx_irq,
    .ack_irq = pl011_ack_irq,
};
