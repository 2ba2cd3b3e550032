/* SPDX-License-Identifier: MIT */
/*
 * ipc/evtchn*.c beside a reference model: random operations of three domains, one of them dom0,
 * under either ABI. The model has a table of ports per domain and a set of pending ones, which
 * the guests here take from time to time as the ABI says; errors, ports, states and
 * what is taken must be the same.
 */
#include "events.h"
#include "random.h"

#define DOMAINS 3
#define PORTS 12 /* the most that are used, so that they run out */

struct model_port {
    uint32_t status, peer, port, vcpu, virq; /* peer: number of a domain */
    bool pending;
};

struct model_domain {
    struct domain *d;
    struct fifo_guest g[2];
    bool fifo;
    uint32_t masked; /* a bit per port */
    struct model_port port[PORTS + 1];
};

static struct model {
    struct world *w;
    struct model_domain dom[DOMAINS];
    bool same;
} m;

#define SAME(cond) same((cond), __LINE__, #cond)

static void same(bool is, int line, const char *what)
{
    if (!is) {
        printf("# line %d: %s is false\n", line, what);
        m.same = false;
    }
}

static struct vcpu *vcpu0(uint32_t i) { return m.dom[i].d->vcpus[0]; }

static evtchn_port_t model_free(uint32_t i)
{
    evtchn_port_t port = 1;

    while (port <= PORTS && m.dom[i].port[port].status != EVTCHNSTAT_closed) {
        port++;
    }
    return port;
}

/* A channel was to be made: the result, and the model's new port if it was. */
static struct model_port *model_made(uint32_t i, int64_t rc, int64_t refused, uint32_t status)
{
    evtchn_port_t port = model_free(i);
    int64_t want = refused != 0 ? refused : port > PORTS ? -XEN_ENOSPC : (int64_t)port;

    SAME(rc == want);
    if (rc != want || want < 0) {
        return NULL;
    }
    m.dom[i].port[port] = (struct model_port){ .status = status };
    return &m.dom[i].port[port];
}

static void model_close(uint32_t i, evtchn_port_t port)
{
    struct model_port *p = &m.dom[i].port[port];

    if (p->status == EVTCHNSTAT_interdomain) {
        struct model_port *far = &m.dom[p->peer].port[p->port];

        far->status = EVTCHNSTAT_unbound;
        far->peer = i;
    }
    *p = (struct model_port){ .status = EVTCHNSTAT_closed };
}

/* --- Operations --- */

static void op_alloc(uint32_t i)
{
    uint32_t target = any(4) == 0 ? any(DOMAINS) : i, remote = any(DOMAINS);
    bool by_self = target == i && any(2);
    int64_t rc = alloc_unbound(vcpu0(i), by_self ? DOMID_SELF : m.dom[target].d->id,
                               m.dom[remote].d->id);
    struct model_port *p = model_made(target, rc, i != 0 && target != i ? -XEN_EPERM : 0,
                                      EVTCHNSTAT_unbound);

    if (p != NULL) {
        p->peer = remote;
    }
}

static void op_bind(uint32_t i)
{
    uint32_t remote = any(DOMAINS);
    evtchn_port_t there = any(PORTS + 1);
    struct model_port *far = &m.dom[remote].port[there];
    bool may = there != 0 && far->status == EVTCHNSTAT_unbound && far->peer == i;
    int64_t rc = bind_interdomain(vcpu0(i), m.dom[remote].d->id, there);
    struct model_port *p = model_made(i, rc, may ? 0 : -XEN_EINVAL, EVTCHNSTAT_interdomain);

    if (p != NULL) {
        *p = (struct model_port){ .status = EVTCHNSTAT_interdomain, .peer = remote, .port = there,
                                  .pending = true };
        far->status = EVTCHNSTAT_interdomain;
        far->peer = i;
        far->port = (evtchn_port_t)rc;
    }
}

static void op_virq(uint32_t i)
{
    uint32_t virq = VIRQ_DEBUG + any(3), vcpu = any(2); /* of each vCPU, and two global ones */
    bool bound = false;

    for (evtchn_port_t port = 1; port <= PORTS; port++) {
        const struct model_port *p = &m.dom[i].port[port];

        bound = bound || (p->status == EVTCHNSTAT_virq && p->virq == virq &&
                          (virq != VIRQ_DEBUG || p->vcpu == vcpu));
    }
    int64_t refused = virq != VIRQ_DEBUG && vcpu != 0 ? -XEN_EINVAL : bound ? -XEN_EEXIST : 0;
    struct model_port *p = model_made(i, bind_virq(vcpu0(i), virq, vcpu), refused, EVTCHNSTAT_virq);

    if (p != NULL) {
        p->virq = virq;
        p->vcpu = vcpu;
    }
}

