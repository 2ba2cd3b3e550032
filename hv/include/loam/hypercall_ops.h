/* SPDX-License-Identifier: MIT */
/* Prototypes of the handlers that abi/tables/hypercall.tbl names: generated from it. */
#ifndef LOAM_HYPERCALL_OPS_H
#define LOAM_HYPERCALL_OPS_H

struct hc;

#define HC_HANDLER(handler) int handler(struct hc *hc, void *arg);
#include <gen/hypercalls.h>
#undef HC_HANDLER

#endif
