/* SPDX-License-Identifier: MIT */
/* Names of hypercalls, their operations, and errors: from the tables in abi/. */
#include "names.h"

#include <loam/bits.h>
#include <loam/hypercall.h>

struct name {
    uint64_t number;
    const char *name;
};

struct op_name {
    uint64_t hypercall, op;
    const char *name;
};

static const struct {
    uint64_t number;
    const char *name;
    uint64_t mask; /* bits of argument 0 that are the operation */
} calls[] = {
#define HC_CALL(nr, name, bits) { nr, #name, bits },
#include <gen/hypercalls.h>
#undef HC_CALL
};

/* Hypercalls of the ABI that are refused here and that kernels and tools may try all the same. */
static const struct name others[] = {
    { 5, "fpu_taskswitch" }, { 15, "set_timer_op" }, { 28, "nmi_op" },
    { 30, "callback_op" },   { 33, "physdev_op" },   { 37, "kexec_op" }, { 38, "tmem_op" },
    { 39, "argo_op" },       { 40, "xenpmu_op" },    { 41, "dm_op" },
};

static const struct op_name ops[] = {
#define HC_NAME(hypercall, op, name) { hypercall, op, name },
#include <gen/hypercalls.h>
#undef HC_NAME
};

/* Operations that are in memory, not in argument 0 (loam/ctl.h). */
#define CTL_NAME(number, name) { number, name },
static const struct name domctl_ops[] = {
#define DOMCTL_NAMES
#include <gen/ctl.h>
#undef DOMCTL_NAMES
};
static const struct name sysctl_ops[] = {
#define SYSCTL_NAMES
#include <gen/ctl.h>
#undef SYSCTL_NAMES
};
static const struct name platform_ops[] = {
#define PLATFORM_NAMES
#include <gen/ctl.h>
#undef PLATFORM_NAMES
};
#undef CTL_NAME

static const struct {
    uint64_t hypercall;
    const struct name *ops;
    size_t nr;
} in_memory[] = {
    { 7, platform_ops, ARRAY_SIZE(platform_ops) },
    { 35, sysctl_ops, ARRAY_SIZE(sysctl_ops) },
    { 36, domctl_ops, ARRAY_SIZE(domctl_ops) },
};

static const struct name errors[] = {
#define ERROR_NAME(number, name) { number, name },
#include <gen/errors.h>
#undef ERROR_NAME
};

static const char *find(const struct name *names, size_t nr, uint64_t number)
{
    for (size_t i = 0; i < nr; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return NULL;
}

const char *hypercall_name(uint64_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        if (calls[i].number == number) {
            return calls[i].name;
        }
    }
    return find(others, ARRAY_SIZE(others), number);
}

const char *hypercall_op_name(uint64_t number, uint64_t op)
{
    for (size_t i = 0; i < ARRAY_SIZE(in_memory); i++) {
        if (in_memory[i].hypercall == number) {
            return find(in_memory[i].ops, in_memory[i].nr, op);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        op = calls[i].number == number ? op & calls[i].mask : op;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (ops[i].hypercall == number && ops[i].op == op) {
            return ops[i].name;
        }
    }
    return NULL;
}

const char *error_name(int rc)
{
    return find(errors, ARRAY_SIZE(errors), (uint64_t)-(int64_t)rc);
}
