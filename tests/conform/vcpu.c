/* SPDX-License-Identifier: MIT */
/* arch/vcpu.h: a vCPU's state between memory and hardware, seen through arch_vcpu_dump(). */
#include <arch/guest.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/lock.h>
#include <loam/mem.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vcpu.h>

#include "conform.h"

#define ENTRY_A 0x123400u
#define ENTRY_B 0x567800u
#define ARG_A 0x1a2b3c4du
#define ARG_B 0x2b3c4d5eu
#define VALUE 0x5eed1234u

/* Dumps of two vCPUs. */
struct dump {
    char text[2048];
    size_t length;
};

static void add_line(void *arg, const char *line)
{
    struct dump *s = arg;
    size_t left = sizeof(s->text) - s->length;

    s->length += MIN(fmt_print(s->text + s->length, left, "%s\n", line), left - 1);
}

static struct dump *dump(struct conform *c, struct vcpu *v)
{
    struct dump *s = mem_alloc(c->hv, sizeof(*s));

    if (s == NULL) {
        conform_fail(c, __func__, __LINE__, "there is memory");
        return NULL;
    }
    arch_vcpu_dump(v, add_line, s);
    return s;
}

static void forget(struct conform *c, struct dump *s) { mem_free(c->hv, s, sizeof(*s)); }

static bool dump_has(const struct dump *s, uint64_t value)
{
    char hex[20];

    fmt_print(hex, sizeof(hex), "%llx", (unsigned long long)value);
    return s != NULL && conform_has(s->text, hex);
}

/* v is as it was when `before` was taken. */
static void check_same(struct conform *c, struct vcpu *v, const struct dump *before)
{
    struct dump *now = dump(c, v);

    EXPECT(c, now != NULL && before != NULL && strcmp(now->text, before->text) == 0);
    forget(c, now);
}

static uint64_t at(uint64_t offset) { return arch_guest_layout()->ram_base[0].a + offset; }

static void reset_sets_entry_and_argument(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    struct vcpu *v = d->vcpus[0];

    arch_vcpu_reset(v, at(ENTRY_A), ARG_A);
    struct dump *s = dump(c, v);

    EXPECT(c, dump_has(s, at(ENTRY_A)) && dump_has(s, ARG_A));
    forget(c, s);

    /* Nothing of before is left. */
    arch_hc_set_result(&v->arch, VALUE);
    arch_vcpu_reset(v, at(ENTRY_B), ARG_B);
    s = dump(c, v);
    EXPECT(c, dump_has(s, at(ENTRY_B)) && dump_has(s, ARG_B));
    EXPECT(c, !dump_has(s, at(ENTRY_A)) && !dump_has(s, ARG_A) && !dump_has(s, VALUE));
    forget(c, s);
    conform_domain_end(c, d);
}

static void load_and_save(struct vcpu *v)
{
    conform_load(v);
    conform_save(v);
}

/* v, loaded, takes a fault: its exception registers are its own now. */
static void take_fault(struct vcpu *v)
{
    struct vm_exit x = { .kind = VM_EXIT_MMIO, .mmio = { .addr = { at(0x8000) }, .size = 4 } };
    struct pcpu *p = this_pcpu();

    p->current = v;
    arch_inject_access_fault(v, &x);
    p->current = NULL;
}

static void a_round_trip_changes_nothing(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    struct vcpu *v = d->vcpus[0];

    /* The first trip may show bits that the hardware has fixed. */
    arch_vcpu_reset(v, at(ENTRY_A), ARG_A);
    load_and_save(v);
    struct dump *s = dump(c, v);

    EXPECT(c, dump_has(s, at(ENTRY_A)) && dump_has(s, ARG_A));
    load_and_save(v);
    check_same(c, v, s);
    forget(c, s);

    conform_load(v);
    take_fault(v);
    conform_save(v);
    s = dump(c, v);
    load_and_save(v);
    check_same(c, v, s);
    forget(c, s);
    conform_domain_end(c, d);
}

