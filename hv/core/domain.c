/* SPDX-License-Identifier: MIT */
/*
 * Domains: creation, start, stop, and taking them apart in steps.
 *
 * A domain is in hv->domains[] from domain_create() until its teardown's step
 * "unlink"; after the quiescent point that follows nobody can find it any
 * more, and the last reference frees it with all that others reach through one:
 * vCPUs, interrupt controller, tables of services. docs/lifetimes.md has the table.
 */
#include <stdarg.h>

#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/hypercall.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/memory.h>
#include <loam/pcpu.h>
#include <loam/plan.h>
#include <loam/printf.h>
#include <loam/sched.h>
#include <loam/string.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "subsystems.h"

static int teardown_vcpus_off(struct domain *d);
static int teardown_subsystems(struct domain *d);
static int teardown_ram(struct domain *d);
static int teardown_unmapped(struct domain *d);
static int teardown_p2m(struct domain *d);
static int teardown_unlink(struct domain *d);
static int teardown_quiesce(struct domain *d);
static int teardown_retire(struct domain *d);

/* Each step returns 0 or -XEN_EAGAIN; d->teardown_step is the cursor. */
static int (*const teardown_steps[])(struct domain *d) = {
    teardown_vcpus_off,  /* no vCPU runs, none is in some CPU's hardware; its map is closed */
    teardown_subsystems, /* devices, host interrupts, what it shares with other domains */
    teardown_ram,        /* RAM back to the allocator, block by block */
    teardown_unmapped,   /* RAM that was out of a direct map */
    teardown_p2m,        /* page tables freed */
    teardown_unlink,     /* not found by domid any more */
    teardown_quiesce,    /* no CPU still uses what it found before */
    teardown_retire,     /* vCPUs leave their scheduler */
};

static int domain_check_config(const struct domain_config *c)
{
    if (c->vcpus_max == 0 || c->vcpus_max > DOMAIN_VCPUS_MAX ||
        strnlen(c->name, DOMAIN_NAME_MAX) == DOMAIN_NAME_MAX || c->id >= HV_DOMAINS_MAX) {
        return -XEN_EINVAL;
    }
    return 0;
}

/* The place for a new domain: the wanted one, or the next free one after the last given. */
static int domid_find(const struct hv *hv, const struct domain_config *c, uint16_t *out)
{
    if (c->control || c->id != 0) {
        *out = c->control ? 0 : c->id;
        return hv->domains[*out] == NULL ? 0 : -XEN_EEXIST;
    }
    for (uint32_t i = 0; i < HV_DOMAINS_MAX - 1; i++) {
        uint32_t id = 1 + (hv->last_domid + i) % (HV_DOMAINS_MAX - 1);

        if (hv->domains[id] == NULL) {
            *out = (uint16_t)id;
            return 0;
        }
    }
    return -XEN_ENOSPC;
}

static int domain_link(struct hv *hv, struct domain *d)
{
    spin_lock(&hv->lock);
    int rc = domid_find(hv, &d->config, &d->id);
    if (rc == 0) {
        hv->last_domid = d->config.id == 0 ? d->id : hv->last_domid;
        if (d->config.name[0] == '\0') {
            fmt_print(d->config.name, sizeof(d->config.name), "d%u", d->id);
        }
        /* Readers without the lock see a complete domain. Partner: domain_lookup(). */
        atomic_store_release(&hv->domains[d->id], d);
        list_push_back(&hv->domain_list, &d->link);
        hv->perfc.domains++;
    }
    spin_unlock(&hv->lock);
    return rc;
}

static void domain_unlink(struct domain *d)
{
    struct hv *hv = d->hv;
    struct vcpu *v;

    spin_lock(&hv->lock);
    for_each_vcpu(d, v, i) { hv->perfc.exits_gone += v->exits; }
    atomic_store_relaxed(&hv->domains[d->id], NULL);
    list_remove(&d->link);
    spin_unlock(&hv->lock);
}

