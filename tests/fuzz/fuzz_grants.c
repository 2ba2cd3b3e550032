/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: grant tables of three domains that are always there.
 *
 * The input is a sequence of actions: a domain writes an entry, makes a grant_table_op whose
 * elements often make sense, maps a frame of a table, or ends and comes back. At times another
 * CPU does something in the middle of an operation. After each action what holds of all tables
 * is checked (grant_invariants.h), after changes of what is mapped also that and the references
 * to frames. Domain 0 is honest: it must be told exactly which of its entries are in use.
 * fuzz_core.c has the same actions among everything else; here they come so densely that
 * rare states are met, on a machine that is as small as it can be.
 */
#include <stdarg.h>

#include <xen/memory.h>

#include "grants.h"
#include "grant_invariants.h"
#include "input.h"
#include "memory_invariants.h"

#define SLOTS G_DOMAINS
#define RAM_MIB 4
#define RAM_GFN (DOM_RAM >> PAGE_SHIFT)
#define ACTIONS_MAX 300
#define FRAMES_ARE_WRITTEN false /* arguments are in RAM, frames of tables elsewhere */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the actions in grant_actions.h know of the domains. */
struct slot {
    struct domain *d;
    bool dying; /* only while another domain does something to it */
    bool honest; /* never lies */
    bool lies; /* writes into entries of its grant table that are in use */
};

