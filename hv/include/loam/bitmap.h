/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps in arrays of 64-bit words; bit n is bit n % 64 of word n / 64.
 *
 * Nothing here is atomic: the owner of a map serialises its writers. Sizes are
 * in bits; bits of the last word beyond the size are never looked at.
 */
#ifndef LOAM_BITMAP_H
#define LOAM_BITMAP_H

#include <loam/bits.h>
#include <loam/types.h>

/* Words that hold a bitmap of n bits. */
#define BITMAP_WORDS(n) (((n) + 63) / 64)

static inline void bitmap_set(uint64_t *map, size_t bit) { map[bit / 64] |= BIT(bit % 64); }
static inline void bitmap_clear(uint64_t *map, size_t bit) { map[bit / 64] &= ~BIT(bit % 64); }

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
    return (map[bit / 64] & BIT(bit % 64)) != 0;
}

/* Set the bit; returns what it was before. */
static inline bool bitmap_test_and_set(uint64_t *map, size_t bit)
{
    bool old = bitmap_test(map, bit);
    bitmap_set(map, bit);
    return old;
}

/* Clear the bit; returns what it was before. */
static inline bool bitmap_test_and_clear(uint64_t *map, size_t bit)
{
    bool old = bitmap_test(map, bit);
    bitmap_clear(map, bit);
    return old;
}

/* Set or clear the count bits from first on. */
void bitmap_set_range(uint64_t *map, size_t first, size_t count);
void bitmap_clear_range(uint64_t *map, size_t first, size_t count);

/* The first set (clear) bit >= from of a map of nr_bits; nr_bits if there is none. */
size_t bitmap_find_set(const uint64_t *map, size_t nr_bits, size_t from);
size_t bitmap_find_clear(const uint64_t *map, size_t nr_bits, size_t from);

/* Number of set bits among the first nr_bits. */
size_t bitmap_count(const uint64_t *map, size_t nr_bits);

static inline bool bitmap_is_empty(const uint64_t *map, size_t nr_bits)
{
    return bitmap_find_set(map, nr_bits, 0) == nr_bits;
}

/* Visit each set bit in ascending order; the body may clear the bit it is given. */
#define bitmap_for_each_set(map, nr_bits, bit) \
    for ((bit) = bitmap_find_set(map, nr_bits, 0); (bit) < (nr_bits); \
         (bit) = bitmap_find_set(map, nr_bits, (bit) + 1))

#endif
