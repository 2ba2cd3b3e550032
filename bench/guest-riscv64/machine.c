/* SPDX-License-Identifier: MIT */
/* The machine as the device tree describes it: a PLIC or an APLIC, an ns16550, Xen or not. */
#include "../guest/fdt.h"
#include "guest.h"

struct machine machine;

void machine_node(const struct node *n, const struct node *parent)
{
    if (node_is_compatible(n, "xen,xen")) {
        machine.is_xen = true;
    }
    if (node_is_compatible(n, "riscv,plic0") || node_is_compatible(n, "sifive,plic-1.0.0")) {
        machine.plic = node_address(n, parent, 0);
    }
    if (node_is_compatible(n, "riscv,aplic")) {
        machine.aplic = node_address(n, parent, 0);
    }
    if (node_is_compatible(n, "ns16550a")) {
        machine.uart = node_address(n, parent, 0);
    }
    if (n->timebase.value != NULL) {
        machine.frequency = be32(n->timebase.value);
    }
    if (node_is_cpu(n)) {
        machine.nr_cpus++;
    }
}

void machine_print(void)
{
    print_string(" plic=");
    print_hex(machine.plic);
    print_string(" aplic=");
    print_hex(machine.aplic);
}

bool machine_is_complete(void)
{
    bool complete = machine.frequency != 0 && machine.plic + machine.aplic != 0;

    if (!complete) {
        fail("device tree lacks a clock or an interrupt controller", machine.frequency, 1);
    }
    return complete;
}

bool run_own(void) { return false; }
