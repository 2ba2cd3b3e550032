/* SPDX-License-Identifier: MIT */
/*
 * The guest's output, line by line: the PL011 of the device tree where there is one (Arm DDI 0183:
 * data register at 0, flags at 0x18), else the console_io hypercall. In this order, because Xen
 * shows a domain's console_io only at a log level that slows other rows down.
 */
#include "guest.h"

enum { PL011_DR = 0x00, PL011_FR = 0x18, PL011_FR_TXFF = 1 << 5 };
enum { CONSOLEIO_WRITE = 0, SHUTDOWN_POWEROFF = 0 };

void console_out(const char *text, unsigned int length)
{
    if (machine.uart != 0) {
        for (unsigned int i = 0; i < length; i++) {
            while ((mmio_read32(machine.uart + PL011_FR) & PL011_FR_TXFF) != 0) {
            }
            mmio_write32(machine.uart + PL011_DR, (uint8_t)text[i]);
        }
    } else if (machine.is_xen) {
        hypercall(HC_CONSOLE_IO, CONSOLEIO_WRITE, length, (uint64_t)text);
    }
}

void guest_finish(void)
{
    uint32_t reason = SHUTDOWN_POWEROFF;

    MARK_ABANDON();
    MARK_REPORT();
    print_verdict();
    if (machine.is_xen) {
        hypercall(HC_SCHED_OP, SCHED_SHUTDOWN, (uint64_t)&reason, 0);
    }
    smccc(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;) {
        wfi();
    }
}
