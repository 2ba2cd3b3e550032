/* SPDX-License-Identifier: MIT */
/*
 * What panic() prints of this architecture, and the end of exceptions that
 * EL2 takes from itself.
 *
 * Names come from the table that tools/gen/symbols.awk makes at the second
 * link; core/backtrace.c follows frames, only inside this CPU's own stack.
 */
#include <arch/cpu.h>
#include <loam/backtrace.h>
#include <loam/console.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <loam/printf.h>

#include "host.h"
#include "layout.h"
#include "panic.h"
#include "sysreg.h"

#define EMERGENCY_STACK 4096 /* entry.S */

extern const uint64_t symbol_base;
extern const uint32_t symbol_count, symbol_offsets[];
extern const char symbol_names[], _start[], image_text_end[];

static struct symbols image_symbols(void)
{
    return (struct symbols){
        .base = symbol_base,
        .count = symbol_count,
        .offsets = symbol_offsets,
        .names = symbol_names,
        .end = (uintptr_t)image_text_end,
    };
}

static void callers(const struct dump *to, uint64_t fp)
{
    static const struct frame_layout layout = { .below = 0, .call = 4 };
    uint64_t top = this_pcpu()->arch.stack;
    struct stack_range stack = { .bottom = top - STACK_SIZE, .top = top };

    dump_callers(to, &layout, &stack, fp);
}

void arch_panic_dump(void (*emit)(void *arg, const char *line), void *arg)
{
    const struct pcpu *p = this_pcpu();
    struct symbols symbols = image_symbols();
    struct dump to = { .emit = emit, .arg = arg, .symbols = &symbols };

    emit(arg, "registers:");
    dump_pair(&to, "hcr", sysreg_read(hcr_el2), "vttbr", sysreg_read(vttbr_el2));
    dump_pair(&to, "elr", sysreg_read(elr_el2), "spsr", sysreg_read(spsr_el2));
    dump_pair(&to, "esr", sysreg_read(esr_el2), "far", sysreg_read(far_el2));
    dump_pair(&to, "hpfar", sysreg_read(hpfar_el2), "vcpu", (uintptr_t)p->current);
    emit(arg, "called:");
    /* From panic()'s own record on: ours may be gone in a tail call. */
    callers(&to, *(const uint64_t *)__builtin_frame_address(0));
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
    struct symbols symbols = image_symbols();
    struct dump to = { .emit = emit_log, .arg = p->hv, .symbols = &symbols };
    char name[2][8];
    for (uint32_t i = 0; i < 30; i += 2) {
        fmt_print(name[0], sizeof(name[0]), "x%u", i);
        fmt_print(name[1], sizeof(name[1]), "x%u", i + 1);
        dump_pair(&to, name[0], frame[i], name[1], frame[i + 1]);
    }
    dump_pair(&to, "x30", frame[30], "sp", frame[EL2_FRAME_SP]);
    dump_address(&to, "at  ", frame[EL2_FRAME_ELR]);
    dump_address(&to, "lr  ", frame[30]);
    callers(&to, frame[29]);
    panic("%s%s in the hypervisor (%s), ESR %#llx, FAR %#llx",
          is_stack_overflow(esr, far) ? "stack overflow: " : "", class_name(esr),
          kind[frame[EL2_FRAME_VECTOR] % 4], (unsigned long long)esr, (unsigned long long)far);
}
