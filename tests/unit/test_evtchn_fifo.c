/* SPDX-License-Identifier: MIT */
/* ipc/evtchn_fifo.c: queues and words as a guest takes them, and guests that scribble over both. */
#include "events.h"

struct fifo {
    struct events f;
    struct vcpu *a, *b; /* b, of two vCPUs, has the FIFO ABI; a sends */
    struct fifo_guest g[2];
    evtchn_port_t got[64];
};

static struct fifo fifo_begin(void)
{
    struct fifo t = { .f = events_begin(1, 2) };

    t.a = t.f.a->vcpus[0];
    t.b = t.f.b->vcpus[0];
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(init_control(t.b, i), 0);
        CHECK_EQ(register_info(t.f.b->vcpus[i], i), 0);
        (void)upcall(t.f.b->vcpus[i]);
    }
    CHECK_EQ(expand_array(t.b, 0), 0);
    return t;
}

/* A port of b that a sends to through *from. */
static evtchn_port_t connected(struct fifo *t, evtchn_port_t *from)
{
    int64_t there = alloc_unbound(t->a, DOMID_SELF, t->f.b->id);
    int64_t here = bind_interdomain(t->b, t->f.a->id, (evtchn_port_t)there);

    CHECK(there > 0 && here > 0);
    *from = (evtchn_port_t)there;
    return (evtchn_port_t)here;
}

static uint32_t taken(struct fifo *t, uint32_t vcpu)
{
    return fifo_take(t->f.b->vcpus[vcpu], &t->g[vcpu], t->got, ARRAY_SIZE(t->got));
}

TEST(events_come_in_the_order_they_were_sent)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from[4], to[4];

    for (uint32_t i = 0; i < 4; i++) {
        to[i] = connected(&t, &from[i]);
    }
    CHECK_EQ(taken(&t, 0), 4); /* a new connection has one */
    CHECK_EQ(send(t.a, from[2]), 0);
    CHECK_EQ(send(t.a, from[0]), 0);
    CHECK_EQ(send(t.a, from[2]), 0);
    CHECK_EQ(send(t.a, from[3]), 0);
    CHECK_EQ(t.b->arch.events, 1);
    CHECK_EQ(taken(&t, 0), 3);
    CHECK_EQ(t.got[0], to[2]);
    CHECK_EQ(t.got[1], to[0]);
    CHECK_EQ(t.got[2], to[3]);
    CHECK_EQ(taken(&t, 0), 0);
    CHECK_EQ(send(t.a, from[3]), 0); /* the tail of before */
    CHECK_EQ(taken(&t, 0), 1);
    CHECK_EQ(t.got[0], to[3]);
    events_end(&t.f);
}

TEST(urgent_events_come_first)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from[3], to[3];

    for (uint32_t i = 0; i < 3; i++) {
        to[i] = connected(&t, &from[i]);
    }
    taken(&t, 0);
    CHECK_EQ(set_priority(t.b, to[2], EVTCHN_FIFO_PRIORITY_MAX), 0);
    CHECK_EQ(set_priority(t.b, to[0], EVTCHN_FIFO_PRIORITY_MIN), 0);
    CHECK_EQ(set_priority(t.b, to[0], EVTCHN_FIFO_PRIORITY_MIN + 1), -XEN_EINVAL);
    CHECK_EQ(set_priority(t.b, 100000, 1), -XEN_EINVAL);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(send(t.a, from[i]), 0);
    }
    CHECK_EQ(taken(&t, 0), 3);
    CHECK_EQ(t.got[0], to[2]);
    CHECK_EQ(t.got[1], to[1]);
    CHECK_EQ(t.got[2], to[0]);
    /* A port's next life begins in the middle. */
    CHECK_EQ(close_port(t.b, to[0]), 0);
    CHECK_EQ(alloc_unbound(t.b, DOMID_SELF, 1), to[0]);
    CHECK_EQ(channel_find(t.f.b->evtchn, to[0])->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    events_end(&t.f);
}

