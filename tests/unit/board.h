/* SPDX-License-Identifier: MIT */
/*
 * A machine and its device tree for the tests of boot/: RAM, CPUs and devices
 * of the fake architecture, and domains under /chosen.
 *
 *   REQUIRE_OR_INJECTED(board_begin(&b));   a machine; a tree, open inside /chosen
 *   board_domain(&b, "dom1", 8192, 2);      memory in KiB, vCPUs; 0: no such property
 *   fdt_write_prop...(&b.w, ...)            more properties
 *   board_kernel(&b, offset, size);         modules, by their offset in RAM; a kernel is put there
 *   board_end_domain(&b);
 *   if (board_parse(&b)) { ... }            closes the tree and reads it into the plan
 *   board_run(&b);                          plan_start() and what follows, until nothing moves
 *   board_end(&b);                          gives all back: what is not there has leaked
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdio.h>
#include <stdlib.h>

#include <xen/errno.h>

#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/fdt_write.h>
#include <loam/frame.h>
#include <loam/hv.h>
#include <loam/irq.h>
#include <loam/job.h>
#include <loam/mem.h>
#include <loam/pcpu.h>
#include <loam/plan.h>
#include <loam/sched.h>
#include <loam/timer.h>
#include <loam/vcpu.h>

#include <arch/boot.h>
#include <arch/impl/fake.h>
#include <arch/irq.h>

#include "../../hv/boot/private.h"
#include "unit.h"
#include "world.h"

#define BOARD_RAM FAKE_RAM_BASE
#define BOARD_RAM_SIZE (64 * MIB)
#define BOARD_RESERVED 0x10000 /* offset of a page that is nobody's */
#define BOARD_CPUS 4
#define BOARD_TREE_SIZE (1 * MIB)
#define BOARD_CPU_PHANDLE 0x10
#define BOARD_INTC_PHANDLE 0x5000

/* Devices of the board. */
#define BOARD_UART UINT64_C(0x9000000)
#define BOARD_RTC UINT64_C(0x9010000) /* interrupt 34 */
#define BOARD_DISK UINT64_C(0xa000000) /* two in one page, DMA, interrupts 48 and 49, edge */
#define BOARD_TIMER UINT64_C(0x9020000) /* interrupt 5, private to a CPU */

struct board {
    struct world world;
    struct hv *hv;
    struct fdt_writer w;
    struct fdt host;
    void *blob;
    uint32_t next_vcpu_node;
    enum fake_stop stop; /* 0: nobody stopped the machine */
};

static inline void board_device(struct board *b, const char *name, uint64_t addr, uint64_t size,
                                uint32_t irq, bool edge)
{
    const uint64_t reg[] = { addr, size };
    const uint32_t irqs[] = { irq, edge };
    fdt_write_begin_unit(&b->w, name, addr);
    fdt_write_prop_string(&b->w, "compatible", "test,device");
    fdt_write_prop_u64s(&b->w, "reg", reg, 2);
    fdt_write_prop_cells(&b->w, "interrupts", irqs, 2);
    if (edge) {
        fdt_write_prop_empty(&b->w, "dma-coherent");
    }
    fdt_write_end_node(&b->w);
}

