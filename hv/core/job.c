/* SPDX-License-Identifier: MIT */
/*
 * Long work in steps. Idle CPUs take a step each time round their loop; while
 * there are jobs a timer makes one CPU do a step, so that jobs end on a busy
 * machine too. It is set at the end of a step, for later the longer the step
 * took: how long a step takes is up to the machine, and guests have most of it.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/job.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#define JOB_PERIOD NS_PER_MS
#define JOB_REST 3 /* times as long as the last step took */

static void job_timer_due(struct timer *t, struct pcpu *p) { pcpu_raise(p, PCPU_WORK_JOB); }

void hv_init(struct hv *hv)
{
    hv->lock = SPINLOCK_INIT(LOCK_RANK_HV);
    hv->refusals.lock = SPINLOCK_INIT(LOCK_RANK_REFUSALS);
    list_init(&hv->domain_list);
    list_init(&hv->jobs);
    timer_init(&hv->job_timer, job_timer_due);
}

/* While jobs wait the timer is set, or a CPU is at a step; under the lock: by one CPU at a time. */
static void job_timer_start_locked(struct hv *hv, ns_t took)
{
    if (!list_is_empty(&hv->jobs) && atomic_load_relaxed(&hv->job_timer.pcpu) == NULL) {
        timer_set(this_pcpu(), &hv->job_timer, arch_time_now() + MAX(JOB_PERIOD, JOB_REST * took));
    }
}

/* Queues j, which may be NULL, when the last step took so long. */
static void job_queue(struct hv *hv, struct job *j, ns_t took)
{
    spin_lock(&hv->lock);
    if (j != NULL) {
        list_push_back(&hv->jobs, &j->link);
    }
    job_timer_start_locked(hv, took);
    spin_unlock(&hv->lock);
}

static void job_kick_idle(struct hv *hv)
{
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        if (atomic_load_relaxed(&hv->pcpus[i]->idle)) {
            pcpu_kick(hv->pcpus[i], PCPU_WORK_JOB);
        }
    }
}

void job_start(struct hv *hv, struct job *j)
{
    job_queue(hv, j, 0);
    pcpu_raise(this_pcpu(), PCPU_WORK_JOB);
    job_kick_idle(hv);
}

bool job_step(struct pcpu *p)
{
    struct hv *hv = p->hv;

    if (list_is_empty(&hv->jobs)) {
        /* Without the lock: the caller comes again, and job_start() kicks. */
        return false;
    }
    /* A job that a CPU works on is off the list. */
    spin_lock(&hv->lock);
    struct list_node *n = list_pop_front(&hv->jobs);
    spin_unlock(&hv->lock);
    if (n == NULL) {
        return false;
    }
    struct job *j = container_of(n, struct job, link);
    perfc_count(p, PERFC_JOB_STEPS);
    ns_t began = arch_time_now();
    int rc = j->step(j);
    ns_t took = arch_time_now() - began;

    if (rc == -XEN_EAGAIN) {
        /* An idle CPU goes on by itself; a busy one lets its guest run until the timer is due. */
        job_queue(hv, j, took);
        if (p->current != NULL) {
            job_kick_idle(hv);
        }
    } else {
        j->done(j, rc);
        job_queue(hv, NULL, took);
    }
    return true;
}