int domain_create(struct hv *hv, const struct domain_config *config, struct domain **out)
{
    int rc = domain_check_config(config);

    if (rc != 0) {
        return rc;
    }
    uint64_t before = this_pcpu()->mem_bytes;
    struct domain *d = mem_alloc(hv, sizeof(*d));
    if (d == NULL) {
        return -XEN_ENOMEM;
    }
    d->hv = hv;
    d->config = *config;
    d->who = config->enhanced ? HC_WHO_ENHANCED : 0;
    d->who |= config->control ? HC_WHO_CONTROL : 0;
    d->pause_count = 1;
    d->busy = config->held;
    memcpy(d->handle, config->handle, sizeof(d->handle));
    d->pool = config->pool != NULL ? config->pool : cpupool_default(hv);
    d->state = DOMAIN_BUILDING;
    d->refs = 1;
    d->lock = SPINLOCK_INIT(LOCK_RANK_DOMAIN);

    rc = -XEN_ENOMEM;
    d->vcpus = mem_alloc(hv, config->vcpus_max * sizeof(d->vcpus[0]));
    if (d->vcpus == NULL) {
        goto out_free;
    }
    rc = p2m_init(d);
    if (rc != 0) {
        goto out_vcpus;
    }
    rc = arch_domain_init(d);
    if (rc != 0) {
        goto out_p2m;
    }
    rc = subsystems_init(d);
    if (rc != 0) {
        goto out_arch;
    }
    rc = cpupool_enter(d);
    if (rc != 0) {
        goto out_subsystems;
    }
    rc = domain_link(hv, d);
    if (rc != 0) {
        goto out_pool;
    }
    d->bytes = this_pcpu()->mem_bytes - before;
    *out = d;
    return 0;

out_pool:
    cpupool_leave(d);
out_subsystems:
    while (subsystems_close(d) != 0) {
    }
    subsystems_free(d);
out_arch:
    arch_domain_fini(d);
out_p2m:
    while (p2m_teardown(d) != 0) {
    }
out_vcpus:
    mem_free(hv, d->vcpus, config->vcpus_max * sizeof(d->vcpus[0]));
out_free:
    mem_free(hv, d, sizeof(*d));
    return rc;
}

void domain_start(struct domain *d)
{
    /* vCPU 0 starts when the domain does, the others by CPU_ON / hart_start. */
    vcpu_unpause(d->vcpus[0], VCPU_PAUSE_OFFLINE);
    BUG_ON(domain_unpause(d) != 0);
}

static void vcpus_pause(struct domain *d, uint32_t reason)
{
    struct vcpu *v;

    for_each_vcpu(d, v, i) {
        vcpu_pause(v, reason);
    }
}

static void vcpus_unpause(struct domain *d, uint32_t reason)
{
    struct vcpu *v;

    for_each_vcpu(d, v, i) {
        vcpu_unpause(v, reason);
    }
}

void domain_pause(struct domain *d)
{
    spin_lock(&d->lock);
    if (d->pause_count++ == 0) {
        vcpus_pause(d, VCPU_PAUSE_DOMAIN);
    }
    spin_unlock(&d->lock);
}

int domain_unpause(struct domain *d)
{
    int rc = -XEN_EINVAL;

    spin_lock(&d->lock);
    if (d->pause_count != 0) {
        rc = 0;
        if (--d->pause_count == 0) {
            if (d->state == DOMAIN_BUILDING) {
                d->state = DOMAIN_RUNNING;
            }
            vcpus_unpause(d, VCPU_PAUSE_DOMAIN);
        }
    }
    spin_unlock(&d->lock);
    return rc;
}

