/* SPDX-License-Identifier: MIT */
/*
 * The virtual PLIC of riscv64: registers, gateways and host interrupts one by
 * one, then random operations beside a model that is written the long way
 * round, from the specification, without summaries or reverse maps.
 */
#include <stdlib.h>

#include "random.h"
#include "registers.h"
#include "unit.h"

#include "../../hv/arch/riscv64/vplic.c"

#define CONTEXTS 70 /* more than a word of them */
#define SOURCES 131 /* numbers 1..130: the last words are not full */

static struct vplic *plic;
static bool line[VPLIC_CONTEXTS_MAX];
static uint32_t line_calls, completions[UINT16_MAX + 1];

void vplic_line(struct vplic *p, uint32_t context, bool level)
{
    CHECK(p == plic);
    CHECK(spin_is_locked(&p->lock));
    line[context] = level;
    line_calls++;
}

void vplic_host_complete(struct vplic *p, uint32_t irq)
{
    CHECK(p == plic);
    completions[irq]++;
}

static void world_of(uint32_t nr_sources, uint32_t nr_contexts)
{
    plic = calloc(1, vplic_bytes(nr_sources, nr_contexts)); /* the sanitizer guards its end */
    vplic_init(plic, nr_sources, nr_contexts);
    memset(line, 0, sizeof(line));
    memset(completions, 0, sizeof(completions));
    line_calls = 0;
}

static void world(void) { world_of(SOURCES, CONTEXTS); }

static void end(void)
{
    free(plic);
    plic = NULL;
}

static uint32_t rd(uint64_t offset) { return REG_READ(vplic_read, plic, offset); }

static void wr(uint64_t offset, uint32_t value) { CHECK(vplic_write(plic, offset, 4, value)); }

static uint64_t at_priority(uint32_t i) { return 4 * i; }
static uint64_t at_pending(uint32_t word) { return 0x1000 + 4 * word; }
static uint64_t at_enable(uint32_t c, uint32_t word) { return 0x2000 + 0x80 * c + 4 * word; }
static uint64_t at_threshold(uint32_t c) { return 0x200000 + 0x1000 * c; }
static uint64_t at_claim(uint32_t c) { return 0x200004 + 0x1000 * c; }

static void enable(uint32_t c, uint32_t i)
{
    wr(at_enable(c, i / 32), rd(at_enable(c, i / 32)) | 1u << i % 32);
}

static void disable(uint32_t c, uint32_t i)
{
    wr(at_enable(c, i / 32), rd(at_enable(c, i / 32)) & ~(1u << i % 32));
}

static bool pending(uint32_t i) { return REG_BIT(rd, at_pending(0), i); }

static void ready(uint32_t c, uint32_t i, uint32_t priority)
{
    wr(at_priority(i), priority);
    enable(c, i);
}

/* --- One by one ---------------------------------------------------------------- */

TEST(a_level_is_claimed_completed_and_comes_again_while_it_lasts)
{
    world();
    ready(0, 10, 1);
    vplic_set_level(plic, 10, true);
    CHECK(line[0] && pending(10));
    CHECK_EQ(rd(at_claim(0)), 10);
    CHECK(!line[0] && !pending(10));
    CHECK_EQ(rd(at_claim(0)), 0);
    vplic_set_level(plic, 10, false);
    vplic_set_level(plic, 10, true); /* the gateway does not forward: not completed */
    CHECK(!line[0] && !pending(10));
    wr(at_claim(0), 10);
    CHECK(line[0]);
    CHECK_EQ(rd(at_claim(0)), 10);
    vplic_set_level(plic, 10, false);
    wr(at_claim(0), 10);
    CHECK(!line[0] && !pending(10));
    end();
}

TEST(what_is_pending_stays_when_the_level_falls)
{
    world();
    ready(0, 10, 1);
    vplic_set_level(plic, 10, true);
    vplic_set_level(plic, 10, false);
    CHECK(line[0]);
    CHECK_EQ(rd(at_claim(0)), 10);
    wr(at_claim(0), 10);
    CHECK(!line[0]);
    end();
}

TEST(a_pulse_while_claimed_is_kept_once)
{
    world();
    ready(0, 3, 1);
    vplic_pulse(plic, 3);
    vplic_pulse(plic, 3);
    CHECK_EQ(rd(at_claim(0)), 3);
    vplic_pulse(plic, 3);
    vplic_pulse(plic, 3);
    CHECK(!line[0]);
    wr(at_claim(0), 3);
    CHECK(line[0]);
    CHECK_EQ(rd(at_claim(0)), 3);
    wr(at_claim(0), 3);
    CHECK_EQ(rd(at_claim(0)), 0);
    end();
}

