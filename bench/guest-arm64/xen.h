/* SPDX-License-Identifier: MIT */
/*
 * What the bench guest shares with Xen-ABI hypervisors beyond plain calls: shared info, event
 * channels, grants, memory and domains (Xen public headers of 4.17: xen.h, event_channel.h,
 * grant_table.h, memory.h, domctl.h, sysctl.h; interface version 0x15).
 */
#ifndef BENCH_XEN_H
#define BENCH_XEN_H

#include "guest.h"

#pragma GCC visibility push(hidden)

#define GUEST_PAGE 4096
#define DOMID_SELF 0x7ff0
#define MINUS_EINVAL (-22)

enum { HC_MEMORY_OP = 12, HC_GRANT_TABLE_OP = 20, HC_EVENT_CHANNEL_OP = 32 };

/* ---- events: events.c ---- */

/* Maps shared info and lets events come as interrupt machine.event. */
void events_init(void);
/* The event interrupt came: what is pending is taken. Called by irq_handle(). */
void events_take(void);
unsigned int events_count(void);

/* ---- memory and domains: domains.c ---- */

/* Puts page `index` of a space (XENMAPSPACE_*) where `page` is. */
void map_space(unsigned int space, uint64_t index, void *page);
enum { SPACE_SHARED_INFO = 0, SPACE_GRANT_TABLE = 1, SPACE_FOREIGN = 4 };

void run_events(void);
void run_echo(void);
void run_domains(void);
void run_objects(void);

#pragma GCC visibility pop

#endif
