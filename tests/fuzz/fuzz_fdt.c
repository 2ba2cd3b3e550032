/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the device tree reader, and the writer's copy of what it read.
 *
 * The input is the blob, copied to memory of exactly its size. Where fdt_open
 * accepts it, every accessor is asked about every node (about a bounded number
 * of them where it walks the whole tree), and answers are checked against each
 * other. A copy of the tree must open and hold the same nodes and properties.
 * FUZZ_SEEDS=dir in the environment writes the seed corpus there and ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loam/compiler.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>

/* Nodes for which the accessors that walk the tree are called. */
#define NODES_MAX 64

#define EXPECT(cond) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #cond); \
            abort(); \
        } \
    } while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_seed(struct fdt_writer *w, unsigned int variant)
{
    fdt_write_reserve(w, 0x48000000, 0x1000);
    fdt_write_begin_node(w, "");
    fdt_write_prop_u32(w, "interrupt-parent", 1);
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", variant & 1 ? 2 : 1);
    fdt_write_begin_node(w, "aliases");
    fdt_write_prop_string(w, "serial0", "/soc/uart@1000");
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "chosen");
    fdt_write_prop_string(w, "stdout-path", "serial0:115200");
    fdt_write_end_node(w);
    fdt_write_begin_unit(w, "memory", 0x40000000);
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_u64s(w, "reg", (uint64_t[]){ 0x40000000, 0x10000000 }, 2);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "intc");
    fdt_write_prop_u32(w, "phandle", 1);
    fdt_write_prop_u32(w, "#interrupt-cells", variant & 2 ? 1 : 3);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "soc");
    fdt_write_prop_string(w, "compatible", "simple-bus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_cells(w, "ranges", (uint32_t[]){ 0, 0, 0x9000000, 0x10000 },
                         variant & 4 ? 0 : 4);
    fdt_write_begin_unit(w, "uart", 0x1000);
    fdt_write_prop_cells(w, "reg", (uint32_t[]){ 0x1000, 0x100 }, 2);
    fdt_write_prop_cells(w, variant & 8 ? "interrupts-extended" : "interrupts",
                         (uint32_t[]){ 1, 1, 4 }, 3);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *dir = getenv("FUZZ_SEEDS");

    (void)argc;
    (void)argv;
    for (unsigned int variant = 0; dir && variant < 16; variant++) {
        static _Alignas(8) uint8_t buf[4096];
        char name[512];
        struct fdt_writer w;
        fdt_write_begin(&w, buf, sizeof(buf));
        write_seed(&w, variant);
        int size = fdt_write_finish(&w);
        EXPECT(size > 0);
        snprintf(name, sizeof(name), "%s/seed%u.dtb", dir, variant);
        FILE *file = fopen(name, "wb");
        EXPECT(file && fwrite(buf, 1, (size_t)size, file) == (size_t)size && fclose(file) == 0);
    }
    if (dir) {
        exit(0);
    }
    return 0;
}

static void check_property(const struct fdt *f, struct fdt_node node, const struct fdt_prop *p)
{
    uint32_t cells[16], nr, v, len = 0;
    uint64_t v64;

    /* The first property of a name is the one that a lookup finds. */
    const uint8_t *data = fdt_prop(f, node, p->name, &len);
    EXPECT(data && data <= (const uint8_t *)p->data);
    for (uint32_t i = 0; i < len; i++) {
        v64 = *(volatile const uint8_t *)&data[i];
    }
    EXPECT((fdt_u32(f, node, p->name, &v) == 0) == (len == 4));
    EXPECT((fdt_u64(f, node, p->name, &v64) == 0) == (len == 8));
    EXPECT((fdt_cells(f, node, p->name, cells, 16, &nr) == 0) == (len % 4 == 0 && len <= 64));
    if (len % 4 == 0 && len >= 4) {
        EXPECT(fdt_cell(f, node, p->name, len / 4 - 1, &v) == 0);
    }
    for (uint32_t i = 0; i < 8; i++) {
        const char *s = fdt_string_at(f, node, p->name, i);
        if (!s) {
            break;
        }
        EXPECT(s + strlen(s) < (const char *)data + len);
        EXPECT(fdt_string_index(f, node, p->name, s) <= (int)i);
        EXPECT(fdt_string_contains(f, node, p->name, s));
    }
}