TEST(the_highest_priority_goes_first_then_the_lowest_number)
{
    static const uint32_t order[] = { 128, 64, 65, 1, 63, 130 };

    world();
    ready(5, 128, 7);
    ready(5, 64, 3);
    ready(5, 65, 3);
    ready(5, 1, 1);
    ready(5, 63, 1);
    ready(5, 130, 1);
    for (uint32_t i = ARRAY_SIZE(order); i-- > 0;) {
        vplic_pulse(plic, order[i]);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(order); i++) {
        CHECK_EQ(rd(at_claim(5)), order[i]);
    }
    CHECK_EQ(rd(at_claim(5)), 0);
    end();
}

TEST(priority_zero_never_interrupts)
{
    world();
    enable(0, 9);
    vplic_pulse(plic, 9);
    CHECK(pending(9) && !line[0]);
    CHECK_EQ(rd(at_claim(0)), 0);
    wr(at_priority(9), 2);
    CHECK(line[0]);
    wr(at_priority(9), 0);
    CHECK(!line[0]);
    end();
}

TEST(the_threshold_masks_the_line_and_not_the_claim)
{
    world();
    ready(0, 9, 2);
    wr(at_threshold(0), 2);
    vplic_pulse(plic, 9);
    CHECK(!line[0]);
    wr(at_threshold(0), 1);
    CHECK(line[0]);
    wr(at_threshold(0), 7);
    CHECK(!line[0]);
    CHECK_EQ(rd(at_claim(0)), 9);
    CHECK_EQ(rd(at_threshold(0)), 7);
    end();
}

TEST(only_contexts_that_enable_a_source_are_told)
{
    world();
    ready(3, 40, 1);
    ready(69, 40, 1);
    line_calls = 0;
    vplic_pulse(plic, 40);
    CHECK(line[3] && line[69]);
    CHECK_EQ(line_calls, 2);
    CHECK_EQ(rd(at_claim(69)), 40);
    CHECK(!line[3] && !line[69]);
    CHECK_EQ(rd(at_claim(3)), 0);
    disable(3, 40);
    wr(at_claim(69), 40);
    vplic_pulse(plic, 40);
    CHECK(!line[3] && line[69]);
    disable(69, 40);
    CHECK(!line[69] && pending(40));
    end();
}

TEST(a_completion_counts_only_where_the_source_is_enabled)
{
    world();
    ready(0, 7, 1);
    vplic_set_level(plic, 7, true);
    CHECK_EQ(rd(at_claim(0)), 7);
    wr(at_claim(1), 7);
    CHECK(!pending(7));
    disable(0, 7);
    wr(at_claim(0), 7);
    CHECK(!pending(7));
    enable(0, 7);
    wr(at_claim(0), 7);
    CHECK(pending(7) && line[0]);
    wr(at_claim(0), 7); /* not claimed: nothing to complete */
    CHECK(pending(7));
    end();
}

TEST(registers_hold_what_exists_and_no_more)
{
    world();
    wr(at_priority(0), 5);
    CHECK_EQ(rd(at_priority(0)), 0);
    wr(at_priority(130), 0xffffffff);
    CHECK_EQ(rd(at_priority(130)), 7);
    wr(at_priority(131), 1);
    CHECK_EQ(rd(at_priority(131)), 0);
    wr(at_threshold(1), 0xfffffffe);
    CHECK_EQ(rd(at_threshold(1)), 6);
    for (uint32_t word = 0; word < 32; word++) {
        wr(at_enable(0, word), 0xffffffff);
        wr(at_pending(word), 0xffffffff);
        CHECK_EQ(rd(at_enable(0, word)), word == 0   ? 0xfffffffe
                                         : word < 4  ? 0xffffffff
                                         : word == 4 ? 7
                                                     : 0);
        CHECK_EQ(rd(at_pending(word)), 0);
    }
    wr(at_enable(CONTEXTS, 0), 2);
    CHECK_EQ(rd(at_enable(CONTEXTS, 0)), 0);
    wr(at_threshold(CONTEXTS), 2);
    CHECK_EQ(rd(at_threshold(CONTEXTS)), 0);
    end();
}

