/* SPDX-License-Identifier: MIT */
/* A UART that writes into fake_machine->console and reads from fake_machine->console_input. */
#include <arch/boot.h>
#include <arch/impl/fake.h>

static void console_nop(const struct uart_regs *regs) {}

static void console_putc(const struct uart_regs *regs, char c)
{
    struct fake_machine *m = fake_machine;

    /* The oldest half goes when it is full. */
    if (m->console_len == sizeof(m->console) - 1) {
        size_t half = sizeof(m->console) / 2;

        for (size_t i = half; i < m->console_len; i++) {
            m->console[i - half] = m->console[i];
        }
        m->console_len -= half;
    }
    m->console[m->console_len++] = c;
    m->console[m->console_len] = '\0';
}

static int console_getc(const struct uart_regs *regs)
{
    struct fake_machine *m = fake_machine;

    return m->console_input != NULL && *m->console_input != '\0'
               ? (unsigned char)*m->console_input++
               : -1;
}

const struct console_driver fake_console_driver = {
    .init = console_nop,
    .putc = console_putc,
    .getc = console_getc,
    .enable_rx_irq = console_nop,
    .ack_irq = console_nop,
};

void arch_early_print(struct hv *hv, const char *text)
{
    for (; *text != '\0'; text++) {
        console_putc(NULL, *text);
    }
}
