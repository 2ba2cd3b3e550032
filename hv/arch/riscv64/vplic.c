/* SPDX-License-Identifier: MIT */
/*
 * The virtual PLIC (RISC-V Platform-Level Interrupt Controller Specification
 * 1.0): gateways, priorities, claim and completion, and its registers.
 *
 *   0x000000 + 4 * source                priority
 *   0x001000 + 4 * word                  pending bits
 *   0x002000 + 0x80 * context + 4 * word enable bits
 *   0x200000 + 0x1000 * context          threshold, claim/complete
 *
 * A gateway passes one request on and then waits for the completion: a source is
 * idle, pending, or claimed. While it is claimed a level stays where it is
 * (`line`), a pulse is kept (`again`); at the completion either makes it
 * pending anew. What is pending stays so until claimed, even if the line falls.
 *
 * To find the source to claim takes a few steps, however many there are: pending
 * sources are in one bitmap for each priority, with summaries of words and of
 * priorities that are not empty. A change of a source concerns the contexts
 * that enable it only (`enabled_by`), mostly one.
 *
 * All state is under plic->lock. Nothing here knows a vCPU or the hardware: read
 * next vintc.c, and tests/unit/test_riscv64_vplic.c.
 */
#include <loam/bits.h>
#include <loam/lock.h>
#include <loam/string.h>
#include <loam/types.h>
#include <xen/errno.h>

#include "vplic.h"

#define REG_PENDING 0x1000u
#define REG_ENABLE 0x2000u
#define REG_CONTEXT 0x200000u
#define ENABLE_STRIDE 0x80u
#define CONTEXT_STRIDE 0x1000u
#define CONTEXT_THRESHOLD 0u
#define CONTEXT_CLAIM 4u

/* --- Creation -------------------------------------------------------------- */

static size_t bitmaps_bytes(uint32_t nr_sources, uint32_t nr_contexts)
{
    size_t words = nr_contexts * ((nr_sources + 63) / 64) + nr_sources * ((nr_contexts + 63) / 64);

    return words * sizeof(uint64_t);
}

size_t vplic_bytes(uint32_t nr_sources, uint32_t nr_contexts)
{
    return sizeof(struct vplic) + bitmaps_bytes(nr_sources, nr_contexts) +
           nr_sources * sizeof(struct vplic_source) + nr_contexts * sizeof(struct vplic_context);
}

void vplic_init(struct vplic *p, uint32_t nr_sources, uint32_t nr_contexts)
{
    p->lock = SPINLOCK_INIT(LOCK_RANK_VINTC);
    p->nr_sources = (uint16_t)nr_sources;
    p->nr_contexts = (uint16_t)nr_contexts;
    p->source_words = (uint16_t)((nr_sources + 63) / 64);
    p->context_words = (uint16_t)((nr_contexts + 63) / 64);
    p->enabled = (uint64_t *)(p + 1);
    p->enabled_by = p->enabled + nr_contexts * p->source_words;
    p->source = (struct vplic_source *)(p->enabled_by + nr_sources * p->context_words);
    p->context = (struct vplic_context *)(p->source + nr_sources);
}

/* --- Pending sources, by priority -------------------------------------------- */

static void level_add(struct vplic *p, uint32_t i)
{
    uint32_t priority = p->source[i].priority;
    struct vplic_level *level = &p->level[priority];

    level->ready[i / 64] |= BIT(i % 64);
    level->words |= 1u << i / 64;
    p->priorities |= 1u << priority;
}

static void level_remove(struct vplic *p, uint32_t i)
{
    uint32_t priority = p->source[i].priority;
    struct vplic_level *level = &p->level[priority];

    level->ready[i / 64] &= ~BIT(i % 64);
    if (level->ready[i / 64] == 0) {
        level->words &= ~(1u << i / 64);
        if (level->words == 0) {
            p->priorities &= ~(1u << priority);
        }
    }
}

/*
 * The pending source that context enables with the highest priority above
 * `above`, of several the lowest number; 0: none.
 */
static uint32_t best_source(const struct vplic *p, uint32_t context, uint32_t above)
{
    const uint64_t *enabled = &p->enabled[context * p->source_words];
    uint64_t priorities = p->priorities & ~((2u << above) - 1);

    while (priorities != 0) {
        uint32_t priority = ilog2(priorities);
        const struct vplic_level *level = &p->level[priority];

        for (uint64_t words = level->words; words != 0; words &= words - 1) {
            uint32_t word = ctz64(words);
            uint64_t hit = level->ready[word] & enabled[word];

            if (hit != 0) {
                return word * 64 + ctz64(hit);
            }
        }
        priorities &= ~BIT(priority);
    }
    return 0;
}

static void context_update(struct vplic *p, uint32_t context)
{
    struct vplic_context *c = &p->context[context];
    bool line = best_source(p, context, c->threshold) != 0;

    if (line != c->line) {
        c->line = line;
        vplic_line(p, context, line);
    }
}

