/* SPDX-License-Identifier: MIT */
/*
 * gic: the interrupt controller, first as a driver uses it, then with nonsense.
 *
 * Many pending interrupts at once (more than there are list registers),
 * level-sensitive lines sampled again after the end of interrupt, priorities,
 * masks, clearing of active state, EOI mode 1, SGIs among CPUs; then every
 * register of distributor and redistributors with every width and value, after
 * which the driver's part must still work. Arm IHI 0069 chapters 4, 9 and 12.
 */

#include "guest.h"

static volatile u32 order[1024];
static volatile u32 nr_taken;
static volatile bool level_done;
static volatile u32 level_limit;

static void count_reset(void)
{
    memset((void *)this_cpu()->irqs, 0, sizeof(this_cpu()->irqs));
    nr_taken = 0;
}

static void record(struct cpu *cpu, u32 intid)
{
    (void)cpu;
    if (nr_taken < ARRAY_SIZE(order)) {
        order[nr_taken] = intid;
    }
    nr_taken++;
}

/* --- more pending than list registers -------------------------------------- */
static u32 pend_all(u32 nr)
{
    u32 count = 0;

    for (u32 i = 0; i < 16; i++, count++) {
        gic_enable(i);
        gic_sgi(0, i);
    }
    for (u32 i = 32; i < nr; i++) {
        if (i == machine.uart_irq) {
            continue;
        }
        gic_enable(i);
        gic_pend(i);
        count++;
    }
    return count;
}

static bool each_once(u32 nr)
{
    bool ok = true;

    for (u32 i = 0; i < nr; i++) {
        bool expected = i < 16 || (i >= 32 && i != machine.uart_irq);
        ok &= this_cpu()->irqs[i] == expected;
    }
    return ok;
}

static void disable_all(u32 nr)
{
    for (u32 i = 0; i < nr; i++) {
        gic_disable(i);
    }
}

static void overflow(void)
{
    u32 nr = gic_nr_irqs();

    irqs_off();
    count_reset();
    irq_hook = record;
    u32 count = pend_all(nr);
    irqs_on();
    for (u64 end = now() + ticks_of_us(1000000); nr_taken < count && now() < end;) {
    }
    delay_us(1000);
    irqs_off();
    check(each_once(nr) && nr_taken == count, "%u interrupts pending at once: %u taken", count,
          nr_taken);
    /* Again with priorities: the higher the number, the more urgent. */
    count_reset();
    for (u32 i = 32; i < nr; i++) {
        gic_priority(i, (u8)(0xe0 - (i % 8) * 0x10));
    }
    for (u32 i = 0; i < 16; i++) {
        gic_priority(i, 0xe8);
    }
    count = pend_all(nr);
    irqs_on();
    for (u64 end = now() + ticks_of_us(1000000); nr_taken < count && now() < end;) {
    }
    irqs_off();
    bool sorted = true;
    for (u32 i = 1; i < nr_taken && i < ARRAY_SIZE(order); i++) {
        u32 a = order[i - 1] < 16 ? 0 : order[i - 1] % 8 + 1;
        u32 b = order[i] < 16 ? 0 : order[i] % 8 + 1;
        if (a < b) {
            print("%u before %u\n", order[i - 1], order[i]);
        }
        sorted &= a >= b;
    }
    check(each_once(nr), "with priorities: each once (%u of %u)", nr_taken, count);
    check(sorted, "the most urgent first");
    disable_all(nr);
    gic_init();
    gic_cpu_init();
}

/* --- level-sensitive lines ---------------------------------------------------- */
static void level_hook(struct cpu *cpu, u32 intid)
{
    if (cpu->irqs[intid] >= level_limit) {
        timer_off();
        level_done = true;
    }
}

