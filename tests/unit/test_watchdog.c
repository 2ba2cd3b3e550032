/* SPDX-License-Identifier: MIT */
/* core/watchdog.c: timers that stop a domain which forgets them. */
#include <xen/sched.h>
#include <xen/xen.h>

#include "../../hv/arch/fake/fake.h"
#include "control.h"

static int64_t watchdog(struct control *c, uint32_t id, uint32_t timeout)
{
    struct sched_watchdog a = { id, timeout };

    control_put(c, 1, ARG, &a, sizeof(a));
    return dom_hypercall(c->w, 1, __HYPERVISOR_sched_op, 6, ARG, 0);
}

static void pass(struct control *c, uint32_t seconds)
{
    c->w->machine.now += seconds * (ns_t)NS_PER_S;
    dom_run(c->w, 1, 3);
    dom_settle(c->w);
}

TEST(a_watchdog_barks)
{
    struct control c = control_begin();

    CHECK_EQ(watchdog(&c, 0, 10), 1);
    pass(&c, 9);
    CHECK_EQ(c.domu->state, DOMAIN_RUNNING);
    pass(&c, 1);
    CHECK_EQ(c.domu->state, DOMAIN_SHUTDOWN);
    CHECK_EQ(c.domu->shutdown_reason, SHUTDOWN_WATCHDOG);
    CHECK_EQ(c.dom0->state, DOMAIN_RUNNING);
    control_end(&c);
}

TEST(one_that_is_set_in_time_is_silent)
{
    struct control c = control_begin();

    CHECK_EQ(watchdog(&c, 0, 10), 1);
    CHECK_EQ(watchdog(&c, 0, 100), 2);
    for (uint32_t i = 0; i < 5; i++) {
        pass(&c, 9);
        CHECK_EQ(watchdog(&c, 1, 10), 0);
    }
    CHECK_EQ(watchdog(&c, 1, 0), 0);
    pass(&c, 50);
    CHECK_EQ(c.domu->state, DOMAIN_RUNNING);
    CHECK_EQ(watchdog(&c, 1, 10), -XEN_EINVAL); /* it is gone */
    CHECK_EQ(watchdog(&c, 0, 10), 1);
    CHECK_EQ(watchdog(&c, 2, UINT32_MAX), 0);
    pass(&c, 9);
    CHECK_EQ(c.domu->state, DOMAIN_RUNNING);
    control_end(&c);
}

/* A CPU that waits does so for now: time stands still. */
static void on_wait(struct fake_machine *m, struct pcpu *p) { fake_stop(FAKE_STOP_IDLE); }

TEST(it_goes_with_its_domain)
{
    struct control c = control_begin();
    struct pcpu *p = c.w->hv->pcpus[1];

    CHECK_EQ(watchdog(&c, 0, 10), 1);
    const struct heap_node *timer = heap_min(&p->timers);
    CHECK(timer != NULL && timer->key == c.w->machine.now + 10 * (ns_t)NS_PER_S);
    c.w->machine.on_wait = on_wait;
    domain_get(c.domu); /* somebody else's: the timer's memory stays for a while */
    dom_destroy(c.w, c.domu);
    CHECK(!heap_node_is_queued(timer));
    domain_put(c.domu);
    dom_destroy(c.w, c.dom0);
    world_destroy(c.w);
}

TEST(bad_arguments)
{
    struct control c = control_begin();

    CHECK_EQ(watchdog(&c, 1, 10), -XEN_EINVAL);
    CHECK_EQ(watchdog(&c, 0, 0), -XEN_EINVAL);
    CHECK_EQ(watchdog(&c, 3, 10), -XEN_EINVAL);
    CHECK_EQ(watchdog(&c, UINT32_MAX, 10), -XEN_EINVAL);
    CHECK_EQ(watchdog(&c, 0, 10), 1);
    CHECK_EQ(watchdog(&c, 0, 10), 2);
    CHECK_EQ(watchdog(&c, 0, 10), -XEN_ENOSPC);
    control_end(&c); /* both are queued still */
}
