/* SPDX-License-Identifier: MIT */
/*
 * What panic() prints of this architecture, and the end of traps that the
 * hypervisor takes itself. Frames are followed only inside this CPU's own stack.
 */
#include <arch/cpu.h>
#include <loam/backtrace.h>
#include <loam/console.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <loam/printf.h>

#include "csr.h"
#include "host.h"
#include "layout.h"
#include "panic.h"

#define EMERGENCY_STACK 4096 /* entry.S */

extern const uint64_t symbol_base;
extern const uint32_t symbol_count, symbol_offsets[];
extern const char symbol_names[], image_text_end[];

/* RISC-V psABI: return address at fp - 8, the caller's fp at fp - 16; a compressed call. */
static const struct frame_layout layout = { .below = 16, .call = 2 };

static struct symbols symbols(void)
{
    return (struct symbols){ symbol_base, symbol_count, symbol_offsets, symbol_names,
                             (uintptr_t)image_text_end };
}

static struct stack_range own_stack(void)
{
    uint64_t top = this_pcpu()->arch.stack;

    return (struct stack_range){ top - STACK_SIZE, top };
}

void arch_panic_dump(void (*emit)(void *arg, const char *line), void *arg)
{
    const struct pcpu *p = this_pcpu();
    const struct symbols names = symbols();
    const struct stack_range stack = own_stack();
    const struct dump to = { emit, arg, &names };

    emit(arg, "registers:");
    dump_pair(&to, "sepc", csr_read(sepc), "stval", csr_read(stval));
    dump_pair(&to, "cause", csr_read(scause), "statu", csr_read(sstatus));
    dump_pair(&to, "hstat", csr_read(hstatus), "hgatp", csr_read(hgatp));
    dump_pair(&to, "htval", csr_read(htval), "vcpu", (uintptr_t)p->current);
    emit(arg, "called:");
    /* From panic()'s own record on: ours may be gone in a tail call. */
    dump_callers(&to, &layout, &stack,
                 *(const uint64_t *)((uintptr_t)__builtin_frame_address(0) - 16));
}

static const char *cause_name(uint64_t cause)
{
    static const char *const names[] = {
        [CAUSE_INSN_ACCESS] = "instruction access fault",
        [CAUSE_ILLEGAL] = "illegal instruction",
        [CAUSE_BREAKPOINT] = "breakpoint",
        [CAUSE_LOAD_MISALIGNED] = "misaligned load",
        [CAUSE_LOAD_ACCESS] = "load access fault",
        [CAUSE_STORE_MISALIGNED] = "misaligned store",
        [CAUSE_STORE_ACCESS] = "store access fault",
        [CAUSE_INSN_PAGE] = "instruction page fault",
        [CAUSE_LOAD_PAGE] = "load page fault",
        [CAUSE_STORE_PAGE] = "store page fault",
    };

    return cause < ARRAY_SIZE(names) && names[cause] != NULL ? names[cause] : "trap";
}

/* Below a stack are only addresses that nobody uses. */
static bool is_stack_overflow(uint64_t cause, uint64_t address)
{
    const struct stack_range stack = own_stack();

    return (cause == CAUSE_STORE_PAGE || cause == CAUSE_LOAD_PAGE) && address < stack.bottom &&
           address >= stack.bottom - PAGE_SIZE;
}

static void emit_log(void *arg, const char *line) { log_line(arg, LOG_ERROR, "%s", line); }

void hs_exception(const uint64_t frame[HS_FRAME_WORDS])
{
    const struct pcpu *p = this_pcpu();
    uint64_t cause = frame[HS_FRAME_SCAUSE], address = frame[HS_FRAME_STVAL];

    /* A trap on the emergency stack: panic() itself is broken. */
    bool again = frame[REG_SP] - (uintptr_t)frame + EMERGENCY_STACK < EMERGENCY_STACK;

    if (p == NULL || p->hv == NULL || again) {
        arch_cpu_halt();
    }
    const struct symbols names = symbols();
    const struct stack_range stack = own_stack();
    const struct dump to = { emit_log, p->hv, &names };
    char name[2][8];

    console_panic(p->hv);
    for (uint32_t i = 1; i < 31; i += 2) {
        fmt_print(name[0], sizeof(name[0]), "x%u", i);
        fmt_print(name[1], sizeof(name[1]), "x%u", i + 1);
        dump_pair(&to, name[0], frame[i], name[1], frame[i + 1]);
    }
    dump_address(&to, "at  ", frame[HS_FRAME_SEPC]);
    dump_address(&to, "ra  ", frame[REG_RA]);
    dump_callers(&to, &layout, &stack, frame[8]);
    panic("%s%s in the hypervisor, cause %#llx, stval %#llx",
          is_stack_overflow(cause, address) ? "stack overflow: " : "", cause_name(cause),
          (unsigned long long)cause, (unsigned long long)address);
}
