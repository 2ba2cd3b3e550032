/* SPDX-License-Identifier: MIT */
/*
 * What a domain and a vCPU cost in hypervisor memory, asked of Xen as its dom0.
 *
 * Domains are created by domctl and given one vCPU each; the free pages before and after are the
 * answer (Xen 4.17 public headers: sysctl.h, domctl.h, interface version 0x15). Loam prints the
 * same line itself at boot. Nothing is destroyed: the machine is switched off afterwards.
 */
#include "guest.h"

enum { INTERFACE_VERSION = 0x15, SYSCTL_PHYSINFO = 3, DOMCTL_CREATE = 1, DOMCTL_MAX_VCPUS = 15 };
enum { CDF_HVM = 1, CDF_HAP = 2, GIC_V3 = 2, NEXT_FREE_DOMID = 0x7ff4, NR_DOMAINS = 8 };
enum { PAGE_KIB = 4 };

struct sysctl_physinfo {
    uint32_t cmd;
    uint32_t interface_version;
    uint32_t cpus_and_nodes[10];
    uint64_t total_pages;
    uint64_t free_pages;
    uint8_t rest[128];
};

struct domctl {
    uint32_t cmd;
    uint32_t interface_version;
    uint16_t domain;
    uint16_t pad[3];
    union {
        struct {
            uint32_t ssidref;
            uint8_t handle[16];
            uint32_t flags;
            uint32_t iommu_opts;
            uint32_t max_vcpus;
            uint32_t max_evtchn_port;
            int32_t max_grant_frames;
            int32_t max_maptrack_frames;
            uint32_t grant_opts;
            uint32_t vmtrace_size;
            uint32_t cpupool_id;
            uint8_t gic_version;
            uint16_t tee_type;
            uint32_t nr_spis;
            uint32_t clock_frequency;
        } create;
        uint32_t max_vcpus;
        uint8_t size[128];
    } u;
};

static struct sysctl_physinfo physinfo;
static struct domctl domctl;

static uint64_t free_pages(void)
{
    physinfo.cmd = SYSCTL_PHYSINFO;
    physinfo.interface_version = INTERFACE_VERSION;
    expect("physinfo", (uint64_t)hypercall(HC_SYSCTL, (uint64_t)&physinfo, 0, 0), 0);
    return physinfo.free_pages;
}

static void domctl_prepare(uint32_t cmd, uint16_t domain)
{
    for (unsigned int i = 0; i < sizeof(domctl.u.size); i++) {
        domctl.u.size[i] = 0;
    }
    domctl.cmd = cmd;
    domctl.interface_version = INTERFACE_VERSION;
    domctl.domain = domain;
}

static void domain_create(uint8_t number)
{
    domctl_prepare(DOMCTL_CREATE, NEXT_FREE_DOMID);
    domctl.u.create.handle[0] = number;
    domctl.u.create.flags = CDF_HVM | CDF_HAP;
    domctl.u.create.max_vcpus = 1;
    domctl.u.create.max_evtchn_port = 1023;
    domctl.u.create.max_grant_frames = 1;
    domctl.u.create.max_maptrack_frames = 1;
    domctl.u.create.grant_opts = 1;
    domctl.u.create.gic_version = GIC_V3;
    expect("createdomain", (uint64_t)hypercall(HC_DOMCTL, (uint64_t)&domctl, 0, 0), 0);
}

static void vcpu_create(uint16_t domain)
{
    domctl_prepare(DOMCTL_MAX_VCPUS, domain);
    domctl.u.max_vcpus = 1;
    expect("max_vcpus", (uint64_t)hypercall(HC_DOMCTL, (uint64_t)&domctl, 0, 0), 0);
}

void run_objects(void)
{
    uint64_t domain_pages = 0;
    uint64_t vcpu_pages = 0;

    for (uint8_t i = 0; i < NR_DOMAINS; i++) {
        uint64_t before = free_pages();
        domain_create(i);
        uint64_t between = free_pages();
        vcpu_create(domctl.domain);
        domain_pages += before - between;
        vcpu_pages += between - free_pages();
    }
    print_string("mem: domain created uses ");
    print_number(domain_pages * PAGE_KIB / NR_DOMAINS);
    print_string(" KiB, ");
    print_number(vcpu_pages * PAGE_KIB / NR_DOMAINS);
    print_string(" KiB per vCPU\n");
}
