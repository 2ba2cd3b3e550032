/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: event channels of three domains of two vCPUs, each vCPU on a CPU of its own.
 *
 * The input is a sequence of actions. Domain 0 is a control domain; it and domain 1 are honest:
 * they make calls that make sense, mask and take events as their ABI says, change to the
 * FIFO ABI, come back by a reset, wait in SCHEDOP_poll. Domain 2 makes any call with any argument
 * and writes into everything that it shares with the hypervisor. All end and come back.
 *
 * After each action evtchn_check() must hold; and of an honest domain: an event that is not
 * masked is where its vCPU looks for it, nobody waits for an event that is there, a closed
 * port has none, no port is bound by whom it does not wait for. fuzz_core.c has the same among
 * everything else; here it comes so densely that rare states are met.
 */
#include "../../hv/arch/fake/fake.h"
#include "events.h"
#include "input.h"

#include <xen/grant_table.h>

#define SLOTS 3
#define VCPUS 2
#define RAM_MIB 4
#define RAM_GFN (DOM_RAM >> PAGE_SHIFT)
#define PORTS 24 /* the most that a domain has, so that they run out */
#define ACTIONS_MAX 300
#define SCHED_POLL 3
#define POLL_ARGS (DOM_RAM + 0x800)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct slot {
    struct domain *d;
    bool honest;
    struct fifo_guest fifo[VCPUS];
};

static struct {
    struct world *w;
    struct hv *hv;
    struct slot slot[SLOTS];
} st;

static void finding(const char *text)
{
    fprintf(stderr, "finding: %s\n%s\n", text, st.w != NULL ? st.w->machine.console : "");
    abort();
}

/* The harness of unit tests, as far as dom.h and events.h need it. */
void unit_fail(const char *file, int line, const char *text) { finding(text); }
void unit_fail_eq(const char *file, int line, const char *text, long long a, long long b)
{
    finding(text);
}
void unit_fail_str(const char *file, int line, const char *text, const char *a, const char *b)
{
    finding(text);
}
bool unit_injected(void) { return false; }
bool unit_alloc_should_fail(void) { return false; }

static void expect(bool is, const char *otherwise)
{
    if (!is) {
        finding(otherwise);
    }
}

/* --- Input ------------------------------------------------------------------- */

static uint64_t u32(void) { return (uint64_t)u8() << 24 | u8() << 16 | u8() << 8 | u8(); }

static uint64_t odd_number(void)
{
    uint32_t how = u8();

    return (how & 3) == 0 ? UINT64_MAX - u8() : (how & 3) == 1 ? BIT(how >> 2) : u8();
}

static domid_t any_domid(const struct domain *d)
{
    uint32_t how = u8();

    return how >= 0xf8 ? DOMID_SELF : how >= 0xf0 ? (domid_t)odd_number()
                                                  : st.slot[how % SLOTS].d->id;
}

static uint64_t any_gfn(void)
{
    uint32_t how = u8();

    return how < 8 ? odd_number() : RAM_GFN + how % 17;
}

#include "event_actions.h"

/* --- Invariants of honest guests ------------------------------------------------ */

static bool is_masked(const struct domain *d, evtchn_port_t port)
{
    return shared_info(d)->evtchn_mask[port / 64] >> port % 64 & 1;
}

/* Some vCPU that looks at its words finds the port's, or will when it has a place for them. */
static bool is_selected(const struct domain *d, evtchn_port_t port)
{
    bool selected = false;

    for (uint32_t i = 0; i < VCPUS; i++) {
        const struct vcpu_info *info = vcpu_info(d->vcpus[i]);

        selected |= info == NULL || (info->evtchn_pending_sel >> port / 64 & 1);
    }
    return selected;
}

