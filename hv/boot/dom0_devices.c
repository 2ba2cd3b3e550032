/* SPDX-License-Identifier: MIT */
/*
 * What the control domain gets of the machine: one walk through the host's tree.
 *
 * A node is shown, with all below it, unless the hypervisor keeps what it describes (the
 * console's UART, controllers, firmware, memory), or another domain of the plan has it: a
 * page of its reg, or an interrupt. From nodes that are shown and enabled come
 *
 *   reg, translated by the buses above         device memory, mapped at its own address
 *   ranges of a PCI bus                        its windows, the same
 *   interrupts, interrupts-extended            routed under their own numbers
 *   interrupt-map                              the same: lines of a PCI bus
 *
 * never RAM, and never a page of the hypervisor's devices. What nodes with xen,passthrough have
 * is not mapped: the control domain may give it to others (loam/rights.h). Addresses that no
 * node speaks of are where pages of other domains can be mapped: /hypervisor says so.
 * The walk costs time linear in the size of the tree.
 */
#include <xen/errno.h>

#include <loam/bitmap.h>
#include <loam/bits.h>
#include <loam/irq.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/p2m.h>
#include <loam/pci.h>
#include <loam/rights.h>
#include <loam/string.h>

#include <arch/guest.h>
#include <arch/stage2.h>

#include "private.h"

#define MAP_STEP (256 * GIB) /* 256 entries of 1 GiB */
#define EXTENDED_MIN (64 * MIB)
#define PCI_ADDRESS_CELLS 3

/* The walk. */
struct survey {
    struct plan_domain *pd;
    const struct fdt *host;
    struct fdt_walk walk;
    uint32_t hidden_depth; /* of the hidden node that the walk is in, 0: in none */
    bool spare; /* that one is hidden because others shall have it */
    uint32_t to_intc; /* bit n: interrupts of path[n] go to the controller */
    uint32_t intc_phandle, intc_cells;
    uint64_t limit; /* end of the addresses that a domain can have */
    uint64_t *mine; /* bitmap of interrupts found so far */
    struct fdt_node console;
    struct plan_ranges private; /* the hypervisor's own devices */
    struct plan_ranges occupied; /* all that the tree speaks of */
};

static const char *node_name(const struct survey *s)
{
    return fdt_name(s->host, fdt_walk_node(&s->walk));
}

/* --- Which nodes ---------------------------------------------------------------------- */

/* Children of the root that the tree of the control domain has of its own. */
static bool is_replaced(const struct survey *s)
{
    static const char *const names[] = { "chosen", "cpus", "hypervisor", "reserved-memory" };
    const char *type = fdt_string(s->host, fdt_walk_node(&s->walk), "device_type");
    for (uint32_t i = 0; s->walk.depth == 2 && i < ARRAY_SIZE(names); i++) {
        if (strcmp(node_name(s), names[i]) == 0) {
            return true;
        }
    }
    return s->walk.depth == 2 && type && strcmp(type, "memory") == 0;
}

/* The hypervisor has it, or the tree says that no dom0 may (Xen's passthrough.txt). */
static bool is_kept(const struct survey *s)
{
    const struct hv *hv = s->pd->hv;
    struct fdt_node node = fdt_walk_node(&s->walk);
    for (const struct pci *x = hv->pci; x; x = x->next) {
        if (fdt_node_eq(x->node, node)) {
            return true; /* devices on it are other domains' */
        }
    }
    return fdt_has_prop(s->host, node, "xen,passthrough") || fdt_node_eq(node, s->console) ||
           arch_host_keeps_node(hv, s->host, node);
}

/* Notes where the interrupts of the node go; of the nodes above it that is known. */
static void note_controller(struct survey *s)
{
    uint32_t at = s->walk.depth - 1, phandle;
    struct fdt_node node = s->walk.path[at];
    bool yes = false;
    if (fdt_u32(s->host, node, "interrupt-parent", &phandle) == 0) {
        yes = phandle == s->intc_phandle;
    } else if (at > 0 && fdt_has_prop(s->host, s->walk.path[at - 1], "#interrupt-cells")) {
        yes = fdt_node_eq(s->walk.path[at - 1], s->pd->dom0->intc);
    } else if (at > 0) {
        yes = s->to_intc & BIT(at - 1);
    }
    s->to_intc = yes ? s->to_intc | (uint32_t)BIT(at) : s->to_intc & ~(uint32_t)BIT(at);
}

