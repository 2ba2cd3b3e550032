/* SPDX-License-Identifier: MIT */
/*
 * The properties of a domain node: a table of names and readers. A reader
 * refuses what it cannot take with one message. What is not in the table is
 * said and ignored: the domain still starts. docs/device-tree.md describes
 * each row.
 */
#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/gnttab.h>
#include <loam/string.h>

#include "private.h"

static int read_u32(struct plan_domain *pd, const char *name, uint32_t min, uint32_t max,
                    uint32_t *out)
{
    uint32_t value;
    if (fdt_u32(&pd->hv->plan->host, pd->node, name, &value)) {
        return plan_warn(pd, NULL, name, "must be one cell");
    }
    if (value < min || value > max) {
        return plan_warn(pd, NULL, name, "%u is not between %u and %u", value, min, max);
    }
    *out = value;
    return 0;
}

/* Index of the property's string among nr words. */
static int read_word(struct plan_domain *pd, const char *name, const char *const *words,
                     uint32_t nr, uint32_t *out)
{
    const char *text = fdt_string(&pd->hv->plan->host, pd->node, name);
    for (uint32_t i = 0; text && i < nr; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return plan_warn(pd, NULL, name, "\"%s\" is none of its values", text ? text : "");
}

static int read_memory(struct plan_domain *pd, const char *name)
{
    uint32_t len;
    const void *data = fdt_prop(&pd->hv->plan->host, pd->node, name, &len);
    if (len != 4 && len != 8) {
        return plan_warn(pd, NULL, name, "must be one number of two cells, in KiB");
    }
    uint64_t kib = fdt_read_cells(data, len / 4);
    uint64_t have = pd->hv->frames.total * (PAGE_SIZE / KIB);
    if (kib == 0 || kib % (PAGE_SIZE / KIB) != 0) {
        return plan_warn(pd, NULL, name, "%lu KiB is no multiple of a page, %lu KiB", kib,
                         PAGE_SIZE / KIB);
    }
    if (kib > have) {
        return plan_warn(pd, NULL, name, "%lu KiB is more than this machine has, %lu KiB", kib,
                         have);
    }
    pd->memory = kib * KIB;
    return 0;
}

static int read_cpus(struct plan_domain *pd, const char *name)
{
    return read_u32(pd, name, 1, DOMAIN_VCPUS_MAX, &pd->config.vcpus_max);
}

static int read_nr_spis(struct plan_domain *pd, const char *name)
{
    return read_u32(pd, name, 0, PLAN_SPIS_MAX, &pd->config.nr_spis);
}

static int read_weight(struct plan_domain *pd, const char *name)
{
    return read_u32(pd, name, 1, SCHED_WEIGHT_MAX, &pd->config.weight);
}

static int read_vpl011(struct plan_domain *pd, const char *name)
{
    pd->vuart = true;
    return 0;
}

static int read_direct_map(struct plan_domain *pd, const char *name)
{
    pd->config.direct_map = true;
    return 0;
}

static int read_enhanced(struct plan_domain *pd, const char *name)
{
    static const char *const words[] = { "disabled", "enabled", "no-xenstore", "legacy" };
    uint32_t len, word = 1;
    fdt_prop(&pd->hv->plan->host, pd->node, name, &len);
    int rc = len == 0 ? 0 : read_word(pd, name, words, ARRAY_SIZE(words), &word);
    pd->config.enhanced = word != 0;
    return rc;
}

static int read_grant_frames(struct plan_domain *pd, const char *name)
{
    return read_u32(pd, name, 1, GNTTAB_FRAMES_MAX, &pd->config.grant_frames_max);
}

static int read_grant_version(struct plan_domain *pd, const char *name)
{
    uint32_t version = 0;
    int rc = read_u32(pd, name, 1, 2, &version);
    pd->config.grant_version_max = (uint8_t)version;
    return rc;
}

static int read_maptrack_frames(struct plan_domain *pd, const char *name)
{
    int rc = read_u32(pd, name, 0, GNTTAB_MAPTRACK_MAX, &pd->config.maptrack_frames_max);
    if (rc == 0 && pd->config.maptrack_frames_max == 0) {
        pd->config.maptrack_frames_max = GNTTAB_MAPTRACK_NONE;
    }
    return rc;
}

static int read_mmu_type(struct plan_domain *pd, const char *name)
{
    pd->config.mmu_type = fdt_string(&pd->hv->plan->host, pd->node, name);
    return pd->config.mmu_type ? 0 : plan_warn(pd, NULL, name, "must be a word");
}

static int read_sve(struct plan_domain *pd, const char *name)
{
    int rc = read_u32(pd, name, 0, 2048, &pd->config.sve_bits);
    if (rc == 0 && pd->config.sve_bits % 128 != 0) {
        rc = plan_warn(pd, NULL, name, "%u is no multiple of 128 bits", pd->config.sve_bits);
    }
    return rc;
}

static int read_restart(struct plan_domain *pd, const char *name)
{
    static const char *const words[] = {
        [RESTART_NEVER] = "never", [RESTART_ON_CRASH] = "on-crash", [RESTART_ALWAYS] = "always"
    };
    uint32_t word = 0;
    int rc = read_word(pd, name, words, ARRAY_SIZE(words), &word);
    pd->restart = (uint8_t)word;
    return rc;
}

static int read_cpupool(struct plan_domain *pd, const char *name)
{
    uint32_t phandle;
    if (fdt_u32(&pd->hv->plan->host, pd->node, name, &phandle)) {
        return plan_warn(pd, NULL, name, "must be the phandle of a CPU pool");
    }
    pd->pool = phandle ? plan_pool_find(pd->hv->plan, phandle) : NULL;
    if (!pd->pool) {
        return plan_warn(pd, NULL, name, "%#x is the phandle of no CPU pool that was made",
                         phandle);
    }
    return 0;
}

static int read_passthrough(struct plan_domain *pd, const char *name)
{
    static const char *const words[] = { "disabled", "enabled" };
    uint32_t word = 0;
    int rc = read_word(pd, name, words, ARRAY_SIZE(words), &word);
    if (rc == 0 && word == 1 && pd->hv->iommus == NULL) {
        plan_warn(pd, NULL, name, "no IOMMU is driven on this machine, ignored");
    }
    return rc;
}

/* Cells of the module's reg: one or two each. */
static int read_reg_cells(struct plan_domain *pd, const char *name)
{
    uint32_t cells;
    return read_u32(pd, name, 1, 2, &cells);
}

static const struct prop_reader {
    const char *name;
    int (*read)(struct plan_domain *pd, const char *name); /* NULL: read elsewhere */
} readers[] = {
    { "#address-cells", read_reg_cells },
    { "#size-cells", read_reg_cells },
    { "#xen,static-mem-address-cells", read_reg_cells },
    { "#xen,static-mem-size-cells", read_reg_cells },
    { "compatible", NULL },
    { "cpus", read_cpus },
    { "direct-map", read_direct_map },
    { "domain-cpupool", read_cpupool },
    { "linux,phandle", NULL },
    { "loam,pci", NULL }, /* plan_pci_read() */
    { "loam,restart", read_restart },
    { "loam,weight", read_weight },
    { "max_grant_frames", read_grant_frames },
    { "max_grant_version", read_grant_version },
    { "max_maptrack_frames", read_maptrack_frames },
    { "memory", read_memory },
    { "mmu-type", read_mmu_type },
    { "name", NULL },
    { "nr_spis", read_nr_spis },
    { "passthrough", read_passthrough },
    { "phandle", NULL },
    { "reg", NULL },
    { "status", NULL },
    { "sve", read_sve },
    { "vpl011", read_vpl011 },
    { "xen,enhanced", read_enhanced },
    { "xen,force-assign-without-iommu", NULL }, /* of its PCI devices: plan_pci.c */
    { "xen,static-mem", NULL }, /* plan_statics_read() */
};

static const struct prop_reader *reader_find(const char *name)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(readers); i++) {
        if (strcmp(readers[i].name, name) == 0) {
            return &readers[i];
        }
    }
    return NULL;
}

