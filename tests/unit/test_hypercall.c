/* SPDX-License-Identifier: MIT */
/*
 * core/hypercall.c through the run loop: bounds, policy and copies, for every
 * row of the table that the dispatcher is generated from.
 */
#include <loam/guest_copy.h>
#include <loam/hypercall.h>
#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>
#include <xen/version.h>
#include <xen/xen.h>

#include "dom.h"

#define HC_INCLUDES
#include <gen/hypercalls.h>
#undef HC_INCLUDES

struct row {
    uint32_t op, size, dir, arg, who;
};

#define HC_ROWS(name) static const struct row rows_##name[] = {
#define HC_ROW(op, bytes, direction, reg, mask, fn) { op, bytes, direction, reg, mask },
#define HC_ROWS_END \
    } \
    ;
#include <gen/hypercalls.h>
#undef HC_ROW

static const struct call {
    uint32_t number, mask, nr;
    const struct row *rows;
} calls[] = {
#define HC_CALL(number, name, mask) { number, mask, ARRAY_SIZE(rows_##name), rows_##name },
#include <gen/hypercalls.h>
#undef HC_CALL
};

#define NOWHERE UINT64_C(0x7000000000)
#define YIELD __HYPERVISOR_sched_op, 0

struct fixture {
    struct world *w;
    struct domain *d;
};

static struct fixture begin(bool enhanced)
{
    struct fixture f = { .w = dom_world(1) };

    f.d = dom_create(f.w, "caller", 1, enhanced);
    if (f.d != NULL) {
        domain_start(f.d);
        dom_run(f.w, 0, 0);
    }
    return f;
}

static void end(struct fixture *f)
{
    dom_destroy(f->w, f->d);
    world_destroy(f->w);
}

/* Row r of c, its argument at addr. */
static int64_t call_row(struct fixture *f, const struct call *c, const struct row *r, uint64_t addr)
{
    uint64_t a[3] = { r->op };

    a[r->arg] = addr;
    return dom_hypercall(f->w, 0, c->number, a[0], a[1], a[2]);
}

/* Leaves the domain as it was: these rows stop or block the caller when they succeed. */
static bool gives_up_cpu(const struct call *c, const struct row *r)
{
    return c->number == __HYPERVISOR_sched_op && r->op >= 1 && r->op <= 3;
}

/* An argument of zeros is not what every operation wants, but each answers of its own. */
TEST(every_row_answers)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (uint32_t j = 0; j < calls[i].nr; j++) {
            const struct row *r = &calls[i].rows[j];
            struct fixture f = begin(true);
            struct vcpu *v = f.d->vcpus[0];
            int64_t rc = call_row(&f, &calls[i], r, DOM_RAM + 0x100);

            CHECK(rc > -200); /* not -1000 or so: it is one of the ABI's errors */
            CHECK(vcpu_is_runnable(v) || gives_up_cpu(&calls[i], r));
            end(&f);
        }
    }
}

TEST(a_domain_without_control_is_refused_what_is_not_for_it)
{
    struct fixture f = begin(true);
    uint32_t rows = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (uint32_t j = 0; j < calls[i].nr; j++) {
            if (calls[i].rows[j].who & HC_WHO_ENHANCED) {
                continue;
            }
            rows += calls[i].rows[j].who != 0;
            CHECK_EQ(call_row(&f, &calls[i], &calls[i].rows[j], DOM_RAM + 0x100),
                     calls[i].rows[j].who != 0 ? -XEN_EPERM : -XEN_ENOSYS);
        }
    }
    CHECK(rows != 0);
    end(&f);
}

TEST(a_plain_domain_is_refused_every_row)
{
    struct fixture f = begin(false);

    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (uint32_t j = 0; j < calls[i].nr; j++) {
            CHECK_EQ(call_row(&f, &calls[i], &calls[i].rows[j], DOM_RAM), -XEN_ENOSYS);
        }
    }
    CHECK(vcpu_is_runnable(f.d->vcpus[0]));
    end(&f);
}

