/* SPDX-License-Identifier: MIT */
/*
 * Stage-2 descriptors, TLB maintenance and VMIDs (Arm DDI 0487 D8).
 *
 * A descriptor, 4 KiB granule:
 *
 *   63   58    55 54   53  52      47               12 11 10 9  8 7    6 5     2 1 0
 *   | ign | type | XN  | 0 |   0   | output address   | 0 |AF| SH | S2AP |MemAttr|T V|
 *
 * `type` is software's: enum p2m_type. The walk starts at level 1 with up to
 * two concatenated tables (40-bit addresses), so the neutral walker sees three
 * levels.
 *
 * VMIDs. A domain's VMID counts only together with the generation it was
 * taken in. When VMIDs run out the generation goes up, and every CPU empties
 * its TLB before it uses a VMID of the new one (p->arch.vmid_generation). A
 * CPU that is in a guest meanwhile does not stop: the VTTBR_EL2 that it has at
 * that moment is kept (p->arch.vttbr_kept). For the whole new generation its
 * VMID is given to no other domain, and the domain goes on using it. So at any
 * time a VMID means one domain on all CPUs that use it without an empty TLB in
 * between, and a domain has one VMID, which flushes rely on.
 * p->arch.vttbr is what a rollover looks at; a CPU that writes it without
 * vmid_lock looks at the generation again afterwards (load_current()).
 */
#include <arch/stage2.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/p2m.h>

#include "host.h"
#include "stage2.h"
#include "sysreg.h"

#define PTE_VALID BIT(0)
#define PTE_TABLE BIT(1) /* at level 0: a page */
#define PTE_AF BIT(10)
#define PTE_SH_INNER (UINT64_C(3) << 8)
#define PTE_S2AP_RO (UINT64_C(1) << 6)
#define PTE_S2AP_RW (UINT64_C(3) << 6)
#define PTE_XN BIT(54)
#define PTE_ADDR BITS(47, 12)
#define PTE_TYPE_SHIFT 55
#define PTE_TYPE_MASK UINT64_C(7)

/* MemAttr[3:0]: device nGnRE; normal write-back inner and outer; the latter with FEAT_S2FWB. */
#define MEMATTR_DEVICE (UINT64_C(0x1) << 2)
#define MEMATTR_NORMAL (UINT64_C(0xf) << 2)
#define MEMATTR_NORMAL_FWB (UINT64_C(0x6) << 2)

#define VTTBR_VMID_SHIFT 48
#define VTCR_RES1 BIT(31)
#define VTCR_VS BIT(19) /* 16-bit VMIDs */

#define IPA_BITS_MAX 40

/* Invalidating more pages than this one by one costs more than the whole VMID. */
#define FLUSH_PAGES_MAX 64

/* ID_AA64MMFR0_EL1.PARange of a width, for VTCR_EL2.PS. */
static uint64_t pa_range(uint32_t bits)
{
    static const uint8_t widths[] = { 32, 36, 40, 42, 44, 48 };
    uint64_t i = 0;

    while (i + 1 < ARRAY_SIZE(widths) && widths[i] < bits) {
        i++;
    }
    return i;
}

void stage2_init(struct arch_host *h)
{
    uint8_t bits = MIN(h->pa_bits, IPA_BITS_MAX);
    uint8_t root_bits = (uint8_t)(bits - 30);

    h->s2 = (struct stage2_format){
        .levels = 3,
        .index_bits = 9,
        .root_bits = root_bits,
        .root_order = root_bits > 9 ? (uint8_t)(root_bits - 9) : 0,
        .gpa_bits = bits,
        .block_levels = BIT(1) | BIT(2),
    };
    /* T0SZ, SL0 = 1 (start at level 1), walks inner-shareable write-back, TG0 = 4 KiB. */
    h->vtcr = VTCR_RES1 | (64u - bits) | 1u << 6 | 1u << 8 | 1u << 10 | 3u << 12 |
              pa_range(h->pa_bits) << 16 | (h->vmid_bits == 16 ? VTCR_VS : 0);
    h->vmid_lock = SPINLOCK_INIT(LOCK_RANK_TIMER);
    h->vmid_generation = 1;
    h->vmid_next = 1;
}

/* The allocator's state is the one part of struct arch_host that changes after boot. */
static struct arch_host *host_of(const struct hv *hv)
{
    return (struct arch_host *)hv->pcpus[0]->arch.host;
}

const struct stage2_format *arch_stage2_format(const struct hv *hv)
{
    return &host_of(hv)->s2;
}

uint64_t arch_stage2_leaf(const struct hv *hv, uint32_t level, mfn_t m, uint32_t type)
{
    uint64_t pte = PTE_VALID | PTE_AF | m.n << PAGE_SHIFT | (uint64_t)type << PTE_TYPE_SHIFT |
                   (level == 0 ? PTE_TABLE : 0);

    if (type == P2M_MMIO_DIRECT) {
        return pte | MEMATTR_DEVICE | PTE_S2AP_RW | PTE_XN;
    }
    pte |= host_of(hv)->has_fwb ? MEMATTR_NORMAL_FWB : MEMATTR_NORMAL;
    return pte | PTE_SH_INNER | (type == P2M_RAM_RO ? PTE_S2AP_RO : PTE_S2AP_RW);
}

uint64_t arch_stage2_table(mfn_t m)
{
    return PTE_VALID | PTE_TABLE | m.n << PAGE_SHIFT;
}

bool arch_stage2_is_valid(uint64_t pte)
{
    return pte & PTE_VALID;
}

