/* SPDX-License-Identifier: MIT */
/*
 * Start of the bench guest: memory map, device tree, and the run that the boot arguments name.
 *
 * Boot arguments: run=core|dedicated|smp|switch|boot|objects, n=NUM (iterations), seed=X (switch
 * only). The map is one page of 1-GiB blocks, virtual = physical: normal memory where the image and
 * the device tree lie, device memory everywhere else.
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

static void print_start(void)
{
    print_string("bench: start run=");
    print_string(cfg.run);
    print_string(" xen=");
    print_number(machine.is_xen);
    print_string(" cpus=");
    print_number(machine.nr_cpus);
    print_string(" uart=");
    print_hex(machine.uart);
    print_string(" gicd=");
    print_hex(machine.gicd);
    print_string(" vtimer=");
    print_number(machine.vtimer);
    print_string(" image=");
    print_hex((uint64_t)image_start);
    print_string("\n");
}

void guest_main(const uint8_t *fdt)
{
    if (!fdt_scan(fdt)) {
        fail("device tree", (uint64_t)fdt, 0);
        guest_finish();
    }
    print_start();
    if (machine.gicd == 0 || machine.gicr == 0 || machine.vtimer == 0) {
        fail("device tree lacks a GICv3 or a timer", machine.gicd, 1);
        guest_finish();
    }
    irq_init_cpu();
    if (string_equal(cfg.run, "core")) {
        run_core();
    } else if (string_equal(cfg.run, "dedicated")) {
        run_dedicated();
    } else if (string_equal(cfg.run, "smp")) {
        run_smp();
    } else if (string_equal(cfg.run, "switch")) {
        run_switch();
    } else if (string_equal(cfg.run, "objects")) {
        run_objects();
    } else if (!string_equal(cfg.run, "boot")) {
        fail("unknown run", 0, 0);
    }
    guest_finish();
}