static void level_timer(void)
{
    count_reset();
    level_limit = 5;
    irq_hook = level_hook;
    gic_enable(TIMER_IRQ);
    timer_in(0);
    irqs_on();
    irq_wait(TIMER_IRQ, 5, 500000);
    delay_us(2000);
    irqs_off();
    check(this_cpu()->irqs[TIMER_IRQ] == 5, "a line that stays high fires again: %u of 5",
          this_cpu()->irqs[TIMER_IRQ]);
    /* High while masked, low before unmasking: nothing must come. */
    count_reset();
    timer_in(0);
    delay_us(100);
    bool pending = gic_is_pending(TIMER_IRQ);
    timer_off();
    delay_us(100);
    bool still = gic_is_pending(TIMER_IRQ);
    irqs_on();
    delay_us(1000);
    irqs_off();
    check(pending, "a high line reads as pending");
    check(!still, "a line that fell reads as not pending");
    check(this_cpu()->irqs[TIMER_IRQ] == 0, "a line that fell in time does not fire");
    /* A write does not take a high line back, and the timer goes on working. */
    count_reset();
    level_limit = 1;
    timer_in(0);
    delay_us(100);
    write32(gic_redist() + 0x10280, 1u << TIMER_IRQ); /* GICR_ICPENDR0 */
    check(gic_is_pending(TIMER_IRQ), "ICPENDR leaves a high line pending");
    irqs_on();
    irq_wait(TIMER_IRQ, 1, 100000);
    timer_in(100);
    irq_wait(TIMER_IRQ, 2, 100000);
    irqs_off();
    check(this_cpu()->irqs[TIMER_IRQ] == 2, "which fires, and fires when set again: %u of 2",
          this_cpu()->irqs[TIMER_IRQ]);
    timer_off();
    gic_disable(TIMER_IRQ);
}

static void uart_hook(struct cpu *cpu, u32 intid)
{
    if (cpu->irqs[intid] >= 3) {
        write32(machine.uart + 0x38, 0); /* UARTIMSC */
    }
}

static void level_uart(void)
{
    if (!machine.uart_irq) {
        return;
    }
    count_reset();
    irq_hook = uart_hook;
    gic_enable(machine.uart_irq);
    if (machine.arch.uart_is_pl011) {
        write32(machine.uart + 0x2c, 0); /* UARTLCR_H: no FIFO, one character makes room */
    }
    write32(machine.uart + 0x38, 1u << 5); /* UARTIMSC: transmit */
    write32(machine.uart + 0x00, '.');
    irqs_on();
    irq_wait(machine.uart_irq, 3, 500000);
    delay_us(2000);
    irqs_off();
    write32(machine.uart + 0x38, 0);
    print("\n");
    check(this_cpu()->irqs[machine.uart_irq] == 3, "the UART's line fires until masked: %u of 3",
          this_cpu()->irqs[machine.uart_irq]);
    gic_disable(machine.uart_irq);
}

/* --- active state --------------------------------------------------------------- */
#define TEST_IRQ 40

static void active_state(void)
{
    irqs_off();
    count_reset();
    irq_hook = NULL;
    gic_enable(TEST_IRQ);
    gic_pend(TEST_IRQ);
    delay_us(100);
    u32 intid = (u32)read_sysreg(s3_0_c12_c12_0); /* ICC_IAR1_EL1 */
    check(intid == TEST_IRQ, "acknowledged by hand: %u", intid);
    check(gic_is_active(TEST_IRQ), "it is active");
    check(!gic_is_pending(TEST_IRQ), "it is no longer pending");
    gic_pend(TEST_IRQ);
    check(gic_is_pending(TEST_IRQ), "pending and active");
    check((u32)read_sysreg(s3_0_c12_c12_0) >= 1020, "an active interrupt is not offered again");
    write_sysreg(s3_0_c12_c12_1, TEST_IRQ);
    delay_us(100);
    intid = (u32)read_sysreg(s3_0_c12_c12_0);
    check(intid == TEST_IRQ, "offered again after its end: %u", intid);
    gic_clear_active(TEST_IRQ);
    check(!gic_is_active(TEST_IRQ), "ICACTIVER ends the active state");
    write_sysreg(s3_0_c12_c12_1, TEST_IRQ); /* priority drop only */
    gic_pend(TEST_IRQ);
    irqs_on();
    irq_wait(TEST_IRQ, 1, 100000);
    irqs_off();
    check(this_cpu()->irqs[TEST_IRQ] == 1, "and it can fire again");
    /* ICPENDR takes back what was pending. */
    count_reset();
    gic_pend(TEST_IRQ);
    write32(machine.arch.gicd + 0x0280 + TEST_IRQ / 32 * 4, 1u << TEST_IRQ % 32);
    irqs_on();
    delay_us(1000);
    irqs_off();
    check(this_cpu()->irqs[TEST_IRQ] == 0, "ICPENDR takes a pending interrupt back");
    gic_disable(TEST_IRQ);
}

