/* SPDX-License-Identifier: MIT */
/*
 * Bitmap operations that look at whole words.
 *
 * Finding a clear bit is finding a set bit in the inverted words; both mask
 * the part of the first word below "from" and clamp a hit beyond the size.
 */
#include <loam/bitmap.h>

/* The bits of word number index that lie in [first, end). */
static uint64_t range_mask(size_t index, size_t first, size_t end)
{
    uint64_t mask = ~UINT64_C(0);

    if (index == first / 64) {
        mask <<= first % 64;
    }
    if (index == end / 64) {
        mask &= BIT(end % 64) - 1;
    }
    return mask;
}

void bitmap_set_range(uint64_t *map, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t i = first / 64; i < BITMAP_WORDS(end); i++) {
        map[i] |= range_mask(i, first, end);
    }
}

void bitmap_clear_range(uint64_t *map, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t i = first / 64; i < BITMAP_WORDS(end); i++) {
        map[i] &= ~range_mask(i, first, end);
    }
}

static size_t find(const uint64_t *map, size_t nr_bits, size_t from, uint64_t invert)
{
    if (from >= nr_bits) {
        return nr_bits;
    }
    size_t i = from / 64;
    uint64_t word = (map[i] ^ invert) & (~UINT64_C(0) << (from % 64));
    while (!word) {
        if (++i >= BITMAP_WORDS(nr_bits)) {
            return nr_bits;
        }
        word = map[i] ^ invert;
    }
    return MIN(i * 64 + ctz64(word), nr_bits);
}

size_t bitmap_find_set(const uint64_t *map, size_t nr_bits, size_t from)
{
    return find(map, nr_bits, from, 0);
}

size_t bitmap_find_clear(const uint64_t *map, size_t nr_bits, size_t from)
{
    return find(map, nr_bits, from, ~UINT64_C(0));
}

size_t bitmap_count(const uint64_t *map, size_t nr_bits)
{
    size_t nr = 0;
    for (size_t i = 0; i < BITMAP_WORDS(nr_bits); i++) {
        nr += popcount64(map[i] & range_mask(i, 0, nr_bits));
    }
    return nr;
}
