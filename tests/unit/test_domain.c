/* SPDX-License-Identifier: MIT */
/* core/domain.c: creation, start, the ways to stop, and taking apart in steps. */
#include <loam/guest_copy.h>
#include <loam/irq.h>
#include <loam/vuart.h>

#include "dom.h"

static struct domain_config config(const char *name, uint32_t vcpus)
{
    struct domain_config c = { .vcpus_max = vcpus };

    snprintf(c.name, sizeof(c.name), "%s", name);
    return c;
}

/* --- Creation ----------------------------------------------------------------- */

TEST_ALLOC(creation_undoes_what_it_did)
{
    struct world *w = dom_world(1);
    struct domain_config c = config("d", 3);
    struct domain *d = NULL;
    int rc = domain_create(w->hv, &c, &d);

    CHECK(rc == 0 || (unit_injected() && rc == -XEN_ENOMEM));
    CHECK_EQ(list_is_empty(&w->hv->domain_list), rc != 0);
    if (rc == 0) {
        CHECK_EQ(d->id, 1);
        CHECK_EQ(d->state, DOMAIN_BUILDING);
        CHECK_EQ(d->refs, 1);
        CHECK_STR(d->config.name, "d");
        CHECK(d->pool == cpupool_default(w->hv));
        CHECK(w->hv->domains[1] == d);
        dom_destroy(w, d);
    }
    CHECK(w->hv->domains[1] == NULL);
    world_destroy(w);
}

TEST_ALLOC(a_whole_domain_with_vcpus_and_memory)
{
    struct world *w = dom_world(2);
    struct domain *d = dom_create(w, "whole", 2, true);

    if (d != NULL) {
        CHECK_EQ(d->p2m.table_pages, 4); /* two of the root, one per level below */
        dom_destroy(w, d);
    }
    CHECK(list_is_empty(&w->hv->domain_list));
    world_destroy(w);
}

TEST(a_bad_config_is_refused)
{
    struct world *w = dom_world(1);
    struct domain_config bad[] = { config("d", 1), config("d", 0), config("d", UINT32_MAX),
                                   config("d", DOMAIN_VCPUS_MAX + 1), config("d", 1) };
    struct domain *d = NULL;

    bad[0].id = HV_DOMAINS_MAX;
    memset(bad[4].name, 'x', sizeof(bad[4].name));
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(domain_create(w->hv, &bad[i], &d), -XEN_EINVAL);
    }
    struct domain_config sve = config("d", 1);
    sve.sve_bits = 256;
    CHECK_EQ(domain_create(w->hv, &sve, &d), -XEN_EOPNOTSUPP);
    CHECK(d == NULL);
    CHECK(list_is_empty(&w->hv->domain_list));
    world_destroy(w);
}

TEST(every_domid_but_the_control_domains_is_used)
{
    struct world *w = dom_world(1);
    struct domain_config c = config("d", 1);
    struct domain *d;

    for (uint32_t i = 1; i < HV_DOMAINS_MAX; i++) {
        CHECK_EQ(domain_create(w->hv, &c, &d), 0);
        CHECK_EQ(d->id, i);
    }
    CHECK_EQ(domain_create(w->hv, &c, &d), -XEN_ENOSPC);
    CHECK(domain_lookup(w->hv, 0) == NULL);
    /* A free one in the middle is used again. */
    dom_destroy(w, w->hv->domains[500]);
    CHECK_EQ(domain_create(w->hv, &c, &d), 0);
    CHECK_EQ(d->id, 500);
    for (uint32_t i = 1; i < HV_DOMAINS_MAX; i++) {
        dom_destroy(w, w->hv->domains[i]);
    }
    CHECK(list_is_empty(&w->hv->domain_list));
    world_destroy(w);
}

/* --- References --------------------------------------------------------------- */

