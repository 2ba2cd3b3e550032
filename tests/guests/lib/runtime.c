/* SPDX-License-Identifier: MIT */
/*
 * runtime.c: start of a micro guest, device tree, exceptions, PSCI, time.
 *
 * Sources: Arm DDI 0487 (system registers), Arm DEN 0022 (PSCI), the
 * Devicetree Specification 5.4 (flattened format). Read next: gic.c.
 */

#include "guest.h"
#include "layout.h"

struct machine machine;
struct cpu cpus[MAX_CPUS];
u8 stacks[MAX_CPUS][2][STACK_SIZE] __attribute__((aligned(16)));
void (*volatile irq_hook)(struct cpu *cpu, u32 intid);
volatile bool irq_no_eoi;

extern char secondary_entry[];
extern char call_return[];
void guest_start(const void *fdt);
void secondary_start(struct cpu *cpu);
void trap_entry(struct cpu *cpu, u64 kind);

_Static_assert(offsetof(struct cpu, sp) == CPU_SP, "layout.h");
_Static_assert(offsetof(struct cpu, spsr) == CPU_SPSR, "layout.h");
_Static_assert(offsetof(struct cpu, far) == CPU_FAR, "layout.h");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, exc_stack) == CPU_EXC_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, saved) == CPU_SAVED, "layout.h");

/* --- small things ------------------------------------------------------- */

void *memset(void *to, int byte, size_t size)
{
    for (u8 *p = to; size--; p++) {
        *p = (u8)byte;
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    u8 *p = to;

    for (const u8 *q = from; size--;) {
        *p++ = *q++;
    }
    return to;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n]) {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++, b++;
    }
    return (u8)*a - (u8)*b;
}

static const char *find_option(const char *name)
{
    size_t length = strlen(name);

    for (const char *s = machine.bootargs; s && *s;) {
        size_t i = 0;
        while (i < length && s[i] == name[i]) {
            i++;
        }
        if (i == length && (s[i] == '=' || s[i] == ' ' || !s[i])) {
            return s + i;
        }
        while (*s && *s != ' ') {
            s++;
        }
        s += *s == ' ';
    }
    return NULL;
}

bool has_option(const char *name) { return find_option(name) != NULL; }

u64 option(const char *name, u64 otherwise)
{
    const char *s = find_option(name);
    u64 value = 0, base = 10;

    if (!s || *s++ != '=') {
        return otherwise;
    }
    if (s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    for (;; s++) {
        if (*s >= '0' && *s <= '9') {
            value = value * base + (u64)(*s - '0');
        } else if (base == 16 && *s >= 'a' && *s <= 'f') {
            value = value * base + (u64)(*s - 'a' + 10);
        } else {
            return value;
        }
    }
}

u64 chance(void)
{
    static u64 state;

    if (!state) {
        state = option("seed", now() | 1);
        print("seed=0x%lx\n", state);
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* --- device tree ---------------------------------------------------------- */

static u32 be32(const void *p) { return __builtin_bswap32(*(const u32 *)p); }

static u64 be64(const void *p) { return (u64)be32(p) << 32 | be32((const u8 *)p + 4); }

static bool list_has(const char *list, u32 size, const char *wanted)
{
    for (u32 at = 0; at < size; at += (u32)strlen(list + at) + 1) {
        if (!strcmp(list + at, wanted)) {
            return true;
        }
    }
    return false;
}

/* One node's properties of interest, gathered until its first child or end. */
struct node {
    const char *name;
    const char *compatible, *device_type, *method, *bootargs;
    u32 compatible_size;
    const u8 *reg, *interrupts;
    bool seen;
};

static void node_property(struct node *n, const char *name, const void *data, u32 size)
{
    if (!strcmp(name, "compatible")) {
        n->compatible = data;
        n->compatible_size = size;
    } else if (!strcmp(name, "device_type")) {
        n->device_type = data;
    } else if (!strcmp(name, "method")) {
        n->method = data;
    } else if (!strcmp(name, "bootargs")) {
        n->bootargs = data;
    } else if (!strcmp(name, "reg")) {
        n->reg = data;
    } else if (!strcmp(name, "interrupts")) {
        n->interrupts = data;
    }
}

static void node_end(struct node *n)
{
    if (n->seen || !n->name) {
        return;
    }
    n->seen = true;
    if (n->bootargs) {
        machine.bootargs = n->bootargs;
    }
    if (n->device_type && !strcmp(n->device_type, "memory") && n->reg && !machine.ram_size) {
        machine.ram_base = be64(n->reg);
        machine.ram_size = be64(n->reg + 8);
    }
    if (n->device_type && !strcmp(n->device_type, "cpu") && n->reg && machine.nr_cpus < MAX_CPUS) {
        machine.mpidr[machine.nr_cpus++] = be32(n->reg);
    }
    if (n->method) {
        machine.psci_smc = !strcmp(n->method, "smc");
    }
    if (!strcmp(n->name, "hypervisor")) {
        machine.hypervisor = true;
    }
    if (!n->compatible) {
        return;
    }
    if (list_has(n->compatible, n->compatible_size, "arm,gic-v3") && n->reg) {
        machine.gicd = be64(n->reg);
        machine.gicr = be64(n->reg + 16);
    }
    if ((list_has(n->compatible, n->compatible_size, "arm,pl011") ||
         list_has(n->compatible, n->compatible_size, "arm,sbsa-uart")) &&
        n->reg && !machine.uart) {
        machine.uart = be64(n->reg);
        machine.uart_is_pl011 = list_has(n->compatible, n->compatible_size, "arm,pl011");
        machine.uart_irq = n->interrupts ? 32 + be32(n->interrupts + 4) : 0;
    }
}

static void read_fdt(const u8 *fdt)
{
    const u8 *at = fdt + be32(fdt + 8);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    struct node node = { 0 };

    machine.fdt = fdt;
    for (;;) {
        u32 token = be32(at);
        at += 4;
        if (token == 1) {
            node_end(&node);
            node = (struct node){ .name = (const char *)at };
            at += (strlen(node.name) + 4) & ~3ul;
        } else if (token == 2) {
            node_end(&node);
        } else if (token == 3) {
            u32 size = be32(at);
            node_property(&node, strings + be32(at + 4), at + 8, size);
            at += 8 + ((size + 3) & ~3u);
        } else if (token == 9) {
            return;
        }
    }
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

    if (machine.psci_smc) {
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
    return psci(PSCI_CPU_ON, machine.mpidr[index], (u64)secondary_entry, (u64)&cpus[index]);
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

bool cpu_is_off(u32 index) { return psci(PSCI_AFFINITY_INFO, machine.mpidr[index], 0, 0) == 1; }

/* --- time --------------------------------------------------------------------------- */

u64 ticks_of_us(u64 us) { return us * read_sysreg(cntfrq_el0) / 1000000; }

void delay_us(u64 us)
{
    u64 end = now() + ticks_of_us(us);

    while (now() < end) {
    }
}

void timer_in(u64 us)
{
    write_sysreg(cntv_cval_el0, now() + ticks_of_us(us));
    write_sysreg(cntv_ctl_el0, 1);
}

void timer_off(void) { write_sysreg(cntv_ctl_el0, 0); }

void guest_start(const void *fdt)
{
    read_fdt(fdt);
    mmu_on();
    if (machine.uart_is_pl011) { /* an SBSA UART is always on */
        write32(machine.uart + 0x30, 0x301); /* UARTCR: on, both ways */
    }
    main();
    done();
}
