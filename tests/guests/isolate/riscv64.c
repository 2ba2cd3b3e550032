/* SPDX-License-Identifier: MIT */
/*
 * isolate, riscv64: S-mode CSRs that nothing else here uses, and the floating
 * point registers. stval, scause and sepc are only safe because nothing traps
 * here; the timer is compared, not armed: its interrupt is off.
 */

#include "isolate.h"

#define S_REGISTERS(X) \
    X(sscratch) \
    X(sepc) \
    X(scause) \
    X(stval) \
    X(stvec) \
    X(sie) \
    X(scounteren) \
    X(satp) \
    X(sstatus) \
    X(senvcfg)

static u64 expected[16], found[32], values[32];
static u32 bad_registers, bad_floats, bad_fcsr;

static void load_floats(const u64 *from)
{
    __asm__ volatile(".option push\n.option arch, +d\n"
                     "fld f0, 0(%0)\n fld f1, 8(%0)\n fld f2, 16(%0)\n fld f3, 24(%0)\n"
                     "fld f4, 32(%0)\n fld f5, 40(%0)\n fld f6, 48(%0)\n fld f7, 56(%0)\n"
                     "fld f8, 64(%0)\n fld f9, 72(%0)\n fld f10, 80(%0)\n fld f11, 88(%0)\n"
                     "fld f12, 96(%0)\n fld f13, 104(%0)\n fld f14, 112(%0)\n fld f15, 120(%0)\n"
                     "fld f16, 128(%0)\n fld f17, 136(%0)\n fld f18, 144(%0)\n fld f19, 152(%0)\n"
                     "fld f20, 160(%0)\n fld f21, 168(%0)\n fld f22, 176(%0)\n fld f23, 184(%0)\n"
                     "fld f24, 192(%0)\n fld f25, 200(%0)\n fld f26, 208(%0)\n fld f27, 216(%0)\n"
                     "fld f28, 224(%0)\n fld f29, 232(%0)\n fld f30, 240(%0)\n fld f31, 248(%0)\n"
                     ".option pop" ::"r"(from)
                     : "memory");
}

static void store_floats(u64 *to)
{
    __asm__ volatile(".option push\n.option arch, +d\n"
                     "fsd f0, 0(%0)\n fsd f1, 8(%0)\n fsd f2, 16(%0)\n fsd f3, 24(%0)\n"
                     "fsd f4, 32(%0)\n fsd f5, 40(%0)\n fsd f6, 48(%0)\n fsd f7, 56(%0)\n"
                     "fsd f8, 64(%0)\n fsd f9, 72(%0)\n fsd f10, 80(%0)\n fsd f11, 88(%0)\n"
                     "fsd f12, 96(%0)\n fsd f13, 104(%0)\n fsd f14, 112(%0)\n fsd f15, 120(%0)\n"
                     "fsd f16, 128(%0)\n fsd f17, 136(%0)\n fsd f18, 144(%0)\n fsd f19, 152(%0)\n"
                     "fsd f20, 160(%0)\n fsd f21, 168(%0)\n fsd f22, 176(%0)\n fsd f23, 184(%0)\n"
                     "fsd f24, 192(%0)\n fsd f25, 200(%0)\n fsd f26, 208(%0)\n fsd f27, 216(%0)\n"
                     "fsd f28, 224(%0)\n fsd f29, 232(%0)\n fsd f30, 240(%0)\n fsd f31, 248(%0)\n"
                     ".option pop" ::"r"(to)
                     : "memory");
}

void registers_write(void)
{
    u32 n = 0;

    for (u32 i = 0; i < 32; i++) {
        values[i] = mix(200 + i);
    }
    load_floats(values);
    csr_write(fcsr, mix(300) & 0xff);
    csr_write(sepc, mix(1));
    csr_write(scause, mix(2));
    csr_write(stval, mix(3));
    csr_write(scounteren, mix(4));
    csr_write(sie, mix(5));
    /* Where traps would go, if there were any: with what the others have not. */
    csr_write(stvec, csr_read(stvec));
    csr_write(senvcfg, mix(6));
#define WRITE(r) expected[n++] = csr_read(r);
    S_REGISTERS(WRITE)
#undef WRITE
}

bool registers_check(void)
{
    u32 n = 0;

#define CHECK(r) \
    if (csr_read(r) != expected[n]) { \
        print(#r " is 0x%lx, was 0x%lx\n", csr_read(r), expected[n]); \
        bad_registers++; \
    } \
    n++;
    S_REGISTERS(CHECK)
#undef CHECK
    store_floats(found);
    for (u32 i = 0; i < 32; i++) {
        bad_floats += found[i] != values[i];
    }
    bad_fcsr += csr_read(fcsr) != (mix(300) & 0xff);
    return bad_registers <= 10;
}

void registers_report(void)
{
    check(!bad_registers, "S-mode registers, %u bad", bad_registers);
    check(!bad_floats, "FP registers, %u bad", bad_floats);
    check(!bad_fcsr, "fcsr, %u bad", bad_fcsr);
}
