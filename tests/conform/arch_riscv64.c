/* SPDX-License-Identifier: MIT */
/* What only riscv64 knows: its kernels, and the registers of a guest's PLIC (PLIC spec 1.0 ch. 3).
 */
#include <loam/domain.h>
#include <loam/mmio.h>
#include <loam/string.h>
#include <loam/vcpu.h>

#include "conform.h"

#define PLIC_BASE 0x0c000000u
#define PLIC_PRIORITY 0x0
#define PLIC_ENABLE 0x2000
#define PLIC_THRESHOLD 0x200000

#define SIE_SEIE BIT(9) /* Priv. spec 12.1.3 */

/* Linux Documentation/arch/riscv/boot-image-header.rst */
void conform_kernel(uint8_t head[64])
{
    const uint64_t text_offset = 2 * MIB, image_size = 6 * MIB;

    memset(head, 0, 64);
    memcpy(head + 8, &text_offset, sizeof(text_offset));
    memcpy(head + 16, &image_size, sizeof(image_size));
    memcpy(head + 48, "RISCV\0\0", 8);
    memcpy(head + 56, "RSC\x05", 4);
}

static void plic_write(struct vcpu *v, const struct mmio_region *r, uint64_t offset, uint32_t value)
{
    (void)r->ops->write(v, r->data, offset, 4, value);
}

/* With an APLIC the last step, the interrupt file, may be the hardware's. */
enum conform_intc conform_open_virq(struct vcpu *v, uint32_t virq, bool edge)
{
    const struct mmio_region *r = mmio_find(v->domain, gpa(PLIC_BASE));

    if (r == NULL) {
        return INTC_CLOSED;
    }
    v->arch.vs.ie |= SIE_SEIE;
    plic_write(v, r, PLIC_PRIORITY + virq * 4, 1);
    plic_write(v, r, PLIC_ENABLE + v->id * 0x80 + virq / 32 * 4, 1u << virq % 32);
    plic_write(v, r, PLIC_THRESHOLD + v->id * 0x1000, 0);
    return INTC_LATCHES;
}
