/* SPDX-License-Identifier: MIT */
/*
 * boot/dom0*.c and ranges.c: the control domain from /chosen, what it gets of the machine, its
 * tree, and that what is wrong with it costs nobody else.
 */
#define BOARD_EXTRA dom0_machine
struct fdt_writer;
static void dom0_machine(struct fdt_writer *w);
#include "board.h"

#include <loam/guest_copy.h>
#include <loam/p2m.h>
#include <loam/rights.h>

#define BRIDGE UINT64_C(0x20000000) /* its ECAM; windows follow */
#define WINDOW UINT64_C(0x8000000000)
#define SHARED_PAGE UINT64_C(0x9000800) /* in the page of the console's UART */
#define BUS UINT64_C(0xb0000000)
#define INTC_ADDRESS_CELLS 1

static void device(struct fdt_writer *w, const char *name, uint64_t addr, uint64_t size)
{
    const uint64_t reg[] = { addr, size };
    fdt_write_begin_unit(w, name, addr);
    fdt_write_prop_string(w, "compatible", "test,device");
    fdt_write_prop_u64s(w, "reg", reg, 2);
}

static void bridge(struct fdt_writer *w)
{
    const uint64_t reg[] = { BRIDGE, 0x1000000 };
    static const uint32_t ranges[] = {
        0x1000000, 0, 0,          0, 0x21000000, 0, 0x10000, /* port I/O */
        0x2000000, 0, 0x21010000, 0, 0x21010000, 0, 0xff0000, 0x3000000, 0x80, 0, 0x80, 0, 1, 0,
    };
    static const uint32_t map[] = {
        0,     0, 0, 1, BOARD_INTC_PHANDLE, 40, 0, 0, 0, 0, 2, BOARD_INTC_PHANDLE, 41, 0,
        0x800, 0, 0, 1, BOARD_INTC_PHANDLE, 41, 0,
    };
    fdt_write_begin_unit(w, "pcie", BRIDGE);
    fdt_write_prop_string(w, "compatible", "pci-host-ecam-generic");
    fdt_write_prop_string(w, "device_type", "pci");
    fdt_write_prop_u32(w, "#address-cells", 3);
    fdt_write_prop_u32(w, "#size-cells", 2);
    fdt_write_prop_u32(w, "#interrupt-cells", 1);
    fdt_write_prop_u64s(w, "reg", reg, 2);
    fdt_write_prop_cells(w, "ranges", ranges, ARRAY_SIZE(ranges));
    fdt_write_prop_cells(w, "interrupt-map", map, ARRAY_SIZE(map));
    fdt_write_prop_u32(w, "msi-map", 1);
    fdt_write_prop_u32(w, "iommu-map", 1);
    fdt_write_end_node(w);
}

