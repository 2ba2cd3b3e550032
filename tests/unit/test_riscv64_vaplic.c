/* SPDX-License-Identifier: MIT */
/*
 * The virtual APLIC: modes, registers and host interrupts one by one, then
 * random operations beside a model that follows the specification's sentences
 * source by source.
 */
#include <stdlib.h>

#include "random.h"
#include "registers.h"
#include "unit.h"

#include "../../hv/arch/riscv64/vaplic.c"

#define SOURCES 70 /* numbers 1..69: the last word is not full */

static struct vaplic *aplic;
static uint32_t msis, last_hart, last_id, completions[UINT16_MAX + 1];
static uint32_t sent[2048]; /* by identity */

void vaplic_msi(struct vaplic *a, uint32_t hart, uint32_t id)
{
    CHECK(a == aplic);
    CHECK(spin_is_locked(&a->lock));
    msis++;
    last_hart = hart;
    last_id = id;
    sent[id]++;
}

void vaplic_host_complete(struct vaplic *a, uint32_t irq)
{
    CHECK(a == aplic);
    completions[irq]++;
}

static void world_of(uint32_t nr_sources)
{
    aplic = calloc(1, vaplic_bytes(nr_sources)); /* the sanitizer guards its end */
    vaplic_init(aplic, nr_sources);
    memset(completions, 0, sizeof(completions));
    memset(sent, 0, sizeof(sent));
    msis = last_hart = last_id = 0;
}

static void world(void) { world_of(SOURCES); }

static void end(void)
{
    free(aplic);
    aplic = NULL;
}

static uint32_t rd(uint64_t offset) { return REG_READ(vaplic_read, aplic, offset); }

static void wr(uint64_t offset, uint32_t value) { CHECK(vaplic_write(aplic, offset, 4, value)); }

static bool pending(uint32_t i) { return REG_BIT(rd, 0x1c00, i); }
static bool enabled(uint32_t i) { return REG_BIT(rd, 0x1e00, i); }
static bool in(uint32_t i) { return REG_BIT(rd, 0x1d00, i); }

/* As a driver sets one up: identity 100 + i at hart 2. */
static void ready(uint32_t i, uint32_t mode)
{
    wr(0, 0x100);
    wr(4 * i, mode);
    wr(0x3000 + 4 * i, 2u << 18 | (100 + i));
    wr(0x1edc, i);
}

/* --- One by one ---------------------------------------------------------------- */

TEST(an_edge_is_sent_once)
{
    world();
    ready(5, MODE_EDGE1);
    vaplic_set_level(aplic, 5, true);
    CHECK_EQ(msis, 1);
    CHECK_EQ(last_hart, 2);
    CHECK_EQ(last_id, 105);
    CHECK(!pending(5));
    vaplic_set_level(aplic, 5, true);
    vaplic_set_level(aplic, 5, false);
    CHECK_EQ(msis, 1);
    vaplic_pulse(aplic, 5);
    CHECK_EQ(msis, 2);
    end();
}

TEST(inverted_modes_see_the_input_upside_down)
{
    world();
    ready(5, MODE_EDGE0);
    CHECK(in(5));
    vaplic_set_level(aplic, 5, true);
    CHECK_EQ(msis, 0);
    vaplic_set_level(aplic, 5, false);
    CHECK_EQ(msis, 1);
    ready(6, MODE_LEVEL0);
    CHECK_EQ(msis, 2); /* low all the time: active as soon as it may */
    end();
}

TEST(a_level_comes_again_by_setipnum_while_it_lasts)
{
    world();
    ready(5, MODE_LEVEL1);
    vaplic_set_level(aplic, 5, true);
    CHECK_EQ(msis, 1);
    wr(0x1cdc, 5);
    CHECK_EQ(msis, 2);
    wr(0x2000, 5); /* setipnum_le */
    CHECK_EQ(msis, 3);
    vaplic_set_level(aplic, 5, false);
    wr(0x1cdc, 5);
    CHECK_EQ(msis, 3);
    CHECK(!pending(5));
    end();
}

