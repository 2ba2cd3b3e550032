/* SPDX-License-Identifier: MIT */
/* ctl/ctl.c: every row of domctl and sysctl with hostile callers and buffers. */
#include <loam/hv.h>

#include "ctl.h"

#define CTL_INCLUDES
#include <gen/ctl.h>
#undef CTL_INCLUDES

struct row {
    uint32_t cmd, size, dir;
};

#define CTL_ROW(nr, bytes, direction, wire, target, fn) { nr, bytes, direction },
static const struct row domctl_rows[] = {
#define DOMCTL_ROWS
#include <gen/ctl.h>
#undef DOMCTL_ROWS
};
static const struct row sysctl_rows[] = {
#define SYSCTL_ROWS
#include <gen/ctl.h>
#undef SYSCTL_ROWS
    { 0 }
};
#undef CTL_ROW

static int64_t call_at(struct toolstack *t, uint64_t number, uint32_t cmd, uint32_t version,
                       uint64_t at)
{
    struct xen_domctl op = { .cmd = cmd, .interface_version = version };

    toolstack_put(t, TOOLSTACK_OP, &op, sizeof(op));
    return dom_hypercall(t->w, 0, number, at, 0, 0);
}

/* A domain with the Xen interfaces that is no control domain: EPERM, whatever it asks for. */
TEST(a_domain_without_privilege_gets_nothing)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "domu", 1, true);

    domain_start(d);
    dom_run(w, 0, 0);
    for (uint32_t number = HYPERCALL_SYSCTL; number <= HYPERCALL_DOMCTL; number++) {
        for (uint32_t cmd = 0; cmd < 1100; cmd++) {
            uint32_t op[2] = { cmd, number == HYPERCALL_DOMCTL ? 0x15 : 0x15 };

            world_load(w, d->vcpus[0]);
            CHECK(fake_guest_write(d->vcpus[0], gpa(DOM_RAM), op, sizeof(op)));
            CHECK_EQ(dom_hypercall(w, 0, number, DOM_RAM, 0, 0), -XEN_EPERM);
        }
        CHECK_EQ(dom_hypercall(w, 0, number, UINT64_MAX, 0, 0), -XEN_EPERM);
    }
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(a_bad_address_is_a_fault)
{
    static const uint64_t bad[] = { 0, UINT64_MAX, UINT64_MAX - 15, UINT64_C(0x7000000000),
                                    DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER) - 1 };
    struct toolstack t = toolstack_begin(1);

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(dom_hypercall(t.w, 0, HYPERCALL_DOMCTL, bad[i], 0, 0), -XEN_EFAULT);
        CHECK_EQ(dom_hypercall(t.w, 0, HYPERCALL_SYSCTL, bad[i], 0, 0), -XEN_EFAULT);
    }
    toolstack_end(&t);
}

/* The header is at the end of memory, what follows is not there. */
TEST(half_a_structure_is_a_fault)
{
    struct toolstack t = toolstack_begin(1);
    uint64_t at = DOM_RAM + (PAGE_SIZE << DOM_RAM_ORDER) - 16;

    for (uint32_t i = 0; i < ARRAY_SIZE(domctl_rows); i++) {
        const struct row *r = &domctl_rows[i];

        if (r->size != 0) {
            struct xen_domctl op = { .cmd = r->cmd, .interface_version = 0x15 };

            toolstack_put(&t, at, &op, 16);
            CHECK_EQ(dom_hypercall(t.w, 0, HYPERCALL_DOMCTL, at, 0, 0), -XEN_EFAULT);
        }
    }
    CHECK(t.w->hv->domains[1] == NULL);
    toolstack_end(&t);
}

/* A row that changes something and answers is refused before it does. */
TEST(a_buffer_that_cannot_be_written_changes_nothing)
{
    struct toolstack t = toolstack_begin(1);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .interface_version = 0x15 };
    struct xen_domctl_createdomain c = toolstack_config(1);

    memcpy(op.u, &c, sizeof(c));
    toolstack_put(&t, TOOLSTACK_OP, &op, sizeof(op));
    t.v->arch.va_ro = DOM_RAM + PAGE_SIZE;
    CHECK_EQ(dom_hypercall(t.w, 0, HYPERCALL_DOMCTL, TOOLSTACK_OP, 0, 0), -XEN_EFAULT);
    CHECK(t.w->hv->domains[1] == NULL);
    toolstack_end(&t);
}

