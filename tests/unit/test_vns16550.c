/* SPDX-License-Identifier: MIT */
/*
 * vdev/vns16550.c through its MMIO functions: data, status, interrupts and
 * what ends them, the FIFO, loopback, and the order in which drivers probe
 * (TI PC16550D data sheet, section 8).
 */
#include "uart.h"

#define RBR 0
#define THR 0
#define IER 1
#define IIR 2
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5
#define MSR 6
#define SCR 7

#define ERBI 0x01u
#define ETBEI 0x02u
#define ELSI 0x04u
#define EDSSI 0x08u
#define DLAB 0x80u
#define LOOP 0x10u
#define DR 0x01u
#define OE 0x02u
#define EMPTY 0x60u /* LSR: THRE, TEMT */

static bool begin(struct fixture *f) { return begin_kind(f, VUART_NS16550); }

static uint32_t reg(struct fixture *f, uint64_t offset)
{
    return (uint32_t)read_sized(f, offset, 1);
}

static void set(struct fixture *f, uint64_t offset, uint32_t value)
{
    write_sized(f, offset, 1, value);
}

TEST(after_reset)
{
    static const uint8_t want[8] = { 0, 0, 0x01, 0, 0, EMPTY, 0xb0, 0 };
    struct fixture f;

    REQUIRE(begin(&f));
    for (uint64_t i = 0; i < 8; i++) {
        CHECK_EQ(reg(&f, i), want[i]);
    }
    CHECK(!line(&f));
    end(&f);
}

TEST(output_goes_to_the_console_at_once)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, THR, 'h');
    set(&f, THR, 'i');
    CHECK(world_console_has(&f.w, "(dom) hi"));
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK(!line(&f));
    end(&f);
}

TEST(settings_are_kept)
{
    static const struct {
        uint32_t offset, mask;
    } row[] = { { IER, 0x0f }, { LCR, 0x7f }, { MCR, 0x1f }, { SCR, 0xff } };
    struct fixture f;

    REQUIRE(begin(&f));
    for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
        set(&f, row[i].offset, row[i].mask);
        CHECK_EQ(reg(&f, row[i].offset), row[i].mask);
        set(&f, row[i].offset, 0);
        CHECK_EQ(reg(&f, row[i].offset), 0u);
    }
    CHECK_EQ(reg(&f, MSR), 0xb4u); /* the loopback that was: RI went off */
    set(&f, IER, 0xf0);
    set(&f, MCR, 0xe0);
    set(&f, LSR, 0xff);
    set(&f, MSR, 0xff);
    CHECK_EQ(reg(&f, IER), 0u);
    CHECK_EQ(reg(&f, MCR), 0u);
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK_EQ(reg(&f, MSR), 0xb0u);
    end(&f);
}

TEST(the_divisor_hides_data_and_enables)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IER, ERBI);
    set(&f, LCR, DLAB | 3);
    CHECK_EQ(reg(&f, 0), 2u); /* 115200 baud, as the guest's tree has it */
    CHECK_EQ(reg(&f, 1), 0u);
    set(&f, 0, 0x34);
    set(&f, 1, 0x12);
    type(&f, "a");
    CHECK_EQ(reg(&f, 0), 0x34u);
    CHECK_EQ(reg(&f, 1), 0x12u);
    CHECK_EQ(reg(&f, IIR), 0x04u);
    set(&f, LCR, 3);
    CHECK_EQ(reg(&f, RBR), 'a');
    CHECK_EQ(reg(&f, IER), ERBI);
    CHECK(!world_console_has(&f.w, "(dom) 4"));
    end(&f);
}

