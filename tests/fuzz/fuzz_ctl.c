/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: domctl by a control domain on a fake host of two CPUs.
 *
 * The input is a sequence of operations: any row with any version, domain and structure, whose
 * pointers mostly lead to a page of the caller's with bytes of the input. Now and then an
 * allocation fails. After each operation no lock is held, no domain is held or referenced by
 * anybody but its creator; in the end every domain is taken apart and nothing may be left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define OPERATIONS_MAX 60

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input {
    const uint8_t *at;
    size_t left;
    uint32_t fail_in; /* the allocation that fails, 0: none */
    bool failed;
} in;

/* What world.h and dom.h ask of a harness. */
void unit_fail(const char *file, int line, const char *text)
{
    fprintf(stderr, "finding: %s:%d: %s\n", file, line, text);
    abort();
}

void unit_fail_eq(const char *file, int line, const char *text, long long a, long long b)
{
    fprintf(stderr, "%lld and %lld: ", a, b);
    unit_fail(file, line, text);
}

bool unit_alloc_should_fail(void)
{
    bool fails = in.fail_in != 0 && --in.fail_in == 0;

    in.failed |= fails;
    return fails;
}

bool unit_injecting(void) { return in.failed; }
bool unit_injected(void) { return in.failed; }

static uint32_t u8(void)
{
    if (in.left == 0) {
        return 0;
    }
    in.left--;
    return *in.at++;
}

static uint32_t u32(void) { return u8() | u8() << 8 | u8() << 16 | u8() << 24; }

#define CTL_ROW(nr, bytes, direction, wire, target, fn) nr,
static const uint32_t commands[] = {
#define DOMCTL_ROWS
#include <gen/ctl.h>
#undef DOMCTL_ROWS
};
#undef CTL_ROW

/* A word of a structure: small, a flag, a pointer, or anything. */
static uint64_t word(void)
{
    uint32_t how = u8();

    switch (how & 7) {
    case 0:
        return u8();
    case 1:
        return BIT(u8() & 63);
    case 2:
    case 3:
        return TOOLSTACK_BUF + (how >> 3);
    case 4:
        return UINT64_MAX - u8();
    case 5:
        return (uint64_t)u32() << 32 | u32();
    case 6:
        return 0x40000 + u8();
    default:
        return how >> 3 & 3;
    }
}

static void fill(struct xen_domctl *op)
{
    for (uint32_t i = 0, nr = u8() & 15; i < nr; i++) {
        uint64_t w = word();

        memcpy(op->u + 4 * (u8() % 31), &w, 8);
    }
    if (op->cmd == XEN_DOMCTL_createdomain && u8() & 3) {
        struct xen_domctl_createdomain c = toolstack_config(1 + u8() % 4);

        memcpy(op->u, &c, sizeof(c));
    }
}

static void check(struct toolstack *t)
{
    for (uint32_t i = 0; i < t->w->hv->nr_pcpus; i++) {
        CHECK_EQ(t->w->hv->pcpus[i]->lock_depth, 0);
    }
    for (uint32_t i = 0; i < HV_DOMAINS_MAX; i++) {
        struct domain *d = t->w->hv->domains[i];

        CHECK(d == NULL || (d->refs == 1 && d->busy == 0));
    }
}

static void operation(struct toolstack *t)
{
    uint32_t how = u8();
    struct xen_domctl op = { .cmd = commands[u8() % ARRAY_SIZE(commands)],
                             .domain = (domid_t)(how & 8    ? 1 + how % 4
                                                  : how & 16 ? u32()
                                                             : 0x7ff5) };
    uint8_t page[256];

    t->version = 0x12 + how % 8; /* one of them is nobody's */
    fill(&op);
    for (uint32_t i = 0; i < sizeof(page); i++) {
        page[i] = (uint8_t)(i % 8 == 0 ? u8() : 0);
    }
    toolstack_put(t, TOOLSTACK_BUF, page, sizeof(page));
    in.fail_in = how & 32 ? u8() & 15 : 0;
    toolstack_domctl(t, &op);
    in.fail_in = 0;
    if (how & 64) {
        dom_run(t->w, 1, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = (struct input){ data, size, 0, false };
    struct toolstack t = toolstack_begin(2);

    world_inject(t.w, true);
    for (uint32_t i = 0; in.left != 0 && i < OPERATIONS_MAX; i++) {
        /* A guest of the toolstack's may take its CPU. */
        if (t.w->hv->pcpus[0]->current != t.v) {
            break;
        }
        operation(&t);
        check(&t);
    }
    in.fail_in = 0;
    for (uint32_t i = 0; i < 20; i++) {
        t.w->machine.now += 2 * NS_PER_MS;
        dom_settle(t.w);
    }
    toolstack_end(&t);
    return 0;
}