TEST(lookup_takes_a_reference)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "d", 1, false);

    CHECK(domain_lookup(w->hv, d->id) == d);
    CHECK_EQ(d->refs, 2);
    domain_put(d);
    CHECK_EQ(d->refs, 1);
    CHECK(domain_lookup(w->hv, (uint16_t)(d->id + 1)) == NULL);
    CHECK(domain_lookup(w->hv, HV_DOMAINS_MAX) == NULL);
    CHECK(domain_lookup(w->hv, UINT16_MAX) == NULL);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(a_reference_outlives_the_teardown)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "d", 2, false);
    uint16_t id = d->id;

    domain_get(d);
    dom_destroy(w, d);
    CHECK(domain_lookup(w->hv, id) == NULL);
    CHECK_EQ(d->refs, 1);
    CHECK_EQ(d->state, DOMAIN_DYING);
    CHECK(mfn_is_none(d->p2m.root));
    CHECK_EQ(d->p2m.table_pages, 0);
    CHECK_STR(d->config.name, "d");
    domain_put(d);
    world_destroy(w);
}

TEST(no_reference_can_be_had_after_the_last)
{
    struct world *w = dom_world(1);
    struct domain d = { .refs = 0 };

    CHECK(!domain_try_get(&d));
    CHECK_EQ(d.refs, 0);
    d.refs = 1;
    CHECK(domain_try_get(&d));
    CHECK_EQ(d.refs, 2);
    world_destroy(w);
}

static void get_dead(void *arg) { domain_get(arg); }

TEST(a_reference_to_the_dead_panics)
{
    struct world *w = dom_world(1);
    struct domain d = { .refs = 0 };

    CHECK_EQ(fake_try(get_dead, &d), FAKE_STOP_HALT);
    CHECK(world_console_has(w, "PANIC"));
    world_destroy(w);
}

/* --- Start and stop ----------------------------------------------------------- */

TEST(start_runs_the_first_vcpu_only)
{
    struct world *w = dom_world(2);
    struct domain *d = dom_create(w, "d", 2, false);

    dom_settle(w);
    CHECK(!d->vcpus[0]->running);
    domain_start(d);
    CHECK_EQ(d->state, DOMAIN_RUNNING);
    dom_settle(w);
    CHECK(d->vcpus[0]->running);
    CHECK_EQ(d->vcpus[1]->pause, VCPU_PAUSE_OFFLINE);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(pause_and_unpause_all_vcpus)
{
    struct world *w = dom_world(2);
    struct domain *d = dom_create(w, "d", 2, false);

    domain_start(d);
    CHECK_EQ(vcpu_power_on(d, 1, DOM_RAM, 0), 0);
    dom_settle(w);
    CHECK(d->vcpus[0]->running && d->vcpus[1]->running);
    domain_pause(d);
    domain_pause(d);
    dom_settle(w);
    CHECK(!d->vcpus[0]->running && !d->vcpus[1]->running);
    CHECK_EQ(domain_unpause(d), 0);
    dom_settle(w);
    CHECK(!d->vcpus[0]->running && !d->vcpus[1]->running);
    CHECK_EQ(domain_unpause(d), 0);
    dom_settle(w);
    CHECK(d->vcpus[0]->running && d->vcpus[1]->running);
    CHECK_EQ(domain_unpause(d), -XEN_EINVAL);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(shutdown_reasons)
{
    for (int reason = SHUTDOWN_POWEROFF; reason <= SHUTDOWN_SOFT_RESET; reason++) {
        struct world *w = dom_world(1);
        struct domain *d = dom_create(w, "d", 1, false);

        domain_start(d);
        dom_settle(w);
        world_cpu(w, 0);
        domain_shutdown(d, (enum domain_shutdown_reason)reason);
        CHECK_EQ(d->state, DOMAIN_SHUTDOWN);
        CHECK_EQ(d->shutdown_reason, reason);
        CHECK_EQ(dom_run(w, 0, 0), FAKE_STOP_IDLE);
        CHECK(!d->vcpus[0]->running);
        /* The first reason counts. */
        domain_shutdown(d, SHUTDOWN_WATCHDOG);
        domain_crash(d, "again");
        CHECK_EQ(d->shutdown_reason, reason);
        dom_destroy(w, d);
        world_destroy(w);
    }
}

TEST(a_domain_that_does_not_run_cannot_stop)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "d", 1, false);

    domain_shutdown(d, SHUTDOWN_CRASH);
    CHECK_EQ(d->state, DOMAIN_BUILDING);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(a_crash_says_why)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "web", 1, false);

    domain_start(d);
    domain_crash(d, "no such thing at %#x", 0x40u);
    CHECK(world_console_has(w, "loam: dom web: crashed: no such thing at 0x40\r\n"));
    CHECK_EQ(d->shutdown_reason, SHUTDOWN_CRASH);
    CHECK_EQ(d->state, DOMAIN_SHUTDOWN);
    dom_destroy(w, d);
    world_destroy(w);
}

