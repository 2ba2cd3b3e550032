/* SPDX-License-Identifier: MIT */
/*
 * The trace: a ring of fixed records per CPU, always on, printed by panic().
 *
 * Events and the meaning of their arguments stand in abi/tables/trace.tbl;
 * enum trace_event and the formats are generated from it.
 */
#ifndef LOAM_TRACE_H
#define LOAM_TRACE_H

#include <loam/types.h>

#define TRACE_RING_RECORDS 128 /* a power of two */

enum trace_event {
#define TRACE_EVENT(name, format) TRACE_##name,
#include <gen/trace_events.h>
#undef TRACE_EVENT
    TRACE_EVENTS_MAX
};

struct trace_record {
    uint32_t event; /* enum trace_event */
    uint32_t who;   /* domain id << 16 | vcpu id; UINT32_MAX: none */
    uint64_t arg[2];
    uint64_t pad; /* a power of two: an index costs one shift */
};

struct trace_ring {
    uint64_t next; /* records ever written */
    struct trace_record rec[TRACE_RING_RECORDS];
};

/* Appends a record. Context: the owning CPU. Costs about ten instructions. */
static inline void trace_add(struct trace_ring *t, enum trace_event event, uint32_t who,
                             uint64_t a, uint64_t b)
{
    struct trace_record *r = &t->rec[t->next++ & (TRACE_RING_RECORDS - 1)];

    r->event = (uint32_t)event;
    r->who = who;
    r->arg[0] = a;
    r->arg[1] = b;
}

/* The format of an event for a printf with two uint64_t arguments, and its name. */
const char *trace_format(enum trace_event event);
const char *trace_name(enum trace_event event);

/*
 * Prints the newest nr records, oldest first, through emit(arg, line).
 * Context: any; meant for panic and debug keys.
 */
void trace_dump(const struct trace_ring *t, uint32_t nr, void (*emit)(void *arg, const char *line),
                void *arg);

#endif
