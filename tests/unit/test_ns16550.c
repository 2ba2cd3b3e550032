/* SPDX-License-Identifier: MIT */
/*
 * dev/ns16550.c, found in a tree by console_probe(), on registers that are
 * plain memory: what the driver writes where, and when it stops waiting.
 */
#include <arch/irq.h>
#include <loam/console.h>
#include <loam/fdt_write.h>
#include <loam/irq.h>
#include <loam/pcpu.h>

#include "../../hv/dev/uart.h"
#include "unit.h"
#include "world.h"

#define IRQ 10
#define INTC_PHANDLE 1

#define THR 0
#define IER 1
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5

struct fixture {
    struct world w;
    uint8_t blob[4096] __attribute__((aligned(8)));
    struct fdt tree;
};

struct shape {
    const char *compatible;
    uint32_t shift, width, size;
    bool found;
};

static void make_tree(struct fixture *f, const struct shape *s)
{
    const uint32_t reg[] = { 0x10000000, s->size }, irq[] = { IRQ, 0 };
    struct fdt_writer w;

    fdt_write_begin(&w, f->blob, sizeof(f->blob));
    fdt_write_begin_node(&w, "");
    fdt_write_prop_u32(&w, "#address-cells", 1);
    fdt_write_prop_u32(&w, "#size-cells", 1);
    fdt_write_prop_u32(&w, "interrupt-parent", INTC_PHANDLE);
    fdt_write_begin_node(&w, "chosen");
    fdt_write_prop_string(&w, "stdout-path", "/serial@10000000:115200n8");
    fdt_write_end_node(&w);
    fdt_write_begin_node(&w, "intc");
    fdt_write_prop_u32(&w, "#interrupt-cells", 2);
    fdt_write_prop_empty(&w, "interrupt-controller");
    fdt_write_prop_u32(&w, "phandle", INTC_PHANDLE);
    fdt_write_end_node(&w);
    fdt_write_begin_unit(&w, "serial", 0x10000000);
    fdt_write_prop_string(&w, "compatible", s->compatible);
    fdt_write_prop_cells(&w, "reg", reg, 2);
    fdt_write_prop_cells(&w, "interrupts", irq, 2);
    if (s->shift != 0) {
        fdt_write_prop_u32(&w, "reg-shift", s->shift);
    }
    if (s->width != 1) {
        fdt_write_prop_u32(&w, "reg-io-width", s->width);
    }
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    CHECK(fdt_write_finish(&w) > 0);
    CHECK_EQ(fdt_open(&f->tree, f->blob, sizeof(f->blob)), 0);
}

static uint8_t *reg(struct fixture *f, const struct shape *s, uint32_t i)
{
    return &f->w.machine.device[i << (s->shift & 7)]; /* any place will do for nonsense */
}

/* A device with what the firmware left in it. */
static void begin(struct fixture *f, const struct shape *s)
{
    world_init(&f->w, 1, 16);
    CHECK_EQ(irq_table_init(f->w.hv, arch_irq_count(f->w.hv)), 0);
    world_set_baseline(&f->w);
    make_tree(f, s);
    *reg(f, s, LSR) = 0x60;
    *reg(f, s, LCR) = 0x83;
    *reg(f, s, IER) = 0x0f;
    *reg(f, s, FCR) = 0;
}

static void end(struct fixture *f)
{
    world_fini(&f->w);
}

static const struct shape plain = { "ns16550a", 0, 1, 0x100, true };

