/* SPDX-License-Identifier: MIT */
/*
 * memory_op: a domain's memory, and what it maps of others (Xen public header memory.h).
 * Handles (addresses in the caller) are 64-bit integers.
 */
#ifndef XEN_MEMORY_H
#define XEN_MEMORY_H

#include <stdint.h>

#include <xen/xen.h>

#define XENMEM_increase_reservation 0
#define XENMEM_decrease_reservation 1
#define XENMEM_maximum_ram_page 2
#define XENMEM_current_reservation 3
#define XENMEM_maximum_reservation 4
#define XENMEM_populate_physmap 6
#define XENMEM_add_to_physmap 7
#define XENMEM_exchange 11
#define XENMEM_maximum_gpfn 14
#define XENMEM_remove_from_physmap 15
#define XENMEM_get_sharing_freed_pages 18
#define XENMEM_get_sharing_shared_pages 19
#define XENMEM_add_to_physmap_batch 23
#define XENMEM_claim_pages 24
#define XENMEM_get_vnumainfo 26
#define XENMEM_reserved_device_memory_map 27
#define XENMEM_acquire_resource 28

/* The operation is in the low bits of argument 0; above them, where a repeated call goes on. */
#define MEMOP_EXTENT_SHIFT 6

/* mem_flags */
#define XENMEMF_get_address_bits(x) ((x)&0xffu)
#define XENMEMF_get_node(x) ((((x) >> 8) - 1) & 0xffu)
#define XENMEMF_populate_on_demand (1u << 16)
#define XENMEMF_exact_node_request (1u << 17)
#define XENMEMF_vnode (1u << 18)

struct xen_memory_reservation {
    uint64_t extent_start; /* of frame numbers, 64 bits each */
    uint64_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    domid_t domid;
};

struct xen_memory_exchange {
    struct xen_memory_reservation in;
    struct xen_memory_reservation out;
    uint64_t nr_exchanged;
};

struct xen_memory_domain {
    domid_t domid;
};

/* Where the pages that are mapped come from. */
#define XENMAPSPACE_shared_info 0
#define XENMAPSPACE_grant_table 1
#define XENMAPSPACE_gmfn 2
#define XENMAPSPACE_gmfn_range 3
#define XENMAPSPACE_gmfn_foreign 4 /* add_to_physmap_batch only */
#define XENMAPSPACE_dev_mmio 5

#define XENMAPIDX_grant_table_status 0x80000000u

struct xen_add_to_physmap {
    domid_t domid;
    uint16_t size;
    uint32_t space;
    uint64_t idx;
    uint64_t gpfn;
};

struct xen_add_to_physmap_batch {
    domid_t domid;
    uint16_t space;
    uint16_t size;
    union {
        domid_t foreign_domid; /* XENMAPSPACE_gmfn_foreign */
        uint16_t res0; /* the others: 0 */
    } u;
    uint64_t idxs;
    uint64_t gpfns;
    uint64_t errs; /* int, 32 bits each */
};

struct xen_remove_from_physmap {
    domid_t domid;
    uint64_t gpfn;
};

struct xen_vnuma_topology_info {
    domid_t domid;
    uint16_t pad;
    uint32_t nr_vnodes;
    uint32_t nr_vcpus;
    uint32_t nr_vmemranges;
    uint64_t vdistance;
    uint64_t vcpu_to_vnode;
    uint64_t vmemrange;
};

#define XENMEM_RDM_ALL 1

struct xen_reserved_device_memory_map {
    uint32_t flags;
    uint32_t nr_entries;
    uint64_t buffer;
    struct {
        uint16_t seg;
        uint8_t bus;
        uint8_t devfn;
    } pci;
};

#define XENMEM_resource_ioreq_server 0
#define XENMEM_resource_grant_table 1
#define XENMEM_resource_vmtrace_buf 2
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1

struct xen_mem_acquire_resource {
    domid_t domid;
    uint16_t type;
    uint32_t id;
    uint32_t nr_frames;
    uint32_t pad;
    uint64_t frame;
    uint64_t frame_list; /* of the caller's frame numbers, 64 bits each */
};

#endif
