/* SPDX-License-Identifier: MIT */
/*
 * Registers of the virtual GICv3: distributor and redistributors, and the
 * ICC_SGI registers (Arm IHI 0069 12.2, 12.9 to 12.11), one security state
 * (GICD_CTLR.DS), affinity routing always on, no LPIs, no MBIs.
 *
 *   redistributor of vCPU n at n * 0x20000: RD_base frame, then SGI_base frame
 *
 * Writes change memory under the distributor's lock and make the vCPUs
 * concerned dirty; the caller's own is delivered to before the access is over.
 *
 * Reads of pending and active state want what list registers hold now. The
 * caller's own are written back first. Those of a vCPU that is loaded on
 * another CPU are written back by that CPU: the read asks for it and sets
 * self->retry, the instruction is executed again, and goes through once
 * `published` has moved (one vCPU after the other, in the order of ids, so
 * that it ends). Nothing waits inside the hypervisor.
 *
 * Widths: words everywhere, bytes for priorities, doublewords for GICD_IROUTER
 * and GICR_TYPER. Anything else reads as zero and is ignored on writes.
 */
#include <loam/atomic.h>
#include <loam/bits.h>
#include <loam/types.h>

#include "vgic.h"
#include "vgic_hw.h"

/* Product 'L', revision 0, implementer Arm (JEP106). */
#define VGIC_IIDR 0x4c00043bu
#define VGIC_PIDR2 0x3bu /* GICv3 */

/* Registers of one bit per interrupt. */
enum bit_reg {
    REG_GROUP = 0x080,
    REG_ENABLE_SET = 0x100,
    REG_ENABLE_CLEAR = 0x180,
    REG_PENDING_SET = 0x200,
    REG_PENDING_CLEAR = 0x280,
    REG_ACTIVE_SET = 0x300,
    REG_ACTIVE_CLEAR = 0x380,
};

#define REG_PRIORITY 0x400u
#define REG_CONFIG 0xc00u
#define GICD_ROUTER 0x6100u /* of INTID 32 */
#define REG_IDS 0xffd0u     /* PIDR4..7, PIDR0..3, CIDR0..3 */

static uint64_t id_register(uint32_t offset)
{
    static const uint8_t ids[12] = { 0x44, 0, 0, 0, 0x92, 0xb4, VGIC_PIDR2, 0,
                                     0x0d, 0xf0, 0x05, 0xb1 };

    return ids[(offset - REG_IDS) / 4];
}

static inline bool is_state(enum bit_reg reg)
{
    return reg >= REG_PENDING_SET;
}

/*
 * True: c's list registers are somebody else's and not as fresh as the read at
 * `addr` wants them; self->retry is set.
 */
static bool must_wait(struct vgic_cpu *self, struct vgic_cpu *c, uint64_t addr)
{
    if (!vgic_loaded_elsewhere(c)) {
        return false;
    }
    /* Acquire: what was written back is seen. Partner: sync_locked(), vgic_save(). */
    uint32_t published = atomic_load_acquire(&c->published);

    if (self->wait_addr == addr && c->id <= self->wait_vcpu) {
        if (c->id < self->wait_vcpu || published != self->wait_published) {
            return false;
        }
    } else {
        self->wait_addr = addr;
        self->wait_vcpu = c->id;
        self->wait_published = published;
    }
    self->retry = true;
    atomic_store_relaxed(&c->dirty, 1);
    vgic_publish(c);
    return true;
}

/* After the lock is gone: what the access changed for the caller itself. */
static void settle(struct vgic_cpu *self)
{
    if (self->loaded && atomic_load_relaxed(&self->dirty)) {
        vgic_sync(self);
    }
}

/* --- Private interrupts --------------------------------------------------------- */

static uint32_t private_read(struct vgic_cpu *self, struct vgic_cpu *c, enum bit_reg reg)
{
    if (is_state(reg)) {
        if (c == self) {
            vgic_sync(c);
        } else if (must_wait(self, c, (uint64_t)c->id << 32 | reg | 1)) {
            return 0;
        } else {
            self->wait_addr = 0;
        }
    }
    uint32_t active = (c->active & ~c->clear_active) | c->set_active;

    switch (reg) {
    case REG_GROUP:
        return c->group;
    case REG_ENABLE_SET:
    case REG_ENABLE_CLEAR:
        return c->enabled;
    case REG_PENDING_SET:
    case REG_PENDING_CLEAR:
        return ((c->pending | c->lr_pending) & ~c->clear_pending) | c->line;
    case REG_ACTIVE_SET:
    case REG_ACTIVE_CLEAR:
        return active;
    }
    return 0;
}

