/* SPDX-License-Identifier: MIT */
/* What a fake guest looks like: address map, kernel format, its device tree's own nodes. */
#include <arch/guest.h>
#include <arch/impl/fake.h>
#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>
#include <loam/string.h>
#include <loam/vuart.h>
#include <xen/errno.h>

#include "fake.h"

const struct guest_layout *arch_guest_layout(void)
{
    static const struct guest_layout layout = {
        .ram_base = { { 0x40000000 }, { 0x200000000 } },
        .ram_size = { 0xc0000000, 0x1000000000 },
        .uart_kind = VUART_PL011,
        .uart_base = { 0x22000000 },
        .uart_virq = FAKE_VIRQ_BASE,
        .virq_base = FAKE_VIRQ_BASE,
        .grant_base = { 0x38000000 },
        .grant_size = 0x1000000,
        .pci_ecam_base = { 0x30000000 },
        .pci_mem_base = { 0x23000000 },
        .pci_mem_size = 0x0d000000,
        .pci_mem64_base = { 0x2000000000 },
        .pci_mem64_size = 0x1000000000,
        .fdt_vcpu_size = 256,
        .vcpu_shared_size = 64,
    };
    return fake_machine->layout != NULL ? fake_machine->layout : &layout;
}

int arch_kernel_probe(const void *head, uint64_t size, struct kernel_image *out, const char **why)
{
    struct fake_kernel k;

    if (size < 64) {
        *why = "it is shorter than the header of a kernel";
        return -XEN_ENOEXEC;
    }
    memcpy(&k, head, sizeof(k));
    if (memcmp(k.magic, FAKE_KERNEL_MAGIC, sizeof(k.magic)) != 0) {
        *why = "it does not begin with FAKE";
        return -XEN_ENOEXEC;
    }
    *out = (struct kernel_image){
        .offset = k.offset,
        .align = MIB * 2,
        .memory = MAX((uint64_t)k.memory, size),
    };
    return 0;
}

void arch_guest_fdt(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc)
{
    fdt_write_prop_u32(w, "interrupt-parent", intc->phandle);
    fdt_write_begin_node(w, "cpus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 0);
    for (uint32_t i = 0; i < d->config.vcpus_max; i++) {
        fdt_write_begin_unit(w, "cpu", i);
        fdt_write_prop_string(w, "device_type", "cpu");
        fdt_write_prop_u32(w, "reg", i);
        fdt_write_end_node(w);
    }
    fdt_write_end_node(w);
    fdt_write_begin_unit(w, "interrupt-controller", FAKE_INTC_BASE);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_u32(w, "#interrupt-cells", 2);
    fdt_write_prop_u32(w, "#address-cells", intc->address_cells);
    fdt_write_prop_u32(w, "phandle", intc->phandle);
    fdt_write_end_node(w);
}

bool arch_host_keeps_node(const struct hv *hv, const struct fdt *host, struct fdt_node node)
{
    return fdt_compatible(host, node, FAKE_INTC_COMPATIBLE) ||
           fdt_compatible(host, node, FAKE_KEPT_COMPATIBLE);
}

bool arch_host_intc(const struct hv *hv, const struct fdt *host, struct fdt_node *out)
{
    *out = fdt_find_compatible(host, FDT_NONE, FAKE_INTC_COMPATIBLE);
    return fdt_node_exists(*out);
}

uint32_t arch_guest_irq_cells(const struct domain *d, uint32_t virq, bool edge, uint32_t cells[4])
{
    cells[0] = virq;
    cells[1] = edge;
    return 2;
}

uint32_t arch_guest_event_irq_cells(bool control, uint32_t cells[4])
{
    cells[0] = control ? 2 : 1;
    cells[1] = 0;
    return 2;
}

int arch_host_irq_of(const struct hv *hv, const struct fdt *host, const struct fdt_interrupt *in,
                     uint32_t *irq, bool *edge)
{
    if (in->nr_cells != 2 || in->cells[0] >= FAKE_IRQS) {
        return -XEN_EINVAL;
    }
    *irq = in->cells[0];
    *edge = in->cells[1] != 0;
    return 0;
}
