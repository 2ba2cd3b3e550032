/* SPDX-License-Identifier: MIT */
/*
 * VMIDs: the small numbers by which a CPU's TLB tells the maps of domains
 * apart, and who has which (mm/vmid.c).
 *
 * The architecture composes the register that selects a map from the root and
 * vmid_loaded(), writes it, and empties its own CPU's TLB when it is told to.
 */
#ifndef LOAM_VMID_H
#define LOAM_VMID_H

#include <loam/lock.h>
#include <loam/types.h>

struct domain;
struct pcpu;

#define VMID_BITS_MAX 16

/* A domain's VMID. Zeroed memory: none yet. */
struct vmid {
    /*
     * The VMID in the lowest 16 bits; above them what makes the tag one that was
     * never given out before. Changes under the pool's lock, is read without.
     */
    uint64_t tag;
    uint64_t generation; /* the last one in which it counted; 0: it has none. As tag. */
};

/* A CPU's part. Written by that CPU, but for kept. */
struct vmid_pcpu {
    uint64_t tag;        /* of the map that this CPU has. shared, read only */
    uint64_t generation; /* of the VMIDs that this CPU's TLB may hold */
    uint64_t kept;       /* [pool's lock] tag at the last rollover */
};

struct vmid_pool {
    uint64_t generation;  /* [lock] read without; 0 is never current */
    uint64_t next;        /* [lock] the VMID to try next; with 0 bits, of the tag */
    struct spinlock lock; /* LOCK_RANK_VMID */
    uint8_t bits;         /* 0: every domain has VMID 0 */
};

/*
 * Prepares the pool of a machine with VMIDs of `bits` bits (0 to VMID_BITS_MAX)
 * and at most nr_cpus CPUs. VMIDs that are too few to keep one for each CPU are
 * not used at all: then a CPU empties its TLB whenever it changes domains.
 * Context: before a domain is made.
 */
void vmid_pool_init(struct vmid_pool *pool, uint32_t bits, uint32_t nr_cpus);

/* Prepares a CPU's part: it has no map, and its TLB is to be emptied before it has. */
void vmid_pcpu_init(struct vmid_pcpu *cpu);

/*
 * Makes d's map the one of CPU p, as far as VMIDs are concerned. Returns true
 * if p's TLB must be emptied of all that guests left, after d's map is selected
 * and before a guest runs. Until p's next call d's VMID does not change.
 * Context: p itself. Locks: takes the pool's lock when VMIDs run out or p or d
 * was away then; with 0 bits, once for each domain.
 */
__must_check bool vmid_load(struct domain *d, struct pcpu *p);

/* p has the map of this domain already: nothing to load. Context: p itself. */
static inline bool vmid_is_loaded(const struct vmid *vmid, const struct vmid_pcpu *cpu)
{
    return cpu->tag == vmid->tag && cpu->generation == vmid->generation;
}

/* Some CPU may have translations of this domain. */
static inline bool vmid_is_used(const struct vmid *vmid)
{
    return atomic_load_relaxed(&vmid->generation) != 0;
}

/* The VMID that belongs into this CPU's register, after vmid_load(). Context: the CPU itself. */
static inline uint16_t vmid_loaded(const struct vmid_pcpu *cpu)
{
    return (uint16_t)cpu->tag;
}

/*
 * The VMID that a flush of the domain is for. Another CPU may be giving the
 * domain a new one: then no TLB has anything of the domain under the new one
 * that is older than this call.
 */
static inline uint16_t vmid_of(const struct vmid *vmid)
{
    return (uint16_t)atomic_load_relaxed(&vmid->tag);
}

#endif
