/* SPDX-License-Identifier: MIT */
/*
 * Single-word bit arithmetic and unaligned big- and little-endian access.
 *
 * ctz64/clz64 are defined for zero (64), unlike the compiler's builtins.
 * popcount64 is written out because the builtin may want vector registers.
 * The get_ and put_ functions work byte by byte; the compilers turn them into
 * one load or store with a byte reversal where the machine allows it.
 */
#ifndef LOAM_BITS_H
#define LOAM_BITS_H

#include <loam/types.h>

/* Number of zero bits below the lowest set bit; 64 for x = 0. */
static inline unsigned int ctz64(uint64_t x) { return x ? (unsigned int)__builtin_ctzll(x) : 64; }

/* Number of zero bits above the highest set bit; 64 for x = 0. */
static inline unsigned int clz64(uint64_t x) { return x ? (unsigned int)__builtin_clzll(x) : 64; }

/* Position of the lowest set bit counted from 1; 0 for x = 0. */
static inline unsigned int ffs64(uint64_t x) { return x ? ctz64(x) + 1 : 0; }

/* Position of the highest set bit counted from 1; 0 for x = 0. */
static inline unsigned int fls64(uint64_t x) { return 64 - clz64(x); }

/* Number of set bits. */
static inline unsigned int popcount64(uint64_t x)
{
    x -= (x >> 1) & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + ((x >> 2) & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned int)((x * UINT64_C(0x0101010101010101)) >> 56);
}

/* Floor of the binary logarithm; x must not be 0. */
static inline unsigned int ilog2(uint64_t x) { return 63 - clz64(x); }

static inline bool is_power_of_two(uint64_t x) { return x != 0 && (x & (x - 1)) == 0; }

/* Smallest power of two >= x; 1 for x = 0, and 0 where it would be 2^64. */
static inline uint64_t round_up_pow2(uint64_t x)
{
    if (x <= 1) {
        return 1;
    }
    unsigned int bits = fls64(x - 1);
    return bits < 64 ? UINT64_C(1) << bits : 0;
}

static inline uint16_t get_be16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)((b[0] << 8) | b[1]);
}

static inline uint32_t get_be32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The same for p on a multiple of 4: one load even where unaligned ones are forbidden. */
static inline uint32_t get_be32_aligned(const void *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap32(*(const uint32_t *)p);
#else
    return *(const uint32_t *)p;
#endif
}

static inline uint64_t get_be64(const void *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32((const uint8_t *)p + 4);
}

static inline uint16_t get_le16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)((b[1] << 8) | b[0]);
}

static inline uint32_t get_le32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static inline uint64_t get_le64(const void *p)
{
    return (uint64_t)get_le32((const uint8_t *)p + 4) << 32 | get_le32(p);
}

static inline void put_be32(void *p, uint32_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

static inline void put_be64(void *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32((uint8_t *)p + 4, (uint32_t)v);
}

static inline void put_le32(void *p, uint32_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)(v >> 16);
    b[3] = (uint8_t)(v >> 24);
}

static inline void put_le64(void *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

#endif
