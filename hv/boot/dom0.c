/* SPDX-License-Identifier: MIT */
/*
 * The control domain, domid 0: from the modules and boot options directly in /chosen, by Xen's
 * boot binding (docs/misc/arm/device-tree/booting.txt of Xen), to a domain of the plan.
 *
 * It is built like the others and beside them, but its RAM has machine addresses, it gets each
 * device that no other domain of the plan has, and when it stops the machine does. Whatever is
 * wrong with it is said in one line; the other domains start all the same.
 * Read next: dom0_devices.c, dom0_fdt.c; docs/device-tree.md describes the options.
 */
#include <xen/errno.h>

#include <loam/log.h>
#include <loam/mem.h>
#include <loam/start.h>
#include <loam/string.h>

#include <arch/guest.h>

#include "private.h"

#define DOM0_NAME "dom0"
#define DOM0_MEMORY (512 * MIB) /* if nobody says how much, as with Xen */
#define DOM0_VCPUS 8

/* Which property has the hypervisor's options, by Xen's rule; NULL: none has. */
static const char *options_prop(const struct fdt *f, const struct plan_domain *pd)
{
    if (fdt_has_prop(f, pd->node, "xen,xen-bootargs")) {
        return "xen,xen-bootargs";
    }
    /* bootargs is the kernel's where nothing else is. */
    bool other = fdt_has_prop(f, pd->node, "xen,dom0-bootargs") || pd->bootargs;
    return other ? "bootargs" : NULL;
}

static int bootargs_read(struct plan_domain *pd)
{
    const struct fdt *f = &pd->hv->plan->host;
    const char *prop = options_prop(f, pd);
    const char *text = prop ? fdt_string(f, pd->node, prop) : NULL;
    if (text) {
        dom0_options_read(pd, prop, text);
        pd->hv->plan->options = text;
    }
    const char *own = fdt_string(f, pd->node, "xen,dom0-bootargs");
    if (own) {
        pd->bootargs = own;
    } else if (!pd->bootargs && (!prop || strcmp(prop, "bootargs") != 0)) {
        pd->bootargs = fdt_string(f, pd->node, "bootargs");
    }
    return 0;
}

static int vcpus_read(struct plan_domain *pd)
{
    const struct dom0_options *o = &pd->dom0->options;
    uint32_t cpus = pd->hv->nr_pcpus;
    pd->config.vcpus_max =
        o->vcpus_max ? MAX(o->vcpus_min, MIN(o->vcpus_max, cpus)) : MIN(cpus, (uint32_t)DOM0_VCPUS);
    for (uint32_t i = 0; o->pin && i < pd->config.vcpus_max; i++) {
        void *table = pd->affinity;
        int rc =
            plan_grow(pd->hv, &table, pd->nr_affinity, &pd->affinity_max, sizeof(*pd->affinity));
        pd->affinity = table;
        if (rc) {
            return rc;
        }
        struct plan_affinity a = { .vcpu = i };
        a.cpus.w[i % cpus / 64] = BIT(i % cpus % 64);
        pd->affinity[pd->nr_affinity++] = a;
    }
    return 0;
}

static int config_set(struct plan_domain *pd)
{
    str_copy(pd->config.name, sizeof(pd->config.name), DOM0_NAME);
    pd->config.weight = SCHED_WEIGHT_DEFAULT;
    pd->config.control = true;
    pd->config.enhanced = true;
    pd->config.direct_map = true;
    pd->pool = plan_pool_find(pd->hv->plan, 0);
    pd->config.pool = pd->pool->pool;
    return 0;
}

/* Said now, not when it is half built. */
static int abilities_check(struct plan_domain *pd)
{
    uint32_t cells[4];
    if (arch_guest_event_irq_cells(true, cells) == 0) {
        return plan_warn(pd, NULL, "multiboot,kernel",
                         "this architecture has no event interrupt for a control domain yet");
    }
    return 0;
}

