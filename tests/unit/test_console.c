/* SPDX-License-Identifier: MIT */
/*
 * dev/console.c: whole lines with their owner's name, lines that are broken by
 * others, and input that moves from domain to domain.
 */
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/fdt_write.h>
#include <loam/irq.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#include "unit.h"
#include "world.h"

struct fixture {
    struct world w;
    struct vcpu *v[2];
    struct domain *a, *b;
};

/* What was typed for a domain stays in its arch registers' stead: here. */
static char got[2][64];
static struct fixture *current;

static void input(struct domain *d, char c)
{
    char *text = got[d == current->b];
    size_t n = strlen(text);

    text[n] = c;
    text[n + 1] = '\0';
}

static struct domain *named(struct vcpu *v, const char *name)
{
    strcpy(v->domain->config.name, name);
    return v->domain;
}

static bool begin(struct fixture *f)
{
    memset(got, 0, sizeof(got));
    current = f;
    world_init(&f->w, 1, 16);
    world_inject(&f->w, false);
    f->v[0] = world_guest(&f->w);
    f->v[1] = world_guest(&f->w);
    world_inject(&f->w, true);
    f->a = named(f->v[0], "a");
    f->b = named(f->v[1], "b");
    return true;
}

static void end(struct fixture *f)
{
    console_detach(f->a);
    console_detach(f->b);
    world_guest_end(&f->w, f->v[1]);
    world_guest_end(&f->w, f->v[0]);
    world_fini(&f->w);
}

static void clear(struct fixture *f)
{
    f->w.machine.console_len = 0;
    f->w.machine.console[0] = '\0';
}

static void write_text(struct domain *d, const char *text)
{
    console_write(d, text, strlen(text));
}

TEST(log_lines_have_a_prefix)
{
    struct fixture f;

    begin(&f);
    console_log(f.w.hv, "one");
    console_log(f.w.hv, "");
    CHECK_STR(f.w.machine.console, "loam: one\r\nloam: \r\n");
    end(&f);
}

TEST(a_domain_without_input_is_shown_line_by_line)
{
    struct fixture f;

    begin(&f);
    write_text(f.a, "hel");
    CHECK_STR(f.w.machine.console, "");
    write_text(f.a, "lo\nnext");
    CHECK_STR(f.w.machine.console, "(a) hello\r\n");
    write_text(f.b, "x\r\n");
    CHECK_STR(f.w.machine.console, "(a) hello\r\n(b) x\r\n");
    console_detach(f.a);
    CHECK_STR(f.w.machine.console, "(a) hello\r\n(b) x\r\n(a) next\r\n");
    end(&f);
}

TEST(carriage_returns_and_zeros)
{
    struct fixture f;

    begin(&f);
    console_write(f.a, "a\r\n\r\n\n\0b\rc\n\r\r\n", 14);
    CHECK_STR(f.w.machine.console, "(a) a\r\n(a) \r\n(a) \r\n(a) b\rc\r\n(a) \r\r\n");
    end(&f);
}

TEST(long_lines_are_kept_whole)
{
    struct fixture f;
    char text[1001], want[1024];

    begin(&f);
    for (size_t i = 0; i < 1000; i++) {
        text[i] = (char)('a' + i % 26);
    }
    text[1000] = '\0';
    write_text(f.a, text);
    write_text(f.a, "\n");
    strcat(strcat(strcpy(want, "(a) "), text), "\r\n");
    CHECK_STR(f.w.machine.console, want);
    clear(&f);
    /* A CR that waits when the buffer is full is not lost. */
    for (size_t n = 240; n < 260; n++) {
        clear(&f);
        console_write(f.a, text, n);
        write_text(f.a, "\rz\n");
        memcpy(want, "(a) ", 4);
        memcpy(want + 4, text, n);
        strcpy(want + 4 + n, "\rz\r\n");
        CHECK_STR(f.w.machine.console, want);
    }
    end(&f);
}

TEST(the_domain_with_input_is_shown_at_once_and_may_be_interrupted)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(console_attach(f.a, input), 0);
    CHECK_EQ(console_attach(f.b, input), 0);
    CHECK_STR(f.w.machine.console, "loam: input to a (Ctrl-A three times: next)\r\n");
    clear(&f);
    write_text(f.a, "# ");
    write_text(f.a, "l");
    CHECK_STR(f.w.machine.console, "(a) # l");
    write_text(f.b, "noise\n");
    write_text(f.a, "s");
    console_log(f.w.hv, "log");
    write_text(f.a, "\n");
    CHECK_STR(f.w.machine.console,
              "(a) # l\r\n(b) noise\r\n(a) # ls\r\nloam: log\r\n(a) # ls\r\n");
    end(&f);
}