TEST(operations_without_a_row_are_refused)
{
    struct toolstack t = toolstack_begin(1);

    for (uint32_t cmd = 0; cmd < 1100; cmd++) {
        bool domctl = false, sysctl = false;

        for (uint32_t i = 0; i < ARRAY_SIZE(domctl_rows); i++) {
            domctl |= domctl_rows[i].cmd == cmd;
        }
        for (uint32_t i = 0; i + 1 < ARRAY_SIZE(sysctl_rows); i++) {
            sysctl |= sysctl_rows[i].cmd == cmd;
        }
        if (!domctl) {
            CHECK_EQ(call_at(&t, HYPERCALL_DOMCTL, cmd, 0x15, TOOLSTACK_OP), -XEN_ENOSYS);
        }
        if (!sysctl) {
            CHECK_EQ(call_at(&t, HYPERCALL_SYSCTL, cmd, 0x15, TOOLSTACK_OP), -XEN_ENOSYS);
        }
    }
    toolstack_end(&t);
}

/* What tools have a command for, and there is nothing of here: each with its reason. */
TEST(absent_operations_say_why)
{
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 1);
    static const struct {
        uint32_t cmd;
        int rc;
        const char *why;
    } d[] = { { XEN_DOMCTL_sendtrigger, -XEN_ENOSYS, "buttons" },
              { XEN_DOMCTL_vuart_op, -XEN_ENOSYS, "UART" },
              { XEN_DOMCTL_gdbsx_domstatus, -XEN_ENOSYS, "debugger" },
              { XEN_DOMCTL_set_target, -XEN_EOPNOTSUPP, "device model" } };

    for (uint32_t i = 0; i < ARRAY_SIZE(d); i++) {
        struct refusal r;

        CHECK_EQ(toolstack_act(&t, d[i].cmd, id), d[i].rc);
        CHECK(refusal_read(t.w->hv, refusal_count(t.w->hv) - 1, &r));
        CHECK(strstr(r.check, d[i].why) != NULL);
        CHECK_EQ(toolstack_act(&t, d[i].cmd, 99), -XEN_ESRCH);
    }
    for (uint32_t i = 0; i + 1 < ARRAY_SIZE(sysctl_rows); i++) {
        struct refusal r;

        if (sysctl_rows[i].size == 0) {
            int64_t rc = call_at(&t, HYPERCALL_SYSCTL, sysctl_rows[i].cmd, 0x15, TOOLSTACK_OP);

            CHECK(rc == -XEN_ENOSYS || rc == -XEN_EOPNOTSUPP);
            CHECK(refusal_read(t.w->hv, refusal_count(t.w->hv) - 1, &r));
            CHECK(strcmp(r.check, "no such operation") != 0); /* it is in both tables */
        }
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(domctl_rows); i++) {
        struct refusal r;
        uint64_t before = refusal_count(t.w->hv);

        if (domctl_rows[i].size == 0 && toolstack_act(&t, domctl_rows[i].cmd, id) < 0 &&
            refusal_read(t.w->hv, before, &r)) {
            CHECK(strcmp(r.check, "no such operation") != 0);
        }
    }
    dom_settle(t.w);
    toolstack_end(&t);
}

/* Every operation on a domain that is not there, and on odd domids. */
TEST(no_such_domain)
{
    static const domid_t odd[] = { 1, 1023, 1024, DOMID_SELF, 0x7ff4, 0xffff };
    struct toolstack t = toolstack_begin(1);

    for (uint32_t i = 0; i < ARRAY_SIZE(domctl_rows); i++) {
        for (uint32_t k = 0; k < ARRAY_SIZE(odd); k++) {
            uint8_t none[128] = { 0 };
            int64_t rc = toolstack_do(&t, domctl_rows[i].cmd, odd[k], none, sizeof(none));

            CHECK(rc == -XEN_ESRCH || rc == -XEN_EINVAL || rc == -XEN_EOPNOTSUPP);
        }
    }
    toolstack_end(&t);
}

/* What layout.tbl says is kept when it is converted there and back. */
TEST(layouts_go_there_and_back)
{
    for (uint32_t kind = CTL_KIND_SAME; kind < CTL_KINDS; kind++) {
        for (uint32_t version = 0; version <= DOMCTL_VERSION_LAST; version++) {
            uint8_t wire[512], own[512], back[512];
            size_t size = ctl_wire_size(kind, version, 120);

            for (uint32_t i = 0; i < sizeof(wire); i++) {
                wire[i] = (uint8_t)(i + 1);
            }
            memset(back, 0, sizeof(back));
            ctl_from_wire(kind, version, own, wire, size > 128 ? 352 : 120);
            ctl_to_wire(kind, version, back, own, size > 128 ? 352 : 120);
            for (uint32_t i = 0; i < size; i++) {
                CHECK(back[i] == wire[i] || back[i] == 0);
            }
        }
    }
}