bool arch_stage2_is_table(uint64_t pte, uint32_t level)
{
    return level != 0 && (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

mfn_t arch_stage2_mfn(uint64_t pte)
{
    return mfn((pte & PTE_ADDR) >> PAGE_SHIFT);
}

uint32_t arch_stage2_type(uint64_t pte)
{
    return pte & PTE_VALID ? (uint32_t)(pte >> PTE_TYPE_SHIFT & PTE_TYPE_MASK) : P2M_INVALID;
}

void arch_stage2_set(uint64_t *slot, uint64_t pte)
{
    atomic_store_relaxed(slot, pte);
}

void arch_stage2_publish(void)
{
    /* Partner: the walks of all CPUs. */
    dsb(ishst);
    isb();
}

/* Runs the invalidation with d's VMID in VTTBR_EL2: TLBI by IPA acts on the current one. */
static void flush(struct domain *d, gfn_t g, uint64_t pages)
{
    if (d->p2m.vmid_generation == 0) {
        return; /* no CPU ever used the map */
    }
    uint64_t ours = atomic_load_relaxed(&d->arch.vttbr);
    uint64_t before = sysreg_read(vttbr_el2);

    /* Tables as changed, before any TLB loses what it has. Partner: the walks. */
    dsb(ishst);
    if (before != ours) {
        sysreg_write(vttbr_el2, ours);
        isb();
    }
    if (pages > FLUSH_PAGES_MAX) {
        __asm__ volatile("tlbi vmalls12e1is" ::: "memory");
    } else {
        for (uint64_t i = 0; i < pages; i++) {
            __asm__ volatile("tlbi ipas2e1is, %0" ::"r"(g.n + i) : "memory");
        }
        dsb(ish);
        /* Combined entries of both stages are found by no address: all of the VMID's stage 1. */
        __asm__ volatile("tlbi vmalle1is" ::: "memory");
    }
    dsb(ish);
    if (before != ours) {
        sysreg_write(vttbr_el2, before);
    }
    isb();
}

void arch_stage2_flush(struct domain *d, gfn_t g, uint64_t pages)
{
    flush(d, g, pages);
}

void arch_stage2_flush_all(struct domain *d)
{
    flush(d, gfn(0), UINT64_MAX);
}

/* VMIDs have run out: only those that CPUs are using now stay. vmid_lock is held. */
static void vmid_rollover(struct arch_host *h, const struct hv *hv)
{
    atomic_store_relaxed(&h->vmid_generation, h->vmid_generation + 1);
    h->vmid_next = 1;
    /* The generation is seen before the CPUs are looked at. Partner: load_current(). */
    smp_mb();
    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        struct pcpu *p = hv->pcpus[i];

        if (p != NULL) {
            p->arch.vttbr_kept = p->arch.vttbr;
        }
    }
}

/* Was this VMID kept over the last rollover; with vttbr as part of that value? */
static bool vmid_is_kept(const struct hv *hv, uint64_t vmid, const uint64_t *vttbr)
{
    for (uint32_t i = 0; i < HV_PCPUS_MAX; i++) {
        const struct pcpu *p = hv->pcpus[i];

        if (p != NULL && p->arch.vttbr_kept >> VTTBR_VMID_SHIFT == vmid &&
            (vttbr == NULL || p->arch.vttbr_kept == *vttbr)) {
            return true;
        }
    }
    return false;
}

/* Gives d a VMID of the current generation. vmid_lock is held. */
static void vmid_renew(struct arch_host *h, struct domain *d)
{
    if (d->p2m.vmid_generation != 0 && vmid_is_kept(d->hv, d->p2m.vmid, &d->arch.vttbr)) {
        d->p2m.vmid_generation = h->vmid_generation;
        return;
    }
    /* There are more VMIDs (>= 255) than CPUs: the search ends. */
    do {
        if (h->vmid_next == 1u << h->vmid_bits) {
            vmid_rollover(h, d->hv);
        }
        d->p2m.vmid = (uint16_t)h->vmid_next++;
    } while (vmid_is_kept(d->hv, d->p2m.vmid, NULL));
    d->p2m.vmid_generation = h->vmid_generation;
    /* Flushes read it without the lock. */
    atomic_store_relaxed(&d->arch.vttbr, (uint64_t)d->p2m.vmid << VTTBR_VMID_SHIFT |
                                             d->p2m.root.n << PAGE_SHIFT);
}

/* The usual case, without the lock: nothing changed since p and d last took part. */
static bool load_current(struct arch_host *h, struct domain *d, struct pcpu *p)
{
    uint64_t generation = atomic_load_relaxed(&h->vmid_generation);

    if (p->arch.vmid_generation != generation ||
        atomic_load_relaxed(&d->p2m.vmid_generation) != generation) {
        return false;
    }
    atomic_store_relaxed(&p->arch.vttbr, d->arch.vttbr);
    /*
     * A rollover that began meanwhile either finds the VMID in use here or is
     * noticed here. Partner: vmid_renew().
     */
    smp_mb();
    if (atomic_load_relaxed(&h->vmid_generation) != generation) {
        return false;
    }
    sysreg_write(vttbr_el2, p->arch.vttbr);
    return true;
}

void stage2_load(struct domain *d, struct pcpu *p)
{
    struct arch_host *h = host_of(p->hv);

    if (likely(load_current(h, d, p))) {
        return;
    }
    spin_lock(&h->vmid_lock);
    if (d->p2m.vmid_generation != h->vmid_generation) {
        vmid_renew(h, d);
    }
    p->arch.vttbr = d->arch.vttbr;
    bool stale = p->arch.vmid_generation != h->vmid_generation;
    p->arch.vmid_generation = h->vmid_generation;
    spin_unlock(&h->vmid_lock);
    sysreg_write(vttbr_el2, p->arch.vttbr);
    if (unlikely(stale)) {
        isb();
        __asm__ volatile("tlbi alle1" ::: "memory");
        dsb(nsh);
        isb();
    }
}
