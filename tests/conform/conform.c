/* SPDX-License-Identifier: MIT */
/* The harness: runs the tests, waits, makes domains for them. See conform.h. */
#include "conform.h"

#include <arch/cpu.h>
#include <arch/guest.h>
#include <arch/time.h>
#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/hv.h>
#include <loam/mem.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/printf.h>
#include <loam/string.h>
#include <loam/vcpu.h>

static const struct conform_group *const groups[] = {
    &conform_machine, &conform_time,  &conform_memory, &conform_stage2,
    &conform_vcpu,    &conform_guest, &conform_vintc,
};

void conform_fail(struct conform *c, const char *where, int line, const char *what)
{
    if (c->why[0] == '\0') {
        fmt_print(c->why, sizeof(c->why), "%s:%d: %s is false", where, line, what);
    }
}

static void run_test(struct conform *c, const struct conform_test *t)
{
    uint64_t frames = c->hv->frames.avail, bytes = mem_used(c->hv);
    char line[200];

    c->why[0] = '\0';
    t->run(c);
    if (!t->keeps) {
        EXPECT(c, c->hv->frames.avail == frames);
        EXPECT(c, mem_used(c->hv) == bytes);
    }
    bool ok = c->why[0] == '\0';

    *(ok ? &c->passed : &c->failed) += 1;
    fmt_print(line, sizeof(line), "%sok %u - %s%s%s", ok ? "" : "not ", c->passed + c->failed,
              t->name, ok ? "" : ": ", c->why);
    c->emit(c->arg, line);
}

void conform_run(struct conform *c)
{
    char line[64];

    for (uint32_t g = 0; g < ARRAY_SIZE(groups); g++) {
        for (uint32_t i = 0; i < groups[g]->nr; i++) {
            run_test(c, &groups[g]->tests[i]);
        }
    }
    fmt_print(line, sizeof(line), "%u passed, %u failed", c->passed, c->failed);
    c->emit(c->arg, line);
}

void conform_step(struct conform *c)
{
    if (c->others != NULL) {
        c->others(c);
    } else {
        arch_cpu_relax();
    }
}

bool conform_wait(struct conform *c, bool (*done)(void *arg), void *arg, ns_t limit)
{
    ns_t end = arch_time_now() + limit;

    while (!done(arg)) {
        if (arch_time_now() >= end) {
            return false;
        }
        conform_step(c);
    }
    return true;
}

static bool add_vcpu(struct domain *d, uint32_t id)
{
    struct vcpu *v = mem_alloc(d->hv, sizeof(*v));

    if (v == NULL) {
        return false;
    }
    v->domain = d;
    v->id = id;
    v->tag = id;
    v->pause = VCPU_PAUSE_OFFLINE | VCPU_PAUSE_DOMAIN;
    if (arch_vcpu_init(v) != 0) {
        mem_free(d->hv, v, sizeof(*v));
        return false;
    }
    d->vcpus[id] = v;
    return true;
}

static void free_domain(struct domain *d)
{
    mem_free(d->hv, d->vcpus, d->config.vcpus_max * sizeof(d->vcpus[0]));
    mem_free(d->hv, d, sizeof(*d));
}

static void end_p2m(struct domain *d)
{
    while (p2m_teardown(d) != 0) {
    }
}

static bool fill_domain(struct domain *d, uint32_t vcpus)
{
    bool ok = arch_vintc_create(d) == 0;

    for (uint32_t i = 0; ok && i < vcpus; i++) {
        ok = add_vcpu(d, i);
    }
    return ok;
}

struct domain *conform_domain(struct conform *c, uint32_t vcpus_max, uint32_t vcpus)
{
    struct domain *d = mem_alloc(c->hv, sizeof(*d));

    if (d == NULL) {
        goto out;
    }
    d->hv = c->hv;
    d->lock = SPINLOCK_INIT(LOCK_RANK_DOMAIN);
    d->refs = 1;
    d->config = (struct domain_config){
        .name = "conform", .vcpus_max = vcpus_max, .nr_spis = 32, .weight = 256
    };
    d->vcpus = mem_alloc(c->hv, vcpus_max * sizeof(d->vcpus[0]));
    if (d->vcpus == NULL || p2m_init(d) != 0) {
        goto out_free;
    }
    if (arch_domain_init(d) != 0) {
        goto out_p2m;
    }
    if (fill_domain(d, vcpus)) {
        return d;
    }
    conform_domain_end(c, d);
    goto out;

out_p2m:
    end_p2m(d);
out_free:
    free_domain(d);
out:
    conform_fail(c, __func__, __LINE__, "a domain can be made");
    return NULL;
}

void conform_domain_end(struct conform *c, struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v, i)
    {
        timer_stop(&v->wake);
        arch_vcpu_fini(v);
        d->vcpus[i] = NULL;
        mem_free(c->hv, v, sizeof(*v));
    }
    arch_domain_fini(d);
    end_p2m(d);
    free_domain(d);
}

void conform_load(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();

    p->loaded = v;
    v->pcpu = p;
    atomic_store_relaxed(&v->loaded_on, p);
    arch_vcpu_load(v, p);
}

void conform_save(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();

    arch_vcpu_save(v, p);
    p->loaded = NULL;
    atomic_store_release(&v->loaded_on, NULL);
}

bool conform_has(const char *text, const char *name)
{
    for (size_t n = strlen(name); *text != '\0'; text++) {
        if (strncmp(text, name, n) == 0) {
            return true;
        }
    }
    return false;
}
