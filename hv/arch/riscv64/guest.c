/* SPDX-License-Identifier: MIT */
/*
 * What a boot-time guest looks like on riscv64: its address map, which kernels
 * it starts, and the nodes of its device tree that describe CPUs and firmware.
 *
 * The RAM banks are Xen's (public header arch-riscv.h); devices are where QEMU's
 * virt board has them, which small kernels know. A direct-mapped domain has RAM
 * at the machine's addresses and the same devices.
 */
#include <arch/guest.h>
#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>
#include <loam/hv.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vuart.h>
#include <xen/errno.h>

#include "cpu.h"
#include "csr.h"
#include "guest.h"
#include "host.h"
#include "vector.h"
#include "vintc.h"

static const struct guest_layout layout = {
    .ram_base = { { 0x80000000 }, { 0x200000000 } },
    .ram_size = { 2 * GIB, 1016 * GIB },
    .uart_kind = VUART_NS16550,
    .uart_base = { 0x10000000 },
    .uart_virq = 10,
    .virq_base = 1,
    .grant_base = { 0x38000000 },
    .grant_size = 16 * MIB,
    .pci_ecam_base = { 0x30000000 },
    .pci_mem_base = { 0x40000000 },
    .pci_mem_size = 1 * GIB,
    .pci_mem64_base = { 1024 * GIB }, /* behind the second bank */
    .pci_mem64_size = 512 * GIB,
    .fdt_vcpu_size = 1536,
};

const struct guest_layout *arch_guest_layout(void) { return &layout; }

/* Header of a riscv64 Image (Linux Documentation/arch/riscv/boot-image-header.rst). */
struct image_header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size;
    uint64_t flags; /* bit 0: big endian */
    uint32_t version;
    uint32_t reserved1;
    uint64_t reserved2;
    char magic[8];
    uint32_t magic2;
    uint32_t pe;
};
#define IMAGE_MAGIC2 0x05435352 /* "RSC\x05" */
#define IMAGE_BIG_ENDIAN 1

/* What something is that is no Image, for the person who gave it. */
static const char *kernel_guess(const uint8_t *b)
{
    if (b[0] == 0x1f && b[1] == 0x8b) {
        return "it is compressed (gzip); an uncompressed riscv64 Image is needed";
    }
    if (memcmp(b,
               "\x7f"
               "ELF",
               4) == 0) {
        return "it is an ELF file; a riscv64 Image is needed (objcopy -O binary)";
    }
    if (memcmp(b + 4, "zimg", 4) == 0) {
        return "it is compressed (EFI zboot); an uncompressed riscv64 Image is needed";
    }
    return "no riscv64 Image header (\"RSC\\x05\" at byte 56)";
}

int arch_kernel_probe(const void *head, uint64_t size, struct kernel_image *out, const char **why)
{
    struct image_header h;

    if (size < sizeof(h)) {
        *why = "it is shorter than an Image header";
        return -XEN_ENOEXEC;
    }
    memcpy(&h, head, sizeof(h));
    if (h.magic2 != IMAGE_MAGIC2) {
        *why = kernel_guess(head);
        return -XEN_ENOEXEC;
    }
    if (h.flags & IMAGE_BIG_ENDIAN) {
        *why = "it is a big-endian kernel; only little-endian ones are started";
        return -XEN_ENOEXEC;
    }
    if (h.text_offset > 16 * MIB || h.image_size > 1 * GIB) {
        *why = "its Image header asks for an impossible place or size";
        return -XEN_ENOEXEC;
    }
    out->offset = h.text_offset;
    out->align = 2 * MIB;
    /* Linux maps itself in entries of 2 MiB and takes all of the last one. */
    out->memory = ALIGN_UP(h.text_offset + MAX(h.image_size, size), 2 * MIB) - h.text_offset;
    return 0;
}

/*
 * Extensions that a guest is told of if the boot CPU has them: those whose state
 * is switched or that have none. Not: h, machine-mode ones, counters beyond
 * Zicntr. `needs`: bits of henvcfg without which it does not work.
 */
static const struct isa_extension {
    const char *name;
    uint64_t needs;
} extensions[] = {
    { "i", 0 },
    { "m", 0 },
    { "a", 0 },
    { "f", 0 },
    { "d", 0 },
    { "c", 0 },
    { "v", 0 },
    { "zicbom", ENVCFG_CBCFE },
    { "zicboz", ENVCFG_CBZE },
    { "zicntr", 0 },
    { "zicond", 0 },
    { "zicsr", 0 },
    { "zifencei", 0 },
    { "zihintntl", 0 },
    { "zihintpause", 0 },
    { "zawrs", 0 },
    { "zfa", 0 },
    { "zba", 0 },
    { "zbb", 0 },
    { "zbc", 0 },
    { "zbs", 0 },
    { "svadu", ENVCFG_ADUE },
    { "svinval", 0 },
    { "svnapot", 0 },
    { "svpbmt", ENVCFG_PBMTE },
    { "ssaia", 0 },
    { "sstc", ENVCFG_STCE },
};

