/* SPDX-License-Identifier: MIT */
/* ctl/domctl*.c: a toolstack's domains made, looked at, paused, run and destroyed. */
#include <loam/gnttab.h>
#include <loam/hv.h>
#include <xen/arch-arm.h>

#include "../../hv/boot/private.h"
#include "ctl.h"

static struct domain *domain_of(struct toolstack *t, uint16_t id) { return t->w->hv->domains[id]; }

static struct xen_domctl_getdomaininfo info_of(struct toolstack *t, uint16_t id)
{
    struct xen_domctl_getdomaininfo info;

    memset(&info, 0xaa, sizeof(info));
    CHECK_EQ(toolstack_do(t, XEN_DOMCTL_getdomaininfo, id, &info, sizeof(info)), 0);
    return info;
}

static int64_t set_context(struct toolstack *t, uint16_t id, uint32_t vcpu,
                           const struct vcpu_guest_context *c)
{
    struct xen_domctl_vcpucontext a = { vcpu, TOOLSTACK_BUF };

    toolstack_put(t, TOOLSTACK_BUF, c, sizeof(*c));
    return toolstack_do(t, XEN_DOMCTL_setvcpucontext, id, &a, sizeof(a));
}

TEST_ALLOC(a_toolstacks_domain_from_creation_to_its_end)
{
    struct toolstack t = toolstack_begin(2);

    world_inject(t.w, true);
    uint16_t id = toolstack_create(&t, 2);
    world_inject(t.w, false);
    if (id != 0) {
        struct domain *d = domain_of(&t, id);
        struct xen_domctl_getdomaininfo info = info_of(&t, id);
        struct vcpu_guest_context c = { .flags = VGCF_online,
                                        .user_regs = { .x = { 7 }, .pc64 = 0x40080000 } };

        CHECK_STR(d->config.name, "d1");
        CHECK_EQ(info.domain, id);
        CHECK_EQ(info.flags, XEN_DOMINF_hvm_guest | XEN_DOMINF_hap | XEN_DOMINF_paused);
        CHECK_EQ(info.nr_online_vcpus, 0);
        CHECK_EQ(info.max_vcpu_id, 1);
        CHECK_EQ(info.handle[3], 4);
        CHECK_EQ(set_context(&t, id, 0, &c), 0);
        info = info_of(&t, id);
        CHECK_EQ(info.nr_online_vcpus, 1);
        CHECK_EQ(d->vcpus[0]->arch.pc, 0x40080000);
        CHECK_EQ(d->vcpus[0]->arch.reg[0], 7);
        CHECK_EQ(d->state, DOMAIN_BUILDING);
        CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_unpausedomain, id), 0);
        CHECK_EQ(d->state, DOMAIN_RUNNING);
        CHECK(vcpu_is_runnable(d->vcpus[0]));
        CHECK(!vcpu_is_runnable(d->vcpus[1]));
        CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_pausedomain, id), 0);
        CHECK(!vcpu_is_runnable(d->vcpus[0]));
        CHECK(vcpu_is_off_cpu(d->vcpus[0]));
        CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_destroydomain, id), 0);
        CHECK(domain_of(&t, id) == NULL);
        CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_destroydomain, id), -XEN_ESRCH);
    }
    dom_settle(t.w);
    toolstack_end(&t);
}