TEST(other_widths_are_refused)
{
    static const uint32_t sizes[] = { 1, 2, 8 };
    uint64_t value;

    world();
    ready(0, 7, 1);
    vplic_pulse(plic, 7);
    for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        CHECK(!vplic_read(plic, at_priority(8), sizes[i], &value));
        CHECK(!vplic_write(plic, at_priority(8), sizes[i], 1));
        CHECK(!vplic_read(plic, 0x200008, sizes[i], &value));
    }
    CHECK_EQ(rd(at_priority(8)), 0);
    CHECK(pending(7));
    end();
}

/* Every register and its neighbours, at the smallest and largest sizes: nothing out of bounds. */
TEST(no_offset_and_no_value_reaches_beyond_the_state)
{
    static const uint32_t sources[] = { 2, 64, 65, VPLIC_SOURCES_MAX };
    static const uint32_t contexts[] = { 1, 64, 65, VPLIC_CONTEXTS_MAX };
    static const uint32_t values[] = { 0, 1, 64, 65, 1023, 1024, 0x10000, 0xffffffff };

    for (uint32_t n = 0; n < ARRAY_SIZE(sources); n++) {
        world_of(sources[n], contexts[n]);
        for (uint32_t offset = 0; offset < 0x200000; offset += 4) {
            wr(offset, 0xffffffff);
            (void)rd(offset);
        }
        for (uint32_t i = 0; i < 1100; i++) {
            vplic_set_level(plic, i, true);
            vplic_pulse(plic, i);
            vplic_host_irq(plic, i);
            vplic_unassign(plic, i);
        }
        for (uint32_t c = 0; c < 15872; c++) {
            for (uint32_t i = 0; i < ARRAY_SIZE(values); i++) {
                wr(at_claim(c), values[i]);
                wr(at_threshold(c) + 8, values[i]);
            }
            (void)rd(at_claim(c));
            CHECK_EQ(rd(at_threshold(c) + 0xffc), 0);
        }
        vplic_set_level(plic, UINT32_MAX, true);
        end();
    }
}

/* --- Host interrupts -------------------------------------------------------------- */

TEST(a_host_interrupt_ends_when_the_guest_completes_it)
{
    world();
    ready(0, 20, 1);
    CHECK_EQ(vplic_assign(plic, 20, 33), 0);
    CHECK_EQ(vplic_assign(plic, 20, 34), -XEN_EBUSY);
    CHECK_EQ(vplic_assign(plic, 0, 34), -XEN_EINVAL);
    CHECK_EQ(vplic_assign(plic, SOURCES, 34), -XEN_EINVAL);
    CHECK_EQ(vplic_assign(plic, 21, 0), -XEN_EINVAL);
    for (uint32_t n = 1; n <= 3; n++) {
        vplic_host_irq(plic, 20);
        CHECK_EQ(rd(at_claim(0)), 20);
        CHECK_EQ(completions[33], n - 1);
        wr(at_claim(0), 20);
        CHECK_EQ(completions[33], n);
    }
    wr(at_claim(0), 20);
    CHECK_EQ(completions[33], 3);
    CHECK(!line[0]);
    end();
}

TEST(untying_ends_what_is_active_in_any_state)
{
    for (uint32_t claimed = 0; claimed < 2; claimed++) {
        world();
        ready(0, 20, 1);
        CHECK_EQ(vplic_assign(plic, 20, 33), 0);
        vplic_host_irq(plic, 20);
        if (claimed) {
            CHECK_EQ(rd(at_claim(0)), 20);
        }
        vplic_unassign(plic, 20);
        CHECK_EQ(completions[33], 1);
        CHECK(!line[0] && !pending(20));
        wr(at_claim(0), 20);
        CHECK_EQ(completions[33], 1);
        vplic_host_irq(plic, 20); /* was on its way */
        CHECK_EQ(completions[33], 2);
        CHECK(!pending(20));
        CHECK_EQ(vplic_assign(plic, 20, 34), 0);
        end();
    }
}

/* --- Beside the model --------------------------------------------------------------- */

#define M_CONTEXTS 4
#define M_SOURCES 100

static struct model {
    bool on, ip, busy, again, enabled[M_CONTEXTS];
    uint32_t priority;
    bool tied, host;
} model[M_SOURCES];
static uint32_t model_threshold[M_CONTEXTS], model_completions;

static uint32_t model_best(uint32_t c, uint32_t above)
{
    uint32_t best = 0;

    for (uint32_t i = M_SOURCES - 1; i > 0; i--) {
        if (model[i].ip && model[i].enabled[c] && model[i].priority > above &&
            model[i].priority >= (best ? model[best].priority : 0)) {
            best = i;
        }
    }
    return best;
}

