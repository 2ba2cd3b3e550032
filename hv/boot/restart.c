/* SPDX-License-Identifier: MIT */
/*
 * What follows when a domain of the plan stops. With the control domain the machine ends
 * (dom0.c); for the others loam,restart decides.
 *
 *   it ...               never    on-crash   always
 *   powered off          stays    stays      again
 *   asked for a reset    stays    again      again
 *   crashed, hung        stays    again      again
 *
 * A reset counts as a crash because a kernel that panics asks for one. The
 * stopped domain is taken apart by a job in either case: its memory is of no
 * use to anyone. One that the control domain destroys stays down in any case.
 * A domain that stops again within a second waits before it is built, twice
 * as long each time, up to 64 ms. When no domain is left the machine goes off.
 */
#include <xen/errno.h>

#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/log.h>
#include <loam/plan.h>
#include <loam/start.h>

#include <arch/time.h>

#include "private.h"

#define SHORT_RUN NS_PER_S
#define DELAY_MIN NS_PER_MS
#define DELAY_DOUBLINGS 6 /* 64 ms */

/* A row per reason: in words, and from which policy on it leads to a restart. */
static const struct stop_reason {
    const char *text;
    enum plan_restart from;
} stop_reasons[] = {
    [SHUTDOWN_POWEROFF] = { "powered off", RESTART_ALWAYS },
    [SHUTDOWN_REBOOT] = { "asked for a reset", RESTART_ON_CRASH },
    [SHUTDOWN_SUSPEND] = { "suspended", RESTART_ALWAYS },
    [SHUTDOWN_CRASH] = { "crashed", RESTART_ON_CRASH },
    [SHUTDOWN_WATCHDOG] = { "was stopped by its watchdog", RESTART_ON_CRASH },
    [SHUTDOWN_SOFT_RESET] = { "asked for a soft reset", RESTART_ON_CRASH },
};

static const struct stop_reason unknown_reason = { "stopped", RESTART_ALWAYS };

void plan_domain_over(struct plan_domain *pd)
{
    if (atomic_fetch_sub(&pd->hv->plan->alive, 1) == 1) {
        log_info(pd->hv, "all domains have stopped: powering off");
        hv_power_off(pd->hv);
    }
}

int plan_domain_teardown(struct plan_domain *pd)
{
    if (pd->domain) {
        if (domain_destroy(pd->domain)) {
            return -XEN_EAGAIN;
        }
        pd->domain = NULL;
    }
    return 0;
}

static int stop_step(struct job *j)
{
    return plan_domain_teardown(container_of(j, struct plan_domain, job));
}

static void delay_over(struct timer *t, struct pcpu *p)
{
    build_start(container_of(t, struct plan_domain, life.delay));
}

/* The domain is gone. */
static void stop_done(struct job *j, int rc)
{
    struct plan_domain *pd = container_of(j, struct plan_domain, job);
    if (!pd->life.again || atomic_load_relaxed(&pd->life.ended)) {
        plan_domain_over(pd);
        return;
    }
    if (pd->life.short_runs == 0) {
        build_start(pd);
        return;
    }
    uint32_t doublings = MIN(pd->life.short_runs - 1, DELAY_DOUBLINGS);
    timer_init(&pd->life.delay, delay_over);
    timer_set(pd->hv->pcpus[0], &pd->life.delay, arch_time_now() + (DELAY_MIN << doublings));
}

int plan_domain_end(struct domain *d)
{
    spin_lock(&d->lock);
    bool building = d->state == DOMAIN_BUILDING;
    spin_unlock(&d->lock);
    if (building) {
        return -XEN_EBUSY;
    }
    /* Seen by who takes it apart, if it has stopped already: that job has not ended, d is there. */
    atomic_store_relaxed(&d->plan->life.ended, true);
    domain_shutdown(d, SHUTDOWN_POWEROFF);
    return 0;
}

void plan_domain_stopped(struct domain *d)
{
    struct plan_domain *pd = d->plan;
    if (!pd) {
        return;
    }
    if (pd->dom0) {
        dom0_stopped(pd, d->shutdown_reason);
    }
    const struct stop_reason *reason = &unknown_reason;
    if (d->shutdown_reason < ARRAY_SIZE(stop_reasons)) {
        reason = &stop_reasons[d->shutdown_reason];
    }
    static const struct stop_reason ended = { "was destroyed by the control domain", 0 };
    bool is_ended = atomic_load_relaxed(&pd->life.ended);
    reason = is_ended ? &ended : reason;
    bool is_short = arch_time_now() - pd->life.started < SHORT_RUN;
    pd->life.short_runs = is_short ? pd->life.short_runs + 1 : 0;
    pd->life.again = !is_ended && pd->restart != RESTART_NEVER && pd->restart >= reason->from;
    if (pd->life.again) {
        log_info(pd->hv, "dom %s: %s: restarting (%u)", pd->config.name, reason->text,
                 ++pd->life.restarts);
    } else {
        log_info(pd->hv, "dom %s: %s: stays down", pd->config.name, reason->text);
    }
    pd->job.step = stop_step;
    pd->job.done = stop_done;
    job_start(pd->hv, &pd->job);
}
