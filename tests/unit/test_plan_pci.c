/* SPDX-License-Identifier: MIT */
/* boot/plan_pci.c: PCI devices for domains, and every reason to refuse one. */
#include "pci_model.h"

#define IOMMU_PHANDLE 0x6000

static void board_extra(struct fdt_writer *w) { pci_model_node(w, 0x5000, IOMMU_PHANDLE); }
#define BOARD_EXTRA board_extra
#include "board.h"

#include <loam/guest_copy.h>
#include <loam/iommu.h>
#include <loam/pci.h>
#include <loam/vpci.h>

/* --- An IOMMU ------------------------------------------------------------------- */

static struct iommu guard;
static struct domain *guarded[0x400]; /* by stream */
static int guard_result;

static int guard_attach(struct iommu *x, uint32_t stream, struct domain *d)
{
    if (guard_result == 0) {
        guarded[stream] = d;
    }
    return guard_result;
}

static void guard_detach(struct iommu *x, uint32_t stream, struct domain *d)
{
    CHECK(guarded[stream] == d);
    guarded[stream] = NULL;
}

static void guard_flush(struct iommu *x, struct domain *d) {}

static const struct iommu_ops guard_ops = { guard_attach, guard_detach, guard_flush };

static bool begin(struct board *b, bool with_iommu)
{
    pci_model_reset();
    for (uint32_t i = 1; i <= 11; i++) {
        pci_model_bar(pci_model_add(PCI_DEVFN(i, 0), 0x1af4, (uint16_t)(0x1040 + i)), 0, 0x2000, 0);
    }
    pci_model_at(PCI_DEVFN(1, 0))->config[PCI_PIN] = 2; /* 51, as number 11 has with its first */
    pci_model_at(PCI_DEVFN(5, 0))->config[PCI_PIN] = 0;
    pci_model_bar(pci_model_at(PCI_DEVFN(6, 0)), 1, 0x40000000, 0);
    memset(guarded, 0, sizeof(guarded));
    guard_result = 0;
    guard = (struct iommu){ .ops = &guard_ops, .phandle = IOMMU_PHANDLE, .name = "guard" };
    if (!board_begin(b)) {
        return false;
    }
    guard.hv = b->hv;
    if (with_iommu) {
        iommu_register(&guard);
    }
    return true;
}

static void domain_with(struct board *b, const char *name, uint64_t kernel, const char *first,
                        const char *second)
{
    const char *const list[] = { first, second };
    board_domain(b, name, 4096, 1);
    fdt_write_prop_strings(&b->w, "loam,pci", list, second ? 2 : 1);
    board_kernel(b, kernel, 0x5000);
    board_end_domain(b);
}

/* board_parse(), with the model's devices behind the bridge. */
static bool parse(struct board *b)
{
    fdt_write_end_node(&b->w);
    fdt_write_end_node(&b->w);
    int size = fdt_write_finish(&b->w);
    CHECK(size > 0 && fdt_open(&b->host, b->blob, (size_t)size) == 0);
    int rc = pci_open(b->hv, &b->host, fdt_find(&b->host, "/pci"), &pci_model_access);
    rc = rc ? rc : board_plan(b);
    CHECK(rc == 0 || unit_injected());
    return rc == 0;
}

static void finish(struct board *b)
{
    if (!b->hv->plan) {
        pci_close_all(b->hv); /* as plan_destroy() does */
    }
    board_end(b);
}

static void check_tree(struct domain *d)
{
    struct fdt f;
    void *blob = calloc(1, 65536);
    CHECK_EQ(guest_phys_read(d, blob, gpa(d->vcpus[0]->arch.boot_arg), 65536), 0);
    CHECK_EQ(fdt_open(&f, blob, 65536), 0);
    CHECK(fdt_compatible(&f, fdt_find(&f, "/pcie"), "pci-host-ecam-generic"));
    free(blob);
}

TEST_ALLOC(devices_for_each_life)
{
    struct board b;
    REQUIRE_OR_INJECTED(begin(&b, true));
    domain_with(&b, "disks", 0x100000, "0000:00:01.0", "00:5.0");
    domain_with(&b, "net", 0x100000, "0000:00:02.0", NULL);
    if (parse(&b)) {
        struct plan_domain *one = board_planned(&b, "disks"), *two = board_planned(&b, "net");
        if (one && two) {
            CHECK(one->nr_pci == 2 && one->pci[0].irq == 51 && one->pci[1].irq == 0);
            CHECK_EQ(one->config.nr_spis, 20);
            CHECK_STR(pci_find(b.hv, 0, 0, PCI_DEVFN(2, 0))->owner, "net");
        }
        board_run(&b);
        if (one && one->domain && two && two->domain) {
            CHECK(guarded[0x108] == one->domain && guarded[0x128] == one->domain);
            CHECK(guarded[0x110] == two->domain);
            CHECK_EQ(one->domain->arch.host_irq[51], 52);
            CHECK_EQ(two->domain->arch.host_irq[42], 43);
            check_tree(one->domain);
            world_inject(&b.world, false);
            board_stop(&b, one, SHUTDOWN_POWEROFF);
            CHECK(guarded[0x108] == NULL && guarded[0x110] == two->domain);
            one->restart = RESTART_ALWAYS;
            board_stop(&b, two, SHUTDOWN_POWEROFF);
            CHECK(guarded[0x110] == NULL);
        } else {
            CHECK(unit_injected());
        }
    }
    finish(&b);
    CHECK(guarded[0x108] == NULL && guarded[0x110] == NULL && guarded[0x128] == NULL);
}

