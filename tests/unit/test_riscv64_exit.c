/* SPDX-License-Identifier: MIT */
/* From a cause of riscv64 to a neutral exit (exit.c). trap.c's part of it is the test's. */
/* Before all others: struct vcpu is riscv64's. */
#include "riscv64_csr.h"

#include <arch/vcpu.h>
#include <loam/vcpu.h>

#include "../../hv/arch/riscv64/exit.c"

static uint64_t sepc;
static struct vcpu vcpu;
static struct vm_exit seen;
static uint32_t insn;
static bool is_device;

static uint64_t hw_csr_read(const char *csr)
{
    CHECK_STR(csr, "sepc");
    return sepc;
}

static void hw_csr_write(const char *csr, uint64_t value)
{
    CHECK_STR(csr, "sepc");
    sepc = value;
}

bool vcpu_exit(struct vcpu *v, struct vm_exit *x)
{
    CHECK(v == &vcpu);
    seen = *x;
    return true;
}

bool trap_decode_mmio(struct vcpu *v, struct vm_exit *x)
{
    x->mmio.addr = gpa(0x1234);
    return is_device;
}

uint32_t trap_insn(struct vcpu *v) { return insn; }

static enum vm_exit_kind trap(uint64_t cause)
{
    sepc = 0x80000000;
    CHECK(arch_exit_trap(&vcpu, cause));
    CHECK_EQ(seen.info, cause);
    CHECK_EQ(sepc, 0x80000000); /* whoever handles it steps over it */
    return seen.kind;
}

TEST(calls_go_on_after_the_ecall)
{
    sepc = 0x80000000;
    vcpu.arch.x[REG_A7] = XEN_HYPERCALL_EID;
    CHECK(arch_exit_ecall(&vcpu));
    CHECK_EQ(seen.kind, VM_EXIT_HYPERCALL);
    CHECK_EQ(sepc, 0x80000004);
    vcpu.arch.x[REG_A7] = 0x10;
    CHECK(arch_exit_ecall(&vcpu));
    CHECK_EQ(seen.kind, VM_EXIT_FIRMWARE);
    CHECK_EQ(sepc, 0x80000008);
}

TEST(accesses_are_a_devices_or_the_architectures)
{
    is_device = true;
    CHECK_EQ(trap(CAUSE_LOAD_GUEST_PAGE), VM_EXIT_MMIO);
    CHECK_EQ(trap(CAUSE_STORE_GUEST_PAGE), VM_EXIT_MMIO);
    CHECK_EQ(seen.mmio.addr.a, 0x1234);
    CHECK_EQ(trap(CAUSE_INSN_GUEST_PAGE), VM_EXIT_ARCH); /* no device is executed */
    is_device = false;
    CHECK_EQ(trap(CAUSE_LOAD_GUEST_PAGE), VM_EXIT_ARCH);
    CHECK_EQ(trap(CAUSE_STORE_GUEST_PAGE), VM_EXIT_ARCH);
}

TEST(what_waits_is_told_from_what_is_refused)
{
    insn = 0x10500073; /* wfi */
    CHECK_EQ(trap(CAUSE_VIRTUAL_INSN), VM_EXIT_IDLE);
    insn = 0x00d00073; /* wrs.nto */
    CHECK_EQ(trap(CAUSE_VIRTUAL_INSN), VM_EXIT_YIELD);
    insn = 0x12000073; /* sfence.vma */
    CHECK_EQ(trap(CAUSE_VIRTUAL_INSN), VM_EXIT_ARCH);
    insn = 0x10500073;
    CHECK_EQ(trap(CAUSE_ILLEGAL), VM_EXIT_ARCH);
}

TEST(interrupts_of_the_machine)
{
    CHECK(arch_exit_irq(&vcpu));
    CHECK_EQ(seen.kind, VM_EXIT_IRQ);
}
