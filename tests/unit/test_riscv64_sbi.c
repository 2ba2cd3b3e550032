/* SPDX-License-Identifier: MIT */
/*
 * The firmware of riscv64's guests (vsbi.c) and their remote fences (vfence.c), on
 * riscv64's own state of vCPUs: the rest of the hypervisor is faked here and writes down
 * what it was asked for.
 */
/* Before all others, in place of the fake architecture's. */
#include "../../hv/arch/riscv64/include/arch/impl/regs.h"

#include <arch/vcpu.h>
#include <loam/atomic.h>
#include <loam/console.h>
#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/hv.h>
#include <loam/pcpu.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "barrier.h"
#include "unit.h"

#include "../../hv/arch/riscv64/csr.h"
#undef csr_read
#undef csr_write
#define csr_read(name) 0
#define csr_write(name, value) ((void)(value))

#include "../../hv/arch/riscv64/host.h"

#include "../../hv/arch/riscv64/vfence.c"
#include "../../hv/arch/riscv64/vpmu.c"
#include "../../hv/arch/riscv64/vsbi.c"

#define VCPUS 70 /* more than a mask names */
#define CPUS 4
#define RAM UINT64_C(0x80000000) /* one page that may be written, and one that may not */
#define ROM (RAM + PAGE_SIZE)
#define DEVICE (RAM + 2 * PAGE_SIZE)

static struct hv hv;
static const struct arch_host machine; /* without Zicntr */
static struct pcpu cpus[CPUS];
static struct domain dom;
static struct vcpu vcpus[VCPUS], *vcpu_ptrs[VCPUS];
static struct vcpu *self = &vcpus[0];
static uint8_t ram[2 * PAGE_SIZE];

/* What was asked for. */
static char console[8192];
static size_t console_len;
static uint64_t soft[VCPUS], timer_when, on_entry, on_arg, cleared, off_calls, unshares, put_calls;
static int64_t shutdown_reason;
static int power_rc, clear_rc;
static bool event; /* an interrupt waits for the vCPU that wants to block */
static gpa_t shared_at;
static uint32_t local_i, local_vma; /* fences by vfence_pay() */

struct remote {
    enum vfence_kind kind;
    uint64_t mask, base, start, size, asid;
};
static struct remote remote[8];
static uint32_t nr_remote;

/* --- The rest of the hypervisor ------------------------------------------------ */

void vcpu_soft_raise(struct vcpu *v) { soft[v->id]++; }
void vtimer_set(struct vcpu *v, uint64_t when) { timer_when = when; }
void domain_shutdown(struct domain *d, enum domain_shutdown_reason why) { shutdown_reason = why; }
void fence_instructions(void) { local_i++; }
void fence_guest_translations(void) { local_vma++; }

int vcpu_power_on(struct domain *d, uint32_t id, uint64_t entry, uint64_t arg)
{
    on_entry = entry;
    on_arg = arg;
    return power_rc;
}

void vcpu_power_off(struct vcpu *v)
{
    CHECK(v == self);
    off_calls++;
}

bool vcpu_is_off_cpu(struct vcpu *v) { return v->loaded_on == NULL; }

enum vm_resume vcpu_block(struct vcpu *v)
{
    if (!event) {
        v->pause |= VCPU_PAUSE_BLOCKED;
    }
    return event ? VM_RESUME : VM_RESCHEDULE;
}

/* Saving overwrites what memory held: a change made before is lost. */
void vcpu_put_loaded(struct pcpu *p)
{
    put_calls++;
    p->loaded->arch.pc = RAM + 0x404;
    p->loaded->arch.vs.atp = 0x8000000000012345;
    p->loaded->arch.vs.status = SSTATUS_SIE | SSTATUS_SPP;
    p->loaded->arch.vs.ie = HIP_VSSIP;
    p->loaded->loaded_on = NULL;
    p->loaded = NULL;
}

void console_write(struct domain *d, const char *buf, size_t size)
{
    REQUIRE(console_len + size < sizeof(console));
    memcpy(console + console_len, buf, size);
    console_len += size;
    console[console_len] = '\0';
}

