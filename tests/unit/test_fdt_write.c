/* SPDX-License-Identifier: MIT */
/*
 * lib/fdt_write.c: what it writes is read back; every buffer that is too small
 * and every call out of order gives an error and leaves the rest of memory
 * alone; copies with and without a filter.
 */
#include <stdlib.h>

#include <xen/errno.h>

#include <loam/bits.h>
#include <loam/compiler.h>
#include <loam/fdt.h>
#include <loam/fdt_write.h>

#include "unit.h"

struct blob {
    _Alignas(8) uint8_t data[4096];
    struct fdt f;
};

static void write_tree(struct fdt_writer *w)
{
    static const char *const compatible[] = { "a,one", "b,two", "" };
    static const uint32_t cells[] = { 1, 0xfffffffe, 3 };
    static const uint64_t reg[] = { 0x123456789a, 0xfedcba98, 5 };

    fdt_write_reserve(w, 0x1000, 0x2000);
    fdt_write_begin_node(w, "");
    fdt_write_prop_u32(w, "u32", 0x01020304);
    fdt_write_prop_u64(w, "u64", 0x0102030405060708);
    fdt_write_prop_string(w, "name", "value");
    fdt_write_prop_strings(w, "compatible", compatible, 3);
    fdt_write_prop_cells(w, "cells", cells, 3);
    fdt_write_prop_u64s(w, "reg", reg, 3);
    fdt_write_prop_empty(w, "empty");
    fdt_write_prop(w, "bytes", "\x01\x02\x03\x04\x05", 5);
    fdt_write_begin_unit(w, "dev", 0xabc);
    fdt_write_prop_u32(w, "u32", 2);
    fdt_write_prop_u32(w, "secret", 3);
    fdt_write_begin_node(w, "inner");
    fdt_write_prop_u32(w, "u32", 4);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "hidden");
    fdt_write_begin_node(w, "deeper");
    fdt_write_end_node(w);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "last");
    fdt_write_prop_u32(w, "secret", 5);
    fdt_write_end_node(w);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "sibling");
    fdt_write_end_node(w);
    fdt_write_end_node(w);
}

