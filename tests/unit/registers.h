/* SPDX-License-Identifier: MIT */
/* Registers of 32 bits, through a device's own functions. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "unit.h"

/* read(device, offset, size, &value), which must succeed and write all of the value. */
#define REG_READ(read, device, offset) \
    ({ \
        uint64_t value_ = 0xdeadbeefdeadbeef; \
        CHECK(read(device, offset, 4, &value_)); \
        CHECK_EQ(value_ >> 32, 0u); \
        (uint32_t)value_; \
    })

/* Bit i of an array of registers that begins at offset. */
#define REG_BIT(rd, offset, i) ((rd)((offset) + (i) / 32 * 4) >> (i) % 32 & 1)

#endif
