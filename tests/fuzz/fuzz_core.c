/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the core of the hypervisor on a fake host.
 *
 * The input is a sequence of actions over 2 to 4 CPUs and some domains: exits of
 * guests with any contents, hypercalls, interrupts, time, pausing, stopping,
 * creating and destroying domains, their memory, affinity, weights, jobs. Each
 * CPU goes on when the input says so, which makes the interleavings. After each
 * action the cheap invariants are checked, after each "settle" (every CPU does
 * what waits for it) also those of memory and that no wake-up was lost. In the
 * end everything is destroyed and nothing may be left.
 *
 * A finding prints what is wrong and aborts. The fake machine finds stale
 * translations and missing barriers by itself; a panic is a finding.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/guest.h>
#include <arch/impl/fake.h>
#include <arch/irq.h>
#include <arch/vcpu.h>
#include <loam/domain.h>
#include <loam/evtchn.h>
#include <loam/frame.h>
#include <loam/guest_copy.h>
#include <loam/hypercall.h>
#include <loam/irq.h>
#include <loam/job.h>
#include <loam/mem.h>
#include <loam/memory.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/sched.h>
#include <loam/vcpu.h>
#include <loam/vuart.h>
#include <xen/errno.h>
#include <xen/memory.h>
#include <xen/xen.h>

#include "../../hv/arch/fake/fake.h"
#include "grant_invariants.h"
#include "input.h"
#include "memory_invariants.h"
#include "world.h"

#define SLOTS 4
#define REFS 8
#define VCPUS 3
#define SPIS 8
#define RAM_GFN UINT64_C(0x40000)
#define WINDOW 64 /* guest pages that are mapped and unmapped */
#define UART UINT64_C(0x22000000)
#define ACTIONS_MAX 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HC_INCLUDES
#include <gen/hypercalls.h>
#undef HC_INCLUDES

/* Numbers and operations of the hypercall table. */
struct row {
    uint32_t op;
};
#define HC_ROWS(name) static const struct row rows_##name[] = {
#define HC_ROW(op, bytes, direction, reg, mask, fn) { op },
#define HC_ROWS_END \
    } \
    ;
#include <gen/hypercalls.h>
#undef HC_ROW
static const struct call {
    uint32_t number, nr;
    const struct row *rows;
} calls[] = {
#define HC_CALL(number, name, mask) { number, ARRAY_SIZE(rows_##name), rows_##name },
#include <gen/hypercalls.h>
#undef HC_CALL
};

struct slot {
    struct job job; /* takes d apart */
    struct domain *d; /* NULL: free */
    bool dying; /* domain_destroy() was called */
    bool by_job;
    bool honest; /* never lies */
    bool lies; /* writes into entries of its grant table that are in use */
    uint32_t refs; /* that are in state.refs */
    struct cpumask affinity[VCPUS];
};

struct work {
    struct job job;
    uint32_t left;
    bool queued;
};

static struct state {
    struct world *w;
    struct hv *hv;
    struct slot slot[SLOTS];
    struct domain *refs[REFS];
    struct work work;
    bool in_guest[4];
    uint32_t fail_in; /* the allocation that fails, 0: none */
    struct cpupool *null_pool;
    bool as_control; /* the next call is made with the rights of a control domain */
    struct vm_exit exit;
    struct pcpu *p; /* that acts */
    uint32_t steps; /* of teardowns since it does */
} st;

#define EXPECT(cond, ...) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "finding: %s:%d: %s is false: ", __FILE__, __LINE__, #cond); \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n%s\n", st.w->machine.console); \
            abort(); \
        } \
    } while (0)

/* --- Input ------------------------------------------------------------------- */

static uint64_t u64(void)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        v = v << 8 | u8();
    }
    return v;
}

static uint64_t u32(void) { return (uint64_t)u8() << 24 | u8() << 16 | u8() << 8 | u8(); }

/* A number as callers like to get them wrong. */
static uint64_t odd_number(void)
{
    uint32_t how = u8();

    switch (how & 7) {
    case 0:
        return u64();
    case 1:
        return UINT64_MAX - u8();
    case 2:
        return UINT64_C(1) << (how >> 3) << (u8() & 31);
    case 3:
        return u32();
    default:
        return u8();
    }
}

