/* SPDX-License-Identifier: MIT */
/*
 * G-stage page tables and the TLB (Priv. spec 21.5).
 *
 * An entry, of Sv39x4, Sv48x4 and Sv57x4 alike:
 *
 *   63 62   61  60     54 53               10 9  8  7 6 5 4 3 2 1 0
 *   | N | PBMT |    0    | page number       | type |D|A|G|U|X|W|R|V|
 *
 * `type` is software's: enum p2m_type. Every leaf has U, because a guest's
 * accesses count as user's here, and A and D, which nobody looks at.
 *
 * A TLB may keep, under a VMID, what several vCPUs of a domain walked on the same
 * CPU, and what one vCPU walked on a CPU that it left. A guest's own sfence.vma acts
 * on the CPU that it runs on alone. So a vCPU that comes to a CPU where another
 * one of its domain ran last, or from another CPU, begins there with an empty
 * VS stage (struct tlb_last).
 */
#include <arch/stage2.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <loam/vmid.h>

#include "csr.h"
#include "fences.h"
#include "host.h"
#include "layout.h"
#include "sbi.h"
#include "stage2.h"
#include "vfence.h"

#define PTE_TYPE_SHIFT 8
#define PTE_TYPE_MASK UINT64_C(3)
#define PTE_PPN BITS(53, PTE_PPN_SHIFT)

/* Invalidating more pages than this one by one costs more than the whole VMID. */
#define FLUSH_PAGES_MAX 64

/*
 * Two bits of an entry are software's, and two more tell types apart: a guest executes its own
 * RAM alone, and may not write what is read-only.
 */
static const struct {
    uint8_t code;
    bool exec;
} types[P2M_TYPES_MAX] = {
    [P2M_RAM_RW] = { 1, true },      [P2M_RAM_RO] = { 2, true },
    [P2M_SHARED] = { 0, false },     [P2M_FOREIGN_RW] = { 1, false },
    [P2M_FOREIGN_RO] = { 1, false }, [P2M_GRANT_RW] = { 2, false },
    [P2M_GRANT_RO] = { 2, false },   [P2M_MMIO_DIRECT] = { 3, false },
};

void stage2_init(struct hv *hv)
{
    struct arch_host *host = arch_host(hv);

    for (uint32_t i = 0; i < GUEST_MODES; i++) {
        csr_write(hgatp, SATP_MODE(SATP_SV39 + i));
        if (csr_read(hgatp) >> SATP_MODE_SHIFT != SATP_SV39 + i) {
            continue; /* levels 0: there is no such mode */
        }
        host->s2[i] = (struct stage2_format){
            .levels = (uint8_t)(3 + i),
            .index_bits = 9,
            .root_bits = 11,
            .root_order = 2,
            .gpa_bits = (uint8_t)(41 + 9 * i),
            .block_levels = BIT(1) | BIT(2),
        };
    }
    csr_write(hgatp, SATP_MODE(SATP_SV39) | HGATP_VMID_MASK << HGATP_VMID_SHIFT);
    uint64_t vmids = csr_read(hgatp) >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;

    csr_write(hgatp, 0);
    fence_gvma();
    host->vmid_bits = (uint8_t)popcount64(vmids);
    vmid_pool_init(&hv->vmids, host->vmid_bits, HV_PCPUS_MAX);
}

const struct stage2_format *arch_stage2_format(const struct hv *hv)
{
    return &arch_host_const(hv)->s2[0];
}

const struct stage2_format *arch_stage2_choose(const struct hv *hv, const char *mmu_type)
{
    static const char *const names[GUEST_MODES] = { "riscv,sv39", "riscv,sv48", "riscv,sv57" };
    const struct stage2_format *modes = arch_host_const(hv)->s2;

    for (uint32_t i = 0; i < GUEST_MODES; i++) {
        if (strcmp(mmu_type, names[i]) == 0) {
            return modes[i].levels != 0 ? &modes[i] : NULL;
        }
    }
    return NULL;
}

uint64_t arch_stage2_leaf(const struct hv *hv, uint32_t level, mfn_t m, uint32_t type)
{
    uint64_t pte = m.n << PTE_PPN_SHIFT | (uint64_t)types[type].code << PTE_TYPE_SHIFT | PTE_V |
                   PTE_R | PTE_U | PTE_A | PTE_D;

    return pte | (p2m_type_is_readonly(type) ? 0 : PTE_W) | (types[type].exec ? PTE_X : 0);
}

