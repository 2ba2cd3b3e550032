/* SPDX-License-Identifier: MIT */
/*
 * Firmware as a guest sees it: SMCCC 1.2 (Arm DEN 0028), PSCI 1.1 (Arm DEN 0022)
 * and stolen time (Arm DEN 0057), by HVC or SMC alike.
 *
 * The table has a row for each function; what has none answers NOT_SUPPORTED
 * in x0 and leaves every other register alone. The architecture workarounds
 * are not offered: a guest that asks is told so once and does not call at
 * each kernel entry.
 */
#include <arch/guest.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "sysreg.h"
#include "trap.h"

#define SMCCC_64 BIT(30) /* arguments are 64 bits wide */

/* DEN 0057 3: 64-bit forms only. */
#define PV_TIME_FEATURES 0xc5000020
#define PV_TIME_ST 0xc5000021

/* Return values (DEN 0022 5.2.2; DEN 0028 has only the first). */
#define NOT_SUPPORTED (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON (-4)
#define INVALID_ADDRESS (-9)

enum { AFFINITY_ON, AFFINITY_OFF };

struct call {
    struct vcpu *v;
    uint64_t arg[3];
    int64_t ret;
};

static enum vm_resume smccc_version(struct call *c);
static enum vm_resume smccc_arch_features(struct call *c);
static enum vm_resume psci_version(struct call *c);
static enum vm_resume psci_cpu_suspend(struct call *c);
static enum vm_resume psci_cpu_off(struct call *c);
static enum vm_resume psci_cpu_on(struct call *c);
static enum vm_resume psci_affinity_info(struct call *c);
static enum vm_resume psci_migrate_info_type(struct call *c);
static enum vm_resume psci_system_off(struct call *c);
static enum vm_resume psci_system_reset(struct call *c);
static enum vm_resume psci_system_reset2(struct call *c);
static enum vm_resume psci_features(struct call *c);
static enum vm_resume pv_time_features(struct call *c);
static enum vm_resume pv_time_st(struct call *c);

static const struct function {
    uint32_t id;  /* the 32-bit form, if there is one */
    bool has_64;  /* there is a 64-bit form too */
    enum vm_resume (*handler)(struct call *c);
} functions[] = {
    { 0x80000000, false, smccc_version },
    { 0x80000001, false, smccc_arch_features },
    { 0x84000000, false, psci_version },
    { 0x84000001, true, psci_cpu_suspend },
    { 0x84000002, false, psci_cpu_off },
    { 0x84000003, true, psci_cpu_on },
    { 0x84000004, true, psci_affinity_info },
    { 0x84000006, false, psci_migrate_info_type },
    { 0x84000008, false, psci_system_off },
    { 0x84000009, false, psci_system_reset },
    { 0x8400000a, false, psci_features },
    { 0x84000012, true, psci_system_reset2 },
    { PV_TIME_FEATURES, false, pv_time_features },
    { PV_TIME_ST, false, pv_time_st },
};

static const struct function *function_find(uint32_t id)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(functions); i++) {
        const struct function *f = &functions[i];

        if (f->id == id || (f->has_64 && (f->id | SMCCC_64) == id)) {
            return f;
        }
    }
    return NULL;
}

int arch_exit_firmware(struct vcpu *v, struct vm_exit *x)
{
    uint64_t *r = v->arch.x;
    uint32_t id = (uint32_t)r[0];
    bool wide = id & SMCCC_64;

    /* Only the immediate 0 is SMCCC (DEN 0028 2.9). */
    if ((uint16_t)x->info != 0) {
        arch_inject_undefined(v);
        return VM_RESUME;
    }
    if (ESR_EC(x->info) == EC_SMC64) {
        arch_vcpu_skip(v, x); /* a trapped SMC has not been stepped over, an HVC has */
    }
    const struct function *f = function_find(id);
    struct call c = { .v = v, .ret = NOT_SUPPORTED };
    enum vm_resume resume = VM_RESUME;

    for (uint32_t i = 0; i < ARRAY_SIZE(c.arg); i++) {
        c.arg[i] = wide ? r[1 + i] : (uint32_t)r[1 + i];
    }
    if (likely(f != NULL)) {
        resume = f->handler(&c);
    }
    r[0] = (uint64_t)c.ret;
    trace_add(&v->pcpu->trace, TRACE_FIRMWARE, v->tag, id, r[0]);
    return resume;
}

static enum vm_resume smccc_version(struct call *c)
{
    c->ret = 0x10002;
    return VM_RESUME;
}

static enum vm_resume smccc_arch_features(struct call *c)
{
    uint32_t id = (uint32_t)c->arg[0];

