/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's interrupt file (vimsic.c), and what it asks of vintc_aia.c. It is in software
 * unless the vCPU has a guest file of some hart (gfile.h).
 */
#ifndef RISCV64_VIMSIC_H
#define RISCV64_VIMSIC_H

#include <loam/lock.h>
#include <loam/types.h>

#define VIMSIC_IDS 255u /* identities are 1 .. VIMSIC_IDS (AIA 3.1: 64 n - 1) */
#define VIMSIC_WORDS 4u
#define VIMSIC_PAGE 0x1000u

/* Registers behind siselect and sireg (AIA 3.8); eip and eie in pairs, only even ones on RV64. */
#define ISEL_IPRIO0 0x30u
#define ISEL_IPRIO15 0x3fu
#define ISEL_EIDELIVERY 0x70u
#define ISEL_EITHRESHOLD 0x72u
#define ISEL_EIP0 0x80u
#define ISEL_EIE0 0xc0u
#define ISEL_EIE63 0xffu

struct gfiles;

struct vimsic {
    struct spinlock lock; /* LOCK_RANK_VINTC_CPU */
    uint8_t file, left_file; /* [lock] numbers of its guest files in `in` and `left` */
    struct gfiles *in;    /* [lock] the hart whose guest file it has, NULL: it is in software */
    struct gfiles *left;  /* [lock] a hart that still has messages for it, NULL: none */
    bool line;            /* [lock] as vimsic_line() was last told */
    uint8_t delivery;     /* [lock] eidelivery: 0 or 1 */
    uint16_t threshold;   /* [lock] eithreshold: identities from there on wait; 0: none does */
    uint64_t eip[VIMSIC_WORDS], eie[VIMSIC_WORDS]; /* [lock] */
};

/* An instruction's access to a register: new value = (old & keep) | set, if it writes at all. */
struct vimsic_access {
    bool write;
    uint64_t keep, set;
};

/* Zeroed memory becomes a file as after reset. */
void vimsic_init(struct vimsic *f);

/* Tells the line what follows from the registers. Locks: f->lock is held. */
void vimsic_update(struct vimsic *f);

/* Makes id pending; one that does not exist is ignored. Any CPU. Locks: takes f->lock. */
void vimsic_raise(struct vimsic *f, uint32_t id);

/*
 * sireg with `select` in siselect, and stopei; *old is what the instruction reads. False:
 * there is no such register, or it is in hardware. Locks: takes f->lock.
 */
bool vimsic_ireg(struct vimsic *f, uint64_t select, struct vimsic_access a, uint64_t *old);
bool vimsic_topei(struct vimsic *f, struct vimsic_access a, uint64_t *old);

/*
 * The file's page (AIA 3.5): aligned accesses below VIMSIC_PAGE. False: not 4 bytes wide,
 * nothing happened.
 */
bool vimsic_page_read(uint64_t offset, uint32_t size, uint64_t *value);
bool vimsic_page_write(struct vimsic *f, uint64_t offset, uint32_t size, uint64_t value);

/* --- Provided by vintc_aia.c, by the test on the host. Locks: f->lock is held. --- */

void vimsic_line(struct vimsic *f, bool level);

#endif
