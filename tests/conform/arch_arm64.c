/* SPDX-License-Identifier: MIT */
/* What only arm64 knows: its kernels, and the registers of a guest's GICv3 (Arm IHI 0069). */
#include <loam/domain.h>
#include <loam/mmio.h>
#include <loam/string.h>
#include <loam/vcpu.h>

#include "conform.h"

#define GICD_BASE 0x3001000u /* in a guest's map (Xen's public header arch-arm.h) */
#define GICD_CTLR 0x0
#define GICD_IGROUPR 0x80
#define GICD_ISENABLER 0x100
#define GICD_IPRIORITYR 0x400
#define GICD_ICFGR 0xc00
#define GICD_IROUTER 0x6000
#define CTLR_ENABLE_GRP1 2

#define VMCR_ENABLE_GRP1 BIT(1)
#define VMCR_PMR_ALL (UINT64_C(0xf8) << 24)

/* Linux Documentation/arch/arm64/booting.rst */
void conform_kernel(uint8_t head[64])
{
    const uint64_t image_size = 6 * MIB;

    memset(head, 0, 64);
    memcpy(head + 16, &image_size, sizeof(image_size));
    memcpy(head + 56, "ARM\x64", 4);
}

static void gicd_write(struct vcpu *v, uint64_t offset, uint32_t size, uint64_t value)
{
    const struct mmio_region *r = mmio_find(v->domain, gpa(GICD_BASE));

    if (r != NULL) { /* or the test sees that nothing is open */
        (void)r->ops->write(v, r->data, offset, size, value);
    }
}

enum conform_intc conform_open_virq(struct vcpu *v, uint32_t virq, bool edge)
{
    uint32_t bit = 1u << virq % 32;

    v->arch.vgic.vmcr = VMCR_ENABLE_GRP1 | VMCR_PMR_ALL;
    gicd_write(v, GICD_CTLR, 4, CTLR_ENABLE_GRP1);
    gicd_write(v, GICD_IGROUPR + virq / 32 * 4, 4, bit);
    gicd_write(v, GICD_IPRIORITYR + virq, 1, 0x80);
    gicd_write(v, GICD_ICFGR + virq / 16 * 4, 4, edge ? 2u << virq % 16 * 2 : 0);
    gicd_write(v, GICD_IROUTER + virq * 8, 8, v->arch.vmpidr & 0xffffff);
    gicd_write(v, GICD_ISENABLER + virq / 32 * 4, 4, bit);
    return INTC_FOLLOWS;
}
