/* SPDX-License-Identifier: MIT */
/*
 * Event channels and grants of one domain, and events between two that share a CPU.
 *
 * Run "events" is a control domain's: it measures calls and events to itself, then sends to a
 * domain that runs "echo", which waits idle and answers each. Both are told the same number of
 * iterations, so both know when the other is done.
 */
#include "xen.h"

enum evtchn_op { BIND_INTERDOMAIN = 0, SEND = 4, ALLOC_UNBOUND = 6, BIND_IPI = 7 };
enum grant_op { GRANT_MAP = 0, GRANT_UNMAP = 1, GRANT_COPY = 5 };
enum { GRANT_ACCESS = 1, GRANT_HOST_MAP = 1 << 1, COPY_DEST_IS_REF = 1 << 1 };
enum { FIRST_GRANT = 8, NR_GRANTS = 2, ECHO_DOMAIN = 1, ECHO_PORTS = 8, ROUNDS = 2 };

/* struct shared_info on arm64: one vcpu_info of 48 bytes, then 64 words each of pending and mask.
 */
struct shared_info {
    uint8_t upcall_pending;
    uint8_t upcall_mask;
    uint8_t pad[6];
    uint64_t pending_sel;
    uint8_t time[32];
    uint64_t pending[64];
    uint64_t mask[64];
    uint8_t rest[GUEST_PAGE - 48 - 1024];
};

struct grant_entry {
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
};

struct grant_map {
    uint64_t host_addr;
    uint32_t flags;
    uint32_t ref;
    uint16_t dom;
    int16_t status;
    uint32_t handle;
    uint64_t dev_bus_addr;
};

struct grant_unmap {
    uint64_t host_addr;
    uint64_t dev_bus_addr;
    uint32_t handle;
    int16_t status;
};

struct grant_copy_end {
    uint64_t ref_or_frame;
    uint16_t domid;
    uint16_t offset;
};

struct grant_copy {
    struct grant_copy_end source, dest;
    uint16_t len;
    uint16_t flags;
    int16_t status;
};

static volatile struct shared_info info __attribute__((aligned(GUEST_PAGE)));
static volatile struct grant_entry grants[GUEST_PAGE / sizeof(struct grant_entry)]
    __attribute__((aligned(GUEST_PAGE)));
static uint8_t pages[NR_GRANTS][GUEST_PAGE] __attribute__((aligned(GUEST_PAGE)));
static uint8_t window[GUEST_PAGE] __attribute__((aligned(GUEST_PAGE)));
static volatile unsigned int taken;

static uint64_t gfn_of(const volatile void *page) { return (uint64_t)page / GUEST_PAGE; }

void events_take(void)
{
    info.upcall_pending = 0;
    __asm__ volatile("dmb ish" ::: "memory");
    info.pending_sel = 0;
    for (unsigned int word = 0; word < 64; word++) {
        uint64_t now = info.pending[word] & ~info.mask[word];

        if (now != 0) {
            __atomic_fetch_and(&info.pending[word], ~now, __ATOMIC_SEQ_CST);
            taken++;
        }
    }
}

unsigned int events_count(void) { return taken; }

void events_init(void) { map_space(SPACE_SHARED_INFO, 0, (void *)(uintptr_t)&info); }

static long event_op(enum evtchn_op op, void *arg)
{
    return hypercall(HC_EVENT_CHANNEL_OP, op, (uint64_t)arg, 0);
}

static long event_send(uint32_t port)
{
    uint32_t arg = port;

    return event_op(SEND, &arg);
}

static void event_wait(unsigned int old)
{
    irq_mask();
    while (taken == old) {
        wfi();
        irq_unmask();
        isb();
        irq_mask();
    }
    irq_unmask();
}

/* ---- to itself ---- */

static void measure_self(void)
{
    struct {
        uint32_t vcpu, port;
    } ipi = { 0, 0 };
    long r;

    expect("bind_ipi", (uint64_t)event_op(BIND_IPI, &ipi), 0);
    info.mask[0] |= 1ull << ipi.port;
    MEASURE(ROW_EVTCHN_MASKED, r = event_send(ipi.port), {
        expect("send", (uint64_t)r, 0);
        expect("masked event pends", info.pending[0] >> ipi.port & 1, 1);
        info.pending[0] &= ~(1ull << ipi.port);
    });
    info.mask[0] &= ~(1ull << ipi.port);
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        unsigned int old = taken;

        ASYNC_BEGIN(ROW_EVTCHN_SELF);
        r = event_send(ipi.port);
        expect("send to self", (uint64_t)r, 0);
        expect("event to self", taken, old + 1);
    }
}

/* ---- grants ---- */

