/* SPDX-License-Identifier: MIT */
/* Questions about one shared interrupt, for vgic_spi.c and vgicv3.c. Context: [gic->lock]. */
#ifndef ARM64_VGIC_SPI_H
#define ARM64_VGIC_SPI_H

#include <loam/atomic.h>
#include <loam/bits.h>

#include "vgic.h"

static inline bool spi_is_pending(const struct vgic_spi *s)
{
    return s->latch || (s->line && !s->edge && s->hwirq == 0);
}

static inline bool spi_is_open(const struct vgic *g, const struct vgic_spi *s)
{
    return s->enabled && (g->ctlr & (s->group1 ? GICD_CTLR_GRP1 : GICD_CTLR_GRP0));
}

static inline void spi_offer(struct vgic_cpu *c, uint32_t i)
{
    c->spi[i / 64] |= BIT(i % 64);
    atomic_fetch_or(&c->spi_words, 1u << i / 64);
}

static inline void spi_withdraw(struct vgic_cpu *c, uint32_t i)
{
    c->spi[i / 64] &= ~BIT(i % 64);
    if (c->spi[i / 64] == 0) {
        atomic_fetch_and(&c->spi_words, ~(1u << i / 64));
    }
}

#endif