TEST(a_level_that_ends_before_it_is_sent_is_not_pending)
{
    world();
    ready(5, MODE_LEVEL1);
    ready(6, MODE_EDGE1);
    wr(0, 0);
    vaplic_set_level(aplic, 5, true);
    vaplic_set_level(aplic, 6, true);
    CHECK(pending(5) && pending(6));
    vaplic_set_level(aplic, 5, false);
    vaplic_set_level(aplic, 6, false);
    CHECK(!pending(5) && pending(6));
    wr(0, 0x100);
    CHECK_EQ(msis, 1);
    CHECK_EQ(last_id, 106);
    end();
}

TEST(a_detached_source_listens_to_software_only)
{
    world();
    ready(5, MODE_DETACHED);
    vaplic_pulse(aplic, 5);
    vaplic_set_level(aplic, 5, true);
    CHECK_EQ(msis, 0);
    CHECK(!in(5));
    wr(0x1c00, 1u << 5);
    CHECK_EQ(msis, 1);
    end();
}

TEST(what_is_pending_is_sent_when_enabled)
{
    world();
    ready(40, MODE_EDGE1);
    wr(0x1fdc, 40);
    CHECK(!enabled(40));
    vaplic_pulse(aplic, 40);
    CHECK(pending(40));
    wr(0x1e04, 1u << 8);
    CHECK_EQ(msis, 1);
    wr(0x1f04, 1u << 8);
    vaplic_pulse(aplic, 40);
    wr(0x1d04, 1u << 8);
    CHECK(!pending(40));
    vaplic_pulse(aplic, 40);
    wr(0x1ddc, 40);
    CHECK(!pending(40));
    wr(0x1edc, 40);
    CHECK_EQ(msis, 1);
    end();
}

TEST(an_inactive_source_has_nothing)
{
    world();
    ready(5, MODE_LEVEL1);
    vaplic_set_level(aplic, 5, true);
    wr(0x1fdc, 5);
    wr(0x1cdc, 5);
    CHECK(pending(5));
    wr(4 * 5, SOURCECFG_D | MODE_LEVEL1);
    CHECK_EQ(rd(4 * 5), 0);
    CHECK(!pending(5) && !enabled(5));
    CHECK_EQ(rd(0x3000 + 4 * 5), 0);
    wr(0x1cdc, 5);
    wr(0x1edc, 5);
    wr(0x3000 + 4 * 5, 1);
    CHECK(!pending(5) && !enabled(5));
    CHECK_EQ(rd(0x3000 + 4 * 5), 0);
    wr(4 * 5, 2);
    CHECK_EQ(rd(4 * 5), 0);
    wr(4 * 5, MODE_LEVEL1); /* the line is still active */
    CHECK(pending(5));
    end();
}

TEST(registers_hold_what_exists)
{
    world();
    CHECK_EQ(rd(0), 0x80000004);
    wr(0, 0xffffffff);
    CHECK_EQ(rd(0), 0x80000104);
    wr(4 * 69, MODE_EDGE1);
    wr(0x3000 + 4 * 69, 0xffffffff);
    CHECK_EQ(rd(0x3000 + 4 * 69), 0xfffc07ff);
    wr(4 * 70, MODE_EDGE1);
    CHECK_EQ(rd(4 * 70), 0);
    CHECK_EQ(rd(0x1bc0), 0);
    wr(0x3000, 1u << 18 | 7);
    CHECK_EQ(rd(0x3000), 1u << 18 | 7);
    CHECK_EQ(last_hart, 1);
    CHECK_EQ(last_id, 7);
    wr(0x2004, 69); /* setipnum_be: not here */
    CHECK(!pending(69));
    end();
}

TEST(an_extempore_message_needs_no_enabled_domain)
{
    world();
    wr(0x3000, 3u << 18 | 9);
    CHECK_EQ(msis, 1);
    end();
}