static void private_write_locked(struct vgic_cpu *c, enum bit_reg reg, uint32_t bits)
{
    switch (reg) {
    case REG_GROUP:
        c->group = bits;
        vgic_update_open(c);
        break;
    case REG_ENABLE_SET:
        c->enabled |= bits;
        vgic_update_open(c);
        break;
    case REG_ENABLE_CLEAR:
        c->enabled &= ~bits;
        vgic_update_open(c);
        break;
    case REG_PENDING_SET:
        atomic_fetch_and(&c->clear_pending, ~bits);
        atomic_fetch_or(&c->pending, bits);
        break;
    case REG_PENDING_CLEAR:
        atomic_fetch_or(&c->clear_pending, bits);
        break;
    case REG_ACTIVE_SET:
        atomic_fetch_and(&c->clear_active, ~bits);
        atomic_fetch_or(&c->set_active, bits);
        break;
    case REG_ACTIVE_CLEAR:
        atomic_fetch_and(&c->set_active, ~bits);
        atomic_fetch_or(&c->clear_active, bits);
        break;
    }
}

static void private_write(struct vgic_cpu *self, struct vgic_cpu *c, enum bit_reg reg,
                          uint32_t bits)
{
    spin_lock(&c->gic->lock);
    private_write_locked(c, reg, bits);
    vgic_changed(c, self);
    spin_unlock(&c->gic->lock);
    settle(self);
}

/* --- Shared interrupts ------------------------------------------------------------ */

/* Does c hold one of the 32 SPIs from `first` on in a list register? */
static bool holds_spi(const struct vgic *g, const struct vgic_cpu *c, uint32_t first)
{
    for (uint32_t i = first; i < first + 32 && i < g->nr_spis; i++) {
        if (g->spis[i].in_lr && g->spis[i].owner == c->id) {
            return true;
        }
    }
    return false;
}

/* Makes memory tell the state of 32 SPIs; false: not yet. */
static bool spis_fresh(struct vgic_cpu *self, uint32_t first, uint64_t addr)
{
    struct vgic *g = self->gic;

    if (self->spi_lrs != 0) {
        vgic_sync(self);
    }
    for (uint32_t id = 0; id < g->nr_cpus; id++) {
        struct vgic_cpu *c = g->cpu[id];

        if (c != NULL && c != self && holds_spi(g, c, first) && must_wait(self, c, addr)) {
            return false;
        }
    }
    self->wait_addr = 0;
    return true;
}

static bool spi_bit(const struct vgic_spi *s, enum bit_reg reg)
{
    switch (reg) {
    case REG_GROUP:
        return s->group1;
    case REG_ENABLE_SET:
    case REG_ENABLE_CLEAR:
        return s->enabled;
    case REG_PENDING_SET:
    case REG_PENDING_CLEAR:
        return s->latch || s->lr_pending || (s->line && !s->edge);
    case REG_ACTIVE_SET:
    case REG_ACTIVE_CLEAR:
        return s->active;
    }
    return false;
}

static uint32_t spi_read(struct vgic_cpu *self, enum bit_reg reg, uint32_t first)
{
    struct vgic *g = self->gic;
    uint64_t addr = UINT64_C(0xffff) << 32 | reg | first << 12 | 1;
    uint32_t value = 0;

    if (is_state(reg) && !spis_fresh(self, first, addr)) {
        return 0;
    }
    spin_lock(&g->lock);
    for (uint32_t i = 0; i < 32 && first + i < g->nr_spis; i++) {
        value |= (uint32_t)spi_bit(&g->spis[first + i], reg) << i;
    }
    spin_unlock(&g->lock);
    return value;
}

/*
 * ICPENDR and ICACTIVER of an interrupt that some vCPU has in a list register:
 * taken away from it when it is the caller's own (which was written back
 * before) or loaded nowhere; otherwise its owner finds the wish. [gic->lock]
 */
