/* SPDX-License-Identifier: MIT */
/*
 * platform_op: what a control domain asks of the machine (Xen public header platform.h): the time
 * of day, how long CPUs idled, and which there are.
 *
 * Rows: abi/tables/platform.tbl; the dispatcher (ctl.c) has checked the interface version.
 */
#include <arch/time.h>
#include <loam/ctl.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/wallclock.h>
#include <xen/errno.h>
#include <xen/platform.h>

int platform_op_settime32(struct ctl *c, void *arg)
{
    const struct xenpf_settime32 *a = arg;

    return wallclock_set(c->hc->d->hv, a->secs, a->nsecs, a->system_time);
}

int platform_op_settime64(struct ctl *c, void *arg)
{
    const struct xenpf_settime64 *a = arg;

    if (a->mbz != 0) {
        return refuse(-XEN_EINVAL, "a field that must be zero", a->mbz, 0);
    }
    return wallclock_set(c->hc->d->hv, a->secs, a->nsecs, a->system_time);
}

/*
 * The CPUs of one byte of the caller's bitmap, from `first`: their idle times into its array, the
 * bits of those that there are not off.
 */
static int idle_times(struct ctl *c, const struct xenpf_getidletime *a, uint32_t first, uint32_t nr)
{
    const struct hv *hv = c->hc->d->hv;
    struct guest_ref at = { a->cpumap_bitmap + first / 8 };
    uint8_t wanted, there = 0;
    int rc = guest_copy_from(c->hc->v, &wanted, at, 1);

    for (uint32_t i = 0; rc == 0 && i < nr; i++) {
        uint32_t cpu = first + i;
        uint64_t idle = 0;

        if (!(wanted & BIT(i))) {
            continue;
        }
        if (cpu < hv->nr_pcpus) {
            there |= (uint8_t)BIT(i);
            idle = pcpu_idle_time(hv->pcpus[cpu], a->now);
        }
        rc = guest_copy_to(c->hc->v, (struct guest_ref){ a->idletime + cpu * sizeof(idle) }, &idle,
                           sizeof(idle));
    }
    return rc != 0 ? rc : guest_copy_to(c->hc->v, at, &there, 1);
}

int platform_op_getidletime(struct ctl *c, void *arg)
{
    struct xenpf_getidletime *a = arg;
    int rc = 0;

    if (a->cpumap_nr_cpus > HV_PCPUS_MAX) {
        return refuse(-XEN_EINVAL, "bits in the map of CPUs", a->cpumap_nr_cpus, HV_PCPUS_MAX);
    }
    a->now = arch_time_now();
    for (uint32_t cpu = 0; rc == 0 && cpu < a->cpumap_nr_cpus; cpu += 8) {
        rc = idle_times(c, a, cpu, MIN(a->cpumap_nr_cpus - cpu, 8u));
    }
    return rc;
}

int platform_op_get_cpuinfo(struct ctl *c, void *arg)
{
    struct xenpf_pcpuinfo *a = arg;
    const struct hv *hv = c->hc->d->hv;

    a->max_present = hv->nr_pcpus - 1;
    a->flags = a->xen_cpuid < hv->nr_pcpus ? XEN_PCPU_FLAGS_ONLINE : XEN_PCPU_FLAGS_INVALID;
    a->apic_id = 0;
    a->acpi_id = a->xen_cpuid < hv->nr_pcpus ? a->xen_cpuid : 0;
    return 0;
}