static void crash_from_another_cpu(struct vcpu *v)
{
    struct world *w = fake_machine->arg;

    world_cpu(w, 1);
    domain_crash(v->domain, "hit from outside");
    world_cpu(w, 0);
}

TEST(a_crash_stops_a_vcpu_in_its_guest)
{
    struct world *w = dom_world(2);
    struct domain *d = dom_create(w, "d", 1, false);
    struct fake_step steps[] = {
        { .exit = { .kind = VM_EXIT_ARCH }, .before = crash_from_another_cpu },
        { .exit = { .kind = VM_EXIT_ARCH } },
    };
    struct fake_script s;

    w->machine.arg = w;
    dom_script(d->vcpus[0], &s, steps, 2);
    domain_start(d);
    CHECK_EQ(dom_run(w, 0, 10), FAKE_STOP_IDLE);
    CHECK_EQ(s.pos, 1);
    dom_destroy(w, d);
    world_destroy(w);
}

/* --- Taking apart ------------------------------------------------------------- */

TEST(vcpus_leave_their_cpus_first)
{
    struct world *w = dom_world(3);
    struct domain *d = dom_create(w, "d", 2, false);

    domain_start(d);
    CHECK_EQ(vcpu_power_on(d, 1, DOM_RAM, 0), 0);
    dom_settle(w);
    CHECK(d->vcpus[0]->running && d->vcpus[1]->running);
    world_cpu(w, 2);
    CHECK_EQ(domain_destroy(d), -XEN_EAGAIN);
    CHECK_EQ(domain_destroy(d), -XEN_EAGAIN);
    CHECK_EQ(d->teardown_step, 0);
    CHECK_EQ(d->state, DOMAIN_DYING);
    CHECK(d->vcpus[0]->loaded_on != NULL);
    dom_run(w, 0, 0);
    CHECK_EQ(domain_destroy(d), -XEN_EAGAIN);
    CHECK_EQ(d->teardown_step, 0);
    dom_run(w, 1, 0);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(a_vcpu_that_stays_loaded_on_an_idle_cpu_is_saved)
{
    struct world *w = dom_world(2);
    struct domain *d = dom_create(w, "d", 1, false);

    domain_start(d);
    dom_run(w, 0, 0);
    domain_pause(d);
    CHECK_EQ(dom_run(w, 0, 0), FAKE_STOP_IDLE);
    struct pcpu *holder = d->vcpus[0]->loaded_on;
    CHECK(holder == w->hv->pcpus[0]);
    world_cpu(w, 1);
    CHECK_EQ(domain_destroy(d), -XEN_EAGAIN);
    CHECK(holder->work & PCPU_WORK_SAVE);
    dom_destroy(w, d);
    CHECK(w->hv->pcpus[0]->loaded == NULL);
    world_destroy(w);
}

/* No CPU may still use what it found before: each passes a quiescent point. */
TEST(a_teardown_waits_for_every_cpu)
{
    struct world *w = dom_world(3);
    struct domain *d = dom_create(w, "d", 1, false);

    world_cpu(w, 0);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQ(domain_destroy(d), -XEN_EAGAIN);
        dom_run(w, 0, 0);
        dom_run(w, 1, 0);
    }
    CHECK(w->hv->quiescing == d);
    CHECK_EQ(w->hv->quiesce_pending, 1);
    CHECK(d->vcpus[0] != NULL);
    CHECK(domain_lookup(w->hv, 1) == NULL);
    dom_run(w, 2, 0);
    dom_destroy(w, d);
    CHECK(w->hv->quiescing == NULL);
    world_destroy(w);
}