/* XSA-98's neighbour: a port that changed queues must not be the old queue's tail any more. */
TEST(a_port_that_changes_queues_leaves_no_tail)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from[2], to[2];

    for (uint32_t i = 0; i < 2; i++) {
        to[i] = connected(&t, &from[i]);
    }
    taken(&t, 0);
    CHECK_EQ(send(t.a, from[0]), 0);
    CHECK_EQ(taken(&t, 0), 1);
    CHECK_EQ(bind_vcpu(t.b, to[0], 1), 0);
    CHECK_EQ(send(t.a, from[0]), 0);
    /* If port 0 were still the tail of vCPU 0's queue, port 1 would be linked behind it. */
    CHECK_EQ(send(t.a, from[1]), 0);
    CHECK_EQ(taken(&t, 0), 1);
    CHECK_EQ(t.got[0], to[1]);
    CHECK_EQ(taken(&t, 1), 1);
    CHECK_EQ(t.got[0], to[0]);
    events_end(&t.f);
}

TEST(an_event_that_is_queued_stays_where_it_is)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from, to = connected(&t, &from);

    taken(&t, 0);
    CHECK_EQ(send(t.a, from), 0);
    CHECK_EQ(bind_vcpu(t.b, to, 1), 0);
    CHECK_EQ(send(t.a, from), 0);
    CHECK_EQ(taken(&t, 1), 0);
    CHECK_EQ(taken(&t, 0), 1);
    CHECK_EQ(send(t.a, from), 0);
    CHECK_EQ(taken(&t, 0), 0);
    CHECK_EQ(taken(&t, 1), 1);
    events_end(&t.f);
}

TEST(a_masked_word_waits_for_unmask)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from, to = connected(&t, &from);

    taken(&t, 0);
    *event_word_at(t.f.b, to) |= WORD_MASKED;
    CHECK_EQ(send(t.a, from), 0);
    CHECK_EQ(*event_word_at(t.f.b, to), WORD_MASKED | WORD_PENDING);
    CHECK_EQ(taken(&t, 0), 0);
    CHECK_EQ(unmask(t.b, to), 0);
    CHECK_EQ(taken(&t, 0), 1);
    CHECK_EQ(unmask(t.b, to), 0);
    CHECK_EQ(taken(&t, 0), 0);
    events_end(&t.f);
}

TEST(events_before_there_is_a_word_come_when_there_is)
{
    struct events f = events_begin(1, 1);
    struct vcpu *a = f.a->vcpus[0], *b = f.b->vcpus[0];
    struct fifo_guest g = { { 0 } };
    evtchn_port_t got[4];
    evtchn_port_t port = (evtchn_port_t)alloc_unbound(b, DOMID_SELF, f.a->id);
    int64_t from = bind_interdomain(a, f.b->id, port);

    CHECK_EQ(expand_array(b, 0), -XEN_ENOSYS);
    CHECK_EQ(set_priority(b, port, 1), -XEN_ENOSYS);
    /* One under the 2-level ABI goes along, */
    shared_info(f.b)->evtchn_mask[0] = UINT64_MAX;
    CHECK_EQ(send(a, (evtchn_port_t)from), 0);
    CHECK_EQ(init_control(b, 0), 0);
    CHECK(channel_find(f.b->evtchn, port)->waiting);
    CHECK_EQ(send(a, (evtchn_port_t)from), 0);
    CHECK_EQ(unmask(b, port), 0);
    CHECK_EQ(b->arch.events, 0);
    CHECK_EQ(expand_array(b, 0), 0);
    CHECK_EQ(fifo_take(b, &g, got, 4), 1);
    CHECK_EQ(got[0], port);
    events_end(&f);
}

TEST(a_closed_port_has_no_event_that_waits)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];
    int64_t port = bind_ipi(a, 0);

    CHECK_EQ(init_control(a, 0), 0);
    CHECK_EQ(send(a, (evtchn_port_t)port), 0);
    CHECK(channel_find(f.a->evtchn, (evtchn_port_t)port)->waiting);
    CHECK_EQ(close_port(a, (evtchn_port_t)port), 0);
    CHECK(!channel_find(f.a->evtchn, (evtchn_port_t)port)->waiting);
    CHECK_EQ(expand_array(a, 0), 0);
    CHECK(!upcall(a));
    events_end(&f);
}

