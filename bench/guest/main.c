/* SPDX-License-Identifier: MIT */
/*
 * Start of a bench guest: device tree, and the run that the boot arguments name.
 *
 * Boot arguments: run=core|smp|switch|boot or one of the architecture's own, n=NUM (iterations),
 * seed=X (switch only).
 */
#include "guest.h"

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
    machine_print();
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
    if (!machine_is_complete()) {
        guest_finish();
    }
    irq_init_cpu();
    if (string_equal(cfg.run, "core")) {
        run_core();
    } else if (string_equal(cfg.run, "smp")) {
        run_smp();
    } else if (string_equal(cfg.run, "switch")) {
        run_switch();
    } else if (!string_equal(cfg.run, "boot") && !run_own()) {
        fail("unknown run", 0, 0);
    }
    guest_finish();
}
