/* SPDX-License-Identifier: MIT */
/*
 * Second-stage tables of the fake machine and the model of its TLBs.
 *
 *   63             12 11      5 4    2 1 0
 *   | frame number   |    0    | type |T|V|
 *
 * Stores are noted with the old value until they are published: a walk sees
 * the old value (fake_pte()). An entry that was invalidated is noted until the next
 * flush: nothing else may be put there. Each pcpu caches what its guests used;
 * a hit that differs from what a walk finds is a flush that was forgotten.
 */
#include <stdlib.h>

#include <arch/impl/fake.h>
#include <arch/mmu.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <loam/vmid.h>

#include "fake.h"

#define PTE_VALID 1u
#define PTE_TABLE 2u
#define PTE_TYPE_SHIFT 2
#define PTE_TYPE_MASK 15u
#define TABLE_MAX (16 * PAGE_SIZE) /* what is cleared in larger pieces is no table */

const struct stage2_format *arch_stage2_format(const struct hv *hv)
{
    return &fake_machine->format;
}

const struct stage2_format *arch_stage2_choose(const struct hv *hv, const char *mmu_type)
{
    return strcmp(mmu_type, "fake,plain") == 0 ? &fake_machine->format : NULL;
}

uint64_t arch_stage2_leaf(const struct hv *hv, uint32_t level, mfn_t m, uint32_t type)
{
    uint64_t size = UINT64_C(1) << (level * fake_machine->format.index_bits);

    if (level != 0 && (fake_machine->format.block_levels & (1u << level)) == 0) {
        fake_violation("a block at a level that has none");
    }
    if (!IS_ALIGNED(m.n, size)) {
        fake_violation("a block that is not aligned");
    }
    return PTE_VALID | (uint64_t)type << PTE_TYPE_SHIFT | m.n << PAGE_SHIFT;
}

uint64_t arch_stage2_table(mfn_t m) { return PTE_VALID | PTE_TABLE | m.n << PAGE_SHIFT; }
bool arch_stage2_is_valid(uint64_t pte) { return pte & PTE_VALID; }

