/* SPDX-License-Identifier: MIT */
/*
 * The list of CPUs, and starting them by PSCI CPU_ON.
 *
 * A CPU's context id is the address of its struct pcpu: boot.S needs nothing
 * else and reads no memory before its MMU is on.
 */
#include <arch/cpu.h>
#include <loam/fdt.h>
#include <loam/host_map.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <xen/errno.h>

#include "cpu.h"
#include "host.h"
#include "layout.h"
#include "sysreg.h"

extern char secondary_entry[], _start[]; /* boot.S */

static void add_cpu(struct hv *hv, const struct fdt *fdt, struct fdt_node cpu, bool *boot_found)
{
    struct arch_host *host = arch_host(hv);
    const char *type = fdt_string(fdt, cpu, "device_type");
    uint64_t mpidr;

    if (!fdt_has_prop(fdt, cpu, "reg") || (type == NULL && !fdt_has_prop(fdt, cpu, "compatible"))) {
        return;
    }
    if (fdt_reg(fdt, cpu, 0, &mpidr, NULL) || mpidr & ~MPIDR_AFFINITY) {
        log_warn(hv, "cpus: reg of %s is no affinity; left out", fdt_name(fdt, cpu));
        return;
    }
    if (mpidr == host->cpu_mpidr[0]) {
        *boot_found = true;
        return;
    }
    if (!fdt_is_enabled(fdt, cpu)) {
        return;
    }
    if (host->nr_cpus == HV_PCPUS_MAX) {
        log_warn(hv, "cpus: %s is one too many; left out", fdt_name(fdt, cpu));
        return;
    }
    host->cpu_mpidr[host->nr_cpus++] = mpidr;
}

int smp_init(struct hv *hv, const struct fdt *fdt)
{
    struct arch_host *host = arch_host(hv);
    struct fdt_node cpus = fdt_find(fdt, "/cpus");
    struct fdt_node cpu;
    bool boot_found = false;

    host->cpu_mpidr[0] = this_pcpu()->arch.mpidr;
    host->nr_cpus = 1;
    for_each_fdt_child(fdt, cpus, cpu) {
        add_cpu(hv, fdt, cpu, &boot_found);
    }
    if (!boot_found) {
        log_error(hv, "cpus: the device tree has no node for the boot CPU %#llx",
                  (unsigned long long)host->cpu_mpidr[0]);
        return -XEN_ENODEV;
    }
    return 0;
}

uint32_t arch_cpu_count(const struct hv *hv)
{
    return arch_host_const(hv)->nr_cpus;
}

int arch_cpu_prepare(struct hv *hv, struct pcpu *p, uint32_t id)
{
    struct arch_host *host = arch_host(hv);

    p->arch.host = host;
    p->arch.hwid = id;
    p->arch.mpidr = host->cpu_mpidr[id];
    p->arch.stack = host_map_stack(hv, STACK_VA + (id + 1) * STACK_STRIDE - STACK_SIZE, STACK_SIZE);
    return p->arch.stack == 0 ? -XEN_ENOMEM : 0;
}

int arch_cpu_on(struct pcpu *p)
{
    const struct arch_host *host = p->arch.host;
    uint64_t entry = host->image_pa + (uintptr_t)(secondary_entry - _start);

    dsb(sy);
    return psci_cpu_on(host, p->arch.mpidr, entry, (uintptr_t)p);
}
