/* SPDX-License-Identifier: MIT */
/*
 * Interrupt files in software: registers one by one, then random operations
 * beside a model with one element for each identity.
 */
#include "random.h"
#include "unit.h"

#include "../../hv/arch/riscv64/vimsic.c"

static struct vimsic file;
static bool line;

void vimsic_line(struct vimsic *f, bool level)
{
    CHECK(f == &file);
    CHECK(spin_is_locked(&f->lock));
    CHECK(line != level);
    line = level;
}

void gfile_post(struct gfiles *g, uint32_t n, uint32_t id) { CHECK(!"no guest file here"); }

static void world(void)
{
    memset(&file, 0, sizeof(file));
    vimsic_init(&file);
    line = false;
}

static const struct vimsic_access only_read;
static struct vimsic_access csrrw(uint64_t v) { return (struct vimsic_access){ true, 0, v }; }
static struct vimsic_access csrrs(uint64_t v) { return (struct vimsic_access){ true, ~0ull, v }; }
static struct vimsic_access csrrc(uint64_t v) { return (struct vimsic_access){ true, ~v, 0 }; }

static uint64_t ireg(uint64_t select, struct vimsic_access a)
{
    uint64_t old = 0xdead;

    CHECK(vimsic_ireg(&file, select, a, &old));
    return old;
}

static uint32_t topei(struct vimsic_access a)
{
    uint64_t old;

    CHECK(vimsic_topei(&file, a, &old));
    CHECK_EQ(old >> 16, old & 0xffff);
    return (uint32_t)(old >> 16);
}

static void enable_all(void)
{
    for (uint32_t word = 0; word < VIMSIC_WORDS; word++) {
        ireg(ISEL_EIE0 + 2 * word, csrrw(~0ull));
    }
    ireg(ISEL_EIDELIVERY, csrrw(1));
}

TEST(a_message_is_taken_and_claimed)
{
    world();
    enable_all();
    CHECK_EQ(topei(only_read), 0);
    CHECK(vimsic_page_write(&file, 0, 4, 77));
    CHECK(line);
    CHECK_EQ(topei(only_read), 77);
    CHECK_EQ(topei(only_read), 77);
    CHECK_EQ(topei(csrrw(0)), 77);
    CHECK(!line);
    CHECK_EQ(topei(csrrw(0)), 0);
}

TEST(the_lowest_identity_goes_first)
{
    static const uint32_t order[] = { 1, 63, 64, 127, 128, 255 };

    world();
    enable_all();
    for (uint32_t i = ARRAY_SIZE(order); i-- > 0;) {
        vimsic_raise(&file, order[i]);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(order); i++) {
        CHECK(line);
        CHECK_EQ(topei(csrrs(1)), order[i]);
    }
    CHECK(!line);
}

TEST(the_threshold_holds_back_itself_and_above)
{
    world();
    enable_all();
    vimsic_raise(&file, 10);
    ireg(ISEL_EITHRESHOLD, csrrw(10));
    CHECK(!line);
    CHECK_EQ(topei(only_read), 0);
    CHECK_EQ(ireg(ISEL_EITHRESHOLD, csrrw(11)), 10);
    CHECK(line);
    CHECK_EQ(topei(only_read), 10);
    ireg(ISEL_EITHRESHOLD, csrrw(0));
    CHECK(line);
}

TEST(without_delivery_the_line_is_low_and_the_top_is_there)
{
    world();
    enable_all();
    vimsic_raise(&file, 3);
    CHECK_EQ(ireg(ISEL_EIDELIVERY, csrrw(0x40000000)), 1);
    CHECK_EQ(ireg(ISEL_EIDELIVERY, only_read), 0);
    CHECK(!line);
    CHECK_EQ(topei(only_read), 3);
    ireg(ISEL_EIDELIVERY, csrrs(1));
    CHECK(line);
}

TEST(reads_change_nothing)
{
    world();
    enable_all();
    vimsic_raise(&file, 3);
    CHECK_EQ(ireg(ISEL_EIP0, only_read), 8);
    CHECK_EQ(ireg(ISEL_EIE0, only_read), ~1ull);
    CHECK_EQ(topei(only_read), 3);
    CHECK(line);
}

