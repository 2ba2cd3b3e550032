/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory map: one page of 1-GiB blocks, virtual = physical: normal memory where the
 * image and the device tree lie, device memory everywhere else.
 */
#include "guest.h"

#define BLOCK_VALID 1ull
#define BLOCK_AF (1ull << 10)
#define BLOCK_INNER_SHAREABLE (3ull << 8)
#define BLOCK_ATTR(index) ((uint64_t)(index) << 2)
#define BLOCK_NEVER_EXECUTE (3ull << 53)

enum { ATTR_NORMAL = 0, ATTR_DEVICE = 1, BLOCK_SHIFT = 30, NR_BLOCKS = 512 };

static void map_normal(uint64_t address)
{
    uint64_t block = address >> BLOCK_SHIFT;

    map_root[block] = block << BLOCK_SHIFT | BLOCK_VALID | BLOCK_AF | BLOCK_INNER_SHAREABLE |
                      BLOCK_ATTR(ATTR_NORMAL);
}

void map_build(const uint8_t *fdt)
{
    for (uint64_t block = 0; block < NR_BLOCKS; block++) {
        map_root[block] = block << BLOCK_SHIFT | BLOCK_VALID | BLOCK_AF | BLOCK_ATTR(ATTR_DEVICE) |
                          BLOCK_NEVER_EXECUTE;
    }
    map_normal((uint64_t)image_start);
    map_normal((uint64_t)image_end);
    map_normal((uint64_t)fdt);
}