static void op_ipi(uint32_t i)
{
    uint32_t vcpu = any(3);
    struct model_port *p = model_made(i, bind_ipi(vcpu0(i), vcpu), vcpu > 1 ? -XEN_ENOENT : 0,
                                      EVTCHNSTAT_ipi);

    if (p != NULL) {
        p->vcpu = vcpu;
    }
}

static void op_close(uint32_t i)
{
    evtchn_port_t port = any(PORTS + 1);
    bool open = port != 0 && m.dom[i].port[port].status != EVTCHNSTAT_closed;

    SAME(close_port(vcpu0(i), port) == (open ? 0 : -XEN_EINVAL));
    if (open) {
        model_close(i, port);
    }
}

static void op_send(uint32_t i)
{
    evtchn_port_t port = any(PORTS + 1);
    struct model_port *p = &m.dom[i].port[port];
    int64_t rc = send(vcpu0(i), port);
    bool silent = p->status == EVTCHNSTAT_unbound;

    if (p->status == EVTCHNSTAT_interdomain) {
        m.dom[p->peer].port[p->port].pending = true;
    } else if (p->status == EVTCHNSTAT_ipi) {
        p->pending = true;
    } else if (!silent) {
        SAME(rc == -XEN_EINVAL);
        return;
    }
    SAME(rc == 0);
}

static void op_virq_comes(uint32_t i)
{
    uint32_t virq = VIRQ_DEBUG + any(3), vcpu = virq == VIRQ_DEBUG ? any(2) : 0;
    uint32_t to = virq == VIRQ_DEBUG ? i : 0; /* global ones are dom0's */

    if (virq == VIRQ_DEBUG) {
        evtchn_virq(m.dom[i].d->vcpus[vcpu], virq);
    } else {
        evtchn_global_virq(m.w->hv, virq);
    }
    for (evtchn_port_t port = 1; port <= PORTS; port++) {
        struct model_port *p = &m.dom[to].port[port];

        p->pending = p->pending || (p->status == EVTCHNSTAT_virq && p->virq == virq &&
                                    (virq != VIRQ_DEBUG || p->vcpu == vcpu));
    }
}

static void op_bind_vcpu(uint32_t i)
{
    evtchn_port_t port = any(PORTS + 1);
    uint32_t vcpu = any(3);
    struct model_port *p = &m.dom[i].port[port];
    bool may = p->status == EVTCHNSTAT_unbound || p->status == EVTCHNSTAT_interdomain ||
               (p->status == EVTCHNSTAT_virq && p->virq != VIRQ_DEBUG);
    int64_t rc = bind_vcpu(vcpu0(i), port, vcpu);

    SAME(rc == (vcpu > 1 ? -XEN_ENOENT : may ? 0 : -XEN_EINVAL));
    if (rc == 0) {
        p->vcpu = vcpu;
    }
}

static void op_mask(uint32_t i)
{
    evtchn_port_t port = 1 + any(PORTS);
    struct domain *d = m.dom[i].d;

    m.dom[i].masked |= 1u << port;
    if (m.dom[i].fifo) {
        *event_word_at(d, port) |= WORD_MASKED;
    } else {
        shared_info(d)->evtchn_mask[0] |= BIT(port);
    }
}

static void op_unmask(uint32_t i)
{
    evtchn_port_t port = 1 + any(PORTS);
    bool exists = channel_find(m.dom[i].d->evtchn, port) != NULL;

    SAME(unmask(vcpu0(i), port) == (exists ? 0 : -XEN_EINVAL));
    m.dom[i].masked &= ~(exists ? 1u << port : 0);
}