TEST(input_goes_to_one_domain_and_moves_on)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(console_attach(f.a, input), 0);
    CHECK_EQ(console_attach(f.b, input), 0);
    write_text(f.b, "prompt> ");
    f.w.machine.console_input = "one\1\1\1two\1x\1\1\1y\1\1";
    clear(&f);
    console_poll(f.w.hv);
    CHECK_STR(got[0], "oney");
    CHECK_STR(got[1], "two\1x");
    CHECK_STR(f.w.machine.console, "loam: input to b (Ctrl-A three times: next)\r\n(b) prompt> \r\n"
                                   "loam: input to a (Ctrl-A three times: next)\r\n");
    /* Two that were held back come with what follows. */
    f.w.machine.console_input = "z";
    console_poll(f.w.hv);
    CHECK_STR(got[0], "oney\1\1z");
    /* Where b was is shown again. */
    clear(&f);
    f.w.machine.console_input = "\1\1\1";
    console_poll(f.w.hv);
    CHECK_STR(f.w.machine.console,
              "loam: input to b (Ctrl-A three times: next)\r\n(b) prompt> ");
    end(&f);
}

TEST(input_leaves_a_domain_that_goes)
{
    struct fixture f;

    begin(&f);
    f.w.machine.console_input = "lost\1\1\1";
    console_poll(f.w.hv);
    CHECK_EQ(console_attach(f.a, input), 0);
    CHECK_EQ(console_attach(f.b, input), 0);
    CHECK_EQ(console_attach(f.b, input), -XEN_EEXIST);
    console_detach(f.a);
    f.w.machine.console_input = "1\1\1\1";
    console_poll(f.w.hv);
    f.w.machine.console_input = "2";
    console_poll(f.w.hv);
    console_detach(f.b);
    f.w.machine.console_input = "3";
    console_poll(f.w.hv);
    CHECK_STR(got[0], "");
    CHECK_STR(got[1], "12");
    end(&f);
}

TEST(a_domain_that_only_writes_never_gets_input)
{
    struct fixture f;

    begin(&f);
    write_text(f.a, "text\n");
    CHECK_EQ(console_attach(f.b, input), 0);
    f.w.machine.console_input = "1\1\1\0012";
    console_poll(f.w.hv);
    CHECK_STR(got[1], "12");
    end(&f);
}

TEST_ALLOC(without_memory_nothing_is_attached)
{
    struct fixture f;

    begin(&f);
    write_text(f.b, "text\n");
    CHECK(unit_injected() != world_console_has(&f.w, "(b) text\r\n"));
    int rc = console_attach(f.a, input);
    CHECK_EQ(rc, rc == 0 ? 0 : -XEN_ENOMEM);
    CHECK(rc == 0 || unit_injected());
    end(&f);
}

TEST(panic_output_needs_no_lock)
{
    struct fixture f;

    begin(&f);
    CHECK_EQ(console_attach(f.a, input), 0);
    write_text(f.a, "half");
    console_panic(f.w.hv);
    console_log(f.w.hv, "last words");
    CHECK(world_console_has(&f.w, "(a) half\r\nloam: last words\r\n"));
    end(&f);
}

/* A tree whose stdout is not a device with a driver. */
TEST(probe_wants_a_known_device)
{
    struct fixture f;
    static uint8_t blob[4096] __attribute__((aligned(8)));
    struct fdt_writer w;
    struct fdt tree;

    begin(&f);
    fdt_write_begin(&w, blob, sizeof(blob));
    fdt_write_begin_node(&w, "");
    fdt_write_begin_node(&w, "chosen");
    fdt_write_prop_string(&w, "stdout-path", "/uart:115200");
    fdt_write_end_node(&w);
    fdt_write_begin_node(&w, "uart");
    fdt_write_prop_string(&w, "compatible", "some,uart");
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    REQUIRE(fdt_write_finish(&w) > 0);
    REQUIRE(fdt_open(&tree, blob, sizeof(blob)) == 0);
    CHECK(!console_probe(f.w.hv, &tree));
    console_start_input(f.w.hv, &tree);
    CHECK(world_console_has(&f.w, "loam: warning: console: no interrupt, so no input\r\n"));
    end(&f);
}