TEST(found_set_up_and_written_to)
{
    static const struct shape shapes[] = {
        { "ns16550a", 0, 1, 0x100, true },        { "ns16550", 0, 1, 8, true },
        { "snps,dw-apb-uart", 2, 4, 0x100, true }, { "ns16550a", 2, 1, 0x20, true },
        { "ns16550a", 1, 2, 0x10, true },         { "ns16550a", 4, 4, 0x80, true },
        { "ns16550a", 0, 1, 7, false },           { "ns16550a", 2, 4, 0x1f, false },
        { "ns16550a", 0, 4, 0x100, false },       { "ns16550a", 3, 8, 0x100, false },
        { "ns16550a", 5, 4, 0x1000, false },      { "ns16550a", 0x80000002, 4, 0x100, false },
        { "ns16550a", 2, 0, 0x100, false },       { "ns8250", 0, 1, 0x100, false },
    };

    for (const struct shape *s = shapes; s < shapes + ARRAY_SIZE(shapes); s++) {
        struct fixture f;

        begin(&f, s);
        CHECK_EQ(console_probe(f.w.hv, &f.tree), s->found);
        if (s->found) {
            CHECK_EQ(*reg(&f, s, LCR), 3); /* format kept, divisor closed */
            CHECK_EQ(*reg(&f, s, IER), 0);
            CHECK_EQ(*reg(&f, s, FCR), 0x81);
            *reg(&f, s, THR) = 0;
            console_log(f.w.hv, "one");
            CHECK_EQ(*reg(&f, s, THR), '\n');
        } else {
            CHECK_EQ(*reg(&f, s, LCR), 0x83);
            console_log(f.w.hv, "one");
            CHECK(world_console_has(&f.w, "loam: one\r\n"));
        }
        end(&f);
    }
}

/* Properties of the other binding mean nothing to a PL011. */
TEST(a_pl011_has_no_spacing)
{
    static const struct shape s = { "arm,pl011", 0, 4, 0x1000, true };
    struct fixture f;

    begin(&f, &s);
    CHECK(console_probe(f.w.hv, &f.tree));
    CHECK(f.w.machine.device[0x2c] & 0x10);
    end(&f);
}

/* Wide accesses write the other bytes of a register, too; narrow ones leave them alone. */
TEST(accesses_have_the_width_that_the_tree_says)
{
    static const struct shape shapes[] = {
        { "ns16550a", 2, 1, 0x100, true },
        { "ns16550a", 2, 2, 0x100, true },
        { "ns16550a", 2, 4, 0x100, true },
    };

    for (const struct shape *s = shapes; s < shapes + ARRAY_SIZE(shapes); s++) {
        struct fixture f;

        begin(&f, s);
        for (uint32_t i = 1; i < 4; i++) {
            reg(&f, s, FCR)[i] = 0xee;
            reg(&f, s, LSR)[i] = 0xee;
        }
        CHECK(console_probe(f.w.hv, &f.tree));
        for (uint32_t i = 1; i < 4; i++) {
            CHECK_EQ(reg(&f, s, FCR)[i], i < s->width ? 0 : 0xee);
        }
        end(&f);
    }
}

TEST(the_interrupt_is_off_until_everything_is_read)
{
    struct fixture f;

    begin(&f, &plain);
    CHECK(console_probe(f.w.hv, &f.tree));
    console_start_input(f.w.hv, &f.tree);
    CHECK(f.w.machine.irq_unmasked[IRQ]);
    CHECK_EQ(*reg(&f, &plain, IER), 1);
    CHECK_EQ(*reg(&f, &plain, MCR), 0x0b);
    fake_irq_raise(IRQ);
    arch_irq_poll(f.w.boot);
    CHECK_EQ(*reg(&f, &plain, IER), 0);
    CHECK(f.w.boot->work & PCPU_WORK_CONSOLE);

    const struct uart_regs regs = { (uintptr_t)f.w.machine.device, 0, 1 };
    *reg(&f, &plain, LSR) = 0x61;
    *reg(&f, &plain, 0) = 0xfe;
    CHECK_EQ(ns16550_driver.getc(&regs), 0xfe);
    CHECK_EQ(*reg(&f, &plain, IER), 0);
    *reg(&f, &plain, LSR) = 0x60;
    console_poll(f.w.hv);
    CHECK_EQ(*reg(&f, &plain, IER), 1);
    end(&f);
}

/* None of these may keep the host. */
TEST(a_device_that_does_not_answer)
{
    struct fixture f;

    begin(&f, &plain);
    *reg(&f, &plain, LSR) = 0; /* never ready */
    CHECK(console_probe(f.w.hv, &f.tree));
    CHECK_EQ(*reg(&f, &plain, FCR), 0x81);
    console_log(f.w.hv, "x");
    CHECK_EQ(*reg(&f, &plain, THR), '\n');
    *reg(&f, &plain, LSR) = 0xff; /* not there: no endless input */
    console_poll(f.w.hv);
    end(&f);
}
