/* SPDX-License-Identifier: MIT */
/*
 * Guest page faults and exceptions on riscv64 (trap.c, inject.c): how an access to a device is
 * taken apart, what a load leaves in a register, and what a guest finds in its CSRs when it gets
 * an exception. Control registers are memory here, the guest's code is at RAM.
 */
/* Before all others: struct vcpu is riscv64's. */
#include "riscv64_csr.h"

#include <loam/domain.h>
#include <loam/guest_copy.h>
#include <loam/p2m.h>
#include <loam/vcpu.h>
#include <xen/errno.h>

#include "../../hv/arch/riscv64/decode.c"
#include "../../hv/arch/riscv64/inject.c"
#include "../../hv/arch/riscv64/trap.c"

#define RAM UINT64_C(0x80000000)
#define DEVICE UINT64_C(0x10000005)
#define VECTOR UINT64_C(0xffffffff80001000)

static struct hw_csr csrs[24];
static struct domain dom;
static struct vcpu vcpu, *v = &vcpu;
static uint8_t code[8]; /* at RAM, addresses are what they are */
static uint64_t code_end; /* fetches from here on fail */
static bool stale; /* what p2m_fault_is_stale() says */
static uint32_t vintc_insn; /* what vintc_csr() was asked */
static bool vintc_knows;

static uint64_t *reg(const char *name) { return hw_csr_at(csrs, ARRAY_SIZE(csrs), name); }
static uint64_t hw_csr_read(const char *csr) { return *reg(csr); }
static void hw_csr_write(const char *csr, uint64_t value) { *reg(csr) = value; }

/* --- What the code under test calls ------------------------------------------------- */

static bool locked;

void spin_lock(struct spinlock *lock)
{
    CHECK(lock == &dom.p2m.lock && !locked);
    locked = true;
}

void spin_unlock(struct spinlock *lock)
{
    CHECK(lock == &dom.p2m.lock && locked);
    locked = false;
}

int arch_guest_translate(struct vcpu *w, uint64_t addr, bool write, gpa_t *out)
{
    CHECK(w == v && !write);
    CHECK(locked);
    *out = gpa(addr);
    return addr < RAM || addr + 2 > code_end ? -XEN_EFAULT : 0;
}

int guest_phys_read(struct domain *d, void *buf, gpa_t from, size_t size)
{
    CHECK(!locked);
    memcpy(buf, code + (from.a - RAM), size);
    return 0;
}

bool p2m_fault_is_stale(struct vcpu *w) { return stale; }

bool vector_use(struct vcpu *w) { return false; }

bool vpmu_csr(struct vcpu *w, uint32_t insn) { return false; }

bool vintc_csr(struct vcpu *w, uint32_t insn)
{
    vintc_insn = insn;
    return vintc_knows;
}

/* --- The world ------------------------------------------------------------------------ */

static void world(void)
{
    memset(csrs, 0, sizeof(csrs));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(code, 0, sizeof(code));
    memset(&dom, 0, sizeof(dom));
    vcpu.domain = &dom;
    for (uint32_t i = 1; i < 32; i++) {
        vcpu.arch.x[i] = UINT64_C(0xf0f1f2f3f4f5f600) + i;
    }
    *reg("sepc") = RAM;
    *reg("stval") = DEVICE;
    *reg("htval") = DEVICE >> 2;
    *reg("vstvec") = VECTOR | 1; /* vectored */
    code_end = RAM + sizeof(code);
    stale = false;
    vintc_insn = 0;
    vintc_knows = false;
}

static void fetchable(uint32_t insn) { memcpy(code, &insn, sizeof(insn)); }

/* A fault of this cause with this htinst: is it one of a device? */
static bool is_device(uint64_t cause, uint64_t htinst, struct vm_exit *x)
{
    *x = (struct vm_exit){ .kind = VM_EXIT_MMIO, .info = cause };
    *reg("htinst") = htinst;
    return trap_decode_mmio(v, x);
}

/* v got this exception, from the mode that SPP says, and goes on at its vector. */
static void check_injected(uint64_t cause, uint64_t tval)
{
    CHECK_EQ(*reg("vscause"), cause);
    CHECK_EQ(*reg("vstval"), tval);
    CHECK_EQ(*reg("vsepc"), RAM);
    CHECK_EQ(*reg("sepc"), VECTOR);
    CHECK_EQ(*reg("sstatus") & SSTATUS_SPP, SSTATUS_SPP);
}