static void spi_write_bit(struct vgic *g, uint32_t i, enum bit_reg reg)
{
    struct vgic_spi *s = &g->spis[i];

    switch (reg) {
    case REG_GROUP:
        break;
    case REG_ENABLE_SET:
        s->enabled = true;
        break;
    case REG_ENABLE_CLEAR:
        s->enabled = false;
        break;
    case REG_PENDING_SET:
        s->unlatch = false;
        s->latch = true;
        break;
    case REG_PENDING_CLEAR:
        vgic_spi_unlatch(g, i);
        break;
    case REG_ACTIVE_SET:
        s->deactivate = false;
        s->active = true;
        if (s->owner == VGIC_NO_VCPU) {
            s->owner = s->target;
        }
        break;
    case REG_ACTIVE_CLEAR:
        vgic_spi_deactivate(g, i);
        break;
    }
}

static void spi_write(struct vgic_cpu *self, enum bit_reg reg, uint32_t first, uint32_t bits)
{
    struct vgic *g = self->gic;

    spin_lock(&g->lock);
    for (uint32_t i = 0; i < 32 && first + i < g->nr_spis; i++) {
        bool bit = bits >> i & 1;

        if (reg == REG_GROUP && g->spis[first + i].group1 != bit) {
            g->spis[first + i].group1 = bit;
        } else if (reg != REG_GROUP && bit) {
            spi_write_bit(g, first + i, reg);
        } else {
            continue;
        }
        vgic_spi_changed(g, first + i, self);
    }
    spin_unlock(&g->lock);
    settle(self);
}

/* --- Registers of several bits ------------------------------------------------------ */

static uint64_t priority_read(struct vgic_cpu *c, uint32_t intid, uint32_t size)
{
    struct vgic *g = c->gic;
    uint64_t value = 0;

    for (uint32_t i = 0; i < size; i++, intid++) {
        uint64_t prio = intid < 32 ? c->prio[intid]
                                   : intid - 32 < g->nr_spis ? g->spis[intid - 32].prio : 0;
        value |= prio << 8 * i;
    }
    return value;
}

static void priority_write(struct vgic_cpu *self, struct vgic_cpu *c, uint32_t intid,
                           uint32_t size, uint64_t value)
{
    struct vgic *g = c->gic;

    spin_lock(&g->lock);
    for (uint32_t i = 0; i < size; i++, intid++) {
        uint8_t prio = (uint8_t)(value >> 8 * i) & g->prio_mask;

        if (intid < 32) {
            c->prio[intid] = prio;
            vgic_changed(c, self);
        } else if (intid - 32 < g->nr_spis) {
            g->spis[intid - 32].prio = prio;
            vgic_spi_changed(g, intid - 32, self);
        }
    }
    spin_unlock(&g->lock);
    settle(self);
}

/* Sixteen interrupts, two bits each, the upper one says edge. */
static uint32_t config_read(struct vgic_cpu *c, uint32_t first)
{
    struct vgic *g = c->gic;
    uint32_t value = 0;

    for (uint32_t i = 0; i < 16; i++) {
        uint32_t n = first + i;
        bool edge = n < 32 ? n < 16 || c->edge >> n & 1
                           : n - 32 < g->nr_spis && g->spis[n - 32].edge;
        value |= (uint32_t)edge << (2 * i + 1);
    }
    return value;
}

static void config_write(struct vgic_cpu *self, struct vgic_cpu *c, uint32_t first, uint32_t value)
{
    struct vgic *g = c->gic;

    spin_lock(&g->lock);
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t n = first + i;
        bool edge = value >> (2 * i + 1) & 1;

        if (n >= 16 && n < 32) {
            c->edge = edge ? c->edge | 1u << n : c->edge & ~(1u << n);
            vgic_changed(c, self);
        } else if (n >= 32 && n - 32 < g->nr_spis) {
            g->spis[n - 32].edge = edge;
            vgic_spi_changed(g, n - 32, self);
        }
    }
    spin_unlock(&g->lock);
    settle(self);
}

static uint8_t router_target(const struct vgic *g, uint32_t affinity)
{
    uint32_t id = (affinity >> 8 & 0xff) * 16 + (affinity & 0xff);

    return affinity >> 16 == 0 && (affinity & 0xff) < 16 && id < g->nr_cpus ? (uint8_t)id
                                                                            : VGIC_NO_VCPU;
}

static uint64_t router_read(struct vgic *g, uint32_t offset, uint32_t size)
{
    uint32_t i = (offset - GICD_ROUTER) / 8;

    /* The upper half is Aff3: always 0. */
    return i < g->nr_spis && offset % 8 == 0 ? g->spis[i].affinity : 0;
}

