/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: domains that boot builds, from the device tree to running and back.
 *
 * The input is either a whole device tree, or choices from which one with
 * domains, pools, modules, a partial tree, a control domain and devices for it is written; and
 * which allocation fails, if any. The plan is parsed, its domains are built by their jobs, some
 * stop for some reason, then all are taken apart. Nothing may crash, break a
 * rule of the fake machine, or stay behind (world_fini()).
 * FUZZ_SEEDS=dir in the environment writes the seed corpus there and ends.
 */
#define BOARD_EXTRA write_machine
struct fdt_writer;
static void write_machine(struct fdt_writer *w);
#include "board.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    const uint8_t *data;
    size_t size;
    uint32_t fail_at; /* which allocation fails; 0: none */
    uint32_t allocations;
} input;

/* What board.h and world.c want of the harness: here a failed check is a finding. */
void unit_fail(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: %s\n%s", file, line, text, fake_machine ? fake_machine->console : "");
    abort();
}

void unit_fail_eq(const char *file, int line, const char *text, long long a, long long b)
{
    fprintf(stderr, "%lld and %lld\n", a, b);
    unit_fail(file, line, text);
}

bool unit_alloc_should_fail(void)
{
    return input.fail_at != 0 && ++input.allocations == input.fail_at;
}

bool unit_injecting(void) { return input.fail_at != 0; }
bool unit_injected(void) { return input.fail_at != 0 && input.allocations >= input.fail_at; }

static uint8_t take(void)
{
    if (input.size == 0) {
        return 0;
    }
    input.size--;
    return *input.data++;
}

static uint64_t take_number(void)
{
    static const uint64_t good[] = { 0,          1,          2,          4,          128,
                                     129,        256,        512,        1024,       4096,
                                     8192,       0x1000,     0x5000,     0x100000,   0x200000,
                                     0x300000,   0x400000,   0x1000000,  0x77,       0x78,
                                     0x40000000, 0x40100000, 0x41000000, UINT32_MAX, UINT64_MAX,
                                     BOARD_RTC,  BOARD_DISK, BOARD_UART, 0x800 };
    uint8_t choice = take();
    if (choice < 0xc0) {
        return good[choice % ARRAY_SIZE(good)];
    }
    uint64_t value = 0;
    for (uint32_t i = 0; i < (choice & 7u) + 1u; i++) {
        value = value << 8 | take();
    }
    return value;
}

static const char *take_word(void)
{
    static const char *const words[] = {
        "",
        "enabled",
        "disabled",
        "legacy",
        "never",
        "on-crash",
        "always",
        "0",
        "0-3",
        "1,2",
        "credit2",
        "null",
        "/rtc@9010000",
        "/disk@a000000",
        "/uart@9000000",
        "/timer@9020000",
        "/chosen",
        "rtc",
    };
    return words[take() % ARRAY_SIZE(words)];
}

static void write_value(struct fdt_writer *w, const char *name)
{
    uint64_t values[4];
    uint32_t nr = 1 + (take() & 3);
    switch (take() % 6) {
    case 0:
        fdt_write_prop_empty(w, name);
        break;
    case 1:
        fdt_write_prop_string(w, name, take_word());
        break;
    case 2:
        fdt_write_prop_u64(w, name, take_number());
        break;
    case 3:
        for (uint32_t i = 0; i < nr; i++) {
            values[i] = take_number();
        }
        fdt_write_prop_u64s(w, name, values, nr);
        break;
    default:
        fdt_write_prop_u32(w, name, (uint32_t)take_number());
        break;
    }
}

static void write_props(struct fdt_writer *w, const char *const *names, size_t nr_names)
{
    for (uint32_t nr = take() % 8; nr; nr--) {
        write_value(w, names[take() % nr_names]);
    }
}

/* A partial tree in RAM, with the choices of the input. */
static void write_partial(struct board *b, uint64_t offset)
{
    static const char *const names[] = { "xen,path", "xen,reg",    "xen,force-assign-without-iommu",
                                         "phandle",  "interrupts", "dma-coherent" };
    struct fdt_writer w;
    fdt_write_begin(&w, board_ram(b, offset), 4096);
    fdt_write_begin_node(&w, "");
    fdt_write_begin_node(&w, "passthrough");
    for (uint32_t nr = take() % 4; nr; nr--) {
        static const uint64_t addrs[] = { BOARD_RTC, BOARD_DISK, BOARD_TIMER };
        static const char *const paths[] = { "/rtc@9010000", "/disk@a000000", "/timer@9020000" };
        uint32_t i = take() % 3;
        const uint64_t reg[] = { addrs[i], 0x1000, addrs[i] };
        fdt_write_begin_unit(&w, "device", nr);
        if (take() & 1) {
            fdt_write_prop_string(&w, "xen,path", paths[i]);
            fdt_write_prop_u64s(&w, "xen,reg", reg, 3);
            fdt_write_prop_empty(&w, "xen,force-assign-without-iommu");
        }
        write_props(&w, names, ARRAY_SIZE(names));
        fdt_write_end_node(&w);
    }
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    (void)!fdt_write_finish(&w);
}

