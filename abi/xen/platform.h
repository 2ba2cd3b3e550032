/* SPDX-License-Identifier: MIT */
/*
 * Arguments of platform_op: what a control domain does with the machine (Xen public header
 * platform.h). Guest handles are 64-bit addresses.
 */
#ifndef XEN_PLATFORM_H
#define XEN_PLATFORM_H

#include <stdint.h>

#define XENPF_INTERFACE_VERSION 0x03000001

struct xenpf_settime32 {
    uint32_t secs;
    uint32_t nsecs;
    uint64_t system_time;
};

struct xenpf_settime64 {
    uint64_t secs;
    uint32_t nsecs;
    uint32_t mbz;
    uint64_t system_time;
};

struct xenpf_getidletime {
    uint64_t cpumap_bitmap;  /* handle of bytes */
    uint32_t cpumap_nr_cpus; /* bits there */
    uint64_t idletime;       /* handle of uint64_t, by CPU */
    uint64_t now;
};

struct xenpf_pcpuinfo {
    uint32_t xen_cpuid;
    uint32_t max_present;
    uint32_t flags; /* XEN_PCPU_FLAGS_* */
    uint32_t apic_id;
    uint32_t acpi_id;
};

#define XEN_PCPU_FLAGS_ONLINE 1
#define XEN_PCPU_FLAGS_INVALID 2

struct xenpf_symdata {
    uint32_t namelen;
    uint32_t symnum;
    uint64_t name; /* handle of characters */
    uint64_t address;
    char type;
};

#endif
