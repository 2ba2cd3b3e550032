/* SPDX-License-Identifier: MIT */
/* IMSIC: where each hart's interrupt file is, and switching it on. Design: imsic.h. */
#include <loam/bits.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <xen/errno.h>

#include "aplic.h"
#include "csr.h"
#include "host.h"
#include "imsic.h"
#include "irq.h"

#define IMSIC_IDS_MIN 63
#define IMSIC_IDS_MAX 2047

/* AIA 3.8: registers of a file by siselect; on RV64 every other one has 64 bits. */
#define EIDELIVERY 0x70
#define EITHRESHOLD 0x72
#define EIP0 0x80
#define EIE0 0xc0

/* A number that may be absent. */
static int optional(struct hv *hv, const struct fdt *fdt, struct fdt_node node, const char *name,
                    uint32_t absent, uint32_t max, uint32_t *out)
{
    *out = absent;
    return fdt_has_prop(fdt, node, name) ? intc_number(hv, fdt, node, name, 0, max, out) : 0;
}

static int read_numbers(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
                        struct imsic *imsic)
{
    uint32_t len = 0;

    /* The binding: enough bits for the harts that are named. */
    fdt_prop(fdt, node, "interrupts-extended", &len);
    uint32_t bits = ilog2(round_up_pow2(len / 8));

    int rc =
        intc_number(hv, fdt, node, "riscv,num-ids", IMSIC_IDS_MIN, IMSIC_IDS_MAX, &imsic->nr_ids);
    if (rc == 0) {
        rc = optional(hv, fdt, node, "riscv,guest-index-bits", 0, 7, &imsic->guest_bits);
    }
    if (rc == 0) {
        rc = optional(hv, fdt, node, "riscv,hart-index-bits", bits, 15, &imsic->hart_bits);
    }
    if (rc == 0) {
        rc = optional(hv, fdt, node, "riscv,group-index-bits", 0, 7, &imsic->group_bits);
    }
    if (rc == 0) {
        rc = optional(hv, fdt, node, "riscv,group-index-shift", 24, 55, &imsic->group_shift);
    }
    return rc;
}

/*
 * The file of hart number `position` of its group, whose files are in `region`. APLICs
 * number harts by group and place in it (AIA 4.9.1).
 */
static void set_file(struct imsic *imsic, uint32_t cpu, const struct intc_region *region,
                     uint32_t position)
{
    uint64_t groups = (UINT64_C(1) << imsic->group_bits) - 1;
    uint32_t group = (uint32_t)(region->addr.a >> imsic->group_shift & groups);

    imsic->cpu[cpu].regs = region->regs + ((uintptr_t)position << (PAGE_SHIFT + imsic->guest_bits));
    imsic->cpu[cpu].hart_index = group << imsic->hart_bits | position;
}

/* The harts of interrupts-extended have the files of all regions, in order. */
static int find_files(struct hv *hv, const struct fdt *fdt, struct fdt_node node,
                      struct imsic *imsic)
{
    const struct arch_host *host = arch_host(hv);
    const struct intc_region *region = NULL;
    uint64_t file_size = PAGE_SIZE << imsic->guest_bits;
    uint32_t nr_regions = 0, first = 0, cpu;
    int rc;

    for (uint32_t i = 0; (rc = intc_parent(host, fdt, node, i, &cpu)) == 0; i++) {
        if (region == NULL || i - first >= region->size / file_size) {
            rc = intc_map(hv, fdt, node, nr_regions++, file_size, &region);
            if (rc) {
                return rc;
            }
            first = i;
        }
        if (cpu == INTC_NO_CPU) {
            continue;
        }
        if (i - first >= BIT(imsic->hart_bits)) {
            log_error(hv, "irq: %s: riscv,hart-index-bits is %u, too few for a group",
                      fdt_name(fdt, node), imsic->hart_bits);
            return -XEN_ENODEV;
        }
        set_file(imsic, cpu, region, i - first);
        if (imsic->cpu[cpu].hart_index >= APLIC_HARTS_MAX) {
            log_error(hv, "irq: %s: hart index %u is more than an APLIC can name",
                      fdt_name(fdt, node), imsic->cpu[cpu].hart_index);
            return -XEN_ENODEV;
        }
    }
    if (rc != -XEN_ENOENT) {
        log_error(hv, "irq: %s: interrupts-extended is no list of pairs", fdt_name(fdt, node));
        return -XEN_ENODEV;
    }
    return 0;
}

int imsic_init(struct hv *hv, const struct fdt *fdt, struct fdt_node node)
{
    struct imsic *imsic = mem_alloc(hv, sizeof(*imsic));

    if (imsic == NULL) {
        return -XEN_ENOMEM;
    }
    arch_host(hv)->imsic = imsic;
    for (uint32_t cpu = 0; cpu < HV_PCPUS_MAX; cpu++) {
        imsic->cpu[cpu].hart_index = IMSIC_NO_HART;
    }
    int rc = read_numbers(hv, fdt, node, imsic);
    return rc ? rc : find_files(hv, fdt, node, imsic);
}

static void write_indirect(uint64_t select, uint64_t value)
{
    csr_write(CSR_SISELECT, select);
    csr_write(CSR_SIREG, value);
}

void imsic_init_this_cpu(const struct imsic *imsic)
{
    write_indirect(EIDELIVERY, 0);
    for (uint32_t id = 0; id <= imsic->nr_ids; id += 64) {
        write_indirect(EIP0 + id / 32, 0);
        write_indirect(EIE0 + id / 32, UINT64_MAX); /* bits without identity stay 0 */
    }
    write_indirect(EITHRESHOLD, 0);
    write_indirect(EIDELIVERY, 1);
}
