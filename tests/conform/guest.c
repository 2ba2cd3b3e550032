/* SPDX-License-Identifier: MIT */
/* arch/guest.h: what a boot-time guest looks like. */
#include <arch/guest.h>
#include <arch/stage2.h>
#include <loam/domain.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/mmio.h>
#include <loam/string.h>
#include <loam/vuart.h>
#include <xen/errno.h>

#include "conform.h"

/* --- The guest's device tree --------------------------------------------------------- */

#define TREE_PAGES 128
#define TREE_FIXED (8 * KIB) /* what boot/guest_fdt.c allows for all but the vCPUs */
#define VCPUS_MAX DOMAIN_VCPUS_MAX

struct tree {
    struct domain *d;
    mfn_t m;
    int size; /* of the blob; an error */
    struct fdt fdt;
};

static void tree_end(struct conform *c, struct tree *t)
{
    if (!mfn_is_none(t->m)) {
        frame_free_pages(c->hv, t->m, TREE_PAGES);
    }
    if (t->d != NULL) {
        conform_domain_end(c, t->d);
    }
}

/* The architecture's part of the tree of a domain of so many vCPUs. */
static bool tree_make(struct conform *c, struct tree *t, uint32_t vcpus)
{
    struct fdt_writer w;

    *t = (struct tree){ .d = conform_domain(c, vcpus, 0), .size = -XEN_ENOMEM };
    t->m = frame_alloc_pages(c->hv, TREE_PAGES, 0);
    if (t->d != NULL && !mfn_is_none(t->m)) {
        fdt_write_begin(&w, frame_map_local(c->hv, t->m), TREE_PAGES * PAGE_SIZE);
        fdt_write_begin_node(&w, "");
        fdt_write_prop_u32(&w, "#address-cells", 2);
        fdt_write_prop_u32(&w, "#size-cells", 2);
        arch_guest_fdt(t->d, &w, &GUEST_INTC);
        fdt_write_end_node(&w);
        t->size = fdt_write_finish(&w);
    }
    if (t->size > 0 && fdt_open(&t->fdt, frame_map_local(c->hv, t->m), (size_t)t->size) == 0) {
        return true;
    }
    conform_fail(c, __func__, __LINE__, "the guest's tree is one that can be read");
    tree_end(c, t);
    return false;
}

static void check_cpus(struct conform *c, const struct fdt *f, uint32_t vcpus)
{
    struct fdt_node cpus = fdt_find(f, "/cpus"), cpu;
    uint64_t reg, last = 0;
    uint32_t nr = 0;

    for_each_fdt_child(f, cpus, cpu)
    {
        const char *type = fdt_string(f, cpu, "device_type");

        if (type == NULL || strcmp(type, "cpu") != 0) {
            continue;
        }
        EXPECT(c, fdt_reg(f, cpu, 0, &reg, NULL) == 0);
        EXPECT(c, nr == 0 || reg > last);
        last = reg;
        nr++;
    }
    EXPECT(c, nr == vcpus);
}

static void check_controller(struct conform *c, const struct tree *t)
{
    struct fdt_node node = fdt_find_phandle(&t->fdt, GUEST_PHANDLE_INTC);
    uint32_t cells[4], nr = 0;

    NEED(c, fdt_node_exists(node));
    EXPECT(c, fdt_has_prop(&t->fdt, node, "interrupt-controller"));
    EXPECT(c, fdt_u32(&t->fdt, node, "#interrupt-cells", &nr) == 0 && nr >= 1 && nr <= 4);
    EXPECT(c, arch_guest_irq_cells(t->d, arch_guest_layout()->uart_virq, false, cells) == nr);
    EXPECT(c, arch_guest_irq_cells(t->d, arch_guest_layout()->uart_virq, true, cells) == nr);
    uint32_t event = arch_guest_event_irq_cells(false, cells);

    EXPECT(c, event == 0 || event == nr);
    event = arch_guest_event_irq_cells(true, cells);
    EXPECT(c, event == 0 || event == nr);
}

static void trees_of_one_and_many(struct conform *c)
{
    static const uint32_t vcpus[] = { 1, 2, VCPUS_MAX };
    uint32_t room = arch_guest_layout()->fdt_vcpu_size;
    int first = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(vcpus); i++) {
        struct tree t;

        if (!tree_make(c, &t, vcpus[i])) {
            return;
        }
        first = i == 0 ? t.size : first;
        check_cpus(c, &t.fdt, vcpus[i]);
        check_controller(c, &t);
        EXPECT(c, (uint64_t)t.size <= TREE_FIXED + (uint64_t)room * vcpus[i]);
        EXPECT(c, (uint64_t)(t.size - first) <= (uint64_t)room * (vcpus[i] - 1));
        tree_end(c, &t);
    }
}

/* --- The address map ------------------------------------------------------------------- */

struct range {
    uint64_t start, size;
};

#define RANGES_MAX 16

struct map {
    uint32_t nr;
    struct range r[RANGES_MAX];
};

static void map_add(struct conform *c, struct map *m, uint64_t start, uint64_t size)
{
    uint64_t end = UINT64_C(1) << arch_stage2_format(c->hv)->gpa_bits;

    NEED(c, size != 0 && start < end && size <= end - start);
    NEED(c, m->nr < RANGES_MAX);
    for (uint32_t i = 0; i < m->nr; i++) {
        EXPECT(c, start >= m->r[i].start + m->r[i].size || m->r[i].start >= start + size);
    }
    m->r[m->nr++] = (struct range){ start, size };
}

