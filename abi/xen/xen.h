/* SPDX-License-Identifier: MIT */
/*
 * The common part of the Xen guest ABI: domain ids, hypercall numbers, virtual interrupts
 * and the page that a domain shares with the hypervisor (Xen public headers xen.h, arch-arm.h).
 */
#ifndef XEN_XEN_H
#define XEN_XEN_H

#include <stdint.h>

typedef uint16_t domid_t;

#define DOMID_FIRST_RESERVED 0x7ff0
#define DOMID_SELF 0x7ff0
#define DOMID_INVALID 0x7ff4

#define __HYPERVISOR_memory_op 12
#define __HYPERVISOR_multicall 13
#define __HYPERVISOR_xen_version 17
#define __HYPERVISOR_console_io 18
#define __HYPERVISOR_grant_table_op 20
#define __HYPERVISOR_vm_assist 21
#define __HYPERVISOR_vcpu_op 24
#define __HYPERVISOR_sched_op 29
#define __HYPERVISOR_event_channel_op 32
/* One more than the largest number of the ABI (arch_7). */
#define HYPERCALLS_MAX 56

/* One call of a list (multicall). */
struct multicall_entry {
    uint64_t op;
    uint64_t result;
    uint64_t args[6];
};

struct xen_domain_handle {
    uint8_t handle[16];
};

/* Virtual interrupts: V one per vCPU, G one per domain. */
#define VIRQ_TIMER 0      /* V */
#define VIRQ_DEBUG 1      /* V */
#define VIRQ_CONSOLE 2    /* G: input on the host's console */
#define VIRQ_DOM_EXC 3    /* G: a domain has shut down, or is gone */
#define VIRQ_TBUF 4       /* G: trace records are there */
#define VIRQ_DEBUGGER 6   /* G */
#define VIRQ_XENOPROF 7   /* V */
#define VIRQ_CON_RING 8   /* G: output on the host's console */
#define VIRQ_PCPU_STATE 9 /* G: a CPU came or went */
#define VIRQ_MEM_EVENT 10 /* G */
#define VIRQ_ARGO 11      /* G */
#define VIRQ_ENOMEM 12    /* G: hypervisor memory is low */
#define VIRQ_XENPMU 13    /* V */
#define VIRQ_ARCH_0 16    /* from here on V */
#define NR_VIRQS 24

/* Bits of vm_assist. */
#define VMASST_TYPE_runstate_update_flag 5

struct vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad1[2];
};

/* arm and riscv have nothing of their own in it (arch_vcpu_info, arch_shared_info). */
struct vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t pad0;
    uint64_t evtchn_pending_sel; /* a bit for each word of evtchn_pending */
    struct vcpu_time_info time;
};

/* vCPUs whose vcpu_info is in shared_info until they register one: arm's and riscv's number. */
#define XEN_LEGACY_MAX_VCPUS 1

struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint64_t evtchn_pending[64];
    uint64_t evtchn_mask[64];
    uint32_t wc_version; /* odd while the three below change */
    uint32_t wc_sec;     /* since the epoch, when system time was 0 */
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
};

#endif
