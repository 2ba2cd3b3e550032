/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: grant tables of three domains that are always there.
 *
 * The input is a sequence of actions: a domain writes an entry, makes a grant_table_op whose
 * elements often make sense, maps a frame of a table, or ends and comes back. After each
 * action what holds of all tables is checked (grant_invariants.h). fuzz_core.c has the same
 * actions among everything else; here they come so densely that rare states are met.
 */
#include <stdarg.h>

#include "grants.h"
#include "grant_invariants.h"

#define SLOTS G_DOMAINS
#define RAM_GFN (DOM_RAM >> PAGE_SHIFT)
#define ACTIONS_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the actions in grant_actions.h know of the domains. */
struct slot {
    struct domain *d;
    bool dying; /* never seen by an action here */
    bool lies; /* writes into entries of its grant table that are in use */
};

static struct {
    struct grants g;
    struct hv *hv;
    const uint8_t *in;
    size_t left;
    struct slot slot[SLOTS];
} st;

static void finding(const char *text)
{
    fprintf(stderr, "finding: %s\n%s\n", text, st.g.w->machine.console);
    abort();
}

/* The harness of unit tests, as far as grants.h needs it. */
void unit_fail(const char *file, int line, const char *text) { finding(text); }
void unit_fail_eq(const char *file, int line, const char *text, long long a, long long b)
{
    finding(text);
}
bool unit_injected(void) { return false; }
bool unit_alloc_should_fail(void) { return false; }

static uint32_t u8(void)
{
    if (st.left == 0) {
        return 0;
    }
    st.left--;
    return *st.in++;
}

static uint64_t odd_number(void)
{
    uint32_t how = u8();

    switch (how & 3) {
    case 0:
        return UINT64_MAX - u8();
    case 1:
        return UINT64_C(1) << (how >> 2);
    default:
        return u8();
    }
}

/* Where arguments are, as a rule. */
static uint64_t guest_addr(void)
{
    uint32_t how = u8();

    return how < 4 ? odd_number() : G_ARG + (how & 31) * 64;
}

static struct slot *any_slot(void) { return &st.slot[u8() % SLOTS]; }

#include "grant_actions.h"

static void create(uint32_t i)
{
    if (!g_create(&st.g, i, (struct domain_config){ .grant_version_max = 2 })) {
        finding("a domain is not made");
    }
    st.slot[i] = (struct slot){ .d = st.g.d[i] };
}

static void operation(uint32_t i)
{
    static const uint8_t ops[] = { 0, 0, 0, 0, 0, 1, 1, 1, 5, 5, 5, 5, 8, 11, 12, 2 };
    struct vcpu *v = st.g.d[i]->vcpus[0];
    uint32_t how = u8();

    v->arch.reg[0] = how < 240 ? ops[how % ARRAY_SIZE(ops)] : how % 16;
    v->arch.reg[1] = G_ARG;
    v->arch.reg[2] = how;
    fill_grant_op(v);
    g_hypercall(&st.g, i, v->arch.reg[0], v->arch.reg[1], v->arch.reg[2]);
}

/* A domain goes, and perhaps another is at a step of its own end. */
static void again(uint32_t i)
{
    g_destroy(&st.g, i);
    st.slot[i].d = NULL;
    const char *wrong = grant_check(st.hv);
    if (wrong != NULL) {
        finding(wrong);
    }
    create(i);
}

static void check(void)
{
    const char *wrong = grant_check(st.hv);

    for (uint32_t i = 0; i < G_DOMAINS && wrong == NULL; i++) {
        wrong = st.slot[i].lies ? NULL : grant_check_marks(st.g.d[i]);
        if (st.g.d[i]->refs != 1 + grant_references(st.hv, st.g.d[i])) {
            wrong = "references to a domain are lost or left";
        }
    }
    if (wrong != NULL) {
        finding(wrong);
    }
}

static void action(void)
{
    uint32_t what = u8(), i = what % G_DOMAINS;

    if (what < 6) {
        again(i);
    } else if (what < 100) {
        action_grant(&st.slot[i]);
    } else {
        operation(i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&st, 0, sizeof(st));
    st.in = data;
    st.left = size;
    st.g.w = dom_world(G_DOMAINS);
    st.hv = st.g.w->hv;
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        create(i);
    }
    for (uint32_t n = 0; n < ACTIONS_MAX && st.left != 0; n++) {
        action();
        check();
    }
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        g_destroy(&st.g, i);
    }
    world_destroy(st.g.w);
    return 0;
}
