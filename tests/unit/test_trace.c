/* SPDX-License-Identifier: MIT */
/* core/trace.c: the ring wraps, a dump prints the newest records in order. */
#include <stdio.h>

#include <loam/trace.h>

#include "unit.h"

struct dump {
    uint32_t lines;
    char first[128], last[128];
};

static void emit(void *arg, const char *line)
{
    struct dump *d = arg;

    snprintf(d->last, sizeof(d->last), "%s", line);
    if (d->lines++ == 0) {
        snprintf(d->first, sizeof(d->first), "%s", line);
    }
}

TEST(an_empty_ring_prints_nothing)
{
    struct trace_ring t = { 0 };
    struct dump d = { 0 };

    trace_dump(&t, 64, emit, &d);
    CHECK_EQ(d.lines, 0);
}

TEST(records_are_printed_oldest_first_with_who)
{
    struct trace_ring t = { 0 };
    struct dump d = { 0 };

    trace_add(&t, TRACE_EXIT, 3u << 16 | 1, 4, 0x10);
    trace_add(&t, TRACE_DOMAIN, 3u << 16, 2, 3);
    trace_add(&t, TRACE_IDLE, UINT32_MAX, 7, 8);
    trace_dump(&t, 64, emit, &d);
    CHECK_EQ(d.lines, 3);
    CHECK_STR(d.first, "  0 d3v1 exit kind 4 info 0x10");
    CHECK_STR(d.last, "  2 cpu idle (7 8)");
    d = (struct dump){ 0 };
    trace_dump(&t, 2, emit, &d);
    CHECK_EQ(d.lines, 2);
    CHECK_STR(d.first, "  1 d3v0 domain state 2 reason 3");
}

TEST(a_full_ring_keeps_the_newest)
{
    struct trace_ring t = { 0 };
    struct dump d = { 0 };

    for (uint64_t i = 0; i < TRACE_RING_RECORDS + 5; i++) {
        trace_add(&t, TRACE_TIMER, 0, i, i);
    }
    trace_dump(&t, UINT32_MAX, emit, &d);
    CHECK_EQ(d.lines, TRACE_RING_RECORDS);
    CHECK_STR(d.first, "  5 d0v0 timer due 5 now 5");
    CHECK_STR(d.last, "  132 d0v0 timer due 132 now 132");
}

TEST(each_event_has_a_name_and_prints)
{
    for (uint32_t e = 0; e < TRACE_EVENTS_MAX; e++) {
        struct trace_ring t = { 0 };
        struct dump d = { 0 };

        trace_add(&t, (enum trace_event)e, 0, 0x1234, 0x5678);
        trace_dump(&t, 1, emit, &d);
        CHECK_EQ(d.lines, 1);
        CHECK(trace_name((enum trace_event)e)[0] != '\0');
        /* Both arguments are in the line, and nothing of the format is left. */
        CHECK(strstr(d.first, "1234") != NULL || strstr(d.first, "4660") != NULL);
        CHECK(strstr(d.first, "5678") != NULL || strstr(d.first, "22136") != NULL);
        CHECK(strchr(d.first, '%') == NULL);
    }
    CHECK_STR(trace_name(TRACE_SWITCH), "SWITCH");
}

TEST(a_damaged_record_is_printed_raw)
{
    struct trace_ring t = { 0 };
    struct dump d = { 0 };

    trace_add(&t, (enum trace_event)9999, 0, 0x12, 0x34);
    trace_dump(&t, 1, emit, &d);
    CHECK_STR(d.first, "  0 d0v0 0x12 0x34");
    CHECK_STR(trace_name((enum trace_event)9999), "?");
}
