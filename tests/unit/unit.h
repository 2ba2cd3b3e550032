/* SPDX-License-Identifier: MIT */
/*
 * The harness of the unit tests.
 *
 *   TEST(name) { CHECK(...); }         a test
 *   TEST_ALLOC(name) { ... }           a test that also runs with the 1st, 2nd, ...
 *                                      allocation failing, until none is left to fail
 *
 * Tests register themselves; the program runs all of them, or those named on
 * its command line, in the order of the source. CHECKs report and go on,
 * REQUIREs leave the test. The allocator under test asks unit_alloc_should_fail()
 * before each allocation. A test must free what it made in injected runs,
 * too: with LeakSanitizer in the build, a leak fails the test that leaked.
 * Output: "ok N - program: test" or "not ok ..." per test, and a closing
 * "N passed, N failed"; exit status 0 if none failed.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct unit_test {
    const char *name;
    void (*run)(void);
    bool inject;
    struct unit_test *next;
};

/* Used by the macros below. */
void unit_register(struct unit_test *t);
void unit_fail(const char *file, int line, const char *text);
void unit_fail_eq(const char *file, int line, const char *text, long long a, long long b);
void unit_fail_str(const char *file, int line, const char *text, const char *a, const char *b);

/* The allocator's question: is this the allocation that fails? */
bool unit_alloc_should_fail(void);

/* Is this a run in which an allocation fails, and has it failed already? */
bool unit_injecting(void);
bool unit_injected(void);

#define UNIT_REGISTER(test, with_injection) \
    static void test_##test(void); \
    __attribute__((constructor)) static void register_##test(void) \
    { \
        static struct unit_test t = { #test, test_##test, with_injection, NULL }; \
        unit_register(&t); \
    } \
    static void test_##test(void)

#define TEST(name) UNIT_REGISTER(name, false)
#define TEST_ALLOC(name) UNIT_REGISTER(name, true)

#define CHECK(cond) \
    do { \
        if (!(cond)) { \
            unit_fail(__FILE__, __LINE__, #cond); \
        } \
    } while (0)

#define REQUIRE(cond) \
    do { \
        if (!(cond)) { \
            unit_fail(__FILE__, __LINE__, #cond); \
            return; \
        } \
    } while (0)

/* Leave the test if cond is false; that is a failure unless an allocation was made to fail. */
#define REQUIRE_OR_INJECTED(cond) \
    do { \
        if (!(cond)) { \
            if (!unit_injected()) { \
                unit_fail(__FILE__, __LINE__, #cond); \
            } \
            return; \
        } \
    } while (0)

/* Two integers of any type are equal. */
#define CHECK_EQ(a, b) \
    do { \
        __typeof__(a) eq_a_ = (a); \
        __typeof__(b) eq_b_ = (b); \
        if ((long long)eq_a_ != (long long)eq_b_) { \
            unit_fail_eq(__FILE__, __LINE__, #a " == " #b, (long long)eq_a_, (long long)eq_b_); \
        } \
    } while (0)

/* Two strings are equal; NULL equals only NULL. */
#define CHECK_STR(a, b) \
    do { \
        const char *str_a_ = (a); \
        const char *str_b_ = (b); \
        if (!str_a_ || !str_b_ ? str_a_ != str_b_ : strcmp(str_a_, str_b_) != 0) { \
            unit_fail_str(__FILE__, __LINE__, #a " == " #b, str_a_, str_b_); \
        } \
    } while (0)

#endif
