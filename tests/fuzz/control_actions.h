/* SPDX-License-Identifier: MIT */
/*
 * What a control domain asks of the host, for fuzz_core.c, of which this is a part: sysctl,
 * platform_op, parameters of domains and the file system, with structures that often make sense.
 * Domains ask for the same; they are refused. What makes or ends domains and moves CPUs
 * between pools is left out: the fuzzer keeps its own account of those.
 */
#ifndef CONTROL_ACTIONS_H
#define CONTROL_ACTIONS_H

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define PLATFORM_OP 7
#define HVM_OP 34
#define SYSCTL 35
#define DOMCTL 36
#define HYPFS_OP 42

/* Where the structure lies: in RAM as a rule, at times over the end of a page. */
static uint64_t put_struct(struct vcpu *v, const void *p, size_t size)
{
    uint32_t how = u8();
    uint64_t at = ((RAM_GFN + how % 4) << PAGE_SHIFT) + (how >= 0xc0 ? PAGE_SIZE - 8 : how);

    fake_guest_write(v, gpa(at), p, size);
    return at;
}

static void fill_hvm_op(struct vcpu *v)
{
    static const uint8_t indices[] = { HVM_PARAM_CALLBACK_IRQ,   HVM_PARAM_STORE_PFN,
                                       HVM_PARAM_STORE_EVTCHN,   HVM_PARAM_CONSOLE_PFN,
                                       HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_MONITOR_RING_PFN };
    uint32_t how = u8();
    struct xen_hvm_param a = { .domid = any_domid(v->domain), .value = odd_number() };

    a.index = how < 16 ? (uint32_t)odd_number() : indices[how % ARRAY_SIZE(indices)];
    v->arch.reg[1] = put_struct(v, &a, sizeof(a));
}

/* A header, then words: small numbers, addresses, odd ones. */
static void fill_ctl(struct vcpu *v, uint64_t number)
{
    static const uint8_t sysctls[] = { 1, 3, 4, 6, 7, 8, 9, 16, 17, 18, 19 };
    static const uint8_t platforms[] = { 17, 53, 55, 62 };
    uint32_t how = u8();
    uint32_t op[2 + 14] = { 0 };

    op[0] = how < 8               ? (uint32_t)odd_number()
            : number == SYSCTL ? sysctls[how % ARRAY_SIZE(sysctls)]
                               : platforms[how % ARRAY_SIZE(platforms)];
    op[1] = number == SYSCTL ? 0x13u + how / 64 : XENPF_INTERFACE_VERSION;
    for (uint32_t i = 2; i < ARRAY_SIZE(op); i++) {
        uint32_t what = u8();

        op[i] = what < 0x40 ? what % 8 : what < 0x80 ? (uint32_t)guest_addr() : 0;
        op[i] = what >= 0xf0 ? (uint32_t)odd_number() : op[i];
    }
    if (number == SYSCTL && op[0] == 18) {
        op[2] = op[2] % 2 != 0 ? XEN_SYSCTL_CPUPOOL_OP_INFO : XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    }
    v->arch.reg[0] = put_struct(v, op, sizeof(op));
}

static void fill_hypfs(struct vcpu *v)
{
    static const char *const paths[] = { "/", "/loam/refusals", "/buildinfo/version", "/cpupool",
                                         "/cpupool/0/sched-gran", "/params", "/x", "loam" };
    const char *path = paths[u8() % ARRAY_SIZE(paths)];
    uint32_t how = u8();

    v->arch.reg[1] = put_struct(v, path, strlen(path) + 1);
    v->arch.reg[2] = how < 8 ? odd_number() : strlen(path) + 1;
    v->arch.reg[3] = guest_addr();
    v->arch.reg[4] = how % 2 == 0 ? odd_number() : UINT64_C(4096);
}

/* The arguments of a hypercall whose number and operation are in v's registers. */
static void fill_control_op(struct vcpu *v)
{
    uint64_t *reg = v->arch.reg;

    if (reg[5] == DOMCTL) {
        reg[5] = SYSCTL;
    }
    switch (reg[5]) {
    case HVM_OP:
        fill_hvm_op(v);
        break;
    case SYSCTL:
    case PLATFORM_OP:
        fill_ctl(v, reg[5]);
        break;
    case HYPFS_OP:
        fill_hypfs(v);
        break;
    default:
        break;
    }
}

#endif
