/* SPDX-License-Identifier: MIT */
/*
 * arch.c: MMU, traps, SBI, time and console of riscv64's micro guests.
 *
 * Sources: RISC-V privileged specification (CSRs, Sv39 and Sv48, causes), SBI 2.0,
 * TI PC16550D (console). Interrupts are masked unless a guest wants them. Read
 * next: plic.c.
 */

#include "guest.h"
#include "layout.h"

u8 stacks[MAX_CPUS][2][STACK_SIZE] __attribute__((aligned(16)));

extern char image_head[];
extern char secondary_entry[];
extern char call_return[];
void enter(void);
void guest_start(const void *fdt);
void first_start(const void *fdt, u64 hart);
void secondary_start(struct cpu *cpu);
void trap_entry(struct cpu *cpu);

_Static_assert(offsetof(struct cpu, pc) == CPU_PC, "layout.h");
_Static_assert(offsetof(struct cpu, status) == CPU_STATUS, "layout.h");
_Static_assert(offsetof(struct cpu, cause) == CPU_CAUSE, "layout.h");
_Static_assert(offsetof(struct cpu, value) == CPU_VALUE, "layout.h");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, exc_stack) == CPU_EXC_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, saved) == CPU_SAVED, "layout.h");

/* --- firmware --------------------------------------------------------------- */

#define HSM_START 0
#define HSM_STOP 1
#define HSM_STATUS 2
#define HSM_STOPPED 1
#define DBCN_WRITE_BYTE 2

struct sbi sbi_call(u64 extension, u64 function, u64 a, u64 b, u64 c)
{
    register u64 a0 __asm__("a0") = a;
    register u64 a1 __asm__("a1") = b;
    register u64 a2 __asm__("a2") = c;
    register u64 a6 __asm__("a6") = function;
    register u64 a7 __asm__("a7") = extension;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi){ .error = (long)a0, .value = a1 };
}

void power_off(void) { sbi_call(SBI_SRST, 0, 0, 0, 0); }

/* A cold reboot. */
void power_reset(void) { sbi_call(SBI_SRST, 0, 1, 0, 0); }

/* --- device tree and console ---------------------------------------------- */

static u64 boot_hart;

static void node_cpu(const struct fdt_node *n)
{
    u32 size = 0;
    const char *list = fdt_property(n, "riscv,isa-extensions", 1, &size);

    for (u32 at = 0; list && at < size; at += (u32)strlen(list + at) + 1) {
        machine.arch.sstc |= !strcmp(list + at, "sstc");
    }
}

static void node_intc(const struct fdt_node *n)
{
    const u8 *reg = fdt_property(n, "reg", 16, NULL);
    const char *status = fdt_property(n, "status", 1, NULL);

    if (!reg || (status && strcmp(status, "okay"))) {
        return;
    }
    if (fdt_is_compatible(n, "riscv,plic0") || fdt_is_compatible(n, "sifive,plic-1.0.0")) {
        const u8 *sources = fdt_property(n, "riscv,ndev", 4, NULL);

        machine.arch.plic = be64(reg);
        machine.arch.plic_size = be64(reg + 8);
        machine.arch.plic_sources = sources ? be32(sources) : 0;
        machine.arch.plic_wires =
            fdt_property(n, "interrupts-extended", 8, &machine.arch.plic_wires_size);
    } else if (fdt_is_compatible(n, "riscv,aplic")) {
        machine.arch.aplic = be64(reg);
        machine.arch.aplic_size = be64(reg + 8);
    } else if (fdt_is_compatible(n, "riscv,imsics")) {
        machine.arch.imsic = be64(reg);
        machine.arch.imsic_size = be64(reg + 8);
    }
}

void arch_node(const struct fdt_node *n)
{
    const char *type = fdt_property(n, "device_type", 1, NULL);
    const u8 *hz = fdt_property(n, "timebase-frequency", 4, NULL);
    const u8 *reg = fdt_property(n, "reg", 16, NULL);
    const u8 *interrupts = fdt_property(n, "interrupts", 4, NULL);
    const u8 *phandle = fdt_property(n, "phandle", 4, NULL);

    if (hz) {
        machine.arch.hz = be32(hz);
    }
    if (type && !strcmp(type, "cpu") && machine.nr_cpus) {
        node_cpu(n);
    }
    if (fdt_is_compatible(n, "riscv,cpu-intc") && phandle && machine.nr_cpus) {
        /* the child of the CPU that was seen last */
        machine.arch.intc_phandle[machine.nr_cpus - 1] = be32(phandle);
    }
    node_intc(n);
    if (fdt_is_compatible(n, "ns16550a") && reg && !machine.uart) {
        machine.uart = be64(reg);
        machine.uart_irq = interrupts ? be32(interrupts) : 0;
    }
}

#define UART_THR 0
#define UART_LSR 5
#define LSR_THRE (1u << 5)