TEST(a_bad_pointer_is_a_fault)
{
    static const uint64_t bad[] = { 0, NOWHERE, UINT64_MAX, UINT64_MAX - 3,
                                    DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER) - 1 };
    struct fixture f = begin(true);
    uint32_t rows = 0;

    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (uint32_t j = 0; j < calls[i].nr; j++) {
            if (!(calls[i].rows[j].who & HC_WHO_ENHANCED)) {
                continue;
            }
            for (uint32_t k = 0; k < ARRAY_SIZE(bad) && calls[i].rows[j].size > 1; k++) {
                rows++;
                CHECK_EQ(call_row(&f, &calls[i], &calls[i].rows[j], bad[k]),
                         calls[i].rows[j].who & HC_WHO_ENHANCED ? -XEN_EFAULT : -XEN_EPERM);
            }
        }
    }
    CHECK(rows > 0);
    CHECK(vcpu_is_runnable(f.d->vcpus[0]));
    CHECK_EQ(f.d->state, DOMAIN_RUNNING);
    end(&f);
}

TEST(read_only_memory_is_no_place_for_results)
{
    struct fixture f = begin(true);
    gfn_t g = gpa_to_gfn(gpa(DOM_RAM));
    mfn_t m = p2m_lookup(f.d, g, NULL, NULL);

    CHECK_EQ(p2m_unmap(f.d, g, 1), 0);
    CHECK_EQ(p2m_map(f.d, g, m, 1, P2M_RAM_RO), 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (uint32_t j = 0; j < calls[i].nr; j++) {
            if ((calls[i].rows[j].dir & HC_OUT) && (calls[i].rows[j].who & HC_WHO_ENHANCED)) {
                CHECK(call_row(&f, &calls[i], &calls[i].rows[j], DOM_RAM) < 0);
            }
        }
    }
    end(&f);
}

TEST(a_result_crosses_pages)
{
    struct fixture f = begin(true);
    uint64_t at = DOM_RAM + PAGE_SIZE - 5;
    char text[16];

    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_xen_version, 1, at, 0), 0);
    CHECK(fake_guest_read(f.d->vcpus[0], gpa(at), text, sizeof(text)));
    CHECK_STR(text, ".0-loam");
    end(&f);
}

TEST(numbers_that_do_not_exist_are_refused)
{
    static const uint64_t odd[] = { HYPERCALLS_MAX, HYPERCALLS_MAX + 1, UINT32_MAX,
                                    UINT64_C(1) << 32 | 29, UINT64_MAX };
    struct fixture f = begin(true);

    for (uint32_t n = 0; n < HYPERCALLS_MAX; n++) {
        bool exists = false;

        for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
            exists = exists || calls[i].number == n;
        }
        if (!exists) {
            CHECK_EQ(dom_hypercall(f.w, 0, n, 0, 0, 0), -XEN_ENOSYS);
        }
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(odd); i++) {
        CHECK_EQ(dom_hypercall(f.w, 0, odd[i], 0, 0, 0), -XEN_ENOSYS);
    }
    end(&f);
}

TEST(operations_that_do_not_exist_are_refused)
{
    struct fixture f = begin(true);

    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        uint32_t first_free = calls[i].rows[calls[i].nr - 1].op + 1;
        if (calls[i].mask == 0) {
            continue; /* its operations are in memory */
        }
        const uint64_t odd[] = { first_free, first_free + 1, first_free + 100, INT32_MAX,
                                 UINT32_MAX, UINT64_MAX };

        for (uint32_t j = 0; j < ARRAY_SIZE(odd) && calls[i].mask == UINT32_MAX; j++) {
            CHECK_EQ(dom_hypercall(f.w, 0, calls[i].number, odd[j], DOM_RAM, DOM_RAM),
                     -XEN_ENOSYS);
        }
    }
    end(&f);
}

TEST(the_operation_is_in_the_low_32_bits)
{
    struct fixture f = begin(true);

    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_xen_version, UINT64_C(0xabc) << 32, 0, 0),
             XEN_ABI_MAJOR << 16 | XEN_ABI_MINOR);
    end(&f);
}

/* Of the argument; what that points at is fetched, too. */
static void count_translations(struct vcpu *v, uint64_t addr, bool write)
{
    *(uint32_t *)fake_machine->arg += addr == DOM_RAM;
}