mfn_t p2m_lookup(struct domain *d, gfn_t g, enum p2m_type *type, uint32_t *order)
{
    *type = gfn_eq(g, gpa_to_gfn(gpa(RAM)))      ? P2M_RAM_RW
            : gfn_eq(g, gpa_to_gfn(gpa(ROM)))    ? P2M_RAM_RO
            : gfn_eq(g, gpa_to_gfn(gpa(DEVICE))) ? P2M_MMIO_DIRECT
                                                 : P2M_INVALID;
    return *type == P2M_INVALID ? MFN_NONE : mfn(1);
}

int guest_phys_read(struct domain *d, void *buf, gpa_t from, size_t size)
{
    if (size != 0 && (from.a < RAM || from.a - RAM > sizeof(ram) - size)) {
        return -XEN_EFAULT;
    }
    memcpy(buf, ram + (size != 0 ? from.a - RAM : 0), size);
    return 0;
}

int guest_phys_clear(struct domain *d, gpa_t to, uint64_t size, bool clean)
{
    CHECK(to.a >= RAM && to.a + size <= ROM);
    cleared = size;
    return clear_rc;
}

int vcpu_share_waited(struct vcpu *v, gpa_t at)
{
    if (at.a < RAM || at.a >= ROM) {
        return -XEN_EFAULT;
    }
    shared_at = at;
    return 0;
}

void guest_unshare(struct domain *d, struct guest_shared *s)
{
    CHECK(s == &self->waited_word);
    unshares++;
}

static void add_remote(struct remote r)
{
    REQUIRE(nr_remote < ARRAY_SIZE(remote));
    remote[nr_remote++] = r;
}

void sbi_remote_fence_i(uint64_t mask, uint64_t base)
{
    add_remote((struct remote){ VFENCE_I, mask, base, 0, 0, 0 });
}

void sbi_remote_hfence_vvma(uint64_t mask, uint64_t base, uint64_t start, uint64_t size)
{
    add_remote((struct remote){ VFENCE_VMA, mask, base, start, size, 0 });
}

void sbi_remote_hfence_vvma_asid(uint64_t mask, uint64_t base, uint64_t start, uint64_t size,
                                 uint64_t asid)
{
    add_remote((struct remote){ VFENCE_VMA_ASID, mask, base, start, size, asid });
}

/* --- The world ------------------------------------------------------------------- */

static void load(uint32_t id, uint32_t on)
{
    vcpus[id].loaded_on = vcpus[id].pcpu = &cpus[on];
    cpus[on].loaded = &vcpus[id];
}

static void world(void)
{
    static const uint64_t hartids[CPUS] = { 1, 3, 66, 200 };

    memset(vcpus, 0, sizeof(vcpus));
    memset(cpus, 0, sizeof(cpus));
    memset(soft, 0, sizeof(soft));
    for (uint32_t i = 0; i < CPUS; i++) {
        cpus[i].id = i;
        cpus[i].arch.host = &machine;
        cpus[i].arch.hartid = hartids[i];
        hv.pcpus[i] = &cpus[i];
    }
    for (uint32_t i = 0; i < VCPUS; i++) {
        vcpus[i].id = i;
        vcpus[i].domain = &dom;
        vcpu_ptrs[i] = &vcpus[i];
    }
    dom = (struct domain){ .hv = &hv, .vcpus = vcpu_ptrs, .config.vcpus_max = VCPUS };
    load(0, 0);
    console_len = nr_remote = local_i = local_vma = 0;
    timer_when = on_entry = on_arg = cleared = off_calls = unshares = put_calls = 0;
    shutdown_reason = -1;
    power_rc = clear_rc = 0;
    event = false;
    shared_at = gpa(0);
    at_barrier = NULL;
}

static enum vm_resume resume; /* of the last call */

/* vCPU 0 calls; the other registers must not change. */
static int64_t sbi5(uint64_t ext, uint64_t fn, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                    uint64_t a4)
{
    uint64_t *x = self->arch.x;
    struct vm_exit exit = { .kind = VM_EXIT_FIRMWARE };
    uint64_t before[32];

    for (uint32_t i = 0; i < 32; i++) {
        x[i] = 0x5a5a00 + i;
    }
    const uint64_t args[] = { a0, a1, a2, a3, a4, 0x77, fn, ext };
    memcpy(&x[REG_A0], args, sizeof(args));
    memcpy(before, x, sizeof(before));
    resume = arch_exit_firmware(self, &exit);
    before[REG_A0] = x[REG_A0];
    before[REG_A1] = x[REG_A1];
    CHECK(memcmp(before, x, sizeof(before)) == 0);
    return (int64_t)x[REG_A0];
}