/* An address in the guest, mostly near its RAM's pages. */
static uint64_t guest_addr(void)
{
    uint32_t how = u8();

    return (how & 7) == 0 ? odd_number()
                          : ((RAM_GFN + (how >> 3)) << PAGE_SHIFT) + (u8() << 4 | (u8() & 15));
}

static struct slot *any_slot(void) { return &st.slot[u8() % SLOTS]; }

static struct vcpu *any_vcpu(struct slot *s)
{
    return s->d != NULL ? s->d->vcpus[u8() % s->d->config.vcpus_max] : NULL;
}

static bool alloc_fails(void) { return st.fail_in != 0 && --st.fail_in == 0; }

/* --- CPUs -------------------------------------------------------------------- */

/* A CPU that waits does so until somebody attends to it. */
static void on_wait(struct fake_machine *m, struct pcpu *p) { fake_stop(FAKE_STOP_IDLE); }

static void next(void *arg)
{
    st.p->idle = false;
    EXPECT(vcpu_next(st.p) == st.p->loaded, "vcpu_next() gives what is loaded");
}

static void make_exit(void *arg)
{
    if (!vcpu_exit(st.p->current, &st.exit)) {
        next(NULL);
    }
}

/* CPU p runs fn; afterwards it is in its guest or idle. */
static void run(struct pcpu *p, void (*fn)(void *arg))
{
    st.p = p;
    st.steps = 0;
    st.w->machine.cpu = p;
    int why = fake_try(fn, NULL);
    EXPECT(why == 0 || why == FAKE_STOP_IDLE, "CPU %u stops (%d)", p->id, why);
    st.in_guest[p->id] = why == 0;
}

static void attend(struct pcpu *p)
{
    if (st.in_guest[p->id]) {
        st.exit = (struct vm_exit){ .kind = VM_EXIT_IRQ };
        run(p, make_exit);
    } else {
        run(p, next);
    }
}

/* --- Invariants -------------------------------------------------------------- */

static void check_cpu(const struct pcpu *p)
{
    EXPECT(p->lock_depth == 0, "CPU %u holds a lock", p->id);
    EXPECT(p->current == NULL || (p->current->running && p->current->pcpu == p),
           "CPU %u runs what does not run", p->id);
    EXPECT(p->loaded == NULL || p->loaded->loaded_on == p, "CPU %u holds what is elsewhere",
           p->id);
    EXPECT(!st.in_guest[p->id] || (p->current != NULL && p->loaded == p->current),
           "CPU %u is in a guest that is not loaded", p->id);
    EXPECT(st.in_guest[p->id] || p->current == NULL, "CPU %u idles and has a vCPU", p->id);
}

static void check_vcpu(const struct vcpu *v)
{
    uint32_t running = 0;

    for (uint32_t i = 0; i < st.hv->nr_pcpus; i++) {
        running += st.hv->pcpus[i]->current == v;
    }
    EXPECT(running == v->running, "a vCPU runs on %u CPUs", running);
    EXPECT(v->loaded_on == NULL || v->loaded_on->loaded == v, "a vCPU is held by nobody");
    EXPECT(v->arch.loads - v->arch.saves == (v->loaded_on != NULL), "loads and saves pair");
}

static void check_quick(void)
{
    const char *wrong = grant_check_step(st.hv);

    EXPECT(wrong == NULL, "%s", wrong);
    wrong = grant_check_maps(st.hv);
    EXPECT(wrong == NULL, "%s", wrong);
    wrong = evtchn_check(st.hv);
    EXPECT(wrong == NULL, "%s", wrong);
    for (uint32_t i = 0; i < st.hv->nr_pcpus; i++) {
        check_cpu(st.hv->pcpus[i]);
    }
    for (struct slot *s = st.slot; s < st.slot + SLOTS; s++) {
        struct vcpu *v;

        if (s->d == NULL) {
            continue;
        }
        EXPECT(s->d->refs == 1 + s->refs + grant_references(st.hv, s->d),
               "a domain has %u references", s->d->refs);
        wrong = s->d->gnttab != NULL && !s->lies ? grant_check_marks(s->d, false) : NULL;
        EXPECT(wrong == NULL, "%s", wrong);
        for_each_vcpu(s->d, v, i) {
            check_vcpu(v);
        }
    }
}