static struct {
    struct grants g;
    struct hv *hv;
    struct slot slot[SLOTS];
    uint32_t meddle_in; /* addresses that are translated before another CPU acts, 0: it does not */
    bool meddled; /* it has changed an entry or a version */
    uint64_t sets; /* changes of page tables when the mappings were checked last */
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

static void expect(const char *wrong)
{
    if (wrong != NULL) {
        finding(wrong);
    }
}

static void create(uint32_t i)
{
    struct domain_config c = { .grant_version_max = 2 };

    if (!g_create_with(&st.g, i, c, false)) {
        finding("a domain is not made");
    }
    st.slot[i] = (struct slot){ .d = st.g.d[i], .honest = i == 0 };
}

/* A call with one element, and what was so before it. */
struct call {
    uint64_t op, at;
    uint32_t live; /* handles */
    struct gnttab_copy copy;
    bool within; /* the copy leaves no part of a page that is granted */
};

/* The bytes of one end of a copy are granted, as far as the entry is one that says so. */
static bool is_within(const struct gnttab_copy_ptr *p, uint32_t len, bool by_ref)
{
    for (struct slot *s = st.slot; s < st.slot + SLOTS && by_ref; s++) {
        struct gnttab *t = s->d->gnttab;

        if (s->d->id != p->domid || t->version != 2 || t->entries.nr == 0 ||
            p->u.ref >= GRANTS_PER_FRAME_V2) {
            continue;
        }
        const union grant_entry_v2 *e =
            (const void *)guest_shared_word(&t->entries.page[0].shared, p->u.ref * sizeof(*e));

        if ((e->hdr.flags & (GTF_type_mask | GTF_sub_page)) == (GTF_permit_access | GTF_sub_page)) {
            return p->offset >= e->sub_page.page_off &&
                   p->offset + len <= (uint32_t)e->sub_page.page_off + e->sub_page.length;
        }
    }
    return true;
}

static void call_begin(struct call *c, struct domain *d, uint64_t op, uint64_t at)
{
    *c = (struct call){ .op = op, .at = at, .live = d->gnttab->maps.live, .within = true };
    if (op == GNTTABOP_copy && guest_phys_read(d, &c->copy, gpa(at), sizeof(c->copy)) == 0) {
        c->within = is_within(&c->copy.source, c->copy.len, c->copy.flags & GNTCOPY_source_gref) &&
                    is_within(&c->copy.dest, c->copy.len, c->copy.flags & GNTCOPY_dest_gref);
    }
}

/* The status that the guest reads; 0 where none is looked at. */
static int16_t read_status(struct domain *d, const struct call *c)
{
    struct gnttab_map_grant_ref map = { .status = 0 };
    struct gnttab_unmap_grant_ref unmap = { .status = 0 };
    struct gnttab_copy copy = { .status = 0 };

    switch (c->op) {
    case GNTTABOP_map_grant_ref:
        return guest_phys_read(d, &map, gpa(c->at), sizeof(map)) == 0 ? map.status : 0;
    case GNTTABOP_unmap_grant_ref:
        return guest_phys_read(d, &unmap, gpa(c->at), sizeof(unmap)) == 0 ? unmap.status : 0;
    case GNTTABOP_copy:
        return guest_phys_read(d, &copy, gpa(c->at), sizeof(copy)) == 0 ? copy.status : 0;
    default:
        return 0;
    }
}

/* A guest is told how its call went: elements are made with a status that means nothing. */
static void call_end(const struct call *c, struct domain *d, int64_t rc)
{
    bool is_map = c->op == GNTTABOP_map_grant_ref;
    bool is_new = d->gnttab->maps.live != c->live;

    if (rc == -XEN_EFAULT && is_map && is_new) {
        finding("a handle that the guest does not know");
    }
    if (rc != 0) {
        return;
    }
    int16_t status = read_status(d, c);
    if (status > 0) {
        finding("a guest is not told how its operation went");
    }
    if (is_map && is_new != (status == GNTST_okay)) {
        finding("a guest is told something else than how its operation went");
    }
    if (c->op == GNTTABOP_copy && status == GNTST_okay && !c->within) {
        finding("bytes are copied that were not granted");
    }
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
    uint64_t op = v->arch.reg[0], at = v->arch.reg[1], count = v->arch.reg[2];
    struct call c;

    call_begin(&c, st.g.d[i], op, at);
    int64_t rc = g_hypercall(&st.g, i, op, at, count);

    v->arch.va_ro = 0;
    if (count == 1 && !st.meddled) {
        call_end(&c, st.g.d[i], rc);
    }
}

/* A domain maps a frame of its table by add_to_physmap, or removes one. */
static void place_frame(uint32_t i)
{
    uint32_t how = u8();
    uint64_t at = GRANT_WINDOW + (how >> 4);
    struct xen_add_to_physmap add = { .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table,
                                      .idx = (how & 3) | (how & 4 ? XENMAPIDX_grant_table_status
                                                                  : 0),
                                      .gpfn = at };
    struct xen_remove_from_physmap remove = { .domid = DOMID_SELF, .gpfn = at };
    bool is_add = (how & 8) == 0;

    if (guest_phys_write(st.g.d[i], gpa(G_ARG), is_add ? (void *)&add : (void *)&remove,
                         is_add ? sizeof(add) : sizeof(remove), false) == 0) {
        dom_hypercall(st.g.w, i, __HYPERVISOR_memory_op,
                      is_add ? XENMEM_add_to_physmap : XENMEM_remove_from_physmap, G_ARG, 0);
    }
}

/* What another CPU does while v's hypercall is about to look at v's memory, whose map it holds. */
static void meddle(struct vcpu *v, uint64_t addr, bool write)
{
    struct pcpu *p = st.g.w->machine.cpu;

    if (st.meddle_in == 0 || --st.meddle_in != 0) {
        return;
    }
    uint32_t how = u8();
    struct slot *s = any_slot();

    world_cpu(st.g.w, (p->id + 1) % G_DOMAINS);
    st.meddled = true;
    if ((how & 0xe0) == 0) {
        v->arch.va_ro = UINT64_MAX; /* results cannot be written any more */
        st.meddled = false;
    } else if ((how & 1) != 0 || s->d->gnttab->entries.nr == 0) {
        (void)!gnttab_set_version(s->d, 1 + (how >> 1 & 1));
    } else {
        write_entry(s);
    }
    st.g.w->machine.cpu = p;
}

/* A domain goes and comes back; while it goes, another maps of it what there is. */
static void again(uint32_t i)
{
    uint32_t how = u8();
    struct slot *s = &st.slot[i];

    s->dying = true;
    for (uint32_t step = 0; domain_destroy(s->d) != 0; step++) {
        if (step == how % 8) {
            map_frame(s->d, st.g.d[(i + 1) % G_DOMAINS]);
        }
        if (step > 1000) {
            finding("a domain does not end");
        }
        dom_settle(st.g.w);
        expect(grant_check_step(st.hv));
    }
    s->d = NULL;
    expect(grant_check(st.hv));
    create(i);
}

static void check(void)
{
    expect(grant_check_step(st.hv));
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        const struct domain *d = st.g.d[i];

        if (!st.slot[i].lies) {
            expect(grant_check_marks(d, st.slot[i].honest));
            expect(grant_check_granted(d));
        }
        if (d->refs != 1 + grant_references(st.hv, d)) {
            finding("references to a domain are lost or left");
        }
    }
    if (st.sets != st.g.w->machine.sets) {
        st.sets = st.g.w->machine.sets;
        expect(grant_check_maps(st.hv));
        expect(memory_check_references(st.hv));
    }
}

static void action(void)
{
    uint32_t what = u8(), i = what % G_DOMAINS;

    st.meddle_in = 0;
    st.meddled = false;
    if (what < 6) {
        again(i);
    } else if (what < 80) {
        action_grant(&st.slot[i]);
    } else if (what < 100) {
        place_frame(i);
    } else {
        st.meddle_in = what >= 224 ? 1 + what % 8 : 0;
        operation(i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&st, 0, sizeof(st));
    input_begin(data, size);
    st.g.w = dom_world_of(G_DOMAINS, RAM_MIB);
    st.g.w->machine.on_translate = meddle;
    st.hv = st.g.w->hv;
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        create(i);
    }
    for (uint32_t n = 0; n < ACTIONS_MAX && input_goes_on(); n++) {
        action();
        check();
    }
    st.meddle_in = 0;
    expect(grant_check(st.hv));
    expect(memory_check_references(st.hv));
    for (uint32_t i = 0; i < G_DOMAINS; i++) {
        g_destroy(&st.g, i);
        st.slot[i].d = NULL;
        expect(grant_check(st.hv));
    }
    world_destroy(st.g.w);
    return 0;
}