void domain_shutdown(struct domain *d, enum domain_shutdown_reason reason)
{
    spin_lock(&d->lock);
    bool first = d->state == DOMAIN_RUNNING;
    if (first) {
        d->state = DOMAIN_SHUTDOWN;
        d->shutdown_reason = d->shutdown_code != 0 ? d->shutdown_code - 1 : (uint8_t)reason;
    }
    spin_unlock(&d->lock);
    if (!first) {
        return;
    }
    trace_add(&this_pcpu()->trace, TRACE_DOMAIN, (uint32_t)d->id << 16, DOMAIN_SHUTDOWN,
              (uint64_t)reason);
    vcpus_pause(d, VCPU_PAUSE_SHUTDOWN);
    evtchn_global_virq(d->hv, VIRQ_DOM_EXC);
    if (d->plan != NULL) {
        plan_domain_stopped(d);
    }
}

void domain_resume(struct domain *d)
{
    spin_lock(&d->lock);
    bool stopped = d->state == DOMAIN_SHUTDOWN;
    if (stopped) {
        d->shutdown_code = 0;
        d->state = DOMAIN_RUNNING;
    }
    spin_unlock(&d->lock);
    if (stopped) {
        vcpus_unpause(d, VCPU_PAUSE_SHUTDOWN);
    }
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    char why[160];
    va_list args;

    va_start(args, fmt);
    fmt_vprint(why, sizeof(why), fmt, args);
    va_end(args);
    log_info(d->hv, "dom %s: crashed: %s", d->config.name, why);
    domain_shutdown(d, SHUTDOWN_CRASH);
}

static int teardown_vcpus_off(struct domain *d)
{
    struct vcpu *v;
    int rc = 0;

    spin_lock(&d->lock);
    d->state = DOMAIN_DYING;
    if (d->move != NULL) {
        rc = -XEN_EAGAIN; /* to another CPU pool; no other move begins any more */
    }
    spin_unlock(&d->lock);
    vcpus_pause(d, VCPU_PAUSE_DYING);
    for_each_vcpu(d, v, i) {
        if (!vcpu_is_off_cpu(v)) {
            rc = -XEN_EAGAIN;
        }
    }
    if (rc == 0) {
        p2m_close(d);
    }
    return rc;
}

static int teardown_subsystems(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v, i) {
        vcpu_stop(v);
    }
    sched_domain_stop(d);
    return subsystems_close(d);
}

static int teardown_unlink(struct domain *d)
{
    cpupool_leave(d);
    domain_unlink(d);
    evtchn_global_virq(d->hv, VIRQ_DOM_EXC);
    return 0;
}

static int teardown_quiesce(struct domain *d) { return hv_quiesce(d->hv, d) ? 0 : -XEN_EAGAIN; }

static int teardown_retire(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v, i) {
        vcpu_retire(v);
    }
    sched_domain_fini(d);
    return 0;
}

/* Gives back what is d's from m on, within one block, at most `pages`; returns how many. */
static uint64_t free_ram_block(struct domain *d, mfn_t m, uint64_t pages)
{
    struct hv *hv = d->hv;
    struct frame *f = frame_lookup(hv, m);

    if (f == NULL || f->state != FRAME_GUEST || f->owner != d) {
        return 0;
    }
    uint64_t rest = frame_mfn(hv, f).n + (UINT64_C(1) << f->order) - m.n;
    uint32_t order = ilog2(MIN(rest, pages));
    bool claimed = f->flags & FRAME_FLAG_CLAIMED;

    frame_unassign(hv, m, order);
    if (!claimed) {
        frame_free(hv, m, order);
    }
    return UINT64_C(1) << order;
}

void domain_free_ram(struct domain *d, mfn_t m, uint64_t pages)
{
    uint64_t freed = 0;

    for (uint64_t done = 0; done < pages;) {
        uint64_t nr = free_ram_block(d, mfn_add(m, done), pages - done);

        freed += nr;
        done += MAX(nr, UINT64_C(1));
    }
    spin_lock(&d->lock);
    d->pages -= MIN(freed, d->pages);
    spin_unlock(&d->lock);
}

