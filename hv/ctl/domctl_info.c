/* SPDX-License-Identifier: MIT */
/* domctl: what a toolstack is told of domains and vCPUs (Xen public header domctl.h). */
#include <arch/ctl.h>
#include <arch/stage2.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/memory.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

#define FRAME_UNKNOWN UINT64_MAX

/* Flags of the domain that its vCPUs together make, and what else is summed over them. */
static void vcpus_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t blocked = XEN_DOMINF_blocked;
    struct vcpu *v;

    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu(d, v, i) {
        struct vcpu_status status;

        vcpu_status(v, &status);
        info->max_vcpu_id = i;
        info->cpu_time += status.cpu_time;
        if (status.online) {
            info->nr_online_vcpus++;
            blocked = status.blocked ? blocked : 0;
            info->flags |= status.running ? XEN_DOMINF_running : 0;
        }
    }
    info->flags |= info->nr_online_vcpus != 0 ? blocked : 0;
}

void ctl_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    struct memory_counts memory;

    *info = (struct xen_domctl_getdomaininfo){
        .domain = d->id,
        .flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
        .shared_info_frame = FRAME_UNKNOWN,
        .gpaddr_bits = d->p2m.format->gpa_bits,
    };
    memory_counts(d, &memory);
    info->tot_pages = memory.pages;
    info->max_pages = MIN(memory.max, (uint64_t)UINT32_MAX); /* as much as tools can add up */
    info->outstanding_pages = memory.claim;
    vcpus_info(d, info);
    spin_lock(&d->lock);
    info->flags |= d->state == DOMAIN_DYING ? XEN_DOMINF_dying : 0;
    if (d->state == DOMAIN_SHUTDOWN) {
        info->flags |= XEN_DOMINF_shutdown | (uint32_t)d->shutdown_reason
                                                 << XEN_DOMINF_shutdownshift;
    }
    info->flags |= d->pause_count != 0 ? XEN_DOMINF_paused : 0;
    info->cpupool = cpupool_id(d->pool);
    memcpy(info->handle, d->handle, sizeof(info->handle));
    spin_unlock(&d->lock);
    info->flags |= d->config.xenstore ? XEN_DOMINF_xs_domain : 0;
    arch_domain_config_of(d, info->arch_config);
}

struct domain *ctl_domain_from(struct hv *hv, uint32_t id)
{
    for (; id < HV_DOMAINS_MAX; id++) {
        struct domain *d = domain_lookup(hv, (uint16_t)id);

        if (d != NULL) {
            return d;
        }
    }
    return NULL;
}

/* The domain with this id or else the next one: tools up to 4.17 walk all of them that way. */
int domctl_op_getdomaininfo(struct ctl *c, void *arg)
{
    if (c->domain >= DOMID_FIRST_RESERVED) {
        return refuse(-XEN_EINVAL, "no domid", c->domain, 0);
    }
    struct domain *d = ctl_domain_from(c->hc->d->hv, c->domain);

    if (d == NULL) {
        return refuse_unsaid(-XEN_ESRCH); /* how a list of the domains ends */
    }
    ctl_domain_info(d, arg);
    c->domain = d->id;
    domain_put(d);
    return 0;
}

int domctl_op_getvcpuinfo(struct ctl *c, void *arg)
{
    struct xen_domctl_getvcpuinfo *a = arg;
    struct vcpu *v;
    int rc = ctl_vcpu(c, a->vcpu, &v);

    if (rc != 0) {
        return rc;
    }
    struct vcpu_status status;

    vcpu_status(v, &status);
    a->online = status.online;
    a->blocked = status.blocked;
    a->running = status.running;
    a->cpu_time = status.cpu_time;
    a->cpu = status.cpu;
    return 0;
}
