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
