/* SPDX-License-Identifier: MIT */
/*
 * The virtual interrupt controller as the rest of the hypervisor sees it:
 * creation, lines, pass-through, the two interrupts that belong to it, and
 * how a vCPU elsewhere is told. The state is in vgicv3.c, where the rules of
 * ownership are explained; registers are in vgic_mmio.c.
 */
#include <arch/guest.h>
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/mem.h>
#include <loam/mmio.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "guest.h"
#include "host.h"
#include "sysreg.h"
#include "vgic.h"
#include "vgic_hw.h"
#include "vtimer.h"


static inline struct vcpu *vcpu_of(struct vgic_cpu *c)
{
    return container_of(c, struct vcpu, arch.vgic);
}

/* --- Telling the owner ----------------------------------------------------- */

void vgic_notify(struct vgic_cpu *c)
{
    struct vcpu *v = vcpu_of(c);

    /*
     * Full barrier: what the caller set is visible before `running` is read.
     * Partner: arch_vcpu_sync_interrupts() of the CPU that picks v.
     */
    vcpu_wake(v);
    /* Acquire: v->pcpu is the CPU that it was set to with `running`. Partner: sched_pick(). */
    if (atomic_load_acquire(&v->running)) {
        pcpu_kick(v->pcpu, PCPU_WORK_VINTC);
    }
}

void vgic_publish(struct vgic_cpu *c)
{
    struct vcpu *v = vcpu_of(c);

    vgic_notify(c);
    struct pcpu *p = atomic_load_relaxed(&v->loaded_on);

    if (p != NULL && !atomic_load_relaxed(&v->running)) {
        pcpu_kick(p, PCPU_WORK_SAVE);
    }
}

bool vgic_loaded_elsewhere(const struct vgic_cpu *c)
{
    const struct vcpu *v = container_of(c, struct vcpu, arch.vgic);
    struct pcpu *p = atomic_load_acquire(&v->loaded_on);

    return p != NULL && p != this_pcpu();
}

/* --- The run loop's side ---------------------------------------------------- */

void arch_vcpu_sync_interrupts(struct vcpu *v)
{
    smp_mb(); /* partner: vgic_notify() */
    vtimer_sync(v);
    vgic_deliver(&v->arch.vgic);
}

bool arch_vcpu_has_event(struct vcpu *v)
{
    if (v->arch.vgic.loaded) {
        vtimer_sync(v);
    } else if (vtimer_is_due(v)) {
        return true;
    }
    return vgic_has_event(&v->arch.vgic);
}

void vgic_host_vtimer(struct pcpu *p)
{
    struct vcpu *v = p->loaded;

    if (unlikely(v == NULL || !host_vtimer_asserted())) {
        /* Set anew or switched off while the interrupt was on its way. */
        host_irq_deactivate(p->arch.host->vtimer_irq);
        return;
    }
    vgic_ppi_hw(&v->arch.vgic);
    if (v != p->current) {
        vcpu_wake(v);
    }
}

void vgic_maintenance(struct pcpu *p)
{
    struct vcpu *v = p->loaded;

    if (v == NULL) {
        return;
    }
    vgic_sync(&v->arch.vgic);
    if (v != p->current && vgic_has_event(&v->arch.vgic)) {
        vcpu_wake(v);
    }
}

/* --- Creation ----------------------------------------------------------------- */

/* ICH_VTR_EL2.PREbits: 5 preemption bits need one active priority register of each group. */
static uint32_t nr_aprs(void)
{
    uint32_t pre_bits = ((uint32_t)(sysreg_read_s(ICH_VTR_EL2) >> 26) & 7) + 1;

    return pre_bits <= 5 ? 1 : 1u << (pre_bits - 5);
}

void vgic_pcpu_init(struct pcpu *p)
{
    for (uint32_t i = 0; i < p->arch.host->nr_lrs; i++) {
        ich_lr_write(i, 0);
    }
    for (uint32_t i = 0; i < nr_aprs(); i++) {
        ich_apr_write(0, i, 0);
        ich_apr_write(1, i, 0);
    }
    ich_hcr_write(ICH_HCR_EN);
}

static size_t vgic_size(const struct domain *d, uint32_t nr_spis)
{
    return sizeof(struct vgic) + d->config.vcpus_max * sizeof(struct vgic_cpu *) +
           nr_spis * sizeof(struct vgic_spi);
}

