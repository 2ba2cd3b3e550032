/* SPDX-License-Identifier: MIT */
/*
 * mm/vmid.c with few VMIDs, several CPUs and many domains, against a model of
 * their TLBs: no guest hits what another domain, or its own before a flush,
 * left there.
 *
 * The file is included, not linked, so that other CPUs can be made to act at
 * each store that they may see, and at each barrier.
 */
#include <stdlib.h>

#include <arch/stage2.h>
#include <loam/atomic.h>

#include "unit.h"

static void others_act(void);
#undef smp_mb
#undef atomic_store_relaxed
#undef atomic_store_release
#define smp_mb() others_act()
#define arch_stage2_publish() others_act()
#define atomic_store_relaxed(p, v) (others_act(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define atomic_store_release(p, v) (others_act(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#include "../../hv/mm/vmid.c"

#define CPUS_MAX 4
#define DOMAINS 12
#define NOBODY UINT32_MAX

/* A translation of one state of one domain's map; life 0: none. */
struct entry {
    uint32_t life;
    uint32_t version;
};

static struct {
    struct hv *hv;
    uint32_t nr_cpus;
    struct pcpu *cpu[CPUS_MAX];
    uint32_t runs[CPUS_MAX];      /* domain, NOBODY: idle */
    uint16_t reg[CPUS_MAX];       /* the VMID in the register that selects a map ... */
    struct entry map[CPUS_MAX];   /* ... and what walks find there */
    struct entry *tlb[CPUS_MAX];  /* by VMID */
    struct domain *d[DOMAINS];
    struct entry now[DOMAINS];
    uint32_t lives;
    uint32_t seed;
    uint32_t emptied, loads;
    uint32_t interfere_in;        /* other CPUs act at the n-th point from here; 0: not */
    uint32_t loading[CPUS_MAX];   /* domain with which a CPU is in vmid_load(); NOBODY: none */
    uint32_t acting;              /* the CPU that came into it last */
    uint32_t in_between;          /* rollovers while they did */
} m;

static uint32_t pick(uint32_t n)
{
    m.seed = m.seed * 1664525u + 1013904223u;
    return (m.seed >> 8) % n;
}

/* Domain i ends; another one is made, which finds the same memory. */
static void give_birth(uint32_t i)
{
    memset(m.d[i], 0, sizeof(*m.d[i]));
    m.d[i]->hv = m.hv;
    m.now[i] = (struct entry){ ++m.lives, 0 };
}

static void setup(uint32_t bits, uint32_t nr_cpus, uint32_t seed)
{
    memset(&m, 0, sizeof(m));
    m.seed = seed;
    m.nr_cpus = nr_cpus;
    m.hv = calloc(1, sizeof(*m.hv));
    vmid_pool_init(&m.hv->vmids, bits, nr_cpus);
    for (uint32_t c = 0; c < nr_cpus; c++) {
        m.cpu[c] = calloc(1, sizeof(*m.cpu[c]));
        m.tlb[c] = calloc(1 << VMID_BITS_MAX, sizeof(*m.tlb[c]));
        m.cpu[c]->hv = m.hv;
        m.hv->pcpus[c * 3] = m.cpu[c]; /* holes are allowed */
        vmid_pcpu_init(&m.cpu[c]->vmid);
        m.runs[c] = m.loading[c] = NOBODY;
        /* What firmware left: of nobody's map, under any VMID. */
        for (uint32_t i = 0; i < 1 << VMID_BITS_MAX; i++) {
            m.tlb[c][i].life = NOBODY;
        }
    }
    for (uint32_t i = 0; i < DOMAINS; i++) {
        m.d[i] = calloc(1, sizeof(*m.d[i]));
        give_birth(i);
    }
}

static void teardown(void)
{
    for (uint32_t c = 0; c < m.nr_cpus; c++) {
        free(m.cpu[c]);
        free(m.tlb[c]);
    }
    for (uint32_t i = 0; i < DOMAINS; i++) {
        free(m.d[i]);
    }
    free(m.hv);
}

/* A walk by the guest, or one that the CPU makes without being asked. */
static struct entry walk(uint32_t c)
{
    struct entry *e = &m.tlb[c][m.reg[c]];

    if (e->life == 0) {
        *e = m.map[c];
    }
    return *e;
}

static void run(uint32_t c)
{
    if (m.runs[c] != NOBODY) {
        struct entry seen = walk(c);

        CHECK_EQ(seen.life, m.now[m.runs[c]].life);
        CHECK_EQ(seen.version, m.now[m.runs[c]].version);
    }
}