static inline void board_tree(struct board *b)
{
    const uint64_t ram[] = { BOARD_RAM, BOARD_RAM_SIZE };
    struct fdt_writer *w = &b->w;
    fdt_write_begin(w, b->blob, BOARD_TREE_SIZE);
    fdt_write_begin_node(w, "");
    fdt_write_prop_u32(w, "#address-cells", 2);
    fdt_write_prop_u32(w, "#size-cells", 2);
    fdt_write_prop_u32(w, "interrupt-parent", BOARD_INTC_PHANDLE);
    fdt_write_begin_node(w, "memory");
    fdt_write_prop_string(w, "device_type", "memory");
    fdt_write_prop_u64s(w, "reg", ram, 2);
    fdt_write_end_node(w);
    fdt_write_begin_node(w, "cpus");
    fdt_write_prop_u32(w, "#address-cells", 1);
    fdt_write_prop_u32(w, "#size-cells", 0);
    for (uint32_t i = 0; i < BOARD_CPUS; i++) {
        fdt_write_begin_unit(w, "cpu", i);
        fdt_write_prop_string(w, "device_type", "cpu");
        fdt_write_prop_u32(w, "reg", i);
        fdt_write_prop_u32(w, "phandle", BOARD_CPU_PHANDLE + i);
        fdt_write_end_node(w);
    }
    fdt_write_end_node(w);
    fdt_write_begin_unit(w, "intc", FAKE_INTC_BASE);
    fdt_write_prop_string(w, "compatible", FAKE_INTC_COMPATIBLE);
    fdt_write_prop_empty(w, "interrupt-controller");
    fdt_write_prop_u32(w, "#interrupt-cells", 2);
    fdt_write_prop_u32(w, "phandle", BOARD_INTC_PHANDLE);
    const uint64_t intc[] = { FAKE_INTC_BASE, FAKE_INTC_SIZE };
    fdt_write_prop_u64s(w, "reg", intc, 2);
    fdt_write_end_node(w);
    board_device(b, "uart", BOARD_UART, 0x800, 33, false); /* half of its page */
    board_device(b, "rtc", BOARD_RTC, 0x1000, 34, false);
    board_device(b, "timer", BOARD_TIMER, 0x1000, 5, false);
    board_device(b, "disk", BOARD_DISK, 0x200, 48, true);
    board_device(b, "disk", BOARD_DISK + 0x200, 0x200, 49, true);
#ifdef BOARD_EXTRA
    BOARD_EXTRA(w); /* more nodes of a test's machine */
#endif
    fdt_write_begin_node(w, "chosen");
    fdt_write_prop_string(w, "stdout-path", "/uart");
}

static inline struct plan_domain *board_first(const struct board *b)
{
    return b->hv->plan && !list_is_empty(&b->hv->plan->domains)
               ? list_entry(list_first(&b->hv->plan->domains), struct plan_domain, link)
               : NULL;
}

/* False: an allocation was made to fail. */
static inline bool board_begin(struct board *b)
{
    memset(b, 0, sizeof(*b));
    world_init(&b->world, BOARD_CPUS, (uint32_t)(BOARD_RAM_SIZE / MIB));
    b->hv = b->world.hv;
    world_inject(&b->world, false);
    b->blob = calloc(1, BOARD_TREE_SIZE);
    bool ok = frames_claim(b->hv, hpa_to_mfn(hpa(BOARD_RAM + BOARD_RESERVED)), 1) == 0 &&
              irq_table_init(b->hv, arch_irq_count(b->hv)) == 0;
    world_set_baseline(&b->world);
    world_inject(&b->world, true);
    board_tree(b);
    return ok;
}

static inline bool board_is_busy(const struct board *b)
{
    struct plan_domain *pd;
    list_for_each_entry(&b->hv->plan->domains, pd, link)
    {
        if (pd->life.delay.pcpu) {
            return true;
        }
    }
    return !list_is_empty(&b->hv->jobs);
}

/*
 * One pass of CPU i through the run loop. vcpu_next() cannot be used: an idle
 * CPU stays in it as long as there are jobs, and they wait for other CPUs.
 */
static inline void board_pass(struct board *b, uint32_t i)
{
    struct pcpu *p = world_cpu(&b->world, i);
    uint32_t work = atomic_exchange(&p->work, 0);
    if (p->arch.deadline <= b->world.machine.now) {
        p->arch.deadline = NS_NEVER;
        timer_run(p);
    }
    p->arch.kicked = false;
    if ((work & PCPU_WORK_SAVE) && p->loaded != p->current) {
        vcpu_put_loaded(p);
    }
    if (work & PCPU_WORK_QUIESCE) {
        atomic_fetch_sub(&b->hv->quiesce_pending, 1);
    }
    p->current = sched_pick(p);
    if (p->current && p->current != p->loaded) {
        vcpu_put_loaded(p);
        world_load(&b->world, p->current);
    }
    job_step(p);
}

