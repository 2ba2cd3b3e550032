/* SPDX-License-Identifier: MIT */
/*
 * riscv64's guest page tables (stage2.c): which formats a machine has, how an entry looks, and who
 * has to forget what: flushes of pages by hart, and vCPUs that come to a CPU. VMIDs are given out
 * by the test; the fences are counted.
 */
/* Before all others: struct vcpu is riscv64's. */
#include "riscv64_csr.h"

#include <loam/atomic.h>
#include <loam/domain.h>
#include <loam/p2m.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>

static uint32_t nr_barriers;

static void fence(void) { nr_barriers++; }
#undef smp_mb
#define smp_mb() nr_barriers++

#include "../../hv/arch/riscv64/stage2.c"

#define CPUS 4
#define VMID 0x123

static struct machine m;
static struct pcpu cpus[CPUS], *here;
static struct domain dom;
static struct vcpu vcpus[2];
static struct tlb_last tlb[CPUS];

/* The hardware: modes and VMID bits that stick in hgatp. */
static uint64_t hgatp, modes, vmid_mask;

static uint64_t hw_csr_read(const char *csr)
{
    CHECK_STR(csr, "hgatp");
    return hgatp;
}

/* An unsupported mode leaves the register alone (Priv. spec 21.2.10). */
static void hw_csr_write(const char *csr, uint64_t value)
{
    uint64_t mode = value >> SATP_MODE_SHIFT;

    CHECK_STR(csr, "hgatp");
    if (mode == 0 || modes >> mode & 1) {
        hgatp = value & ~((HGATP_VMID_MASK & ~vmid_mask) << HGATP_VMID_SHIFT);
    }
}

/* What was fenced here and elsewhere. */
static uint32_t nr_all, nr_vmid, nr_pages, nr_paid, barriers_at_fence;
static uint64_t pages_at[256];
static struct remote {
    uint64_t mask, base, start, size, vmid;
} remote[8];
static uint32_t nr_remote;

void fence_gvma(void) { nr_all++; }

void fence_gvma_vmid(uint64_t vmid)
{
    CHECK_EQ(vmid, VMID);
    barriers_at_fence = nr_barriers;
    nr_vmid++;
}

void fence_gvma_page(uint64_t gpa_shifted, uint64_t vmid)
{
    CHECK_EQ(vmid, VMID);
    barriers_at_fence = nr_barriers;
    pages_at[nr_pages++ % 256] = gpa_shifted << 2;
}

void sbi_remote_hfence_gvma_vmid(uint64_t mask, uint64_t base, uint64_t start, uint64_t size,
                                 uint64_t vmid)
{
    CHECK(nr_barriers > 0);
    REQUIRE(nr_remote < ARRAY_SIZE(remote));
    remote[nr_remote++] = (struct remote){ mask, base, start, size, vmid };
}

void vfence_pay(struct vcpu *v)
{
    nr_paid++;
    v->arch.fence = 0;
}

struct pcpu *this_pcpu(void) { return here; }

static uint32_t pool_bits, next_vmid;
static bool stale; /* the next answer of vmid_load() */

void vmid_pool_init(struct vmid_pool *pool, uint32_t bits, uint32_t nr_cpus) { pool_bits = bits; }

bool vmid_load(struct domain *d, struct pcpu *p)
{
    if (d->p2m.vmid.tag == 0) {
        d->p2m.vmid = (struct vmid){ .tag = next_vmid, .generation = 1 };
    }
    p->vmid.tag = d->p2m.vmid.tag;
    p->vmid.generation = d->p2m.vmid.generation;
    return stale;
}

static void forget(void)
{
    nr_all = nr_vmid = nr_pages = nr_paid = nr_remote = nr_barriers = barriers_at_fence = 0;
}

