/* SPDX-License-Identifier: MIT */
/*
 * Firmware as a guest sees it: RISC-V SBI 2.0. A hart is a vCPU, by the same number;
 * addresses are guest-physical.
 *
 * The first table has a row for each extension, the others for each function of
 * one; what has no row answers SBI_ERR_NOT_SUPPORTED. Not offered are: SUSP, because no
 * state of a virtual machine saves power that its waiting vCPUs do not; what came
 * before version 0.2 (legacy), which kernels of today do not call.
 */
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/version.h>

#include "csr.h"
#include "hart_mask.h"
#include "lines.h"
#include "sbi.h"
#include "vfence.h"
#include "vpmu.h"
#include "vtimer.h"

#define SPEC_VERSION (2 << 24 | 0) /* major, minor */
/* Registered for Xen: the version is the one of the Xen ABI that xen_version gives, too. */
#define IMPL_ID_XEN 7

enum hart_state { HART_STARTED, HART_STOPPED, HART_STOP_PENDING = 3 };

#define SUSPEND_RETENTIVE 0
#define SUSPEND_NON_RETENTIVE 0x80000000

/* reset_reason: none, system failure; the others are reserved or somebody else's. */
#define RESET_REASON_MAX 1

#define STA_SIZE 64
#define STA_STEAL 8 /* offset of the stolen time */

/* Longest write to the console in one call: what a UART of 115200 baud takes 20 ms for. */
#define CONSOLE_WRITE_MAX 256

struct call {
    struct vcpu *v;
    const uint64_t *arg;
    struct sbi_ret ret; /* success, 0 if nothing is said */
};

static enum vm_resume base_spec_version(struct call *c);
static enum vm_resume base_impl_id(struct call *c);
static enum vm_resume base_impl_version(struct call *c);
static enum vm_resume base_probe(struct call *c);
static enum vm_resume base_machine_id(struct call *c);
static enum vm_resume time_set_timer(struct call *c);
static enum vm_resume ipi_send(struct call *c);
static enum vm_resume rfence_fence_i(struct call *c);
static enum vm_resume rfence_sfence_vma(struct call *c);
static enum vm_resume rfence_sfence_vma_asid(struct call *c);
static enum vm_resume hsm_start(struct call *c);
static enum vm_resume hsm_stop(struct call *c);
static enum vm_resume hsm_status(struct call *c);
static enum vm_resume hsm_suspend(struct call *c);
static enum vm_resume srst_reset(struct call *c);
static enum vm_resume dbcn_write(struct call *c);
static enum vm_resume dbcn_read(struct call *c);
static enum vm_resume dbcn_write_byte(struct call *c);
static enum vm_resume sta_set_shmem(struct call *c);
static enum vm_resume pmu_any(struct call *c);

struct function {
    enum vm_resume (*handler)(struct call *c);
};

static const struct function base_functions[] = {
    [SBI_BASE_SPEC_VERSION] = { base_spec_version }, [SBI_BASE_IMPL_ID] = { base_impl_id },
    [SBI_BASE_IMPL_VERSION] = { base_impl_version }, [SBI_BASE_PROBE] = { base_probe },
    [SBI_BASE_MVENDORID] = { base_machine_id },      [SBI_BASE_MARCHID] = { base_machine_id },
    [SBI_BASE_MIMPID] = { base_machine_id },
};
static const struct function time_functions[] = {
    [SBI_TIME_SET_TIMER] = { time_set_timer },
};
static const struct function ipi_functions[] = {
    [SBI_IPI_SEND] = { ipi_send },
};
/* Without the fences of the hypervisor extension, which guests do not have. */
static const struct function rfence_functions[] = {
    [SBI_RFENCE_FENCE_I] = { rfence_fence_i },
    [SBI_RFENCE_SFENCE_VMA] = { rfence_sfence_vma },
    [SBI_RFENCE_SFENCE_VMA_ASID] = { rfence_sfence_vma_asid },
};
static const struct function hsm_functions[] = {
    [SBI_HSM_START] = { hsm_start },
    [SBI_HSM_STOP] = { hsm_stop },
    [SBI_HSM_STATUS] = { hsm_status },
    [SBI_HSM_SUSPEND] = { hsm_suspend },
};
static const struct function srst_functions[] = {
    [SBI_SRST_RESET] = { srst_reset },
};
static const struct function dbcn_functions[] = {
    [SBI_DBCN_WRITE] = { dbcn_write },
    [SBI_DBCN_READ] = { dbcn_read },
    [SBI_DBCN_WRITE_BYTE] = { dbcn_write_byte },
};
static const struct function pmu_functions[] = {
    [0 ... VPMU_FUNCTIONS - 1] = { pmu_any },
};
static const struct function sta_functions[] = {
    [SBI_STA_SET_SHMEM] = { sta_set_shmem },
};