bool arch_stage2_is_table(uint64_t pte, uint32_t level)
{
    return level != 0 && (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

mfn_t arch_stage2_mfn(uint64_t pte) { return mfn(pte >> PAGE_SHIFT); }

uint32_t arch_stage2_type(uint64_t pte)
{
    return pte & PTE_VALID ? pte >> PTE_TYPE_SHIFT & PTE_TYPE_MASK : P2M_INVALID;
}

static struct fake_write *find(struct fake_writes *list, const uint64_t *slot)
{
    for (size_t i = 0; i < list->nr; i++) {
        if (list->w[i].slot == slot) {
            return &list->w[i];
        }
    }
    return NULL;
}

static void note(struct fake_writes *list, uint64_t *slot, uint64_t old)
{
    if (list->nr == list->max) {
        list->max = list->max * 2 + 64;
        list->w = realloc(list->w, list->max * sizeof(*list->w));
        if (list->w == NULL) {
            abort();
        }
    }
    list->w[list->nr++] = (struct fake_write){ slot, old };
}

static bool has_any_in(const struct fake_writes *list, const void *va, size_t size)
{
    for (size_t i = 0; i < list->nr; i++) {
        if ((uintptr_t)list->w[i].slot - (uintptr_t)va < size) {
            return true;
        }
    }
    return false;
}

static void drop_in(struct fake_writes *list, const void *va, size_t size)
{
    size_t keep = 0;

    for (size_t i = 0; i < list->nr; i++) {
        if ((uintptr_t)list->w[i].slot - (uintptr_t)va >= size) {
            list->w[keep++] = list->w[i];
        }
    }
    list->nr = keep;
}

void fake_stage2_cleared(void *va, size_t size)
{
    drop_in(&fake_machine->unpublished, va, size);
    drop_in(&fake_machine->broken, va, size);
    if (size <= TABLE_MAX) {
        note(&fake_machine->cleared, va, 0);
    }
}

void arch_stage2_set(uint64_t *slot, uint64_t pte)
{
    struct fake_machine *m = fake_machine;
    uint64_t old = *slot;

    m->sets++;
    if ((old & PTE_VALID) && (pte & PTE_VALID) && old != pte) {
        fake_violation("a valid entry is replaced without break before make");
    }
    if ((pte & PTE_VALID) && find(&m->broken, slot) != NULL) {
        fake_violation("an entry is made before the broken one was flushed");
    }
    if ((pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE) &&
        (has_any_in(&m->unpublished, arch_frame_map(arch_stage2_mfn(pte)), PAGE_SIZE) ||
         has_any_in(&m->cleared, arch_frame_map(arch_stage2_mfn(pte)), PAGE_SIZE))) {
        fake_violation("a table is linked before its entries are published");
    }
    if ((old & PTE_VALID) && !(pte & PTE_VALID)) {
        note(&m->broken, slot, old);
    }
    /* The first note of a slot counts: find() meets it first. */
    note(&m->unpublished, slot, old);
    *slot = pte;
}

void arch_stage2_publish(void)
{
    fake_machine->publishes++;
    fake_machine->unpublished.nr = 0;
    fake_machine->cleared.nr = 0;
}

static bool is_ours(const struct domain *d, const struct fake_tlb_entry *e)
{
    return e->valid && e->vmid == vmid_of(&d->p2m.vmid);
}

void arch_stage2_flush(struct domain *d, gfn_t g, uint64_t pages)
{
    struct fake_machine *m = fake_machine;

    m->flushes++;
    if (m->unpublished.nr != 0) {
        fake_violation("a flush before the changed entries are published");
    }
    m->broken.nr = 0;
    if (m->on_flush != NULL) {
        m->on_flush(d);
    }
    for (uint32_t i = 0; i < d->hv->nr_pcpus; i++) {
        struct arch_pcpu *a = &d->hv->pcpus[i]->arch;

        for (uint32_t t = 0; t < FAKE_TLB_ENTRIES; t++) {
            struct fake_tlb_entry *e = &a->tlb[t];
            uint64_t size = UINT64_C(1) << e->order;

            if (is_ours(d, e) && e->gfn.n < g.n + pages && g.n < e->gfn.n + size) {
                e->valid = false;
            }
        }
    }
}

void arch_stage2_flush_all(struct domain *d) { arch_stage2_flush(d, gfn(0), UINT64_C(1) << 52); }

/* Entry as a walk by hardware finds it. */
static uint64_t fake_pte(uint64_t *slot)
{
    const struct fake_write *w = find(&fake_machine->unpublished, slot);

    return w != NULL ? w->old : *slot;
}

static bool walk(struct domain *d, gfn_t g, struct fake_tlb_entry *e)
{
    const struct stage2_format *fmt = &fake_machine->format;
    mfn_t table = d->p2m.root;

    for (uint32_t level = fmt->levels - 1u;; level--) {
        uint32_t bits = level + 1u == fmt->levels ? fmt->root_bits : fmt->index_bits;
        uint32_t order = level * fmt->index_bits;
        uint64_t *entries = arch_frame_map(table);
        uint64_t index = g.n >> order;

        if (level + 1u == fmt->levels && index >> bits != 0) {
            return false;
        }
        uint64_t pte = fake_pte(&entries[index & ((UINT64_C(1) << bits) - 1)]);

        if (!arch_stage2_is_valid(pte)) {
            return false;
        }
        table = arch_stage2_mfn(pte);
        if (!arch_stage2_is_table(pte, level)) {
            *e = (struct fake_tlb_entry){
                .valid = true,
                .vmid = vmid_of(&d->p2m.vmid),
                .order = (uint8_t)order,
                .type = (uint8_t)arch_stage2_type(pte),
                .gfn = gfn(ALIGN_DOWN(g.n, UINT64_C(1) << order)),
                .mfn = table,
            };
            return true;
        }
    }
}

static void *translate(struct vcpu *v, gpa_t a, bool write)
{
    struct pcpu *p = fake_machine->cpu;
    struct fake_tlb_entry now = { 0 }, *hit = NULL;
    gfn_t g = gpa_to_gfn(a);

    if (p->loaded != v) {
        fake_violation("a guest accesses memory that is not loaded on this CPU");
    }
    bool mapped = walk(v->domain, g, &now);

    for (uint32_t t = 0; t < FAKE_TLB_ENTRIES && hit == NULL; t++) {
        struct fake_tlb_entry *e = &p->arch.tlb[t];

        if (is_ours(v->domain, e) && g.n - e->gfn.n < UINT64_C(1) << e->order) {
            hit = e;
        }
    }
    if (hit != NULL &&
        (!mapped || now.type != hit->type || now.mfn.n - now.gfn.n != hit->mfn.n - hit->gfn.n)) {
        fake_violation("a stale translation is used: a flush is missing");
    }
    if (!mapped || (write && p2m_type_is_readonly(now.type))) {
        return NULL;
    }
    if (hit == NULL) {
        p->arch.tlb[p->arch.tlb_next++ % FAKE_TLB_ENTRIES] = now;
    }
    /* A host's devices are all one. */
    uint8_t *page = now.type == P2M_MMIO_DIRECT
                        ? fake_machine->device
                        : arch_frame_map(mfn_add(now.mfn, g.n - now.gfn.n));

    return page + (a.a & ~PAGE_MASK);
}

enum access { READ, WRITE, READ_UNCACHED };

static bool guest_access(struct vcpu *v, gpa_t a, void *buf, size_t size, enum access how)
{
    uint8_t *bytes = buf;

    /* All or nothing: look first. */
    for (uint64_t off = 0; off < size; off = ALIGN_DOWN(a.a + off, PAGE_SIZE) + PAGE_SIZE - a.a) {
        if (translate(v, gpa_add(a, off), how == WRITE) == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t *p = translate(v, gpa_add(a, i), how == WRITE);
        bool is_cached = (uintptr_t)p - (uintptr_t)fake_machine->device >= PAGE_SIZE;

        if (how == WRITE) {
            *p = bytes[i];
        } else {
            bytes[i] = how == READ_UNCACHED && is_cached ? (uint8_t) ~*fake_shadow(p) : *p;
        }
    }
    return true;
}

bool fake_guest_read(struct vcpu *v, gpa_t a, void *buf, size_t size)
{
    return guest_access(v, a, buf, size, READ);
}

bool fake_guest_write(struct vcpu *v, gpa_t a, const void *buf, size_t size)
{
    return guest_access(v, a, (void *)(uintptr_t)buf, size, WRITE);
}

bool fake_guest_read_uncached(struct vcpu *v, gpa_t a, void *buf, size_t size)
{
    return guest_access(v, a, buf, size, READ_UNCACHED);
}

void fake_stage2_load(struct domain *d, struct pcpu *p)
{
    if (!vmid_is_loaded(&d->p2m.vmid, &p->vmid) && vmid_load(d, p)) {
        memset(p->arch.tlb, 0, sizeof(p->arch.tlb));
    }
}
