/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: creation, reasons to wait, power.
 *
 * v->pause is the whole truth about whether a vCPU may run; it is changed
 * with atomics by anyone, and the scheduler is told of each change between 0
 * and not 0. The run loop is in vcpu_run.c.
 */
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

/* The vCPU's own timer, kept in software while its state is not in the hardware, is due. */
static void vcpu_wake_due(struct timer *t, struct pcpu *p)
{
    vcpu_wake(container_of(t, struct vcpu, wake));
}

int vcpu_create(struct domain *d, uint32_t id)
{
    struct hv *hv = d->hv;

    if (id >= d->config.vcpus_max) {
        return -XEN_EINVAL;
    }
    if (d->vcpus[id] != NULL) {
        return -XEN_EEXIST;
    }
    uint64_t before = this_pcpu()->mem_bytes;
    struct vcpu *v = mem_alloc(hv, sizeof(*v));
    if (v == NULL) {
        return -XEN_ENOMEM;
    }
    v->domain = d;
    v->id = id;
    v->tag = (uint32_t)d->id << 16 | id;
    v->pause = VCPU_PAUSE_OFFLINE | VCPU_PAUSE_DOMAIN;
    timer_init(&v->wake, vcpu_wake_due);

    int rc = arch_vcpu_init(v);
    if (rc != 0) {
        goto out_free;
    }
    /* Under the lock: a move of the domain to another pool takes all its vCPUs along. */
    spin_lock(&d->lock);
    rc = d->move != NULL ? -XEN_EBUSY : sched_vcpu_init(v);
    if (rc == 0) {
        /* A toolstack may look at it at once. Partner: ctl_vcpu(). */
        atomic_store_release(&d->vcpus[id], v);
    }
    spin_unlock(&d->lock);
    if (rc != 0) {
        goto out_arch;
    }
    d->vcpu_bytes += this_pcpu()->mem_bytes - before;
    return 0;

out_arch:
    arch_vcpu_fini(v);
out_free:
    mem_free(hv, v, sizeof(*v));
    return rc;
}

void vcpu_stop(struct vcpu *v)
{
    timer_stop(&v->wake);
    guest_unshare(v->domain, &v->waited_word);
}

void vcpu_retire(struct vcpu *v) { sched_vcpu_fini(v); }

void vcpu_destroy(struct vcpu *v)
{
    struct domain *d = v->domain;

    d->vcpus[v->id] = NULL;
    arch_vcpu_fini(v);
    mem_free(d->hv, v, sizeof(*v));
}

void vcpu_pause(struct vcpu *v, uint32_t reasons)
{
    if (atomic_fetch_or(&v->pause, reasons) == 0) {
        sched_sleep(v);
    }
}

void vcpu_unpause(struct vcpu *v, uint32_t reasons)
{
    uint32_t old = atomic_fetch_and(&v->pause, ~reasons);

    if (old != 0 && (old & ~reasons) == 0) {
        sched_wake(v);
    } else if (unlikely((old & reasons) & VCPU_PAUSE_BLOCKED)) {
        sched_state_changed(v); /* what it waited for came, and it is paused still */
    }
}

bool vcpu_is_off_cpu(struct vcpu *v)
{
    struct pcpu *p = atomic_load_acquire(&v->loaded_on);

    if (p != NULL) {
        pcpu_kick(p, PCPU_WORK_SCHED | PCPU_WORK_SAVE);
        return false;
    }
    return !atomic_load_acquire(&v->running);
}

enum vm_resume vcpu_block(struct vcpu *v)
{
    /*
     * Full barrier between "it waits" and looking for a reason not to.
     * Partner: vcpu_wake(), whose caller made the reason visible before.
     */
    atomic_fetch_or(&v->pause, VCPU_PAUSE_BLOCKED);
    if (arch_vcpu_has_event(v)) {
        atomic_fetch_and(&v->pause, ~(uint32_t)VCPU_PAUSE_BLOCKED);
        /* Who added a reason in between found it paused already and kicked nobody. */
        return vcpu_is_runnable(v) ? VM_RESUME : VM_RESCHEDULE;
    }
    trace_add(&v->pcpu->trace, TRACE_BLOCK, v->tag, 0, v->exits);
    perfc_count(v->pcpu, PERFC_BLOCKS);
    return VM_RESCHEDULE;
}

void vcpu_wake(struct vcpu *v)
{
    /* The reason to wake is visible before pause is looked at. Partner: vcpu_block(). */
    smp_mb();
    if (atomic_load_relaxed(&v->pause) & VCPU_PAUSE_BLOCKED) {
        vcpu_unpause(v, VCPU_PAUSE_BLOCKED);
    }
}

int vcpu_share_waited(struct vcpu *v, gpa_t at)
{
    int rc = guest_share(v->domain, at, sizeof(uint64_t), &v->waited_word);

    if (rc == 0) {
        /* Of a running vCPU it does not change. */
        guest_shared_store(&v->waited_word, v->rs.time[VCPU_STATE_RUNNABLE]);
    }
    return rc;
}

int vcpu_power_on(struct domain *d, uint32_t id, uint64_t entry, uint64_t arg)
{
    struct vcpu *v = id < d->config.vcpus_max ? d->vcpus[id] : NULL;
    int rc = 0;

    if (v == NULL) {
        return -XEN_EINVAL;
    }
    spin_lock(&d->lock);
    if (!(atomic_load_relaxed(&v->pause) & VCPU_PAUSE_OFFLINE)) {
        rc = -XEN_EEXIST;
    } else if (!vcpu_is_off_cpu(v)) {
        /* It switched itself off a moment ago and is still leaving its CPU. */
        rc = -XEN_EBUSY;
    } else {
        arch_vcpu_reset(v, entry, arg);
        /* BLOCKED may be left from before; the start is a reason to run. */
        vcpu_unpause(v, VCPU_PAUSE_OFFLINE | VCPU_PAUSE_BLOCKED);
    }
    spin_unlock(&d->lock);
    return rc;
}

void vcpu_power_off(struct vcpu *v)
{
    vcpu_pause(v, VCPU_PAUSE_OFFLINE);
    /* Nobody waits for its state: give it up at once, so that it can be switched on again. */
    pcpu_raise(v->pcpu, PCPU_WORK_SCHED | PCPU_WORK_SAVE);
}
