/* SPDX-License-Identifier: MIT */
/*
 * The list of CPUs, and starting them by PSCI CPU_ON.
 *
 * A CPU's context id is the address of its struct pcpu: boot.S needs nothing
 * else and reads no memory before its MMU is on. The boot CPU sleeps until
 * the new one kicks it, and gives up after a second.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/fdt.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/start.h>
#include <xen/errno.h>

#include "cpu.h"
#include "host.h"
#include "mmu.h"
#include "sysreg.h"

#define START_TIMEOUT NS_PER_S

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

/* A stack with an unmapped page below it; 0: no memory. */
static uintptr_t stack_create(struct hv *hv, uint32_t slot)
{
    uintptr_t va = STACK_VA + (uint64_t)(slot + 1) * STACK_STRIDE - STACK_SIZE;
    mfn_t m = frame_alloc(hv, 2, 0); /* STACK_SIZE */

    if (mfn_is_none(m)) {
        return 0;
    }
    if (mmu_map(hv, va, mfn_to_hpa(m).a, STACK_SIZE, PTE_DATA)) {
        frame_free(hv, m, 2);
        return 0;
    }
    return va + STACK_SIZE;
}

/* Sleeps until p says that it is online. */
static bool wait_online(struct hv *hv, struct pcpu *p)
{
    struct pcpu *self = this_pcpu();
    ns_t deadline = arch_time_now() + START_TIMEOUT;

    arch_timer_set(self, deadline);
    /* Acquire pairs with the release in hv_start_secondary(). */
    while (!atomic_load_acquire(&p->online) && arch_time_now() < deadline) {
        if (atomic_load_relaxed(&p->arch.gicr) == 0) {
            arch_cpu_wait(); /* arch_pcpu_init() kicks */
        } else {
            arch_cpu_relax(); /* a few instructions to go */
        }
        arch_irq_poll(self);
    }
    arch_timer_set(self, NS_NEVER);
    return atomic_load_acquire(&p->online);
}

int arch_cpu_start(struct hv *hv, uint32_t id)
{
    struct arch_host *host = arch_host(hv);
    struct pcpu *p = mem_alloc(hv, sizeof(*p));
    uint64_t entry = host->image_pa + (uintptr_t)(secondary_entry - _start);
    int rc = -XEN_ENOMEM;

    if (p == NULL) {
        return rc;
    }
    p->arch.host = host;
    p->arch.hwid = id;
    p->arch.mpidr = host->cpu_mpidr[id];
    p->arch.stack = stack_create(hv, id);
    if (p->arch.stack == 0) {
        goto out_free;
    }
    pcpu_init(hv, p, hv->nr_pcpus);
    dsb(sy);
    rc = psci_cpu_on(host, p->arch.mpidr, entry, (uintptr_t)p);
    if (rc) {
        hv->pcpus[hv->nr_pcpus] = NULL;
        goto out_free; /* the stack's frames stay mapped: its slot is id's for good */
    }
    if (!wait_online(hv, p)) {
        /* It may still come: start_secondary() then finds itself not wanted. */
        atomic_store_release(&hv->pcpus[hv->nr_pcpus], NULL);
        return -XEN_ETIMEDOUT;
    }
    return 0;

out_free:
    mem_free(hv, p, sizeof(*p));
    return rc;
}
