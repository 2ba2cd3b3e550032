/* SPDX-License-Identifier: MIT */
/* core/job.c: idle CPUs do long work at once, busy ones a step now and then. */
#include <loam/job.h>
#include <loam/timer.h>

#include "dom.h"

struct counted {
    struct job job; /* first */
    uint32_t steps, left;
    int result; /* what the last step returns */
    bool done;
    int rc;
    uint32_t cpu; /* that did the last step */
};

static int step(struct job *j)
{
    struct counted *c = (struct counted *)j;

    CHECK(!c->done);
    CHECK_EQ(fake_machine->cpu->lock_depth, 0);
    c->steps++;
    c->cpu = fake_machine->cpu->id;
    return --c->left != 0 ? -XEN_EAGAIN : c->result;
}

static void done(struct job *j, int rc)
{
    struct counted *c = (struct counted *)j;

    CHECK(!c->done);
    CHECK_EQ(fake_machine->cpu->lock_depth, 0);
    c->done = true;
    c->rc = rc;
}

static struct counted job(uint32_t steps, int result)
{
    return (struct counted){ .job = { .step = step, .done = done }, .left = steps,
                             .result = result };
}

static const struct fake_step busy_step = { .exit = { .kind = VM_EXIT_ARCH },
                                            .ran = 100 * NS_PER_US };

/* A domain that makes an exit each 100 us on CPU 0. */
static struct domain *busy(struct world *w, struct fake_script *s)
{
    struct domain *d = dom_create(w, "busy", 1, false);

    *s = (struct fake_script){ &busy_step, 1, .repeat = true };
    d->vcpus[0]->arch.script = s;
    domain_start(d);
    dom_run(w, 0, 1);
    return d;
}

TEST(an_idle_cpu_does_all_steps)
{
    struct world *w = dom_world(1);
    struct counted j = job(50, 0);

    job_start(w->hv, &j.job);
    CHECK_EQ(dom_run(w, 0, 0), FAKE_STOP_IDLE);
    CHECK(j.done);
    CHECK_EQ(j.rc, 0);
    CHECK_EQ(j.steps, 50);
    CHECK(list_is_empty(&w->hv->jobs));
    /* Nothing is left that would wake a CPU for no work. */
    CHECK_EQ(w->boot->arch.deadline, NS_NEVER);
    world_destroy(w);
}

TEST(a_failure_reaches_its_owner)
{
    struct world *w = dom_world(1);
    struct counted j = job(3, -XEN_ENOMEM);

    job_start(w->hv, &j.job);
    dom_run(w, 0, 0);
    CHECK(j.done);
    CHECK_EQ(j.rc, -XEN_ENOMEM);
    CHECK_EQ(j.steps, 3);
    world_destroy(w);
}

TEST(jobs_take_turns)
{
    struct world *w = dom_world(1);
    struct counted j = job(10, 0), k = job(2, 0);

    job_start(w->hv, &j.job);
    job_start(w->hv, &k.job);
    CHECK(job_step(w->boot));
    CHECK(job_step(w->boot));
    CHECK(job_step(w->boot));
    CHECK(job_step(w->boot));
    CHECK_EQ(j.steps, 2);
    CHECK(k.done);
    CHECK(!j.done);
    dom_run(w, 0, 0);
    CHECK(j.done);
    CHECK(!job_step(w->boot));
    world_destroy(w);
}

TEST(an_idle_cpu_is_kicked_to_help)
{
    struct world *w = dom_world(2);
    struct counted j = job(5, 0);

    CHECK_EQ(dom_run(w, 1, 0), FAKE_STOP_IDLE);
    world_cpu(w, 0);
    job_start(w->hv, &j.job);
    CHECK(w->hv->pcpus[1]->work & PCPU_WORK_JOB);
    dom_run(w, 1, 0);
    CHECK(j.done);
    CHECK_EQ(j.cpu, 1);
    dom_run(w, 0, 0);
    world_destroy(w);
}

/* The guest is not kept from running until the job is over. */
TEST(a_busy_cpu_does_a_step_each_millisecond)
{
    struct world *w = dom_world(1);
    struct fake_script s;
    struct domain *d = busy(w, &s);
    struct counted j = job(20, 0);
    uint64_t exits = d->vcpus[0]->exits;

    job_start(w->hv, &j.job);
    dom_run(w, 0, 5);
    CHECK(j.steps <= 2);
    CHECK(d->vcpus[0]->exits >= exits + 5);
    /* 10 ms */
    dom_run(w, 0, 110);
    CHECK(j.steps >= 8 && j.steps <= 13);
    CHECK(!j.done);
    dom_run(w, 0, 150);
    CHECK(j.done);
    dom_destroy(w, d);
    world_destroy(w);
}

static int slow_step(struct job *j)
{
    fake_machine->now += 10 * NS_PER_MS;
    return step(j);
}

TEST(guests_have_most_of_a_cpu_whose_steps_take_long)
{
    struct world *w = dom_world(1);
    struct fake_script s;
    struct domain *d = busy(w, &s);
    struct counted j = job(10, 0);

    j.job.step = slow_step;
    job_start(w->hv, &j.job);
    ns_t start = w->machine.now;
    while (!j.done) {
        dom_run(w, 0, 1);
    }
    /* The timer that job_start() set is due when the first step ends. */
    CHECK_EQ(w->machine.now - start, 10 * 10 * NS_PER_MS + 8 * 30 * NS_PER_MS);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(the_timer_ends_with_the_last_job)
{
    struct world *w = dom_world(1);
    struct fake_script s;
    struct domain *d = busy(w, &s);
    struct counted j = job(2, 0);

    job_start(w->hv, &j.job);
    dom_run(w, 0, 100);
    CHECK(j.done);
    CHECK(w->hv->job_timer.pcpu == NULL);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(an_idle_cpu_helps_a_busy_one)
{
    struct world *w = dom_world(2);
    struct fake_script s;
    struct domain *d = busy(w, &s);
    struct counted j = job(30, 0);

    CHECK_EQ(dom_run(w, 1, 0), FAKE_STOP_IDLE);
    world_cpu(w, 0);
    job_start(w->hv, &j.job);
    dom_run(w, 0, 1);
    dom_run(w, 1, 0);
    CHECK(j.done);
    CHECK_EQ(j.cpu, 1);
    dom_destroy(w, d);
    world_destroy(w);
}

static void start_again(struct job *j, int rc)
{
    struct counted *c = (struct counted *)j;

    *c = job(1, 0);
    job_start(fake_machine->hv, &c->job);
}

TEST(a_job_may_be_started_anew_when_it_is_done)
{
    struct world *w = dom_world(1);
    struct counted j = job(1, 0);

    j.job.done = start_again;
    job_start(w->hv, &j.job);
    dom_run(w, 0, 0);
    CHECK(j.done);
    world_destroy(w);
}
