/* SPDX-License-Identifier: MIT */
/*
 * Operations whose argument is an array: register 1 has its address, register 2 the
 * number of elements. Each is copied in, acted on, and its status copied out: partial
 * success is the ABI's way.
 */
#ifndef IPC_ELEMENTS_H
#define IPC_ELEMENTS_H

#include <loam/types.h>

struct hc;

#define ELEMENT_BYTES_MAX 64

struct element_kind {
    uint16_t size;
    uint16_t status; /* offset of its int16_t status */
    uint16_t out_from; /* what is copied out begins here and goes to the end */
    int (*act)(struct hc *hc, void *element); /* returns the status, 0 or less */
    void (*undo)(struct hc *hc, void *element); /* the result cannot be copied out; may be NULL */
};

/* A kind's sizes: struct `type`, whose results begin with member `from`. */
#define ELEMENT(type, from) \
    .size = sizeof(struct type), .status = offsetof(struct type, status), \
    .out_from = offsetof(struct type, from)

/*
 * Handles the array of hc, some elements at once; what is left is hc_again()'s, in the
 * registers. The reason of the first status that is not 0 is recorded. Errors: -XEN_EINVAL
 * a count that is negative as an int, -XEN_EFAULT an element that cannot be read or written.
 */
int for_each_element(struct hc *hc, const struct element_kind *kind);

#endif
