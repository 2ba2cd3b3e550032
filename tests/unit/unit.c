/* SPDX-License-Identifier: MIT */
/*
 * The harness of the unit tests: registration, the runs, the report.
 *
 * A test declared with TEST_ALLOC runs once as it is, then with allocation
 * number n failing for n = 1, 2, ... until a run ends in which no allocation had
 * that number. A test that hangs is ended by SIGALRM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#define SECONDS_PER_TEST 120
#define INJECTIONS_MAX 100000

static struct unit_test *tests;
static struct unit_test **tests_end = &tests;

static struct {
    int failures; /* of the running test */
    unsigned long fail_nth; /* 0: no injection */
    unsigned long allocations;
    bool injected;
} run;

/* Present where the program is built with LeakSanitizer. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

void unit_register(struct unit_test *t)
{
    *tests_end = t;
    tests_end = &t->next;
}

static void fail_at(const char *file, int line)
{
    run.failures++;
    printf("# %s:%d: ", file, line);
    if (run.fail_nth) {
        printf("[allocation %lu fails] ", run.fail_nth);
    }
}

void unit_fail(const char *file, int line, const char *text)
{
    fail_at(file, line);
    printf("%s is false\n", text);
}

void unit_fail_eq(const char *file, int line, const char *text, long long a, long long b)
{
    fail_at(file, line);
    printf("%s: %lld (0x%llx) and %lld (0x%llx)\n", text, a, a, b, b);
}

void unit_fail_str(const char *file, int line, const char *text, const char *a, const char *b)
{
    fail_at(file, line);
    printf("%s: \"%s\" and \"%s\"\n", text, a ? a : "(null)", b ? b : "(null)");
}

bool unit_alloc_should_fail(void)
{
    run.allocations++;
    if (run.fail_nth == 0 || run.allocations != run.fail_nth) {
        return false;
    }
    run.injected = true;
    return true;
}

bool unit_injecting(void) { return run.fail_nth != 0; }
bool unit_injected(void) { return run.injected; }

static void run_once(const struct unit_test *t, unsigned long fail_nth)
{
    run.fail_nth = fail_nth;
    run.allocations = 0;
    run.injected = false;
    alarm(SECONDS_PER_TEST);
    t->run();
    alarm(0);
}

/* What leaked is found again by each later check: only the first test is blamed. */
static void check_leaks(void)
{
    static bool reported;

    alarm(SECONDS_PER_TEST); /* the check stops the program's threads and has been seen to hang */
    if (!reported && __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()) {
        reported = true;
        unit_fail(__FILE__, __LINE__, "the test leaks nothing");
    }
    alarm(0);
}

static bool run_test(const struct unit_test *t)
{
    run.failures = 0;
    run_once(t, 0);
    for (unsigned long n = 1; t->inject && run.failures == 0; n++) {
        run_once(t, n);
        if (!run.injected) {
            break;
        }
        if (n == INJECTIONS_MAX) {
            unit_fail(__FILE__, __LINE__, "the test comes to an end of its allocations");
        }
    }
    check_leaks();
    return run.failures == 0;
}

static bool is_wanted(const struct unit_test *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], t->name) == 0) {
            return true;
        }
    }
    return argc < 2;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *program = slash ? slash + 1 : argv[0];
    unsigned int passed = 0;
    unsigned int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strncmp(program, "test_", 5) == 0) {
        program += 5;
    }
    for (const struct unit_test *t = tests; t; t = t->next) {
        if (!is_wanted(t, argc, argv)) {
            continue;
        }
        bool ok = run_test(t);
        *(ok ? &passed : &failed) += 1;
        printf("%sok %u - %s: %s\n", ok ? "" : "not ", passed + failed, program, t->name);
    }
    if (passed + failed == 0) {
        printf("# no such test\n");
        failed = 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