static void write_child(struct board *b)
{
    static const char *const kinds[] = { "multiboot,kernel", "multiboot,ramdisk",
                                         "multiboot,device-tree", "xen,vcpu", "other" };
    static const char *const names[] = { "id", "hard-affinity", "reg", "bootargs" };
    uint8_t choice = take();
    if (choice & 0x80) {
        fdt_write_begin_unit(&b->w, "child", choice);
        fdt_write_prop_string(&b->w, "compatible", kinds[choice % ARRAY_SIZE(kinds)]);
        write_props(&b->w, names, ARRAY_SIZE(names));
        fdt_write_end_node(&b->w);
    } else if (choice % 4 == 0) {
        board_vcpu(b, take() % 4, take_word());
    } else if (choice % 4 == 1) {
        board_module(b, "multiboot,ramdisk", take_number(), take_number());
    } else if (choice % 4 == 2) {
        uint64_t offset = 0x600000 + (take() % 4) * 0x1000;
        write_partial(b, offset);
        board_module(b, "multiboot,device-tree", offset, 4096);
    }
}

static void write_domain(struct board *b)
{
    static const char *const names[] = {
        "memory",
        "cpus",
        "vpl011",
        "nr_spis",
        "xen,static-mem",
        "direct-map",
        "xen,enhanced",
        "sve",
        "domain-cpupool",
        "passthrough",
        "loam,weight",
        "loam,restart",
        "loam,pci",
        "#address-cells",
        "unknown",
        "status",
        "#xen,static-mem-size-cells",
    };
    char name[8];
    snprintf(name, sizeof(name), "dom%u", take() % 8);
    uint8_t choice = take();
    board_domain(b, name, choice & 1 ? 4096 : 0, choice & 2 ? 1 + take() % 3 : 0);
    if (choice & 4) {
        fdt_write_prop_empty(&b->w, "direct-map");
    }
    write_props(&b->w, names, ARRAY_SIZE(names));
    board_kernel(b, 0x500000 + (choice >> 6) * 0x800, 0x3800);
    for (uint32_t nr = take() % 4; nr; nr--) {
        write_child(b);
    }
    board_end_domain(b);
}

static void write_pool(struct board *b)
{
    static const char *const names[] = { "cpupool-cpus", "cpupool-sched", "phandle" };
    uint8_t choice = take();
    if (choice & 1) {
        board_pool(b, "pool", 0x77 + (choice >> 1 & 1), choice & 4 ? "null" : NULL, take() % 5,
                   take() % 4);
        return;
    }
    fdt_write_begin_node(&b->w, "pool");
    fdt_write_prop_string(&b->w, "compatible", "xen,cpupool");
    write_props(&b->w, names, ARRAY_SIZE(names));
    fdt_write_end_node(&b->w);
}

/* Devices of the machine, beside those of every board. */
static void write_machine(struct fdt_writer *w)
{
    static const char *const names[] = { "reg",         "ranges",          "interrupts",
                                         "status",      "interrupt-map",   "interrupt-parent",
                                         "compatible",  "#address-cells",  "#interrupt-cells",
                                         "#size-cells", "xen,passthrough", "interrupts-extended",
                                         "device_type", "phandle",         "iommus" };
    uint8_t choice = take();
    if (!(choice & 1)) {
        return;
    }
    for (uint32_t nr = choice >> 1 & 7, depth = 0; nr || depth; nr -= nr != 0) {
        if (depth && (nr == 0 || take() % 3 == 0)) {
            fdt_write_end_node(w);
            depth--;
            continue;
        }
        fdt_write_begin_unit(w, "extra", nr);
        write_props(w, names, ARRAY_SIZE(names));
        depth++;
    }
}