static int64_t sbi(uint64_t ext, uint64_t fn, uint64_t a0, uint64_t a1, uint64_t a2)
{
    return sbi5(ext, fn, a0, a1, a2, 0, 0);
}

static uint64_t value(void) { return self->arch.x[REG_A1]; }

/* --- Base ------------------------------------------------------------------------ */

TEST(what_this_firmware_is)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_BASE, SBI_BASE_SPEC_VERSION, 0, 0, 0), 0);
    CHECK_EQ(value(), 0x02000000);
    CHECK_EQ(sbi(SBI_EXT_BASE, SBI_BASE_IMPL_ID, 0, 0, 0), 0);
    CHECK_EQ(value(), 7);
    CHECK_EQ(sbi(SBI_EXT_BASE, SBI_BASE_IMPL_VERSION, 0, 0, 0), 0);
    CHECK_EQ(value(), 4 << 16 | 17);
    for (uint64_t fn = SBI_BASE_MVENDORID; fn <= SBI_BASE_MIMPID; fn++) {
        CHECK_EQ(sbi(SBI_EXT_BASE, fn, 0, 0, 0), 0);
        CHECK_EQ(value(), 0);
    }
    CHECK_EQ(resume, VM_RESUME);
}

static uint64_t probe(uint64_t ext)
{
    CHECK_EQ(sbi(SBI_EXT_BASE, SBI_BASE_PROBE, ext, 0, 0), 0);
    return value();
}

TEST(probing_finds_what_is_there)
{
    world();
    static const uint64_t there[] = { 0x10,       0x54494d45, 0x735049, 0x52464e43, 0x48534d,
                                      0x53525354, 0x4442434e, 0x535441, 0x504d55 };

    for (uint32_t i = 0; i < ARRAY_SIZE(there); i++) {
        CHECK_EQ(probe(there[i]), 1);
        CHECK_EQ(probe(there[i] | BIT(32)), 0); /* all of a0 is the number */
    }
    CHECK_EQ(probe(SBI_EXT_SUSP), 0);
    for (uint64_t legacy = 0; legacy < 16; legacy++) {
        CHECK_EQ(probe(legacy), 0);
    }
}

TEST(what_is_not_there_is_not_supported)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_SUSP, 0, 1, 2, 3), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(value(), 0);
    CHECK_EQ(sbi(1, 0, 'x', 0, 0), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(sbi(UINT64_MAX, 0, 0, 0, 0), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(sbi(SBI_EXT_BASE, 7, 0, 0, 0), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(sbi(SBI_EXT_BASE, UINT64_MAX, 0, 0, 0), SBI_ERR_NOT_SUPPORTED);
    CHECK_EQ(sbi(SBI_EXT_BASE, BIT(32), 0, 0, 0), SBI_ERR_NOT_SUPPORTED);
    for (uint64_t fn = SBI_RFENCE_HFENCE_GVMA_VMID; fn < 16; fn++) {
        CHECK_EQ(sbi(SBI_EXT_RFENCE, fn, 1, 0, 0), SBI_ERR_NOT_SUPPORTED);
    }
    CHECK_EQ(nr_remote, 0);
    CHECK_EQ(console_len, 0);
}

TEST(each_call_is_traced)
{
    world();
    const struct trace_ring *t = &cpus[0].trace;
    uint64_t next = t->next;

    vcpus[0].tag = 0x30000;
    sbi(SBI_EXT_HSM, SBI_HSM_STATUS, VCPUS, 0, 0);
    CHECK_EQ(t->next, next + 1);
    const struct trace_record *r = &t->rec[next & (TRACE_RING_RECORDS - 1)];
    CHECK_EQ(r->event, TRACE_FIRMWARE);
    CHECK_EQ(r->who, 0x30000);
    CHECK_EQ(r->arg[0], UINT64_C(0x48534d00000002));
    CHECK_EQ((int64_t)r->arg[1], SBI_ERR_INVALID_PARAM);
}

/* --- Timer, IPI --------------------------------------------------------------------- */

TEST(the_timer_is_set)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_TIME, SBI_TIME_SET_TIMER, 0x123456789a, 0, 0), 0);
    CHECK_EQ(timer_when, 0x123456789a);
    sbi(SBI_EXT_TIME, SBI_TIME_SET_TIMER, UINT64_MAX, 0, 0);
    CHECK(timer_when == UINT64_MAX);
}