void console_put(char c)
{
    if (!machine.uart) {
        sbi_call(SBI_DBCN, DBCN_WRITE_BYTE, (u8)c, 0, 0);
        return;
    }
    while (!(*(volatile u8 *)(machine.uart + UART_LSR) & LSR_THRE)) {
    }
    *(volatile u8 *)(machine.uart + UART_THR) = (u8)c;
}

/* The hart that boots may be any of them; it becomes the first. */
static void boot_hart_first(void)
{
    for (u32 i = 1; i < machine.nr_cpus; i++) {
        if (machine.cpu_id[i] == boot_hart) {
            u32 phandle = machine.arch.intc_phandle[i];

            machine.cpu_id[i] = machine.cpu_id[0];
            machine.arch.intc_phandle[i] = machine.arch.intc_phandle[0];
            machine.cpu_id[0] = boot_hart;
            machine.arch.intc_phandle[0] = phandle;
        }
    }
}

void arch_start(void)
{
    boot_hart_first();
    mmu_on();
}

bool is_device(u64 address)
{
    return address - machine.arch.plic < machine.arch.plic_size ||
           address - machine.arch.aplic < machine.arch.aplic_size ||
           address - machine.arch.imsic < machine.arch.imsic_size ||
           (machine.uart && address - machine.uart < 0x1000);
}

/* --- memory ------------------------------------------------------------------ */

#define PTE_LEAF 0xcf /* D, A, X, W, R, V */
#define PTE_DATA 0xc7 /* D, A, W, R, V */
#define PTE_USER 0x10
#define PTE_TABLE 1
#define SV39 8ul
#define SV48 9ul
#define SATP_MODE 60

/*
 * The lower half is an identity map in blocks of 1 GiB: the RAM's executable, all
 * the same. The upper half has, in its first gigabytes, pages for U mode, pages for
 * a guest to do what it wants with, and a table of its choice. Sv39 if there is no Sv48.
 */
static u64 gigabytes[512] __attribute__((aligned(4096)));
static u64 top[512] __attribute__((aligned(4096)));
static u64 upper[512] __attribute__((aligned(4096)));
static u64 megabytes[2][512] __attribute__((aligned(4096)));
static u64 pages[2][512] __attribute__((aligned(4096)));
static u64 upper_base;
static u64 *upper_entry;

static u64 pte(const void *table, u64 flags) { return (u64)table >> 12 << 10 | flags; }

static void flush(void) { __asm__ volatile("sfence.vma" ::: "memory"); }

static void tables_init(void)
{
    for (u64 i = 0; i < 512; i++) {
        gigabytes[i] = pte((void *)(i << 30), PTE_LEAF);
    }
    top[0] = pte(gigabytes, PTE_TABLE);
    top[256] = pte(upper, PTE_TABLE);
    for (u32 i = 0; i < 2; i++) {
        megabytes[i][0] = pte(pages[i], PTE_TABLE);
    }
}

void mmu_on(void)
{
    if (!top[0]) {
        tables_init();
    }
    csr_write(satp, SV48 << SATP_MODE | (u64)top >> 12);
    if (csr_read(satp) >> SATP_MODE == SV48) {
        upper_base = 0xffff800000000000ul;
        upper_entry = upper;
    } else {
        upper_base = 0xffffffc000000000ul;
        upper_entry = gigabytes + 256;
        upper_entry[2] = 0;
    }
    upper_entry[0] = pte(megabytes[0], PTE_TABLE);
    upper_entry[1] = pte(megabytes[1], PTE_TABLE);
    if (upper_entry != upper) {
        csr_write(satp, SV39 << SATP_MODE | (u64)gigabytes >> 12);
    }
    flush();
}

u64 user_page(u32 index, void *page)
{
    pages[0][index] = pte(page, PTE_LEAF | PTE_USER);
    flush();
    return upper_base + index * 4096ul;
}

u64 window_page(u32 index, u64 physical, bool valid)
{
    pages[1][index] = valid ? pte((void *)physical, PTE_DATA) : 0;
    flush();
    return upper_base + (1ul << 30) + index * 4096ul;
}

u64 window_table(u64 table)
{
    upper_entry[2] = pte((void *)table, PTE_TABLE);
    flush();
    return upper_base + (2ul << 30);
}

void sync_code(void *code, size_t size)
{
    (void)code;
    (void)size;
    __asm__ volatile("fence.i" ::: "memory");
}

/* --- traps ---------------------------------------------------------------------- */

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
    __asm__ volatile("fence" ::: "memory");
    struct trap t = { .taken = cpu->trap.taken,
                      .cause = cpu->trap.cause,
                      .value = cpu->trap.value,
                      .pc = cpu->trap.pc };

    cpu->trap.expected = false;
    return t;
}

struct trap run_code(const void *code, const u64 *regs, enum run how)
{
    struct cpu *cpu = this_cpu();