TEST(two_teardowns_at_a_time)
{
    struct world *w = dom_world(2);
    struct domain *a = dom_create(w, "a", 1, false), *b = dom_create(w, "b", 1, false);
    int rc_a = -XEN_EAGAIN, rc_b = -XEN_EAGAIN;

    domain_start(a);
    domain_start(b);
    dom_settle(w);
    world_cpu(w, 0);
    for (uint32_t i = 0; i < 100 && (rc_a != 0 || rc_b != 0); i++) {
        rc_a = rc_a != 0 ? domain_destroy(a) : 0;
        rc_b = rc_b != 0 ? domain_destroy(b) : 0;
        dom_settle(w);
    }
    CHECK_EQ(rc_a, 0);
    CHECK_EQ(rc_b, 0);
    world_destroy(w);
}

TEST(each_step_is_bounded)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "d", 1, false);
    uint32_t calls = 0;

    /* 1,000 pages one by one, so that there are as many blocks to give back. */
    for (uint64_t i = 0; i < 1000; i++) {
        mfn_t m = frame_alloc(w->hv, 0, 0);
        frame_assign(w->hv, m, 0, d);
        CHECK_EQ(p2m_map(d, gfn(0x80000 + 2 * i), m, 1, P2M_RAM_RW), 0);
    }
    while (domain_destroy(d) != 0 && calls++ < 1000) {
        uint64_t avail = w->hv->frames.avail;

        dom_settle(w);
        CHECK(w->hv->frames.avail == avail);
    }
    CHECK(calls >= 7 + 1000 / 64);
    world_destroy(w);
}

/* Static memory in large blocks is no reason for long steps: the frame lock counts the work. */
TEST(a_step_takes_claimed_memory_by_blocks)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "d", 1, false);
    const uint64_t pages = 8 << 9; /* 16 MiB, mapped in blocks of 2 MiB */
    mfn_t claimed = mfn_add(w->hv->frames.base, 8192 - 2 * 512);

    CHECK_EQ(frames_claim(w->hv, claimed, pages), 0);
    for (uint64_t i = 0; i < pages; i += 512) {
        frame_assign(w->hv, mfn_add(claimed, i), 9, d);
    }
    CHECK_EQ(p2m_map(d, gfn(0x80000), claimed, pages, P2M_RAM_RW), 0);
    for (int rc = -XEN_EAGAIN; rc != 0;) {
        uint16_t before = w->hv->frames.lock.next;

        rc = domain_destroy(d);
        CHECK((uint16_t)(w->hv->frames.lock.next - before) < 300);
        dom_settle(w);
    }
    for (uint64_t i = 0; i < pages; i++) {
        CHECK_EQ(frame_lookup(w->hv, mfn_add(claimed, i))->state, FRAME_RESERVED);
    }
    CHECK_EQ(frames_add(w->hv, claimed, pages), 0);
    world_destroy(w);
}

TEST(ram_goes_back_to_where_it_came_from)
{
    struct world *w = dom_world(1);
    struct domain *d = dom_create(w, "d", 1, false);
    mfn_t claimed = mfn_add(w->hv->frames.base, 2048);
    mfn_t block = frame_alloc(w->hv, 3, 0);

    CHECK_EQ(frames_claim(w->hv, claimed, 4), 0);
    for (uint64_t i = 0; i < 4; i++) {
        frame_assign(w->hv, mfn_add(claimed, i), 0, d);
    }
    frame_assign(w->hv, block, 3, d);
    CHECK_EQ(p2m_map(d, gfn(0x80000), claimed, 4, P2M_RAM_RW), 0);
    /* Two mappings of parts of one block, and one that is not the domain's. */
    CHECK_EQ(p2m_map(d, gfn(0x80101), block, 4, P2M_RAM_RO), 0);
    CHECK_EQ(p2m_map(d, gfn(0x80204), mfn_add(block, 4), 4, P2M_RAM_RW), 0);
    CHECK_EQ(p2m_map(d, gfn(0x10000), mfn(1), 1, P2M_MMIO_DIRECT), 0);
    uint64_t avail = w->hv->frames.avail;
    dom_destroy(w, d);
    CHECK(w->hv->frames.avail >= avail + 8);
    /* Claimed memory stays claimed. */
    CHECK_EQ(frame_lookup(w->hv, claimed)->state, FRAME_RESERVED);
    CHECK_EQ(frames_add(w->hv, claimed, 4), 0);
    world_destroy(w);
}