TEST(other_widths_are_refused)
{
    uint64_t value;

    world();
    CHECK(!vaplic_read(aplic, 0, 1, &value) && !vaplic_read(aplic, 0, 8, &value));
    CHECK(!vaplic_write(aplic, 0, 2, 0x100) && !vaplic_write(aplic, 0, 8, 0x100));
    CHECK_EQ(rd(0), 0x80000004);
    end();
}

TEST(no_offset_and_no_value_reaches_beyond_the_state)
{
    static const uint32_t sources[] = { 2, 64, 65, VAPLIC_SOURCES_MAX };
    static const uint32_t values[] = { 0, 4, 6, 64, 1023, 1024, 0x10000, 0xffffffff };

    for (uint32_t n = 0; n < ARRAY_SIZE(sources); n++) {
        world_of(sources[n]);
        for (uint32_t offset = 0; offset < VAPLIC_SIZE; offset += 4) {
            for (uint32_t i = 0; i < ARRAY_SIZE(values); i++) {
                wr(offset, values[i]);
            }
            (void)rd(offset);
        }
        for (uint32_t i = 0; i < 1100; i++) {
            vaplic_set_level(aplic, i, true);
            vaplic_pulse(aplic, i);
            vaplic_host_irq(aplic, i);
            vaplic_unassign(aplic, i);
        }
        vaplic_set_level(aplic, UINT32_MAX, true);
        end();
    }
}

/* --- Host interrupts -------------------------------------------------------------- */

TEST(a_host_level_ends_when_the_guest_asks_whether_it_lasts)
{
    world();
    ready(5, MODE_LEVEL0); /* however it is wired: that is the host's business */
    CHECK_EQ(msis, 1);
    CHECK_EQ(vaplic_assign(aplic, 5, 33, false), 0);
    CHECK_EQ(vaplic_assign(aplic, 5, 34, false), -XEN_EBUSY);
    CHECK_EQ(vaplic_assign(aplic, 0, 34, false), -XEN_EINVAL);
    CHECK_EQ(vaplic_assign(aplic, SOURCES, 34, false), -XEN_EINVAL);
    for (uint32_t n = 1; n <= 3; n++) {
        vaplic_host_irq(aplic, 5);
        CHECK_EQ(msis, 1 + n);
        CHECK_EQ(completions[33], n - 1);
        wr(0x1cdc, 5);
        CHECK_EQ(completions[33], n);
        CHECK_EQ(msis, 1 + n);
    }
    vaplic_host_irq(aplic, 5);
    CHECK(!in(5)); /* a read ends it, too */
    CHECK_EQ(completions[33], 4);
    end();
}

TEST(a_host_level_waits_for_a_driver)
{
    world();
    CHECK_EQ(vaplic_assign(aplic, 5, 33, false), 0);
    vaplic_host_irq(aplic, 5);
    CHECK_EQ(completions[33], 0);
    ready(5, MODE_LEVEL1);
    CHECK_EQ(msis, 1);
    end();
}

TEST(a_host_edge_is_over_at_once)
{
    world();
    ready(5, MODE_EDGE1);
    CHECK_EQ(vaplic_assign(aplic, 5, 33, true), 0);
    vaplic_host_irq(aplic, 5);
    vaplic_host_irq(aplic, 5);
    CHECK_EQ(msis, 2);
    CHECK_EQ(completions[33], 2);
    end();
}

TEST(untying_ends_what_is_active)
{
    world();
    ready(5, MODE_LEVEL1);
    CHECK_EQ(vaplic_assign(aplic, 5, 33, false), 0);
    vaplic_host_irq(aplic, 5);
    vaplic_unassign(aplic, 5);
    CHECK_EQ(completions[33], 1);
    vaplic_unassign(aplic, 5);
    CHECK_EQ(completions[33], 1);
    vaplic_host_irq(aplic, 5); /* was on its way */
    CHECK_EQ(completions[33], 2);
    CHECK_EQ(msis, 1);
    CHECK_EQ(vaplic_assign(aplic, 5, 34, false), 0);
    end();
}

