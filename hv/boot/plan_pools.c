/* SPDX-License-Identifier: MIT */
/*
 * CPU pools that /chosen asks for, and which CPUs a vCPU may use.
 *
 * A CPU of the tree is known by its place among the cpu nodes of /cpus: the
 * boot CPU first, the others in the tree's order; that is the pcpu's id. CPUs
 * in no pool of the tree make the default pool, "Pool-0". When none is left,
 * the tree's first pool is the default one.
 */
#include <xen/errno.h>

#include <loam/bitmap.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/string.h>

#include "private.h"

/* Number of the CPU whose node has this phandle. Errors: -XEN_ENOENT. */
static int cpu_of_phandle(const struct fdt *f, uint32_t phandle, uint32_t *out)
{
    uint32_t i = 0, boot = UINT32_MAX, found = UINT32_MAX;
    struct fdt_node cpus = fdt_find(f, "/cpus"), node;
    uint32_t ac = fdt_address_cells(f, cpus);
    for_each_fdt_child(f, cpus, node)
    {
        const char *type = fdt_string(f, node, "device_type");
        if (!type || strcmp(type, "cpu") != 0) {
            continue;
        }
        uint32_t low = 0;
        if (boot == UINT32_MAX && fdt_cell(f, node, "reg", ac - 1, &low) == 0 &&
            low == f->boot_cpu) {
            boot = i;
        }
        if (phandle != 0 && (fdt_u32_or(f, node, "phandle", 0) == phandle ||
                             fdt_u32_or(f, node, "linux,phandle", 0) == phandle)) {
            found = i;
        }
        i++;
    }
    if (found == UINT32_MAX) {
        return -XEN_ENOENT;
    }
    /* The boot CPU comes first, what was before it moves up. */
    if (boot != UINT32_MAX && found <= boot) {
        found = found == boot ? 0 : found + 1;
    }
    *out = found;
    return 0;
}

static const struct plan_pool *pool_of_cpu(const struct plan *plan, uint32_t cpu)
{
    const struct plan_pool *pool;
    list_for_each_entry(&plan->pools, pool, link)
    {
        if (cpumask_test(&pool->cpus, cpu)) {
            return pool;
        }
    }
    return NULL;
}

/* Reads cpupool-cpus. Returns false when something is wrong with it, which is said. */
static bool pool_cpus_read(struct plan *plan, struct fdt_node node, struct plan_pool *pool)
{
    static const char prop[] = "cpupool-cpus";
    const struct fdt *f = &plan->host;
    const char *name = fdt_name(f, node);
    uint32_t len = 0, phandle, cpu;
    if (!fdt_prop(f, node, prop, &len) || len == 0 || len % 4 != 0) {
        log_warn(plan->hv, "/chosen/%s: %s: must be phandles of CPUs", name, prop);
        return false;
    }
    for (uint32_t i = 0; fdt_cell(f, node, prop, i, &phandle) == 0; i++) {
        if (cpu_of_phandle(f, phandle, &cpu)) {
            log_warn(plan->hv, "/chosen/%s: %s: %#x is the phandle of no CPU", name, prop, phandle);
            return false;
        }
        if (cpu >= HV_PCPUS_MAX || !plan->hv->pcpus[cpu]) {
            log_warn(plan->hv, "/chosen/%s: %s: CPU %u does not run", name, prop, cpu);
            return false;
        }
        const struct plan_pool *other = pool_of_cpu(plan, cpu);
        if (other) {
            log_warn(plan->hv, "/chosen/%s: %s: CPU %u is in pool %s already", name, prop, cpu,
                     other->name);
            return false;
        }
        cpumask_set(&pool->cpus, cpu);
    }
    return true;
}

static bool pool_sched_read(struct plan *plan, struct fdt_node node, struct plan_pool *pool)
{
    static const char prop[] = "cpupool-sched";
    const char *sched = fdt_string(&plan->host, node, prop);
    static const enum sched_id ids[] = { SCHED_CREDIT2, SCHED_RTDS, SCHED_NULL };
    pool->sched = SCHED_CREDIT2;
    if (!fdt_has_prop(&plan->host, node, prop)) {
        return true;
    }
    for (uint32_t i = 0; sched && i < ARRAY_SIZE(ids); i++) {
        if (strcmp(sched, sched_name(ids[i])) == 0) {
            pool->sched = ids[i];
            return true;
        }
    }
    log_warn(plan->hv, "/chosen/%s: %s: \"%s\" is no scheduler, there are credit2, rtds and null",
             fdt_name(&plan->host, node), prop, sched ? sched : "");
    return false;
}

static int pool_read(struct plan *plan, struct fdt_node node)
{
    const struct fdt *f = &plan->host;
    struct plan_pool *pool = mem_alloc(plan->hv, sizeof(*pool));
    if (!pool) {
        return -XEN_ENOMEM;
    }
    str_copy(pool->name, sizeof(pool->name), fdt_name(f, node));
    pool->phandle = fdt_u32_or(f, node, "phandle", fdt_u32_or(f, node, "linux,phandle", 0));
    if (!pool_sched_read(plan, node, pool) || !pool_cpus_read(plan, node, pool)) {
        mem_free(plan->hv, pool, sizeof(*pool));
        return 0;
    }
    list_push_back(&plan->pools, &pool->link);
    return 0;
}

