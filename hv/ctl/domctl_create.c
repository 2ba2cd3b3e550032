/* SPDX-License-Identifier: MIT */
/*
 * domctl: a domain is made by a toolstack (Xen public header domctl.h).
 *
 * createdomain makes it without memory and vCPUs, max_vcpus its vCPUs; RAM comes by
 * populate_physmap, registers by setvcpucontext. Each of the two holds the domain (domain_hold()),
 * so that it is not taken apart under them by another CPU of the toolstack's domain.
 */
#include <arch/ctl.h>
#include <arch/guest.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/gnttab.h>
#include <loam/hv.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "private.h"

#define VCPUS_PER_CALL 16

#define GRANT_OPTS_SINCE 0x14u /* versions */
#define TRAP_UNMAPPED_SINCE 0x18u
#define DOMID_ANY_SINCE 0x18u
#define DOMID_ANY 0x7ff5u

#define FLAGS_NEEDED (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap)
/* Flags that a version knows are those below its highest one. */
static uint32_t flags_known(uint32_t version)
{
    static const uint32_t highest[] = {
        [0x12] = XEN_DOMCTL_CDF_iommu,
        [0x13] = XEN_DOMCTL_CDF_nested_virt,
        [0x14] = XEN_DOMCTL_CDF_vpmu,
        [0x15] = XEN_DOMCTL_CDF_vpmu,
        [0x16] = XEN_DOMCTL_CDF_vpmu,
        [0x17] = XEN_DOMCTL_CDF_trap_unmapped_accesses,
        [0x18] = XEN_DOMCTL_CDF_trap_unmapped_accesses,
    };

    return highest[version] * 2 - 1;
}

/* What there is none of here: refused, as the ABI says, and by name. */
static int check_features(const struct ctl *c, const struct xen_domctl_createdomain *a)
{
    uint32_t unknown = a->flags & ~flags_known(c->version);

    if (unknown != 0) {
        return refuse(-XEN_EINVAL, "flags that this version has not", unknown, c->version);
    }
    if ((a->flags & FLAGS_NEEDED) != FLAGS_NEEDED) {
        return refuse(-XEN_EINVAL, "guests need hardware paging (hvm, hap)", a->flags, 0);
    }
    uint32_t more = a->flags & ~(FLAGS_NEEDED | XEN_DOMCTL_CDF_xs_domain |
                                 XEN_DOMCTL_CDF_trap_unmapped_accesses);
    if (more != 0) {
        return refuse(-XEN_EINVAL, "flags for what guests have not here", more, 0);
    }
    if (a->iommu_opts != 0) {
        return refuse(-XEN_EINVAL, "IOMMU options without IOMMU", a->iommu_opts, 0);
    }
    if (a->vmtrace_size != 0) {
        return refuse(-XEN_EINVAL, "vmtrace is not available", a->vmtrace_size, 0);
    }
    if (a->altp2m != 0) {
        return refuse(-XEN_EINVAL, "altp2m is not available", a->altp2m, 0);
    }
    return 0;
}

static int config_limits(const struct ctl *c, const struct xen_domctl_createdomain *a,
                         struct domain_config *config)
{
    uint32_t version = a->grant_opts & XEN_DOMCTL_GRANT_version_mask;

    if (a->max_vcpus == 0 || a->max_vcpus > DOMAIN_VCPUS_MAX) {
        return refuse(-XEN_EINVAL, "number of vCPUs", a->max_vcpus, DOMAIN_VCPUS_MAX);
    }
    if (c->version >= GRANT_OPTS_SINCE && (version == 0 || version > 2 || a->grant_opts > 0xf)) {
        return refuse(-XEN_EINVAL, "version of grant tables", a->grant_opts, c->version);
    }
    config->vcpus_max = a->max_vcpus;
    if (a->max_grant_frames == 0) {
        return refuse(-XEN_EINVAL, "a grant table without frames", 0, 0);
    }
    config->evtchn_port_max = MAX(a->max_evtchn_port, 1u);
    config->grant_frames_max = a->max_grant_frames < 0 ? 0 : (uint32_t)a->max_grant_frames;
    config->maptrack_frames_max = a->max_maptrack_frames < 0    ? 0
                                  : a->max_maptrack_frames == 0 ? GNTTAB_MAPTRACK_NONE
                                                                : (uint32_t)a->max_maptrack_frames;
    config->grant_version_max = (uint8_t)version;
    if (!gnttab_limits_are_valid(config->grant_frames_max, config->maptrack_frames_max, version)) {
        return refuse(-XEN_EINVAL, "limits of grants", config->grant_frames_max,
                      config->maptrack_frames_max);
    }
    return 0;
}

