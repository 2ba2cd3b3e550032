/* SPDX-License-Identifier: MIT */
/*
 * The host console, shared by the hypervisor and all domains.
 *
 * Output: each line starts with its owner, "loam: " or "(name) ", and ends with CR LF on
 * the device; only the control domain's have no name in front. A domain's line is kept
 * until it is whole, except that the domain that has the input is shown byte by byte
 * (echo, prompts); when somebody else must write meanwhile, its line is broken and shown
 * from its beginning again when it goes on. Input goes to one domain at a time; Ctrl-A
 * three times moves it on to the next.
 */
#ifndef LOAM_CONSOLE_H
#define LOAM_CONSOLE_H

#include <loam/types.h>

struct domain;
struct fdt;
struct hv;
struct pcpu;

/* Registers of a UART: where they are mapped and, for a driver that is `spaced`, how they lie. */
struct uart_regs {
    uintptr_t base;
    uint8_t shift; /* 1 << shift bytes apart (device tree: reg-shift) */
    uint8_t width; /* bytes of an access: 1, 2 or 4 (reg-io-width) */
};

/*
 * A UART driver. ack_irq() ends the interrupt though nothing was read yet; a
 * driver that must disable it for that enables it again when getc() finds nothing.
 * Context: console lock held, but for ack_irq(), which is called on the CPU that
 * then reads the input. getc() only after enable_rx_irq().
 */
struct console_driver {
    bool spaced; /* boards differ in where its eight registers are */
    void (*init)(const struct uart_regs *regs);
    void (*putc)(const struct uart_regs *regs, char c); /* may wait for the device */
    int (*getc)(const struct uart_regs *regs);          /* -1: nothing there */
    void (*enable_rx_irq)(const struct uart_regs *regs);
    void (*ack_irq)(const struct uart_regs *regs);
};

/*
 * Sets hv->console up, without a device: what is written before there is one is lost.
 * Errors: -XEN_ENOMEM.
 */
int __must_check console_init(struct hv *hv);
/* Finds the device that /chosen stdout-path names and uses it; returns whether there is one. */
bool console_probe(struct hv *hv, const struct fdt *host);
/* Gives it a device. */
void console_set_device(struct hv *hv, const struct console_driver *drv, struct uart_regs regs);
/* Requests the device's interrupt, so that input arrives. After irq_table_init(). */
void console_start_input(struct hv *hv, const struct fdt *host);

/*
 * Writes a whole line with the prefix "loam: ". Without a console, which is how a panic over
 * a bad device tree comes, the line goes to the UART that the build names (arch/boot.h).
 */
void console_log(struct hv *hv, const char *line);
/*
 * The lines of console_log() are also kept, the last CONSOLE_LOG_SIZE bytes, each line as "text\n".
 * Bytes have numbers that count up for ever, modulo 2^32. A new line is told to control
 * domains by VIRQ_CON_RING. Context: any CPU. Locks: console.
 */
#define CONSOLE_LOG_SIZE 16384

/* The number of the oldest byte that is there and was not cleared. */
uint32_t console_log_first(struct hv *hv);
/*
 * Copies up to size bytes from number *at on, or from the oldest one if that is gone; *at is then
 * the number behind them. Returns how many.
 */
size_t console_log_read(struct hv *hv, uint32_t *at, char *buf, size_t size);
/* Forgets what is before `to`. */
void console_log_clear(struct hv *hv, uint32_t to);

/*
 * Writes bytes of a domain, any bytes, any split. A domain that is not
 * attached becomes so, without input; when there is no memory for that the bytes
 * are lost. Locks: mem, frames, console.
 */
void console_write(struct domain *d, const char *buf, size_t size);

/*
 * Makes d known to the console. input(d, c) is called for each byte while d
 * has the input, which the first one attached and a control domain get; NULL: d only writes.
 * Context of input: vcpu_next() of some CPU, no lock held; console_detach() waits for it.
 * Errors: -XEN_ENOMEM, -XEN_EEXIST attached already.
 */
int __must_check console_attach(struct domain *d, void (*input)(struct domain *d, char c));
/*
 * The opposite; what d wrote last is shown. Nothing to do is no error.
 * Context: d lives, not from input().
 */
void console_detach(struct domain *d);

/* The input of a control domain that reads it by console_io: core/subsystems.h. */
int __must_check console_input_init(struct domain *d);
int console_input_close(struct domain *d);
void console_input_free(struct domain *d);

/*
 * Reads what the device has and gives it to the domain, and tells of new lines in the log. From
 * vcpu_next() on PCPU_WORK_CONSOLE.
 */
void console_poll(struct hv *hv);

/* For panic: from now on output takes no lock. */
void console_panic(struct hv *hv);

#endif
