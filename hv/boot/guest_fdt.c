/* SPDX-License-Identifier: MIT */
/*
 * The device tree of a boot-time domain; the control domain's is dom0_fdt.c.
 *
 *   /                 who made it; the architecture's nodes: CPUs, firmware,
 *                     timer, interrupt controller (arch_guest_fdt())
 *   /chosen           command line, console, ramdisk
 *   /memory@...       one node per bank of RAM
 *   /uart@...         the emulated UART of the architecture's layout: a PL011, as the UART
 *   or /serial@...    of Arm's SBSA, which needs no clocks, or a 16550
 *   /hypervisor       for a domain with xen,enhanced
 *   /pcie@...         the bus of its PCI devices, if it has any
 *   /passthrough      devices of the host
 */
#include <xen/errno.h>

#include <loam/domain.h>
#include <loam/mem.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vpci.h>
#include <loam/vuart.h>

#include <arch/guest.h>

#include "private.h"

#define FDT_BASE_SIZE (8 * KIB) /* all but what depends on the domain */

size_t guest_shared_size(const struct plan_domain *pd)
{
    return ALIGN_UP(pd->config.vcpus_max * arch_guest_layout()->vcpu_shared_size, PAGE_SIZE);
}

size_t guest_fdt_size(const struct plan_domain *pd)
{
    size_t size = pd->dom0 ? dom0_fdt_size(pd) : 0;
    size += FDT_BASE_SIZE + arch_guest_layout()->fdt_vcpu_size * pd->config.vcpus_max;
    if (pd->bootargs) {
        size += strlen(pd->bootargs);
    }
    if (pd->devices) {
        size += pd->devices->blob_size;
    }
    if (pd->nr_pci) {
        size += VPCI_FDT_SIZE;
    }
    return ALIGN_UP(size, PAGE_SIZE);
}

/* By enum vuart_kind. */
static const struct uart_node {
    const char *name, *compatible;
    uint64_t size;
    uint32_t clock; /* 0: the binding has none */
} uart_nodes[] = {
    [VUART_PL011] = { "uart", "arm,sbsa-uart", VUART_PL011_SIZE, 0 },
    [VUART_NS16550] = { "serial", "ns16550a", VUART_NS16550_SIZE, 3686400 },
};

static void uart_path(char *buf, size_t size)
{
    const struct guest_layout *layout = arch_guest_layout();
    fmt_print(buf, size, "/%s@%lx", uart_nodes[layout->uart_kind].name, layout->uart_base.a);
}

static void write_chosen(const struct build *b, struct fdt_writer *w)
{
    const struct plan_domain *pd = b->pd;
    char path[32];
    fdt_write_begin_node(w, "chosen");
    if (pd->bootargs) {
        fdt_write_prop_string(w, "bootargs", pd->bootargs);
    }
    if (pd->vuart) {
        uart_path(path, sizeof(path));
        fdt_write_prop_string(w, "stdout-path", path);
    }
    if (pd->module[PLAN_RAMDISK].size) {
        fdt_write_prop_u64(w, "linux,initrd-start", b->ramdisk_gpa);
        fdt_write_prop_u64(w, "linux,initrd-end", b->ramdisk_gpa + pd->module[PLAN_RAMDISK].size);
    }
    fdt_write_end_node(w);
}

void guest_fdt_memory(const struct build *b, struct fdt_writer *w)
{
    for (uint32_t i = 0; i < b->nr_banks; i++) {
        const uint64_t reg[] = { b->bank[i].gpa, b->bank[i].size };
        fdt_write_begin_unit(w, "memory", b->bank[i].gpa);
        fdt_write_prop_string(w, "device_type", "memory");
        fdt_write_prop_reg(w, reg, 1);
        fdt_write_end_node(w);
    }
}

/* RAM that the guest's kernel maps but gives to nobody (binding reserved-memory). */
void guest_fdt_shared(const struct build *b, struct fdt_writer *w)
{
    const uint64_t reg[] = { b->shared_gpa, guest_shared_size(b->pd) };
    fdt_write_begin_unit(w, "vcpus", b->shared_gpa);
    fdt_write_prop_reg(w, reg, 1);
    fdt_write_end_node(w);
}

