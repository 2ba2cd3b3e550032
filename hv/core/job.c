/* SPDX-License-Identifier: MIT */
/*
 * Long work in steps. Idle CPUs take a step each time round their loop; while
 * there are jobs a timer makes one CPU do a step each millisecond, so that
 * jobs end on a busy machine too.
 */
#include <arch/time.h>
#include <loam/atomic.h>
#include <loam/hv.h>
#include <loam/job.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#define JOB_PERIOD NS_PER_MS

static void job_timer_due(struct timer *t, struct pcpu *p)
{
    struct hv *hv = container_of(t, struct hv, job_timer);

    spin_lock(&hv->lock);
    if (!list_is_empty(&hv->jobs)) {
        pcpu_raise(p, PCPU_WORK_JOB);
        timer_set(p, t, arch_time_now() + JOB_PERIOD);
    }
    spin_unlock(&hv->lock);
}

void hv_init(struct hv *hv)
{
    hv->lock = SPINLOCK_INIT(LOCK_RANK_HV);
    list_init(&hv->domain_list);
    list_init(&hv->jobs);
    timer_init(&hv->job_timer, job_timer_due);
}

/* Queues j. While there are jobs the timer is set; under the lock: by one CPU at a time. */
static void job_queue(struct hv *hv, struct job *j)
{
    spin_lock(&hv->lock);
    list_push_back(&hv->jobs, &j->link);
    if (atomic_load_relaxed(&hv->job_timer.pcpu) == NULL) {
        timer_set(this_pcpu(), &hv->job_timer, arch_time_now() + JOB_PERIOD);
    }
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
    job_queue(hv, j);
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
    int rc = j->step(j);

    if (rc == -XEN_EAGAIN) {
        /* An idle CPU goes on by itself; a busy one lets its guest run until the timer is due. */
        job_queue(hv, j);
        if (p->current != NULL) {
            job_kick_idle(hv);
        }
    } else {
        j->done(j, rc);
    }
    return true;
}
