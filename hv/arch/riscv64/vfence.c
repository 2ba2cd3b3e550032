/* SPDX-License-Identifier: MIT */
/*
 * Fences that a guest asks for on its other vCPUs (SBI RFENCE).
 *
 * A vCPU whose state is in a CPU's hardware is fenced there, by the firmware, also
 * while it waits. One that is loaded nowhere owes the fence (arch.fence) and
 * pays when it is loaded. Which of the two it is may change meanwhile:
 *
 *   vfence()                      vcpu_load()
 *     arch.fence |= owed            loaded_on = CPU
 *     full barrier                  full barrier (vfence_pay())
 *     look at loaded_on             look at arch.fence
 *
 * One sees the other. When both do, the vCPU is fenced twice. A debt that was made
 * while it was loaded is paid at its next load: once more than needed.
 *
 * Only v's own VMID is fenced; that no TLB holds what another vCPU of the domain walked
 * is arch_vcpu_load()'s. Locks: none.
 */
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "fences.h"
#include "hart_mask.h"
#include "sbi.h"
#include "vfence.h"
#include "vpmu.h"

/*
 * Firmware fences page by page, on all targets, interrupts masked. A guest that names
 * more than this gets everything fenced, which takes as long as one page.
 */
#define RANGE_MAX (64 * PAGE_SIZE)

#define ASID_MASK 0xffff /* the widest there is (satp) */

struct fence {
    enum vfence_kind kind;
    uint64_t start, size;
    uint64_t asid;
};

/* Whole pages: firmware may step from `start` by pages and miss a last one that is begun. */
static struct fence fence_of(enum vfence_kind kind, uint64_t start, uint64_t size, uint64_t asid)
{
    struct fence f = { .kind = kind, .size = UINT64_MAX, .asid = asid & ASID_MASK };

    if (size != 0 && size <= RANGE_MAX && start < UINT64_MAX - RANGE_MAX - PAGE_SIZE) {
        f.start = ALIGN_DOWN(start, PAGE_SIZE);
        f.size = ALIGN_UP(start + size, PAGE_SIZE) - f.start;
    }
    return f;
}

static void fence_harts(const struct fence *f, uint64_t mask, uint64_t base)
{
    switch (f->kind) {
    case VFENCE_I:
        sbi_remote_fence_i(mask, base);
        break;
    case VFENCE_VMA:
        sbi_remote_hfence_vvma(mask, base, f->start, f->size);
        break;
    case VFENCE_VMA_ASID:
        sbi_remote_hfence_vvma_asid(mask, base, f->start, f->size, f->asid);
        break;
    }
}

/* One call for each 64 hartids in a row. */
static void fence_cpus(const struct hv *hv, const struct fence *f, struct cpumask cpus)
{
    while (!cpumask_is_empty(&cpus)) {
        uint64_t base = ALIGN_DOWN(hv->pcpus[cpumask_first(&cpus)]->arch.hartid, UINT64_C(64));
        uint64_t mask = 0;

        for (struct cpumask left = cpus; !cpumask_is_empty(&left);) {
            uint32_t cpu = cpumask_first(&left);
            uint64_t n = hv->pcpus[cpu]->arch.hartid - base;

            if (n < 64) {
                mask |= BIT(n);
                cpumask_clear(&cpus, cpu);
            }
            cpumask_clear(&left, cpu);
        }
        fence_harts(f, mask, base);
    }
}

int vfence(struct vcpu *v, enum vfence_kind kind, uint64_t mask, uint64_t base, uint64_t start,
           uint64_t size, uint64_t asid)
{
    const struct domain *d = v->domain;
    uint32_t owed = kind == VFENCE_I ? FENCE_I : FENCE_VMA;
    enum pmu_event sent = kind == VFENCE_I     ? PMU_EVENT_FENCE_I_SENT
                          : kind == VFENCE_VMA ? PMU_EVENT_SFENCE_VMA_SENT
                                               : PMU_EVENT_SFENCE_VMA_ASID_SENT;
    struct fence f = fence_of(kind, start, size, asid);
    struct cpumask cpus = { { 0 } };
    struct hart_mask harts;
    size_t id;

    if (!hart_mask_read(&harts, d, mask, base)) {
        return -XEN_EINVAL;
    }
    for_each_hart(&harts, id)
    {
        if (d->vcpus[id] != v) { /* v itself stays where it is until this returns */
            atomic_fetch_or(&d->vcpus[id]->arch.fence, owed);
            vpmu_count_sent(v, d->vcpus[id], sent);
        }
    }
    /* Partner: vfence_pay(). Also what the guest stored is there before anybody fences. */
    smp_mb();
    for_each_hart(&harts, id)
    {
        const struct pcpu *p = atomic_load_relaxed(&d->vcpus[id]->loaded_on);

        if (p != NULL) {
            cpumask_set(&cpus, p->id);
        }
    }
    fence_cpus(d->hv, &f, cpus);
    return 0;
}

void vfence_pay(struct vcpu *v)
{
    /* loaded_on is set before the debt is looked at. Partner: vfence(). */
    smp_mb();
    if (likely(atomic_load_relaxed(&v->arch.fence) == 0)) {
        return;
    }
    uint32_t owed = atomic_exchange(&v->arch.fence, 0);

    if (owed & FENCE_VMA) {
        fence_guest_translations();
    }
    if (owed & FENCE_I) {
        fence_instructions();
    }
}