/* What the guest may reach is its own. */
static void check_memory(struct domain *d)
{
    gfn_t g = gfn(0);
    enum p2m_type type;
    uint64_t pages;
    mfn_t m;

    while (!mfn_is_none(d->p2m.root) && d->p2m.table_pages != 0 &&
           p2m_next(d, &g, &m, &type, &pages)) {
        if (p2m_type_has_ref(type)) {
            EXPECT(pages == 1 && st.hv->frames.table[m.n - st.hv->frames.base.n].refs != 0,
                   "gfn %#llx of domain %u holds no reference", (unsigned long long)g.n, d->id);
        }
        for (uint64_t i = 0; i < pages && p2m_type_is_ram(type);) {
            struct frame *f = frame_lookup(st.hv, mfn_add(m, i));

            EXPECT(f != NULL && f->state == FRAME_GUEST && f->owner == d,
                   "gfn %#llx of domain %u is not its own", (unsigned long long)(g.n + i), d->id);
            i = frame_mfn(st.hv, f).n + (UINT64_C(1) << f->order) - m.n;
        }
        g = gfn_add(g, pages);
    }
}

/* No CPU keeps a translation that the tables of a live domain do not have. */
static void check_tlb(const struct pcpu *p, struct domain *d)
{
    for (uint32_t t = 0; t < FAKE_TLB_ENTRIES; t++) {
        const struct fake_tlb_entry *e = &p->arch.tlb[t];
        enum p2m_type type;

        if (!e->valid || e->vmid != vmid_of(&d->p2m.vmid)) {
            continue;
        }
        mfn_t m = p2m_lookup(d, e->gfn, &type, NULL);
        EXPECT(mfn_eq(m, e->mfn) && type == e->type, "CPU %u has a stale translation of %#llx",
               p->id, (unsigned long long)e->gfn.n);
    }
}

static void check_frames(void)
{
    struct frames *fr = &st.hv->frames;
    uint64_t free = 0;

    for (mfn_t m = fr->base; m.n < fr->base.n + fr->pages;) {
        const struct frame *f = frame_lookup(st.hv, m);

        if (f == NULL) {
            m = mfn_add(m, 1);
            continue;
        }
        uint64_t pages = UINT64_C(1) << f->order;
        free += f->state == FRAME_FREE ? pages : 0;
        m = mfn_add(frame_mfn(st.hv, f), pages);
    }
    EXPECT(free == fr->avail, "%llu frames are free, %llu counted", (unsigned long long)free,
           (unsigned long long)fr->avail);
}

/* All CPUs have done what waited: what may run runs, unless its CPUs run others. */
static void check_no_lost_wakeup(const struct slot *s, const struct vcpu *v, uint32_t id)
{
    if (s->dying) {
        return;
    }
    EXPECT(v->pause != VCPU_PAUSE_BLOCKED || v->arch.pending == 0,
           "d%uv%u waits though it has an interrupt", s->d->id, id);
    if (v->pause != 0 || v->running) {
        return;
    }
    EXPECT(!v->dedicated, "d%uv%u does not run on its own CPU", s->d->id, id);
    for (uint32_t i = 0; i < st.hv->nr_pcpus; i++) {
        EXPECT(!cpumask_test(&s->affinity[id], i) || st.hv->pcpus[i]->current != NULL,
               "d%uv%u may run and CPU %u idles", s->d->id, id, i);
    }
}

/* Something waits for p, but for a step of a job. */
static bool has_work(const struct pcpu *p)
{
    return (p->work & ~(uint32_t)PCPU_WORK_JOB) != 0 ||
           (!p->arch.kicked && fake_irq_is_pending(p));
}

/* Every CPU does what waits for it. A teardown may wait for one that the input leaves alone. */
static void come_to_rest(void)
{
    bool rest = false;

    for (uint32_t rounds = 0; !rest; rounds++) {
        rest = true;
        EXPECT(rounds < 300, "the CPUs do not come to rest (CPU 0 has work %#x, CPU 1 %#x)",
               st.hv->pcpus[0]->work, st.hv->pcpus[1]->work);
        for (uint32_t i = 0; i < st.hv->nr_pcpus; i++) {
            struct pcpu *p = st.hv->pcpus[i];

            if (has_work(p) || (rounds < 30 && (p->work != 0 || fake_irq_is_pending(p)))) {
                attend(p);
                rest = false;
            }
        }
    }
}

