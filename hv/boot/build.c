/* SPDX-License-Identifier: MIT */
/*
 * From the plan to a running domain: a table of steps, done by a job.
 *
 * Each call of a step is bounded; -XEN_EAGAIN asks for another one, and
 * struct build keeps the cursor. A step that fails says why, naming node and
 * property; what was made by then is taken apart by domain_destroy(), also in
 * steps. The domain runs from the job's end on, not from its last step, so that
 * the job is free when the domain stops at once. The same job builds a domain
 * at boot and at each restart. Read next: build_memory.c, guest_fdt.c, restart.c.
 */
#include <xen/errno.h>

#include <loam/domain.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/memory.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/vcpu.h>
#include <loam/vuart.h>

#include <arch/guest.h>
#include <arch/time.h>
#include <arch/vcpu.h>

#include "private.h"

static int build_domain(struct build *b);
static int build_interrupts(struct build *b);
static int build_vcpus(struct build *b);
static int build_affinity(struct build *b);
static int build_devices(struct build *b);
static int build_pci_prepare(struct build *b);
static int build_pci(struct build *b);

static int (*const steps[])(struct build *b) = {
    build_ram_check,   build_domain,    build_interrupts, build_vcpus,
    build_affinity,    build_ram,       build_devices,    build_pci_prepare,
    build_pci,         build_ram_clear, build_place,      build_kernel,
    build_kernel_code, build_ramdisk,   guest_fdt_write,  build_fdt_store,
};

int build_fail(const struct build *b, const char *prop, int rc)
{
    if (rc == -XEN_ENOMEM) {
        return plan_warn(b->pd, NULL, prop, "the hypervisor has too little memory left");
    }
    return plan_warn(b->pd, NULL, prop, "refused, error %d", -rc);
}

static int build_domain(struct build *b)
{
    struct plan_domain *pd = b->pd;
    int rc = domain_create(pd->hv, &pd->config, &b->d);
    if (rc == -XEN_EOPNOTSUPP && pd->config.mmu_type) {
        return plan_warn(pd, NULL, "mmu-type", "this machine has no %s for guests",
                         pd->config.mmu_type);
    }
    if (rc == -XEN_EOPNOTSUPP && pd->config.sve_bits) {
        return plan_warn(pd, NULL, "sve", "this machine has no vectors of %u bits",
                         pd->config.sve_bits);
    }
    if (rc == -XEN_ENOSPC) {
        return plan_warn(pd, NULL, "compatible", "there are %u domains already",
                         HV_DOMAINS_MAX - 1);
    }
    if (rc) {
        return build_fail(b, "xen,domain", rc);
    }
    b->d->plan = pd;
    pd->domain = b->d;
    memory_set_max(b->d, pd->memory >> PAGE_SHIFT);
    return 0;
}

static int build_interrupts(struct build *b)
{
    const struct guest_layout *layout = arch_guest_layout();
    uint64_t before = this_pcpu()->mem_bytes;
    int rc = arch_vintc_create(b->d);
    if (rc) {
        return build_fail(b, "nr_spis", rc);
    }
    if (b->pd->vuart) {
        rc = vuart_create(b->d, layout->uart_kind, layout->uart_base, layout->uart_virq);
    }
    b->d->bytes += this_pcpu()->mem_bytes - before;
    return rc ? build_fail(b, "vpl011", rc) : 0;
}

static int build_vcpus(struct build *b)
{
    int rc = vcpu_create(b->d, (uint32_t)b->cursor);
    if (rc == -XEN_ENOSPC) {
        return plan_warn(b->pd, NULL, "cpus", "pool %s has no CPU left for vCPU %lu",
                         b->pd->pool->name, b->cursor);
    }
    if (rc) {
        return build_fail(b, "cpus", rc);
    }
    return ++b->cursor < b->d->config.vcpus_max ? -XEN_EAGAIN : 0;
}

static int build_affinity(struct build *b)
{
    for (uint32_t i = 0; i < b->pd->nr_affinity; i++) {
        const struct plan_affinity *a = &b->pd->affinity[i];
        int rc = sched_set_affinity(b->d->vcpus[a->vcpu], &a->cpus);
        if (rc == -XEN_EBUSY) {
            return plan_warn(b->pd, NULL, "hard-affinity", "the CPU of vCPU %u is taken", a->vcpu);
        }
        if (rc) {
            return build_fail(b, "hard-affinity", rc);
        }
    }
    return 0;
}

static int build_devices(struct build *b)
{
    return b->pd->dom0 ? dom0_devices_map(b) : passthrough_map(b->pd);
}

