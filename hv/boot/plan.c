/* SPDX-License-Identifier: MIT */
/*
 * From /chosen of the host's device tree to the list of boot-time domains.
 *
 * One fault of a domain node is said in one line that names node and
 * property, the domain is left out, its claims are given back, and the others
 * go on. All strings and nodes point into the host's tree, which stays mapped.
 * Reading costs time linear in the size of /chosen: no lookup by path or
 * phandle and nothing that asks for a node's parent is used for each domain.
 * Read next: plan_props.c, build.c; docs/device-tree.md is the binding.
 */
#include <stdarg.h>

#include <xen/errno.h>

#include <loam/bitmap.h>
#include <loam/frame.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pci.h>
#include <loam/plan.h>
#include <loam/printf.h>
#include <loam/start.h>
#include <loam/string.h>

#include <arch/irq.h>

#include "private.h"

int plan_warn(const struct plan_domain *pd, const char *child, const char *prop, const char *fmt,
              ...)
{
    char reason[128];
    va_list args;
    va_start(args, fmt);
    fmt_vprint(reason, sizeof(reason), fmt, args);
    va_end(args);
    log_warn(pd->hv, "/chosen%s%s%s%s: %s: %s", pd->node_name[0] ? "/" : "", pd->node_name,
             child ? "/" : "", child ? child : "", prop, reason);
    return -XEN_EINVAL;
}

int plan_grow(struct hv *hv, void **array, uint32_t nr, uint32_t *max, size_t size)
{
    if (nr < *max) {
        return 0;
    }
    uint32_t new_max = *max ? 2 * *max : 4;
    void *bigger = mem_alloc(hv, new_max * size);
    if (!bigger) {
        return -XEN_ENOMEM;
    }
    if (*array) {
        memcpy(bigger, *array, nr * size);
        mem_free(hv, *array, *max * size);
    }
    *array = bigger;
    *max = new_max;
    return 0;
}

static struct list *name_bucket(struct plan *plan, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++) {
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    }
    return &plan->names[hash % PLAN_NAME_BUCKETS];
}

/* The domain's name is that of its node, without the unit address. */
static int name_read(struct plan_domain *pd)
{
    const char *at = strchr(pd->node_name, '@');
    size_t len = at ? (size_t)(at - pd->node_name) : strlen(pd->node_name);
    if (len >= DOMAIN_NAME_MAX) {
        return plan_warn(pd, NULL, "name", "longer than %u characters", DOMAIN_NAME_MAX - 1);
    }
    memcpy(pd->config.name, pd->node_name, len);

    const struct plan_domain *other;
    list_for_each_entry(name_bucket(pd->hv->plan, pd->config.name), other, name_link)
    {
        if (strcmp(other->config.name, pd->config.name) == 0) {
            return plan_warn(pd, NULL, "name", "/chosen%s%s has the name %s already",
                             other->node_name[0] ? "/" : "", other->node_name, other->config.name);
        }
    }
    return 0;
}

/* Shared interrupts: those asked for, and as many as UART and devices need. */
static int spis_check(struct plan_domain *pd)
{
    uint32_t base = arch_guest_layout()->virq_base;
    uint32_t need = pd->vuart ? arch_guest_layout()->uart_virq - base + 1 : 0;
    for (uint32_t i = 0; pd->devices && i < pd->devices->nr_irqs; i++) {
        need = MAX(need, pd->devices->irq[i].irq - base + 1);
    }
    for (uint32_t i = 0; i < pd->nr_pci; i++) {
        need = MAX(need, pd->pci[i].irq ? pd->pci[i].irq - base + 1 : 0);
    }
    pd->config.nr_spis = MAX(pd->config.nr_spis, need);
    return 0;
}

void plan_domain_free(struct plan_domain *pd)
{
    dom0_free(pd);
    plan_pci_release(pd);
    passthrough_release(pd);
    plan_modules_release(pd);
    mem_free(pd->hv, pd->affinity, pd->affinity_max * sizeof(*pd->affinity));
    if (pd->config.pool) {
        cpupool_put(pd->config.pool);
    }
    mem_free(pd->hv, pd, sizeof(*pd));
}

void plan_domain_add(struct plan_domain *pd, bool first)
{
    struct plan *plan = pd->hv->plan;
    if (first) {
        list_push_front(&plan->domains, &pd->link);
    } else {
        list_push_back(&plan->domains, &pd->link);
    }
    list_push_back(name_bucket(plan, pd->config.name), &pd->name_link);
    plan->nr_domains++;
}

