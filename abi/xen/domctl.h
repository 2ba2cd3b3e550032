/* SPDX-License-Identifier: MIT */
/*
 * Arguments of domctl, operations on domains (Xen public header domctl.h, as of 4.22; where older
 * releases differ see tables/layout.tbl). Guest handles are 64-bit addresses; members of
 * 64 bits are aligned to 8 bytes. tests/abi compares this with the real headers.
 */
#ifndef XEN_DOMCTL_H
#define XEN_DOMCTL_H

#include <stdint.h>
#include <xen/xen.h>

#define XEN_DOMCTL_createdomain 1
#define XEN_DOMCTL_destroydomain 2
#define XEN_DOMCTL_pausedomain 3
#define XEN_DOMCTL_unpausedomain 4
#define XEN_DOMCTL_getdomaininfo 5
#define XEN_DOMCTL_setvcpuaffinity 9
#define XEN_DOMCTL_shadow_op 10
#define XEN_DOMCTL_max_mem 11
#define XEN_DOMCTL_setvcpucontext 12
#define XEN_DOMCTL_getvcpucontext 13
#define XEN_DOMCTL_getvcpuinfo 14
#define XEN_DOMCTL_max_vcpus 15
#define XEN_DOMCTL_scheduler_op 16
#define XEN_DOMCTL_setdomainhandle 17
#define XEN_DOMCTL_irq_permission 19
#define XEN_DOMCTL_iomem_permission 20
#define XEN_DOMCTL_settimeoffset 24
#define XEN_DOMCTL_getvcpuaffinity 25
#define XEN_DOMCTL_resumedomain 27
#define XEN_DOMCTL_sendtrigger 28
#define XEN_DOMCTL_subscribe 29
#define XEN_DOMCTL_set_address_size 35
#define XEN_DOMCTL_get_address_size 36
#define XEN_DOMCTL_bind_pt_irq 38
#define XEN_DOMCTL_memory_mapping 39
#define XEN_DOMCTL_set_target 46
#define XEN_DOMCTL_unbind_pt_irq 48
#define XEN_DOMCTL_set_virq_handler 66
#define XEN_DOMCTL_setnodeaffinity 68
#define XEN_DOMCTL_getnodeaffinity 69
#define XEN_DOMCTL_cacheflush 71
#define XEN_DOMCTL_setvnumainfo 74
#define XEN_DOMCTL_soft_reset 79
#define XEN_DOMCTL_vuart_op 81
#define XEN_DOMCTL_get_paging_mempool_size 85
#define XEN_DOMCTL_set_paging_mempool_size 86
#define XEN_DOMCTL_dt_overlay 87
#define XEN_DOMCTL_set_llc_colors 89
#define XEN_DOMCTL_gdbsx_guestmemio 1000
#define XEN_DOMCTL_gdbsx_pausevcpu 1001
#define XEN_DOMCTL_gdbsx_unpausevcpu 1002
#define XEN_DOMCTL_gdbsx_domstatus 1003

/* The header; 128 bytes for the operation's structure follow. */
struct xen_domctl {
    uint32_t cmd;
    uint32_t interface_version;
    domid_t domain;
    uint16_t pad[3];
    uint8_t u[128] __attribute__((aligned(8)));
};

/* A bitmap in the caller's memory. */
struct xenctl_bitmap {
    uint64_t bitmap;
    uint32_t nr_bits;
};

#define XEN_DOMCTL_CDF_hvm (1u << 0)
#define XEN_DOMCTL_CDF_hap (1u << 1)
#define XEN_DOMCTL_CDF_s3_integrity (1u << 2)
#define XEN_DOMCTL_CDF_oos_off (1u << 3)
#define XEN_DOMCTL_CDF_xs_domain (1u << 4)
#define XEN_DOMCTL_CDF_iommu (1u << 5)
#define XEN_DOMCTL_CDF_nested_virt (1u << 6)
#define XEN_DOMCTL_CDF_vpmu (1u << 7)
#define XEN_DOMCTL_CDF_trap_unmapped_accesses (1u << 8)
#define XEN_DOMCTL_GRANT_version_mask 0xfu

struct xen_domctl_createdomain {
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t flags; /* XEN_DOMCTL_CDF_* */
    uint32_t iommu_opts;
    uint32_t max_vcpus;
    uint32_t max_evtchn_port;
    int32_t max_grant_frames;    /* < 0: the default */
    int32_t max_maptrack_frames;
    uint32_t grant_opts;
    uint32_t altp2m; /* options, and since 4.21 a number in the upper half */
    uint32_t vmtrace_size;
    uint32_t cpupool_id;
    uint32_t arch[4]; /* struct xen_arch_domainconfig */
};

#define XEN_DOMINF_dying (1u << 0)
#define XEN_DOMINF_hvm_guest (1u << 1)
#define XEN_DOMINF_shutdown (1u << 2)
#define XEN_DOMINF_paused (1u << 3)
#define XEN_DOMINF_blocked (1u << 4)
#define XEN_DOMINF_running (1u << 5)
#define XEN_DOMINF_debugged (1u << 6)
#define XEN_DOMINF_xs_domain (1u << 7)
#define XEN_DOMINF_hap (1u << 8)
#define XEN_DOMINF_shutdownshift 16
#define XEN_INVALID_MAX_VCPU_ID (~0u)

