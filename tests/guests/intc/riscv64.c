/* SPDX-License-Identifier: MIT */
/*
 * intc: the interrupt controller, read and written at random.
 *
 * Accesses of 1, 2, 4 and 8 bytes, some misaligned, all over the windows that the
 * device tree tells of (PLIC, APLIC, IMSIC) and around them; then each documented
 * register of the PLIC by word. Each is done or is a fault of its own. Afterwards
 * the PLIC, set up again, still delivers the UART's interrupt, and the timer its own.
 * Options: accesses= (20000), seed=. PLIC specification 1.0.0.
 */

#include "guest.h"

#define WINDOW_AROUND 0x10000ul
#define PLIC_CONTEXTS 128u
#define UART_IER 1
#define IER_THRE 2

static u32 accesses, faults, bad;

static void touch(u64 address, u32 size, bool write, u64 value)
{
    volatile void *at = (void *)address;

    if (address - machine.uart < 0x1000 || address + size - machine.uart < 0x1000) {
        return; /* its settings are needed for the result */
    }
    trap_expect();
    switch (size) {
    case 1:
        write ? (void)(*(volatile u8 *)at = (u8)value) : (void)*(volatile u8 *)at;
        break;
    case 2:
        write ? (void)(*(volatile u16 *)at = (u16)value) : (void)*(volatile u16 *)at;
        break;
    case 4:
        write ? (void)(*(volatile u32 *)at = (u32)value) : (void)*(volatile u32 *)at;
        break;
    default:
        write ? (void)(*(volatile u64 *)at = value) : (void)*(volatile u64 *)at;
    }
    struct trap t = trap_end();
    accesses++;
    faults += t.taken;
    if (t.taken && (t.value - address >= size ||
                    (t.cause != (write ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS) &&
                     t.cause != (write ? CAUSE_STORE_MISALIGNED : CAUSE_LOAD_MISALIGNED)))) {
        print("%s of %u at 0x%lx: cause %lu value 0x%lx\n", write ? "write" : "read", size, address,
              t.cause, t.value);
        bad++;
    }
}

static void report(const char *what)
{
    check(!bad, "%s: %u accesses, %u faults, %u wrong", what, accesses, faults, bad);
    accesses = faults = bad = 0;
}

static void window(u64 base, u64 size, const char *what, u32 count)
{
    if (!size) {
        return;
    }
    for (u32 i = 0; i < count; i++) {
        u64 r = chance();
        u32 bytes = 1u << (r & 3);
        u64 span = (r >> 2 & 7) ? size : size + 2 * WINDOW_AROUND;
        u64 address = (span == size ? base : base - WINDOW_AROUND) + (r >> 20) % span;

        if (r >> 5 & 7) {
            address &= ~(u64)(bytes - 1);
        }
        touch(address, bytes, r >> 8 & 1, chance() >> (r >> 9 & 63));
    }
    report(what);
}

static void word(u64 offset)
{
    touch(machine.arch.plic + offset, 4, false, 0);
    touch(machine.arch.plic + offset, 4, true, chance());
    touch(machine.arch.plic + offset, 4, false, 0);
}

static void plic_registers(void)
{
    for (u32 i = 0; i < 1024; i++) {
        word(4 * i); /* priorities */
    }
    for (u32 i = 0; i < 1024 / 8; i += 4) {
        word(0x1000 + i); /* pending */
    }
    for (u32 context = 0; context < PLIC_CONTEXTS; context++) {
        for (u32 i = 0; i < 1024 / 8; i += 4) {
            word(0x2000 + context * 0x80 + i); /* enables */
        }
        word(0x200000 + context * 0x1000); /* threshold */
        word(0x200004 + context * 0x1000); /* claim, complete */
    }
    report("the PLIC's registers by word");
}

static void uart_quiet(struct cpu *cpu, u32 irq)
{
    (void)cpu;
    if (irq == EXTERNAL_IRQ) {
        *(volatile u8 *)(machine.uart + UART_IER) = 0;
    } else if (irq == TIMER_IRQ) {
        timer_off();
    }
}

static void still_delivers(void)
{
    irq_hook = uart_quiet;
    if (machine.arch.plic_size && machine.uart_irq) {
        plic_init();
        plic_enable(machine.uart_irq, true);
        irqs_on();
        for (u32 i = 1; i <= 3; i++) {
            u32 before = this_cpu()->irqs[EXTERNAL_IRQ];

            plic_last = 0;
            *(volatile u8 *)(machine.uart + UART_IER) = IER_THRE;
            check(irq_wait(EXTERNAL_IRQ, before + 1, 1000000) && plic_last == machine.uart_irq,
                  "the UART's interrupt %u by the PLIC: source %u", machine.uart_irq, plic_last);
        }
        irqs_off();
        plic_enable(machine.uart_irq, false);
    }
    timer_enable();
    irqs_on();
    u32 before = this_cpu()->irqs[TIMER_IRQ];
    timer_in(1000);
    check(irq_wait(TIMER_IRQ, before + 1, 1000000), "a timer tick arrives");
}

int main(void)
{
    u32 count = (u32)option("accesses", 20000);

    check(machine.arch.plic_size || machine.arch.aplic_size || machine.arch.imsic_size,
          "PLIC at 0x%lx, APLIC at 0x%lx, IMSIC at 0x%lx", machine.arch.plic, machine.arch.aplic,
          machine.arch.imsic);
    still_delivers();
    csr_write(sie, 0);
    window(machine.arch.plic, machine.arch.plic_size, "PLIC", count);
    window(machine.arch.aplic, machine.arch.aplic_size, "APLIC", count);
    window(machine.arch.imsic, machine.arch.imsic_size, "IMSIC", count);
    if (machine.arch.plic_size) {
        plic_registers();
    }
    still_delivers();
    return 0;
}
