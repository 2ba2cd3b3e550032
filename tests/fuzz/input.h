/* SPDX-License-Identifier: MIT */
/*
 * The input of a fuzz target that plays sequences of actions. What libFuzzer keeps is short as a
 * rule, and short sequences do not get far: after its last byte the input goes on with
 * pseudo-random ones, which follow from its bytes, for TAIL_ACTIONS more actions.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

#define TAIL_ACTIONS 100

static struct {
    const uint8_t *at;
    size_t left;
    uint64_t random; /* xorshift, never 0 */
    uint32_t actions; /* that were begun behind the last byte */
} input;

static void input_begin(const uint8_t *data, size_t size)
{
    input = (__typeof__(input)){ .at = data, .left = size, .random = UINT64_C(0x9e3779b97f4a7c15) };
    for (size_t i = 0; i < size; i++) {
        input.random = (input.random ^ data[i]) * UINT64_C(0x100000001b3);
    }
    input.random |= 1;
}

static uint32_t u8(void)
{
    if (input.left != 0) {
        input.left--;
        return *input.at++;
    }
    input.random ^= input.random << 13;
    input.random ^= input.random >> 7;
    input.random ^= input.random << 17;
    return input.random >> 32 & 0xff;
}

/* Another action is to be made. */
static bool input_goes_on(void) { return input.left != 0 || input.actions++ < TAIL_ACTIONS; }

#endif
