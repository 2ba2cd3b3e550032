/* SPDX-License-Identifier: MIT */
/*
 * Shared interrupts of the virtual GIC as memory has them: what makes one pending, and which
 * vCPU it is offered to. That vCPU's CPU takes it into a list register or sends it on
 * (vgicv3.c); nothing here looks into one.
 *
 * `owner` is the vCPU in whose list register it is, or which has it active; while there is
 * one, a new route (`target`) waits. All of it is under gic->lock.
 */
#include <loam/atomic.h>
#include <loam/bits.h>

#include "vgic.h"
#include "vgic_hw.h"
#include "vgic_spi.h"

void vgic_spi_changed(struct vgic *g, uint32_t i, struct vgic_cpu *self)
{
    struct vgic_spi *s = &g->spis[i];
    uint8_t who = s->owner != VGIC_NO_VCPU ? s->owner : s->target;

    if (who == VGIC_NO_VCPU || g->cpu[who] == NULL ||
        !(s->in_lr || s->active || (spi_is_open(g, s) && spi_is_pending(s)))) {
        return;
    }
    spi_offer(g->cpu[who], i);
    vgic_changed(g->cpu[who], self);
}

void vgic_spi_unlatch(struct vgic *g, uint32_t i)
{
    struct vgic_spi *s = &g->spis[i];

    if (s->in_lr) {
        s->unlatch = true;
    } else if (s->hwirq != 0 && s->latch && !s->active) {
        host_irq_deactivate(s->hwirq); /* otherwise it could not come again */
    }
    s->latch = false;
}

void vgic_spi_deactivate(struct vgic *g, uint32_t i)
{
    struct vgic_spi *s = &g->spis[i];

    if (s->in_lr) {
        s->deactivate = true;
        return;
    }
    if (s->active && s->hwirq != 0) {
        host_irq_deactivate(s->hwirq);
    }
    s->active = false;
    s->owner = VGIC_NO_VCPU;
}

void vgic_spi_line(struct vgic *g, uint32_t intid, bool level, struct vgic_cpu *self)
{
    uint32_t i = intid - 32;

    if (i >= g->nr_spis) {
        return;
    }
    spin_lock(&g->lock);
    if (g->spis[i].line != level) {
        g->spis[i].line = level;
        g->spis[i].latch |= level && g->spis[i].edge;
        vgic_spi_changed(g, i, self);
    }
    spin_unlock(&g->lock);
}

void vgic_spi_pulse(struct vgic *g, uint32_t intid, struct vgic_cpu *self)
{
    uint32_t i = intid - 32;

    if (i >= g->nr_spis) {
        return;
    }
    spin_lock(&g->lock);
    g->spis[i].latch = true;
    vgic_spi_changed(g, i, self);
    spin_unlock(&g->lock);
}
