/* SPDX-License-Identifier: MIT */
/* vdev/vpl011.c through its MMIO functions: data, flags, interrupts, odd accesses. */
#include "uart.h"

#define DR 0x00
#define FR 0x18
#define IBRD 0x24
#define LCR_H 0x2c
#define CR 0x30
#define IFLS 0x34
#define IMSC 0x38
#define RIS 0x3c
#define MIS 0x40
#define ICR 0x44

#define FR_RXFE 0x10u
#define FR_TXFF 0x20u
#define FR_RXFF 0x40u
#define FR_TXFE 0x80u
#define RX 0x10u
#define TX 0x20u
#define RT 0x40u

static bool begin(struct fixture *f) { return begin_kind(f, VUART_PL011); }

static uint32_t reg(struct fixture *f, uint64_t offset)
{
    return (uint32_t)read_sized(f, offset, 4);
}

static void set(struct fixture *f, uint64_t offset, uint64_t value)
{
    write_sized(f, offset, 4, value);
}

TEST(output_goes_to_the_console_at_once)
{
    struct fixture f;

    REQUIRE(begin(&f));
    CHECK_EQ(reg(&f, FR) & (FR_TXFE | FR_TXFF | FR_RXFE), FR_TXFE | FR_RXFE);
    set(&f, DR, 'h');
    set(&f, DR, 0xffffff00u | 'i');
    CHECK(world_console_has(&f.w, "(dom) hi"));
    CHECK_EQ(reg(&f, FR) & (FR_TXFE | FR_TXFF), FR_TXFE);
    end(&f);
}

TEST(transmit_interrupt_follows_a_byte)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IMSC, TX);
    CHECK(!line(&f));
    set(&f, DR, 'x');
    CHECK(line(&f));
    CHECK_EQ(reg(&f, RIS), TX);
    CHECK_EQ(reg(&f, MIS), TX);
    set(&f, ICR, TX);
    CHECK(!line(&f));
    set(&f, DR, 'x');
    CHECK(line(&f));
    set(&f, IMSC, 0);
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, RIS), TX);
    CHECK_EQ(reg(&f, MIS), 0u);
    end(&f);
}

TEST(input_is_read_in_order)
{
    struct fixture f;

    REQUIRE(begin(&f));
    type(&f, "ab\xff");
    CHECK_EQ(reg(&f, FR) & (FR_RXFE | FR_RXFF), 0u);
    CHECK_EQ(reg(&f, DR), 'a');
    CHECK_EQ(reg(&f, DR), 'b');
    CHECK_EQ(reg(&f, DR), 0xffu);
    CHECK_EQ(reg(&f, FR) & FR_RXFE, FR_RXFE);
    CHECK_EQ(reg(&f, DR), 0u);
    end(&f);
}

TEST(receive_interrupts_are_levels)
{
    struct fixture f;

    REQUIRE(begin(&f));
    set(&f, IMSC, RT);
    CHECK(!line(&f));
    type(&f, "a");
    CHECK(line(&f));
    set(&f, ICR, RT);
    CHECK(line(&f)); /* the byte is still there */
    CHECK_EQ(reg(&f, DR), 'a');
    CHECK(!line(&f));

    set(&f, IFLS, 0); /* 4 bytes */
    set(&f, IMSC, RX);
    type(&f, "abc");
    CHECK(!line(&f));
    CHECK_EQ(reg(&f, RIS), RT);
    type(&f, "d");
    CHECK(line(&f));
    CHECK_EQ(reg(&f, RIS), RT | RX);
    CHECK_EQ(reg(&f, DR), 'a');
    CHECK(!line(&f));
    end(&f);
}

TEST(a_paste_is_kept_and_too_much_is_dropped_at_the_end)
{
    struct fixture f;
    char text[601] = { 0 };

    REQUIRE(begin(&f));
    for (size_t i = 0; i < 600; i++) {
        text[i] = (char)('a' + i % 23);
    }
    type(&f, text);
    CHECK_EQ(reg(&f, FR) & FR_RXFF, FR_RXFF);
    for (size_t i = 0; i < 512; i++) {
        CHECK_EQ(reg(&f, DR), (uint32_t)text[i]);
    }
    CHECK_EQ(reg(&f, FR) & FR_RXFE, FR_RXFE);
    type(&f, "z");
    CHECK_EQ(reg(&f, DR), 'z');
    end(&f);
}

TEST(settings_are_kept)
{
    static const struct {
        uint32_t offset, mask;
    } row[] = {
        { 0x20, 0xff }, { IBRD, 0xffff }, { 0x28, 0x3f }, { LCR_H, 0xff },
        { CR, 0xffff }, { IFLS, 0x3f },   { IMSC, 0x7ff }, { 0x48, 7 },
    };
    struct fixture f;

    REQUIRE(begin(&f));
    CHECK_EQ(reg(&f, CR), 0x300u);
    CHECK_EQ(reg(&f, IFLS), 0x12u);
    for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
        set(&f, row[i].offset, UINT32_MAX);
        CHECK_EQ(reg(&f, row[i].offset), row[i].mask);
        set(&f, row[i].offset, 0);
        CHECK_EQ(reg(&f, row[i].offset), 0u);
    }
    end(&f);
}

TEST(identification)
{
    static const uint8_t want[] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    struct fixture f;

    REQUIRE(begin(&f));
    for (size_t i = 0; i < sizeof(want); i++) {
        CHECK_EQ(reg(&f, 0xfe0 + 4 * i), want[i]);
    }
    end(&f);
}

TEST(accesses_of_any_width_and_place)
{
    struct fixture f;

    REQUIRE(begin(&f));
    const struct mmio_region *r = mmio_find(f.d, gpa(BASE));
    uint64_t value;

    set(&f, IBRD, 0x1234);
    CHECK_EQ(read_sized(&f, IBRD, 1), 0x34u);
    CHECK_EQ(read_sized(&f, IBRD + 1, 1), 0x12u);
    CHECK_EQ(read_sized(&f, IBRD, 2), 0x1234u);
    CHECK_EQ(read_sized(&f, IBRD + 2, 2), 0u);
    CHECK_EQ(r->ops->read(f.v, r->data, DR, 8, &value), MMIO_FAULT);
    CHECK_EQ(r->ops->write(f.v, r->data, DR, 8, 0), MMIO_FAULT);
    for (uint64_t offset = 0; offset < PAGE_SIZE; offset += 2) {
        CHECK_EQ(r->ops->read(f.v, r->data, offset, 2, &value), MMIO_OK);
        CHECK(value <= 0xffff);
        CHECK_EQ(r->ops->write(f.v, r->data, offset, 2, 0xffff), MMIO_OK);
    }
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
    vuart_destroy(f.d);
    /* The place is taken: by the first one, which a dying domain keeps in its table. */
    if (created) {
        int rc = vuart_create(f.d, VUART_PL011, gpa(BASE), VIRQ);
        CHECK(rc == -XEN_EEXIST || unit_injected());
    }
    end(&f);
}
