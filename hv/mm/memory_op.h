/* SPDX-License-Identifier: MIT */
/* What the files of memory_op share. */
#ifndef MM_MEMORY_OP_H
#define MM_MEMORY_OP_H

#include <loam/hypercall.h>
#include <loam/types.h>
#include <xen/memory.h>

#define MEMORY_OP_MASK ((UINT64_C(1) << MEMOP_EXTENT_SHIFT) - 1)

/* Where a repeated call goes on: the first element of its list that is not done. */
static inline uint64_t memory_op_first(const struct hc *hc)
{
    return hc->arg[0] >> MEMOP_EXTENT_SHIFT;
}

/* The call is repeated and goes on at element `first`. */
static inline int memory_op_again(struct hc *hc, uint64_t first)
{
    hc->arg[0] = (hc->arg[0] & MEMORY_OP_MASK) | first << MEMOP_EXTENT_SHIFT;
    return hc_again(hc);
}

/* An operation that has no list: -XEN_EINVAL if the call says that it goes on. */
int __must_check memory_op_none(struct hc *hc);

#endif
