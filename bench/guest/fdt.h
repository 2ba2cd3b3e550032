/* SPDX-License-Identifier: MIT */
/* Nodes of the device tree as fdt.c finds them and the architecture judges them. */
#ifndef BENCH_FDT_H
#define BENCH_FDT_H

#include "common.h"

#pragma GCC visibility push(hidden)

struct prop {
    const uint8_t *value;
    uint32_t length;
};

struct node {
    bool is_chosen;
    uint32_t address_cells; /* for its children */
    uint32_t size_cells;
    struct prop compatible;
    struct prop reg;
    struct prop interrupts;
    struct prop device_type;
    struct prop timebase; /* timebase-frequency */
};

uint32_t be32(const uint8_t *p);
bool node_is_compatible(const struct node *n, const char *name);
bool node_is_cpu(const struct node *n);

/* The address of the index-th entry of `reg`, under the parent's cell counts. */
uint64_t node_address(const struct node *n, const struct node *parent, unsigned int index);

/* By the architecture: called once per node of the tree. */
void machine_node(const struct node *n, const struct node *parent);

#pragma GCC visibility pop

#endif
