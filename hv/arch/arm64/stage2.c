/* SPDX-License-Identifier: MIT */
/*
 * Stage-2 descriptors, VTTBR_EL2 and TLB maintenance (Arm DDI 0487 D8).
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
 * Which VMID a domain has is decided in mm/vmid.c; VTTBR_EL2 is written here.
 */
#include <arch/stage2.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vmid.h>

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
#define PTE_TYPE_MASK UINT64_C(15)

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

/* What a leaf has beside its address. */
static uint64_t leaf_bits(const struct arch_host *h, enum p2m_type type)
{
    uint64_t pte = PTE_VALID | PTE_AF | (uint64_t)type << PTE_TYPE_SHIFT;

    if (type == P2M_MMIO_DIRECT) {
        return pte | MEMATTR_DEVICE | PTE_S2AP_RW | PTE_XN;
    }
    pte |= h->has_fwb ? MEMATTR_NORMAL_FWB : MEMATTR_NORMAL;
    pte |= p2m_type_is_ram(type) ? 0 : PTE_XN;
    return pte | PTE_SH_INNER | (p2m_type_is_readonly(type) ? PTE_S2AP_RO : PTE_S2AP_RW);
}

void stage2_init(struct hv *hv)
{
    struct arch_host *h = arch_host(hv);
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
    for (enum p2m_type type = P2M_RAM_RW; type < P2M_TYPES_MAX; type++) {
        h->leaf[type] = leaf_bits(h, type);
    }
    vmid_pool_init(&hv->vmids, h->vmid_bits, HV_PCPUS_MAX);
}

static const struct arch_host *host_of(const struct hv *hv) { return hv->pcpus[0]->arch.host; }

const struct stage2_format *arch_stage2_format(const struct hv *hv) { return &host_of(hv)->s2; }

const struct stage2_format *arch_stage2_choose(const struct hv *hv, const char *mmu_type)
{
    return NULL; /* the property is another architecture's */
}

uint64_t arch_stage2_leaf(const struct hv *hv, uint32_t level, mfn_t m, uint32_t type)
{
    return m.n << PAGE_SHIFT | host_of(hv)->leaf[type] | (level == 0 ? PTE_TABLE : 0);
}

uint64_t arch_stage2_table(mfn_t m) { return PTE_VALID | PTE_TABLE | m.n << PAGE_SHIFT; }

bool arch_stage2_is_valid(uint64_t pte) { return pte & PTE_VALID; }

bool arch_stage2_is_table(uint64_t pte, uint32_t level)
{
    return level != 0 && (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

mfn_t arch_stage2_mfn(uint64_t pte) { return mfn((pte & PTE_ADDR) >> PAGE_SHIFT); }

uint32_t arch_stage2_type(uint64_t pte)
{
    return pte & PTE_VALID ? (uint32_t)(pte >> PTE_TYPE_SHIFT & PTE_TYPE_MASK) : P2M_INVALID;
}

void arch_stage2_set(uint64_t *slot, uint64_t pte) { atomic_store_relaxed(slot, pte); }

void arch_stage2_publish(void)
{
    /* Partner: the walks of all CPUs. */
    dsb(ishst);
    isb();
}

static uint64_t vttbr(mfn_t root, uint16_t vmid)
{
    return (uint64_t)vmid << VTTBR_VMID_SHIFT | root.n << PAGE_SHIFT;
}

/* Runs the invalidation with d's VMID in VTTBR_EL2: TLBI by IPA acts on the current one. */
static void flush(struct domain *d, gfn_t g, uint64_t pages)
{
    if (!vmid_is_used(&d->p2m.vmid)) {
        return;
    }
    uint64_t ours = vttbr(d->p2m.root, vmid_of(&d->p2m.vmid));
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

void arch_stage2_flush(struct domain *d, gfn_t g, uint64_t pages) { flush(d, g, pages); }

void arch_stage2_flush_all(struct domain *d) { flush(d, gfn(0), UINT64_MAX); }

void stage2_load(struct domain *d, struct pcpu *p)
{
    bool stale = vmid_load(d, p);

    sysreg_write(vttbr_el2, vttbr(d->p2m.root, vmid_loaded(&p->vmid)));
    if (unlikely(stale)) {
        isb();
        __asm__ volatile("tlbi alle1" ::: "memory");
        dsb(nsh);
        isb();
    }
}
