/* SPDX-License-Identifier: MIT */
/*
 * What holds of the memory of all domains between any two operations: what is counted is what
 * is owned, limits and claims add up, and each mapping of a frame that is not the
 * domain's own has its reference.
 */
#ifndef MEMORY_INVARIANTS_H
#define MEMORY_INVARIANTS_H

#include <loam/hv.h>

/* All of it; NULL or what is wrong. */
const char *memory_check(struct hv *hv);
/* No frame that is free is mapped, none has fewer references than mappings that need one. */
const char *memory_check_references(struct hv *hv);

#endif
