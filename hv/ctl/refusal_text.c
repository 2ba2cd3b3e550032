/* SPDX-License-Identifier: MIT */
/*
 * A refused hypercall as a line of text, for hypfs: docs/refusals.md explains it to who reads it.
 *
 *   412.003125 d3v0 grant_table_op map_grant_ref ENOENT: no such grant (0x41 0x40)
 */
#include "refusal_text.h"

#include <loam/hv.h>
#include <loam/printf.h>
#include <loam/refusal.h>

#include "names.h"

/* A name, or the number that has none; a large one is an address. */
static size_t put_name(char *line, size_t size, const char *name, uint64_t number)
{
    if (name != NULL) {
        return fmt_print(line, size, "%s ", name);
    }
    return fmt_print(line, size, number < 65536 ? "%llu " : "%#llx ", (unsigned long long)number);
}

void refusal_text(const struct hv *hv, const struct refusal *r, char line[REFUSAL_TEXT_MAX])
{
    uint64_t us = (r->time - hv->boot_start) / NS_PER_US;
    size_t size = REFUSAL_TEXT_MAX;
    size_t n = fmt_print(line, size, "%llu.%06llu d%uv%u ", (unsigned long long)(us / 1000000),
                         (unsigned long long)(us % 1000000), r->domain, r->vcpu);

    n += put_name(line + n, size - n, hypercall_name(r->hypercall), r->hypercall);
    n += put_name(line + n, size - n, hypercall_op_name(r->hypercall, r->op), r->op);
    const char *error = error_name(r->rc);

    n += error != NULL ? fmt_print(line + n, size - n, "%s", error)
                       : fmt_print(line + n, size - n, "error %d", -r->rc);
    if (r->check != NULL) {
        fmt_print(line + n, size - n, ": %s (%#llx %#llx)", r->check,
                  (unsigned long long)r->value[0], (unsigned long long)r->value[1]);
    }
}