/* Each release's createdomain, as bytes: what it says arrives, and the answer in its own form. */
TEST(createdomain_of_each_version)
{
    static const struct {
        uint32_t version, size, arch;
    } v[] = { { 0x12, 56, 44 }, { 0x13, 60, 48 }, { 0x14, 64, 52 }, { 0x15, 68, 56 },
              { 0x16, 68, 56 }, { 0x17, 72, 60 }, { 0x18, 76, 60 } };

    for (uint32_t i = 0; i < ARRAY_SIZE(v); i++) {
        struct toolstack t = toolstack_begin(1);
        struct xen_domctl_createdomain c = toolstack_config(3);
        struct xen_arch_domainconfig arch = { .nr_spis = 40, .gic_version = 0 };
        struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain,
                                 .domain = v[i].version < 0x18 ? 0 : 0x7ff5 };

        t.version = v[i].version;
        memset(op.u, 0xee, sizeof(op.u));
        memset(op.u, 0, v[i].size);
        memcpy(op.u, &c, v[i].version < 0x14 ? 44 : 48);
        memcpy(op.u + v[i].arch, &arch, v[i].version < 0x18 ? 12 : 16);
        CHECK_EQ(toolstack_domctl(&t, &op), 0);
        CHECK_EQ(op.domain, 1);
        memcpy(&arch, op.u + v[i].arch, 12);
        CHECK_EQ(arch.gic_version, XEN_DOMCTL_CONFIG_GIC_V3);
        CHECK_EQ(arch.nr_spis, 40);
        for (uint32_t k = v[i].size; k < sizeof(op.u); k++) {
            CHECK_EQ(op.u[k], 0xee);
        }
        CHECK_EQ(domain_of(&t, 1)->config.vcpus_max, 3);
        CHECK_EQ(domain_of(&t, 1)->config.nr_spis, 40);
        CHECK_EQ(domain_of(&t, 1)->config.grant_version_max, v[i].version < 0x14 ? 0 : 1);

        uint8_t wire[128];
        memset(wire, 0xee, sizeof(wire));
        CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getdomaininfo, 0, wire, sizeof(wire)), 0);
        memset(wire, 0xee, sizeof(wire));
        CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getdomaininfo, 1, wire, sizeof(wire)), 0);
        memcpy(&arch, wire + (v[i].version < 0x14 ? 96 : 104), 12);
        CHECK_EQ(arch.nr_spis, 40);
        CHECK_EQ(wire[v[i].version < 0x14 ? 112 : 120], 0xee);
        toolstack_end(&t);
    }
}

TEST(versions_that_nobody_has_are_refused)
{
    static const uint32_t bad[] = { 0, 1, 0x11, 0x19, 0x115, UINT32_MAX };
    struct toolstack t = toolstack_begin(1);

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        t.version = bad[i];
        for (uint32_t cmd = 0; cmd < 100; cmd++) {
            CHECK_EQ(toolstack_act(&t, cmd, 0), -XEN_EACCES);
        }
    }
    struct refusal r;
    CHECK(refusal_read(t.w->hv, refusal_count(t.w->hv) - 1, &r));
    CHECK_EQ(r.rc, -XEN_EACCES);
    CHECK_EQ(r.op, 99);
    CHECK_EQ(r.value[0], UINT32_MAX);
    CHECK_STR(r.check, "interface version");
    toolstack_end(&t);
}

TEST(what_a_configuration_cannot_have)
{
    struct toolstack t = toolstack_begin(1);
    uint64_t used = mem_used(t.w->hv);

    for (uint32_t bad = 0; bad < 17; bad++) {
        struct xen_domctl_createdomain c = toolstack_config(1);
        struct xen_arch_domainconfig arch = { 0 };
        struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .domain = 0x7ff5 };
        int want = -XEN_EINVAL;

        switch (bad) {
        case 0: c.flags = XEN_DOMCTL_CDF_hvm; break;
        case 1: c.flags |= 1u << 20; break;
        case 2: c.flags |= XEN_DOMCTL_CDF_iommu; break;
        case 3: c.iommu_opts = 1; break;
        case 4: c.max_vcpus = 0; break;
        case 5: c.max_vcpus = DOMAIN_VCPUS_MAX + 1; break;
        case 6: c.vmtrace_size = 4096; break;
        case 7: c.altp2m = 1; break;
        case 8: c.cpupool_id = 7; break;
        case 9: c.grant_opts = 0; break;
        case 10: c.grant_opts = 3; break;
        case 11: arch.tee_type = 1; break;
        case 12: c.max_grant_frames = 0; break;
        case 13: c.max_grant_frames = GNTTAB_FRAMES_MAX + 1; break;
        case 14: c.max_maptrack_frames = GNTTAB_MAPTRACK_MAX + 1; break;
        case 15: arch.gic_version = XEN_DOMCTL_CONFIG_GIC_V2; break;
        default:
            op.domain = 0;
            want = -XEN_EEXIST;
            break;
        }
        memcpy(c.arch, &arch, sizeof(arch));
        memcpy(op.u, &c, sizeof(c));
        uint64_t reasons = refusal_count(t.w->hv);
        CHECK_EQ(toolstack_domctl(&t, &op), want);
        struct refusal r;
        CHECK(refusal_read(t.w->hv, reasons, &r) && r.check != NULL);
    }
    CHECK_EQ(mem_used(t.w->hv), used);
    toolstack_end(&t);
}

