/* SPDX-License-Identifier: MIT */
/*
 * fdt.c: what a micro guest takes from its device tree.
 *
 * The Devicetree Specification 5.4 (flattened format). Nodes are looked at one
 * by one as they pass; addresses and sizes are 64 bits wide, as in every tree
 * that these guests meet.
 */

#include "guest.h"

#define BEGIN_NODE 1
#define END_NODE 2
#define PROPERTY 3
#define END 9

const void *fdt_property(const struct fdt_node *n, const char *name, u32 least, u32 *size)
{
    for (u32 i = 0; i < n->nr; i++) {
        if (!strcmp(n->property[i].name, name) && n->property[i].size >= least) {
            if (size) {
                *size = n->property[i].size;
            }
            return n->property[i].data;
        }
    }
    return NULL;
}

bool fdt_is_compatible(const struct fdt_node *n, const char *with)
{
    u32 size;
    const char *list = fdt_property(n, "compatible", 1, &size);

    for (u32 at = 0; list && at < size; at += (u32)strlen(list + at) + 1) {
        if (!strcmp(list + at, with)) {
            return true;
        }
    }
    return false;
}

static void look_at(const struct fdt_node *n)
{
    const char *bootargs = fdt_property(n, "bootargs", 1, NULL);
    const char *type = fdt_property(n, "device_type", 1, NULL);
    const u8 *reg = fdt_property(n, "reg", 4, NULL);

    if (bootargs) {
        machine.bootargs = bootargs;
    }
    if (type && !strcmp(type, "memory") && reg && !machine.ram_size) {
        machine.ram_base = be64(reg);
        machine.ram_size = be64(reg + 8);
    }
    if (type && !strcmp(type, "cpu") && reg && machine.nr_cpus < MAX_CPUS) {
        machine.cpu_id[machine.nr_cpus++] = be32(reg);
    }
    if (!strcmp(n->name, "hypervisor")) {
        machine.hypervisor = true;
    }
    arch_node(n);
}

/* Each node once: at its first child or at its end. */
static void node_end(struct fdt_node *n)
{
    if (n->name) {
        look_at(n);
        n->name = NULL;
    }
}

void fdt_read(const void *fdt)
{
    const u8 *at = (const u8 *)fdt + be32((const u8 *)fdt + 8);
    const char *strings = (const char *)fdt + be32((const u8 *)fdt + 12);
    static struct fdt_node node;

    machine.fdt = fdt;
    for (;;) {
        u32 token = be32(at);
        at += 4;
        if (token == BEGIN_NODE) {
            node_end(&node);
            node.name = (const char *)at;
            node.nr = 0;
            at += (strlen(node.name) + 4) & ~3ul;
        } else if (token == END_NODE) {
            node_end(&node);
        } else if (token == PROPERTY) {
            u32 size = be32(at);
            if (node.nr < FDT_PROPERTIES) {
                node.property[node.nr++] =
                    (struct fdt_property){ strings + be32(at + 4), at + 8, size };
            }
            at += 8 + ((size + 3) & ~3u);
        } else if (token == END) {
            return;
        }
    }
}