/* --- Beside the model --------------------------------------------------------------- */

static struct model {
    uint32_t mode, target;
    bool wire, ip, ie;
} model[SOURCES];
static bool model_on;
static uint32_t model_sent[2048];

static bool model_input(const struct model *m)
{
    return m->mode == MODE_EDGE1 || m->mode == MODE_LEVEL1   ? m->wire
           : m->mode == MODE_EDGE0 || m->mode == MODE_LEVEL0 ? !m->wire
                                                             : false;
}

static bool model_level(const struct model *m)
{
    return m->mode == MODE_LEVEL1 || m->mode == MODE_LEVEL0;
}

static void model_settle(void)
{
    for (uint32_t i = 1; i < SOURCES; i++) {
        if (model_on && model[i].ip && model[i].ie) {
            model[i].ip = false;
            model_sent[model[i].target]++;
        }
    }
}

static void model_wire(struct model *m, bool wire)
{
    bool before = model_input(m);

    m->wire = wire;
    if (model_input(m) && !before) {
        m->ip = true;
    }
    if (model_level(m) && !model_input(m)) {
        m->ip = false;
    }
    model_settle();
}

static void model_mode(struct model *m, uint32_t mode)
{
    m->mode = mode == 2 || mode == 3 ? 0 : mode;
    if (m->mode == 0) {
        m->ip = m->ie = false;
        m->target = 0;
    } else if (model_level(m)) {
        m->ip = model_input(m);
    }
}

/* One bit of setip, clrip, setie, clrie, by number or as a bit among others. */
static void step_bit(uint32_t i)
{
    uint32_t kind = any(4), array = 0x1c00 + 0x100 * kind;
    struct model *m = &model[i];
    bool active = m->mode != 0;

    if (any(2)) {
        wr(array + 0xdc, i);
    } else {
        wr(array + i / 32 * 4, 1u << i % 32);
    }
    if (kind == 0) {
        m->ip |= active && (!model_level(m) || model_input(m));
    } else if (kind == 1) {
        m->ip = false;
    } else {
        m->ie = kind == 2 && active;
    }
}

static void random_step(void)
{
    uint32_t i = 1 + any(SOURCES - 1), value = any(8);
    struct model *m = &model[i];

    switch (any(8)) {
    case 0:
        wr(4 * i, value);
        model_mode(m, value);
        break;
    case 1:
        value = any(2048);
        wr(0x3000 + 4 * i, value);
        m->target = m->mode != 0 ? value : 0;
        break;
    case 2:
        model_on = any(8) != 0;
        wr(0, model_on ? 0x100 : 0);
        break;
    case 3:
        vaplic_pulse(aplic, i);
        model_wire(m, true);
        model_wire(m, false);
        break;
    case 4:
    case 5:
        vaplic_set_level(aplic, i, value & 1);
        model_wire(m, value & 1);
        break;
    default:
        step_bit(i);
    }
    model_settle();
}

static bool same(void)
{
    bool ok = memcmp(sent, model_sent, sizeof(sent)) == 0;

    for (uint32_t i = 1; i < SOURCES; i++) {
        const struct model *m = &model[i];

        ok &= pending(i) == m->ip && enabled(i) == m->ie && rd(4 * i) == m->mode &&
              rd(0x3000 + 4 * i) == m->target && in(i) == model_input(m);
    }
    return ok;
}

static void random_begin(void)
{
    world();
    memset(model, 0, sizeof(model));
    memset(model_sent, 0, sizeof(model_sent));
    model_on = false;
}

TEST(random_operations_beside_a_model)
{
    random_run(&(struct random_test){ 30, 2000, random_begin, random_step, same, end });
}
