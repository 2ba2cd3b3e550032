/* SPDX-License-Identifier: MIT */
/*
 * The host console, shared by the hypervisor and all domains.
 *
 * Output: each line starts with its owner, "loam: " or "(name) ". A line that
 * is not finished is shown at once when its domain has the input (prompts)
 * and completed when somebody else must write. Input goes to one owner at a
 * time; Ctrl-A three times moves it on.
 */
#ifndef LOAM_CONSOLE_H
#define LOAM_CONSOLE_H

#include <loam/types.h>

struct domain;
struct hv;

/* A UART driver. Context: console lock held; putc may wait for the device. */
struct console_driver {
    const char *compatible; /* device tree */
    void (*init)(uintptr_t regs);
    void (*putc)(uintptr_t regs, char c);
    int (*getc)(uintptr_t regs);          /* -1: nothing there */
    void (*enable_rx_irq)(uintptr_t regs);
    void (*ack_irq)(uintptr_t regs);
};

/* Sets hv->console up, without a device: output is kept until there is one. Errors: -XEN_ENOMEM. */
int __must_check console_init(struct hv *hv);
/* Gives it a device, mapped at regs; flushes what was kept. */
void console_set_device(struct hv *hv, const struct console_driver *drv, uintptr_t regs);

/* Writes a whole line with the prefix "loam: ". */
void console_log(struct hv *hv, const char *line);
/* Writes bytes of a domain, any bytes, any split. Context: any. */
void console_write(struct domain *d, const char *buf, size_t size);

/*
 * A domain that can take input: input(d, c) is called for each byte while d
 * has it. Context of input: vcpu_next() of some CPU, no lock held.
 */
int __must_check console_attach(struct domain *d, void (*input)(struct domain *d, char c));
void console_detach(struct domain *d);

/* Reads what the device has and gives it to the owner. From vcpu_next() on PCPU_WORK_CONSOLE. */
void console_poll(struct hv *hv);

/* The interrupt of the device: acknowledges it and raises PCPU_WORK_CONSOLE. */
void console_irq(struct hv *hv);

/* For panic: output without locks. */
void console_panic(struct hv *hv);

#endif
