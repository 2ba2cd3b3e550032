/* SPDX-License-Identifier: MIT */
/*
 * What a boot-time guest looks like on arm64: its address map, which kernels
 * it starts, and the nodes of its device tree that describe CPUs, firmware,
 * timer and interrupt controller.
 *
 * The map is Xen's (public header arch-arm.h), so that what knows one knows
 * the other. A direct-mapped domain has its interrupt controller where the
 * machine has its own.
 */
#include <arch/guest.h>
#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>
#include <loam/string.h>
#include <loam/vuart.h>
#include <xen/errno.h>

#include "guest.h"
#include "host.h"

#define GIC_SPI 0 /* first cell of an interrupt specifier (binding arm,gic-v3) */
#define GIC_PPI 1
#define IRQ_EDGE_RISING 1
#define IRQ_LEVEL_HIGH 4
#define IRQ_LEVEL_LOW 8

/* PPIs of a guest: numbers of the specifier, INTID less 16. */
#define PPI_TIMER_SECURE 13
#define PPI_TIMER_PHYS 14
#define PPI_TIMER_VIRT 11

static const struct guest_layout layout = {
    .ram_base = { { 0x40000000 }, { 0x200000000 } },
    .ram_size = { 3 * GIB, 1016 * GIB },
    .uart_kind = VUART_PL011,
    .uart_base = { 0x22000000 },
    .uart_virq = 32,
    .virq_base = 32,
    .grant_base = { 0x38000000 },
    .grant_size = 16 * MIB,
    .fdt_vcpu_size = 256,
    .vcpu_shared_size = 64, /* stolen time, psci.c */
};

const struct guest_layout *arch_guest_layout(void) { return &layout; }

/* Header of an arm64 Image (Linux Documentation/arch/arm64/booting.rst). */
struct image_header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags; /* bit 0: big endian */
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe;
};
#define IMAGE_MAGIC 0x644d5241 /* "ARM\x64" */
#define IMAGE_BIG_ENDIAN 1
#define ZIMAGE32_MAGIC 0x016f2818 /* at byte 0x24 */

/* What something is that is no Image, for the person who gave it. */
static const char *kernel_guess(const uint8_t *b)
{
    uint32_t zimage;

    memcpy(&zimage, b + 0x24, sizeof(zimage));
    if (b[0] == 0x1f && b[1] == 0x8b) {
        return "it is compressed (gzip); an uncompressed arm64 Image is needed";
    }
    if (memcmp(b,
               "\x7f"
               "ELF",
               4) == 0) {
        return "it is an ELF file; an arm64 Image is needed (objcopy -O binary)";
    }
    if (zimage == ZIMAGE32_MAGIC) {
        return "it is a 32-bit zImage; only 64-bit kernels are started";
    }
    return "no arm64 Image header (\"ARM\\x64\" at byte 56)";
}

int arch_kernel_probe(const void *head, uint64_t size, struct kernel_image *out, const char **why)
{
    struct image_header h;

    if (size < sizeof(h)) {
        *why = "it is shorter than an Image header";
        return -XEN_ENOEXEC;
    }
    memcpy(&h, head, sizeof(h));
    if (h.magic != IMAGE_MAGIC) {
        *why = kernel_guess(head);
        return -XEN_ENOEXEC;
    }
    if (h.flags & IMAGE_BIG_ENDIAN) {
        *why = "it is a big-endian kernel; only little-endian ones are started";
        return -XEN_ENOEXEC;
    }
    if (h.text_offset >= 2 * MIB || h.image_size > 1 * GIB) {
        *why = "its Image header asks for an impossible place or size";
        return -XEN_ENOEXEC;
    }
    /* An image_size of 0 is from before Linux 3.17, whose text_offset is fixed. */
    out->offset = h.image_size == 0 ? 0x80000 : h.text_offset;
    out->align = 2 * MIB;
    out->memory = MAX(h.image_size, size);
    return 0;
}

uint64_t guest_mpidr(uint32_t vcpu) { return (uint64_t)(vcpu / 16) << 8 | vcpu % 16; }

struct guest_gic guest_gic(const struct domain *d)
{
    const struct arch_host *host = arch_host_const(d->hv);

    if (d->config.direct_map) {
        return (struct guest_gic){ gpa(host->gicd_addr.a), gpa(host->gicr[0].addr.a) };
    }
    return (struct guest_gic){ gpa(0x3001000), gpa(0x3020000) };
}

