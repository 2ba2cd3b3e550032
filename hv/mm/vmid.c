/* SPDX-License-Identifier: MIT */
/*
 * Who has which VMID.
 *
 * A domain's VMID counts only together with the generation that it was taken
 * in. When VMIDs run out the generation goes up (a rollover), and every CPU
 * empties its TLB before it uses a VMID of the new one (p->vmid.generation). A
 * CPU that is in a guest meanwhile does not stop: the tag that it has at that
 * moment is kept (p->vmid.kept). For the whole new generation its VMID is given
 * to no other domain, and the domain goes on using it. Thus
 *
 * - a VMID means one domain on all CPUs that use it without an empty TLB in
 *   between, and
 * - a domain has one VMID, so that a flush by VMID finds all of its entries.
 *
 * A tag is the generation in which a VMID was taken and the VMID: no two
 * domains ever have the same, so a kept VMID is known to be the domain's own.
 *
 * p->vmid.tag is what a rollover looks at. A CPU that writes it without the
 * lock looks at the generation again afterwards (load_current()): either the
 * rollover finds what it uses, or it notices the rollover.
 *
 * Without VMIDs (0 bits) the pool's generation is 0 for good, which no CPU and
 * no domain ever has: each load is the unusual case and empties the TLB.
 *
 * Locks: pool->lock. Next: the architecture's stage2.c.
 */
#include <arch/stage2.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/vmid.h>

#define TAG_SHIFT 16
#define GENERATION_NONE UINT64_MAX /* of a CPU: not even of a domain that has no VMID */
#define GENERATION_ONLY 1          /* of CPUs and domains where there are no VMIDs */

void vmid_pool_init(struct vmid_pool *pool, uint32_t bits, uint32_t nr_cpus)
{
    /* VMID 0 is no domain's. After a rollover one must be left that no CPU keeps. */
    bool enough = (1u << bits) - 1 > nr_cpus;

    *pool = (struct vmid_pool){
        .lock = SPINLOCK_INIT(LOCK_RANK_VMID),
        .bits = enough ? (uint8_t)bits : 0,
        .generation = enough ? 1 : 0,
        .next = 1,
    };
}

void vmid_pcpu_init(struct vmid_pcpu *cpu)
{
    *cpu = (struct vmid_pcpu){ .generation = GENERATION_NONE };
}

/* VMIDs have run out: only those that CPUs are using now stay. pool->lock is held. */
static void rollover_locked(struct hv *hv)
{
    struct vmid_pool *pool = &hv->vmids;

    atomic_store_relaxed(&pool->generation, pool->generation + 1);
    pool->next = 1;
    /* The generation is seen before the CPUs are looked at. Partner: load_current(). */
    smp_mb();
    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        struct pcpu *p = hv->pcpus[i];

        if (p != NULL) {
            p->vmid.kept = atomic_load_relaxed(&p->vmid.tag);
        }
    }
}

/* Did the last rollover keep a tag that is like this one in the bits of mask? */
static bool is_kept_locked(const struct hv *hv, uint64_t tag, uint64_t mask)
{
    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        const struct pcpu *p = hv->pcpus[i];

        if (p != NULL && ((p->vmid.kept ^ tag) & mask) == 0) {
            return true;
        }
    }
    return false;
}

/* Gives a domain a VMID of the current generation. pool->lock is held. */
static void renew_locked(struct hv *hv, struct vmid *vmid)
{
    struct vmid_pool *pool = &hv->vmids;

    if (vmid->generation == 0 || !is_kept_locked(hv, vmid->tag, UINT64_MAX)) {
        uint64_t number;

        /* There are more VMIDs than CPUs (vmid_pool_init()): the search ends. */
        do {
            if (pool->next == 1u << pool->bits) {
                rollover_locked(hv);
            }
            number = pool->next++;
        } while (is_kept_locked(hv, number, BITS(TAG_SHIFT - 1, 0)));
        atomic_store_relaxed(&vmid->tag, pool->generation << TAG_SHIFT | number);
    }
    /* The tag is seen before the generation that it counts in. Partner: load_current(). */
    atomic_store_release(&vmid->generation, pool->generation);
}

/* The usual case, without the lock: nothing changed since p and d last took part. */
static bool load_current(const struct vmid_pool *pool, const struct vmid *vmid,
                         struct vmid_pcpu *cpu)
{
    uint64_t generation = atomic_load_relaxed(&pool->generation);

    /* Acquire pairs with the release in renew_locked(). */
    if (cpu->generation != generation || atomic_load_acquire(&vmid->generation) != generation) {
        return false;
    }
    atomic_store_relaxed(&cpu->tag, vmid->tag);
    /*
     * A rollover that began meanwhile either finds the VMID in use here or is
     * noticed here. Partner: rollover_locked().
     */
    smp_mb();
    return atomic_load_relaxed(&pool->generation) == generation;
}

/* Where all domains have VMID 0: the tag only says whose entries a TLB may hold. */
static bool load_without_vmids(struct vmid_pool *pool, struct vmid *vmid, struct vmid_pcpu *cpu)
{
    /* Acquire pairs with the release below: the tag is there. */
    if (unlikely(atomic_load_acquire(&vmid->generation) == 0)) {
        spin_lock(&pool->lock);
        if (vmid->generation == 0) {
            atomic_store_relaxed(&vmid->tag, pool->next++ << TAG_SHIFT);
            atomic_store_release(&vmid->generation, GENERATION_ONLY);
        }
        spin_unlock(&pool->lock);
        arch_stage2_publish(); /* as in load_renewed(): a flush may have found no VMID */
    }
    bool stale = !vmid_is_loaded(vmid, cpu);

    atomic_store_relaxed(&cpu->tag, vmid->tag);
    cpu->generation = GENERATION_ONLY;
    return stale;
}

/* Out of line: vmid_load() is a part of each switch between domains, this is not. */
static __noinline bool load_renewed(struct domain *d, struct pcpu *p)
{
    struct vmid_pool *pool = &p->hv->vmids;
    struct vmid *vmid = &d->p2m.vmid;

    if (pool->bits == 0) {
        return load_without_vmids(pool, vmid, &p->vmid);
    }
    spin_lock(&pool->lock);
    if (vmid->generation != pool->generation) {
        renew_locked(p->hv, vmid);
    }
    atomic_store_relaxed(&p->vmid.tag, vmid->tag);
    bool stale = p->vmid.generation != pool->generation;
    p->vmid.generation = pool->generation;
    spin_unlock(&pool->lock);
    /*
     * Who changes d's tables publishes that, then flushes the VMID that d has. If that
     * is still the old one, this CPU's walks under the new one must find the change.
     * Partner: arch_stage2_publish() before a flush.
     */
    arch_stage2_publish();
    return stale;
}

bool vmid_load(struct domain *d, struct pcpu *p)
{
    if (likely(load_current(&p->hv->vmids, &d->p2m.vmid, &p->vmid))) {
        return false;
    }
    return load_renewed(d, p);
}
