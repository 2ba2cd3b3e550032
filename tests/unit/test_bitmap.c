/* SPDX-License-Identifier: MIT */
/*
 * lib/bitmap.c, and the inline bits.h and list.h, against bit-by-bit models.
 */
#include <loam/bitmap.h>
#include <loam/bits.h>
#include <loam/list.h>

#include "unit.h"

#define BITS_MAX 200

TEST(single_words)
{
    CHECK_EQ(ctz64(0), 64);
    CHECK_EQ(clz64(0), 64);
    CHECK_EQ(ffs64(0), 0);
    CHECK_EQ(fls64(0), 0);
    for (unsigned int i = 0; i < 64; i++) {
        uint64_t top = BIT(i), ones = BITS(i, 0);
        CHECK_EQ(ctz64(top), i);
        CHECK_EQ(clz64(ones), 63 - i);
        CHECK_EQ(ffs64(top | BIT(63)), i + 1);
        CHECK_EQ(fls64(ones), i + 1);
        CHECK_EQ(ilog2(ones), i);
        CHECK_EQ(popcount64(ones), i + 1);
        CHECK(is_power_of_two(top));
        CHECK_EQ(is_power_of_two(ones), i == 0);
        CHECK_EQ(round_up_pow2(top), top);
        CHECK_EQ(round_up_pow2(top + 1), i == 0 ? 2 : i == 63 ? 0 : top * 2);
    }
    CHECK(!is_power_of_two(0));
    CHECK_EQ(round_up_pow2(0), 1);
}

TEST(byte_orders)
{
    uint8_t b[12] = { 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0xff };

    CHECK_EQ(get_be16(b + 1), 0x0102);
    CHECK_EQ(get_le16(b + 1), 0x0201);
    CHECK_EQ(get_be32(b + 1), 0x01020304);
    CHECK_EQ(get_le32(b + 1), 0x04030201);
    CHECK_EQ(get_be64(b + 1), 0x0102030405060708);
    CHECK_EQ(get_le64(b + 1), 0x0807060504030201);
    put_be64(b + 1, 0xa1a2a3a4a5a6a7a8);
    CHECK_EQ(get_le64(b + 1), 0xa8a7a6a5a4a3a2a1);
    put_le64(b + 1, 0xa1a2a3a4a5a6a7a8);
    CHECK_EQ(get_be64(b + 1), 0xa8a7a6a5a4a3a2a1);
    put_be32(b + 1, 0x11223344);
    put_le32(b + 5, 0x11223344);
    CHECK_EQ(get_be64(b + 1), 0x1122334444332211);
    CHECK_EQ(b[0], 0xff);
    CHECK_EQ(b[9], 0xff);

    uint32_t word;
    put_be32(&word, 0x01020304);
    CHECK_EQ(get_be32_aligned(&word), 0x01020304);
}

TEST(set_clear_test)
{
    uint64_t map[BITMAP_WORDS(BITS_MAX)] = { 0 };

    CHECK_EQ(BITMAP_WORDS(64), 1);
    CHECK_EQ(BITMAP_WORDS(65), 2);
    for (size_t i = 0; i < BITS_MAX; i += 63) {
        CHECK(!bitmap_test_and_set(map, i));
        CHECK(bitmap_test_and_set(map, i));
        CHECK(bitmap_test(map, i));
    }
    CHECK_EQ(bitmap_count(map, BITS_MAX), 4);
    bitmap_clear(map, 63);
    CHECK(!bitmap_test(map, 63));
    CHECK(bitmap_test_and_clear(map, 126));
    CHECK(!bitmap_test_and_clear(map, 126));
    CHECK_EQ(bitmap_count(map, BITS_MAX), 2);
    CHECK(!bitmap_is_empty(map, BITS_MAX));
}

