/* SPDX-License-Identifier: MIT */
/*
 * The virtual PLIC: what vplic.c (state and registers) and vintc.c (the rest
 * of the hypervisor) are to each other.
 */
#ifndef RISCV64_VPLIC_H
#define RISCV64_VPLIC_H

#include <loam/lock.h>
#include <loam/types.h>

#define VPLIC_SOURCES_MAX 1024u /* source 0 is none (PLIC spec 1.0 ch. 2) */
#define VPLIC_CONTEXTS_MAX 128u
#define VPLIC_PRIORITIES 8u /* 0: never interrupts */
#define VPLIC_SIZE 0x4000000u

/* A source and its gateway. All of it [plic->lock]. */
struct vplic_source {
    uint16_t irq;         /* host interrupt that it is or was tied to, 0: none ever */
    uint8_t priority;
    bool line : 1;        /* level of a line that the hypervisor drives */
    bool pending : 1;     /* the IP bit */
    bool claimed : 1;     /* the gateway waits for a completion */
    bool again : 1;       /* a pulse came meanwhile */
    bool tied : 1;        /* to irq */
    bool host_active : 1; /* irq came and has not been ended at the host */
};

/* One per vCPU, its S mode; the number is the vCPU's. All of it [plic->lock]. */
struct vplic_context {
    uint8_t threshold;
    bool line; /* as vplic_line() was last told */
};

/* Pending sources of one priority. */
struct vplic_level {
    uint32_t words; /* bit w: ready[w] is not 0 */
    uint64_t ready[VPLIC_SOURCES_MAX / 64];
};

struct vplic {
    struct spinlock lock;   /* LOCK_RANK_VINTC */
    uint16_t nr_sources;    /* their numbers are 1 .. nr_sources - 1 */
    uint16_t nr_contexts;
    uint16_t source_words;  /* of a bitmap of sources */
    uint16_t context_words; /* of a bitmap of contexts */
    uint32_t priorities;    /* [lock] bit n: level[n] has a source */
    uint64_t *enabled;      /* [lock] source_words for each context: its enable bits */
    uint64_t *enabled_by;   /* [lock] context_words for each source: the same, the other way */
    struct vplic_source *source;
    struct vplic_context *context;
    struct vplic_level level[VPLIC_PRIORITIES]; /* [lock] */
};

/* Bytes of a PLIC of that size, all in one piece. */
size_t vplic_bytes(uint32_t nr_sources, uint32_t nr_contexts);
/* Makes zeroed memory of vplic_bytes() a PLIC after reset. Sizes: at most those above, not 0. */
void vplic_init(struct vplic *p, uint32_t nr_sources, uint32_t nr_contexts);

/* Registers: aligned accesses below VPLIC_SIZE. False: not 4 bytes wide, nothing happened. */
bool vplic_read(struct vplic *p, uint64_t offset, uint32_t size, uint64_t *value);
bool vplic_write(struct vplic *p, uint64_t offset, uint32_t size, uint64_t value);

/* Level of a line, a pulse on it. No such source: ignored. Any CPU. Locks: takes plic->lock. */
void vplic_set_level(struct vplic *p, uint32_t source, bool level);
void vplic_pulse(struct vplic *p, uint32_t source);

/* As arch_vintc_assign(), arch_vintc_unassign() and arch_vintc_host_irq(). */
int __must_check vplic_assign(struct vplic *p, uint32_t source, uint32_t irq);
void vplic_unassign(struct vplic *p, uint32_t source);
void vplic_host_irq(struct vplic *p, uint32_t source);

/* --- Provided by vintc.c, by the test on the host. Locks: plic->lock is held. --- */

void vplic_line(struct vplic *p, uint32_t context, bool level);
/* The guest is done with a host interrupt that vplic_host_irq() told of. */
void vplic_host_complete(struct vplic *p, uint32_t irq);

#endif
