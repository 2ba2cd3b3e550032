/* SPDX-License-Identifier: MIT */
/*
 * The virtual APLIC: what vaplic.c (state and registers) and vintc_aia.c (the
 * rest of the hypervisor) are to each other.
 */
#ifndef RISCV64_VAPLIC_H
#define RISCV64_VAPLIC_H

#include <loam/lock.h>
#include <loam/types.h>

#define VAPLIC_SOURCES_MAX 1024u /* source 0 is none (AIA 4.1) */
#define VAPLIC_SIZE 0x4000u      /* no IDC structures: messages only */

/* All of it [aplic->lock]. */
struct vaplic_source {
    uint32_t target;      /* hart index in bits 31:18, identity in 10:0 */
    uint16_t irq;         /* host interrupt that it is or was tied to, 0: none ever */
    uint8_t mode;         /* sourcecfg.SM */
    bool line : 1;        /* level of its input */
    bool tied : 1;        /* to irq */
    bool host_edge : 1;   /* and that is an edge there */
    bool host_active : 1; /* irq came and has not been ended at the host */
};

struct vaplic {
    struct spinlock lock; /* LOCK_RANK_VINTC */
    uint16_t nr_sources;  /* their numbers are 1 .. nr_sources - 1 */
    uint16_t words;       /* of a bitmap of sources */
    bool on;              /* [lock] domaincfg.IE */
    uint32_t genmsi;      /* [lock] as last written */
    uint64_t *pending, *enabled; /* [lock] bitmaps; inactive sources are in neither */
    struct vaplic_source *source;
};

/* Bytes of an APLIC of that size, all in one piece. */
size_t vaplic_bytes(uint32_t nr_sources);
/* Makes zeroed memory of vaplic_bytes() an APLIC after reset. Size: 2 to VAPLIC_SOURCES_MAX. */
void vaplic_init(struct vaplic *a, uint32_t nr_sources);

/* Registers: aligned accesses below VAPLIC_SIZE. False: not 4 bytes wide, nothing happened. */
bool vaplic_read(struct vaplic *a, uint64_t offset, uint32_t size, uint64_t *value);
bool vaplic_write(struct vaplic *a, uint64_t offset, uint32_t size, uint64_t value);

/* Level of a line, a pulse on it. No such source: ignored. Any CPU. Locks: takes aplic->lock. */
void vaplic_set_level(struct vaplic *a, uint32_t source, bool level);
void vaplic_pulse(struct vaplic *a, uint32_t source);

/* As arch_vintc_assign(), arch_vintc_unassign() and arch_vintc_host_irq(). */
int __must_check vaplic_assign(struct vaplic *a, uint32_t source, uint32_t irq, bool edge);
void vaplic_unassign(struct vaplic *a, uint32_t source);
void vaplic_host_irq(struct vaplic *a, uint32_t source);

/* --- Provided by vintc_aia.c, by the test on the host. Locks: aplic->lock is held. --- */

/* Sends identity id to the file of hart index `hart`; either may not exist. */
void vaplic_msi(struct vaplic *a, uint32_t hart, uint32_t id);
/* The guest is done with a host interrupt that vaplic_host_irq() told of. */
void vaplic_host_complete(struct vaplic *a, uint32_t irq);

#endif
