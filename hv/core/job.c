/* SPDX-License-Identifier: MIT */
/*
 * Long work in steps. Idle CPUs take a step each time round their loop; while
 * there are jobs a timer makes the CPU that started the first one do a step
 * each millisecond, so that jobs end on a busy machine too.
 */
#include <arch/time.h>
#include <loam/hv.h>
#include <loam/job.h>
#include <loam/pcpu.h>
#include <xen/errno.h>

#define JOB_PERIOD NS_PER_MS

static void job_timer_due(struct timer *t, struct pcpu *p)
{
    struct hv *hv = container_of(t, struct hv, job_timer);

    spin_lock(&hv->lock);
    bool more = !list_is_empty(&hv->jobs);
    spin_unlock(&hv->lock);
    if (more) {
        pcpu_raise(p, PCPU_WORK_JOB);
        timer_set(p, t, arch_time_now() + JOB_PERIOD);
    }
}

void hv_init(struct hv *hv)
{
    hv->lock = SPINLOCK_INIT(LOCK_RANK_HV);
    list_init(&hv->domain_list);
    list_init(&hv->jobs);
    timer_init(&hv->job_timer, job_timer_due);
}

void job_start(struct hv *hv, struct job *j)
{
    spin_lock(&hv->lock);
    bool first = list_is_empty(&hv->jobs);
    list_push_back(&hv->jobs, &j->link);
    spin_unlock(&hv->lock);
    if (first) {
        struct pcpu *p = this_pcpu();

        timer_set(p, &hv->job_timer, arch_time_now() + JOB_PERIOD);
        pcpu_raise(p, PCPU_WORK_JOB);
    }
    for (uint32_t i = 0; i < hv->nr_pcpus; i++) {
        if (hv->pcpus[i]->idle) {
            pcpu_kick(hv->pcpus[i], PCPU_WORK_JOB);
        }
    }
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
        job_start(hv, j);
    } else {
        j->done(j, rc);
    }
    return true;
}