    c->ret = id == 0x80000000 || id == 0x80000001 || id == PV_TIME_FEATURES ? 0 : NOT_SUPPORTED;
    return VM_RESUME;
}

static enum vm_resume psci_version(struct call *c)
{
    c->ret = 0x10001;
    return VM_RESUME;
}

/* Every state is a standby state: the call returns when an interrupt is pending. */
static enum vm_resume psci_cpu_suspend(struct call *c)
{
    c->ret = 0;
    return vcpu_block(c->v);
}

static enum vm_resume psci_cpu_off(struct call *c)
{
    vcpu_power_off(c->v);
    return VM_RESCHEDULE;
}

/* The vCPU with this affinity (guest.c lays them out), NULL if there is none. */
static struct vcpu *vcpu_by_affinity(struct domain *d, uint64_t affinity)
{
    uint64_t id = (affinity >> 8 & 0xff) * 16 + (affinity & 0xff);

    return (affinity & 0xff) < 16 && (affinity & ~UINT64_C(0xffff)) == 0 &&
                   id < d->config.vcpus_max
               ? d->vcpus[id]
               : NULL;
}

static enum vm_resume psci_cpu_on(struct call *c)
{
    struct domain *d = c->v->domain;
    struct vcpu *target = vcpu_by_affinity(d, c->arg[0]);
    enum p2m_type type;

    if (target == NULL) {
        c->ret = INVALID_PARAMETERS;
        return VM_RESUME;
    }
    if (c->arg[1] % 4 != 0 ||
        mfn_is_none(p2m_lookup(d, gpa_to_gfn(gpa(c->arg[1])), &type, NULL)) ||
        type == P2M_MMIO_DIRECT) {
        c->ret = INVALID_ADDRESS;
        return VM_RESUME;
    }
    /* One that is just going off is still on (DEN 0022 5.6). */
    c->ret = vcpu_power_on(d, target->id, c->arg[1], c->arg[2]) == 0 ? 0 : ALREADY_ON;
    return VM_RESUME;
}

static enum vm_resume psci_affinity_info(struct call *c)
{
    struct vcpu *target = vcpu_by_affinity(c->v->domain, c->arg[0]);

    if (target == NULL || c->arg[1] != 0) {
        c->ret = INVALID_PARAMETERS;
        return VM_RESUME;
    }
    bool off = __atomic_load_n(&target->pause, __ATOMIC_RELAXED) & VCPU_PAUSE_OFFLINE;

    /* Off only when CPU_ON would find it off: it has left its CPU. */
    c->ret = off && vcpu_is_off_cpu(target) ? AFFINITY_OFF : AFFINITY_ON;
    return VM_RESUME;
}

static enum vm_resume psci_migrate_info_type(struct call *c)
{
    c->ret = 2; /* there is no trusted OS that would need to be migrated */
    return VM_RESUME;
}

static enum vm_resume psci_system_off(struct call *c)
{
    domain_shutdown(c->v->domain, SHUTDOWN_POWEROFF);
    return VM_RESCHEDULE;
}

static enum vm_resume psci_system_reset(struct call *c)
{
    domain_shutdown(c->v->domain, SHUTDOWN_REBOOT);
    return VM_RESCHEDULE;
}

static enum vm_resume psci_system_reset2(struct call *c)
{
    /* Type 0 is the architectural warm reset; bit 31 would be a vendor's. */
    if ((uint32_t)c->arg[0] != 0) {
        c->ret = INVALID_PARAMETERS;
        return VM_RESUME;
    }
    return psci_system_reset(c);
}

static enum vm_resume psci_features(struct call *c)
{
    uint32_t id = (uint32_t)c->arg[0];
    bool psci = (id & 0x3f000000) == 0x04000000;

    c->ret = (psci || id == 0x80000000) && function_find(id) != NULL ? 0 : NOT_SUPPORTED;
    return VM_RESUME;
}

static enum vm_resume pv_time_features(struct call *c)
{
    uint32_t id = (uint32_t)c->arg[0];

    c->ret = id == PV_TIME_FEATURES || id == PV_TIME_ST ? 0 : NOT_SUPPORTED;
    return VM_RESUME;
}

/*
 * Gives the address of the caller's structure: revision and attributes, which
 * are 0 as all RAM of a new domain, and at 8 the stolen time in ns (DEN 0057 4.1).
 */
static enum vm_resume pv_time_st(struct call *c)
{
    struct domain *d = c->v->domain;
    gpa_t at = gpa_add(d->vcpu_shared, c->v->id * arch_guest_layout()->vcpu_shared_size);

    if (d->vcpu_shared.a != 0 && vcpu_share_waited(c->v, gpa_add(at, 8)) == 0) {
        c->ret = (int64_t)at.a;
    }
    return VM_RESUME;
}