/* The pool of the CPUs that are in no other, first in the list. */
static int default_pool_add(struct plan *plan)
{
    struct plan_pool *pool = mem_alloc(plan->hv, sizeof(*pool));
    if (!pool) {
        return -XEN_ENOMEM;
    }
    str_copy(pool->name, sizeof(pool->name), "Pool-0");
    pool->sched = SCHED_CREDIT2;
    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        if (plan->hv->pcpus[i] && !pool_of_cpu(plan, i)) {
            cpumask_set(&pool->cpus, i);
        }
    }
    if (!cpumask_is_empty(&pool->cpus)) {
        list_push_front(&plan->pools, &pool->link);
    } else {
        mem_free(plan->hv, pool, sizeof(*pool));
    }
    return 0;
}

int plan_pools_make(struct plan *plan)
{
    struct fdt_node node;
    int rc = 0;
    for_each_fdt_child(&plan->host, plan->chosen, node)
    {
        if (rc == 0 && fdt_compatible(&plan->host, node, "xen,cpupool")) {
            rc = pool_read(plan, node);
        }
    }
    if (rc == 0) {
        rc = default_pool_add(plan);
    }
    struct plan_pool *pool;
    list_for_each_entry(&plan->pools, pool, link)
    {
        if (rc == 0) {
            rc = cpupool_create(plan->hv, pool->name, pool->sched, &pool->cpus, &pool->pool);
        }
    }
    return rc;
}

const struct plan_pool *plan_pool_find(const struct plan *plan, uint32_t phandle)
{
    const struct plan_pool *pool;
    list_for_each_entry(&plan->pools, pool, link)
    {
        if (phandle == 0 || pool->phandle == phandle) {
            return pool;
        }
    }
    return NULL;
}

/* A decimal number below HV_PCPUS_MAX at *text, which moves behind it. */
static bool cpu_number(const char **text, uint32_t *out)
{
    uint32_t value = 0;
    const char *s = *text;
    while (*s >= '0' && *s <= '9' && value < HV_PCPUS_MAX) {
        value = 10 * value + (uint32_t)(*s++ - '0');
    }
    *out = value;
    bool ok = s != *text && value < HV_PCPUS_MAX;
    *text = s;
    return ok;
}

int cpu_list_parse(const char *text, struct cpumask *out)
{
    struct cpumask mask = { 0 };
    for (;;) {
        uint32_t first, last;
        if (!cpu_number(&text, &first)) {
            return -XEN_EINVAL;
        }
        last = first;
        if (*text == '-') {
            text++;
            if (!cpu_number(&text, &last) || last < first) {
                return -XEN_EINVAL;
            }
        }
        bitmap_set_range(mask.w, first, last - first + 1);
        if (*text == '\0') {
            *out = mask;
            return 0;
        }
        if (*text++ != ',') {
            return -XEN_EINVAL;
        }
    }
}

static int vcpu_read(struct plan_domain *pd, struct fdt_node node)
{
    const struct fdt *f = &pd->hv->plan->host;
    const char *child = fdt_name(f, node);
    struct plan_affinity a = { 0 };
    if (fdt_u32(f, node, "id", &a.vcpu) || a.vcpu >= pd->config.vcpus_max) {
        return plan_warn(pd, child, "id", "must be one cell, below the %u vCPUs of the domain",
                         pd->config.vcpus_max);
    }
    for (uint32_t i = 0; i < pd->nr_affinity; i++) {
        if (pd->affinity[i].vcpu == a.vcpu) {
            return plan_warn(pd, child, "id", "vCPU %u has a node already", a.vcpu);
        }
    }
    if (!fdt_has_prop(f, node, "hard-affinity")) {
        return 0;
    }
    const char *text = fdt_string(f, node, "hard-affinity");
    if (!text || cpu_list_parse(text, &a.cpus)) {
        return plan_warn(pd, child, "hard-affinity", "\"%s\" is no list of CPUs like 0-3,5",
                         text ? text : "");
    }
    struct cpumask usable = cpumask_and(&a.cpus, &pd->pool->cpus);
    if (cpumask_is_empty(&usable)) {
        return plan_warn(pd, child, "hard-affinity", "no CPU of pool %s is in \"%s\"",
                         pd->pool->name, text);
    }
    void *table = pd->affinity;
    int rc = plan_grow(pd->hv, &table, pd->nr_affinity, &pd->affinity_max, sizeof(a));
    pd->affinity = table;
    if (rc == 0) {
        pd->affinity[pd->nr_affinity++] = a;
    }
    return rc;
}

int plan_affinity_read(struct plan_domain *pd)
{
    const struct fdt *f = &pd->hv->plan->host;
    struct fdt_node node;
    for_each_fdt_child(f, pd->node, node)
    {
        int rc = fdt_compatible(f, node, "xen,vcpu") ? vcpu_read(pd, node) : 0;
        if (rc) {
            return rc;
        }
    }
    return 0;
}