/*
 * Interrupt i of the node. Errors: -XEN_ENOENT no more, or none that goes to the controller;
 * -XEN_EINVAL one that no domain can have.
 */
static int node_irq(const struct survey *s, uint32_t i, uint32_t *irq, bool *edge)
{
    const struct hv *hv = s->pd->hv;
    struct fdt_node node = fdt_walk_node(&s->walk);
    struct fdt_interrupt in = { .controller = s->pd->dom0->intc, .nr_cells = s->intc_cells };
    if (fdt_has_prop(s->host, node, "interrupts-extended")) {
        /* What follows something malformed is nothing. */
        return fdt_interrupt(s->host, node, i, &in) ? -XEN_ENOENT
                                                    : arch_host_irq_of(hv, s->host, &in, irq, edge);
    }
    if (!(s->to_intc & BIT(s->walk.depth - 1))) {
        return -XEN_ENOENT;
    }
    for (uint32_t c = 0; c < s->intc_cells; c++) {
        if (fdt_cell(s->host, node, "interrupts", i * s->intc_cells + c, &in.cells[c])) {
            return -XEN_ENOENT;
        }
    }
    return arch_host_irq_of(hv, s->host, &in, irq, edge);
}

/* Range i of the node's reg; one of no bytes is passed over. False: no more, or it is no address.
 */
static bool node_reg(const struct survey *s, uint32_t *i, struct plan_range *out)
{
    while (fdt_walk_reg(s->host, &s->walk, (*i)++, &out->start, &out->size) == 0) {
        if (out->size != 0 && out->start < s->limit) {
            out->size = MIN(out->size, s->limit - out->start);
            return true;
        }
    }
    return false;
}

/* A page of the node's, or an interrupt, is somebody else's. */
static bool is_taken(const struct survey *s)
{
    const struct plan *plan = s->pd->hv->plan;
    struct plan_range r;
    for (uint32_t i = 0; node_reg(s, &i, &r);) {
        struct plan_range pages = { ALIGN_DOWN(r.start, PAGE_SIZE), 0 };
        pages.size = ALIGN_UP(r.start + r.size, PAGE_SIZE) - pages.start;
        const struct plan_claim *claim = claims_find(plan, pages);
        if (ranges_touch(&s->private, &pages) || (claim && claim->kind == CLAIM_DEVICE)) {
            return true;
        }
    }
    uint32_t irq;
    bool edge;
    int rc;
    for (uint32_t i = 0; (rc = node_irq(s, i, &irq, &edge)) != -XEN_ENOENT; i++) {
        if (rc == 0 && irq < plan->nr_irqs && bitmap_test(plan->irqs, irq)) {
            return true;
        }
    }
    return false;
}

static int hide(struct survey *s)
{
    struct plan_dom0 *dom0 = s->pd->dom0;
    void *table = dom0->hidden;
    int rc =
        plan_grow(s->pd->hv, &table, dom0->nr_hidden, &dom0->hidden_max, sizeof(*dom0->hidden));
    dom0->hidden = table;
    if (rc == 0) {
        dom0->hidden[dom0->nr_hidden++] = fdt_walk_node(&s->walk).off;
        s->hidden_depth = s->walk.depth;
    }
    return rc;
}

bool dom0_sees(const struct plan_domain *pd, struct fdt_node node)
{
    const struct plan_dom0 *dom0 = pd->dom0;
    uint32_t low = 0, high = dom0->nr_hidden;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (dom0->hidden[mid] == node.off) {
            return false;
        }
        if (dom0->hidden[mid] < node.off) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return true;
}

/* --- What they have -------------------------------------------------------------------- */