static int teardown_ram(struct domain *d)
{
    enum p2m_type type;
    uint64_t pages;
    mfn_t m;

    /* Blocks are walked by the cursor that p2m_teardown() starts from anew. */
    for (uint32_t n = 0; n < 64; n++) {
        if (!p2m_next(d, &d->p2m.teardown, &m, &type, &pages)) {
            d->p2m.teardown = gfn(0);
            return 0;
        }
        d->p2m.teardown = gfn_add(d->p2m.teardown, pages);
        if (p2m_type_is_ram(type)) {
            domain_free_ram(d, m, pages);
        } else if (p2m_type_has_ref(type)) {
            frame_put(d->hv, m); /* mapped page by page */
        }
    }
    return -XEN_EAGAIN;
}

static int teardown_unmapped(struct domain *d)
{
    return memory_release_rest(d);
}

static int teardown_p2m(struct domain *d)
{
    return p2m_teardown(d);
}

int domain_destroy(struct domain *d)
{
    while (d->teardown_step < ARRAY_SIZE(teardown_steps)) {
        int rc = teardown_steps[d->teardown_step](d);

        if (rc != 0) {
            return rc;
        }
        d->teardown_step++;
        if (d->teardown_step < ARRAY_SIZE(teardown_steps)) {
            return -XEN_EAGAIN;
        }
    }
    domain_put(d);
    return 0;
}

/* As far as it goes without waiting: domains that are killed one by one must not queue up. */
static int reaper_step(struct job *j)
{
    struct domain *d = container_of(j, struct domain, reaper);
    uint32_t step;
    int rc;

    do {
        step = d->teardown_step;
        rc = domain_destroy(d);
    } while (rc == -XEN_EAGAIN && d->teardown_step != step);
    return rc;
}

static void reaper_done(struct job *j, int rc)
{
    domain_put(container_of(j, struct domain, reaper));
}

bool domain_hold(struct domain *d)
{
    uint32_t idle = 0;

    return atomic_compare_exchange(&d->busy, &idle, 1);
}

void domain_unhold(struct domain *d) { atomic_store_release(&d->busy, 0); }

int domain_kill(struct domain *d)
{
    /* One caller at a time; the others come again, and find no such domain in the end. */
    if (!domain_hold(d)) {
        return -XEN_EAGAIN;
    }
    int rc = domain_destroy(d);
    if (rc == -XEN_EAGAIN && teardown_steps[d->teardown_step] == teardown_quiesce) {
        /* From here on nobody finds it: nobody else comes to this point, busy stays set. */
        domain_get(d); /* the job is in it */
        d->reaper = (struct job){ .step = reaper_step, .done = reaper_done };
        job_start(d->hv, &d->reaper);
        return 0;
    }
    domain_unhold(d);
    return rc;
}

void domain_get(struct domain *d)
{
    uint32_t old = atomic_fetch_add_relaxed(&d->refs, 1);

    BUG_ON(old == 0);
}

bool domain_try_get(struct domain *d)
{
    uint32_t refs = atomic_load_relaxed(&d->refs);

    while (refs != 0) {
        if (atomic_compare_exchange(&d->refs, &refs, refs + 1)) {
            return true;
        }
    }
    return false;
}

void domain_put(struct domain *d)
{
    if (atomic_fetch_sub(&d->refs, 1) == 1) {
        struct hv *hv = d->hv;
        struct vcpu *v;

        subsystems_free(d);
        for_each_vcpu(d, v, i) {
            vcpu_destroy(v);
        }
        arch_domain_fini(d);
        mem_free(hv, d->vcpus, d->config.vcpus_max * sizeof(d->vcpus[0]));
        mem_free(hv, d, sizeof(*d));
    }
}

struct domain *domain_lookup(struct hv *hv, uint16_t id)
{
    /* Acquire pairs with the release in domain_link(). */
    struct domain *d = id < HV_DOMAINS_MAX ? atomic_load_acquire(&hv->domains[id]) : NULL;

    return d != NULL && domain_try_get(d) ? d : NULL;
}