static void nothing_overlaps(struct conform *c)
{
    const struct guest_layout *l = arch_guest_layout();
    uint64_t uart = l->uart_kind == VUART_PL011 ? VUART_PL011_SIZE : VUART_NS16550_SIZE;
    uint64_t end = UINT64_C(1) << arch_stage2_format(c->hv)->gpa_bits;
    struct map m = { 0 };
    struct tree t;

    if (!tree_make(c, &t, VCPUS_MAX)) {
        return;
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(l->ram_base); i++) {
        map_add(c, &m, l->ram_base[i].a, MIN(l->ram_size[i], end - l->ram_base[i].a));
        EXPECT(c, IS_ALIGNED(l->ram_base[i].a | l->ram_size[i], 2 * MIB));
    }
    map_add(c, &m, l->uart_base.a, uart);
    map_add(c, &m, l->grant_base.a, l->grant_size);
    EXPECT(c, IS_ALIGNED(l->uart_base.a | l->grant_base.a | l->grant_size, PAGE_SIZE));
    for (uint32_t i = 0; i < t.d->mmio.nr; i++) {
        map_add(c, &m, t.d->mmio.region[i].base.a, t.d->mmio.region[i].size);
    }
    tree_end(c, &t);
}

/* Each register range that the tree tells of is there. */
static void the_tree_tells_the_truth(struct conform *c)
{
    struct fdt_node node;
    struct tree t;
    uint64_t start, size;

    if (!tree_make(c, &t, VCPUS_MAX)) {
        return;
    }
    for_each_fdt_child(&t.fdt, FDT_ROOT, node)
    {
        for (uint32_t i = 0; fdt_reg(&t.fdt, node, i, &start, &size) == 0; i++) {
            const struct mmio_region *r = mmio_find(t.d, gpa(start));

            EXPECT(c, r != NULL && size != 0 && start + size <= r->base.a + r->size);
        }
    }
    tree_end(c, &t);
}

static void numbers_are_usable(struct conform *c)
{
    const struct guest_layout *l = arch_guest_layout();
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    EXPECT(c, l->uart_virq >= l->virq_base && l->uart_virq < l->virq_base + d->config.nr_spis);
    EXPECT(c, l->fdt_vcpu_size != 0);
    EXPECT(c, IS_ALIGNED(l->vcpu_shared_size, 64u));
    EXPECT(c, l->uart_kind == VUART_PL011 || l->uart_kind == VUART_NS16550);
    conform_domain_end(c, d);
}

/* --- Kernels ------------------------------------------------------------------------------ */

#define HEAD 64

static void check_refused(struct conform *c, const uint8_t *head, uint64_t size)
{
    struct kernel_image image;
    const char *why = NULL;

    EXPECT(c, arch_kernel_probe(head, size, &image, &why) == -XEN_ENOEXEC);
    EXPECT(c, why != NULL && why[0] != '\0');
}

static void a_kernel_is_one(struct conform *c)
{
    struct kernel_image image = { 0 };
    const char *why = NULL;
    uint8_t head[HEAD];

    conform_kernel(head);
    EXPECT(c, arch_kernel_probe(head, 5 * MIB, &image, &why) == 0);
    EXPECT(c, image.memory >= 5 * MIB && image.memory < 64 * MIB);
    EXPECT(c, image.align >= PAGE_SIZE && (image.align & (image.align - 1)) == 0);
    EXPECT(c, image.offset < 1 * GIB);
    EXPECT(c, arch_kernel_probe(head, HEAD, &image, &why) == 0);
    EXPECT(c, image.memory >= HEAD);
}

static void what_is_no_kernel_is_refused(struct conform *c)
{
    static const uint8_t gzip[] = { 0x1f, 0x8b, 8, 0 };
    uint8_t head[HEAD];
    uint64_t seed = 1;

    memset(head, 0, sizeof(head));
    check_refused(c, head, 1 * MIB);
    memset(head, 0xff, sizeof(head));
    check_refused(c, head, 1 * MIB);
    memset(head, 0, sizeof(head));
    memcpy(head, gzip, sizeof(gzip));
    check_refused(c, head, 1 * MIB);
    memset(head, 0, sizeof(head));
    memcpy(head, "\177ELF\2\1\1", 7);
    check_refused(c, head, 1 * MIB);
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t n = 0; n < HEAD; n++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            head[n] = (uint8_t)(seed >> 56);
        }
        check_refused(c, head, 1 * MIB);
    }
}

static void a_kernel_cut_short_is_refused(struct conform *c)
{
    uint8_t head[HEAD];

    conform_kernel(head);
    check_refused(c, head, 0);
    check_refused(c, head, 1);
    check_refused(c, head, HEAD - 1);
}

static const struct conform_test tests[] = {
    { "guest: nothing in its address map overlaps", nothing_overlaps, false },
    { "guest: its numbers are usable", numbers_are_usable, false },
    { "guest: trees of 1 to 128 vCPUs", trees_of_one_and_many, false },
    { "guest: its tree tells of what is there", the_tree_tells_the_truth, false },
    { "guest: a kernel is one", a_kernel_is_one, false },
    { "guest: what is no kernel is refused", what_is_no_kernel_is_refused, false },
    { "guest: a kernel cut short is refused", a_kernel_cut_short_is_refused, false },
};
const struct conform_group conform_guest = { tests, ARRAY_SIZE(tests) };