TEST(transmit_interrupt_ends_when_it_is_named)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IER, ETBEI); /* the THR is empty already */
    CHECK(line(&f));
    CHECK_EQ(reg(&f, IIR), 0x02u);
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, IIR), 0x01u);
    set(&f, THR, 'x'); /* it is empty again at once */
    CHECK(line(&f));
    set(&f, THR, 'y');
    CHECK(line(&f));
    CHECK_EQ(reg(&f, LSR), EMPTY); /* the status names no interrupt */
    CHECK(line(&f));
    CHECK_EQ(reg(&f, IIR), 0x02u);
    CHECK(!line(&f));
    set(&f, IER, ETBEI | ERBI); /* enabled already: no news */
    CHECK(!line(&f));
    set(&f, IER, 0);
    set(&f, IER, ETBEI);
    CHECK(line(&f));
    set(&f, IER, 0);
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, IIR), 0x01u);
    end(&f);
}

TEST(receive_interrupt_ends_with_the_data)
{
    struct fixture f;

    REQUIRE(begin(&f));
    type(&f, "ab\xff");
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, LSR), EMPTY | DR);
    CHECK_EQ(reg(&f, IIR), 0x01u);
    set(&f, IER, ERBI);
    CHECK(line(&f));
    CHECK_EQ(reg(&f, IIR), 0x04u);
    CHECK_EQ(reg(&f, RBR), 'a');
    CHECK_EQ(reg(&f, RBR), 'b');
    CHECK(line(&f));
    CHECK_EQ(reg(&f, RBR), 0xffu);
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK_EQ(reg(&f, RBR), 0u);
    CHECK_EQ(reg(&f, LSR), EMPTY);
    end(&f);
}

TEST(fifo_triggers)
{
    static const uint32_t level[4] = { 1, 4, 8, 14 };
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IER, ERBI);
    for (uint32_t i = 0; i < 4; i++) {
        set(&f, FCR, i << 6 | 1);
        for (uint32_t n = 1; n <= 16; n++) {
            type(&f, "x");
            CHECK(line(&f));
            CHECK_EQ(reg(&f, IIR), n >= level[i] ? 0xc4u : 0xccu);
        }
        for (uint32_t n = 16; n > 0; n--) {
            CHECK_EQ(reg(&f, IIR), n >= level[i] ? 0xc4u : 0xccu);
            CHECK_EQ(reg(&f, RBR), 'x');
        }
        CHECK(!line(&f));
        CHECK_EQ(reg(&f, IIR), 0xc1u);
    }
    end(&f);
}

TEST(fifo_resets)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IER, ERBI);
    type(&f, "abc");
    set(&f, FCR, 0xc6); /* without the enable nothing else counts */
    CHECK_EQ(reg(&f, IIR), 0x04u);
    CHECK_EQ(reg(&f, LSR), EMPTY | DR);
    set(&f, FCR, 0x81); /* a change of the mode resets */
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK(!line(&f));
    type(&f, "abc");
    set(&f, FCR, 0x81);
    set(&f, FCR, 0x85); /* the transmitter's */
    CHECK_EQ(reg(&f, LSR), EMPTY | DR);
    set(&f, FCR, 0x83);
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK_EQ(reg(&f, IIR), 0xc1u);
    type(&f, "d");
    CHECK_EQ(reg(&f, RBR), 'd');
    type(&f, "abc");
    set(&f, FCR, 0);
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK_EQ(reg(&f, IIR), 0x01u);
    end(&f);
}

TEST(a_paste_is_kept_and_too_much_is_an_overrun)
{
    struct fixture f;
    char text[601] = { 0 };

    REQUIRE(begin(&f));
    set(&f, FCR, 0xc1);
    set(&f, IER, ERBI | ELSI);
    for (size_t i = 0; i < 600; i++) {
        text[i] = (char)('a' + i % 23);
    }
    text[512] = '\0';
    type(&f, text);
    CHECK_EQ(reg(&f, IIR), 0xc4u);
    type(&f, "z");
    CHECK_EQ(reg(&f, IIR), 0xc6u); /* before the data */
    CHECK_EQ(reg(&f, LSR), EMPTY | DR | OE);
    CHECK_EQ(reg(&f, LSR), EMPTY | DR);
    CHECK_EQ(reg(&f, IIR), 0xc4u);
    for (size_t i = 0; i < 512; i++) {
        CHECK_EQ(reg(&f, RBR), (uint32_t)text[i]);
    }
    CHECK_EQ(reg(&f, LSR), EMPTY);
    CHECK(!line(&f));
    end(&f);
}