static void write_cpus(struct domain *d, struct fdt_writer *w)
{
    fdt_write_begin_node(w, "cpus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 0);
    for (uint32_t i = 0; i < d->config.vcpus_max; i++) {
        fdt_write_begin_unit(w, "cpu", guest_mpidr(i));
        fdt_write_prop_string(w, "device_type", "cpu");
        fdt_write_prop_string(w, "compatible", "arm,armv8");
        fdt_write_prop_string(w, "enable-method", "psci");
        fdt_write_prop_u32(w, "reg", (uint32_t)guest_mpidr(i));
        fdt_write_end_node(w);
    }
    fdt_write_end_node(w);
}

static void write_psci(struct fdt_writer *w)
{
    static const char *const compatible[] = { "arm,psci-1.0", "arm,psci-0.2" };

    fdt_write_begin_node(w, "psci");
    fdt_write_prop_strings(w, "compatible", compatible, ARRAY_SIZE(compatible));
    fdt_write_prop_string(w, "method", "hvc");
    fdt_write_end_node(w);
}

static void write_timer(struct fdt_writer *w)
{
    static const uint32_t interrupts[] = {
        GIC_PPI, PPI_TIMER_SECURE, IRQ_LEVEL_LOW, /* binding arm,armv8-timer: this order */
        GIC_PPI, PPI_TIMER_PHYS,   IRQ_LEVEL_LOW, GIC_PPI, PPI_TIMER_VIRT, IRQ_LEVEL_LOW,
    };

    fdt_write_begin_node(w, "timer");
    fdt_write_prop_string(w, "compatible", "arm,armv8-timer");
    fdt_write_prop_cells(w, "interrupts", interrupts, ARRAY_SIZE(interrupts));
    fdt_write_end_node(w);
}

static void write_gic(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc)
{
    struct guest_gic g = guest_gic(d);
    uint64_t reg[] = { g.gicd.a, GUEST_GICD_SIZE, g.gicr.a,
                       (uint64_t)d->config.vcpus_max * GUEST_GICR_STRIDE };

    fdt_write_begin_unit(w, "interrupt-controller", g.gicd.a);
    fdt_write_prop_string(w, "compatible", "arm,gic-v3");
    fdt_write_prop_u32(w, "#interrupt-cells", 3);
    fdt_write_prop_u32(w, "#address-cells", intc->address_cells);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_reg(w, reg, ARRAY_SIZE(reg) / 2);
    fdt_write_prop_u32(w, "phandle", intc->phandle);
    fdt_write_end_node(w);
}

void arch_guest_fdt(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc)
{
    fdt_write_prop_u32(w, "interrupt-parent", intc->phandle);
    write_cpus(d, w);
    write_psci(w);
    write_timer(w);
    write_gic(d, w, intc);
}

bool arch_host_keeps_node(const struct hv *hv, const struct fdt *host, struct fdt_node node)
{
    static const char *const kept[] = {
        "arm,psci",        "arm,psci-0.2", "arm,psci-1.0",   "arm,armv7-timer",
        "arm,armv8-timer", "arm,gic-v3",   "arm,gic-v3-its", "arm,gic-v2m-frame",
        "arm,armv8-pmuv3", "arm,smmu-v1",  "arm,smmu-v2",    "arm,smmu-v3",
        "arm,mmu-400",     "arm,mmu-401",  "arm,mmu-500",    "arm,armv7-timer-mem",
    };

    return fdt_compatible_any(host, node, kept, ARRAY_SIZE(kept));
}

bool arch_host_intc(const struct hv *hv, const struct fdt *host, struct fdt_node *out)
{
    *out = fdt_find_compatible(host, FDT_NONE, "arm,gic-v3");
    return fdt_node_exists(*out);
}

uint32_t arch_guest_irq_cells(const struct domain *d, uint32_t virq, bool edge, uint32_t cells[4])
{
    cells[0] = GIC_SPI;
    cells[1] = virq - layout.virq_base;
    cells[2] = edge ? IRQ_EDGE_RISING : IRQ_LEVEL_HIGH;
    return 3;
}

uint32_t arch_guest_event_irq_cells(bool control, uint32_t cells[4])
{
    cells[0] = GIC_PPI;
    cells[1] = (control ? GUEST_PPI_EVENT_CONTROL : GUEST_PPI_EVENT) - 16;
    cells[2] = IRQ_LEVEL_LOW;
    return 3;
}

int arch_host_irq_of(const struct hv *hv, const struct fdt *host, const struct fdt_interrupt *in,
                     uint32_t *irq, bool *edge)
{
    /* Private interrupts belong to CPUs and are nobody's to have. */
    if (!fdt_compatible(host, in->controller, "arm,gic-v3") || in->nr_cells < 3 ||
        in->cells[0] != GIC_SPI) {
        return -XEN_EINVAL;
    }
    *irq = in->cells[1] + 32;
    *edge = (in->cells[2] & 3) != 0;
    return 0;
}