static uint64_t all_soft(void)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < VCPUS; i++) {
        sum += soft[i];
    }
    return sum;
}

TEST(ipis_go_to_the_harts_that_are_named)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_IPI, SBI_IPI_SEND, 5, 1, 0), 0);
    CHECK_EQ(all_soft(), 2);
    CHECK(soft[1] == 1 && soft[3] == 1);
    CHECK_EQ(sbi(SBI_EXT_IPI, SBI_IPI_SEND, BIT(63) | 1, 6, 0), 0);
    CHECK(all_soft() == 4 && soft[6] == 1 && soft[69] == 1);
    /* Base -1: all, whatever the mask. */
    CHECK_EQ(sbi(SBI_EXT_IPI, SBI_IPI_SEND, 0, UINT64_MAX, 0), 0);
    CHECK_EQ(all_soft(), 4 + VCPUS);
    CHECK_EQ(sbi(SBI_EXT_IPI, SBI_IPI_SEND, 0, 3, 0), 0);
    CHECK_EQ(all_soft(), 4 + VCPUS);
}

TEST(a_mask_with_a_hart_that_is_not_there_does_nothing)
{
    world();
    vcpu_ptrs[9] = NULL; /* not made */
    const struct {
        uint64_t mask, base;
    } bad[] = { { BIT(63) | 1, 7 }, { 1, VCPUS },          { 0, VCPUS },      { BIT(9) | 1, 0 },
                { 1, BIT(32) },     { 1, UINT64_MAX - 1 }, { UINT64_MAX, 64 } };

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(sbi(SBI_EXT_IPI, SBI_IPI_SEND, bad[i].mask, bad[i].base, 0),
                 SBI_ERR_INVALID_PARAM);
        CHECK_EQ(sbi5(SBI_EXT_RFENCE, SBI_RFENCE_FENCE_I, bad[i].mask, bad[i].base, 0, 0, 0),
                 SBI_ERR_INVALID_PARAM);
    }
    CHECK_EQ(all_soft(), 0);
    CHECK_EQ(nr_remote, 0);
    for (uint32_t i = 0; i < VCPUS; i++) {
        CHECK_EQ(vcpus[i].arch.fence, 0);
    }
    CHECK_EQ(sbi(SBI_EXT_IPI, SBI_IPI_SEND, 0, UINT64_MAX, 0), 0);
    CHECK(all_soft() == VCPUS - 1 && soft[9] == 0);
}

/* --- RFENCE --------------------------------------------------------------------------- */

static int64_t fence_vma(uint64_t mask, uint64_t base, uint64_t start, uint64_t size)
{
    nr_remote = 0;
    return sbi5(SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA, mask, base, start, size, 0);
}

static bool is_remote(uint32_t i, enum vfence_kind kind, uint64_t mask, uint64_t base)
{
    return i < nr_remote && remote[i].kind == kind && remote[i].mask == mask &&
           remote[i].base == base;
}

TEST(vcpus_on_cpus_are_fenced_there)
{
    world();
    load(5, 1);
    load(6, 2);
    load(7, 3);
    CHECK_EQ(fence_vma(7u << 5 | 1, 0, 0, 0), 0);
    /* One call for the harts 1 and 3, one for 66, one for 200; not by number of vCPU. */
    CHECK_EQ(nr_remote, 3);
    CHECK(is_remote(0, VFENCE_VMA, BIT(1) | BIT(3), 0));
    CHECK(is_remote(1, VFENCE_VMA, BIT(2), 64));
    CHECK(is_remote(2, VFENCE_VMA, BIT(8), 192));
    CHECK_EQ(vcpus[5].arch.fence, FENCE_VMA); /* it may have left before the fence came */
    CHECK_EQ(vcpus[0].arch.fence, 0); /* the caller cannot */
    CHECK_EQ(vcpus[8].arch.fence, 0);
    CHECK_EQ(resume, VM_RESUME);
}

