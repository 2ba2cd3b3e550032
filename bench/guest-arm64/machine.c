/* SPDX-License-Identifier: MIT */
/* The machine as the device tree describes it. Nothing is assumed but a GICv3. */
#include "../guest/fdt.h"
#include "xen.h"

struct machine machine;

/* arm,armv8-timer: three cells each for secure, non-secure, virtual; a PPI counts from INTID 16. */
static void timer_node(const struct node *n)
{
    if (n->interrupts.length >= 36) {
        machine.vtimer = be32(n->interrupts.value + 28) + 16;
    }
}

void machine_node(const struct node *n, const struct node *parent)
{
    if (node_is_compatible(n, "xen,xen")) {
        machine.is_xen = true;
        if (n->interrupts.length >= 12) {
            machine.event = be32(n->interrupts.value + 4) + 16;
        }
    }
    if (node_is_compatible(n, "arm,gic-v3") && machine.gicd == 0) {
        machine.gicd = node_address(n, parent, 0);
        machine.gicr = node_address(n, parent, 1);
    }
    if (node_is_compatible(n, "arm,pl011") || node_is_compatible(n, "arm,sbsa-uart")) {
        machine.uart = node_address(n, parent, 0);
    }
    if (node_is_compatible(n, "arm,armv8-timer")) {
        timer_node(n);
    }
    if (node_is_cpu(n) && machine.nr_cpus < MAX_CPUS) {
        machine.mpidr[machine.nr_cpus++] = node_address(n, parent, 0);
    }
}

void machine_print(void)
{
    print_string(" gicd=");
    print_hex(machine.gicd);
    print_string(" vtimer=");
    print_number(machine.vtimer);
}

bool machine_is_complete(void)
{
    bool complete = machine.gicd != 0 && machine.gicr != 0 && machine.vtimer != 0;

    if (!complete) {
        fail("device tree lacks a GICv3 or a timer", machine.gicd, 1);
    }
    return complete;
}

/* Without a table of functions: its addresses would need relocation. */
bool run_own(void)
{
    if (string_equal(cfg.run, "dedicated")) {
        run_dedicated();
    } else if (string_equal(cfg.run, "events")) {
        run_events();
    } else if (string_equal(cfg.run, "echo")) {
        run_echo();
    } else if (string_equal(cfg.run, "domains")) {
        run_domains();
    } else if (string_equal(cfg.run, "objects")) {
        run_objects();
    } else {
        return false;
    }
    return true;
}