/* Options, modules and properties of the control domain. */
static void write_dom0(struct board *b)
{
    static const char *const kinds[] = { "multiboot,ramdisk", "multiboot,module",
                                         "xen,linux-zimage", "multiboot,kernel" };
    static const char *const texts[] = { "dom0_mem=8M",
                                         "dom0_mem=4M,max:6M dom0_max_vcpus=3 dom0_vcpus_pin",
                                         "dom0_max_vcpus=2-9 ext_regions=0 noreboot",
                                         "dom0_mem= =x no- dom0_max_vcpus=-",
                                         "dom0_mem=99999T console=dtuart" };
    static const char *const props[] = { "bootargs", "xen,xen-bootargs", "xen,dom0-bootargs" };
    static const char *const names[] = { "#address-cells", "#size-cells", "linux,initrd-start",
                                         "kaslr-seed", "stdout-path" };
    uint8_t choice = take();
    fdt_write_prop_string(&b->w, props[choice % 3], texts[take() % ARRAY_SIZE(texts)]);
    if (choice & 0x80) {
        char text[24] = { 0 };
        for (size_t i = 0; i + 1 < sizeof(text); i++) {
            text[i] = (char)take();
        }
        fdt_write_prop_string(&b->w, props[(choice + 1) % 3], text);
    }
    if (choice & 0x40) {
        write_props(&b->w, names, ARRAY_SIZE(names));
    }
    board_kernel(b, 0x100000, 0x3800);
    for (uint32_t nr = choice >> 4 & 3; nr; nr--) {
        board_module(b, kinds[take() % ARRAY_SIZE(kinds)], take_number(), take_number());
    }
}

/* Domains stop for any reason, some of them more than once. */
static void stop_some(struct board *b)
{
    struct plan_domain *pd;
    for (uint32_t nr = take() % 4; nr && !b->stop; nr--) {
        uint32_t i = take() % 4;
        list_for_each_entry(&b->hv->plan->domains, pd, link)
        {
            if (i-- == 0 && pd->domain && pd->domain->state == DOMAIN_RUNNING) {
                board_stop(b, pd, (enum domain_shutdown_reason)(take() % 8));
                break;
            }
        }
    }
}

/* The whole tree is the input's. False: it is none. */
static bool raw_tree(struct board *b)
{
    if (input.size > BOARD_TREE_SIZE) {
        return false;
    }
    memcpy(b->blob, input.data, input.size);
    return fdt_open(&b->host, b->blob, input.size) == 0;
}

static bool made_tree(struct board *b, bool dom0)
{
    if (dom0) {
        write_dom0(b);
    }
    for (uint32_t nr = take() % 6; nr; nr--) {
        if (take() % 4 == 0) {
            write_pool(b);
        } else {
            write_domain(b);
        }
    }
    fdt_write_end_node(&b->w);
    fdt_write_end_node(&b->w);
    int size = fdt_write_finish(&b->w);
    return size > 0 && fdt_open(&b->host, b->blob, (size_t)size) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct board board; /* a world is large */
    struct board *b = &board;
    input.data = data;
    input.size = size;
    input.fail_at = 0;
    uint8_t mode = take(), fail_at = take();
    if (!board_begin(b)) {
        abort();
    }
    world_inject(&b->world, true);
    input.allocations = 0; /* the board's own do not count */
    input.fail_at = mode & 2 ? fail_at + 1u : 0;
    bool ok = mode & 1 ? raw_tree(b) : made_tree(b, mode & 4);
    if (ok && board_plan(b) == 0) {
        board_run(b);
        if (!b->stop) {
            stop_some(b);
        }
    }
    input.fail_at = 0;
    board_end(b);
    return 0;
}

static void write_seed(const char *dir, unsigned int n, const uint8_t *data, size_t size)
{
    char name[512];
    snprintf(name, sizeof(name), "%s/seed%u", dir, n);
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *dir = getenv("FUZZ_SEEDS");
    static uint8_t seed[16384] = { 1, 0 };
    if (!dir) {
        return 0;
    }
    /* Choices that count up, and whole trees. */
    for (unsigned int n = 0; n < 8; n++) {
        for (size_t i = 2; i < 256; i++) {
            seed[i] = (uint8_t)(i * (2 * n + 1) + n);
        }
        seed[0] = (uint8_t)((n & 2) | (n & 1) << 2);
        seed[1] = (uint8_t)(10 * n);
        write_seed(dir, n, seed, 256);
    }
    for (unsigned int n = 0; n < 2; n++) {
        struct board b;
        if (!board_begin(&b)) {
            abort();
        }
        board_good_domain(&b, "dom1", 0x500000);
        board_domain(&b, "dom2", n ? 0 : 2048, 2);
        board_kernel(&b, 0x500000, 0x5000);
        board_vcpu(&b, 1, "0-1");
        board_end_domain(&b);
        fdt_write_end_node(&b.w);
        fdt_write_end_node(&b.w);
        int size = fdt_write_finish(&b.w);
        seed[0] = 1;
        memcpy(seed + 2, b.blob, (size_t)size);
        write_seed(dir, 8 + n, seed, 2 + (size_t)size);
        board_end(&b);
    }
    exit(0);
}