int vintc_domain_init(struct domain *d)
{
    const struct arch_host *host = arch_host_const(d->hv);
    uint32_t nr_spis = ALIGN_UP(MAX(d->config.nr_spis, 1u), 32u);

    if (nr_spis > VGIC_SPIS_MAX) {
        return -XEN_EINVAL;
    }
    struct vgic *g = mem_alloc(d->hv, vgic_size(d, nr_spis));
    if (g == NULL) {
        return -XEN_ENOMEM;
    }
    *g = (struct vgic){
        .lock = SPINLOCK_INIT(LOCK_RANK_VINTC),
        .nr_cpus = (uint16_t)d->config.vcpus_max,
        .nr_spis = (uint16_t)nr_spis,
        .nr_lrs = (uint8_t)MIN(host->nr_lrs, VGIC_LRS_MAX),
        .nr_apr = (uint8_t)nr_aprs(),
        .prio_mask = (uint8_t)(0xff00u >> host->pri_bits),
        .ppi_hw = (uint8_t)host->vtimer_irq,
        /* The toolstack writes 31 into its trees; dom0's interrupts are at the host's numbers. */
        .ppi_event = d->config.control ? GUEST_PPI_EVENT_CONTROL : GUEST_PPI_EVENT,
        .cpu = (struct vgic_cpu **)(g + 1),
        .spis = (struct vgic_spi *)((struct vgic_cpu **)(g + 1) + d->config.vcpus_max),
    };
    for (uint32_t i = 0; i < nr_spis; i++) {
        g->spis[i].owner = VGIC_NO_VCPU;
    }
    d->arch.vgic = g;
    return 0;
}

void vintc_domain_fini(struct domain *d)
{
    struct vgic *g = d->arch.vgic;

    mem_free(d->hv, g, vgic_size(d, g->nr_spis));
    d->arch.vgic = NULL;
}

void vintc_vcpu_init(struct vcpu *v)
{
    struct vgic_cpu *c = &v->arch.vgic;

    c->gic = v->domain->arch.vgic;
    c->id = (uint16_t)v->id;
    c->asleep = true;
    c->gic->cpu[v->id] = c;
}

static enum mmio_result gicd_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                  uint64_t *value)
{
    (void)vgic_gicd_read(&v->arch.vgic, (uint32_t)offset, size, value);
    return MMIO_OK;
}

static enum mmio_result gicd_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                   uint64_t value)
{
    (void)vgic_gicd_write(&v->arch.vgic, (uint32_t)offset, size, value);
    return MMIO_OK;
}

static enum mmio_result gicr_read(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                  uint64_t *value)
{
    (void)vgic_gicr_read(&v->arch.vgic, (uint32_t)offset, size, value);
    return MMIO_OK;
}

static enum mmio_result gicr_write(struct vcpu *v, void *data, uint64_t offset, uint32_t size,
                                   uint64_t value)
{
    (void)vgic_gicr_write(&v->arch.vgic, (uint32_t)offset, size, value);
    return MMIO_OK;
}

static const struct mmio_ops gicd_ops = { gicd_read, gicd_write };
static const struct mmio_ops gicr_ops = { gicr_read, gicr_write };

int arch_vintc_create(struct domain *d)
{
    struct guest_gic at = guest_gic(d);
    int rc = mmio_register(d, at.gicd, GUEST_GICD_SIZE, &gicd_ops, NULL);

    return rc != 0 ? rc
                   : mmio_register(d, at.gicr, d->config.vcpus_max * GUEST_GICR_STRIDE, &gicr_ops,
                                   NULL);
}

/* --- Lines --------------------------------------------------------------------- */

void arch_vintc_set_level(struct domain *d, uint32_t virq, bool level)
{
    vgic_spi_line(d->arch.vgic, virq, level, NULL);
}

void arch_vintc_pulse(struct domain *d, uint32_t virq)
{
    vgic_spi_pulse(d->arch.vgic, virq, NULL);
}

void arch_vintc_event(struct vcpu *v)
{
    struct vgic_cpu *c = &v->arch.vgic;
    struct pcpu *p = this_pcpu();

    if (p->loaded != v) {
        vgic_pend_private(c, c->gic->ppi_event, NULL);
        return;
    }
    vgic_pend_private(c, c->gic->ppi_event, c);
    if (v != p->current) {
        vcpu_wake(v);
    }
}

int arch_vintc_assign(struct domain *d, uint32_t virq, uint32_t irq, bool edge)
{
    struct vgic *g = d->arch.vgic;
    uint32_t i = virq - 32;

    if (i >= g->nr_spis || irq < 32) {
        return -XEN_EINVAL;
    }
    spin_lock(&g->lock);
    int rc = g->spis[i].hwirq != 0 ? -XEN_EBUSY : 0;
    if (rc == 0) {
        g->spis[i].hwirq = (uint16_t)irq;
        g->spis[i].edge = edge;
    }
    spin_unlock(&g->lock);
    return rc;
}

void arch_vintc_unassign(struct domain *d, uint32_t virq)
{
    struct vgic *g = d->arch.vgic;
    uint32_t i = virq - 32;

    if (i < g->nr_spis) {
        spin_lock(&g->lock);
        g->spis[i].hwirq = 0;
        g->spis[i].latch = false;
        spin_unlock(&g->lock);
    }
}

void arch_vintc_host_irq(struct domain *d, uint32_t virq)
{
    vgic_spi_pulse(d->arch.vgic, virq, NULL);
}