static int build_pci_prepare(struct build *b) { return plan_pci_prepare(b->pd, &b->cursor); }

static int build_pci(struct build *b) { return plan_pci_build(b->pd); }

/* "31 MiB" or "20 KiB". */
static const char *size_text(char buf[24], uint64_t bytes)
{
    if (bytes >= MIB) {
        fmt_print(buf, 24, "%lu MiB", bytes / MIB);
    } else {
        fmt_print(buf, 24, "%lu KiB", (bytes + KIB - 1) / KIB);
    }
    return buf;
}

static void build_report(const struct build *b)
{
    const struct plan_domain *pd = b->pd;
    char ram[24], kernel[24], ramdisk[24], more[40] = "";
    if (pd->nr_statics && pd->statics[0].start != b->bank[0].gpa) {
        fmt_print(more, sizeof(more), " (machine %#lx%s)", pd->statics[0].start,
                  pd->nr_statics > 1 ? " ..." : "");
    } else if (b->nr_banks > 1) {
        fmt_print(more, sizeof(more), " (%u ranges)", b->nr_banks);
    }
    log_info(pd->hv, "%s: %s at %#lx%s, %u vCPU%s, pool %s (%s), kernel %s, ramdisk %s",
             pd->config.name, size_text(ram, pd->memory), b->bank[0].gpa, more,
             pd->config.vcpus_max, pd->config.vcpus_max == 1 ? "" : "s", pd->pool->name,
             sched_name(pd->pool->sched),
             size_text(kernel, pd->module[PLAN_KERNEL].size),
             pd->module[PLAN_RAMDISK].size ? size_text(ramdisk, pd->module[PLAN_RAMDISK].size)
                                           : "none");
    log_info(pd->hv, "mem: domain %s uses %lu KiB, %lu KiB per vCPU, %lu KiB free", pd->config.name,
             (b->d->bytes + KIB - 1) / KIB,
             (b->d->vcpu_bytes / pd->config.vcpus_max + KIB - 1) / KIB,
             pd->hv->frames.avail * (PAGE_SIZE / KIB));
}

static void build_free(struct build *b)
{
    struct hv *hv = b->pd->hv;
    build_ram_leave(b);
    mem_free(hv, b->fdt, b->fdt_max);
    b->pd->build = NULL;
    mem_free(hv, b, sizeof(*b));
}

/* A failed build: the domain is taken apart again, then the job ends with the reason. */
static int build_undo(struct build *b)
{
    return plan_domain_teardown(b->pd) == -XEN_EAGAIN ? -XEN_EAGAIN : b->error;
}

static int build_step(struct job *j)
{
    struct plan_domain *pd = container_of(j, struct plan_domain, job);
    struct build *b = pd->build;
    if (!b) {
        b = mem_alloc(pd->hv, sizeof(*b));
        if (!b) {
            plan_warn(pd, NULL, "memory", "the hypervisor has too little to build the domain");
            return -XEN_ENOMEM;
        }
        b->pd = pd;
        b->order = FRAME_ORDER_MAX;
        pd->build = b;
    }
    if (b->error) {
        return build_undo(b);
    }
    int rc = steps[b->step](b);
    if (rc == 0) {
        b->cursor = 0;
        return ++b->step == ARRAY_SIZE(steps) ? 0 : -XEN_EAGAIN;
    }
    if (rc != -XEN_EAGAIN) {
        b->error = rc;
    }
    return -XEN_EAGAIN;
}

static void build_done(struct job *j, int rc)
{
    struct plan_domain *pd = container_of(j, struct plan_domain, job);
    struct build *b = pd->build;
    if (rc) {
        if (b) {
            build_free(b);
        }
        plan_start_next(pd->hv->plan);
        plan_domain_over(pd);
        return;
    }
    struct hv *hv = pd->hv;
    struct domain *d = b->d;
    d->vcpu_shared = gpa(guest_shared_size(pd) ? b->shared_gpa : 0);
    arch_vcpu_reset(d->vcpus[0], b->kernel_gpa, b->fdt_gpa);
    build_report(b);
    build_free(b);
    if (pd->dom0) {
        plan_modules_release(pd); /* it is built once */
    }
    pd->life.started = arch_time_now();
    /* From here on the domain may stop, which uses the job again, at any time. */
    domain_start(d);
    plan_start_next(hv->plan);
}

void build_start(struct plan_domain *pd)
{
    pd->job.step = build_step;
    pd->job.done = build_done;
    job_start(pd->hv, &pd->job);
}