/* Each ends with its own cause, and uncovers the next one. */
TEST(interrupts_by_priority)
{
    struct fixture f;
    char text[514] = { 0 };

    REQUIRE(begin(&f));
    set(&f, FCR, 0x01);
    memset(text, 'x', 513);
    type(&f, text);
    set(&f, MCR, LOOP); /* modem lines fall */
    set(&f, IER, ERBI | ETBEI | ELSI | EDSSI);
    CHECK_EQ(reg(&f, IIR), 0xc6u);
    CHECK_EQ(reg(&f, IIR), 0xc6u);
    CHECK_EQ(reg(&f, LSR), EMPTY | DR | OE);
    CHECK_EQ(reg(&f, IIR), 0xc4u);
    for (size_t i = 0; i < 512; i++) {
        reg(&f, RBR);
    }
    CHECK_EQ(reg(&f, IIR), 0xc2u);
    CHECK_EQ(reg(&f, IIR), 0xc0u);
    CHECK_EQ(reg(&f, IIR), 0xc0u);
    CHECK(line(&f));
    CHECK_EQ(reg(&f, MSR), 0x0bu);
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, MSR), 0u);
    CHECK_EQ(reg(&f, IIR), 0xc1u);
    end(&f);
}

TEST(loopback_of_the_modem_lines)
{
    static const struct {
        uint32_t mcr, msr; /* MSR with what changed since the row before */
    } row[] = {
        { 0x00, 0x0b }, { 0x01, 0x22 }, { 0x02, 0x13 }, { 0x04, 0x41 }, { 0x08, 0x8c },
        { 0x0f, 0xf3 }, { 0x0f, 0xf0 }, { 0x00, 0x0f }, { 0x0a, 0x99 },
    };
    struct fixture f;

    REQUIRE(begin(&f));
    for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
        set(&f, MCR, LOOP | row[i].mcr);
        CHECK_EQ(reg(&f, MSR), row[i].msr);
        CHECK_EQ(reg(&f, MSR), row[i].msr & 0xf0);
    }
    set(&f, MCR, 0x0b);
    CHECK_EQ(reg(&f, MSR), 0xb2u);
    set(&f, MCR, 0);
    CHECK_EQ(reg(&f, MSR), 0xb0u);
    end(&f);
}

TEST(loopback_of_data)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, FCR, 0x41);
    set(&f, IER, ERBI);
    set(&f, MCR, LOOP);
    type(&f, "user");
    CHECK_EQ(reg(&f, LSR), EMPTY); /* the console is cut off */
    for (uint32_t i = 0; i < 16; i++) {
        set(&f, THR, 'A' + i);
        CHECK_EQ(reg(&f, IIR), i < 3 ? 0xccu : 0xc4u);
    }
    CHECK_EQ(reg(&f, LSR), EMPTY | DR);
    set(&f, THR, '!');
    CHECK_EQ(reg(&f, LSR), EMPTY | DR | OE);
    for (uint32_t i = 0; i < 16; i++) {
        CHECK_EQ(reg(&f, RBR), 'A' + i);
    }
    CHECK_EQ(reg(&f, LSR), EMPTY);
    set(&f, FCR, 0);
    set(&f, THR, '1');
    set(&f, THR, '2');
    CHECK_EQ(reg(&f, LSR), EMPTY | DR | OE);
    CHECK_EQ(reg(&f, RBR), '2');
    CHECK_EQ(reg(&f, LSR), EMPTY);
    set(&f, IER, ETBEI);
    CHECK_EQ(reg(&f, IIR), 0x02u);
    set(&f, THR, '3');
    CHECK_EQ(reg(&f, IIR), 0x02u);
    CHECK(!world_console_has(&f.w, "(dom) "));
    set(&f, MCR, 0);
    set(&f, THR, 'x');
    CHECK(world_console_has(&f.w, "(dom) x"));
    end(&f);
}

