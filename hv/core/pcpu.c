/* SPDX-License-Identifier: MIT */
/*
 * Physical CPUs: asking one for attention, bringing the others up, and the
 * quiescent point that readers without locks rely on.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#define START_TIMEOUT NS_PER_S /* for a CPU to come online */

void pcpu_init(struct hv *hv, struct pcpu *p, uint32_t id)
{
    p->hv = hv;
    p->id = id;
    p->timer_lock = SPINLOCK_INIT(LOCK_RANK_TIMER);
    heap_init(&p->timers);
    p->timer_programmed = NS_NEVER;
    pcpu_idle_begins(p, hv->boot_start);
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

    if ((old & work) == work) {
        return;
    }
    struct pcpu *self = this_pcpu();

    if (p != self) {
        perfc_count(self, PERFC_KICKS);
        arch_cpu_kick(p);
    }
}

ns_t pcpu_idle_time(const struct pcpu *p, ns_t now)
{
    uint64_t clock = atomic_load_relaxed(&p->idle_clock);

    return (clock & 1 ? clock + 2 * now - 1 : clock) / 2;
}

/* Sleeps until p says that it is online, which it does before it kicks this CPU. */
static bool wait_online(struct pcpu *p)
{
    struct pcpu *self = this_pcpu();
    ns_t deadline = arch_time_now() + START_TIMEOUT;

    arch_timer_set(self, deadline);
    /* Acquire pairs with the release in hv_start_secondary(). */
    while (!atomic_load_acquire(&p->online) && arch_time_now() < deadline) {
        arch_cpu_wait();
        arch_irq_poll(self);
    }
    arch_timer_set(self, NS_NEVER);
    return atomic_load_acquire(&p->online);
}

/*
 * Brings up CPU `id` of the machine's list as number hv->nr_pcpus, which the caller then
 * counts. Errors: those of arch_cpu_prepare() and arch_cpu_on(), -XEN_ETIMEDOUT.
 */
static int pcpu_start(struct hv *hv, uint32_t id)
{
    struct pcpu *p = mem_alloc(hv, sizeof(*p));

    if (p == NULL) {
        return -XEN_ENOMEM;
    }
    int rc = arch_cpu_prepare(hv, p, id);
    if (rc != 0) {
        mem_free(hv, p, sizeof(*p));
        return rc;
    }
    pcpu_init(hv, p, hv->nr_pcpus);
    rc = arch_cpu_on(p);
    if (rc == 0 && wait_online(p)) {
        return 0;
    }
    atomic_store_release(&hv->pcpus[p->id], NULL);
    if (rc == 0) {
        return -XEN_ETIMEDOUT; /* it may still come and look at p: that stays */
    }
    mem_free(hv, p, sizeof(*p));
    return rc;
}

void pcpu_start_all(struct hv *hv)
{
    uint32_t nr = arch_cpu_count(hv);

    if (nr > HV_PCPUS_MAX) {
        log_warn(hv, "cpus: %u in the device tree, the first %u are used", nr, HV_PCPUS_MAX);
        nr = HV_PCPUS_MAX;
    }
    for (uint32_t i = 1; i < nr; i++) {
        int rc = pcpu_start(hv, i);

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

bool hv_quiesce(struct hv *hv, const void *owner)
{
    if (hv->quiescing != owner) {
        const void *none = NULL;

        if (!atomic_compare_exchange(&hv->quiescing, &none, owner)) {
            return false;
        }
        hv_quiesce_begin(hv);
    }
    if (!hv_quiesce_done(hv)) {
        return false;
    }
    atomic_store_release(&hv->quiescing, NULL);
    return true;
}
