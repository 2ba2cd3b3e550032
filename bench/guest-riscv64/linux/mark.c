/* SPDX-License-Identifier: MIT */
/*
 * mark: a Linux program that tells the counter where the boot ends, writes 32 lines to the console,
 * waits until they are out, and has the report written. Without a library: system calls by number
 * (asm-generic/unistd.h). Markers: ../../plugin/target_riscv64.c.
 */
enum { SYS_IOCTL = 29, SYS_WRITE = 64, SYS_EXIT = 93 };
enum { NR_LINES = 32, TCSBRK = 0x5409 };
enum { MARK_REPORT = 3, MARK_POINT = 4 };

#define MARK(kind, id) \
    __asm__ volatile(".word %0" ::"i"(0x2013 | (kind) << 15 | (id) << 20) : "memory")

static const char text[] = "bench: forty characters in every line.\r\n";

static long system_call(long number, long a, long b, long c)
{
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
}

void _start(void);

void _start(void)
{
    MARK(MARK_POINT, 1);
    for (int i = 0; i < NR_LINES; i++) {
        system_call(SYS_WRITE, 1, (long)text, sizeof(text) - 1);
    }
    system_call(SYS_IOCTL, 1, TCSBRK, 1); /* tcdrain() */
    MARK(MARK_POINT, 2);
    MARK(MARK_REPORT, 0);
    system_call(SYS_EXIT, 0, 0, 0);
}
