/* SPDX-License-Identifier: MIT */
/*
 * The device tree of the control domain: the host's, but for
 *
 *   /chosen            command line and ramdisk are its own; seeds and the rest as they are
 *   /memory@...        one node per bank of its RAM
 *   /reserved-memory   pools that the kernel places itself, and RAM kept for vCPUs
 *   /hypervisor        where grant frames and pages of others can be, the event interrupt
 *   CPUs, firmware,    written by the architecture (arch_guest_fdt())
 *   timer, controller
 *
 * and without what it does not see (dom0_devices.c). No IOMMU and no MSI controller is there, so
 * properties that lead to one go, too. All reg that are written have the widths of the host's root.
 */
#include <loam/fdt_write.h>
#include <loam/string.h>

#include <arch/guest.h>

#include "private.h"

#define CHOSEN_SIZE 1024 /* what is added to /chosen and the root, beside the command line */

size_t dom0_fdt_size(const struct plan_domain *pd)
{
    const struct fdt *host = &pd->hv->plan->host;
    return (size_t)host->struct_size + host->strings_size + CHOSEN_SIZE;
}

static bool is_one_of(const char *name, const char *const *names, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool keep_for_dom0(void *arg, const struct fdt *f, struct fdt_node node,
                          const struct fdt_prop *prop)
{
    static const char *const dropped[] = { "iommus",         "iommu-map", "iommu-map-mask",
                                           "msi-parent",     "msi-map",   "msi-map-mask",
                                           "xen,passthrough" };
    if (!prop) {
        return dom0_sees(arg, node);
    }
    return !is_one_of(prop->name, dropped, ARRAY_SIZE(dropped));
}

/* arch_guest_fdt() gives the root its interrupt-parent. */
static bool keep_root_prop(void *arg, const struct fdt *f, struct fdt_node node,
                           const struct fdt_prop *prop)
{
    return strcmp(prop->name, "interrupt-parent") != 0 && keep_for_dom0(arg, f, node, prop);
}

static bool keep_chosen_prop(void *arg, const struct fdt *f, struct fdt_node node,
                             const struct fdt_prop *prop)
{
    /* The console is the hypervisor's, and so is what the firmware said of memory. */
    static const char *const dropped[] = { "bootargs",
                                           "stdout-path",
                                           "linux,stdout-path",
                                           "linux,initrd-start",
                                           "linux,initrd-end",
                                           "linux,usable-memory-range",
                                           "linux,elfcorehdr",
                                           "linux,uefi-system-table",
                                           "linux,uefi-mmap-start",
                                           "linux,uefi-mmap-size",
                                           "linux,uefi-mmap-desc-size",
                                           "linux,uefi-mmap-desc-ver" };
    return strncmp(prop->name, "xen,", 4) != 0 &&
           !is_one_of(prop->name, dropped, ARRAY_SIZE(dropped));
}

static void write_chosen(const struct build *b, struct fdt_writer *w)
{
    static const struct fdt_filter filter = { .keep = keep_chosen_prop };
    const struct plan_domain *pd = b->pd;
    uint64_t ramdisk = pd->module[PLAN_RAMDISK].size;
    fdt_write_begin_node(w, "chosen");
    if (pd->bootargs) {
        fdt_write_prop_string(w, "bootargs", pd->bootargs);
    }
    if (ramdisk) {
        fdt_write_prop_u64(w, "linux,initrd-start", b->ramdisk_gpa);
        fdt_write_prop_u64(w, "linux,initrd-end", b->ramdisk_gpa + ramdisk);
    }
    fdt_copy_props(w, &pd->hv->plan->host, pd->node, &filter);
    fdt_write_end_node(w);
}

/*
 * Of the host's nodes those that name no address: pools that the kernel places. Regions with an
 * address are the firmware's, and no RAM of the domain.
 */
static void write_reserved(const struct build *b, struct fdt_writer *w)
{
    const struct fdt_filter filter = { keep_for_dom0, b->pd };
    const struct fdt *host = &b->pd->hv->plan->host;
    struct fdt_node node;
    fdt_write_begin_node(w, "reserved-memory");
    fdt_write_prop_u32(w, "#address-cells", w->address_cells);
    fdt_write_prop_u32(w, "#size-cells", w->size_cells);
    fdt_write_prop_empty(w, "ranges");
    if (guest_shared_size(b->pd)) {
        guest_fdt_shared(b, w);
    }
    for_each_fdt_child(host, fdt_child(host, FDT_ROOT, "reserved-memory"), node)
    {
        if (!fdt_has_prop(host, node, "reg")) {
            fdt_copy_node(w, host, node, &filter);
        }
    }
    fdt_write_end_node(w);
}

static void write_hypervisor(const struct build *b, struct fdt_writer *w, uint32_t intc_phandle)
{
    const struct plan_dom0 *dom0 = b->pd->dom0;
    const struct plan_range regs[HYPERVISOR_REGS_MAX] = { dom0->grants, dom0->extended };
    guest_fdt_hypervisor(b->d, w, regs, dom0->extended.size ? 2 : 1, intc_phandle);
}

void dom0_fdt_write(const struct build *b, struct fdt_writer *w)
{
    const struct fdt *host = &b->pd->hv->plan->host;
    const struct fdt_filter root = { keep_root_prop, b->pd }, below = { keep_for_dom0, b->pd };
    const struct guest_intc intc = {
        .phandle = fdt_u32_or(host, b->pd->dom0->intc, "phandle", 0),
        .address_cells = fdt_u32_or(host, b->pd->dom0->intc, "#address-cells", 0),
    };
    struct fdt_node node;
    fdt_write_widths(w, fdt_address_cells(host, FDT_ROOT), fdt_size_cells(host, FDT_ROOT));
    fdt_write_begin_node(w, "");
    fdt_copy_props(w, host, FDT_ROOT, &root);
    arch_guest_fdt(b->d, w, &intc);
    write_chosen(b, w);
    guest_fdt_memory(b, w);
    write_reserved(b, w);
    write_hypervisor(b, w, intc.phandle);
    for_each_fdt_child(host, FDT_ROOT, node)
    {
        if (dom0_sees(b->pd, node)) {
            fdt_copy_node(w, host, node, &below);
        }
    }
    fdt_write_end_node(w);
}