TEST(vcpus_in_memory_owe_the_fence)
{
    world();
    CHECK_EQ(fence_vma(2, 0, 0x1000, 0x1000), 0);
    CHECK_EQ(sbi(SBI_EXT_RFENCE, SBI_RFENCE_FENCE_I, 6, 0, 0), 0);
    CHECK_EQ(nr_remote, 0);
    vfence_pay(&vcpus[1]);
    CHECK(local_i == 1 && local_vma == 1);
    vfence_pay(&vcpus[1]); /* once */
    CHECK(local_i == 1 && local_vma == 1);
    vfence_pay(&vcpus[2]);
    CHECK(local_i == 2 && local_vma == 1);
    vfence_pay(&vcpus[3]);
    CHECK(local_i == 2 && local_vma == 1);
}

TEST(each_kind_asks_for_its_own)
{
    world();
    load(1, 1);
    sbi5(SBI_EXT_RFENCE, SBI_RFENCE_FENCE_I, 0, UINT64_MAX, 0, 0, 0);
    CHECK(nr_remote == 1 && is_remote(0, VFENCE_I, BIT(1) | BIT(3), 0));
    CHECK_EQ(vcpus[1].arch.fence, FENCE_I);
    CHECK_EQ(vcpus[69].arch.fence, FENCE_I);
    sbi5(SBI_EXT_RFENCE, SBI_RFENCE_SFENCE_VMA_ASID, 2, 0, 0x5000, 0x2000, 0xabc0017);
    CHECK(nr_remote == 2 && is_remote(1, VFENCE_VMA_ASID, BIT(3), 0));
    CHECK(remote[1].start == 0x5000 && remote[1].size == 0x2000 && remote[1].asid == 0x17);
    CHECK_EQ(vcpus[1].arch.fence, FENCE_I | FENCE_VMA);
}

TEST(ranges_are_whole_pages_and_short)
{
    static const struct {
        uint64_t start, size, want_start, want_size;
    } ranges[] = {
        { 0x1000, 0x1000, 0x1000, 0x1000 },
        { 0x1fff, 2, 0x1000, 0x2000 },
        { 0, 1, 0, 0x1000 },
        { 0x1000, 0x40000, 0x1000, 0x40000 },
        { 0xffffffc000000000, 0x1000, 0xffffffc000000000, 0x1000 },
        /* Everything. */
        { 0, 0, 0, UINT64_MAX },
        { 0x1000, UINT64_MAX, 0, UINT64_MAX },
        { 0x1000, 0, 0, UINT64_MAX },
        { 0x1000, 0x40001, 0, UINT64_MAX },
        { 0xfffffffffffff000, 0x1000, 0, UINT64_MAX },
        { 0xfffffffffffff000, 0x2000, 0, UINT64_MAX },
        { UINT64_MAX, 1, 0, UINT64_MAX },
    };

    world();
    for (uint32_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        CHECK_EQ(fence_vma(1, 0, ranges[i].start, ranges[i].size), 0);
        CHECK(remote[0].start == ranges[i].want_start && remote[0].size == ranges[i].want_size);
    }
}

/* vCPU 1 comes to CPU 2 just when the fence looks. */
static void load_now(void)
{
    load(1, 2);
    vfence_pay(&vcpus[1]);
}

/* It leaves CPU 2 just then, and comes to CPU 3 later. */
static void leave_now(void) { vcpus[1].loaded_on = NULL; }

TEST(a_vcpu_that_is_loaded_meanwhile_is_fenced)
{
    world();
    at_barrier = load_now;
    CHECK_EQ(fence_vma(2, 0, 0, 0), 0);
    CHECK(local_vma == 1 || is_remote(0, VFENCE_VMA, BIT(2), 64));
}

TEST(a_vcpu_that_leaves_meanwhile_is_fenced)
{
    world();
    load(1, 2);
    at_barrier = leave_now;
    CHECK_EQ(fence_vma(2, 0, 0, 0), 0);
    load(1, 3);
    vfence_pay(&vcpus[1]);
    CHECK_EQ(local_vma, 1);
}