static int irq_add(struct survey *s, uint32_t irq, bool edge, bool spare)
{
    struct plan_dom0 *dom0 = s->pd->dom0;
    struct plan *plan = s->pd->hv->plan;
    uint32_t first = arch_guest_layout()->virq_base;
    if (irq < first || irq >= plan->nr_irqs || irq - first >= PLAN_SPIS_MAX) {
        log_warn(plan->hv, "dom0: %s: interrupt %u is no shared one of this machine", node_name(s),
                 irq);
        return 0;
    }
    if (bitmap_test(s->mine, irq)) {
        return 0; /* a line that is shared */
    }
    if (bitmap_test(plan->irqs, irq)) {
        log_warn(plan->hv, "dom0: %s: interrupt %u is given to another domain", node_name(s), irq);
        return 0;
    }
    void *table = dom0->irq;
    int rc = plan_grow(plan->hv, &table, dom0->nr_irqs, &dom0->irqs_max, sizeof(*dom0->irq));
    dom0->irq = table;
    if (rc == 0) {
        bitmap_set(s->mine, irq);
        dom0->irq[dom0->nr_irqs++] = (struct plan_device_irq){ irq, edge, spare };
        s->pd->config.nr_spis = MAX(s->pd->config.nr_spis, spare ? 0 : irq - first + 1);
    }
    return rc;
}

static int irqs_add(struct survey *s, bool spare)
{
    uint32_t irq;
    bool edge;
    for (uint32_t i = 0;; i++) {
        int rc = node_irq(s, i, &irq, &edge);
        if (rc == -XEN_ENOENT) {
            return 0;
        }
        if (rc) {
            log_warn(s->pd->hv, "dom0: %s: interrupt number %u is none that a domain can have",
                     node_name(s), i);
            continue;
        }
        rc = irq_add(s, irq, edge, spare);
        if (rc) {
            return rc;
        }
    }
}

/* The lines of a bus that maps them. */
static int lines_add(struct survey *s)
{
    struct fdt_node node = fdt_walk_node(&s->walk);
    uint32_t nr = fdt_u32_or(s->host, node, "#address-cells", 0) +
                  fdt_u32_or(s->host, node, "#interrupt-cells", 0);
    struct fdt_map_iter it = { 0 };
    struct fdt_interrupt in;
    for (;;) {
        uint32_t irq;
        bool edge;
        int rc = fdt_interrupt_map_next(s->host, node, nr, &it, &in);
        if (rc == -XEN_ENOENT) {
            return 0;
        }
        if (rc) {
            log_warn(s->pd->hv, "dom0: %s: interrupt-map is malformed, ignored from cell %u on",
                     node_name(s), it.at);
            return 0;
        }
        if (fdt_node_eq(in.controller, s->pd->dom0->intc) &&
            arch_host_irq_of(s->pd->hv, s->host, &in, &irq, &edge) == 0) {
            rc = irq_add(s, irq, edge, false);
        }
        if (rc) {
            return rc;
        }
    }
}

/* to: NULL, the control domain has nothing of it. */
static int range_add(struct survey *s, const struct plan_range *r, struct plan_ranges *to)
{
    struct hv *hv = s->pd->hv;
    int rc = ranges_add(hv, &s->occupied, r->start, r->start + r->size);
    if (rc == 0 && to) {
        rc = ranges_add(hv, to, r->start, r->start + r->size);
    }
    return rc;
}