int plan_props_read(struct plan_domain *pd)
{
    const struct fdt *f = &pd->hv->plan->host;
    pd->config.weight = SCHED_WEIGHT_DEFAULT;
    pd->pool = plan_pool_find(pd->hv->plan, 0);
    struct fdt_prop p;
    for_each_fdt_prop(f, pd->node, p)
    {
        const struct prop_reader *reader = reader_find(p.name);
        if (!reader) {
            plan_warn(pd, NULL, p.name, "unknown property, ignored");
            continue;
        }
        int rc = reader->read ? reader->read(pd, p.name) : 0;
        if (rc) {
            return rc;
        }
    }
    if (pd->config.vcpus_max == 0) {
        return plan_warn(pd, NULL, "cpus", "missing: how many vCPUs the domain has");
    }
    if (pd->memory == 0 && !fdt_has_prop(f, pd->node, "xen,static-mem")) {
        return plan_warn(pd, NULL, "memory", "missing: KiB of RAM the domain has");
    }
    const struct guest_layout *layout = arch_guest_layout();
    uint64_t most = layout->ram_size[0] + layout->ram_size[1];
    if (!pd->config.direct_map && pd->memory > most) {
        return plan_warn(pd, NULL, "memory", "a domain can have at most %lu KiB", most / KIB);
    }
    /* Kept: the domain may be built again. */
    pd->config.pool = cpupool_get(pd->hv, cpupool_id(pd->pool->pool));
    return 0;
}