/* Each byte of an argument is fetched once: the guest cannot change it after it was checked. */
TEST(arguments_are_fetched_once)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++) {
        for (uint32_t j = 0; j < calls[i].nr; j++) {
            const struct row *r = &calls[i].rows[j];
            struct fixture f = begin(true);
            uint32_t count = 0;

            if (r->size != 0 && (r->who & HC_WHO_ENHANCED)) {
                f.w->machine.arg = &count;
                f.w->machine.on_translate = count_translations;
                int64_t rc = call_row(&f, &calls[i], r, DOM_RAM);
                CHECK_EQ(count, (r->dir & HC_IN ? 1 : 0) + (rc >= 0 && (r->dir & HC_OUT) ? 1 : 0));
            }
            end(&f);
        }
    }
}

/* Another vCPU of the guest changes the reason each time somebody looks at it. */
static void change_reason(struct vcpu *v, uint64_t addr, bool write)
{
    uint32_t *seen = fake_machine->arg;
    uint32_t reason = (*seen)++ == 0 ? SHUTDOWN_REBOOT : SHUTDOWN_MAX + 100;
    mfn_t m = p2m_lookup_locked(v->domain, gpa_to_gfn(gpa(addr)), NULL, NULL);

    memcpy(frame_map_local(v->domain->hv, m), &reason, sizeof(reason));
}

TEST(a_reason_that_changes_is_the_one_that_was_checked)
{
    struct fixture f = begin(true);
    uint32_t seen = 0;

    f.w->machine.arg = &seen;
    f.w->machine.on_translate = change_reason;
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_sched_op, 2, DOM_RAM, 0), 0);
    CHECK_EQ(f.d->shutdown_reason, SHUTDOWN_REBOOT);
    f.w->machine.on_translate = NULL;
    end(&f);
}

TEST(shutdown_checks_its_reason)
{
    struct fixture f = begin(true);
    uint32_t reason = SHUTDOWN_MAX + 1;

    CHECK(fake_guest_write(f.d->vcpus[0], gpa(DOM_RAM), &reason, sizeof(reason)));
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_sched_op, 2, DOM_RAM, 0), -XEN_EINVAL);
    CHECK_EQ(f.d->state, DOMAIN_RUNNING);
    reason = SHUTDOWN_POWEROFF;
    CHECK(fake_guest_write(f.d->vcpus[0], gpa(DOM_RAM), &reason, sizeof(reason)));
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_sched_op, 2, DOM_RAM, 0), 0);
    CHECK_EQ(f.d->state, DOMAIN_SHUTDOWN);
    CHECK_EQ(f.d->shutdown_reason, SHUTDOWN_POWEROFF);
    end(&f);
}

TEST(console_write_is_bounded)
{
    struct fixture f = begin(true);
    const char text[] = "hello\n";

    CHECK(fake_guest_write(f.d->vcpus[0], gpa(DOM_RAM), text, sizeof(text)));
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_console_io, 0, sizeof(text) - 1, DOM_RAM), 0);
    CHECK(world_console_has(f.w, "(caller) hello\r\n"));
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_console_io, 0, 0, NOWHERE), 0);
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_console_io, 0, 1, NOWHERE), -XEN_EFAULT);
    /* The rest of what is too long is dropped. */
    CHECK_EQ(dom_hypercall(f.w, 0, __HYPERVISOR_console_io, 0, UINT64_MAX, DOM_RAM), 0);
    end(&f);
}

TEST(a_refusal_leaves_a_trace)
{
    struct fixture f = begin(true);
    struct trace_ring *t = &f.w->boot->trace;

    CHECK_EQ(dom_hypercall(f.w, 0, 2, 0, 0, 0), -XEN_ENOSYS);
    const struct trace_record *r = &t->rec[(t->next - 1) & (TRACE_RING_RECORDS - 1)];
    CHECK_EQ(r->event, TRACE_HYPERCALL);
    CHECK_EQ(r->who, f.d->vcpus[0]->tag);
    CHECK_EQ(r->arg[0], 2);
    CHECK_EQ((int64_t)r->arg[1], -XEN_ENOSYS);
    end(&f);
}
