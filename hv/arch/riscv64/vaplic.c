/* SPDX-License-Identifier: MIT */
/*
 * The virtual APLIC: one supervisor-level interrupt domain without children that
 * always sends messages (RISC-V Advanced Interrupt Architecture 1.0 ch. 4).
 *
 * A source is pending, and as soon as it and the domain are enabled, it is sent to
 * the interrupt file its target register names and not pending any more. When it
 * becomes pending depends on its mode (AIA 4.7, DM = 1):
 *
 *   detached  by setip only
 *   edge      by an edge of the input, or setip
 *   level     when the input becomes active, or by setip while it is; not
 *             pending any more as soon as it is not active
 *
 * A guest with a level-triggered device writes the source's number to setipnum when
 * it has handled one (AIA 4.9.2). So that is where a host interrupt tied to the source
 * ends: its input goes low, the host's controller is told, and if the device
 * still asserts it, it comes again and the input is active anew. Guests that look
 * at the input instead read in_clrip, which does the same. A host interrupt that is an edge
 * is over when it came.
 *
 * All state is under aplic->lock. Nothing here knows a vCPU or the hardware.
 */
#include <loam/bitmap.h>
#include <loam/bits.h>
#include <loam/lock.h>
#include <loam/types.h>
#include <xen/errno.h>

#include "vaplic.h"

#define REG_DOMAINCFG 0x0000u
#define REG_SOURCECFG 0x0004u /* of source 1 */
#define REG_SOURCECFG_END 0x1000u
#define REG_SETIP 0x1c00u
#define REG_SETIPNUM 0x1cdcu
#define REG_IN_CLRIP 0x1d00u
#define REG_CLRIPNUM 0x1ddcu
#define REG_SETIE 0x1e00u
#define REG_SETIENUM 0x1edcu
#define REG_CLRIE 0x1f00u
#define REG_CLRIENUM 0x1fdcu
#define REG_SETIPNUM_LE 0x2000u
#define REG_GENMSI 0x3000u
#define REG_TARGET 0x3004u /* of source 1 */
#define ARRAY_MASK 0x7fu /* of the offset in an array of one bit per source */

#define DOMAINCFG_FIXED 0x80000004u /* bits 31:24, and DM: messages */
#define DOMAINCFG_IE 0x100u
#define SOURCECFG_D 0x400u

enum source_mode {
    MODE_INACTIVE = 0,
    MODE_DETACHED = 1,
    MODE_EDGE1 = 4,
    MODE_EDGE0 = 5,
    MODE_LEVEL1 = 6,
    MODE_LEVEL0 = 7,
};

#define TARGET_HART_SHIFT 18
#define TARGET_ID 0x7ffu
#define TARGET_BITS (~0u << TARGET_HART_SHIFT | TARGET_ID) /* the guest index is always 0 */

/* --- Creation -------------------------------------------------------------- */

size_t vaplic_bytes(uint32_t nr_sources)
{
    return sizeof(struct vaplic) + 2 * BITMAP_WORDS(nr_sources) * sizeof(uint64_t) +
           nr_sources * sizeof(struct vaplic_source);
}

void vaplic_init(struct vaplic *a, uint32_t nr_sources)
{
    a->lock = SPINLOCK_INIT(LOCK_RANK_VINTC);
    a->nr_sources = (uint16_t)nr_sources;
    a->words = (uint16_t)BITMAP_WORDS(nr_sources);
    a->pending = (uint64_t *)(a + 1);
    a->enabled = a->pending + a->words;
    a->source = (struct vaplic_source *)(a->enabled + a->words);
}

static bool source_exists(const struct vaplic *a, uint32_t i)
{
    return i != 0 && i < a->nr_sources;
}

/* --- Inputs, pending, messages ---------------------------------------------- */

static bool is_level(const struct vaplic_source *s)
{
    return s->mode == MODE_LEVEL1 || s->mode == MODE_LEVEL0;
}

/*
 * The input as its mode sees it: rectified (AIA 4.5.2). The line of a tied source says
 * whether the device asserts its interrupt; how it is wired the host's controller knows.
 */
static bool input(const struct vaplic_source *s)
{
    bool inverted = s->mode & 1 && !s->tied;

    return s->mode >= MODE_EDGE1 && s->line != inverted;
}

/* i may be pending and enabled: sent if so. */
static void forward(struct vaplic *a, uint32_t i)
{
    if (a->on && bitmap_test(a->pending, i) && bitmap_test(a->enabled, i)) {
        uint32_t target = a->source[i].target;

        bitmap_clear(a->pending, i);
        vaplic_msi(a, target >> TARGET_HART_SHIFT, target & TARGET_ID);
    }
}

static void pend(struct vaplic *a, uint32_t i)
{
    bitmap_set(a->pending, i);
    forward(a, i);
}