static void op_status(uint32_t i)
{
    evtchn_port_t port = 1 + any(PORTS);
    const struct model_port *p = &m.dom[i].port[port];
    struct evtchn_status s = status(vcpu0(i), DOMID_SELF, port);

    if (channel_find(m.dom[i].d->evtchn, port) == NULL) {
        SAME(s.status == UINT32_MAX && p->status == EVTCHNSTAT_closed);
        return;
    }
    SAME(s.status == p->status);
    SAME(p->status == EVTCHNSTAT_closed || s.vcpu == p->vcpu);
    SAME(p->status != EVTCHNSTAT_unbound || s.u.unbound.dom == m.dom[p->peer].d->id);
    SAME(p->status != EVTCHNSTAT_interdomain ||
         (s.u.interdomain.dom == m.dom[p->peer].d->id && s.u.interdomain.port == p->port));
}

static void op_priority(uint32_t i)
{
    evtchn_port_t port = any(PORTS + 1);

    if (m.dom[i].fifo) {
        (void)set_priority(vcpu0(i), port, any(16));
    }
}

static void op_reset(uint32_t i)
{
    if (any(8) != 0 || m.dom[i].fifo) {
        return;
    }
    SAME(reset(vcpu0(i), DOMID_SELF) == 0);
    for (evtchn_port_t port = 1; port <= PORTS; port++) {
        model_close(i, port);
    }
}

/* Takes everything of domain i: all that is pending and not masked, of whichever vCPU. */
static uint32_t take_all(uint32_t i)
{
    struct domain *d = m.dom[i].d;
    uint32_t got = 0;

    for (uint32_t v = 0; v < 2; v++) {
        evtchn_port_t ports[32];

        if (!m.dom[i].fifo) {
            got |= (uint32_t)take(d->vcpus[v]);
            continue;
        }
        uint32_t nr = fifo_take(d->vcpus[v], &m.dom[i].g[v], ports, ARRAY_SIZE(ports));

        for (uint32_t n = 0; n < nr; n++) {
            got |= 1u << ports[n];
        }
    }
    return got;
}

static void op_take(uint32_t i)
{
    uint32_t want = 0;

    for (evtchn_port_t port = 1; port <= PORTS; port++) {
        struct model_port *p = &m.dom[i].port[port];

        if (p->pending && !(m.dom[i].masked >> port & 1)) {
            want |= 1u << port;
            p->pending = false;
        }
    }
    SAME(take_all(i) == want);
}

static void (*const ops[])(uint32_t i) = {
    op_alloc, op_alloc, op_bind, op_bind, op_bind, op_virq, op_ipi, op_close, op_send,
    op_send, op_send, op_send, op_virq_comes, op_bind_vcpu, op_mask, op_unmask, op_unmask,
    op_status, op_priority, op_reset, op_take, op_take,
};

static void model_begin(void)
{
    memset(&m, 0, sizeof(m));
    m.same = true;
    m.w = dom_world(2 * DOMAINS);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        struct domain_config c = { .name = "m", .vcpus_max = 2, .nr_spis = DOM_SPIS,
                                   .weight = 256, .enhanced = true, .control = i == 0,
                                   .evtchn_port_max = PORTS };

        c.name[0] = (char)('m' + i);
        m.dom[i].d = dom_create_with(m.w, &c);
        domain_start(m.dom[i].d);
        CHECK_EQ(vcpu_power_on(m.dom[i].d, 1, DOM_RAM, 0), 0);
        dom_settle(m.w);
        m.dom[i].fifo = any(2);
        for (uint32_t v = 0; v < 2; v++) {
            CHECK_EQ(register_info(m.dom[i].d->vcpus[v], v), 0);
            CHECK(!m.dom[i].fifo || init_control(vcpu0(i), v) == 0);
            (void)take(m.dom[i].d->vcpus[v]);
        }
        CHECK(!m.dom[i].fifo || expand_array(vcpu0(i), 0) == 0);
    }
}

static void model_step(void) { ops[any(ARRAY_SIZE(ops))](any(DOMAINS)); }

static bool model_same(void)
{
    const char *wrong = evtchn_check(m.w->hv);

    if (wrong != NULL) {
        printf("# %s\n", wrong);
    }
    return m.same && wrong == NULL;
}

static void model_end(void)
{
    for (uint32_t i = 0; i < DOMAINS; i++) {
        dom_destroy(m.w, m.dom[i].d);
    }
    world_destroy(m.w);
}

TEST(random_operations_are_as_the_model_has_them)
{
    static const struct random_test t = { 120,       400,        model_begin,
                                          model_step, model_same, model_end };

    random_run(&t);
}