static void check_port(const struct slot *s, const struct channel *c, evtchn_port_t port)
{
    struct domain *d = s->d;
    struct evtchn *e = d->evtchn;

    if (peer_status(c->peer) == EVTCHNSTAT_closed) {
        expect(!channel_is_pending(e, c, port), "a closed port has an event");
        return;
    }
    if (e->fifo == NULL) {
        expect(!is_pending(d, port) || is_masked(d, port) || is_selected(d, port),
               "an event is not where the guest looks for it");
    } else if (e->fifo->nr_pages != 0) {
        event_word_t word = *event_word_at(d, port);

        expect((word & (WORD_PENDING | WORD_MASKED | WORD_LINKED)) != WORD_PENDING,
               "an event is in no queue");
    }
}

static void check_vcpu(const struct slot *s, uint32_t id)
{
    const struct evtchn *e = s->d->evtchn;
    const struct vcpu_info *info = vcpu_info(s->d->vcpus[id]);
    evtchn_port_t port = e->vcpu[id].poll;

    expect(info == NULL || info->evtchn_pending_sel == 0 || info->evtchn_upcall_pending != 0,
           "a vCPU is to look for events and not told so");
    if ((e->pollers[0] >> id & 1) && port != POLL_ANY) {
        expect(!channel_is_pending(e, channel_find(e, port), port),
               "a vCPU waits for an event that is there");
    }
}

static void check(void)
{
    const char *wrong = evtchn_check(st.hv);

    expect(wrong == NULL, wrong);
    for (struct slot *s = st.slot; s < st.slot + SLOTS; s++) {
        for (evtchn_port_t port = 1; s->honest && s->d != NULL && port <= PORTS; port++) {
            const struct channel *c = channel_find(s->d->evtchn, port);

            if (c != NULL) {
                check_port(s, c, port);
            }
        }
        for (uint32_t i = 0; s->honest && s->d != NULL && i < VCPUS; i++) {
            check_vcpu(s, i);
        }
    }
}

/* --- Domains ------------------------------------------------------------------- */

static void create(uint32_t i)
{
    struct domain_config c = { .vcpus_max = VCPUS, .nr_spis = DOM_SPIS, .weight = 256,
                               .enhanced = true, .control = i == 0, .evtchn_port_max = PORTS };

    c.name[0] = (char)('a' + i);
    struct domain *d = dom_create_with(st.w, &c);

    st.slot[i] = (struct slot){ .d = d, .honest = i != 2 };
    domain_start(d);
    for (uint32_t v = 0; v < VCPUS; v++) {
        struct cpumask own = { { 0 } };

        cpumask_set(&own, i * VCPUS + v);
        CHECK_EQ(sched_set_affinity(d->vcpus[v], &own), 0);
    }
    CHECK_EQ(vcpu_power_on(d, 1, DOM_RAM, 0), 0);
    dom_settle(st.w);
}

/* v is in its guest, and nothing calls its CPU away. */
static bool is_ready(struct vcpu *v)
{
    for (uint32_t n = 0; n < 10 && fake_irq_is_pending(v->pcpu); n++) {
        dom_run(st.w, v->pcpu->id, 1);
    }
    return v->pcpu->current == v && !fake_irq_is_pending(v->pcpu);
}

/* Ports that honest domains have connected with d: who is told when it ends. */
static uint64_t connected_with(const struct slot *s, domid_t id)
{
    uint64_t ports = 0;

    for (evtchn_port_t port = 1; s->d != NULL && port <= PORTS; port++) {
        const struct channel *c = channel_find(s->d->evtchn, port);

        if (c != NULL && peer_status(c->peer) == EVTCHNSTAT_interdomain &&
            peer_domain(c->peer) == id) {
            ports |= BIT(port);
        }
    }
    return ports;
}

/* While a domain ends the control domain asks for one more channel there. */
static void disturb(const struct slot *dying)
{
    bool closing = dying->d->evtchn->closing;
    struct vcpu *v = st.slot[0].d->vcpus[0];

    if (dying != &st.slot[0] && is_ready(v)) {
        int64_t rc = alloc_unbound(v, dying->d->id, st.slot[0].d->id);

        expect(!closing || rc < 0, "a domain whose channels were closed has a new one");
    }
}

