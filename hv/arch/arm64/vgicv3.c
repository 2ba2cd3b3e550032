/* SPDX-License-Identifier: MIT */
/*
 * The virtual GICv3: which interrupt is in which state, and in which list
 * register (Arm IHI 0069). Whom shared ones are offered to is in vgic_spi.c,
 * registers are in vgic_mmio.c, the rest of the hypervisor in vintc.c; the
 * hardware is behind vgic_hw.h, so that all of this also runs in
 * tests/unit/test_arm64_vgic.c.
 *
 * An interrupt is pending, active, both or neither. While it is in a list
 * register the hardware changes that state without telling, and memory holds
 * what was seen last. Two movements:
 *
 *   fold   list register -> memory      fill   memory -> list register
 *
 *                fold: was pending            fill (enabled, not active)
 *      +--------------------------------+ +------------------------------+
 *      v                                | |                              v
 *   PENDING latch|line                  LR (guest acknowledges and ends it)
 *      ^                                | ^                              |
 *      | line still high: again         | | fill                         |
 *   IDLE <-- fold: was empty -----------+ +-- ACTIVE <-- fold: was active +
 *
 * Who does it. List registers belong to the CPU that has the vCPU loaded (the
 * owner). Others never reach into them: they set a bit (pending, a wish, a
 * configuration, spi[]) and notify the owner, which folds and fills in
 * vgic_sync(). A vCPU loaded nowhere keeps the bits until it is loaded. So
 * GICR_ICACTIVER of a vCPU that runs elsewhere takes effect when that CPU has
 * left its guest, within a kick; the architecture asks for no more.
 *
 * The quick way, without the lock and mostly without reading the hardware:
 * a private interrupt goes from `pending` into a free list register
 * (place_quick). `used` and `in_lr` may name registers whose interrupt has
 * ended; only when all are used, or the same INTID comes again, the hardware
 * is asked.
 *
 * Level-triggered, emulated: the list register asks for a maintenance
 * interrupt at the end (LR_EOI); fold then looks at the line again. A line
 * that falls while the interrupt is pending in a list register makes it dirty.
 *
 * Hardware-backed (LR_HW): the guest's end deactivates the host's interrupt.
 * For SPIs nothing is special: active state is the distributor's and any
 * CPU's list register may end it. The virtual timer's PPI is the CPU's own
 * and the next vCPU needs it. States of (virtual, host) on this CPU:
 *
 *   (idle, idle) --host fires, vgic_ppi_hw()--> (pending, active)
 *   (pending, active) --guest acknowledges--> (active, active)
 *   (active, active) --guest ends--> (idle, idle)
 *   save: (pending or active, active) -> memory keeps the virtual state, the
 *         host's is deactivated; the caller has stopped the timer before.
 *   load: memory pending or active -> the host's is made active again before
 *         the caller starts the timer, so it does not fire a second time.
 *
 * More pending than list registers: the best by priority are in; NPIE brings
 * the rest when none of them is pending any more. Active ones without a list
 * register: LRENPIE counts their ends (EOIcount; the highest priority ends
 * first, as nesting has it), TDIR traps their deactivation.
 */
#include <loam/atomic.h>
#include <loam/bits.h>
#include <loam/types.h>

#include "vgic.h"
#include "vgic_hw.h"
#include "vgic_spi.h"

/* What may go into a list register. */
struct candidate {
    uint16_t intid;
    uint16_t key; /* smaller goes first: priority, active before pending */
    bool pending, active;
};

struct choice {
    struct candidate best[VGIC_LRS_MAX];
    uint32_t nr;
    bool left_pending, left_active; /* somebody found no place */
};

static inline uint32_t lrs_all(const struct vgic *g)
{
    return (1u << g->nr_lrs) - 1;
}

static inline bool private_is_level(const struct vgic_cpu *c, uint32_t intid)
{
    return intid >= 16 && intid != c->gic->ppi_hw && intid != c->gic->ppi_event &&
           !(c->edge >> intid & 1);
}

static uint64_t lr_private(const struct vgic_cpu *c, uint32_t intid)
{
    uint64_t lr = (uint64_t)c->prio[intid] << LR_PRIO_SHIFT | intid;

    if (c->group >> intid & 1) {
        lr |= LR_GROUP1;
    }
    if (intid == c->gic->ppi_hw) {
        lr |= LR_HW | (uint64_t)intid << LR_PINTID_SHIFT;
    } else if (private_is_level(c, intid)) {
        lr |= LR_EOI;
    }
    return lr;
}

