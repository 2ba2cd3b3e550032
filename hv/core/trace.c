/* SPDX-License-Identifier: MIT */
/*
 * Reading the trace ring. Names and formats come from abi/tables/trace.tbl.
 */
#include <loam/printf.h>
#include <loam/trace.h>

static const struct {
    const char *name;
    const char *format;
} events[TRACE_EVENTS_MAX] = {
#define TRACE_EVENT(name, format) [TRACE_##name] = { #name, format },
#include <gen/trace_events.h>
#undef TRACE_EVENT
};

const char *trace_name(enum trace_event event)
{
    return (uint32_t)event < TRACE_EVENTS_MAX ? events[event].name : "?";
}

const char *trace_format(enum trace_event event)
{
    return (uint32_t)event < TRACE_EVENTS_MAX ? events[event].format : "%#llx %#llx";
}

void trace_dump(const struct trace_ring *t, uint32_t nr, void (*emit)(void *arg, const char *line),
                void *arg)
{
    uint64_t end = t->next;
    uint64_t held = MIN(end, (uint64_t)TRACE_RING_RECORDS);

    for (uint64_t i = end - MIN(held, (uint64_t)nr); i != end; i++) {
        const struct trace_record *r = &t->rec[i & (TRACE_RING_RECORDS - 1)];
        char text[80];
        char line[128];

        /* The format is a constant of the table above, with two %ll arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        fmt_print(text, sizeof(text), trace_format((enum trace_event)r->event),
                  (unsigned long long)r->arg[0], (unsigned long long)r->arg[1]);
#pragma GCC diagnostic pop
        if (r->who == UINT32_MAX) {
            fmt_print(line, sizeof(line), "  %llu %s", (unsigned long long)i, text);
        } else {
            fmt_print(line, sizeof(line), "  %llu d%uv%u %s", (unsigned long long)i, r->who >> 16,
                      r->who & 0xffff, text);
        }
        emit(arg, line);
    }
}
