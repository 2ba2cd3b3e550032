/* SPDX-License-Identifier: MIT */
/* Arguments of xen_version (Xen public headers version.h, features.h). */
#ifndef XEN_VERSION_H
#define XEN_VERSION_H

#include <stdint.h>

/* Loam reports the ABI of this release. */
#define XEN_ABI_MAJOR 4
#define XEN_ABI_MINOR 17

/* What of Loam itself is told: behind the number, and in place of a builder's name. */
#define LOAM_EXTRAVERSION ".0-loam"
#define LOAM_COMPILE_BY "loam"

struct xen_extraversion {
    char text[16];
};

struct xen_compile_info {
    char compiler[64];
    char compile_by[16];
    char compile_domain[32];
    char compile_date[32];
};

struct xen_capabilities {
    char text[1024];
};

struct xen_changeset {
    char text[64];
};

struct xen_platform_parameters {
    uint64_t virt_start;
};

struct xen_feature_info {
    uint32_t submap_idx;
    uint32_t submap;
};

/* In front of a buffer of `len` bytes, for texts of any length. */
struct xen_varbuf {
    uint32_t len;
};

struct xen_commandline {
    char text[1024];
};

/* Bits of submap 0. */
#define XENFEAT_writable_page_tables 0
#define XENFEAT_writable_descriptor_tables 1
#define XENFEAT_auto_translated_physmap 2
#define XENFEAT_supervisor_mode_kernel 3
#define XENFEAT_hvm_callback_vector 8
#define XENFEAT_dom0 11
#define XENFEAT_memory_op_vnode_supported 13
#define XENFEAT_ARM_SMCCC_supported 14
#define XENFEAT_not_direct_mapped 16
#define XENFEAT_direct_mapped 17

#endif
