/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's three interrupts on riscv64 (lines.c): what reaches hvip and when, who is woken or
 * kicked for it, and which of them end a wait. The barrier of the code under test is where the
 * test lets the other CPU act.
 */
/* Before all others: struct vcpu is riscv64's. */
#include "riscv64_csr.h"

#include <loam/pcpu.h>
#include <loam/timer.h>
#include <loam/vcpu.h>

#include "barrier.h"

#include "../../hv/arch/riscv64/lines.c"

static struct hw_csr csrs[4];
static struct pcpu cpus[2], *here;
static struct vcpu vcpu, *v = &vcpu;
static uint32_t nr_wakes, nr_kicks, nr_syncs, nr_waits;
static int external; /* what vintc_external() was told last, -1: nothing */
static bool due;

static uint64_t *reg(const char *name) { return hw_csr_at(csrs, ARRAY_SIZE(csrs), name); }
static uint64_t hw_csr_read(const char *csr) { return *reg(csr); }
static void hw_csr_write(const char *csr, uint64_t value) { *reg(csr) = value; }

struct pcpu *this_pcpu(void) { return here; }

void vcpu_wake(struct vcpu *w)
{
    nr_wakes++;
    barrier(); /* it is a full barrier */
}

void pcpu_kick(struct pcpu *p, uint32_t work)
{
    CHECK(p == &cpus[1] && work == PCPU_WORK_VINTC);
    nr_kicks++;
}

void vintc_external(struct vcpu *w, bool level) { external = level; }
void vintc_sync(struct vcpu *w, struct pcpu *p) { nr_syncs++; }
void vintc_wait(struct vcpu *w) { nr_waits++; }
void vtimer_wait(struct vcpu *w, struct pcpu *p) { nr_waits++; }
bool vtimer_is_due(const struct vcpu *w) { return due; }

/* v belongs to CPU 1, which has it loaded and executes it, or not; the test runs on `on`. */
static void world(uint32_t on, bool loaded, bool running)
{
    memset(csrs, 0, sizeof(csrs));
    memset(cpus, 0, sizeof(cpus));
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.pcpu = &cpus[1];
    vcpu.running = running;
    cpus[1].loaded = loaded ? v : NULL;
    cpus[1].current = running ? v : NULL;
    here = &cpus[on];
    nr_wakes = nr_kicks = nr_syncs = nr_waits = 0;
    external = -1;
    due = false;
    at_barrier = NULL;
}

TEST(the_current_vcpu_has_it_at_once)
{
    world(1, true, true);
    *reg("hvip") = HIP_VSSIP;
    vcpu_line_set(v, HIP_VSEIP, true);
    CHECK_EQ(*reg("hvip"), HIP_VSSIP | HIP_VSEIP); /* the guest's own is left alone */
    CHECK_EQ(external, 1);
    vcpu_line_set(v, HIP_VSTIP, true);
    CHECK_EQ(*reg("hvip"), HIP_VSSIP | HIP_VSEIP | HIP_VSTIP);
    vcpu_line_set(v, HIP_VSEIP, false);
    CHECK_EQ(*reg("hvip"), HIP_VSSIP | HIP_VSTIP);
    CHECK_EQ(external, 0);
    CHECK_EQ(nr_wakes + nr_kicks, 0);
}

TEST(a_level_that_stays_costs_nothing)
{
    world(0, true, true);
    vcpu_line_set(v, HIP_VSEIP, false);
    CHECK_EQ(nr_wakes + nr_kicks, 0);
    vcpu_line_set(v, HIP_VSEIP, true);
    vcpu_line_set(v, HIP_VSEIP, true);
    CHECK(nr_wakes == 1 && nr_kicks == 1);
    vcpu_line_set(v, HIP_VSEIP, false); /* it must not see a level that is gone, but sleeps on */
    CHECK(nr_wakes == 1 && nr_kicks == 2);
    CHECK_EQ(*reg("hvip"), 0);
}

