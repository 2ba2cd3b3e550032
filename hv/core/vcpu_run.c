/* SPDX-License-Identifier: MIT */
/*
 * The run loop: the only way from a guest into the neutral code and back.
 *
 * vcpu_exit() handles one exit by the table below. As long as p->work is 0 it
 * goes straight back into the same guest; otherwise vcpu_next() does the work
 * and chooses. State of a vCPU stays in the hardware (p->loaded) over exits
 * and idle time until another vCPU needs the place, so that what comes back
 * to the same CPU pays nothing.
 *
 * Everything here runs on the pcpu's own stack with interrupts masked;
 * interrupts are taken at two points only: exit_irq() and the idle wait.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/job.h>
#include <loam/log.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/start.h>
#include <loam/vcpu.h>

static enum vm_resume exit_firmware(struct vcpu *v, struct vm_exit *x);
static enum vm_resume exit_irq(struct vcpu *v, struct vm_exit *x);
static enum vm_resume exit_mmio(struct vcpu *v, struct vm_exit *x);
static enum vm_resume exit_idle(struct vcpu *v, struct vm_exit *x);
static enum vm_resume exit_yield(struct vcpu *v, struct vm_exit *x);
static enum vm_resume exit_arch(struct vcpu *v, struct vm_exit *x);

static enum vm_resume (*const exit_handlers[VM_EXIT_KINDS])(struct vcpu *v, struct vm_exit *x) = {
    [VM_EXIT_HYPERCALL] = exit_hypercall,
    [VM_EXIT_FIRMWARE] = exit_firmware,
    [VM_EXIT_IRQ] = exit_irq,
    [VM_EXIT_MMIO] = exit_mmio,
    [VM_EXIT_IDLE] = exit_idle,
    [VM_EXIT_YIELD] = exit_yield,
    [VM_EXIT_ARCH] = exit_arch,
};

/* Into each of its callers, where the linker sees them: a call and a frame less on every exit. */
__inline_at_link bool vcpu_exit(struct vcpu *v, struct vm_exit *x)
{
    struct pcpu *p = v->pcpu;

    v->exits++;
    trace_add(&p->trace, TRACE_EXIT, vcpu_tag(v), x->kind, x->info);
    if (exit_handlers[x->kind](v, x) != VM_RESUME) {
        pcpu_raise(p, PCPU_WORK_SCHED);
    }
    return likely(atomic_load_relaxed(&p->work) == 0);
}

static enum vm_resume exit_firmware(struct vcpu *v, struct vm_exit *x)
{
    return arch_exit_firmware(v, x);
}

static enum vm_resume exit_irq(struct vcpu *v, struct vm_exit *x)
{
    arch_irq_poll(v->pcpu);
    return VM_RESUME;
}

static enum vm_resume exit_mmio(struct vcpu *v, struct vm_exit *x)
{
    struct mmio_access *a = &x->mmio;
    const struct mmio_region *r = mmio_find(v->domain, a->addr);
    enum mmio_result result = MMIO_FAULT;

    if (r != NULL) {
        uint64_t offset = a->addr.a - r->base.a;

        if ((offset & (a->size - 1u)) != 0 || a->size > r->size - offset) {
            result = MMIO_FAULT;
        } else if (a->write) {
            result = r->ops->write(v, r->data, offset, a->size, a->value);
        } else {
            result = r->ops->read(v, r->data, offset, a->size, &a->value);
        }
    }
    if (unlikely(result != MMIO_OK)) {
        trace_add(&v->pcpu->trace, TRACE_MMIO, vcpu_tag(v), a->addr.a, x->info);
        arch_inject_access_fault(v, x);
        return VM_RESUME;
    }
    if (!a->write) {
        arch_mmio_complete(v, a);
    }
    arch_vcpu_skip(v, x);
    return VM_RESUME;
}

static enum vm_resume exit_idle(struct vcpu *v, struct vm_exit *x)
{
    arch_vcpu_skip(v, x);
    return vcpu_block(v);
}