static bool is_shown(const struct domain *d, struct fdt_node cpu, const struct isa_extension *e)
{
    const struct arch_host *host = arch_host_const(d->hv);

    return cpu_has(&host->fdt, cpu, e->name) && (host->henvcfg & e->needs) == e->needs &&
           (strcmp(e->name, "ssaia") != 0 || vintc_has_ssaia(d)) &&
           (strcmp(e->name, "v") != 0 || vector_is_offered(d->hv));
}

#define ISA_MAX 512

/* riscv,isa-base and riscv,isa-extensions, and the older riscv,isa. */
static void write_isa(const struct domain *d, struct fdt_node cpu, struct fdt_writer *w)
{
    const char *list[ARRAY_SIZE(extensions)];
    char isa[ISA_MAX] = "rv64";
    size_t length = 4;
    uint32_t nr = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        const char *name = extensions[i].name;

        if (!is_shown(d, cpu, &extensions[i])) {
            continue;
        }
        list[nr++] = name;
        length += (size_t)fmt_print(isa + length, sizeof(isa) - length, "%s%s",
                                    name[1] == '\0' ? "" : "_", name);
    }
    fdt_write_prop_string(w, "riscv,isa", isa);
    fdt_write_prop_string(w, "riscv,isa-base", "rv64i");
    fdt_write_prop_strings(w, "riscv,isa-extensions", list, nr);
}

/* Properties of the host's CPU that are a guest's as they are. */
static void copy_u32(const struct arch_host *host, struct fdt_node cpu, struct fdt_writer *w,
                     const char *name)
{
    uint32_t value;

    if (fdt_u32(&host->fdt, cpu, name, &value) == 0) {
        fdt_write_prop_u32(w, name, value);
    }
}

static void write_cpu(struct domain *d, struct fdt_writer *w, uint32_t id)
{
    static const char *const mmu_types[] = { "riscv,sv39", "riscv,sv48", "riscv,sv57" };
    const struct arch_host *host = arch_host_const(d->hv);
    struct fdt_node cpu = host->boot_node;

    fdt_write_begin_unit(w, "cpu", id);
    fdt_write_prop_string(w, "device_type", "cpu");
    fdt_write_prop_string(w, "compatible", "riscv");
    fdt_write_prop_u32(w, "reg", id);
    fdt_write_prop_string(w, "mmu-type", mmu_types[host->levels - 3]);
    write_isa(d, cpu, w);
    copy_u32(host, cpu, w, "riscv,cbom-block-size");
    copy_u32(host, cpu, w, "riscv,cboz-block-size");
    fdt_write_begin_node(w, "interrupt-controller");
    fdt_write_prop_string(w, "compatible", "riscv,cpu-intc");
    fdt_write_prop_u32(w, "#interrupt-cells", 1);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_u32(w, "phandle", GUEST_PHANDLE_CPU_INTC + id);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

void arch_guest_fdt(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc)
{
    /* The root has no interrupt-parent: the CPUs' own controllers would inherit it. */
    fdt_write_begin_node(w, "cpus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 0);
    fdt_write_prop_u32(w, "timebase-frequency", (uint32_t)arch_host_const(d->hv)->clock.hz);
    for (uint32_t i = 0; i < d->config.vcpus_max; i++) {
        write_cpu(d, w, i);
    }
    fdt_write_end_node(w);
    vintc_guest_fdt(d, w, intc);
}

bool arch_host_keeps_node(const struct hv *hv, const struct fdt *host, struct fdt_node node)
{
    static const char *const kept[] = {
        "riscv,cpu-intc", "riscv,plic0",         "sifive,plic-1.0.0", "riscv,aplic",
        "riscv,imsics",   "riscv,iommu",         "riscv,clint0",      "sifive,clint0",
        "riscv,pmu",      "riscv,aclint-mtimer", "riscv,aclint-mswi", "riscv,aclint-sswi",
    };

    return fdt_compatible_any(host, node, kept, ARRAY_SIZE(kept));
}

bool arch_host_intc(const struct hv *hv, const struct fdt *host, struct fdt_node *out)
{
    *out = fdt_find_phandle(host, arch_host_const(hv)->intc_phandle);
    return fdt_node_exists(*out);
}

uint32_t arch_guest_irq_cells(const struct domain *d, uint32_t virq, bool edge, uint32_t cells[4])
{
    return vintc_irq_cells(d, virq, edge, cells);
}

uint32_t arch_guest_event_irq_cells(bool control, uint32_t cells[4])
{
    return 0; /* the Xen ABI names none for this architecture */
}
