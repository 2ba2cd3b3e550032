/* SPDX-License-Identifier: MIT */
/*
 * The common part of the Xen guest ABI: domain ids and hypercall numbers
 * (Xen public header xen.h).
 */
#ifndef XEN_XEN_H
#define XEN_XEN_H

#include <stdint.h>

typedef uint16_t domid_t;

#define DOMID_FIRST_RESERVED 0x7ff0
#define DOMID_SELF 0x7ff0

#define __HYPERVISOR_xen_version 17
#define __HYPERVISOR_console_io 18
#define __HYPERVISOR_grant_table_op 20
#define __HYPERVISOR_sched_op 29
/* One more than the largest number of the ABI (arch_7). */
#define HYPERCALLS_MAX 56

struct xen_domain_handle {
    uint8_t handle[16];
};

#endif