/* The debt is made just when the vCPU that is being loaded looks for it. */
static void fence_now(void) { CHECK_EQ(fence_vma(2, 0, 0, 0), 0); }

TEST(a_fence_while_it_is_being_loaded)
{
    world();
    load(1, 2);
    at_barrier = fence_now;
    vfence_pay(&vcpus[1]);
    CHECK_EQ(local_vma, 1);
    CHECK(is_remote(0, VFENCE_VMA, BIT(2), 64));
}

/* --- HSM ---------------------------------------------------------------------------- */

TEST(harts_are_started)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, 3, RAM + 0x10, 0xabc), 0);
    CHECK(on_entry == RAM + 0x10 && on_arg == 0xabc);
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, 3, ROM, 0), 0);
    power_rc = -XEN_EEXIST;
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, 3, RAM, 0), SBI_ERR_ALREADY_AVAILABLE);
    power_rc = -XEN_EBUSY;
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, 3, RAM, 0), SBI_ERR_FAILED);
}

TEST(harts_are_not_started_anywhere)
{
    world();
    static const uint64_t bad[] = {
        0, RAM + 1, DEVICE, RAM - 2, RAM + 3 * PAGE_SIZE, UINT64_MAX - 1, RAM | BIT(63)
    };

    on_entry = 42;
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, 3, bad[i], 0), SBI_ERR_INVALID_ADDRESS);
        CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_SUSPEND, 0x80000000, bad[i], 0), SBI_ERR_INVALID_ADDRESS);
    }
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, VCPUS, RAM, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_START, BIT(32), RAM, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(on_entry, 42);
    CHECK_EQ(put_calls, 0);
}

static uint64_t status(uint64_t hart)
{
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_STATUS, hart, 0, 0), 0);
    return value();
}

TEST(states_of_harts)
{
    world();
    CHECK_EQ(status(0), 0);
    vcpus[1].pause = VCPU_PAUSE_BLOCKED;
    CHECK_EQ(status(1), 0);
    load(2, 1);
    vcpus[2].pause = VCPU_PAUSE_OFFLINE;
    CHECK_EQ(status(2), 3); /* stop pending: it has not left its CPU */
    vcpus[2].loaded_on = NULL;
    CHECK_EQ(status(2), 1);
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_STATUS, VCPUS, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_STATUS, UINT64_MAX, 0, 0), SBI_ERR_INVALID_PARAM);
}

TEST(a_hart_stops_itself)
{
    world();
    sbi(SBI_EXT_HSM, SBI_HSM_STOP, 3, 0, 0);
    CHECK_EQ(off_calls, 1);
    CHECK_EQ(resume, VM_RESCHEDULE);
}

TEST(a_retentive_suspend_waits)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_SUSPEND, 0, 1, 2), 0);
    CHECK_EQ(resume, VM_RESCHEDULE);
    CHECK_EQ(vcpus[0].pause, VCPU_PAUSE_BLOCKED);
    CHECK_EQ(put_calls, 0);
    event = true;
    CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_SUSPEND, UINT64_C(1) << 32, 0, 0), 0); /* 32 bits count */
    CHECK_EQ(resume, VM_RESUME);
}

static void check_resumes_at(uint64_t entry, uint64_t opaque)
{
    const struct arch_vcpu *a = &vcpus[0].arch;

    CHECK_EQ(a->pc, entry);
    CHECK_EQ(a->x[REG_A0], 0); /* hartid */
    CHECK_EQ(a->x[REG_A1], opaque);
    CHECK_EQ(a->vs.atp, 0);
    CHECK_EQ(a->vs.status & SSTATUS_SIE, 0);
    CHECK_EQ(a->vs.ie, HIP_VSSIP); /* what wakes it */
    CHECK_EQ(resume, VM_RESCHEDULE); /* its state must be loaded again */
}

TEST(a_non_retentive_suspend_resumes_elsewhere)
{
    world();
    sbi(SBI_EXT_HSM, SBI_HSM_SUSPEND, 0x80000000, RAM + 8, 0x99);
    check_resumes_at(RAM + 8, 0x99);
    CHECK_EQ(vcpus[0].pause, VCPU_PAUSE_BLOCKED);
    world();
    event = true;
    sbi(SBI_EXT_HSM, SBI_HSM_SUSPEND, UINT64_C(0x780000000), RAM + 8, 0x98);
    check_resumes_at(RAM + 8, 0x98);
    CHECK_EQ(vcpus[0].pause, 0);
}