/* As tools send them: a number, none at all, or less than 0 for "as usual". */
TEST(limits_of_grants)
{
    static const struct {
        int32_t frames, maptrack;
        uint32_t own_frames, own_maptrack;
    } t[] = { { 64, 1024, 64, 1024 }, { -1, -1, 0, 0 }, { 1, 0, 1, GNTTAB_MAPTRACK_NONE } };
    struct toolstack s = toolstack_begin(1);

    for (uint32_t i = 0; i < ARRAY_SIZE(t); i++) {
        struct xen_domctl_createdomain c = toolstack_config(1);
        struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .domain = 0x7ff5 };

        c.max_grant_frames = t[i].frames;
        c.max_maptrack_frames = t[i].maptrack;
        memcpy(op.u, &c, sizeof(c));
        CHECK_EQ(toolstack_domctl(&s, &op), 0);
        CHECK_EQ(domain_of(&s, op.domain)->config.grant_frames_max, t[i].own_frames);
        CHECK_EQ(domain_of(&s, op.domain)->config.maptrack_frames_max, t[i].own_maptrack);
    }
    toolstack_end(&s);
}

TEST(a_wanted_domid)
{
    struct toolstack t = toolstack_begin(1);
    struct xen_domctl_createdomain c = toolstack_config(1);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain, .domain = 77 };

    memcpy(op.u, &c, sizeof(c));
    CHECK_EQ(toolstack_domctl(&t, &op), 0);
    CHECK_EQ(op.domain, 77);
    memcpy(op.u, &c, sizeof(c));
    CHECK_EQ(toolstack_domctl(&t, &op), -XEN_EEXIST);
    op.domain = HV_DOMAINS_MAX;
    memcpy(op.u, &c, sizeof(c));
    CHECK_EQ(toolstack_domctl(&t, &op), -XEN_EINVAL);
    toolstack_end(&t);
}

/* Tools up to 4.17 walk all domains by asking for one that may not be there. */
TEST(getdomaininfo_goes_on_to_the_next_domain)
{
    struct toolstack t = toolstack_begin(2);
    uint16_t a = toolstack_create(&t, 1), b = toolstack_create(&t, 1);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_getdomaininfo, .domain = (domid_t)(a + 1) };

    CHECK_EQ(b, a + 1);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_destroydomain, a), 0);
    CHECK_EQ(info_of(&t, 0).domain, 0);
    op.domain = a;
    CHECK_EQ(toolstack_domctl(&t, &op), 0);
    CHECK_EQ(op.domain, b);
    op.domain = (domid_t)(b + 1);
    CHECK_EQ(toolstack_domctl(&t, &op), -XEN_ESRCH);
    op.domain = DOMID_SELF;
    CHECK_EQ(toolstack_domctl(&t, &op), -XEN_EINVAL);
    dom_settle(t.w);
    toolstack_end(&t);
}

TEST(registers_go_in_and_come_out)
{
    static const uint32_t versions[] = { 0x12, 0x13, 0x14, 0x15, 0x17, 0x18 };
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 1);

    for (uint32_t i = 0; i < ARRAY_SIZE(versions); i++) {
        bool old = versions[i] < 0x14;
        struct xen_domctl_vcpucontext a = { 0, TOOLSTACK_BUF };
        uint64_t buf[48];

        t.version = versions[i];
        memset(buf, 0, sizeof(buf));
        buf[0] = VGCF_online;
        buf[1 + 3] = 0x3333 + i;  /* x3 */
        buf[1 + 31] = 0x1000 + i; /* pc */
        buf[1 + 32] = 5;          /* cpsr, and of an old caller spsr_svc */
        toolstack_put(&t, TOOLSTACK_BUF, buf, sizeof(buf));
        CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_setvcpucontext, id, &a, sizeof(a)), 0);
        CHECK_EQ(domain_of(&t, id)->vcpus[0]->arch.reg[3], 0x3333 + i);
        memset(buf, 0xee, sizeof(buf));
        toolstack_put(&t, TOOLSTACK_BUF, buf, sizeof(buf));
        CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpucontext, id, &a, sizeof(a)), 0);
        toolstack_get(&t, TOOLSTACK_BUF, buf, sizeof(buf));
        CHECK_EQ(buf[1 + 3], 0x3333 + i);
        CHECK_EQ(buf[1 + 31], 0x1000 + i);
        CHECK_EQ((uint32_t)buf[0], VGCF_online);
        CHECK_EQ(buf[(old ? 344 : 352) / 8], UINT64_C(0xeeeeeeeeeeeeeeee));
        CHECK(buf[(old ? 344 : 352) / 8 - 1] == 0);
    }
    toolstack_end(&t);
}

