/* SPDX-License-Identifier: MIT */
/*
 * dev/console_io.c: a control domain reads what is typed; dev/console.c: the lines of the
 * hypervisor that are kept.
 */
#include <loam/console.h>
#include <loam/log.h>
#include <xen/xen.h>

#include "control.h"

#define WRITE 0
#define READ 1

static int64_t console(struct control *c, uint32_t cpu, uint32_t op, uint64_t size, uint64_t at)
{
    return dom_hypercall(c->w, cpu, __HYPERVISOR_console_io, op, size, at);
}

static void type(struct control *c, const char *text)
{
    world_cpu(c->w, 0);
    c->w->machine.console_input = text;
    console_poll(c->w->hv);
}

TEST(a_control_domain_reads_what_is_typed)
{
    struct control c = control_begin();
    char text[8] = { 0 };

    CHECK_EQ(console(&c, 0, READ, 8, BUF), 0);
    CHECK(world_console_has(c.w, "loam: input to dom0 "));
    type(&c, "hello\r");
    CHECK_EQ(console(&c, 0, READ, 2, BUF), 2);
    CHECK_EQ(console(&c, 0, READ, sizeof(text), BUF + 2), 4);
    control_get(&c, 0, BUF, text, 6);
    CHECK_STR(text, "hello\r");
    CHECK_EQ(console(&c, 0, READ, sizeof(text), BUF), 0);
    control_end(&c);
}

TEST(a_write_is_enough_to_have_the_input)
{
    struct control c = control_begin();

    control_put(&c, 0, BUF, "boot\n", 5);
    CHECK_EQ(console(&c, 0, WRITE, 5, BUF), 0);
    CHECK(world_console_has(c.w, "boot\r\n"));
    type(&c, "x");
    CHECK_EQ(console(&c, 0, READ, 8, BUF), 1);
    control_end(&c);
}

TEST(no_other_domain_reads)
{
    struct control c = control_begin();

    CHECK_EQ(console(&c, 1, READ, 8, BUF), -XEN_EPERM);
    CHECK_EQ(console(&c, 1, WRITE, 0, BUF), 0);
    CHECK_EQ(console(&c, 1, READ, 8, BUF), -XEN_EPERM);
    control_end(&c);
}

/* What does not fit is dropped, what is there comes whole; a bad buffer loses nothing. */
TEST(input_waits_in_a_ring)
{
    struct control c = control_begin();
    char text[1100], got[1100];

    CHECK_EQ(console(&c, 0, READ, 8, BUF), 0);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < sizeof(text) - 1; i++) {
            text[i] = (char)('a' + (i + round) % 26);
        }
        text[sizeof(text) - 1] = '\0';
        type(&c, text);
        CHECK_EQ(console(&c, 0, READ, 2000, UINT64_C(0x7000000000)), -XEN_EFAULT);
        CHECK_EQ(console(&c, 0, READ, 2000, DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER) - 1000),
                 -XEN_EFAULT);
        CHECK_EQ(console(&c, 0, READ, 500, BUF), 500);
        CHECK_EQ(console(&c, 0, READ, UINT64_MAX, BUF + 500), 524);
        control_get(&c, 0, BUF, got, 1024);
        CHECK(memcmp(got, text, 1024) == 0);
    }
    control_end(&c);
}

/* Its services are prepared one after the other: those before the one that fails are ended. */
TEST_ALLOC(a_control_domain_that_is_not_made_leaves_nothing)
{
    struct domain_config config = { .name = "dom0", .vcpus_max = 4, .enhanced = true,
                                    .control = true };
    struct world *w = dom_world(1);
    struct domain *d;

    world_inject(w, true);
    int rc = domain_create(w->hv, &config, &d);
    world_inject(w, false);
    CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    if (rc == 0) {
        dom_destroy(w, d);
    }
    world_destroy(w);
}

TEST(lines_of_the_hypervisor_are_kept)
{
    struct world *w = world_create(1, 64);
    char text[64] = { 0 };
    uint32_t at = console_log_first(w->hv);

    log_info(w->hv, "one");
    log_warn(w->hv, "two %d", 2);
    CHECK_EQ(console_log_read(w->hv, &at, text, 6), 6);
    CHECK_EQ(console_log_read(w->hv, &at, text + 6, sizeof(text) - 6), 13);
    CHECK_STR(text, "one\nwarning: two 2\n");
    CHECK_EQ(console_log_read(w->hv, &at, text, sizeof(text)), 0);

    /* Cleared up to what was read: what came meanwhile stays. */
    log_info(w->hv, "three");
    console_log_clear(w->hv, at);
    at = 0;
    memset(text, 0, sizeof(text));
    CHECK_EQ(console_log_read(w->hv, &at, text, sizeof(text)), 6);
    CHECK_STR(text, "three\n");
    console_log_clear(w->hv, 0); /* long gone: nothing happens */
    console_log_clear(w->hv, at + 100);
    at = console_log_first(w->hv);
    CHECK_EQ(console_log_read(w->hv, &at, text, sizeof(text)), 6);
    world_destroy(w);
}

TEST(the_log_keeps_the_newest)
{
    struct world *w = world_create(1, 64);
    char text[32];
    uint32_t at = 0, n = 0;

    for (uint32_t i = 0; i < 3000; i++) {
        log_info(w->hv, "line %05u", i);
    }
    CHECK_EQ(console_log_first(w->hv), 3000 * 11 - CONSOLE_LOG_SIZE);
    uint32_t numbers_from = console_log_first(w->hv);
    for (size_t got; (got = console_log_read(w->hv, &at, text, 7)) != 0; n += got) {
        CHECK_EQ(at, numbers_from + n + got);
    }
    CHECK_EQ(n, CONSOLE_LOG_SIZE);
    at -= 11;
    CHECK_EQ(console_log_read(w->hv, &at, text, sizeof(text)), 11);
    CHECK(memcmp(text, "line 02999\n", 11) == 0);
    at = UINT32_MAX; /* never there */
    CHECK_EQ(console_log_read(w->hv, &at, text, 1), 1);
    CHECK_EQ(at, numbers_from + 1);
    world_destroy(w);
}