TEST(control_blocks_are_checked)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];
    struct evtchn_init_control bad[] = {
        { .control_gfn = CONTROL_PAGE >> PAGE_SHIFT, .vcpu = 2 },
        { .control_gfn = CONTROL_PAGE >> PAGE_SHIFT, .vcpu = UINT32_MAX },
        { .control_gfn = CONTROL_PAGE >> PAGE_SHIFT, .offset = 4 },
        { .control_gfn = CONTROL_PAGE >> PAGE_SHIFT, .offset = PAGE_SIZE - 64 },
        { .control_gfn = CONTROL_PAGE >> PAGE_SHIFT, .offset = UINT32_MAX - 7 },
        { .control_gfn = 0x7000 },
        { .control_gfn = UINT64_MAX },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(CALL(a, init_control, &bad[i]), i < 2 ? -XEN_ENOENT : -XEN_EINVAL);
    }
    CHECK(f.a->evtchn->fifo == NULL);
    CHECK_EQ(init_control(a, 0), 0);
    CHECK_EQ(init_control(a, 0), -XEN_EINVAL);
    CHECK_EQ(init_control(a, 1), 0);
    CHECK_EQ(expand_array(a, 0x100000), -XEN_EINVAL);
    events_end(&f);
}

TEST(the_array_has_an_end)
{
    struct events f = events_begin(1, 0);
    struct vcpu *a = f.a->vcpus[0];

    CHECK_EQ(init_control(a, 0), 0);
    for (uint32_t i = 0; i < FIFO_PAGES_MAX; i++) {
        CHECK_EQ(expand_array(a, 0), 0);
    }
    CHECK_EQ(expand_array(a, 0), -XEN_ENOSPC);
    events_end(&f);
}

TEST(all_ports_of_the_abi)
{
    struct events f = events_begin(1, 0);
    evtchn_port_t port = 0;

    CHECK_EQ(init_control(f.a->vcpus[0], 0), 0);
    for (uint32_t i = 1; i < EVTCHN_FIFO_NR_CHANNELS; i++) {
        CHECK_EQ(evtchn_offer(f.a, 1, &port), 0);
    }
    CHECK_EQ(port, EVTCHN_FIFO_NR_CHANNELS - 1);
    CHECK_EQ(evtchn_offer(f.a, 1, &port), -XEN_ENOSPC);
    events_end(&f);
}

TEST(an_ipi_to_a_vcpu_without_control_block_is_only_marked)
{
    struct events f = events_begin(2, 0);
    struct vcpu *a = f.a->vcpus[0];

    CHECK_EQ(init_control(a, 0), 0);
    CHECK_EQ(expand_array(a, 0), 0);
    int64_t port = bind_ipi(a, 1);
    CHECK_EQ(send(a, (evtchn_port_t)port), 0);
    CHECK_EQ(*event_word_at(f.a, (evtchn_port_t)port), WORD_PENDING);
    CHECK_EQ(unmask(a, (evtchn_port_t)port), 0);
    CHECK_EQ(f.a->vcpus[1]->arch.events, 0);
    events_end(&f);
}

TEST(reset_goes_back_to_the_2_level_abi)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from, to = connected(&t, &from);

    CHECK_EQ(send(t.a, from), 0);
    CHECK_EQ(reset(t.b, DOMID_SELF), 0);
    CHECK(t.f.b->evtchn->fifo == NULL);
    CHECK(!guest_is_shared(&t.f.b->evtchn->vcpu[0].control));
    to = connected(&t, &from);
    CHECK(take(t.b) & BIT(to));
    CHECK_EQ(init_control(t.b, 0), 0);
    CHECK_EQ(expand_array(t.b, 0), 0);
    CHECK_EQ(send(t.a, from), 0);
    events_end(&t.f);
}

/* An event from before the FIFO ABI is one of its own then: no mark is left for later owners. */
TEST(events_move_to_the_fifo_abi_as_a_whole)
{
    struct events f = events_begin(1, 0);
    struct vcpu *v = f.a->vcpus[0];
    evtchn_port_t port = (evtchn_port_t)bind_ipi(v, 0);

    CHECK_EQ(send(v, port), 0);
    CHECK(is_pending(f.a, port));
    CHECK_EQ(init_control(v, 0), 0);
    CHECK(!is_pending(f.a, port));
    CHECK_EQ(expand_array(v, 0), 0);
    CHECK(*event_word_at(f.a, port) & WORD_PENDING);
    CHECK_EQ(reset(v, DOMID_SELF), 0);
    CHECK_EQ(bind_ipi(v, 0), port);
    CHECK_EQ(take(v), 0);
    CHECK_EQ(send(v, port), 0);
    CHECK_EQ(take(v), BIT(port));
    events_end(&f);
}

