/* SPDX-License-Identifier: MIT */
/* The UART drivers of the console: rows of the table in console.c. */
#ifndef DEV_UART_H
#define DEV_UART_H

#include <loam/console.h>

extern const struct console_driver pl011_driver;
extern const struct console_driver sbsa_uart_driver;
extern const struct console_driver ns16550_driver;

#endif
