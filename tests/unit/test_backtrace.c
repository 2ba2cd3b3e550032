/* SPDX-License-Identifier: MIT */
/*
 * core/backtrace.c: names at the edges of functions, and frame records of both
 * layouts, whole and broken.
 */
#include <loam/backtrace.h>
#include <loam/printf.h>

#include "unit.h"

static const uint32_t offsets[] = { 0, 0x40, 0x100 };
static const struct symbols table = {
    .base = 0x1000, .count = 3, .offsets = offsets, .names = "first\0second\0third\0", .end = 0x1200
};
static const struct symbols empty = { 0 };

static char lines[40][128];
static uint32_t nr_lines;

static void emit(void *arg, const char *line)
{
    CHECK(arg == &nr_lines);
    if (nr_lines < ARRAY_SIZE(lines)) {
        fmt_print(lines[nr_lines++], sizeof(lines[0]), "%s", line);
    }
}

static const struct dump out = { .emit = emit, .arg = &nr_lines, .symbols = &table };

TEST(addresses_have_names)
{
    uint64_t offset = 99;

    CHECK(symbol_find(&table, 0xfff, &offset) == NULL);
    CHECK_STR(symbol_find(&table, 0x1000, &offset), "first");
    CHECK_EQ(offset, 0);
    CHECK_STR(symbol_find(&table, 0x103f, &offset), "first");
    CHECK_EQ(offset, 0x3f);
    CHECK_STR(symbol_find(&table, 0x1040, &offset), "second");
    CHECK_STR(symbol_find(&table, 0x11ff, &offset), "third");
    CHECK_EQ(offset, 0xff);
    CHECK(symbol_find(&table, 0x1200, &offset) == NULL);
    CHECK(symbol_find(&empty, 0x1000, &offset) == NULL);
}

TEST(lines)
{
    nr_lines = 0;
    dump_address(&out, "at", 0x1044);
    dump_address(&out, "at", 0x2044);
    dump_pair(&out, "x0", 1, "sp", 0xabc);
    CHECK_STR(lines[0], "  at 0000000000001044 second+0x4");
    CHECK_STR(lines[1], "  at 0000000000002044");
    CHECK_STR(lines[2], "  x0    0000000000000001  sp    0000000000000abc");
}

/* Words of a stack that goes from words[0] up; frame(i) is the frame pointer of a record there. */
static uint64_t words[64];
static const struct frame_layout *layout;

static uint64_t frame(uint32_t i)
{
    return (uintptr_t)&words[i] + layout->below;
}

static void record(uint32_t i, uint64_t previous, uint64_t address)
{
    words[i] = previous;
    words[i + 1] = address;
}

static uint32_t callers(uint64_t fp)
{
    struct stack_range stack = { (uintptr_t)words, (uintptr_t)words + sizeof(words) };

    nr_lines = 0;
    dump_callers(&out, layout, &stack, fp);
    return nr_lines;
}

static void check_records(void)
{
    memset(words, 0, sizeof(words));
    record(0, frame(10), 0x1004 + layout->call);
    record(10, frame(40), 0x1108 + layout->call);
    record(40, frame(62), 0x9000);
    record(62, 0, 0);
    CHECK_EQ(callers(frame(0)), 3);
    CHECK_STR(lines[0], "  from 0000000000001004 first+0x4");
    CHECK_STR(lines[1], "  from 0000000000001108 third+0x8");

    words[63] = 0x1050; /* the last record of the stack; its caller is nobody's */
    CHECK_EQ(callers(frame(0)), 4);
    words[62] = frame(64);
    CHECK_EQ(callers(frame(0)), 4);
    words[40] = frame(63); /* half outside */
    CHECK_EQ(callers(frame(0)), 3);
    words[40] = frame(40); /* a loop */
    CHECK_EQ(callers(frame(0)), 3);
    words[40] = frame(10);
    CHECK_EQ(callers(frame(0)), 3);
    words[40] = frame(50) + 4;
    words[51] = words[52] = 0x1050;
    CHECK_EQ(callers(frame(0)), 3);

    CHECK_EQ(callers(0), 0);
    CHECK_EQ(callers(8), 0);
    CHECK_EQ(callers(UINT64_MAX), 0);
    CHECK_EQ(callers(UINT64_MAX - 7), 0);
    CHECK_EQ(callers(frame(0) - 8), 0);
    CHECK_EQ(callers(frame(64)), 0);

    for (uint32_t i = 0; i < 62; i += 2) {
        record(i, frame(i + 2), 0x1050);
    }
    CHECK_EQ(callers(frame(0)), 24); /* and no more */
}

TEST(callers_at_the_frame_pointer)
{
    static const struct frame_layout at = { .below = 0, .call = 4 };

    layout = &at;
    check_records();
}

TEST(callers_below_the_frame_pointer)
{
    static const struct frame_layout below = { .below = 16, .call = 2 };

    layout = &below;
    check_records();
}
