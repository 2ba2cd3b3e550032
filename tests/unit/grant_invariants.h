/* SPDX-License-Identifier: MIT */
/*
 * What holds of all grant tables between any two operations, whatever the guests do:
 * handles, uses of entries, references and the pages that are mapped say the same.
 */
#ifndef GRANT_INVARIANTS_H
#define GRANT_INVARIANTS_H

#include <loam/domain.h>
#include <loam/hv.h>

#include "../../hv/ipc/grants.h"

static inline const struct grant_mapping *grant_mapping(const struct domain *d, uint32_t handle)
{
    return &d->gnttab->maps.chunk[handle / HANDLES_PER_CHUNK][handle % HANDLES_PER_CHUNK];
}

/* References to `granter` that handles of all domains hold. */
uint32_t grant_references(struct hv *hv, const struct domain *granter);

/* All of it; NULL or what is wrong. */
const char *grant_check(struct hv *hv);
/*
 * The same for a fuzzer that looks after each of many steps: of entries only the first ones and
 * those before the last that a handle names, of what is mapped nothing. Uses of other entries
 * that are left or lost show as miscounted.
 */
const char *grant_check_step(struct hv *hv);
/* No page of others is mapped without a handle, or to nobody's frame. */
const char *grant_check_maps(struct hv *hv);

/* What others have mapped of d is what its entries say, none of which it changed in use. */
const char *grant_check_granted(const struct domain *d);

/*
 * d's guest is told which entries are in use. It wrote into none that was; exact: and never
 * marked one as in use by itself.
 */
const char *grant_check_marks(const struct domain *d, bool exact);

#endif