static bool is_injected(void) { return *reg("sepc") == VECTOR; }

/* --- Accesses to devices ---------------------------------------------------------------- */

/* As htinst has them: lbu a0, lb a0, sw a1; bit 1 clear: of 2 bytes (Priv. spec 21.6.3). */
#define LBU_A0 0x00004503
#define LB_A0 0x00000503
#define LD_X0 0x00003003
#define SW_A1 0x00b02023
#define SD_X0 0x00003023
#define SHORT 2

TEST(a_load_names_register_and_width)
{
    struct vm_exit x;

    world();
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, LBU_A0, &x));
    CHECK_EQ(x.mmio.addr.a, DEVICE); /* htval's bits and the two that it lacks */
    CHECK_EQ(x.mmio.size, 1);
    CHECK_EQ(x.mmio.reg, REG_A0);
    CHECK(!x.mmio.write);
    CHECK_EQ(x.mmio.flags, 0);
}

TEST(a_store_brings_its_bytes_alone)
{
    struct vm_exit x;

    world();
    REQUIRE(is_device(CAUSE_STORE_GUEST_PAGE, SW_A1, &x));
    CHECK(x.mmio.write);
    CHECK_EQ(x.mmio.size, 4);
    CHECK_EQ(x.mmio.value, vcpu.arch.x[REG_A1] & 0xffffffff);
    vcpu.arch.x[0] = 7; /* never used */
    REQUIRE(is_device(CAUSE_STORE_GUEST_PAGE, SD_X0, &x));
    CHECK_EQ(x.mmio.value, 0);
}

TEST(a_load_is_extended_as_the_instruction_says)
{
    struct vm_exit x;

    world();
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, LBU_A0, &x));
    x.mmio.value = 0x85;
    arch_mmio_complete(v, &x.mmio);
    CHECK_EQ(vcpu.arch.x[REG_A0], 0x85);
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, LB_A0, &x));
    x.mmio.value = 0x85;
    arch_mmio_complete(v, &x.mmio);
    CHECK_EQ(vcpu.arch.x[REG_A0], UINT64_C(0xffffffffffffff85));
    x.mmio.value = 0x7f;
    arch_mmio_complete(v, &x.mmio);
    CHECK_EQ(vcpu.arch.x[REG_A0], 0x7f);
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, LD_X0, &x));
    x.mmio.value = 1;
    arch_mmio_complete(v, &x.mmio);
    CHECK_EQ(vcpu.arch.x[0], 0);
}

TEST(instructions_of_two_bytes_are_stepped_over_as_such)
{
    struct vm_exit x;

    world();
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, LBU_A0, &x));
    arch_vcpu_skip(v, &x);
    CHECK_EQ(*reg("sepc"), RAM + 4);
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, LBU_A0 & ~SHORT, &x));
    arch_vcpu_skip(v, &x);
    CHECK_EQ(*reg("sepc"), RAM + 6);
    x.kind = VM_EXIT_IDLE; /* wfi has no short form */
    arch_vcpu_skip(v, &x);
    CHECK_EQ(*reg("sepc"), RAM + 10);
}

TEST(without_htinst_the_instruction_is_fetched)
{
    struct vm_exit x;

    world();
    fetchable(0x0005c503); /* lbu a0, 0(a1) */
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, 0, &x));
    CHECK_EQ(x.mmio.size, 1);
    CHECK_EQ(x.mmio.flags, 0);
    fetchable(0xffff4188); /* c.lw a0, 0(a1): what follows is not looked at, */
    code_end = RAM + 2; /* nor fetched */
    REQUIRE(is_device(CAUSE_LOAD_GUEST_PAGE, 0, &x));
    CHECK_EQ(x.mmio.size, 4);
    CHECK_EQ(x.mmio.flags, ACCESS_SIGN | ACCESS_SHORT);
    fetchable(0x0005c503); /* the second half is on a page that is not there */
    CHECK(!is_device(CAUSE_LOAD_GUEST_PAGE, 0, &x));
    code_end = RAM;
    CHECK(!is_device(CAUSE_LOAD_GUEST_PAGE, 0, &x));
}