static void settle(void)
{
    come_to_rest();
    for (struct slot *s = st.slot; s < st.slot + SLOTS; s++) {
        struct vcpu *v;

        if (s->d == NULL) {
            continue;
        }
        for_each_vcpu(s->d, v, i) {
            check_no_lost_wakeup(s, v, i);
        }
        if (!s->dying) {
            check_memory(s->d);
        }
    }
    for (uint32_t i = 0; i < st.hv->nr_pcpus; i++) {
        struct pcpu *p = st.hv->pcpus[i];

        if (p->loaded != NULL && !mfn_is_none(p->loaded->domain->p2m.root)) {
            check_tlb(p, p->loaded->domain);
        }
    }
    check_frames();
    const char *wrong = memory_check(st.hv);
    EXPECT(wrong == NULL, "%s", wrong);
    wrong = grant_check(st.hv);
    EXPECT(wrong == NULL, "%s", wrong);
}

/* --- Guests ------------------------------------------------------------------ */

/* Firmware calls of the guests: CPU_ON, CPU_OFF, SYSTEM_OFF, a crash. */
static int on_firmware(struct vcpu *v, struct vm_exit *x)
{
    uint64_t *reg = v->arch.reg;

    switch (reg[0] & 7) {
    case 0:
    case 1:
    case 2:
        reg[0] = (uint64_t)vcpu_power_on(v->domain, (uint32_t)reg[1], reg[2], reg[3]);
        return VM_RESUME;
    case 3:
        vcpu_power_off(v);
        return VM_RESCHEDULE;
    case 4:
        domain_shutdown(v->domain, (enum domain_shutdown_reason)(reg[1] % 6));
        return VM_RESCHEDULE;
    case 5:
        domain_crash(v->domain, "call %llu", (unsigned long long)reg[1]);
        return VM_RESCHEDULE;
    default:
        arch_inject_undefined(v);
        return VM_RESUME;
    }
}

#define FRAMES_ARE_WRITTEN true
#include "grant_actions.h"
#include "control_actions.h"
#include "event_actions.h"
#include "memory_actions.h"

static void fill_hypercall(struct vcpu *v)
{
    uint32_t which = u8();
    const struct call *c = &calls[which % ARRAY_SIZE(calls)];
    uint64_t *reg = v->arch.reg;

    reg[5] = (which >> 4) == 0 ? odd_number() : c->number;
    reg[0] = (which >> 4) == 1 ? odd_number() : c->rows[u8() % c->nr].op;
    reg[1] = c->number == __HYPERVISOR_console_io ? u8() : guest_addr();
    reg[2] = guest_addr();
    if (reg[5] == __HYPERVISOR_event_channel_op && u8() >= 16) {
        fill_event_op(v);
    }
    if (reg[5] == __HYPERVISOR_grant_table_op && u8() >= 16) {
        fill_grant_op(v);
    }
    if (reg[5] == __HYPERVISOR_memory_op && u8() >= 16) {
        fill_memory_op(v);
    }
    if (u8() >= 16 || (v->domain->who & HC_WHO_CONTROL)) {
        fill_control_op(v);
    }
}

static void action_event_call(struct pcpu *p)
{
    if (!st.in_guest[p->id] || p->current->domain->evtchn == NULL) {
        attend(p);
        return;
    }
    st.exit = (struct vm_exit){ .kind = VM_EXIT_HYPERCALL };
    fill_event_op(p->current);
    run(p, make_exit);
}

static void fill_mmio(struct mmio_access *a)
{
    uint32_t how = u8();

    a->size = (uint8_t)(1u << (how & 3));
    a->write = how & 4;
    a->reg = (uint8_t)u8();
    a->addr = gpa(!(how & 0x38) ? odd_number() : UART + (how & 0x40 ? u8() & 7 : u8() << 2));
    a->value = u32();
}