TEST(a_software_interrupt_is_set_once_for_each_request)
{
    world(0, true, true);
    vcpu_soft_raise(v);
    vcpu_soft_raise(v); /* not taken yet: the same */
    CHECK(nr_wakes == 1 && nr_kicks == 1);
    here = &cpus[1];
    arch_vcpu_sync_interrupts(v);
    CHECK_EQ(*reg("hvip"), HIP_VSSIP);
    CHECK_EQ(nr_syncs, 1);
    *reg("hvip") = 0; /* the guest has seen it */
    arch_vcpu_sync_interrupts(v);
    CHECK_EQ(*reg("hvip"), 0);
    here = &cpus[0];
    vcpu_soft_raise(v);
    CHECK(nr_wakes == 2 && nr_kicks == 2);
}

static void begins_to_run(void)
{
    v->running = true;
    arch_vcpu_sync_interrupts(v);
}

/* The two look at each other's half: one of them must see it, whoever is first. */
TEST(nothing_is_lost_on_a_vcpu_that_begins_to_run)
{
    world(0, true, false);
    at_barrier = begins_to_run;
    vcpu_line_set(v, HIP_VSEIP, true);
    CHECK(nr_kicks == 1 || *reg("hvip") & HIP_VSEIP);
    world(0, true, false);
    v->arch.hvip = *reg("hvip") = HIP_VSEIP;
    v->arch.lines = HIP_VSEIP;
    at_barrier = begins_to_run;
    vcpu_line_set(v, HIP_VSEIP, false);
    CHECK(nr_kicks == 1 || !(*reg("hvip") & HIP_VSEIP));
    world(0, true, false);
    at_barrier = begins_to_run;
    vcpu_soft_raise(v);
    CHECK(nr_kicks == 1 || *reg("hvip") & HIP_VSSIP);
}

TEST(the_current_vcpu_that_is_not_loaded_yet_gets_it_when_it_is)
{
    world(1, false, true);
    vcpu_line_set(v, HIP_VSEIP, true);
    CHECK_EQ(*reg("hvip"), 0); /* another one's is there */
    CHECK_EQ(nr_kicks, 1);
}

TEST(what_ends_a_wait)
{
    static const struct {
        bool loaded;
        uint64_t lines, soft, hvip, hip, due, enabled, ends;
    } row[] = {
        { true, 0, 0, 0, 0, 0, HIP_VSSIP | HIP_VSTIP | HIP_VSEIP, 0 },
        { true, HIP_VSEIP, 0, 0, 0, 0, HIP_VSEIP, 1 },
        { true, HIP_VSEIP, 0, 0, 0, 0, HIP_VSTIP, 0 }, /* not enabled */
        { true, 0, 1, 0, 0, 0, HIP_VSSIP, 1 },
        { true, 0, 0, 0, HIP_VSTIP, 0, HIP_VSTIP, 1 }, /* Sstc */
        { true, 0, 0, 0, HIP_SGEIP, 0, HIP_SGEIP, 0 }, /* the hypervisor's */
        { true, 0, 0, 0, 0, 1, HIP_VSTIP, 0 }, /* hip would say so */
        { false, HIP_VSTIP, 0, 0, 0, 0, HIP_VSTIP, 1 },
        { false, 0, 1, 0, 0, 0, HIP_VSSIP, 1 },
        { false, 0, 0, HIP_VSSIP, 0, 0, HIP_VSSIP, 1 },
        { false, 0, 0, 0, 0, 1, HIP_VSTIP, 1 },
        { false, 0, 0, 0, 0, 1, HIP_VSEIP, 0 },
        { false, 0, 0, 0, HIP_VSEIP, 0, HIP_VSEIP, 0 }, /* another one's */
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(row); i++) {
        world(1, row[i].loaded, false);
        v->arch.lines = row[i].lines;
        v->arch.soft = (uint32_t)row[i].soft;
        v->arch.hvip = row[i].hvip;
        v->arch.vs.ie = row[i].loaded ? 0 : row[i].enabled >> 1;
        *reg("hip") = row[i].hip;
        *reg("hie") = row[i].loaded ? row[i].enabled : 0;
        due = row[i].due;
        CHECK_EQ(arch_vcpu_has_event(v), row[i].ends);
        /* Who is loaded and waits is woken by its timer and its controller. */
        CHECK_EQ(nr_waits, row[i].loaded && !row[i].ends ? 2 : 0);
    }
}
