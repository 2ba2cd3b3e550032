/* SPDX-License-Identifier: MIT */
/* What only the fake architecture knows: its kernels; its interrupt controller has no masks. */
#include <arch/impl/fake.h>
#include <loam/string.h>

#include "conform.h"

void conform_kernel(uint8_t head[64])
{
    const struct fake_kernel k = { .magic = FAKE_KERNEL_MAGIC, .offset = 0x80000 };

    _Static_assert(sizeof(k) == 64, "the header is what conform_kernel() gives");
    memcpy(head, &k, sizeof(k));
}

enum conform_intc conform_open_virq(struct vcpu *v, uint32_t virq, bool edge)
{
    return INTC_LATCHES;
}
