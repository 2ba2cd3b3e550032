/* SPDX-License-Identifier: MIT */
/*
 * enhanced: the hypercalls that a domain with xen,enhanced may make.
 *
 * Numbers and structures: Xen's public headers xen.h, version.h, sched.h. A
 * domain without the property has no /hypervisor node and is refused all of
 * them (-ENOSYS); option plain says that this is one. Ends with sched_op
 * shutdown if the option crash is given.
 */

#include "guest.h"

#define HC_PLATFORM_OP 7
#define HC_XEN_VERSION 17
#define HC_CONSOLE_IO 18
#define HC_SCHED_OP 29
#define HC_SYSCTL 35
#define HC_DOMCTL 36
#define EPERM 1
#define ENOSYS 38
#define EFAULT 14

static const char text[] = "written through console_io\n";
static u8 page[4096] __attribute__((aligned(4096)));

static void refused_calls(long for_control)
{
    static const u32 numbers[] = { 0, 1, 26, 40, 63, 64, 1000 };
    static const u32 controls[] = { HC_PLATFORM_OP, HC_SYSCTL, HC_DOMCTL };

    for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
        long rc = hypercall(numbers[i], 0, (u64)page, 0);
        check(rc == -ENOSYS, "hypercall %u is refused: %ld", numbers[i], rc);
    }
    for (u32 i = 0; i < ARRAY_SIZE(controls); i++) {
        long rc = hypercall(controls[i], (u64)page, 0, 0);
        check(rc == for_control, "hypercall %u is a control domain's: %ld", controls[i], rc);
    }
    check(hypercall(HC_XEN_VERSION, 99, (u64)page, 0) == -ENOSYS,
          "an unknown operation is refused");
}

static void timer_over(struct cpu *cpu, u32 intid)
{
    (void)cpu;
    if (intid == TIMER_IRQ) {
        timer_off();
    }
}

static void bench_abi(void)
{
    long version = hypercall(HC_XEN_VERSION, 0, 0, 0);

    check(version >> 16 == 4 && (version & 0xffff) >= 17, "xen_version says %ld.%ld", version >> 16,
          version & 0xffff);
    check(hypercall(HC_XEN_VERSION, 7, 0, 0) == 4096, "pages have 4096 bytes");
    memset(page, 0xff, sizeof(page));
    check(hypercall(HC_XEN_VERSION, 1, (u64)page, 0) == 0 && page[16] == 0xff,
          "extraversion is \"%s\", and no more than 16 bytes", (char *)page);
    long rc = hypercall(HC_XEN_VERSION, 1, 0x7000000000ul, 0);
    check(rc == -EFAULT, "a bad pointer is refused: %ld", rc);
    check(hypercall(HC_SCHED_OP, 0, 0, 0) == 0, "yield");
    u64 start = now();
    timer_in(20000);
    check(hypercall(HC_SCHED_OP, 1, 0, 0) == 0, "block");
    check(now() - start >= ticks_of_us(19000), "block waited for the timer: %lu ticks",
          now() - start);
    rc = hypercall(HC_CONSOLE_IO, 0, sizeof(text) - 1, (u64)text);
    check(rc == 0, "console_io write: %ld", rc);
    rc = hypercall(HC_CONSOLE_IO, 0, ~0ul, (u64)text);
    check(rc <= 0, "console_io write of 2^64 bytes: %ld", rc);
    rc = hypercall(HC_CONSOLE_IO, 0, 64, 0x7000000000ul);
    check(rc == -EFAULT, "console_io write from nowhere: %ld", rc);
}

int main(void)
{
    gic_init();
    gic_cpu_init();
    gic_enable(TIMER_IRQ);
    irq_hook = timer_over;
    irqs_on();
    check(machine.hypervisor == !has_option("plain"), "a /hypervisor node: %s",
          machine.hypervisor ? "yes" : "no");
    if (has_option("plain")) {
        check(hypercall(HC_XEN_VERSION, 0, 0, 0) == -ENOSYS, "xen_version is refused");
    } else {
        bench_abi();
    }
    refused_calls(has_option("plain") ? -ENOSYS : -EPERM);
    if (has_option("crash")) {
        u32 reason = 3; /* SHUTDOWN_crash */
        hypercall(HC_SCHED_OP, 2, (u64)&reason, 0);
        check(false, "sched_op shutdown returned");
    }
    return 0;
}
