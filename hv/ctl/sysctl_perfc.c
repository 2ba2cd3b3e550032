/* SPDX-License-Identifier: MIT */
/*
 * sysctl: performance counters (Xen public header sysctl.h), with which `xenperf` shows what the
 * hypervisor is at. A counter has a name and values: one for each CPU, or one of the host.
 *
 * Nobody stops to be counted: values are of about the same moment. "Reset" moves what they
 * are counted from and leaves the counters themselves to their CPUs.
 */
#include <loam/atomic.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>
#include <xen/sysctl.h>

static const char *const cpu_names[PERFC_MAX] = {
    [PERFC_SWITCHES] = "sched: context switches",
    [PERFC_BLOCKS] = "sched: vCPUs blocked",
    [PERFC_IDLE_WAITS] = "sched: idle waits",
    [PERFC_KICKS] = "#IPIs",
    [PERFC_TIMERS] = "timers due",
    [PERFC_JOB_STEPS] = "job steps",
    [PERFC_MULTICALLS] = "calls to multicall",
    [PERFC_MULTICALL_CALLS] = "calls from multicall",
};

static const char *const host_names[PERFC_HOST_MAX] = {
    [PERFC_EXITS] = "vCPU exits",
    [PERFC_REFUSED] = "hypercalls refused",
    [PERFC_DOMAINS] = "domains created",
    [PERFC_FRAMES] = "frames allocated",
    [PERFC_FRAMES_CLEARED] = "frames cleared",
    [PERFC_VMID_ROLLOVERS] = "VMID rollovers",
};

static uint64_t exits_of_all(struct hv *hv)
{
    uint64_t exits = 0;
    struct domain *d;

    spin_lock(&hv->lock);
    exits = hv->perfc.exits_gone;
    spin_unlock(&hv->lock);
    for (uint32_t id = 0; (d = ctl_domain_from(hv, id)) != NULL; id = d->id + 1u) {
        struct vcpu *v;

        for_each_vcpu(d, v, i) { exits += atomic_load_relaxed(&v->exits); }
        domain_put(d);
    }
    return exits;
}

static uint64_t host_count(struct hv *hv, enum perfc_host which)
{
    switch (which) {
    case PERFC_EXITS:
        return exits_of_all(hv);
    case PERFC_REFUSED:
        return refusal_count(hv);
    case PERFC_DOMAINS:
        return atomic_load_relaxed(&hv->perfc.domains);
    case PERFC_FRAMES:
        return atomic_load_relaxed(&hv->frames.allocated);
    case PERFC_FRAMES_CLEARED:
        return atomic_load_relaxed(&hv->frames.cleared);
    case PERFC_VMID_ROLLOVERS:
        return MAX(atomic_load_relaxed(&hv->vmids.generation), UINT64_C(1)) - 1; /* 1: the first */
    case PERFC_HOST_MAX:
        break;
    }
    return 0;
}

/* Copies one counter's name out, of `nr_vals` values. */
static int put_desc(struct ctl *c, struct guest_ref *to, const char *name, uint32_t nr_vals)
{
    struct xen_sysctl_perfc_desc desc = { .nr_vals = nr_vals };

    (void)str_copy(desc.name, sizeof(desc.name), name);
    int rc = guest_copy_to(c->hc->v, *to, &desc, sizeof(desc));
    to->addr += sizeof(desc);
    return rc;
}

static int put_descs(struct ctl *c, struct guest_ref to)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < PERFC_MAX; i++) {
        rc = put_desc(c, &to, cpu_names[i], c->hc->d->hv->nr_pcpus);
    }
    for (uint32_t i = 0; rc == 0 && i < PERFC_HOST_MAX; i++) {
        rc = put_desc(c, &to, host_names[i], 1);
    }
    return rc;
}

/* Copies the values out, in the order of the names. */
static int put_vals(struct ctl *c, struct guest_ref to)
{
    struct hv *hv = c->hc->d->hv;
    uint32_t vals[HV_PCPUS_MAX];
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < PERFC_MAX; i++) {
        for (uint32_t cpu = 0; cpu < hv->nr_pcpus; cpu++) {
            const struct perfc_cpu *p = &hv->pcpus[cpu]->perfc;

            vals[cpu] = (uint32_t)(atomic_load_relaxed(&p->count[i]) -
                                   atomic_load_relaxed(&p->base[i]));
        }
        rc = guest_copy_to(c->hc->v, to, vals, hv->nr_pcpus * sizeof(vals[0]));
        to.addr += hv->nr_pcpus * sizeof(vals[0]);
    }
    for (uint32_t i = 0; rc == 0 && i < PERFC_HOST_MAX; i++) {
        uint64_t now = host_count(hv, i), base = atomic_load_relaxed(&hv->perfc.base[i]);
        /* A domain that ends while its exits are summed may be missed. */
        uint32_t val = (uint32_t)(now > base ? now - base : 0);

        rc = guest_copy_to(c->hc->v, to, &val, sizeof(val));
        to.addr += sizeof(val);
    }
    return rc;
}

static void begin_anew(struct hv *hv)
{
    for (uint32_t cpu = 0; cpu < hv->nr_pcpus; cpu++) {
        struct perfc_cpu *p = &hv->pcpus[cpu]->perfc;

        for (uint32_t i = 0; i < PERFC_MAX; i++) {
            atomic_store_relaxed(&p->base[i], atomic_load_relaxed(&p->count[i]));
        }
    }
    for (uint32_t i = 0; i < PERFC_HOST_MAX; i++) {
        atomic_store_relaxed(&hv->perfc.base[i], host_count(hv, i));
    }
}

/* Either sub-operation tells how many there are, and the rest to a caller that has room for it. */
int sysctl_op_perfc(struct ctl *c, void *arg)
{
    struct xen_sysctl_perfc_op *a = arg;
    struct hv *hv = c->hc->d->hv;
    int rc = 0;

    if (a->cmd != XEN_SYSCTL_PERFCOP_query && a->cmd != XEN_SYSCTL_PERFCOP_reset) {
        return refuse(-XEN_EINVAL, "no such operation on counters", a->cmd, 0);
    }
    if (a->desc != 0) {
        rc = put_descs(c, (struct guest_ref){ a->desc });
        if (rc == 0 && a->val != 0) {
            rc = put_vals(c, (struct guest_ref){ a->val });
        }
    }
    a->nr_counters = PERFC_MAX + PERFC_HOST_MAX;
    a->nr_vals = PERFC_MAX * hv->nr_pcpus + PERFC_HOST_MAX;
    if (rc == 0 && a->cmd == XEN_SYSCTL_PERFCOP_reset) {
        begin_anew(hv);
    }
    return rc;
}
