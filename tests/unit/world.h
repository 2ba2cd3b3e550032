/* SPDX-License-Identifier: MIT */
/*
 * A complete host of the fake architecture for a test.
 *
 *   struct world w;
 *   world_init(&w, 2, 64);     2 CPUs, 64 MiB: frames, objects, console, CPUs
 *   world_add_pool(&w);        a default pool (credit2), for tests with domains
 *   ... w.hv, w.machine ...
 *   world_fini(&w);            fails the test if an object or a frame was not given back
 *
 * From world_init() on, allocations of frames and objects ask
 * unit_alloc_should_fail(). A broken rule of the machine's model fails the test,
 * unless w.expect_violation is set. Frame records are poisoned until the allocator
 * initialises them, RAM that is nobody's too.
 */
#ifndef WORLD_H
#define WORLD_H

#include <arch/impl/fake.h>
#include <loam/hv.h>
#include <loam/vcpu.h>

struct world {
    struct fake_machine machine;
    struct hv *hv;
    struct pcpu *boot;
    struct frame *table;
    uint64_t mem_base; /* mem_used() when nothing of the test is there */
    uint64_t avail_base; /* free frames then */
    bool has_pool;
    bool expect_violation; /* they are counted in machine.violations only */
    const char *violation; /* text of the last one */
};

void world_init(struct world *w, uint32_t nr_cpus, uint32_t ram_mib);
void world_fini(struct world *w);
/* The same on the heap. */
struct world *world_create(uint32_t nr_cpus, uint32_t ram_mib);
void world_destroy(struct world *w);

void world_add_pool(struct world *w);
/* What is allocated now belongs to the world: world_fini() does not miss it. */
void world_set_baseline(struct world *w);

/* Whether allocations ask unit_alloc_should_fail(). */
void world_inject(struct world *w, bool on);

/* The executing CPU becomes hv->pcpus[id]. */
struct pcpu *world_cpu(struct world *w, uint32_t id);

/*
 * A domain that has memory and nothing else, with one vCPU, loaded on the
 * executing CPU: enough for copies and accesses of the guest. NULL: out of memory.
 */
struct vcpu *world_guest(struct world *w);
/* Loads v on the executing CPU in place of what is loaded there. */
void world_load(struct world *w, struct vcpu *v);
/* Takes it off its CPU and frees its tables, not its RAM. */
void world_guest_end(struct world *w, struct vcpu *v);

/* The console's output holds text. */
bool world_console_has(const struct world *w, const char *text);

#endif
