/* SPDX-License-Identifier: MIT */
/*
 * What a panic says before the device tree has been read.
 *
 * Which UART there is stands in the tree; when the tree is what is broken, only
 * the build can know: EARLY_PL011 is the address of a PL011 (Arm DDI 0183) or
 * SBSA UART of the board, 0 when there is none. Nothing else uses it.
 */
#include <arch/boot.h>
#include <arch/mmu.h>
#include <loam/bits.h>

#include "host.h"

#define UARTDR 0x000
#define UARTFR 0x018
#define FR_TXFF BIT(5)

static void put(uintptr_t regs, char c)
{
    while (*(volatile uint32_t *)(regs + UARTFR) & FR_TXFF) {
    }
    *(volatile uint32_t *)(regs + UARTDR) = (uint8_t)c;
}

void arch_early_print(struct hv *hv, const char *text)
{
    struct arch_host *host = arch_host(hv);

    if (host->early_uart == 0 && EARLY_PL011 != 0) {
        host->early_uart = arch_map_device(hv, hpa(EARLY_PL011), PAGE_SIZE);
    }
    for (; host->early_uart != 0 && *text != '\0'; text++) {
        put(host->early_uart, *text);
    }
}