static void again(uint32_t i)
{
    struct slot *s = &st.slot[i];
    uint32_t how = u8() % 8;
    uint64_t ports[SLOTS];

    for (uint32_t k = 0; k < SLOTS; k++) {
        ports[k] = k != i ? connected_with(&st.slot[k], s->d->id) : 0;
    }
    for (uint32_t step = 0; domain_destroy(s->d) != 0; step++) {
        expect(step < 1000, "a domain does not end");
        if (step == how) {
            disturb(s);
        }
        dom_settle(st.w);
        world_cpu(st.w, 0);
    }
    s->d = NULL;
    for (uint32_t k = 0; k < SLOTS; k++) {
        for (uint64_t left = ports[k]; left != 0; left &= left - 1) {
            expect(channel_find(st.slot[k].d->evtchn, (evtchn_port_t)__builtin_ctzll(left))->peer ==
                       peer_make(EVTCHNSTAT_unbound, DOMID_INVALID, 0),
                   "a channel waits for a domain that has ended");
        }
    }
    check();
    create(i);
}

/* --- Honest guests ------------------------------------------------------------------- */

/* A port that is open, as a rule. */
static evtchn_port_t port_of(const struct domain *d)
{
    uint32_t how = u8();

    for (uint32_t i = 0; i < PORTS && how >= 32; i++) {
        evtchn_port_t port = 1 + (how + i) % PORTS;
        const struct channel *c = channel_find(d->evtchn, port);

        if (c != NULL && peer_status(c->peer) != EVTCHNSTAT_closed) {
            return port;
        }
    }
    return how % (PORTS + 2);
}

static void bind(struct vcpu *v)
{
    struct domain *remote = st.slot[u8() % SLOTS].d;
    evtchn_port_t there = port_of(remote);
    const struct channel *far = channel_find(remote->evtchn, there);
    bool may = far != NULL && far->peer == peer_make(EVTCHNSTAT_unbound, v->domain->id, 0);
    int64_t rc = bind_interdomain(v, remote->id, there);

    expect(rc < 0 || may, "a port is bound by whom it does not wait for");
}

static void begin_fifo(struct slot *s)
{
    struct vcpu *v = s->d->vcpus[0];

    if (s->d->evtchn->fifo != NULL) {
        (void)set_priority(v, port_of(s->d), u8() % 16);
        return;
    }
    memset(s->fifo, 0, sizeof(s->fifo));
    memset(guest_bytes(s->d, CONTROL_PAGE), 0, PAGE_SIZE);
    memset(guest_bytes(s->d, ARRAY_PAGE), 0, PAGE_SIZE);
    CHECK_EQ(init_control(v, 0), 0);
    CHECK_EQ(init_control(v, 1), 0);
    CHECK_EQ(expand_array(v, 0), 0);
}

static void mask(struct slot *s)
{
    evtchn_port_t port = port_of(s->d);

    if (s->d->evtchn->fifo != NULL) {
        *event_word_at(s->d, port) |= WORD_MASKED;
    } else {
        shared_info(s->d)->evtchn_mask[0] |= BIT(port);
    }
}

static void take_events(struct slot *s, uint32_t id)
{
    evtchn_port_t ports[PORTS];

    if (vcpu_info(s->d->vcpus[id]) == NULL) {
        return;
    }
    if (s->d->evtchn->fifo != NULL) {
        vcpu_info(s->d->vcpus[id])->evtchn_pending_sel = 0; /* from before, it means nothing now */
        (void)fifo_take(s->d->vcpus[id], &s->fifo[id], ports, ARRAY_SIZE(ports));
    } else {
        (void)take(s->d->vcpus[id]);
    }
}

/* The second vCPU waits for an event, of one or two ports. */
static void poll(struct slot *s)
{
    struct vcpu *v = s->d->vcpus[1];
    evtchn_port_t ports[2] = { port_of(s->d), port_of(s->d) };
    struct sched_poll a = { .ports = POLL_ARGS, .nr_ports = 1 + u8() % 2 };

    if (!is_ready(v)) {
        dom_run(st.w, v->pcpu->id, 0);
        return;
    }
    CHECK_EQ(guest_phys_write(s->d, gpa(POLL_ARGS), ports, sizeof(ports), false), 0);
    CHECK_EQ(guest_phys_write(s->d, gpa(POLL_ARGS + 64), &a, sizeof(a), false), 0);
    (void)dom_hypercall(st.w, v->pcpu->id, __HYPERVISOR_sched_op, SCHED_POLL, POLL_ARGS + 64, 0);
    world_cpu(st.w, 0);
}