TEST(other_suspends_are_refused)
{
    world();
    static const uint64_t types[] = { 1,          0xfffffff,  0x10000000, 0x7fffffff,
                                      0x80000001, 0x90000000, 0xffffffff };

    for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
        CHECK_EQ(sbi(SBI_EXT_HSM, SBI_HSM_SUSPEND, types[i], RAM, 0), SBI_ERR_INVALID_PARAM);
    }
    CHECK(put_calls == 0 && vcpus[0].pause == 0);
}

/* --- SRST ---------------------------------------------------------------------------- */

static int64_t reset(uint64_t type, uint64_t reason)
{
    shutdown_reason = -1;
    return sbi(SBI_EXT_SRST, SBI_SRST_RESET, type, reason, 0);
}

TEST(the_system_resets)
{
    world();
    reset(0, 0);
    CHECK_EQ(shutdown_reason, SHUTDOWN_POWEROFF);
    CHECK_EQ(resume, VM_RESCHEDULE);
    reset(1, 0);
    CHECK_EQ(shutdown_reason, SHUTDOWN_REBOOT);
    reset(2, 1);
    CHECK_EQ(shutdown_reason, SHUTDOWN_REBOOT);
    reset(0, 1);
    CHECK_EQ(shutdown_reason, SHUTDOWN_POWEROFF);
    reset(UINT64_C(7) << 32, UINT64_C(9) << 32); /* 32 bits count */
    CHECK_EQ(shutdown_reason, SHUTDOWN_POWEROFF);
}

TEST(other_resets_are_refused)
{
    world();
    CHECK_EQ(reset(3, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(reset(0xf0000000, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(reset(0, 2), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(reset(1, 0xe0000000), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(resume, VM_RESUME);
    CHECK_EQ(shutdown_reason, -1);
}

/* --- DBCN ---------------------------------------------------------------------------- */

TEST(text_is_written)
{
    world();
    memcpy(ram + 0x20, "hello", 5);
    CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_WRITE, 5, RAM + 0x20, 0), 0);
    CHECK_EQ(value(), 5);
    CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_WRITE_BYTE, 0x1200 | '!', 0, 0), 0);
    CHECK_EQ(value(), 0);
    CHECK_STR(console, "hello!");
    CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_WRITE, 0, 0, 0), 0);
    CHECK_EQ(console_len, 6);
}

TEST(long_text_is_written_bit_by_bit)
{
    world();
    memset(ram, 'x', sizeof(ram));
    uint64_t left = 1000, at = RAM + 100;

    for (uint32_t i = 0; i < 10 && left != 0; i++) {
        CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_WRITE, left, at, 0), 0);
        CHECK(value() > 0 && value() <= left && value() <= 4096);
        left -= value();
        at += value();
    }
    CHECK_EQ(console_len, 1000);
    /* Far more than the guest has: what is there is written. */
    CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_WRITE, UINT64_C(1) << 60, RAM, 0), 0);
    CHECK(value() <= 4096);
}

TEST(text_outside_of_ram_is_refused)
{
    world();
    static const uint64_t bad[][3] = { { 1, RAM - 1, 0 },      { 2, RAM + 2 * PAGE_SIZE - 1, 0 },
                                       { 1, RAM, 1 },          { 1, 0, 0 },
                                       { UINT64_MAX, RAM, 0 }, { 16, UINT64_MAX - 7, 0 } };

    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_WRITE, bad[i][0], bad[i][1], bad[i][2]),
                 SBI_ERR_INVALID_PARAM);
        CHECK_EQ(value(), 0);
    }
    CHECK_EQ(console_len, 0);
}

TEST(nothing_is_read)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_READ, 16, RAM, 0), 0);
    CHECK_EQ(value(), 0);
    CHECK_EQ(sbi(SBI_EXT_DBCN, SBI_DBCN_READ, 16, RAM, 1), SBI_ERR_INVALID_PARAM);
}

/* --- PMU ----------------------------------------------------------------------------- */