TEST(a_restart)
{
    struct board b;
    REQUIRE(begin(&b, true));
    domain_with(&b, "disk", 0x100000, "0000:00:02.0", NULL);
    REQUIRE(parse(&b));
    struct plan_domain *pd = board_planned(&b, "disk");
    REQUIRE(pd != NULL);
    pd->restart = RESTART_ALWAYS;
    board_run(&b);
    for (uint32_t n = 0; n < 3; n++) {
        REQUIRE(pd->domain != NULL);
        CHECK(guarded[0x110] == pd->domain);
        CHECK(pd->domain->sub[VPCI_SUB] != NULL);
        /* As its guest left it. */
        pci_model_at(PCI_DEVFN(2, 0))->config[PCI_COMMAND] = 6;
        board_stop(&b, pd, SHUTDOWN_REBOOT);
        CHECK_EQ(get_le16(&pci_model_at(PCI_DEVFN(2, 0))->config[PCI_COMMAND]),
                 PCI_COMMAND_INTX_OFF);
    }
    finish(&b);
}

/* Several that are reset take turns, and each is reset once. */
TEST(resets)
{
    struct board b;
    REQUIRE(begin(&b, true));
    for (uint32_t i = 2; i <= 4; i++) {
        struct model_dev *m = pci_model_at(PCI_DEVFN(i, 0));
        pci_model_cap(m, PCI_CAP_EXPRESS, 0x40, 0x3c);
        m->config[0x47] = i == 3 ? 0 : 0x10;
    }
    domain_with(&b, "disks", 0x100000, "0000:00:02.0", "00:04.0");
    domain_with(&b, "none", 0x100000, "0000:00:03.0", NULL);
    REQUIRE(parse(&b));
    board_run(&b);
    CHECK(board_planned(&b, "disks")->domain != NULL && board_planned(&b, "none")->domain != NULL);
    for (uint32_t i = 2; i <= 4; i++) {
        CHECK_EQ(pci_model_at(PCI_DEVFN(i, 0))->resets, i == 3 ? 0 : 1);
    }
    finish(&b);
}

