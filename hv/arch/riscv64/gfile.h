/* SPDX-License-Identifier: MIT */
/*
 * Guest interrupt files: hardware that vCPUs borrow for their interrupt files
 * (gfile.c). vintc_aia.c decides when.
 */
#ifndef RISCV64_GFILE_H
#define RISCV64_GFILE_H

#include <loam/atomic.h>
#include <loam/lock.h>
#include <loam/types.h>

#define GFILES_MAX 64u /* numbers are 1 to 63: bits of hgeie */

struct pcpu;
struct vimsic;

/* The guest files of one hart. */
struct gfiles {
    struct spinlock lock;  /* LOCK_RANK_VINTC */
    struct pcpu *pcpu;
    uintptr_t page;        /* the hart's own file, mapped; guest file n is n pages further */
    uint32_t ids;          /* identities that its files have, at least VIMSIC_IDS */
    uint64_t free;         /* [lock] bit n: file n is nobody's, whatever it holds */
    uint64_t leaving;      /* atomic, cleared under lock: their owners have left this hart */
    struct vimsic *owner[GFILES_MAX]; /* [lock] */
};

/* files: bit n: there is file n. */
void gfile_init(struct gfiles *g, struct pcpu *p, uint64_t files, uintptr_t page, uint32_t ids);

/*
 * f, all in software and without messages left anywhere (f->left), gets a file of g and its
 * state goes there. False: there is none, nothing happened.
 * Context: g's hart; f's vCPU is being loaded or current. Locks: takes g->lock, f->lock.
 */
bool gfile_take(struct gfiles *g, struct vimsic *f);

/*
 * f's vCPU, which has a file elsewhere, is not to use it any more: f is in software from now
 * on; messages that were sent to the file follow when that hart does gfile_hand_over().
 * Nobody can write to the file's page any more but by vimsic_raise().
 * Context: any CPU; f's vCPU is not loaded there. Locks: takes f->lock.
 */
void gfile_leave(struct vimsic *f);

/* Does what gfile_leave() asked of this hart. Context: g's hart. Locks: takes g->lock, f->lock. */
void gfile_hand_over_all(struct gfiles *g);
static inline void gfile_hand_over(struct gfiles *g)
{
    if (unlikely(atomic_load_relaxed(&g->leaving) != 0)) {
        gfile_hand_over_all(g);
    }
}

/*
 * f's vCPU is taken off its hart: what only itself can change is copied into f. It keeps the file,
 * and a message for it wakes it. Changes vsiselect. Context: the hart where f has its file, which
 * hstatus.VGEIN selects.
 */
void gfile_save(struct vimsic *f);

/* From now on a message for f interrupts this hart, once / not. Context: f's hart. */
void gfile_arm(const struct vimsic *f);
void gfile_disarm(const struct vimsic *f);
/* Messages came for files that were armed: wakes their vCPUs. Context: g's hart. */
void gfile_wake_all(struct gfiles *g);

/* f ceases to be; its vCPU runs nowhere. Context: any CPU. Locks: takes g->lock. */
void gfile_drop(struct vimsic *f);

/* --- Provided by vintc_aia.c, by the test on the host ------------------------ */

/* A message: identity id for file n of g. Context: any CPU. */
void gfile_post(struct gfiles *g, uint32_t file, uint32_t id);
/* f's vCPU has a message. Locks: g->lock is held. */
void gfile_wake(struct vimsic *f);
/* All messages of f are with f again: it may take another file. Locks: g->lock is held. */
void gfile_is_back(struct vimsic *f);

#endif