TEST(calls_of_the_pmu_reach_it)
{
    world();
    CHECK_EQ(sbi(SBI_EXT_PMU, SBI_PMU_NUM_COUNTERS, 0, 0, 0), 0);
    CHECK_EQ(value(), 11);
    CHECK_EQ(sbi(SBI_EXT_PMU, SBI_PMU_GET_INFO, 3, 0, 0), 0);
    CHECK_EQ(value(), BIT(63));
    CHECK_EQ(sbi(SBI_EXT_PMU, SBI_PMU_GET_INFO, 11, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(value(), 0);
    for (uint64_t fn = SBI_PMU_SNAPSHOT_SET_SHMEM; fn < 16; fn++) {
        CHECK_EQ(sbi(SBI_EXT_PMU, fn, RAM, 0, 0), SBI_ERR_NOT_SUPPORTED);
    }
}

static uint64_t events(uint32_t id, uint32_t code) { return vcpus[id].arch.pmu.events[code - 2]; }

static uint64_t all_events(void)
{
    uint64_t sum = 0;

    for (uint32_t id = 0; id < VCPUS; id++) {
        for (uint32_t code = 2; code < 14; code++) {
            sum += events(id, code);
        }
    }
    return sum;
}

TEST(events_are_counted)
{
    world();
    sbi(SBI_EXT_TIME, SBI_TIME_SET_TIMER, 1, 0, 0);
    CHECK(events(0, 5) == 1 && all_events() == 1);
    sbi(SBI_EXT_IPI, SBI_IPI_SEND, 7, 0, 0); /* itself is no other hart */
    CHECK(events(0, 6) == 2 && events(1, 7) == 1 && events(2, 7) == 1 && all_events() == 5);
    sbi(SBI_EXT_IPI, SBI_IPI_SEND, 1, VCPUS, 0);
    CHECK_EQ(all_events(), 5);
    for (uint64_t fn = SBI_RFENCE_FENCE_I; fn <= SBI_RFENCE_SFENCE_VMA_ASID; fn++) {
        uint64_t before = all_events();
        uint32_t code = (uint32_t)(8 + 2 * fn);

        sbi5(SBI_EXT_RFENCE, fn, 3, 0, 0, 0, 0);
        CHECK(events(0, code) == 1 && events(1, code + 1) == 1 && all_events() == before + 2);
    }
}

/* --- STA ----------------------------------------------------------------------------- */

static int64_t set_shmem(uint64_t low, uint64_t high, uint64_t flags)
{
    return sbi(SBI_EXT_STA, SBI_STA_SET_SHMEM, low, high, flags);
}

TEST(stolen_time_is_shared)
{
    world();
    CHECK_EQ(set_shmem(RAM + 0xfc0, 0, 0), 0);
    CHECK_EQ(shared_at.a, RAM + 0xfc8);
    CHECK_EQ(cleared, 64);
    CHECK_EQ(unshares, 0);
    CHECK_EQ(set_shmem(UINT64_MAX, UINT64_MAX, 0), 0);
    CHECK_EQ(unshares, 1);
}

TEST(stolen_time_is_not_shared_anywhere)
{
    world();
    CHECK_EQ(set_shmem(RAM, 0, 1), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(set_shmem(UINT64_MAX, UINT64_MAX, 1), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(set_shmem(RAM + 8, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(set_shmem(UINT64_MAX, 0, 0), SBI_ERR_INVALID_PARAM);
    CHECK_EQ(set_shmem(RAM, 1, 0), SBI_ERR_INVALID_ADDRESS);
    CHECK_EQ(set_shmem(RAM, UINT64_MAX, 0), SBI_ERR_INVALID_ADDRESS);
    CHECK_EQ(set_shmem(ROM, 0, 0), SBI_ERR_INVALID_ADDRESS);
    CHECK_EQ(set_shmem(UINT64_MAX - 63, 0, 0), SBI_ERR_INVALID_ADDRESS);
    CHECK(shared_at.a == 0 && cleared == 0 && unshares == 0);
    clear_rc = -XEN_EFAULT; /* another vCPU gave the page back just now */
    CHECK_EQ(set_shmem(RAM, 0, 0), SBI_ERR_INVALID_ADDRESS);
    CHECK_EQ(unshares, 1);
}