TEST(ranges)
{
    for (size_t first = 0; first < BITS_MAX; first++) {
        for (size_t count = 0; first + count <= BITS_MAX; count++) {
            uint64_t map[BITMAP_WORDS(BITS_MAX)] = { 0 };
            bitmap_set_range(map, first, count);
            size_t wrong = 0;
            for (size_t i = 0; i < BITS_MAX; i++) {
                wrong += bitmap_test(map, i) != (i >= first && i < first + count);
            }
            CHECK_EQ(wrong, 0);
            CHECK_EQ(bitmap_count(map, BITS_MAX), count);
            CHECK_EQ(bitmap_find_set(map, BITS_MAX, 0), count ? first : BITS_MAX);
            bitmap_set_range(map, 0, BITS_MAX);
            bitmap_clear_range(map, first, count);
            CHECK_EQ(bitmap_count(map, BITS_MAX), BITS_MAX - count);
            CHECK_EQ(bitmap_find_clear(map, BITS_MAX, 0), count ? first : BITS_MAX);
        }
    }
}

TEST(find_and_visit)
{
    static const size_t set[] = { 0, 5, 63, 64, 127, 128, 199 };
    uint64_t map[BITMAP_WORDS(BITS_MAX)] = { 0 };
    size_t nr = 0;
    size_t bit;

    for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
        bitmap_set(map, set[i]);
    }
    bitmap_for_each_set(map, BITS_MAX, bit)
    {
        REQUIRE(nr < ARRAY_SIZE(set));
        CHECK_EQ(bit, set[nr]);
        nr++;
        bitmap_clear(map, bit);
    }
    CHECK_EQ(nr, ARRAY_SIZE(set));
    CHECK(bitmap_is_empty(map, BITS_MAX));

    /* Bits beyond the size do not count. */
    bitmap_set(map, 70);
    CHECK_EQ(bitmap_find_set(map, 70, 0), 70);
    CHECK_EQ(bitmap_find_set(map, 71, 0), 70);
    CHECK_EQ(bitmap_find_set(map, 71, 71), 71);
    CHECK_EQ(bitmap_find_set(map, 71, 500), 71);
    CHECK_EQ(bitmap_count(map, 70), 0);
    CHECK_EQ(bitmap_count(map, 0), 0);
}

struct element {
    int value;
    struct list_node node;
};

/* The values of a list as one decimal number, and both directions agree. */
static long list_digits(const struct list *l)
{
    struct element *e;
    long forward = 0, backward = 0, place = 1;

    list_for_each_entry(l, e, node) { forward = forward * 10 + e->value; }
    for (const struct list_node *n = l->head.prev; n != &l->head; n = n->prev) {
        backward += place * list_entry(n, struct element, node)->value;
        place *= 10;
    }
    CHECK_EQ(forward, backward);
    return forward;
}

TEST(lists)
{
    struct element e[6];
    struct list a, b;

    list_init(&a);
    list_init(&b);
    for (int i = 0; i < 6; i++) {
        e[i].value = i;
        list_node_init(&e[i].node);
        CHECK(!list_node_is_linked(&e[i].node));
    }
    CHECK(!list_first(&a) && !list_last(&a) && !list_pop_front(&a));
    list_push_back(&a, &e[2].node);
    list_push_front(&a, &e[1].node);
    list_push_back(&a, &e[5].node);
    list_insert_before(&e[5].node, &e[4].node);
    list_insert_after(&e[2].node, &e[3].node);
    CHECK_EQ(list_digits(&a), 12345);
    CHECK_EQ(list_length(&a), 5);
    CHECK(list_first(&a) == &e[1].node && list_last(&a) == &e[5].node);

    list_remove(&e[3].node);
    list_remove(&e[3].node);
    CHECK(!list_node_is_linked(&e[3].node));
    CHECK_EQ(list_digits(&a), 1245);
    CHECK(list_pop_front(&a) == &e[1].node);

    list_push_back(&b, &e[1].node);
    list_push_back(&b, &e[3].node);
    list_splice_back(&b, &a);
    CHECK_EQ(list_digits(&b), 13245);
    CHECK(list_is_empty(&a));
    list_splice_back(&b, &a);
    CHECK_EQ(list_length(&b), 5);

    struct element *it, *tmp;
    list_for_each_entry_safe(&b, it, tmp, node)
    {
        if (it->value % 2) {
            list_remove(&it->node);
        }
    }
    CHECK_EQ(list_digits(&b), 24);
    struct list_node *n, *next;
    size_t nr = 0;
    list_for_each(&b, n) { nr++; }
    CHECK_EQ(nr, 2);
    list_for_each_safe(&b, n, next) { list_remove(n); }
    CHECK(list_is_empty(&b));
}