static void set_line(struct vaplic *a, uint32_t i, bool line)
{
    struct vaplic_source *s = &a->source[i];
    bool before = input(s);

    s->line = line;
    if (input(s) && !before) {
        pend(a, i);
    } else if (!input(s) && is_level(s)) {
        bitmap_clear(a->pending, i);
    }
}

void vaplic_set_level(struct vaplic *a, uint32_t source, bool level)
{
    if (source_exists(a, source)) {
        spin_lock(&a->lock);
        set_line(a, source, level);
        spin_unlock(&a->lock);
    }
}

void vaplic_pulse(struct vaplic *a, uint32_t source)
{
    if (source_exists(a, source)) {
        spin_lock(&a->lock);
        set_line(a, source, true);
        set_line(a, source, false);
        spin_unlock(&a->lock);
    }
}

/* --- Host interrupts ------------------------------------------------------------ */

/* The guest handled what it was told of: see above. */
static void end_host(struct vaplic *a, uint32_t i)
{
    struct vaplic_source *s = &a->source[i];

    if (s->host_active) {
        s->host_active = false;
        set_line(a, i, false);
        vaplic_host_complete(a, s->irq);
    }
}

int vaplic_assign(struct vaplic *a, uint32_t source, uint32_t irq, bool edge)
{
    if (!source_exists(a, source) || irq == 0 || irq > UINT16_MAX) {
        return -XEN_EINVAL;
    }
    spin_lock(&a->lock);
    struct vaplic_source *s = &a->source[source];
    int rc = s->tied ? -XEN_EBUSY : 0;

    if (rc == 0) {
        s->tied = true;
        s->host_edge = edge;
        s->irq = (uint16_t)irq;
    }
    spin_unlock(&a->lock);
    return rc;
}

void vaplic_unassign(struct vaplic *a, uint32_t source)
{
    if (source_exists(a, source)) {
        spin_lock(&a->lock);
        end_host(a, source);
        a->source[source].tied = false;
        spin_unlock(&a->lock);
    }
}

void vaplic_host_irq(struct vaplic *a, uint32_t source)
{
    if (!source_exists(a, source)) {
        return;
    }
    spin_lock(&a->lock);
    struct vaplic_source *s = &a->source[source];

    if (!s->tied && s->irq != 0) {
        /* It was on its way while it was untied: nobody else would end it. */
        vaplic_host_complete(a, s->irq);
    } else if (s->tied && s->host_edge) {
        set_line(a, source, true);
        set_line(a, source, false);
        vaplic_host_complete(a, s->irq);
    } else if (s->tied) {
        s->host_active = true;
        set_line(a, source, false); /* one more of a host that sends messages is an edge, too */
        set_line(a, source, true);
    }
    spin_unlock(&a->lock);
}

/* --- One source's registers ------------------------------------------------------- */

static bool is_active(const struct vaplic *a, uint32_t i)
{
    return source_exists(a, i) && a->source[i].mode != MODE_INACTIVE;
}

static void sourcecfg_write(struct vaplic *a, uint32_t i, uint32_t value)
{
    struct vaplic_source *s = &a->source[i];
    uint32_t mode = value & 7;

    if (value & SOURCECFG_D || mode == 2 || mode == 3) {
        mode = MODE_INACTIVE; /* there is nobody to delegate to; reserved modes */
    }
    s->mode = (uint8_t)mode;
    if (mode == MODE_INACTIVE) {
        bitmap_clear(a->pending, i);
        bitmap_clear(a->enabled, i);
        s->target = 0;
    } else if (is_level(s)) {
        bitmap_clear(a->pending, i);
        if (input(s)) {
            pend(a, i);
        }
    }
}

static void set_pending(struct vaplic *a, uint32_t i)
{
    if (!is_active(a, i)) {
        return;
    }
    end_host(a, i);
    if (!is_level(&a->source[i]) || input(&a->source[i])) {
        pend(a, i);
    }
}

static void clear_pending(struct vaplic *a, uint32_t i)
{
    if (source_exists(a, i)) {
        bitmap_clear(a->pending, i);
    }
}

static void set_enabled(struct vaplic *a, uint32_t i)
{
    if (is_active(a, i)) {
        bitmap_set(a->enabled, i);
        forward(a, i);
    }
}

static void clear_enabled(struct vaplic *a, uint32_t i)
{
    if (source_exists(a, i)) {
        bitmap_clear(a->enabled, i);
    }
}

static void target_write(struct vaplic *a, uint32_t i, uint32_t value)
{
    if (is_active(a, i)) {
        a->source[i].target = value & TARGET_BITS;
    }
}