static void action_exit(struct pcpu *p)
{
    if (!st.in_guest[p->id]) {
        attend(p);
        return;
    }
    struct vcpu *v = p->current;
    uint32_t kind = u8() % (VM_EXIT_KINDS + 2);

    st.exit = (struct vm_exit){ .kind = kind < VM_EXIT_KINDS ? kind : VM_EXIT_HYPERCALL,
                                .info = u8() };
    if (st.exit.kind == VM_EXIT_HYPERCALL && v->arch.repeat) {
        st.as_control = st.exit.info & 1; /* the same call, as it goes on */
    } else if (st.exit.kind == VM_EXIT_HYPERCALL) {
        fill_hypercall(v);
    } else if (st.exit.kind == VM_EXIT_MMIO) {
        fill_mmio(&st.exit.mmio);
    } else if (st.exit.kind == VM_EXIT_FIRMWARE) {
        v->arch.reg[0] = u8();
        v->arch.reg[1] = u8() & 0x80 ? odd_number() : u8() % VCPUS;
    }
    v->arch.repeat = false;
    v->arch.delivered = 0;
    if (st.as_control) {
        v->domain->who |= HC_WHO_CONTROL;
    }
    struct domain *d = v->domain;
    domain_get(d);
    run(p, make_exit);
    d->who &= ~(uint32_t)HC_WHO_CONTROL;
    st.as_control = false;
    domain_put(d);
    check_fresh();
}

static bool is_device(struct domain *d, uint64_t a)
{
    enum p2m_type type = P2M_INVALID;

    p2m_lookup(d, gpa_to_gfn(gpa(a)), &type, NULL);
    return type == P2M_MMIO_DIRECT;
}

static void action_memory(struct pcpu *p)
{
    uint8_t buf[64];
    uint32_t how = u8();
    uint64_t a = guest_addr();

    /* There are no devices behind what action_map() maps as such. */
    if (!st.in_guest[p->id] || is_device(p->current->domain, a) ||
        is_device(p->current->domain, a + sizeof(buf))) {
        return;
    }
    st.w->machine.cpu = p;
    memset(buf, (int)u8(), sizeof(buf));
    if (how & 1) {
        fake_guest_write(p->current, gpa(a), buf, 1 + (how >> 2));
    } else {
        fake_guest_read(p->current, gpa(a), buf, 1 + (how >> 2));
    }
}

/* --- Domains ----------------------------------------------------------------- */

static int fill(struct domain *d, enum vuart_kind uart)
{
    int rc = arch_vintc_create(d);

    for (uint32_t i = 0; rc == 0 && i < d->config.vcpus_max; i++) {
        rc = vcpu_create(d, i);
    }
    if (rc == 0) {
        rc = vuart_create(d, uart, gpa(UART), FAKE_VIRQ_BASE);
    }
    if (rc != 0) {
        return rc;
    }
    mfn_t m = frame_alloc(d->hv, 3, FRAME_ALLOC_ZERO);
    if (mfn_is_none(m)) {
        return -XEN_ENOMEM;
    }
    frame_assign(d->hv, m, 3, d);
    d->pages += 8;
    memory_set_max(d, 2048);
    rc = p2m_map(d, gfn(RAM_GFN), m, 8, P2M_RAM_RW);
    if (rc != 0) {
        domain_free_ram(d, m, 8);
        return rc;
    }
    arch_vcpu_reset(d->vcpus[0], RAM_GFN << PAGE_SHIFT, 0);
    return 0;
}

static void action_create(struct slot *s)
{
    uint32_t how = u8();
    struct domain_config c = { .name = "a", .vcpus_max = 1 + (how & 3) % VCPUS, .nr_spis = SPIS,
                               .weight = 1 + u8(), .enhanced = how & 4,
                               .grant_version_max = how & 32 ? 2 : 1,
                               .pool = how & 8 ? st.null_pool : NULL };

    c.name[0] = (char)('a' + (s - st.slot));
    c.control = (how & 36) == 36 && s == st.slot;
    if (s->d != NULL || domain_create(st.hv, &c, &s->d) != 0) {
        return;
    }
    *s = (struct slot){ .d = s->d };
    for (uint32_t i = 0; i < VCPUS; i++) {
        s->affinity[i] = *cpupool_cpus(s->d->pool);
    }
    int rc = fill(s->d, how & 16 ? VUART_NS16550 : VUART_PL011);
    EXPECT(rc == 0 || rc == -XEN_ENOMEM || rc == -XEN_ENOSPC, "a domain is refused (%d)", rc);
    if (rc == 0) {
        domain_start(s->d);
    } else {
        s->dying = true;
    }
}

