/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: what a domain lets others do with its frames, and what it does with
 * theirs (hv/ipc/gnttab*.c).
 */
#ifndef LOAM_GNTTAB_H
#define LOAM_GNTTAB_H

#include <loam/types.h>

struct domain;

/* Limits where a domain's configuration has 0. */
#define GNTTAB_FRAMES_DEFAULT 64    /* of entries */
#define GNTTAB_MAPTRACK_DEFAULT 1024 /* of handles, 256 each */
#define GNTTAB_VERSION_DEFAULT 1
/* The largest ones. */
#define GNTTAB_FRAMES_MAX 1024
#define GNTTAB_MAPTRACK_MAX 65535
#define GNTTAB_MAPTRACK_NONE UINT32_MAX /* it may map no grants */

/* Whether the limits of a configuration are possible ones. */
bool gnttab_limits_are_valid(uint32_t frames_max, uint32_t maptrack_max, uint32_t version_max);

/*
 * Frame `index` of d's table in *out, of its entries or (status) of the states of version 2
 * entries, for a mapping: with a reference to it (frame_get()), the caller's. `grow`: the
 * table grows to have it, as far as d may. Context: any CPU, a reference to d. Locks: grant,
 * mem, frames.
 * Errors: -XEN_EINVAL there is none (over the limit, or status and version 1), -XEN_ENOMEM,
 * -XEN_ESRCH d is dying, -XEN_EOPNOTSUPP it has no Xen interfaces.
 */
int __must_check gnttab_frame(struct domain *d, uint32_t index, bool status, bool grow, mfn_t *out);

/* d has that frame mapped at g now: what setup_table tells it, as long as it is true. */
void gnttab_frame_placed(struct domain *d, uint32_t index, bool status, gfn_t g);

/* Prints how much of d's table is in use and what it maps, in a few lines. Context: any CPU. */
void gnttab_dump(struct domain *d);

/* For core/subsystems.c, which has their contract. */
int __must_check gnttab_init(struct domain *d);
int gnttab_close(struct domain *d);
void gnttab_free(struct domain *d);

#endif
