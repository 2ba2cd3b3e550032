/* SPDX-License-Identifier: MIT */
/*
 * Conformance tests of the architecture contract (hv/arch/include/arch/):
 * the same source on every architecture and on the fake one.
 *
 * On hardware selftest.c runs them on the boot CPU, with the other CPUs idle in
 * their run loops (make SELFTEST=1). On the host tests/unit/test_conform.c does,
 * with a machine whose other CPUs and time move only when it is told so.
 * A test that leaves memory allocated fails. What a guest's registers are like
 * only an arch_*.c here knows.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <loam/compiler.h>
#include <loam/types.h>

struct domain;
struct hv;
struct pcpu;
struct vcpu;

struct conform {
    struct hv *hv;
    void (*emit)(void *arg, const char *line); /* a result line */
    void *arg;
    /* Lets the other CPUs do what waits for them, and time pass; NULL: both go on by themselves. */
    void (*others)(struct conform *c);
    uint32_t passed, failed;
    char why[160]; /* the first failure of the running test, "": none */
};

struct conform_test {
    const char *name;
    void (*run)(struct conform *c);
    bool keeps; /* memory stays allocated, as the contract says */
};

struct conform_group {
    const struct conform_test *tests;
    uint32_t nr;
};

extern const struct conform_group conform_time, conform_memory, conform_stage2, conform_guest,
    conform_vcpu, conform_vintc, conform_machine;

/* Runs all tests: a line "ok N - name" or "not ok N - name: why" each, then "N passed, N failed".
 */
void conform_run(struct conform *c);

void conform_fail(struct conform *c, const char *where, int line, const char *what);

#define EXPECT(c, cond) \
    do { \
        if (!(cond)) { \
            conform_fail(c, __func__, __LINE__, #cond); \
        } \
    } while (0)

/* The same, and leaves the function. */
#define NEED(c, cond) \
    do { \
        if (!(cond)) { \
            conform_fail(c, __func__, __LINE__, #cond); \
            return; \
        } \
    } while (0)

/* A moment passes. */
void conform_step(struct conform *c);
/* Waits until done(arg), `limit` at most; whether it came. */
bool conform_wait(struct conform *c, bool (*done)(void *arg), void *arg, ns_t limit);

/*
 * A domain that is in no table and no scheduler: memory map, interrupt controller, room for
 * vcpus_max vCPUs of which the first `vcpus` are there, never to run. NULL: that failed the test.
 */
struct domain *conform_domain(struct conform *c, uint32_t vcpus_max, uint32_t vcpus);
void conform_domain_end(struct conform *c, struct domain *d);

/* v's state goes into this CPU's hardware / comes back. */
void conform_load(struct vcpu *v);
void conform_save(struct vcpu *v);

/* A name in a text. */
bool conform_has(const char *text, const char *name);

/* --- What only the architecture knows (arch_*.c) --------------------------------- */

/* The first 64 bytes of the smallest kernel image that is one. */
void conform_kernel(uint8_t head[64]);
/* What a guest's interrupt controller is like, for the tests. */
enum conform_intc {
    INTC_CLOSED, /* its registers are the hardware's, which only the running guest reaches */
    INTC_FOLLOWS, /* a level that is gone before it is taken is no interrupt */
    INTC_LATCHES, /* it is one, until it is taken (PLIC spec 1.0 ch. 6) */
};
/* The guest of v opens its interrupt controller for virq, edge or level, towards v. */
enum conform_intc conform_open_virq(struct vcpu *v, uint32_t virq, bool edge);

#endif