static void destroyed(struct slot *s)
{
    s->d = NULL;
    s->dying = false;
    s->by_job = false;
    s->refs = 0;
}

/* An idle CPU, which would try for ever while a teardown waits for another one, stops. */
static int destroy_step(struct job *j)
{
    int rc = domain_destroy(container_of(j, struct slot, job)->d);

    if (rc != 0 && st.p->current == NULL && ++st.steps >= 8) {
        job_start(st.hv, j);
        fake_stop(FAKE_STOP_IDLE);
    }
    return rc;
}

static void destroy_done(struct job *j, int rc)
{
    EXPECT(rc == 0, "a teardown fails (%d)", rc);
    destroyed(container_of(j, struct slot, job));
}

static void action_destroy(struct slot *s)
{
    uint32_t how = u8();

    if (s->d == NULL || s->by_job) {
        return;
    }
    s->dying = true;
    if (how & 1) {
        s->by_job = true;
        s->job = (struct job){ .step = destroy_step, .done = destroy_done };
        job_start(st.hv, &s->job);
    } else if (domain_destroy(s->d) == 0) {
        destroyed(s);
    }
}

static void count_reference(const struct domain *d, int change)
{
    for (struct slot *s = st.slot; s < st.slot + SLOTS; s++) {
        s->refs += s->d == d ? change : 0;
    }
}

static void drop_reference(struct domain **ref)
{
    count_reference(*ref, -1);
    domain_put(*ref);
    *ref = NULL;
}

static void action_reference(struct slot *s)
{
    struct domain **ref = &st.refs[u8() % REFS];

    if (*ref != NULL) {
        drop_reference(ref);
    } else if (s->d != NULL) {
        /* Another one, perhaps: a dying domain gives its number up early. */
        *ref = domain_lookup(st.hv, s->d->id);
        EXPECT(*ref == NULL || (*ref)->id == s->d->id, "a lookup finds another domain");
        EXPECT(*ref == s->d || s->dying, "a lookup does not find a living domain");
        if (*ref != NULL) {
            count_reference(*ref, 1);
        }
    }
}

static void action_lifecycle(struct slot *s)
{
    uint32_t how = u8();

    if (s->d == NULL || s->dying) {
        return;
    }
    switch (how & 3) {
    case 0:
        domain_pause(s->d);
        break;
    case 1:
        if (s->d->state == DOMAIN_RUNNING) {
            domain_unpause(s->d);
        }
        break;
    case 2:
        domain_shutdown(s->d, (enum domain_shutdown_reason)(how >> 2) % 6);
        break;
    default:
        domain_crash(s->d, "%u", how);
        break;
    }
}

static void action_map(struct slot *s)
{
    uint32_t how = u8(), order = u8() & 3;
    gfn_t g = gfn(RAM_GFN + u8() % WINDOW);

    if (s->d == NULL || s->dying) {
        return;
    }
    if ((how & 7) == 0) {
        /* A device, anywhere: blocks of all sizes, ranges that wrap. */
        uint64_t n = odd_number();
        int rc = p2m_map(s->d, gfn(n), mfn(n + (UINT64_C(1) << 30)), odd_number(), P2M_MMIO_DIRECT);
        EXPECT(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_EEXIST || rc == -XEN_ENOMEM,
               "p2m_map() gives %d", rc);
        return;
    }
    mfn_t m = frame_alloc(st.hv, order, FRAME_ALLOC_ZERO);
    if (mfn_is_none(m)) {
        return;
    }
    frame_assign(st.hv, m, order, s->d);
    s->d->pages += 1u << order;
    if (p2m_map(s->d, g, m, 1u << order, how & 8 ? P2M_RAM_RO : P2M_RAM_RW) != 0) {
        domain_free_ram(s->d, m, 1u << order);
    }
}