/* A vCPU names the place of its vcpu_info, which the second one does not have before. */
static void register_place(struct slot *s)
{
    uint32_t id = u8() % VCPUS;

    if (is_ready(s->d->vcpus[id])) {
        (void)register_info(s->d->vcpus[id], id);
    }
}

static void reset_all(struct slot *s)
{
    CHECK_EQ(reset(s->d->vcpus[0], DOMID_SELF), 0);
    expect(s->d->evtchn->nr_used == 0 && s->d->evtchn->fifo == NULL, "a reset leaves something");
}

static void virq_comes(const struct slot *s)
{
    uint32_t how = u8();

    if (how & 1) {
        evtchn_global_virq(st.hv, how / 2 % NR_VIRQS);
    } else {
        evtchn_virq(s->d->vcpus[how / 2 % VCPUS], how / 4 % NR_VIRQS);
    }
}

static void honest(struct slot *s, uint32_t what)
{
    struct vcpu *v = s->d->vcpus[0];

    if (!is_ready(v)) {
        return;
    }
    switch (what % 20) {
    case 0:
    case 1: alloc_unbound(v, u8() < 0xe0 ? DOMID_SELF : any_domid(s->d), any_domid(s->d)); break;
    case 2:
    case 3:
    case 4: bind(v); break;
    case 5: bind_virq(v, u8() % NR_VIRQS, u8() % VCPUS); break;
    case 6: bind_ipi(v, u8() % 3); break;
    case 7: close_port(v, port_of(s->d)); break;
    case 8:
    case 9:
    case 10: send(v, port_of(s->d)); break;
    case 11: virq_comes(s); break;
    case 12: bind_vcpu(v, port_of(s->d), u8() % 3); break;
    case 13: mask(s); break;
    case 14: unmask(v, port_of(s->d)); break;
    case 15: begin_fifo(s); break;
    case 16: register_place(s); break;
    case 17: poll(s); break;
    case 18: take_events(s, u8() % VCPUS); break;
    default:
        if (u8() < 64) {
            reset_all(s);
        } else {
            status(v, any_domid(s->d), port_of(s->d));
        }
        break;
    }
}

/* --- The other one ---------------------------------------------------------------- */

static void liar(struct slot *s, uint32_t what)
{
    struct vcpu *v = s->d->vcpus[0];
    uint64_t *reg = v->arch.reg;

    if (what & 1) {
        action_event(s);
        return;
    }
    if (!is_ready(v)) {
        return;
    }
    st.w->machine.cpu = v->pcpu;
    fill_event_op(v);
    uint64_t args[5] = { reg[0], reg[1], reg[2], reg[3], reg[4] };
    (void)dom_hypercall5(st.w, v->pcpu->id, reg[5], args);
    world_cpu(st.w, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&st, 0, sizeof(st));
    input_begin(data, size);
    st.w = dom_world_of(SLOTS * VCPUS, RAM_MIB);
    st.hv = st.w->hv;
    for (uint32_t i = 0; i < SLOTS; i++) {
        create(i);
    }
    for (uint32_t n = 0; n < ACTIONS_MAX && input_goes_on(); n++) {
        uint32_t what = u8();
        struct slot *s = &st.slot[what % SLOTS];

        if (what >= 0xfa) {
            again(what % SLOTS);
        } else if (s->honest) {
            honest(s, what / SLOTS);
        } else {
            liar(s, what / SLOTS);
        }
        check();
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        dom_destroy(st.w, st.slot[i].d);
        st.slot[i].d = NULL;
        check();
    }
    world_destroy(st.w);
    return 0;
}