static void domain_parse(struct plan *plan, struct fdt_node node)
{
    static int (*const readers[])(struct plan_domain * pd) = {
        name_read,         plan_props_read,   plan_statics_read,
        plan_modules_read, plan_kernel_check, plan_affinity_read,
        passthrough_read,  plan_pci_read,     spis_check,
    };
    struct plan_domain *pd = mem_alloc(plan->hv, sizeof(*pd));
    if (!pd) {
        log_warn(plan->hv, "/chosen/%s: no memory to read it", fdt_name(&plan->host, node));
        return;
    }
    pd->hv = plan->hv;
    pd->node = node;
    pd->node_name = fdt_name(&plan->host, node);
    for (uint32_t i = 0; i < ARRAY_SIZE(readers); i++) {
        int rc = readers[i](pd);
        if (rc == -XEN_ENOMEM) {
            plan_warn(pd, NULL, "memory", "the hypervisor has none left to read this node");
        }
        if (rc) {
            plan_domain_free(pd);
            return;
        }
    }
    plan_domain_add(pd, false);
}

static int plan_init(struct plan *plan, struct hv *hv, const struct fdt *host)
{
    plan->hv = hv;
    plan->host = *host;
    list_init(&plan->domains);
    list_init(&plan->pools);
    for (uint32_t i = 0; i < PLAN_NAME_BUCKETS; i++) {
        list_init(&plan->names[i]);
    }
    plan->chosen = fdt_find(host, "/chosen");
    claims_init(plan);
    plan->nr_irqs = arch_irq_count(hv);
    plan->irqs = mem_alloc(hv, BITMAP_WORDS(plan->nr_irqs + 1) * sizeof(uint64_t));
    return plan->irqs ? 0 : -XEN_ENOMEM;
}

int plan_pools(struct hv *hv, const struct fdt *host)
{
    struct plan *plan = mem_alloc(hv, sizeof(*plan));
    if (!plan) {
        return -XEN_ENOMEM;
    }
    hv->plan = plan;
    int rc = plan_init(plan, hv, host);
    if (rc == 0) {
        rc = plan_pools_make(plan);
    }
    if (rc) {
        plan_destroy(hv);
    }
    return rc;
}

int plan_parse(struct hv *hv, const struct fdt *host)
{
    struct plan *plan = hv->plan;
    uint32_t nr_nodes = dom0_is_wanted(host, plan->chosen);
    struct fdt_node node;
    plan->parsing = true;
    dom0_plan(plan);
    for_each_fdt_child(host, plan->chosen, node)
    {
        if (!fdt_compatible(host, node, "xen,domain")) {
            continue;
        }
        nr_nodes++;
        if (!fdt_is_enabled(host, node)) {
            log_info(hv, "plan: %s is disabled by its status", fdt_name(host, node));
            continue;
        }
        domain_parse(plan, node);
    }
    dom0_plan_machine(plan);
    plan->parsing = false;
    frames_release_kept(hv);
    log_info(hv, "plan: %u of %u domains can be built", plan->nr_domains, nr_nodes);
    return 0;
}

const char *plan_options(const struct hv *hv)
{
    return hv->plan != NULL && hv->plan->options != NULL ? hv->plan->options : "";
}

void plan_start(struct hv *hv)
{
    struct plan *plan = hv->plan;
    if (plan->nr_domains == 0) {
        log_warn(hv, "there is no domain to run: powering off");
        hv_power_off(hv);
    }
    plan->alive = plan->nr_domains;
    plan->next = plan->domains.head.next;
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        plan_start_next(plan);
    }
}

void plan_start_next(struct plan *plan)
{
    struct plan_domain *pd = NULL;
    spin_lock(&plan->hv->lock);
    if (plan->next != &plan->domains.head) {
        pd = list_entry(plan->next, struct plan_domain, link);
        plan->next = plan->next->next;
    }
    spin_unlock(&plan->hv->lock);
    if (pd) {
        build_start(pd);
    }
}

void plan_destroy(struct hv *hv)
{
    struct plan *plan = hv->plan;
    if (!plan) {
        return;
    }
    struct plan_domain *pd, *next;
    list_for_each_entry_safe(&plan->domains, pd, next, link)
    {
        list_remove(&pd->link);
        plan_domain_free(pd);
    }
    struct plan_pool *pool, *next_pool;
    list_for_each_entry_safe(&plan->pools, pool, next_pool, link)
    {
        list_remove(&pool->link);
        mem_free(hv, pool, sizeof(*pool));
    }
    pci_close_all(hv);
    mem_free(hv, plan->claim, plan->claims_max * sizeof(*plan->claim));
    if (plan->irqs) {
        mem_free(hv, plan->irqs, BITMAP_WORDS(plan->nr_irqs + 1) * sizeof(uint64_t));
    }
    mem_free(hv, plan, sizeof(*plan));
    hv->plan = NULL;
}
