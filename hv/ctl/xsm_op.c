/* SPDX-License-Identifier: MIT */
/*
 * xsm_op (Xen public header xsm/flask_op.h): the policy that Xen may be built with. Without one the
 * ABI's answer is that there is no such hypercall. libxl asks for the label of each
 * domain that it lists, and goes on without: that leaves no refusal.
 */
#include <loam/hypercall.h>
#include <loam/hypercall_ops.h>
#include <loam/refusal.h>
#include <xen/errno.h>

int hypercall_xsm(struct hc *hc, void *arg) { return refuse_unsaid(-XEN_ENOSYS); }
