/* SPDX-License-Identifier: MIT */
/*
 * Long work cut into steps (building, clearing and taking apart a domain), so
 * that it never holds a CPU: idle CPUs do steps all the time, of the busy ones
 * one does a step each millisecond, or after three times the last step.
 */
#ifndef LOAM_JOB_H
#define LOAM_JOB_H

#include <loam/list.h>
#include <loam/types.h>

struct hv;
struct pcpu;

struct job {
    struct list_node link; /* [hv->lock] */
    /* A step of at most some 100,000 instructions. 0: done, -XEN_EAGAIN: more, else failed. */
    int (*step)(struct job *j);
    /* Called once after the last step with its result; may free the job. */
    void (*done)(struct job *j, int rc);
};

/* Queues j. Context: any CPU. */
void job_start(struct hv *hv, struct job *j);
/* Runs one step of the first job that nobody runs; false: there is none. Context: vcpu_next(). */
bool job_step(struct pcpu *p);

#endif
