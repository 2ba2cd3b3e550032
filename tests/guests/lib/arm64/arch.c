/* SPDX-License-Identifier: MIT */
/*
 * arch.c: MMU, exceptions, PSCI, time and console of arm64's micro guests.
 *
 * Sources: Arm DDI 0487 (system registers), Arm DEN 0022 (PSCI), Arm DDI 0183
 * (PL011). Read next: gic.c.
 */

#include "guest.h"
#include "layout.h"

#define UART_DR 0x00
#define UART_FR 0x18
#define UART_CR 0x30
#define FR_TXFF (1u << 5)

u8 stacks[MAX_CPUS][2][STACK_SIZE] __attribute__((aligned(16)));
volatile bool irq_no_eoi;

extern char secondary_entry[];
extern char call_return[];
void secondary_start(struct cpu *cpu);
void trap_entry(struct cpu *cpu, u64 kind);

_Static_assert(offsetof(struct cpu, sp) == CPU_SP, "layout.h");
_Static_assert(offsetof(struct cpu, spsr) == CPU_SPSR, "layout.h");
_Static_assert(offsetof(struct cpu, far) == CPU_FAR, "layout.h");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, exc_stack) == CPU_EXC_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, saved) == CPU_SAVED, "layout.h");

/* --- device tree and console ---------------------------------------------- */

void arch_node(const struct fdt_node *n)
{
    const char *method = fdt_property(n, "method", 1, NULL);
    const u8 *reg = fdt_property(n, "reg", 16, NULL);
    const u8 *interrupts = fdt_property(n, "interrupts", 8, NULL);
    bool pl011 = fdt_is_compatible(n, "arm,pl011");

    if (method) {
        machine.arch.psci_smc = !strcmp(method, "smc");
    }
    if (fdt_is_compatible(n, "arm,gic-v3") && reg) {
        machine.arch.gicd = be64(reg);
        machine.arch.gicr = be64(reg + 16);
    }
    if ((pl011 || fdt_is_compatible(n, "arm,sbsa-uart")) && reg && !machine.uart) {
        machine.uart = be64(reg);
        machine.arch.uart_is_pl011 = pl011;
        machine.uart_irq = interrupts ? 32 + be32(interrupts + 4) : 0;
    }
}

void console_put(char c)
{
    if (!machine.uart) {
        return;
    }
    while (read32(machine.uart + UART_FR) & FR_TXFF) {
    }
    write32(machine.uart + UART_DR, (u8)c);
}

void arch_start(void)
{
    mmu_on();
    if (machine.arch.uart_is_pl011) { /* an SBSA UART is always on */
        write32(machine.uart + UART_CR, 0x301); /* on, both ways */
    }
}

bool is_device(u64 address)
{
    return (address >= machine.arch.gicd && address < machine.arch.gicd + 0x10000) ||
           (address >= machine.arch.gicr && address < machine.arch.gicr + 0x1000000) ||
           (address >= machine.uart && address < machine.uart + 0x1000);
}

/* --- memory ------------------------------------------------------------------ */

static u64 level1[512] __attribute__((aligned(4096)));

/* 39 bits of identity map: 1 GiB blocks, RAM write-back, the rest device. */
void mmu_on(void)
{
    for (u64 i = 0; i < 512; i++) {
        u64 base = i << 30;
        bool ram =
            base + (1ul << 30) > machine.ram_base && base < machine.ram_base + machine.ram_size;
        /* AF, inner shareable, AttrIndx 1 for RAM; UXN for devices: a fetch must reach stage 2 */
        level1[i] = base | 1 | 1 << 10 | 3 << 8 | (ram ? 1ul << 2 : 1ul << 54);
    }
    write_sysreg(mair_el1, 0xff00);
    /* T0SZ 25, walks write-back and inner shareable, 40-bit output; TTBR1 as well */
    write_sysreg(tcr_el1, 25ul | 1ul << 8 | 1ul << 10 | 3ul << 12 | 25ul << 16 | 1ul << 24 |
                              1ul << 26 | 3ul << 28 | 2ul << 30 | 2ul << 32);
    write_sysreg(ttbr0_el1, level1);
    write_sysreg(ttbr1_el1, level1);
    __asm__ volatile("dsb ishst\n tlbi vmalle1\n dsb ish\n isb" ::: "memory");
    write_sysreg(sctlr_el1, (read_sysreg(sctlr_el1) | 1 | 1 << 2 | 1 << 12) & ~(1ul << 1));
}

void mmu_off(void) { write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~5ul); }

void sync_code(void *code, size_t size)
{
    for (u64 at = (u64)code & ~15ul; at < (u64)code + size; at += 16) {
        __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
    }
    __asm__ volatile("dsb ish" ::: "memory");
    for (u64 at = (u64)code & ~15ul; at < (u64)code + size; at += 16) {
        __asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
    }
    __asm__ volatile("dsb ish\n isb" ::: "memory");
}

/* --- exceptions ---------------------------------------------------------------- */