static uint64_t lr_spi(const struct vgic_spi *s, uint32_t intid)
{
    uint64_t lr = (uint64_t)s->prio << LR_PRIO_SHIFT | intid;

    if (s->group1) {
        lr |= LR_GROUP1;
    }
    if (s->hwirq != 0) {
        lr |= LR_HW | (uint64_t)s->hwirq << LR_PINTID_SHIFT;
    } else if (!s->edge) {
        lr |= LR_EOI;
    }
    return lr;
}

void vgic_changed(struct vgic_cpu *c, struct vgic_cpu *self)
{
    atomic_store_relaxed(&c->dirty, 1);
    if (c != self) {
        vgic_notify(c);
    }
}

void vgic_update_open(struct vgic_cpu *c)
{
    uint32_t ctlr = c->gic->ctlr;
    uint32_t groups = (ctlr & GICD_CTLR_GRP1 ? c->group : 0) |
                      (ctlr & GICD_CTLR_GRP0 ? ~c->group : 0);

    atomic_store_relaxed(&c->open, c->enabled & groups);
}

/* --- fold ------------------------------------------------------------------ */

static void fold_private(struct vgic_cpu *c, uint32_t intid, uint64_t lr)
{
    uint32_t bit = 1u << intid;

    if (lr & LR_ACTIVE) {
        c->active |= bit;
    }
    /* Not taken: back to where it came from. A line needs no memory. */
    if (lr & LR_PENDING && (c->lr_latch & bit || !private_is_level(c, intid))) {
        atomic_fetch_or(&c->pending, bit);
    }
}

static void fold_spi(struct vgic_cpu *c, uint32_t intid, uint64_t lr)
{
    struct vgic_spi *s = &c->gic->spis[intid - 32];

    s->in_lr = false;
    s->lr_pending = false;
    s->active = lr & LR_ACTIVE;
    /* Not taken: back to where it came from. A line needs no memory. */
    s->latch |= lr & LR_PENDING && s->lr_latch;
    if (s->unlatch) {
        vgic_spi_unlatch(c->gic, intid - 32);
    }
    if (s->deactivate) {
        vgic_spi_deactivate(c->gic, intid - 32);
    }
    s->unlatch = false;
    s->deactivate = false;
    if (!s->active) {
        s->owner = VGIC_NO_VCPU;
    }
    if (s->active || s->target == c->id) {
        spi_offer(c, intid - 32);
    } else {
        vgic_spi_changed(c->gic, intid - 32, c); /* it was routed anew while we had it */
    }
}

/* All list registers back into memory; the hardware's are left empty. [gic->lock], owner */
static void fold(struct vgic_cpu *c)
{
    c->active &= ~c->in_lr;
    c->lr_pending = 0;
    for (uint32_t used = c->used; used != 0; used &= used - 1) {
        uint32_t n = ctz64(used);
        uint64_t lr = ich_lr_read(n);

        ich_lr_write(n, 0);
        if ((uint32_t)lr < 32) {
            fold_private(c, (uint32_t)lr, lr);
        } else {
            fold_spi(c, (uint32_t)lr, lr);
        }
    }
    c->used = 0;
    c->spi_lrs = 0;
    c->in_lr = 0;
    c->lr_latch = 0;
}

/* --- fill ------------------------------------------------------------------ */

static void choice_add(struct choice *ch, uint32_t max, struct candidate cand)
{
    uint32_t at = ch->nr;

    cand.key = (uint16_t)(cand.key << 1 | !cand.active);
    while (at > 0 && ch->best[at - 1].key > cand.key) {
        at--;
    }
    struct candidate lost = cand;
    if (at < max) {
        if (ch->nr == max) {
            lost = ch->best[max - 1];
        } else {
            ch->nr++;
            lost = (struct candidate){ 0 };
        }
        for (uint32_t i = MIN(ch->nr, max) - 1; i > at; i--) {
            ch->best[i] = ch->best[i - 1];
        }
        ch->best[at] = cand;
    }
    ch->left_pending |= lost.pending && !lost.active;
    ch->left_active |= lost.active;
}

