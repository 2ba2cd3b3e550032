/* SPDX-License-Identifier: MIT */
/*
 * The virtual interrupt controller as the rest of the hypervisor sees it:
 * each call goes to the kind that the domain has. A domain that is still
 * without one (host tests, a build that failed) has no interrupts.
 */
#include <arch/guest.h>
#include <loam/domain.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "csr.h"
#include "host.h"
#include "vintc.h"

int arch_vintc_create(struct domain *d)
{
    return vintc_aia_is_possible(d->hv) ? vintc_aia_create(d) : vintc_plic_create(d);
}

void vintc_destroy(struct domain *d)
{
    struct vintc *vi = d->arch.vintc;

    if (vi == NULL) {
        return;
    }
    d->arch.vintc = NULL;
    if (vi->ops->destroy != NULL) {
        vi->ops->destroy(vi);
    }
    mem_free(d->hv, vi, vi->bytes);
}

/* --- Lines ------------------------------------------------------------------ */

void arch_vintc_set_level(struct domain *d, uint32_t virq, bool level)
{
    struct vintc *vi = d->arch.vintc;

    if (likely(vi != NULL)) {
        vi->ops->set_level(vi, virq, level);
    }
}

void arch_vintc_pulse(struct domain *d, uint32_t virq)
{
    struct vintc *vi = d->arch.vintc;

    if (likely(vi != NULL)) {
        vi->ops->pulse(vi, virq);
    }
}

/* Without an interrupt for events a guest looks at its vcpu_info when it wakes. */
void arch_vintc_event(struct vcpu *v) { vcpu_wake(v); }

int arch_vintc_assign(struct domain *d, uint32_t virq, uint32_t irq, bool edge)
{
    struct vintc *vi = d->arch.vintc;

    return vi == NULL ? -XEN_EINVAL : vi->ops->assign(vi, virq, irq, edge);
}

void arch_vintc_unassign(struct domain *d, uint32_t virq)
{
    struct vintc *vi = d->arch.vintc;

    if (vi != NULL) {
        vi->ops->unassign(vi, virq);
    }
}

void arch_vintc_host_irq(struct domain *d, uint32_t virq)
{
    struct vintc *vi = d->arch.vintc;

    if (likely(vi != NULL)) {
        vi->ops->host_irq(vi, virq);
    }
}

/* --- vCPUs -------------------------------------------------------------------- */

int vintc_vcpu_init(struct vcpu *v)
{
    struct vintc *vi = v->domain->arch.vintc;

    return vi == NULL || vi->ops->vcpu_init == NULL ? 0 : vi->ops->vcpu_init(v);
}

void vintc_vcpu_fini(struct vcpu *v)
{
    struct vintc *vi = v->domain->arch.vintc;

    if (vi != NULL && vi->ops->vcpu_fini != NULL) {
        vi->ops->vcpu_fini(v);
    }
}

/*
 * A guest with an interrupt file asks stopi what to take. Without a guest file of the hart
 * (VGEIN = 0) it may be told of VSEIP in two ways, by hvictl or by that bit alone
 * (AIA ch. 6.3). QEMU 10.0 knows only the first: stopi would be 0, and the interrupt taken
 * again and again.
 */
void vintc_external(struct vcpu *v, bool level)
{
    if (v->arch.vintc.aia != NULL) {
        csr_write(CSR_HVICTL, level ? HVICTL_EXTERNAL : 0);
    }
}

void vintc_load(struct vcpu *v, struct pcpu *p)
{
    const struct aia_cpu *aia = v->arch.vintc.aia;

    if (aia != NULL || p->arch.host->has_ssaia) {
        csr_write(CSR_VSISELECT, v->arch.vintc.select);
        csr_write(CSR_HVICTL, 0);
    }
    if (aia != NULL) {
        if (unlikely(v->arch.hvip & HIP_VSEIP)) {
            vintc_external(v, true);
        }
        vintc_aia_load(v, p);
    }
}

void vintc_save(struct vcpu *v, struct pcpu *p)
{
    const struct aia_cpu *aia = v->arch.vintc.aia;

    if (aia != NULL || p->arch.host->has_ssaia) {
        v->arch.vintc.select = csr_read(CSR_VSISELECT);
    }
    if (aia != NULL) {
        vintc_aia_save(v, p);
    }
}

void vintc_sync(struct vcpu *v, struct pcpu *p)
{
    if (v->arch.vintc.aia != NULL) {
        vintc_aia_sync(v, p);
    }
}

void vintc_wait(struct vcpu *v)
{
    if (v->arch.vintc.aia != NULL) {
        vintc_aia_wait(v);
    }
}

bool vintc_csr(struct vcpu *v, uint32_t insn)
{
    return v->arch.vintc.aia != NULL && vintc_aia_csr(v, insn);
}

/* --- The guest's device tree ---------------------------------------------------- */

bool vintc_has_ssaia(const struct domain *d)
{
    return d->arch.vintc != NULL && d->arch.vintc->ops->ssaia;
}

void vintc_guest_fdt(struct domain *d, struct fdt_writer *w, const struct guest_intc *intc)
{
    struct vintc *vi = d->arch.vintc;

    if (vi != NULL) {
        vi->ops->guest_fdt(vi, w, intc);
    }
}

uint32_t vintc_irq_cells(const struct domain *d, uint32_t virq, bool edge, uint32_t cells[4])
{
    const struct vintc *vi = d->arch.vintc;

    return vi == NULL ? 0 : vi->ops->irq_cells(virq, edge, cells);
}
