/* SPDX-License-Identifier: MIT */
/*
 * sysctl debug_keys: each key prints something about the hypervisor on the host's console and into
 * its log, as `xl debug-keys` and `xl dmesg` have it.
 *
 * A key prints at most LINES_MAX lines: interrupts are masked meanwhile. Nothing here
 * changes what it looks at; numbers of other CPUs are as good as a glance at them.
 */
#include <arch/cpu.h>
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/ctl.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/gnttab.h>
#include <loam/hv.h>
#include <loam/log.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/refusal.h>
#include <loam/sched.h>
#include <loam/trace.h>
#include <loam/vcpu.h>
#include <loam/vmid.h>
#include <xen/errno.h>
#include <xen/sysctl.h>

#include "private.h"
#include "refusal_text.h"

#define LINES_MAX 40
#define KEYS_MAX 16 /* of one call */

static void key_help(struct hv *hv);

/* Calls fn, which prints some lines, for `max` domains, and says how many were left out. */
static void each_domain(struct hv *hv, uint32_t max, void (*fn)(struct domain *d))
{
    struct domain *d;
    uint32_t left_out = 0, shown = 0;

    for (uint32_t id = 0; (d = ctl_domain_from(hv, id)) != NULL;) {
        id = d->id + 1u;
        if (shown < max) {
            fn(d);
            shown++;
        } else {
            left_out++;
        }
        domain_put(d);
    }
    if (left_out != 0) {
        log_info(hv, "and %u domains more", left_out);
    }
}

static const char *state_name(const struct domain *d)
{
    static const char *const names[] = { [DOMAIN_BUILDING] = "building",
                                         [DOMAIN_RUNNING] = "running",
                                         [DOMAIN_SHUTDOWN] = "shut down",
                                         [DOMAIN_DYING] = "dying" };

    return names[atomic_load_relaxed(&d->state)];
}

static void domain_line(struct domain *d)
{
    struct vcpu *v;
    uint32_t on = 0, running = 0;

    for_each_vcpu(d, v, i)
    {
        on += !(atomic_load_relaxed(&v->pause) & VCPU_PAUSE_OFFLINE);
        running += atomic_load_relaxed(&v->running);
    }
    log_info(d->hv,
             "d%u %s: %s, paused %u, vcpus %u of %u on, %u running, %llu pages and %llu of tables, "
             "pool %u, refs %u",
             d->id, d->config.name, state_name(d), atomic_load_relaxed(&d->pause_count), on,
             d->config.vcpus_max, running, (unsigned long long)atomic_load_relaxed(&d->pages),
             (unsigned long long)atomic_load_relaxed(&d->p2m.table_pages), cpupool_id(d->pool),
             atomic_load_relaxed(&d->refs));
}

static void key_domains(struct hv *hv) { each_domain(hv, LINES_MAX, domain_line); }

static void key_events(struct hv *hv) { each_domain(hv, LINES_MAX, evtchn_dump); }

static void key_grants(struct hv *hv) { each_domain(hv, LINES_MAX / 4, gnttab_dump); }

static void key_memory(struct hv *hv)
{
    struct frames *fr = &hv->frames;
    uint64_t largest = 0;

    spin_lock(&fr->lock);
    uint64_t avail = fr->avail, total = fr->total;
    for (uint32_t order = 0; order <= FRAME_ORDER_MAX; order++) {
        largest = list_is_empty(&fr->free[order]) ? largest : 4ull << order;
    }
    spin_unlock(&fr->lock);
    log_info(hv, "frames: %llu of %llu free, the largest block has %llu KiB",
             (unsigned long long)avail, (unsigned long long)total, (unsigned long long)largest);
    log_info(hv, "objects: %llu bytes in %llu frames", (unsigned long long)mem_used(hv),
             (unsigned long long)mem_frames(hv));
}

static void vmid_line(struct domain *d)
{
    const struct vmid *vmid = &d->p2m.vmid;

    if (vmid_is_used(vmid)) {
        log_info(d->hv, "d%u: VMID %u, last of generation %llu", d->id, vmid_of(vmid),
                 (unsigned long long)atomic_load_relaxed(&vmid->generation));
    } else {
        log_info(d->hv, "d%u: no VMID yet", d->id);
    }
}