static void router_write(struct vgic_cpu *self, uint32_t offset, uint64_t value)
{
    struct vgic *g = self->gic;
    uint32_t i = (offset - GICD_ROUTER) / 8;

    if (i >= g->nr_spis || offset % 8 != 0) {
        return;
    }
    spin_lock(&g->lock);
    g->spis[i].affinity = value & 0xffffff;
    g->spis[i].target = router_target(g, g->spis[i].affinity);
    vgic_spi_changed(g, i, self);
    spin_unlock(&g->lock);
    settle(self);
}

/* --- Distributor ---------------------------------------------------------------------- */

static uint32_t gicd_typer(const struct vgic *g)
{
    /* ITLinesNumber, 10 INTID bits, no 1-of-N. */
    return (g->nr_spis + 31u) / 32u | 9u << 19 | 1u << 25;
}

static void gicd_ctlr_write(struct vgic_cpu *self, uint64_t value)
{
    struct vgic *g = self->gic;

    spin_lock(&g->lock);
    g->ctlr = value & (GICD_CTLR_GRP0 | GICD_CTLR_GRP1);
    for (uint32_t id = 0; id < g->nr_cpus; id++) {
        if (g->cpu[id] != NULL) {
            vgic_update_open(g->cpu[id]);
            vgic_changed(g->cpu[id], self);
        }
    }
    for (uint32_t i = 0; i < g->nr_spis; i++) {
        vgic_spi_changed(g, i, self);
    }
    spin_unlock(&g->lock);
    settle(self);
}

bool vgic_gicd_read(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t *value)
{
    struct vgic *g = self->gic;

    if (likely(offset == 4 && size == 4)) { /* what guests read at run time */
        *value = gicd_typer(g);
        return true;
    }
    *value = 0;
    if (offset >= REG_PRIORITY + 32 && offset < REG_PRIORITY + 1020 && size <= 4) {
        *value = priority_read(self, offset - REG_PRIORITY, size);
        return true;
    }
    if (offset >= GICD_ROUTER && offset < GICD_ROUTER + 8 * VGIC_SPIS_MAX && size >= 4) {
        *value = router_read(g, offset, size);
        return true;
    }
    if (size != 4) {
        return false;
    }
    if (offset == 0) {
        *value = g->ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
    } else if (offset == 8) {
        *value = VGIC_IIDR;
    } else if (offset >= REG_GROUP && offset < REG_PRIORITY) {
        uint32_t word = offset % 0x80 / 4;

        /* INTIDs 0 to 31 are the redistributors' with affinity routing. */
        *value = word == 0 ? 0 : spi_read(self, (enum bit_reg)(offset & ~0x7fu), (word - 1) * 32);
    } else if (offset >= REG_CONFIG + 8 && offset < REG_CONFIG + 0x100) {
        *value = config_read(self, (offset - REG_CONFIG) * 4);
    } else if (offset >= REG_IDS) {
        *value = id_register(offset);
    }
    return true;
}

bool vgic_gicd_write(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t value)
{
    if (offset >= REG_PRIORITY + 32 && offset < REG_PRIORITY + 1020 && size <= 4) {
        priority_write(self, self, offset - REG_PRIORITY, size, value);
        return true;
    }
    if (offset >= GICD_ROUTER && offset < GICD_ROUTER + 8 * VGIC_SPIS_MAX && size >= 4) {
        router_write(self, offset, value);
        return true;
    }
    if (size != 4) {
        return false;
    }
    if (offset == 0) {
        gicd_ctlr_write(self, value);
    } else if (offset >= REG_GROUP && offset < REG_PRIORITY) {
        uint32_t word = offset % 0x80 / 4;

        if (word != 0) {
            spi_write(self, (enum bit_reg)(offset & ~0x7fu), (word - 1) * 32, (uint32_t)value);
        }
    } else if (offset >= REG_CONFIG + 8 && offset < REG_CONFIG + 0x100) {
        config_write(self, self, (offset - REG_CONFIG) * 4, (uint32_t)value);
    }
    return true;
}

/* --- Redistributors --------------------------------------------------------------------- */

static uint64_t gicr_typer(const struct vgic_cpu *c)
{
    uint64_t affinity = (uint64_t)(c->id / 16u) << 8 | c->id % 16u;

    return affinity << 32 | (uint64_t)c->id << 8 | (c->id + 1 == c->gic->nr_cpus ? BIT(4) : 0);
}

