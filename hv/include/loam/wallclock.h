/* SPDX-License-Identifier: MIT */
/* Time of day, as domains read it in their shared_info (Xen public header xen.h, wc_*). */
#ifndef LOAM_WALLCLOCK_H
#define LOAM_WALLCLOCK_H

#include <loam/types.h>

struct domain;
struct hv;

/*
 * It was sec, nsec since the epoch when system time (arch_time_now()) was `at`. Told to every
 * domain, now and when it is made. Locks: hv, evtchn. Errors: -XEN_EINVAL nsec is a
 * second or more, or sec is over INT64_MAX.
 */
int __must_check wallclock_set(struct hv *hv, uint64_t sec, uint32_t nsec, ns_t at);

/* d sees it moved by so many seconds (domctl settimeoffset). Locks: hv, evtchn. */
void wallclock_set_offset(struct domain *d, int64_t seconds);

#endif