/* As a balloon does it: the pages that were there go back one by one. */
static void action_unmap(struct slot *s)
{
    uint32_t how = u8();
    uint64_t pages = 1 + u8() % 16;
    gfn_t g = gfn(RAM_GFN + u8() % WINDOW);
    mfn_t was[16];

    if (s->d == NULL || s->dying) {
        return;
    }
    if ((how & 15) == 0) {
        uint64_t start = odd_number() | UINT64_C(1) << 20, nr = odd_number();
        uint64_t room = (UINT64_C(1) << (st.w->machine.format.gpa_bits - PAGE_SHIFT)) - start;
        int rc = p2m_unmap(s->d, gfn(start), nr);

        EXPECT(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_ENOMEM, "p2m_unmap() gives %d", rc);
        EXPECT(rc == -XEN_EINVAL || (nr != 0 && (int64_t)room > 0 && nr <= room),
               "p2m_unmap() takes %#llx + %#llx", (unsigned long long)start,
               (unsigned long long)nr);
        return;
    }
    for (uint64_t i = 0; i < pages; i++) {
        enum p2m_type type;

        was[i] = p2m_lookup(s->d, gfn_add(g, i), &type, NULL);
        if (!mfn_is_none(was[i]) && p2m_type_has_ref(type)) {
            return; /* such a page goes alone */
        }
        was[i] = type == P2M_MMIO_DIRECT ? MFN_NONE : was[i];
    }
    if (p2m_unmap(s->d, g, pages) != 0) {
        return;
    }
    for (uint64_t i = 0; i < pages; i++) {
        EXPECT(mfn_is_none(p2m_lookup(s->d, gfn_add(g, i), NULL, NULL)), "it is still mapped");
        if (!mfn_is_none(was[i])) {
            domain_free_ram(s->d, was[i], 1);
        }
    }
}

static void action_schedule(struct slot *s)
{
    struct cpumask mask = { { u8() & 15 } };
    struct vcpu *v = any_vcpu(s);
    uint32_t how = u8();

    if (v == NULL || s->dying) {
        return;
    }
    if (how & 1) {
        int rc = sched_set_affinity(v, &mask);

        if (rc == 0) {
            s->affinity[v->id] = cpumask_and(&mask, cpupool_cpus(s->d->pool));
        }
    } else {
        struct sched_params params = { .weight = (uint32_t)odd_number() };
        int rc = sched_set_params(s->d, cpupool_sched(s->d->pool), &params);

        EXPECT(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_EOPNOTSUPP, "weight: %d", rc);
    }
}

static void action_interrupt(struct slot *s)
{
    uint32_t how = u8(), virq = FAKE_VIRQ_BASE + u8() % (SPIS + 2);

    if (how & 0x80) {
        fake_irq_raise(how % FAKE_IRQS);
    }
    if (s->d == NULL) {
        return;
    }
    switch (how & 3) {
    case 0:
        arch_vintc_pulse(s->d, virq);
        break;
    case 1:
        arch_vintc_set_level(s->d, virq, how & 4);
        break;
    case 2:
        if (!s->dying) {
            int rc = irq_assign(s->d, (uint32_t)odd_number(), virq, IRQ_EDGE);
            EXPECT(rc == 0 || rc == -XEN_EINVAL || rc == -XEN_EBUSY, "irq_assign() gives %d", rc);
        }
        break;
    default:
        if (virq < FAKE_VIRQ_BASE + SPIS) {
            fake_guest_eoi(s->d, virq);
        }
        break;
    }
}

static void action_wake(struct slot *s)
{
    struct vcpu *v = any_vcpu(s);
    uint32_t how = u8();

    if (v == NULL || s->dying) {
        return;
    }
    if (how & 1) {
        timer_set(st.hv->pcpus[how / 2 % st.hv->nr_pcpus], &v->wake,
                  st.w->machine.now + u8() * (NS_PER_MS / 16));
    } else {
        vcpu_wake(v);
    }
}

/* --- Other work -------------------------------------------------------------- */

static int work_step(struct job *j)
{
    struct work *k = container_of(j, struct work, job);

    return k->left-- != 0 ? -XEN_EAGAIN : 0;
}

static void work_done(struct job *j, int rc)
{
    container_of(j, struct work, job)->queued = false;
}

static void action_work(struct pcpu *p)
{
    uint32_t how = u8();

    if (how & 1) {
        static char text[8];

        for (uint32_t i = 0; i < sizeof(text) - 1; i++) {
            text[i] = (char)(u8() % 8 != 0 ? u8() : 1);
        }
        st.w->machine.console_input = text;
        pcpu_kick(p, PCPU_WORK_CONSOLE);
    } else if (!st.work.queued) {
        st.work = (struct work){ .job = { .step = work_step, .done = work_done },
                                 .left = how >> 1 & 7, .queued = true };
        job_start(st.hv, &st.work.job);
    }
}

