/* SPDX-License-Identifier: MIT */
/* What the files of domctl share. */
#ifndef CTL_PRIVATE_H
#define CTL_PRIVATE_H

#include <loam/ctl.h>
#include <xen/domctl.h>

/* vCPU id of c->d. Errors: -XEN_EINVAL d has no such number, -XEN_ESRCH it was not made yet. */
int __must_check ctl_vcpu(const struct ctl *c, uint32_t id, struct vcpu **out);

/*
 * Pauses c->d until ctl_thaw(): true once no vCPU of it is on a CPU. False: some CPU has to let go
 * first, return hc_again(): the domain stays paused meanwhile.
 */
bool __must_check ctl_freeze(struct ctl *c);
void ctl_thaw(struct ctl *c);

#endif
