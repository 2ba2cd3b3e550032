/* SPDX-License-Identifier: MIT */
/*
 * Boot-time domains: device tree -> plan -> domains, without any dom0, by
 * Xen's dom0less binding (docs/device-tree.md). The plan stays, so that a
 * domain can be built anew (restart policy). Read next: boot/plan.c (parse),
 * boot/build.c (build), boot/restart.c (what follows a stop).
 */
#ifndef LOAM_PLAN_H
#define LOAM_PLAN_H

#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/types.h>

/*
 * Calls fn for each range of RAM that an enabled domain node of /chosen names
 * (a module's reg, xen,static-mem), whatever else is wrong with the node. What
 * is no range, empty or past the end of all addresses, is left out; nothing
 * says that a range is in RAM. Takes no memory and time linear in /chosen.
 */
void plan_for_each_range(const struct fdt *host,
                         void (*fn)(void *arg, uint64_t start, uint64_t size), void *arg);

/*
 * Keeps these ranges in the frame allocator (frames_keep()) until plan_parse()
 * has read all nodes, so that nothing is put on a module or static memory.
 * Context: boot CPU; all RAM is with the frame allocator, none of it in use.
 */
void plan_keep_ranges(struct hv *hv, const struct fdt *host);

/*
 * Makes hv->plan and the CPU pools of /chosen; CPUs that none of them names
 * share the default pool. The tree's blob must stay mapped and unchanged;
 * *host itself is copied. Context: boot CPU, all CPUs are up. Errors: -XEN_ENOMEM.
 */
int __must_check plan_pools(struct hv *hv, const struct fdt *host);

/*
 * Reads the domains of /chosen into hv->plan and claims modules and static
 * memory. A node that cannot be used is left out with a message that names
 * node and property; that is no error. Ends with frames_release_kept().
 * Context: boot CPU, after plan_keep_ranges() and plan_pools(). Errors: none so far.
 */
int __must_check plan_parse(struct hv *hv, const struct fdt *host);

/*
 * Starts building every planned domain, first to last. Powers the machine off
 * when there is none.
 */
void plan_start(struct hv *hv);

/* The hypervisor's boot options, as the host's tree has them; "": none. Constant after boot. */
const char *plan_options(const struct hv *hv);

/*
 * Domain d of the plan has stopped: applies its restart policy, and powers
 * the machine off when no domain may run again. Called once per life of d.
 * Context: any CPU. Locks: takes hv->lock.
 */
void plan_domain_stopped(struct domain *d);

/*
 * Domain d of the plan stops and is not built again, whatever its policy says: a control domain
 * destroyed it. Returns at once, a job takes it apart. Context: any CPU, with a reference to d.
 * Locks: takes d->lock. Errors: -XEN_EBUSY it is still being built.
 */
int __must_check plan_domain_end(struct domain *d);

/* Frees the plan (host tests; no domain of it is left). */
void plan_destroy(struct hv *hv);

#endif