static void action(void)
{
    uint32_t what = u8();
    struct pcpu *p = st.hv->pcpus[(what >> 6) % st.hv->nr_pcpus];

    st.w->machine.cpu = p;
    switch (what & 31) {
    case 0: action_create(any_slot()); break;
    case 1: action_destroy(any_slot()); break;
    case 2: action_reference(any_slot()); break;
    case 3: action_lifecycle(any_slot()); break;
    case 4: action_map(any_slot()); break;
    case 5: action_unmap(any_slot()); break;
    case 6: action_schedule(any_slot()); break;
    case 7:
    case 8: action_interrupt(any_slot()); break;
    case 9: action_wake(any_slot()); break;
    case 10: action_work(p); break;
    case 11: st.fail_in = u8() & 31; break;
    case 12: st.w->machine.now += u8() * (NS_PER_MS / 8); break;
    case 13:
    case 14:
    case 15: action_memory(p); break;
    case 16: settle(); break;
    case 17:
    case 18:
    case 19: attend(p); break;
    case 20: action_grant(any_slot()); break;
    case 21: action_event(any_slot()); break;
    case 22:
    case 23: action_event_call(p); break;
    case 24: action_limits(any_slot()); break;
    default: action_exit(p); break;
    }
    /* What ran in the hypervisor on p ends with the work that it left for p itself. */
    if (p->work != 0) {
        run(p, next);
    }
}

static void begin(void)
{
    uint32_t how = u8();
    uint32_t nr = 2 + (how & 3) % 3;
    struct cpumask cpus = { { BIT(nr) - 1 } }, last = { { 0 } };

    st.w = world_create(nr, 8);
    st.hv = st.w->hv;
    world_inject(st.w, false);
    EXPECT(irq_table_init(st.hv, arch_irq_count(st.hv)) == 0, "irq table");
    if (how & 4) {
        cpumask_clear(&cpus, nr - 1);
        cpumask_set(&last, nr - 1);
    }
    struct cpupool *pool;
    EXPECT(cpupool_create(st.hv, "default", SCHED_CREDIT2, &cpus, &pool) == 0, "pool");
    if (how & 4) {
        EXPECT(cpupool_create(st.hv, "own", SCHED_NULL, &last, &st.null_pool) == 0, "null pool");
    }
    world_set_baseline(st.w);
    if (how & 8) {
        vmid_pool_init(&st.hv->vmids, 3, st.hv->nr_pcpus);
    }
    st.w->machine.on_wait = on_wait;
    st.w->machine.on_firmware = on_firmware;
    st.hv->frames.alloc_fails = alloc_fails;
    st.hv->mem->alloc_fails = alloc_fails;
    for (uint32_t i = 0; i < nr; i++) {
        run(st.hv->pcpus[i], next);
    }
}

static void end(void)
{
    st.fail_in = 0;
    world_cpu(st.w, 0);
    for (uint32_t i = 0; i < REFS; i++) {
        if (st.refs[i] != NULL) {
            drop_reference(&st.refs[i]);
        }
    }
    for (uint32_t i = 0, left = 1; left != 0; i++) {
        EXPECT(i < 1000, "%u domains are not taken apart", left);
        left = st.work.queued;
        for (struct slot *s = st.slot; s < st.slot + SLOTS; s++) {
            world_cpu(st.w, 0);
            if (s->d != NULL && !s->by_job) {
                s->dying = true;
                if (domain_destroy(s->d) == 0) {
                    destroyed(s);
                }
            }
            left += s->d != NULL;
        }
        st.w->machine.now += 2 * NS_PER_MS;
        come_to_rest();
    }
    settle();
    check_quick();
    for (uint32_t i = 0; i < st.hv->nr_pcpus; i++) {
        EXPECT(st.hv->pcpus[i]->current == NULL && st.hv->pcpus[i]->loaded == NULL,
               "CPU %u has a vCPU", i);
    }
    EXPECT(list_is_empty(&st.hv->jobs), "a job is left");
    world_destroy(st.w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&st, 0, sizeof(st));
    input_begin(data, size);
    begin();
    for (uint32_t i = 0; i < ACTIONS_MAX && input_goes_on(); i++) {
        action();
        check_quick();
    }
    end();
    return 0;
}
