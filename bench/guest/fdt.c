/* SPDX-License-Identifier: MIT */
/*
 * Finds the boot arguments in the flattened device tree (Devicetree Specification 0.4, chapter 5)
 * and shows the architecture's machine_node() each node: when it ends, since properties come in any
 * order. `ranges` are taken as identity, as hypervisors write them.
 */
#include "fdt.h"

enum { FDT_MAGIC = 0xd00dfeed, FDT_BEGIN = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };
enum { MAX_DEPTH = 8 };

struct config cfg;

uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool string_equal(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool node_is_compatible(const struct node *n, const char *name)
{
    const char *s = (const char *)n->compatible.value;
    const char *end = s + n->compatible.length;

    while (s < end) {
        if (string_equal(s, name)) {
            return true;
        }
        while (*s++ != 0) {
        }
    }
    return false;
}

uint64_t node_address(const struct node *n, const struct node *parent, unsigned int index)
{
    uint32_t stride = 4 * (parent->address_cells + parent->size_cells);
    uint64_t address = 0;

    if (n->reg.length < stride * (index + 1)) {
        return 0;
    }
    for (uint32_t i = 0; i < parent->address_cells; i++) {
        address = address << 32 | be32(n->reg.value + stride * index + 4 * i);
    }
    return address;
}

bool node_is_cpu(const struct node *n)
{
    return n->device_type.value != NULL && string_equal((const char *)n->device_type.value, "cpu");
}

/* The text after "key=" in a list of words, or NULL. */
static const char *argument(const char *args, const char *key)
{
    for (const char *word = args; *word != 0; word++) {
        const char *a = word;
        const char *k = key;

        if (word != args && word[-1] != ' ') {
            continue;
        }
        while (*k != 0 && *a == *k) {
            a++;
            k++;
        }
        if (*k == 0 && *a == '=') {
            return a + 1;
        }
    }
    return NULL;
}

static void bootargs_parse(const char *args)
{
    const char *s = argument(args, "run");
    unsigned int i = 0;

    while (s != NULL && *s > ' ' && i < sizeof(cfg.run) - 1) {
        cfg.run[i++] = *s++;
    }
    s = argument(args, "seed");
    cfg.seed = s != NULL ? *s : 0;
    s = argument(args, "n");
    cfg.iterations = s != NULL ? 0 : 64;
    while (s != NULL && *s >= '0' && *s <= '9') {
        cfg.iterations = cfg.iterations * 10 + (unsigned int)(*s++ - '0');
    }
}

static void property(struct node *n, const char *name, const uint8_t *value, uint32_t length)
{
    struct prop p = { value, length };

    if (string_equal(name, "#address-cells")) {
        n->address_cells = be32(value);
    } else if (string_equal(name, "#size-cells")) {
        n->size_cells = be32(value);
    } else if (string_equal(name, "compatible")) {
        n->compatible = p;
    } else if (string_equal(name, "reg")) {
        n->reg = p;
    } else if (string_equal(name, "interrupts")) {
        n->interrupts = p;
    } else if (string_equal(name, "device_type")) {
        n->device_type = p;
    } else if (string_equal(name, "timebase-frequency")) {
        n->timebase = p;
    } else if (n->is_chosen && string_equal(name, "bootargs")) {
        bootargs_parse((const char *)value);
    }
}

static void node_begin(struct node *stack, unsigned int depth, const char *name)
{
    stack[depth] = (struct node){ .address_cells = 2, .size_cells = 1 };
    stack[depth].is_chosen = depth == 1 && string_equal(name, "chosen");
}

bool fdt_scan(const uint8_t *fdt)
{
    static struct node stack[MAX_DEPTH];
    unsigned int depth = 0; /* of the next node to begin */

    if (be32(fdt) != FDT_MAGIC) {
        return false;
    }
    const uint8_t *p = fdt + be32(fdt + 8);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    for (;;) {
        uint32_t token = be32(p);
        p += 4;
        if (token == FDT_BEGIN && depth < MAX_DEPTH) {
            node_begin(stack, depth++, (const char *)p);
            while (*p++ != 0) {
            }
        } else if (token == FDT_PROP && depth > 0) {
            uint32_t length = be32(p);
            property(&stack[depth - 1], strings + be32(p + 4), p + 8, length);
            p += 8 + length;
        } else if (token == FDT_END_NODE && depth > 0) {
            depth--;
            machine_node(&stack[depth], &stack[depth > 0 ? depth - 1 : 0]);
        } else if (token != FDT_NOP) {
            return depth == 0;
        }
        p = fdt + (((uint64_t)(p - fdt) + 3) & ~3ul);
    }
}
