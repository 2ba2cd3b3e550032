/* SPDX-License-Identifier: MIT */
/* ctl/hvm_op.c: parameters of domains, and who may read and write which. */
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#include "control.h"

#define HVM_OP 34
#define SET 0
#define GET 1

static int64_t call(struct control *c, uint32_t cpu, uint32_t op, domid_t id, uint32_t index,
                    uint64_t *value)
{
    struct xen_hvm_param a = { .domid = id, .index = index, .value = *value };

    control_put(c, cpu, ARG, &a, sizeof(a));
    int64_t rc = dom_hypercall(c->w, cpu, HVM_OP, op, ARG, 0);
    control_get(c, cpu, ARG, &a, sizeof(a));
    *value = a.value;
    return rc;
}

static int64_t set(struct control *c, uint32_t cpu, domid_t id, uint32_t index, uint64_t value)
{
    return call(c, cpu, SET, id, index, &value);
}

static const uint32_t own[] = { HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN,
                                HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN };
static const uint32_t rings[] = { HVM_PARAM_PAGING_RING_PFN, HVM_PARAM_MONITOR_RING_PFN,
                                  HVM_PARAM_SHARING_RING_PFN };

TEST(a_builder_leaves_parameters_for_the_kernel)
{
    struct control c = control_begin();
    uint64_t value;

    for (uint32_t i = 0; i < ARRAY_SIZE(own); i++) {
        value = 77;
        CHECK_EQ(call(&c, 1, GET, DOMID_SELF, own[i], &value), 0);
        CHECK_EQ(value, 0);
        CHECK_EQ(set(&c, 0, c.domu->id, own[i], UINT64_C(0x1234567800) + i), 0);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(own); i++) {
        CHECK_EQ(call(&c, 1, GET, DOMID_SELF, own[i], &value), 0);
        CHECK_EQ(value, UINT64_C(0x1234567800) + i);
        CHECK_EQ(call(&c, 1, GET, c.domu->id, own[i], &value), 0);
        CHECK_EQ(value, UINT64_C(0x1234567800) + i);
        /* A daemon that starts again binds another port. */
        CHECK_EQ(set(&c, 0, c.domu->id, own[i], i), 0);
        CHECK_EQ(call(&c, 0, GET, c.domu->id, own[i], &value), 0);
        CHECK_EQ(value, i);
    }
    value = 5;
    CHECK_EQ(call(&c, 0, GET, DOMID_SELF, HVM_PARAM_STORE_PFN, &value), 0);
    CHECK_EQ(value, 0); /* dom0's are its own */
    control_end(&c);
}

TEST(a_domain_writes_no_parameter_of_its_own)
{
    struct control c = control_begin();
    uint64_t value = 5;

    for (uint32_t i = 0; i < ARRAY_SIZE(own); i++) {
        CHECK_EQ(set(&c, 1, DOMID_SELF, own[i], 5), -XEN_EPERM);
        CHECK_EQ(set(&c, 0, DOMID_SELF, own[i], 5), -XEN_EPERM);
        CHECK_EQ(call(&c, 1, GET, DOMID_SELF, own[i], &value), 0);
        CHECK_EQ(value, 0);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(rings); i++) {
        CHECK_EQ(set(&c, 0, c.domu->id, rings[i], 9), 0);
        CHECK_EQ(call(&c, 1, GET, DOMID_SELF, rings[i], &value), -XEN_EPERM);
        CHECK_EQ(call(&c, 0, GET, c.domu->id, rings[i], &value), 0);
        CHECK_EQ(value, 9);
    }
    control_end(&c);
}

TEST(a_domain_has_nothing_to_do_with_another_ones)
{
    struct control c = control_begin();
    uint64_t value = 5;

    CHECK_EQ(set(&c, 1, 0, HVM_PARAM_STORE_PFN, 5), -XEN_EPERM);
    CHECK_EQ(call(&c, 1, GET, 0, HVM_PARAM_STORE_PFN, &value), -XEN_EPERM);
    CHECK_EQ(call(&c, 1, GET, 1000, HVM_PARAM_STORE_PFN, &value), -XEN_EPERM);
    CHECK_EQ(call(&c, 0, GET, 1000, HVM_PARAM_STORE_PFN, &value), -XEN_ESRCH);
    CHECK_EQ(call(&c, 0, GET, 0x7fff, HVM_PARAM_STORE_PFN, &value), -XEN_ESRCH);
    CHECK_EQ(value, 5);
    control_end(&c);
}

TEST(parameters_that_do_not_exist)
{
    static const uint32_t odd[] = { 3, 4, 5, 16, 19, 26, 30, 35, HVM_NR_PARAMS, UINT32_MAX };
    struct control c = control_begin();
    uint64_t value = 5;

    for (uint32_t i = 0; i < ARRAY_SIZE(odd); i++) {
        CHECK_EQ(set(&c, 0, c.domu->id, odd[i], 1), -XEN_EINVAL);
        CHECK_EQ(call(&c, 1, GET, DOMID_SELF, odd[i], &value), -XEN_EINVAL);
        CHECK_EQ(value, 5);
    }
    control_end(&c);
}
