/* SPDX-License-Identifier: MIT */
/*
 * Driver of the 16550 UART (TI PC16550D data sheet, section 8) and of what is
 * compatible with it, as Synopsys' DesignWare APB UART.
 *
 * Speed and format stay as the firmware set them. Output waits until the FIFO
 * is empty, but not for ever: a line that stands still costs bytes, not the host.
 * Input is announced by interrupt. That interrupt is a level which only reading the
 * data ends, so it is disabled until all was read.
 */
#include "uart.h"

#define RBR 0 /* read */
#define THR 0 /* write */
#define IER 1
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5

#define IER_ERBI BIT(0) /* data available, or waiting below the trigger level */
#define FCR_ENABLE BIT(0)
#define FCR_TRIGGER_8 (UINT32_C(2) << 6)
#define LCR_DLAB BIT(7)
#define MCR_DTR BIT(0)
#define MCR_RTS BIT(1)
#define MCR_OUT2 BIT(3) /* lets the interrupt out, on boards made like a PC */
#define LSR_DR BIT(0)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)
#define LSR_ABSENT 0xff /* nothing answers on the bus */

/* Reads of LSR, each a bus access: more than 16 characters take at 9600 baud. */
#define WAIT_MAX 500000

static uint32_t reg_read(const struct uart_regs *regs, uint32_t reg)
{
    uintptr_t at = regs->base + ((uintptr_t)reg << regs->shift);

    switch (regs->width) {
    case 4:
        return *(volatile uint32_t *)at & 0xff;
    case 2:
        return *(volatile uint16_t *)at & 0xff;
    default:
        return *(volatile uint8_t *)at;
    }
}

static void reg_write(const struct uart_regs *regs, uint32_t reg, uint64_t value)
{
    uintptr_t at = regs->base + ((uintptr_t)reg << regs->shift);

    switch (regs->width) {
    case 4:
        *(volatile uint32_t *)at = (uint32_t)value;
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    default:
        *(volatile uint8_t *)at = (uint8_t)value;
        break;
    }
}

static void wait_for(const struct uart_regs *regs, uint64_t status)
{
    for (uint32_t i = 0; i < WAIT_MAX && !(reg_read(regs, LSR) & status); i++) {
    }
}

static void ns16550_init(const struct uart_regs *regs)
{
    uint32_t lcr = reg_read(regs, LCR);

    /* What the firmware wrote last goes out first: enabling the FIFO empties it. */
    wait_for(regs, LSR_TEMT);
    /* Written only where it must be: a busy DesignWare UART answers by an interrupt. */
    if (lcr & LCR_DLAB) {
        reg_write(regs, LCR, lcr & ~LCR_DLAB);
    }
    reg_write(regs, IER, 0);
    reg_write(regs, FCR, FCR_ENABLE | FCR_TRIGGER_8);
}

static void ns16550_putc(const struct uart_regs *regs, char c)
{
    wait_for(regs, LSR_THRE);
    reg_write(regs, THR, (uint8_t)c);
}

static int ns16550_getc(const struct uart_regs *regs)
{
    uint32_t status = reg_read(regs, LSR);

    if ((status & LSR_DR) && status != LSR_ABSENT) {
        return (int)reg_read(regs, RBR);
    }
    reg_write(regs, IER, IER_ERBI); /* partner: ns16550_ack_irq() */
    return -1;
}

static void ns16550_enable_rx_irq(const struct uart_regs *regs)
{
    reg_write(regs, MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
    reg_write(regs, IER, IER_ERBI);
}

static void ns16550_ack_irq(const struct uart_regs *regs)
{
    reg_write(regs, IER, 0);
}

const struct console_driver ns16550_driver = {
    .spaced = true,
    .init = ns16550_init,
    .putc = ns16550_putc,
    .getc = ns16550_getc,
    .enable_rx_irq = ns16550_enable_rx_irq,
    .ack_irq = ns16550_ack_irq,
};