TEST(vcpus_are_told_of_and_checked)
{
    struct toolstack t = toolstack_begin(1);
    uint16_t id = toolstack_create(&t, 2);
    struct xen_domctl_getvcpuinfo v = { .vcpu = 1 };
    struct xen_domctl_vcpucontext a = { 1, TOOLSTACK_BUF };
    struct vcpu_guest_context c = { .user_regs = { .cpsr = 0x10 } };
    struct xen_domctl_max_vcpus max = { 3 };

    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpuinfo, id, &v, sizeof(v)), 0);
    CHECK(!v.online && !v.running && !v.blocked);
    v.vcpu = 2;
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpuinfo, id, &v, sizeof(v)), -XEN_EINVAL);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_getvcpucontext, id, &a, sizeof(a)), -XEN_ENODATA);
    CHECK_EQ(set_context(&t, id, 1, &c), -XEN_EINVAL);
    CHECK_EQ(set_context(&t, id, 2, &c), -XEN_EINVAL);
    CHECK_EQ(set_context(&t, 0, 0, &c), -XEN_EINVAL);
    CHECK_EQ(toolstack_do(&t, XEN_DOMCTL_max_vcpus, id, &max, sizeof(max)), -XEN_EINVAL);
    CHECK_EQ(domain_of(&t, id)->pause_count, 1);
    toolstack_end(&t);
}

/* A domain that runs elsewhere has stopped when the call returns. */
TEST(a_pause_waits_for_the_last_vcpu)
{
    struct toolstack t = toolstack_begin(2);
    uint16_t id = toolstack_create(&t, 1);
    struct vcpu_guest_context c = { .flags = VGCF_online };
    struct domain *d = domain_of(&t, id);

    CHECK_EQ(set_context(&t, id, 0, &c), 0);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_unpausedomain, id), 0);
    dom_run(t.w, 1, 0);
    CHECK(d->vcpus[0]->running);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_pausedomain, id), 0);
    CHECK(!d->vcpus[0]->running && d->vcpus[0]->loaded_on == NULL);
    CHECK_EQ(d->pause_count, 1);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_pausedomain, id), 0);
    CHECK_EQ(d->pause_count, 2);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_unpausedomain, id), 0);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_unpausedomain, id), 0);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_unpausedomain, id), -XEN_EINVAL);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_pausedomain, 0), -XEN_EINVAL);
    CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_destroydomain, 0), -XEN_EINVAL);
    toolstack_end(&t);
}

/* It does not come back, whatever its policy says. */
TEST(a_boot_time_domain_is_destroyed_for_good)
{
    static const bool stopped[] = { false, true };

    for (uint32_t i = 0; i < ARRAY_SIZE(stopped); i++) {
        /* One CPU: a job would wait for what the others do. */
        struct toolstack t = toolstack_begin(1);
        struct plan plan = { .hv = t.w->hv, .alive = 2 };
        struct plan_domain pd = { .hv = t.w->hv, .restart = RESTART_ALWAYS };
        struct domain *d = dom_create(t.w, "boot", 1, false);
        uint16_t id = d->id;

        t.w->hv->plan = &plan;
        pd.domain = d;
        d->plan = &pd;
        CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_destroydomain, id), -XEN_EBUSY);
        CHECK(!pd.life.ended);
        domain_start(d);
        if (stopped[i]) {
            domain_shutdown(d, SHUTDOWN_CRASH);
            CHECK(pd.life.again);
        }
        CHECK_EQ(toolstack_act(&t, XEN_DOMCTL_destroydomain, id), 0);
        domain_pause(t.d); /* an idle CPU does the job, and whatever follows it */
        for (uint32_t k = 0; k < 50; k++) {
            t.w->machine.now += 2 * NS_PER_MS;
            dom_settle(t.w);
        }
        CHECK(domain_of(&t, id) == NULL);
        CHECK(pd.domain == NULL && pd.build == NULL);
        CHECK_EQ(plan.alive, 1);
        t.w->hv->plan = NULL;
        toolstack_end(&t);
    }
}