static void measure_copy(unsigned int row, uint16_t size)
{
    struct grant_copy c = {
        .source = { gfn_of(pages[0]), DOMID_SELF, 0 },
        .dest = { gfn_of(pages[1]), DOMID_SELF, 0 },
        .len = size,
    };
    long r;

    for (unsigned int i = 0; i < cfg.iterations; i++) {
        pages[0][size - 1] = (uint8_t)(i + 1);
        c.status = 1;
        if (row == ROW_GRANT_COPY_64) {
            INTERVAL_BEGIN(ROW_GRANT_COPY_64);
            r = hypercall(HC_GRANT_TABLE_OP, GRANT_COPY, (uint64_t)&c, 1);
            INTERVAL_END(ROW_GRANT_COPY_64);
        } else {
            INTERVAL_BEGIN(ROW_GRANT_COPY_4K);
            r = hypercall(HC_GRANT_TABLE_OP, GRANT_COPY, (uint64_t)&c, 1);
            INTERVAL_END(ROW_GRANT_COPY_4K);
        }
        expect("grant copy", (uint64_t)(r | c.status), 0);
        expect("bytes copied", pages[1][size - 1], (uint8_t)(i + 1));
    }
}

static void measure_map(void)
{
    struct grant_map m = {
        .host_addr = (uint64_t)window,
        .flags = GRANT_HOST_MAP,
        .ref = FIRST_GRANT,
        .dom = 0,
    };
    struct grant_unmap u = { .host_addr = (uint64_t)window };
    long r;

    /* The first one of a domain's life, which makes what counts its mappings, is not measured. */
    for (unsigned int i = 0; i <= cfg.iterations; i++) {
        m.status = u.status = 1;
        if (i != 0) {
            INTERVAL_BEGIN(ROW_GRANT_MAP);
        }
        r = hypercall(HC_GRANT_TABLE_OP, GRANT_MAP, (uint64_t)&m, 1);
        if (i != 0) {
            INTERVAL_END(ROW_GRANT_MAP);
        }
        expect("grant map", (uint64_t)(r | m.status), 0);
        ((volatile uint8_t *)pages[0])[0] = (uint8_t)i;
        expect("granted page", ((volatile uint8_t *)window)[0], (uint8_t)i);
        u.handle = m.handle;
        if (i != 0) {
            INTERVAL_BEGIN(ROW_GRANT_UNMAP);
        }
        r = hypercall(HC_GRANT_TABLE_OP, GRANT_UNMAP, (uint64_t)&u, 1);
        if (i != 0) {
            INTERVAL_END(ROW_GRANT_UNMAP);
        }
        expect("grant unmap", (uint64_t)(r | u.status), 0);
    }
}

static void measure_grants(void)
{
    map_space(SPACE_GRANT_TABLE, 0, (void *)(uintptr_t)grants);
    for (unsigned int i = 0; i < NR_GRANTS; i++) {
        grants[FIRST_GRANT + i].domid = 0; /* to itself: it is the control domain */
        grants[FIRST_GRANT + i].frame = (uint32_t)gfn_of(pages[i]);
        __asm__ volatile("dmb ish" ::: "memory");
        grants[FIRST_GRANT + i].flags = GRANT_ACCESS;
    }
    measure_copy(ROW_GRANT_COPY_64, 64);
    measure_copy(ROW_GRANT_COPY_4K, GUEST_PAGE);
    measure_map();
}

/* ---- between two domains ---- */

/* Binds to the port that the other domain offers, once it does; 0: it never did. */
static uint32_t bind_to_echo(void)
{
    for (unsigned int i = 0; i < 1000; i++) {
        for (uint32_t port = 1; port < ECHO_PORTS; port++) {
            struct {
                uint16_t domid;
                uint32_t remote, local;
            } bind = { ECHO_DOMAIN, port, 0 };

            if (event_op(BIND_INTERDOMAIN, &bind) == 0) {
                return bind.local;
            }
        }
        delay_us(1000);
    }
    return 0;
}

static void measure_other(void)
{
    uint32_t port = bind_to_echo();
    unsigned int old;

    if (port == 0) {
        fail("the other domain offers no event channel", 0, 1);
        return;
    }
    event_wait(taken - 1); /* binding makes it pending on both sides */
    delay_us(20000);
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        old = taken;
        ASYNC_BEGIN(ROW_EVTCHN_SWITCH);
        event_send(port);
        event_wait(old);
    }
    for (unsigned int i = 0; i < cfg.iterations; i++) {
        old = taken;
        INTERVAL_BEGIN(ROW_EVTCHN_PINGPONG);
        event_send(port);
        event_wait(old);
        INTERVAL_END(ROW_EVTCHN_PINGPONG);
    }
}

void run_events(void)
{
    events_init();
    irq_unmask();
    delay_us(20000); /* what the hypervisor had left to do after it started the guests */
    measure_self();
    measure_grants();
    measure_other();
}

void run_echo(void)
{
    struct {
        uint16_t dom, remote;
        uint32_t port;
    } offer = { DOMID_SELF, 0, 0 };

    events_init();
    irq_unmask();
    expect("alloc_unbound", (uint64_t)event_op(ALLOC_UNBOUND, &offer), 0);
    expect("port is among the first", offer.port < ECHO_PORTS, 1);
    for (unsigned int i = 0; i < ROUNDS * cfg.iterations; i++) {
        event_wait(i);
        event_send(offer.port);
    }
}
