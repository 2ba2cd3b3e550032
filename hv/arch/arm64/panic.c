/* SPDX-License-Identifier: MIT */
/*
 * What panic() prints of this architecture, and the end of exceptions that
 * EL2 takes from itself.
 *
 * Names come from the table that tools/gen/symbols.awk makes at the second
 * link. Nothing here trusts the stack: frames are followed only inside this
 * CPU's own.
 */
#include <arch/cpu.h>
#include <loam/console.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>

#include "host.h"
#include "layout.h"
#include "panic.h"
#include "sysreg.h"

#define FRAMES_MAX 24
#define EMERGENCY_STACK 4096 /* entry.S */

extern const uint64_t symbol_count, symbol_addresses[];
extern const char symbol_names[], _start[], image_text_end[];

typedef void (*emit_fn)(void *arg, const char *line);

/* The function that holds address, NULL if none; *offset is into it. */
static const char *symbol_find(uint64_t address, uint64_t *offset)
{
    const char *name = symbol_names;

    if (symbol_count == 0 || address < symbol_addresses[0] ||
        address >= (uintptr_t)image_text_end) {
        return NULL;
    }
    uint64_t i = 0;
    for (; i + 1 < symbol_count && symbol_addresses[i + 1] <= address; i++) {
        name += strlen(name) + 1;
    }
    *offset = address - symbol_addresses[i];
    return name;
}

static void emit_address(emit_fn emit, void *arg, const char *what, uint64_t address)
{
    char line[128];
    uint64_t offset = 0;
    const char *name = symbol_find(address, &offset);

    if (name != NULL) {
        fmt_print(line, sizeof(line), "  %s %016llx %s+%#llx", what, (unsigned long long)address,
                  name, (unsigned long long)offset);
    } else {
        fmt_print(line, sizeof(line), "  %s %016llx", what, (unsigned long long)address);
    }
    emit(arg, line);
}

static void emit_pair(emit_fn emit, void *arg, const char *a, uint64_t va, const char *b,
                      uint64_t vb)
{
    char line[128];

    fmt_print(line, sizeof(line), "  %-5s %016llx  %-5s %016llx", a, (unsigned long long)va, b,
              (unsigned long long)vb);
    emit(arg, line);
}

/* AAPCS64 frame records: the caller's frame pointer, then the return address. */
static void backtrace(emit_fn emit, void *arg, uint64_t fp)
{
    const struct pcpu *p = this_pcpu();
    uint64_t top = p->arch.stack;

    for (uint32_t i = 0; i < FRAMES_MAX; i++) {
        if (fp % 8 != 0 || fp < top - STACK_SIZE || fp > top - 16) {
            return;
        }
        const uint64_t *record = (const uint64_t *)fp;

        if (record[1] == 0) {
            return;
        }
        emit_address(emit, arg, "from", record[1] - 4);
        if (record[0] <= fp) {
            return;
        }
        fp = record[0];
    }
}

void arch_panic_dump(emit_fn emit, void *arg)
{
    const struct pcpu *p = this_pcpu();

    emit(arg, "registers:");
    emit_pair(emit, arg, "hcr", sysreg_read(hcr_el2), "vttbr", sysreg_read(vttbr_el2));
    emit_pair(emit, arg, "elr", sysreg_read(elr_el2), "spsr", sysreg_read(spsr_el2));
    emit_pair(emit, arg, "esr", sysreg_read(esr_el2), "far", sysreg_read(far_el2));
    emit_pair(emit, arg, "hpfar", sysreg_read(hpfar_el2), "vcpu", (uintptr_t)p->current);
    emit(arg, "called:");
    /* From panic()'s own record on: ours may be gone in a tail call. */
    backtrace(emit, arg, *(const uint64_t *)__builtin_frame_address(0));
}

static const char *class_name(uint64_t esr)
{
    switch (ESR_EC(esr)) {
    case EC_UNKNOWN:
        return "undefined instruction";
    case EC_FP:
    case EC_SVE:
        return "use of floating point";
    case EC_ILLEGAL:
        return "illegal execution state";
    case EC_SYSREG:
        return "system register access";
    case EC_IABT_CURRENT:
        return "instruction abort";
    case EC_PC_ALIGN:
        return "misaligned PC";
    case EC_DABT_CURRENT:
        return "data abort";
    case EC_SP_ALIGN:
        return "misaligned SP";
    case EC_BRK:
        return "BRK";
    default:
        return "exception";
    }
}

/* Below a stack are only addresses that nobody uses. */
static bool is_stack_overflow(uint64_t esr, uint64_t far)
{
    uint64_t bottom = this_pcpu()->arch.stack - STACK_SIZE;

    return ESR_EC(esr) == EC_DABT_CURRENT && far < bottom && far >= bottom - PAGE_SIZE;
}

static void emit_log(void *arg, const char *line)
{
    log_line(arg, LOG_ERROR, "%s", line);
}

void arch_el2_exception(const uint64_t frame[EL2_FRAME_WORDS])
{
    static const char *const kind[] = { "synchronous", "IRQ", "FIQ", "SError" };
    const struct pcpu *p = this_pcpu();
    uint64_t esr = frame[EL2_FRAME_ESR], far = frame[EL2_FRAME_FAR];

    /* An exception on the emergency stack: panic() itself is broken. */
    bool again = frame[EL2_FRAME_SP] - (uintptr_t)frame + EMERGENCY_STACK < EMERGENCY_STACK;

    if (p == NULL || p->hv == NULL || again) {
        arch_cpu_halt();
    }
    console_panic(p->hv);
    char name[2][8];
    for (uint32_t i = 0; i < 30; i += 2) {
        fmt_print(name[0], sizeof(name[0]), "x%u", i);
        fmt_print(name[1], sizeof(name[1]), "x%u", i + 1);
        emit_pair(emit_log, p->hv, name[0], frame[i], name[1], frame[i + 1]);
    }
    emit_pair(emit_log, p->hv, "x30", frame[30], "sp", frame[EL2_FRAME_SP]);
    emit_address(emit_log, p->hv, "at  ", frame[EL2_FRAME_ELR]);
    emit_address(emit_log, p->hv, "lr  ", frame[30]);
    backtrace(emit_log, p->hv, frame[29]);
    panic("%s%s in the hypervisor (%s), ESR %#llx, FAR %#llx",
          is_stack_overflow(esr, far) ? "stack overflow: " : "", class_name(esr),
          kind[frame[EL2_FRAME_VECTOR] % 4], (unsigned long long)esr, (unsigned long long)far);
}
