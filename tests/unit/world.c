/* SPDX-License-Identifier: MIT */
/* Builds and takes apart a fake host for one test; see world.h. */
#include <stdio.h>
#include <stdlib.h>

#include <arch/boot.h>
#include <arch/time.h>
#include <arch/vcpu.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/frame.h>
#include <loam/mem.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <sanitizer/asan_interface.h>

#include "unit.h"
#include "world.h"

/* Programs without the harness (fuzz targets) have none of these. */
extern __typeof__(unit_alloc_should_fail) unit_alloc_should_fail __attribute__((weak));
extern __typeof__(unit_fail) unit_fail __attribute__((weak));

static void fail(int line, const char *text)
{
    if (unit_fail == NULL) {
        fprintf(stderr, "%s:%d: %s\n", __FILE__, line, text);
        abort();
    }
    unit_fail(__FILE__, line, text);
}

/* Setting up a world must work. */
static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "world: %s failed\n", what);
        abort();
    }
}

static void violation(const char *text)
{
    struct world *w = container_of(fake_machine, struct world, machine);

    w->violation = text;
    if (!w->expect_violation) {
        fail(__LINE__, text);
    }
}

void world_inject(struct world *w, bool on)
{
    w->hv->frames.alloc_fails = on ? unit_alloc_should_fail : NULL;
    w->hv->mem->alloc_fails = on ? unit_alloc_should_fail : NULL;
}

void world_set_baseline(struct world *w)
{
    w->mem_base = mem_used(w->hv);
    w->avail_base = w->hv->frames.avail;
}

struct pcpu *world_cpu(struct world *w, uint32_t id)
{
    w->machine.cpu = w->hv->pcpus[id];
    return w->machine.cpu;
}

static void *zeroed(size_t size)
{
    void *p = calloc(1, size);

    must(p != NULL, "calloc");
    return p;
}

void world_init(struct world *w, uint32_t nr_cpus, uint32_t ram_mib)
{
    uint64_t pages = ram_mib * (MIB / PAGE_SIZE);

    memset(w, 0, sizeof(*w));
    fake_machine_init(&w->machine, ram_mib * MIB, nr_cpus);
    w->machine.violation = violation;
    w->hv = zeroed(sizeof(*w->hv));
    w->boot = zeroed(sizeof(*w->boot));
    w->machine.hv = w->hv;
    w->table = malloc(pages * sizeof(*w->table));
    must(w->table != NULL, "malloc");
    memset(w->table, 0x5a, pages * sizeof(*w->table));

    hv_init(w->hv);
    w->hv->boot_start = arch_time_now();
    w->machine.cpu = w->boot;
    pcpu_init(w->hv, w->boot, 0);
    w->hv->nr_pcpus = 1;
    w->boot->online = true;
    frames_init(w->hv, w->table, hpa_to_mfn(hpa(FAKE_RAM_BASE)), pages);
    must(frames_add(w->hv, w->hv->frames.base, pages) == 0, "frames_add");
    must(mem_init(w->hv) == 0, "mem_init");
    must(console_init(w->hv) == 0, "console_init");
    console_set_device(w->hv, &fake_console_driver, (struct uart_regs){ 0 });
    must(arch_pcpu_init(w->boot) == 0, "arch_pcpu_init");
    pcpu_start_all(w->hv);
    world_set_baseline(w);
    world_inject(w, true);
}

void world_add_pool(struct world *w)
{
    struct cpumask all = { { 0 } };
    struct cpupool *pool;

    world_inject(w, false);
    for (uint32_t i = 0; i < w->hv->nr_pcpus; i++) {
        all.w[i / 64] |= BIT(i % 64);
    }
    must(cpupool_create(w->hv, "default", SCHED_CREDIT2, &all, &pool) == 0, "cpupool_create");
    w->has_pool = true;
    world_set_baseline(w);
    world_inject(w, true);
}

void world_fini(struct world *w)
{
    struct hv *hv = w->hv;

    world_cpu(w, 0);
    if (mem_used(hv) != w->mem_base) {
        fail(__LINE__, "every object was given back");
    }
    if (hv->frames.avail != w->avail_base) {
        fail(__LINE__, "every frame was given back");
    }
    if (hv->frames.total != hv->frames.pages) {
        fail(__LINE__, "every claim was given back");
    }
    if (w->boot->lock_depth != 0) {
        fail(__LINE__, "no lock is held");
    }
    __asan_unpoison_memory_region(w->table, hv->frames.pages * sizeof(*w->table));
    free(w->table);
    free(w->boot);
    free(hv);
    fake_machine_fini(&w->machine);
}

struct world *world_create(uint32_t nr_cpus, uint32_t ram_mib)
{
    struct world *w = zeroed(sizeof(*w));

    world_init(w, nr_cpus, ram_mib);
    return w;
}

void world_destroy(struct world *w)
{
    world_fini(w);
    free(w);
}

void world_load(struct world *w, struct vcpu *v)
{
    struct pcpu *p = w->machine.cpu;

    if (p->loaded != NULL) {
        arch_vcpu_save(p->loaded, p);
        p->loaded->loaded_on = NULL;
    }
    p->loaded = v;
    if (v != NULL) {
        v->pcpu = p;
        v->loaded_on = p;
        arch_vcpu_load(v, p);
    }
}

struct vcpu *world_guest(struct world *w)
{
    struct domain *d = zeroed(sizeof(*d));
    struct vcpu *v = zeroed(sizeof(*v));

    d->hv = w->hv;
    d->lock = SPINLOCK_INIT(LOCK_RANK_DOMAIN);
    v->domain = d;
    if (p2m_init(d) != 0) {
        free(v);
        free(d);
        return NULL;
    }
    world_load(w, v);
    return v;
}

void world_guest_end(struct world *w, struct vcpu *v)
{
    struct pcpu *was = w->machine.cpu;

    if (v->loaded_on != NULL) {
        w->machine.cpu = v->loaded_on;
        world_load(w, NULL);
        w->machine.cpu = was;
    }
    while (p2m_teardown(v->domain) != 0) {
    }
    free(v->domain);
    free(v);
}

bool world_console_has(const struct world *w, const char *text)
{
    return strstr(w->machine.console, text) != NULL;
}