/* A domid that the caller wants, or 0 for "any": as its version says. */
static int config_domid(const struct ctl *c, struct domain_config *config)
{
    bool any = c->version >= DOMID_ANY_SINCE ? c->domain == DOMID_ANY
                                             : c->domain == 0 || c->domain >= DOMID_FIRST_RESERVED;

    if (any) {
        return 0;
    }
    if (c->domain == 0) {
        return refuse(-XEN_EEXIST, "the control domain has this id", 0, c->version);
    }
    if (c->domain >= HV_DOMAINS_MAX) {
        return refuse(-XEN_EINVAL, "domids are smaller", c->domain, HV_DOMAINS_MAX);
    }
    config->id = c->domain;
    return 0;
}

int domctl_op_createdomain(struct ctl *c, void *arg)
{
    struct xen_domctl_createdomain *a = arg;
    struct hv *hv = c->hc->d->hv;
    struct domain_config config = {
        .weight = SCHED_WEIGHT_DEFAULT,
        .enhanced = true,
        .held = true,
        .xenstore = a->flags & XEN_DOMCTL_CDF_xs_domain,
    };
    struct domain *d;
    int rc = check_features(c, a);

    if (rc == 0) {
        rc = config_limits(c, a, &config);
    }
    if (rc == 0) {
        rc = config_domid(c, &config);
    }
    if (rc == 0) {
        rc = arch_domain_config(hv, a->arch, &config);
    }
    if (rc != 0) {
        return rc;
    }
    config.pool = cpupool_get(hv, a->cpupool_id);
    if (config.pool == NULL) {
        return refuse(-XEN_EINVAL, "no such CPU pool", a->cpupool_id, 0);
    }
    memcpy(config.handle, a->handle, sizeof(config.handle));
    rc = domain_create(hv, &config, &d);
    cpupool_put(config.pool);
    if (rc != 0) {
        return refuse(rc == -XEN_ENOSPC ? -XEN_ENOMEM : rc, "domain_create", config.id,
                      (uint64_t)-rc);
    }
    c->domain = d->id;
    arch_domain_config_of(d, a->arch);
    domain_unhold(d);
    return 0;
}

/* vCPUs that are missing, some at a time; the interrupt controller before the first. */
static int make_vcpus(struct domain *d)
{
    uint32_t made = 0;

    if (d->vcpus[0] == NULL) {
        int rc = arch_vintc_create(d);

        if (rc != 0) {
            return refuse(rc, "the interrupt controller", d->config.nr_spis, d->config.vcpus_max);
        }
    }
    for (uint32_t i = 0; i < d->config.vcpus_max; i++) {
        if (d->vcpus[i] != NULL) {
            continue;
        }
        if (made++ == VCPUS_PER_CALL) {
            return -XEN_EAGAIN;
        }
        int rc = vcpu_create(d, i);

        if (rc != 0) {
            return refuse(rc, "a vCPU could not be made", i, d->config.vcpus_max);
        }
    }
    return 0;
}

int domctl_op_max_vcpus(struct ctl *c, void *arg)
{
    const struct xen_domctl_max_vcpus *a = arg;
    struct domain *d = c->d;

    if (d == c->hc->d || a->max != d->config.vcpus_max) {
        return refuse(-XEN_EINVAL, "not the number that the domain was created with", a->max,
                      d->config.vcpus_max);
    }
    if (!domain_hold(d)) {
        return hc_again(c->hc);
    }
    int rc = d->state == DOMAIN_DYING ? refuse(-XEN_EINVAL, "the domain is dying", d->id, 0)
                                      : make_vcpus(d);
    domain_unhold(d);
    return rc == -XEN_EAGAIN ? hc_again(c->hc) : rc;
}

#define ADDRESS_SIZE 64u /* of registers, the only kind of guest */

int domctl_op_set_address_size(struct ctl *c, void *arg)
{
    const struct xen_domctl_address_size *a = arg;

    return a->size == ADDRESS_SIZE ? 0
                                   : refuse(-XEN_EINVAL, "guests have 64 bits", a->size, c->d->id);
}

int domctl_op_get_address_size(struct ctl *c, void *arg)
{
    struct xen_domctl_address_size *a = arg;

    a->size = ADDRESS_SIZE;
    return 0;
}