static void world(void)
{
    static const uint64_t hartids[CPUS] = { 1, 3, 63, 200 };

    memset(&m, 0, sizeof(m));
    memset(cpus, 0, sizeof(cpus));
    memset(vcpus, 0, sizeof(vcpus));
    memset(tlb, 0, sizeof(tlb));
    modes = 7u << SATP_SV39;
    vmid_mask = 0x3fff;
    hgatp = 0;
    stage2_init(&m.hv);
    m.hv.nr_pcpus = CPUS;
    for (uint32_t i = 0; i < CPUS; i++) {
        cpus[i].id = i;
        cpus[i].arch.hartid = hartids[i];
        cpus[i].vmid.tag = UINT64_MAX; /* it has no map */
        m.hv.pcpus[i] = &cpus[i];
    }
    dom = (struct domain){ .hv = &m.hv, .arch.tlb = tlb };
    dom.p2m.root = mfn(0x80abc);
    dom.p2m.format = &m.host.s2[1];
    stage2_domain_init(&dom);
    for (uint32_t i = 0; i < 2; i++) {
        vcpus[i].id = i;
        vcpus[i].domain = &dom;
        vcpus[i].arch.tlb_cpu = UINT32_MAX;
    }
    here = &cpus[1];
    next_vmid = VMID;
    stale = false;
    forget();
}

TEST(formats_are_those_that_stick)
{
    world();
    CHECK_EQ(hgatp, 0);
    CHECK_EQ(m.host.vmid_bits, 14);
    CHECK_EQ(pool_bits, 14);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(m.host.s2[i].levels, 3 + i);
        CHECK_EQ(m.host.s2[i].gpa_bits, 41 + 9 * i);
        CHECK_EQ(m.host.s2[i].root_bits, 11); /* 16 KiB (Priv. spec 21.5.1) */
        CHECK_EQ(m.host.s2[i].root_order, 2);
    }
    CHECK(arch_stage2_format(&m.hv) == &m.host.s2[0]);
    CHECK(arch_stage2_choose(&m.hv, "riscv,sv57") == &m.host.s2[2]);
    CHECK(arch_stage2_choose(&m.hv, "riscv,sv64") == NULL);

    memset(&m, 0, sizeof(m));
    modes = 1u << SATP_SV39;
    vmid_mask = 0x7f;
    forget();
    stage2_init(&m.hv);
    CHECK_EQ(m.host.vmid_bits, 7);
    CHECK_EQ(nr_all, 1); /* what was written to try may be in the TLB */
    CHECK(arch_stage2_choose(&m.hv, "riscv,sv39") == &m.host.s2[0]);
    CHECK(arch_stage2_choose(&m.hv, "riscv,sv48") == NULL);
    CHECK(arch_stage2_choose(&m.hv, "riscv,sv57") == NULL);
}

TEST(entries_say_what_may_be_done)
{
    static const struct {
        uint32_t type;
        uint64_t allowed;
    } row[] = {
        { P2M_RAM_RW, PTE_R | PTE_W | PTE_X },
        { P2M_RAM_RO, PTE_R | PTE_X },
        { P2M_MMIO_DIRECT, PTE_R | PTE_W },
    };
    mfn_t most = mfn(BITS(43, 0));

    world();
    for (uint32_t i = 0; i < ARRAY_SIZE(row); i++) {
        uint64_t pte = arch_stage2_leaf(&m.hv, 0, most, row[i].type);

        CHECK_EQ(pte & (PTE_R | PTE_W | PTE_X), row[i].allowed);
        CHECK_EQ(pte & (PTE_V | PTE_U | PTE_A | PTE_D), PTE_V | PTE_U | PTE_A | PTE_D);
        CHECK_EQ(pte & PTE_G, 0);
        CHECK_EQ(pte >> 54, 0); /* N, PBMT and what is reserved */
        CHECK(arch_stage2_is_valid(pte) && !arch_stage2_is_table(pte, 0));
        CHECK(mfn_eq(arch_stage2_mfn(pte), most));
        CHECK_EQ(arch_stage2_type(pte), row[i].type);
    }
    uint64_t table = arch_stage2_table(most);

    CHECK(arch_stage2_is_valid(table) && arch_stage2_is_table(table, 1));
    CHECK_EQ(table & (PTE_U | PTE_A | PTE_D), 0); /* reserved in what is no leaf */
    CHECK(mfn_eq(arch_stage2_mfn(table), most));
    CHECK_EQ(arch_stage2_type(0), P2M_INVALID);
    CHECK(!arch_stage2_is_valid(0) && !arch_stage2_is_table(0, 1));
}