/* Two that take turns on one CPU do not see each other's state. */
static void check_apart(struct conform *c, struct vcpu *a, struct vcpu *b)
{
    arch_vcpu_reset(a, at(ENTRY_A), ARG_A);
    arch_vcpu_reset(b, at(ENTRY_B), ARG_B);
    conform_load(a);
    take_fault(a);
    conform_save(a);
    struct dump *sa = dump(c, a);

    load_and_save(b);
    struct dump *sb = dump(c, b);

    EXPECT(c, dump_has(sa, at(ENTRY_A)) && dump_has(sa, ARG_A));
    EXPECT(c, dump_has(sb, at(ENTRY_B)) && dump_has(sb, ARG_B));
    EXPECT(c, !dump_has(sb, at(ENTRY_A)) && !dump_has(sa, at(ENTRY_B)));
    for (uint32_t i = 0; i < 3; i++) {
        load_and_save(a);
        check_same(c, a, sa);
        check_same(c, b, sb);
        load_and_save(b);
        check_same(c, a, sa);
        check_same(c, b, sb);
    }
    forget(c, sa);
    forget(c, sb);
}

static void vcpus_of_a_domain_are_apart(struct conform *c)
{
    struct domain *d = conform_domain(c, 2, 2);

    if (d != NULL) {
        check_apart(c, d->vcpus[0], d->vcpus[1]);
        conform_domain_end(c, d);
    }
}

static void vcpus_of_two_domains_are_apart(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1), *e = conform_domain(c, 1, 1);

    if (d != NULL && e != NULL) {
        check_apart(c, d->vcpus[0], e->vcpus[0]);
    }
    if (d != NULL) {
        conform_domain_end(c, d);
    }
    if (e != NULL) {
        conform_domain_end(c, e);
    }
}

static void skipping_moves_on(struct conform *c)
{
    struct vm_exit x = { .kind = VM_EXIT_IDLE };
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    struct vcpu *v = d->vcpus[0];

    arch_vcpu_reset(v, at(ENTRY_A), ARG_A);
    conform_load(v);
    arch_vcpu_skip(v, &x);
    conform_save(v);
    struct dump *s = dump(c, v);

    EXPECT(c, dump_has(s, at(ENTRY_A) + 4)); /* an idle instruction has four bytes everywhere */
    EXPECT(c, !dump_has(s, at(ENTRY_A)));
    forget(c, s);
    conform_domain_end(c, d);
}

static void hypercall_registers(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    struct vcpu *v = d->vcpus[0];

    arch_vcpu_reset(v, at(ENTRY_A), 0);
    arch_hc_set_result(&v->arch, VALUE);
    struct dump *s = dump(c, v);

    EXPECT(c, dump_has(s, VALUE));
    EXPECT(c, arch_hc_number(&v->arch) == 0);
    /* Five of them, of which the result's may be one. */
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t arg = arch_hc_args(&v->arch)[i];

        EXPECT(c, arg == 0 || (i == 0 && arg == VALUE));
    }
    forget(c, s);
    conform_domain_end(c, d);
}

static void with_its_mmu_off_addresses_are_its_own(struct conform *c)
{
    struct domain *d = conform_domain(c, 1, 1);

    if (d == NULL) {
        return;
    }
    const uint64_t offsets[] = { 0, 0x123, PAGE_SIZE - 1, 5 * PAGE_SIZE + 8 };
    struct vcpu *v = d->vcpus[0];

    arch_vcpu_reset(v, at(0), 0);
    conform_load(v);
    spin_lock(&d->p2m.lock);
    for (uint32_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        gpa_t out = gpa(0);

        EXPECT(c, arch_guest_translate(v, at(offsets[i]), i & 1, &out) == 0);
        EXPECT(c, out.a == at(offsets[i]));
    }
    spin_unlock(&d->p2m.lock);
    conform_save(v);
    conform_domain_end(c, d);
}

static const struct conform_test tests[] = {
    { "vcpu: reset sets entry and argument", reset_sets_entry_and_argument, false },
    { "vcpu: a round trip changes nothing", a_round_trip_changes_nothing, false },
    { "vcpu: those of a domain are apart", vcpus_of_a_domain_are_apart, false },
    { "vcpu: those of two domains are apart", vcpus_of_two_domains_are_apart, false },
    { "vcpu: skipping an instruction moves on", skipping_moves_on, false },
    { "vcpu: registers of a hypercall", hypercall_registers, false },
    { "vcpu: with its MMU off addresses are its own", with_its_mmu_off_addresses_are_its_own,
      false },
};
const struct conform_group conform_vcpu = { tests, ARRAY_SIZE(tests) };