/* A guest may change its code between the fault and the fetch. */
TEST(another_access_than_the_one_that_faulted_is_none)
{
    struct vm_exit x;

    world();
    fetchable(0x0005c503); /* lbu */
    CHECK(!is_device(CAUSE_STORE_GUEST_PAGE, 0, &x));
    fetchable(0x00b52023); /* sw */
    CHECK(!is_device(CAUSE_LOAD_GUEST_PAGE, 0, &x));
    fetchable(0x00000013); /* nop */
    CHECK(!is_device(CAUSE_LOAD_GUEST_PAGE, 0, &x));
    fetchable(0x0005c503);
    CHECK(!is_device(CAUSE_LOAD_GUEST_PAGE, 0x3000, &x)); /* the guest's tables, not its access */
}

/* --- Exceptions that a guest gets ------------------------------------------------------------ */

TEST(an_exception_leaves_csrs_as_hardware_does)
{
    static const struct {
        uint64_t spp, vsstatus, want;
    } row[] = {
        { SSTATUS_SPP, SSTATUS_SIE, SSTATUS_SPP | SSTATUS_SPIE },
        { SSTATUS_SPP, 0, SSTATUS_SPP },
        { 0, SSTATUS_SIE | SSTATUS_SPP, SSTATUS_SPIE },
        { 0, SSTATUS_SPIE, 0 },
        { 0, SSTATUS_SUM | SSTATUS_FS_DIRTY, SSTATUS_SUM | SSTATUS_FS_DIRTY },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(row); i++) {
        world();
        *reg("sstatus") = row[i].spp | SSTATUS_FS_DIRTY;
        *reg("vsstatus") = row[i].vsstatus;
        inject_exception(v, CAUSE_BREAKPOINT, 0x1234);
        check_injected(CAUSE_BREAKPOINT, 0x1234);
        CHECK_EQ(*reg("vsstatus"), row[i].want);
        CHECK_EQ(*reg("sstatus"), SSTATUS_SPP | SSTATUS_FS_DIRTY);
    }
}

TEST(nothing_at_an_address_is_an_access_fault)
{
    static const struct {
        uint64_t cause, want;
    } row[] = {
        { CAUSE_LOAD_GUEST_PAGE, CAUSE_LOAD_ACCESS },
        { CAUSE_STORE_GUEST_PAGE, CAUSE_STORE_ACCESS },
        { CAUSE_INSN_GUEST_PAGE, CAUSE_INSN_ACCESS },
    };

    for (uint32_t i = 0; i < ARRAY_SIZE(row); i++) {
        struct vm_exit x = { .kind = VM_EXIT_ARCH, .info = row[i].cause };

        world();
        CHECK_EQ(arch_exit_handle(v, &x), VM_RESUME);
        check_injected(row[i].want, DEVICE);
    }
}

/* An entry that was being changed is tried again. */
TEST(a_stale_fault_is_tried_again)
{
    static const uint64_t causes[] = { CAUSE_LOAD_GUEST_PAGE, CAUSE_STORE_GUEST_PAGE,
                                       CAUSE_INSN_GUEST_PAGE };

    for (uint32_t i = 0; i < 2 * ARRAY_SIZE(causes); i++) {
        struct vm_exit x = { .kind = VM_EXIT_ARCH, .info = causes[i / 2] };

        world();
        stale = i % 2;
        CHECK_EQ(arch_exit_handle(v, &x), VM_RESUME);
        CHECK_EQ(is_injected(), !stale);
        CHECK_EQ(*reg("sepc"), stale ? RAM : VECTOR);
    }
}

TEST(a_virtual_instruction_is_the_controllers_or_illegal)
{
    struct vm_exit x = { .kind = VM_EXIT_ARCH, .info = CAUSE_VIRTUAL_INSN };

    world();
    *reg("stval") = 0x15c5a573; /* csrrs a0, stopei, a1 */
    vintc_knows = true;
    CHECK_EQ(arch_exit_handle(v, &x), VM_RESUME);
    CHECK_EQ(vintc_insn, 0x15c5a573);
    CHECK(!is_injected());
    vintc_knows = false;
    arch_exit_handle(v, &x);
    check_injected(CAUSE_ILLEGAL, 0x15c5a573);
    world(); /* a hart that does not say which */
    *reg("stval") = 0;
    fetchable(0x6000a073); /* csrs hstatus, ra */
    arch_exit_handle(v, &x);
    check_injected(CAUSE_ILLEGAL, 0x6000a073);
}

TEST(other_causes_go_on_to_the_guest)
{
    struct vm_exit x = { .kind = VM_EXIT_ARCH, .info = CAUSE_STORE_ACCESS };

    world();
    arch_exit_handle(v, &x);
    check_injected(CAUSE_STORE_ACCESS, DEVICE);
}