static inline void board_passes(void *arg)
{
    struct board *b = arg;
    for (uint32_t n = 0; n < 100000 && board_is_busy(b); n++) {
        board_pass(b, n % b->hv->nr_pcpus);
        b->world.machine.now += NS_PER_MS / 8;
    }
    CHECK(!board_is_busy(b));
}

/* Runs all CPUs until no job is left; guests do nothing. */
static inline void board_settle(struct board *b)
{
    int stop = fake_try(board_passes, b);
    if (stop) {
        b->stop = (enum fake_stop)stop;
    }
}

static inline void board_plan_start(void *arg) { plan_start(arg); }

/* Builds and starts the plan. */
static inline void board_run(struct board *b)
{
    int stop = fake_try(board_plan_start, b->hv);
    if (stop) {
        b->stop = (enum fake_stop)stop;
        return;
    }
    board_settle(b);
    /* Everybody has a look at what became runnable. */
    for (uint32_t i = 0; i < b->hv->nr_pcpus; i++) {
        board_pass(b, i);
    }
}

struct board_stopping {
    struct domain *d;
    enum domain_shutdown_reason reason;
};

static inline void board_shutdown(void *arg)
{
    const struct board_stopping *s = arg;
    domain_shutdown(s->d, s->reason);
}

/* The guest of pd stops by itself. With the control domain the machine ends. */
static inline void board_stop(struct board *b, struct plan_domain *pd,
                              enum domain_shutdown_reason reason)
{
    struct board_stopping s = { pd->domain, reason };
    world_cpu(&b->world, 0);
    int stop = fake_try(board_shutdown, &s);
    if (stop) {
        b->stop = (enum fake_stop)stop;
        return;
    }
    board_settle(b);
}

/* Takes the control domain apart, which only a test does. */
static inline void board_take_apart(struct board *b, struct plan_domain *pd)
{
    for (uint32_t n = 0; n < 10000; n++) {
        world_cpu(&b->world, 0);
        if (plan_domain_teardown(pd) == 0) {
            return;
        }
        board_pass(b, n % b->hv->nr_pcpus);
    }
    CHECK(false);
}

static inline void board_end(struct board *b)
{
    struct plan_domain *pd;
    world_inject(&b->world, false);
    if (board_first(b)) {
        list_for_each_entry(&b->hv->plan->domains, pd, link)
        {
            pd->restart = RESTART_NEVER;
            if (pd->domain && !pd->dom0) {
                board_stop(b, pd, SHUTDOWN_POWEROFF);
            }
        }
        if (b->hv->plan->dom0) {
            board_take_apart(b, b->hv->plan->dom0);
        }
    }
    if (!b->hv->plan) {
        frames_release_kept(b->hv); /* the boot ended before plan_parse() did it */
    }
    plan_destroy(b->hv);
    cpupool_destroy_all(b->hv);
    CHECK(frames_add(b->hv, hpa_to_mfn(hpa(BOARD_RAM + BOARD_RESERVED)), 1) == 0);
    b->world.avail_base++;
    world_fini(&b->world);
    free(b->blob);
}

static inline void board_domain(struct board *b, const char *name, uint64_t kib, uint32_t cpus)
{
    fdt_write_begin_node(&b->w, name);
    fdt_write_prop_string(&b->w, "compatible", "xen,domain");
    fdt_write_prop_u32(&b->w, "#address-cells", 2);
    fdt_write_prop_u32(&b->w, "#size-cells", 2);
    if (kib) {
        fdt_write_prop_u64(&b->w, "memory", kib);
    }
    if (cpus) {
        fdt_write_prop_u32(&b->w, "cpus", cpus);
    }
    b->next_vcpu_node = 0;
}

static inline void board_end_domain(struct board *b) { fdt_write_end_node(&b->w); }

/* offset 0 is where RAM begins. */
static inline void *board_ram(struct board *b, uint64_t offset)
{
    return b->world.machine.ram + offset;
}

static inline void board_module_args(struct board *b, const char *kind, uint64_t offset,
                                     uint64_t size, const char *args)
{
    const uint64_t reg[] = { BOARD_RAM + offset, size };
    fdt_write_begin_unit(&b->w, "module", reg[0]);
    fdt_write_prop_string(&b->w, "compatible", kind);
    fdt_write_prop_u64s(&b->w, "reg", reg, 2);
    if (args) {
        fdt_write_prop_string(&b->w, "bootargs", args);
    }
    fdt_write_end_node(&b->w);
}

