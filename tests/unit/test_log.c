/* SPDX-License-Identifier: MIT */
/* core/log.c: lines with a level, bounded; panic with and without a console. */
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/pcpu.h>

#include "unit.h"
#include "world.h"

TEST(a_line_says_its_level)
{
    struct world *w = world_create(1, 4);

    log_info(w->hv, "cpus: %u online", 3u);
    log_warn(w->hv, "no %s", "input");
    log_error(w->hv, "bad");
    CHECK(world_console_has(w, "loam: cpus: 3 online\r\n"));
    CHECK(world_console_has(w, "loam: warning: no input\r\n"));
    CHECK(world_console_has(w, "loam: error: bad\r\n"));
    world_destroy(w);
}

TEST(a_long_line_is_cut)
{
    struct world *w = world_create(1, 4);
    char text[1000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_warn(w->hv, "%s", text);
    CHECK(w->machine.console_len > 200);
    CHECK(w->machine.console_len < 260);
    CHECK(world_console_has(w, "x\r\n"));
    world_destroy(w);
}

static void do_panic(void *arg) { panic("it is %s, %d", (const char *)arg, 7); }

TEST(a_panic_prints_reason_trace_and_stops_all)
{
    struct world *w = world_create(3, 4);

    trace_add(&w->boot->trace, TRACE_IDLE, UINT32_MAX, 11, 22);
    world_cpu(w, 2);
    trace_add(&w->hv->pcpus[2]->trace, TRACE_IDLE, UINT32_MAX, 33, 44);
    CHECK_EQ(fake_try(do_panic, "late"), FAKE_STOP_HALT);
    CHECK(world_console_has(w, "loam: PANIC on CPU 2: it is late, 7\r\n"));
    CHECK(world_console_has(w, "cpu idle (33 44)"));
    CHECK(!world_console_has(w, "cpu idle (11 22)"));
    CHECK(world_console_has(w, "the machine is stopped"));
    CHECK(w->hv->pcpus[0]->work & PCPU_WORK_STOP);
    CHECK(w->hv->pcpus[1]->work & PCPU_WORK_STOP);
    CHECK(!(w->hv->pcpus[2]->work & PCPU_WORK_STOP));
    world_destroy(w);
}

TEST(a_panic_with_the_console_locked_still_prints)
{
    struct world *w = world_create(1, 4);
    struct spinlock last = SPINLOCK_INIT(LOCK_RANK_CONSOLE);

    spin_lock(&last); /* the console's own could not be taken any more */
    CHECK_EQ(fake_try(do_panic, "inside"), FAKE_STOP_HALT);
    CHECK(world_console_has(w, "it is inside, 7"));
    spin_unlock(&last);
    world_destroy(w);
}

TEST(a_panic_before_there_is_a_cpu_halts)
{
    struct world *w = world_create(1, 4);

    w->machine.cpu = NULL;
    CHECK_EQ(fake_try(do_panic, "early"), FAKE_STOP_HALT);
    CHECK(!world_console_has(w, "early"));
    world_destroy(w);
}
