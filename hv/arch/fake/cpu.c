/* SPDX-License-Identifier: MIT */
/*
 * CPUs of the fake machine: one thread plays them all, fake_machine->cpu says
 * which one it is. A CPU that waits with nothing pending asks the test
 * (on_wait); without an answer time jumps to its timer; without a timer the run ends.
 */
#include <stdlib.h>

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/impl/fake.h>
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/vmid.h>
#include <xen/errno.h>

#include "fake.h"

struct pcpu *this_pcpu(void) { return fake_machine != NULL ? fake_machine->cpu : NULL; }

/* There is one thread: who spins waits for ever. */
void arch_cpu_relax(void) { fake_violation("a CPU spins: the lock is held by a run that ended"); }

void arch_cpu_wait(void)
{
    struct fake_machine *m = fake_machine;
    struct pcpu *p = m->cpu;

    if (fake_irq_is_pending(p)) {
        return;
    }
    if (m->on_wait != NULL) {
        m->on_wait(m, p);
        if (fake_irq_is_pending(p)) {
            return;
        }
    }
    if (p->arch.deadline == NS_NEVER) {
        fake_stop(FAKE_STOP_IDLE);
    }
    m->now = MAX(m->now, p->arch.deadline);
}

void arch_cpu_halt(void) { fake_stop(FAKE_STOP_HALT); }
void arch_machine_off(struct hv *hv) { fake_stop(FAKE_STOP_OFF); }
void arch_machine_reset(struct hv *hv) { fake_stop(FAKE_STOP_RESET); }

void arch_cpu_kick(struct pcpu *p)
{
    p->arch.kicks++;
    smp_mb(); /* the work before the interrupt */
    atomic_store_relaxed(&p->arch.kicked, true);
}

uint32_t arch_cpu_count(const struct hv *hv) { return fake_machine->nr_cpus; }

int arch_cpu_prepare(struct hv *hv, struct pcpu *p, uint32_t id)
{
    p->arch.dead = id < 64 && (fake_machine->dead_cpus & BIT(id)) != 0;
    return 0;
}

int arch_cpu_on(struct pcpu *p)
{
    if (p->arch.dead) {
        return 0; /* and never comes */
    }
    int rc = arch_pcpu_init(p);

    p->online = true;
    return rc;
}

void arch_panic_dump(void (*emit)(void *arg, const char *line), void *arg)
{
    emit(arg, "the fake CPU has no registers");
}

ns_t arch_time_now(void) { return fake_machine->now; }
void arch_timer_set(struct pcpu *p, ns_t deadline) { p->arch.deadline = deadline; }

int arch_cpu_probe(struct hv *hv, const struct fdt *host) { return 0; }
int arch_platform_init(struct hv *hv, const struct fdt *host) { return 0; }
int arch_iommu_init(struct hv *hv, const struct fdt *host) { return 0; }

int arch_pcpu_init(struct pcpu *p)
{
    if (p->id == 0) {
        vmid_pool_init(&p->hv->vmids, FAKE_VMID_BITS, HV_PCPUS_MAX);
    }
    p->arch.deadline = NS_NEVER;
    return 0;
}

void arch_describe(const struct hv *hv, char *buf, size_t size)
{
    fmt_print(buf, size, "fake machine, %u CPUs", fake_machine->nr_cpus);
}

bool arch_private_range(const struct hv *hv, uint32_t i, hpa_t *start, uint64_t *size)
{
    *start = hpa(FAKE_INTC_BASE);
    *size = FAKE_INTC_SIZE;
    return i == 0;
}