static void load(uint32_t c, uint32_t i)
{
    struct pcpu *p = m.cpu[c];

    m.loads++;
    if (!vmid_is_loaded(&m.d[i]->p2m.vmid, &p->vmid)) {
        uint32_t acting = m.acting;

        m.acting = c;
        m.loading[c] = i;
        m.runs[c] = NOBODY;
        bool stale = vmid_load(m.d[i], p);
        m.loading[c] = NOBODY;
        m.acting = acting;

        m.reg[c] = vmid_loaded(&p->vmid);
        m.map[c] = m.now[i];
        if (stale) {
            m.emptied++;
            memset(m.tlb[c], 0, sizeof(*m.tlb[c]) << VMID_BITS_MAX);
        }
    }
    m.runs[c] = i;
    CHECK_EQ(m.reg[c], vmid_of(&m.d[i]->p2m.vmid));
    run(c);
}

/* The map of domain i changes: its entries go, on all CPUs, by its VMID. */
static void change_map(uint32_t i)
{
    m.now[i].version++;
    for (uint32_t c = 0; c < m.nr_cpus; c++) {
        if (m.map[c].life == m.now[i].life) {
            m.map[c].version = m.now[i].version;
        }
        if (vmid_is_used(&m.d[i]->p2m.vmid)) {
            m.tlb[c][vmid_of(&m.d[i]->p2m.vmid)].life = 0;
        }
    }
}

static bool is_in_use(uint32_t i)
{
    for (uint32_t c = 0; c < m.nr_cpus; c++) {
        if (m.runs[c] == i || m.loading[c] == i) {
            return true;
        }
    }
    return false;
}

static void step(void)
{
    uint32_t c = pick(m.nr_cpus), i = pick(DOMAINS);

    switch (pick(10)) {
    case 0:
        change_map(i);
        break;
    case 1:
        if (!is_in_use(i)) {
            give_birth(i);
        }
        break;
    case 2:
        m.runs[c] = NOBODY;
        break;
    case 3:
    case 4:
        walk(c);
        break;
    case 5:
        run(c);
        break;
    default:
        if (m.loading[c] == NOBODY) {
            load(c, i);
        }
    }
}

/* While the lock is held other CPUs can load the same domain only if nothing seems to be new. */
static void load_without_lock(void)
{
    uint64_t generation = m.hv->vmids.generation;
    uint32_t c = pick(m.nr_cpus), i = m.loading[m.acting];

    if (m.loading[c] == NOBODY && generation != 0 && m.cpu[c]->vmid.generation == generation &&
        m.d[i]->p2m.vmid.generation == generation) {
        load(c, i);
    }
}

static void others_act(void)
{
    uint64_t generation = m.hv->vmids.generation;

    if (spin_is_locked(&m.hv->vmids.lock)) {
        load_without_lock();
        return;
    }
    if (m.interfere_in == 0 || --m.interfere_in != 0) {
        return;
    }
    for (uint32_t n = pick(20); n > 0; n--) {
        step();
    }
    m.in_between += m.hv->vmids.generation != generation;
}

static void random_steps(uint32_t steps)
{
    for (uint32_t n = 0; n < steps; n++) {
        m.interfere_in = pick(3);
        step();
    }
    m.interfere_in = 0;
}

TEST(few_vmids_never_mean_two_domains)
{
    uint32_t in_between = 0;

    for (uint32_t seed = 0; seed < 150; seed++) {
        setup(2 + seed % 3, seed % 3 == 0 ? 2 : 4, seed);
        random_steps(1500);
        CHECK(m.hv->vmids.generation > 10);
        in_between += m.in_between;
        teardown();
    }
    CHECK(in_between > 100);
}

TEST(sixteen_bits_roll_over_too)
{
    setup(16, 3, 1);
    m.hv->vmids.next = 65530;
    random_steps(2000);
    CHECK_EQ(m.hv->vmids.generation, 2);
    m.hv->vmids.next = 65534;
    random_steps(2000);
    CHECK_EQ(m.hv->vmids.generation, 3);
    teardown();
}

TEST(no_tlb_is_emptied_while_vmids_last)
{
    setup(8, 4, 7);
    for (uint32_t n = 0; n < 1000; n++) {
        load(pick(4), pick(DOMAINS));
    }
    CHECK_EQ(m.emptied, 4);
    CHECK_EQ(m.hv->vmids.next, 1 + DOMAINS);
    teardown();
}

/* Also where they are too few to keep one for each CPU. */
TEST(without_vmids_a_change_of_domains_empties_the_tlb)
{
    static const uint32_t bits[] = { 0, 1, 2 };

    for (uint32_t b = 0; b < ARRAY_SIZE(bits); b++) {
        setup(bits[b], 3, b);
        REQUIRE(m.hv->vmids.bits == 0);
        random_steps(20000);
        CHECK_EQ(vmid_of(&m.d[0]->p2m.vmid), 0);

        load(0, 1);
        m.emptied = 0;
        load(0, 2);
        CHECK_EQ(m.emptied, 1);
        m.runs[0] = NOBODY;
        load(0, 2);
        CHECK_EQ(m.emptied, 1);
        CHECK(!vmid_load(m.d[2], m.cpu[0]));
        load(1, 1);
        m.emptied = 0;
        load(0, 2);
        CHECK_EQ(m.emptied, 0);
        load(0, 1);
        CHECK_EQ(m.emptied, 1);
        teardown();
    }
}