static bool gicr_rd_read(struct vgic_cpu *c, uint32_t offset, uint32_t size, uint64_t *value)
{
    if (offset == 8 || (offset == 12 && size == 4)) {
        *value = gicr_typer(c) >> (offset == 12 ? 32 : 0);
        if (size == 4) {
            *value = (uint32_t)*value;
        }
        return size >= 4;
    }
    if (size != 4) {
        return false;
    }
    if (offset == 4) {
        *value = VGIC_IIDR;
    } else if (offset == 0x14) {
        *value = c->asleep ? 6 : 0; /* ProcessorSleep, ChildrenAsleep */
    } else if (offset >= REG_IDS) {
        *value = id_register(offset);
    }
    return true;
}

bool vgic_gicr_read(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t *value)
{
    uint32_t id = offset / VGIC_GICR_STRIDE;
    struct vgic_cpu *c = id < self->gic->nr_cpus ? self->gic->cpu[id] : NULL;

    *value = 0;
    offset %= VGIC_GICR_STRIDE;
    if (c == NULL) {
        return true;
    }
    if (offset < 0x10000) {
        return gicr_rd_read(c, offset, size, value);
    }
    offset -= 0x10000;
    if (offset >= REG_PRIORITY && offset < REG_PRIORITY + 32 && size <= 4) {
        *value = priority_read(c, offset - REG_PRIORITY, size);
        return true;
    }
    if (size != 4) {
        return false;
    }
    if (offset >= REG_GROUP && offset < REG_PRIORITY && offset % 0x80 == 0) {
        *value = private_read(self, c, (enum bit_reg)offset);
    } else if (offset == REG_CONFIG || offset == REG_CONFIG + 4) {
        *value = config_read(c, (offset - REG_CONFIG) * 4);
    }
    return true;
}

bool vgic_gicr_write(struct vgic_cpu *self, uint32_t offset, uint32_t size, uint64_t value)
{
    uint32_t id = offset / VGIC_GICR_STRIDE;
    struct vgic_cpu *c = id < self->gic->nr_cpus ? self->gic->cpu[id] : NULL;

    offset %= VGIC_GICR_STRIDE;
    if (c == NULL) {
        return true;
    }
    if (offset >= 0x10000 + REG_PRIORITY && offset < 0x10000 + REG_PRIORITY + 32 && size <= 4) {
        priority_write(self, c, offset - 0x10000 - REG_PRIORITY, size, value);
        return true;
    }
    if (size != 4) {
        return false;
    }
    if (offset == 0x14) {
        c->asleep = value & 2;
    } else if (offset >= 0x10000 + REG_GROUP && offset < 0x10000 + REG_PRIORITY &&
               offset % 0x80 == 0) {
        private_write(self, c, (enum bit_reg)(offset - 0x10000), (uint32_t)value);
    } else if (offset == 0x10000 + REG_CONFIG + 4) {
        config_write(self, c, 16, (uint32_t)value);
    }
    return true;
}

/* --- SGI registers ------------------------------------------------------------------------ */

static void sgi_one(struct vgic_cpu *self, uint32_t id, uint32_t intid, bool group1)
{
    struct vgic *g = self->gic;

    if (id < g->nr_cpus && g->cpu[id] != NULL && (g->cpu[id]->group >> intid & 1) == group1) {
        vgic_pend_private(g->cpu[id], intid, self);
    }
}

void vgic_send_sgi(struct vgic_cpu *c, uint64_t sgir, bool group1)
{
    uint32_t intid = (uint32_t)(sgir >> 24) & 0xf;

    if (sgir & BIT(40)) { /* IRM: all but self */
        for (uint32_t id = 0; id < c->gic->nr_cpus; id++) {
            if (id != c->id) {
                sgi_one(c, id, intid, group1);
            }
        }
        return;
    }
    /* Aff3, Aff2 and the range selector are 0 for all vCPUs: Aff1 = id / 16, Aff0 = id % 16. */
    if (sgir & (BITS(55, 44) | BITS(39, 32))) {
        return;
    }
    uint32_t base = ((uint32_t)(sgir >> 16) & 0xff) * 16;

    for (uint32_t list = sgir & 0xffff; list != 0; list &= list - 1) {
        sgi_one(c, base + (uint32_t)__builtin_ctz(list), intid, group1);
    }
}