#define FUNCTIONS(table) table, ARRAY_SIZE(table)

/* What a running guest calls stands first. */
static const struct extension {
    uint64_t id;
    const struct function *functions; /* by number */
    uint32_t nr;
} extensions[] = {
    { SBI_EXT_RFENCE, FUNCTIONS(rfence_functions) }, { SBI_EXT_IPI, FUNCTIONS(ipi_functions) },
    { SBI_EXT_TIME, FUNCTIONS(time_functions) },     { SBI_EXT_BASE, FUNCTIONS(base_functions) },
    { SBI_EXT_HSM, FUNCTIONS(hsm_functions) },       { SBI_EXT_DBCN, FUNCTIONS(dbcn_functions) },
    { SBI_EXT_STA, FUNCTIONS(sta_functions) },       { SBI_EXT_SRST, FUNCTIONS(srst_functions) },
    { SBI_EXT_PMU, FUNCTIONS(pmu_functions) },
};

static const struct extension *extension_find(uint64_t id)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (extensions[i].id == id) {
            return &extensions[i];
        }
    }
    return NULL;
}

int arch_exit_firmware(struct vcpu *v, struct vm_exit *x)
{
    uint64_t *r = v->arch.x;
    uint64_t id = r[REG_A7], fn = r[REG_A6];
    const struct extension *e = extension_find(id);
    struct call c = { .v = v, .arg = &r[REG_A0], .ret.error = SBI_ERR_NOT_SUPPORTED };
    enum vm_resume resume = VM_RESUME;

    if (likely(e != NULL && fn < e->nr)) {
        c.ret.error = SBI_SUCCESS;
        resume = e->functions[fn].handler(&c);
    }
    r[REG_A0] = (uint64_t)c.ret.error;
    r[REG_A1] = c.ret.value;
    trace_add(&v->pcpu->trace, TRACE_FIRMWARE, v->tag, id << 32 | (uint32_t)fn, r[REG_A0]);
    return resume;
}

static enum vm_resume fail(struct call *c, int64_t error)
{
    c->ret = (struct sbi_ret){ .error = error };
    return VM_RESUME;
}

/* --- Base (ch. 4) --------------------------------------------------------- */

static enum vm_resume base_spec_version(struct call *c)
{
    c->ret.value = SPEC_VERSION;
    return VM_RESUME;
}

static enum vm_resume base_impl_id(struct call *c)
{
    c->ret.value = IMPL_ID_XEN;
    return VM_RESUME;
}

static enum vm_resume base_impl_version(struct call *c)
{
    c->ret.value = XEN_ABI_MAJOR << 16 | XEN_ABI_MINOR;
    return VM_RESUME;
}

static enum vm_resume base_probe(struct call *c)
{
    c->ret.value = extension_find(c->arg[0]) != NULL;
    return VM_RESUME;
}

/* mvendorid, marchid, mimpid are 0, "not implemented": a guest looks for no errata of ours. */
static enum vm_resume base_machine_id(struct call *c) { return VM_RESUME; }

/* --- Timer, IPI, RFENCE (ch. 6 to 8) ---------------------------------------- */

static enum vm_resume time_set_timer(struct call *c)
{
    vtimer_set(c->v, c->arg[0]);
    vpmu_count(c->v, PMU_EVENT_SET_TIMER);
    return VM_RESUME;
}

static enum vm_resume ipi_send(struct call *c)
{
    struct domain *d = c->v->domain;
    struct hart_mask harts;
    size_t id;