struct xen_domctl_getdomaininfo {
    domid_t domain;
    uint16_t pad1;
    uint32_t flags; /* XEN_DOMINF_* */
    uint64_t tot_pages;
    uint64_t max_pages;
    uint64_t outstanding_pages;
    uint64_t shr_pages;
    uint64_t paged_pages;
    uint64_t shared_info_frame;
    uint64_t cpu_time;
    uint32_t nr_online_vcpus;
    uint32_t max_vcpu_id;
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t cpupool;
    uint8_t gpaddr_bits;
    uint8_t pad2[7];
    uint32_t arch_config[4]; /* struct xen_arch_domainconfig */
};

#define XEN_VCPUAFFINITY_HARD (1u << 0)
#define XEN_VCPUAFFINITY_SOFT (1u << 1)
#define XEN_VCPUAFFINITY_FORCE (1u << 2)

struct xen_domctl_vcpuaffinity {
    uint32_t vcpu;
    uint32_t flags; /* XEN_VCPUAFFINITY_* */
    struct xenctl_bitmap cpumap_hard;
    struct xenctl_bitmap cpumap_soft;
};

#define XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION 30
#define XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION 31

struct xen_domctl_shadow_op_stats {
    uint32_t fault_count;
    uint32_t dirty_count;
};

struct xen_domctl_shadow_op {
    uint32_t op;
    uint32_t mode;
    uint32_t mb;
    uint64_t dirty_bitmap;
    uint64_t pages;
    struct xen_domctl_shadow_op_stats stats;
};

struct xen_domctl_max_mem {
    uint64_t max_memkb;
};

struct xen_domctl_vcpucontext {
    uint32_t vcpu;
    uint64_t ctxt; /* of a struct vcpu_guest_context */
};

struct xen_domctl_getvcpuinfo {
    uint32_t vcpu;
    uint8_t online;
    uint8_t blocked;
    uint8_t running;
    uint64_t cpu_time;
    uint32_t cpu;
};

struct xen_domctl_max_vcpus {
    uint32_t max;
};

#define XEN_DOMCTL_SCHEDOP_putinfo 0
#define XEN_DOMCTL_SCHEDOP_getinfo 1
#define XEN_DOMCTL_SCHEDOP_putvcpuinfo 2
#define XEN_DOMCTL_SCHEDOP_getvcpuinfo 3

struct xen_domctl_sched_credit2 {
    uint16_t weight;
    uint16_t cap;
};

#define XEN_DOMCTL_SCHEDRT_extra (1u << 0)

struct xen_domctl_sched_rtds {
    uint32_t period;
    uint32_t budget;
    uint32_t flags;
};

struct xen_domctl_schedparam_vcpu {
    union {
        struct xen_domctl_sched_credit2 credit2;
        struct xen_domctl_sched_rtds rtds;
    } u;
    uint32_t vcpuid;
};

struct xen_domctl_scheduler_op {
    uint32_t sched_id; /* XEN_SCHEDULER_* */
    uint32_t cmd;      /* XEN_DOMCTL_SCHEDOP_* */
    union {
        struct xen_domctl_sched_credit2 credit2;
        struct xen_domctl_sched_rtds rtds;
        struct {
            uint64_t vcpus; /* of struct xen_domctl_schedparam_vcpu */
            uint32_t nr_vcpus;
            uint32_t padding;
        } v;
    } u;
};

struct xen_domctl_setdomainhandle {
    uint8_t handle[16];
};

struct xen_domctl_irq_permission {
    uint32_t pirq;
    uint8_t allow_access;
    uint8_t pad[3];
};

struct xen_domctl_iomem_permission {
    uint64_t first_mfn;
    uint64_t nr_mfns;
    uint8_t allow_access;
};

struct xen_domctl_settimeoffset {
    int64_t time_offset_seconds;
};

struct xen_domctl_address_size {
    uint32_t size;
};

#define XEN_DOMCTL_SENDTRIGGER_NMI 0
#define XEN_DOMCTL_SENDTRIGGER_RESET 1
#define XEN_DOMCTL_SENDTRIGGER_INIT 2
#define XEN_DOMCTL_SENDTRIGGER_POWER 3
#define XEN_DOMCTL_SENDTRIGGER_SLEEP 4

struct xen_domctl_sendtrigger {
    uint32_t trigger;
    uint32_t vcpu;
};

#define PT_IRQ_TYPE_SPI 4

struct xen_domctl_bind_pt_irq {
    uint32_t machine_irq;
    uint32_t irq_type;
    union {
        uint16_t spi;
        uint64_t msi[2]; /* the largest member */
    } u;
};

#define DPCI_ADD_MAPPING 1
#define DPCI_REMOVE_MAPPING 0

struct xen_domctl_memory_mapping {
    uint64_t first_gfn;
    uint64_t first_mfn;
    uint64_t nr_mfns;
    uint32_t add_mapping;
    uint32_t padding;
};

struct xen_domctl_set_virq_handler {
    uint32_t virq;
};

struct xen_domctl_nodeaffinity {
    struct xenctl_bitmap nodemap;
};

struct xen_domctl_cacheflush {
    uint64_t start_pfn, nr_pfns;
};

struct xen_domctl_paging_mempool {
    uint64_t size; /* bytes */
};

struct xen_domctl_set_llc_colors {
    uint32_t num_llc_colors;
    uint32_t pad;
    uint64_t llc_colors; /* handle of uint32_t */
};

#endif