/* What a driver does to learn whether there is a 16550 with a FIFO, and nothing more. */
TEST(a_driver_probes)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IER, 0); /* present: four enables */
    CHECK_EQ(reg(&f, IER) & 0x0f, 0u);
    set(&f, IER, 0x0f);
    CHECK_EQ(reg(&f, IER) & 0x0f, 0x0fu);
    set(&f, IER, 0);
    set(&f, MCR, LOOP | 0x0a); /* present: RTS and OUT2 come back */
    CHECK_EQ(reg(&f, MSR) & 0xf0, 0x90u);
    set(&f, MCR, 0);
    set(&f, FCR, 1); /* working FIFO: 16550A */
    CHECK_EQ(reg(&f, IIR) >> 6, 3u);
    set(&f, LCR, DLAB); /* no second set of registers: 16650, SuperIO */
    CHECK(reg(&f, 2) != 0);
    set(&f, LCR, 0xbf);
    CHECK(reg(&f, 2) != 0);
    set(&f, LCR, DLAB);
    set(&f, FCR, 0x21); /* no FIFO of 64 bytes: 16750 */
    CHECK_EQ(reg(&f, IIR) >> 5, 6u);
    set(&f, LCR, 0);
    set(&f, FCR, 0x21);
    CHECK_EQ(reg(&f, IIR) >> 5, 6u);
    set(&f, IER, 0x40); /* no unit enable of others */
    CHECK_EQ(reg(&f, IER), 0u);
    for (uint32_t i = 0; i < 2; i++) { /* the THR's interrupt can be had as often as one likes */
        set(&f, IER, ETBEI);
        CHECK_EQ(reg(&f, IIR) & 0x0f, 0x02u);
        set(&f, IER, 0);
    }
    set(&f, SCR, 0x5a);
    CHECK_EQ(reg(&f, SCR), 0x5au);
    CHECK(!world_console_has(&f.w, "(dom) "));
    end(&f);
}

TEST(accesses_of_any_width_and_place)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, SCR, 0x77);
    set(&f, LCR, 3);
    for (uint32_t size = 1; size <= 8; size *= 2) {
        CHECK_EQ(read_sized(&f, MCR, MIN(size, 4u)), 0u);
        CHECK_EQ(read_sized(&f, 0, size), 0u);
        write_sized(&f, THR, size, UINT64_C(0xf1f1f1f1f1f1f1) << 8 | ('0' + size));
        CHECK_EQ(reg(&f, IER), 0u); /* the neighbours stay as they are */
        CHECK_EQ(reg(&f, LCR), 3u);
        CHECK_EQ(reg(&f, SCR), 0x77u);
    }
    CHECK(world_console_has(&f.w, "(dom) 1248"));
    for (uint32_t size = 1; size <= 8; size *= 2) {
        for (uint64_t offset = 0; offset < VUART_NS16550_SIZE; offset += size) {
            CHECK(read_sized(&f, offset, size) <= 0xff);
            write_sized(&f, offset, size, UINT64_MAX);
            CHECK(offset < 8 || read_sized(&f, offset, size) == 0);
        }
    }
    CHECK(mmio_find(f.d, gpa(BASE + VUART_NS16550_SIZE)) == NULL);
    end(&f);
}

TEST_ALLOC(create_gives_everything_back_when_it_fails)
{
    struct fixture f;
    bool created = begin(&f);

    CHECK(created || unit_injected());
    if (created) {
        CHECK_EQ(vuart_create(f.d, VUART_PL011, gpa(BASE + PAGE_SIZE), VIRQ), -XEN_EEXIST);
    }
    end(&f);
}