static bool is_remote(uint32_t i, uint64_t mask, uint64_t base, uint64_t start, uint64_t size)
{
    return i < nr_remote && remote[i].mask == mask && remote[i].base == base &&
           remote[i].start == start && remote[i].size == size && remote[i].vmid == VMID;
}

TEST(pages_are_flushed_on_every_hart)
{
    world();
    stage2_load(&vcpus[0], here);
    forget();
    arch_stage2_flush(&dom, gfn(0x80000), 3);
    CHECK_EQ(nr_pages, 3);
    CHECK_EQ(pages_at[0], 0x80000000);
    CHECK_EQ(pages_at[2], 0x80002000);
    CHECK_EQ(nr_vmid, 0);
    CHECK(barriers_at_fence > 0); /* the changed entries are there before */
    CHECK_EQ(nr_remote, 2);
    CHECK(is_remote(0, 1, 200, 0x80000000, 0x3000));
    CHECK(is_remote(1, BIT(1) | BIT(63), 0, 0x80000000, 0x3000)); /* without this one, 3 */
}

TEST(many_pages_are_everything)
{
    world();
    stage2_load(&vcpus[0], here);
    forget();
    arch_stage2_flush(&dom, gfn(0x80000), 64);
    CHECK(nr_pages == 64 && nr_vmid == 0);
    CHECK(is_remote(1, BIT(1) | BIT(63), 0, 0x80000000, 64 * PAGE_SIZE));
    forget();
    arch_stage2_flush(&dom, gfn(0x80000), 65);
    CHECK(nr_pages == 0 && nr_vmid == 1);
    CHECK(is_remote(0, 1, 200, 0, UINT64_MAX));
    forget();
    arch_stage2_flush_all(&dom);
    CHECK(nr_pages == 0 && nr_vmid == 1);
    CHECK(is_remote(1, BIT(1) | BIT(63), 0, 0, UINT64_MAX));
}

TEST(a_map_that_nobody_used_is_not_flushed)
{
    world();
    arch_stage2_flush_all(&dom);
    arch_stage2_flush(&dom, gfn(0), 1);
    CHECK_EQ(nr_pages + nr_vmid + nr_remote, 0);
}

TEST(the_register_names_mode_root_and_vmid)
{
    world();
    stage2_load(&vcpus[0], here);
    CHECK_EQ(hgatp, SATP_MODE(SATP_SV39 + 1) | (uint64_t)VMID << HGATP_VMID_SHIFT | 0x80abc);
    CHECK_EQ(nr_all, 0);
    hgatp = 0;
    stage2_load(&vcpus[0], here);
    CHECK_EQ(hgatp, 0); /* it has it already */
    stale = true; /* the VMID was another domain's before */
    stage2_load(&vcpus[0], &cpus[2]);
    CHECK(hgatp != 0);
    CHECK_EQ(nr_all, 1);
}

/* A guest's own fence acts on its hart alone: who comes from elsewhere, or after another, begins
 * with an empty VS stage. */
TEST(a_vcpu_that_comes_to_a_cpu_owes_a_fence)
{
    world();
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 1);
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 1); /* the same one again */
    CHECK_EQ(nr_barriers, 2); /* and always one between loaded_on and the debt */
    stage2_load(&vcpus[0], &cpus[1]);
    CHECK_EQ(nr_paid, 2); /* moved */
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 3); /* and back */
    stage2_load(&vcpus[1], &cpus[1]);
    CHECK_EQ(nr_paid, 4);
    stage2_load(&vcpus[1], &cpus[1]);
    CHECK_EQ(nr_paid, 4);
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 4); /* nobody else was there */
    stage2_load(&vcpus[1], &cpus[0]);
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 6); /* after the other */
    vcpus[0].arch.fence = FENCE_I;
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 7); /* somebody asked for one meanwhile */
    dom.p2m.vmid = (struct vmid){ .tag = 0x77, .generation = 2 };
    stage2_load(&vcpus[0], &cpus[0]);
    CHECK_EQ(nr_paid, 8); /* under a new VMID anything may be there */
}
