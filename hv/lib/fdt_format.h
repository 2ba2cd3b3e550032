/* SPDX-License-Identifier: MIT */
/*
 * Layout of a flattened device tree (Devicetree Specification v0.4, 5.2 to 5.4)
 * and the rule for names, shared by the reader and the writer.
 *
 * All numbers are big-endian. Blocks are found by offsets from the header.
 */
#ifndef LIB_FDT_FORMAT_H
#define LIB_FDT_FORMAT_H

#include <loam/types.h>

#define FDT_MAGIC 0xd00dfeedu

/* Byte offsets of the header's members. */
#define FDT_HDR_MAGIC 0
#define FDT_HDR_TOTALSIZE 4
#define FDT_HDR_OFF_STRUCT 8
#define FDT_HDR_OFF_STRINGS 12
#define FDT_HDR_OFF_RESERVE 16
#define FDT_HDR_VERSION 20
#define FDT_HDR_LAST_COMP 24
#define FDT_HDR_BOOT_CPU 28
#define FDT_HDR_SIZE_STRINGS 32
#define FDT_HDR_SIZE_STRUCT 36 /* version 17 on */
#define FDT_HDR_LEN_V16 36
#define FDT_HDR_LEN 40

#define FDT_VERSION_MIN 16
#define FDT_VERSION 17

/* Bytes of a memory reservation entry: two big-endian u64. */
#define FDT_RESERVE_LEN 16

enum fdt_token {
    FDT_BEGIN_NODE = 1,
    FDT_END_NODE = 2,
    FDT_PROP = 3,
    FDT_NOP = 4,
    FDT_END = 9,
};

/* Bytes of a PROP token with its length and name offset, before the value. */
#define FDT_PROP_LEN 12

/*
 * Characters of node and property names: printable, so that a name can go to
 * a console, and no '/', so that a path has one meaning. The specification's
 * set (2.2.1, 2.2.4.1) is smaller, but trees in the field exceed it.
 */
static inline bool fdt_name_is_valid(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/') {
            return false;
        }
    }
    return true;
}

#endif
