/* SPDX-License-Identifier: MIT */
/* ctl/debug_keys.c: what each key prints, and that it is not much. */
#include <loam/console.h>
#include <xen/sysctl.h>

#include "control.h"

#define SYSCTL 35

static char text[CONSOLE_LOG_SIZE + 1];

/* The text that keys add to the log; lines in *lines. */
static int64_t press(struct control *c, const char *keys, uint32_t nr, uint32_t *lines)
{
    struct xen_sysctl_debug_keys a = { BUF, nr };
    uint32_t at;

    world_cpu(c->w, 0);
    console_log_clear(c->w->hv, console_log_first(c->w->hv));
    for (at = console_log_first(c->w->hv); console_log_read(c->w->hv, &at, text, 100) != 0;) {
    }
    control_put(c, 0, BUF, keys, strlen(keys) + 1);
    int64_t rc = control_op(c, 0, SYSCTL, 0x15, 7, &a, sizeof(a));

    size_t n = console_log_read(c->w->hv, &at, text, sizeof(text) - 1);
    text[n] = '\0';
    *lines = 0;
    for (const char *s = text; (s = strchr(s, '\n')) != NULL; s++) {
        ++*lines;
    }
    return rc;
}

TEST(help_names_every_key_and_each_prints_something)
{
    struct control c = control_begin();
    char help[2000];
    uint32_t lines, keys = 0;

    CHECK_EQ(press(&c, "h", 1, &lines), 0);
    snprintf(help, sizeof(help), "%.1999s", text);
    for (const char *s = help; (s = strstr(s, "\nkey ")) != NULL; s++, keys++) {
        char key[2] = { s[5], '\0' };

        CHECK_EQ(press(&c, key, 1, &lines), 0);
        CHECK(strncmp(text, "'", 1) == 0 && text[1] == key[0]);
        CHECK(lines >= 1 && lines <= 50);
    }
    CHECK(keys >= 10);
    control_end(&c);
}

TEST(domains_memory_and_cpus)
{
    struct control c = control_begin();
    uint32_t lines;

    CHECK_EQ(press(&c, "qmr", 3, &lines), 0);
    CHECK(strstr(text, "d0 dom0: running, paused 0, vcpus 1 of 1 on, 1 running, ") != NULL);
    CHECK(strstr(text, "d1 guest: running, ") != NULL);
    CHECK(strstr(text, "cpu 0: runs d0v0; ") != NULL);
    CHECK(strstr(text, "pool 0: ") != NULL);
    CHECK(strstr(text, " of tables, pool 0, refs ") != NULL);
    CHECK(strstr(text, " bytes in ") != NULL && strstr(text, " frames\n") != NULL);
    CHECK(strstr(text, " free, the largest block has ") != NULL);
    CHECK_EQ(press(&c, "eg", 2, &lines), 0);
    CHECK(strstr(text, "d1: 0 event channels, 2-level") != NULL);
    CHECK_EQ(c.domu->refs, 1);
    control_end(&c);
}

TEST(vmids_by_domain)
{
    struct control c = control_begin();
    struct domain_config config = { .name = "never run", .vcpus_max = 1, .enhanced = true };
    struct domain *d;
    uint32_t lines;

    world_cpu(c.w, 0);
    CHECK_EQ(domain_create(c.w->hv, &config, &d), 0);
    CHECK_EQ(press(&c, "v", 1, &lines), 0);
    CHECK_EQ(lines, 5);
    CHECK(strstr(text, " bits, generation 1, 2 given out in it\n") != NULL);
    CHECK(strstr(text, "d0: VMID 1, last of generation 1\n") != NULL);
    CHECK(strstr(text, "d1: VMID 2, last of generation 1\n") != NULL);
    CHECK(strstr(text, "d2: no VMID yet\n") != NULL);
    CHECK_EQ(d->refs, 1);
    world_cpu(c.w, 0);
    dom_destroy(c.w, d);
    control_end(&c);
}

TEST(many_domains_are_not_all_printed)
{
    struct control c = control_begin();
    struct domain_config config = { .name = "x", .vcpus_max = 1, .enhanced = true };
    struct domain *d[60];
    uint32_t lines;

    world_cpu(c.w, 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(d); i++) {
        CHECK_EQ(domain_create(c.w->hv, &config, &d[i]), 0);
    }
    CHECK_EQ(press(&c, "q", 1, &lines), 0);
    CHECK_EQ(lines, 42);
    CHECK(strstr(text, "and 22 domains more\n") != NULL);
    CHECK_EQ(press(&c, "g", 1, &lines), 0);
    CHECK(lines < 60);
    for (uint32_t i = 0; i < ARRAY_SIZE(d); i++) {
        world_cpu(c.w, 0);
        dom_destroy(c.w, d[i]);
    }
    control_end(&c);
}

TEST(keys_that_are_none)
{
    struct control c = control_begin();
    uint32_t lines;

    CHECK_EQ(press(&c, "!\x80", 2, &lines), 0);
    CHECK(strstr(text, "key 0x21 is not bound") != NULL && strstr(text, "key 0x80 is") != NULL);
    CHECK_EQ(press(&c, "", 0, &lines), 0);
    CHECK_EQ(lines, 0);
    CHECK_EQ(press(&c, "qqq", 17, &lines), -XEN_E2BIG);
    CHECK_EQ(press(&c, "q", UINT32_MAX, &lines), -XEN_E2BIG);
    CHECK_EQ(lines, 0);
    control_end(&c);
}