TEST(marks_of_closed_ports_are_nobodys_events)
{
    struct events f = events_begin(1, 0);
    struct vcpu *v = f.a->vcpus[0];
    evtchn_port_t port = (evtchn_port_t)bind_ipi(v, 0);

    CHECK_EQ(close_port(v, port), 0);
    shared_info(f.a)->evtchn_pending[0] |= BIT(port);
    CHECK_EQ(init_control(v, 0), 0);
    CHECK_EQ(expand_array(v, 0), 0);
    CHECK(!(*event_word_at(f.a, port) & WORD_PENDING));
    events_end(&f);
}

TEST(masked_words_end_a_poll_too)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from, to = connected(&t, &from);
    struct sched_poll a = { .ports = DOM_RAM + 0x2000, .nr_ports = 1 };

    taken(&t, 0);
    *event_word_at(t.f.b, to) |= WORD_MASKED;
    memcpy(guest_bytes(t.f.b, a.ports), &to, sizeof(to));
    CHECK_EQ(guest_call(t.b, __HYPERVISOR_sched_op, 3, 0, &a, sizeof(a)), 0);
    CHECK(!vcpu_is_runnable(t.b));
    CHECK_EQ(send(t.a, from), 0);
    CHECK(vcpu_is_runnable(t.b));
    dom_settle(t.f.w);
    events_end(&t.f);
}

/* --- Guests that scribble --- */

TEST(words_full_of_nonsense_hurt_their_guest_only)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from[3], to[3];

    for (uint32_t i = 0; i < 3; i++) {
        to[i] = connected(&t, &from[i]);
    }
    taken(&t, 0);
    /* A loop, a link to nowhere, linked and busy for ever, a head out of range. */
    CHECK_EQ(send(t.a, from[0]), 0);
    *event_word_at(t.f.b, to[0]) = WORD_LINKED | WORD_BUSY | to[0];
    CHECK_EQ(send(t.a, from[1]), 0);
    *event_word_at(t.f.b, to[1]) = UINT32_MAX;
    CHECK_EQ(send(t.a, from[2]), 0);
    CHECK_EQ(send(t.a, from[1]), 0);
    memset(control_block(t.b), 0xff, sizeof(struct evtchn_fifo_control_block));
    memset(guest_bytes(t.f.b, ARRAY_PAGE), 0xff, PAGE_SIZE);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(send(t.a, from[i]), 0);
        CHECK_EQ(unmask(t.b, to[i]), 0);
        CHECK_EQ(send(t.a, from[i]), 0);
    }
    memset(guest_bytes(t.f.b, ARRAY_PAGE), 0, PAGE_SIZE);
    memset(control_block(t.b), 0, sizeof(struct evtchn_fifo_control_block));
    vcpu_info(t.b)->evtchn_upcall_pending = 0;
    memset(&t.g, 0, sizeof(t.g));
    t.b->arch.events = 0;
    /* With its memory in order again it goes on. */
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(send(t.a, from[i]), 0);
    }
    CHECK_EQ(taken(&t, 0), 3);
    events_end(&t.f);
}

TEST(pages_that_the_guest_gives_back_stay_until_the_end)
{
    struct fifo t = fifo_begin();
    evtchn_port_t from, to = connected(&t, &from);

    taken(&t, 0);
    for (uint64_t page = INFO_PAGE; page <= ARRAY_PAGE; page += PAGE_SIZE) {
        CHECK_EQ(p2m_unmap_page(t.f.b, gpa_to_gfn(gpa(page)), MFN_NONE, 1u << P2M_RAM_RW), 0);
    }
    CHECK_EQ(send(t.a, from), 0);
    CHECK_EQ(unmask(t.b, to), 0);
    CHECK_EQ(close_port(t.b, to), 0);
    events_end(&t.f);
}

TEST_ALLOC(fifo_begins_whole_or_not_at_all)
{
    struct events f = { .w = dom_world(1) };

    world_inject(f.w, false);
    f.a = events_domain(f.w, "a", 1, false);
    struct vcpu *a = f.a->vcpus[0];
    int64_t port = bind_ipi(a, 0);

    world_inject(f.w, true);
    int64_t rc = init_control(a, 0);
    CHECK(rc == 0 || (rc == -XEN_ENOMEM && unit_injected()));
    CHECK_EQ(f.a->evtchn->fifo != NULL, rc == 0);
    CHECK_EQ(guest_is_shared(&f.a->evtchn->vcpu[0].control), rc == 0);
    world_inject(f.w, false);
    CHECK_EQ(send(a, (evtchn_port_t)port), 0);
    events_end(&f);
}