uint64_t arch_stage2_table(mfn_t m) { return m.n << PTE_PPN_SHIFT | PTE_V; }

bool arch_stage2_is_valid(uint64_t pte) { return pte & PTE_V; }

bool arch_stage2_is_table(uint64_t pte, uint32_t level)
{
    return (pte & (PTE_V | PTE_R | PTE_W | PTE_X)) == PTE_V;
}

mfn_t arch_stage2_mfn(uint64_t pte) { return mfn((pte & PTE_PPN) >> PTE_PPN_SHIFT); }

uint32_t arch_stage2_type(uint64_t pte)
{
    uint64_t code = pte >> PTE_TYPE_SHIFT & PTE_TYPE_MASK;

    if (!(pte & PTE_V)) {
        return P2M_INVALID;
    }
    for (uint32_t t = P2M_INVALID + 1; t < P2M_TYPES_MAX; t++) {
        if (types[t].code == code && types[t].exec == !!(pte & PTE_X) &&
            p2m_type_is_readonly(t) == !(pte & PTE_W)) {
            return t;
        }
    }
    return P2M_INVALID;
}

void arch_stage2_set(uint64_t *slot, uint64_t pte) { atomic_store_relaxed(slot, pte); }

void arch_stage2_publish(void)
{
    /* Partner: the walks of all CPUs. */
    fence();
}

/* This hart's translations of pages, or all (0), under a VMID. */
static void fence_here(gfn_t g, uint64_t pages, uint64_t vmid)
{
    if (pages == 0) {
        fence_gvma_vmid(vmid);
    }
    for (uint64_t i = 0; i < pages; i++) {
        fence_gvma_page((g.n + i) << (PAGE_SHIFT - 2), vmid);
    }
}

/*
 * Any CPU may hold the domain's translations. The firmware is called once for the others
 * of the first 64 harts, which is all as a rule: it waits until they have answered.
 */
static void flush(struct domain *d, gfn_t g, uint64_t pages)
{
    const struct hv *hv = d->hv;
    uint64_t mask = 0, vmid = vmid_of(&d->p2m.vmid);
    uint64_t start = g.n << PAGE_SHIFT, size = pages << PAGE_SHIFT;

    if (!vmid_is_used(&d->p2m.vmid)) {
        return; /* no CPU ever used the map */
    }
    if (pages > FLUSH_PAGES_MAX) {
        pages = start = 0;
        size = UINT64_MAX;
    }
    fence();
    fence_here(g, pages, vmid);
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        uint64_t hart = hv->pcpus[i]->arch.hartid;

        if (hv->pcpus[i] == this_pcpu()) {
            continue;
        }
        if (hart < 64) {
            mask |= BIT(hart);
        } else {
            sbi_remote_hfence_gvma_vmid(1, hart, start, size, vmid);
        }
    }
    if (mask != 0) {
        sbi_remote_hfence_gvma_vmid(mask, 0, start, size, vmid);
    }
}

void arch_stage2_flush(struct domain *d, gfn_t g, uint64_t pages) { flush(d, g, pages); }

void arch_stage2_flush_all(struct domain *d) { flush(d, gfn(0), UINT64_MAX); }

void stage2_domain_init(struct domain *d)
{
    d->arch.hgatp = SATP_MODE(SATP_SV39 + d->p2m.format->levels - 3) | d->p2m.root.n;
}

void stage2_load(struct vcpu *v, struct pcpu *p)
{
    struct domain *d = v->domain;
    struct tlb_last *last = &d->arch.tlb[p->id];

    if (!vmid_is_loaded(&d->p2m.vmid, &p->vmid)) {
        bool stale = vmid_load(d, p);

        csr_write(hgatp, d->arch.hgatp | (uint64_t)vmid_loaded(&p->vmid) << HGATP_VMID_SHIFT);
        if (unlikely(stale)) {
            fence_gvma();
        }
    }
    if (last->tag != p->vmid.tag || last->vcpu != v->id || v->arch.tlb_cpu != p->id) {
        *last = (struct tlb_last){ p->vmid.tag, v->id };
        v->arch.tlb_cpu = p->id;
        atomic_fetch_or(&v->arch.fence, FENCE_VMA | FENCE_I);
    }
    /* Full barrier: loaded_on was set before. Partner: vfence(). */
    smp_mb();
    if (unlikely(atomic_load_relaxed(&v->arch.fence) != 0)) {
        vfence_pay(v);
    }
}