/* reg in the widths that a tree's root asks for. */
TEST(reg_has_the_widths_of_the_root)
{
    static const struct {
        uint32_t address, size;
        uint64_t pairs[2];
        int rc;
    } cases[] = {
        { 2, 2, { 0x123456789a, 0xfedcba9876 }, 0 },
        { 2, 1, { 0x123456789a, 0xfedcba98 }, 0 },
        { 1, 1, { 0xfffff000, 0x1000 }, 0 },
        { 1, 0, { 0x80, 0 }, 0 },
        { 1, 2, { 0x123456789a, 1 }, -XEN_ERANGE },
        { 2, 1, { 1, 0x100000000 }, -XEN_ERANGE },
        { 2, 0, { 1, 1 }, -XEN_ERANGE },
        { 0, 1, { 1, 1 }, -XEN_EINVAL },
        { 3, 1, { 1, 1 }, -XEN_EINVAL },
        { 2, 3, { 1, 1 }, -XEN_EINVAL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct blob b;
        struct fdt_writer w;
        uint64_t addr = 0, size = 0;
        fdt_write_begin(&w, b.data, sizeof(b.data));
        fdt_write_begin_node(&w, "");
        fdt_write_prop_u32(&w, "#address-cells", cases[i].address);
        fdt_write_prop_u32(&w, "#size-cells", cases[i].size);
        fdt_write_begin_node(&w, "dev");
        fdt_write_widths(&w, cases[i].address, cases[i].size);
        fdt_write_prop_reg(&w, cases[i].pairs, 1);
        fdt_write_end_node(&w);
        fdt_write_end_node(&w);
        int rc = fdt_write_finish(&w);
        if (cases[i].rc) {
            CHECK_EQ(rc, cases[i].rc);
            continue;
        }
        CHECK(rc > 0);
        CHECK_EQ(fdt_open(&b.f, b.data, (size_t)rc), 0);
        CHECK_EQ(fdt_reg(&b.f, fdt_find(&b.f, "/dev"), 0, &addr, &size), 0);
        CHECK_EQ(addr, cases[i].pairs[0]);
        CHECK_EQ(size, cases[i].pairs[1]);
    }
}

static int make_tree(struct blob *b)
{
    struct fdt_writer w;

    memset(b->data, 0xee, sizeof(b->data));
    fdt_write_begin(&w, b->data, sizeof(b->data));
    write_tree(&w);
    int size = fdt_write_finish(&w);
    CHECK(size > 0);
    CHECK_EQ(size, get_be32(b->data + 4));
    CHECK_EQ(fdt_open(&b->f, b->data, (size_t)size), 0);
    CHECK_STR(b->f.error, NULL);
    return size;
}

TEST(read_back)
{
    struct blob b;
    uint32_t u32 = 0, len;
    uint64_t u64 = 0, addr, size;

    make_tree(&b);
    CHECK_EQ(b.f.version, 17);
    CHECK_EQ(fdt_reserve(&b.f, 0, &addr, &size), 0);
    CHECK_EQ(addr, 0x1000);
    CHECK_EQ(size, 0x2000);
    CHECK_EQ(b.f.nr_reserve, 1);
    CHECK_EQ(fdt_u32(&b.f, FDT_ROOT, "u32", &u32), 0);
    CHECK_EQ(u32, 0x01020304);
    CHECK_EQ(fdt_u64(&b.f, FDT_ROOT, "u64", &u64), 0);
    CHECK_EQ(u64, 0x0102030405060708);
    CHECK_STR(fdt_string(&b.f, FDT_ROOT, "name"), "value");
    CHECK_STR(fdt_string_at(&b.f, FDT_ROOT, "compatible", 1), "b,two");
    CHECK_STR(fdt_string_at(&b.f, FDT_ROOT, "compatible", 2), "");
    CHECK_STR(fdt_string_at(&b.f, FDT_ROOT, "compatible", 3), NULL);
    CHECK_EQ(fdt_cell(&b.f, FDT_ROOT, "cells", 1, &u32), 0);
    CHECK_EQ(u32, 0xfffffffe);
    const uint8_t *reg = fdt_prop(&b.f, FDT_ROOT, "reg", &len);
    REQUIRE(reg);
    CHECK_EQ(len, 24);
    CHECK_EQ(fdt_read_cells(reg, 2), 0x123456789a);
    CHECK_EQ(fdt_read_cells(reg + 12, 1), 0xfedcba98);
    CHECK(fdt_prop(&b.f, FDT_ROOT, "empty", &len) && len == 0);
    const uint8_t *bytes = fdt_prop(&b.f, FDT_ROOT, "bytes", &len);
    REQUIRE(bytes && len == 5);
    CHECK(memcmp(bytes, "\x01\x02\x03\x04\x05\0\0\0", 8) == 0);
    CHECK_EQ(fdt_u32_or(&b.f, fdt_find(&b.f, "/dev@abc"), "u32", 0), 2);
    CHECK_EQ(fdt_u32_or(&b.f, fdt_find(&b.f, "/dev/last"), "secret", 0), 5);
    CHECK(fdt_node_exists(fdt_find(&b.f, "/sibling")));
}

TEST(names_are_written_once)
{
    struct blob b;

    make_tree(&b);
    size_t expected = 0;
    static const char *const names[] = { "u32", "u64",   "name",  "compatible", "cells",
                                         "reg", "empty", "bytes", "secret" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        expected += strlen(names[i]) + 1;
    }
    CHECK_EQ(b.f.strings_size, expected);
}

TEST(every_buffer_size)
{
    struct blob b;
    int full = make_tree(&b);

    for (size_t size = 0; size <= (size_t)full + 8; size++) {
        uint8_t *buf = malloc(size ? size : 1);
        struct fdt_writer w;
        struct fdt f;
        fdt_write_begin(&w, buf, size);
        write_tree(&w);
        int rc = fdt_write_finish(&w);
        CHECK_EQ(rc, size < (size_t)full ? -XEN_ENOSPC : full);
        if (rc > 0) {
            CHECK_EQ(fdt_open(&f, buf, size), 0);
            CHECK(memcmp(buf, b.data, (size_t)full) == 0);
        }
        free(buf);
    }
}

/* One misuse after a good beginning: finish must give rc, and be sticky. */
#define EXPECT_ERROR(rc, ...) \
    do { \
        struct blob b_; \
        struct fdt_writer w; \
        fdt_write_begin(&w, b_.data, sizeof(b_.data)); \
        __VA_ARGS__; \
        CHECK_EQ(fdt_write_finish(&w), rc); \
        CHECK_EQ(fdt_write_finish(&w), rc); \
    } while (0)

TEST(misuse)
{
    struct blob b;
    char long_name[100];

    memset(long_name, 'n', sizeof(long_name));
    long_name[99] = '\0';
    EXPECT_ERROR(-XEN_EINVAL, );
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, "root"), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_prop_u32(&w, "p", 1));
    EXPECT_ERROR(-XEN_EINVAL, write_tree(&w), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, write_tree(&w), fdt_write_begin_node(&w, ""));
    EXPECT_ERROR(-XEN_EINVAL, write_tree(&w), fdt_write_prop_empty(&w, "p"));
    EXPECT_ERROR(-XEN_EINVAL, write_tree(&w), fdt_write_reserve(&w, 1, 1));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_reserve(&w, 0, 0), write_tree(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_write_begin_node(&w, ""),
                 fdt_write_end_node(&w), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_write_begin_node(&w, "a/b"),
                 fdt_write_end_node(&w), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_write_begin_node(&w, "a"),
                 fdt_write_end_node(&w), fdt_write_prop_empty(&w, "p"), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_write_prop_empty(&w, ""),
                 fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_write_prop_empty(&w, "a b"),
                 fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_write_begin_unit(&w, long_name, 1),
                 fdt_write_end_node(&w), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_ENOSPC, fdt_write_begin_node(&w, ""),
                 fdt_write_prop(&w, "p", b.data, SIZE_MAX - 2), fdt_write_end_node(&w));
    EXPECT_ERROR(-XEN_EINVAL, fdt_write_begin_node(&w, ""), fdt_copy_node(&w, &b.f, FDT_NONE, NULL),
                 fdt_write_end_node(&w));
}