/* A VMID is used again in the next generation, which begins when all of one are given out. */
static void key_vmids(struct hv *hv)
{
    struct vmid_pool *pool = &hv->vmids;

    spin_lock(&pool->lock);
    uint64_t generation = pool->generation, given = pool->next - 1;
    spin_unlock(&pool->lock);
    log_info(hv, "VMIDs: of %u bits, generation %llu, %llu given out in it", pool->bits,
             (unsigned long long)generation, (unsigned long long)given);
    each_domain(hv, LINES_MAX, vmid_line);
}

/* v is not freed before this CPU passes a quiescent point, even if p gives it up now. */
static void cpu_line(struct hv *hv, const struct pcpu *p)
{
    const struct vcpu *v = atomic_load_relaxed(&p->current);
    uint64_t idle = pcpu_idle_time(p, arch_time_now()) / NS_PER_MS;

    if (v != NULL) {
        log_info(hv, "cpu %u: runs d%uv%u; %llu ms idle so far, work %#x", p->id, v->domain->id,
                 v->id, (unsigned long long)idle, atomic_load_relaxed(&p->work));
    } else {
        log_info(hv, "cpu %u: idles; %llu ms idle so far, work %#x", p->id,
                 (unsigned long long)idle, atomic_load_relaxed(&p->work));
    }
}

static void key_cpus(struct hv *hv)
{
    for (uint32_t i = 0; i < MIN(hv->nr_pcpus, (uint32_t)LINES_MAX); i++) {
        cpu_line(hv, hv->pcpus[i]);
    }
}

static void key_pools(struct hv *hv)
{
    struct cpupool_info info;
    uint32_t lines = 0;

    for (uint32_t id = 0; lines < LINES_MAX && cpupool_info(hv, id, &info) == 0; lines++) {
        log_info(hv, "pool %u: %s, %u domains, cpus %#llx:%016llx", info.id, sched_name(info.sched),
                 info.nr_domains, (unsigned long long)info.cpus.w[1],
                 (unsigned long long)info.cpus.w[0]);
        id = info.id + 1;
    }
    refusal_forget(); /* that there are no more is none */
    key_cpus(hv);
}

static void emit(void *arg, const char *line) { log_info(arg, "%s", line); }

static void key_registers(struct hv *hv) { arch_panic_dump(emit, hv); }

static void key_trace(struct hv *hv) { trace_dump(&this_pcpu()->trace, LINES_MAX, emit, hv); }

static void key_refusals(struct hv *hv)
{
    uint64_t end = refusal_count(hv);

    for (uint64_t i = end > LINES_MAX ? end - LINES_MAX : 0; i < end; i++) {
        char line[REFUSAL_TEXT_MAX];
        struct refusal r;

        if (refusal_read(hv, i, &r)) {
            refusal_text(hv, &r, line);
            log_info(hv, "%s", line);
        }
    }
}

static const struct {
    char key;
    const char *what;
    void (*fn)(struct hv *hv);
} keys[] = {
    { 'd', "registers and callers on this CPU", key_registers },
    { 'e', "event channels", key_events },
    { 'g', "grants", key_grants },
    { 'h', "this list", key_help },
    { 'm', "memory", key_memory },
    { 'q', "domains", key_domains },
    { 'r', "pools and CPUs: who runs where", key_pools },
    { 'R', "the last refused hypercalls", key_refusals },
    { 'T', "the newest trace records of this CPU", key_trace },
    { 'v', "VMIDs: whose entries a TLB holds", key_vmids },
};

static void key_help(struct hv *hv)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        log_info(hv, "key %c: %s", keys[i].key, keys[i].what);
    }
}

static void press(struct hv *hv, char key)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].key == key) {
            log_info(hv, "'%c' pressed: %s", key, keys[i].what);
            keys[i].fn(hv);
            return;
        }
    }
    log_info(hv, "key %#x is not bound to anything, h prints what is", (uint8_t)key);
}

int sysctl_op_debug_keys(struct ctl *c, void *arg)
{
    const struct xen_sysctl_debug_keys *a = arg;
    char pressed[KEYS_MAX];

    if (a->nr_keys > KEYS_MAX) {
        return refuse(-XEN_E2BIG, "keys in one call", a->nr_keys, KEYS_MAX);
    }
    int rc = guest_copy_from(c->hc->v, pressed, (struct guest_ref){ a->keys }, a->nr_keys);

    for (uint32_t i = 0; rc == 0 && i < a->nr_keys; i++) {
        press(c->hc->d->hv, pressed[i]);
    }
    return rc;
}
