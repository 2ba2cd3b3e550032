/* SPDX-License-Identifier: MIT */
/*
 * Physical CPUs: asking one for attention, bringing the others up, and the
 * quiescent point that readers without locks rely on.
 */
#include <arch/cpu.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/pcpu.h>

void pcpu_init(struct hv *hv, struct pcpu *p, uint32_t id)
{
    p->hv = hv;
    p->id = id;
    p->timer_lock = SPINLOCK_INIT(LOCK_RANK_TIMER);
    heap_init(&p->timers);
    p->timer_programmed = NS_NEVER;
    vmid_pcpu_init(&p->vmid);
    hv->pcpus[id] = p;
}

void pcpu_raise(struct pcpu *p, uint32_t work)
{
    if ((atomic_load_relaxed(&p->work) & work) != work) {
        atomic_fetch_or(&p->work, work);
    }
}

void pcpu_kick(struct pcpu *p, uint32_t work)
{
    /*
     * Full barrier: what the work is about is visible before the bits, and
     * the bits before the interrupt. A CPU that has all bits set already was
     * interrupted for them and takes them all at once.
     */
    uint32_t old = atomic_fetch_or(&p->work, work);

    if ((old & work) != work && p != this_pcpu()) {
        arch_cpu_kick(p);
    }
}

void pcpu_start_all(struct hv *hv)
{
    uint32_t nr = arch_cpu_count(hv);

    if (nr > HV_PCPUS_MAX) {
        log_warn(hv, "cpus: %u in the device tree, the first %u are used", nr, HV_PCPUS_MAX);
        nr = HV_PCPUS_MAX;
    }
    for (uint32_t i = 1; i < nr; i++) {
        int rc = arch_cpu_start(hv, i);

        if (rc != 0) {
            log_warn(hv, "cpus: CPU %u does not start (error %d) and is left out", i, -rc);
            continue;
        }
        hv->nr_pcpus++;
    }
}

void hv_quiesce_begin(struct hv *hv)
{
    atomic_store_release(&hv->quiesce_pending, hv->nr_pcpus);
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        pcpu_kick(hv->pcpus[i], PCPU_WORK_QUIESCE);
    }
}

bool hv_quiesce_done(struct hv *hv)
{
    /* Partner: the full barrier in pcpu_work_do(). */
    return atomic_load_acquire(&hv->quiesce_pending) == 0;
}
