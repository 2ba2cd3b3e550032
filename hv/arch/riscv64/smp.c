/* SPDX-License-Identifier: MIT */
/*
 * The list of CPUs, and starting them by SBI HSM hart_start.
 *
 * A hart is given the machine address of its struct pcpu and finds there what it
 * needs until its MMU is on.
 */
#include <arch/cpu.h>
#include <loam/fdt.h>
#include <loam/host_map.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/string.h>
#include <xen/errno.h>

#include "cpu.h"
#include "csr.h"
#include "host.h"
#include "layout.h"
#include "sbi.h"

extern char secondary_entry[], _start[]; /* boot.S */

/* The phandle by which interrupt controllers name a hart: its "riscv,cpu-intc" child. */
static uint32_t cpu_intc_phandle(const struct fdt *fdt, struct fdt_node cpu)
{
    struct fdt_node child;

    for_each_fdt_child(fdt, cpu, child)
    {
        if (fdt_compatible(fdt, child, "riscv,cpu-intc")) {
            return fdt_u32_or(fdt, child, "phandle", 0);
        }
    }
    return 0;
}

static void add_cpu(struct hv *hv, const struct fdt *fdt, struct fdt_node cpu, bool *boot_found)
{
    struct arch_host *host = arch_host(hv);
    const char *type = fdt_string(fdt, cpu, "device_type");
    struct host_cpu c = { .intc_phandle = cpu_intc_phandle(fdt, cpu) };

    if (type == NULL || strcmp(type, "cpu") != 0) {
        return;
    }
    if (fdt_reg(fdt, cpu, 0, &c.hartid, NULL)) {
        log_warn(hv, "cpus: reg of %s is no hartid; left out", fdt_name(fdt, cpu));
        return;
    }
    if (c.hartid == host->cpu[0].hartid) {
        host->cpu[0] = c;
        *boot_found = true;
        return;
    }
    if (!fdt_is_enabled(fdt, cpu)) {
        return;
    }
    if (!cpu_has(fdt, cpu, "h")) {
        log_warn(hv, "cpus: %s has no hypervisor extension; left out", fdt_name(fdt, cpu));
        return;
    }
    if (host->nr_cpus == HV_PCPUS_MAX) {
        log_warn(hv, "cpus: %s is one too many; left out", fdt_name(fdt, cpu));
        return;
    }
    host->has_vector = host->has_vector && cpu_has(fdt, cpu, "v");
    host->cpu[host->nr_cpus++] = c;
}

int smp_init(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);
    struct fdt_node cpus = fdt_find(fdt, "/cpus");
    struct fdt_node cpu;
    bool boot_found = false;

    host->cpu[0].hartid = this_pcpu()->arch.hartid;
    host->nr_cpus = 1;
    for_each_fdt_child(fdt, cpus, cpu) { add_cpu(hv, fdt, cpu, &boot_found); }
    if (!boot_found) {
        log_error(hv, "cpus: the device tree has no node for the boot CPU %llu",
                  (unsigned long long)host->cpu[0].hartid);
        return -XEN_ENODEV;
    }
    return 0;
}

uint32_t arch_cpu_count(const struct hv *hv) { return arch_host_const(hv)->nr_cpus; }

int arch_cpu_prepare(struct hv *hv, struct pcpu *p, uint32_t id)
{
    struct arch_host *host = arch_host(hv);

    p->arch.host = host;
    p->arch.hwid = id;
    p->arch.hartid = host->cpu[id].hartid;
    p->arch.satp = host->satp;
    p->arch.self = (uintptr_t)p;
    p->arch.stack = host_map_stack(hv, STACK_VA + (id + 1) * STACK_STRIDE - STACK_SIZE, STACK_SIZE);
    return p->arch.stack == 0 ? -XEN_ENOMEM : 0;
}

int arch_cpu_on(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;
    uint64_t entry = host->image_pa + (uintptr_t)(secondary_entry - _start);

    fence();
    return sbi_hart_start(host, p->arch.hartid, entry, (uintptr_t)p - host->direct_va);
}
