/* SPDX-License-Identifier: MIT */
/*
 * The conformance tests of the architecture contract (tests/conform/) on the
 * fake machine: other CPUs act, and time passes, while a test waits for them.
 */
#include <stdio.h>

#include <loam/pcpu.h>

#include "../conform/conform.h"
#include "unit.h"
#include "world.h"

static void others(struct conform *c)
{
    for (uint32_t i = 1; i < c->hv->nr_pcpus; i++) {
        fake_run(c->hv->pcpus[i], 0);
    }
    fake_machine->now += 10 * NS_PER_US;
}

/* Its own results are shown as remarks; the harness counts the whole as one test. */
static void emit(void *arg, const char *line) { printf("# %s\n", line); }

static void run(uint32_t nr_cpus)
{
    struct world w;

    world_init(&w, nr_cpus, 64);
    struct conform c = { .hv = w.hv, .emit = emit, .others = others };

    conform_run(&c);
    CHECK_EQ(c.failed, 0u);
    CHECK(c.passed >= 50);
    world_fini(&w);
}

TEST(the_fake_architecture_keeps_the_contract) { run(3); }
TEST(on_a_single_cpu) { run(1); }