void dom0_plan(struct plan *plan)
{
    static int (*const readers[])(struct plan_domain * pd) = {
        config_set,        abilities_check, dom0_modules_read,
        plan_kernel_check, bootargs_read,   vcpus_read,
    };
    struct hv *hv = plan->hv;
    if (!dom0_is_wanted(&plan->host, plan->chosen)) {
        return;
    }
    struct plan_domain *pd = mem_alloc(hv, sizeof(*pd));
    int rc = pd ? 0 : -XEN_ENOMEM;
    if (pd) {
        pd->hv = hv;
        pd->node = plan->chosen;
        pd->node_name = "";
        pd->dom0 = mem_alloc(hv, sizeof(*pd->dom0));
        rc = pd->dom0 ? 0 : -XEN_ENOMEM;
    }
    for (uint32_t i = 0; rc == 0 && i < ARRAY_SIZE(readers); i++) {
        rc = readers[i](pd);
    }
    if (rc == 0) {
        plan->dom0 = pd;
        plan_domain_add(pd, true);
        return;
    }
    if (rc == -XEN_ENOMEM) {
        log_warn(hv, "/chosen: no memory to read the control domain");
    }
    if (pd) {
        plan_domain_free(pd);
    }
}

/* What the other domains of the plan leave of the free memory. */
static uint64_t memory_left(const struct plan *plan)
{
    uint64_t left = plan->hv->frames.avail << PAGE_SHIFT;
    const struct plan_domain *pd;
    list_for_each_entry(&plan->domains, pd, link)
    {
        left -= pd->nr_statics ? 0 : MIN(left, pd->memory);
    }
    return left;
}

static void memory_choose(struct plan_domain *pd)
{
    const struct dom0_options *o = &pd->dom0->options;
    uint64_t left = memory_left(pd->hv->plan);
    uint64_t memory = o->memory;
    if (memory == 0) {
        memory = o->memory_max ? MIN(o->memory_max, left) : MIN(DOM0_MEMORY, left / 2);
    }
    memory = MAX(memory, o->memory_min);
    memory = o->memory_max ? MIN(memory, o->memory_max) : memory;
    pd->memory = ALIGN_DOWN(memory, memory >= 4 * MIB ? 2 * MIB : PAGE_SIZE);
}

void dom0_plan_machine(struct plan *plan)
{
    struct plan_domain *pd = plan->dom0;
    if (!pd) {
        return;
    }
    memory_choose(pd);
    int rc = dom0_devices_find(pd);
    if (rc == 0) {
        return;
    }
    if (rc == -XEN_ENOMEM) {
        log_warn(pd->hv, "/chosen: no memory for what the control domain gets of the machine");
    }
    plan->dom0 = NULL;
    plan->nr_domains--;
    list_remove(&pd->link);
    list_remove(&pd->name_link);
    plan_domain_free(pd);
}

void dom0_free(struct plan_domain *pd)
{
    struct plan_dom0 *dom0 = pd->dom0;
    if (!dom0) {
        return;
    }
    ranges_free(pd->hv, &dom0->map);
    mem_free(pd->hv, dom0->hidden, dom0->hidden_max * sizeof(*dom0->hidden));
    ranges_free(pd->hv, &dom0->spare);
    mem_free(pd->hv, dom0->irq, dom0->irqs_max * sizeof(*dom0->irq));
    mem_free(pd->hv, dom0, sizeof(*dom0));
    pd->dom0 = NULL;
}

/* A row per reason; the others, which no control domain should have, reset the machine. */
static const struct machine_end {
    const char *text;
    enum hv_end end;
} ends[] = {
    [SHUTDOWN_POWEROFF] = { "powered off: the machine goes off", HV_OFF },
    [SHUTDOWN_REBOOT] = { "asked for a reset: the machine is reset", HV_RESET },
    [SHUTDOWN_SUSPEND] = { "suspended, which it cannot: the machine is reset", HV_RESET },
    [SHUTDOWN_CRASH] = { "crashed: the machine is reset", HV_RESET },
    [SHUTDOWN_WATCHDOG] = { "was stopped by its watchdog: the machine is reset", HV_RESET },
};

void dom0_stopped(struct plan_domain *pd, uint32_t reason)
{
    static const struct machine_end other = { "stopped: the machine is reset", HV_RESET };
    const struct machine_end *end = reason < ARRAY_SIZE(ends) ? &ends[reason] : &other;
    bool wanted = reason == SHUTDOWN_POWEROFF || reason == SHUTDOWN_REBOOT;
    if (!wanted && pd->dom0->options.no_reboot) {
        log_error(pd->hv, "dom %s: stopped for reason %u: the machine stands still (noreboot)",
                  pd->config.name, reason);
        hv_end(pd->hv, HV_HALT);
    }
    if (wanted) {
        log_info(pd->hv, "dom %s: %s", pd->config.name, end->text);
    } else {
        log_error(pd->hv, "dom %s: %s", pd->config.name, end->text);
    }
    hv_end(pd->hv, end->end);
}