static void choose_private(struct vgic_cpu *c, struct choice *ch)
{
    uint32_t pending = (atomic_load_relaxed(&c->pending) | c->line) & c->open;

    for (uint32_t all = pending | c->active; all != 0; all &= all - 1) {
        uint32_t intid = ctz64(all);

        choice_add(ch, c->gic->nr_lrs, (struct candidate){ .intid = (uint16_t)intid,
                                                           .key = c->prio[intid],
                                                           .pending = pending >> intid & 1,
                                                           .active = c->active >> intid & 1 });
    }
}

/* SPI i is in c->spi: still ours, and has it something to do? */
static void choose_spi(struct vgic_cpu *c, struct choice *ch, uint32_t i)
{
    struct vgic *g = c->gic;
    struct vgic_spi *s = &g->spis[i];
    bool pending = spi_is_open(g, s) && spi_is_pending(s);

    if (s->owner != c->id && !(s->owner == VGIC_NO_VCPU && s->target == c->id)) {
        spi_withdraw(c, i);
        if (s->owner == VGIC_NO_VCPU) {
            vgic_spi_changed(g, i, c); /* it was routed anew while we had it */
        }
        return;
    }
    if (!pending && !s->active) {
        spi_withdraw(c, i);
        return;
    }
    choice_add(ch, g->nr_lrs, (struct candidate){ .intid = (uint16_t)(i + 32),
                                                  .key = s->prio,
                                                  .pending = pending,
                                                  .active = s->active });
}

static void place_private(struct vgic_cpu *c, uint32_t n, const struct candidate *cand)
{
    uint32_t intid = cand->intid;
    uint32_t bit = 1u << intid;
    bool level = private_is_level(c, intid);
    /* Pending and active at once only without a line or a host interrupt to say so later. */
    bool pending = cand->pending && !(cand->active && (level || intid == c->gic->ppi_hw));

    if (pending && atomic_fetch_and(&c->pending, ~bit) & bit && level) {
        c->lr_latch |= bit;
    }
    c->in_lr |= bit;
    c->lr_pending |= pending ? bit : 0;
    c->lr_of[intid] = (uint8_t)n;
    ich_lr_write(n, lr_private(c, intid) | (pending ? LR_PENDING : 0) |
                        (cand->active ? LR_ACTIVE : 0));
}

static void place_spi(struct vgic_cpu *c, uint32_t n, const struct candidate *cand)
{
    uint32_t i = cand->intid - 32u;
    struct vgic_spi *s = &c->gic->spis[i];
    bool soft_edge = s->edge && s->hwirq == 0;
    bool pending = cand->pending && (!cand->active || soft_edge);

    s->lr_latch = pending && s->latch;
    if (pending) {
        s->latch = false;
    }
    s->owner = (uint8_t)c->id;
    s->in_lr = true;
    s->lr_pending = pending;
    c->spi_lrs |= (uint16_t)(1u << n);
    spi_withdraw(c, i);
    ich_lr_write(n, lr_spi(s, cand->intid) | (pending ? LR_PENDING : 0) |
                        (cand->active ? LR_ACTIVE : 0));
}

/* The best into the list registers, which are empty. [gic->lock], owner */
static void fill(struct vgic_cpu *c)
{
    struct choice ch;

    ch.nr = 0;
    ch.left_pending = false;
    ch.left_active = false;
    choose_private(c, &ch);
    for (uint32_t words = atomic_load_relaxed(&c->spi_words); words != 0; words &= words - 1) {
        uint32_t w = ctz64(words);

        for (uint64_t bits = c->spi[w]; bits != 0; bits &= bits - 1) {
            choose_spi(c, &ch, w * 64 + ctz64(bits));
        }
    }
    for (uint32_t n = 0; n < ch.nr; n++) {
        if (ch.best[n].intid < 32) {
            place_private(c, n, &ch.best[n]);
        } else {
            place_spi(c, n, &ch.best[n]);
        }
    }
    c->used = (uint16_t)((1u << ch.nr) - 1);
    c->offered |= ch.nr != 0;

    uint32_t hcr = (ch.left_pending ? ICH_HCR_NPIE : 0) |
                   (ch.left_active ? ICH_HCR_LRENPIE | ICH_HCR_TDIR : 0);
    if ((hcr | c->hcr) != 0) {
        c->hcr = hcr;
        ich_hcr_write(ICH_HCR_EN | hcr);
    }
}

