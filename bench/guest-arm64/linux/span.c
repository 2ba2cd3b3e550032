/* SPDX-License-Identifier: MIT */
/*
 * span: a Linux program in dom0 that runs a command between the markers of an interval, and then
 * does nothing for as long between those of another, so that what the hypervisor does anyway can be
 * taken off.
 *
 *   span create COMMAND [ARGUMENT ...]   intervals ROW_XL_CREATE, ROW_XL_CREATE_IDLE
 *   span destroy COMMAND ...             intervals ROW_XL_DESTROY, ROW_XL_DESTROY_IDLE
 *   span report                          the counter writes its report
 *
 * The first interval ends a moment after the command, for what daemons, dom0's kernel and the
 * hypervisor put off. Without a library: system calls by number (asm-generic/unistd.h). Markers:
 * ../../plugin/target_arm64.c.
 */
#include "rows.h"

enum { SYS_EXIT = 93, SYS_NANOSLEEP = 101, SYS_CLOCK_GETTIME = 113 };
enum { SYS_CLONE = 220, SYS_EXECVE = 221, SYS_WAIT4 = 260 };
enum { SIGCHLD = 17, CLOCK_BOOTTIME = 7 };
enum { MARK_BEGIN = 1, MARK_END = 2, MARK_REPORT = 3 };

#define NS_PER_S 1000000000l
#define NS_AFTER 200000000l /* what may come after a command: a fifth of a second */

#define MARK(kind, id) __asm__ volatile("movz xzr, #%0" ::"i"((kind) << 12 | (id)) : "memory")

struct timespec {
    long s, ns;
};

static long system_call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = 0;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
}

static long now(void)
{
    struct timespec t = { 0, 0 };

    system_call(SYS_CLOCK_GETTIME, CLOCK_BOOTTIME, (long)&t, 0, 0);
    return t.s * NS_PER_S + t.ns;
}

static void rest(long ns)
{
    struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };

    system_call(SYS_NANOSLEEP, (long)&t, 0, 0, 0);
}

/* The command's status; 127: it cannot be started. */
static int run(char **argv, char **envp)
{
    int status = -1;
    long child = system_call(SYS_CLONE, SIGCHLD, 0, 0, 0);

    if (child == 0) {
        system_call(SYS_EXECVE, (long)argv[0], (long)argv, (long)envp, 0);
        system_call(SYS_EXIT, 127, 0, 0, 0);
    }
    system_call(SYS_WAIT4, child, (long)&status, 0, 0);
    return status == 0 ? 0 : (status >> 8 & 0xff) ?: 1;
}

/* A marker's number is part of an instruction: no variable can hold it. */
static void begin(char what, int idle)
{
    if (what == 'c' && !idle) {
        MARK(MARK_BEGIN, ROW_XL_CREATE);
    } else if (what == 'c') {
        MARK(MARK_BEGIN, ROW_XL_CREATE_IDLE);
    } else if (!idle) {
        MARK(MARK_BEGIN, ROW_XL_DESTROY);
    } else {
        MARK(MARK_BEGIN, ROW_XL_DESTROY_IDLE);
    }
}

static void end(char what, int idle)
{
    if (what == 'c' && !idle) {
        MARK(MARK_END, ROW_XL_CREATE);
    } else if (what == 'c') {
        MARK(MARK_END, ROW_XL_CREATE_IDLE);
    } else if (!idle) {
        MARK(MARK_END, ROW_XL_DESTROY);
    } else {
        MARK(MARK_END, ROW_XL_DESTROY_IDLE);
    }
}

static int measure(char what, char **argv, char **envp)
{
    long start = now();

    begin(what, 0);
    int status = run(argv, envp);
    rest(NS_AFTER);
    end(what, 0);
    long length = now() - start;

    begin(what, 1);
    rest(length);
    end(what, 1);
    return status;
}

/* The kernel's stack for a new program: argc, argv and a 0, envp and a 0. */
__attribute__((used)) static void start(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1), **envp = argv + argc + 1;

    if (argc == 2 && argv[1][0] == 'r') {
        MARK(MARK_REPORT, 0);
        system_call(SYS_EXIT, 0, 0, 0, 0);
    }
    int usable = argc > 2 && (argv[1][0] == 'c' || argv[1][0] == 'd');
    system_call(SYS_EXIT, usable ? measure(argv[1][0], argv + 2, envp) : 2, 0, 0, 0);
}

__asm__(".globl _start\n"
        "_start:\n"
        "    mov x0, sp\n"
        "    b start\n");