void trap_expect(void)
{
    struct cpu *cpu = this_cpu();

    cpu->trap.taken = false;
    cpu->trap.expected = true;
    __asm__ volatile("" ::: "memory");
}

struct trap trap_end(void)
{
    struct cpu *cpu = this_cpu();
    __asm__ volatile("dsb sy\n isb" ::: "memory");
    struct trap t = {
        .taken = cpu->trap.taken, .esr = cpu->trap.esr, .far = cpu->trap.far, .elr = cpu->trap.elr
    };

    cpu->trap.expected = false;
    return t;
}

static void trap_irq(struct cpu *cpu)
{
    u32 intid = (u32)read_sysreg(s3_0_c12_c12_0) & 0xffffff; /* ICC_IAR1_EL1 */

    if (intid >= 1020) {
        return;
    }
    cpu->irqs[intid]++;
    cpu->last_irq = intid;
    if (irq_hook) {
        irq_hook(cpu, intid);
    }
    if (!irq_no_eoi) {
        write_sysreg(s3_0_c12_c12_1, intid); /* ICC_EOIR1_EL1 */
    }
}

void trap_entry(struct cpu *cpu, u64 kind)
{
    if (kind % 4 == 1) {
        trap_irq(cpu);
        return;
    }
    if (kind % 4 == 0 && cpu->trap.expected && (!cpu->resume || cpu->elr != cpu->resume)) {
        cpu->trap.taken = true;
        cpu->trap.esr = (u32)cpu->esr;
        cpu->trap.far = cpu->far;
        cpu->trap.elr = cpu->elr;
        if (cpu->resume) {
            cpu->elr = cpu->resume;
        } else if ((u32)cpu->esr >> 26 == EC_IABT) {
            cpu->elr = cpu->x[30];
        } else {
            cpu->elr += 4;
        }
        return;
    }
    cpu->trap.expected = false;
    check(false, "unexpected exception %u on cpu %u: esr 0x%lx far 0x%lx elr 0x%lx (word %x)",
          (u32)kind, cpu->index, cpu->esr, cpu->far, cpu->elr,
          cpu->elr - machine.ram_base < machine.ram_size ? *(u32 *)cpu->elr : 0);
    done();
}

/* --- processors and power -------------------------------------------------------- */

long psci(u32 function, u64 a, u64 b, u64 c)
{
    register u64 x0 __asm__("x0") = function;
    register u64 x1 __asm__("x1") = a;
    register u64 x2 __asm__("x2") = b;
    register u64 x3 __asm__("x3") = c;

    if (machine.arch.psci_smc) {
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    } else {
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    }
    return (int)x0;
}

void cpu_prepare(u32 index, void (*fn)(u64), u64 arg)
{
    struct cpu *cpu = &cpus[index];

    cpu->index = index;
    cpu->stack = (u64)stacks[index][0] + STACK_SIZE;
    cpu->exc_stack = (u64)stacks[index][1] + STACK_SIZE;
    cpu->fn = fn;
    cpu->arg = arg;
    __asm__ volatile("dsb sy" ::: "memory");
}

long cpu_start_raw(u32 index)
{
    return psci(PSCI_CPU_ON, machine.cpu_id[index], (u64)secondary_entry, (u64)&cpus[index]);
}

long cpu_start(u32 index, void (*fn)(u64), u64 arg)
{
    cpu_prepare(index, fn, arg);
    return cpu_start_raw(index);
}

void secondary_start(struct cpu *cpu)
{
    mmu_on();
    cpu->fn(cpu->arg);
    cpu_stop();
}

void cpu_stop(void)
{
    psci(PSCI_CPU_OFF, 0, 0, 0);
    check(false, "CPU_OFF returned");
    done();
}

bool cpu_is_off(u32 index) { return psci(PSCI_AFFINITY_INFO, machine.cpu_id[index], 0, 0) == 1; }

bool cpu_was_on(long error) { return error == PSCI_ALREADY_ON || error == PSCI_ON_PENDING; }

void power_off(void) { psci(PSCI_SYSTEM_OFF, 0, 0, 0); }

void power_reset(void) { psci(PSCI_SYSTEM_RESET, 0, 0, 0); }

/* Fetches from unmapped memory, with the vectors there too. */
void crash(void)
{
    write_sysreg(vbar_el1, 0xdead000);
    __asm__ volatile("br %0" ::"r"(0xdead000ul));
    __builtin_unreachable();
}

void spin_masked(void)
{
    __asm__ volatile("msr daifset, #15\n b .");
    __builtin_unreachable();
}

/* --- time --------------------------------------------------------------------------- */

u64 counter_hz(void) { return read_sysreg(cntfrq_el0); }

void timer_enable(void)
{
    gic_init();
    gic_cpu_init();
    gic_enable(TIMER_IRQ);
}

void timer_at(u64 ticks)
{
    write_sysreg(cntv_cval_el0, ticks);
    write_sysreg(cntv_ctl_el0, 1);
}

void timer_off(void) { write_sysreg(cntv_ctl_el0, 0); }
