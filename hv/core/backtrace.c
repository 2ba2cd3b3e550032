/* SPDX-License-Identifier: MIT */
/*
 * Naming addresses and following frame records, for panics.
 *
 * Nothing here trusts the stack: records are read only inside the range that
 * the architecture gives, each above the one before. Next: the architecture's
 * panic.c, core/log.c.
 */
#include <loam/backtrace.h>
#include <loam/printf.h>
#include <loam/string.h>

#define CALLERS_MAX 24
#define RECORD_SIZE 16
#define LINE_MAX 128

const char *symbol_find(const struct symbols *s, uint64_t address, uint64_t *offset)
{
    const char *name = s->names;

    if (s->count == 0 || address < s->base || address >= s->end) {
        return NULL;
    }
    uint32_t i = 0;
    for (; i + 1 < s->count && s->offsets[i + 1] <= address - s->base; i++) {
        name += strlen(name) + 1;
    }
    *offset = address - s->base - s->offsets[i];
    return name;
}

void dump_address(const struct dump *to, const char *what, uint64_t address)
{
    char line[LINE_MAX];
    uint64_t offset = 0;
    const char *name = symbol_find(to->symbols, address, &offset);

    if (name != NULL) {
        fmt_print(line, sizeof(line), "  %s %016llx %s+%#llx", what, (unsigned long long)address,
                  name, (unsigned long long)offset);
    } else {
        fmt_print(line, sizeof(line), "  %s %016llx", what, (unsigned long long)address);
    }
    to->emit(to->arg, line);
}

void dump_pair(const struct dump *to, const char *a, uint64_t va, const char *b, uint64_t vb)
{
    char line[LINE_MAX];

    fmt_print(line, sizeof(line), "  %-5s %016llx  %-5s %016llx", a, (unsigned long long)va, b,
              (unsigned long long)vb);
    to->emit(to->arg, line);
}

void dump_callers(const struct dump *to, const struct frame_layout *layout,
                  const struct stack_range *stack, uint64_t fp)
{
    for (uint32_t i = 0; i < CALLERS_MAX; i++) {
        uint64_t at = fp - layout->below;

        if (at % 8 != 0 || at < stack->bottom || at > stack->top - RECORD_SIZE) {
            return;
        }
        const uint64_t *record = (const uint64_t *)(uintptr_t)at;

        if (record[1] == 0) {
            return;
        }
        dump_address(to, "from", record[1] - layout->call);
        if (record[0] <= fp) {
            return;
        }
        fp = record[0];
    }
}