/* --- Ends of interrupts that are in no list register ------------------------ */

/* [gic->lock], owner; intid is in no list register. */
static void deactivate(struct vgic_cpu *c, uint32_t intid)
{
    struct vgic *g = c->gic;

    if (intid < 32) {
        if (intid == g->ppi_hw && c->active >> intid & 1) {
            host_irq_deactivate(intid);
        }
        c->active &= ~(1u << intid);
    } else if (intid - 32 < g->nr_spis) {
        if (!g->spis[intid - 32].in_lr) {
            vgic_spi_deactivate(g, intid - 32);
            vgic_spi_changed(g, intid - 32, c);
        }
    }
}

/* The active interrupt of highest priority in no list register; 1023: none. [gic->lock], owner */
static uint32_t active_outside(const struct vgic_cpu *c)
{
    uint32_t found = 1023, best = 256;

    for (uint32_t all = c->active & ~c->in_lr; all != 0; all &= all - 1) {
        uint32_t intid = ctz64(all);

        if (c->prio[intid] < best) {
            best = c->prio[intid];
            found = intid;
        }
    }
    for (uint32_t i = 0; i < c->gic->nr_spis; i++) {
        const struct vgic_spi *s = &c->gic->spis[i];

        if (s->active && !s->in_lr && s->owner == c->id && s->prio < best) {
            best = s->prio;
            found = i + 32;
        }
    }
    return found;
}

/* Before the list registers are folded: EOIs that found none. [gic->lock], owner */
static void eoi_count(struct vgic_cpu *c)
{
    if (likely(!(c->hcr & ICH_HCR_LRENPIE))) {
        return;
    }
    for (uint32_t n = ICH_HCR_EOICOUNT(ich_hcr_read()); n != 0; n--) {
        deactivate(c, active_outside(c));
    }
}

/* What others asked for while they could not reach the list registers. [gic->lock], owner */
static void apply_wishes(struct vgic_cpu *c)
{
    uint32_t set = atomic_exchange(&c->set_active, 0);
    uint32_t clear = atomic_exchange(&c->clear_active, 0);
    uint32_t unpend = atomic_exchange(&c->clear_pending, 0);
    uint32_t hw = 1u << c->gic->ppi_hw;

    c->active |= set;
    if (c->active & clear & hw) {
        host_irq_deactivate(c->gic->ppi_hw);
    }
    c->active &= ~clear;
    /* The timer's is level-sensitive: a write does not take it back, see below what does. */
    if ((unpend & ~hw) != 0) {
        atomic_fetch_and(&c->pending, ~(unpend & ~hw));
    }
    /* The timer may have been set anew while its interrupt could not be delivered. */
    if (c->pending & hw && !(c->active & hw) && !host_vtimer_asserted()) {
        atomic_fetch_and(&c->pending, ~hw);
        host_irq_deactivate(c->gic->ppi_hw);
    }
}

static void sync_locked(struct vgic_cpu *c)
{
    /* Full barrier: what made it dirty is seen below. Partner: vgic_notify(). */
    (void)atomic_exchange(&c->dirty, 0);
    eoi_count(c);
    fold(c);
    apply_wishes(c);
    fill(c);
    atomic_store_release(&c->published, c->published + 1);
}

void vgic_sync(struct vgic_cpu *c)
{
    spin_lock(&c->gic->lock);
    sync_locked(c);
    spin_unlock(&c->gic->lock);
}

void vgic_deactivate(struct vgic_cpu *c, uint32_t intid)
{
    spin_lock(&c->gic->lock);
    eoi_count(c);
    fold(c);
    deactivate(c, intid);
    sync_locked(c);
    spin_unlock(&c->gic->lock);
}

/* --- The quick way ---------------------------------------------------------- */

/* Forgets private interrupts that have ended. All list registers are used. */
static void reclaim(struct vgic_cpu *c)
{
    uint32_t ended = ich_elrsr_read() & c->used & ~c->spi_lrs;

    for (uint32_t all = c->in_lr; all != 0; all &= all - 1) {
        uint32_t intid = ctz64(all);

        if (ended >> c->lr_of[intid] & 1) {
            c->in_lr &= ~(1u << intid);
            c->lr_pending &= ~(1u << intid);
            c->lr_latch &= ~(1u << intid);
            c->active &= ~(1u << intid);
        }
    }
    c->used &= (uint16_t)~ended;
}