static void write_reserved(const struct build *b, struct fdt_writer *w)
{
    fdt_write_begin_node(w, "reserved-memory");
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", 2);
    fdt_write_prop_empty(w, "ranges");
    guest_fdt_shared(b, w);
    fdt_write_end_node(w);
}

static void write_uart(const struct domain *d, struct fdt_writer *w)
{
    const struct guest_layout *layout = arch_guest_layout();
    const struct uart_node *node = &uart_nodes[layout->uart_kind];
    const uint64_t reg[] = { layout->uart_base.a, node->size };
    uint32_t cells[4];
    uint32_t nr = arch_guest_irq_cells(d, layout->uart_virq, false, cells);
    fdt_write_begin_unit(w, node->name, layout->uart_base.a);
    fdt_write_prop_string(w, "compatible", node->compatible);
    fdt_write_prop_u64s(w, "reg", reg, ARRAY_SIZE(reg));
    fdt_write_prop_u32(w, "interrupt-parent", GUEST_PHANDLE_INTC);
    fdt_write_prop_cells(w, "interrupts", cells, nr);
    if (node->clock) {
        fdt_write_prop_u32(w, "clock-frequency", node->clock);
    }
    fdt_write_prop_u32(w, "current-speed", 115200);
    fdt_write_end_node(w);
}

/* Devicetree binding xen.txt: reg 0 is where grant frames can be mapped. */
void guest_fdt_hypervisor(const struct domain *d, struct fdt_writer *w,
                          const struct plan_range *regs, uint32_t nr_regs, uint32_t intc_phandle)
{
    static const char *const compatible[] = { "xen,xen-4.17", "xen,xen" };
    uint64_t reg[2 * HYPERVISOR_REGS_MAX];
    uint32_t cells[4];
    uint32_t nr = arch_guest_event_irq_cells(d->config.control, cells);
    fdt_write_begin_node(w, "hypervisor");
    fdt_write_prop_strings(w, "compatible", compatible, ARRAY_SIZE(compatible));
    for (uint32_t i = 0; i < nr_regs; i++) {
        reg[2 * i] = regs[i].start;
        reg[2 * i + 1] = regs[i].size;
    }
    fdt_write_prop_reg(w, reg, nr_regs);
    if (nr) {
        fdt_write_prop_u32(w, "interrupt-parent", intc_phandle);
        fdt_write_prop_cells(w, "interrupts", cells, nr);
    }
    fdt_write_end_node(w);
}

static void write_tree(const struct build *b, struct fdt_writer *w)
{
    static const char *const compatible[] = { "xen,xenvm-4.17", "xen,xenvm" };
    const struct guest_layout *layout = arch_guest_layout();
    const struct plan_range grants = { layout->grant_base.a, layout->grant_size };
    fdt_write_begin_node(w, "");
    fdt_write_prop_string(w, "model", "Loam");
    fdt_write_prop_strings(w, "compatible", compatible, ARRAY_SIZE(compatible));
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", 2);
    /* First of the children: it may add properties to the root. */
    arch_guest_fdt(b->d, w, &GUEST_INTC);
    write_chosen(b, w);
    guest_fdt_memory(b, w);
    if (guest_shared_size(b->pd)) {
        write_reserved(b, w);
    }
    if (b->pd->vuart) {
        write_uart(b->d, w);
    }
    if (b->pd->config.enhanced) {
        guest_fdt_hypervisor(b->d, w, &grants, 1, GUEST_PHANDLE_INTC);
    }
    vpci_guest_fdt(b->d, w);
    passthrough_fdt(b->pd, w);
    fdt_write_end_node(w);
}

int guest_fdt_write(struct build *b)
{
    struct fdt_writer w;
    b->fdt = mem_alloc(b->pd->hv, b->fdt_max);
    if (!b->fdt) {
        return build_fail(b, "memory", -XEN_ENOMEM);
    }
    fdt_write_begin(&w, b->fdt, b->fdt_max);
    if (b->pd->dom0) {
        dom0_fdt_write(b, &w);
    } else {
        write_tree(b, &w);
    }
    int size = fdt_write_finish(&w);
    if (size < 0) {
        return plan_warn(b->pd, NULL, "xen,domain", "its device tree cannot be made, error %d",
                         -size);
    }
    b->fdt_size = (size_t)size;
    return 0;
}
