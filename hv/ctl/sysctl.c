/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what a toolstack is told of the host: CPUs, memory, domains (Xen public header sysctl.h).
 *
 * The machine is shown as one node, one socket, with each CPU a core of its own. Rows:
 * abi/tables/sysctl.tbl; the dispatcher (ctl.c) has checked the interface version.
 */
#include <arch/ctl.h>
#include <arch/time.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/memory.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <xen/errno.h>
#include <xen/sysctl.h>

#define DISTANCE_LOCAL 10 /* of a node from itself, as ACPI SLIT has it */

#define DEVICES_MAX 64 /* of one call of pcitopoinfo */

/* Before 4.16 these were the capabilities that there were; later ones may not be shown. */
#define PHYSCAPS_OLD 0x7fu
#define SYSCTL_4_16 0x14

static uint64_t ram_pages(struct hv *hv)
{
    struct frames *fr = &hv->frames;
    uint64_t pages = 0;

    spin_lock(&fr->lock);
    for (uint32_t i = 0; i < fr->nr_extents; i++) {
        pages += fr->extent[i].pages;
    }
    spin_unlock(&fr->lock);
    return pages;
}

static uint64_t free_pages(struct hv *hv)
{
    spin_lock(&hv->frames.lock);
    uint64_t pages = hv->frames.avail;
    spin_unlock(&hv->frames.lock);
    return pages;
}

int sysctl_op_physinfo(struct ctl *c, void *arg)
{
    struct hv *hv = c->hc->d->hv;
    uint32_t caps = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap |
                    XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;

    caps |= hv->iommus != NULL ? XEN_SYSCTL_PHYSCAP_directio | XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share
                               : 0;
    *(struct xen_sysctl_physinfo *)arg = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = hv->nr_pcpus,
        .nr_cpus = hv->nr_pcpus,
        .max_cpu_id = hv->nr_pcpus - 1,
        .nr_nodes = 1,
        .max_node_id = 0,
        .cpu_khz = arch_counter_khz(hv),
        .capabilities = c->version < SYSCTL_4_16 ? caps & PHYSCAPS_OLD : caps,
        .arch_capabilities = arch_physcaps(hv),
        .total_pages = ram_pages(hv),
        .free_pages = free_pages(hv),
        .outstanding_pages = memory_claimed(hv),
        .max_mfn = hv->frames.base.n + hv->frames.pages - 1,
    };
    return 0;
}

int sysctl_op_sched_id(struct ctl *c, void *arg)
{
    struct xen_sysctl_sched_id *a = arg;

    a->sched_id = cpupool_sched(cpupool_default(c->hc->d->hv));
    return 0;
}

/*
 * One entry for each domain from first_domain on, in the caller's form. Bounded by HV_DOMAINS_MAX;
 * what a domain costs here, it costs without a lock that is held over more than itself.
 */
int sysctl_op_getdomaininfolist(struct ctl *c, void *arg)
{
    struct xen_sysctl_getdomaininfolist *a = arg;
    size_t stride = ctl_wire_size(CTL_KIND_xen_domctl_getdomaininfo, c->version,
                                  sizeof(struct xen_domctl_getdomaininfo));
    struct guest_ref to = { a->buffer };
    uint32_t id = a->first_domain;
    int rc = 0;

    for (a->num_domains = 0; a->num_domains < a->max_domains; a->num_domains++) {
        struct xen_domctl_getdomaininfo info, wire;
        struct domain *d = ctl_domain_from(c->hc->d->hv, id);

        if (d == NULL) {
            break;
        }
        id = d->id + 1u;
        ctl_domain_info(d, &info);
        domain_put(d);
        ctl_to_wire(CTL_KIND_xen_domctl_getdomaininfo, c->version, &wire, &info, sizeof(info));
        rc = guest_copy_to(c->hc->v, to, &wire, stride);
        if (rc != 0) {
            break;
        }
        to.addr += stride;
    }
    return rc;
}