    if (!hart_mask_read(&harts, d, c->arg[0], c->arg[1])) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    for_each_hart(&harts, id)
    {
        struct vcpu *target = d->vcpus[id];

        if (target != c->v) {
            vpmu_count_sent(c->v, target, PMU_EVENT_IPI_SENT);
        }
        vcpu_soft_raise(target);
    }
    return VM_RESUME;
}

static enum vm_resume rfence(struct call *c, enum vfence_kind kind, uint64_t start, uint64_t size,
                             uint64_t asid)
{
    if (vfence(c->v, kind, c->arg[0], c->arg[1], start, size, asid) != 0) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    return VM_RESUME;
}

static enum vm_resume rfence_fence_i(struct call *c) { return rfence(c, VFENCE_I, 0, 0, 0); }

static enum vm_resume rfence_sfence_vma(struct call *c)
{
    return rfence(c, VFENCE_VMA, c->arg[2], c->arg[3], 0);
}

static enum vm_resume rfence_sfence_vma_asid(struct call *c)
{
    return rfence(c, VFENCE_VMA_ASID, c->arg[2], c->arg[3], c->arg[4]);
}

/* --- HSM (ch. 9) ------------------------------------------------------------ */

/* May a hart begin at this guest-physical address? */
static bool is_code_address(struct domain *d, uint64_t address)
{
    enum p2m_type type;

    return address % 2 == 0 && !mfn_is_none(p2m_lookup(d, gpa_to_gfn(gpa(address)), &type, NULL)) &&
           type != P2M_MMIO_DIRECT;
}

static struct vcpu *vcpu_by_hartid(const struct domain *d, uint64_t hartid)
{
    return hartid < d->config.vcpus_max ? d->vcpus[hartid] : NULL;
}

static enum vm_resume hsm_start(struct call *c)
{
    struct domain *d = c->v->domain;
    struct vcpu *target = vcpu_by_hartid(d, c->arg[0]);

    if (target == NULL) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    if (!is_code_address(d, c->arg[1])) {
        return fail(c, SBI_ERR_INVALID_ADDRESS);
    }
    switch (vcpu_power_on(d, target->id, c->arg[1], c->arg[2])) {
    case 0:
        return VM_RESUME;
    case -XEN_EEXIST:
        return fail(c, SBI_ERR_ALREADY_AVAILABLE);
    default: /* it is stopping: HART_STOP_PENDING */
        return fail(c, SBI_ERR_FAILED);
    }
}

static enum vm_resume hsm_stop(struct call *c)
{
    vcpu_power_off(c->v);
    return VM_RESCHEDULE;
}

/*
 * A start is done when hart_start returns, so none is ever pending; a suspended hart
 * counts as started, because any interrupt may have resumed it by now.
 */
static enum vm_resume hsm_status(struct call *c)
{
    struct vcpu *target = vcpu_by_hartid(c->v->domain, c->arg[0]);

    if (target == NULL) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    if (!(atomic_load_relaxed(&target->pause) & VCPU_PAUSE_OFFLINE)) {
        c->ret.value = HART_STARTED;
    } else {
        /* Stopped only when hart_start would find it so: it has left its CPU. */
        c->ret.value = vcpu_is_off_cpu(target) ? HART_STOPPED : HART_STOP_PENDING;
    }
    return VM_RESUME;
}

/*
 * v goes on at `entry` when an interrupt that it has enabled is pending. What the guest
 * may not rely on then (all registers but these) stays as it is: sie above all,
 * which says what wakes it.
 */
static enum vm_resume suspend_non_retentive(struct call *c, uint64_t entry, uint64_t opaque)
{
    struct vcpu *v = c->v;

    /* Into memory, where it can be changed; loaded again when v is chosen, at once perhaps. */
    vcpu_put_loaded(v->pcpu);
    v->arch.pc = entry;
    v->arch.vs.atp = 0;
    v->arch.vs.status &= ~(uint64_t)SSTATUS_SIE;
    c->ret = (struct sbi_ret){ .error = v->id, .value = opaque }; /* a0, a1 */
    (void)vcpu_block(v);
    return VM_RESCHEDULE;
}