TEST(what_is_refused)
{
    static const struct {
        const char *first, *second, *message;
    } cases[] = {
        { "0000:00:1f.0", NULL, "there is no device 0000:00:1f.0 on a root bus that is known" },
        { "0001:00:01.0", NULL, "there is no device 0001:00:01.0" },
        { "disk", NULL, "\"disk\" is no address as 0000:00:01.0" },
        { "", NULL, "\"\" is no address" },
        { "00:01", NULL, "is no address" },
        { "00:01.8", NULL, "is no address" },
        { "00:20.0", NULL, "is no address" },
        { "00000:00:01.0", NULL, "is no address" },
        { "0000:00:01.0,permissive=1", NULL, "is no address" },
        { "0000:00:02.0", "00:02.0", "0000:00:02.0 is given to bad" },
        { "0000:00:06.0", NULL, "0000:00:06.0: the bridge's windows have no room for its memory" },
        { "0000:00:03.0", NULL, "0000:00:03.0 is given to good" },
        { "0000:00:0b.0", NULL,
          "0000:00:0b.0: its interrupt line 51 is shared with a device of "
          "good" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(begin(&b, true));
        domain_with(&b, "good", 0x100000, "0000:00:01.0", "0000:00:03.0");
        domain_with(&b, "bad", 0x100000, cases[i].first, cases[i].second);
        domain_with(&b, "after", 0x100000, "0000:00:04.0", "00:02.0");
        REQUIRE(parse(&b));
        if (!board_says(&b, cases[i].message)) {
            printf("# wanted: %s\n%s", cases[i].message, b.world.machine.console);
        }
        CHECK(board_says(&b, "/chosen/bad: loam,pci: "));
        CHECK(board_says(&b, cases[i].message));
        CHECK(!board_planned(&b, "bad") && board_planned(&b, "good") && board_planned(&b, "after"));
        CHECK_EQ(board_warnings(&b), 1);
        finish(&b);
    }
}

/* A line may be shared inside of a domain. */
TEST(two_devices_on_one_line)
{
    struct board b;
    REQUIRE(begin(&b, true));
    domain_with(&b, "both", 0x100000, "0000:00:01.0", "0000:00:0b.0");
    REQUIRE(parse(&b));
    board_run(&b);
    struct plan_domain *pd = board_planned(&b, "both");
    CHECK(pd != NULL && pd->domain != NULL && pd->domain->arch.host_irq[51] == 52);
    CHECK(guarded[0x108] == pd->domain && guarded[0x158] == pd->domain);
    finish(&b);
}

TEST(without_an_iommu)
{
    for (uint32_t n = 0; n < 3; n++) {
        struct board b;
        REQUIRE(begin(&b, false));
        board_domain(&b, "disk", 4096, 1);
        fdt_write_prop_string(&b.w, "loam,pci", "0000:00:02.0");
        if (n > 0) {
            fdt_write_prop_empty(&b.w, "xen,force-assign-without-iommu");
        }
        if (n > 1) {
            fdt_write_prop_empty(&b.w, "direct-map");
        }
        board_kernel(&b, 0x100000, 0x5000);
        board_end_domain(&b);
        REQUIRE(parse(&b));
        const char *say =
            n == 0   ? "/chosen/disk: loam,pci: 0000:00:02.0: no IOMMU guards the device\n"
            : n == 1 ? "0000:00:02.0: no IOMMU guards the device: the domain needs direct-map"
                     : "disk: 0000:00:02.0 can reach all memory: no IOMMU guards it";
        CHECK(board_says(&b, say) || (n == 0 && board_says(&b, "no IOMMU guards the device")));
        CHECK((board_planned(&b, "disk") != NULL) == (n == 2));
        if (n == 2) {
            board_run(&b);
            CHECK(board_planned(&b, "disk")->domain != NULL);
        }
        finish(&b);
    }
}

TEST(the_iommu_refuses)
{
    static const struct {
        int rc;
        const char *message;
    } cases[] = {
        { -XEN_EOPNOTSUPP, "0000:00:02.0: the IOMMU has no page tables of the domain's mmu-type" },
        { -XEN_EIO, "0000:00:02.0: the IOMMU does not answer" },
        { -XEN_ERANGE, "0000:00:02.0: the IOMMU refuses stream 0x110" },
        { -XEN_ENOMEM, "the hypervisor has too little memory left" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct board b;
        REQUIRE(begin(&b, true));
        guard_result = cases[i].rc;
        domain_with(&b, "disk", 0x100000, "0000:00:02.0", NULL);
        board_good_domain(&b, "good", 0x100000);
        REQUIRE(parse(&b));
        board_run(&b);
        CHECK(board_says(&b, cases[i].message));
        CHECK(board_planned(&b, "disk")->domain == NULL);
        CHECK(board_planned(&b, "good")->domain != NULL);
        finish(&b);
    }
}

/* A domain that is given registers at `addr`, which the host's node at path has. */
static void domain_with_registers(struct board *b, const char *name, uint64_t at, const char *path,
                                  uint64_t addr)
{
    const uint64_t reg[] = { addr, 0x1000, addr };
    struct fdt_writer w;
    fdt_write_begin(&w, board_ram(b, at), 4096);
    fdt_write_begin_node(&w, "");
    fdt_write_begin_node(&w, "passthrough");
    fdt_write_begin_node(&w, "n");
    fdt_write_prop_string(&w, "xen,path", path);
    fdt_write_prop_u64s(&w, "xen,reg", reg, 3);
    fdt_write_prop_empty(&w, "xen,force-assign-without-iommu");
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    CHECK(fdt_write_finish(&w) > 0);
    board_domain(b, name, 4096, 1);
    fdt_write_prop_empty(&b->w, "direct-map");
    board_kernel(b, 0x100000, 0x5000);
    board_module(b, "multiboot,device-tree", at, 4096);
    board_end_domain(b);
}

/* The bridge's own registers, and those of an IOMMU, are no domain's beside its devices. */
TEST(a_bridge_and_its_devices)
{
    struct board b;
    REQUIRE(begin(&b, true));
    guard.regs_at = hpa(BOARD_RTC);
    guard.regs_size = 0x1000;
    domain_with(&b, "disk", 0x100000, "0000:00:02.0", NULL);
    domain_with_registers(&b, "bridge", 0x300000, "/pci@30000000", 0x30000000);
    domain_with_registers(&b, "iommu", 0x301000, "/rtc@9010000", BOARD_RTC);
    REQUIRE(parse(&b));
    CHECK(board_planned(&b, "disk") && !board_planned(&b, "bridge") && !board_planned(&b, "iommu"));
    CHECK(board_says(&b, "/chosen/bridge/passthrough/n: xen,reg: 0x30000000-0x30001000 belongs to "
                         "the hypervisor"));
    CHECK(board_says(&b, "/chosen/iommu/passthrough/n: xen,reg: 0x9010000-0x9011000 belongs to "
                         "the hypervisor"));
    finish(&b);
}
