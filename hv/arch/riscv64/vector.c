/* SPDX-License-Identifier: MIT */
/*
 * Vector registers of guests (V 1.0).
 *
 * They are large, and most guests use them now and then: the registers move only for a
 * vCPU that uses them. sstatus.VS, the hypervisor's view of them (vsstatus.VS is the guest's
 * own), is Off unless the hardware holds the registers of the vCPU that is loaded. What
 * a guest then executes of V is illegal, comes to vector_use(), and is executed
 * again. The price is that hedeleg leaves illegal instructions to the hypervisor (cpu.c).
 *
 * A vCPU that changed its registers when it ran last (VS Dirty) is taken for one that will
 * again: its registers are loaded with it. One that comes back to the CPU that still has
 * them pays nothing. One that never used V pays a test.
 *
 * The memory comes with the vCPU, also if it will not use V. What is short later could
 * only be told by an illegal instruction, to a guest that was promised V; and
 * kernels ask for the length of the registers while they boot, so that little would be saved.
 */
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "host.h"
#include "vector.h"

#define REGISTERS 32
#define VTYPE_VILL BIT(63)

/* Offsets are switch.S's. */
struct vector_regs {
    uint64_t vstart, vcsr, vl, vtype;
    uint8_t v[]; /* REGISTERS of host->vlenb bytes each */
};
_Static_assert(offsetof(struct vector_regs, vcsr) == 8, "switch.S");
_Static_assert(offsetof(struct vector_regs, vl) == 16, "switch.S");
_Static_assert(offsetof(struct vector_regs, vtype) == 24, "switch.S");
_Static_assert(offsetof(struct vector_regs, v) == 32, "switch.S");

/* switch.S; sstatus.VS is not Off. */
void vector_regs_save(struct vector_regs *r);
void vector_regs_load(const struct vector_regs *r);

void vector_cpu_init(struct pcpu *p)
{
    struct arch_host *host = arch_host(p->hv);

    if (!host->has_vector) {
        return;
    }
    csr_set(sstatus, SSTATUS_VS_CLEAN);
    uint32_t vlenb = (uint32_t)csr_read(vlenb);
    csr_clear(sstatus, SSTATUS_VS);
    if (host->vlenb == 0) {
        host->vlenb = vlenb; /* the boot CPU's, before there are others */
    } else if (host->vlenb != vlenb) {
        log_warn(p->hv, "cpu %u: vector registers of %u bytes, not %u: guests do without", p->id,
                 vlenb, host->vlenb);
        atomic_store_relaxed(&host->has_vector, false);
    }
}

bool vector_is_offered(const struct hv *hv)
{
    return atomic_load_relaxed(&arch_host_const(hv)->has_vector);
}

static size_t regs_size(const struct vcpu *v)
{
    return sizeof(struct vector_regs) + REGISTERS * arch_host_const(v->domain->hv)->vlenb;
}

int vector_vcpu_init(struct vcpu *v)
{
    struct hv *hv = v->domain->hv;

    if (!vector_is_offered(hv)) {
        return 0;
    }
    v->arch.vector.regs = mem_alloc(hv, regs_size(v));
    return v->arch.vector.regs == NULL ? -XEN_ENOMEM : 0;
}

void vector_vcpu_fini(struct vcpu *v)
{
    mem_free(v->domain->hv, v->arch.vector.regs, regs_size(v));
    v->arch.vector.regs = NULL;
}

void vector_vcpu_reset(struct vcpu *v)
{
    struct arch_vector *vector = &v->arch.vector;

    vector->cpu = UINT32_MAX;
    vector->active = false;
    v->arch.rare &= ~RARE_VECTOR;
    if (vector->regs != NULL) {
        memset(vector->regs, 0, regs_size(v));
        vector->regs->vtype = VTYPE_VILL; /* V 3.11 */
    }
}

static bool is_owner(const struct vcpu *v, const struct pcpu *p)
{
    return p->arch.vector_owner == v && v->arch.vector.cpu == p->id;
}

/* v's registers are in the hardware from here on, and it may use them. */
static void turn_on(struct vcpu *v, struct pcpu *p)
{
    csr_set(sstatus, SSTATUS_VS_CLEAN);
    if (is_owner(v, p)) {
        return;
    }
    vector_regs_load(v->arch.vector.regs);
    p->arch.vector_owner = v;
    v->arch.vector.cpu = p->id;
    csr_clear(sstatus, SSTATUS_VS_CHANGED);
}

__noinline bool vector_use(struct vcpu *v)
{
    /* Off in its own view: illegal, as on a hart of its own. On in both: it is something else. */
    if (v->arch.vector.regs == NULL || (csr_read(vsstatus) & SSTATUS_VS) == 0 ||
        (csr_read(sstatus) & SSTATUS_VS) != 0) {
        return false;
    }
    /* Not necessarily an instruction of V: another one will come again and find them on. */
    v->arch.rare |= RARE_VECTOR;
    turn_on(v, v->pcpu);
    return true;
}

void vector_load(struct vcpu *v, struct pcpu *p)
{
    if (v->arch.vector.active || is_owner(v, p)) {
        turn_on(v, p);
    }
}

void vector_save(struct vcpu *v)
{
    v->arch.vector.active = (csr_read(sstatus) & SSTATUS_VS) == SSTATUS_VS;
    if (v->arch.vector.active) {
        vector_regs_save(v->arch.vector.regs);
    }
    csr_clear(sstatus, SSTATUS_VS);
}
