/* SPDX-License-Identifier: MIT */
/* What hypfs_op reads: entries of the hypervisor's file system (Xen public header hypfs.h). */
#ifndef XEN_HYPFS_H
#define XEN_HYPFS_H

#include <stdint.h>

#define XEN_HYPFS_VERSION 1
#define XEN_HYPFS_MAX_PATHLEN 1024

#define XEN_HYPFS_TYPE_DIR 0
#define XEN_HYPFS_TYPE_BLOB 1
#define XEN_HYPFS_TYPE_STRING 2
#define XEN_HYPFS_TYPE_UINT 3
#define XEN_HYPFS_TYPE_INT 4
#define XEN_HYPFS_TYPE_BOOL 5

#define XEN_HYPFS_ENC_PLAIN 0

struct xen_hypfs_direntry {
    uint8_t type;     /* XEN_HYPFS_TYPE_* */
    uint8_t encoding; /* XEN_HYPFS_ENC_* */
    uint16_t pad;
    uint32_t content_len;
    uint32_t max_write_len;
};

/* Of a directory's contents; the name follows at XEN_HYPFS_NAME_OFFSET, with its zero. */
struct xen_hypfs_dirlistentry {
    struct xen_hypfs_direntry e;
    uint16_t off_next; /* bytes to the next one, 0: this is the last */
};

#define XEN_HYPFS_NAME_OFFSET 14

#endif