/* Pending private interrupt `intid`, open, into a list register; false: there is none. Owner. */
static bool place_quick(struct vgic_cpu *c, uint32_t intid)
{
    uint32_t bit = 1u << intid;
    uint32_t n;

    if (c->in_lr & bit) {
        n = c->lr_of[intid];
        uint64_t lr = ich_lr_read(n);

        if (lr & LR_STATE) {
            /* Taken already: edges are pending and active then, others come again by themselves. */
            if (!(lr & (LR_HW | LR_EOI | LR_PENDING))) {
                ich_lr_write(n, lr | LR_PENDING);
            }
            return true;
        }
    } else {
        uint32_t used = c->used;

        if (unlikely(used == lrs_all(c->gic))) {
            reclaim(c);
            used = c->used;
            if (used == lrs_all(c->gic)) {
                return false;
            }
        }
        n = (uint32_t)__builtin_ctz(~used);
        c->used = (uint16_t)(used | 1u << n);
        c->offered = true;
        c->in_lr |= bit;
        c->lr_of[intid] = (uint8_t)n;
    }
    c->lr_pending |= bit;
    ich_lr_write(n, lr_private(c, intid) | LR_PENDING);
    return true;
}

void vgic_deliver(struct vgic_cpu *c)
{
    /* Partner: vgic_notify(), after the bits were set. */
    if (unlikely(atomic_load_relaxed(&c->dirty) | atomic_load_relaxed(&c->spi_words))) {
        vgic_sync(c);
        return;
    }
    uint32_t pending = (atomic_load_relaxed(&c->pending) | (c->line & ~c->in_lr)) & c->open;

    for (; pending != 0; pending &= pending - 1) {
        uint32_t intid = ctz64(pending);
        uint32_t bit = 1u << intid;

        if (unlikely((c->active & ~c->in_lr & bit) || private_is_level(c, intid))) {
            vgic_sync(c);
            return;
        }
        /* Cleared first: what comes from now on sets it again. */
        atomic_fetch_and(&c->pending, ~bit);
        if (unlikely(!place_quick(c, intid))) {
            atomic_fetch_or(&c->pending, bit);
            vgic_sync(c);
            return;
        }
    }
}

void vgic_pend_private(struct vgic_cpu *c, uint32_t intid, struct vgic_cpu *self)
{
    uint32_t bit = 1u << intid;

    if (c == self) {
        if (likely((c->open & bit) && !(c->active & ~c->in_lr & bit)) && place_quick(c, intid)) {
            return;
        }
        atomic_fetch_or(&c->pending, bit);
        if (c->open & bit) {
            vgic_sync(c);
        }
        return;
    }
    uint32_t old = atomic_fetch_or(&c->pending, bit);

    if (!(old & bit) && atomic_load_relaxed(&c->open) & bit) {
        vgic_notify(c);
    }
}

void vgic_ppi_hw(struct vgic_cpu *c)
{
    vgic_pend_private(c, c->gic->ppi_hw, c);
}

void vgic_ppi_line(struct vgic_cpu *c, uint32_t intid, bool level)
{
    uint32_t bit = 1u << intid;

    if (level == !!(c->line & bit)) {
        return;
    }
    c->line ^= bit;
    if (c->open & bit) {
        vgic_sync(c);
    }
}

/* --- Load, save, reset -------------------------------------------------------- */

/*
 * Active priorities. They are 0 in the hardware while nobody is loaded, and
 * become something else only by an interrupt that was offered.
 */
static __noinline void apr_load(const struct vgic_cpu *c)
{
    for (uint32_t i = 0; i < 4 && i < c->gic->nr_apr; i++) {
        ich_apr_write(0, i, c->ap0r[i]);
        ich_apr_write(1, i, c->ap1r[i]);
    }
}

static __noinline void apr_save(struct vgic_cpu *c)
{
    c->offered = false;
    for (uint32_t i = 0; i < 4 && i < c->gic->nr_apr; i++) {
        c->ap0r[i] = ich_apr_read(0, i);
        c->ap1r[i] = ich_apr_read(1, i);
        if ((c->ap0r[i] | c->ap1r[i]) != 0) {
            c->offered = true;
            ich_apr_write(0, i, 0);
            ich_apr_write(1, i, 0);
        }
    }
}