static enum vm_resume hsm_suspend(struct call *c)
{
    switch ((uint32_t)c->arg[0]) {
    case SUSPEND_RETENTIVE:
        return vcpu_block(c->v);
    case SUSPEND_NON_RETENTIVE:
        if (!is_code_address(c->v->domain, c->arg[1])) {
            return fail(c, SBI_ERR_INVALID_ADDRESS);
        }
        return suspend_non_retentive(c, c->arg[1], c->arg[2]);
    default: /* reserved, or of a platform that this is not */
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
}

/* --- SRST (ch. 10) ---------------------------------------------------------- */

/*
 * The type decides, also after a "system failure": a guest that can still choose between off
 * and reboot is obeyed. SHUTDOWN_CRASH is for one that cannot, and has a policy of its own.
 */
static enum vm_resume srst_reset(struct call *c)
{
    struct domain *d = c->v->domain;

    if ((uint32_t)c->arg[1] > RESET_REASON_MAX) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    switch ((uint32_t)c->arg[0]) {
    case SBI_RESET_SHUTDOWN:
        domain_shutdown(d, SHUTDOWN_POWEROFF);
        return VM_RESCHEDULE;
    case SBI_RESET_COLD:
    case SBI_RESET_WARM:
        domain_shutdown(d, SHUTDOWN_REBOOT);
        return VM_RESCHEDULE;
    default:
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
}

/* --- DBCN (ch. 12) ---------------------------------------------------------- */

/* Size and address, low and high half: not beyond what 64 bits address. */
static bool is_console_range(const struct call *c)
{
    return c->arg[2] == 0 && c->arg[0] <= UINT64_MAX - c->arg[1];
}

/* Writes the beginning of a long text: the caller sees how much that was and goes on. */
static enum vm_resume dbcn_write(struct call *c)
{
    struct domain *d = c->v->domain;
    char text[CONSOLE_WRITE_MAX];
    size_t size = (size_t)MIN(c->arg[0], sizeof(text));

    if (!is_console_range(c) || guest_phys_read(d, text, gpa(c->arg[1]), size) != 0) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    console_write(d, text, size);
    c->ret.value = size;
    return VM_RESUME;
}

/* Nothing ever comes: what is typed for a domain goes to its UART. */
static enum vm_resume dbcn_read(struct call *c)
{
    return is_console_range(c) ? VM_RESUME : fail(c, SBI_ERR_INVALID_PARAM);
}

static enum vm_resume dbcn_write_byte(struct call *c)
{
    char byte = (char)c->arg[0];

    console_write(c->v->domain, &byte, 1);
    return VM_RESUME;
}

/* --- PMU (ch. 11) ----------------------------------------------------------- */

static enum vm_resume pmu_any(struct call *c)
{
    c->ret = vpmu_call(c->v, c->v->arch.x[REG_A6], c->arg);
    return VM_RESUME;
}

/* --- STA (ch. 16) ----------------------------------------------------------- */

/*
 * Of the structure only the stolen time changes, in one store of 64 bits. The sequence
 * number, by which a reader finds a half-written value, stays even, and the vCPU
 * is never marked as preempted, which is advice. All zero at first, as the text wants.
 */
static enum vm_resume sta_set_shmem(struct call *c)
{
    struct vcpu *v = c->v;
    gpa_t at = gpa(c->arg[0]);

    if (c->arg[2] != 0) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    if (c->arg[0] == UINT64_MAX && c->arg[1] == UINT64_MAX) {
        guest_unshare(v->domain, &v->waited_word);
        return VM_RESUME;
    }
    if (!IS_ALIGNED(at.a, STA_SIZE)) {
        return fail(c, SBI_ERR_INVALID_PARAM);
    }
    if (c->arg[1] != 0 || vcpu_share_waited(v, gpa_add(at, STA_STEAL)) != 0) {
        return fail(c, SBI_ERR_INVALID_ADDRESS);
    }
    if (guest_phys_clear(v->domain, at, STA_SIZE, false) != 0) { /* unmapped meanwhile */
        guest_unshare(v->domain, &v->waited_word);
        return fail(c, SBI_ERR_INVALID_ADDRESS);
    }
    return VM_RESUME;
}