/* Windows of a PCI bus: 3 cells for the address there, those of the bus above, 2 for the size. */
static int windows_add(struct survey *s, struct plan_ranges *to)
{
    struct fdt_node node = fdt_walk_node(&s->walk);
    uint32_t len, cells = fdt_address_cells(s->host, s->walk.path[s->walk.depth - 2]);
    const uint8_t *data = fdt_prop(s->host, node, "ranges", &len);
    uint32_t entry = 4 * (PCI_ADDRESS_CELLS + cells + 2);
    if (!data || cells - 1 > 1 || len % entry != 0) {
        return 0;
    }
    for (uint32_t at = 0; at < len; at += entry) {
        const uint8_t *size_at = data + at + 4 * (PCI_ADDRESS_CELLS + (size_t)cells);
        struct plan_range r = { fdt_read_cells(data + at + 4 * (size_t)PCI_ADDRESS_CELLS, cells),
                                get_be64(size_at) };
        if (r.size == 0 || fdt_walk_translate(s->host, &s->walk, &r.start, r.size) ||
            r.start >= s->limit) {
            continue;
        }
        r.size = MIN(r.size, s->limit - r.start);
        int rc = range_add(s, &r, to);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int node_visit(struct survey *s)
{
    struct fdt_node node = fdt_walk_node(&s->walk);
    if (s->hidden_depth >= s->walk.depth) {
        s->hidden_depth = 0; /* the walk has left it */
    }
    note_controller(s);
    if (!s->hidden_depth && (is_replaced(s) || is_kept(s) || is_taken(s))) {
        int rc = hide(s);
        if (rc) {
            return rc;
        }
        s->spare = fdt_has_prop(s->host, node, "xen,passthrough");
    }
    struct plan_dom0 *dom0 = s->pd->dom0;
    bool shown = !s->hidden_depth && fdt_is_enabled(s->host, node);
    bool spare = s->hidden_depth && s->spare && fdt_is_enabled(s->host, node);
    struct plan_ranges *to = shown ? &dom0->map : spare ? &dom0->spare : NULL;
    struct plan_range r;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && node_reg(s, &i, &r);) {
        rc = range_add(s, &r, to);
    }
    if (rc == 0 && s->walk.depth > 1 && fdt_address_cells(s->host, node) == PCI_ADDRESS_CELLS) {
        rc = windows_add(s, shown ? to : NULL);
    }
    if (rc == 0 && to) {
        rc = irqs_add(s, spare);
    }
    if (rc == 0 && shown && fdt_has_prop(s->host, node, "interrupt-map")) {
        rc = lines_add(s);
    }
    return rc;
}

/* --- The result ------------------------------------------------------------------------- */

/* Takes RAM and what others have out of what is to be mapped, or given away. */
static int map_restrict(struct survey *s, struct plan_ranges *map)
{
    struct hv *hv = s->pd->hv;
    const struct plan *plan = hv->plan;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < plan->nr_ram; i++) {
        const struct plan_range *r = &plan->ram[i];
        rc = ranges_cut(hv, map, r->start, r->start + r->size);
        if (rc == 0) {
            rc = ranges_add(hv, &s->occupied, r->start, r->start + r->size);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < plan->nr_claims; i++) {
        if (plan->claim[i].kind == CLAIM_DEVICE) {
            rc = ranges_cut(hv, map, plan->claim[i].start, plan->claim[i].end);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < s->private.nr; i++) {
        const struct plan_range *r = &s->private.r[i];
        rc = ranges_cut(hv, map, r->start, r->start + r->size);
        if (rc == 0) {
            rc = ranges_add(hv, &s->occupied, r->start, r->start + r->size);
        }
    }
    return rc;
}

/* Addresses that nobody speaks of: above 4 GiB, where there is most, or else anywhere. */
static bool hole_find(const struct survey *s, uint64_t size, uint64_t align, uint64_t *at)
{
    return ranges_hole(&s->occupied, 4 * GIB, s->limit, align, size, at) ||
           ranges_hole(&s->occupied, LARGE_PAGE, s->limit, align, size, at);
}

/* Places for grant frames and for as many pages of others as the machine has RAM. */
static int holes_find(struct survey *s)
{
    struct plan_dom0 *dom0 = s->pd->dom0;
    const struct plan *plan = s->pd->hv->plan;
    uint64_t size = 0, at;
    for (uint32_t i = 0; i < plan->nr_ram; i++) {
        size += plan->ram[i].size;
    }
    size = ALIGN_UP(MAX(size, GIB), GIB);
    if (!hole_find(s, arch_guest_layout()->grant_size, LARGE_PAGE, &at)) {
        return plan_warn(s->pd, NULL, "multiboot,kernel",
                         "the machine has no unused addresses for grant frames");
    }
    dom0->grants = (struct plan_range){ at, arch_guest_layout()->grant_size };
    int rc = ranges_add(s->pd->hv, &s->occupied, at, at + dom0->grants.size);
    while (rc == 0 && size >= EXTENDED_MIN && !dom0->options.no_extended) {
        if (hole_find(s, size, MIN(size, GIB), &at)) {
            dom0->extended = (struct plan_range){ at, size };
            return 0;
        }
        size /= 2;
    }
    return rc;
}

static int survey_run(struct survey *s)
{
    const struct plan *plan = s->pd->hv->plan;
    struct plan_range r;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && claims_private_range(plan, &i, &r);) {
        rc = ranges_add(plan->hv, &s->private, r.start, r.start + r.size);
    }
    if (rc) {
        return rc;
    }
    fdt_walk_begin(&s->walk);
    do {
        rc = node_visit(s);
    } while (rc == 0 && fdt_walk_next(s->host, &s->walk));
    if (rc == 0) {
        rc = map_restrict(s, &s->pd->dom0->map);
    }
    if (rc == 0) {
        rc = map_restrict(s, &s->pd->dom0->spare);
    }
    return rc ? rc : holes_find(s);
}

int dom0_devices_find(struct plan_domain *pd)
{
    struct hv *hv = pd->hv;
    const struct fdt *host = &hv->plan->host;
    struct survey s = { .pd = pd, .host = host, .console = fdt_stdout(host) };
    if (!arch_host_intc(hv, host, &pd->dom0->intc) ||
        fdt_u32(host, pd->dom0->intc, "#interrupt-cells", &s.intc_cells) ||
        s.intc_cells - 1 >= FDT_INTERRUPT_CELLS_MAX) {
        return plan_warn(pd, NULL, "multiboot,kernel",
                         "the machine has no interrupt controller "
                         "that a control domain could see");
    }
    s.intc_phandle = fdt_u32_or(host, pd->dom0->intc, "phandle", 0);
    uint32_t bits = arch_stage2_format(hv)->gpa_bits;
    s.limit = fdt_address_cells(host, FDT_ROOT) == 1 ? 4 * GIB : UINT64_C(1) << bits;
    size_t bitmap = BITMAP_WORDS(hv->plan->nr_irqs + 1) * sizeof(uint64_t);
    s.mine = mem_alloc(hv, bitmap);
    int rc = s.mine ? survey_run(&s) : -XEN_ENOMEM;
    mem_free(hv, s.mine, bitmap);
    ranges_free(hv, &s.occupied);
    ranges_free(hv, &s.private);
    return rc;
}

/* --- Building ---------------------------------------------------------------------------- */

/* Emulated devices are not hidden behind real ones. */
static int emulated_cut(struct build *b)
{
    const struct mmio_map *mmio = &b->d->mmio;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < mmio->nr; i++) {
        uint64_t start = mmio->region[i].base.a;
        rc = ranges_cut(b->pd->hv, &b->pd->dom0->map, start, start + mmio->region[i].size);
    }
    return rc;
}