static enum vm_resume exit_yield(struct vcpu *v, struct vm_exit *x)
{
    arch_vcpu_skip(v, x);
    sched_yield_vcpu(v);
    return VM_RESCHEDULE;
}

static enum vm_resume exit_arch(struct vcpu *v, struct vm_exit *x)
{
    return arch_exit_handle(v, x);
}

static __inline_hot void put_loaded(struct pcpu *p)
{
    struct vcpu *v = p->loaded;

    if (v == NULL) {
        return;
    }
    arch_vcpu_save(v, p);
    p->loaded = NULL;
    /* Pairs with the acquire of loaded_on in sched_pick() of the CPU that takes v over. */
    atomic_store_release(&v->loaded_on, NULL);
    sched_released(v);
}

void vcpu_put_loaded(struct pcpu *p) { put_loaded(p); }

/* What is neither choosing nor delivering: rarely anything. */
static __noinline void pcpu_work_do(struct pcpu *p, uint32_t work)
{
    if (work & PCPU_WORK_STOP) {
        arch_cpu_halt();
    }
    if (work & PCPU_WORK_TIMER) {
        timer_run(p);
    }
    if (work & PCPU_WORK_CONSOLE) {
        console_poll(p->hv);
    }
    if (work & PCPU_WORK_JOB) {
        job_step(p);
    }
    if (work & PCPU_WORK_QUIESCE) {
        /* Full barrier: what this CPU found before is not in use. Partner: hv_quiesce_done(). */
        atomic_fetch_sub(&p->hv->quiesce_pending, 1);
    }
}

/* Waits for an interrupt, or does a step of long work, and takes what is pending. */
static __noinline void pcpu_idle(struct pcpu *p)
{
    if (!job_step(p)) {
        atomic_store_relaxed(&p->idle, true);
        /* Partner: pcpu_kick() sets work, then looks at idle. */
        smp_mb();
        if (atomic_load_relaxed(&p->work) == 0) {
            perfc_count(p, PERFC_IDLE_WAITS);
            arch_cpu_wait();
        }
        atomic_store_relaxed(&p->idle, false);
    }
    arch_irq_poll(p);
}

/* Makes v the vCPU whose state is in the hardware. */
static __inline_hot void vcpu_load(struct pcpu *p, struct vcpu *v)
{
    put_loaded(p);
    perfc_count(p, PERFC_SWITCHES);
    trace_add(&p->trace, TRACE_SWITCH, vcpu_tag(v), (uint64_t)(uintptr_t)v,
              v->rs.time[VCPU_STATE_RUNNING]);
    p->loaded = v;
    atomic_store_relaxed(&v->loaded_on, p);
    arch_vcpu_load(v, p);
}

struct vcpu *vcpu_next(struct pcpu *p)
{
    for (;;) {
        uint32_t work = atomic_exchange(&p->work, 0);
        struct vcpu *v = p->current;

        if (unlikely(work & ~(uint32_t)(PCPU_WORK_SCHED | PCPU_WORK_VINTC | PCPU_WORK_SAVE))) {
            pcpu_work_do(p, work);
        }
        if (v == NULL || (work & PCPU_WORK_SCHED) || !vcpu_is_runnable(v)) {
            v = sched_pick(p);
            p->current = v;
        }
        if (unlikely(work & PCPU_WORK_SAVE) && p->loaded != v) {
            vcpu_put_loaded(p);
        }
        if (v == NULL) {
            /* Work that came up meanwhile goes first: it may make something runnable. */
            if (atomic_load_relaxed(&p->work) == 0) {
                pcpu_idle(p);
            }
            continue;
        }
        if (v != p->loaded) {
            vcpu_load(p, v);
        }
        arch_vcpu_sync_interrupts(v);
        if (likely(atomic_load_relaxed(&p->work) == 0)) {
            return v;
        }
    }
}
