/* SPDX-License-Identifier: MIT */
/*
 * lib/string.c against the C library.
 *
 * The freestanding functions are compiled here under names of their own, so
 * that both can be called; every length up to 80 is tried at every pair of
 * alignments within two words, with guard bytes around the destination.
 */
#define STRING_FREESTANDING 1
#define memset own_memset
#define memcpy own_memcpy
#define memmove own_memmove
#define memcmp own_memcmp
#define strlen own_strlen
#define strnlen own_strnlen
#define strcmp own_strcmp
#define strncmp own_strncmp
#define strchr own_strchr
#define str_copy own_str_copy
#include "../../hv/lib/string.c"
#undef memset
#undef memcpy
#undef memmove
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef str_copy

#include "unit.h"

#define LEN_MAX 80
#define ROOM (LEN_MAX + 64)

static void fill(uint8_t *p, size_t len, unsigned int seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        p[i] = (uint8_t)(seed >> 16);
    }
}

static int sign(int x) { return (x > 0) - (x < 0); }

TEST(memset_all_lengths_and_alignments)
{
    _Alignas(8) uint8_t ours[ROOM], theirs[ROOM];

    for (size_t at = 0; at < 16; at++) {
        for (size_t len = 0; len <= LEN_MAX; len++) {
            fill(ours, ROOM, 1);
            memcpy(theirs, ours, ROOM);
            CHECK(own_memset(ours + at, 0x1a5, len) == ours + at);
            memset(theirs + at, 0xa5, len);
            REQUIRE(memcmp(ours, theirs, ROOM) == 0);
        }
    }
}

TEST(memcpy_all_lengths_and_alignments)
{
    _Alignas(8) uint8_t src[ROOM], ours[ROOM], theirs[ROOM];

    fill(src, ROOM, 2);
    for (size_t pair = 0; pair < 16 * 16; pair++) {
        size_t to = pair / 16, from = pair % 16;
        for (size_t len = 0; len <= LEN_MAX; len++) {
            fill(ours, ROOM, 3);
            memcpy(theirs, ours, ROOM);
            CHECK(own_memcpy(ours + to, src + from, len) == ours + to);
            memcpy(theirs + to, src + from, len);
            REQUIRE(memcmp(ours, theirs, ROOM) == 0);
        }
    }
}

TEST(memmove_overlapping)
{
    _Alignas(8) uint8_t ours[ROOM], theirs[ROOM];

    for (size_t pair = 0; pair < 48 * 48; pair++) {
        size_t to = pair / 48, from = pair % 48;
        for (size_t len = 0; len <= LEN_MAX; len += 1 + len / 24) {
            fill(ours, ROOM, 4);
            memcpy(theirs, ours, ROOM);
            CHECK(own_memmove(ours + to, ours + from, len) == ours + to);
            memmove(theirs + to, theirs + from, len);
            REQUIRE(memcmp(ours, theirs, ROOM) == 0);
        }
    }
}

TEST(memcmp_finds_each_difference)
{
    _Alignas(8) uint8_t a[ROOM], b[ROOM];

    for (size_t pair = 0; pair < 9 * 9; pair++) {
        size_t x = pair / 9, y = pair % 9;
        fill(a + x, 64, 5);
        fill(b + y, 64, 5);
        CHECK_EQ(own_memcmp(a + x, b + y, 64), 0);
        for (size_t i = 0; i < 64; i++) {
            b[y + i] ^= 0x80;
            CHECK_EQ(sign(own_memcmp(a + x, b + y, 64)), sign(memcmp(a + x, b + y, 64)));
            CHECK_EQ(own_memcmp(a + x, b + y, i), 0);
            b[y + i] ^= 0x80;
        }
    }
}

TEST(strings)
{
    static const char *const s[] = { "", "a", "ab", "abc", "b", "\xff", "abcdefghijklmnop" };

    for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
        CHECK_EQ(own_strlen(s[i]), strlen(s[i]));
        for (size_t n = 0; n < 20; n++) {
            CHECK_EQ(own_strnlen(s[i], n), strnlen(s[i], n));
        }
        for (size_t j = 0; j < ARRAY_SIZE(s); j++) {
            CHECK_EQ(sign(own_strcmp(s[i], s[j])), sign(strcmp(s[i], s[j])));
            for (size_t n = 0; n < 20; n++) {
                CHECK_EQ(sign(own_strncmp(s[i], s[j], n)), sign(strncmp(s[i], s[j], n)));
            }
        }
        CHECK(own_strchr(s[i], 'c') == strchr(s[i], 'c'));
        CHECK(own_strchr(s[i], '\0') == s[i] + strlen(s[i]));
    }
}

TEST(str_copy_truncates_and_terminates)
{
    char buf[5];

    CHECK(!own_str_copy(buf, sizeof(buf), "four"));
    CHECK_STR(buf, "four");
    CHECK(own_str_copy(buf, sizeof(buf), "fiver"));
    CHECK_STR(buf, "five");
    CHECK(own_str_copy(buf, 1, "x"));
    CHECK_STR(buf, "");
    CHECK(!own_str_copy(buf, 1, ""));
}