void vgic_load(struct vgic_cpu *c)
{
    ich_vmcr_write(c->vmcr);
    if (unlikely(c->offered)) {
        apr_load(c);
    }
    if (unlikely((c->pending | c->active) >> c->gic->ppi_hw & 1)) {
        host_irq_set_active(c->gic->ppi_hw);
    }
    c->loaded = true;
}

void vgic_save(struct vgic_cpu *c)
{
    c->vmcr = ich_vmcr_read();
    if (c->offered) {
        apr_save(c);
    }
    if (c->used != 0) {
        if (likely((ich_elrsr_read() & c->used) == c->used && (c->spi_lrs | c->hcr) == 0)) {
            c->active &= ~c->in_lr;
            c->used = 0;
            c->in_lr = 0;
            c->lr_pending = 0;
            c->lr_latch = 0;
        } else {
            spin_lock(&c->gic->lock);
            eoi_count(c);
            fold(c);
            spin_unlock(&c->gic->lock);
            atomic_store_relaxed(&c->dirty, 1);
        }
    }
    if (unlikely(c->hcr != 0)) {
        c->hcr = 0;
        ich_hcr_write(ICH_HCR_EN);
        atomic_store_relaxed(&c->dirty, 1);
    }
    if (unlikely((c->pending | c->active) >> c->gic->ppi_hw & 1)) {
        host_irq_deactivate(c->gic->ppi_hw);
    }
    c->loaded = false;
    atomic_store_release(&c->published, c->published + 1);
}

void vgic_cpu_reset(struct vgic_cpu *c)
{
    struct vgic *g = c->gic;

    spin_lock(&g->lock);
    c->vmcr = 0;
    for (uint32_t i = 0; i < 4; i++) {
        c->ap0r[i] = 0;
        c->ap1r[i] = 0;
    }
    c->active = 0;
    atomic_fetch_and(&c->pending, ~(1u << g->ppi_hw)); /* its timer is off now */
    for (uint32_t i = 0; i < g->nr_spis; i++) {
        struct vgic_spi *s = &g->spis[i];

        if (s->owner == c->id && s->active) {
            vgic_spi_deactivate(g, i);
            vgic_spi_changed(g, i, c);
        }
    }
    spin_unlock(&g->lock);
}

/* --- WFI ------------------------------------------------------------------------ */

/* Would an interrupt of this priority and group be signalled? */
static bool passes(uint64_t vmcr, uint32_t prio, bool group1)
{
    return vmcr & (group1 ? ICH_VMCR_GRP1 : ICH_VMCR_GRP0) && prio < ICH_VMCR_PMR(vmcr);
}

static bool has_event_loaded(struct vgic_cpu *c)
{
    vgic_deliver(c);
    uint32_t live = c->used;

    if (live != 0) {
        live &= ~(uint32_t)ich_elrsr_read();
    }
    for (; live != 0; live &= live - 1) {
        uint64_t lr = ich_lr_read(ctz64(live));

        if (lr & LR_PENDING &&
            passes(ich_vmcr_read(), (uint32_t)(lr >> LR_PRIO_SHIFT) & 0xff, lr & LR_GROUP1)) {
            return true;
        }
    }
    return false;
}

bool vgic_has_event(struct vgic_cpu *c)
{
    struct vgic *g = c->gic;

    if (c->loaded) {
        return has_event_loaded(c);
    }
    uint32_t pending = ((c->pending & ~c->clear_pending) | c->line) & c->open & ~c->active;

    for (; pending != 0; pending &= pending - 1) {
        uint32_t intid = ctz64(pending);

        if (passes(c->vmcr, c->prio[intid], c->group >> intid & 1)) {
            return true;
        }
    }
    if (atomic_load_relaxed(&c->spi_words) == 0) {
        return false;
    }
    bool found = false;

    spin_lock(&g->lock);
    for (uint32_t i = 0; i < g->nr_spis && !found; i++) {
        const struct vgic_spi *s = &g->spis[i];

        found = c->spi[i / 64] & BIT(i % 64) && s->target == c->id && !s->active &&
                spi_is_open(g, s) && spi_is_pending(s) && passes(c->vmcr, s->prio, s->group1);
    }
    spin_unlock(&g->lock);
    return found;
}
