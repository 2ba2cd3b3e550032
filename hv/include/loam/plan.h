/* SPDX-License-Identifier: MIT */
/*
 * Boot-time domains: device tree -> plan -> domains, without any dom0, by
 * Xen's dom0less binding. The plan stays, so that a domain can be built anew
 * (restart policy). Read next: boot/plan.c (parse), boot/build.c (build).
 */
#ifndef LOAM_PLAN_H
#define LOAM_PLAN_H

#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/types.h>

/*
 * Reads /chosen of the host's tree into hv->plan. A node that cannot be used
 * is left out with a message that names node and property; that is no error.
 * Also claims modules and static memory, makes boot cpupools. Errors: -XEN_ENOMEM.
 */
int __must_check plan_parse(struct hv *hv, const struct fdt *host);

/* Starts building every planned domain, first to last. */
void plan_start(struct hv *hv);

/*
 * Domain d of the plan has stopped: applies its restart policy, and powers
 * the machine off when no domain may run again.
 */
void plan_domain_stopped(struct domain *d);

#endif