TEST(misaligned_or_finished)
{
    struct blob b;
    struct fdt_writer w;

    fdt_write_begin(&w, b.data + 4, sizeof(b.data) - 4);
    write_tree(&w);
    CHECK_EQ(fdt_write_finish(&w), -XEN_EINVAL);
    /* A finished tree takes nothing more. */
    fdt_write_begin(&w, b.data, sizeof(b.data));
    write_tree(&w);
    CHECK(fdt_write_finish(&w) > 0);
    CHECK_EQ(fdt_write_finish(&w), -XEN_EINVAL);
}

TEST(depth)
{
    for (size_t depth = FDT_DEPTH_MAX; depth <= FDT_DEPTH_MAX + 1; depth++) {
        struct blob b;
        struct fdt_writer w;
        fdt_write_begin(&w, b.data, sizeof(b.data));
        for (size_t i = 0; i < depth; i++) {
            fdt_write_begin_node(&w, i ? "n" : "");
        }
        for (size_t i = 0; i < depth; i++) {
            fdt_write_end_node(&w);
        }
        int rc = fdt_write_finish(&w);
        if (depth > FDT_DEPTH_MAX) {
            CHECK_EQ(rc, -XEN_EMLINK);
        } else {
            REQUIRE(rc > 0);
            CHECK_EQ(fdt_open(&b.f, b.data, (size_t)rc), 0);
        }
    }
}

TEST(copy_of_everything_is_equal)
{
    struct blob b, copy;
    struct fdt_writer w;
    int size = make_tree(&b);

    memset(copy.data, 0x11, sizeof(copy.data));
    fdt_write_begin(&w, copy.data, sizeof(copy.data));
    fdt_write_reserve(&w, 0x1000, 0x2000);
    fdt_copy_node(&w, &b.f, FDT_ROOT, NULL);
    CHECK_EQ(fdt_write_finish(&w), size);
    CHECK(memcmp(b.data, copy.data, (size_t)size) == 0);
}

struct filter_arg {
    struct fdt_writer *w;
    unsigned int nodes_asked;
};

/* Leaves out "hidden", replaces "secret". */
static bool keep(void *arg, const struct fdt *f, struct fdt_node node, const struct fdt_prop *prop)
{
    struct filter_arg *a = arg;

    if (!prop) {
        a->nodes_asked++;
        return strcmp(fdt_name(f, node), "hidden") != 0;
    }
    if (strcmp(prop->name, "secret") != 0) {
        return true;
    }
    fdt_write_prop_string(a->w, "public", fdt_name(f, node));
    return false;
}

TEST(filtered_copy)
{
    struct blob b, copy;
    struct fdt_writer w;
    struct filter_arg arg = { .w = &w };
    struct fdt_filter filter = { .keep = keep, .arg = &arg };

    make_tree(&b);
    fdt_write_begin(&w, copy.data, sizeof(copy.data));
    fdt_write_begin_node(&w, "");
    fdt_write_begin_node(&w, "guest");
    fdt_copy_props(&w, &b.f, fdt_find(&b.f, "/dev/last"), &filter);
    fdt_copy_node(&w, &b.f, fdt_find(&b.f, "/dev"), &filter);
    fdt_copy_node(&w, &b.f, fdt_find(&b.f, "/sibling"), &filter);
    fdt_write_end_node(&w);
    fdt_write_end_node(&w);
    int size = fdt_write_finish(&w);
    REQUIRE(size > 0);
    REQUIRE(fdt_open(&copy.f, copy.data, (size_t)size) == 0);

    struct fdt *f = &copy.f;
    CHECK_EQ(arg.nodes_asked, 3);
    CHECK_STR(fdt_string(f, fdt_find(f, "/guest"), "public"), "last");
    CHECK_STR(fdt_string(f, fdt_find(f, "/guest/dev@abc"), "public"), "dev@abc");
    CHECK_STR(fdt_string(f, fdt_find(f, "/guest/dev/last"), "public"), "last");
    CHECK_EQ(fdt_u32_or(f, fdt_find(f, "/guest/dev/inner"), "u32", 0), 4);
    CHECK(!fdt_has_prop(f, fdt_find(f, "/guest/dev"), "secret"));
    CHECK(!fdt_node_exists(fdt_find(f, "/guest/dev/hidden")));
    CHECK(fdt_node_exists(fdt_find(f, "/guest/sibling")));
    size_t nodes = 0;
    struct fdt_node it;
    for_each_fdt_node(f, it) { nodes++; }
    CHECK_EQ(nodes, 6);
}

TEST(copy_into_too_small_a_buffer)
{
    struct blob b, copy;
    int full = make_tree(&b);

    for (size_t size = 0; size < (size_t)full - 16; size++) {
        struct fdt_writer w;
        fdt_write_begin(&w, copy.data, size);
        fdt_copy_node(&w, &b.f, FDT_ROOT, NULL);
        CHECK_EQ(fdt_write_finish(&w), -XEN_ENOSPC);
    }
}