TEST(services_end_with_the_domain)
{
    struct world *w = dom_world(2);
    struct domain *d = dom_create(w, "d", 1, false);

    world_inject(w, false);
    CHECK_EQ(vuart_create(d, VUART_PL011, gpa(0x22000000), FAKE_VIRQ_BASE), 0);
    CHECK_EQ(irq_assign(d, 40, FAKE_VIRQ_BASE + 1, IRQ_EDGE), 0);
    CHECK(w->machine.irq_unmasked[40]);
    dom_destroy(w, d);
    CHECK(!w->machine.irq_unmasked[40]);
    fake_irq_raise(40); /* nobody gets it */
    dom_settle(w);
    world_destroy(w);
}

TEST(a_domain_half_built_is_taken_apart_too)
{
    struct world *w = dom_world(1);
    struct domain_config c = config("d", 4);
    struct domain *d;

    CHECK_EQ(domain_create(w->hv, &c, &d), 0);
    CHECK_EQ(vcpu_create(d, 2), 0);
    domain_pause(d);
    domain_unpause(d);
    dom_destroy(w, d);
    world_destroy(w);
}

TEST(domids_go_round)
{
    struct world *w = dom_world(1);

    for (uint32_t i = 0; i < HV_DOMAINS_MAX + 3; i++) { /* also more than there are VMIDs */
        struct domain *d = dom_create(w, "d", 1, false);
        uint64_t value = i, seen = 0;

        CHECK_EQ(d->id, 1 + i % (HV_DOMAINS_MAX - 1));
        domain_start(d);
        dom_run(w, 0, 0);
        world_cpu(w, 0);
        CHECK(fake_guest_read(d->vcpus[0], gpa(DOM_RAM), &seen, sizeof(seen)));
        CHECK_EQ(seen, 0);
        CHECK(fake_guest_write(d->vcpus[0], gpa(DOM_RAM), &value, sizeof(value)));
        dom_destroy(w, d);
    }
    world_destroy(w);
}

/* Ten vCPUs of ten domains, VMIDs for three: nobody sees the memory of another. */
TEST(vmids_are_recycled_without_old_translations)
{
    struct world *w = dom_world(2);
    struct domain *d[10];

    vmid_pool_init(&w->hv->vmids, 2, 2);
    for (uint32_t i = 0; i < 10; i++) {
        uint64_t value = 1000 + i;

        d[i] = dom_create(w, "d", 1, false);
        CHECK_EQ(guest_phys_write(d[i], gpa(DOM_RAM), &value, sizeof(value), true), 0);
        domain_start(d[i]);
        domain_pause(d[i]);
    }
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t i = round * 7 % 10;
        uint64_t seen = 0;

        domain_unpause(d[i]);
        dom_settle(w);
        struct vcpu *v = d[i]->vcpus[0];
        CHECK(v->running);
        w->machine.cpu = v->pcpu;
        CHECK(fake_guest_read(v, gpa(DOM_RAM), &seen, sizeof(seen)));
        CHECK_EQ(seen, 1000 + i);
        domain_pause(d[i]);
        dom_settle(w);
    }
    for (uint32_t i = 0; i < 10; i++) {
        dom_destroy(w, d[i]);
    }
    world_destroy(w);
}
