/* SPDX-License-Identifier: MIT */
/*
 * Guest interrupt files: which vCPU has which, and how an interrupt file moves
 * between memory (struct vimsic) and the hart.
 *
 * A vCPU that is loaded on a hart with a free file takes it, and keeps it while
 * it is not loaded: messages go on arriving there. One that is loaded on another hart
 * goes on in software, since only the old hart can read the file: what the vCPU alone
 * changes was copied when it was last saved, and the old hart hands the pending identities
 * over when it is asked to. To the guest those messages were on their way a little longer.
 * So there may be more vCPUs than files, and nobody waits for another hart.
 *
 *            take (loaded)              leave (loaded elsewhere)
 *   software ------------> in a file ------------------------> software, `left` set
 *       ^                                                               |
 *       +------------------- hand over (the old hart) ------------------+
 *
 * g->lock goes before f->lock. A file that is free may hold anything: all of it is
 * written when it is taken.
 */
#include <loam/atomic.h>
#include <loam/bits.h>
#include <loam/lock.h>
#include <loam/string.h>
#include <loam/types.h>

#include "gfile.h"
#include "gfile_hw.h"
#include "vimsic.h"

void gfile_init(struct gfiles *g, struct pcpu *p, uint64_t files, uintptr_t page, uint32_t ids)
{
    g->lock = SPINLOCK_INIT(LOCK_RANK_VINTC);
    g->pcpu = p;
    g->free = files & ~UINT64_C(1);
    g->page = page;
    g->ids = ids;
}

static uint32_t pick(struct gfiles *g, struct vimsic *f)
{
    uint32_t file = 0;

    spin_lock(&g->lock);
    if (g->free != 0) {
        file = ctz64(g->free);
        g->free &= ~BIT(file);
        g->owner[file] = f;
    }
    spin_unlock(&g->lock);
    return file;
}

bool gfile_take(struct gfiles *g, struct vimsic *f)
{
    uint32_t file = pick(g, f);

    if (file == 0) {
        return false;
    }
    struct gfile_window w = gfile_open(file);

    spin_lock(&f->lock);
    /* All that the file has, also what we do not tell guests of: it held another's state. */
    for (uint32_t word = 0; word <= g->ids / 64; word++) {
        gfile_reg_write(ISEL_EIP0 + 2 * word, word < VIMSIC_WORDS ? f->eip[word] : 0);
        gfile_reg_write(ISEL_EIE0 + 2 * word, word < VIMSIC_WORDS ? f->eie[word] : 0);
    }
    memset(f->eip, 0, sizeof(f->eip));
    gfile_reg_write(ISEL_EITHRESHOLD, f->threshold);
    gfile_reg_write(ISEL_EIDELIVERY, f->delivery);
    f->in = g;
    f->file = (uint8_t)file;
    vimsic_update(f);
    spin_unlock(&f->lock);
    gfile_close(w);
    return true;
}

void gfile_leave(struct vimsic *f)
{
    spin_lock(&f->lock);
    struct gfiles *g = f->in;
    uint32_t file = f->file;

    f->left = g;
    f->left_file = (uint8_t)file;
    f->in = NULL;
    spin_unlock(&f->lock);
    /* Full barrier: f->left is there before. Partner: gfile_hand_over(). */
    (void)atomic_fetch_or(&g->leaving, BIT(file));
}

/* The pending identities of `file` become those of its owner. [g->lock] */
static void hand_over(struct gfiles *g, uint32_t file)
{
    struct vimsic *f = g->owner[file];
    struct gfile_window w = gfile_open(file);

    spin_lock(&f->lock);
    for (uint32_t word = 0; word < VIMSIC_WORDS; word++) {
        f->eip[word] |= gfile_reg_read(ISEL_EIP0 + 2 * word);
    }
    f->left = NULL;
    vimsic_update(f);
    spin_unlock(&f->lock);
    gfile_close(w);
    g->owner[file] = NULL;
    g->free |= BIT(file);
    gfile_is_back(f);
}

void gfile_hand_over_all(struct gfiles *g)
{
    spin_lock(&g->lock);
    uint64_t files = atomic_exchange(&g->leaving, 0);

    gfile_irq_off(files);
    for (; files != 0; files &= files - 1) {
        hand_over(g, ctz64(files));
    }
    spin_unlock(&g->lock);
}

void gfile_save(struct vimsic *f)
{
    /* Nobody looks at these before the vCPU is loaded elsewhere and leaves the file. */
    for (uint32_t word = 0; word < VIMSIC_WORDS; word++) {
        f->eie[word] = gfile_reg_read(ISEL_EIE0 + 2 * word);
    }
    f->threshold = (uint16_t)gfile_reg_read(ISEL_EITHRESHOLD);
    f->delivery = (uint8_t)gfile_reg_read(ISEL_EIDELIVERY);
    gfile_arm(f);
}

void gfile_arm(const struct vimsic *f) { gfile_irq_on(BIT(f->file)); }

void gfile_disarm(const struct vimsic *f) { gfile_irq_off(BIT(f->file)); }

void gfile_wake_all(struct gfiles *g)
{
    uint64_t files = gfile_irq_pending();

    gfile_irq_off(files); /* a vCPU that runs needs no help, one that waits again arms anew */
    spin_lock(&g->lock);
    for (; files != 0; files &= files - 1) {
        struct vimsic *f = g->owner[ctz64(files)];

        if (f != NULL) {
            gfile_wake(f);
        }
    }
    spin_unlock(&g->lock);
}

static void drop(struct gfiles *g, uint32_t file, const struct vimsic *f)
{
    /* What it left may have been handed over meanwhile, and the file be another's. */
    spin_lock(&g->lock);
    if (g->owner[file] == f) {
        g->owner[file] = NULL;
        g->free |= BIT(file);
        (void)atomic_fetch_and(&g->leaving, ~BIT(file));
    }
    spin_unlock(&g->lock);
}

void gfile_drop(struct vimsic *f)
{
    struct gfiles *left = atomic_load_relaxed(&f->left);

    if (left != NULL) {
        drop(left, f->left_file, f);
    }
    if (f->in != NULL) {
        drop(f->in, f->file, f);
    }
}
