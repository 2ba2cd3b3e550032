/* SPDX-License-Identifier: MIT */
/*
 * Event channels: how domains, and the hypervisor, tell a vCPU that something happened
 * (Xen public header event_channel.h). Operations: ipc/evtchn.c. How an event reaches the
 * guest's memory: ipc/evtchn_deliver.c.
 *
 * A domain without the Xen interfaces has none of this: d->evtchn is NULL, and events
 * for it are dropped.
 */
#ifndef LOAM_EVTCHN_H
#define LOAM_EVTCHN_H

#include <loam/types.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

struct domain;
struct hv;
struct vcpu;

/*
 * A virtual interrupt of v, or one of those that a whole domain has, for the domain that
 * handles it (dom0, unless evtchn_set_virq_handler() says otherwise). Nothing happens if it is
 * not bound. Context: any CPU, with a reference to v's domain, or v found in this pass of
 * the run loop. Locks: evtchn, what wakes a vCPU.
 */
void evtchn_virq(struct vcpu *v, uint32_t virq);
void evtchn_global_virq(struct hv *hv, uint32_t virq);

/* From now on d handles the global virq. Errors: -XEN_EINVAL it is none, -XEN_ESRCH d is dying. */
int evtchn_set_virq_handler(struct domain *d, uint32_t virq);

/* The frame of d's shared_info, its own for as long as there is a reference; MFN_NONE: none. */
mfn_t evtchn_shared_info(struct domain *d);

/*
 * A channel of d that `remote` may bind to, in *port: what alloc_unbound does.
 * Locks: evtchn. Errors: -XEN_ENOSPC no port is left, -XEN_ENOMEM, -XEN_ESRCH d is dying
 * or has no event channels.
 */
int evtchn_offer(struct domain *d, domid_t remote, evtchn_port_t *port);

/*
 * Closes all channels of d and goes back to the 2-level ABI (FIFO pages are given back), in
 * steps: 0 when done, -XEN_EAGAIN to be called again. vCPUs keep their vcpu_info.
 */
int evtchn_reset(struct domain *d);

/* d has its shared_info mapped at g now, where it had RAM. */
void evtchn_shared_info_covers(struct domain *d, gfn_t g);

/*
 * d, all of whose vCPUs are off their CPUs and stay so, has no channels and no vcpu_info and
 * runstate of its own choice, as when it was made, and RAM again where shared_info covered it. In
 * steps: 0 when done, -XEN_EAGAIN to be called again. Locks: evtchn, d->lock, p2m, frames.
 * Errors: -XEN_ENOMEM no RAM for that page; d may be reset again.
 */
int __must_check evtchn_soft_reset(struct domain *d);

/* The service of core/subsystems.c. */
int evtchn_init(struct domain *d);
int evtchn_close(struct domain *d);
void evtchn_free(struct domain *d);

/* Prints how many channels d has, and by which ABI, in one line. Locks: evtchn, console. */
void evtchn_dump(struct domain *d);

/*
 * Looks at all channels of all domains: NULL, or what is wrong. For tests: expensive, and no other
 * CPU may be changing them.
 */
const char *evtchn_check(struct hv *hv);

#endif