static void eoi_mode_1(void)
{
    count_reset();
    write_sysreg(s3_0_c12_c12_4, 2); /* ICC_CTLR_EL1.EOImode */
    gic_enable(TEST_IRQ);
    gic_pend(TEST_IRQ);
    irqs_on();
    irq_wait(TEST_IRQ, 1, 100000);
    irqs_off();
    check(gic_is_active(TEST_IRQ), "EOI mode 1: active after the priority drop");
    write_sysreg(s3_0_c12_c11_1, TEST_IRQ); /* ICC_DIR_EL1 */
    check(!gic_is_active(TEST_IRQ), "EOI mode 1: inactive after DIR");
    write_sysreg(s3_0_c12_c12_4, 0);
    gic_disable(TEST_IRQ);
}

static void masks(void)
{
    count_reset();
    gic_enable(TEST_IRQ);
    write_sysreg(s3_0_c4_c6_0, 0x80); /* ICC_PMR_EL1: 0xa0 is not urgent enough */
    gic_pend(TEST_IRQ);
    irqs_on();
    delay_us(1000);
    u32 before = this_cpu()->irqs[TEST_IRQ];
    write_sysreg(s3_0_c4_c6_0, 0xf0);
    irq_wait(TEST_IRQ, 1, 100000);
    check(before == 0 && this_cpu()->irqs[TEST_IRQ] == 1, "the priority mask holds, then lets go");
    gic_disable(TEST_IRQ);
    gic_pend(TEST_IRQ);
    delay_us(1000);
    check(this_cpu()->irqs[TEST_IRQ] == 1, "a disabled interrupt does not fire");
    gic_enable(TEST_IRQ);
    irq_wait(TEST_IRQ, 2, 100000);
    check(this_cpu()->irqs[TEST_IRQ] == 2, "and fires once enabled");
    write_sysreg(s3_0_c12_c12_7, 0); /* ICC_IGRPEN1_EL1 */
    gic_pend(TEST_IRQ);
    delay_us(1000);
    u32 held = this_cpu()->irqs[TEST_IRQ];
    write_sysreg(s3_0_c12_c12_7, 1);
    irq_wait(TEST_IRQ, 3, 100000);
    check(held == 2 && this_cpu()->irqs[TEST_IRQ] == 3, "the group's enable holds, then lets go");
    irqs_off();
    gic_disable(TEST_IRQ);
}

/* --- two CPUs ----------------------------------------------------------------------- */
static volatile bool helper_ready, helper_stop;

static void helper(u64 arg)
{
    (void)arg;
    gic_cpu_init();
    for (u32 i = 0; i < 16; i++) {
        gic_enable(i);
    }
    irqs_on();
    helper_ready = true;
    while (!helper_stop) {
    }
    irqs_off();
}

static void sgis(void)
{
    if (machine.nr_cpus < 2) {
        return;
    }
    irq_hook = NULL;
    check(cpu_start(1, helper, 0) == PSCI_SUCCESS, "a second CPU starts");
    while (!helper_ready) {
    }
    for (u32 round = 0; round < 50; round++) {
        for (u32 i = 0; i < 16; i++) {
            u32 before = cpus[1].irqs[i];
            gic_sgi(1, i);
            u64 end = now() + ticks_of_us(500000);
            while (cpus[1].irqs[i] == before && now() < end) {
            }
        }
    }
    u32 total = 0;
    for (u32 i = 0; i < 16; i++) {
        total += cpus[1].irqs[i];
    }
    check(total == 800, "800 SGIs to another CPU: %u arrived", total);
    /* Route an SPI to it. */
    write32(machine.arch.gicd + 0x6000 + 8 * TEST_IRQ, (u32)machine.cpu_id[1] & 0xffffff);
    gic_enable(TEST_IRQ);
    gic_pend(TEST_IRQ);
    u64 end = now() + ticks_of_us(500000);
    while (!cpus[1].irqs[TEST_IRQ] && now() < end) {
    }
    check(cpus[1].irqs[TEST_IRQ] == 1, "an SPI routed there arrives there");
    gic_disable(TEST_IRQ);
    write32(machine.arch.gicd + 0x6000 + 8 * TEST_IRQ, (u32)machine.cpu_id[0] & 0xffffff);
    helper_stop = true;
    end = now() + ticks_of_us(500000);
    while (!cpu_is_off(1) && now() < end) {
    }
    check(cpu_is_off(1), "the second CPU is off again");
}

/* Two CPUs work on each other's redistributor and read the state of SPIs, all at once. */
#define CROSS_ROUNDS 300
#define CROSS_SGI 9
static volatile u32 crossed[2];
static volatile bool at_it[2];

