/* SPDX-License-Identifier: MIT */
/*
 * Arguments of sysctl, operations on the host (Xen public header sysctl.h, as of 4.22; where older
 * releases differ see tables/layout.tbl). Guest handles are 64-bit addresses.
 */
#ifndef XEN_SYSCTL_H
#define XEN_SYSCTL_H

#include <stdint.h>
#include <xen/domctl.h>
#include <xen/xen.h>

#define XEN_SYSCTL_tbuf_op 2
#define XEN_SYSCTL_get_pmstat 10
#define XEN_SYSCTL_cpu_hotplug 11
#define XEN_SYSCTL_pm_op 12
#define XEN_SYSCTL_page_offline_op 14
#define XEN_SYSCTL_coverage_op 20
#define XEN_SYSCTL_livepatch_op 27
#define XEN_SYSCTL_dt_overlay 30

struct xen_sysctl_readconsole {
    uint8_t clear;
    uint8_t incremental;
    uint8_t pad0, pad1;
    uint32_t index;
    uint64_t buffer; /* handle of characters */
    uint32_t count;
};

#define XEN_SYSCTL_PHYSCAP_hvm (1u << 0)
#define XEN_SYSCTL_PHYSCAP_directio (1u << 2)
#define XEN_SYSCTL_PHYSCAP_hap (1u << 3)
#define XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share (1u << 5)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1 (1u << 8)
#define XEN_SYSCTL_PHYSCAP_gnttab_v2 (1u << 9)

struct xen_sysctl_physinfo {
    uint32_t threads_per_core;
    uint32_t cores_per_socket;
    uint32_t nr_cpus;
    uint32_t max_cpu_id;
    uint32_t nr_nodes;
    uint32_t max_node_id;
    uint32_t cpu_khz;
    uint32_t capabilities; /* XEN_SYSCTL_PHYSCAP_* */
    uint32_t arch_capabilities;
    uint32_t pad;
    uint64_t total_pages;
    uint64_t free_pages;
    uint64_t scrub_pages;
    uint64_t outstanding_pages;
    uint64_t max_mfn;
    uint32_t hw_cap[8];
};

struct xen_sysctl_sched_id {
    uint32_t sched_id; /* XEN_SCHEDULER_* */
};

#define XEN_SYSCTL_PERFCOP_reset 1
#define XEN_SYSCTL_PERFCOP_query 2

struct xen_sysctl_perfc_desc {
    char name[80];
    uint32_t nr_vals;
};

struct xen_sysctl_perfc_op {
    uint32_t cmd; /* XEN_SYSCTL_PERFCOP_* */
    uint32_t nr_counters;
    uint32_t nr_vals;
    uint64_t desc; /* handle of struct xen_sysctl_perfc_desc */
    uint64_t val;  /* handle of uint32_t */
};

struct xen_sysctl_getdomaininfolist {
    domid_t first_domain;
    uint32_t max_domains;
    uint64_t buffer; /* handle of struct xen_domctl_getdomaininfo */
    uint32_t num_domains;
};

struct xen_sysctl_debug_keys {
    uint64_t keys; /* handle of characters */
    uint32_t nr_keys;
};

struct xen_sysctl_cpuinfo {
    uint64_t idletime;
};

struct xen_sysctl_getcpuinfo {
    uint32_t max_cpus;
    uint64_t info; /* handle of struct xen_sysctl_cpuinfo */
    uint32_t nr_cpus;
};

struct xen_sysctl_availheap {
    uint32_t min_bitwidth;
    uint32_t max_bitwidth;
    int32_t node;
    uint64_t avail_bytes;
};

struct xen_sysctl_cputopo {
    uint32_t core;
    uint32_t socket;
    uint32_t node;
};

struct xen_sysctl_cputopoinfo {
    uint32_t num_cpus;
    uint64_t cputopo; /* handle of struct xen_sysctl_cputopo */
};

struct xen_sysctl_meminfo {
    uint64_t memsize;
    uint64_t memfree;
};

struct xen_sysctl_numainfo {
    uint32_t num_nodes;
    uint64_t meminfo;  /* handle of struct xen_sysctl_meminfo */
    uint64_t distance; /* handle of uint32_t */
};

struct xen_sysctl_pcitopoinfo {
    uint32_t num_devs;
    uint64_t devs;  /* handle of struct physdev_pci_device */
    uint64_t nodes; /* handle of uint32_t */
};

#define XEN_SYSCTL_CPUPOOL_OP_CREATE 1
#define XEN_SYSCTL_CPUPOOL_OP_DESTROY 2
#define XEN_SYSCTL_CPUPOOL_OP_INFO 3
#define XEN_SYSCTL_CPUPOOL_OP_ADDCPU 4
#define XEN_SYSCTL_CPUPOOL_OP_RMCPU 5
#define XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN 6
#define XEN_SYSCTL_CPUPOOL_OP_FREEINFO 7
#define XEN_SYSCTL_CPUPOOL_PAR_ANY 0xFFFFFFFFu

struct xen_sysctl_cpupool_op {
    uint32_t op; /* XEN_SYSCTL_CPUPOOL_OP_* */
    uint32_t cpupool_id;
    uint32_t sched_id;
    uint32_t domid;
    uint32_t cpu;
    uint32_t n_dom;
    struct xenctl_bitmap cpumap;
};

#define XEN_SYSCTL_SCHEDOP_putinfo 0
#define XEN_SYSCTL_SCHEDOP_getinfo 1

struct xen_sysctl_scheduler_op {
    uint32_t cpupool_id;
    uint32_t sched_id;
    uint32_t cmd; /* XEN_SYSCTL_SCHEDOP_* */
    union {
        struct {
            uint64_t schedule;
        } sched_arinc653;
        struct {
            uint32_t tslice_ms;
            uint32_t ratelimit_us;
            uint32_t vcpu_migr_delay_us;
        } sched_credit;
        struct {
            uint32_t ratelimit_us;
        } sched_credit2;
    } u;
};

#endif