static void bus(struct fdt_writer *w)
{
    static const uint32_t ranges[] = { 0x1000, 0, (uint32_t)BUS, 0x10000 };
    static const uint32_t reg[] = { 0x2000, 0x100, 0x5800, 0x1000 };
    static const uint32_t extended[] = { BOARD_INTC_PHANDLE, 50, 0 };
    fdt_write_begin_node(w, "bus");
    fdt_write_prop_string(w, "compatible", "simple-bus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 1);
    fdt_write_prop_cells(w, "ranges", ranges, 4);
    fdt_write_begin_node(w, "net");
    fdt_write_prop_cells(w, "reg", reg, 4);
    fdt_write_prop_cells(w, "interrupts-extended", extended, 3);
    fdt_write_prop_u32(w, "iommus", 1);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
    /* What is below has no address of the machine. */
    fdt_write_begin_node(w, "i2c");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 0);
    fdt_write_begin_node(w, "clock");
    fdt_write_prop_u32(w, "reg", 0x68);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

static void reserved(struct fdt_writer *w)
{
    const uint64_t reg[] = { BOARD_RAM + BOARD_RESERVED, PAGE_SIZE };
    fdt_write_begin_node(w, "reserved-memory");
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", 2);
    fdt_write_prop_empty(w, "ranges");
    fdt_write_begin_node(w, "pool");
    fdt_write_prop_u64(w, "size", 0x10000);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "firmware");
    fdt_write_prop_u64s(w, "reg", reg, 2);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

static void dom0_machine(struct fdt_writer *w)
{
    bridge(w);
    bus(w);
    reserved(w);
    device(w, "twin", SHARED_PAGE, 0x100);
    fdt_write_end_node(w);
    device(w, "off", 0x9040000, 0x1000);
    fdt_write_prop_string(w, "status", "disabled");
    fdt_write_end_node(w);
    device(w, "given", 0x9050000, 0x1000);
    static const uint32_t given[] = { BOARD_INTC_PHANDLE, 52, 0 };
    fdt_write_prop_empty(w, "xen,passthrough");
    fdt_write_prop_cells(w, "interrupts-extended", given, 3);
    fdt_write_end_node(w);
    device(w, "log", BOARD_RAM + 0x3000000, 0x1000); /* in RAM */
    fdt_write_end_node(w);
    device(w, "edge", BOARD_RAM - 0x1000, 0x2000); /* half of it in RAM */
    fdt_write_end_node(w);
    device(w, "odd", 0x9060010, 0x20); /* no whole page */
    fdt_write_end_node(w);
    device(w, "far", UINT64_C(1) << 60, 0x1000); /* where no guest can reach */
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "firmware");
    fdt_write_prop_string(w, "compatible", FAKE_KEPT_COMPATIBLE);
    fdt_write_begin_node(w, "below");
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

/* Kernel and ramdisk of the control domain. */
static void dom0_modules(struct board *b)
{
    board_kernel_args(b, 0x100000, 0x5000, "console=hvc0");
    board_module(b, "multiboot,ramdisk", 0x200000, 0x3000);
}

static void options(struct board *b, const char *text)
{
    fdt_write_prop_string(&b->w, "bootargs", text);
}

static const struct plan_domain *planned(const struct board *b)
{
    return b->hv->plan ? b->hv->plan->dom0 : NULL;
}

/* The tree of the control domain; free() what is returned. */
static void *tree_open(struct board *b, struct fdt *f)
{
    struct domain *d = planned(b)->domain;
    size_t size = 256 * KIB;
    void *blob = calloc(1, size);
    CHECK_EQ(guest_phys_read(d, blob, gpa(d->vcpus[0]->arch.boot_arg), size), 0);
    CHECK_EQ(fdt_open(f, blob, size), 0);
    return blob;
}

static bool is_running(const struct board *b)
{
    const struct plan_domain *pd = planned(b);
    return pd && pd->domain && pd->domain->state == DOMAIN_RUNNING;
}

static bool is_mapped(struct domain *d, uint64_t addr)
{
    enum p2m_type type;
    mfn_t m = p2m_lookup(d, gpa_to_gfn(gpa(addr)), &type, NULL);
    CHECK(mfn_is_none(m) || mfn_to_hpa(m).a == ALIGN_DOWN(addr, PAGE_SIZE));
    return !mfn_is_none(m) && type == P2M_MMIO_DIRECT;
}

/* Device memory and the interrupt of the node with xen,passthrough, and no other. */
static void check_spare(struct domain *d)
{
    bool edge;
    CHECK(rights_has_pages(d, mfn(0x9050), 1));
    CHECK(!rights_has_pages(d, mfn(0x9050), 2));
    CHECK(!rights_has_pages(d, mfn(BOARD_UART >> PAGE_SHIFT), 1));
    CHECK(!rights_has_pages(d, mfn(BOARD_RTC >> PAGE_SHIFT), 1));
    CHECK(rights_has_irq(d, 52, &edge));
    CHECK(!irq_is_of(d, 52) && !rights_has_irq(d, 50, &edge));
}

static bool has_irq(const struct board *b, uint32_t irq)
{
    const struct plan_dom0 *dom0 = planned(b)->dom0;
    for (uint32_t i = 0; i < dom0->nr_irqs; i++) {
        if (dom0->irq[i].irq == irq) {
            return true;
        }
    }
    return false;
}

static void check_tree(struct board *b)
{
    static const char *const there[] = {
        "/rtc@9010000", "/disk@a000000",         "/pcie",       "/bus/net", "/off", "/log",
        "/i2c/clock",   "/reserved-memory/pool", "/cpus/cpu@1", "/odd",     "/far", "/timer"
    };
    static const char *const gone[] = { "/uart",     "/twin",          "/given",
                                        "/firmware", "/chosen/module", "/reserved-memory/firmware",
                                        "/intc",     "/cpus/cpu@2" };
    const struct plan_domain *pd = planned(b);
    struct fdt f;
    void *blob = tree_open(b, &f);
    for (uint32_t i = 0; i < ARRAY_SIZE(there); i++) {
        if (!fdt_node_exists(fdt_find(&f, there[i]))) {
            printf("# %s is not there\n", there[i]);
            CHECK(false);
        }
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(gone); i++) {
        if (fdt_node_exists(fdt_find(&f, gone[i]))) {
            printf("# %s is there\n", gone[i]);
            CHECK(false);
        }
    }
    CHECK(!fdt_has_prop(&f, fdt_find(&f, "/pcie"), "msi-map"));
    CHECK(!fdt_has_prop(&f, fdt_find(&f, "/pcie"), "iommu-map"));
    CHECK(!fdt_has_prop(&f, fdt_find(&f, "/bus/net"), "iommus"));
    /* One controller, which the others' phandle leads to. */
    struct fdt_node intc = fdt_interrupt_parent(&f, fdt_find(&f, "/rtc@9010000"));
    CHECK(fdt_has_prop(&f, intc, "interrupt-controller"));
    CHECK_EQ(fdt_u32_or(&f, intc, "phandle", 0), BOARD_INTC_PHANDLE);
    struct fdt_node chosen = fdt_find(&f, "/chosen");
    uint64_t start = 0, end = 0, addr, size;
    CHECK_STR(fdt_string(&f, chosen, "bootargs"), "console=hvc0");
    CHECK(!fdt_has_prop(&f, chosen, "stdout-path"));
    CHECK_EQ(fdt_u32_or(&f, chosen, "seed", 0), 0x5eed);
    CHECK(fdt_u64(&f, chosen, "linux,initrd-start", &start) == 0);
    CHECK(fdt_u64(&f, chosen, "linux,initrd-end", &end) == 0);
    CHECK_EQ(end - start, 0x3000);
    struct fdt_memory_iter it;
    uint64_t memory = 0;
    fdt_memory_begin(&f, &it);
    while (fdt_memory_next(&f, &it, &addr, &size) == 0) {
        CHECK(addr >= BOARD_RAM && addr + size <= BOARD_RAM + BOARD_RAM_SIZE);
        memory += size;
    }
    CHECK_EQ(memory, pd->memory);
    struct fdt_node hypervisor = fdt_find(&f, "/hypervisor");
    CHECK(fdt_compatible(&f, hypervisor, "xen,xen"));
    CHECK_EQ(fdt_reg(&f, hypervisor, 0, &addr, &size), 0);
    CHECK_EQ(addr, pd->dom0->grants.start);
    CHECK_EQ(fdt_reg(&f, hypervisor, 1, &addr, &size), 0);
    CHECK_EQ(addr, pd->dom0->extended.start);
    struct fdt_interrupt event;
    CHECK_EQ(fdt_interrupt(&f, hypervisor, 0, &event), 0);
    CHECK_EQ(event.cells[0], 2);
    free(blob);
}

TEST_ALLOC(it_gets_the_machine)
{
    static const uint64_t mapped[] = { BOARD_RTC,           BOARD_DISK,   BRIDGE,
                                       0x21000000,          0x21fff000,   WINDOW,
                                       WINDOW + 0xfffff000, BUS + 0x1000, BUS + 0x4000,
                                       BUS + 0x5000,        0x9060000,    BOARD_RAM - 0x1000,
                                       BOARD_TIMER };
    static const uint64_t left[] = { BOARD_UART,
                                     0x9040000,
                                     0x9050000,
                                     FAKE_INTC_BASE,
                                     BUS + 0x2000,
                                     BUS + 0x6000,
                                     BOARD_RAM + 0x3000000,
                                     WINDOW + 0x100000000,
                                     0x68 };
    static const uint32_t irqs[] = { 34, 40, 41, 48, 49, 50, 52 };
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    options(&b, "dom0_mem=8M dom0_max_vcpus=2");
    fdt_write_prop_u32(&b.w, "seed", 0x5eed);
    dom0_modules(&b);
    uint64_t before = b.hv->frames.total;
    if (board_parse(&b)) {
        board_run(&b);
    }
    CHECK(is_running(&b) || unit_injected());
    if (is_running(&b) && !unit_injected()) {
        struct domain *d = planned(&b)->domain;
        CHECK_EQ(d->id, 0);
        CHECK_EQ(d->pages, 8 * MIB / PAGE_SIZE);
        CHECK_EQ(d->config.vcpus_max, 2);
        CHECK(d->config.control && d->config.enhanced && d->config.direct_map);
        for (uint32_t i = 0; i < ARRAY_SIZE(mapped); i++) {
            if (!is_mapped(d, mapped[i])) {
                printf("# %#llx is not mapped\n", (unsigned long long)mapped[i]);
                CHECK(false);
            }
        }
        for (uint32_t i = 0; i < ARRAY_SIZE(left); i++) {
            if (is_mapped(d, left[i])) {
                printf("# %#llx is mapped\n", (unsigned long long)left[i]);
                CHECK(false);
            }
        }
        for (uint32_t i = 0; i < ARRAY_SIZE(irqs); i++) {
            CHECK(has_irq(&b, irqs[i]));
        }
        CHECK_EQ(planned(&b)->dom0->nr_irqs, ARRAY_SIZE(irqs));
        CHECK_EQ(d->config.nr_spis, 50 - arch_guest_layout()->virq_base + 1);
        CHECK(board_says(&b, "dom0: timer@9020000: interrupt 5 is no shared one"));
        check_tree(&b);
        check_spare(d);
        /* The modules are given back: it is built once. */
        CHECK_EQ(b.hv->frames.total, before);
        CHECK_EQ(b.hv->plan->nr_claims, 0);
    }
    board_end(&b);
}

TEST(interrupts_reach_it_under_their_numbers)
{
    struct board b;
    REQUIRE(board_begin(&b));
    options(&b, "dom0_mem=8M");
    dom0_modules(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    REQUIRE(is_running(&b));
    CHECK(irq_deliver(world_cpu(&b.world, 0), 34));
    CHECK(!irq_deliver(world_cpu(&b.world, 0), 33)); /* the console's */
    board_end(&b);
}

/* --- Options ------------------------------------------------------------------------------ */

TEST(options_as_xen_spells_them)
{
    static const struct {
        const char *text;
        uint64_t memory;
        uint32_t vcpus;
    } cases[] = {
        { "dom0_mem=16M dom0_max_vcpus=3", 16 * MIB, 3 },
        { "  dom0_mem=8192K\tdom0_max_vcpus=1 ", 8 * MIB, 1 },
        { "dom0_mem=8192", 8 * MIB, 4 },
        { "dom0_mem=0x2000", 8 * MIB, 4 },
        { "dom0_mem=8388608B", 8 * MIB, 4 },
        { "dom0_mem=8m,max:16m", 8 * MIB, 4 },
        { "dom0_mem=max:6M,20M", 6 * MIB, 4 },
        { "dom0_mem=min:12M,8M", 12 * MIB, 4 },
        { "dom0_mem=10M dom0_max_vcpus=6", 10 * MIB, 6 },
        { "dom0_mem=10M dom0_max_vcpus=2-3", 10 * MIB, 3 },
        { "dom0_mem=10M dom0_max_vcpus=6-9", 10 * MIB, 6 },
        { "dom0_mem=10M dom0_max_vcpus=-2", 10 * MIB, 2 },
        { "dom0_mem=10M dom0_max_vcpus=5-", 10 * MIB, 5 },
        { "dom0_mem=10M dom0_mem=12M", 12 * MIB, 4 },
        { "console=dtuart dtuart=/uart bootscrub=0 dom0_mem=8M sync_console no-watchdog", 8 * MIB,
          4 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        options(&b, cases[i].text);
        dom0_modules(&b);
        REQUIRE(board_parse(&b));
        const struct plan_domain *pd = planned(&b);
        REQUIRE(pd != NULL);
        CHECK_EQ(pd->memory, cases[i].memory);
        CHECK_EQ(pd->config.vcpus_max, cases[i].vcpus);
        CHECK(!board_says(&b, "bootargs"));
        CHECK_STR(pd->bootargs, "console=hvc0");
        CHECK_STR(plan_options(b.hv), cases[i].text);
        board_end(&b);
    }
}

TEST(options_that_are_nonsense_are_named)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "dom0_mem=", "/chosen: bootargs: dom0_mem: \"\" is none of its values" },
        { "dom0_mem=12Q", "dom0_mem: \"12Q\" is none" },
        { "dom0_mem=0", "dom0_mem: \"0\" is none" },
        { "dom0_mem=1B", "dom0_mem: \"1B\" is none" },
        { "dom0_mem=8M,", "dom0_mem: \"8M,\" is none" },
        { "dom0_mem=min:", "dom0_mem: \"min:\" is none" },
        { "dom0_mem=99999999999999999999", "dom0_mem: \"9999" },
        { "dom0_mem=16777216T", "dom0_mem: \"16777216T\" is none" },
        { "dom0_mem=-1M", "dom0_mem: \"-1M\" is none" },
        { "dom0_mem=0x", "dom0_mem: \"0x\" is none" },
        { "dom0_mem", "dom0_mem: \"\" is none" },
        { "no-dom0_mem", "dom0_mem: \"no\" is none" },
        { "dom0_max_vcpus=0", "dom0_max_vcpus: \"0\" is none" },
        { "dom0_max_vcpus=129", "dom0_max_vcpus: \"129\" is none" },
        { "dom0_max_vcpus=3-2", "dom0_max_vcpus: \"3-2\" is none" },
        { "dom0_max_vcpus=two", "dom0_max_vcpus: \"two\" is none" },
        { "dom0_max_vcpus=2x", "dom0_max_vcpus: \"2x\" is none" },
        { "noreboot=perhaps", "noreboot: \"perhaps\" is none" },
        { "ext_regions=3", "ext_regions: \"3\" is none" },
        { "frobnicate=1", "/chosen: bootargs: \"frobnicate\" is no boot option that is known" },
        { "no-such", "\"no-such\" is no boot option" },
        { "=", "\"\" is no boot option" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        options(&b, cases[i].text);
        dom0_modules(&b);
        REQUIRE(board_parse(&b));
        const struct plan_domain *pd = planned(&b);
        REQUIRE(pd != NULL);
        if (!board_says(&b, cases[i].message)) {
            printf("# %s: %s\n", cases[i].text, b.world.machine.console);
            CHECK(false);
        }
        CHECK_EQ(pd->config.vcpus_max, BOARD_CPUS);
        CHECK(pd->memory > 16 * MIB && pd->memory < 33 * MIB);
        board_end(&b);
    }
}

TEST(whose_bootargs_they_are)
{
    static const struct {
        bool module, bootargs, own, xen;
        const char *kernel; /* its command line */
        bool option; /* the option was read */
    } cases[] = {
        { true, true, false, false, "module", true },
        { false, true, false, false, "dom0_max_vcpus=2", false },
        { false, true, true, false, "own", true },
        { true, true, true, false, "own", true },
        { false, true, false, true, "dom0_max_vcpus=2", true },
        { true, false, false, true, "module", true },
        { false, false, false, false, NULL, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        if (cases[i].bootargs) {
            options(&b, "dom0_max_vcpus=2");
        }
        if (cases[i].own) {
            fdt_write_prop_string(&b.w, "xen,dom0-bootargs", "own");
        }
        if (cases[i].xen) {
            fdt_write_prop_string(&b.w, "xen,xen-bootargs", "dom0_max_vcpus=2");
        }
        board_kernel_args(&b, 0x100000, 0x5000, cases[i].module ? "module" : NULL);
        REQUIRE(board_parse(&b));
        const struct plan_domain *pd = planned(&b);
        REQUIRE(pd != NULL);
        CHECK_EQ(pd->config.vcpus_max, cases[i].option ? 2 : BOARD_CPUS);
        CHECK((pd->bootargs == NULL) == (cases[i].kernel == NULL));
        if (pd->bootargs && cases[i].kernel) {
            CHECK_STR(pd->bootargs, cases[i].kernel);
        }
        board_end(&b);
    }
}

TEST(pinned_vcpus)
{
    struct board b;
    REQUIRE(board_begin(&b));
    options(&b, "dom0_mem=8M dom0_max_vcpus=5 dom0_vcpus_pin");
    dom0_modules(&b);
    REQUIRE(board_parse(&b));
    const struct plan_domain *pd = planned(&b);
    REQUIRE(pd != NULL);
    CHECK_EQ(pd->nr_affinity, 5);
    CHECK_EQ(pd->affinity[4].vcpu, 4);
    CHECK_EQ(pd->affinity[4].cpus.w[0], 1);
    CHECK_EQ(pd->affinity[3].cpus.w[0], 8);
    board_run(&b);
    CHECK(is_running(&b));
    board_end(&b);
}

/* --- Modules ------------------------------------------------------------------------------- */

TEST(old_names_of_modules)
{
    static const struct {
        const char *kernel, *ramdisk;
    } cases[] = {
        { "xen,linux-zimage", "xen,linux-initrd" },
        { "multiboot,module", "multiboot,module" },
        { "xen,multiboot-module", "multiboot,ramdisk" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        struct fake_kernel head = { .magic = FAKE_KERNEL_MAGIC, .memory = 0x5000 };
        REQUIRE(board_begin(&b));
        memcpy(board_ram(&b, 0x100000), &head, sizeof(head));
        board_module(&b, cases[i].kernel, 0x100000, 0x5000);
        board_module(&b, cases[i].ramdisk, 0x200000, 0x3000);
        REQUIRE(board_parse(&b));
        const struct plan_domain *pd = planned(&b);
        REQUIRE(pd != NULL);
        CHECK_EQ(pd->module[PLAN_KERNEL].start, BOARD_RAM + 0x100000);
        CHECK_EQ(pd->module[PLAN_RAMDISK].start, BOARD_RAM + 0x200000);
        board_end(&b);
    }
}

/* A fault of the control domain; a boot-time domain beside it runs. */
struct bad {
    const char *kind;
    uint64_t offset, size;
    bool no_kernel; /* no good kernel beside it */
    const char *message;
};

TEST(bad_modules_cost_nobody_else)
{
    static const struct bad cases[] = {
        { "multiboot,ramdisk", BOARD_RAM_SIZE, 0x1000, false,
          "/chosen/module@44000000: reg: 0x44000000-0x44001000 is outside RAM" },
        { "multiboot,ramdisk", 0x101000, 0x1000, false, "overlaps the kernel of dom0" },
        { "multiboot,ramdisk", BOARD_RESERVED, 0x1000, false, "overlaps the hypervisor" },
        { "multiboot,ramdisk", 0x200000, 0, false, "reg: the module is empty" },
        { "multiboot,kernel", 0x200000, 0x1000, false, "a second module of kind multiboot,kernel" },
        { "multiboot,ramdisk", 0x200000, 0x1000, true, "/chosen: multiboot,kernel: missing" },
        { "multiboot,kernel", 0x200000, 0x1000, true,
          "/chosen: multiboot,kernel: it does not begin with FAKE" },
        { "multiboot,ramdisk", 0, UINT64_MAX, false, "is no range" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct bad *c = &cases[i];
        struct board b;
        REQUIRE(board_begin(&b));
        if (!c->no_kernel) {
            board_kernel(&b, 0x100000, 0x5000);
        }
        board_module(&b, c->kind, c->offset, c->size);
        board_good_domain(&b, "good", 0x500000);
        REQUIRE(board_parse(&b));
        CHECK(planned(&b) == NULL);
        CHECK(board_says(&b, "1 of 2 domains can be built"));
        CHECK_EQ(board_warnings(&b), 1);
        if (!board_says(&b, c->message)) {
            printf("# %s\n", b.world.machine.console);
            CHECK(false);
        }
        board_run(&b);
        const struct plan_domain *good = board_planned(&b, "good");
        CHECK(good && good->domain && good->domain->state == DOMAIN_RUNNING);
        CHECK(good->domain->id != 0);
        board_end(&b);
    }
}

TEST(its_memory_is_more_than_there_is)
{
    struct board b;
    REQUIRE(board_begin(&b));
    options(&b, "dom0_mem=1G");
    dom0_modules(&b);
    board_good_domain(&b, "good", 0x500000);
    REQUIRE(board_parse(&b));
    board_run(&b);
    CHECK(board_says(&b, "/chosen: memory: 1048576 KiB are not free"));
    const struct plan_domain *good = board_planned(&b, "good");
    CHECK(good && good->domain && good->domain->state == DOMAIN_RUNNING);
    board_end(&b);
}

/* --- Beside others -------------------------------------------------------------------------- */

static void partial(struct board *b, uint64_t offset, bool with_reg)
{
    const uint64_t reg[] = { BOARD_RTC, 0x1000, 0x10000000 };
    struct fdt_writer w;
    fdt_write_begin(&w, board_ram(b, offset), 4096);
    fdt_write_begin_node(&w, "");
    fdt_write_begin_node(&w, "passthrough");
    fdt_write_begin_node(&w, "rtc");
    fdt_write_prop_string(&w, "xen,path", "/rtc@9010000");
    if (with_reg) {
        fdt_write_prop_u64s(&w, "xen,reg", reg, 3);
    }
    fdt_write_prop_empty(&w, "xen,force-assign-without-iommu");
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    CHECK(fdt_write_finish(&w) > 0);
}

TEST_ALLOC(what_others_have_is_not_its_own)
{
    struct board b;
    REQUIRE_OR_INJECTED(board_begin(&b));
    options(&b, "dom0_mem=8M");
    dom0_modules(&b);
    board_domain(&b, "dom1", 4096, 1);
    board_kernel(&b, 0x500000, 0x5000);
    board_module(&b, "multiboot,device-tree", 0x300000, 4096);
    partial(&b, 0x300000, true);
    board_end_domain(&b);
    board_good_domain(&b, "dom2", 0x500000);
    if (board_parse(&b)) {
        board_run(&b);
    }
    if (!unit_injected()) {
        REQUIRE(is_running(&b));
        struct fdt f;
        void *blob = tree_open(&b, &f);
        CHECK(!fdt_node_exists(fdt_find(&f, "/rtc@9010000")));
        free(blob);
        CHECK(!is_mapped(planned(&b)->domain, BOARD_RTC));
        CHECK(!has_irq(&b, 34));
        CHECK(is_mapped(planned(&b)->domain, BOARD_DISK));
        for (uint32_t i = 1; i <= 2; i++) {
            char name[8];
            snprintf(name, sizeof(name), "dom%u", i);
            const struct plan_domain *pd = board_planned(&b, name);
            CHECK(pd && pd->domain && pd->domain->state == DOMAIN_RUNNING && pd->domain->id == i);
        }
        CHECK(board_says(&b, "3 of 3 domains can be built"));
    }
    board_end(&b);
}

TEST(an_interrupt_is_enough_to_have_a_device)
{
    struct board b;
    REQUIRE(board_begin(&b));
    options(&b, "dom0_mem=8M");
    dom0_modules(&b);
    board_domain(&b, "dom1", 4096, 1);
    board_kernel(&b, 0x500000, 0x5000);
    board_module(&b, "multiboot,device-tree", 0x300000, 4096);
    partial(&b, 0x300000, false);
    board_end_domain(&b);
    REQUIRE(board_parse(&b));
    board_run(&b);
    REQUIRE(is_running(&b));
    CHECK(!is_mapped(planned(&b)->domain, BOARD_RTC));
    CHECK(!has_irq(&b, 34));
    board_end(&b);
}

TEST(nobody_else_is_called_dom0)
{
    struct board b;
    REQUIRE(board_begin(&b));
    dom0_modules(&b);
    board_good_domain(&b, "dom0", 0x500000);
    REQUIRE(board_parse(&b));
    CHECK(planned(&b) != NULL);
    CHECK(board_says(&b, "/chosen/dom0: name: /chosen has the name dom0 already"));
    board_end(&b);
}

/* --- Its end --------------------------------------------------------------------------------- */

TEST(the_machine_ends_with_it)
{
    static const struct {
        enum domain_shutdown_reason reason;
        const char *options;
        enum fake_stop stop;
        const char *message;
    } cases[] = {
        { SHUTDOWN_POWEROFF, "dom0_mem=8M", FAKE_STOP_OFF, "dom dom0: powered off: the machine" },
        { SHUTDOWN_REBOOT, "dom0_mem=8M", FAKE_STOP_RESET,
          "asked for a reset: the machine is reset" },
        { SHUTDOWN_CRASH, "dom0_mem=8M", FAKE_STOP_RESET, "error: dom dom0: crashed: the machine" },
        { SHUTDOWN_CRASH, "dom0_mem=8M noreboot", FAKE_STOP_HALT, "(noreboot)" },
        { SHUTDOWN_WATCHDOG, "dom0_mem=8M", FAKE_STOP_RESET, "by its watchdog" },
        { SHUTDOWN_SUSPEND, "dom0_mem=8M", FAKE_STOP_RESET, "suspended" },
        { SHUTDOWN_SOFT_RESET, "dom0_mem=8M", FAKE_STOP_RESET, "stopped: the machine is reset" },
        { SHUTDOWN_POWEROFF, "dom0_mem=8M noreboot", FAKE_STOP_OFF, "powered off" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(board_begin(&b));
        options(&b, cases[i].options);
        dom0_modules(&b);
        board_good_domain(&b, "dom1", 0x500000);
        REQUIRE(board_parse(&b));
        board_run(&b);
        REQUIRE(is_running(&b));
        board_stop(&b, b.hv->plan->dom0, cases[i].reason);
        CHECK_EQ(b.stop, cases[i].stop);
        if (!board_says(&b, cases[i].message)) {
            printf("# %s\n", b.world.machine.console);
            CHECK(false);
        }
        board_end(&b);
    }
}

TEST(it_outlives_the_others)
{
    struct board b;
    REQUIRE(board_begin(&b));
    options(&b, "dom0_mem=8M");
    dom0_modules(&b);
    board_good_domain(&b, "dom1", 0x500000);
    REQUIRE(board_parse(&b));
    board_run(&b);
    board_stop(&b, board_planned(&b, "dom1"), SHUTDOWN_POWEROFF);
    CHECK_EQ(b.stop, 0);
    CHECK(is_running(&b));
    board_end(&b);
}

/* --- Sets of ranges -------------------------------------------------------------------------- */

#define SLOTS 48

/* The same set as bits, one a page. */
static void check_set(const struct plan_ranges *s, const bool *bits)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->nr; i++) {
        CHECK(i == 0 || s->r[i - 1].start + s->r[i - 1].size < s->r[i].start);
        CHECK(s->r[i].size != 0);
        for (; at < s->r[i].start / PAGE_SIZE; at++) {
            CHECK(!bits[at]);
        }
        for (; at < (s->r[i].start + s->r[i].size) / PAGE_SIZE; at++) {
            CHECK(bits[at]);
        }
    }
    for (; at < SLOTS; at++) {
        CHECK(!bits[at]);
    }
}

static void check_hole(const struct plan_ranges *s, const bool *bits, uint32_t from, uint32_t size)
{
    uint64_t at;
    uint32_t want = from;
    for (uint32_t n = 0; n < size && want + size <= SLOTS;) {
        n = bits[want + n] ? 0 : n + 1;
        want += n == 0;
    }
    bool found =
        ranges_hole(s, from * PAGE_SIZE, SLOTS * PAGE_SIZE, PAGE_SIZE, size * PAGE_SIZE, &at);
    CHECK_EQ(found, want + size <= SLOTS);
    if (found) {
        CHECK_EQ(at, want * PAGE_SIZE);
    }
}

TEST(sets_of_ranges_are_what_bits_say)
{
    struct world *w = world_create(1, 4);
    uint32_t seed = 1;
    for (uint32_t round = 0; round < 200; round++) {
        struct plan_ranges s = { 0 };
        bool bits[SLOTS] = { false };
        for (uint32_t n = 0; n < 30; n++) {
            seed = seed * 1664525 + 1013904223;
            uint32_t start = (seed >> 8) % SLOTS, size = 1 + (seed >> 16) % 8;
            uint32_t end = MIN(start + size, (uint32_t)SLOTS);
            bool add = (seed >> 28) % 3 != 0;
            /* Parts of pages count as whole ones. */
            uint64_t from = start * PAGE_SIZE + 1, to = end * PAGE_SIZE - 1;
            CHECK_EQ(add ? ranges_add(w->hv, &s, from, to) : ranges_cut(w->hv, &s, from, to), 0);
            for (uint32_t i = start; i < end; i++) {
                bits[i] = add;
            }
            check_set(&s, bits);
            struct plan_range r = { from, to - from };
            CHECK_EQ(ranges_touch(&s, &r), add);
            check_hole(&s, bits, seed % SLOTS, 1 + (seed >> 5) % 6);
        }
        ranges_free(w->hv, &s);
    }
    world_destroy(w);
}