static void check_node(const struct fdt *f, struct fdt_node node)
{
    struct fdt_node path[FDT_DEPTH_MAX], it;
    struct fdt_interrupt irq;
    char text[256];
    uint64_t addr = 0, size = 0;

    unsigned int depth = fdt_ancestors(f, node, path);
    EXPECT(depth >= 1 && depth <= FDT_DEPTH_MAX);
    EXPECT(depth == 1 ? fdt_node_eq(node, FDT_ROOT)
                      : fdt_node_eq(fdt_parent(f, node), path[depth - 2]));
    size_t len = fdt_path(f, node, text, sizeof(text));
    if (depth > 1) {
        /* Of children of one name the first is found. */
        it = fdt_child(f, path[depth - 2], fdt_name(f, node));
        EXPECT(fdt_node_exists(it) && it.off <= node.off);
    }
    if (len < sizeof(text)) {
        struct fdt_node found[FDT_DEPTH_MAX];
        EXPECT(strlen(text) == len);
        it = fdt_find(f, text);
        EXPECT(!fdt_node_exists(it) || fdt_ancestors(f, it, found) == depth);
    }
    for (uint32_t i = 0; i < 3; i++) {
        (void)!fdt_reg(f, node, i, &addr, &size);
        (void)!fdt_reg_translated(f, node, i, &addr, &size);
        if (fdt_interrupt(f, node, i, &irq) == 0) {
            EXPECT(fdt_node_exists(irq.controller) && irq.nr_cells <= FDT_INTERRUPT_CELLS_MAX);
        }
    }
    (void)!fdt_translate(f, node, &addr);
    it = fdt_interrupt_parent(f, node);
    EXPECT(!fdt_node_exists(it) || fdt_has_prop(f, it, "#interrupt-cells"));
    uint32_t phandle = fdt_u32_or(f, node, "phandle", 0);
    if (phandle != 0 && phandle != UINT32_MAX) {
        EXPECT(fdt_node_exists(fdt_find_phandle(f, phandle)));
    }
    const char *compatible = fdt_string(f, node, "compatible");
    if (compatible) {
        EXPECT(fdt_find_compatible(f, FDT_NONE, compatible).off <= node.off);
    }
    EXPECT(!fdt_node_exists(fdt_child(f, node, "no such child")));
    (void)fdt_is_enabled(f, node);
}

static void check_whole_tree(const struct fdt *f)
{
    struct fdt_memory_iter memory;
    struct fdt_node it;
    struct fdt_prop p;
    uint64_t addr, size;
    unsigned int nodes = 0;

    for_each_fdt_node(f, it)
    {
        for_each_fdt_prop(f, it, p)
        {
            if (nodes < NODES_MAX) {
                check_property(f, it, &p);
            }
        }
        if (nodes++ < NODES_MAX) {
            check_node(f, it);
        }
    }
    EXPECT(nodes > 0);
    for (uint32_t i = 0; fdt_reserve(f, i, &addr, &size) == 0; i++) {
        EXPECT(addr || size);
    }
    fdt_memory_begin(f, &memory);
    while (fdt_memory_next(f, &memory, &addr, &size) == 0 || fdt_node_exists(memory.node)) {
        EXPECT(fdt_node_exists(memory.node));
    }
    it = fdt_stdout(f);
    EXPECT(!fdt_node_exists(it) || fdt_ancestors(f, it, (struct fdt_node[FDT_DEPTH_MAX]){ 0 }) > 0);
}

static void check_copy(const struct fdt *f)
{
    /* Names that the input shares by their ends are written out: allow for more. */
    size_t room = 4 * (size_t)f->size + 256;
    uint8_t *buf = malloc(room);
    struct fdt_writer w;
    struct fdt copy;

    EXPECT(buf);
    fdt_write_begin(&w, buf, room);
    fdt_copy_node(&w, f, FDT_ROOT, NULL);
    int size = fdt_write_finish(&w);
    if (size > 0) {
        EXPECT(fdt_open(&copy, buf, (size_t)size) == 0);
        struct fdt_node a = FDT_ROOT, b = FDT_ROOT;
        while (fdt_node_exists(a) && fdt_node_exists(b)) {
            struct fdt_prop p, q = { 0 };
            bool more = fdt_first_prop(&copy, b, &q);
            EXPECT(strcmp(fdt_name(f, a), fdt_name(&copy, b)) == 0);
            for_each_fdt_prop(f, a, p)
            {
                EXPECT(more && strcmp(p.name, q.name) == 0 && p.len == q.len);
                EXPECT(memcmp(p.data, q.data, p.len) == 0);
                more = fdt_next_prop(&copy, &q);
            }
            EXPECT(!more);
            a = fdt_next(f, a);
            b = fdt_next(&copy, b);
        }
        EXPECT(!fdt_node_exists(a) && !fdt_node_exists(b));
    }
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fdt f;
    uint8_t *blob = malloc(size ? size : 1);

    EXPECT(blob);
    memcpy(blob, data, size);
    if (fdt_open(&f, blob, size) == 0) {
        EXPECT(!f.error && f.size <= size);
        check_whole_tree(&f);
        check_copy(&f);
    } else {
        EXPECT(f.error);
    }
    free(blob);
    return 0;
}