static void domaincfg_write(struct vaplic *a, uint32_t value)
{
    a->on = value & DOMAINCFG_IE;
    for (uint32_t word = 0; a->on && word < a->words; word++) {
        uint64_t ready = a->pending[word] & a->enabled[word];

        for (; ready != 0; ready &= ready - 1) {
            forward(a, word * 64 + ctz64(ready));
        }
    }
}

/* --- Registers ----------------------------------------------------------------------- */

static uint32_t word_read(const struct vaplic *a, const uint64_t *map, uint32_t reg)
{
    return reg / 2 < a->words ? (uint32_t)(map[reg / 2] >> reg % 2 * 32) : 0;
}

static uint32_t inputs_read(struct vaplic *a, uint32_t reg)
{
    uint32_t value = 0;

    for (uint32_t n = 0; n < 32 && reg * 32 + n < a->nr_sources; n++) {
        end_host(a, reg * 32 + n);
        value |= (uint32_t)input(&a->source[reg * 32 + n]) << n;
    }
    return value;
}

static uint32_t read_locked(struct vaplic *a, uint32_t at)
{
    uint32_t reg = (at & ARRAY_MASK) / 4;

    if (at == REG_GENMSI) {
        return a->genmsi;
    }
    if (at >= REG_TARGET) {
        uint32_t i = (at - REG_GENMSI) / 4;

        return source_exists(a, i) ? a->source[i].target : 0;
    }
    if (at >= REG_SOURCECFG && at < REG_SOURCECFG_END) {
        return source_exists(a, at / 4) ? a->source[at / 4].mode : 0;
    }
    switch (at & ~ARRAY_MASK) {
    case REG_DOMAINCFG:
        return DOMAINCFG_FIXED | (a->on ? DOMAINCFG_IE : 0);
    case REG_SETIP:
        return word_read(a, a->pending, reg);
    case REG_IN_CLRIP:
        return inputs_read(a, reg);
    case REG_SETIE:
        return word_read(a, a->enabled, reg);
    default: /* write-only, or nothing there */
        return 0;
    }
}

/* Does op for the source of each bit of register `reg` of an array. */
static void word_write(struct vaplic *a, void (*op)(struct vaplic *, uint32_t), uint32_t reg,
                       uint32_t bits)
{
    for (uint64_t left = bits; left != 0; left &= left - 1) {
        op(a, reg * 32 + ctz64(left));
    }
}

/* Registers that take the number of a source. False: none of them. */
static bool number_write(struct vaplic *a, uint32_t at, uint32_t value)
{
    switch (at) {
    case REG_SETIPNUM:
    case REG_SETIPNUM_LE:
        set_pending(a, value);
        return true;
    case REG_CLRIPNUM:
        clear_pending(a, value);
        return true;
    case REG_SETIENUM:
        set_enabled(a, value);
        return true;
    case REG_CLRIENUM:
        clear_enabled(a, value);
        return true;
    default:
        return false;
    }
}

static void write_locked(struct vaplic *a, uint32_t at, uint32_t value)
{
    uint32_t reg = (at & ARRAY_MASK) / 4;

    if (number_write(a, at, value)) {
        return;
    }
    if (at >= REG_TARGET) {
        target_write(a, (at - REG_GENMSI) / 4, value);
    } else if (at == REG_GENMSI) { /* sent whether the domain is enabled or not (AIA 4.5.15) */
        a->genmsi = value & TARGET_BITS;
        vaplic_msi(a, value >> TARGET_HART_SHIFT, value & TARGET_ID);
    } else if (at >= REG_SOURCECFG && at < REG_SOURCECFG_END) {
        if (source_exists(a, at / 4)) {
            sourcecfg_write(a, at / 4, value);
        }
    } else if (at == REG_DOMAINCFG) {
        domaincfg_write(a, value);
    } else if ((at & ~ARRAY_MASK) == REG_SETIP) {
        word_write(a, set_pending, reg, value);
    } else if ((at & ~ARRAY_MASK) == REG_IN_CLRIP) {
        word_write(a, clear_pending, reg, value);
    } else if ((at & ~ARRAY_MASK) == REG_SETIE) {
        word_write(a, set_enabled, reg, value);
    } else if ((at & ~ARRAY_MASK) == REG_CLRIE) {
        word_write(a, clear_enabled, reg, value);
    }
}

bool vaplic_read(struct vaplic *a, uint64_t offset, uint32_t size, uint64_t *value)
{
    if (size != 4) {
        return false;
    }
    spin_lock(&a->lock);
    *value = read_locked(a, (uint32_t)offset);
    spin_unlock(&a->lock);
    return true;
}

bool vaplic_write(struct vaplic *a, uint64_t offset, uint32_t size, uint64_t value)
{
    if (size != 4) {
        return false;
    }
    spin_lock(&a->lock);
    write_locked(a, (uint32_t)offset, (uint32_t)value);
    spin_unlock(&a->lock);
    return true;
}