TEST(set_and_clear_touch_only_their_bits)
{
    world();
    enable_all();
    vimsic_raise(&file, 70);
    CHECK_EQ(ireg(ISEL_EIP0 + 2, csrrs(BIT(9))), BIT(6));
    CHECK_EQ(ireg(ISEL_EIP0 + 2, csrrc(BIT(6))), BIT(6) | BIT(9));
    CHECK_EQ(topei(only_read), 73);
    CHECK_EQ(ireg(ISEL_EIE0 + 2, csrrc(BIT(9))), ~0ull);
    CHECK(!line);
}

TEST(what_does_not_exist_is_zero_or_refused)
{
    uint64_t old, value;

    world();
    enable_all();
    CHECK_EQ(ireg(ISEL_EIP0, csrrw(1)), 0);
    CHECK_EQ(ireg(ISEL_EIP0, only_read), 0); /* identity 0 */
    for (uint64_t select = 0; select < 0x1000; select++) {
        bool iprio = select >= 0x30 && select < 0x40, array = select >= 0x80 && select < 0x100;
        bool exists = select == 0x70 || select == 0x72 || ((iprio || array) && select % 2 == 0);

        CHECK_EQ(vimsic_ireg(&file, select, csrrw(~0ull), &old), exists);
        if (iprio || (array && (select & 0x3f) / 2 >= VIMSIC_WORDS)) {
            CHECK(!exists || (vimsic_ireg(&file, select, only_read, &old) && old == 0));
        }
    }
    CHECK(!vimsic_ireg(&file, UINT64_MAX, csrrw(0), &old));
    world();
    enable_all();
    vimsic_raise(&file, 0);
    vimsic_raise(&file, 256);
    vimsic_raise(&file, UINT32_MAX);
    CHECK(vimsic_page_write(&file, 4, 4, 5)); /* big-endian messages: not here */
    CHECK(!vimsic_page_write(&file, 0, 8, 5));
    CHECK(!vimsic_page_write(&file, 0, 2, 5));
    CHECK(!line);
    CHECK(vimsic_page_read(0, 4, &value));
    CHECK_EQ(value, 0);
    CHECK(!vimsic_page_read(0, 1, &value));
}

/* --- Beside the model ------------------------------------------------------------ */

static struct {
    bool pending[256], enabled[256], delivery;
    uint32_t threshold;
} model;

static uint32_t model_top(void)
{
    for (uint32_t id = 1; id < 256 && (model.threshold == 0 || id < model.threshold); id++) {
        if (model.pending[id] && model.enabled[id]) {
            return id;
        }
    }
    return 0;
}

static void model_array(bool *array, uint32_t select)
{
    uint32_t word = any(VIMSIC_WORDS), kind = any(3);
    uint64_t bits =
        (uint64_t)any(UINT32_MAX) << 40 ^ (uint64_t)any(UINT32_MAX) << 20 ^ any(1 << 24);
    uint64_t before = 0;

    for (uint32_t n = 0; n < 64; n++) {
        bool *at = &array[word * 64 + n], bit = bits >> n & 1;

        before |= (uint64_t)*at << n;
        *at = (kind == 0 ? bit : kind == 1 ? *at || bit : *at && !bit) && word * 64 + n != 0;
    }
    CHECK_EQ(ireg(select + 2 * word, kind == 0   ? csrrw(bits)
                                     : kind == 1 ? csrrs(bits)
                                                 : csrrc(bits)),
             before);
}

static void random_step(void)
{
    uint32_t id = any(258);

    switch (any(8)) {
    case 0:
        model_array(model.enabled, ISEL_EIE0);
        break;
    case 1:
        model_array(model.pending, ISEL_EIP0);
        break;
    case 2:
        model.threshold = any(2) ? 0 : any(256);
        ireg(ISEL_EITHRESHOLD, csrrw(model.threshold));
        break;
    case 3:
        model.delivery = any(4) != 0;
        ireg(ISEL_EIDELIVERY, csrrw(model.delivery));
        break;
    case 4:
    case 5:
        id = model_top();
        CHECK_EQ(topei(csrrw(any(9))), id);
        model.pending[id] = false;
        break;
    default:
        vimsic_raise(&file, id);
        if (id >= 1 && id <= 255) {
            model.pending[id] = true;
        }
    }
}

static bool same(void)
{
    return topei(only_read) == model_top() && line == (model.delivery && model_top() != 0);
}

static void random_begin(void)
{
    world();
    memset(&model, 0, sizeof(model));
}

TEST(random_operations_beside_a_model)
{
    random_run(&(struct random_test){ 100, 3000, random_begin, random_step, same, NULL });
}
