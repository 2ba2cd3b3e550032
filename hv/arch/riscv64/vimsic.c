/* SPDX-License-Identifier: MIT */
/*
 * An IMSIC interrupt file in software (RISC-V Advanced Interrupt Architecture
 * 1.0 ch. 3): a set of pending and a set of enabled identities; the lowest that
 * is in both, and below the threshold, is the one to take.
 *
 * Messages come from anywhere, the registers are used by the one vCPU that the file
 * belongs to; both under f->lock, so that the line always tells the last state. While
 * the vCPU has a guest file, the hart does all that and messages are passed on to it.
 */
#include <loam/bits.h>
#include <loam/lock.h>
#include <loam/types.h>

#include "gfile.h"
#include "vimsic.h"

#define PAGE_SETEIPNUM_LE 0u

void vimsic_init(struct vimsic *f) { f->lock = SPINLOCK_INIT(LOCK_RANK_VINTC_CPU); }

/* The identity to take, 0: none. */
static uint32_t top(const struct vimsic *f)
{
    for (uint32_t word = 0; word < VIMSIC_WORDS; word++) {
        uint64_t hit = f->eip[word] & f->eie[word];

        if (hit != 0) {
            uint32_t id = word * 64 + ctz64(hit);

            return f->threshold == 0 || id < f->threshold ? id : 0;
        }
    }
    return 0;
}

void vimsic_update(struct vimsic *f)
{
    bool line = f->in == NULL && f->delivery && top(f) != 0;

    if (line != f->line) {
        f->line = line;
        vimsic_line(f, line);
    }
}

void vimsic_raise(struct vimsic *f, uint32_t id)
{
    if (id == 0 || id > VIMSIC_IDS) {
        return;
    }
    spin_lock(&f->lock);
    if (f->in != NULL) {
        gfile_post(f->in, f->file, id);
    } else {
        f->eip[id / 64] |= BIT(id % 64);
        vimsic_update(f);
    }
    spin_unlock(&f->lock);
}

/* --- Registers ---------------------------------------------------------------- */

static inline uint64_t changed(struct vimsic_access a, uint64_t old)
{
    return a.write ? (old & a.keep) | a.set : old;
}

/* eip and eie of identities that do not exist are 0, as is that of identity 0. */
static uint64_t array_access(uint64_t *array, uint64_t reg, struct vimsic_access a)
{
    uint64_t word = reg / 2;

    if (word >= VIMSIC_WORDS) {
        return 0;
    }
    uint64_t old = array[word];

    array[word] = changed(a, old) & ~(word == 0 ? UINT64_C(1) : 0);
    return old;
}

/* Priorities of the vCPU's own interrupts (AIA 2.3): all alike, which the spec allows. */
static bool is_iprio(uint64_t select)
{
    return select >= ISEL_IPRIO0 && select <= ISEL_IPRIO15 && select % 2 == 0;
}

bool vimsic_ireg(struct vimsic *f, uint64_t select, struct vimsic_access a, uint64_t *old)
{
    bool exists = true;

    spin_lock(&f->lock);
    if (is_iprio(select)) {
        *old = 0;
    } else if (f->in != NULL) {
        exists = false;
    } else if (select == ISEL_EIDELIVERY) {
        *old = f->delivery;
        f->delivery = changed(a, *old) & 1;
    } else if (select == ISEL_EITHRESHOLD) {
        *old = f->threshold;
        f->threshold = (uint16_t)(changed(a, *old) & VIMSIC_IDS);
    } else if (select >= ISEL_EIP0 && select <= ISEL_EIE63 && select % 2 == 0) {
        *old = select < ISEL_EIE0 ? array_access(f->eip, select - ISEL_EIP0, a)
                                  : array_access(f->eie, select - ISEL_EIE0, a);
    } else {
        exists = false;
    }
    if (a.write) {
        vimsic_update(f);
    }
    spin_unlock(&f->lock);
    return exists;
}

/* AIA 3.10: a write, whatever the value, claims what a read reports. */
bool vimsic_topei(struct vimsic *f, struct vimsic_access a, uint64_t *old)
{
    spin_lock(&f->lock);
    bool here = f->in == NULL;
    uint32_t id = here ? top(f) : 0;

    *old = (uint64_t)id << 16 | id;
    if (a.write && id != 0) {
        f->eip[id / 64] &= ~BIT(id % 64);
        vimsic_update(f);
    }
    spin_unlock(&f->lock);
    return here;
}

bool vimsic_page_read(uint64_t offset, uint32_t size, uint64_t *value)
{
    *value = 0;
    return size == 4;
}

bool vimsic_page_write(struct vimsic *f, uint64_t offset, uint32_t size, uint64_t value)
{
    if (size == 4 && offset == PAGE_SETEIPNUM_LE) {
        vimsic_raise(f, (uint32_t)value);
    }
    return size == 4;
}
