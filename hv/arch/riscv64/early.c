/* SPDX-License-Identifier: MIT */
/*
 * What a panic says before the device tree has been read: by the firmware's
 * debug console (SBI 2.0 ch. 12), which knows the board.
 */
#include <arch/boot.h>

#include "sbi.h"

#define DBCN_WRITE_BYTE 2

void arch_early_print(struct hv *hv, const char *text)
{
    for (; *text != '\0'; text++) {
        if (sbi_call(SBI_EXT_DBCN, DBCN_WRITE_BYTE, (uint8_t)*text, 0, 0, 0, 0).error != 0) {
            return;
        }
    }
}