    memcpy(cpu->x, regs, sizeof(cpu->x));
    cpu->pc = (u64)code;
    cpu->status = csr_read(sstatus) & ~(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
    cpu->status |= how == RUN_USER ? 0 : SSTATUS_SPP;
    cpu->status |= how == RUN_KERNEL_IRQS ? SSTATUS_SPIE : 0;
    cpu->resume = (u64)call_return;
    trap_expect();
    enter();
    cpu->resume = 0;
    return trap_end();
}

static void trap_irq(struct cpu *cpu)
{
    u32 irq = (u32)cpu->cause & 15;

    cpu->irqs[irq]++;
    cpu->last_irq = irq;
    if (irq == SOFT_IRQ) {
        csr_clear(sip, 1ul << SOFT_IRQ);
    }
    if (irq_hook) {
        irq_hook(cpu, irq);
    } else if (irq == TIMER_IRQ) {
        timer_off();
    }
    if (irq == EXTERNAL_IRQ) {
        plic_claim();
    }
}

/* Where to go on after an expected exception that nothing else is known of. */
static u64 behind(const struct cpu *cpu)
{
    if (cpu->cause == CAUSE_FETCH_ACCESS || cpu->cause == CAUSE_FETCH_PAGE ||
        cpu->cause == CAUSE_FETCH_MISALIGNED) {
        return cpu->x[1];
    }
    return cpu->pc + ((*(const u16 *)cpu->pc & 3) == 3 ? 4 : 2);
}

void trap_entry(struct cpu *cpu)
{
    if (cpu->cause & CAUSE_IRQ) {
        trap_irq(cpu);
        if (!cpu->resume) {
            return;
        }
    }
    if (cpu->trap.expected) {
        cpu->trap.taken = true;
        cpu->trap.expected = false; /* the next one is none that anybody waits for */
        cpu->trap.cause = cpu->cause;
        cpu->trap.value = cpu->value;
        cpu->trap.pc = cpu->pc;
        cpu->pc = cpu->resume ? cpu->resume : behind(cpu);
        if (cpu->resume) {
            cpu->status = (cpu->status | SSTATUS_SPP) & ~SSTATUS_SPIE;
        }
        return;
    }
    check(false, "unexpected trap on CPU %u: cause 0x%lx value 0x%lx pc 0x%lx (image at 0x%lx)",
          cpu->index, cpu->cause, cpu->value, cpu->pc, (u64)image_head);
    done();
}

/* --- processors and power -------------------------------------------------------- */

void cpu_prepare(u32 index, void (*fn)(u64), u64 arg)
{
    struct cpu *cpu = &cpus[index];

    cpu->index = index;
    cpu->stack = (u64)stacks[index][0] + STACK_SIZE;
    cpu->exc_stack = (u64)stacks[index][1] + STACK_SIZE;
    cpu->fn = fn;
    cpu->arg = arg;
    __asm__ volatile("fence" ::: "memory");
}

long cpu_start_raw(u32 index)
{
    return sbi_call(SBI_HSM, HSM_START, machine.cpu_id[index], (u64)secondary_entry,
                    (u64)&cpus[index])
        .error;
}

long cpu_start(u32 index, void (*fn)(u64), u64 arg)
{
    cpu_prepare(index, fn, arg);
    return cpu_start_raw(index);
}

/* SBI 2.0 9.1 leaves open what a hart that is being started answers: OpenSBI says "invalid". */
bool cpu_was_on(long error) { return error == SBI_ALREADY_AVAILABLE || error == SBI_INVALID_PARAM; }

void secondary_start(struct cpu *cpu)
{
    mmu_on();
    cpu->fn(cpu->arg);
    cpu_stop();
}

void cpu_stop(void)
{
    sbi_call(SBI_HSM, HSM_STOP, 0, 0, 0);
    check(false, "a hart that stopped goes on");
    done();
}

bool cpu_is_off(u32 index)
{
    struct sbi r = sbi_call(SBI_HSM, HSM_STATUS, machine.cpu_id[index], 0, 0);

    return r.error == 0 && r.value == HSM_STOPPED;
}

void ipi(u32 index) { sbi_call(SBI_IPI, 0, 1, machine.cpu_id[index], 0); }

/* Jumps to unmapped memory, with the vector there too. */
void crash(void)
{
    csr_write(stvec, 0xdead000);
    __asm__ volatile("jr %0" ::"r"(0xdead000ul));
    __builtin_unreachable();
}

void spin_masked(void)
{
    csr_write(sie, 0);
    irqs_off();
    for (;;) {
        __asm__ volatile("");
    }
}

/* --- time --------------------------------------------------------------------------- */

#define CSR_STIMECMP 0x14d

u64 counter_hz(void) { return machine.arch.hz; }

void timer_enable(void)
{
    timer_off();
    csr_set(sie, 1ul << TIMER_IRQ);
}

void timer_at(u64 ticks)
{
    if (machine.arch.sstc) {
        __asm__ volatile("csrw %0, %1" ::"i"(CSR_STIMECMP), "r"(ticks) : "memory");
    } else {
        sbi_call(SBI_TIME, 0, ticks, 0, 0);
    }
}

void timer_off(void) { timer_at(~0ul); }

void first_start(const void *fdt, u64 hart)
{
    boot_hart = hart;
    guest_start(fdt);
}