/* Source i became pending or ceased to be, or its priority changed: who enables it may care. */
static void source_changed(struct vplic *p, uint32_t i)
{
    for (uint32_t word = 0; word < p->context_words; word++) {
        uint64_t contexts = p->enabled_by[i * p->context_words + word];

        for (; contexts != 0; contexts &= contexts - 1) {
            context_update(p, word * 64 + ctz64(contexts));
        }
    }
}

/* --- Gateways ------------------------------------------------------------------ */

static void source_set_pending(struct vplic *p, uint32_t i, bool pending)
{
    struct vplic_source *s = &p->source[i];

    if (s->pending == pending) {
        return;
    }
    s->pending = pending;
    if (pending) {
        level_add(p, i);
    } else {
        level_remove(p, i);
    }
    source_changed(p, i);
}

static void source_pulse(struct vplic *p, uint32_t i)
{
    struct vplic_source *s = &p->source[i];

    if (s->claimed) {
        s->again = true;
    } else {
        source_set_pending(p, i, true);
    }
}

static bool source_exists(const struct vplic *p, uint32_t i) { return i != 0 && i < p->nr_sources; }

void vplic_set_level(struct vplic *p, uint32_t source, bool level)
{
    if (!source_exists(p, source)) {
        return;
    }
    spin_lock(&p->lock);
    struct vplic_source *s = &p->source[source];

    s->line = level;
    if (level && !s->claimed) {
        source_set_pending(p, source, true);
    }
    spin_unlock(&p->lock);
}

void vplic_pulse(struct vplic *p, uint32_t source)
{
    if (!source_exists(p, source)) {
        return;
    }
    spin_lock(&p->lock);
    source_pulse(p, source);
    spin_unlock(&p->lock);
}

/* --- Host interrupts -------------------------------------------------------------- */

static void source_end_host(struct vplic *p, struct vplic_source *s)
{
    if (s->host_active) {
        s->host_active = false;
        vplic_host_complete(p, s->irq);
    }
}

int vplic_assign(struct vplic *p, uint32_t source, uint32_t irq)
{
    if (!source_exists(p, source) || irq == 0 || irq > UINT16_MAX) {
        return -XEN_EINVAL;
    }
    spin_lock(&p->lock);
    struct vplic_source *s = &p->source[source];
    int rc = s->tied ? -XEN_EBUSY : 0;

    if (rc == 0) {
        s->tied = true;
        s->irq = (uint16_t)irq;
    }
    spin_unlock(&p->lock);
    return rc;
}

void vplic_unassign(struct vplic *p, uint32_t source)
{
    if (!source_exists(p, source)) {
        return;
    }
    spin_lock(&p->lock);
    struct vplic_source *s = &p->source[source];

    if (s->tied) {
        s->tied = false;
        s->again = false;
        source_set_pending(p, source, s->line && !s->claimed);
        source_end_host(p, s);
    }
    spin_unlock(&p->lock);
}

void vplic_host_irq(struct vplic *p, uint32_t source)
{
    if (!source_exists(p, source)) {
        return;
    }
    spin_lock(&p->lock);
    struct vplic_source *s = &p->source[source];

    if (s->tied) {
        s->host_active = true;
        source_pulse(p, source);
    } else if (s->irq != 0) {
        /* It was on its way while it was untied: nobody else would end it. */
        vplic_host_complete(p, s->irq);
    }
    spin_unlock(&p->lock);
}

/* --- Contexts ------------------------------------------------------------------------ */

/* PLIC spec 1.0 ch. 8: the threshold does not matter to a claim. */
static uint32_t claim(struct vplic *p, uint32_t context)
{
    uint32_t i = best_source(p, context, 0);

    if (i != 0) {
        p->source[i].claimed = true;
        source_set_pending(p, i, false);
    }
    return i;
}

/* PLIC spec 1.0 ch. 9: ignored for a source that is not enabled for the context. */
static void complete(struct vplic *p, uint32_t context, uint32_t i)
{
    if (!source_exists(p, i) || !(p->enabled[context * p->source_words + i / 64] >> i % 64 & 1)) {
        return;
    }
    struct vplic_source *s = &p->source[i];

    if (s->claimed) {
        bool again = s->again || s->line;

        s->claimed = false;
        s->again = false;
        source_end_host(p, s);
        source_set_pending(p, i, again);
    }
}

/* --- Registers ------------------------------------------------------------------------- */

/* Half of a bitmap's 64-bit word: registers have 32 bits. */
static uint32_t half_read(uint64_t word, uint32_t reg) { return (uint32_t)(word >> reg % 2 * 32); }