static void irqs_route(struct build *b)
{
    const struct plan_dom0 *dom0 = b->pd->dom0;
    for (uint32_t i = 0; i < dom0->nr_irqs; i++) {
        const struct plan_device_irq *x = &dom0->irq[i];
        int rc = x->spare ? rights_set_irq(b->d, x->irq, x->edge, true)
                          : irq_assign(b->d, x->irq, x->irq, x->edge ? IRQ_EDGE : IRQ_LEVEL);
        if (rc) {
            log_warn(b->pd->hv, "dom0: interrupt %u cannot be routed, error %d", x->irq, -rc);
        }
    }
}

/* What the tree keeps from it for others. */
static void spare_allow(struct build *b)
{
    const struct plan_ranges *spare = &b->pd->dom0->spare;
    for (uint32_t i = 0; i < spare->nr; i++) {
        const struct plan_range *r = &spare->r[i];
        int rc = rights_set_pages(b->d, hpa_to_mfn(hpa(r->start)), r->size >> PAGE_SHIFT, true);
        if (rc) {
            log_warn(b->pd->hv, "dom0: %#lx-%#lx cannot be given to others, error %d", r->start,
                     r->start + r->size, -rc);
        }
    }
}

int dom0_devices_map(struct build *b)
{
    const struct plan_ranges *map = &b->pd->dom0->map;
    int rc = b->cursor ? 0 : emulated_cut(b);
    if (rc) {
        return build_fail(b, "multiboot,kernel", rc);
    }
    uint64_t offset = b->cursor;
    uint32_t i = 0;
    while (i < map->nr && offset >= map->r[i].size) {
        offset -= map->r[i++].size;
    }
    if (i == map->nr) {
        irqs_route(b);
        spare_allow(b);
        return 0;
    }
    uint64_t start = map->r[i].start + offset;
    uint64_t size = MIN(map->r[i].size - offset, MAP_STEP - start % MAP_STEP);
    rc = p2m_map(b->d, gpa_to_gfn(gpa(start)), hpa_to_mfn(hpa(start)), size >> PAGE_SHIFT,
                 P2M_MMIO_DIRECT);
    if (rc) {
        log_warn(b->pd->hv, "dom0: devices at %#lx-%#lx cannot be mapped", start, start + size);
        return build_fail(b, "multiboot,kernel", rc);
    }
    b->cursor += size;
    return -XEN_EAGAIN;
}
