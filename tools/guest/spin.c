/* SPDX-License-Identifier: MIT */
/*
 * spin WORKER: how much CPU time a guest gets, by its own counters.
 *
 * Prints "spin WORKER SECONDS MICROSECONDS ROUNDS" every two seconds of the
 * virtual counter: what that has shown so far, how much of it the worker was
 * seen to run (where the counter jumps, somebody else had the CPU), and how
 * many rounds of a fixed number of instructions it did. A Linux program without a library:
 * system calls by number (asm-generic/unistd.h).
 */
#define STEPS 20000 /* in a round, two instructions each; some 50 microseconds in the emulator */
#define JUMP_HZ 2000 /* half a millisecond; nobody gets a CPU for less than one */
#define TELL_SECONDS 2

enum { SYS_OPENAT = 56, SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT = 93 };

#if defined(__aarch64__)

static long system_call(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

static unsigned long counter(void)
{
    unsigned long value;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value)::"memory");
    return value;
}

static unsigned long frequency(void)
{
    unsigned long value;

    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(value));
    return value;
}

#define ONE_ROUND(steps) __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(steps)::"cc")

__asm__(".globl _start\n_start: mov x0, sp\n\tb spin\n");

#elif defined(__riscv)

static long system_call(long number, long a, long b, long c)
{
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
}

static unsigned long counter(void)
{
    unsigned long value;

    __asm__ volatile("fence; rdtime %0" : "=r"(value)::"memory");
    return value;
}

/* The CPU does not tell it; the device tree does, in one big-endian cell. */
static unsigned long frequency(void)
{
    static const char path[] = "/proc/device-tree/cpus/timebase-frequency";
    unsigned char cell[4];
    long file = system_call(SYS_OPENAT, -1, (long)path, 0);

    if (system_call(SYS_READ, file, (long)cell, sizeof(cell)) != sizeof(cell)) {
        static const char complaint[] = "spin: no timebase-frequency in the device tree\n";
        system_call(SYS_WRITE, 1, (long)complaint, sizeof(complaint) - 1);
        system_call(SYS_EXIT, 1, 0, 0);
    }
    return (unsigned long)cell[0] << 24 | cell[1] << 16 | cell[2] << 8 | cell[3];
}

#define ONE_ROUND(steps) __asm__ volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(steps))

__asm__(".globl _start\n_start:\n"
        ".option push\n.option norelax\n\tla gp, __global_pointer$\n.option pop\n"
        "\tmv a0, sp\n\ttail spin\n");

#endif

/* Puts value with at least so many digits in front of end; returns where it begins. */
static char *decimal(char *end, unsigned long value, int digits)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
        digits--;
    } while (value != 0 || digits > 0);
    return end;
}

static void tell(char worker, unsigned long hundredths, unsigned long ran,
                 unsigned long rounds)
{
    char line[80], *end = line + sizeof(line), *at = end;

    *--at = '\n';
    at = decimal(at, rounds, 1);
    *--at = ' ';
    at = decimal(at, ran, 1);
    *--at = ' ';
    at = decimal(at, hundredths % 100, 2);
    *--at = '.';
    at = decimal(at, hundredths / 100, 1);
    *--at = ' ';
    *--at = worker;
    for (const char *word = " nips"; *word; word++) {
        *--at = *word;
    }
    system_call(SYS_WRITE, 1, (long)at, end - at);
}

/* The stack as the kernel leaves it: argc, argv[0], argv[1] ... */
__attribute__((used)) static void spin(const long *stack)
{
    const char *worker = (const char *)stack[2];
    unsigned long hz = frequency(), last = counter(), told = 0, ran = 0, rounds = 0;

    for (;;) {
        unsigned long steps = STEPS;

        ONE_ROUND(steps);
        unsigned long now = counter();
        ran += now - last < hz / JUMP_HZ ? now - last : 0;
        last = now;
        rounds++;
        if (now / hz / TELL_SECONDS != told) {
            told = now / hz / TELL_SECONDS;
            tell(stack[0] > 1 ? *worker : '0', now / (hz / 100), ran / (hz / 1000000),
                 rounds);
        }
    }
}