static void model_request(struct model *m)
{
    if (m->busy) {
        m->again = true;
    } else {
        m->ip = true;
    }
}

static void model_complete(uint32_t c, uint32_t i)
{
    struct model *m = &model[i];

    if (i >= 1 && i < M_SOURCES && m->enabled[c] && m->busy) {
        m->ip = m->again || m->on;
        m->busy = m->again = false;
        model_completions += m->host;
        m->host = false;
    }
}

static void model_untie(struct model *m)
{
    if (m->tied) {
        m->ip = m->on && !m->busy;
        m->again = false;
        model_completions += m->host;
        m->host = m->tied = false;
    }
}

static void step_lines(uint32_t i)
{
    struct model *m = &model[i];

    switch (any(5)) {
    case 0:
    case 1:
        m->on = any(2);
        vplic_set_level(plic, i, m->on);
        m->ip |= m->on && !m->busy;
        break;
    case 2:
        vplic_pulse(plic, i);
        model_request(m);
        break;
    case 3:
        if (m->tied && !m->host) {
            vplic_host_irq(plic, i);
            m->host = true;
            model_request(m);
        }
        break;
    default:
        if (any(4) == 0) {
            vplic_unassign(plic, i);
            model_untie(m);
        } else if (!m->tied) {
            CHECK_EQ(vplic_assign(plic, i, 7), 0);
            m->tied = true;
        }
    }
}

static void step_registers(uint32_t c, uint32_t i)
{
    uint32_t value = any(8), bits = any(UINT32_MAX) & any(UINT32_MAX);

    switch (any(3)) {
    case 0:
        wr(at_priority(i), value);
        model[i].priority = value;
        break;
    case 1:
        wr(at_threshold(c), value / 2);
        model_threshold[c] = value / 2;
        break;
    default:
        wr(at_enable(c, i / 32), bits);
        for (uint32_t n = i / 32 * 32; n < i / 32 * 32 + 32; n++) {
            if (n > 0 && n < M_SOURCES) {
                model[n].enabled[c] = bits >> n % 32 & 1;
            }
        }
    }
}

static void random_step(void)
{
    uint32_t c = any(M_CONTEXTS), i = 1 + any(M_SOURCES - 1);

    switch (any(8)) {
    case 0:
        step_registers(c, i);
        break;
    case 1:
    case 2:
    case 3:
        step_lines(i);
        break;
    case 4:
    case 5: {
        uint32_t expected = model_best(c, 0);

        CHECK_EQ(rd(at_claim(c)), expected);
        if (expected) {
            model[expected].ip = false;
            model[expected].busy = true;
        }
        break;
    }
    default:
        wr(at_claim(c), i);
        model_complete(c, i);
    }
}

/* Summaries that are too wide would only cost time: the model does not see that. */
static bool summaries_are_exact(void)
{
    bool ok = true;

    for (uint32_t priority = 0; priority < VPLIC_PRIORITIES; priority++) {
        const struct vplic_level *level = &plic->level[priority];

        ok &= (plic->priorities >> priority & 1) == (level->words != 0);
        for (uint32_t word = 0; word < VPLIC_SOURCES_MAX / 64; word++) {
            ok &= (level->words >> word & 1) == (level->ready[word] != 0);
        }
    }
    for (uint32_t i = 0; i < M_SOURCES; i++) {
        for (uint32_t c = 0; c < M_CONTEXTS; c++) {
            ok &= (plic->enabled_by[i] >> c & 1) == model[i].enabled[c];
        }
    }
    return ok;
}

static bool same(void)
{
    uint32_t words[4] = { 0 };
    bool ok = completions[7] == model_completions && summaries_are_exact();

    for (uint32_t i = 1; i < M_SOURCES; i++) {
        words[i / 32] |= (uint32_t)model[i].ip << i % 32;
    }
    for (uint32_t word = 0; word < 4; word++) {
        ok &= rd(at_pending(word)) == words[word];
    }
    for (uint32_t c = 0; c < M_CONTEXTS; c++) {
        ok &= line[c] == (model_best(c, model_threshold[c]) != 0);
    }
    return ok;
}

static void random_begin(void)
{
    world_of(M_SOURCES, M_CONTEXTS);
    memset(model, 0, sizeof(model));
    memset(model_threshold, 0, sizeof(model_threshold));
    model_completions = 0;
}

TEST(random_operations_beside_a_model)
{
    random_run(&(struct random_test){ 60, 3000, random_begin, random_step, same, end });
}