static inline void board_module(struct board *b, const char *kind, uint64_t offset, uint64_t size)
{
    board_module_args(b, kind, offset, size, NULL);
}

/* A kernel with a proper header; its bytes count up behind it. */
static inline void board_kernel_args(struct board *b, uint64_t offset, uint64_t size,
                                     const char *args)
{
    struct fake_kernel head = { .magic = FAKE_KERNEL_MAGIC, .offset = 0x80000, .memory = size };
    uint8_t *ram = board_ram(b, offset);
    for (uint64_t i = 0; i < size; i++) {
        ram[i] = (uint8_t)(i * 7);
    }
    memcpy(ram, &head, sizeof(head));
    board_module_args(b, "multiboot,kernel", offset, size, args);
}

static inline void board_kernel(struct board *b, uint64_t offset, uint64_t size)
{
    board_kernel_args(b, offset, size, "console=ttyAMA0");
}

static inline void board_good_domain(struct board *b, const char *name, uint64_t kernel)
{
    board_domain(b, name, 4096, 1);
    board_kernel(b, kernel, 0x5000);
    board_end_domain(b);
}

static inline void board_vcpu(struct board *b, uint32_t id, const char *affinity)
{
    fdt_write_begin_unit(&b->w, "vcpu", b->next_vcpu_node++);
    fdt_write_prop_string(&b->w, "compatible", "xen,vcpu");
    fdt_write_prop_u32(&b->w, "id", id);
    fdt_write_prop_string(&b->w, "hard-affinity", affinity);
    fdt_write_end_node(&b->w);
}

static inline void board_pool(struct board *b, const char *name, uint32_t phandle,
                              const char *sched, uint32_t first, uint32_t nr)
{
    uint32_t cpus[HV_PCPUS_MAX];
    for (uint32_t i = 0; i < nr; i++) {
        cpus[i] = BOARD_CPU_PHANDLE + first + i;
    }
    fdt_write_begin_node(&b->w, name);
    fdt_write_prop_string(&b->w, "compatible", "xen,cpupool");
    fdt_write_prop_u32(&b->w, "phandle", phandle);
    fdt_write_prop_cells(&b->w, "cpupool-cpus", cpus, nr);
    if (sched) {
        fdt_write_prop_string(&b->w, "cpupool-sched", sched);
    }
    fdt_write_end_node(&b->w);
}

static inline bool board_says(const struct board *b, const char *text)
{
    return strstr(b->world.machine.console, text) != NULL;
}

static inline int board_warnings(const struct board *b)
{
    int nr = 0;
    for (const char *s = b->world.machine.console; (s = strstr(s, "warning: ")) != NULL; s++) {
        nr++;
    }
    return nr;
}

/* What hv_start() does with the open tree. */
static inline int board_plan(struct board *b)
{
    plan_keep_ranges(b->hv, &b->host);
    int rc = plan_pools(b->hv, &b->host);
    return rc ? rc : plan_parse(b->hv, &b->host);
}

/* False: only when an allocation was made to fail. */
static inline bool board_parse(struct board *b)
{
    fdt_write_end_node(&b->w);
    fdt_write_end_node(&b->w);
    int size = fdt_write_finish(&b->w);
    if (size < 0 || fdt_open(&b->host, b->blob, (size_t)size)) {
        printf("# the tree of the test is bad: %d\n", size);
        CHECK(false);
        return false;
    }
    int rc = board_plan(b);
    CHECK(rc == 0 || unit_injected());
    return rc == 0;
}

static inline struct plan_domain *board_planned(const struct board *b, const char *name)
{
    struct plan_domain *pd;
    if (!b->hv->plan) {
        return NULL;
    }
    list_for_each_entry(&b->hv->plan->domains, pd, link)
    {
        if (strcmp(pd->config.name, name) == 0) {
            return pd;
        }
    }
    return NULL;
}

#endif