static void cross(u64 other)
{
    u64 frame = machine.arch.gicr + 0x20000 * other + 0x10000;
    u32 me = this_cpu()->index;

    gic_cpu_init();
    gic_enable(CROSS_SGI);
    irqs_on();
    /* On a busy host one might be done before the other begins, and clears what pends for it. */
    at_it[me] = true;
    for (u64 end = now() + ticks_of_us(2000000); !at_it[!me] && now() < end;) {
    }
    for (u32 n = 0; n < CROSS_ROUNDS; n++) {
        write32(frame + 0x0200, 1u << CROSS_SGI); /* GICR_ISPENDR0 */
        (void)read32(frame + 0x0200);
        write32(frame + 0x0380, 1u << 10); /* GICR_ICACTIVER0 */
        (void)read32(frame + 0x0300); /* GICR_ISACTIVER0 */
        gic_pend(TEST_IRQ);
        (void)gic_is_active(TEST_IRQ);
        crossed[me] = n + 1;
    }
    for (u64 end = now() + ticks_of_us(2000000); crossed[!me] != CROSS_ROUNDS && now() < end;) {
    }
    delay_us(1000);
    irqs_off();
}

static void crossfire(void)
{
    if (machine.nr_cpus < 2) {
        return;
    }
    crossed[0] = crossed[1] = 0;
    at_it[0] = at_it[1] = false;
    count_reset();
    memset((void *)cpus[1].irqs, 0, sizeof(cpus[1].irqs));
    gic_enable(TEST_IRQ);
    check(cpu_start(1, cross, 0) == PSCI_SUCCESS, "it starts again");
    cross(1);
    for (u64 end = now() + ticks_of_us(500000); !cpu_is_off(1) && now() < end;) {
    }
    check(crossed[0] == CROSS_ROUNDS && crossed[1] == CROSS_ROUNDS,
          "each in the other's registers: %u and %u rounds", crossed[0], crossed[1]);
    check(this_cpu()->irqs[CROSS_SGI] && cpus[1].irqs[CROSS_SGI] && this_cpu()->irqs[TEST_IRQ],
          "both were interrupted: %u and %u times", this_cpu()->irqs[CROSS_SGI],
          cpus[1].irqs[CROSS_SGI]);
    gic_disable(TEST_IRQ);
}

/* --- nonsense ---------------------------------------------------------------------------- */
static u32 poke(u64 at, u64 value)
{
    struct trap t;
    u32 aborts = 0;
    u64 v;

    t = TRY(__asm__ volatile("strb %w0, [%1]" ::"r"(value), "r"(at) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("strh %w0, [%1]" ::"r"(value), "r"(at) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(at) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("str %0, [%1]" ::"r"(value), "r"(at & ~7ul) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(at) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(at) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(at) : "memory"));
    aborts += t.taken;
    t = TRY(__asm__ volatile("ldr %0, [%1]" : "=r"(v) : "r"(at & ~7ul) : "memory"));
    return aborts + t.taken;
}

static void nonsense(u64 base, u32 size, u32 step, const char *what)
{
    u32 aborts = 0, accesses = 0;

    irqs_off();
    for (u32 offset = 0; offset < size; offset += step) {
        static const u64 fixed[] = { 0, ~0ul };
        for (u32 i = 0; i < ARRAY_SIZE(fixed); i++, accesses += 8) {
            aborts += poke(base + offset, fixed[i]);
        }
        aborts += poke(base + offset, chance());
        accesses += 8;
    }
    check(true, "%s: %u accesses of nonsense, %u aborts", what, accesses, aborts);
}

static void driver_part(void)
{
    gic_init();
    gic_cpu_init();
    overflow();
    level_timer();
    level_uart();
    active_state();
    eoi_mode_1();
    masks();
}

int main(void)
{
    u32 step = (u32)option("step", 4);

    driver_part();
    helper_ready = helper_stop = false;
    sgis();
    crossfire();
    if (!has_option("polite")) {
        nonsense(machine.arch.gicd, 0x10000, step, "GICD");
        nonsense(gic_redist(), 0x20000, step, "GICR of this CPU");
        if (machine.nr_cpus > 1) {
            nonsense(machine.arch.gicr + 0x20000, 0x20000, step, "GICR of the other CPU");
        }
        nonsense(machine.arch.gicr + 0x20000 * machine.nr_cpus, 0x1000, step, "GICR of no CPU");
        for (u32 i = 0; i < 1000; i++) {
            nr_taken += poke(machine.arch.gicd + (chance() & 0xffff & ~1ul), chance());
        }
        driver_part();
    }
    return 0;
}