/* Which sources of register `reg` of a bitmap there are. */
static uint32_t sources_mask(const struct vplic *p, uint32_t reg)
{
    uint32_t first = reg * 32, mask = first == 0 ? ~1u : ~0u;

    if (first >= p->nr_sources) {
        return 0;
    }
    return p->nr_sources - first >= 32 ? mask : mask & ((1u << (p->nr_sources - first)) - 1);
}

static uint32_t pending_read(const struct vplic *p, uint32_t reg)
{
    uint64_t word = 0;

    for (uint32_t priority = 0; priority < VPLIC_PRIORITIES; priority++) {
        word |= p->level[priority].ready[reg / 2];
    }
    return half_read(word, reg);
}

static void enable_write(struct vplic *p, uint32_t context, uint32_t reg, uint32_t value)
{
    if (sources_mask(p, reg) == 0) {
        return;
    }
    uint64_t *word = &p->enabled[context * p->source_words + reg / 2];
    uint64_t changed = (uint64_t)(half_read(*word, reg) ^ (value & sources_mask(p, reg)))
                       << reg % 2 * 32;

    *word ^= changed;
    for (; changed != 0; changed &= changed - 1) {
        uint32_t i = reg / 2 * 64 + ctz64(changed);

        p->enabled_by[i * p->context_words + context / 64] ^= BIT(context % 64);
    }
    context_update(p, context);
}

static void priority_write(struct vplic *p, uint32_t i, uint32_t value)
{
    if (!source_exists(p, i)) {
        return;
    }
    struct vplic_source *s = &p->source[i];

    if (s->pending) {
        level_remove(p, i);
    }
    s->priority = value % VPLIC_PRIORITIES;
    if (s->pending) {
        level_add(p, i);
        source_changed(p, i);
    }
}

static uint32_t context_read(struct vplic *p, uint32_t context, uint32_t reg)
{
    if (context >= p->nr_contexts) {
        return 0;
    }
    return reg == CONTEXT_CLAIM       ? claim(p, context)
           : reg == CONTEXT_THRESHOLD ? p->context[context].threshold
                                      : 0;
}

static void context_write(struct vplic *p, uint32_t context, uint32_t reg, uint32_t value)
{
    if (context >= p->nr_contexts) {
        return;
    }
    if (reg == CONTEXT_CLAIM) {
        complete(p, context, value);
    } else if (reg == CONTEXT_THRESHOLD) {
        p->context[context].threshold = value % VPLIC_PRIORITIES;
        context_update(p, context);
    }
}

/* Splits the offset of a register among the enable bits. False: there is none. */
static bool enable_register(const struct vplic *p, uint32_t offset, uint32_t *context,
                            uint32_t *reg)
{
    *context = (offset - REG_ENABLE) / ENABLE_STRIDE;
    *reg = offset % ENABLE_STRIDE / 4;
    return *context < p->nr_contexts && *reg / 2 < p->source_words;
}

static uint32_t setup_read(const struct vplic *p, uint32_t offset)
{
    uint32_t context, reg;

    if (offset < REG_PENDING) {
        return source_exists(p, offset / 4) ? p->source[offset / 4].priority : 0;
    }
    if (offset < REG_ENABLE) {
        reg = (offset - REG_PENDING) / 4;
        return reg < VPLIC_SOURCES_MAX / 32 ? pending_read(p, reg) : 0;
    }
    if (enable_register(p, offset, &context, &reg)) {
        return half_read(p->enabled[context * p->source_words + reg / 2], reg);
    }
    return 0;
}

static void setup_write(struct vplic *p, uint32_t offset, uint32_t value)
{
    uint32_t context, reg;

    if (offset < REG_PENDING) {
        priority_write(p, offset / 4, value);
    } else if (offset >= REG_ENABLE && enable_register(p, offset, &context, &reg)) {
        enable_write(p, context, reg, value);
    }
}

bool vplic_read(struct vplic *p, uint64_t offset, uint32_t size, uint64_t *value)
{
    uint32_t at = (uint32_t)offset;

    if (size != 4) {
        return false;
    }
    spin_lock(&p->lock);
    if (likely(at >= REG_CONTEXT)) { /* what guests read at run time */
        *value = context_read(p, (at - REG_CONTEXT) / CONTEXT_STRIDE, at % CONTEXT_STRIDE);
    } else {
        *value = setup_read(p, at);
    }
    spin_unlock(&p->lock);
    return true;
}

bool vplic_write(struct vplic *p, uint64_t offset, uint32_t size, uint64_t value)
{
    uint32_t at = (uint32_t)offset;

    if (size != 4) {
        return false;
    }
    spin_lock(&p->lock);
    if (likely(at >= REG_CONTEXT)) {
        context_write(p, (at - REG_CONTEXT) / CONTEXT_STRIDE, at % CONTEXT_STRIDE, (uint32_t)value);
    } else {
        setup_write(p, at, (uint32_t)value);
    }
    spin_unlock(&p->lock);
    return true;
}