int sysctl_op_getcpuinfo(struct ctl *c, void *arg)
{
    struct xen_sysctl_getcpuinfo *a = arg;
    const struct hv *hv = c->hc->d->hv;
    struct guest_ref to = { a->info };
    ns_t now = arch_time_now();
    int rc = 0;

    a->nr_cpus = MIN(a->max_cpus, hv->nr_pcpus);
    for (uint32_t i = 0; rc == 0 && i < a->nr_cpus; i++) {
        struct xen_sysctl_cpuinfo info = { pcpu_idle_time(hv->pcpus[i], now) };

        rc = guest_copy_to(c->hc->v, to, &info, sizeof(info));
        to.addr += sizeof(info);
    }
    return rc;
}

/* Are addresses of 2^min to 2^max bits all that there are? 0: no limit. */
static bool is_all_memory(const struct hv *hv, uint32_t min, uint32_t max)
{
    uint64_t first = hv->frames.base.n, last = first + hv->frames.pages - 1;

    return (min == 0 || (min < 64 && first << PAGE_SHIFT >> min != 0)) &&
           (max == 0 || max >= 64 || last << PAGE_SHIFT >> max == 0);
}

int sysctl_op_availheap(struct ctl *c, void *arg)
{
    struct xen_sysctl_availheap *a = arg;
    struct hv *hv = c->hc->d->hv;

    if (a->node != -1 && a->node != 0) {
        return refuse(-XEN_EINVAL, "no such node", (uint64_t)a->node, 0);
    }
    if (!is_all_memory(hv, a->min_bitwidth, a->max_bitwidth)) {
        return refuse(-XEN_EOPNOTSUPP, "part of the memory, by address: it is not counted",
                      a->min_bitwidth, a->max_bitwidth);
    }
    a->avail_bytes = free_pages(hv) << PAGE_SHIFT;
    return 0;
}

int sysctl_op_cputopoinfo(struct ctl *c, void *arg)
{
    struct xen_sysctl_cputopoinfo *a = arg;
    uint32_t there = c->hc->d->hv->nr_pcpus;
    struct guest_ref to = { a->cputopo };
    int rc = 0;

    for (uint32_t i = 0; to.addr != 0 && rc == 0 && i < MIN(a->num_cpus, there); i++) {
        struct xen_sysctl_cputopo topo = { .core = i, .socket = 0, .node = 0 };

        rc = guest_copy_to(c->hc->v, (struct guest_ref){ to.addr + i * sizeof(topo) }, &topo,
                           sizeof(topo));
    }
    a->num_cpus = there; /* also how many a larger buffer would have got */
    return rc;
}

int sysctl_op_numainfo(struct ctl *c, void *arg)
{
    struct xen_sysctl_numainfo *a = arg;
    struct hv *hv = c->hc->d->hv;
    struct xen_sysctl_meminfo mem = { ram_pages(hv) << PAGE_SHIFT, free_pages(hv) << PAGE_SHIFT };
    uint32_t distance = DISTANCE_LOCAL;
    int rc = 0;

    if (a->num_nodes > 0 && a->meminfo != 0) {
        rc = guest_copy_to(c->hc->v, (struct guest_ref){ a->meminfo }, &mem, sizeof(mem));
    }
    if (rc == 0 && a->num_nodes > 0 && a->distance != 0) {
        rc = guest_copy_to(c->hc->v, (struct guest_ref){ a->distance }, &distance,
                           sizeof(distance));
    }
    a->num_nodes = 1;
    return rc;
}

/* Each device is at the only node. A caller with more devices than one call answers comes again. */
int sysctl_op_pcitopoinfo(struct ctl *c, void *arg)
{
    struct xen_sysctl_pcitopoinfo *a = arg;
    static const uint32_t nodes[DEVICES_MAX];

    if (a->devs == 0 || a->nodes == 0) {
        return refuse(-XEN_EINVAL, "no place for devices or their nodes", a->devs, a->nodes);
    }
    a->num_devs = MIN(a->num_devs, (uint32_t)DEVICES_MAX);
    return guest_copy_to(c->hc->v, (struct guest_ref){ a->nodes }, nodes,
                         a->num_devs * sizeof(nodes[0]));
}
